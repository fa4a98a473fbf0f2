/* sys/mman.h — views of files, or copies of them, and memory. */
#ifndef THAW_PLATFORM_MMAN_H
#define THAW_PLATFORM_MMAN_H

#include <stddef.h>
#include <sys/types.h>

#define PROT_NONE     0
#define PROT_READ     1
#define PROT_WRITE    2
#define PROT_EXEC     4
#define MAP_SHARED    1 /* refused for what can be written */
#define MAP_PRIVATE   2
#define MAP_FIXED     16 /* refused */
#define MAP_ANONYMOUS 32
#define MAP_NORESERVE 0x4000
#define MAP_FAILED    ((void *)-1)

/* Files are mapped from offset 0. */
void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int mprotect(void *start, size_t size, int protection); /* PROT_READ, with PROT_WRITE or not */
int munmap(void *start, size_t size);                   /* the whole of what mmap gave */

#endif
