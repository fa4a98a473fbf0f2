/* attr.h — attributes: the named, typed, sized pieces of a state or configuration struct.
 *
 * A model declares its state in one table; reset, save, load, digest, diff, `thaw show` and the
 * manual come from the table alone. The table must tile the struct: every byte belongs to exactly
 * one attribute, in the order of the fields, without padding (attr_table_check). */
#ifndef THAW_SIM_CORE_ATTR_H
#define THAW_SIM_CORE_ATTR_H

#include "storage/base/cbor.h"

#include <stddef.h>
#include <stdint.h>

enum attr_type {
    ATTR_U8,
    ATTR_U16,
    ATTR_U32,
    ATTR_U64,
    ATTR_BOOL,  /* a uint8_t that is 0 or 1 in the struct: declared with ATTR_FLAG */
    ATTR_BYTES, /* uint8_t[count]: one byte string */
    ATTR_TEXT,  /* char[count]: NUL padded, at least one NUL, valid UTF-8 */
};

enum attr_flag {
    ATTR_OPTIONAL = 1, /* may be missing when loading (then it has its reset value), may be skipped
                        * by a build that does not know it */
};

#define ATTR_OPTIONAL_MARK '?' /* ends the key of an optional attribute; in no name */

struct attr {
    const char *name; /* lives forever in checkpoints: [a-z0-9_]+ */
    enum attr_type type;
    uint32_t offset; /* bytes from the start of the struct */
    uint32_t count;  /* elements; 1 for a scalar */
    uint64_t reset;  /* every element's value after reset */
    uint32_t flags;
    const char *meaning; /* one line */
};

struct attr_table {
    const struct attr *attrs;
    uint32_t count;
    uint32_t size; /* sizeof the struct */
};

/* clang-format off */
#define ATTR_TYPE_OF(element)                                                                      \
    _Generic((element), uint8_t: ATTR_U8, uint16_t: ATTR_U16, uint32_t: ATTR_U32,                  \
             uint64_t: ATTR_U64)
#define ATTR_FIELD(type, field)  (((type *)0)->field)
#define ATTR_COUNT(type, field)                                                                    \
    ((uint32_t)(sizeof ATTR_FIELD(type, field) / sizeof ATTR_FIELD(type, field)[0]))
#define ATTR_OFFSET(type, field) ((uint32_t)offsetof(type, field))

#define ATTR(type, field, reset, meaning)                                                          \
    {#field, ATTR_TYPE_OF(ATTR_FIELD(type, field)), ATTR_OFFSET(type, field), 1, (reset), 0,       \
     (meaning)}
#define ATTR_ARRAY(type, field, reset, meaning)                                                    \
    {#field, ATTR_TYPE_OF(ATTR_FIELD(type, field)[0]), ATTR_OFFSET(type, field),                   \
     ATTR_COUNT(type, field), (reset), 0, (meaning)}
#define ATTR_FLAG(type, field, reset, meaning)                                                     \
    {#field, ATTR_BOOL, ATTR_OFFSET(type, field), 1, (reset), 0, (meaning)}
#define ATTR_FLAGS(type, field, reset, meaning)                                                    \
    {#field, ATTR_BOOL, ATTR_OFFSET(type, field), ATTR_COUNT(type, field), (reset), 0, (meaning)}
#define ATTR_BLOB(type, field, meaning)                                                            \
    {#field, ATTR_BYTES, ATTR_OFFSET(type, field), ATTR_COUNT(type, field), 0, 0, (meaning)}
#define ATTR_STRING(type, field, meaning)                                                          \
    {#field, ATTR_TEXT, ATTR_OFFSET(type, field), ATTR_COUNT(type, field), 0, 0, (meaning)}
#define ATTR_TABLE(type, array)                                                                    \
    {(array), (uint32_t)(sizeof(array) / sizeof((array)[0])), (uint32_t)sizeof(type)}
/* clang-format on */
#define ATTR_TABLE_NONE                                                                            \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

uint32_t attr_element_size(enum attr_type type);
const char *attr_type_name(enum attr_type type);
/* True if the table tiles its struct and names are well formed and unique; else says what does
 * not. */
bool attr_table_check(const struct attr_table *table, struct err *err);
const struct attr *attr_find(const struct attr_table *table, struct span name);
void attr_reset(const struct attr_table *table, void *state);
/* Writes one map {key: value}, keys in deterministic order: the attribute's name, or "name?" if it
 * is optional, so that a build that does not know it can tell. Arrays are CBOR arrays; u8 arrays
 * too unless ATTR_BYTES. */
void attr_save(const struct attr_table *table, const void *state, struct cbor_writer *writer);
/* Reads such a map into `state` (start from attr_reset). Skips unknown optional attributes;
 * refuses other unknown, and missing, ill-typed, out of range attributes with a sentence that names
 * the attribute. Changes `state` even on failure:
 * callers load into a scratch struct. */
bool attr_load(const struct attr_table *table, struct cbor_reader *reader, void *state);
/* Calls back for every element that differs. index is 0 for scalars. Values of BYTES/TEXT elements
 * are single bytes. */
typedef void attr_differ(void *context, const struct attr *attr, uint32_t index, uint64_t a,
                         uint64_t b);
void attr_diff(const struct attr_table *table, const void *a, const void *b, attr_differ *differ,
               void *context);
uint64_t attr_get(const struct attr *attr, const void *state, uint32_t index);
void attr_set(const struct attr *attr, void *state, uint32_t index, uint64_t value);

#endif
