#include "storage/base/image_tree.h"

#include "storage/base/check.h"

#include <string.h>

bool image_shape(uint64_t size, struct image_shape *out, struct err *err)
{
    struct image_shape shape = {.size = size};
    uint64_t count = size / IMAGE_CHUNK_SIZE;

    if (size == 0 || size > IMAGE_SIZE_MAX || size % IMAGE_CHUNK_SIZE != 0)
        return err_set(
            err, ERR_INVALID,
            "an image of %llu bytes: its size must be a multiple of %u, above 0, at most "
            "%llu",
            (unsigned long long)size, IMAGE_CHUNK_SIZE, (unsigned long long)IMAGE_SIZE_MAX);
    shape.counts[0] = count;
    shape.level_count = 1;
    shape.total = count;
    do {
        count = (count + IMAGE_FANOUT - 1) / IMAGE_FANOUT;
        shape.counts[shape.level_count] = count;
        shape.offsets[shape.level_count] = shape.total;
        shape.total += count;
        shape.level_count++;
        CHECK(shape.level_count <= IMAGE_LEVEL_MAX + 1);
    } while (count > 1);
    *out = shape;
    return true;
}

bool bytes_are_zero(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

bool image_node_bytes(const struct image_shape *shape, const struct hash *nodes, uint32_t level,
                      uint64_t index, uint8_t out[IMAGE_NODE_SIZE])
{
    uint64_t first, count;

    CHECK(level >= 1 && level < shape->level_count && index < shape->counts[level]);
    first = index * IMAGE_FANOUT;
    count = shape->counts[level - 1] - first;
    if (count > IMAGE_FANOUT)
        count = IMAGE_FANOUT;
    memset(out, 0, IMAGE_NODE_SIZE);
    memcpy(out, nodes + shape->offsets[level - 1] + first, (size_t)count * HASH_SIZE);
    return !bytes_are_zero(out, IMAGE_NODE_SIZE);
}

struct hash image_chunk_hash(const uint8_t bytes[IMAGE_CHUNK_SIZE])
{
    struct hash zero = {{0}};

    if (bytes_are_zero(bytes, IMAGE_CHUNK_SIZE))
        return zero;
    return hash_of((struct span){bytes, IMAGE_CHUNK_SIZE});
}
