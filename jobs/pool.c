#include "jobs/pool.h"

#include "storage/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_SIZE 4096u
#define ALIGNMENT  16u

struct pool_block {
    struct pool_block *previous;
    size_t capacity;
    uint8_t data[] __attribute__((aligned(ALIGNMENT)));
};

void *pool_alloc(struct pool *pool, size_t size)
{
    size_t rounded = (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
    uint8_t *at;

    CHECK(size <= SIZE_MAX / 2);
    if (rounded == 0)
        rounded = ALIGNMENT;
    if (pool->last == NULL || rounded > pool->last->capacity - pool->used) {
        size_t capacity = rounded > BLOCK_SIZE ? rounded : BLOCK_SIZE;
        struct pool_block *block = mem_alloc(sizeof *block + capacity);

        block->previous = pool->last;
        block->capacity = capacity;
        pool->last = block;
        pool->used = 0;
        pool->total += capacity;
    }
    at = pool->last->data + pool->used;
    pool->used += rounded;
    return at;
}

void *pool_array(struct pool *pool, size_t count, size_t size)
{
    CHECK(size == 0 || count <= SIZE_MAX / 2 / size);
    return pool_alloc(pool, count * size);
}

char *pool_bytes(struct pool *pool, const void *data, size_t size)
{
    char *copy = pool_alloc(pool, size + 1);

    if (size != 0)
        memcpy(copy, data, size);
    return copy;
}

char *pool_text(struct pool *pool, const char *text)
{
    return pool_bytes(pool, text, strlen(text));
}

char *pool_format(struct pool *pool, const char *format, ...)
{
    va_list args;
    int length;
    char *text;

    va_start(args, format);
    length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    CHECK(length >= 0);
    text = pool_alloc(pool, (size_t)length + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)length + 1, format, args);
    va_end(args);
    return text;
}

void pool_release(struct pool *pool)
{
    while (pool->last != NULL) {
        struct pool_block *block = pool->last;

        pool->last = block->previous;
        mem_free(block);
    }
    *pool = (struct pool)POOL_INIT;
}
