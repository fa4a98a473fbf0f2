/* walk.h — follows a manifest to its images and their hash trees, from the roots down, in the order
 * of places. */
#ifndef THAW_STORAGE_WALK_H
#define THAW_STORAGE_WALK_H

#include "storage/base/image_tree.h"
#include "storage/base/manifest.h"

/* A subtree: level 0 is a chunk. */
struct walk_place {
    struct span path; /* of the image */
    uint32_t level;
    uint64_t index;
    uint64_t offset; /* in the image, bytes */
    uint64_t size;   /* that it covers, bytes, cut at the image's end */
};
struct walk_text {
    char text[MANIFEST_PATH_MAX + 96];
};
/* "board.ram bytes 0x0 to 0xfffff" */
struct walk_text walk_place_text(const struct walk_place *place);
/* Adds where a chunk of a checkpoint could not be had. One that is not there is ERR_CORRUPT: the
 * checkpoint is, and promised it. */
bool walk_blame(const struct walk_place *place, struct err *err);

enum walk_answer {
    WALK_DOWN, /* go on, into this node's children too */
    WALK_SKIP, /* go on, not into its children */
    WALK_STOP, /* the walk fails; err is set */
};
struct walk {
    /* Called for each place that is not all zeros, parents before children. */
    enum walk_answer (*visit)(void *context, const struct walk_place *place, const struct hash *id,
                              struct err *err);
    /* Appends the plain bytes of a node that was answered WALK_DOWN. */
    bool (*node)(void *context, const struct hash *id, struct buf *out, struct err *err);
    void *context;
};
bool walk_image(const struct walk *walk, const struct manifest_image *image, struct err *err);
/* All images. ERR_CORRUPT for a manifest or a node that breaks the rules. */
bool walk_manifest(const struct walk *walk, struct span manifest, struct err *err);

#endif
