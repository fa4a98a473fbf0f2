/* What comes in: written to a file of its own, believed only when it is whole. */
#include "storage/base/manifest.h"
#include "storage/directory.h"
#include "storage/exchange_place.h"
#include "storage/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct intake {
    struct store *store; /* borrowed */
    enum exchange_kind kind;
    char *name;
    char *path; /* incoming/NAME */
    int fd;     /* locked: one writer */
    uint64_t size;
};

static uint64_t bytes_max(enum exchange_kind kind)
{
    return kind == EXCHANGE_MANIFEST ? MANIFEST_BYTES_MAX : STORE_BLOB_MAX;
}

static void release(struct intake *intake)
{
    if (intake->fd >= 0)
        close(intake->fd);
    mem_free(intake->name);
    mem_free(intake->path);
    mem_free(intake);
}

/* Opens and locks the file. Between the two gc may remove it, or another writer may have put it in
 * its place, where nobody may write to it any more: then it is made once more. */
static bool open_locked(struct intake *intake, struct err *err)
{
    struct stat status;

    for (int attempt = 0; attempt < 8; attempt++) {
        intake->fd = open(intake->path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
        if (intake->fd < 0)
            return err_set_errno(err, errno, "cannot open %s", intake->path);
        if (flock(intake->fd, LOCK_EX | LOCK_NB) != 0)
            return errno == EWOULDBLOCK
                       ? err_set(err, ERR_CONFLICT, "%s is being fetched by another process",
                                 intake->name)
                       : err_set_errno(err, errno, "cannot lock %s", intake->path);
        if (fstat(intake->fd, &status) != 0)
            return err_set_errno(err, errno, "cannot look at %s", intake->path);
        if (file_is_at(intake->fd, intake->path)) {
            intake->size = (uint64_t)status.st_size;
            return true;
        }
        close(intake->fd);
        intake->fd = -1;
    }
    return err_set(err, ERR_CONFLICT, "%s is removed as often as it is made", intake->path);
}

bool intake_open(struct store *store, enum exchange_kind kind, const char *name,
                 struct intake **out, struct err *err)
{
    struct directory *directory = directory_of(store);
    struct intake *intake;

    if (!exchange_check_name(kind, name, err) || !folder_make(directory->incoming_folder, err))
        return false;
    intake = mem_alloc(sizeof *intake);
    *intake = (struct intake){store, kind, mem_text(name), NULL, -1, 0};
    intake->path = path_join(directory->incoming_folder, name);
    if (!open_locked(intake, err)) {
        release(intake);
        return false;
    }
    if (intake->size > bytes_max(kind) && !intake_restart(intake, err)) {
        release(intake);
        return false;
    }
    *out = intake;
    return true;
}

uint64_t intake_size(const struct intake *intake)
{
    return intake->size;
}

bool intake_add(struct intake *intake, struct span bytes, struct err *err)
{
    if (bytes.size > bytes_max(intake->kind) - intake->size)
        return err_set(err, ERR_TOO_BIG, "%s is larger than %llu bytes", intake->name,
                       (unsigned long long)bytes_max(intake->kind));
    for (size_t done = 0; done < bytes.size;) {
        ssize_t wrote =
            pwrite(intake->fd, bytes.data + done, bytes.size - done, (off_t)(intake->size + done));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return err_set_errno(err, errno, "cannot write %s", intake->path);
        done += (size_t)wrote;
    }
    intake->size += bytes.size;
    return true;
}

bool intake_restart(struct intake *intake, struct err *err)
{
    if (ftruncate(intake->fd, 0) != 0)
        return err_set_errno(err, errno, "cannot empty %s", intake->path);
    intake->size = 0;
    return true;
}

void intake_pause(struct intake *intake)
{
    if (intake != NULL)
        release(intake);
}

void intake_abort(struct intake *intake)
{
    if (intake == NULL)
        return;
    (void)unlink(intake->path);
    release(intake);
}

static bool hash_file(const struct intake *intake, struct hash *out, struct err *err)
{
    struct hasher *hasher = hasher_new();
    uint8_t *piece = mem_alloc(65536);
    bool ok = true;

    for (uint64_t at = 0; ok && at < intake->size;) {
        size_t size = intake->size - at < 65536 ? (size_t)(intake->size - at) : 65536;
        ok = file_read_at(intake->fd, piece, size, at, intake->path, err);
        if (ok)
            hasher_add(hasher, (struct span){piece, size});
        at += size;
    }
    *out = hasher_finish(hasher);
    hasher_free(hasher);
    mem_free(piece);
    return ok;
}

static bool check_hash(const struct intake *intake, struct err *err)
{
    struct hash expected, hash;

    if (!hash_parse(intake->name, &expected, err) || !hash_file(intake, &hash, err))
        return false;
    return hash_equal(&hash, &expected) ||
           err_set(err, ERR_CORRUPT, "what came as %s has another hash (%s)", intake->name,
                   hash_hex(&hash).text);
}

static bool check_chunks(const struct frame *frame, const struct pack *pack, struct err *err)
{
    size_t at = 0;

    for (size_t i = 0; i < frame->count; i++) {
        struct hash hash = hash_of((struct span){frame->plain + at, frame->chunks[i].size});
        if (!hash_equal(&hash, &frame->chunks[i].id))
            return err_set(err, ERR_CORRUPT, "chunk %s in %s does not match its hash",
                           hash_hex(&frame->chunks[i].id).text, pack_name(pack));
        at += frame->chunks[i].size;
    }
    return true;
}

static bool is_delta(const struct frame *frame)
{
    return frame->count != 0 && !hash_is_zero(&frame->chunks[0].base);
}

static bool bases_are_here(struct directory *directory, const struct frame *frame)
{
    struct pack_chunk base;

    for (size_t i = 0; i < frame->count; i++)
        if (!directory_find(directory, &frame->chunks[i].base, &base))
            return false;
    return true;
}

/* The frames with deltas, or those without. Deltas of chunks that are not here are passed over. */
static bool check_frames(struct directory *directory, const struct pack *pack, bool deltas,
                         struct err *err)
{
    struct directory_decoder *decoder = directory_take_decoder(directory);
    bool ok = true;
    size_t size;

    for (uint32_t f = 0; ok && f < pack_frame_count(pack); f++) {
        ok = pack_read(pack, f, decoder->packed, &size, &decoder->frame, err);
        if (!ok || is_delta(&decoder->frame) != deltas ||
            (deltas && !bases_are_here(directory, &decoder->frame)))
            continue;
        ok = directory_read_frame(directory, pack, f, decoder, err) &&
             check_chunks(&decoder->frame, pack, err);
    }
    directory_give_decoder(directory, decoder);
    return ok;
}

static bool check_pack(const struct intake *intake, struct err *err)
{
    struct directory *directory = directory_of(intake->store);
    struct pack *pack;
    bool ok;

    if (!pack_open(directory->incoming_folder, intake->name, &pack, err))
        return false;
    ok = check_frames(directory, pack, false, err);
    pack_close(pack);
    return ok;
}

/* A pack's deltas may be of chunks of its own, so they are checked when it is in its place. */
static bool check_deltas(const struct intake *intake, struct err *err)
{
    struct directory *directory = directory_of(intake->store);
    struct pack *pack;
    bool ok;

    if (!directory_list_packs(directory, err) ||
        !pack_open(directory->packs_folder, intake->name, &pack, err))
        return false;
    ok = check_frames(directory, pack, true, err);
    if (!ok && err->kind == ERR_CORRUPT)
        (void)unlink(pack_path(pack));
    pack_close(pack);
    return ok;
}

bool intake_is_checkable(const struct intake *intake)
{
    struct directory *directory = directory_of(intake->store);
    struct hash_map own = {0};
    struct err ignored = ERR_INIT;
    struct pack_chunk found;
    struct pack *pack;
    struct hash id, base;
    bool ok = true;

    if (intake->kind != EXCHANGE_PACK ||
        !pack_open(directory->incoming_folder, intake->name, &pack, &ignored))
        return true;
    for (uint32_t i = 0; i < pack_chunk_count(pack); i++) {
        pack_chunk_ids(pack, i, &id, &base);
        (void)hash_map_add(&own, &id, NULL);
    }
    for (uint32_t i = 0; ok && i < pack_chunk_count(pack); i++) {
        pack_chunk_ids(pack, i, &id, &base);
        ok = hash_is_zero(&base) || hash_map_has(&own, &base) ||
             directory_find(directory, &base, &found);
    }
    hash_map_release(&own);
    pack_close(pack);
    return ok;
}

/* A pack with a delta that does not give what it is named by goes away whole, so that it can be
 * fetched again. */
static void move_away(struct directory *directory, const struct hash *id)
{
    struct err ignored = ERR_INIT;
    const struct pack *pack;
    uint32_t index;
    char *to;

    if (!directory_preferred(directory, id, &pack, &index))
        return;
    to = path_join(directory->damaged_folder, pack_name(pack));
    if (folder_make(directory->damaged_folder, &ignored))
        (void)rename(pack_path(pack), to);
    (void)directory_list_packs(directory, &ignored);
    mem_free(to);
}

static enum walk_answer read_chunk(void *context, const struct walk_place *place,
                                   const struct hash *id, struct err *err)
{
    struct directory *directory = context;
    struct buf bytes = BUF_INIT(STORE_CHUNK_MAX);
    bool ok = directory_get(directory, id, &bytes, err);

    buf_release(&bytes);
    if (ok)
        return WALK_DOWN;
    if (err->kind == ERR_CORRUPT)
        move_away(directory, id);
    err_wrap(err, "%s", walk_place_text(place).text);
    return WALK_STOP;
}

static bool read_node(void *context, const struct hash *id, struct buf *out, struct err *err)
{
    return directory_get(context, id, out, err);
}

/* By a batch, which looks that all chunks are there. Each is read once before: deltas were not yet
 * checked. */
static bool commit_manifest(struct intake *intake, struct err *err)
{
    const struct walk walk = {read_chunk, read_node, directory_of(intake->store)};
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct store_commit commit = {.from_elsewhere = true};
    struct store_batch *batch;
    bool ok =
        file_read(intake->path, &manifest, err) && store_batch_begin(intake->store, &batch, err);

    if (ok) {
        commit.manifest = buf_span(&manifest);
        ok = walk_manifest(&walk, commit.manifest, err);
        if (ok)
            ok = store_batch_commit(batch, &commit, NULL, err);
        else
            store_batch_abort(batch);
    }
    buf_release(&manifest);
    (void)unlink(intake->path);
    return ok;
}

static bool move_in(struct intake *intake, struct err *err)
{
    char *path = exchange_path(intake->store, intake->kind, intake->name);
    char *slash = strrchr(path, '/');
    bool ok;

    *slash = 0;
    ok = folder_make(path, err);
    if (ok && intake->kind == EXCHANGE_PACK && fsync(intake->fd) != 0)
        ok = err_set_errno(err, errno, "cannot flush %s", intake->path);
    *slash = '/';
    if (ok && rename(intake->path, path) != 0)
        ok = err_set_errno(err, errno, "cannot put %s in its place", path);
    *slash = 0;
    ok = ok && (intake->kind != EXCHANGE_PACK || folder_sync(path, err));
    mem_free(path);
    return ok;
}

/* gc waits while a part goes from one folder to another. */
static bool move_in_locked(struct intake *intake, struct err *err)
{
    struct directory *directory = directory_of(intake->store);
    struct file_lock lock = FILE_LOCK_INIT;
    bool ok = file_lock(&lock, directory->lock_path, false, true, err) && move_in(intake, err);

    file_unlock(&lock);
    return ok;
}

bool intake_commit(struct intake *intake, struct err *err)
{
    bool ok = intake->kind == EXCHANGE_PACK ? check_pack(intake, err) : check_hash(intake, err);

    if (!ok) {
        intake_abort(intake);
        return false;
    }
    if (intake->kind == EXCHANGE_MANIFEST)
        ok = commit_manifest(intake, err);
    else
        ok = move_in_locked(intake, err) &&
             (intake->kind != EXCHANGE_PACK || check_deltas(intake, err));
    if (ok)
        intake_pause(intake);
    else
        intake_abort(intake);
    return ok;
}
