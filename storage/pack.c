#include "storage/pack.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/file.h"
#include "storage/pack_format.h"
#include "storage/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pack {
    char *path;
    const char *name;      /* points into path */
    uint8_t *index;        /* in memory: a mapping would hold a removed pack's place on the disk */
    const uint8_t *chunks; /* its three tables */
    const uint8_t *frames;
    const uint8_t *bases;
    uint32_t chunk_count, frame_count, base_count;
    uint64_t index_offset;
    uint64_t file_size;
};

const uint8_t pack_sentinel[8] = {0x89, 'T', 'P', 'K', '\r', '\n', 0x1a, '\n'};
const uint8_t pack_trailer_sentinel[8] = {'t', 'h', 'a', 'w', 'p', 'i', 'd', 'x'};

const char *pack_name(const struct pack *pack)
{
    return pack->name;
}

const char *pack_path(const struct pack *pack)
{
    return pack->path;
}

uint64_t pack_bytes(const struct pack *pack)
{
    return pack->file_size;
}

uint32_t pack_chunk_count(const struct pack *pack)
{
    return pack->chunk_count;
}

uint32_t pack_frame_count(const struct pack *pack)
{
    return pack->frame_count;
}

static const uint8_t *chunk_record(const struct pack *pack, uint32_t index)
{
    return pack->chunks + (size_t)index * PACK_CHUNK_RECORD;
}

static uint32_t frame_first(const struct pack *pack, uint32_t index)
{
    if (index == pack->frame_count)
        return pack->chunk_count;
    return load_le32(pack->frames + (size_t)index * PACK_FRAME_RECORD + 12);
}

void pack_frame_at(const struct pack *pack, uint32_t index, struct pack_frame *out)
{
    const uint8_t *record = pack->frames + (size_t)index * PACK_FRAME_RECORD;

    CHECK(index < pack->frame_count);
    out->offset = load_le64(record);
    out->packed_size = load_le32(record + 8);
    out->first = frame_first(pack, index);
    out->count = frame_first(pack, index + 1) - out->first;
}

/* The frame whose chunks include this one: the last that does not begin after it. */
static uint32_t frame_of(const struct pack *pack, uint32_t chunk)
{
    uint32_t low = 0, high = pack->frame_count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (frame_first(pack, middle) <= chunk)
            low = middle;
        else
            high = middle;
    }
    return low;
}

void pack_chunk_ids(const struct pack *pack, uint32_t index, struct hash *id, struct hash *base)
{
    const uint8_t *record = chunk_record(pack, index);
    uint32_t number = load_le32(record + 36);

    CHECK(index < pack->chunk_count);
    memset(base, 0, sizeof *base);
    memcpy(id->bytes, record, HASH_SIZE);
    if (number != PACK_NO_BASE)
        memcpy(base->bytes, pack->bases + (size_t)number * HASH_SIZE, HASH_SIZE);
}

uint32_t pack_frame_plain(const struct pack *pack, uint32_t index)
{
    struct pack_frame frame;
    uint32_t total = 0;

    pack_frame_at(pack, index, &frame);
    for (uint32_t i = 0; i < frame.count; i++)
        total += load_le32(chunk_record(pack, frame.first + i) + 32);
    return total;
}

void pack_chunk_at(const struct pack *pack, uint32_t index, struct pack_chunk *out)
{
    memset(out, 0, sizeof *out);
    pack_chunk_ids(pack, index, &out->id, &out->base);
    out->size = load_le32(chunk_record(pack, index) + 32);
    out->frame = frame_of(pack, index);
    for (uint32_t i = frame_first(pack, out->frame); i < index; i++)
        out->offset += load_le32(chunk_record(pack, i) + 32);
}

/* Chunks' sizes add up to a frame; either all of them have a base or none. */
static bool check_frame_chunks(const struct pack *pack, const struct pack_frame *frame)
{
    uint32_t total = 0, deltas = 0;

    if (frame->count == 0 || frame->count > FRAME_CHUNKS_MAX)
        return false;
    for (uint32_t i = 0; i < frame->count; i++) {
        const uint8_t *record = chunk_record(pack, frame->first + i);
        uint32_t size = load_le32(record + 32), base = load_le32(record + 36);
        if (size == 0 || size > STORE_CHUNK_MAX || size > FRAME_PLAIN_MAX - total)
            return false;
        if (base != PACK_NO_BASE && base >= pack->base_count)
            return false;
        total += size;
        deltas += base != PACK_NO_BASE;
    }
    return deltas == 0 || deltas == frame->count;
}

/* Frames stand back to back from the header to the index, and their chunks likewise. */
static bool check_frames(const struct pack *pack)
{
    uint64_t offset = PACK_HEADER_SIZE;
    uint32_t chunk = 0;

    for (uint32_t i = 0; i < pack->frame_count; i++) {
        struct pack_frame frame;
        if (frame_first(pack, i) != chunk || frame_first(pack, i + 1) < chunk ||
            frame_first(pack, i + 1) > pack->chunk_count)
            return false;
        pack_frame_at(pack, i, &frame);
        if (frame.offset != offset || frame.packed_size == 0 ||
            frame.packed_size > FRAME_PACKED_MAX || !check_frame_chunks(pack, &frame))
            return false;
        offset += frame.packed_size;
        chunk += frame.count;
    }
    return offset == pack->index_offset && chunk == pack->chunk_count;
}

static bool check_header(int fd, const char *path, struct err *err)
{
    uint8_t header[PACK_HEADER_SIZE];

    if (!file_read_at(fd, header, sizeof header, 0, path, err))
        return false;
    if (memcmp(header, pack_sentinel, sizeof pack_sentinel) != 0 || load_le32(header + 12) != 0)
        return err_set(err, ERR_CORRUPT, "%s does not begin like a pack", path);
    if (load_le32(header + 8) != PACK_VERSION)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s has pack format %u, this build reads %d: use a newer thaw", path,
                       load_le32(header + 8), PACK_VERSION);
    return true;
}

/* The counts of the trailer, checked against each other and the file's size. */
static bool read_trailer(struct pack *pack, int fd, struct err *err)
{
    uint8_t trailer[PACK_TRAILER_SIZE];
    uint64_t size;

    if (!file_read_at(fd, trailer, sizeof trailer, pack->file_size - sizeof trailer, pack->path,
                      err))
        return false;
    pack->chunk_count = load_le32(trailer + 12);
    pack->frame_count = load_le32(trailer + 16);
    pack->base_count = load_le32(trailer + 20);
    pack->index_offset = load_le64(trailer + 24);
    size = (uint64_t)pack->chunk_count * PACK_CHUNK_RECORD +
           (uint64_t)pack->frame_count * PACK_FRAME_RECORD +
           (uint64_t)pack->base_count * HASH_SIZE + PACK_TRAILER_SIZE;
    if (memcmp(trailer, pack_trailer_sentinel, sizeof pack_trailer_sentinel) != 0 ||
        load_le32(trailer + 8) != PACK_VERSION || pack->chunk_count > PACK_CHUNKS_MAX ||
        pack->frame_count > pack->chunk_count || pack->base_count > pack->chunk_count ||
        pack->index_offset < PACK_HEADER_SIZE || pack->index_offset > pack->file_size ||
        size != pack->file_size - pack->index_offset)
        return err_set(err, ERR_CORRUPT, "%s does not end like a pack: it was cut or altered",
                       pack->path);
    return true;
}

static bool read_index(struct pack *pack, int fd, struct err *err)
{
    size_t size = (size_t)(pack->file_size - pack->index_offset); /* bounded by the counts */

    pack->index = mem_alloc(size);
    pack->chunks = pack->index;
    pack->frames = pack->chunks + (size_t)pack->chunk_count * PACK_CHUNK_RECORD;
    pack->bases = pack->frames + (size_t)pack->frame_count * PACK_FRAME_RECORD;
    return file_read_at(fd, pack->index, size, pack->index_offset, pack->path, err);
}

static bool check_index(const struct pack *pack, struct err *err)
{
    size_t size = (size_t)(pack->file_size - pack->index_offset);
    struct hash hash = hash_of((struct span){pack->chunks, size - HASH_SIZE});
    struct hash_hex hex = hash_hex(&hash);

    if (memcmp(hash.bytes, pack->chunks + size - HASH_SIZE, HASH_SIZE) != 0)
        return err_set(err, ERR_CORRUPT, "the index of %s is damaged", pack->path);
    if (strncmp(pack->name, hex.text, strlen(hex.text)) != 0 ||
        strcmp(pack->name + strlen(hex.text), PACK_SUFFIX) != 0)
        return err_set(err, ERR_CORRUPT, "%s holds another pack, %s", pack->path, hex.text);
    if (!check_frames(pack))
        return err_set(err, ERR_CORRUPT, "the index of %s contradicts itself", pack->path);
    return true;
}

static bool open_with(struct pack *pack, int fd, struct err *err)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return err_set_errno(err, errno, "cannot look at %s", pack->path);
    pack->file_size = (uint64_t)info.st_size;
    if (!S_ISREG(info.st_mode) || pack->file_size < PACK_HEADER_SIZE + PACK_TRAILER_SIZE)
        return err_set(err, ERR_CORRUPT, "%s is too short to be a pack", pack->path);
    return check_header(fd, pack->path, err) && read_trailer(pack, fd, err) &&
           read_index(pack, fd, err) && check_index(pack, err);
}

bool pack_open(const char *folder, const char *name, struct pack **out, struct err *err)
{
    struct pack *pack = mem_alloc(sizeof *pack);
    bool ok;
    int fd;

    pack->path = path_join(folder, name);
    pack->name = strrchr(pack->path, '/') + 1;
    fd = open(pack->path, O_RDONLY | O_CLOEXEC);
    ok = fd >= 0 ? open_with(pack, fd, err)
                 : err_set_errno(err, errno, "cannot open the pack %s", pack->path);
    if (fd >= 0)
        close(fd);
    if (!ok) {
        pack_close(pack);
        return false;
    }
    *out = pack;
    return true;
}

void pack_close(struct pack *pack)
{
    if (pack == NULL)
        return;
    mem_free(pack->index);
    mem_free(pack->path);
    mem_free(pack);
}

static void fill_frame(const struct pack *pack, const struct pack_frame *where, struct frame *out)
{
    frame_clear(out);
    out->count = where->count;
    for (uint32_t i = 0; i < where->count; i++) {
        struct frame_chunk *chunk = &out->chunks[i];
        pack_chunk_ids(pack, where->first + i, &chunk->id, &chunk->base);
        chunk->size = load_le32(chunk_record(pack, where->first + i) + 32);
        out->plain_size += chunk->size;
    }
}

bool pack_read(const struct pack *pack, uint32_t frame, uint8_t *packed, size_t *packed_size,
               struct frame *out, struct err *err)
{
    struct pack_frame where;
    bool ok;
    int fd;

    pack_frame_at(pack, frame, &where);
    fd = open(pack->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno, "cannot open the pack %s", pack->path);
    ok = file_read_at(fd, packed, where.packed_size, where.offset, pack->path, err);
    close(fd);
    if (!ok)
        return false;
    *packed_size = where.packed_size;
    fill_frame(pack, &where, out);
    return true;
}
