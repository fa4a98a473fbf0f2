/* json_read.h — JSON in, within bounds: measured before it is parsed, objects read by a table of
 * their keys, errors that name the place ("jobs[3].spec: …") and what would do.
 *
 * Parsed JSON takes some thirty times the memory of its shortest text, so values are counted first.
 */
#ifndef THAW_COORDINATOR_JSON_READ_H
#define THAW_COORDINATOR_JSON_READ_H

#include "storage/base/hash.h"

#include <jansson.h>

#define JSON_READ_DEPTH_MAX 16

/* ERR_TOO_BIG: more than `values_max` values, or nested too deep. ERR_INVALID with line and column:
 * no JSON, a key twice, or no object. The caller gives it back by json_decref. */
bool json_read(struct span text, uint64_t values_max, json_t **out, struct err *err);

enum json_field_kind {
    JSON_FIELD_TEXT, /* const char *, borrowed from the JSON; no control characters; `max` bytes */
    JSON_FIELD_UINT, /* uint64_t, at most `max` */
    JSON_FIELD_UINT32, /* uint32_t, at most `max` */
    JSON_FIELD_BOOL,   /* bool */
    JSON_FIELD_HASH,   /* struct hash, 64 hex digits */
    JSON_FIELD_ARRAY,  /* const json_t *, at most `max` items */
    JSON_FIELD_OBJECT, /* const json_t *, at most `max` keys */
};
struct json_field {
    const char *name;
    enum json_field_kind kind;
    bool is_required;
    uint64_t max;
    size_t offset; /* in the struct that is filled */
};
#define JSON_FIELD(type, member, kind, is_required, max)                                           \
    {                                                                                              \
#member, kind, is_required, max, offsetof(type, member)                                    \
    }

/* Where in the document: for messages. */
struct json_place {
    const struct json_place *in; /* NULL: the whole */
    const char *key;             /* or NULL: an array's */
    size_t index;
};
/* Fills `out` (what is absent or null stays as it was). ERR_INVALID: a key that is not known (the
 * nearest one is named), a required one that is missing, a wrong type, a value out of bounds. */
struct json_fields {
    const struct json_field *fields;
    size_t count;
};
bool json_read_object(const json_t *json, struct json_fields fields, const struct json_place *place,
                      void *out, struct err *err);
/* An array's items as texts; `out` has room. */
bool json_read_texts(const json_t *array, size_t bytes_max, const struct json_place *place,
                     const char **out, struct err *err);
/* ERR_INVALID "PLACE: sentence". */
bool json_read_fail(struct err *err, const struct json_place *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
