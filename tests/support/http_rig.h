/* http_rig.h — an HTTP server with a few routes, a clock that stands still, and a memory of what
 * its handlers saw. For programs that are linked with the coordinator. */
#ifndef THAW_TESTS_HTTP_RIG_H
#define THAW_TESTS_HTTP_RIG_H

#include "coordinator/http.h"
#include "tests/support/http_client.h"

#include <pthread.h>
#include <stdatomic.h>

struct http_rig {
    struct http *http;
    uint16_t port;
    atomic_ullong now_ns; /* of its clock */
    atomic_uint ended, done;
    atomic_ullong streamed;     /* bytes of uploads */
    pthread_mutex_t lock;       /* guards the rest */
    struct http_exchange *held; /* suspended, by GET /hold */
    struct http_stream *stream; /* by GET /stream */
    atomic_uint wakes;
};
extern struct http_rig http_rig; /* one at a time */
extern const struct clock_source http_rig_clock;

/* For cmocka: a server on a free port of the loopback. */
int http_rig_set_up(void **state);
int http_rig_tear_down(void **state);
/* Another server for the same rig; routes, clock and rights are added to the options. */
void http_rig_open(struct http_options options);
/* One request; its status and body (NULL: any) must be these. */
void http_rig_expect(struct http_request request, unsigned status, const char *body);
void http_rig_expect_part(struct http_request request, unsigned status, const char *part);
/* Until a request for /hold or /stream has come. */
struct http_exchange *http_rig_await_held(void);
struct http_stream *http_rig_await_stream(void);

#define GET(path)        ((struct http_request){"GET", path, NULL, NULL, NULL})
#define POST(path, body) ((struct http_request){"POST", path, NULL, body, NULL})

#endif
