/* service.h — an agent: takes jobs from its coordinator, has them run, brings back what they came
 * to.
 *
 * Processes: the agent (this loop, and two threads that carry things), and below it the nursery,
 * which has forked the keeper (keeper.h) and the spawner (spawner.h). All end with the agent.
 *
 * | a job is | from                     | to                       | by                            |
 * |----------|--------------------------|--------------------------|-------------------------------|
 * | fetching | a grant                  | ready, packing, released | errand.h, in a mover's thread |
 * | ready    | all it needs is here     | running, released        | task_start_ready              |
 * | running  | given to the spawner     | packing                  | spawner.h                     |
 * | packing  | its worker is gone       | spooled, unsent          | errand.h                      |
 * | unsent   | spooled, blobs not there | spooled                  | errand.h, again and again     |
 * | spooled  | blobs are there          | sent                     | the next request              |
 * | sent     | in a request             | forgotten, spooled       | the coordinator's answer      |
 * The lease is held from the grant until the result is acknowledged. A restarted agent finds its
 * results in the spool and delivers them before it says hello, since with that its leases end. */
#ifndef THAW_AGENT_FARM_SERVICE_H
#define THAW_AGENT_FARM_SERVICE_H

#include "agent/farm/line.h"
#include "agent/farm/spawner.h"
#include "storage/remote/remote.h"

#define AGENT_SLOTS_MAX MESSAGE_JOBS_MAX
#define AGENT_DRAIN_MS  30000
#define AGENT_RESERVE   (UINT64_C(64) << 20) /* of disk, below which nothing is claimed */

struct agent_options {
    const char *name;  /* for people; NULL: the host's */
    const char *state; /* folder: keys, id, spool/ */
    /* Location of the local store; NULL: the folder that the coordinator names, which is shared. */
    const char *store;
    /* Of the coordinator's store; NULL: the local one is the coordinator's own. Its token must be
     * in memory that can be written: where jobs run, it is wiped. */
    const struct remote_options *address;
    uint64_t store_bytes; /* of the local store, if it is a copy; 0: any */

    const char *url;                  /* of the coordinator's gateway: see link.h */
    const uint8_t *coordinator;       /* SEAL_KEY_SIZE bytes: its public key */
    const char *enrol_token;          /* the first time only; or NULL */
    const struct line_opener *opener; /* instead of the three above: for tests; or NULL */

    uint32_t slots; /* 0: one for each core */
    const char *const *tags;
    size_t tag_count;
    uint64_t max_memory;     /* of one worker, its machine included; 0: any */
    const char *sim_wrapper; /* see worker_exec.h; or NULL */
    bool unconfined;         /* run even if a wall is missing; else that is ERR_UNSUPPORTED */
    uint64_t reserve_bytes;  /* 0: AGENT_RESERVE */
    uint32_t drain_ms;       /* how long a SIGTERM waits for running jobs; 0: AGENT_DRAIN_MS */
};

/* Runs until SIGTERM or SIGINT: then claims no more, gives back what has not begun, waits for what
 * runs (a second signal: kills it, gives it back), sends what is to be sent, says bye. Forks before
 * anything else: the process must have no threads and no link yet. False: it could not begin, or
 * the coordinator does not want it (ERR_ACCESS), or the nursery died. */
bool agent_service_run(const struct agent_options *options, struct err *err);

#endif
