/* What the C library lacks besides: text, temporary names. */
#include "platform/win32/win32.h"

#include <errno.h>
#include <fcntl.h>
#include <ntsecapi.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

void *memmem(const void *where, size_t where_size, const void *what, size_t what_size)
{
    const uint8_t *at = where;

    for (; where_size >= what_size; at++, where_size--)
        if (memcmp(at, what, what_size) == 0)
            return (void *)(uintptr_t)at;
    return NULL;
}

char *strndup(const char *text, size_t most)
{
    size_t size = strnlen(text, most);
    char *copy = malloc(size + 1);

    if (copy == NULL)
        return NULL;
    memcpy(copy, text, size);
    copy[size] = 0;
    return copy;
}

char *strsignal(int number)
{
    static char killed[] = "Killed", other[] = "Exception";

    return number == SIGKILL ? killed : other;
}

/* Replaces the pattern's last six letters. */
static bool next_name(char *pattern)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t size = strlen(pattern);
    uint8_t random[6];

    if (size < 6 || !RtlGenRandom(random, sizeof random)) {
        errno = EINVAL;
        return false;
    }
    for (size_t i = 0; i < 6; i++)
        pattern[size - 6 + i] = letters[random[i] % (sizeof letters - 1)];
    return true;
}

int mkostemp(char *pattern, int flags)
{
    int fd;

    do {
        if (!next_name(pattern))
            return -1;
        fd = open(pattern, O_RDWR | O_CREAT | O_EXCL | flags, 0600);
    } while (fd < 0 && errno == EEXIST);
    return fd;
}

char *mkdtemp(char *pattern)
{
    int made;

    do {
        if (!next_name(pattern))
            return NULL;
        made = mkdir(pattern, 0700);
    } while (made != 0 && errno == EEXIST);
    return made == 0 ? pattern : NULL;
}
