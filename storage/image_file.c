#include "storage/image_file.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/file.h"
#include "storage/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_MAX   (1u << 20) /* bytes written at once */
#define RECORD     112u       /* bytes of the trailer in use */
#define HASHED     80u        /* that its hash covers */
#define BLOCK_SIZE 4096u

static const uint8_t sentinel[8] = {'t', 'h', 'a', 'w', 'i', 'm', 'g', '\n'};

struct boot_id boot_id_of_host(void)
{
    struct boot_id id = {{0}};
    struct buf text = BUF_INIT(64);
    struct err ignored = ERR_INIT;
    struct hash hash;

    if (file_read("/proc/sys/kernel/random/boot_id", &text, &ignored) && text.size >= 36) {
        hash = hash_of(buf_span(&text));
        memcpy(id.bytes, hash.bytes, sizeof id.bytes);
    }
    buf_release(&text);
    return id;
}

bool boot_id_is_none(const struct boot_id *id)
{
    return bytes_are_zero(id->bytes, sizeof id->bytes);
}

bool image_file_layout(const struct hash *root, uint64_t size, struct image_file_layout *out,
                       struct err *err)
{
    uint64_t end;

    if (!image_shape(size, &out->shape, err))
        return false;
    end = size + out->shape.total * HASH_SIZE;
    out->root = *root;
    out->nodes_offset = size;
    out->trailer_offset = (end + BLOCK_SIZE - 1) / BLOCK_SIZE * BLOCK_SIZE;
    out->file_size = out->trailer_offset + IMAGE_FILE_TRAILER_SIZE;
    if (out->file_size > SIZE_MAX / 2)
        return err_set(err, ERR_TOO_BIG,
                       "an image of %llu bytes does not fit in this host's memory",
                       (unsigned long long)size);
    return true;
}

static bool write_at(int fd, struct span bytes, uint64_t offset, const char *name, struct err *err)
{
    size_t done = 0;

    while (done < bytes.size) {
        ssize_t put = pwrite(fd, bytes.data + done, bytes.size - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_set_errno(err, errno, "cannot write %s", name);
        done += (size_t)put;
    }
    return true;
}

static bool target_put(const struct image_target *target, uint64_t offset, struct span bytes,
                       struct err *err)
{
    if (target->fd >= 0)
        return write_at(target->fd, bytes, offset, target->name, err);
    memcpy(target->memory + offset, bytes.data, bytes.size);
    return true;
}

struct filling {
    const struct image_target *target;
    const struct image_file_layout *layout;
    struct store *store;
    struct buf bytes;        /* the chunk in hand */
    struct walk_place place; /* visited last: whose node is asked for next */
};

static bool put_hashes(struct filling *filling, uint32_t level, uint64_t first, struct span hashes,
                       struct err *err)
{
    uint64_t place = filling->layout->shape.offsets[level] + first;

    return target_put(filling->target, filling->layout->nodes_offset + place * HASH_SIZE, hashes,
                      err);
}

static enum walk_answer fill_place(void *context, const struct walk_place *place,
                                   const struct hash *id, struct err *err)
{
    struct filling *filling = context;

    filling->place = *place;
    if (place->level != 0)
        return WALK_DOWN;
    buf_clear(&filling->bytes);
    if (!store_get(filling->store, id, &filling->bytes, err)) {
        walk_blame(place, err);
        return WALK_STOP;
    }
    if (filling->bytes.size != IMAGE_CHUNK_SIZE) {
        err_set(err, ERR_CORRUPT, "%s: a chunk of %zu bytes, not %u", walk_place_text(place).text,
                filling->bytes.size, IMAGE_CHUNK_SIZE);
        return WALK_STOP;
    }
    return target_put(filling->target, place->offset, buf_span(&filling->bytes), err) ? WALK_DOWN
                                                                                      : WALK_STOP;
}

/* A node's bytes are its children's hashes: they go to the flat tree as they are. */
static bool fill_node(void *context, const struct hash *id, struct buf *out, struct err *err)
{
    struct filling *filling = context;
    uint32_t level = filling->place.level - 1;
    uint64_t first = filling->place.index * IMAGE_FANOUT;
    uint64_t count = filling->layout->shape.counts[level] - first;

    if (count > IMAGE_FANOUT)
        count = IMAGE_FANOUT;
    if (!store_get(filling->store, id, out, err))
        return false;
    return out->size != IMAGE_NODE_SIZE || /* which the walk refuses */
           put_hashes(filling, level, first, (struct span){out->data, (size_t)count * HASH_SIZE},
                      err);
}

bool image_target_fill(const struct image_target *target, const struct image_file_layout *layout,
                       struct store *store, struct err *err)
{
    const struct manifest_image image = {
        .path = span_of_text("image"), .size = layout->shape.size, .root = layout->root};
    struct filling filling = {
        .target = target, .layout = layout, .store = store, .bytes = BUF_INIT(STORE_CHUNK_MAX)};
    const struct walk walk = {fill_place, fill_node, &filling};
    bool ok = walk_image(&walk, &image, err) &&
              put_hashes(&filling, layout->shape.level_count - 1, 0,
                         (struct span){layout->root.bytes, HASH_SIZE}, err);

    buf_release(&filling.bytes);
    return ok;
}

/* Runs of chunks that are not zero are written together. */
bool image_target_copy(const struct image_target *target, const struct image_file_layout *layout,
                       const uint8_t *data, const struct hash *nodes, struct err *err)
{
    const uint8_t *tree = (const uint8_t *)nodes;
    uint64_t count = layout->shape.counts[0], tree_size = layout->shape.total * HASH_SIZE;

    for (uint64_t i = 0; i < count;) {
        uint64_t end = i;
        while (end < count && (end - i) * IMAGE_CHUNK_SIZE < COPY_MAX && !hash_is_zero(&nodes[end]))
            end++;
        if (end != i && !target_put(target, i * IMAGE_CHUNK_SIZE,
                                    (struct span){data + i * IMAGE_CHUNK_SIZE,
                                                  (size_t)((end - i) * IMAGE_CHUNK_SIZE)},
                                    err))
            return false;
        i = end != i ? end : i + 1;
    }
    for (uint64_t at = 0; at < tree_size; at += BLOCK_SIZE) {
        size_t size = tree_size - at < BLOCK_SIZE ? (size_t)(tree_size - at) : BLOCK_SIZE;
        if (!bytes_are_zero(tree + at, size) &&
            !target_put(target, layout->nodes_offset + at, (struct span){tree + at, size}, err))
            return false;
    }
    return true;
}

static void make_record(const struct image_file_layout *layout, const struct boot_id *boot,
                        uint8_t out[RECORD])
{
    struct hash hash;

    memset(out, 0, RECORD);
    memcpy(out, sentinel, sizeof sentinel);
    store_le32(out + 8, IMAGE_FILE_VERSION);
    store_le64(out + 16, layout->shape.size);
    store_le64(out + 24, layout->shape.total);
    memcpy(out + 32, layout->root.bytes, HASH_SIZE);
    memcpy(out + 64, boot->bytes, sizeof boot->bytes);
    hash = hash_of((struct span){out, HASHED});
    memcpy(out + HASHED, hash.bytes, HASH_SIZE);
}

bool image_file_finish(int fd, const struct image_file_layout *layout, const struct boot_id *boot,
                       const char *name, struct err *err)
{
    uint8_t trailer[IMAGE_FILE_TRAILER_SIZE] = {0};

    make_record(layout, boot, trailer);
    if (!write_at(fd, (struct span){trailer, sizeof trailer}, layout->trailer_offset, name, err))
        return false;
    if (boot_id_is_none(boot) && fsync(fd) != 0)
        return err_set_errno(err, errno, "cannot flush %s", name);
    return true;
}

static bool check_trailer(int fd, const struct image_file_layout *layout,
                          const struct boot_id *boot, struct err *err)
{
    uint8_t record[RECORD], expected[RECORD];
    struct stat info;

    if (fstat(fd, &info) != 0)
        return err_set_errno(err, errno, "cannot look at a cached image");
    if ((uint64_t)info.st_size != layout->file_size)
        return err_set(err, ERR_CORRUPT, "a cached image has %llu bytes, not %llu",
                       (unsigned long long)info.st_size, (unsigned long long)layout->file_size);
    make_record(layout, boot, expected);
    if (!file_read_at(fd, record, RECORD, layout->trailer_offset, "a cached image", err))
        return false;
    if (memcmp(record, expected, RECORD) != 0)
        return err_set(err, ERR_CORRUPT, "a cached image is another's, or of another boot");
    return true;
}

/* The whole file is one private mapping; the owner keeps its size. */
struct mapping_owner {
    uint8_t *start;
    size_t size;
};

static void release_mapping(struct image_mapping *mapping)
{
    struct mapping_owner *owner = mapping->owner;

    munmap(owner->start, owner->size);
    mem_free(owner);
    *mapping = (struct image_mapping){0};
}

static void give_mapping(uint8_t *start, const struct image_file_layout *layout, uint64_t size,
                         struct image_mapping *out)
{
    struct mapping_owner *owner = mem_alloc(sizeof *owner);
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    *owner = (struct mapping_owner){start, (size_t)size};
    if (layout->nodes_offset % page == 0)
        (void)mprotect(start + layout->nodes_offset, (size_t)(size - layout->nodes_offset),
                       PROT_READ);
    *out = (struct image_mapping){
        .data = start,
        .size = layout->shape.size,
        .nodes = (const struct hash *)(const void *)(start + layout->nodes_offset),
        .release = release_mapping,
        .owner = owner,
    };
}

bool image_file_map(int fd, const struct image_file_layout *layout, const struct boot_id *boot,
                    struct image_mapping *out, struct err *err)
{
    uint8_t *start;

    if (!check_trailer(fd, layout, boot, err))
        return false;
    start = mmap(NULL, (size_t)layout->trailer_offset, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_NORESERVE, fd, 0);
    if (start == MAP_FAILED)
        return err_set_errno(err, errno, "cannot map a cached image of %llu bytes",
                             (unsigned long long)layout->shape.size);
    give_mapping(start, layout, layout->trailer_offset, out);
    return true;
}

bool image_memory_map(const struct image_file_layout *layout, struct store *store,
                      struct image_mapping *out, struct err *err)
{
    struct image_target target = {.fd = -1, .name = "memory"};
    void *start = mmap(NULL, (size_t)layout->trailer_offset, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (start == MAP_FAILED)
        return err_set_errno(err, errno, "no memory for an image of %llu bytes",
                             (unsigned long long)layout->shape.size);
    target.memory = start;
    if (!image_target_fill(&target, layout, store, err)) {
        munmap(start, (size_t)layout->trailer_offset);
        return false;
    }
    give_mapping(start, layout, layout->trailer_offset, out);
    return true;
}

static bool check_nodes(const struct image_mapping *mapping, const struct image_file_layout *layout,
                        struct err *err)
{
    const struct image_shape *shape = &layout->shape;

    for (uint32_t level = 1; level < shape->level_count; level++) {
        for (uint64_t i = 0; i < shape->counts[level]; i++) {
            uint8_t bytes[IMAGE_NODE_SIZE];
            struct hash hash = {{0}};
            if (image_node_bytes(shape, mapping->nodes, level, i, bytes))
                hash = hash_of((struct span){bytes, sizeof bytes});
            if (!hash_equal(&hash, &mapping->nodes[shape->offsets[level] + i]))
                return err_set(err, ERR_CORRUPT,
                               "node %llu of level %u of a cached image is damaged",
                               (unsigned long long)i, level);
        }
    }
    return hash_equal(&mapping->nodes[shape->total - 1], &layout->root) ||
           err_set(err, ERR_CORRUPT, "the root of a cached image is damaged");
}

bool image_file_check(int fd, const struct image_file_layout *layout, struct err *err)
{
    struct boot_id boot = boot_id_of_host();
    struct image_mapping mapping;
    bool ok;

    if (!image_file_map(fd, layout, &boot, &mapping, err))
        return false;
    ok = check_nodes(&mapping, layout, err);
    for (uint64_t i = 0; ok && i < layout->shape.counts[0]; i++) {
        struct hash hash = image_chunk_hash(mapping.data + i * IMAGE_CHUNK_SIZE);
        if (!hash_equal(&hash, &mapping.nodes[i]))
            ok = err_set(err, ERR_CORRUPT, "bytes 0x%llx to 0x%llx of a cached image are damaged",
                         (unsigned long long)i * IMAGE_CHUNK_SIZE,
                         (unsigned long long)(i + 1) * IMAGE_CHUNK_SIZE - 1);
    }
    mapping.release(&mapping);
    return ok;
}
