#include "cli/farm/child.h"

#include "storage/base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* In the child: only calls that are safe between fork and exec. */
static _Noreturn void become(const char *file, const char *const *argv, int log, pid_t parent)
{
    int nothing = open("/dev/null", O_RDONLY);

    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(1);        /* it died before */
    (void)setpgid(0, 0); /* an interrupt at the terminal is the parent's to handle */
    (void)dup2(nothing, STDIN_FILENO);
    (void)dup2(log, STDOUT_FILENO);
    (void)dup2(log, STDERR_FILENO);
    execvp(file, (char *const *)(const void *)argv);
    _exit(127);
}

bool child_start(struct child *child, const char *what, const char *const *arguments,
                 const char *log, struct err *err)
{
    const char *argv[PROGRAM_WORDS_MAX + CHILD_ARGUMENTS_MAX + 1] = {NULL};
    struct program program;
    pid_t parent = getpid();
    int fd;

    if (!program_self(&program, "thaw-farm", err))
        return err_wrap(err, "cannot start %s", what);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot open %s", log);
    for (size_t i = 0; i < program.count; i++)
        argv[i] = program.words[i];
    for (size_t i = 0; i < CHILD_ARGUMENTS_MAX && arguments[i] != NULL; i++)
        argv[program.count + i] = arguments[i];
    fflush(NULL);
    child->what = what;
    child->pid = fork();
    if (child->pid == 0)
        become(program.file, argv, fd, parent);
    close(fd);
    if (child->pid > 0)
        return true;
    child->pid = 0;
    return err_set_errno(err, errno, "cannot start %s", what);
}

static bool has_ended(struct child *child, bool wait)
{
    pid_t got;

    if (child->pid == 0)
        return true;
    do
        got = waitpid(child->pid, &child->status, wait ? 0 : WNOHANG);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return false;
    child->pid = 0;
    return true;
}

bool child_is_alive(struct child *child)
{
    return !has_ended(child, false);
}

/* Waits without burning time: a pidfd becomes readable when its process ends. */
static void wait_a_while(pid_t pid, unsigned ms)
{
    struct pollfd ended = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};

    (void)poll(&ended, ended.fd >= 0 ? 1 : 0, (int)ms);
    if (ended.fd >= 0)
        close(ended.fd);
}

void child_ask_to_stop(struct child *child)
{
    if (!has_ended(child, false))
        (void)kill(child->pid, SIGTERM);
}

void child_stop(struct child *child, unsigned guard_ms)
{
    if (has_ended(child, false))
        return;
    (void)kill(child->pid, SIGTERM);
    wait_a_while(child->pid, guard_ms);
    if (has_ended(child, false))
        return;
    (void)kill(child->pid, SIGKILL);
    (void)has_ended(child, true);
}
