#include "coordinator/gateway_crowd.h"

#include "storage/base/buf.h"

#include <linux/tcp.h> /* the C library's has no bytes_received */
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>

/* A greeting, and less than any envelope. */
#define NOTHING_SAID 64

struct connection {
    int fd;
    uint64_t rank; /* the highest goes first */
};

static uint64_t rank_of(int fd, sa_family_t family)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    if (family == AF_UNIX || getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return 0;
    return (info.tcpi_bytes_received < NOTHING_SAID ? UINT64_C(1) << 32 : 0) +
           info.tcpi_last_data_recv + 1;
}

/* False for what is no connection: files, listening sockets, pipes. */
static bool look_at(int fd, struct connection *out)
{
    struct sockaddr_storage peer;
    socklen_t size = sizeof peer;

    if (getpeername(fd, (struct sockaddr *)&peer, &size) != 0)
        return false;
    out->fd = fd;
    out->rank = rank_of(fd, peer.ss_family);
    return true;
}

static int compare(const void *a, const void *b)
{
    const struct connection *left = a, *right = b;

    return (left->rank < right->rank) - (left->rank > right->rank);
}

uint32_t crowd_put_out(uint32_t count, int keep_fd, int fd_limit)
{
    struct connection *all = mem_array((size_t)fd_limit, sizeof *all);
    uint32_t found = 0, out = 0;

    for (int fd = 0; fd < fd_limit; fd++)
        if (fd != keep_fd && look_at(fd, &all[found]))
            found++;
    qsort(all, found, sizeof *all, compare);
    while (out < count && out < found)
        shutdown(all[out++].fd, SHUT_RDWR);
    mem_free(all);
    return out;
}
