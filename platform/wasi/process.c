/* A host with one process: it has a number, no signals, no children, no limits. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

static int lacking(void)
{
    errno = ENOSYS;
    return -1;
}

pid_t getpid(void)
{
    return 1;
}

sighandler_t signal(int number, sighandler_t handler)
{
    (void)number;
    (void)handler;
    return SIG_DFL;
}

int sigaction(int number, const struct sigaction *to, struct sigaction *from)
{
    (void)number;
    (void)to;
    if (from != NULL)
        *from = (struct sigaction){SIG_DFL, 0, 0};
    return 0;
}

int sigemptyset(sigset_t *set)
{
    *set = 0;
    return 0;
}

int sigaddset(sigset_t *set, int number)
{
    *set |= 1ul << number;
    return 0;
}

int kill(pid_t pid, int number)
{
    (void)pid;
    (void)number;
    return lacking();
}

int raise(int number)
{
    (void)number;
    abort();
}

int getrlimit(int what, struct rlimit *out)
{
    (void)what;
    *out = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    return 0;
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    (void)pid;
    (void)status;
    (void)options;
    errno = ECHILD;
    return -1;
}

int execvp(const char *file, char *const argv[])
{
    (void)file;
    (void)argv;
    return lacking();
}

int pipe2(int ends[2], int flags)
{
    (void)ends;
    (void)flags;
    return lacking();
}

int dup(int fd)
{
    (void)fd;
    return lacking();
}

int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions,
                 const posix_spawnattr_t *attributes, char *const argv[], char *const envp[])
{
    (void)pid;
    (void)file;
    (void)actions;
    (void)attributes;
    (void)argv;
    (void)envp;
    return ENOSYS;
}
