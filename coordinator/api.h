/* api.h — requests of the HTTP API on their way to the core thread and back.
 *
 * A route of the core has a struct api_call as its data. `prepare` runs in an HTTP thread: it reads
 * and checks what was sent, so that the core does not parse. `run` runs in the core, in a bracket
 * of the queue. What it answers is sent after the commit. */
#ifndef THAW_COORDINATOR_API_H
#define THAW_COORDINATOR_API_H

#include "coordinator/http.h"
#include "jobs/json_writer.h"

#include <pthread.h>

#define API_ANSWER_MAX (64u << 20) /* bytes of one answer in memory */

struct service;
struct api_request;

enum api_outcome {
    API_FAILED,   /* err says why */
    API_ANSWERED, /* request->status and body are set */
    API_TAKEN,    /* a task has it now */
};

struct api_call {
    bool (*prepare)(struct api_request *request, struct err *err); /* NULL: nothing to do */
    enum api_outcome (*run)(struct service *service, struct api_request *request, struct err *err);
    void (*release)(void *prepared); /* NULL: nothing to do */
};

struct api_request {
    struct api_request *next;
    struct http_exchange *exchange;
    const struct api_call *call;
    void *prepared;
    bool is_failed;
    struct err err; /* of a failure */
    unsigned status;
    const char *type;
    struct buf body;
    struct json_writer writer; /* writes to body: see api_json */
    bool is_streaming;         /* has responded by http_respond_stream; only to be resumed */
};

/* Requests posted by HTTP threads, taken by the core. */
struct mailbox {
    pthread_mutex_t lock;
    struct api_request *first, **last;
    size_t count;
    bool is_closed;
    int wake; /* eventfd: readable while there is something */
};
bool mailbox_open(struct mailbox *mailbox, struct err *err);
void mailbox_close(struct mailbox *mailbox);
/* Up to `max` of them, in order, as a list. */
struct api_request *mailbox_take(struct mailbox *mailbox, size_t max);
/* No more are taken in (HTTP threads answer 503); gives those that wait. */
struct api_request *mailbox_shut(struct mailbox *mailbox);
/* Wakes the core. From any thread, and from signal handlers. */
void mailbox_wake(struct mailbox *mailbox);

/* The end of a request in an HTTP thread: prepares it and posts it, or answers what is wrong. */
void api_post(struct mailbox *mailbox, struct http_exchange *exchange);
/* Begins a JSON answer of that status; end it with api_json_end. */
struct json_writer *api_json(struct api_request *request, unsigned status);
enum api_outcome api_json_end(struct api_request *request, struct err *err);
/* Sends the answer, or the error, to the client, and frees the request. */
void api_send(struct api_request *request);
void api_fail(struct api_request *request, const struct err *err);

/* The API's routes; its context is the service. */
extern const struct http_route api_routes[];
extern const size_t api_route_count;

/* A number in the path or the query. */
bool api_number(const char *text, const char *name, uint64_t *out, struct err *err);
/* The query's number, or `otherwise`; ERR_INVALID over `max`. */
struct api_bounds {
    uint64_t otherwise, max;
};
bool api_query_number(const struct api_request *request, const char *name, struct api_bounds bounds,
                      uint64_t *out, struct err *err);
bool api_param_number(const struct api_request *request, const char *name, uint64_t *out,
                      struct err *err);

#endif
