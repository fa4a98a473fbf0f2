/* The console as a terminal: raw keys, size, colours. */
#include "platform/win32/win32.h"

#include <errno.h>
#include <io.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <termios.h>

#ifndef ENABLE_VIRTUAL_TERMINAL_INPUT
#define ENABLE_VIRTUAL_TERMINAL_INPUT 0x0200
#endif

int tcgetattr(int fd, struct termios *out)
{
    HANDLE handle = handle_of(fd);
    DWORD mode;

    if (handle == NULL || !GetConsoleMode(handle, &mode)) {
        errno = ENOTTY;
        return -1;
    }
    memset(out, 0, sizeof *out);
    out->c_lflag = ((mode & ENABLE_ECHO_INPUT) != 0 ? ECHO : 0u) |
                   ((mode & ENABLE_LINE_INPUT) != 0 ? ICANON : 0u) |
                   ((mode & ENABLE_PROCESSED_INPUT) != 0 ? ISIG : 0u);
    return 0;
}

int tcsetattr(int fd, int when, const struct termios *to)
{
    HANDLE handle = handle_of(fd);
    DWORD mode;

    (void)when;
    if (handle == NULL || !GetConsoleMode(handle, &mode)) {
        errno = ENOTTY;
        return -1;
    }
    mode &= ~(DWORD)(ENABLE_ECHO_INPUT | ENABLE_LINE_INPUT | ENABLE_PROCESSED_INPUT |
                     ENABLE_VIRTUAL_TERMINAL_INPUT);
    mode |= ((to->c_lflag & ECHO) != 0 ? ENABLE_ECHO_INPUT : 0) |
            ((to->c_lflag & ICANON) != 0 ? ENABLE_LINE_INPUT : ENABLE_VIRTUAL_TERMINAL_INPUT) |
            ((to->c_lflag & ISIG) != 0 ? ENABLE_PROCESSED_INPUT : 0);
    return SetConsoleMode(handle, mode) ? 0 : fail_last();
}

void cfmakeraw(struct termios *termios)
{
    memset(termios, 0, sizeof *termios);
}

/* The C library's takes the null device for a terminal. */
int isatty(int fd)
{
    HANDLE handle = handle_of(fd);
    DWORD mode;

    if (handle != NULL && GetConsoleMode(handle, &mode))
        return 1;
    errno = ENOTTY;
    return 0;
}

int ioctl(int fd, int request, ...)
{
    HANDLE handle = handle_of(fd);
    CONSOLE_SCREEN_BUFFER_INFO info;
    struct winsize *out;
    va_list arguments;

    if (request != TIOCGWINSZ || handle == NULL || !GetConsoleScreenBufferInfo(handle, &info)) {
        errno = ENOTTY;
        return -1;
    }
    va_start(arguments, request);
    out = va_arg(arguments, struct winsize *);
    va_end(arguments);
    memset(out, 0, sizeof *out);
    out->ws_col = (unsigned short)(info.srWindow.Right - info.srWindow.Left + 1);
    out->ws_row = (unsigned short)(info.srWindow.Bottom - info.srWindow.Top + 1);
    return 0;
}

int select(int count, fd_set *readable, fd_set *writable, fd_set *strange, struct timeval *wait)
{
    (void)count;
    (void)readable;
    (void)writable;
    (void)strange;
    (void)wait;
    return 0; /* nothing came */
}
