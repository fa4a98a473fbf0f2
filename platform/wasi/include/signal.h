/* signal.h — a host without signals: handlers are never called. */
#ifndef THAW_PLATFORM_SIGNAL_H
#define THAW_PLATFORM_SIGNAL_H

#include <sys/types.h>

typedef int sig_atomic_t;
typedef void (*sighandler_t)(int);
typedef unsigned long thaw_sigset;

#define sigset_t   thaw_sigset
#define SIG_DFL    ((sighandler_t)0)
#define SIG_IGN    ((sighandler_t)1)
#define SIG_ERR    ((sighandler_t)-1)
#define SIGHUP     1
#define SIGINT     2
#define SIGQUIT    3
#define SIGABRT    6
#define SIGKILL    9
#define SIGSEGV    11
#define SIGPIPE    13
#define SIGALRM    14
#define SIGTERM    15
#define SIGCHLD    17
#define SIGWINCH   28
#define SA_RESTART 0x10000000

struct sigaction {
    sighandler_t sa_handler;
    sigset_t sa_mask;
    int sa_flags;
};

sighandler_t signal(int number, sighandler_t handler);
int sigaction(int number, const struct sigaction *to, struct sigaction *from);
int sigemptyset(sigset_t *set);
int sigaddset(sigset_t *set, int number);
int kill(pid_t pid, int number);
int raise(int number);

#endif
