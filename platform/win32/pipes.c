/* Pipes, and waiting for them and for the console. */
#include "platform/win32/win32.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#define PIPE_BYTES 65536u
#define LOOK_MS    1u

int pipe2(int ends[2], int flags)
{
    HANDLE from, to;

    if (!CreatePipe(&from, &to, NULL, PIPE_BYTES))
        return fail_last();
    ends[0] = _open_osfhandle((intptr_t)from, O_BINARY | O_RDONLY | (flags & O_CLOEXEC));
    ends[1] = _open_osfhandle((intptr_t)to, O_BINARY | O_WRONLY | (flags & O_CLOEXEC));
    return ends[0] < 0 || ends[1] < 0 ? -1 : 0;
}

int fcntl(int fd, int command, ...)
{
    HANDLE handle = handle_of(fd);
    DWORD mode = PIPE_READMODE_BYTE;
    va_list arguments;
    int flags = 0;

    if (handle == NULL)
        return -1;
    if (command == F_GETFL)
        return 0;
    va_start(arguments, command);
    flags = va_arg(arguments, int);
    va_end(arguments);
    if (command != F_SETFL) {
        errno = EINVAL;
        return -1;
    }
    mode |= (flags & O_NONBLOCK) != 0 ? PIPE_NOWAIT : PIPE_WAIT;
    return SetNamedPipeHandleState(handle, &mode, NULL, NULL) ? 0 : fail_last();
}

/* Whether a read would not wait. */
static bool is_readable(HANDLE handle)
{
    DWORD waiting = 0;

    switch (GetFileType(handle)) {
    case FILE_TYPE_PIPE:
        return !PeekNamedPipe(handle, NULL, 0, NULL, &waiting, NULL) || waiting != 0;
    case FILE_TYPE_CHAR:
        return WaitForSingleObject(handle, 0) == WAIT_OBJECT_0;
    default:
        return true;
    }
}

static int look(struct pollfd *fds, size_t count)
{
    int ready = 0;

    for (size_t i = 0; i < count; i++) {
        HANDLE handle = fds[i].fd < 0 ? NULL : handle_of(fds[i].fd);
        fds[i].revents = 0;
        if (fds[i].fd >= 0 && handle == NULL)
            fds[i].revents = POLLERR;
        else if (handle != NULL && (fds[i].events & POLLIN) != 0 && is_readable(handle))
            fds[i].revents = POLLIN;
        else if (handle != NULL && (fds[i].events & POLLOUT) != 0)
            fds[i].revents = POLLOUT;
        ready += fds[i].revents != 0;
    }
    return ready;
}

int poll(struct pollfd *fds, size_t count, int wait_ms)
{
    uint64_t end = GetTickCount64() + (wait_ms < 0 ? UINT32_MAX : (uint64_t)wait_ms);
    int ready;

    /* Nothing in Windows waits for several pipes at once. */
    while ((ready = look(fds, count)) == 0 && GetTickCount64() < end)
        Sleep(LOOK_MS);
    return ready;
}
