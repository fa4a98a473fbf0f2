/* http_client.h — a client that says exactly what a test wants it to say: raw bytes over TCP. */
#ifndef THAW_TESTS_HTTP_CLIENT_H
#define THAW_TESTS_HTTP_CLIENT_H

#include "storage/base/buf.h"

struct http_reply {
    unsigned status; /* 0: the connection ended without an answer */
    struct buf head; /* status line and headers, a NUL behind */
    struct buf body; /* chunks put together, a NUL behind that does not count */
    bool is_whole;   /* all of the announced body came */
};

int http_client_connect(uint16_t port); /* 127.0.0.1 */
bool http_client_is_refused(uint16_t port); /* or closed before a word is said */
void http_client_send(int fd, const char *text);
/* Sends as far as the other side takes it. */
void http_client_send_bytes(int fd, struct span bytes);
/* One answer; the connection stays. The reply is released by the caller. */
struct http_reply http_client_read(int fd);
/* Until `text` has come; what came so far is in `out`. False if the connection ended before. */
bool http_client_await(int fd, const char *text, struct buf *out);
/* A whole request over a connection of its own: `headers` and `body` may be NULL; the length is
 * added. */
struct http_request {
    const char *method, *path, *headers, *body;
    const char *token; /* Authorization: Bearer …; NULL */
};
struct http_reply http_client_call(uint16_t port, struct http_request request);
void http_reply_release(struct http_reply *reply);
/* Whether the head has this line; `line` without its end. */
bool http_reply_has(const struct http_reply *reply, const char *line);
const char *http_reply_text(const struct http_reply *reply); /* the body */

#endif
