#include "storage/gather.h"

#define SMALL_MAX 4096u /* bytes: nodes have 2048 */
/* Bytes of a frame of full chunks. Twice as much saves 0.4 % of room, and makes reading one chunk,
 * as the base of a delta, twice as dear. */
#define FULL_MAX 65536u

static bool flush_one(struct gather *gather, enum gather_kind kind, struct err *err)
{
    struct frame *frame = gather->open[kind];

    if (frame == NULL)
        return true;
    gather->open[kind] = NULL;
    return packer_add(gather->packer, frame, err);
}

static enum gather_kind kind_of(size_t size, bool is_delta)
{
    if (is_delta)
        return size <= SMALL_MAX ? GATHER_DELTA_SMALL : GATHER_DELTA;
    return size <= SMALL_MAX ? GATHER_FULL_SMALL : GATHER_FULL;
}

static bool has_room(const struct gather *gather, enum gather_kind kind, size_t size,
                     size_t base_size)
{
    const struct frame *frame = gather->open[kind];

    if (kind == GATHER_FULL && frame->plain_size + size > FULL_MAX)
        return false;
    return frame_has_room(frame, size) && gather->base_bytes[kind] + base_size <= FRAME_PLAIN_MAX;
}

bool gather_add(struct gather *gather, const struct hash *id, struct span bytes,
                const struct pack_chunk *base, struct err *err)
{
    enum gather_kind kind = kind_of(bytes.size, base != NULL);
    size_t base_size = base != NULL ? base->size : 0;

    if (gather->open[kind] != NULL && !has_room(gather, kind, bytes.size, base_size) &&
        !flush_one(gather, kind, err))
        return false;
    if (gather->open[kind] == NULL) {
        gather->open[kind] = packer_frame(gather->packer);
        gather->base_bytes[kind] = 0;
    }
    frame_add(gather->open[kind], id, bytes, base != NULL ? &base->id : NULL);
    gather->base_bytes[kind] += base_size;
    return true;
}

bool gather_flush(struct gather *gather, struct err *err)
{
    bool ok = true;

    for (int kind = 0; ok && kind < GATHER_KINDS; kind++)
        ok = flush_one(gather, (enum gather_kind)kind, err);
    return ok;
}

void gather_drop(struct gather *gather)
{
    for (int kind = 0; kind < GATHER_KINDS; kind++) {
        if (gather->open[kind] != NULL)
            packer_drop_frame(gather->packer, gather->open[kind]);
        gather->open[kind] = NULL;
    }
}
