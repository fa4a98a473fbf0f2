/* sys/stat.h — instead of mingw-w64's, whose files have no numbers and whose times are whole
 * seconds. */
#ifndef THAW_PLATFORM_STAT_H
#define THAW_PLATFORM_STAT_H
#define _INC_STAT

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#define S_IFMT      0xF000
#define S_IFDIR     0x4000
#define S_IFCHR     0x2000
#define S_IFIFO     0x1000
#define S_IFREG     0x8000
#define S_ISDIR(m)  (((m)&S_IFMT) == S_IFDIR)
#define S_ISREG(m)  (((m)&S_IFMT) == S_IFREG)
#define S_ISCHR(m)  (((m)&S_IFMT) == S_IFCHR)
#define S_ISFIFO(m) (((m)&S_IFMT) == S_IFIFO)
#define S_ISLNK(m)  0
#define S_IRUSR     0x0100
#define S_IWUSR     0x0080
#define S_IXUSR     0x0040

#define UTIME_NOW  ((1l << 30) - 1l)
#define UTIME_OMIT ((1l << 30) - 2l)

struct stat {
    uint64_t st_dev, st_ino; /* volume and file: the same file has the same two */
    mode_t st_mode;
    uint32_t st_nlink;
    off_t st_size;
    int64_t st_blocks; /* of 512 bytes */
    struct timespec st_atim, st_mtim, st_ctim;
};
#define st_atime st_atim.tv_sec
#define st_mtime st_mtim.tv_sec

int chmod(const char *path, mode_t mode);
int fchmod(int fd, mode_t mode);
int fstat(int fd, struct stat *out);
/* Both times become now, whatever is asked. */
int futimens(int fd, const struct timespec times[2]);
int lstat(const char *path, struct stat *out);
int mkdir(const char *path, mode_t mode);
int mkdirat(int folder, const char *name, mode_t mode);
int stat(const char *path, struct stat *out);
mode_t umask(mode_t mode);
int utimensat(int folder, const char *path, const struct timespec times[2], int flags);

#endif
