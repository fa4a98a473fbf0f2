/* sys/select.h — for a library that asks a terminal for its size: it never answers. */
#ifndef THAW_PLATFORM_SELECT_H
#define THAW_PLATFORM_SELECT_H

#include <sys/time.h>

#define FD_SETSIZE 64

struct select_set {
    unsigned long long bits;
};

typedef struct select_set fd_set;

#define FD_ZERO(set)      ((void)((set)->bits = 0))
#define FD_SET(fd, set)   ((void)((set)->bits |= 1ull << (fd)))
#define FD_ISSET(fd, set) (((set)->bits >> (fd)&1) != 0)

int select(int count, fd_set *readable, fd_set *writable, fd_set *strange, struct timeval *wait);

#endif
