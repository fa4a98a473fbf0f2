/* What is in a folder, in UTF-8. */
#include "platform/win32/win32.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>

struct folder_reader {
    HANDLE search;
    WIN32_FIND_DATAW found;
    bool ready; /* `found` was not given yet */
    struct dirent entry;
};

DIR *opendir(const char *path)
{
    wchar_t pattern[WIDE_MAX];
    DIR *folder;

    if (!wide_path(path, pattern))
        return NULL;
    if (wcslen(pattern) + 3 > WIDE_MAX) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    wcscat(pattern, L"\\*");
    folder = calloc(1, sizeof *folder);
    if (folder == NULL)
        return NULL;
    folder->search = FindFirstFileW(pattern, &folder->found);
    folder->ready = folder->search != INVALID_HANDLE_VALUE;
    if (folder->ready)
        return folder;
    (void)fail_last();
    free(folder);
    return NULL;
}

struct dirent *readdir(DIR *folder)
{
    if (!folder->ready && !FindNextFileW(folder->search, &folder->found)) {
        if (GetLastError() != ERROR_NO_MORE_FILES)
            (void)fail_last();
        return NULL;
    }
    folder->ready = false;
    if (!narrow_path(folder->found.cFileName, folder->entry.d_name, sizeof folder->entry.d_name))
        return NULL;
    return &folder->entry;
}

int closedir(DIR *folder)
{
    FindClose(folder->search);
    free(folder);
    return 0;
}
