/* http_internal.h — private to coordinator/http*.c. */
#ifndef THAW_COORDINATOR_HTTP_INTERNAL_H
#define THAW_COORDINATOR_HTTP_INTERNAL_H

#include "coordinator/http.h"
#include "coordinator/http_route.h"

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#define HTTP_PEER_MAX     64
#define HTTP_IDENTITY_MAX 64
#define HTTP_SWALLOW_MAX                                                                           \
    (1u << 20) /* of a refused body: taken and thrown away, so that the                            \
                  sender reads our answer and not a reset connection */
#define HTTP_STREAMS_MAX 512

/* One connection; `fd` is open while it is in the list. */
struct http_connection {
    struct http_connection *next, *previous;
    int fd;
    bool is_local;
    char peer[HTTP_PEER_MAX];
    atomic_bool is_served;    /* the request has arrived whole: what takes time now is ours */
    atomic_ullong since_ns;   /* the request began to arrive, or the connection was accepted */
    atomic_ullong body_bytes; /* of this request, so far */
    atomic_bool has_headers;
};

struct http_exchange {
    struct http *http;
    struct MHD_Connection *mhd;
    struct http_connection *connection;
    enum http_method method;
    bool is_head;
    bool has_begun; /* the handler's begin has been reached */
    bool is_suspended;
    bool has_ended;
    char *path;
    struct http_match match;
    struct http_parameters query;
    uint64_t content_length;
    struct buf body;
    uint64_t body_reserved; /* of http->body_memory */
    char identity[HTTP_IDENTITY_MAX + 1];
    uint32_t role;
    void *user;
    struct http_headers {
        const char *names[8];
        char *values[8];
        size_t count;
    } headers;
    unsigned status;
    struct MHD_Response *response;
};

struct http {
    struct MHD_Daemon *daemon;
    struct http_options options; /* texts are not kept */
    struct http_table *tables;
    struct clock_source clock;
    char *socket_path; /* to be removed; NULL */
    uint16_t port;
    pthread_mutex_t lock; /* guards the lists and is_closing */
    struct http_connection *connections;
    struct http_stream *streams;
    size_t stream_count;
    size_t exchange_count; /* requests that are not completed */
    pthread_cond_t quiet;  /* that number has become 0 */
    bool is_closing;
    atomic_ullong body_memory; /* reserved by bodies */
    atomic_ullong figure_connections, figure_accepted, figure_requests, figure_refused;
    atomic_ullong figure_failed, figure_slow, figure_bytes_in, figure_bytes_out;
};

/* http_listen.c: a listening socket; `port` is the one that it has. */
bool http_listen(const struct http_options *options, int *fd, uint16_t *port, struct err *err);

/* http_connection.c */
void http_connection_notify(void *cls, struct MHD_Connection *mhd, void **socket_context,
                            enum MHD_ConnectionNotificationCode code);
struct http_connection *http_connection_of(struct MHD_Connection *mhd);

/* http_stream.c: the server is closing: whoever reads gets to the end of what there is. */
void http_streams_close(struct http *http);

/* http_exchange.c: reads the request's head and checks it; has responded if it is refused. */
void http_exchange_begin(struct http_exchange *exchange, const char *method);

/* http_respond.c: gives the prepared answer to libmicrohttpd. */
enum MHD_Result http_respond_queue(struct http_exchange *exchange);
/* Sets the answer; takes the response. */
void http_respond_with(struct http_exchange *exchange, unsigned status, const char *type,
                       struct MHD_Response *response);
void http_respond_refusal(struct http_exchange *exchange, unsigned status, const struct err *err);

#endif
