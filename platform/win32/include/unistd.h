/* unistd.h — with what mingw-w64's lacks. Files are shared as on POSIX: one that is open can be
 * removed and replaced. */
#include_next <unistd.h>

#ifndef THAW_PLATFORM_UNISTD_H
#define THAW_PLATFORM_UNISTD_H

#include <stddef.h>
#include <sys/types.h>

#define _SC_PAGESIZE         30
#define _SC_NPROCESSORS_ONLN 84

int fsync(int fd);
int execvp(const char *file, char *const argv[]);
int pipe2(int ends[2], int flags);
ssize_t pread(int fd, void *out, size_t size, off_t offset);
ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset);
/* Of "/proc/self/exe" alone: where the program running now is. Windows has no other links here. */
ssize_t read(int fd, void *out, size_t size);
ssize_t readlink(const char *path, char *out, size_t size);
long long thaw_sysconf(int what);
#define sysconf thaw_sysconf
int syncfs(int fd);
#define truncate truncate64 /* off_t has 64 bits */
ssize_t write(int fd, const void *bytes, size_t size);

#endif
