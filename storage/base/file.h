/* file.h — files written whole or not at all, read within bounds, locked between processes. */
#ifndef THAW_BASE_FILE_H
#define THAW_BASE_FILE_H

#include "storage/base/buf.h"

/* Reads the whole file. ERR_TOO_BIG if it is larger than out->max. */
bool file_read(const char *path, struct buf *out, struct err *err);
/* Temporary file beside it, fsync, rename, fsync of the folder. */
bool file_write(const char *path, struct span bytes, struct err *err);
/* write(2) until all is written. `name` is for the message. */
bool file_write_all(int fd, struct span bytes, const char *name, struct err *err);
bool file_read_at(int fd, void *out, size_t size, uint64_t offset, const char *name,
                  struct err *err);
/* Appends what one read(2) gives; *ended when there is no more. */
bool file_read_some(int fd, struct buf *out, bool *ended, const char *name, struct err *err);
bool file_exists(const char *path);
bool file_size(const char *path, uint64_t *out, struct err *err);
/* Makes the folder and its parents. */
bool folder_make(const char *path, struct err *err);
bool folder_sync(const char *path, struct err *err);
/* Removes a file, or a folder with all that is in it. No error if it is not there. */
bool file_remove(const char *path, struct err *err);

/* The names in a folder, sorted bytewise, without "." and "..". Freed by name_list_release. */
struct name_list {
    char **names;
    size_t count;
};
bool folder_list(const char *path, struct name_list *out, struct err *err);
void name_list_release(struct name_list *list);

/* "a/b" in memory of its own, freed with mem_free. */
char *path_join(const char *folder, const char *name);

/* An advisory lock on a file of its own (flock): shared or exclusive, waits unless `wait` is false
 * (then ERR_CONFLICT). Released by closing, or when the process ends. */
struct file_lock {
    int fd; /* -1: not held */
};
#define FILE_LOCK_INIT                                                                             \
    {                                                                                              \
        -1                                                                                         \
    }
bool file_lock(struct file_lock *lock, const char *path, bool exclusive, bool wait,
               struct err *err);
void file_unlock(struct file_lock *lock);
/* Whether `path` names the file that is open as `fd`: between opening and locking it, it may have
 * been removed, or moved elsewhere, by whoever had the lock. */
bool file_is_at(int fd, const char *path);

#endif
