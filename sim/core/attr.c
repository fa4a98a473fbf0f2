#include "sim/core/attr.h"

#include "storage/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ATTR_NAME_MAX 64
#define TABLE_MAX     256

static const struct {
    const char *name;
    uint32_t size;
} types[] = {
    [ATTR_U8] = {"u8", 1},     [ATTR_U16] = {"u16", 2},   [ATTR_U32] = {"u32", 4},
    [ATTR_U64] = {"u64", 8},   [ATTR_BOOL] = {"bool", 1}, [ATTR_BYTES] = {"bytes", 1},
    [ATTR_TEXT] = {"text", 1},
};

uint32_t attr_element_size(enum attr_type type)
{
    return types[type].size;
}

const char *attr_type_name(enum attr_type type)
{
    return types[type].name;
}

static bool name_is_well_formed(const char *name)
{
    size_t length = strlen(name);

    if (length == 0 || length > ATTR_NAME_MAX)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == length;
}

bool attr_table_check(const struct attr_table *table, struct err *err)
{
    uint32_t at = 0;

    if (table->count > TABLE_MAX)
        return err_set(err, ERR_INVALID, "%u attributes, at most %d are allowed", table->count,
                       TABLE_MAX);
    for (uint32_t i = 0; i < table->count; i++) {
        const struct attr *attr = &table->attrs[i];
        if (!name_is_well_formed(attr->name))
            return err_set(err, ERR_INVALID, "\"%s\" is no attribute name", attr->name);
        if (attr_find(table, span_of_text(attr->name)) != attr)
            return err_set(err, ERR_INVALID, "the attribute %s is listed twice", attr->name);
        if (attr->offset != at)
            return err_set(err, ERR_INVALID,
                           "%s is at byte %u, the attribute before it ends at %u: a field or "
                           "padding is not in the table",
                           attr->name, attr->offset, at);
        at += attr->count * attr_element_size(attr->type);
    }
    if (at != table->size)
        return err_set(err, ERR_INVALID, "the table covers %u of the struct's %u bytes", at,
                       table->size);
    return true;
}

const struct attr *attr_find(const struct attr_table *table, struct span name)
{
    for (uint32_t i = 0; i < table->count; i++)
        if (cbor_text_is(name, table->attrs[i].name))
            return &table->attrs[i];
    return NULL;
}

uint64_t attr_get(const struct attr *attr, const void *state, uint32_t index)
{
    const uint8_t *at = (const uint8_t *)state + attr->offset;
    uint16_t half;
    uint32_t word;
    uint64_t twice;

    CHECK(index < attr->count);
    at += (size_t)index * attr_element_size(attr->type);
    switch (attr_element_size(attr->type)) {
    case 1:
        return *at;
    case 2:
        memcpy(&half, at, sizeof half);
        return half;
    case 4:
        memcpy(&word, at, sizeof word);
        return word;
    default:
        memcpy(&twice, at, sizeof twice);
        return twice;
    }
}

void attr_set(const struct attr *attr, void *state, uint32_t index, uint64_t value)
{
    uint8_t *at = (uint8_t *)state + attr->offset;
    uint8_t byte = (uint8_t)value;
    uint16_t half = (uint16_t)value;
    uint32_t word = (uint32_t)value;
    uint32_t size = attr_element_size(attr->type);

    CHECK(index < attr->count);
    at += (size_t)index * size;
    memcpy(at,
           size == 1   ? (const void *)&byte
           : size == 2 ? (const void *)&half
           : size == 4 ? (const void *)&word
                       : (const void *)&value,
           size);
}

void attr_reset(const struct attr_table *table, void *state)
{
    for (uint32_t i = 0; i < table->count; i++)
        for (uint32_t k = 0; k < table->attrs[i].count; k++)
            attr_set(&table->attrs[i], state, k, table->attrs[i].reset);
}

static void save_value(const struct attr *attr, const void *state, struct cbor_writer *writer)
{
    const uint8_t *at = (const uint8_t *)state + attr->offset;

    if (attr->type == ATTR_BYTES) {
        cbor_write_bytes(writer, (struct span){at, attr->count});
        return;
    }
    if (attr->type == ATTR_TEXT) {
        const char *end = memchr(at, 0, attr->count);
        CHECK(end != NULL);
        cbor_write_text(writer, (const char *)at);
        return;
    }
    if (attr->count != 1)
        cbor_write_array(writer, attr->count);
    for (uint32_t k = 0; k < attr->count; k++) {
        uint64_t value = attr_get(attr, state, k);
        if (attr->type == ATTR_BOOL)
            cbor_write_bool(writer, value != 0);
        else
            cbor_write_uint(writer, value);
    }
}

static bool is_optional(const struct attr *attr)
{
    return (attr->flags & ATTR_OPTIONAL) != 0;
}

/* Of the key: past the name stands the mark. */
static int key_byte(const struct attr *attr, size_t at)
{
    return attr->name[at] != 0 ? attr->name[at] : ATTR_OPTIONAL_MARK;
}

/* Bytewise order of the encoded keys: shorter first, then by bytes (all keys are under 256 bytes,
 * but the head of a text of 24 bytes and more is two bytes long, and sorts after). */
static int compare_keys(const void *a, const void *b)
{
    const struct attr *left = *(const struct attr *const *)a;
    const struct attr *right = *(const struct attr *const *)b;
    size_t left_size = strlen(left->name), right_size = strlen(right->name);
    size_t left_key = left_size + is_optional(left), right_key = right_size + is_optional(right);
    size_t common = left_size < right_size ? left_size : right_size;
    int order;

    if (left_key != right_key)
        return left_key < right_key ? -1 : 1;
    order = memcmp(left->name, right->name, common);
    return order != 0 ? order : key_byte(left, common) - key_byte(right, common);
}

static void save_key(const struct attr *attr, struct cbor_writer *writer)
{
    char key[ATTR_NAME_MAX + 2];

    CHECK(strlen(attr->name) <= ATTR_NAME_MAX);
    snprintf(key, sizeof key, "%s%c", attr->name, ATTR_OPTIONAL_MARK);
    cbor_write_text(writer, is_optional(attr) ? key : attr->name);
}

void attr_save(const struct attr_table *table, const void *state, struct cbor_writer *writer)
{
    const struct attr *order[TABLE_MAX];

    CHECK(table->count <= TABLE_MAX);
    for (uint32_t i = 0; i < table->count; i++)
        order[i] = &table->attrs[i];
    if (table->count != 0)
        qsort(order, table->count, sizeof order[0], compare_keys);
    cbor_write_map(writer, table->count);
    for (uint32_t i = 0; i < table->count; i++) {
        save_key(order[i], writer);
        save_value(order[i], state, writer);
    }
}

static uint64_t value_max(enum attr_type type)
{
    uint32_t bits = attr_element_size(type) * 8;

    return bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
}

static bool load_element(const struct attr *attr, struct cbor_reader *reader, void *state,
                         uint32_t index)
{
    uint64_t value;
    bool truth;

    if (attr->type == ATTR_BOOL) {
        if (!cbor_read_bool(reader, &truth))
            return false;
        attr_set(attr, state, index, truth);
        return true;
    }
    if (!cbor_read_uint(reader, &value))
        return false;
    if (value > value_max(attr->type))
        return cbor_fail(reader, ERR_INVALID, "%llu does not fit into a %s",
                         (unsigned long long)value, attr_type_name(attr->type));
    attr_set(attr, state, index, value);
    return true;
}

static bool load_text(const struct attr *attr, struct cbor_reader *reader, uint8_t *at)
{
    struct span text;

    if (!cbor_read_text(reader, attr->count - 1, &text))
        return false;
    if (text.size != 0 && memchr(text.data, 0, text.size) != NULL)
        return cbor_fail(reader, ERR_INVALID, "a zero byte inside a text");
    memset(at, 0, attr->count);
    if (text.size != 0)
        memcpy(at, text.data, text.size);
    return true;
}

static bool load_bytes(const struct attr *attr, struct cbor_reader *reader, uint8_t *at)
{
    struct span bytes;

    if (!cbor_read_bytes(reader, attr->count, &bytes))
        return false;
    if (bytes.size != attr->count)
        return cbor_fail(reader, ERR_INVALID, "%zu bytes where the schema has %u", bytes.size,
                         attr->count);
    memcpy(at, bytes.data, bytes.size);
    return true;
}

static bool load_value(const struct attr *attr, struct cbor_reader *reader, void *state)
{
    uint8_t *at = (uint8_t *)state + attr->offset;
    size_t count;

    if (attr->type == ATTR_BYTES)
        return load_bytes(attr, reader, at);
    if (attr->type == ATTR_TEXT)
        return load_text(attr, reader, at);
    if (attr->count != 1) {
        if (!cbor_read_array(reader, attr->count, &count))
            return false;
        if (count != attr->count)
            return cbor_fail(reader, ERR_INVALID, "%zu elements where the schema has %u", count,
                             attr->count);
    }
    for (uint32_t k = 0; k < attr->count; k++)
        if (!load_element(attr, reader, state, k))
            return false;
    return true;
}

bool attr_load(const struct attr_table *table, struct cbor_reader *reader, void *state)
{
    bool seen[TABLE_MAX] = {false};
    struct span name;
    size_t count;

    if (!cbor_read_map(reader, TABLE_MAX, &count))
        return false;
    for (size_t i = 0; i < count; i++) {
        const struct attr *attr;
        bool marked;
        if (!cbor_read_text(reader, ATTR_NAME_MAX + 1, &name))
            return false;
        marked = name.size != 0 && name.data[name.size - 1] == ATTR_OPTIONAL_MARK;
        name.size -= marked;
        attr = attr_find(table, name);
        if (attr == NULL && marked && cbor_skip(reader))
            continue;
        if (attr == NULL)
            return cbor_fail(reader, ERR_UNSUPPORTED, "attribute %.*s: this build does not know it",
                             (int)name.size, (const char *)name.data);
        if (!load_value(attr, reader, state))
            return err_wrap(reader->err, "attribute %s", attr->name);
        if (seen[attr - table->attrs])
            return cbor_fail(reader, ERR_CORRUPT, "attribute %s comes twice", attr->name);
        seen[attr - table->attrs] = true;
    }
    for (uint32_t i = 0; i < table->count; i++)
        if (!seen[i] && !is_optional(&table->attrs[i]))
            return cbor_fail(reader, ERR_INVALID, "attribute %s is missing", table->attrs[i].name);
    return true;
}

void attr_diff(const struct attr_table *table, const void *a, const void *b, attr_differ *differ,
               void *context)
{
    for (uint32_t i = 0; i < table->count; i++) {
        const struct attr *attr = &table->attrs[i];
        for (uint32_t k = 0; k < attr->count; k++) {
            uint64_t left = attr_get(attr, a, k), right = attr_get(attr, b, k);
            if (left != right)
                differ(context, attr, k, left, right);
        }
    }
}
