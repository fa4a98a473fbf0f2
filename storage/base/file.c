#include "storage/base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_STEP 65536

static bool read_to_end(int fd, const char *path, struct buf *out, struct err *err)
{
    for (;;) {
        size_t room = out->max - out->size;
        size_t step = room < READ_STEP ? room : READ_STEP;
        uint8_t extra[1];
        ssize_t got;

        if (room == 0) {
            got = read(fd, extra, 1);
            if (got > 0)
                return err_set(err, ERR_TOO_BIG, "%s is larger than the limit of %zu bytes", path,
                               out->max);
        } else {
            if (!buf_reserve(out, step, err))
                return false;
            got = read(fd, out->data + out->size, step);
        }
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(err, errno, "cannot read %s", path);
        if (got == 0)
            return true;
        out->size += (size_t)got;
    }
}

bool file_read_some(int fd, struct buf *out, bool *ended, const char *name, struct err *err)
{
    uint8_t piece[16384];
    ssize_t got;

    do
        got = read(fd, piece, sizeof piece);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return err_set_errno(err, errno, "cannot read %s", name);
    *ended = got == 0;
    return buf_append(out, piece, (size_t)got, err);
}

bool file_read(const char *path, struct buf *out, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    bool ok;

    if (fd < 0)
        return err_set_errno(err, errno, "cannot open %s", path);
    if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size > out->max) {
        close(fd);
        return err_set(err, ERR_TOO_BIG, "%s has %llu bytes, over the limit of %zu", path,
                       (unsigned long long)info.st_size, out->max);
    }
    ok = read_to_end(fd, path, out, err);
    close(fd);
    return ok;
}

bool file_write_all(int fd, struct span bytes, const char *name, struct err *err)
{
    size_t done = 0;

    while (done < bytes.size) {
        ssize_t put = write(fd, bytes.data + done, bytes.size - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return err_set_errno(err, errno, "cannot write %s", name);
        done += (size_t)put;
    }
    return true;
}

bool file_read_at(int fd, void *out, size_t size, uint64_t offset, const char *name,
                  struct err *err)
{
    size_t done = 0;

    while (done < size) {
        ssize_t got = pread(fd, (uint8_t *)out + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_set_errno(err, errno, "cannot read %s", name);
        if (got == 0)
            return err_set(err, ERR_CORRUPT, "%s ends at byte %llu, %zu more were expected", name,
                           (unsigned long long)offset + done, size - done);
        done += (size_t)got;
    }
    return true;
}

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder;

    if (slash == NULL)
        return mem_text(".");
    if (slash == path)
        return mem_text("/");
    folder = mem_text(path);
    folder[slash - path] = 0;
    return folder;
}

static bool write_and_close(int fd, struct span bytes, const char *name, struct err *err)
{
    bool ok = file_write_all(fd, bytes, name, err);

    if (ok && fsync(fd) != 0)
        ok = err_set_errno(err, errno, "cannot flush %s", name);
    if (close(fd) != 0 && ok)
        ok = err_set_errno(err, errno, "cannot close %s", name);
    return ok;
}

/* Not mkstemp: its files are for their owner alone, while these are meant to get what the umask
 * says. */
static int open_beside(const char *path, char *name, size_t size)
{
    static atomic_uint next;
    int fd;

    do {
        snprintf(name, size, "%s.tmp-%lld-%u", path, (long long)getpid(),
                 atomic_fetch_add(&next, 1));
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EEXIST);
    return fd;
}

bool file_write(const char *path, struct span bytes, struct err *err)
{
    size_t size = strlen(path) + 48;
    char *temporary = mem_alloc(size);
    char *folder = folder_of(path);
    bool ok;
    int fd;

    fd = open_beside(path, temporary, size);
    if (fd < 0) {
        ok = err_set_errno(err, errno, "cannot make a file beside %s", path);
        goto out;
    }
    ok = write_and_close(fd, bytes, path, err);
    if (ok && rename(temporary, path) != 0)
        ok = err_set_errno(err, errno, "cannot put %s in its place", path);
    if (!ok)
        (void)unlink(temporary);
    ok = ok && folder_sync(folder, err);
out:
    mem_free(folder);
    mem_free(temporary);
    return ok;
}

bool file_exists(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0;
}

bool file_size(const char *path, uint64_t *out, struct err *err)
{
    struct stat info;

    if (stat(path, &info) != 0)
        return err_set_errno(err, errno, "cannot look at %s", path);
    *out = (uint64_t)info.st_size;
    return true;
}

static bool make_one(const char *path, struct err *err)
{
    struct stat info;

    if (mkdir(path, 0755) == 0)
        return true;
    if (errno == EEXIST && stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return true;
    return err_set_errno(err, errno, "cannot make the folder %s", path);
}

bool folder_make(const char *path, struct err *err)
{
    char *part = mem_text(path);
    bool ok = true;

    for (char *slash = part + 1; ok && part[0] != 0 && (slash = strchr(slash, '/')) != NULL;
         slash++) {
        *slash = 0;
        ok = make_one(part, err);
        *slash = '/';
    }
    ok = ok && make_one(part, err);
    mem_free(part);
    return ok;
}

bool folder_sync(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = true;

    if (fd < 0)
        return err_set_errno(err, errno, "cannot open the folder %s", path);
    if (fsync(fd) != 0 && errno != EINVAL)
        ok = err_set_errno(err, errno, "cannot flush the folder %s", path);
    close(fd);
    return ok;
}

static bool remove_folder(const char *path, struct err *err)
{
    struct name_list list = {0};
    bool ok = folder_list(path, &list, err);

    for (size_t i = 0; ok && i < list.count; i++) {
        char *child = path_join(path, list.names[i]);
        ok = file_remove(child, err);
        mem_free(child);
    }
    name_list_release(&list);
    if (ok && rmdir(path) != 0 && errno != ENOENT)
        ok = err_set_errno(err, errno, "cannot remove the folder %s", path);
    return ok;
}

bool file_remove(const char *path, struct err *err)
{
    struct stat info;

    if (lstat(path, &info) != 0)
        return errno == ENOENT ? true : err_set_errno(err, errno, "cannot look at %s", path);
    if (S_ISDIR(info.st_mode))
        return remove_folder(path, err);
    if (unlink(path) != 0 && errno != ENOENT)
        return err_set_errno(err, errno, "cannot remove %s", path);
    return true;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_add(struct name_list *list, size_t *capacity, const char *name)
{
    if (list->count == *capacity) {
        char **larger = mem_array(*capacity * 2 + 16, sizeof *larger);
        if (list->count != 0)
            memcpy(larger, list->names, list->count * sizeof *larger);
        mem_free(list->names);
        list->names = larger;
        *capacity = *capacity * 2 + 16;
    }
    list->names[list->count++] = mem_text(name);
}

bool folder_list(const char *path, struct name_list *out, struct err *err)
{
    DIR *folder = opendir(path);
    struct name_list list = {NULL, 0};
    size_t capacity = 0;
    struct dirent *entry;
    int code;

    if (folder == NULL)
        return err_set_errno(err, errno, "cannot list %s", path);
    errno = 0; /* so that the end and a failure can be told apart */
    while ((entry = readdir(folder)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            list_add(&list, &capacity, entry->d_name);
    code = errno;
    closedir(folder);
    if (code != 0) {
        name_list_release(&list);
        return err_set_errno(err, code, "cannot list %s", path);
    }
    if (list.count != 0)
        qsort(list.names, list.count, sizeof *list.names, compare_names);
    *out = list;
    return true;
}

void name_list_release(struct name_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        mem_free(list->names[i]);
    mem_free(list->names);
    list->names = NULL;
    list->count = 0;
}

char *path_join(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = mem_alloc(size);

    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

bool file_lock(struct file_lock *lock, const char *path, bool exclusive, bool wait, struct err *err)
{
    int how = (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0)
        return err_set_errno(err, errno, "cannot open the lock %s", path);
    while (flock(fd, how) != 0) {
        int code = errno;
        if (code == EINTR)
            continue;
        close(fd);
        if (code == EWOULDBLOCK)
            return err_set(err, ERR_CONFLICT, "%s is locked by another process", path);
        return err_set_errno(err, code, "cannot lock %s", path);
    }
    lock->fd = fd;
    return true;
}

void file_unlock(struct file_lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd);
    lock->fd = -1;
}

bool file_is_at(int fd, const char *path)
{
    struct stat ours, now;

    return fstat(fd, &ours) == 0 && stat(path, &now) == 0 && ours.st_ino == now.st_ino &&
           ours.st_dev == now.st_dev;
}
