/* gather.h — sorts chunks into frames for a packer: full ones and deltas, chunks and the small
 * nodes of image trees apart. Private to storage/. */
#ifndef THAW_STORAGE_GATHER_H
#define THAW_STORAGE_GATHER_H

#include "storage/packer.h"

/* Which frame a chunk goes to. Nodes are read without the chunks around them by gc, fsck and the
 * list of sizes. */
enum gather_kind {
    GATHER_FULL,
    GATHER_FULL_SMALL,
    GATHER_DELTA,
    GATHER_DELTA_SMALL,
    GATHER_KINDS,
};

struct gather {                       /* zero-initialised but for the packer */
    struct packer *packer;            /* borrowed */
    struct frame *open[GATHER_KINDS]; /* being filled, NULL: none */
    size_t base_bytes[GATHER_KINDS];  /* what its bases will take */
};

/* The bytes are copied. `base` is NULL, or what the chunk is to be a delta of: a full chunk of the
 * store. */
bool gather_add(struct gather *gather, const struct hash *id, struct span bytes,
                const struct pack_chunk *base, struct err *err);
/* Hands over what is left. */
bool gather_flush(struct gather *gather, struct err *err);
/* Throws away what is left. */
void gather_drop(struct gather *gather);

#endif
