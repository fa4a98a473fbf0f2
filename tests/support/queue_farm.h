/* queue_farm.h — a queue in a folder of its own, with a clock that stands still until told, and
 * short names for what tests do with it. Every call that changes something is a bracket of its own.
 */
#ifndef THAW_TESTS_QUEUE_FARM_H
#define THAW_TESTS_QUEUE_FARM_H

#include "coordinator/queue/queue.h"
#include "tests/support/base_test.h"

#define QUEUE_FARM_SECOND 1000000000u

struct queue_farm {
    char *folder;
    char path[512];
    uint64_t monotonic_ns, wall_ns;
    struct clock_source clock;
    struct queue_options options;
    struct queue *queue;
    struct err err;
};

/* A test with a farm of its own. */
#define QUEUE_FARM_TEST(name)                                                                      \
    static void name##_in(struct queue_farm *farm);                                                \
    static void name(void **state)                                                                 \
    {                                                                                              \
        struct queue_farm farm;                                                                    \
        (void)state;                                                                               \
        queue_farm_open(&farm);                                                                    \
        name##_in(&farm);                                                                          \
        queue_farm_close(&farm);                                                                   \
    }                                                                                              \
    static void name##_in(struct queue_farm *farm)

void queue_farm_open(struct queue_farm *farm);
void queue_farm_close(struct queue_farm *farm);
/* The process ends and starts again. */
void queue_farm_restart(struct queue_farm *farm);
/* Time passes, in steps of a second with a tick at each. */
void queue_farm_pass(struct queue_farm *farm, uint64_t seconds);
void queue_farm_begin(struct queue_farm *farm);
void queue_farm_commit(struct queue_farm *farm);

struct queue_id queue_farm_id(uint64_t number);
struct hash queue_farm_hash(const char *text);
/* A test whose spec is the hash of its name. */
struct queue_job_request queue_farm_job(const char *name);
struct queue_job_request queue_farm_boot(const char *name);
/* All with the given name of the run; returns its id. */
uint64_t queue_farm_submit(struct queue_farm *farm, const struct queue_job_request *jobs,
                           size_t count);
uint64_t queue_farm_run(struct queue_farm *farm, const struct queue_run_request *request);

struct queue_farm_agent {
    uint64_t number;
    uint64_t incarnation;
    uint64_t sequence;
    const char *arch;
    const char *tag; /* NULL: none */
    uint32_t word_bits;
    uint32_t slots;
};
/* Enrols and says hello. */
struct queue_farm_agent queue_farm_agent(struct queue_farm *farm, uint64_t number);
bool queue_farm_hello(struct queue_farm *farm, const struct queue_farm_agent *agent);
/* One slot, no checkpoints: how many were granted. */
uint32_t queue_farm_claim(struct queue_farm *farm, const struct queue_farm_agent *agent,
                          struct queue_grants *out);
/* Claims until the agent has one job; fails the test if there is none. */
struct queue_grant queue_farm_take(struct queue_farm *farm, const struct queue_farm_agent *agent);
enum queue_outcome queue_farm_result(struct queue_farm *farm, const struct queue_farm_agent *agent,
                                     const struct queue_grant *grant, enum verdict verdict);
enum queue_outcome queue_farm_record(struct queue_farm *farm, const struct queue_farm_agent *agent,
                                     const struct queue_result *result);
struct queue_result queue_farm_result_of(const struct queue_grant *grant, enum verdict verdict);
void queue_farm_beat(struct queue_farm *farm, struct queue_farm_agent *agent,
                     const struct queue_grants *held, struct queue_beat_answer *answer);

/* A copy whose texts are kept until the next call. */
const struct queue_job *queue_farm_job_of(struct queue_farm *farm, uint64_t job);
const struct queue_run *queue_farm_run_of(struct queue_farm *farm, uint64_t run);
/* Id of the run's job at a place. */
uint64_t queue_farm_at(struct queue_farm *farm, uint64_t run, uint32_t place);

#endif
