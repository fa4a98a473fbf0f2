#include "storage/walk.h"

#include "storage/store.h"

#include <stdio.h>
#include <string.h>

struct walk_text walk_place_text(const struct walk_place *place)
{
    struct walk_text out;

    snprintf(out.text, sizeof out.text, "%.*s bytes 0x%llx to 0x%llx", (int)place->path.size,
             (const char *)place->path.data, (unsigned long long)place->offset,
             (unsigned long long)(place->offset + place->size - 1));
    return out;
}

bool walk_blame(const struct walk_place *place, struct err *err)
{
    if (err->kind == ERR_NOT_FOUND)
        err->kind = ERR_CORRUPT;
    return err_wrap(err, "%s", walk_place_text(place).text);
}

struct descent {
    const struct walk *walk;
    struct image_shape shape;
    struct span path;
};

static struct walk_place place_at(const struct descent *descent, uint32_t level, uint64_t index)
{
    struct walk_place place = {.path = descent->path, .level = level, .index = index};

    place.size = IMAGE_CHUNK_SIZE;
    for (uint32_t i = 0; i < level; i++)
        place.size *= IMAGE_FANOUT;
    place.offset = index * place.size;
    if (place.size > descent->shape.size - place.offset)
        place.size = descent->shape.size - place.offset;
    return place;
}

static bool descend(const struct descent *descent, uint32_t level, uint64_t index,
                    const struct hash *id, struct err *err);

static bool descend_children(const struct descent *descent, const struct walk_place *place,
                             const uint8_t *bytes, struct err *err)
{
    uint64_t first = place->index * IMAGE_FANOUT;
    uint64_t count = descent->shape.counts[place->level - 1];

    for (uint64_t i = 0; i < IMAGE_FANOUT; i++) {
        struct hash child;
        memcpy(child.bytes, bytes + i * HASH_SIZE, HASH_SIZE);
        if (hash_is_zero(&child))
            continue;
        if (first + i >= count)
            return err_set(err, ERR_CORRUPT, "%s: the image tree goes on past the image's end",
                           walk_place_text(place).text);
        if (!descend(descent, place->level - 1, first + i, &child, err))
            return false;
    }
    return true;
}

/* Recursion is bounded by IMAGE_LEVEL_MAX. */
static bool descend(const struct descent *descent, uint32_t level, uint64_t index,
                    const struct hash *id, struct err *err)
{
    struct walk_place place = place_at(descent, level, index);
    uint8_t bytes[IMAGE_NODE_SIZE];
    struct buf node = BUF_INIT(STORE_CHUNK_MAX);
    enum walk_answer answer = descent->walk->visit(descent->walk->context, &place, id, err);
    bool ok;

    if (answer == WALK_STOP)
        return false;
    if (answer == WALK_SKIP || level == 0)
        return true;
    ok = descent->walk->node(descent->walk->context, id, &node, err) || walk_blame(&place, err);
    if (ok && node.size != IMAGE_NODE_SIZE)
        ok = err_set(err, ERR_CORRUPT, "%s: a tree node of %zu bytes, not %u",
                     walk_place_text(&place).text, node.size, IMAGE_NODE_SIZE);
    if (ok)
        memcpy(bytes, node.data, sizeof bytes);
    buf_release(&node);
    return ok && descend_children(descent, &place, bytes, err);
}

bool walk_image(const struct walk *walk, const struct manifest_image *image, struct err *err)
{
    struct descent descent = {.walk = walk, .path = image->path};

    if (!image_shape(image->size, &descent.shape, err))
        return err_wrap(err, "%.*s", (int)image->path.size, (const char *)image->path.data);
    if (hash_is_zero(&image->root))
        return true;
    return descend(&descent, descent.shape.level_count - 1, 0, &image->root, err);
}

static bool visit_image(void *context, const struct manifest_image *image, struct err *err)
{
    return walk_image(context, image, err);
}

bool walk_manifest(const struct walk *walk, struct span manifest, struct err *err)
{
    struct manifest_parts parts;
    struct walk copy = *walk;

    return manifest_split(manifest, &parts, err) &&
           manifest_images(&parts, visit_image, &copy, err);
}
