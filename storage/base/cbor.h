/* cbor.h — deterministic CBOR (RFC 8949, section 4.2.1): a bounded subset, written and read.
 *
 * Known: unsigned and negative integers, byte strings, text strings (valid UTF-8), arrays, maps,
 * false, true, null. Lengths are definite, integers and lengths in their shortest form, map keys in
 * bytewise order of their encodings, without repeats. Anything else is refused by the reader.
 * Tags and floats are not in the subset.
 *
 * The writer is sticky: after one failure nothing more is written; ask cbor_writer_ok once at the
 * end. The writer checks nothing of map order but counts entries; cbor_write_map's caller writes
 * keys in order (debug aid: cbor_check on the result).
 * The reader is sticky too, walks in place, asks for no memory, and never recurses. */
#ifndef THAW_BASE_CBOR_H
#define THAW_BASE_CBOR_H

#include "storage/base/buf.h"

#define CBOR_DEPTH_MAX 16

enum cbor_type {
    CBOR_UINT,
    CBOR_NINT, /* negative integer */
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_BOOL,
    CBOR_NULL,
    CBOR_END, /* no more items here, or the reader has failed */
};

struct cbor_writer {
    struct buf *out; /* borrowed */
    struct err *err; /* borrowed; the first failure */
    bool ok;
};
struct cbor_writer cbor_writer(struct buf *out, struct err *err);
void cbor_write_uint(struct cbor_writer *writer, uint64_t value);
void cbor_write_int(struct cbor_writer *writer, int64_t value);
void cbor_write_bytes(struct cbor_writer *writer, struct span bytes);
void cbor_write_text(struct cbor_writer *writer, const char *text);
void cbor_write_text_span(struct cbor_writer *writer, struct span text);
void cbor_write_array(struct cbor_writer *writer, uint64_t count); /* then `count` items */
void cbor_write_map(struct cbor_writer *writer, uint64_t count); /* then `count` key, value pairs */
void cbor_write_bool(struct cbor_writer *writer, bool value);
void cbor_write_null(struct cbor_writer *writer);

struct cbor_reader {
    struct span bytes; /* borrowed */
    size_t offset;     /* of the next item */
    struct err *err;   /* borrowed; the first failure, with its offset */
    bool ok;
};
struct cbor_reader cbor_reader(struct span bytes, struct err *err);
enum cbor_type cbor_peek(struct cbor_reader *reader);
/* Each reads one item of exactly that type, and fails the reader otherwise. Spans point into the
 * reader's bytes. Counts are checked against `max` and against what the bytes left could hold. */
bool cbor_read_uint(struct cbor_reader *reader, uint64_t *out);
bool cbor_read_int(struct cbor_reader *reader, int64_t *out);
/* The argument n of a negative integer, which stands for -1 - n: all of CBOR's range. */
bool cbor_read_negative(struct cbor_reader *reader, uint64_t *out);
bool cbor_read_bytes(struct cbor_reader *reader, size_t max, struct span *out);
bool cbor_read_text(struct cbor_reader *reader, size_t max, struct span *out);
bool cbor_read_array(struct cbor_reader *reader, size_t max, size_t *count);
bool cbor_read_map(struct cbor_reader *reader, size_t max, size_t *count);
bool cbor_read_bool(struct cbor_reader *reader, bool *out);
bool cbor_read_null(struct cbor_reader *reader);
/* Steps over one whole item, whatever it is, to CBOR_DEPTH_MAX levels. */
bool cbor_skip(struct cbor_reader *reader);
/* Fails the reader with `kind` and a sentence, once. */
bool cbor_fail(struct cbor_reader *reader, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* True if the text read equals `text`. */
bool cbor_text_is(struct span text, const char *expected);
/* Checks that `bytes` is exactly one well-formed, deterministic item, map order included. */
bool cbor_check(struct span bytes, struct err *err);
/* Diagnostic notation (RFC 8949, section 8), indented, for `show` and for tests. */
bool cbor_print(struct span bytes, struct buf *out, struct err *err);

#endif
