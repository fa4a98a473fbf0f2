/* missing.h — what WASI's C library does not declare of POSIX; included before everything else. */
#ifndef THAW_PLATFORM_MISSING_H
#define THAW_PLATFORM_MISSING_H

#define getpid thaw_library_getpid /* WASI's warns that there is none */
#include <unistd.h>
#undef getpid

#include <stddef.h>
#include <sys/types.h>

#define SYNC_FILE_RANGE_WRITE 2

int chmod(const char *path, mode_t mode);
int dup(int fd);
int execvp(const char *file, char *const argv[]);
int fchmod(int fd, mode_t mode);
pid_t getpid(void);
char *mkdtemp(char *pattern);
int mkostemp(char *pattern, int flags);
int pipe2(int ends[2], int flags);
void qsort_r(void *base, size_t count, size_t size,
             int (*compare)(const void *, const void *, void *), void *context);
int sync_file_range(int fd, off_t offset, off_t size, unsigned flags);
int syncfs(int fd);
mode_t umask(mode_t mode);

#endif
