/* win32.h — what the files of platform/win32 share: paths, handles and errors between POSIX's ways
 * and Windows's. */
#ifndef THAW_PLATFORM_WIN32_H
#define THAW_PLATFORM_WIN32_H

#include <stdbool.h>
#include <wchar.h>
#include <windows.h>

#define WIDE_MAX 4096

/* A path of UTF-8 as Windows takes it; false with errno set if it is none or too long. */
bool wide_path(const char *path, wchar_t out[WIDE_MAX]);
/* As UTF-8 with slashes; false with errno set if there is no room. */
bool narrow_path(const wchar_t *path, char *out, size_t size);
/* errno from GetLastError; returns -1. */
int fail_last(void);
/* errno from a code of Windows; returns -1. */
int fail_code(DWORD code);
/* The handle of a file descriptor; NULL with errno set if there is none. */
HANDLE handle_of(int fd);
/* Opens a path of Windows's; -1 with errno set. */
int open_wide(const wchar_t *path, int flags);
/* The path of what `name` is below the open folder; false with errno set. */
bool path_below(int folder, const char *name, wchar_t out[WIDE_MAX]);

#endif
