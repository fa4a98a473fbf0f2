#include "storage/base/buf.h"

#include "storage/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_FIRST 256

bool buf_reserve(struct buf *buf, size_t more_bytes, struct err *err)
{
    size_t wanted, capacity;
    uint8_t *data;

    if (more_bytes > buf->max || buf->size > buf->max - more_bytes)
        return err_set(err, ERR_TOO_BIG, "%zu bytes and %zu more are over the limit of %zu bytes",
                       buf->size, more_bytes, buf->max);
    wanted = buf->size + more_bytes;
    if (wanted <= buf->capacity)
        return true;
    capacity = buf->capacity < CAPACITY_FIRST ? CAPACITY_FIRST : buf->capacity;
    while (capacity < wanted)
        capacity = capacity > buf->max / 2 ? buf->max : capacity * 2;
    if (capacity > buf->max)
        capacity = buf->max;
    data = realloc(buf->data, capacity);
    if (data == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for %zu bytes", capacity);
    buf->data = data;
    buf->capacity = capacity;
    return true;
}

bool buf_append(struct buf *buf, const void *data, size_t size, struct err *err)
{
    if (!buf_reserve(buf, size, err))
        return false;
    if (size != 0)
        memcpy(buf->data + buf->size, data, size);
    buf->size += size;
    return true;
}

bool buf_append_text(struct buf *buf, const char *text, struct err *err)
{
    return buf_append(buf, text, strlen(text), err);
}

bool buf_format(struct buf *buf, struct err *err, const char *format, ...)
{
    char small[512];
    char *large;
    va_list args;
    int length;
    bool ok;

    va_start(args, format);
    length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    CHECK(length >= 0);
    if ((size_t)length < sizeof small)
        return buf_append(buf, small, (size_t)length, err);
    large = mem_alloc((size_t)length + 1);
    va_start(args, format);
    vsnprintf(large, (size_t)length + 1, format, args);
    va_end(args);
    ok = buf_append(buf, large, (size_t)length, err);
    mem_free(large);
    return ok;
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
}

void buf_release(struct buf *buf)
{
    free(buf->data);
    buf->data = NULL;
    buf->size = 0;
    buf->capacity = 0;
}

struct span buf_span(const struct buf *buf)
{
    return (struct span){buf->data, buf->size};
}

struct span span_of_text(const char *text)
{
    return (struct span){(const uint8_t *)text, strlen(text)};
}

bool span_equal(struct span a, struct span b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

void *mem_alloc(size_t size)
{
    return mem_array(1, size);
}

void *mem_array(size_t count, size_t size)
{
    void *memory = calloc(count == 0 ? 1 : count, size == 0 ? 1 : size);

    CHECK(memory != NULL);
    return memory;
}

char *mem_text(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = mem_alloc(size);

    memcpy(copy, text, size);
    return copy;
}

void mem_free(void *memory)
{
    free(memory);
}
