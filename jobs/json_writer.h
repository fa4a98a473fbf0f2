/* json_writer.h — JSON (RFC 8259), written piece by piece.
 *
 * Sticky: after one failure nothing more is written; ask json_ok once at the end. Commas and
 * indentation are the writer's. Text is UTF-8: bytes that are not become U+FFFD, control characters
 * are escaped. Numbers are integers, or milliseconds with three digits made from nanoseconds: no
 * floating point, the same text on every host. Whole numbers over 2^53 are written as they are;
 * readers in JavaScript round them. */
#ifndef THAW_JOBS_JSON_WRITER_H
#define THAW_JOBS_JSON_WRITER_H

#include "storage/base/buf.h"

#define JSON_DEPTH_MAX 32

struct json_writer {
    struct buf *out; /* borrowed */
    struct err *err; /* borrowed; the first failure */
    bool ok;
    bool indented; /* else everything on one line */
    /* private: */
    bool after_key;
    uint32_t depth;
    uint32_t filled; /* bit d: something stands in the object or array of depth d */
    uint32_t is_array;
};

struct json_writer json_writer(struct buf *out, bool indented, struct err *err);
void json_write_object(struct json_writer *writer); /* opens */
void json_write_array(struct json_writer *writer);  /* opens */
void json_write_close(struct json_writer *writer);  /* the innermost */
void json_write_key(struct json_writer *writer, const char *key);
void json_write_text(struct json_writer *writer, const char *text); /* NULL is null */
void json_write_span(struct json_writer *writer, struct span text);
void json_write_uint(struct json_writer *writer, uint64_t value);
void json_write_int(struct json_writer *writer, int64_t value);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_null(struct json_writer *writer);
/* Nanoseconds as milliseconds: 1234567 is 1.235 (rounded to the nearest). */
void json_write_ms(struct json_writer *writer, uint64_t ns);
/* Everything is closed, and all went well. */
bool json_writer_ok(const struct json_writer *writer);

/* Key and value in one. */
void json_write_key_text(struct json_writer *writer, const char *key, const char *text);
void json_write_key_uint(struct json_writer *writer, const char *key, uint64_t value);
void json_write_key_int(struct json_writer *writer, const char *key, int64_t value);
void json_write_key_bool(struct json_writer *writer, const char *key, bool value);
void json_write_key_ms(struct json_writer *writer, const char *key, uint64_t ns);

#endif
