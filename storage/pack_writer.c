#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/file.h"
#include "storage/pack.h"
#include "storage/pack_format.h"

#include <stdio.h>
#include <string.h>

struct pack_writer {
    struct temp_file file;
    uint64_t offset; /* of the file's end */
    struct buf chunks, frames, bases;
    uint32_t chunk_count, frame_count, base_count;
    char name[PACK_NAME_SIZE]; /* once kept */
};

bool pack_writer_new(const char *temp_folder, struct pack_writer **out, struct err *err)
{
    struct pack_writer *writer = mem_alloc(sizeof *writer);
    uint8_t header[PACK_HEADER_SIZE] = {0};

    *writer = (struct pack_writer){
        .file = TEMP_FILE_INIT,
        .offset = PACK_HEADER_SIZE,
        .chunks = BUF_INIT((size_t)PACK_CHUNKS_MAX * PACK_CHUNK_RECORD),
        .frames = BUF_INIT((size_t)PACK_CHUNKS_MAX * PACK_FRAME_RECORD),
        .bases = BUF_INIT((size_t)PACK_CHUNKS_MAX * HASH_SIZE),
    };
    memcpy(header, pack_sentinel, sizeof pack_sentinel);
    store_le32(header + 8, PACK_VERSION);
    if (!temp_file_open(&writer->file, temp_folder, err) ||
        !file_write_all(writer->file.fd, (struct span){header, sizeof header}, writer->file.path,
                        err)) {
        pack_writer_free(writer);
        return false;
    }
    *out = writer;
    return true;
}

static bool add_chunk(struct pack_writer *writer, const struct frame_chunk *chunk, struct err *err)
{
    uint8_t record[PACK_CHUNK_RECORD];
    uint32_t base = PACK_NO_BASE;

    if (!hash_is_zero(&chunk->base)) {
        base = writer->base_count++;
        if (!buf_append(&writer->bases, chunk->base.bytes, HASH_SIZE, err))
            return false;
    }
    memcpy(record, chunk->id.bytes, HASH_SIZE);
    store_le32(record + 32, chunk->size);
    store_le32(record + 36, base);
    writer->chunk_count++;
    return buf_append(&writer->chunks, record, sizeof record, err);
}

bool pack_writer_add(struct pack_writer *writer, const struct frame *frame, struct span packed,
                     struct err *err)
{
    uint8_t record[PACK_FRAME_RECORD];

    CHECK(frame->count != 0 && packed.size <= FRAME_PACKED_MAX);
    store_le64(record, writer->offset);
    store_le32(record + 8, (uint32_t)packed.size);
    store_le32(record + 12, writer->chunk_count);
    if (!file_write_all(writer->file.fd, packed, writer->file.path, err) ||
        !buf_append(&writer->frames, record, sizeof record, err))
        return false;
    for (size_t i = 0; i < frame->count; i++)
        if (!add_chunk(writer, &frame->chunks[i], err))
            return false;
    writer->frame_count++;
    writer->offset += packed.size;
    return true;
}

uint32_t pack_writer_chunk_count(const struct pack_writer *writer)
{
    return writer->chunk_count;
}

/* Appends frames, bases and the trailer to the table of chunks: the whole index in one piece. */
static bool finish_index(struct pack_writer *writer, struct hash *hash, struct err *err)
{
    struct buf *index = &writer->chunks;
    uint8_t trailer[PACK_TRAILER_SIZE - HASH_SIZE];

    index->max += writer->frames.size + writer->bases.size + PACK_TRAILER_SIZE;
    memcpy(trailer, pack_trailer_sentinel, sizeof pack_trailer_sentinel);
    store_le32(trailer + 8, PACK_VERSION);
    store_le32(trailer + 12, writer->chunk_count);
    store_le32(trailer + 16, writer->frame_count);
    store_le32(trailer + 20, writer->base_count);
    store_le64(trailer + 24, writer->offset);
    if (!buf_append(index, writer->frames.data, writer->frames.size, err) ||
        !buf_append(index, writer->bases.data, writer->bases.size, err) ||
        !buf_append(index, trailer, sizeof trailer, err))
        return false;
    *hash = hash_of(buf_span(index));
    return buf_append(index, hash->bytes, HASH_SIZE, err);
}

bool pack_writer_keep(struct pack_writer *writer, const char *folder, struct err *err)
{
    char name[PACK_NAME_SIZE];
    struct hash hash;

    if (!finish_index(writer, &hash, err) ||
        !file_write_all(writer->file.fd, buf_span(&writer->chunks), writer->file.path, err))
        return false;
    snprintf(name, sizeof name, "%s" PACK_SUFFIX, hash_hex(&hash).text);
    if (!temp_file_keep(&writer->file, folder, name, err))
        return false;
    memcpy(writer->name, name, sizeof writer->name);
    return true;
}

const char *pack_writer_name(const struct pack_writer *writer)
{
    return writer->name;
}

void pack_writer_free(struct pack_writer *writer)
{
    if (writer == NULL)
        return;
    temp_file_drop(&writer->file);
    buf_release(&writer->chunks);
    buf_release(&writer->frames);
    buf_release(&writer->bases);
    mem_free(writer);
}
