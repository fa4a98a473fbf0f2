/* Files as POSIX has them: what is open can be removed and replaced, reading at a place moves
 * nothing, growing writes nothing, locks bind those who ask. Descriptors are the C library's. */
#include "platform/win32/win32.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <winioctl.h>

#define PIECE_MAX (1u << 30) /* bytes at once */
/* Windows's locks keep others from reading: so the locked byte is one that no file has. */
#define LOCK_OFFSET_HIGH 0x40000000u
#define NOT_A_PLACE      ((uint64_t)-1)

static DWORD rights(int flags)
{
    switch (flags & O_ACCMODE) {
    case O_WRONLY:
        return GENERIC_WRITE;
    case O_RDWR:
        return GENERIC_READ | GENERIC_WRITE;
    default:
        return GENERIC_READ | FILE_WRITE_ATTRIBUTES; /* those who read set the time of reading */
    }
}

static DWORD creation(int flags)
{
    if ((flags & O_CREAT) == 0)
        return (flags & O_TRUNC) != 0 ? TRUNCATE_EXISTING : OPEN_EXISTING;
    if ((flags & O_EXCL) != 0)
        return CREATE_NEW;
    return (flags & O_TRUNC) != 0 ? CREATE_ALWAYS : OPEN_ALWAYS;
}

static HANDLE open_handle(const wchar_t *path, int flags)
{
    const DWORD share = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
    SECURITY_ATTRIBUTES inherited = {sizeof inherited, NULL, (flags & O_CLOEXEC) == 0};
    DWORD how = FILE_FLAG_BACKUP_SEMANTICS | /* folders too */
                ((flags & O_NOFOLLOW) != 0 ? FILE_FLAG_OPEN_REPARSE_POINT : 0);
    HANDLE handle = CreateFileW(path, rights(flags), share, &inherited, creation(flags), how, NULL);

    if (handle == INVALID_HANDLE_VALUE && GetLastError() == ERROR_ACCESS_DENIED &&
        (flags & O_ACCMODE) == O_RDONLY) /* a file that may only be read */
        handle = CreateFileW(path, GENERIC_READ, share, &inherited, creation(flags), how, NULL);
    return handle;
}

/* Whether what was opened is what was asked for. */
static bool check_kind(HANDLE handle, int flags)
{
    BY_HANDLE_FILE_INFORMATION info;
    bool folder = GetFileInformationByHandle(handle, &info) &&
                  (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0;

    if ((flags & O_DIRECTORY) != 0 && !folder)
        errno = ENOTDIR;
    else if (folder && (flags & O_ACCMODE) != O_RDONLY)
        errno = EISDIR;
    else if ((flags & O_NOFOLLOW) != 0 &&
             (info.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
        errno = ELOOP;
    else
        return true;
    return false;
}

int open_wide(const wchar_t *path, int flags)
{
    HANDLE handle = open_handle(path, flags);
    int fd;

    if (handle == INVALID_HANDLE_VALUE)
        return fail_last();
    if (!check_kind(handle, flags)) {
        CloseHandle(handle);
        return -1;
    }
    fd = _open_osfhandle((intptr_t)handle, O_BINARY | (flags & (O_APPEND | O_CLOEXEC)));
    if (fd < 0)
        CloseHandle(handle);
    return fd;
}

int open(const char *path, int flags, ...)
{
    wchar_t wide[WIDE_MAX];

    return wide_path(path, wide) ? open_wide(wide, flags) : -1;
}

FILE *fopen(const char *path, const char *mode)
{
    wchar_t wide[WIDE_MAX], wide_mode[16];

    if (!wide_path(path, wide) || MultiByteToWideChar(CP_UTF8, 0, mode, -1, wide_mode, 16) <= 0)
        return NULL;
    return _wfopen(wide, wide_mode);
}

/* At a place, or at the file's own. */
static ssize_t transfer(int fd, void *bytes, size_t size, uint64_t offset, bool writing)
{
    HANDLE handle = handle_of(fd);
    OVERLAPPED place = {.Offset = (DWORD)offset, .OffsetHigh = (DWORD)(offset >> 32)};
    OVERLAPPED *at = offset == NOT_A_PLACE ? NULL : &place;
    DWORD done = 0, want = size < PIECE_MAX ? (DWORD)size : PIECE_MAX;

    if (handle == NULL)
        return -1;
    if (writing ? WriteFile(handle, bytes, want, &done, at)
                : ReadFile(handle, bytes, want, &done, at))
        return (ssize_t)done;
    if (!writing && (GetLastError() == ERROR_HANDLE_EOF || GetLastError() == ERROR_BROKEN_PIPE))
        return 0;
    if (!writing && GetLastError() == ERROR_INVALID_FUNCTION) {
        errno = EISDIR;
        return -1;
    }
    if (!writing && GetLastError() == ERROR_NO_DATA) { /* a pipe that is not waited for */
        errno = EAGAIN;
        return -1;
    }
    return fail_last();
}

/* Windows moves the file's own place even so; it is put back. One thread at a time does this to a
 * descriptor whose own place counts. */
static ssize_t transfer_at(int fd, void *bytes, size_t size, uint64_t offset, bool writing)
{
    int64_t own = _lseeki64(fd, 0, SEEK_CUR);
    ssize_t done = transfer(fd, bytes, size, offset, writing);

    if (own >= 0)
        (void)_lseeki64(fd, own, SEEK_SET);
    return done;
}

ssize_t pread(int fd, void *out, size_t size, off_t offset)
{
    return transfer_at(fd, out, size, (uint64_t)offset, false);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    return transfer_at(fd, (void *)(uintptr_t)bytes, size, (uint64_t)offset, true);
}

ssize_t read(int fd, void *out, size_t size)
{
    return transfer(fd, out, size, NOT_A_PLACE, false);
}

/* A pipe that is not waited for takes all or nothing: small pieces always get their turn. */
ssize_t write(int fd, const void *bytes, size_t size)
{
    HANDLE handle = handle_of(fd);
    size_t piece = size;
    DWORD mode = PIPE_WAIT;
    ssize_t done;

    if (handle != NULL && GetFileType(handle) == FILE_TYPE_PIPE &&
        GetNamedPipeHandleStateW(handle, &mode, NULL, NULL, NULL, NULL, 0) &&
        (mode & PIPE_NOWAIT) != 0 && piece > 4096)
        piece = 4096;
    done = transfer(fd, (void *)(uintptr_t)bytes, piece, NOT_A_PLACE, true);
    if (done != 0 || size == 0)
        return done;
    errno = EAGAIN;
    return -1;
}

int ftruncate64(int fd, off64_t size)
{
    HANDLE handle = handle_of(fd);
    FILE_END_OF_FILE_INFO end = {.EndOfFile.QuadPart = size};
    DWORD ignored;

    if (handle == NULL)
        return -1;
    /* What is never written takes no room, where the file system can. */
    (void)DeviceIoControl(handle, FSCTL_SET_SPARSE, NULL, 0, NULL, 0, &ignored, NULL);
    if (SetFileInformationByHandle(handle, FileEndOfFileInfo, &end, sizeof end))
        return 0;
    return fail_last();
}

int fsync(int fd)
{
    HANDLE handle = handle_of(fd);
    BY_HANDLE_FILE_INFORMATION info;

    if (handle == NULL)
        return -1;
    if (FlushFileBuffers(handle))
        return 0;
    /* A folder's entries are in the file system's journal; there is nothing to flush. */
    if (GetFileInformationByHandle(handle, &info) &&
        (info.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) != 0)
        return 0;
    return fail_last();
}

int syncfs(int fd)
{
    (void)fd;
    return 0; /* takes an administrator's rights; what counts is flushed file by file */
}

int sync_file_range(int fd, off_t offset, off_t size, unsigned flags)
{
    (void)fd;
    (void)offset;
    (void)size;
    (void)flags;
    return 0; /* a hint */
}

int flock(int fd, int operation)
{
    HANDLE handle = handle_of(fd);
    OVERLAPPED place = {.OffsetHigh = LOCK_OFFSET_HIGH};
    DWORD how = ((operation & LOCK_EX) != 0 ? LOCKFILE_EXCLUSIVE_LOCK : 0) |
                ((operation & LOCK_NB) != 0 ? LOCKFILE_FAIL_IMMEDIATELY : 0);

    if (handle == NULL)
        return -1;
    (void)UnlockFileEx(handle, 0, 1, 0, &place); /* what it held of either kind */
    if ((operation & LOCK_UN) != 0 || LockFileEx(handle, how, 0, 1, 0, &place))
        return 0;
    if (GetLastError() == ERROR_IO_PENDING)
        return fail_code(ERROR_LOCK_VIOLATION);
    return fail_last();
}

int futimens(int fd, const struct timespec times[2])
{
    HANDLE handle = handle_of(fd);
    FILETIME now;

    (void)times;
    if (handle == NULL)
        return -1;
    GetSystemTimeAsFileTime(&now);
    return SetFileTime(handle, NULL, &now, &now) ? 0 : fail_last();
}
