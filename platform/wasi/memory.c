/* mmap from the heap. A host with one process and 32-bit memory has nothing else. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 65536u

static int fill(char *at, size_t size, int fd, off_t offset)
{
    while (size > 0) {
        ssize_t got = pread(fd, at, size, offset);
        if (got < 0)
            return -1;
        if (got == 0)
            return 0; /* beyond the end: zeros */
        at += got;
        offset += got;
        size -= (size_t)got;
    }
    return 0;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    void *memory = NULL;

    (void)at;
    if (size == 0 || (flags & MAP_FIXED) != 0 ||
        ((flags & MAP_SHARED) != 0 && (flags & MAP_ANONYMOUS) == 0 &&
         (protection & PROT_WRITE) != 0)) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    if (posix_memalign(&memory, PAGE, size) != 0) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    memset(memory, 0, size);
    if ((flags & MAP_ANONYMOUS) == 0 && fill(memory, size, fd, offset) != 0) {
        free(memory);
        return MAP_FAILED;
    }
    return memory;
}

int munmap(void *start, size_t size)
{
    (void)size;
    free(start);
    return 0;
}

int mprotect(void *start, size_t size, int protection)
{
    (void)start;
    (void)size;
    (void)protection;
    return 0;
}
