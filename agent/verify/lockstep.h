/* lockstep.h — several hosts run the same machine, and tell its state id at every mark.
 *
 * All are told to run mark after mark; none waits for another unless it is LOCKSTEP_AHEAD marks
 * ahead of the last mark at which all agreed. A host that fails leaves; the others go on. */
#ifndef THAW_AGENT_VERIFY_LOCKSTEP_H
#define THAW_AGENT_VERIFY_LOCKSTEP_H

#include "agent/verify/peer.h"

#define LOCKSTEP_AHEAD     6u
#define LOCKSTEP_PEERS_MAX 32u

/* Where a host is, as it says. */
struct place {
    uint64_t at; /* machine_instructions */
    enum verify_stop stop;
    uint64_t input, input_offset;
    uint64_t virtual_ns;
    struct hash state_id;
};
/* Reads an answer to THAW, RUN, RESTORE. False: it is none. */
bool place_read(const struct verify_message *answer, struct place *out);
bool place_equal(const struct place *a, const struct place *b);

struct lockstep {
    struct peer *const *peers; /* those that failed are left out */
    size_t count;
    uint64_t from;  /* where all are */
    uint64_t to;    /* where they shall end */
    uint64_t every; /* instructions between marks */
    bool keep_all;  /* hosts must be able to go back to any mark, not only to the last agreed one */
    /* Called at each mark all agreed at; NULL: nobody. */
    void (*progress)(void *context, uint64_t agreed);
    void *context;
};

struct lockstep_result {
    bool differ;
    uint64_t agreed; /* name of the last mark at which all agreed; `from` if at none */
    uint64_t mark;   /* name of the first mark at which not all agreed */
    uint64_t marks;  /* compared */
    bool ended;      /* the machine ended before `to` */
    /* At the last mark looked at, one a peer; meaningful for those that have not failed. */
    struct place places[LOCKSTEP_PEERS_MAX];
    uint64_t run_ns[LOCKSTEP_PEERS_MAX], digest_ns[LOCKSTEP_PEERS_MAX];
};

/* Returns when all marks were compared, at the first disagreement, or when no host is left; no
 * request is waiting then. */
void lockstep_run(const struct lockstep *lockstep, struct lockstep_result *out);

#endif
