/* sys/ioctl.h — how large the terminal is. */
#ifndef THAW_PLATFORM_IOCTL_H
#define THAW_PLATFORM_IOCTL_H

#define TIOCGWINSZ 0x5413

struct winsize {
    unsigned short ws_row, ws_col, ws_xpixel, ws_ypixel;
};

int ioctl(int fd, int request, ...); /* TIOCGWINSZ alone */

#endif
