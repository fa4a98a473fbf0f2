#include "storage/directory.h"

#include "storage/base/manifest.h"
#include "storage/tag.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

char *directory_manifest_path(struct directory *directory, const struct hash *id)
{
    return path_join(directory->manifests_folder, hash_hex(id).text);
}

bool directory_manifest_get(struct directory *directory, const struct hash *id, struct buf *out,
                            struct err *err)
{
    struct buf bytes = BUF_INIT(MANIFEST_BYTES_MAX);
    char *path = directory_manifest_path(directory, id);
    bool ok = file_read(path, &bytes, err);
    struct hash hash;

    if (!ok && err->kind == ERR_NOT_FOUND)
        err_set(err, ERR_NOT_FOUND, "checkpoint %s is not in the store %s", hash_hex(id).text,
                directory->root);
    if (ok) {
        hash = hash_of(buf_span(&bytes));
        ok = hash_equal(&hash, id) ||
             err_set(err, ERR_CORRUPT,
                     "the manifest %s does not match its hash: the checkpoint is damaged, import "
                     "or freeze it again",
                     path);
    }
    ok = ok && buf_append(out, bytes.data, bytes.size, err);
    mem_free(path);
    buf_release(&bytes);
    return ok;
}

bool directory_manifest_list(struct directory *directory, struct hash_list *out, struct err *err)
{
    struct hash_list list = {0};
    struct name_list names;

    if (!folder_list(directory->manifests_folder, &names, err))
        return false;
    list.items = mem_array(names.count, sizeof *list.items);
    for (size_t i = 0; i < names.count; i++) {
        struct err ignored = ERR_INIT;
        if (hash_parse(names.names[i], &list.items[list.count], &ignored))
            list.count++;
    }
    name_list_release(&names);
    *out = list;
    return true;
}

/* Opens a manifest's file and tries for a lock on it. -1 with err set if it is not there or is
 * locked. */
static int lock_manifest(struct directory *directory, const struct hash *id, int how,
                         struct err *err)
{
    char *path = directory_manifest_path(directory, id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int code = errno;

    mem_free(path);
    if (fd < 0 && code == ENOENT) {
        err_set(err, ERR_NOT_FOUND, "checkpoint %s is not in the store %s", hash_hex(id).text,
                directory->root);
        return -1;
    }
    if (fd < 0) {
        err_set_errno(err, code, "cannot open the manifest of %s", hash_hex(id).text);
        return -1;
    }
    do
        code = flock(fd, how == LOCK_EX ? LOCK_EX | LOCK_NB : LOCK_SH) == 0 ? 0 : errno;
    while (code == EINTR);
    if (code == 0)
        return fd;
    close(fd);
    if (code == EWOULDBLOCK)
        err_set(err, ERR_CONFLICT, "checkpoint %s is in use by a running thaw", hash_hex(id).text);
    else
        err_set_errno(err, code, "cannot lock the manifest of %s", hash_hex(id).text);
    return -1;
}

bool directory_manifest_is_pinned(struct directory *directory, const struct hash *id)
{
    struct err err = ERR_INIT;
    int fd = lock_manifest(directory, id, LOCK_EX, &err);

    if (fd >= 0)
        close(fd);
    return fd < 0 && err.kind == ERR_CONFLICT;
}

struct directory_pin {
    struct store_pin pin;
    int fd;
};

static void release_pin(struct store_pin *pin)
{
    struct directory_pin *ours = (struct directory_pin *)pin;

    close(ours->fd);
    mem_free(ours);
}

static bool is_still_there(struct directory *directory, const struct hash *id, int fd)
{
    char *path = directory_manifest_path(directory, id);
    bool same = file_is_at(fd, path);

    mem_free(path);
    return same;
}

/* A thaw does not wait for gc: gc looks again for pins when it removes manifests, which it does
 * first. */
bool directory_pin(void *context, const struct hash *id, struct store_pin **out, struct err *err)
{
    struct directory *directory = context;
    struct directory_pin *pin;
    int fd = lock_manifest(directory, id, LOCK_SH, err);

    if (fd < 0)
        return false;
    if (!is_still_there(directory, id, fd)) {
        close(fd);
        return err_set(err, ERR_NOT_FOUND, "checkpoint %s was just removed from the store %s",
                       hash_hex(id).text, directory->root);
    }
    pin = mem_alloc(sizeof *pin);
    pin->pin.release = release_pin;
    pin->fd = fd;
    *out = &pin->pin;
    return true;
}

static bool check_untagged(struct directory *directory, const struct hash *id, struct err *err)
{
    struct name_list names;
    bool ok = true;

    if (!directory_tag_names(directory, &names, err))
        return false;
    for (size_t i = 0; ok && i < names.count; i++) {
        struct err ignored = ERR_INIT;
        struct store_tag tag;
        if (!directory_tag_get(directory, names.names[i], &tag, &ignored))
            continue;
        if (hash_equal(&tag.checkpoint, id))
            ok = err_set(err, ERR_CONFLICT, "checkpoint %s has the tag %s: remove the tag first",
                         hash_hex(id).text, tag.name);
        store_tag_release(&tag);
    }
    name_list_release(&names);
    return ok;
}

bool directory_manifest_unlink(struct directory *directory, const struct hash *id, struct err *err)
{
    int fd = lock_manifest(directory, id, LOCK_EX, err);
    char *path;
    bool ok;

    if (fd < 0)
        return false;
    path = directory_manifest_path(directory, id);
    ok = file_remove(path, err);
    mem_free(path);
    close(fd);
    return ok;
}

bool directory_manifest_remove(struct directory *directory, const struct hash *id, struct err *err)
{
    struct file_lock lock = FILE_LOCK_INIT;
    bool ok;

    if (!file_lock(&lock, directory->lock_path, true, true, err))
        return false;
    ok = check_untagged(directory, id, err) && directory_manifest_unlink(directory, id, err) &&
         folder_sync(directory->manifests_folder, err);
    file_unlock(&lock);
    return ok;
}

bool directory_tag_write(struct directory *directory, const struct store_tag *tag, struct err *err)
{
    struct buf bytes = BUF_INIT(TAG_BYTES_MAX);
    struct tag_file_name name = tag_file_name(tag->name);
    bool ok = tag_encode(tag, &bytes, err) &&
              temp_file_write(directory->temp_folder, directory->tags_folder, name.text,
                              buf_span(&bytes), err);

    buf_release(&bytes);
    return ok;
}

bool directory_tag_set(void *context, const struct store_tag *tag, struct err *err)
{
    struct directory *directory = context;
    struct file_lock lock = FILE_LOCK_INIT;
    char *path;
    bool ok;

    if (!store_name_check(tag->name, err) ||
        !file_lock(&lock, directory->lock_path, false, true, err))
        return false;
    path = directory_manifest_path(directory, &tag->checkpoint);
    ok = file_exists(path) ||
         err_set(err, ERR_NOT_FOUND, "tag %s: checkpoint %s is not in the store %s", tag->name,
                 hash_hex(&tag->checkpoint).text, directory->root);
    ok = ok && directory_tag_write(directory, tag, err);
    mem_free(path);
    file_unlock(&lock);
    return ok;
}

bool directory_tag_get(struct directory *directory, const char *name, struct store_tag *out,
                       struct err *err)
{
    struct buf bytes = BUF_INIT(TAG_BYTES_MAX);
    struct tag_file_name file = tag_file_name(name);
    char *path;
    bool ok;

    if (!store_name_check(name, err))
        return false;
    path = path_join(directory->tags_folder, file.text);
    ok = file_read(path, &bytes, err);
    if (!ok && err->kind == ERR_NOT_FOUND)
        err_set(err, ERR_NOT_FOUND, "there is no tag %s in the store %s", name, directory->root);
    ok = ok && tag_decode(buf_span(&bytes), name, out, err);
    mem_free(path);
    buf_release(&bytes);
    return ok;
}

bool directory_tag_remove(void *context, const char *name, struct err *err)
{
    struct directory *directory = context;
    struct file_lock lock = FILE_LOCK_INIT;
    struct tag_file_name file = tag_file_name(name);
    char *path;
    bool ok;

    if (!store_name_check(name, err) || !file_lock(&lock, directory->lock_path, false, true, err))
        return false;
    path = path_join(directory->tags_folder, file.text);
    if (!file_exists(path))
        ok = err_set(err, ERR_NOT_FOUND, "there is no tag %s in the store %s", name,
                     directory->root);
    else
        ok = file_remove(path, err) && folder_sync(directory->tags_folder, err);
    mem_free(path);
    file_unlock(&lock);
    return ok;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names as people write them. */
bool directory_tag_names(struct directory *directory, struct name_list *out, struct err *err)
{
    struct name_list files, names = {0};

    if (!folder_list(directory->tags_folder, &files, err))
        return false;
    names.names = mem_array(files.count, sizeof *names.names);
    for (size_t i = 0; i < files.count; i++) {
        char name[STORE_NAME_MAX + 1];
        if (tag_name_of_file(files.names[i], name))
            names.names[names.count++] = mem_text(name);
    }
    name_list_release(&files);
    if (names.count != 0)
        qsort(names.names, names.count, sizeof *names.names, compare_names);
    *out = names;
    return true;
}
