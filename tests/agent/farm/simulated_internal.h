/* simulated_internal.h — between the files of the simulated agent. */
#ifndef THAW_TESTS_SIMULATED_INTERNAL_H
#define THAW_TESTS_SIMULATED_INTERNAL_H

#include "agent/farm/keeper_core.h"
#include "agent/farm/service_internal.h"
#include "tests/agent/farm/simulated_agent.h"

#define SIM_MS_NS   UINT64_C(1000000)
#define SIM_MOVES   256
#define SIM_SPOOL   256
#define SIM_WORKERS AGENT_SLOTS_MAX

/* An errand on its way; errands of one mover are done in their order. */
struct sim_move {
    struct errand *errand;
    uint64_t due_ms;
};

struct sim_worker {
    uint64_t token;
    uint64_t ends_ms;
    int fd; /* the writing end of its pipe */
    enum brood_end end;
    enum verdict verdict;
};

/* A file of the spool: survives crashes. */
struct sim_file {
    uint64_t lease;
    struct buf bytes; /* the message */
};

struct sim {
    struct world *world;
    struct world_agent *body; /* up, paused, cut off; messages under way */
    struct agent *agent;      /* NULL: down */
    struct agent_options options;
    struct keeper_core keeper;
    struct message *scratch;
    uint64_t deadline_ms[2];
    struct world_message *ready;         /* an answer on the work channel, not looked at yet */
    struct sim_move moves[2][SIM_MOVES]; /* of the fetcher, of the pusher */
    uint32_t move_count[2];
    struct sim_worker workers[SIM_WORKERS];
    uint32_t worker_count;
    struct brood_event event; /* the one that the agent is about to hear */
    struct sim_file files[SIM_SPOOL];
    uint32_t file_count;
    bool dies; /* at the end of this step */
};

/* Whose turn it is: what the stand-ins work for. */
extern struct sim *sim_now;

/* simulated_agent.c */
uint64_t sim_random(uint64_t below);
/* A trouble of this world, of so many per thousand, while there are any. */
bool sim_trouble(uint32_t permille);
bool sim_spool_has(const struct sim *sim, uint64_t lease);

/* simulated_line.c: the agent's lines, as messages of the world. */
extern const struct line_operations sim_line;
/* Sends what is unanswered for long once more. */
void sim_line_turn(struct sim *sim);
void sim_line_beat(struct sim *sim);
/* Takes an answer in. */
void sim_line_take(struct sim *sim, const struct world_message *answer);
void sim_line_release(struct sim *sim);

/* simulated_parts.c: errands and workers go on. */
void sim_parts_turn(struct sim *sim);
/* All that is not durable is gone. */
void sim_parts_release(struct sim *sim);

#endif
