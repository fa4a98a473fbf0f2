/* Names and folders: what a path is, making, moving and removing it. */
#include "platform/win32/win32.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RENAME_TRIES    100
#define RENAME_PAUSE_MS 5u
#define RENAME_EX       22                   /* FileRenameInfoEx, which older headers lack */
#define EPOCH_OFFSET_S  INT64_C(11644473600) /* from 1601, where Windows begins */

static struct timespec time_of(FILETIME time)
{
    uint64_t ticks = (uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime; /* of 100 ns */

    return (struct timespec){(int64_t)(ticks / 10000000) - EPOCH_OFFSET_S,
                             (int32_t)(ticks % 10000000 * 100)};
}

static int stat_handle(HANDLE handle, struct stat *out)
{
    BY_HANDLE_FILE_INFORMATION info;
    FILE_STANDARD_INFO standard;

    memset(out, 0, sizeof *out);
    if (GetFileType(handle) == FILE_TYPE_CHAR || GetFileType(handle) == FILE_TYPE_PIPE) {
        out->st_mode = GetFileType(handle) == FILE_TYPE_CHAR ? S_IFCHR : S_IFIFO;
        return 0;
    }
    if (!GetFileInformationByHandle(handle, &info))
        return fail_last();
    out->st_dev = info.dwVolumeSerialNumber;
    out->st_ino = (uint64_t)info.nFileIndexHigh << 32 | info.nFileIndexLow;
    out->st_mode = S_IRUSR | S_IWUSR | S_IXUSR;
    out->st_mode |= (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? S_IFDIR : S_IFREG;
    out->st_nlink = info.nNumberOfLinks;
    out->st_size = (int64_t)((uint64_t)info.nFileSizeHigh << 32 | info.nFileSizeLow);
    out->st_blocks = (out->st_size + 511) / 512;
    if (GetFileInformationByHandleEx(handle, FileStandardInfo, &standard, sizeof standard))
        out->st_blocks = (standard.AllocationSize.QuadPart + 511) / 512;
    out->st_atim = time_of(info.ftLastAccessTime);
    out->st_mtim = time_of(info.ftLastWriteTime);
    out->st_ctim = out->st_mtim;
    return 0;
}

int fstat(int fd, struct stat *out)
{
    HANDLE handle = handle_of(fd);

    return handle == NULL ? -1 : stat_handle(handle, out);
}

int stat(const char *path, struct stat *out)
{
    wchar_t wide[WIDE_MAX];
    HANDLE handle;
    int status;

    if (!wide_path(path, wide))
        return -1;
    handle = CreateFileW(wide, FILE_READ_ATTRIBUTES,
                         FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                         OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    if (handle == INVALID_HANDLE_VALUE)
        return fail_last();
    status = stat_handle(handle, out);
    CloseHandle(handle);
    return status;
}

int utimensat(int folder, const char *path, const struct timespec times[2], int flags)
{
    int fd, status;

    (void)flags;
    fd = folder == AT_FDCWD ? open(path, O_RDONLY | O_CLOEXEC) : openat(folder, path, O_RDONLY);
    if (fd < 0)
        return -1;
    status = futimens(fd, times);
    close(fd);
    return status;
}

/* Links are followed: nothing here makes any. */
int lstat(const char *path, struct stat *out)
{
    return stat(path, out);
}

static int make_folder(const wchar_t *path)
{
    DWORD code, attributes;

    if (CreateDirectoryW(path, NULL))
        return 0;
    code = GetLastError();
    attributes = GetFileAttributesW(path); /* a drive is there and yet "denied" */
    return fail_code(attributes != INVALID_FILE_ATTRIBUTES ? ERROR_ALREADY_EXISTS : code);
}

int mkdir(const char *path, mode_t mode)
{
    wchar_t wide[WIDE_MAX];

    (void)mode;
    return wide_path(path, wide) ? make_folder(wide) : -1;
}

bool path_below(int folder, const char *name, wchar_t out[WIDE_MAX])
{
    HANDLE handle = handle_of(folder);
    wchar_t wide[WIDE_MAX];
    DWORD size;

    if (handle == NULL || !wide_path(name, wide))
        return false;
    if (wcschr(wide, L'/') != NULL || wcschr(wide, L'\\') != NULL || wcschr(wide, L':') != NULL) {
        errno = EINVAL; /* one step only, and never to another drive or stream */
        return false;
    }
    size = GetFinalPathNameByHandleW(handle, out, WIDE_MAX, 0);
    if (size == 0 || size + wcslen(wide) + 2 > WIDE_MAX) {
        if (size == 0)
            (void)fail_last();
        else
            errno = ENAMETOOLONG;
        return false;
    }
    out[size] = L'\\';
    wcscpy(out + size + 1, wide);
    return true;
}

int mkdirat(int folder, const char *name, mode_t mode)
{
    wchar_t wide[WIDE_MAX];

    (void)mode;
    return path_below(folder, name, wide) ? make_folder(wide) : -1;
}

int openat(int folder, const char *name, int flags, ...)
{
    wchar_t wide[WIDE_MAX];

    return path_below(folder, name, wide) ? open_wide(wide, flags) : -1;
}

/* With POSIX's meaning: who has the old one open keeps it. */
static bool rename_replacing(const wchar_t *from, const wchar_t *to)
{
    struct {
        FILE_RENAME_INFO info;
        wchar_t room[WIDE_MAX];
    } how;
    HANDLE handle = CreateFileW(from, DELETE | SYNCHRONIZE,
                                FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
                                OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
    bool ok;

    if (handle == INVALID_HANDLE_VALUE)
        return false;
    memset(&how, 0, sizeof how);
    how.info.Flags = 3; /* FILE_RENAME_FLAG_REPLACE_IF_EXISTS, _POSIX_SEMANTICS */
    if (GetFullPathNameW(to, WIDE_MAX, how.info.FileName, NULL) == 0) {
        CloseHandle(handle);
        return false;
    }
    how.info.FileNameLength = (DWORD)(wcslen(how.info.FileName) * sizeof(wchar_t));
    ok = SetFileInformationByHandle(handle, (FILE_INFO_BY_HANDLE_CLASS)RENAME_EX, &how, sizeof how);
    CloseHandle(handle);
    return ok;
}

int rename(const char *from, const char *to)
{
    wchar_t wide_from[WIDE_MAX], wide_to[WIDE_MAX];

    if (!wide_path(from, wide_from) || !wide_path(to, wide_to))
        return -1;
    /* Another program may be in the middle of opening or replacing the same file. */
    for (int left = RENAME_TRIES; left > 0; left--) {
        if (rename_replacing(wide_from, wide_to) ||
            MoveFileExW(wide_from, wide_to, MOVEFILE_REPLACE_EXISTING | MOVEFILE_WRITE_THROUGH))
            return 0;
        if (GetLastError() != ERROR_ACCESS_DENIED && GetLastError() != ERROR_SHARING_VIOLATION)
            break;
        Sleep(RENAME_PAUSE_MS);
    }
    return fail_last();
}

int unlink(const char *path)
{
    wchar_t wide[WIDE_MAX];

    if (!wide_path(path, wide))
        return -1;
    return DeleteFileW(wide) ? 0 : fail_last();
}

int rmdir(const char *path)
{
    wchar_t wide[WIDE_MAX];

    if (!wide_path(path, wide))
        return -1;
    return RemoveDirectoryW(wide) ? 0 : fail_last();
}

ssize_t readlink(const char *path, char *out, size_t size)
{
    wchar_t wide[WIDE_MAX];
    char text[4 * WIDE_MAX];
    DWORD length = GetModuleFileNameW(NULL, wide, WIDE_MAX);
    size_t narrow;

    if (strcmp(path, "/proc/self/exe") != 0) {
        errno = EINVAL; /* no link */
        return -1;
    }
    if (length == 0 || length == WIDE_MAX || !narrow_path(wide, text, sizeof text))
        return fail_last();
    narrow = strlen(text);
    memcpy(out, text, narrow < size ? narrow : size);
    return (ssize_t)(narrow < size ? narrow : size);
}

/* Rights are lists here: who may not is told when it tries. */
int access(const char *path, int mode)
{
    struct stat info;

    (void)mode;
    return stat(path, &info);
}

int chmod(const char *path, mode_t mode)
{
    (void)mode; /* rights are lists here, and inherited */
    return access(path, F_OK);
}

int fchmod(int fd, mode_t mode)
{
    (void)mode;
    return handle_of(fd) == NULL ? -1 : 0;
}

mode_t umask(mode_t mode)
{
    (void)mode;
    return 022;
}
