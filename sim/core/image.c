#include "sim/core/image.h"

#include "storage/base/check.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES_A_CHUNK (IMAGE_CHUNK_SIZE / IMAGE_PAGE_SIZE)

static bool map_zeros(uint64_t size, void **out, struct err *err)
{
    void *memory;

    if (size > SIZE_MAX)
        return err_set(err, ERR_NO_MEMORY, "%llu bytes are more than this host can address",
                       (unsigned long long)size);
    memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return err_set_errno(err, errno, "cannot map %llu bytes", (unsigned long long)size);
    *out = memory;
    return true;
}

static void release_zeros(struct image_mapping *mapping)
{
    munmap(mapping->data, (size_t)mapping->size);
}

bool image_take(struct image_mapping *mapping, struct image **out, struct err *err)
{
    struct image *image = mem_alloc(sizeof *image);
    void *flags;

    if (!image_shape(mapping->size, &image->shape, err) ||
        !map_zeros(mapping->size / IMAGE_PAGE_SIZE, &flags, err)) {
        mem_free(image);
        return false;
    }
    image->mapping = *mapping;
    image->data = mapping->data;
    image->size = mapping->size;
    image->page_flags = flags;
    image->page_count = mapping->size / IMAGE_PAGE_SIZE;
    image->hashed = mapping->nodes != NULL;
    memset(mapping, 0, sizeof *mapping);
    *out = image;
    return true;
}

bool image_new(uint64_t size, struct image **out, struct err *err)
{
    struct image_mapping mapping = {.size = size, .release = release_zeros};
    struct image_shape shape;
    void *data, *nodes;

    if (!image_shape(size, &shape, err) || !map_zeros(size, &data, err))
        return false;
    mapping.data = data;
    if (!image_take(&mapping, out, err)) {
        munmap(data, (size_t)size);
        return false;
    }
    /* All zero: so are the bytes, and the tree is right from the start. */
    if (!map_zeros(shape.total * HASH_SIZE, &nodes, err)) {
        image_free(*out);
        return false;
    }
    (*out)->nodes = nodes;
    (*out)->hashed = true;
    return true;
}

void image_free(struct image *image)
{
    if (image == NULL)
        return;
    if (image->nodes != NULL)
        munmap(image->nodes, (size_t)(image->shape.total * HASH_SIZE));
    munmap(image->page_flags, (size_t)image->page_count);
    if (image->mapping.release != NULL)
        image->mapping.release(&image->mapping);
    mem_free(image);
}

const struct hash *image_nodes(const struct image *image)
{
    if (!image->hashed)
        return NULL;
    return image->nodes != NULL ? image->nodes : image->mapping.nodes;
}

/* Our own copy of the tree, to be changed. */
static bool own_nodes(struct image *image, struct err *err)
{
    size_t size = (size_t)(image->shape.total * HASH_SIZE);
    void *nodes;

    if (image->nodes != NULL)
        return true;
    if (!map_zeros(size, &nodes, err))
        return false;
    if (image->mapping.nodes != NULL)
        memcpy(nodes, image->mapping.nodes, size);
    image->nodes = nodes;
    return true;
}

static uint8_t chunk_flags(const struct image *image, uint64_t chunk)
{
    const uint8_t *flags = image->page_flags + chunk * PAGES_A_CHUNK;
    uint8_t all = 0;

    for (uint32_t i = 0; i < PAGES_A_CHUNK; i++)
        all |= flags[i];
    return all;
}

/* What one commit knows: which nodes of each level must be looked at, one bit each. */
struct commit {
    struct image *image;
    const struct chunk_sink *sink;
    bool full; /* nothing is known yet: look at every chunk */
    uint8_t *marked[IMAGE_LEVEL_MAX + 1];
    struct err *err;
};

static void mark(uint8_t *bits, uint64_t index)
{
    bits[index / 8] |= (uint8_t)(1u << index % 8);
}

static bool is_marked(const uint8_t *bits, uint64_t index)
{
    return (bits[index / 8] >> index % 8 & 1) != 0;
}

/* What this place held when it was last stored: a delta against that is small. Of an image that
 * was never thawed a digest may have written the new hash there already: that is no base. */
static const struct hash *base_of(const struct image *image, uint64_t place,
                                  const struct hash *hash)
{
    const struct hash *nodes = image->mapping.nodes != NULL ? image->mapping.nodes : image->nodes;
    const struct hash *base = &nodes[place];

    return hash_is_zero(base) || hash_equal(base, hash) ? NULL : base;
}

/* Hands the bytes to the sink, puts the hash in its place and marks the parent. */
static bool replace(struct commit *commit, uint32_t level, uint64_t index, struct span bytes,
                    const struct hash *hash)
{
    struct image *image = commit->image;
    uint64_t place = image->shape.offsets[level] + index;

    if (commit->sink != NULL && !hash_is_zero(hash) &&
        !commit->sink->put(commit->sink->context, hash, bytes, base_of(image, place, hash),
                           commit->err))
        return false;
    image->nodes[place] = *hash;
    if (level + 1 < image->shape.level_count)
        mark(commit->marked[level + 1], index / IMAGE_FANOUT);
    return true;
}

static bool commit_chunks(struct commit *commit)
{
    struct image *image = commit->image;
    uint8_t wanted = IMAGE_PAGE_DIRTY;

    if (commit->sink != NULL)
        wanted |= IMAGE_PAGE_UNSTORED;
    for (uint64_t i = 0; i < image->shape.counts[0]; i++) {
        const uint8_t *bytes = image->data + i * IMAGE_CHUNK_SIZE;
        struct hash hash;
        if (!commit->full && (chunk_flags(image, i) & wanted) == 0)
            continue;
        hash = image_chunk_hash(bytes);
        if (!replace(commit, 0, i, (struct span){bytes, IMAGE_CHUNK_SIZE}, &hash))
            return false;
    }
    return true;
}

static bool commit_nodes(struct commit *commit, uint32_t level)
{
    struct image *image = commit->image;
    uint8_t bytes[IMAGE_NODE_SIZE];

    for (uint64_t i = 0; i < image->shape.counts[level]; i++) {
        struct hash hash = {{0}};
        if (!is_marked(commit->marked[level], i))
            continue;
        if (image_node_bytes(&image->shape, image->nodes, level, i, bytes))
            hash = hash_of((struct span){bytes, sizeof bytes});
        if (!replace(commit, level, i, (struct span){bytes, sizeof bytes}, &hash))
            return false;
    }
    return true;
}

/* After a commit: a sink took everything, or (without one) dirty pages are hashed but not stored.
 */
static void settle_flags(struct image *image, bool stored, bool full)
{
    for (uint64_t i = 0; i < image->page_count; i++) {
        uint8_t flags = image->page_flags[i];
        if (flags == 0 && (stored || !full))
            continue;
        if (stored)
            flags &= (uint8_t) ~(IMAGE_PAGE_DIRTY | IMAGE_PAGE_UNSTORED);
        else if ((flags & IMAGE_PAGE_DIRTY) != 0 || full)
            flags = (uint8_t)((flags & ~IMAGE_PAGE_DIRTY) | IMAGE_PAGE_UNSTORED);
        image->page_flags[i] = flags;
    }
}

bool image_commit(struct image *image, const struct chunk_sink *sink, struct hash *root,
                  struct err *err)
{
    struct commit commit = {.image = image, .sink = sink, .full = !image->hashed, .err = err};
    bool ok = own_nodes(image, err);

    for (uint32_t level = 1; level < image->shape.level_count; level++)
        commit.marked[level] = mem_alloc((size_t)(image->shape.counts[level] / 8 + 1));
    ok = ok && commit_chunks(&commit);
    for (uint32_t level = 1; ok && level < image->shape.level_count; level++)
        ok = commit_nodes(&commit, level);
    for (uint32_t level = 1; level < image->shape.level_count; level++)
        mem_free(commit.marked[level]);
    if (!ok)
        return false;
    settle_flags(image, sink != NULL, commit.full);
    image->hashed = true;
    *root = image->nodes[image->shape.total - 1];
    return true;
}
