#include "storage/temp_file.h"

#include "storage/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

bool temp_file_open(struct temp_file *file, const char *folder, struct err *err)
{
    char *path = path_join(folder, "tmp-XXXXXX");
    int fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0) {
        err_set_errno(err, errno, "cannot make a file in %s", folder);
        mem_free(path);
        return false;
    }
    (void)fchmod(fd, 0644);
    file->fd = fd;
    file->path = path;
    return true;
}

static bool flush_and_close(struct temp_file *file, const char *name, struct err *err)
{
    int fd = file->fd;

    if (fsync(fd) != 0)
        return err_set_errno(err, errno, "cannot flush %s", name);
    file->fd = -1;
    if (close(fd) != 0)
        return err_set_errno(err, errno, "cannot close %s", name);
    return true;
}

bool temp_file_keep(struct temp_file *file, const char *folder, const char *name, struct err *err)
{
    char *path = path_join(folder, name);
    bool ok = flush_and_close(file, path, err);

    if (ok && rename(file->path, path) != 0)
        ok = err_set_errno(err, errno, "cannot put %s in its place", path);
    if (ok) {
        mem_free(file->path);
        file->path = NULL;
        ok = folder_sync(folder, err);
    }
    temp_file_drop(file);
    mem_free(path);
    return ok;
}

void temp_file_drop(struct temp_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    if (file->path != NULL)
        (void)unlink(file->path);
    mem_free(file->path);
    *file = (struct temp_file)TEMP_FILE_INIT;
}

bool temp_file_write(const char *temp_folder, const char *folder, const char *name,
                     struct span bytes, struct err *err)
{
    struct temp_file file = TEMP_FILE_INIT;

    if (!temp_file_open(&file, temp_folder, err))
        return false;
    if (!file_write_all(file.fd, bytes, file.path, err)) {
        temp_file_drop(&file);
        return false;
    }
    return temp_file_keep(&file, folder, name, err);
}
