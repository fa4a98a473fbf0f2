/* fcntl.h — with what mingw-w64's lacks. */
#include_next <fcntl.h>

#ifndef THAW_PLATFORM_FCNTL_H
#define THAW_PLATFORM_FCNTL_H

#include <sys/types.h>

#define O_CLOEXEC   0x80    /* its O_NOINHERIT */
#define O_DIRECTORY 0x10000 /* not one of its own bits */
#define O_NOFOLLOW  0x20000
#define O_NONBLOCK  0x800
#define AT_FDCWD    -100
#define F_GETFL     3
#define F_SETFL     4

#define SYNC_FILE_RANGE_WRITE 2

/* F_SETFL with O_NONBLOCK on a pipe; nothing else. */
int fcntl(int fd, int command, ...);
int open(const char *path, int flags, ...);
int openat(int folder, const char *name, int flags, ...);
int sync_file_range(int fd, off_t offset, off_t size, unsigned flags);

#endif
