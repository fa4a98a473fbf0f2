#include "jobs/utf8.h"
#include "jobs/wire/message_fields.h"
#include "storage/base/check.h"

#include <string.h>

static const void *at(const struct field *field, const void *object)
{
    return (const uint8_t *)object + field->offset;
}

static void *at_mut(const struct field *field, void *object)
{
    return (uint8_t *)object + field->offset;
}

static uint32_t count_of(const struct field *field, const void *object)
{
    uint32_t count;

    memcpy(&count, (const uint8_t *)object + field->count, sizeof count);
    return count;
}

static void set_count(const struct field *field, void *object, size_t count)
{
    uint32_t value = (uint32_t)count;

    memcpy((uint8_t *)object + field->count, &value, sizeof value);
}

static uint32_t get_u32(const void *value)
{
    uint32_t number;

    memcpy(&number, value, sizeof number);
    return number;
}

static bool is_list(const struct field *field)
{
    return field->type >= FIELD_U64S;
}

static size_t value_size(const struct field *field)
{
    switch (field->type) {
    case FIELD_BOOL:
        return sizeof(bool);
    case FIELD_U64:
        return sizeof(uint64_t);
    case FIELD_TEXT:
        return sizeof(struct span);
    case FIELD_BYTES:
        return field->max;
    default:
        return sizeof(uint32_t);
    }
}

void fields_clear(const struct table *table, void *object)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];

        if (is_list(field))
            set_count(field, object, 0);
        else if (field->type == FIELD_TEXT)
            *(struct span *)at_mut(field, object) = span_of_text("");
        else
            memset(at_mut(field, object), 0, value_size(field));
    }
}

static bool bytes_are_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static bool is_empty(const struct field *field, const void *object)
{
    if (is_list(field))
        return count_of(field, object) == 0;
    if (field->type == FIELD_TEXT)
        return ((const struct span *)at(field, object))->size == 0;
    return bytes_are_zero(at(field, object), value_size(field));
}

static bool writer_fail(struct cbor_writer *writer, enum err_kind kind, const char *key,
                        const char *what)
{
    if (writer->ok)
        err_set(writer->err, kind, "`%s` %s", key, what);
    return writer->ok = false;
}

static bool write_text(const char *key, struct span text, size_t max, struct cbor_writer *writer)
{
    if (text.size > max)
        return writer_fail(writer, ERR_TOO_BIG, key, "is longer than a message has room for");
    if (text.size != 0 && memchr(text.data, 0, text.size) != NULL)
        return writer_fail(writer, ERR_INVALID, key, "has a NUL character in it");
    if (utf8_valid_size(text) != text.size)
        return writer_fail(writer, ERR_INVALID, key, "is not UTF-8");
    cbor_write_text_span(writer, text);
    return writer->ok;
}

static bool write_list(const struct field *field, const void *object, struct cbor_writer *writer)
{
    uint32_t count = count_of(field, object);
    const uint8_t *values = at(field, object);

    if (count > field->max)
        return writer_fail(writer, ERR_TOO_BIG, field->key, "has more entries than allowed");
    cbor_write_array(writer, count);
    for (uint32_t i = 0; i < count && writer->ok; i++) {
        if (field->type == FIELD_U64S)
            cbor_write_uint(writer, ((const uint64_t *)(const void *)values)[i]);
        else if (field->type == FIELD_TEXTS)
            write_text(field->key, ((const struct span *)(const void *)values)[i], MESSAGE_NAME_MAX,
                       writer);
        else if (field->type == FIELD_HASHES)
            cbor_write_bytes(writer, (struct span){values + (size_t)i * HASH_SIZE, HASH_SIZE});
        else
            fields_write(field->table, values + i * field->table->size, writer);
    }
    return writer->ok;
}

static bool write_enum(const struct field *field, uint32_t value, struct cbor_writer *writer)
{
    if (value >= field->max)
        return writer_fail(writer, ERR_INVALID, field->key, "has a value that has no name");
    cbor_write_text(writer, field->names[value]);
    return writer->ok;
}

static bool write_value(const struct field *field, const void *object, struct cbor_writer *writer)
{
    const void *value = at(field, object);
    int32_t number;

    switch (field->type) {
    case FIELD_BOOL:
        cbor_write_bool(writer, *(const bool *)value);
        return writer->ok;
    case FIELD_U32:
        cbor_write_uint(writer, get_u32(value));
        return writer->ok;
    case FIELD_U64:
        cbor_write_uint(writer, *(const uint64_t *)value);
        return writer->ok;
    case FIELD_I32:
        memcpy(&number, value, sizeof number);
        cbor_write_int(writer, number);
        return writer->ok;
    case FIELD_ENUM:
        return write_enum(field, get_u32(value), writer);
    case FIELD_TEXT:
        return write_text(field->key, *(const struct span *)value, field->max, writer);
    case FIELD_BYTES:
        cbor_write_bytes(writer, (struct span){value, field->max});
        return writer->ok;
    default:
        return write_list(field, object, writer);
    }
}

/* An id, a key, a name or a hash that must be there is never empty; a number may be 0. */
static bool must_not_be_empty(const struct field *field)
{
    return field->required && (field->type == FIELD_BYTES || field->type == FIELD_TEXT);
}

bool fields_write(const struct table *table, const void *object, struct cbor_writer *writer)
{
    size_t count = 0;

    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];
        bool empty = is_empty(field, object);

        if (empty && must_not_be_empty(field))
            return writer_fail(writer, ERR_INVALID, field->key, "must not be empty");
        count += field->required || !empty;
    }
    cbor_write_map(writer, count);
    for (size_t i = 0; i < table->count && writer->ok; i++) {
        const struct field *field = &table->fields[i];

        if (!field->required && is_empty(field, object))
            continue;
        cbor_write_text(writer, field->key);
        write_value(field, object, writer);
    }
    return writer->ok;
}

static bool read_text(const char *key, size_t max, struct cbor_reader *reader, struct span *out)
{
    if (!cbor_read_text(reader, max, out))
        return false;
    if (out->size != 0 && memchr(out->data, 0, out->size) != NULL)
        return cbor_fail(reader, ERR_INVALID, "`%s` has a NUL character in it", key);
    return true;
}

static bool read_bytes(const char *key, size_t size, struct cbor_reader *reader, void *out)
{
    struct span bytes;

    if (!cbor_read_bytes(reader, size, &bytes))
        return false;
    if (bytes.size != size)
        return cbor_fail(reader, ERR_INVALID, "`%s` has %zu bytes instead of %zu", key, bytes.size,
                         size);
    memcpy(out, bytes.data, size);
    return true;
}

static bool read_u32(const char *key, struct cbor_reader *reader, void *out)
{
    uint64_t number;
    uint32_t value;

    if (!cbor_read_uint(reader, &number))
        return false;
    if (number > UINT32_MAX)
        return cbor_fail(reader, ERR_INVALID, "`%s` is out of range", key);
    value = (uint32_t)number;
    memcpy(out, &value, sizeof value);
    return true;
}

static bool read_i32(const char *key, struct cbor_reader *reader, void *out)
{
    int64_t number;
    int32_t value;

    if (!cbor_read_int(reader, &number))
        return false;
    if (number < INT32_MIN || number > INT32_MAX)
        return cbor_fail(reader, ERR_INVALID, "`%s` is out of range", key);
    value = (int32_t)number;
    memcpy(out, &value, sizeof value);
    return true;
}

static bool read_enum(const struct field *field, struct cbor_reader *reader, void *out)
{
    uint32_t value = 0;
    struct span name;

    if (!cbor_read_text(reader, MESSAGE_NAME_MAX, &name))
        return false;
    while (value < field->max && !cbor_text_is(name, field->names[value]))
        value++;
    if (value == field->max)
        value = field->unknown;
    if (value == UINT32_MAX)
        return cbor_fail(reader, ERR_UNSUPPORTED, "`%s` is \"%.*s\", which is not known here",
                         field->key, (int)name.size, (const char *)name.data);
    memcpy(out, &value, sizeof value);
    return true;
}

static bool read_element(const struct field *field, uint8_t *values, size_t index,
                         struct cbor_reader *reader)
{
    switch (field->type) {
    case FIELD_U64S:
        return cbor_read_uint(reader, &((uint64_t *)(void *)values)[index]);
    case FIELD_TEXTS:
        return read_text(field->key, MESSAGE_NAME_MAX, reader,
                         &((struct span *)(void *)values)[index]);
    case FIELD_HASHES:
        return read_bytes(field->key, HASH_SIZE, reader, values + index * HASH_SIZE);
    default:
        return fields_read(field->table, values + index * field->table->size, reader);
    }
}

static bool read_list(const struct field *field, void *object, struct cbor_reader *reader)
{
    size_t count;

    if (!cbor_read_array(reader, field->max, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!read_element(field, at_mut(field, object), i, reader))
            return false;
    set_count(field, object, count);
    return true;
}

static bool read_value(const struct field *field, void *object, struct cbor_reader *reader)
{
    void *value = at_mut(field, object);

    switch (field->type) {
    case FIELD_BOOL:
        return cbor_read_bool(reader, value);
    case FIELD_U32:
        return read_u32(field->key, reader, value);
    case FIELD_U64:
        return cbor_read_uint(reader, value);
    case FIELD_I32:
        return read_i32(field->key, reader, value);
    case FIELD_ENUM:
        return read_enum(field, reader, value);
    case FIELD_TEXT:
        return read_text(field->key, field->max, reader, value);
    case FIELD_BYTES:
        return read_bytes(field->key, field->max, reader, value);
    default:
        return read_list(field, object, reader);
    }
}

/* Keys and fields are both in order, so one pass over both finds every key. */
static const struct field *find_field(const struct table *table, struct span key, size_t *next)
{
    for (size_t i = *next; i < table->count; i++) {
        if (!cbor_text_is(key, table->fields[i].key))
            continue;
        *next = i + 1;
        return &table->fields[i];
    }
    return NULL;
}

static bool check_required(const struct table *table, const void *object, uint32_t seen,
                           struct cbor_reader *reader)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct field *field = &table->fields[i];

        if (field->required && (seen & (UINT32_C(1) << i)) == 0)
            return cbor_fail(reader, ERR_INVALID, "%s without `%s`", table->name, field->key);
        if (must_not_be_empty(field) && is_empty(field, object))
            return cbor_fail(reader, ERR_INVALID, "%s with an empty `%s`", table->name, field->key);
    }
    return true;
}

bool fields_read(const struct table *table, void *object, struct cbor_reader *reader)
{
    size_t entries, next = 0;
    uint32_t seen = 0;

    CHECK(table->count <= 32);
    fields_clear(table, object);
    if (!cbor_read_map(reader, MESSAGE_BYTES_MAX, &entries))
        return false;
    for (size_t i = 0; i < entries; i++) {
        const struct field *field = NULL;
        struct span key;

        if (cbor_peek(reader) == CBOR_TEXT) {
            if (!cbor_read_text(reader, MESSAGE_BYTES_MAX, &key))
                return false;
            field = find_field(table, key, &next);
        } else if (!cbor_skip(reader)) {
            return false;
        }
        if (field == NULL ? !cbor_skip(reader) : !read_value(field, object, reader))
            return false;
        if (field != NULL)
            seen |= UINT32_C(1) << (field - table->fields);
    }
    return check_required(table, object, seen, reader);
}
