#include "jobs/spec_codec.h"

#include "storage/base/check.h"
#include "storage/base/image_tree.h"

#include <string.h>

static const void *at(const struct spec_field *field, const void *base)
{
    return (const uint8_t *)base + field->offset;
}

static void *at_mutable(const struct spec_field *field, void *base)
{
    return (uint8_t *)base + field->offset;
}

static size_t count_of(const struct spec_field *field, const void *base)
{
    const uint8_t *place = (const uint8_t *)base + field->count_offset;
    uint32_t small;
    size_t count;

    if (field->count_size == sizeof count) {
        memcpy(&count, place, sizeof count);
        return count;
    }
    memcpy(&small, place, sizeof small);
    return small;
}

static void set_count(const struct spec_field *field, void *base, size_t count)
{
    uint8_t *place = (uint8_t *)base + field->count_offset;
    uint32_t small = (uint32_t)count;

    if (field->count_size == sizeof count)
        memcpy(place, &count, sizeof count);
    else
        memcpy(place, &small, sizeof small);
}

static uint64_t number_of(const struct spec_field *field, const void *base)
{
    uint64_t value;
    uint32_t small;

    if (field->type == SPEC_U64) {
        memcpy(&value, at(field, base), sizeof value);
        return value;
    }
    memcpy(&small, at(field, base), sizeof small);
    return small;
}

static const char *text_of(const struct spec_field *field, const void *base)
{
    const char *text;

    memcpy(&text, at(field, base), sizeof text);
    return text;
}

static struct span span_of(const struct spec_field *field, const void *base)
{
    struct span span;

    memcpy(&span, at(field, base), sizeof span);
    return span;
}

static size_t present_count(const struct spec_table *table, const void *base);

static bool is_present(const struct spec_field *field, const void *base)
{
    switch (field->type) {
    case SPEC_U64:
    case SPEC_U32:
        return number_of(field, base) != 0;
    case SPEC_BOOL:
        return *(const bool *)at(field, base);
    case SPEC_TEXT:
    case SPEC_PATH:
        return text_of(field, base) != NULL;
    case SPEC_BYTES:
        return span_of(field, base).size != 0;
    case SPEC_FIXED:
        return !bytes_are_zero(at(field, base), (size_t)field->max);
    case SPEC_STRUCT:
        return present_count(field->table, at(field, base)) != 0;
    case SPEC_TEXTS:
    case SPEC_PATHS:
    case SPEC_LIST:
    case SPEC_ARRAY:
        return count_of(field, base) != 0;
    }
    CHECK(false);
}

static size_t present_count(const struct spec_table *table, const void *base)
{
    size_t count = 0;

    for (size_t i = 0; i < table->field_count; i++)
        count += is_present(&table->fields[i], base) ? 1 : 0;
    return count;
}

static void write_texts(struct cbor_writer *writer, const struct spec_field *field,
                        const void *base)
{
    const char *const *texts;
    size_t count = count_of(field, base);

    memcpy(&texts, at(field, base), sizeof texts);
    cbor_write_array(writer, count);
    for (size_t i = 0; i < count; i++)
        cbor_write_text(writer, texts[i]);
}

static void write_list(struct cbor_writer *writer, const struct spec_field *field, const void *base)
{
    const uint8_t *items = at(field, base);
    size_t count = count_of(field, base);

    if (field->type == SPEC_LIST)
        memcpy(&items, at(field, base), sizeof items);
    cbor_write_array(writer, count);
    for (size_t i = 0; i < count; i++)
        spec_write(writer, field->table, items + i * field->table->size);
}

static void write_value(struct cbor_writer *writer, const struct spec_field *field,
                        const void *base)
{
    switch (field->type) {
    case SPEC_U64:
    case SPEC_U32:
        cbor_write_uint(writer, number_of(field, base));
        return;
    case SPEC_BOOL:
        cbor_write_bool(writer, true);
        return;
    case SPEC_TEXT:
    case SPEC_PATH:
        cbor_write_text(writer, text_of(field, base));
        return;
    case SPEC_BYTES:
        cbor_write_bytes(writer, span_of(field, base));
        return;
    case SPEC_FIXED:
        cbor_write_bytes(writer, (struct span){at(field, base), (size_t)field->max});
        return;
    case SPEC_STRUCT:
        spec_write(writer, field->table, at(field, base));
        return;
    case SPEC_TEXTS:
    case SPEC_PATHS:
        write_texts(writer, field, base);
        return;
    case SPEC_LIST:
    case SPEC_ARRAY:
        write_list(writer, field, base);
        return;
    }
}

void spec_write(struct cbor_writer *writer, const struct spec_table *table, const void *base)
{
    cbor_write_map(writer, present_count(table, base));
    for (size_t i = 0; i < table->field_count; i++) {
        if (!is_present(&table->fields[i], base))
            continue;
        cbor_write_uint(writer, table->fields[i].key);
        write_value(writer, &table->fields[i], base);
    }
}

static bool read_number(struct cbor_reader *reader, const struct spec_field *field, void *base)
{
    uint64_t value;
    uint32_t small;

    if (!cbor_read_uint(reader, &value))
        return false;
    if (value > field->max)
        return cbor_fail(reader, ERR_INVALID, "field %u is %llu, more than %llu", field->key,
                         (unsigned long long)value, (unsigned long long)field->max);
    small = (uint32_t)value;
    if (field->type == SPEC_U64)
        memcpy(at_mutable(field, base), &value, sizeof value);
    else
        memcpy(at_mutable(field, base), &small, sizeof small);
    return true;
}

static bool read_text(struct cbor_reader *reader, size_t max, struct pool *pool, const char **out)
{
    struct span text;

    if (!cbor_read_text(reader, max, &text))
        return false;
    if (text.size != 0 && memchr(text.data, 0, text.size) != NULL)
        return cbor_fail(reader, ERR_INVALID, "a text holds a NUL");
    *out = pool_bytes(pool, text.data, text.size);
    return true;
}

static bool read_bytes(struct cbor_reader *reader, const struct spec_field *field, void *base,
                       struct pool *pool)
{
    struct span bytes;

    if (!cbor_read_bytes(reader, (size_t)field->max, &bytes))
        return false;
    if (field->type == SPEC_FIXED) {
        if (bytes.size != field->max)
            return cbor_fail(reader, ERR_INVALID, "field %u has %zu bytes, not %zu", field->key,
                             bytes.size, (size_t)field->max);
        memcpy(at_mutable(field, base), bytes.data, bytes.size);
        return true;
    }
    bytes.data = (const uint8_t *)pool_bytes(pool, bytes.data, bytes.size);
    memcpy(at_mutable(field, base), &bytes, sizeof bytes);
    return true;
}

static bool read_texts(struct cbor_reader *reader, const struct spec_field *field, void *base,
                       struct pool *pool)
{
    const char **texts;
    size_t count;

    if (!cbor_read_array(reader, (size_t)field->max, &count))
        return false;
    texts = pool_array(pool, count, sizeof *texts);
    for (size_t i = 0; i < count; i++) {
        if (!read_text(reader, SPEC_TEXT_MAX, pool, &texts[i]))
            return false;
    }
    memcpy(at_mutable(field, base), &texts, sizeof texts);
    set_count(field, base, count);
    return true;
}

static bool read_list(struct cbor_reader *reader, const struct spec_field *field, void *base,
                      struct pool *pool)
{
    uint8_t *items = at_mutable(field, base);
    size_t count;

    if (!cbor_read_array(reader, (size_t)field->max, &count))
        return false;
    if (field->type == SPEC_LIST) {
        items = pool_array(pool, count, field->table->size);
        memcpy(at_mutable(field, base), &items, sizeof items);
    }
    for (size_t i = 0; i < count; i++) {
        if (!spec_read(reader, field->table, items + i * field->table->size, pool))
            return false;
    }
    set_count(field, base, count);
    return true;
}

static bool read_value(struct cbor_reader *reader, const struct spec_field *field, void *base,
                       struct pool *pool)
{
    const char *text;

    switch (field->type) {
    case SPEC_U64:
    case SPEC_U32:
        return read_number(reader, field, base);
    case SPEC_BOOL:
        return cbor_read_bool(reader, at_mutable(field, base));
    case SPEC_TEXT:
    case SPEC_PATH:
        if (!read_text(reader, (size_t)field->max, pool, &text))
            return false;
        memcpy(at_mutable(field, base), &text, sizeof text);
        return true;
    case SPEC_BYTES:
    case SPEC_FIXED:
        return read_bytes(reader, field, base, pool);
    case SPEC_STRUCT:
        return spec_read(reader, field->table, at_mutable(field, base), pool);
    case SPEC_TEXTS:
    case SPEC_PATHS:
        return read_texts(reader, field, base, pool);
    case SPEC_LIST:
    case SPEC_ARRAY:
        return read_list(reader, field, base, pool);
    }
    CHECK(false);
}

static const struct spec_field *find_field(const struct spec_table *table, uint64_t key)
{
    for (size_t i = 0; i < table->field_count; i++) {
        if (table->fields[i].key == key)
            return &table->fields[i];
    }
    return NULL;
}

bool spec_read(struct cbor_reader *reader, const struct spec_table *table, void *base,
               struct pool *pool)
{
    uint64_t key, last = 0;
    size_t count;

    /* A newer writer may know more fields than this table: that is said by name below. */
    if (!cbor_read_map(reader, 2 * table->field_count + 64, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct spec_field *field;

        if (!cbor_read_uint(reader, &key))
            return false;
        if (i > 0 && key <= last)
            return cbor_fail(reader, ERR_INVALID, "field %llu is out of order",
                             (unsigned long long)key);
        last = key;
        field = find_field(table, key);
        if (field == NULL)
            return cbor_fail(reader, ERR_UNSUPPORTED,
                             "field %llu is not known here: a newer version wrote it",
                             (unsigned long long)key);
        if (!read_value(reader, field, base, pool))
            return false;
        if (!is_present(field, base))
            return cbor_fail(reader, ERR_INVALID, "field %u is empty, and must be left out",
                             field->key);
    }
    return true;
}

static bool visit_list(const struct spec_field *field, void *base,
                       bool (*visit)(void *context, const char **path), void *context)
{
    uint8_t *items = at_mutable(field, base);
    const char **paths = NULL;
    bool ok = true;

    if (field->type == SPEC_PATHS)
        memcpy(&paths, at(field, base), sizeof paths);
    else if (field->type == SPEC_LIST)
        memcpy(&items, at(field, base), sizeof items);
    for (size_t i = 0; ok && i < count_of(field, base); i++)
        ok = field->type == SPEC_PATHS
                 ? visit(context, &paths[i])
                 : spec_walk_paths(field->table, items + i * field->table->size, visit, context);
    return ok;
}

bool spec_walk_paths(const struct spec_table *table, void *base,
                     bool (*visit)(void *context, const char **path), void *context)
{
    bool ok = true;

    for (size_t i = 0; ok && i < table->field_count; i++) {
        const struct spec_field *field = &table->fields[i];
        const char *path;

        if (field->type == SPEC_PATH) {
            path = text_of(field, base);
            ok = path == NULL || visit(context, &path);
            if (path != text_of(field, base)) /* what is only looked at may be constant */
                memcpy(at_mutable(field, base), &path, sizeof path);
        } else if (field->type == SPEC_STRUCT) {
            ok = spec_walk_paths(field->table, at_mutable(field, base), visit, context);
        } else if (field->type == SPEC_PATHS || field->type == SPEC_LIST ||
                   field->type == SPEC_ARRAY) {
            ok = visit_list(field, base, visit, context);
        }
    }
    return ok;
}
