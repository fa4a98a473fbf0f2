/* string.h — with what mingw-w64's lacks. */
#include_next <string.h>

#ifndef THAW_PLATFORM_STRING_H
#define THAW_PLATFORM_STRING_H

void *memmem(const void *where, size_t where_size, const void *what, size_t what_size);
char *strndup(const char *text, size_t most);
char *strsignal(int number);

#endif
