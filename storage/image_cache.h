/* image_cache.h — images of checkpoints as files that can be mapped: what makes a thaw take
 * milliseconds.
 *
 * One sparse file an image, ROOT-SIZE.image (root in hex, size in decimal):
 * | offset             | size        | what                                                      |
 * |--------------------|-------------|-----------------------------------------------------------|
 * | 0                  | image size  | the image; chunks of zeros are holes                      |
 * | image size         | 32 x hashes | the flat tree (image_tree.h), zeros up to the trailer     |
 * | end - 4096         | 4096        | trailer: "thawimg" LF, version (4), zero (4), size (8),   |
 * |                    |             | hashes (8), root (32), boot id (16), SHA-256 of the 80    |
 * |                    |             | bytes before, zeros                                       |
 *
 * A file is built beside its place and renamed when it is whole. It is not flushed to the disk: one
 * that was written under another boot of the host (boot id) is built anew, as power may have failed
 * in between. Hosts without a boot id flush. Opening looks at the trailer only: chunks were checked
 * when the file was built. image_cache_check looks at everything.
 *
 * Safe between threads and processes: builders of one image wait for each other (flock on one of
 * the files lock-00…lock-3f), and an evicted file stays with whoever has it mapped. When the cache
 * cannot be written (no space, no rights) the image is made in memory instead. A cache on tmpfs
 * works, but there a hole that is read takes memory for good: a disk is the better place. */
#ifndef THAW_STORAGE_IMAGE_CACHE_H
#define THAW_STORAGE_IMAGE_CACHE_H

#include "storage/base/stream.h"
#include "storage/store.h"

struct image_cache; /* opaque */

struct image_cache_options {
    const char *folder; /* NULL: cache/ in the store's folder. Made if it is not there. */
    /* Of disk; 0: IMAGE_CACHE_BYTES. The image just asked for is never evicted. */
    uint64_t max_bytes;
};
#define IMAGE_CACHE_BYTES (UINT64_C(8) << 30)

/* Borrows the store (NULL: none; what is not cached is then ERR_NOT_FOUND) until image_cache_free.
 * Does not fail for a folder that cannot be written: the cache then does without. options may be
 * NULL if there is a store. */
bool image_cache_new(struct store *store, const struct image_cache_options *options,
                     struct image_cache **out, struct err *err);
void image_cache_free(struct image_cache *cache);

/* The cache as what a thaw reads. Mappings outlive the cache. */
struct image_source image_cache_source(struct image_cache *cache);
bool image_cache_open(struct image_cache *cache, const struct hash *root, uint64_t size,
                      struct image_mapping *out, struct err *err);

/* Puts an image that is in memory into the cache, after a freeze: `data` must be what `nodes` says.
 * Nothing happens if it is there. A failure is worth a warning at most: the next thaw builds the
 * file from the store. */
bool image_cache_adopt(struct image_cache *cache, const uint8_t *data, const struct hash *nodes,
                       uint64_t size, struct err *err);

struct image_cache_statistics {
    uint64_t hits, builds, in_memory; /* of this object */
    uint64_t files, bytes;            /* in the folder; bytes of disk */
};
bool image_cache_statistics(struct image_cache *cache, struct image_cache_statistics *out,
                            struct err *err);
/* Hashes every chunk of every file; removes what does not match, and counts it. */
bool image_cache_check(struct image_cache *cache, size_t *files, size_t *damaged, struct err *err);
/* Removes all files. */
bool image_cache_clear(struct image_cache *cache, struct err *err);

#endif
