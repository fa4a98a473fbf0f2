/* missing.h — what mingw-w64's C library does not declare of POSIX and C; included before
 * everything else. Headers that it lacks are beside this one; those that it has but not whole
 * include its own first. */
#ifndef THAW_PLATFORM_MISSING_H
#define THAW_PLATFORM_MISSING_H

#define _POSIX_C_SOURCE 200809L /* for strtok_r, gmtime_r */

#define _STAT_DEFINED /* sys/stat.h is ours */

/* Those of other shapes go by other names. */
#define chmod io_chmod
#define mkdir io_mkdir
#define open  io_open
#define read  io_read
#define tell  io_tell
#define umask io_umask
#define write io_write
#include <io.h>
#undef chmod
#undef mkdir
#undef open
#undef read
#undef tell
#undef umask
#undef write

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define EDQUOT 10069 /* never set here */

/* Of the heap, and so at 16 bytes: who asks for more asks for whole cache lines. free releases it.
 */
void *aligned_alloc(size_t alignment, size_t size);
int mkostemp(char *pattern, int flags);
char *mkdtemp(char *pattern);
void qsort_r(void *base, size_t count, size_t size,
             int (*compare)(const void *, const void *, void *), void *context);
int setenv(const char *name, const char *value, int replace);

#undef environ /* a macro there; elsewhere a variable that its users declare */
#define environ thaw_environ

#endif
