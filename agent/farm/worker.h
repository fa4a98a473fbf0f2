/* worker.h — runs one job in a process of its own, behind walls, and writes down what it came to.
 */
#ifndef THAW_AGENT_FARM_WORKER_H
#define THAW_AGENT_FARM_WORKER_H

#include "agent/farm/confine.h"
#include "agent/farm/outcome.h"
#include "agent/session.h"
#include "jobs/job_spec.h"

#define WORKER_STATES  "verify.states"     /* the artifact of a test that verifies hosts */
#define WORKER_ANSWERS "verify.answers"    /* the artifact of a script of `thaw verify` */
#define WORKER_MEMORY  (UINT64_C(1) << 30) /* beside the machine, unless told otherwise */
#define WORKER_NICE    10                  /* simulation must not starve what keeps leases alive */
#define WORKER_WALL_MS UINT64_C(3600000)   /* of a job without a limit */

/* What is to be done; crosses a channel. Everything it names is in the local store. */
struct worker_order {
    uint64_t token;      /* the agent's name for it */
    uint64_t ordered_ns; /* monotonic time at which it was given */
    uint64_t wall_ms;    /* 0: as the spec says */
    uint64_t guard_ms;   /* the parent ends it after so long; 0: never */
    struct hash spec;
    struct hash checkpoint; /* zero: a boot, or a fresh board */
    uint64_t machine_bytes; /* of the machine that it builds itself: a boot, a fresh board */
    uint32_t kind;          /* enum job_kind */
    uint32_t trespass;      /* 1 + enum confine_wall: tries to cross that wall instead */
    uint32_t blob_count;
    struct hash blobs[JOB_SPEC_BLOBS_MAX]; /* of the spec: what it may read */
};

struct worker_place {
    const char *store;                     /* location of the local store */
    uint64_t cache_bytes;                  /* of the image cache; 0: as image_cache.h says */
    uint64_t memory_bytes;                 /* beside the machine; 0: WORKER_MEMORY */
    uint64_t machine_bytes;                /* largest machine that is run; 0: any */
    const struct confinement *confinement; /* NULL: no walls */
    const char *wrapper;                   /* see worker_exec.h; or NULL */
};

/* Goes behind the walls, runs the job, writes the encoded outcome to `fd`. `session` is the thawed
 * machine for a test with a checkpoint, else NULL. Returns the process's exit status: 0 if the
 * outcome was written. */
int worker_run(const struct worker_place *place, const struct worker_order *order,
               struct session *session, int fd);

#endif
