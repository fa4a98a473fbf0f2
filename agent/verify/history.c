#include "agent/verify/history.h"

#include "storage/base/check.h"

#include <stdlib.h>
#include <string.h>

struct kept {
    struct history_change where;
    uint32_t image; /* index in history.images */
    uint8_t *bytes; /* IMAGE_CHUNK_SIZE */
};

struct mark {
    uint64_t name;
    struct input_place place;
    uint8_t *states; /* of all objects, one after the other */
    struct kept *chunks;
    size_t count;
    struct mark *before, *after;
};

struct tracked {
    struct image *image;
    const struct object *object;
    uint32_t slot;
    struct hash root;  /* of the checkpoint */
    struct hash *last; /* level 0, as of the last mark */
    uint8_t **settled; /* a chunk's bytes as of the first mark; NULL: as in the checkpoint */
    uint64_t chunks;
};

struct history {
    struct machine *machine;
    struct image_cache *cache;
    struct tracked *images;
    uint32_t image_count;
    size_t states_size;
    struct mark *first, *last;
    struct history_change *changes; /* of the last mark, for history_changes */
    size_t change_count;
};

static void save_states(const struct history *history, uint8_t *out)
{
    for (uint32_t i = 0; i < history->machine->object_count; i++) {
        const struct object *object = history->machine->objects[i];
        size_t size = object->model->schema->state.size;
        if (size != 0)
            memcpy(out, object->state, size);
        out += size;
    }
}

static void load_states(const struct history *history, const uint8_t *in)
{
    for (uint32_t i = 0; i < history->machine->object_count; i++) {
        struct object *object = history->machine->objects[i];
        size_t size = object->model->schema->state.size;
        if (size != 0)
            memcpy(object->state, in, size);
        in += size;
    }
}

static struct mark *mark_new(const struct history *history, uint64_t name,
                             const struct input_place *place)
{
    struct mark *mark = mem_alloc(sizeof *mark);

    mark->name = name;
    mark->place = *place;
    mark->states = mem_alloc(history->states_size + 1);
    save_states(history, mark->states);
    return mark;
}

static void mark_free(struct mark *mark)
{
    for (size_t i = 0; i < mark->count; i++)
        mem_free(mark->chunks[i].bytes);
    mem_free(mark->chunks);
    mem_free(mark->states);
    mem_free(mark);
}

static bool track(struct history *history, struct object *object, uint32_t slot, struct err *err)
{
    struct tracked *tracked = &history->images[history->image_count];
    struct image_shape shape;

    tracked->image = object->images[slot];
    tracked->object = object;
    tracked->slot = slot;
    if (!image_shape(tracked->image->size, &shape, err))
        return false;
    tracked->chunks = shape.counts[0];
    tracked->root = image_nodes(tracked->image)[shape.total - 1];
    tracked->last = mem_array((size_t)tracked->chunks, sizeof *tracked->last);
    tracked->settled = mem_array((size_t)tracked->chunks, sizeof *tracked->settled);
    memcpy(tracked->last, image_nodes(tracked->image),
           (size_t)tracked->chunks * sizeof *tracked->last);
    history->image_count++;
    return true;
}

bool history_new(struct machine *machine, struct image_cache *cache,
                 const struct input_place *place, struct history **out, struct err *err)
{
    struct history *history = mem_alloc(sizeof *history);
    bool ok = true;

    history->machine = machine;
    history->cache = cache;
    history->images =
        mem_array((size_t)machine->object_count * OBJECT_IMAGES_MAX, sizeof *history->images);
    for (uint32_t i = 0; i < machine->object_count; i++) {
        struct object *object = machine->objects[i];
        history->states_size += object->model->schema->state.size;
        for (uint32_t k = 0; ok && k < object->model->schema->image_count; k++)
            ok = track(history, object, k, err);
    }
    history->first = history->last = mark_new(history, machine_instructions(machine), place);
    if (!ok) {
        history_free(history);
        return false;
    }
    *out = history;
    return true;
}

void history_free(struct history *history)
{
    struct mark *mark;

    if (history == NULL)
        return;
    while ((mark = history->first) != NULL) {
        history->first = mark->after;
        mark_free(mark);
    }
    for (uint32_t i = 0; i < history->image_count; i++) {
        struct tracked *tracked = &history->images[i];
        for (uint64_t k = 0; k < tracked->chunks; k++)
            mem_free(tracked->settled[k]);
        mem_free(tracked->settled);
        mem_free(tracked->last);
    }
    mem_free(history->images);
    mem_free(history->changes);
    mem_free(history);
}

static size_t count_changes(const struct history *history)
{
    size_t count = 0;

    for (uint32_t i = 0; i < history->image_count; i++) {
        const struct tracked *tracked = &history->images[i];
        const struct hash *nodes = image_nodes(tracked->image);
        for (uint64_t k = 0; k < tracked->chunks; k++)
            count += !hash_equal(&nodes[k], &tracked->last[k]);
    }
    return count;
}

static void keep(struct mark *mark, uint32_t index, struct tracked *tracked, uint64_t chunk)
{
    struct kept *kept = &mark->chunks[mark->count++];

    kept->where = (struct history_change){tracked->object, tracked->slot, chunk};
    kept->image = index;
    kept->bytes = mem_alloc(IMAGE_CHUNK_SIZE);
    memcpy(kept->bytes, tracked->image->data + chunk * IMAGE_CHUNK_SIZE, IMAGE_CHUNK_SIZE);
    tracked->last[chunk] = image_nodes(tracked->image)[chunk];
}

static void note_changes(struct history *history, const struct mark *mark)
{
    mem_free(history->changes);
    history->changes = mem_array(mark->count + 1, sizeof *history->changes);
    history->change_count = mark->count;
    for (size_t i = 0; i < mark->count; i++)
        history->changes[i] = mark->chunks[i].where;
}

void history_mark(struct history *history, uint64_t name, const struct input_place *place)
{
    struct mark *mark = mark_new(history, name, place);

    mark->chunks = mem_array(count_changes(history) + 1, sizeof *mark->chunks);
    for (uint32_t i = 0; i < history->image_count; i++) {
        struct tracked *tracked = &history->images[i];
        const struct hash *nodes = image_nodes(tracked->image);
        for (uint64_t k = 0; k < tracked->chunks; k++)
            if (!hash_equal(&nodes[k], &tracked->last[k]))
                keep(mark, i, tracked, k);
    }
    note_changes(history, mark);
    mark->before = history->last;
    history->last->after = mark;
    history->last = mark;
}

static void settle_one(struct history *history)
{
    struct mark *mark = history->first->after;

    for (size_t i = 0; i < mark->count; i++) {
        struct kept *kept = &mark->chunks[i];
        uint8_t **place = &history->images[kept->image].settled[kept->where.chunk];
        mem_free(*place);
        *place = kept->bytes;
        kept->bytes = NULL;
    }
    mark->before = NULL;
    mark_free(history->first);
    history->first = mark;
    mark->count = 0;
}

void history_settle(struct history *history, uint64_t name)
{
    while (history->first->after != NULL && history->first->after->name <= name)
        settle_one(history);
}

/* The order in which a mark keeps them. */
static int compare_kept(const void *a, const void *b)
{
    const struct kept *left = a, *right = b;

    if (left->image != right->image)
        return left->image < right->image ? -1 : 1;
    if (left->where.chunk != right->where.chunk)
        return left->where.chunk < right->where.chunk ? -1 : 1;
    return 0;
}

/* The bytes of a chunk as of the mark, or NULL: as in the checkpoint. */
static const uint8_t *bytes_at(const struct history *history, const struct mark *mark,
                               const struct kept *wanted)
{
    for (; mark != NULL; mark = mark->before) {
        const struct kept *found = mark->count == 0 ? NULL
                                                    : bsearch(wanted, mark->chunks, mark->count,
                                                              sizeof *wanted, compare_kept);
        if (found != NULL)
            return found->bytes;
    }
    return history->images[wanted->image].settled[wanted->where.chunk];
}

/* Puts back what `later` changed. Images of the checkpoint are opened where they are needed. */
static bool undo(struct history *history, const struct mark *later, const struct mark *target,
                 struct image_mapping *mappings, struct err *err)
{
    for (size_t i = 0; i < later->count; i++) {
        const struct kept *kept = &later->chunks[i];
        struct tracked *tracked = &history->images[kept->image];
        struct image_mapping *mapping = &mappings[kept->image];
        uint64_t offset = kept->where.chunk * IMAGE_CHUNK_SIZE;
        const uint8_t *bytes = bytes_at(history, target, kept);
        if (bytes == NULL && mapping->data == NULL && !hash_is_zero(&tracked->root) &&
            !image_cache_open(history->cache, &tracked->root, tracked->image->size, mapping, err))
            return false;
        if (bytes == NULL && mapping->data != NULL)
            bytes = mapping->data + offset;
        if (bytes != NULL)
            memcpy(tracked->image->data + offset, bytes, IMAGE_CHUNK_SIZE);
        else
            memset(tracked->image->data + offset, 0, IMAGE_CHUNK_SIZE);
        image_touch(tracked->image, offset, IMAGE_CHUNK_SIZE);
    }
    return true;
}

static bool undo_all(struct history *history, struct mark *target, struct err *err)
{
    struct image_mapping *mappings = mem_array(history->image_count + 1u, sizeof *mappings);
    bool ok = true;

    for (struct mark *later = target->after; ok && later != NULL; later = later->after)
        ok = undo(history, later, target, mappings, err);
    for (uint32_t i = 0; i < history->image_count; i++)
        if (mappings[i].data != NULL)
            mappings[i].release(&mappings[i]);
    mem_free(mappings);
    return ok;
}

/* The hashes as of the target, once they were computed again. */
static void remember(struct history *history)
{
    for (uint32_t i = 0; i < history->image_count; i++) {
        struct tracked *tracked = &history->images[i];
        memcpy(tracked->last, image_nodes(tracked->image),
               (size_t)tracked->chunks * sizeof *tracked->last);
    }
}

static void forget_after(struct history *history, struct mark *target)
{
    struct mark *later;

    while ((later = target->after) != NULL) {
        target->after = later->after;
        mark_free(later);
    }
    history->last = target;
}

bool history_restore(struct history *history, uint64_t name, struct input_place *place,
                     struct err *err)
{
    struct mark *target = history->last;
    struct hash root;

    while (target != NULL && target->name != name)
        target = target->before;
    if (target == NULL)
        return err_set(err, ERR_NOT_FOUND, "no mark at %llu instructions",
                       (unsigned long long)name);
    if (!undo_all(history, target, err))
        return false;
    load_states(history, target->states);
    machine_rebuild(history->machine);
    machine_flush(history->machine);
    for (uint32_t i = 0; i < history->image_count; i++)
        if (!image_commit(history->images[i].image, NULL, &root, err))
            return false;
    forget_after(history, target);
    remember(history);
    *place = target->place;
    return true;
}

const struct history_change *history_changes(const struct history *history, size_t *count)
{
    *count = history->change_count;
    return history->changes;
}
