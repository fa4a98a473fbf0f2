/* poll.h — waiting for pipes and the console. A pipe can always be written to as far as this tells:
 * a write that finds no room says EAGAIN. */
#ifndef THAW_PLATFORM_POLL_H
#define THAW_PLATFORM_POLL_H

#include <stddef.h>

#define POLLIN  1
#define POLLOUT 4
#define POLLERR 8
#define POLLHUP 16

struct pollfd {
    int fd; /* below 0: passed over */
    short events, revents;
};

int poll(struct pollfd *fds, size_t count, int wait_ms);

#endif
