#include "sim/core/bag.h"

#include "storage/base/check.h"

#include <stdlib.h>
#include <string.h>

#define BAG_ENTRIES_MAX  512
#define BAG_NAME_MAX     65 /* with an optional attribute's mark */
#define BAG_ELEMENTS_MAX (1u << 20)

enum value_kind { VALUE_NUMBERS, VALUE_TRUTHS, VALUE_BYTES, VALUE_TEXT };

struct entry {
    char name[BAG_NAME_MAX + 1];
    enum value_kind kind;
    bool is_array; /* of numbers or truths: written as an array even if it has one element */
    uint32_t count;
    uint64_t *numbers; /* NUMBERS, TRUTHS */
    uint8_t *bytes;    /* BYTES, TEXT */
};

struct attr_bag {
    struct entry entries[BAG_ENTRIES_MAX];
    size_t count;
};

static void entry_release(struct entry *entry)
{
    mem_free(entry->numbers);
    mem_free(entry->bytes);
    memset(entry, 0, sizeof *entry);
}

void attr_bag_free(struct attr_bag *bag)
{
    if (bag == NULL)
        return;
    for (size_t i = 0; i < bag->count; i++)
        entry_release(&bag->entries[i]);
    mem_free(bag);
}

/* An entry keeps its optional attribute's mark; who asks for it by name need not know. */
static struct entry *entry_find(const struct attr_bag *bag, const char *name)
{
    size_t size = strlen(name);

    for (size_t i = 0; i < bag->count; i++) {
        const char *found = bag->entries[i].name;
        if (strncmp(found, name, size) != 0)
            continue;
        if (found[size] == 0 || (found[size] == ATTR_OPTIONAL_MARK && found[size + 1] == 0))
            return (struct entry *)&bag->entries[i];
    }
    return NULL;
}

static bool read_scalar(struct cbor_reader *reader, struct entry *entry, uint64_t *out)
{
    bool truth;

    if (cbor_peek(reader) != CBOR_BOOL)
        return cbor_read_uint(reader, out);
    entry->kind = VALUE_TRUTHS;
    if (!cbor_read_bool(reader, &truth))
        return false;
    *out = truth;
    return true;
}

static bool read_numbers(struct cbor_reader *reader, struct entry *entry)
{
    size_t count = 1;

    entry->kind = VALUE_NUMBERS;
    entry->is_array = cbor_peek(reader) == CBOR_ARRAY;
    if (entry->is_array && !cbor_read_array(reader, BAG_ELEMENTS_MAX, &count))
        return false;
    entry->numbers = mem_array(count, sizeof *entry->numbers);
    entry->count = (uint32_t)count;
    for (size_t i = 0; i < count; i++)
        if (!read_scalar(reader, entry, &entry->numbers[i]))
            return false;
    return true;
}

static bool read_string(struct cbor_reader *reader, struct entry *entry)
{
    struct span span;
    bool ok = entry->kind == VALUE_BYTES ? cbor_read_bytes(reader, BAG_ELEMENTS_MAX, &span)
                                         : cbor_read_text(reader, BAG_ELEMENTS_MAX, &span);

    if (!ok)
        return false;
    entry->bytes = mem_alloc(span.size);
    entry->count = (uint32_t)span.size;
    if (span.size != 0)
        memcpy(entry->bytes, span.data, span.size);
    return true;
}

static bool read_entry(struct cbor_reader *reader, struct entry *entry)
{
    struct span name;

    if (!cbor_read_text(reader, BAG_NAME_MAX, &name))
        return false;
    if (name.size != 0)
        memcpy(entry->name, name.data, name.size);
    switch (cbor_peek(reader)) {
    case CBOR_BYTES:
        entry->kind = VALUE_BYTES;
        return read_string(reader, entry);
    case CBOR_TEXT:
        entry->kind = VALUE_TEXT;
        return read_string(reader, entry);
    default:
        return read_numbers(reader, entry);
    }
}

bool attr_bag_read(struct cbor_reader *reader, struct attr_bag **out)
{
    struct attr_bag *bag = mem_alloc(sizeof *bag);
    size_t count;
    bool ok = cbor_read_map(reader, BAG_ENTRIES_MAX / 2, &count);

    for (size_t i = 0; ok && i < count; i++) {
        bag->count = i + 1; /* what a half-read entry owns is freed with the bag */
        ok = read_entry(reader, &bag->entries[i]);
    }
    if (!ok) {
        attr_bag_free(bag);
        return false;
    }
    *out = bag;
    return true;
}

static int compare_entries(const void *a, const void *b)
{
    const struct entry *const *left = a, *const *right = b;
    size_t left_size = strlen((*left)->name), right_size = strlen((*right)->name);

    if (left_size != right_size)
        return left_size < right_size ? -1 : 1;
    return strcmp((*left)->name, (*right)->name);
}

static void write_entry(const struct entry *entry, struct cbor_writer *writer)
{
    struct span span = {entry->bytes, entry->count};

    if (entry->kind == VALUE_BYTES) {
        cbor_write_bytes(writer, span);
        return;
    }
    if (entry->kind == VALUE_TEXT) {
        cbor_write_text_span(writer, span);
        return;
    }
    if (entry->is_array)
        cbor_write_array(writer, entry->count);
    for (uint32_t i = 0; i < entry->count; i++)
        if (entry->kind == VALUE_TRUTHS)
            cbor_write_bool(writer, entry->numbers[i] != 0);
        else
            cbor_write_uint(writer, entry->numbers[i]);
}

void attr_bag_write(const struct attr_bag *bag, struct cbor_writer *writer)
{
    const struct entry *order[BAG_ENTRIES_MAX];

    for (size_t i = 0; i < bag->count; i++)
        order[i] = &bag->entries[i];
    if (bag->count != 0)
        qsort(order, bag->count, sizeof order[0], compare_entries);
    cbor_write_map(writer, bag->count);
    for (size_t i = 0; i < bag->count; i++) {
        cbor_write_text(writer, order[i]->name);
        write_entry(order[i], writer);
    }
}

bool attr_bag_get(const struct attr_bag *bag, const char *name, uint32_t index, uint64_t *value)
{
    const struct entry *entry = entry_find(bag, name);

    if (entry == NULL || index >= entry->count)
        return false;
    *value = entry->numbers != NULL ? entry->numbers[index] : entry->bytes[index];
    return true;
}

bool attr_bag_set(struct attr_bag *bag, const char *name, uint32_t count, const uint64_t *values,
                  struct err *err)
{
    struct entry *entry = entry_find(bag, name);
    enum value_kind kind = VALUE_NUMBERS;

    CHECK(strlen(name) <= BAG_NAME_MAX && count != 0);
    if (entry != NULL && entry->kind == VALUE_TRUTHS)
        kind = VALUE_TRUTHS;
    if (entry == NULL && bag->count == BAG_ENTRIES_MAX)
        return err_set(err, ERR_TOO_BIG, "more than %d attributes", BAG_ENTRIES_MAX);
    if (entry == NULL)
        entry = &bag->entries[bag->count++];
    entry_release(entry);
    memcpy(entry->name, name, strlen(name) + 1);
    entry->kind = kind;
    entry->is_array = count != 1;
    entry->count = count;
    entry->numbers = mem_array(count, sizeof *entry->numbers);
    memcpy(entry->numbers, values, count * sizeof *values);
    return true;
}

bool attr_bag_rename(struct attr_bag *bag, const char *from, const char *to)
{
    struct entry *entry = entry_find(bag, from);

    CHECK(strlen(to) <= BAG_NAME_MAX);
    if (entry == NULL || entry_find(bag, to) != NULL)
        return false;
    memcpy(entry->name, to, strlen(to) + 1);
    return true;
}

bool attr_bag_drop(struct attr_bag *bag, const char *name)
{
    struct entry *entry = entry_find(bag, name);
    size_t index;

    if (entry == NULL)
        return false;
    entry_release(entry);
    index = (size_t)(entry - bag->entries);
    memmove(entry, entry + 1, (bag->count - index - 1) * sizeof *entry);
    bag->count--;
    memset(&bag->entries[bag->count], 0, sizeof *entry);
    return true;
}
