#include "storage/blob.h"

#include "storage/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE     65536u
#define FLUSH_MAX 64 /* more at once are flushed with all the rest of the disk */

/* blobs/HA */
static char *blob_folder(const struct directory *directory, const struct hash *id)
{
    char prefix[3] = {0};

    memcpy(prefix, hash_hex(id).text, 2);
    return path_join(directory->blobs_folder, prefix);
}

static char *blob_path(const struct directory *directory, const struct hash *id)
{
    char *folder = blob_folder(directory, id);
    char *path = path_join(folder, hash_hex(id).text);

    mem_free(folder);
    return path;
}

char *store_blob_path(struct store *store, const struct hash *id)
{
    return blob_path(directory_of(store), id);
}

/* Moves a finished file to its place. Not flushed: see store_blob_sync. */
static bool move_in(struct directory *directory, struct temp_file *file, const struct hash *id,
                    struct err *err)
{
    char *folder = blob_folder(directory, id);
    char *path = blob_path(directory, id);
    bool ok = folder_make(folder, err);

    if (ok && rename(file->path, path) != 0)
        ok = err_set_errno(err, errno, "cannot put the blob %s in its place", path);
    if (ok) {
        mem_free(file->path);
        file->path = NULL;
    }
    temp_file_drop(file);
    mem_free(folder);
    mem_free(path);
    return ok;
}

/* While this is held gc leaves tmp/ alone. */
static bool begin_write(struct directory *directory, struct file_lock *lock, struct temp_file *file,
                        struct err *err)
{
    if (!file_lock(lock, directory->lock_path, false, true, err))
        return err_wrap(err, "cannot write to the store %s", directory->root);
    if (temp_file_open(file, directory->temp_folder, err))
        return true;
    file_unlock(lock);
    return false;
}

bool store_blob_put(struct store *store, struct span bytes, struct hash *id, struct err *err)
{
    struct directory *directory = directory_of(store);
    struct file_lock lock = FILE_LOCK_INIT;
    struct temp_file file = TEMP_FILE_INIT;
    struct err absent = ERR_INIT;
    uint64_t size;
    bool ok;

    *id = hash_of(bytes);
    store_blob_touch(store, id);
    if (store_blob_size(store, id, &size, &absent) && size == bytes.size)
        return true;
    if (!begin_write(directory, &lock, &file, err))
        return false;
    ok = file_write_all(file.fd, bytes, file.path, err) && move_in(directory, &file, id, err);
    temp_file_drop(&file);
    file_unlock(&lock);
    return ok;
}

static bool flush_opened(const int *fds, size_t count, const char *root, struct err *err)
{
    bool ok = true;

    /* All are on their way before the first is waited for. */
    for (size_t i = 0; i < count; i++)
        (void)sync_file_range(fds[i], 0, 0, SYNC_FILE_RANGE_WRITE);
    for (size_t i = 0; ok && i < count; i++)
        ok = fsync(fds[i]) == 0 || errno == EINVAL ||
             err_set_errno(err, errno, "cannot flush blobs of the store %s", root);
    return ok;
}

struct flush {
    int fds[2 * FLUSH_MAX + 1];
    size_t count;
};

/* Takes the path. What is not there is passed over. */
static bool open_for_flush(struct flush *flush, char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 || errno == ENOENT || err_set_errno(err, errno, "cannot open %s", path);

    if (fd >= 0)
        flush->fds[flush->count++] = fd;
    mem_free(path);
    return ok;
}

bool store_blob_flush(struct store *store, const struct hash *ids, size_t count, struct err *err)
{
    struct directory *directory = directory_of(store);
    struct flush flush = {.count = 0};
    bool ok = true;

    if (count > FLUSH_MAX)
        return store_blob_sync(store, err);
    for (size_t i = 0; ok && i < count; i++)
        ok = hash_is_zero(&ids[i]) || open_for_flush(&flush, blob_path(directory, &ids[i]), err);
    /* The folders that name them, when these are on their way. */
    for (size_t i = 0; ok && i < count; i++)
        ok = hash_is_zero(&ids[i]) || open_for_flush(&flush, blob_folder(directory, &ids[i]), err);
    ok = ok && open_for_flush(&flush, mem_text(directory->blobs_folder), err) &&
         flush_opened(flush.fds, flush.count, directory->root, err);
    for (size_t i = 0; i < flush.count; i++)
        close(flush.fds[i]);
    return ok;
}

/* Copies from one descriptor to another, at most STORE_BLOB_MAX bytes. */
static bool copy_hashed(int from, const char *name, const struct temp_file *to, struct hash *id,
                        uint64_t *size, struct err *err)
{
    struct hasher *hasher = hasher_new();
    uint8_t *piece = mem_alloc(PIECE);
    bool ok = true;
    ssize_t got;

    *size = 0;
    while (ok && (got = read(from, piece, PIECE)) != 0) {
        if (got < 0) {
            ok = errno == EINTR || err_set_errno(err, errno, "cannot read %s", name);
            continue;
        }
        *size += (uint64_t)got;
        hasher_add(hasher, (struct span){piece, (size_t)got});
        ok = *size <= STORE_BLOB_MAX
                 ? file_write_all(to->fd, (struct span){piece, (size_t)got}, to->path, err)
                 : err_set(err, ERR_TOO_BIG, "%s is larger than %llu bytes", name,
                           (unsigned long long)STORE_BLOB_MAX);
    }
    *id = hasher_finish(hasher);
    hasher_free(hasher);
    mem_free(piece);
    return ok;
}

bool store_blob_put_file(struct store *store, const char *path, struct hash *id, uint64_t *size,
                         struct err *err)
{
    struct directory *directory = directory_of(store);
    struct file_lock lock = FILE_LOCK_INIT;
    struct temp_file file = TEMP_FILE_INIT;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok;

    if (fd < 0)
        return err_set_errno(err, errno, "cannot open %s", path);
    ok = begin_write(directory, &lock, &file, err);
    if (ok) {
        ok = copy_hashed(fd, path, &file, id, size, err) && move_in(directory, &file, id, err);
        temp_file_drop(&file);
        file_unlock(&lock);
    }
    close(fd);
    return ok;
}

bool store_blob_sync(struct store *store, struct err *err)
{
    struct directory *directory = directory_of(store);
    int fd = open(directory->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok;

    if (fd < 0)
        return err_set_errno(err, errno, "cannot open %s", directory->root);
    ok = syncfs(fd) == 0 || err_set_errno(err, errno, "cannot flush the store %s", directory->root);
    close(fd);
    return ok;
}

bool store_blob_size(struct store *store, const struct hash *id, uint64_t *size, struct err *err)
{
    char *path = blob_path(directory_of(store), id);
    struct stat status;
    bool ok = stat(path, &status) == 0;

    if (!ok && errno == ENOENT)
        err_set(err, ERR_NOT_FOUND, "the blob %s is not in the store %s", hash_hex(id).text,
                store_location(store));
    else if (!ok)
        err_set_errno(err, errno, "cannot look at %s", path);
    else if (size != NULL)
        *size = (uint64_t)status.st_size;
    mem_free(path);
    return ok;
}

void store_blob_touch(struct store *store, const struct hash *id)
{
    char *path = blob_path(directory_of(store), id);

    (void)utimensat(AT_FDCWD, path, NULL, 0); /* not there, or not ours: nothing to be done */
    mem_free(path);
}

static bool says_otherwise(const struct hash *id, const char *path, struct err *err)
{
    return err_set(err, ERR_CORRUPT,
                   "the blob %s does not have the hash it is named by (%s): it is damaged, remove "
                   "it and store it again",
                   path, hash_hex(id).text);
}

bool store_blob_get(struct store *store, const struct hash *id, struct buf *out, struct err *err)
{
    struct buf bytes = BUF_INIT(out->max - out->size);
    char *path = blob_path(directory_of(store), id);
    uint64_t size;
    bool ok = store_blob_size(store, id, &size, err) && file_read(path, &bytes, err);

    if (ok) {
        struct hash hash = hash_of(buf_span(&bytes));
        ok = hash_equal(&hash, id) || says_otherwise(id, path, err);
    }
    ok = ok && buf_append(out, bytes.data, bytes.size, err);
    buf_release(&bytes);
    mem_free(path);
    return ok;
}

/* Beside the target, so that a rename can put it there whole. */
static char *folder_of(const char *path)
{
    char *folder = mem_text(path);
    char *slash = strrchr(folder, '/');

    if (slash != NULL) {
        slash[slash == folder] = 0;
        return folder;
    }
    mem_free(folder);
    return mem_text(".");
}

static bool copy_out(int fd, const char *from, const struct hash *id, const char *path,
                     struct err *err)
{
    struct temp_file file = TEMP_FILE_INIT;
    char *folder = folder_of(path);
    bool ok = temp_file_open(&file, folder, err);
    struct hash hash;
    uint64_t size;

    ok = ok && copy_hashed(fd, from, &file, &hash, &size, err) &&
         (hash_equal(&hash, id) || says_otherwise(id, from, err));
    if (ok && rename(file.path, path) != 0)
        ok = err_set_errno(err, errno, "cannot write %s", path);
    if (ok) {
        mem_free(file.path);
        file.path = NULL;
    }
    temp_file_drop(&file);
    mem_free(folder);
    return ok;
}

bool store_blob_file(struct store *store, const struct hash *id, const char *path, struct err *err)
{
    char *from = blob_path(directory_of(store), id);
    bool ok = store_blob_size(store, id, NULL, err);
    int fd = -1;

    if (ok) {
        fd = open(from, O_RDONLY | O_CLOEXEC);
        ok = fd >= 0 || err_set_errno(err, errno, "cannot open %s", from);
    }
    ok = ok && copy_out(fd, from, id, path, err);
    if (fd >= 0)
        close(fd);
    mem_free(from);
    return ok;
}

/* One blob: removed if nobody wants it and it is old enough. */
static bool sweep_blob(const char *folder, const char *name, struct blob_sweep *sweep,
                       struct err *err)
{
    struct err not_ours = ERR_INIT;
    struct stat status;
    struct hash id;
    char *path;
    bool ok = true;

    if (!hash_parse(name, &id, &not_ours) || sweep->wanted(sweep->context, &id))
        return true;
    path = path_join(folder, name);
    if (stat(path, &status) == 0 && (uint64_t)status.st_mtime + sweep->grace_s <= sweep->now_s) {
        ok = unlink(path) == 0 || errno == ENOENT ||
             err_set_errno(err, errno, "cannot remove %s", path);
        sweep->removed += ok;
        sweep->bytes += ok ? (uint64_t)status.st_size : 0;
    }
    mem_free(path);
    return ok;
}

static bool sweep_folder(const char *folder, struct blob_sweep *sweep, struct err *err)
{
    struct name_list names;
    bool ok = true;

    if (!folder_list(folder, &names, err))
        return false;
    for (size_t i = 0; ok && i < names.count; i++)
        ok = sweep_blob(folder, names.names[i], sweep, err);
    name_list_release(&names);
    return ok;
}

bool store_blob_sweep(struct store *store, struct blob_sweep *sweep, struct err *err)
{
    struct directory *directory = directory_of(store);
    struct name_list names;
    bool ok = true;

    sweep->removed = sweep->bytes = 0;
    if (!file_exists(directory->blobs_folder))
        return true;
    if (!folder_list(directory->blobs_folder, &names, err))
        return false;
    for (size_t i = 0; ok && i < names.count; i++) {
        char *folder = path_join(directory->blobs_folder, names.names[i]);
        ok = sweep_folder(folder, sweep, err);
        mem_free(folder);
    }
    name_list_release(&names);
    return ok;
}
