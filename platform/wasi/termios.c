#include <errno.h>
#include <termios.h>

int tcgetattr(int fd, struct termios *out)
{
    (void)fd;
    (void)out;
    errno = ENOTTY;
    return -1;
}

int tcsetattr(int fd, int when, const struct termios *to)
{
    (void)fd;
    (void)when;
    (void)to;
    errno = ENOTTY;
    return -1;
}

void cfmakeraw(struct termios *termios)
{
    (void)termios;
}
