#include "tests/support/store_image.h"

#include "storage/base/cbor.h"
#include "storage/base/check.h"
#include "storage/base/manifest.h"

#include <stdlib.h>
#include <string.h>

void test_image_init(struct test_image *image, uint64_t size)
{
    struct err err = ERR_INIT;

    CHECK(image_shape(size, &image->shape, &err));
    image->data = mem_alloc((size_t)size);
    image->nodes = mem_array((size_t)image->shape.total, sizeof *image->nodes);
}

void test_image_release(struct test_image *image)
{
    mem_free(image->data);
    mem_free(image->nodes);
}

void test_image_fill(struct test_image *image, uint64_t index, uint32_t seed)
{
    uint8_t *chunk = image->data + index * IMAGE_CHUNK_SIZE;
    uint32_t state = seed * 2654435761u + 1;

    for (uint32_t i = 0; i < IMAGE_CHUNK_SIZE; i++) {
        state = state * 1664525u + 1013904223u;
        chunk[i] = i % 64 < 32 ? (uint8_t)(state >> 24) : (uint8_t)seed;
    }
}

static bool put_level0(struct test_image *image, const struct chunk_sink *sink, struct err *err)
{
    for (uint64_t i = 0; i < image->shape.counts[0]; i++) {
        const uint8_t *bytes = image->data + i * IMAGE_CHUNK_SIZE;
        struct hash old = image->nodes[i];
        image->nodes[i] = image_chunk_hash(bytes);
        if (hash_equal(&old, &image->nodes[i]) || hash_is_zero(&image->nodes[i]))
            continue;
        if (sink != NULL &&
            !sink->put(sink->context, &image->nodes[i], (struct span){bytes, IMAGE_CHUNK_SIZE},
                       hash_is_zero(&old) ? NULL : &old, err))
            return false;
    }
    return true;
}

static bool put_node(struct test_image *image, uint32_t level, uint64_t index,
                     const struct chunk_sink *sink, struct err *err)
{
    struct hash *node = &image->nodes[image->shape.offsets[level] + index];
    struct hash old = *node;
    uint8_t bytes[IMAGE_NODE_SIZE];

    memset(node, 0, sizeof *node);
    if (!image_node_bytes(&image->shape, image->nodes, level, index, bytes))
        return true;
    *node = hash_of((struct span){bytes, sizeof bytes});
    if (sink == NULL || hash_equal(&old, node))
        return true;
    return sink->put(sink->context, node, (struct span){bytes, sizeof bytes},
                     hash_is_zero(&old) ? NULL : &old, err);
}

bool test_image_put(struct test_image *image, const struct chunk_sink *sink, struct err *err)
{
    if (!put_level0(image, sink, err))
        return false;
    for (uint32_t level = 1; level < image->shape.level_count; level++)
        for (uint64_t i = 0; i < image->shape.counts[level]; i++)
            if (!put_node(image, level, i, sink, err))
                return false;
    return true;
}

struct hash test_image_root(const struct test_image *image)
{
    return image->nodes[image->shape.total - 1];
}

void test_image_manifest(const struct test_image *image, uint64_t number, struct buf *out)
{
    struct buf architecture = BUF_INIT(4096), execution = BUF_INIT(16);
    struct err err = ERR_INIT;
    struct cbor_writer writer = cbor_writer(&architecture, &err);
    struct hash root = test_image_root(image);

    cbor_write_map(&writer, 2);
    cbor_write_text(&writer, "images");
    cbor_write_array(&writer, 1);
    cbor_write_array(&writer, 3);
    cbor_write_text(&writer, "board.ram");
    cbor_write_uint(&writer, image->shape.size);
    cbor_write_bytes(&writer, (struct span){root.bytes, HASH_SIZE});
    cbor_write_text(&writer, "number");
    cbor_write_uint(&writer, number);
    CHECK(writer.ok);
    writer = cbor_writer(&execution, &err);
    cbor_write_map(&writer, 0);
    CHECK(manifest_join(buf_span(&architecture), buf_span(&execution), out, &err));
    buf_release(&architecture);
    buf_release(&execution);
}
