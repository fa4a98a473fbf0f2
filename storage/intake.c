/* What comes in: written to a file of its own, believed only when it is whole. */
#include "storage/base/manifest.h"
#include "storage/directory.h"
#include "storage/exchange_place.h"

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

/* Opens and locks the file. gc may remove one between the two: then it is made once more. */
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
        if (status.st_nlink != 0) {
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

/* Deltas are of chunks that may come in a pack after this one: those are checked, as every chunk
 * is, when they are read. */
static bool is_delta(const struct frame *frame)
{
    return frame->count != 0 && !hash_is_zero(&frame->chunks[0].base);
}

static bool check_pack(const struct intake *intake, struct err *err)
{
    struct directory *directory = directory_of(intake->store);
    struct directory_decoder *decoder;
    struct pack *pack;
    bool ok = pack_open(directory->incoming_folder, intake->name, &pack, err);
    size_t size;

    if (!ok)
        return false;
    decoder = directory_take_decoder(directory);
    for (uint32_t f = 0; ok && f < pack_frame_count(pack); f++) {
        decoder->frame.prefix_size = 0;
        ok = pack_read(pack, f, decoder->packed, &size, &decoder->frame, err);
        if (!ok || is_delta(&decoder->frame))
            continue;
        ok = (frame_decode(decoder->coder, (struct span){decoder->packed, size}, &decoder->frame,
                           err) ||
              err_wrap(err, "%s", intake->name)) &&
             check_chunks(&decoder->frame, pack, err);
    }
    directory_give_decoder(directory, decoder);
    pack_close(pack);
    return ok;
}

/* By a batch, which looks that all chunks are there. */
static bool commit_manifest(struct intake *intake, struct err *err)
{
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct store_commit commit = {.from_elsewhere = true};
    struct store_batch *batch;
    bool ok =
        file_read(intake->path, &manifest, err) && store_batch_begin(intake->store, &batch, err);

    if (ok) {
        commit.manifest = buf_span(&manifest);
        ok = store_batch_commit(batch, &commit, NULL, err);
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
        ok = move_in_locked(intake, err);
    if (ok)
        intake_pause(intake);
    else
        intake_abort(intake);
    return ok;
}
