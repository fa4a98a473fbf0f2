/* mover.h — a thread that carries things to and from a depot, one after the other, so that the
 * agent's loop never waits for a disk or a network. */
#ifndef THAW_AGENT_FARM_MOVER_H
#define THAW_AGENT_FARM_MOVER_H

#include "agent/farm/depot.h"

/* One errand; the first member of a struct of the caller's. */
struct move {
    struct move *next; /* private */
    /* In the mover's thread. `depot` is the mover's own. */
    void (*work)(struct move *move, struct depot *depot);
};

struct mover; /* opaque */
/* `address` as for depot_open; borrowed. */
bool mover_open(const char *store_location, const struct remote_options *address,
                struct mover **out, struct err *err);
/* The mover has it until mover_done gives it back. */
void mover_give(struct mover *mover, struct move *move);
/* Readable when something is done. */
int mover_fd(const struct mover *mover);
/* The next errand that is done, in order; NULL: none. */
struct move *mover_done(struct mover *mover);
/* Ends the thread after the errand it is at. Those not begun are done by nobody: `forget` gets
 * them, and those done and not asked for. NULL is fine. */
void mover_close(struct mover *mover, void (*forget)(struct move *move));

#endif
