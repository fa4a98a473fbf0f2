/* buf.h — bytes: a borrowed span, and a growing buffer with a ceiling.
 *
 * A buf never grows over `max`: the append fails with ERR_TOO_BIG before memory is asked for.
 * buf_release is safe on a fresh or released buf, and leaves it fresh. */
#ifndef THAW_BASE_BUF_H
#define THAW_BASE_BUF_H

#include "storage/base/err.h"

#include <stddef.h>
#include <stdint.h>

/* Borrowed bytes; valid as long as their owner says. */
struct span {
    const uint8_t *data;
    size_t size; /* bytes */
};

struct buf {
    uint8_t *data;
    size_t size;     /* bytes in use */
    size_t capacity; /* private */
    size_t max;      /* the ceiling, in bytes */
};

#define BUF_INIT(max_bytes) {NULL, 0, 0, (max_bytes)}

bool buf_reserve(struct buf *buf, size_t more_bytes, struct err *err);
bool buf_append(struct buf *buf, const void *data, size_t size, struct err *err);
bool buf_append_text(struct buf *buf, const char *text, struct err *err);
bool buf_format(struct buf *buf, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Makes size 0, keeps the memory. */
void buf_clear(struct buf *buf);
void buf_release(struct buf *buf);
struct span buf_span(const struct buf *buf);
struct span span_of_text(const char *text);
bool span_equal(struct span a, struct span b);

/* Memory that cannot be had: sizes here were checked against a maximum before, so these stop the
 * program like CHECK. For sizes that a file, a peer or the guest chose use buf or check first. */
void *mem_alloc(size_t size);               /* zeroed */
void *mem_array(size_t count, size_t size); /* zeroed, the product checked */
char *mem_text(const char *text);           /* a copy */
void mem_free(void *memory);

#endif
