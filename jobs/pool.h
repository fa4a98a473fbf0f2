/* pool.h — memory that is given piece by piece and taken back all at once.
 *
 * What a file says becomes many small strings and arrays that live and die together: they come from
 * one pool, and whoever owns the pool frees them with one call. Sizes were checked by the caller
 * before. */
#ifndef THAW_JOBS_POOL_H
#define THAW_JOBS_POOL_H

#include "storage/base/buf.h"

struct pool_block;
struct pool {
    struct pool_block *last; /* private */
    size_t used;             /* private: bytes given from `last` */
    size_t total;            /* bytes asked of the host so far */
};

#define POOL_INIT                                                                                  \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

/* Zeroed, aligned for anything. */
void *pool_alloc(struct pool *pool, size_t size);
void *pool_array(struct pool *pool, size_t count, size_t size);
/* A copy with a NUL behind it; the bytes may hold NULs of their own. */
char *pool_bytes(struct pool *pool, const void *data, size_t size);
char *pool_text(struct pool *pool, const char *text);
char *pool_format(struct pool *pool, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Safe on a fresh or released pool, and leaves it fresh. */
void pool_release(struct pool *pool);

#endif
