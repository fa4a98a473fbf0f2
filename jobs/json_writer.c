#include "jobs/json_writer.h"

#include "jobs/utf8.h"
#include "storage/base/check.h"

struct json_writer json_writer(struct buf *out, bool indented, struct err *err)
{
    return (struct json_writer){.out = out, .err = err, .ok = true, .indented = indented};
}

static void put(struct json_writer *writer, const char *text)
{
    writer->ok = writer->ok && buf_append_text(writer->out, text, writer->err);
}

static uint32_t bit(const struct json_writer *writer)
{
    return UINT32_C(1) << (writer->depth - 1);
}

static void new_line(struct json_writer *writer)
{
    if (!writer->indented)
        return;
    put(writer, "\n");
    for (uint32_t i = 0; i < writer->depth; i++)
        put(writer, "  ");
}

/* Before a value, or before a key. */
static void separate(struct json_writer *writer)
{
    if (writer->after_key || writer->depth == 0) {
        writer->after_key = false;
        return;
    }
    if (writer->filled & bit(writer))
        put(writer, writer->indented ? "," : ", ");
    writer->filled |= bit(writer);
    new_line(writer);
}

static void before_value(struct json_writer *writer)
{
    /* In an object, a value has a key. */
    CHECK(writer->depth == 0 || writer->after_key || (writer->is_array & bit(writer)));
    separate(writer);
}

static void open(struct json_writer *writer, bool is_array)
{
    before_value(writer);
    put(writer, is_array ? "[" : "{");
    CHECK(writer->depth < JSON_DEPTH_MAX);
    writer->depth++;
    writer->filled &= ~bit(writer);
    writer->is_array = is_array ? writer->is_array | bit(writer) : writer->is_array & ~bit(writer);
}

void json_write_object(struct json_writer *writer)
{
    open(writer, false);
}

void json_write_array(struct json_writer *writer)
{
    open(writer, true);
}

void json_write_close(struct json_writer *writer)
{
    bool filled, is_array;

    CHECK(writer->depth > 0 && !writer->after_key);
    filled = (writer->filled & bit(writer)) != 0;
    is_array = (writer->is_array & bit(writer)) != 0;
    writer->depth--;
    if (filled)
        new_line(writer);
    put(writer, is_array ? "]" : "}");
}

static void put_escaped(struct json_writer *writer, uint32_t c)
{
    switch (c) {
    case '"':
        put(writer, "\\\"");
        return;
    case '\\':
        put(writer, "\\\\");
        return;
    case '\n':
        put(writer, "\\n");
        return;
    case '\r':
        put(writer, "\\r");
        return;
    case '\t':
        put(writer, "\\t");
        return;
    default:
        writer->ok = writer->ok && buf_format(writer->out, writer->err, "\\u%04x", c);
        return;
    }
}

/* U+2028 and U+2029 end lines in JavaScript: escaped, so that the text can be pasted there. */
static bool needs_escape(uint32_t c)
{
    return c < 0x20 || c == '"' || c == '\\' || c == 0x7f || c == 0x2028 || c == 0x2029;
}

static void put_string(struct json_writer *writer, struct span text)
{
    put(writer, "\"");
    for (size_t at = 0; at < text.size && writer->ok;) {
        struct span rest = {text.data + at, text.size - at};
        uint32_t c = 0;
        size_t size = utf8_read(rest, &c);

        if (size == 0)
            put(writer, UTF8_REPLACEMENT);
        else if (needs_escape(c))
            put_escaped(writer, c);
        else
            writer->ok = buf_append(writer->out, rest.data, size, writer->err);
        at += size == 0 ? 1 : size;
    }
    put(writer, "\"");
}

void json_write_key(struct json_writer *writer, const char *key)
{
    CHECK(writer->depth > 0 && !(writer->is_array & bit(writer)) && !writer->after_key);
    separate(writer);
    put_string(writer, span_of_text(key));
    put(writer, ": ");
    writer->after_key = true;
}

void json_write_span(struct json_writer *writer, struct span text)
{
    before_value(writer);
    put_string(writer, text);
}

void json_write_text(struct json_writer *writer, const char *text)
{
    if (text == NULL)
        json_write_null(writer);
    else
        json_write_span(writer, span_of_text(text));
}

void json_write_uint(struct json_writer *writer, uint64_t value)
{
    before_value(writer);
    writer->ok =
        writer->ok && buf_format(writer->out, writer->err, "%llu", (unsigned long long)value);
}

void json_write_int(struct json_writer *writer, int64_t value)
{
    before_value(writer);
    writer->ok = writer->ok && buf_format(writer->out, writer->err, "%lld", (long long)value);
}

void json_write_bool(struct json_writer *writer, bool value)
{
    before_value(writer);
    put(writer, value ? "true" : "false");
}

void json_write_null(struct json_writer *writer)
{
    before_value(writer);
    put(writer, "null");
}

void json_write_ms(struct json_writer *writer, uint64_t ns)
{
    uint64_t us = ns / 1000 + (ns % 1000 >= 500 ? 1 : 0);

    before_value(writer);
    writer->ok =
        writer->ok && buf_format(writer->out, writer->err, "%llu.%03u",
                                 (unsigned long long)(us / 1000), (unsigned int)(us % 1000));
}

bool json_writer_ok(const struct json_writer *writer)
{
    CHECK(!writer->ok || writer->depth == 0);
    return writer->ok;
}

void json_write_key_text(struct json_writer *writer, const char *key, const char *text)
{
    json_write_key(writer, key);
    json_write_text(writer, text);
}

void json_write_key_uint(struct json_writer *writer, const char *key, uint64_t value)
{
    json_write_key(writer, key);
    json_write_uint(writer, value);
}

void json_write_key_int(struct json_writer *writer, const char *key, int64_t value)
{
    json_write_key(writer, key);
    json_write_int(writer, value);
}

void json_write_key_bool(struct json_writer *writer, const char *key, bool value)
{
    json_write_key(writer, key);
    json_write_bool(writer, value);
}

void json_write_key_ms(struct json_writer *writer, const char *key, uint64_t ns)
{
    json_write_key(writer, key);
    json_write_ms(writer, ns);
}
