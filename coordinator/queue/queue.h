/* queue.h — the truth of the farm: runs, jobs, attempts, leases, agents, results, in SQLite.
 *
 * One thread. No sockets, no files but the database; the clock and all randomness come from
 * outside. Everything that changes something stands between queue_begin and queue_commit; many
 * requests may share one bracket (group commit: WAL, synchronous=FULL). What a change returned may
 * be told to anybody only after queue_commit succeeded. If it failed, nothing of the bracket has
 * happened. Requests are checked before anything is written: one that fails with ERR_INVALID,
 * ERR_NOT_FOUND, ERR_CONFLICT, ERR_ACCESS or ERR_TOO_BIG changed nothing, and the bracket goes on.
 * After any other error the bracket is lost: queue_commit will fail and take it back.
 *
 * Execution is at least once, recording exactly once: the first result of a lease that is still
 * held is recorded; later ones are `dup`, those of leases that were lost are `stale`.
 *
 * Leases live in the database, their time of expiry in memory: a coordinator that was started again
 * gives every lease a whole new period. A lease that is renewed for ever ends, too: a hundred times
 * the job's limit of wall-clock time, and an hour, after it may have begun. Times of expiry are by
 * the monotonic clock; what people see is by the wall clock, in milliseconds since 1970.
 *
 * Texts in requests are borrowed until the call returns; over-long ones are ERR_TOO_BIG. Texts in
 * what the queries hand to a callback are never NULL and live until the callback returns; a
 * callback that returns false ends the query (which still succeeds). Callbacks must not change the
 * queue. */
#ifndef THAW_COORDINATOR_QUEUE_H
#define THAW_COORDINATOR_QUEUE_H

#include "jobs/job_spec.h"
#include "jobs/verdict.h"
#include "storage/base/clock.h"

#define QUEUE_NAME_MAX       400 /* bytes of a job's name, of a run's name */
#define QUEUE_TEXT_MAX       512
#define QUEUE_TITLE_MAX      256
#define QUEUE_TAG_MAX        64 /* bytes of an agent's tag, name, arch, … */
#define QUEUE_PARAMETERS_MAX 8192
#define QUEUE_TAGS_MAX       32    /* of an agent */
#define QUEUE_HOST_MAX       16    /* tags that a job asks for */
#define QUEUE_NEEDS_MAX      64    /* of a job */
#define QUEUE_JOBS_MAX       65536 /* in one submission, or one part of it */
#define QUEUE_CACHED_MAX     64
#define QUEUE_GRANTS_MAX     64 /* of one claim */
#define QUEUE_LEASES_MAX     1024
#define QUEUE_ARTIFACTS_MAX  32
#define QUEUE_ARTIFACT_NAME  128
#define QUEUE_EVENTS_KEPT    65536
#define QUEUE_LOST_MAX       3 /* attempts of a job whose agent went silent; one more is infra */
#define QUEUE_LEASE_MS       30000
#define QUEUE_BEAT_MS        5000
#define QUEUE_HOLD_MS        3600000

struct queue; /* opaque */

struct queue_id {
    uint8_t bytes[16]; /* an agent's id, an incarnation */
};

struct queue_options {
    const char *path; /* of the database; made if missing, brought to this version if older */
    const char *vfs;  /* SQLite's VFS; NULL: the usual one */
    const struct clock_source *clock;
    uint64_t seed;     /* of choices like which cached result is run again */
    uint32_t lease_ms; /* 0: QUEUE_LEASE_MS */
    uint32_t hold_ms; /* beyond a hundred times its limit, to fetch and to send; 0: QUEUE_HOLD_MS */
    /* Whether a checkpoint that was booted is still in the store; NULL: always. */
    bool (*checkpoint_exists)(void *context, const struct hash *checkpoint);
    void *context;
};

/* ERR_UNSUPPORTED if the database is of a newer version than this program. */
bool queue_open(const struct queue_options *options, struct queue **out, struct err *err);
void queue_close(struct queue *queue); /* an open bracket is taken back */
bool queue_begin(struct queue *queue, struct err *err);
/* Durable when it returns true; on false all of the bracket is taken back. */
bool queue_commit(struct queue *queue, struct err *err);
void queue_rollback(struct queue *queue);
/* Writes a consistent copy of the database (VACUUM INTO); outside a bracket. `path` must not be. */
bool queue_backup(struct queue *queue, const char *path, struct err *err);

/* ---- states: see arrows.h ---- */

enum job_state {
    JOB_NEW,      /* not in the database yet */
    JOB_WAITING,  /* for what it needs, or for a boot */
    JOB_READY,    /* may be dispatched */
    JOB_RUNNING,  /* leased */
    JOB_STOPPING, /* leased, and to be cancelled */
    JOB_DONE,     /* has a verdict, for ever */
};
#define JOB_STATE_COUNT 6
const char *job_state_name(enum job_state state); /* "waiting", …; saved names live for ever */

enum run_state {
    RUN_OPEN,   /* being submitted in parts; nothing is dispatched */
    RUN_ACTIVE, /* jobs are dispatched */
    RUN_PAUSED, /* what runs goes on, nothing new starts */
    RUN_DONE,   /* all jobs have a verdict */
};
#define RUN_STATE_COUNT 4
const char *run_state_name(enum run_state state);

/* ---- submitting ---- */

struct queue_quarantine {
    const char *owner; /* NULL: not in quarantine */
    const char *reason;
    uint64_t until_s; /* since 1970; 0: no end */
};

struct queue_job_request {
    const char *name;  /* unique in its run */
    const char *group; /* the test's name in its file; NULL: as name */
    const char *suite;
    enum job_kind kind;
    struct hash spec;        /* of a boot: its boot key */
    struct hash checkpoint;  /* zero: none, or `boot` */
    struct hash boot;        /* boot key of the checkpoint it needs; zero: none. A boot with that
                                spec must be in the run, before it, or be known from before */
    const char *tag;         /* a boot: also filed under; NULL */
    const char *const *host; /* tags that the agent must have; arch and os count as tags */
    uint32_t host_count;
    uint64_t memory_mib;   /* that the agent must have */
    const uint32_t *needs; /* places of jobs of this run (0: the first submitted), no cycle */
    uint32_t need_count;
    uint64_t instructions; /* expected; 0: not known */
    uint64_t wall_ms_max;  /* 0: none */
    uint32_t retry_infra;  /* further attempts after `infra` */
    bool skip;             /* recorded as skipped, `reason` says why */
    const char *reason;
    struct queue_quarantine quarantine;
    const char *parameters; /* a JSON object, kept as it is; NULL */
};

struct queue_run_options {
    uint64_t max_failures; /* 0: no limit; that many failures that count end the run */
    enum job_order order;
    bool no_cache;
    uint32_t rerun_share_permille;
    uint32_t slower_permille; /* 0: not compared */
    const char *baseline;     /* NULL */
    const char *webhook_url;  /* NULL */
    const char *webhook_secret;
    const char *command; /* NULL */
    uint64_t keep_runs;  /* retention; 0: as the service says */
    uint64_t keep_run_s;
    uint64_t keep_artifacts_s;
    uint64_t keep_checkpoints_s;
};

struct queue_run_request {
    const char *name; /* runs of one name are compared with each other */
    const char *submitter;
    uint32_t priority; /* 0 to 100 */
    struct queue_run_options options;
    const struct queue_job_request *jobs;
    size_t job_count;
    bool open;         /* more jobs come by queue_run_add, until queue_run_close */
    uint64_t schedule; /* 0, or the schedule that starts it … */
    int64_t slot_s;    /* … and for which time: ERR_CONFLICT if that was started before */
};

struct queue_submitted {
    uint64_t run;
    uint64_t jobs;   /* of the whole run so far */
    uint64_t cached; /* of these, answered from earlier results */
};

bool queue_run_submit(struct queue *queue, const struct queue_run_request *request,
                      struct queue_submitted *out, struct err *err);
bool queue_run_add(struct queue *queue, uint64_t run, const struct queue_run_request *more,
                   struct queue_submitted *out, struct err *err); /* only .jobs, .job_count */
bool queue_run_close(struct queue *queue, uint64_t run, struct err *err);
/* Jobs that wait get the verdict `cancelled` now, those that run when their agent has stopped them
 * or is lost. Cancelling what is done is no error, and changes nothing. */
bool queue_run_cancel(struct queue *queue, uint64_t run, const char *reason, struct err *err);
bool queue_run_pause(struct queue *queue, uint64_t run, struct err *err);
bool queue_run_resume(struct queue *queue, uint64_t run, struct err *err);
bool queue_job_cancel(struct queue *queue, uint64_t job, const char *reason, struct err *err);

/* ---- agents ---- */

struct queue_agent_facts {
    const char *name;
    const char *version;
    const char *arch;
    const char *os;
    uint32_t word_bits;
    bool big_endian;
    uint32_t cores;
    uint64_t memory_mib;
    uint32_t slots;
    const char *const *tags;
    uint32_t tag_count;
};

struct queue_cached {
    const struct hash *checkpoints;
    uint32_t count;
};

/* An agent that may talk: enrolled, or put there by the service (`key` 32 bytes). Adding one that
 * is there changes its name and key. */
bool queue_agent_add(struct queue *queue, const struct queue_id *agent, const uint8_t key[32],
                     const char *name, struct err *err);
/* False if it is not there or was revoked. Reads the database; needs no bracket. */
bool queue_agent_key(struct queue *queue, const struct queue_id *agent, uint8_t key[32]);
bool queue_agent_revoke(struct queue *queue, const struct queue_id *agent, struct err *err);
/* Draining agents get no more jobs. */
bool queue_agent_drain(struct queue *queue, const struct queue_id *agent, bool drain,
                       struct err *err);
/* By its name, for people. ERR_NOT_FOUND; ERR_CONFLICT if two have it. */
bool queue_agent_find(struct queue *queue, const char *name, struct queue_id *out, struct err *err);

/* Leases of an earlier incarnation are free at once. Again by the same incarnation: facts are
 * taken, leases stay. ERR_ACCESS: unknown or revoked. */
bool queue_agent_hello(struct queue *queue, const struct queue_id *agent,
                       const struct queue_id *incarnation, const struct queue_agent_facts *facts,
                       struct err *err);

struct queue_claim {
    struct queue_id agent;
    struct queue_id incarnation;
    uint32_t slots_free;
    struct queue_cached cached;
};

#define QUEUE_GRANT_RERUN 1u /* known already; run again to compare */

struct queue_grant {
    uint64_t lease;
    uint64_t run;
    uint64_t job;
    uint32_t attempt;
    enum job_kind kind;
    uint32_t flags;
    struct hash spec;
    struct hash checkpoint; /* zero: none */
    uint64_t wall_ms;       /* 0: none */
};

struct queue_grants {
    struct queue_grant grants[QUEUE_GRANTS_MAX];
    uint32_t count;
    bool drain;
};

/* Leases jobs: a bundle of a few seconds of work for each free slot, at most QUEUE_GRANTS_MAX; none
 * is no error. `drain` says that there will be none as long as the agent is draining. This,
 * beat, release and bye: ERR_CONFLICT if the incarnation is not the one of the last hello (the
 * agent must say hello), ERR_ACCESS if the agent is unknown or revoked. */
bool queue_claim(struct queue *queue, const struct queue_claim *claim, struct queue_grants *out,
                 struct err *err);
/* Changes whenever there may be something for a claim that was empty: ask again then. */
uint64_t queue_work_number(const struct queue *queue);

struct queue_beat {
    struct queue_id agent;
    struct queue_id incarnation;
    uint64_t sequence;      /* lower than one before: too late, changes nothing */
    const uint64_t *leases; /* all it holds, until their results are acknowledged */
    uint32_t lease_count;
    uint32_t load; /* thousandths */
    uint32_t slots_busy;
};
struct queue_beat_answer {
    uint64_t cancel[QUEUE_LEASES_MAX]; /* stop these, report them as cancelled */
    uint32_t cancel_count;
    uint64_t unknown[QUEUE_LEASES_MAX]; /* not its own (any more): stop, report nothing */
    uint32_t unknown_count;
    bool drain;
};
/* Renews the leases that it names. One that was granted two beats ago and more and is not named was
 * never received, or forgotten: it is free again. Writes nothing to the database but for that. */
bool queue_beat(struct queue *queue, const struct queue_beat *beat,
                struct queue_beat_answer *answer, struct err *err);

struct queue_artifact {
    const char *name; /* a relative path */
    uint64_t size;
    struct hash hash;
};

struct queue_result {
    uint64_t lease;
    uint64_t job;
    uint32_t attempt;
    enum verdict verdict;
    int32_t exit_status; /* -1: none */
    uint64_t instructions;
    uint64_t virtual_ns;
    uint64_t thaw_ns;
    uint64_t wall_ns;
    struct hash state_id;   /* zero: none */
    struct hash checkpoint; /* a boot: what it made */
    const char *reason;     /* NULL or "": none */
    const char *signature_title;
    struct hash signature; /* zero: none */
    struct hash console;   /* blob; zero: none */
    uint64_t console_size;
    const struct queue_artifact *artifacts;
    uint32_t artifact_count;
};

enum queue_outcome {
    QUEUE_RECORDED,
    QUEUE_DUP,   /* recorded before */
    QUEUE_STALE, /* the lease was not its own (any more); not recorded */
};

/* Whatever incarnation the agent has: results that were spooled before a restart count if they come
 * before the hello. What cannot be is ERR_INVALID or ERR_TOO_BIG: a pass of a boot without a
 * checkpoint, figures beyond all bounds; the job goes to another agent then, and this
 * one has a fault more. So it has for results of leases that it never had. */
bool queue_result(struct queue *queue, const struct queue_id *agent,
                  const struct queue_result *result, enum queue_outcome *outcome, struct err *err);
/* Counts what the caller found that no agent should do, and says why: see struct queue_agent. */
bool queue_agent_fault(struct queue *queue, const struct queue_id *agent, const char *why,
                       struct err *err);

struct queue_release {
    struct queue_id agent;
    struct queue_id incarnation;
    const uint64_t *leases;
    uint32_t lease_count;
};
/* Gives leases back; those that are not its own are passed over. Counts as no attempt. */
bool queue_release(struct queue *queue, const struct queue_release *release, struct err *err);
/* Releases all and is gone. */
bool queue_bye(struct queue *queue, const struct queue_release *bye, struct err *err);

/* Expires leases, goes on with what was too much for one bracket. Call it in a bracket once a
 * second at least, and after work that `more` asked to go on with. */
bool queue_tick(struct queue *queue, bool *more, struct err *err);

/* ---- queries ---- */

struct queue_run {
    uint64_t id;
    const char *name;
    const char *submitter;
    uint32_t priority;
    enum run_state state;
    bool cancelled;
    struct queue_run_options options;
    uint64_t schedule; /* 0: none */
    int64_t slot_s;
    uint64_t created_ms, started_ms, ended_ms; /* 0: not yet */
    uint64_t jobs;
    uint64_t states[JOB_STATE_COUNT]; /* jobs in each */
    uint64_t verdicts[VERDICT_COUNT]; /* of all that are done, those in quarantine included */
    uint64_t quarantined_bad;         /* of these, in quarantine and not passed: do not count */
    uint64_t cached;                  /* answered from earlier results */
    uint64_t boot_saved_ns;           /* what booting for each test would have taken */
    enum verdict verdict;             /* of what counts, so far; once done: of the run */
};

struct queue_job {
    uint64_t id;
    uint64_t run;
    uint32_t place; /* in the run, from 0 */
    const char *name;
    const char *group;
    const char *suite;
    enum job_kind kind;
    enum job_state state;
    enum verdict verdict; /* of a job that is done */
    const char *reason;
    uint32_t attempts;
    bool cached;
    bool rerun;
    bool quarantined;
    struct queue_quarantine quarantine;
    bool quarantine_expired;
    struct hash spec, checkpoint, boot;
    const char *parameters; /* "" or a JSON object */
    uint64_t result;        /* the attempt (its lease) that gave the result; 0: none */
    uint64_t submitted_ms, ended_ms;
    uint64_t expected_ns; /* how long it was thought to take */
};

struct queue_attempt {
    uint64_t lease;
    uint64_t job;
    uint32_t attempt;
    const char *agent; /* its name */
    const char *agent_arch;
    const char *end; /* "" while it runs; "result", "lost", "released", "restarted", "forgotten",
                        "refused" */
    uint64_t started_ms, ended_ms;
    struct queue_result result; /* .artifacts NULL: see queue_artifacts_each; if end is "result" */
};

struct queue_agent {
    struct queue_id id;
    struct queue_agent_facts facts;
    bool online; /* heard of within a lease's time */
    bool draining, revoked;
    uint64_t enrolled_ms, heard_ms; /* 0: not since the coordinator started */
    uint32_t leases;
    uint32_t load, slots_busy;
    uint64_t done;     /* jobs since the coordinator started */
    uint64_t faults;   /* what it did that no agent should; since then, too */
    const char *fault; /* the last one; "" */
    bool barred;       /* gets no jobs for a while, because of them */
};

typedef bool queue_run_callback(void *context, const struct queue_run *run);
typedef bool queue_job_callback(void *context, const struct queue_job *job);
typedef bool queue_attempt_callback(void *context, const struct queue_attempt *attempt);
typedef bool queue_artifact_callback(void *context, const struct queue_artifact *artifact);
typedef bool queue_agent_callback(void *context, const struct queue_agent *agent);

struct queue_page {
    uint64_t run;      /* jobs: of this run */
    uint64_t after;    /* jobs: ids greater than this; runs: ids lower than this (0: newest) */
    uint64_t limit;    /* 0: all */
    uint32_t verdicts; /* jobs: bits 1u << verdict; 0: any, and those that are not done */
    uint32_t states;   /* jobs: bits 1u << state; 0: any */
    const char *name;  /* runs: of this name; NULL: any */
};

/* Newest first. */
bool queue_runs_each(struct queue *queue, const struct queue_page *page, queue_run_callback *each,
                     void *context, struct err *err);
/* One; ERR_NOT_FOUND. */
bool queue_run_get(struct queue *queue, uint64_t run, queue_run_callback *each, void *context,
                   struct err *err);
/* In the order of submission. */
bool queue_jobs_each(struct queue *queue, const struct queue_page *page, queue_job_callback *each,
                     void *context, struct err *err);
bool queue_job_get(struct queue *queue, uint64_t job, queue_job_callback *each, void *context,
                   struct err *err);
/* Of a job, oldest first. */
bool queue_attempts_each(struct queue *queue, uint64_t job, queue_attempt_callback *each,
                         void *context, struct err *err);
/* One, by its lease: what queue_job.result names. */
bool queue_attempt_get(struct queue *queue, uint64_t lease, queue_attempt_callback *each,
                       void *context, struct err *err);
bool queue_artifacts_each(struct queue *queue, uint64_t lease, queue_artifact_callback *each,
                          void *context, struct err *err);
/* Jobs that could begin, and no agent that is there may have: what they ask of a host, one tag
 * after the other ("armhf, lab7"), and its memory in MiB (0: any). */
struct queue_unserved {
    const char *host;
    uint64_t memory_mib;
    uint64_t jobs;
};
typedef bool queue_unserved_callback(void *context, const struct queue_unserved *unserved);
void queue_unserved_each(struct queue *queue, uint64_t run, queue_unserved_callback *each,
                         void *context);
/* By name. */
bool queue_agents_each(struct queue *queue, queue_agent_callback *each, void *context,
                       struct err *err);

/* Runs that are done and have a webhook or a command that was not told of it yet; told again after
 * a restart, until queue_hook_done. */
bool queue_hooks_each(struct queue *queue, queue_run_callback *each, void *context,
                      struct err *err);
bool queue_hook_done(struct queue *queue, uint64_t run, struct err *err);

/* ---- the feed of events ---- */

enum queue_event_kind {
    QUEUE_EVENT_RUN, /* `state` is an enum run_state: submitted, paused, …, done (with verdict) */
    QUEUE_EVENT_JOB, /* `state` is an enum job_state; done comes with a verdict */
    QUEUE_EVENT_AGENT, /* `state` 1: said hello, 0: lost, said bye or was revoked */
};

struct queue_event {
    uint64_t number; /* ascending, never used twice, also after a restart */
    uint64_t time_ms;
    enum queue_event_kind kind;
    uint32_t state;
    enum verdict verdict;
    uint32_t attempt;
    uint64_t run, job;
    struct queue_id agent; /* zero: none */
};

/* Events after number `after`, oldest first, at most `size`; of one run if `run` is not 0. The last
 * QUEUE_EVENTS_KEPT are kept, in memory: `gap` tells that some after `after` are gone (also by a
 * restart): look at the runs anew and go on from the newest number. */
struct queue_events {
    struct queue_event *events; /* room for `size`; the caller's */
    size_t size;
    size_t count;
    uint64_t next; /* what to give as `after` the next time */
    bool gap;
};
void queue_events(const struct queue *queue, uint64_t after, uint64_t run,
                  struct queue_events *out);
uint64_t queue_event_newest(const struct queue *queue);

/* ---- figures, for /metrics; counted since the coordinator started unless said otherwise ---- */

struct queue_figures {
    uint64_t runs_active;           /* now */
    uint64_t jobs[JOB_STATE_COUNT]; /* now, of runs that are not done */
    uint64_t agents, agents_online; /* now */
    uint64_t slots;                 /* now, of those online */
    uint64_t leases;                /* now */
    uint64_t submitted, granted, recorded, dup, stale, lost, released, forgotten, retried;
    uint64_t cached, reruns, divergences, faults;
    uint64_t verdicts[VERDICT_COUNT];
    uint64_t commits;
};
void queue_figures(const struct queue *queue, struct queue_figures *out);

#endif
