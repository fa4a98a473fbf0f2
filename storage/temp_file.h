/* temp_file.h — a file that is written under a name of no meaning and then, whole and durable,
 * takes its place. */
#ifndef THAW_STORAGE_TEMP_FILE_H
#define THAW_STORAGE_TEMP_FILE_H

#include "storage/base/buf.h"

struct temp_file {
    int fd;     /* -1: none */
    char *path; /* NULL: none */
};
#define TEMP_FILE_INIT                                                                             \
    {                                                                                              \
        -1, NULL                                                                                   \
    }

/* Makes an empty file in `folder`. */
bool temp_file_open(struct temp_file *file, const char *folder, struct err *err);
/* Flushes, renames to `folder`/`name` (same file system), flushes the folder. Closed afterwards,
 * and removed if it failed. */
bool temp_file_keep(struct temp_file *file, const char *folder, const char *name, struct err *err);
/* Closes and removes it; nothing to do if it was kept. */
void temp_file_drop(struct temp_file *file);

/* All of it at once: `bytes` become `folder`/`name` by way of a file in `temp_folder`. */
bool temp_file_write(const char *temp_folder, const char *folder, const char *name,
                     struct span bytes, struct err *err);

#endif
