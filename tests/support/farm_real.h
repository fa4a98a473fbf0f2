/* farm_real.h — a whole farm of real processes: coordinator with its queue and gateway, agents that
 * enrol, all on one store. For programs linked with the coordinator; their main must give its
 * arguments to gateway_command when argv[1] is GATEWAY_COMMAND. */
#ifndef THAW_TESTS_SUPPORT_FARM_REAL_H
#define THAW_TESTS_SUPPORT_FARM_REAL_H

#include "agent/farm/service.h"
#include "coordinator/service.h"
#include "tests/support/farm_guest.h"

#define REAL_AGENTS_MAX 4
#define REAL_JOBS_MAX   1024

struct real_job {
    enum job_kind kind;
    struct hash spec, checkpoint, boot;
    /* Told by the coordinator: */
    enum verdict verdict;
    uint32_t attempts;
    uint32_t recorded; /* attempts that ended with a result that was taken */
};

/* What the coordinator's process shares with the test. */
struct real_shared {
    struct real_job jobs[REAL_JOBS_MAX];
    size_t job_count;
    uint64_t run; /* 0: to be submitted */
    uint64_t done;
    uint64_t online; /* agents */
    bool finished;
    char tokens[REAL_AGENTS_MAX][256]; /* to enrol with */
};

struct real_farm {
    struct farm_guest guest;
    struct real_shared *shared;
    struct seal_keys keys;
    struct agent_options agents[REAL_AGENTS_MAX];
    char *states[REAL_AGENTS_MAX];
    char url[160];
    pid_t coordinator, pids[REAL_AGENTS_MAX];
    int channel; /* its closing ends the coordinator */
};

void real_farm_open(struct real_farm *farm);
void real_farm_add(struct real_farm *farm, const struct real_job *job);
/* Submits the jobs the first time. */
void real_farm_start_coordinator(struct real_farm *farm);
void real_farm_start_agent(struct real_farm *farm, size_t index);
/* Ends it as a power failure would. */
void real_farm_kill_coordinator(struct real_farm *farm);
void real_farm_kill_agent(struct real_farm *farm, size_t index);
/* Ends it by SIGTERM; its exit status. */
int real_farm_stop_agent(struct real_farm *farm, size_t index);
/* Waits for it to end by itself; likewise. */
int real_farm_await_agent(struct real_farm *farm, size_t index);
void real_farm_close(struct real_farm *farm);

#endif
