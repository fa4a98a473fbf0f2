/* internal.h — what the files of this folder share: the database's cache in memory.
 *
 * The database is the truth. In memory are: runs that are not done with their lanes and counts,
 * agents, leases that are held, and numbers of what is to be gone on with (works). All of it can be
 * loaded anew (load.c), and is, when a bracket could not be committed. */
#ifndef THAW_COORDINATOR_QUEUE_INTERNAL_H
#define THAW_COORDINATOR_QUEUE_INTERNAL_H

#include "coordinator/queue/db.h"

#include "coordinator/queue/map.h"
#include "coordinator/queue/queue.h"
#include "storage/base/clock.h"

#define EXPECTED_US          1000000u /* of a test that never ran */
#define BUNDLE_US            2000000u /* of work for each slot */
#define INSTRUCTIONS_A_US    100u     /* to guess a test's time by */
#define SETTLE_MAX           2048     /* jobs that one call moves */
#define FORGOTTEN_NS         (2 * (uint64_t)QUEUE_BEAT_MS * NS_PER_MS)
#define HELD_TIMES           100      /* its limit of time: how long a job may be held at most */
#define HELD_WALL_MS         3600000u /* taken for the limit of a job without one */
#define AVOID_NS             60000000000u /* so long a job waits for another agent */
#define ATTEMPTS_MAX         100          /* however they ended */
#define JOB_FLAG_CACHED      1u           /* job_result's index says so by number */
#define JOB_FLAG_RERUN       2u
#define JOB_FLAG_QUARANTINED 4u
#define JOB_FLAG_NEEDED      8u  /* others need it */
#define JOB_FLAG_LEADER      16u /* of its boot key: the one that boots */

/* How an attempt ended, as the database says it. */
enum attempt_ending {
    ATTEMPT_HELD,
    ATTEMPT_RESULT,
    ATTEMPT_LOST,      /* its agent was silent for too long */
    ATTEMPT_RELEASED,  /* its agent gave it back */
    ATTEMPT_RESTARTED, /* its agent started anew without it */
    ATTEMPT_FORGOTTEN, /* its agent does not know of it */
    ATTEMPT_REFUSED,   /* its agent said what cannot be */
};

enum boot_state { BOOT_NONE, BOOT_PENDING, BOOT_BOOTED, BOOT_FAILED };

struct counts {
    uint64_t states[JOB_STATE_COUNT];
    uint64_t verdicts[VERDICT_COUNT]; /* of all */
    uint64_t ignored[VERDICT_COUNT];  /* of these, in quarantine */
    uint64_t cached;
    uint64_t boot_saved_ns;
};
#define COUNTS_NUMBERS (JOB_STATE_COUNT + 2 * VERDICT_COUNT + 2)

struct run {
    uint64_t id;
    uint64_t series; /* runs of one name are one series */
    uint32_t priority;
    enum run_state state;
    bool cancelled;
    char *reason; /* of the cancel; NULL: none */
    uint64_t max_failures;
    enum job_order order;
    bool no_cache;
    uint32_t rerun_permille;
    uint64_t jobs;
    struct counts counts;
    bool dirty;          /* counts are not written yet */
    uint64_t learned_us; /* what its tests took lately; 0: none was done since the start */
    uint64_t pass; /* fairness: microseconds of work given so far, from the start of the others */
    struct lane **lanes;
    size_t lane_count, lane_capacity;
    struct lane *last_lane;
};

/* Jobs of a run that are alike to dispatch wait in one lane, the longest first. */
struct lane {
    uint64_t id;
    struct run *run;
    uint32_t requirement; /* index into queue.requirements */
    struct hash checkpoint;
    uint64_t avoid; /* agent (its row) that should not have them; 0: none */
    bool unlike;    /* one of another architecture than that agent is preferred */
    bool boot;
    uint64_t ready;
    uint64_t running;  /* granted since the coordinator started, and not done */
    uint64_t since_ns; /* when jobs that avoid an agent began to wait here */
    uint64_t boot_ns;  /* what booting the checkpoint took; 0: not known */
    bool dirty;
};

struct agent {
    uint64_t row;
    struct queue_id id;
    struct queue_id incarnation;
    bool hello; /* has an incarnation */
    char name[QUEUE_TAG_MAX + 1], version[QUEUE_TAG_MAX + 1], arch[QUEUE_TAG_MAX + 1];
    char os[QUEUE_TAG_MAX + 1];
    uint32_t word_bits;
    bool big_endian;
    uint32_t cores;
    uint64_t memory_mib;
    uint32_t slots;
    char *tags; /* one a line, each line ended; "" */
    bool draining, revoked;
    uint64_t enrolled_ms;
    bool heard;        /* since the coordinator started */
    bool online;       /* as the last event said */
    uint64_t heard_ns; /* monotonic */
    uint64_t heard_ms;
    uint64_t sequence; /* of the last beat */
    uint32_t load, slots_busy;
    uint64_t done;
    /* faults.c */
    uint64_t faults, barred_until_ns;
    uint32_t strikes;
    uint32_t late;                   /* leases that ran out in this tick */
    char fault[QUEUE_TITLE_MAX + 1]; /* the last one */
    struct lease *leases;            /* a list */
    uint32_t lease_count;
    uint8_t *met; /* for each requirement: 0 not known, 1 met, 2 not */
    size_t met_count;
};

struct lease {
    uint64_t id;
    uint64_t job, run;
    uint32_t attempt;
    struct lane *lane;
    struct agent *agent;
    struct lease *next, **link; /* of its agent's list */
    uint64_t granted_ns, renewed_ns;
    uint64_t begun_ns; /* when its agent may have begun it; 0: not yet */
    uint64_t hold_ns;  /* how long it may be held from then on, however often it is renewed */
    bool seen;         /* in a beat */
    bool named;        /* in the beat that is being looked at */
    bool stopping;
};

/* A row of the table, as far as it changes. */
struct job {
    uint64_t id, run_id;
    struct run *run; /* NULL: it is done */
    uint64_t test;
    enum job_kind kind;
    enum job_state state;
    enum verdict verdict;
    uint64_t lane;
    int64_t rank;
    uint32_t blocked; /* needs that are not met; the boot counts as one */
    uint32_t attempts, infra, lost;
    uint32_t flags, retry;
    uint64_t result;
    uint64_t ended_ms;
    uint64_t expected_us, wall_ms;
    struct hash spec, checkpoint, boot;
    char reason[QUEUE_TEXT_MAX + 1];
    char requirement[QUEUE_HOST_MAX * (QUEUE_TAG_MAX + 1) + 32];
};

/* Work that was too much for one bracket; can be found again in the database. */
enum work_kind { WORK_CANCEL, WORK_BOOT };
struct work {
    enum work_kind kind;
    uint64_t run;    /* WORK_CANCEL */
    uint64_t after;  /* WORK_CANCEL: jobs up to this one have heard of it */
    struct hash key; /* WORK_BOOT */
};

struct queue {
    struct db db;
    struct clock_source clock;
    struct queue_options options;
    uint64_t lease_ns, hold_ns;
    uint64_t random;
    bool open;         /* between begin and commit */
    bool loaded;       /* memory is what the database says */
    struct map runs;   /* by id: those that are not done */
    struct map agents; /* by the first bytes of the id, see agent_of */
    struct map agent_rows;
    struct map leases;
    struct map lanes; /* by id */
    char **requirements;
    size_t requirement_count, requirement_capacity;
    struct work *works;
    size_t work_count, work_capacity;
    uint64_t *finished; /* jobs that became done, and whose dependents have not heard of it */
    size_t finished_count, finished_capacity;
    uint64_t work_number;
    uint64_t next_job, next_lease;                     /* numbers, never used twice */
    struct queue_event *events;                        /* a ring of QUEUE_EVENTS_KEPT */
    uint64_t event_first, event_next, event_published; /* numbers */
    struct queue_figures figures, figures_begin;
};

/* load.c */
bool load_all(struct queue *queue, struct err *err);
void load_release(struct queue *queue);
void load_flush(struct queue *queue); /* writes what is dirty */
void counts_encode(const struct counts *counts, uint8_t out[8 * COUNTS_NUMBERS]);
void counts_decode(struct span bytes, struct counts *out);

/* queue.c */
uint64_t queue_now_ns(const struct queue *queue); /* monotonic */
uint64_t queue_now_ms(const struct queue *queue); /* wall */
uint64_t queue_random(struct queue *queue);
/* Every change begins with it: in a bracket, no fault so far. */
bool queue_may_change(struct queue *queue, struct err *err);
/* Every query ends with it: gives the fault; outside a bracket, forgives it. */
bool queue_read_ok(struct queue *queue, struct err *err);

/* events.c */
void event_add(struct queue *queue, const struct queue_event *event);
void event_run(struct queue *queue, const struct run *run);
void event_agent(struct queue *queue, struct agent *agent, bool online);

/* lanes.c */
struct lane_key {
    struct run *run;
    const char *requirement;
    struct hash checkpoint;
    uint64_t avoid;
    bool unlike, boot;
};
/* The text of what a job asks of its agent: memory, then tags in order, a line each. False: too
 * long. */
bool requirement_text(const struct queue_job_request *request, char *out, size_t size);
struct lane *lane_for(struct queue *queue, const struct lane_key *key);
struct lane *lane_load(struct queue *queue, struct run *run, uint64_t id,
                       const struct lane_key *key);
bool lane_suits(struct queue *queue, const struct lane *lane, struct agent *agent);
bool agent_online(const struct queue *queue, const struct agent *agent);
void run_free(struct queue *queue, struct run *run);

/* jobs.c */
bool job_load(struct queue *queue, uint64_t id, struct job *out);
void job_store(struct queue *queue, const struct job *job);

/* leases.c */
struct lease *lease_add(struct queue *queue, const struct lease *lease);
void lease_drop(struct queue *queue, struct lease *lease);
/* Ends a lease without a result: the job is ready again, or is given up. Of several of one agent
 * the latest first: which of them had begun is told by what was granted before. */
void lease_end(struct queue *queue, struct lease *lease, enum attempt_ending ending);
void leases_end(struct queue *queue, struct agent *agent, enum attempt_ending ending);
/* How long a job with this limit may be held once it may have begun: HELD_TIMES the limit, as the
 * slowest of emulated hosts may take, and time to fetch and to send. UINT64_MAX: for ever. */
uint64_t lease_hold_ns(const struct queue *queue, uint64_t wall_ms);
/* Whether it is held for longer than that. `before`: leases its agent got earlier and holds. */
bool lease_is_overdue(struct lease *lease, uint32_t before, uint64_t now_ns);

/* agents.c */
struct agent *agent_of(const struct queue *queue, const struct queue_id *id);
struct agent *agent_load(struct queue *queue, sqlite3_stmt *row);
void agent_free(struct agent *agent);
/* Its current incarnation speaks. */
struct agent *agent_speaks(struct queue *queue, const struct queue_id *id,
                           const struct queue_id *incarnation, struct err *err);

/* faults.c */
__attribute__((format(printf, 3, 4))) void agent_fault(struct queue *queue, struct agent *agent,
                                                       const char *format, ...);
void agent_forgive(struct agent *agent);
/* Whether it is to get no jobs now. */
bool agent_barred(const struct queue *queue, const struct agent *agent);

/* settle.c */
void work_add(struct queue *queue, const struct work *work);
/* After jobs were done: dependents, boots, ends of runs. At most SETTLE_MAX jobs of the works. */
void settle(struct queue *queue);
void run_end(struct queue *queue, struct run *run, const char *reason);
void run_store(struct queue *queue, const struct run *run, uint64_t ended_ms);
enum verdict run_verdict(const struct counts *counts, uint64_t jobs);

/* history.c */
uint64_t series_of(const char *name);
/* Whether the test still fails in that series, and the run is the newest or the first to say so. */
bool failure_is_open(struct queue *queue, uint64_t test, uint64_t series, uint64_t run);
/* cache.c */
/* A job that has nothing to wait for (any more): answered if its key is known and that will do,
 * else it is ready. Chooses which known ones run again. */
void job_start(struct queue *queue, struct job *job);
/* Keeps a result, or finds that it disagrees: then true, with the reason. */
bool cache_compare(struct queue *queue, const struct job *job, const struct lease *lease,
                   const struct queue_result *result, char reason[QUEUE_TEXT_MAX + 1]);

/* boots.c */
struct boot {
    enum boot_state state;
    uint64_t job; /* that boots it */
    struct hash checkpoint;
    uint64_t lease; /* that booted it */
    uint64_t boot_ns;
    enum verdict verdict;
    char reason[QUEUE_TEXT_MAX + 1];
};
/* False: nothing is known (state BOOT_NONE). One whose checkpoint is gone counts as not known. */
bool boot_find(struct queue *queue, const struct hash *key, struct boot *out);
void boot_store(struct queue *queue, const struct hash *key, const struct boot *boot);
/* After the job that boots is done. */
void boot_resolve(struct queue *queue, const struct job *leader);
/* Tells at most `budget` jobs that waited for it. Returns how many there were. */
size_t boot_settle(struct queue *queue, const struct hash *key, size_t budget);

#endif
