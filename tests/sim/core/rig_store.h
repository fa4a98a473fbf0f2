/* rig_store.h — a store in memory for the tests of sim/core: images in, images out, and what each
 * put was told. It refuses to go on after as many puts as a test likes. */
#ifndef THAW_TESTS_SIM_CORE_RIG_STORE_H
#define THAW_TESTS_SIM_CORE_RIG_STORE_H

#include "storage/base/buf.h"
#include "storage/base/check.h"
#include "storage/base/image_tree.h"
#include "storage/base/stream.h"

#include <string.h>
#include <sys/mman.h>

#define RIG_CHUNKS_MAX 4096
struct rig_store {
    struct rig_chunk {
        struct hash id;
        struct hash base; /* zero: none was named */
        uint8_t *bytes;   /* heap */
        size_t size;
    } chunks[RIG_CHUNKS_MAX];
    uint32_t count;
    uint32_t puts;      /* with those that were there already */
    uint32_t puts_left; /* when failing: puts that still succeed */
    bool failing;
};

static inline const struct rig_chunk *rig_store_find(const struct rig_store *store,
                                                     const struct hash *id)
{
    for (uint32_t i = 0; i < store->count; i++)
        if (hash_equal(&store->chunks[i].id, id))
            return &store->chunks[i];
    return NULL;
}

static inline bool rig_store_put(void *context, const struct hash *id, struct span bytes,
                                 const struct hash *base, struct err *err)
{
    struct rig_store *store = context;
    struct rig_chunk *chunk = &store->chunks[store->count];
    struct hash named = hash_of(bytes);

    CHECK(hash_equal(&named, id));
    if (store->failing && store->puts_left-- == 0)
        return err_set(err, ERR_NO_SPACE, "the rig's store is full");
    store->puts++;
    if (rig_store_find(store, id) != NULL)
        return true;
    CHECK(store->count < RIG_CHUNKS_MAX);
    *chunk = (struct rig_chunk){*id, {{0}}, mem_alloc(bytes.size), bytes.size};
    memcpy(chunk->bytes, bytes.data, bytes.size);
    if (base != NULL)
        chunk->base = *base;
    store->count++;
    return true;
}

static inline struct chunk_sink rig_store_sink(struct rig_store *store)
{
    return (struct chunk_sink){rig_store_put, store};
}

static inline void rig_store_release(struct rig_store *store)
{
    for (uint32_t i = 0; i < store->count; i++)
        mem_free(store->chunks[i].bytes);
    memset(store, 0, sizeof *store);
}

static inline void rig_mapping_release(struct image_mapping *mapping)
{
    munmap(mapping->data, (size_t)mapping->size);
    mem_free((void *)mapping->nodes);
}

/* Every node's children, from the root down; then the bytes. */
static inline bool rig_store_open(void *context, const struct hash *root, uint64_t size,
                                  struct image_mapping *out, struct err *err)
{
    const struct rig_chunk *chunk;
    struct image_shape shape;
    struct hash *nodes;

    if (!image_shape(size, &shape, err))
        return false;
    nodes = mem_array((size_t)shape.total, sizeof *nodes);
    nodes[shape.total - 1] = *root;
    *out = (struct image_mapping){.size = size, .nodes = nodes, .release = rig_mapping_release};
    out->data =
        mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(out->data != MAP_FAILED);
    for (uint32_t level = shape.level_count; level-- > 0;)
        for (uint64_t i = 0; i < shape.counts[level]; i++) {
            const struct hash *id = &nodes[shape.offsets[level] + i];
            if (hash_is_zero(id))
                continue;
            chunk = rig_store_find(context, id);
            CHECK(chunk != NULL);
            if (level == 0)
                memcpy(out->data + i * IMAGE_CHUNK_SIZE, chunk->bytes, IMAGE_CHUNK_SIZE);
            for (uint64_t k = i * IMAGE_FANOUT;
                 level > 0 && k < (i + 1) * IMAGE_FANOUT && k < shape.counts[level - 1]; k++)
                memcpy(nodes[shape.offsets[level - 1] + k].bytes,
                       chunk->bytes + (k - i * IMAGE_FANOUT) * HASH_SIZE, HASH_SIZE);
        }
    return true;
}

static inline struct image_source rig_store_source(struct rig_store *store)
{
    return (struct image_source){rig_store_open, store};
}

#endif
