/* depot.h — where an agent's checkpoints and blobs come from and go to.
 *
 * Everything is kept in a local store, from which machines are thawed. With an address, that store
 * is a copy: what is missing is fetched from the coordinator's store, what is pushed goes there
 * too. Without one, the local store is the coordinator's own, and nothing is carried. */
#ifndef THAW_AGENT_FARM_DEPOT_H
#define THAW_AGENT_FARM_DEPOT_H

#include "storage/blob.h"
#include "storage/remote/remote.h"

struct depot; /* opaque; used by one thread at a time */

/* `address` is NULL for a store shared with the coordinator. */
bool depot_open(const char *store_location, const struct remote_options *address,
                struct depot **out, struct err *err);
void depot_close(struct depot *depot); /* NULL is fine */
struct store *depot_store(struct depot *depot);
/* The local store is the coordinator's own: what is in it needs not be pushed. */
bool depot_is_shared(const struct depot *depot);

/* Makes sure the checkpoint is in the local store. */
bool depot_fetch_checkpoint(struct depot *depot, const struct hash *checkpoint, struct err *err);
/* Makes sure the blob is in the local store. */
bool depot_fetch_blob(struct depot *depot, const struct hash *id, struct err *err);
/* The same, and appends its bytes. */
bool depot_read_blob(struct depot *depot, const struct hash *id, struct buf *out, struct err *err);
/* Keeps bytes as a blob, here and there. */
bool depot_push_blob(struct depot *depot, struct span bytes, struct hash *id, struct err *err);
/* A checkpoint of the local store goes there, with the facts of the tag `id/ID` or of any tag that
 * names it. */
bool depot_push_checkpoint(struct depot *depot, const struct hash *checkpoint, struct err *err);

/* Checkpoints that can be thawed at once: at most `max` ids, the most recently used first. */
size_t depot_cached(struct depot *depot, struct hash *out, size_t max);
/* Says that a checkpoint is used now. */
void depot_touch(struct depot *depot, const struct hash *checkpoint);
/* Removes what was fetched and is used longest ago, until the local store's checkpoints take at
 * most `max_bytes`; nothing in a store shared with the coordinator, and nothing that is pinned.
 * Also forgets blobs that were fetched or pushed more than an hour ago. */
bool depot_trim(struct depot *depot, uint64_t max_bytes, const struct clock_source *clock,
                struct err *err);

#endif
