/* sweeper.h — frees a store of what a coordinator's database no longer names, in a thread of its
 * own: the core never waits for it.
 *
 * The database is read at one moment; blobs that it does not name and that nobody put or looked at
 * for SWEEPER_GRACE_S are removed, then what no tag needs of checkpoints (store_gc). If a job's
 * description or a schedule cannot be read, nothing is: what they need is not known. */
#ifndef THAW_COORDINATOR_SWEEPER_H
#define THAW_COORDINATOR_SWEEPER_H

#include "storage/store.h"

#define SWEEPER_GRACE_S 86400

struct sweeper; /* opaque */

struct sweeper_task {
    const char *database;
    struct store *store;
    uint64_t now_s;   /* by the clock that dates files: since 1970 */
    bool checkpoints; /* store_gc too */
};

/* Both strings and store are borrowed until the end. NULL if no thread can be had (logged). */
struct sweeper *sweeper_start(const struct sweeper_task *task);
bool sweeper_is_done(const struct sweeper *sweeper);
/* Waits until it is done, and frees it. NULL does nothing. */
void sweeper_end(struct sweeper *sweeper);
/* The same without a thread; `removed` blobs. */
bool sweeper_run(const struct sweeper_task *task, uint64_t *removed, struct err *err);

#endif
