/* http_service.h — a coordinator with its API in a thread of this process, a clock that the test
 * moves, and agents that are played by calling the queue. For programs that are linked with the
 * coordinator. */
#ifndef THAW_TESTS_HTTP_SERVICE_H
#define THAW_TESTS_HTTP_SERVICE_H

#include "coordinator/service.h"
#include "coordinator/token.h"
#include "tests/support/http_client.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>

struct http_service {
    char *folder;
    char *database, *hooks;
    struct store *store;
    struct service_options options;
    struct service *service;
    uint16_t port;
    pthread_t thread;
    atomic_bool stops;
    atomic_ullong now_ns; /* of both its clocks, since 1970 */
    /* Something to do in the core's thread, between its turns. */
    _Atomic(void (*)(struct http_service *, void *)) call;
    void *call_context;
    char token[TOKEN_TEXT_SIZE]; /* of an admin; used by the functions below */
};

/* A service on a free port of the loopback. `options` may be NULL; what is set in it is kept. */
struct http_service *http_service_open(const struct service_options *options);
void http_service_close(struct http_service *s);
/* Closes it and opens it again over the same database, as after a crash or a restart. */
void http_service_restart(struct http_service *s);
void http_service_pass(struct http_service *s, uint64_t ms);
/* Runs it in the core's thread. */
void http_service_do(struct http_service *s, void (*call)(struct http_service *, void *),
                     void *context);

/* A request with the admin's token; `body` may be NULL. */
struct http_reply http_service_ask(struct http_service *s, const char *method, const char *path,
                                   const char *body);
/* The same; must be answered so, by JSON. The caller gives it back. */
json_t *http_service_json(struct http_service *s, const char *request, const char *body,
                          unsigned status);
/* The same; only the status and a part of the answer are looked at. */
void http_service_expect(struct http_service *s, const char *request, const char *body,
                         unsigned status, const char *part);
/* Submits a run of `count` tests named t0, t1, …; gives its number. */
uint64_t http_service_submit(struct http_service *s, const char *name, unsigned count);
/* The text of such a submission, with these options (JSON, or NULL); freed by mem_free. */
char *http_service_submission(const char *name, unsigned count, const char *options);
/* Lets an agent do `count` jobs, whichever come, with that verdict. */
void http_service_work(struct http_service *s, unsigned count, enum verdict verdict);

#endif
