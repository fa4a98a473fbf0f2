#include "coordinator/http_internal.h"

#include "storage/base/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static bool is_loopback_six(const struct in6_addr *address)
{
    return IN6_IS_ADDR_LOOPBACK(address) ||
           (IN6_IS_ADDR_V4MAPPED(address) && address->s6_addr[12] == 127);
}

static void describe_peer(struct http_connection *connection, const struct sockaddr *address)
{
    const struct sockaddr_in *four = (const void *)address;
    const struct sockaddr_in6 *six = (const void *)address;

    snprintf(connection->peer, sizeof connection->peer, "unix");
    connection->is_local = true;
    if (address == NULL || address->sa_family == AF_UNIX)
        return;
    if (address->sa_family == AF_INET) {
        (void)inet_ntop(AF_INET, &four->sin_addr, connection->peer, sizeof connection->peer);
        connection->is_local = ntohl(four->sin_addr.s_addr) >> 24 == 127;
    } else if (address->sa_family == AF_INET6) {
        (void)inet_ntop(AF_INET6, &six->sin6_addr, connection->peer, sizeof connection->peer);
        connection->is_local = is_loopback_six(&six->sin6_addr);
    } else {
        connection->is_local = false;
    }
}

static struct http_connection *connection_new(struct http *http, struct MHD_Connection *mhd)
{
    struct http_connection *connection = mem_alloc(sizeof *connection);
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *address =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    connection->fd = fd != NULL ? fd->connect_fd : -1;
    describe_peer(connection, address != NULL ? address->client_addr : NULL);
    atomic_store(&connection->since_ns, clock_monotonic_ns(&http->clock));
    pthread_mutex_lock(&http->lock);
    connection->next = http->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    http->connections = connection;
    pthread_mutex_unlock(&http->lock);
    atomic_fetch_add(&http->figure_connections, 1);
    atomic_fetch_add(&http->figure_accepted, 1);
    return connection;
}

static void connection_free(struct http *http, struct http_connection *connection)
{
    pthread_mutex_lock(&http->lock);
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        http->connections = connection->next;
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    pthread_mutex_unlock(&http->lock);
    mem_free(connection);
    atomic_fetch_sub(&http->figure_connections, 1);
}

void http_connection_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
    struct http *http = cls;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *socket_context = connection_new(http, mhd);
    } else if (*socket_context != NULL) {
        connection_free(http, *socket_context);
        *socket_context = NULL;
    }
}

struct http_connection *http_connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info != NULL ? info->socket_context : NULL;
}

static bool connection_is_slow(const struct http *http, struct http_connection *connection,
                               uint64_t now_ns)
{
    uint64_t since_ns = atomic_load(&connection->since_ns);
    uint64_t arrive_ns = http->options.arrive_ms * NS_PER_MS;
    uint64_t passed_ns = now_ns > since_ns ? now_ns - since_ns : 0;

    if (atomic_load(&connection->is_served) || passed_ns <= arrive_ns)
        return false;
    if (!atomic_load(&connection->has_headers))
        return true;
    return atomic_load(&connection->body_bytes) <
           passed_ns / NS_PER_S * http->options.body_bytes_per_s;
}

void http_tick(struct http *http)
{
    uint64_t now_ns = clock_monotonic_ns(&http->clock);

    pthread_mutex_lock(&http->lock);
    for (struct http_connection *c = http->connections; c != NULL; c = c->next) {
        if (c->fd < 0 || !connection_is_slow(http, c, now_ns))
            continue;
        /* Its thread sees the end of the connection, and closes it. */
        (void)shutdown(c->fd, SHUT_RDWR);
        atomic_store(&c->is_served, true);
        atomic_fetch_add(&http->figure_slow, 1);
    }
    pthread_mutex_unlock(&http->lock);
}
