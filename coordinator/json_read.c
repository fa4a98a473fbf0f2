#include "coordinator/json_read.h"

#include "jobs/suggest.h"
#include "storage/base/check.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define PLACE_MAX  256
#define FIELDS_MAX 32

struct measure {
    uint64_t values; /* at most so many: counted by what stands between them */
    uint32_t depth, deepest;
};

/* After the quote that opens it; gives the place behind the one that closes it. */
static size_t skip_string(struct span text, size_t at)
{
    while (at < text.size && text.data[at] != '"')
        at += text.data[at] == '\\' ? 2u : 1u;
    return at + 1;
}

static struct measure measure(struct span text)
{
    struct measure m = {1, 0, 0};

    for (size_t at = 0; at < text.size; at++) {
        switch (text.data[at]) {
        case '"':
            at = skip_string(text, at + 1) - 1;
            break;
        case '[':
        case '{':
            m.values++;
            m.depth++;
            m.deepest = m.depth > m.deepest ? m.depth : m.deepest;
            break;
        case ']':
        case '}':
            m.depth -= m.depth != 0;
            break;
        case ',':
        case ':':
            m.values++;
            break;
        default:
            break;
        }
    }
    return m;
}

bool json_read(struct span text, uint64_t values_max, json_t **out, struct err *err)
{
    struct measure m = measure(text);
    json_error_t error;
    json_t *json;

    if (m.values > values_max)
        return err_set(err, ERR_TOO_BIG,
                       "this JSON has some %" PRIu64 " values, at most %" PRIu64
                       " are taken: send it in parts",
                       m.values, values_max);
    if (m.deepest > JSON_READ_DEPTH_MAX)
        return err_set(err, ERR_TOO_BIG, "this JSON is nested %u deep, at most %u is taken",
                       m.deepest, JSON_READ_DEPTH_MAX);
    json = json_loadb((const char *)text.data, text.size, JSON_REJECT_DUPLICATES, &error);
    if (json == NULL)
        return err_set(err, ERR_INVALID, "no proper JSON: line %d, column %d: %s", error.line,
                       error.column, error.text);
    if (!json_is_object(json)) {
        json_decref(json);
        return err_set(err, ERR_INVALID, "the JSON must be an object: {…}");
    }
    *out = json;
    return true;
}

/* "jobs[3].spec" */
static size_t place_text(const struct json_place *place, char *out, size_t size)
{
    size_t used;
    int more;

    if (place == NULL) {
        out[0] = 0;
        return 0;
    }
    used = place_text(place->in, out, size);
    if (used + 1 >= size)
        return used;
    if (place->key != NULL)
        more = snprintf(out + used, size - used, "%s%.64s", used != 0 ? "." : "", place->key);
    else
        more = snprintf(out + used, size - used, "[%zu]", place->index);
    return used + (size_t)more < size ? used + (size_t)more : size - 1;
}

bool json_read_fail(struct err *err, const struct json_place *place, const char *format, ...)
{
    char where[PLACE_MAX], what[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    if (place_text(place, where, sizeof where) == 0)
        return err_set(err, ERR_INVALID, "%s", what);
    return err_set(err, ERR_INVALID, "%s: %s", where, what);
}

static bool is_plain_text(const char *text)
{
    for (; *text != 0; text++)
        if ((unsigned char)*text < ' ' && *text != '\t' && *text != '\n')
            return false;
    return true;
}

static bool read_text(const json_t *value, uint64_t max, const struct json_place *place,
                      const char **out, struct err *err)
{
    const char *text = json_string_value(value);

    if (text == NULL)
        return json_read_fail(err, place, "must be a text");
    if (json_string_length(value) > max)
        return json_read_fail(err, place, "is a text of %zu bytes, at most %" PRIu64 " are taken",
                              json_string_length(value), max);
    if (strlen(text) != json_string_length(value) || !is_plain_text(text))
        return json_read_fail(err, place, "has control characters in it");
    *out = text;
    return true;
}

static bool read_number(const json_t *value, uint64_t max, const struct json_place *place,
                        uint64_t *out, struct err *err)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value) || number < 0)
        return json_read_fail(err, place, "must be a whole number, 0 or more");
    if ((uint64_t)number > max)
        return json_read_fail(err, place, "is %" PRIu64 ", at most %" PRIu64 " is taken",
                              (uint64_t)number, max);
    *out = (uint64_t)number;
    return true;
}

static bool read_hash(const json_t *value, const struct json_place *place, struct hash *out,
                      struct err *err)
{
    const char *text = json_string_value(value);
    struct err ignored = ERR_INIT;

    if (text == NULL || !hash_parse(text, out, &ignored))
        return json_read_fail(err, place, "must be a SHA-256: 64 lower-case hex digits");
    return true;
}

static bool read_container(const json_t *value, const struct json_field *field,
                           const struct json_place *place, const json_t **out, struct err *err)
{
    bool is_array = field->kind == JSON_FIELD_ARRAY;
    size_t size = is_array ? json_array_size(value) : json_object_size(value);

    if (is_array ? !json_is_array(value) : !json_is_object(value))
        return json_read_fail(err, place,
                              is_array ? "must be a list: […]" : "must be an object: {…}");
    if (size > field->max)
        return json_read_fail(err, place, "has %zu entries, at most %" PRIu64 " are taken", size,
                              field->max);
    *out = value;
    return true;
}

static bool read_field(const json_t *value, const struct json_field *field,
                       const struct json_place *place, char *out, struct err *err)
{
    void *member = out + field->offset;
    uint64_t number = 0;

    switch (field->kind) {
    case JSON_FIELD_TEXT:
        return read_text(value, field->max, place, member, err);
    case JSON_FIELD_UINT:
        return read_number(value, field->max, place, member, err);
    case JSON_FIELD_UINT32:
        if (!read_number(value, field->max, place, &number, err))
            return false;
        *(uint32_t *)member = (uint32_t)number;
        return true;
    case JSON_FIELD_BOOL:
        if (!json_is_boolean(value))
            return json_read_fail(err, place, "must be true or false");
        *(bool *)member = json_is_true(value);
        return true;
    case JSON_FIELD_HASH:
        return read_hash(value, place, member, err);
    case JSON_FIELD_ARRAY:
    case JSON_FIELD_OBJECT:
        return read_container(value, field, place, member, err);
    }
    CHECK(false);
}

static bool refuse_key(const char *key, struct json_fields fields, const struct json_place *place,
                       struct err *err)
{
    const char *names[FIELDS_MAX];
    const char *near;

    CHECK(fields.count <= FIELDS_MAX);
    for (size_t i = 0; i < fields.count; i++)
        names[i] = fields.fields[i].name;
    near = suggest_name(key, names, fields.count);
    return json_read_fail(err, place, "there is no key \"%.64s\" here%s%s%s", key,
                          near != NULL ? ": did you mean \"" : "", near != NULL ? near : "",
                          near != NULL ? "\"?" : "");
}

static const struct json_field *find_field(struct json_fields fields, const char *key)
{
    for (size_t i = 0; i < fields.count; i++)
        if (strcmp(fields.fields[i].name, key) == 0)
            return &fields.fields[i];
    return NULL;
}

bool json_read_object(const json_t *json, struct json_fields fields, const struct json_place *place,
                      void *out, struct err *err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(json))
        return json_read_fail(err, place, "must be an object: {…}");
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        const struct json_field *field = find_field(fields, key);
        struct json_place at = {place, key, 0};

        if (field == NULL)
            return refuse_key(key, fields, place, err);
        if (!json_is_null(value) && !read_field(value, field, &at, out, err))
            return false;
    }
    for (size_t i = 0; i < fields.count; i++) {
        const json_t *there = json_object_get(json, fields.fields[i].name);

        if (fields.fields[i].is_required && (there == NULL || json_is_null(there)))
            return json_read_fail(err, place, "the key \"%s\" is missing", fields.fields[i].name);
    }
    return true;
}

bool json_read_texts(const json_t *array, size_t bytes_max, const struct json_place *place,
                     const char **out, struct err *err)
{
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct json_place at = {place, NULL, i};

        if (!read_text(json_array_get(array, i), bytes_max, &at, &out[i], err))
            return false;
    }
    return true;
}
