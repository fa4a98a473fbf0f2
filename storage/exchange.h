/* exchange.h — a store's parts as whole files, for whoever carries them to another store: packs and
 * manifests of checkpoints, blobs.
 *
 * The receiving side believes nothing: a blob and a manifest must have the hash they are named by,
 * a pack's index must, and every chunk must have its own. A delta is checked when its pack comes if
 * what it is a delta of is here, else when the manifest comes that needs it. */
#ifndef THAW_STORAGE_EXCHANGE_H
#define THAW_STORAGE_EXCHANGE_H

#include "storage/blob.h"
#include "storage/pack.h"

enum exchange_kind {
    EXCHANGE_BLOB,     /* named by 64 hex digits */
    EXCHANGE_PACK,     /* 64 hex digits and ".pack" */
    EXCHANGE_MANIFEST, /* 64 hex digits: the checkpoint's id */
};

/* True for a name of that kind's form: nothing else becomes part of a path. */
bool exchange_name_is_valid(enum exchange_kind kind, const char *name);
bool exchange_has(struct store *store, enum exchange_kind kind, const char *name);
/* Opens a part for reading; the caller closes it. ERR_NOT_FOUND, ERR_USAGE for a bad name. */
bool exchange_open(struct store *store, enum exchange_kind kind, const char *name, int *fd,
                   uint64_t *size, struct err *err);

/* The packs that hold a checkpoint's chunks, and the chunks that those are deltas of. */
struct exchange_pack {
    char name[PACK_NAME_SIZE];
    uint64_t bytes;
};
struct exchange_pack_list {
    struct exchange_pack *items; /* ordered by name */
    size_t count;
};
/* ERR_NOT_FOUND for a checkpoint that is not there, ERR_CORRUPT if chunks of it are missing. */
bool exchange_packs(struct store *store, const struct hash *checkpoint,
                    struct exchange_pack_list *out, struct err *err);
void exchange_pack_list_release(struct exchange_pack_list *list);

/* A part that is coming in. It is written to a file of its own, which outlives a connection that
 * breaks: intake_open finds what there is already. One process at a time has a part's intake open
 * (ERR_CONFLICT for the others). */
struct intake; /* opaque; used by one thread at a time */
bool intake_open(struct store *store, enum exchange_kind kind, const char *name,
                 struct intake **out, struct err *err);
/* Bytes that are there: go on from this offset. */
uint64_t intake_size(const struct intake *intake);
bool intake_add(struct intake *intake, struct span bytes, struct err *err);
/* Forgets what came so far. */
bool intake_restart(struct intake *intake, struct err *err);
/* True unless it is a pack with deltas of chunks that are not here: better commit others first. */
bool intake_is_checkable(const struct intake *intake);
/* Checks it and puts it in its place; what does not hold (ERR_CORRUPT) is thrown away. A manifest
 * whose chunks are not all in the store is refused (ERR_NOT_FOUND). Frees the intake. */
bool intake_commit(struct intake *intake, struct err *err);
/* Frees the intake, and keeps the bytes for another try. NULL is fine. */
void intake_pause(struct intake *intake);
/* Frees the intake and throws the bytes away. */
void intake_abort(struct intake *intake);

#endif
