/* image.h — a large byte array of an object: RAM, flash, a disk; with the hashes of its chunks and
 * the places that changed since they were computed.
 *
 * The bytes are one private, zero-filled mapping: untouched parts cost nothing. Whoever writes
 * `data` marks it (image_touch), before or after, before the next digest. */
#ifndef THAW_SIM_CORE_IMAGE_H
#define THAW_SIM_CORE_IMAGE_H

#include "storage/base/image_tree.h"
#include "storage/base/stream.h"

#include <stdbool.h>

#define IMAGE_PAGE_SIZE 4096u

struct image {
    uint8_t *data;
    uint64_t size;        /* bytes, a multiple of IMAGE_CHUNK_SIZE */
    uint8_t *page_flags;  /* one a 4 KiB page; IMAGE_PAGE_DIRTY is ours, the rest the engine's */
    uint64_t page_count;
    /* private: */
    struct image_shape shape;
    struct image_mapping mapping; /* whose data we use; release may be NULL */
    struct hash *nodes;           /* our own flat tree, once anything was rehashed; else NULL */
    bool hashed;                  /* nodes (or mapping.nodes) are right but for dirty pages */
};

enum image_page_flag {
    IMAGE_PAGE_DIRTY = 1, /* may differ from what the hashes say */
    IMAGE_PAGE_CODE = 2,  /* holds decoded instructions (engine) */
    IMAGE_PAGE_TABLE = 4, /* holds page-table entries that a translation came from (engine) */
    IMAGE_PAGE_WATCH = 8, /* holds a word that a device watches (bus_watch) */
    IMAGE_PAGE_UNSTORED = 16, /* hashed, but no sink has taken it yet (a digest came in between) */
    /* A page with one of these never gets an engine's write-TLB entry: its writes go through the
     * bus. */
    IMAGE_PAGE_SLOW = IMAGE_PAGE_CODE | IMAGE_PAGE_TABLE | IMAGE_PAGE_WATCH,
};

/* Zeros. ERR_NO_MEMORY, or ERR_INVALID for a size that image_shape refuses. */
bool image_new(uint64_t size, struct image **out, struct err *err);
/* From a mapping, which the image takes. */
bool image_take(struct image_mapping *mapping, struct image **out, struct err *err);
void image_free(struct image *image);
static inline void image_touch(struct image *image, uint64_t offset, uint64_t size)
{
    if (size == 0)
        return;
    for (uint64_t page = offset / IMAGE_PAGE_SIZE; page <= (offset + size - 1) / IMAGE_PAGE_SIZE;
         page++)
        image->page_flags[page] |= IMAGE_PAGE_DIRTY;
}
/* Rehashes dirty chunks and their ancestors; hands each changed chunk and node to the sink (NULL:
 * only computes the root), each with the chunk it replaces as its base. Clears the dirty flags only
 * when everything was taken. Whoever runs code must call cpu_ops.flush_writes afterwards. */
bool image_commit(struct image *image, const struct chunk_sink *sink, struct hash *root,
                  struct err *err);
/* The flat tree as of the last commit; NULL before. */
const struct hash *image_nodes(const struct image *image);

#endif
