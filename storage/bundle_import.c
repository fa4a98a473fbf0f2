#include "storage/base/bytes.h"
#include "storage/base/file.h"
#include "storage/bundle.h"
#include "storage/bundle_format.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_STEP 65536u /* bytes read at once to hash the file */

struct reader {
    int fd;
    const char *path;
    uint64_t offset;
    uint64_t end; /* of the records: where the hash begins */
    const struct bundle_visitor *visitor;
    struct frame_coder *coder;
    struct frame *frame;
    struct buf payload;
    bool has_manifest;
    char blob[STORE_NAME_MAX + 1]; /* the last one's name */
    bool blob_goes_on;
    uint64_t blob_bytes;
    size_t blob_count;
    struct bundle_report report;
};

static bool damaged(struct reader *reader, struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "%s at byte %llu: %s", reader->path,
                   (unsigned long long)reader->offset, what);
}

/* ---- the file as a whole ---- */

static bool check_header(struct reader *reader, struct err *err)
{
    uint8_t header[BUNDLE_HEADER_SIZE];

    if (!file_read_at(reader->fd, header, sizeof header, 0, reader->path, err))
        return false;
    if (memcmp(header, bundle_sentinel, sizeof bundle_sentinel) != 0)
        return err_set(err, ERR_CORRUPT,
                       "%s is not a thaw bundle, or it went through a text-mode copy",
                       reader->path);
    if (load_le32(header + 8) != BUNDLE_VERSION || load_le32(header + 12) != 0)
        return err_set(err, ERR_UNSUPPORTED,
                       "%s has bundle format %u, this build reads %d: use a newer thaw",
                       reader->path, load_le32(header + 8), BUNDLE_VERSION);
    reader->offset = BUNDLE_HEADER_SIZE;
    return true;
}

static bool check_hash(struct reader *reader, struct err *err)
{
    struct hasher *hasher = hasher_new();
    uint8_t *step = mem_alloc(HASH_STEP);
    struct hash hash, stored;
    bool ok = true;

    for (uint64_t at = 0; ok && at < reader->end;) {
        size_t size = reader->end - at < HASH_STEP ? (size_t)(reader->end - at) : HASH_STEP;
        ok = file_read_at(reader->fd, step, size, at, reader->path, err);
        hasher_add(hasher, (struct span){step, size});
        at += size;
    }
    hash = hasher_finish(hasher);
    ok = ok && file_read_at(reader->fd, stored.bytes, HASH_SIZE, reader->end, reader->path, err);
    if (ok && !hash_equal(&hash, &stored))
        ok = err_set(err, ERR_CORRUPT,
                     "%s was cut or altered: its bytes do not match the hash at its end",
                     reader->path);
    hasher_free(hasher);
    mem_free(step);
    return ok;
}

static bool check_file(struct reader *reader, struct err *err)
{
    struct stat info;

    if (fstat(reader->fd, &info) != 0)
        return err_set_errno(err, errno, "cannot look at %s", reader->path);
    if (!S_ISREG(info.st_mode))
        return err_set(err, ERR_USAGE, "%s is not a file", reader->path);
    if ((uint64_t)info.st_size < BUNDLE_HEADER_SIZE + HASH_SIZE)
        return err_set(err, ERR_CORRUPT, "%s is too short to be a thaw bundle", reader->path);
    reader->report.file_bytes = (uint64_t)info.st_size;
    reader->end = (uint64_t)info.st_size - HASH_SIZE;
    return check_header(reader, err) && check_hash(reader, err);
}

/* ---- records ---- */

static bool read_manifest(struct reader *reader, struct span payload, struct err *err)
{
    struct manifest_parts parts;

    if (reader->has_manifest)
        return damaged(reader, err, "a second manifest");
    if (!manifest_split(payload, &parts, err))
        return err_wrap(err, "%s", reader->path);
    reader->has_manifest = true;
    reader->report.checkpoint = parts.checkpoint_id;
    return reader->visitor->manifest == NULL ||
           reader->visitor->manifest(reader->visitor->context, payload, &parts.checkpoint_id, err);
}

static bool decode(struct reader *reader, struct span packed, struct err *err)
{
    return frame_decode(reader->coder, packed, reader->frame, err) ||
           err_wrap(err, "%s at byte %llu", reader->path, (unsigned long long)reader->offset);
}

/* The name continues the blob before, or comes after it. */
static bool begin_blob(struct reader *reader, struct span name, struct err *err)
{
    char text[STORE_NAME_MAX + 1] = "";

    if (name.size == 0 || name.size > STORE_NAME_MAX || memchr(name.data, 0, name.size) != NULL)
        return damaged(reader, err, "a blob's name breaks the rules");
    memcpy(text, name.data, name.size);
    if (reader->blob_goes_on)
        return strcmp(text, reader->blob) == 0 || damaged(reader, err, "a blob does not go on");
    if (!store_name_check(text, err))
        return err_wrap(err, "%s at byte %llu", reader->path, (unsigned long long)reader->offset);
    if (strcmp(text, reader->blob) <= 0 || ++reader->blob_count > BUNDLE_BLOBS_MAX)
        return damaged(reader, err, "a blob is repeated, out of order or one too many");
    memcpy(reader->blob, text, sizeof text);
    reader->blob_bytes = 0;
    return true;
}

static bool read_blob(struct reader *reader, struct span payload, struct err *err)
{
    uint32_t more, name_size, plain_size;

    if (reader->report.chunks != 0)
        return damaged(reader, err, "a blob after the chunks");
    if (payload.size < BUNDLE_BLOB_HEAD)
        return damaged(reader, err, "a blob is cut short");
    more = load_le32(payload.data);
    name_size = load_le32(payload.data + 4);
    plain_size = load_le32(payload.data + 8);
    payload.data += BUNDLE_BLOB_HEAD;
    payload.size -= BUNDLE_BLOB_HEAD;
    if (more > 1 || name_size > payload.size || plain_size > FRAME_PLAIN_MAX)
        return damaged(reader, err, "a blob's numbers make no sense");
    if (!begin_blob(reader, (struct span){payload.data, name_size}, err))
        return false;
    reader->blob_goes_on = more != 0;
    reader->blob_bytes += plain_size;
    if (reader->blob_bytes > BUNDLE_BLOB_MAX || (more != 0 && plain_size == 0))
        return damaged(reader, err, "a blob is over the limit");
    frame_clear(reader->frame);
    reader->frame->plain_size = plain_size;
    return decode(reader, (struct span){payload.data + name_size, payload.size - name_size}, err) &&
           (reader->visitor->blob == NULL ||
            reader->visitor->blob(reader->visitor->context, reader->blob,
                                  (struct span){reader->frame->plain, plain_size}, more == 0, err));
}

/* Fills the frame's list of chunks. */
static bool read_chunk_list(struct reader *reader, struct span *payload, struct err *err)
{
    struct frame *frame = reader->frame;
    uint32_t count;

    frame_clear(frame);
    if (payload->size < 4)
        return damaged(reader, err, "a frame is cut short");
    count = load_le32(payload->data);
    if (count == 0 || count > FRAME_CHUNKS_MAX || payload->size - 4 < count * BUNDLE_CHUNK_RECORD)
        return damaged(reader, err, "a frame's count of chunks makes no sense");
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *at = payload->data + 4 + (size_t)i * BUNDLE_CHUNK_RECORD;
        uint32_t size = load_le32(at + HASH_SIZE);
        if (size == 0 || size > STORE_CHUNK_MAX || size > FRAME_PLAIN_MAX - frame->plain_size)
            return damaged(reader, err, "a chunk's size makes no sense");
        memset(&frame->chunks[i], 0, sizeof frame->chunks[i]);
        memcpy(frame->chunks[i].id.bytes, at, HASH_SIZE);
        frame->chunks[i].size = size;
        frame->plain_size += size;
    }
    frame->count = count;
    payload->data += 4 + (size_t)count * BUNDLE_CHUNK_RECORD;
    payload->size -= 4 + (size_t)count * BUNDLE_CHUNK_RECORD;
    return true;
}

static bool give_chunk(struct reader *reader, const struct frame_chunk *chunk, struct span bytes,
                       struct err *err)
{
    struct hash hash = hash_of(bytes);

    if (!hash_equal(&hash, &chunk->id))
        return err_set(err, ERR_CORRUPT, "%s at byte %llu: chunk %s does not match its hash",
                       reader->path, (unsigned long long)reader->offset, hash_hex(&chunk->id).text);
    reader->report.chunks++;
    reader->report.plain_bytes += bytes.size;
    return reader->visitor->chunk == NULL ||
           reader->visitor->chunk(reader->visitor->context, &chunk->id, bytes, err);
}

static bool read_frame(struct reader *reader, struct span payload, struct err *err)
{
    size_t offset = 0;

    if (!read_chunk_list(reader, &payload, err) || !decode(reader, payload, err))
        return false;
    for (size_t i = 0; i < reader->frame->count; i++) {
        const struct frame_chunk *chunk = &reader->frame->chunks[i];
        if (!give_chunk(reader, chunk, (struct span){reader->frame->plain + offset, chunk->size},
                        err))
            return false;
        offset += chunk->size;
    }
    return true;
}

static bool read_end(struct reader *reader, struct span payload, struct err *err)
{
    if (payload.size != 8 || load_le64(payload.data) != reader->report.chunks)
        return damaged(reader, err, "the count of chunks is wrong");
    if (reader->offset != reader->end)
        return damaged(reader, err, "something follows the end");
    return true;
}

/* The next record's type and payload; the offset is then that of the one after. */
static bool next_record(struct reader *reader, uint32_t *type, struct err *err)
{
    uint8_t record[BUNDLE_RECORD_SIZE];
    uint64_t left = reader->end - reader->offset;
    uint32_t size;

    if (left < sizeof record)
        return damaged(reader, err, "the file ends without its end record");
    if (!file_read_at(reader->fd, record, sizeof record, reader->offset, reader->path, err))
        return false;
    *type = load_le32(record);
    size = load_le32(record + 4);
    if (size > left - sizeof record ||
        size > (*type == BUNDLE_MANIFEST ? MANIFEST_BYTES_MAX : BUNDLE_PAYLOAD_MAX))
        return damaged(reader, err, "a record's size makes no sense");
    buf_clear(&reader->payload);
    if (!buf_reserve(&reader->payload, size, err) ||
        !file_read_at(reader->fd, reader->payload.data, size, reader->offset + sizeof record,
                      reader->path, err))
        return false;
    reader->payload.size = size;
    reader->offset += sizeof record + size;
    return true;
}

static bool read_records(struct reader *reader, struct err *err)
{
    for (;;) {
        struct span payload;
        uint32_t type = 0;
        bool ok;
        if (!next_record(reader, &type, err))
            return false;
        payload = buf_span(&reader->payload);
        if (!reader->has_manifest && type != BUNDLE_MANIFEST)
            return damaged(reader, err, "the manifest does not come first");
        if (reader->blob_goes_on && type != BUNDLE_BLOB)
            return damaged(reader, err, "a blob does not go on");
        if (type == BUNDLE_END)
            return read_end(reader, payload, err);
        if (type == BUNDLE_MANIFEST)
            ok = read_manifest(reader, payload, err);
        else if (type == BUNDLE_BLOB)
            ok = read_blob(reader, payload, err);
        else if (type == BUNDLE_FRAME)
            ok = read_frame(reader, payload, err);
        else
            ok = damaged(reader, err, "a record of unknown type");
        if (!ok)
            return false;
    }
}

bool bundle_read(const char *path, const struct bundle_visitor *visitor, struct bundle_report *out,
                 struct err *err)
{
    struct reader reader = {.path = path, .visitor = visitor};
    bool ok;

    reader.fd = open(path, O_RDONLY | O_CLOEXEC);
    if (reader.fd < 0)
        return err_set_errno(err, errno, "cannot open the bundle %s", path);
    reader.payload = (struct buf)BUF_INIT(MANIFEST_BYTES_MAX);
    reader.coder = frame_coder_new(BUNDLE_LEVEL);
    reader.frame = mem_alloc(sizeof *reader.frame);
    ok = check_file(&reader, err) && read_records(&reader, err);
    close(reader.fd);
    frame_coder_free(reader.coder);
    mem_free(reader.frame);
    buf_release(&reader.payload);
    if (ok && out != NULL)
        *out = reader.report;
    return ok;
}

/* ---- into a store ---- */

struct importer {
    struct store_batch *batch;
    struct buf manifest;
    const struct bundle_import *options;
};

static bool keep_manifest(void *context, struct span bytes, const struct hash *checkpoint,
                          struct err *err)
{
    struct importer *importer = context;

    (void)checkpoint;
    return buf_append(&importer->manifest, bytes.data, bytes.size, err);
}

static bool keep_chunk(void *context, const struct hash *id, struct span bytes, struct err *err)
{
    return store_batch_put(((struct importer *)context)->batch, id, bytes, NULL, err);
}

static bool pass_blob(void *context, const char *name, struct span piece, bool last,
                      struct err *err)
{
    const struct bundle_import *options = ((struct importer *)context)->options;

    return options->blob == NULL || options->blob(options->context, name, piece, last, err);
}

static bool commit(struct importer *importer, struct err *err)
{
    struct store_commit commit = {buf_span(&importer->manifest), importer->options->tag, true};
    struct store_batch *batch = importer->batch;

    importer->batch = NULL;
    return store_batch_commit(batch, &commit, NULL, err);
}

bool bundle_import(struct store *store, const char *path, const struct bundle_import *options,
                   struct bundle_report *out, struct err *err)
{
    static const struct bundle_import defaults;
    struct importer importer = {.options = options != NULL ? options : &defaults};
    const struct bundle_visitor visitor = {keep_manifest, pass_blob, keep_chunk, &importer};
    struct bundle_report report;
    bool ok;

    importer.manifest = (struct buf)BUF_INIT(MANIFEST_BYTES_MAX);
    if (!store_batch_begin(store, &importer.batch, err))
        return false;
    ok = bundle_read(path, &visitor, &report, err) &&
         (commit(&importer, err) || err_wrap(err, "import of %s", path));
    store_batch_abort(importer.batch);
    buf_release(&importer.manifest);
    if (ok && out != NULL)
        *out = report;
    return ok;
}
