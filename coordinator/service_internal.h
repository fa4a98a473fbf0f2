/* service_internal.h — private to the core thread: service*.c, messages.c, api_*.c. */
#ifndef THAW_COORDINATOR_SERVICE_INTERNAL_H
#define THAW_COORDINATOR_SERVICE_INTERNAL_H

#include "coordinator/api.h"
#include "coordinator/peer.h"
#include "coordinator/queue/history.h"
#include "coordinator/queue/nights.h"
#include "coordinator/queue/tokens.h"
#include "coordinator/service.h"
#include "coordinator/task.h"
#include "coordinator/token.h"
#include "storage/base/clock.h"

#include <stdatomic.h>

#define SERVICE_BLOBS_MAX 65

/* Counts of durations, by upper bounds of 100 us times powers of two: 100 us … 3.3 s, more. */
#define HISTOGRAM_BUCKETS 17
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS]; /* the last: all that are longer */
    uint64_t sum_ns, count;
};
void histogram_add(struct histogram *histogram, uint64_t ns);

/* A claim that found nothing, kept until there is work or its time is over. */
struct held_claim {
    struct held_claim *next;
    uint64_t slot;
    uint64_t due_ns;
    struct queue_claim claim; /* claim.cached points to `cached` */
    struct hash cached[MESSAGE_CACHED_MAX];
};

struct service {
    struct service_options options;
    struct queue *queue;
    struct token_table *tokens;
    struct http *http;
    struct store_http store_http;
    struct gateway *gateway; /* NULL: none */
    struct peers *peers;     /* NULL: none */
    struct hooks *hooks;     /* NULL: none */
    struct hook_feed *feed;  /* of hooks; or NULL */
    struct mailbox mailbox;
    struct task_list tasks;
    struct api_request *answered, **answered_last; /* of this bracket, in order */
    atomic_bool is_stopping;
    bool is_lost; /* the bracket: commit will fail */
    /* What the bracket's results name must be durable before it. */
    struct hash blobs[SERVICE_BLOBS_MAX];
    size_t blob_count; /* SERVICE_BLOBS_MAX: or more than these */
    uint64_t tick_ns;  /* when the next tick is due */
    uint64_t tasks_due_ns;
    /* Claims that are held, oldest first. */
    struct held_claim *held, **held_last;
    size_t held_count;
    uint64_t held_work;     /* queue_work_number when all were tried last */
    struct message *answer; /* for messages.c */
    struct queue_grants *grants;
    struct queue_beat_answer *beat_answer;
    /* What token changes to make in the copy after the commit. */
    struct token_change *token_changes;
    /* For /metrics and health; read by HTTP threads where atomic. */
    struct histogram commits, claims, requests;
    uint64_t commit_failures;
    atomic_ullong turned_ns; /* the core's last turn */
    atomic_bool is_healthy;  /* the last commit succeeded */
    uint64_t opened_ms;
    /* retention.c */
    uint64_t retention_due_ns; /* when it looks for what is old */
    uint64_t history_due_ns, history_after, history_gone;
    bool collects;           /* checkpoints were forgotten: the next sweep takes them too */
    struct sweeper *sweeper; /* NULL: none is at work */
};

static inline uint64_t service_now_ns(const struct service *service)
{
    return clock_monotonic_ns(service->options.clock);
}
static inline uint64_t service_wall_ms(const struct service *service)
{
    return clock_wall_ns(service->options.clock) / NS_PER_MS;
}

/* True for an error after which the bracket goes on (queue.h). */
bool service_error_is_request(const struct err *err);

/* messages.c: what agents say. */
void messages_receive(struct service *service); /* all that the gateway has, in the bracket */
void messages_retry(struct service *service);   /* held claims, in the bracket */
uint64_t messages_due_ns(const struct service *service);
void messages_release(struct service *service);
bool messages_find_agent(void *context, const struct message_id *agent,
                         uint8_t public_key[SEAL_KEY_SIZE]);

/* service_access.c */
bool service_allow(void *context, struct http_exchange *exchange, struct err *err);
bool service_tokens_load(struct service *service, struct err *err);
/* Changes of the bracket: the copy follows when it is committed. */
bool service_token_set(struct service *service, const struct queue_token *token, struct err *err);
bool service_token_drop(struct service *service, const char *name, struct err *err);
void service_tokens_commit(struct service *service, bool ok);

/* show.c: what the queue knows, as JSON. */
void show_run(struct service *service, const struct queue_run *run, struct json_writer *writer);
void show_job(struct service *service, const struct queue_job *job, struct json_writer *writer);
void show_agent(const struct queue_agent *agent, struct json_writer *writer);
void show_hash(struct json_writer *writer, const char *key, const struct hash *hash); /* or null */

/* api_runs.c: a submission of the API, or of a schedule. Checks names of secrets and commands. */
struct submission;
bool runs_check_hooks(const struct service *service, const struct queue_run_options *options,
                      struct err *err);
/* retention.c: with each tick, in the bracket; an error loses it. */
bool retention_tick(struct service *service, struct err *err);
void retention_release(struct service *service);
/* nights, retention: with each tick, in the bracket. */
void upkeep_tick(struct service *service);

/* hook_feed.c: runs that are over go to the hooks, and what came of these to the queue. */
bool hook_feed_open(struct service *service, struct err *err);
void hook_feed_close(struct service *service);
/* With each tick, in the bracket. False: the bracket is lost. */
bool hook_feed_tick(struct service *service, struct err *err);

/* metrics.c: the text of /metrics, and the health. */
bool metrics_write(struct service *service, struct buf *out, struct err *err);

#endif
