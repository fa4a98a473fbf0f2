#include "storage/base/bytes.h"
#include "storage/base/file.h"
#include "storage/bundle.h"
#include "storage/bundle_format.h"
#include "storage/hash_map.h"
#include "storage/temp_file.h"
#include "storage/walk.h"

#include <stdlib.h>
#include <string.h>

const uint8_t bundle_sentinel[8] = {0x89, 'T', 'H', 'W', '\r', '\n', 0x1a, '\n'};

/* Chunks up to this size are nodes: they have frames of their own. */
#define SMALL_MAX 4096u

struct exporter {
    struct store *store;
    struct temp_file file;
    struct hasher *hasher;
    struct frame_coder *coder;
    struct frame *frames[2]; /* being filled: chunks, nodes */
    struct hash_map seen;
    struct buf bytes; /* the chunk in hand */
    uint8_t packed[FRAME_PACKED_MAX];
    struct bundle_report report;
};

static bool put(struct exporter *exporter, struct span bytes, struct err *err)
{
    hasher_add(exporter->hasher, bytes);
    exporter->report.file_bytes += bytes.size;
    return file_write_all(exporter->file.fd, bytes, "the bundle", err);
}

static bool put_record(struct exporter *exporter, enum bundle_record type, struct span head,
                       struct span payload, struct err *err)
{
    uint8_t record[BUNDLE_RECORD_SIZE];

    store_le32(record, (uint32_t)type);
    store_le32(record + 4, (uint32_t)(head.size + payload.size));
    return put(exporter, (struct span){record, sizeof record}, err) && put(exporter, head, err) &&
           put(exporter, payload, err);
}

static bool put_header(struct exporter *exporter, struct err *err)
{
    uint8_t header[BUNDLE_HEADER_SIZE] = {0};

    memcpy(header, bundle_sentinel, sizeof bundle_sentinel);
    store_le32(header + 8, BUNDLE_VERSION);
    return put(exporter, (struct span){header, sizeof header}, err);
}

/* ---- blobs ---- */

static int compare_blobs(const void *a, const void *b)
{
    const struct bundle_blob *left = a, *right = b;

    return strcmp(left->name, right->name);
}

static bool check_blob(const struct bundle_blob *blob, const struct bundle_blob *previous,
                       struct err *err)
{
    if (!store_name_check(blob->name, err))
        return false;
    if (previous != NULL && strcmp(previous->name, blob->name) == 0)
        return err_set(err, ERR_USAGE, "two blobs are named %s", blob->name);
    if (blob->bytes.size > BUNDLE_BLOB_MAX)
        return err_set(err, ERR_TOO_BIG, "blob %s has %zu bytes, at most %llu are allowed",
                       blob->name, blob->bytes.size, (unsigned long long)BUNDLE_BLOB_MAX);
    return true;
}

static bool put_piece(struct exporter *exporter, const char *name, struct span piece, bool more,
                      struct err *err)
{
    struct frame *frame = exporter->frames[0];
    uint8_t head[BUNDLE_BLOB_HEAD + STORE_NAME_MAX];
    size_t size = strlen(name), packed;

    frame_clear(frame);
    if (piece.size != 0)
        memcpy(frame->plain, piece.data, piece.size);
    frame->plain_size = piece.size;
    packed = frame_encode(exporter->coder, frame, exporter->packed);
    store_le32(head, more);
    store_le32(head + 4, (uint32_t)size);
    store_le32(head + 8, (uint32_t)piece.size);
    memcpy(head + BUNDLE_BLOB_HEAD, name, size);
    frame_clear(frame);
    return put_record(exporter, BUNDLE_BLOB, (struct span){head, BUNDLE_BLOB_HEAD + size},
                      (struct span){exporter->packed, packed}, err);
}

static bool put_blob(struct exporter *exporter, const struct bundle_blob *blob, struct err *err)
{
    size_t done = 0;

    do {
        size_t left = blob->bytes.size - done;
        size_t size = left < FRAME_PLAIN_MAX ? left : FRAME_PLAIN_MAX;
        struct span piece = {size != 0 ? blob->bytes.data + done : NULL, size};
        if (!put_piece(exporter, blob->name, piece, size < left, err))
            return false;
        done += size;
    } while (done < blob->bytes.size);
    return true;
}

static bool put_blobs(struct exporter *exporter, const struct bundle_contents *contents,
                      struct err *err)
{
    struct bundle_blob *sorted;
    bool ok = true;

    if (contents->blob_count > BUNDLE_BLOBS_MAX)
        return err_set(err, ERR_TOO_BIG, "%zu blobs, at most %d are allowed", contents->blob_count,
                       BUNDLE_BLOBS_MAX);
    if (contents->blob_count == 0)
        return true;
    sorted = mem_array(contents->blob_count, sizeof *sorted);
    memcpy(sorted, contents->blobs, contents->blob_count * sizeof *sorted);
    qsort(sorted, contents->blob_count, sizeof *sorted, compare_blobs);
    for (size_t i = 0; ok && i < contents->blob_count; i++)
        ok = check_blob(&sorted[i], i != 0 ? &sorted[i - 1] : NULL, err) &&
             put_blob(exporter, &sorted[i], err);
    mem_free(sorted);
    return ok;
}

/* ---- chunks ---- */

static bool put_frame(struct exporter *exporter, struct frame *frame, struct err *err)
{
    uint8_t head[4 + FRAME_CHUNKS_MAX * BUNDLE_CHUNK_RECORD];
    uint8_t *at = head + 4;
    size_t packed;

    if (frame->count == 0)
        return true;
    store_le32(head, (uint32_t)frame->count);
    for (size_t i = 0; i < frame->count; i++, at += BUNDLE_CHUNK_RECORD) {
        memcpy(at, frame->chunks[i].id.bytes, HASH_SIZE);
        store_le32(at + HASH_SIZE, frame->chunks[i].size);
    }
    packed = frame_encode(exporter->coder, frame, exporter->packed);
    frame_clear(frame);
    return put_record(exporter, BUNDLE_FRAME, (struct span){head, (size_t)(at - head)},
                      (struct span){exporter->packed, packed}, err);
}

static bool add_chunk(struct exporter *exporter, const struct hash *id, struct err *err)
{
    struct span bytes = buf_span(&exporter->bytes);
    struct frame *frame = exporter->frames[bytes.size <= SMALL_MAX];

    if (!frame_has_room(frame, bytes.size) && !put_frame(exporter, frame, err))
        return false;
    frame_add(frame, id, bytes, NULL);
    exporter->report.chunks++;
    exporter->report.plain_bytes += bytes.size;
    return true;
}

static enum walk_answer visit(void *context, const struct walk_place *place, const struct hash *id,
                              struct err *err)
{
    struct exporter *exporter = context;
    bool made;

    (void)hash_map_add(&exporter->seen, id, &made);
    if (!made)
        return WALK_SKIP;
    buf_clear(&exporter->bytes);
    if (!store_get(exporter->store, id, &exporter->bytes, err)) {
        walk_blame(place, err);
        return WALK_STOP;
    }
    return add_chunk(exporter, id, err) ? WALK_DOWN : WALK_STOP;
}

/* The node was fetched by visit just now. */
static bool node(void *context, const struct hash *id, struct buf *out, struct err *err)
{
    struct exporter *exporter = context;

    (void)id;
    return buf_append(out, exporter->bytes.data, exporter->bytes.size, err);
}

static bool put_end(struct exporter *exporter, struct err *err)
{
    uint8_t count[8];
    struct hash hash;

    store_le64(count, exporter->report.chunks);
    if (!put_frame(exporter, exporter->frames[0], err) ||
        !put_frame(exporter, exporter->frames[1], err) ||
        !put_record(exporter, BUNDLE_END, (struct span){count, sizeof count},
                    (struct span){NULL, 0}, err))
        return false;
    hash = hasher_finish(exporter->hasher);
    return put(exporter, (struct span){hash.bytes, HASH_SIZE}, err);
}

static bool put_all(struct exporter *exporter, const struct bundle_contents *contents,
                    struct err *err)
{
    const struct walk walk = {visit, node, exporter};
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    bool ok =
        store_manifest_get(exporter->store, &contents->checkpoint, &manifest, err) &&
        put_header(exporter, err) &&
        put_record(exporter, BUNDLE_MANIFEST, (struct span){NULL, 0}, buf_span(&manifest), err) &&
        put_blobs(exporter, contents, err) && walk_manifest(&walk, buf_span(&manifest), err) &&
        put_end(exporter, err);

    buf_release(&manifest);
    return ok;
}

/* Splits "a/b" into its folder and name. */
static char *folder_of(const char *path, const char **name)
{
    const char *slash = strrchr(path, '/');
    char *folder;

    *name = slash != NULL ? slash + 1 : path;
    if (slash == NULL)
        return mem_text(".");
    folder = mem_text(slash == path ? "/" : path);
    if (slash != path)
        folder[slash - path] = 0;
    return folder;
}

bool bundle_export(struct store *store, const struct bundle_contents *contents, const char *path,
                   struct bundle_report *out, struct err *err)
{
    struct exporter *exporter = mem_alloc(sizeof *exporter);
    const char *name;
    char *folder = folder_of(path, &name);
    bool ok;

    exporter->store = store;
    exporter->file = (struct temp_file)TEMP_FILE_INIT;
    exporter->hasher = hasher_new();
    exporter->coder = frame_coder_new(BUNDLE_LEVEL);
    exporter->bytes = (struct buf)BUF_INIT(STORE_CHUNK_MAX);
    exporter->report.checkpoint = contents->checkpoint;
    for (size_t i = 0; i < 2; i++)
        exporter->frames[i] = mem_alloc(sizeof *exporter->frames[i]);
    ok = temp_file_open(&exporter->file, folder, err) && put_all(exporter, contents, err) &&
         temp_file_keep(&exporter->file, folder, name, err);
    if (ok && out != NULL)
        *out = exporter->report;
    temp_file_drop(&exporter->file);
    hasher_free(exporter->hasher);
    frame_coder_free(exporter->coder);
    hash_map_release(&exporter->seen);
    buf_release(&exporter->bytes);
    mem_free(exporter->frames[0]);
    mem_free(exporter->frames[1]);
    mem_free(exporter);
    mem_free(folder);
    return ok || err_wrap(err, "export to %s", path);
}
