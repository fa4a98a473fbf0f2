/* spec_codec.h — plain structs as deterministic CBOR and back, by tables of their fields. Private
 * to jobs/.
 *
 * A struct is a map from field keys, ascending, to values. A zero, a false, a missing text, an
 * empty list and a struct of such fields are left out; a reader refuses them where they are
 * written all the same, so that equal values have equal bytes. */
#ifndef THAW_JOBS_SPEC_CODEC_H
#define THAW_JOBS_SPEC_CODEC_H

#include "jobs/pool.h"
#include "storage/base/cbor.h"

#include <stddef.h>

enum spec_type {
    SPEC_U64,    /* uint64_t, up to `max` */
    SPEC_U32,    /* uint32_t, int32_t or an enum, up to `max` */
    SPEC_BOOL,   /* bool */
    SPEC_TEXT,   /* const char *, NULL or up to `max` bytes */
    SPEC_PATH,   /* the same; the name of a blob */
    SPEC_BYTES,  /* struct span, up to `max` bytes */
    SPEC_FIXED,  /* `max` bytes in place */
    SPEC_STRUCT, /* in place, as `table` says */
    SPEC_TEXTS,  /* const char *const *, up to `max` of them */
    SPEC_PATHS,  /* the same; names of blobs */
    SPEC_LIST,   /* pointer to up to `max` structs */
    SPEC_ARRAY,  /* up to `max` structs in place */
};

struct spec_table;
struct spec_field {
    uint32_t key; /* for ever */
    enum spec_type type;
    size_t offset;
    uint64_t max;
    size_t count_offset; /* of lists: where their count is */
    size_t count_size;   /* bytes of it: 4 or 8 */
    const struct spec_table *table;
};
struct spec_table {
    const struct spec_field *fields; /* by ascending key */
    size_t field_count;
    size_t size; /* of the struct */
};

/* clang-format off */
#define SPEC_FIELD(key, type, structure, member, max) \
    {key, type, offsetof(structure, member), max, 0, 0, NULL}
#define SPEC_INNER(key, structure, member, inner) \
    {key, SPEC_STRUCT, offsetof(structure, member), 0, 0, 0, inner}
#define SPEC_MANY(key, type, structure, member, count, max, inner) \
    {key, type, offsetof(structure, member), max, offsetof(structure, count), \
     sizeof(((structure *)0)->count), inner}
#define SPEC_TABLE(structure, fields) \
    {fields, sizeof fields / sizeof fields[0], sizeof(structure)}
/* clang-format on */

/* Texts of lists, such as patterns, are not longer. */
#define SPEC_TEXT_MAX 65536u

void spec_write(struct cbor_writer *writer, const struct spec_table *table, const void *base);
/* `base` is zeroed; texts and lists come from the pool. */
bool spec_read(struct cbor_reader *reader, const struct spec_table *table, void *base,
               struct pool *pool);
/* Calls `visit` for every path that is not NULL, which may change it; stops at false. */
bool spec_walk_paths(const struct spec_table *table, void *base,
                     bool (*visit)(void *context, const char **path), void *context);

#endif
