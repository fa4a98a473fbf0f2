/* Memory of the system's and views of files. */
#include "platform/win32/win32.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

static void *map_file(HANDLE file, size_t size, bool writable)
{
    HANDLE section;
    void *view;

    section = CreateFileMappingW(file, NULL, writable ? PAGE_WRITECOPY : PAGE_READONLY,
                                 (DWORD)((uint64_t)size >> 32), (DWORD)size, NULL);
    if (section == NULL)
        return NULL;
    view = MapViewOfFile(section, writable ? FILE_MAP_COPY : FILE_MAP_READ, 0, 0, size);
    CloseHandle(section); /* the view holds it */
    return view;
}

void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    bool writable = (protection & PROT_WRITE) != 0;
    void *memory;
    HANDLE file;

    (void)at;
    if (size == 0 || (flags & MAP_FIXED) != 0 || offset != 0 ||
        ((flags & MAP_SHARED) != 0 && writable)) {
        errno = EINVAL;
        return MAP_FAILED;
    }
    if ((flags & MAP_ANONYMOUS) != 0) {
        memory = VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    } else {
        file = handle_of(fd);
        if (file == NULL)
            return MAP_FAILED;
        memory = map_file(file, size, writable);
    }
    if (memory != NULL)
        return memory;
    (void)fail_last();
    return MAP_FAILED;
}

int munmap(void *start, size_t size)
{
    MEMORY_BASIC_INFORMATION info;
    bool ok;

    (void)size;
    if (VirtualQuery(start, &info, sizeof info) == 0)
        return fail_last();
    ok = info.Type == MEM_MAPPED ? UnmapViewOfFile(start) : VirtualFree(start, 0, MEM_RELEASE);
    return ok ? 0 : fail_last();
}

int mprotect(void *start, size_t size, int protection)
{
    MEMORY_BASIC_INFORMATION info;
    DWORD wanted = PAGE_READONLY, before;

    if (VirtualQuery(start, &info, sizeof info) == 0)
        return fail_last();
    if ((protection & PROT_WRITE) != 0)
        wanted = info.Type == MEM_MAPPED ? PAGE_WRITECOPY : PAGE_READWRITE;
    return VirtualProtect(start, size, wanted, &before) ? 0 : fail_last();
}

void *aligned_alloc(size_t alignment, size_t size)
{
    (void)alignment;
    return malloc(size);
}
