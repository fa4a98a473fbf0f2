/* service_internal.h — the parts of an agent: its processes and what it waits for (service.c); what
 * it decides: its phases (service_phase.c), its jobs (service_tasks.c), what it says to the
 * coordinator (service_talk.c). What decides touches nothing of the host but through agent_now_ns,
 * the line, the spool, the movers, and the channels to keeper and spawner. */
#ifndef THAW_AGENT_FARM_SERVICE_INTERNAL_H
#define THAW_AGENT_FARM_SERVICE_INTERNAL_H

#include "agent/farm/errand.h"
#include "agent/farm/identity.h"
#include "agent/farm/keeper.h"
#include "agent/farm/nursery.h"
#include "agent/farm/service.h"

#include <poll.h>

#define TASKS_MAX MESSAGE_LEASES_MAX

enum task_state {
    TASK_FETCHING,
    TASK_READY,
    TASK_RUNNING,
    TASK_PACKING,
    TASK_UNSENT,
    TASK_SPOOLED,
    TASK_SENT,
};

struct task {
    uint64_t token;
    struct message_job job;
    enum task_state state;
    uint64_t claimed_ns; /* when the claim was sent that it is the first job of; 0: of none */
    bool cancelled;      /* somebody asked for its end */
    bool unknown;        /* its lease is gone: nothing is reported */
    struct worker_order order;
    int fd;       /* of the running: reading end of its pipe; -1: at its end */
    bool ended;   /* of the running: `event` has come */
    bool overrun; /* it wrote more than it may */
    struct buf written;
    struct brood_event event;
};

enum talk { TALK_NONE, TALK_HELLO, TALK_CLAIM, TALK_RESULT, TALK_RELEASE, TALK_BYE };

enum agent_phase {
    AGENT_REPLAYING, /* results of an earlier start are delivered */
    AGENT_JOINING,   /* hello is to be said */
    AGENT_SERVING,
    AGENT_DRAINING, /* a signal came: no claims; running jobs end */
    AGENT_LEAVING,  /* all is done: bye */
    AGENT_GONE,
};

/* What the spawner's process reads when it begins: shared, since the store's place may come with
 * the coordinator's welcome. */
struct agent_shared {
    struct spawner_options spawner;
    char store[4096];
    /* In memory of each process's own; NULL: none. Wiped in the spawner's. */
    struct identity *identity;
    char *token;
};

struct agent {
    const struct agent_options *options;
    struct agent_shared *shared;
    struct identity *identity; /* or NULL */
    struct confinement *confinement;
    uint32_t walls;
    struct nursery *nursery;
    struct keeper_options keeper_options;
    int signals, spawner, keeper;         /* descriptors; -1: not there */
    uint64_t spawner_at_ns, keeper_at_ns; /* when to start them again */
    struct spool *spool;
    struct mover *fetcher, *pusher;  /* NULL until the store is known */
    struct errand *again[TASKS_MAX]; /* errands to be tried again, each at its due_ns */
    size_t again_count;

    struct line line;
    struct message *request, *answer;
    enum talk talk; /* the request under way */
    enum agent_phase phase;
    bool draining;    /* the coordinator says so */
    bool stop_now;    /* a second signal, or drain_ms are over */
    bool welcomed;    /* once, since the start */
    bool starved;     /* no room on the disk: said once */
    uint64_t join_ns; /* replaying ends then at the latest */
    uint64_t hello_at_ns, result_at_ns, drain_until_ns, tick_ns;
    uint64_t quiet_ns;    /* since when nothing runs any more, while draining; 0: not yet */
    uint64_t claimed_ns;  /* when the last claim was sent; 0: its first job has come */
    uint64_t claim_at_ns; /* not before, unless a slot becomes free */
    uint64_t pause_ns;    /* no claims until then at all */
    uint32_t slots;
    uint64_t wall_ms_max;
    uint32_t slowness;                          /* the most of all jobs; 0: nothing is known */
    uint32_t beat_ms;                           /* 0: not welcomed */
    struct buf sent_bytes[MESSAGE_RESULTS_MAX]; /* what the request's spans point into */
    struct message *loaded;                     /* for reading one spooled result */

    struct task *tasks[TASKS_MAX];
    size_t task_count;
    uint64_t tokens;
    uint64_t releases[TASKS_MAX];           /* leases to give back */
    size_t release_count, release_sent;     /* the first so many are in the request under way */
    struct hash cached[MESSAGE_CACHED_MAX]; /* checkpoints, last used first */
    uint32_t cached_count;
    bool failed;
    struct err err;
};

uint64_t agent_now_ns(void);
/* Ends the service with that error. */
void agent_fail(struct agent *agent, const struct err *err);
/* The store is known: movers, and what the spool holds. The spawner is started next. */
bool agent_open_store(struct agent *agent, const char *store, struct err *err);

/* ---- service_phase.c ---- */
/* What the nursery starts. */
enum agent_role { AGENT_SPAWNER, AGENT_KEEPER, AGENT_ROLES };
/* At every turn of the loop, before waiting. */
void phase_turn(struct agent *agent);
/* A signal: claim no more, end what runs; the second: give that back as well. */
void phase_drain(struct agent *agent);
void phase_take_news(struct agent *agent, const struct keeper_event *event);

/* ---- service_tasks.c ---- */
void task_grant(struct agent *agent, const struct message_job *job);
/* Gives back all that has not begun. */
void task_release_waiting(struct agent *agent);
void task_release_running(struct agent *agent);
void task_start_ready(struct agent *agent);
size_t task_count_of(const struct agent *agent, enum task_state first, enum task_state last);
struct task *task_of_lease(struct agent *agent, uint64_t lease);
void task_cancel(struct agent *agent, uint64_t lease);
void task_unknown(struct agent *agent, uint64_t lease);
/* The coordinator has the result, or wants none. */
void task_forget(struct agent *agent, struct task *task);
/* What an errand came to. */
void task_errand_done(struct agent *agent, struct errand *errand);
void task_try_again(struct agent *agent);
/* The spawner said something; false: it is gone. */
bool task_hear_spawner(struct agent *agent);
void task_lose_spawner(struct agent *agent);
/* The pipe of a running task has something. */
void task_read(struct agent *agent, struct task *task);
/* Tasks for what the spool holds from before. */
bool task_replay(struct agent *agent, struct err *err);

/* ---- service_talk.c ---- */
/* Starts the next request, if there is something to say and none is under way. */
void talk_next(struct agent *agent);
/* Looks for the answer. */
void talk_turn(struct agent *agent);
/* When talk_next should be asked again at the latest; UINT64_MAX: when something happens. */
uint64_t talk_due_ns(const struct agent *agent);

#endif
