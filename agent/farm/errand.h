/* errand.h — what an agent's movers do for one job: bring what it needs, take away what it left. */
#ifndef THAW_AGENT_FARM_ERRAND_H
#define THAW_AGENT_FARM_ERRAND_H

#include "agent/farm/mover.h"
#include "agent/farm/spawner.h"
#include "agent/farm/spool.h"

#define ERRAND_GRACE_MS UINT64_C(10000) /* after its wall-clock limit a worker is killed */

enum errand_kind {
    ERRAND_FETCH, /* spec, blobs and checkpoint to the local store: fills in `order` */
    ERRAND_PACK,  /* judges, keeps blobs here, spools the result, pushes */
    ERRAND_PUSH,  /* pushes the blobs of a result that is spooled */
};

struct errand {
    struct move move; /* first */
    enum errand_kind kind;
    uint64_t token; /* the agent's name for the job */
    struct message_job job;
    struct spool *spool;      /* borrowed */
    uint64_t max_bytes;       /* of the local store, when something was fetched; 0: any */
    uint64_t wall_ms_max;     /* of any job; 0: any */
    uint32_t guard_factor;    /* FETCH: see guard.h; what no worker can see is guarded so long */
    struct brood_event event; /* PACK: how the worker ended */
    struct buf written;       /* PACK: what it wrote; owned */

    /* The result: */
    bool ok;      /* fetched; spooled; pushed */
    bool pushed;  /* PACK: that, too */
    bool lost;    /* PUSH: the spool holds no such result, or a damaged one */
    bool fetched; /* FETCH: the checkpoint was not here before */
    struct err err;
    struct worker_order order; /* FETCH */
    uint32_t slowness;         /* PACK: the guard_factor that this job would have needed; 0: none */
    uint64_t thaw_ns;          /* PACK: as in struct worker_outcome */
    struct hash made;          /* PACK: the checkpoint that a boot made; zero: none */
    uint64_t due_ns;           /* the agent's: when to try again */
};

struct errand *errand_new(enum errand_kind kind, uint64_t token, const struct message_job *job);
void errand_free(struct move *move);
/* Whether what failed may pass by itself: no connection, no space. */
bool errand_is_transient(const struct errand *errand);

#endif
