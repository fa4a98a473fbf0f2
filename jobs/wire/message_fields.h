/* message_fields.h — private to jobs/wire: what each message is made of, as tables, and the code
 * that writes, reads and clears a struct by its table. */
#ifndef THAW_JOBS_WIRE_MESSAGE_FIELDS_H
#define THAW_JOBS_WIRE_MESSAGE_FIELDS_H

#include "jobs/wire/message.h"
#include "storage/base/cbor.h"

enum field_type {
    FIELD_BOOL,
    FIELD_U32,
    FIELD_U64,
    FIELD_I32,
    FIELD_ENUM,   /* of names */
    FIELD_TEXT,   /* a span of at most max bytes, valid UTF-8 without NUL */
    FIELD_BYTES,  /* an array of exactly max bytes; all zero is empty */
    FIELD_U64S,   /* a list of at most max */
    FIELD_TEXTS,  /* of at most max texts of MESSAGE_NAME_MAX bytes */
    FIELD_HASHES, /* of at most max hashes */
    FIELD_LIST,   /* of at most max structs, each by a table */
};

struct table;
struct field {
    const char *key;
    enum field_type type;
    bool required; /* written even when it is empty, refused when it is not there */
    size_t offset; /* of the value in the struct */
    size_t count;  /* of a list: offset of its uint32_t count */
    size_t max;
    const struct table *table; /* FIELD_LIST */
    const char *const *names;  /* FIELD_ENUM, max of them; NULL: none */
    uint32_t unknown;          /* FIELD_ENUM: value of an unknown name; UINT32_MAX: refused */
};

struct table {
    const char *name;
    const struct field *fields; /* in the order of their encoded keys: shorter first, then bytes */
    size_t count;
    size_t size; /* bytes of the struct */
};

/* The table of each kind; the struct is at message->u. */
const struct table *message_table(enum message_kind kind);
extern const struct table message_job_result_table;

/* Makes everything in the struct empty. Lists become short, their elements keep old bytes. */
void fields_clear(const struct table *table, void *object);
/* One map. The reader must have passed cbor_check. */
bool fields_write(const struct table *table, const void *object, struct cbor_writer *writer);
bool fields_read(const struct table *table, void *object, struct cbor_reader *reader);

#endif
