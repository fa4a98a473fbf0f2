/* stream.h — where the simulator and the storage meet: images in and out, chunk by chunk.
 *
 * sim/ never sees storage/: it is handed these two seams. Chunks are named by the SHA-256 of their
 * plain bytes; the shape of an image is in image_tree.h. */
#ifndef THAW_BASE_STREAM_H
#define THAW_BASE_STREAM_H

#include "storage/base/hash.h"

/* Takes what a freeze writes. */
struct chunk_sink {
    /* Keeps the bytes under their hash `id` (computed by the caller, who answers for it). `base` is
     * NULL, or the chunk that held this place before: a hint for delta compression, nothing
     * more. */
    bool (*put)(void *context, const struct hash *id, struct span bytes, const struct hash *base,
                struct err *err);
    void *context;
};

/* An image in memory: private to this process, writable, its writes seen by nobody else. */
struct image_mapping {
    uint8_t *data;             /* `size` bytes, page aligned */
    uint64_t size;             /* bytes, a multiple of IMAGE_CHUNK_SIZE */
    /* the image tree's hashes as image_tree.h lays them out; read only */
    const struct hash *nodes;
    void (*release)(struct image_mapping *mapping);
    void *owner; /* private to who made it */
};

/* Gives what a thaw reads. */
struct image_source {
    /* Maps the image whose tree has this root. ERR_CORRUPT names the chunk, be it missing. */
    bool (*open)(void *context, const struct hash *root, uint64_t size, struct image_mapping *out,
                 struct err *err);
    void *context;
};

#endif
