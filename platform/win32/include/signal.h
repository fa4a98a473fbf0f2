/* signal.h — with what mingw-w64's lacks: sets that nobody looks at, and kill for SIGKILL alone. */
#include_next <signal.h>

#ifndef THAW_PLATFORM_SIGNAL_H
#define THAW_PLATFORM_SIGNAL_H

#include <sys/types.h>

typedef unsigned long long thaw_sigset;
typedef void (*sighandler_t)(int);

#define sigset_t   thaw_sigset
#define SIGHUP     1
#define SIGQUIT    3
#define SIGKILL    9
#define SIGPIPE    13
#define SIGALRM    14
#define SIGCHLD    17
#define SIGWINCH   28
#define SA_RESTART 0x10000000

struct sigaction {
    sighandler_t sa_handler;
    sigset_t sa_mask;
    int sa_flags;
};

int kill(pid_t pid, int number);
int sigaction(int number, const struct sigaction *to, struct sigaction *from);
int sigaddset(sigset_t *set, int number);
int sigemptyset(sigset_t *set);
/* Of a signal that Windows does not know, nothing is said and nothing happens. */
sighandler_t thaw_signal(int number, sighandler_t handler);
#define signal thaw_signal

#endif
