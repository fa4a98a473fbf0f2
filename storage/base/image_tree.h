/* image_tree.h — an image (RAM, flash, disk) as a hash tree of fixed-size chunks.
 *
 * | level | node                        | covers     | stored plain bytes                         |
 * |-------|-----------------------------|------------|--------------------------------------------|
 * | 0     | chunk                       | 16 KiB     | the bytes                                  |
 * | 1     | 64 hashes of level 0        | 1 MiB      | 64 x 32 bytes                              |
 * | 2     | 64 hashes of level 1        | 64 MiB     | 64 x 32 bytes                              |
 * | 3…5   | and so on                   | 4 GiB…     |                                            |
 *
 * A chunk or subtree of zeros only is not stored: its hash is 32 zero bytes. The image's size (in
 * bytes, a multiple of the chunk size, at most IMAGE_SIZE_MAX) is kept beside the root and fixes
 * the number of levels: the smallest number >= 1 that covers it. Places past the end are zero
 * hashes.
 *
 * In memory the tree is one flat array of hashes: all of level 0, then level 1, … the root last. */
#ifndef THAW_BASE_IMAGE_TREE_H
#define THAW_BASE_IMAGE_TREE_H

#include "storage/base/hash.h"

#define IMAGE_CHUNK_SIZE 16384u
#define IMAGE_FANOUT     64u
#define IMAGE_NODE_SIZE  (IMAGE_FANOUT * HASH_SIZE)
#define IMAGE_SIZE_MAX   (UINT64_C(1) << 40)
#define IMAGE_LEVEL_MAX  6

struct image_shape {
    uint64_t size;                         /* bytes */
    uint32_t level_count;                  /* with level 0 */
    uint64_t counts[IMAGE_LEVEL_MAX + 1];  /* hashes on each level; the last is 1 */
    uint64_t offsets[IMAGE_LEVEL_MAX + 1]; /* of each level in the flat array, in hashes */
    uint64_t total;                        /* hashes in the flat array */
};

/* ERR_INVALID for 0, over the maximum, or not a multiple of the chunk size. */
bool image_shape(uint64_t size, struct image_shape *out, struct err *err);
/* The plain bytes of inner node `index` of `level` (>= 1) from the flat array. Returns false if all
 * its hashes are zero (the node is not stored and its hash is zero). */
bool image_node_bytes(const struct image_shape *shape, const struct hash *nodes, uint32_t level,
                      uint64_t index, uint8_t out[IMAGE_NODE_SIZE]);
/* The hash of a chunk: zero for zeros only. */
struct hash image_chunk_hash(const uint8_t bytes[IMAGE_CHUNK_SIZE]);
bool bytes_are_zero(const uint8_t *bytes, size_t size);

#endif
