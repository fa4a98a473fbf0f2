/* sys/wait.h — how a child ended, in Linux's numbers, on hosts that have no such header. */
#ifndef THAW_PLATFORM_WAIT_H
#define THAW_PLATFORM_WAIT_H

#include <sys/types.h>

#define WNOHANG        1
#define WIFEXITED(s)   (((s)&0x7f) == 0)
#define WEXITSTATUS(s) (((s) >> 8) & 0xff)
#define WIFSIGNALED(s) (((s)&0x7f) != 0)
#define WTERMSIG(s)    ((s)&0x7f)

pid_t waitpid(pid_t pid, int *status, int options);

#endif
