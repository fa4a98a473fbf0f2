/* queue_world.h — a farm in one process: the real queue on a simulated disk, agents (a model, or
 * the real thing in simulated surroundings: tests/agent/farm/simulated_agent.h), a model of
 * submitters, a simulated network and clock; all from one seed.
 *
 * Each world has troubles of its own (drawn from the seed) until `quiet_ms`; then the network is
 * perfect, nobody crashes, and everything must come to its end. What must never be is checked all
 * the way (queue_world_check.c); the first thing found is `problem`. */
#ifndef THAW_TESTS_QUEUE_WORLD_H
#define THAW_TESTS_QUEUE_WORLD_H

#include "coordinator/queue/queue.h"
#include "tests/support/queue_disk.h"

#define WORLD_STEP_MS    250
#define WORLD_AGENTS     4
#define WORLD_SPECS      12 /* of tests; boots have three more */
#define WORLD_BOOTS      3
#define WORLD_RUNS       3
#define WORLD_JOBS       10 /* of a run */
#define WORLD_LEASES     64
#define WORLD_LEASES_ALL 4096
#define WORLD_END_MS     1500000
#define WORLD_WALL_MS    500    /* of each job */
#define WORLD_HOLD_MS    250000 /* beyond a hundred times that */

enum world_kind { WORLD_HELLO, WORLD_CLAIM, WORLD_BEAT, WORLD_RESULT, WORLD_RELEASE, WORLD_BYE };

struct world_result {
    uint64_t lease, job;
    uint32_t attempt;
    uint32_t spec;
    enum verdict verdict;
};

/* A request, or (to_agent) its answer. */
struct world_message {
    uint64_t at_ms;
    bool to_agent;
    uint32_t agent;
    uint32_t channel; /* 0: work, 1: beats */
    enum world_kind kind;
    uint64_t epoch; /* the coordinator's start that the agent knows of */
    uint64_t counter;
    uint64_t incarnation;
    uint64_t sequence;
    uint32_t slots; /* of a claim: how many are free */
    bool again;     /* the answer: another epoch, ask again */
    bool refused;   /* with this kind */
    enum err_kind refusal;
    uint64_t leases[WORLD_LEASES];
    uint32_t lease_count;
    struct world_result results[WORLD_LEASES]; /* results, or what was granted */
    uint32_t result_count;
    uint64_t cancel[WORLD_LEASES], unknown[WORLD_LEASES];
    uint32_t cancel_count, unknown_count;
    enum queue_outcome outcomes[WORLD_LEASES];
    struct world_message *next; /* on its way, in no order */
};

struct world_task {
    struct world_result what;
    uint64_t ends_ms; /* 0: not started */
    bool stopping;
    bool hangs; /* it never ends, and does not stop; its agent keeps its lease alive */
};

struct world_agent {
    uint32_t number;
    bool up, hello;
    uint64_t up_ms;     /* when it starts, if it is down */
    uint64_t paused_ms; /* stopped until then */
    uint64_t cut_ms;    /* from the network until then */
    uint64_t incarnation, epoch, sequence;
    uint64_t counters[2];
    struct world_message *asked[2]; /* unanswered */
    uint64_t asked_ms[2];
    struct world_task tasks[WORLD_LEASES];
    uint32_t task_count;
    struct world_result spool[WORLD_LEASES]; /* durable */
    uint32_t spool_count;
    uint32_t slots;
    uint64_t beat_ms, claim_ms;
    bool leaving;
    void *real; /* of agents that are no model */
};

struct world_spec {
    enum verdict truth;
    bool diverges; /* its state depends on the agent */
    uint32_t infra_percent;
    uint64_t takes_ms;
};

struct world_job {
    uint32_t spec; /* WORLD_SPECS and up: a boot */
    uint32_t boot; /* number of the boot it needs + 1; 0: none */
    uint32_t needs[2];
    uint32_t need_count;
    uint32_t retry;
    bool quarantined;
    bool cancelled; /* by the submitter */
    bool seen_done;
    enum verdict verdict; /* once it was seen done */
    uint64_t id;          /* 0: not accepted */
};

struct world_run {
    char name[32];
    uint64_t at_ms; /* when it is submitted */
    struct world_job jobs[WORLD_JOBS];
    uint32_t job_count;
    uint64_t id; /* 0: not accepted yet */
    uint32_t tries;
    uint64_t max_failures;
    bool no_cache, cancelled;
    uint32_t rerun_permille;
    uint64_t cancel_ms, pause_ms, resume_ms; /* 0: never */
};

struct world_lease {
    uint64_t job;
    uint32_t attempt, agent;
    uint32_t recorded; /* how often */
};

struct world;
/* What agents are. */
struct world_agents {
    /* A step of the clock has passed. */
    void (*step)(struct world *world, struct world_agent *agent);
    /* An answer has arrived; it stays the caller's. */
    void (*take)(struct world *world, struct world_agent *agent,
                 const struct world_message *answer);
    /* Whether it has nothing left to do or to say. */
    bool (*is_settled)(const struct world_agent *agent);
    void (*free)(struct world_agent *agent);
};
extern const struct world_agents world_model_agents;

struct world {
    uint64_t seed, random;
    bool talks;                            /* tells what happens, on stderr; the caller's */
    bool calm;                             /* nothing goes wrong, ever; the caller's */
    const struct world_agents *agents_are; /* the caller's; NULL: the model */
    struct queue_disk *disk;
    struct queue_options options;
    struct clock_source clock;
    struct queue *queue; /* NULL: the coordinator is down */
    uint64_t now_ms, up_ms, quiet_ms;
    int64_t wall_jump_ms;
    uint64_t epoch;
    uint32_t loss, repeat, crash, disk_trouble; /* per thousand */
    uint64_t delay_ms;
    bool raw; /* repeated requests reach the queue */
    struct world_agent agents[WORLD_AGENTS];
    uint32_t agent_count;
    struct world_spec specs[WORLD_SPECS + WORLD_BOOTS];
    struct world_run runs[WORLD_RUNS];
    uint32_t run_count;
    struct world_message *flying;
    uint64_t counters[WORLD_AGENTS][2];             /* last handled, of this epoch */
    struct world_message *answers[WORLD_AGENTS][2]; /* to repeat */
    struct world_lease leases[WORLD_LEASES_ALL];    /* by number */
    uint64_t commits, crashes, messages;
    char problem[512]; /* "": none */
};

/* The world of a seed, run to its end. False: see `problem`. `disk` is reset. */
bool queue_world_run(struct world *world, struct queue_disk *disk, uint64_t seed);

/* Between the files. */
uint64_t world_random(struct world *world, uint64_t below);
bool world_chance(struct world *world, uint32_t permille);
void world_say(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Keeps the first. */
void world_problem(struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Hands a copy to the network. */
void world_send(struct world *world, const struct world_message *message);
struct hash world_hash(uint32_t kind, uint32_t number);

/* queue_world_coordinator.c */
struct queue_id world_id(uint64_t number, uint64_t kind);
bool world_is_quiet(const struct world *world);
/* One that has arrived, of those to that side; NULL: none. */
struct world_message *world_receive(struct world *world, bool to_agent);
uint64_t world_monotonic(void *context);
uint64_t world_wall(void *context);
void world_begin(struct world *world); /* the coordinator starts */
void world_stop(struct world *world);
bool world_open_bracket(struct world *world);
/* One bracket. False: nothing of it happened (and the coordinator may be dead). */
bool world_commit(struct world *world);
void world_die_if_dead(struct world *world);
void world_find_jobs(struct world *world, struct world_run *run);
/* Everything that has come in, or the first few, in one bracket; answers after the commit. */
void world_serve(struct world *world);
void world_forget_answers(struct world *world);

/* queue_world_agent.c: what any agent suffers. False: it is down, or stopped, or has to crash. */
bool world_agent_endures(struct world *world, struct world_agent *agent, bool *crashes);

/* queue_world_check.c */
void world_check_granted(struct world *world, const struct world_message *answer);
void world_check_recorded(struct world *world, const struct world_message *request,
                          const struct world_message *answer);
/* The whole database, against itself and against what was promised. */
void world_check_all(struct world *world);
/* At the end: every verdict is right. */
void world_check_verdicts(struct world *world);

#endif
