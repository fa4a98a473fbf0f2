/* blob.h — whole byte arrays under the SHA-256 of their bytes: job descriptions, payloads, console
 * logs, artifacts. They are in the store beside checkpoints, but gc knows nothing of them: whoever
 * keeps them says which are still wanted (store_blob_sweep).
 *
 * A blob appears whole or not at all. It is durable, power loss included, only after
 * store_blob_sync or store_blob_flush: many blobs and one flush cost little more than one blob and
 * a flush. One that a power loss damaged is found out by its hash when it is read. */
#ifndef THAW_STORAGE_BLOB_H
#define THAW_STORAGE_BLOB_H

#include "storage/store.h"

#define STORE_BLOB_MAX (UINT64_C(16) << 30) /* bytes of one */

/* Keeps the bytes; nothing is written if they are there already. */
bool store_blob_put(struct store *store, struct span bytes, struct hash *id, struct err *err);
/* Keeps a copy of the file's bytes. */
bool store_blob_put_file(struct store *store, const char *path, struct hash *id, uint64_t *size,
                         struct err *err);
/* Makes every blob that was put before durable. */
bool store_blob_sync(struct store *store, struct err *err);
/* Makes these durable; ids that are not there, or are zero, are passed over. Does not wait for what
 * others wrote to the same disk, as store_blob_sync does. */
bool store_blob_flush(struct store *store, const struct hash *ids, size_t count, struct err *err);

/* Appends the bytes, verified. ERR_NOT_FOUND, ERR_CORRUPT, ERR_TOO_BIG for out->max. */
bool store_blob_get(struct store *store, const struct hash *id, struct buf *out, struct err *err);
/* ERR_NOT_FOUND if it is not there. `size` may be NULL. */
bool store_blob_size(struct store *store, const struct hash *id, uint64_t *size, struct err *err);
/* As if it had been put just now: a sweep leaves it for its time of grace. Whoever says that a blob
 * is there, to somebody who will name it, calls this. */
void store_blob_touch(struct store *store, const struct hash *id);
/* Copies the bytes, verified, to a file that is then whole, or not there. */
bool store_blob_file(struct store *store, const struct hash *id, const char *path, struct err *err);
/* Where the blob's bytes are, in memory of the caller's (mem_free); for reading only. */
char *store_blob_path(struct store *store, const struct hash *id);

/* Removes the blobs that are not wanted; those younger than `grace_s` seconds by `now_s` are left,
 * since what wants them may be about to be written down. `bytes` is what they took. */
struct blob_sweep {
    bool (*wanted)(void *context, const struct hash *id);
    void *context;
    uint64_t now_s; /* since 1970-01-01 UTC */
    uint64_t grace_s;
    uint64_t removed, bytes; /* out */
};
bool store_blob_sweep(struct store *store, struct blob_sweep *sweep, struct err *err);

#endif
