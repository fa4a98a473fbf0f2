/* history.h — the marks of a run, kept in memory, so that the machine can go back to any of them.
 *
 * A mark is the objects' states and the chunks of images that changed since the mark before. The
 * first mark is the checkpoint the machine was thawed from: its chunks are read from the image
 * cache when they are wanted. Marks that will never be gone back to are merged into the first
 * (history_settle), which then holds each chunk at most once. */
#ifndef THAW_AGENT_VERIFY_HISTORY_H
#define THAW_AGENT_VERIFY_HISTORY_H

#include "agent/verify/input.h"
#include "storage/image_cache.h"

struct history; /* opaque */

/* The machine was just thawed; its state, and how far the inputs are, is the first mark. Borrows
 * all. */
bool history_new(struct machine *machine, struct image_cache *cache,
                 const struct input_place *place, struct history **out, struct err *err);
void history_free(struct history *history); /* NULL is fine */

/* Notes the state that `machine_digest` has just been called for. Marks are named by the number of
 * instructions that was asked for, which grows from mark to mark (a machine that has ended stays
 * below it); the first mark's name is what the machine had executed when it was thawed. */
void history_mark(struct history *history, uint64_t name, const struct input_place *place);
/* Marks up to `name` become the first one. */
void history_settle(struct history *history, uint64_t name);
/* Puts the machine back to the mark of this name; later marks are gone. The state must have been
 * noted by history_mark since it last ran. ERR_NOT_FOUND: no such mark. */
bool history_restore(struct history *history, uint64_t name, struct input_place *place,
                     struct err *err);

/* What the last mark changed, in the order of images and chunks. */
struct history_change {
    const struct object *object;
    uint32_t slot; /* of its images */
    uint64_t chunk;
};
const struct history_change *history_changes(const struct history *history, size_t *count);

#endif
