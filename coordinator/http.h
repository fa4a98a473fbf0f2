/* http.h — the coordinator's HTTP server: libmicrohttpd with threads of its own, bounded in every
 * way, and a table of routes.
 *
 * A request is a struct http_exchange. The server finds its route, asks `allow` whether the sender
 * may, compares the body's announced size with the route's maximum, and only then takes the body.
 * A handler responds exactly once, in `begin`, `body` or `end`, or, having called http_suspend in
 * `end`, later and from any thread, followed by http_resume. All functions of one exchange are
 * called by one thread at a time.
 *
 * Bounds: connections (in all, of one address), bytes of headers, bytes of bodies in memory (of one
 * request by its route, of all together), how long a request may take to arrive and how slowly a
 * body may come (http_tick shuts such connections down), path segments and query parameters.
 *
 * Paths: segments are taken apart before percent-encoding is undone, so an encoded slash is part of
 * a name. Empty segments, "." and "..", control characters and bad encodings are 400 at once.
 *
 * Errors are JSON: {"error": sentence, "kind": name of an err_kind}. */
#ifndef THAW_COORDINATOR_HTTP_H
#define THAW_COORDINATOR_HTTP_H

#include "storage/base/buf.h"
#include "storage/base/clock.h"

#define HTTP_PARAMS_MAX  8     /* names in braces of one path */
#define HTTP_QUERY_MAX   16    /* parameters of one request */
#define HTTP_SEGMENT_MAX 512   /* bytes of one segment, of one query value, decoded */
#define HTTP_SEGMENTS    16    /* of one path */
#define HTTP_HEADER_MAX  32768 /* bytes of a request's line and headers */

enum http_method { HTTP_GET, HTTP_PUT, HTTP_POST, HTTP_DELETE };
#define HTTP_METHOD_COUNT 4
const char *http_method_name(enum http_method method); /* "GET", … */

struct http_exchange; /* one request and its answer; lives until `done` has returned */

/* What handles a route. `context` is its table's. */
struct http_handler {
    /* The headers are there, the body is not: may respond (the body is then thrown away and the
     * connection closed). NULL: nothing to do. */
    void (*begin)(void *context, struct http_exchange *exchange);
    /* A piece of the body, at most some tens of KiB; may respond, then no more pieces come. NULL:
     * the body is collected in memory (http_body). */
    void (*body)(void *context, struct http_exchange *exchange, struct span piece);
    /* All is there: responds or suspends. */
    void (*end)(void *context, struct http_exchange *exchange);
    /* Always the last call, also when the connection broke in the middle of the body: give back
     * what http_set_user keeps. NULL: nothing to do. Not called if `begin` was not reached. */
    void (*done)(void *context, struct http_exchange *exchange);
};

#define HTTP_ANYBODY 0u /* in http_route.roles: no token needed */

struct http_route {
    enum http_method method; /* GET serves HEAD too */
    const char *path;        /* "/api/v1/runs/{run}/jobs": braces take one segment whole */
    const char *query;       /* parameters that are understood, with spaces between; "" */
    uint32_t roles;          /* bits 1u << enum queue_role: who may; HTTP_ANYBODY */
    uint64_t body_max;       /* bytes; 0: no body */
    const struct http_handler *handler;
    const void *data; /* for the handler */
};

/* Routes of one part of the service, and what their handlers get. */
struct http_table {
    const struct http_route *routes;
    size_t count;
    void *context;
};

struct http_options {
    const char *address;     /* "127.0.0.1", "::1", "0.0.0.0"; NULL with socket_path */
    uint16_t port;           /* 0: any free one, see http_port */
    const char *socket_path; /* a Unix socket instead; mode 0600; a stale one is replaced */
    const char *certificate; /* PEM files; both or neither: TLS (1.2 and later) */
    const char *private_key;
    const struct http_table *tables;
    size_t table_count;
    const struct clock_source *clock; /* borrowed */
    /* Whether the sender may use this route; false with an error: ERR_ACCESS is 401, or 403 if a
     * role was set by http_set_identity before; ERR_CONFLICT is 429. Any thread. */
    bool (*allow)(void *context, struct http_exchange *exchange, struct err *err);
    void *allow_context;
    uint32_t threads;           /* 0: 4 */
    uint32_t connections;       /* 0: 1024 */
    uint32_t address_max;       /* connections of one address; 0: no limit of its own */
    uint32_t idle_s;            /* nothing moves: closed; 0: 60 */
    uint32_t arrive_ms;         /* a request's headers must be there; 0: 20,000 */
    uint32_t body_bytes_per_s;  /* a body that is slower after arrive_ms is cut; 0: 1024 */
    uint64_t body_memory_bytes; /* of all bodies that are collected; 0: 256 MiB */
};

struct http; /* the server */

/* Listens and serves. Copies the tables, not what they point to. ERR_IO, ERR_CONFLICT (address in
 * use), ERR_USAGE (TLS files). */
bool http_open(const struct http_options *options, struct http **out, struct err *err);
/* Takes no new requests, answers those that are suspended by 503, waits for the others, ends
 * streams, and is gone. Whoever holds suspended exchanges must have resumed them before. */
void http_close(struct http *http); /* NULL does nothing */
/* First half of closing: new connections are closed at once, http_suspend and new streams fail from
 * now on. */
void http_stop_accepting(struct http *http);
uint16_t http_port(const struct http *http); /* 0 for a Unix socket */
/* Shuts down connections that are too slow. Call it about once a second, from any one thread. */
void http_tick(struct http *http);

struct http_figures {
    uint64_t connections;                 /* now */
    uint64_t accepted, requests, refused; /* refused: answered by 4xx */
    uint64_t failed;                      /* by 5xx */
    uint64_t slow;                        /* connections shut down by http_tick */
    uint64_t bytes_in, bytes_out;         /* of bodies; out: as far as sizes are known */
    uint64_t streams;                     /* now */
};
void http_figures(const struct http *http, struct http_figures *out);

/* ---- the request ---- */

enum http_method http_request_method(const struct http_exchange *exchange);
bool http_is_head(const struct http_exchange *exchange);
const struct http_route *http_request_route(const struct http_exchange *exchange);
/* Path as it came, for messages. */
const char *http_path(const struct http_exchange *exchange);
/* The decoded segment that took the place of {name}; never NULL for a name in the route's path. */
const char *http_param(const struct http_exchange *exchange, const char *name);
/* Decoded value of a query parameter, "" for one without; NULL if it is not there. */
const char *http_query(const struct http_exchange *exchange, const char *name);
/* NULL if it is not there; case does not matter. */
const char *http_header(const struct http_exchange *exchange, const char *name);
/* Of the body as announced; UINT64_MAX: not announced (chunked). */
uint64_t http_content_length(const struct http_exchange *exchange);
/* The collected body; complete in `end`. */
struct span http_body(const struct http_exchange *exchange);
/* Text of the sender's address, without port; "unix" for a Unix socket. */
const char *http_peer(const struct http_exchange *exchange);
/* Whether the address is this very host (a Unix socket is). */
bool http_peer_is_local(const struct http_exchange *exchange);
/* For `allow`, and what it said: who sends this. `role` is an enum queue_role. */
void http_set_identity(struct http_exchange *exchange, const char *name, uint32_t role);
const char *http_identity(const struct http_exchange *exchange); /* "" if nobody was set */
uint32_t http_role(const struct http_exchange *exchange);        /* UINT32_MAX if none */
/* A pointer of the handler's. */
void http_set_user(struct http_exchange *exchange, void *user);
void *http_user(const struct http_exchange *exchange);

/* A Range header of one range, for a thing of `size` bytes. True if it asks for a part that is
 * there: respond with 206 and http_respond_file(offset, bytes). False with `bytes` 0 if none of it
 * is there (respond 416), or with offset 0 and bytes = size if there is no such header, or one of
 * another form (respond 200). */
bool http_range(const struct http_exchange *exchange, uint64_t size, uint64_t *offset,
                uint64_t *bytes);

/* ---- the answer ---- */

/* Adds a header; before responding. Values with control characters are refused (a bug: CHECK). */
void http_respond_header(struct http_exchange *exchange, const char *name, const char *value);
/* Takes the buffer's bytes (it is fresh afterwards). `type` is borrowed for ever ("text/plain"). */
void http_respond_take(struct http_exchange *exchange, unsigned status, const char *type,
                       struct buf *take);
/* Copies. */
void http_respond_text(struct http_exchange *exchange, unsigned status, const char *type,
                       const char *text);
void http_respond_empty(struct http_exchange *exchange, unsigned status);
/* The bytes of a file from `offset`; takes `fd`. */
struct http_file {
    int fd;
    uint64_t offset;
    uint64_t size; /* bytes from there */
};
void http_respond_file(struct http_exchange *exchange, unsigned status, const char *type,
                       struct http_file file);
/* As JSON, status by kind: USAGE, INVALID, UNSUPPORTED 400; ACCESS 403; NOT_FOUND 404; CONFLICT
 * 409; TOO_BIG 413; CORRUPT 422; NO_SPACE, TIMEOUT 503; else 500. */
void http_respond_err(struct http_exchange *exchange, const struct err *err);
bool http_has_responded(const struct http_exchange *exchange);

/* In `end` only: the answer comes later. False if the server is closing; it has responded then. */
bool http_suspend(struct http_exchange *exchange);
/* After responding to a suspended exchange. It may be gone when this returns. */
void http_resume(struct http_exchange *exchange);

/* ---- answers that go on: events, long results ---- */

/* Bytes on their way from one thread that writes to a connection that reads. Bounded: what does not
 * fit is refused to the writer. */
struct http_stream;
/* Responds with 200 and all that will be written. NULL if the server is closing or has too many
 * streams (it has responded then). `wake` (may be NULL) is called from another thread when there is
 * room again after the stream was found full or has been emptied, and when the reader has gone. */
struct http_stream_options {
    const char *type;
    size_t bytes_max;
    void (*wake)(void *context);
    void *context;
};
struct http_stream *http_respond_stream(struct http_exchange *exchange,
                                        const struct http_stream_options *options);
/* All or nothing. False: no room, or nobody reads any more (http_stream_is_gone). */
bool http_stream_write(struct http_stream *stream, struct span bytes);
size_t http_stream_room(struct http_stream *stream);
bool http_stream_is_gone(struct http_stream *stream);
/* The writer is done with it: what was written is still sent, unless `cut`: then the connection is
 * closed without a proper end, so that the reader knows that something is missing. */
void http_stream_end(struct http_stream *stream, bool cut);

#endif
