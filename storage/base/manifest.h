/* manifest.h — the outer shape of a checkpoint's manifest: what storage must know to follow it, no
 * more.
 *
 * A manifest is one deterministic CBOR array:
 * | item | what                                                                                   |
 * |------|----------------------------------------------------------------------------------------|
 * | 0    | byte string "thaw" CR LF 0x1a LF: catches text mode and other files                    |
 * | 1    | unsigned: format version, MANIFEST_VERSION                                             |
 * | 2    | byte string: the architecture, an encoded CBOR map; its SHA-256 is the *state id*      |
 * | 3    | byte string: the execution part (models, micro-architecture), an encoded CBOR map      |
 * The SHA-256 of the whole is the *checkpoint id*.
 *
 * Of the architecture map, storage reads the key "images" only: an array, ordered by path, of
 * [path text, size unsigned, root byte string of 32]. The rest belongs to sim/core/checkpoint.h. */
#ifndef THAW_BASE_MANIFEST_H
#define THAW_BASE_MANIFEST_H

#include "storage/base/cbor.h"
#include "storage/base/hash.h"

#define MANIFEST_VERSION     1
#define MANIFEST_BYTES_MAX   (16u << 20)
#define MANIFEST_IMAGES_MAX  4096
#define MANIFEST_PATH_MAX    255 /* bytes of an object path or image path */

struct manifest_parts {
    struct span architecture; /* point into the bytes given */
    struct span execution;
    struct hash state_id;
    struct hash checkpoint_id;
};

struct manifest_image {
    struct span path;
    uint64_t size;
    struct hash root;
};

/* Checks sentinel, version (ERR_UNSUPPORTED if newer) and shape; both maps are checked by
 * cbor_check. */
bool manifest_split(struct span bytes, struct manifest_parts *out, struct err *err);
bool manifest_join(struct span architecture, struct span execution, struct buf *out,
                   struct err *err);
/* Calls `visit` for each image, in order, until one returns false. */
bool manifest_images(const struct manifest_parts *parts,
                     bool (*visit)(void *context, const struct manifest_image *image,
                                   struct err *err),
                     void *context, struct err *err);

#endif
