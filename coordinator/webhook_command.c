#include "coordinator/webhook_internal.h"

#include "storage/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* The JSON as a file without a name, read from its beginning: no pipe that somebody must feed. */
static int input_open(const struct delivery *delivery, struct err *err)
{
    int fd = memfd_create("thaw-run", MFD_CLOEXEC);

    if (fd < 0) {
        (void)err_set_errno(err, errno, "memfd_create");
        return -1;
    }
    if (file_write_all(fd, buf_span(&delivery->body), "the run", err) &&
        lseek(fd, 0, SEEK_SET) == 0)
        return fd;
    close(fd);
    return -1;
}

/* In a process group of its own, so that what it starts can be ended with it; signals as usual. */
static void set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setpgroup(attributes, 0);
    posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
                                             POSIX_SPAWN_SETSIGDEF);
}

bool command_start(struct delivery *delivery, struct err *err)
{
    char run[24], variable[40], path[] = "PATH=/usr/local/bin:/usr/bin:/bin";
    char *const arguments[] = {delivery->command, run, NULL};
    char *const environment[] = {path, variable, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int input = input_open(delivery, err), failed;

    if (input < 0)
        return false;
    snprintf(run, sizeof run, "%" PRIu64, delivery->run);
    snprintf(variable, sizeof variable, "THAW_RUN=%s", run);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_init(&attributes);
    set_attributes(&attributes);
    failed = posix_spawn(&delivery->pid, delivery->command, &actions, &attributes, arguments,
                         environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(input);
    if (failed == 0)
        return true;
    delivery->pid = 0;
    return err_set_errno(err, failed, "cannot run %s", delivery->command);
}

bool command_ended(struct delivery *delivery, bool kills, bool *ok)
{
    struct hook_half *half = &delivery->program;
    int status = 0;

    if (kills)
        (void)kill(-delivery->pid, SIGKILL);
    if (waitpid(delivery->pid, &status, kills ? 0 : WNOHANG) != delivery->pid)
        return false;
    delivery->pid = 0;
    half->status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    half->error[0] = 0;
    *ok = half->status == 0;
    if (kills)
        snprintf(half->error, sizeof half->error, "it ran for more than %d seconds",
                 HOOK_COMMAND_S);
    else if (WIFSIGNALED(status))
        snprintf(half->error, sizeof half->error, "it was ended by signal %d", WTERMSIG(status));
    else if (!*ok)
        snprintf(half->error, sizeof half->error, "its exit status is %d", half->status);
    return true;
}
