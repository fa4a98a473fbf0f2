/* termios.h — for hosts whose terminals cannot be set: every call fails with ENOTTY. */
#ifndef THAW_PLATFORM_TERMIOS_H
#define THAW_PLATFORM_TERMIOS_H

#define NCCS      32
#define ICANON    2
#define ECHO      8
#define ISIG      1
#define IEXTEN    0100000
#define ICRNL     0400
#define IXON      02000
#define INLCR     0100
#define IGNCR     0200
#define BRKINT    2
#define INPCK     020
#define ISTRIP    040
#define OPOST     1
#define CS8       060
#define VMIN      6
#define VTIME     5
#define TCSANOW   0
#define TCSADRAIN 1
#define TCSAFLUSH 2

typedef unsigned tcflag_t;

struct termios {
    tcflag_t c_iflag, c_oflag, c_cflag, c_lflag;
    unsigned char c_cc[NCCS];
};

int tcgetattr(int fd, struct termios *out);
int tcsetattr(int fd, int when, const struct termios *to);
void cfmakeraw(struct termios *termios);

#endif
