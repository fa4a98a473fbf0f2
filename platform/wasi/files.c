/* What WASI's files lack: rights, locks, temporary names, flushing all at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

/* WASI has no working folder: whoever starts the program says which one is meant. */
__attribute__((constructor)) static void enter_folder(void)
{
    const char *folder = getenv("PWD");

    if (folder != NULL)
        (void)chdir(folder);
}

int chmod(const char *path, mode_t mode)
{
    (void)path;
    (void)mode;
    return 0;
}

int fchmod(int fd, mode_t mode)
{
    (void)fd;
    (void)mode;
    return 0;
}

mode_t umask(mode_t mode)
{
    (void)mode;
    return 022;
}

int flock(int fd, int operation)
{
    (void)fd;
    (void)operation;
    return 0;
}

int syncfs(int fd)
{
    (void)fd;
    return 0; /* what counts was flushed file by file */
}

int sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    (void)fd;
    (void)offset;
    (void)size;
    (void)flags;
    return 0; /* a hint */
}

int ioctl(int fd, int request, ...)
{
    (void)fd;
    (void)request;
    errno = ENOTTY;
    return -1;
}

/* Replaces the pattern's last six letters; true as long as another try may help. */
static int next_name(char *pattern)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t size = strlen(pattern);
    uint8_t random[6];

    if (size < 6 || strcmp(pattern + size - 6, "XXXXXX") != 0 ||
        getentropy(random, sizeof random) != 0) {
        errno = EINVAL;
        return -1;
    }
    for (size_t i = 0; i < 6; i++)
        pattern[size - 6 + i] = letters[random[i] % (sizeof letters - 1)];
    return 0;
}

int mkostemp(char *pattern, int flags)
{
    int fd;

    do {
        if (next_name(pattern) != 0)
            return -1;
        fd = open(pattern, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
        if (fd < 0)
            memcpy(pattern + strlen(pattern) - 6, "XXXXXX", 6);
    } while (fd < 0 && errno == EEXIST);
    return fd;
}

char *mkdtemp(char *pattern)
{
    if (next_name(pattern) != 0)
        return NULL;
    return mkdir(pattern, 0700) == 0 ? pattern : NULL;
}
