/* service.h — the coordinator: one core thread that owns the queue, the gateway's requests and the
 * API's handled in groups, every answer given after the commit that makes it true.
 *
 * The thread that calls service_run is the core. Its loop: wait for the gateway, for requests of
 * the API (mailbox), for the next time something is due; begin; handle all that waits, at most
 * SERVICE_GROUP_MAX of each; commit; answer. If the commit fails nothing of it has happened: API
 * requests are answered 503, agents ask again by themselves. Bulk never comes here: the store is
 * served by the HTTP threads.
 *
 * Claims that find nothing are held until there is work or their wait_ms have passed. Requests that
 * wait for something, reports and streams of events are tasks (task.h), moved on after each
 * commit, a piece at a time, so that no large answer keeps agents waiting. */
#ifndef THAW_COORDINATOR_SERVICE_H
#define THAW_COORDINATOR_SERVICE_H

#include "coordinator/gateway.h"
#include "coordinator/http.h"
#include "coordinator/queue/history.h"
#include "coordinator/queue/queue.h"
#include "coordinator/store_http.h"
#include "jobs/wire/seal.h"

#define SERVICE_GROUP_MAX     256
#define SERVICE_SECRETS_MAX   64
#define SERVICE_CLAIM_MS_MAX  25000 /* a claim is held no longer */
#define SERVICE_WATCH_MS_MAX  60000 /* nor a request of the API */
#define SERVICE_STREAM_BEAT_S 15    /* a stream of events that has none says that it lives */

/* What submitters may name: a key that signs webhooks, a command that is run at a run's end. */
struct service_secret {
    const char *name;
    struct span bytes;
};
struct service_command {
    const char *name;
    const char *path; /* of a program; gets the run as JSON on its standard input */
};

/* Everything is borrowed until service_close. */
struct service_options {
    const char *database; /* file of the queue */
    const char *hooks;    /* folder where the outcomes of hooks are kept; NULL: no hooks */
    struct store *store;
    const struct clock_source *clock;
    uint64_t seed;
    uint32_t beat_ms, lease_ms; /* 0: those of the queue */
    /* http.tables, table_count, clock and allow are the service's. */
    struct http_options http;
    bool open; /* who comes from this very host needs no token */
    /* No gateway if url_count is 0. */
    struct gateway_options gateway;
    const struct seal_keys *keys; /* the coordinator's; NULL: no agents */
    const char *store_told;       /* to agents, in `welcome`: a folder, a URL; NULL: "" */
    struct queue_retention retention;
    bool owns_store; /* nobody else keeps blobs there: it is freed of what retention lets go */
    struct service_secret secrets[SERVICE_SECRETS_MAX];
    size_t secret_count;
    struct service_command commands[SERVICE_SECRETS_MAX];
    size_t command_count;
};

struct service; /* opaque */

/* Opens the database, listens, starts the gateway: all that can go wrong at once. */
bool service_open(const struct service_options *options, struct service **out, struct err *err);
/* Serves until service_stop. Only an error that cannot be helped ends it. */
bool service_run(struct service *service, struct err *err);
/* One turn of the loop that waits at most so long: what service_run does again and again. False
 * after service_stop. */
bool service_turn(struct service *service, uint32_t wait_ms);
/* From any thread, and from signal handlers. */
void service_stop(struct service *service);
/* Answers all who wait (503), ends streams, closes everything. NULL does nothing. */
void service_close(struct service *service);

uint16_t service_port(const struct service *service); /* of HTTP */
/* Makes an API token and keeps it; not while service_run runs in another thread. ERR_CONFLICT if
 * the name is there, unless `replace`. `out` has TOKEN_TEXT_SIZE bytes. */
struct service_token_request {
    const char *name;
    uint32_t role;       /* enum queue_role */
    uint64_t expires_ms; /* 0: never */
    bool replace;
};
bool service_token(struct service *service, const struct service_token_request *request, char *out,
                   struct err *err);
/* A token that enrols one agent; the same rule. */
bool service_enrolment(struct service *service, uint64_t expires_ms, char *out, struct err *err);
/* For tests, and for commands that come before service_run. */
struct queue *service_queue(struct service *service);

#endif
