#include "storage/base/cbor.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Major types (RFC 8949, section 3.1). */
enum major {
    MAJOR_UINT,
    MAJOR_NINT,
    MAJOR_BYTES,
    MAJOR_TEXT,
    MAJOR_ARRAY,
    MAJOR_MAP,
    MAJOR_TAG,
    MAJOR_SIMPLE
};
enum simple { SIMPLE_FALSE = 20, SIMPLE_TRUE = 21, SIMPLE_NULL = 22 };

struct cbor_writer cbor_writer(struct buf *out, struct err *err)
{
    return (struct cbor_writer){out, err, true};
}

static void write_raw(struct cbor_writer *writer, const void *data, size_t size)
{
    if (writer->ok)
        writer->ok = buf_append(writer->out, data, size, writer->err);
}

/* Initial byte and argument in the shortest form (RFC 8949, 4.2.1). */
static void write_head(struct cbor_writer *writer, enum major major, uint64_t value)
{
    uint8_t head[9];
    uint8_t type = (uint8_t)(major << 5);

    if (value < 24) {
        head[0] = (uint8_t)(type | value);
        write_raw(writer, head, 1);
    } else if (value <= UINT8_MAX) {
        head[0] = type | 24;
        head[1] = (uint8_t)value;
        write_raw(writer, head, 2);
    } else if (value <= UINT16_MAX) {
        head[0] = type | 25;
        store_be16(head + 1, (uint16_t)value);
        write_raw(writer, head, 3);
    } else if (value <= UINT32_MAX) {
        head[0] = type | 26;
        store_be32(head + 1, (uint32_t)value);
        write_raw(writer, head, 5);
    } else {
        head[0] = type | 27;
        store_be64(head + 1, value);
        write_raw(writer, head, 9);
    }
}

void cbor_write_uint(struct cbor_writer *writer, uint64_t value)
{
    write_head(writer, MAJOR_UINT, value);
}

void cbor_write_int(struct cbor_writer *writer, int64_t value)
{
    if (value >= 0)
        write_head(writer, MAJOR_UINT, (uint64_t)value);
    else
        write_head(writer, MAJOR_NINT, ~(uint64_t)value);
}

void cbor_write_bytes(struct cbor_writer *writer, struct span bytes)
{
    write_head(writer, MAJOR_BYTES, bytes.size);
    write_raw(writer, bytes.data, bytes.size);
}

void cbor_write_text(struct cbor_writer *writer, const char *text)
{
    cbor_write_text_span(writer, span_of_text(text));
}

void cbor_write_text_span(struct cbor_writer *writer, struct span text)
{
    write_head(writer, MAJOR_TEXT, text.size);
    write_raw(writer, text.data, text.size);
}

void cbor_write_array(struct cbor_writer *writer, uint64_t count)
{
    write_head(writer, MAJOR_ARRAY, count);
}

void cbor_write_map(struct cbor_writer *writer, uint64_t count)
{
    write_head(writer, MAJOR_MAP, count);
}

void cbor_write_bool(struct cbor_writer *writer, bool value)
{
    write_head(writer, MAJOR_SIMPLE, value ? SIMPLE_TRUE : SIMPLE_FALSE);
}

void cbor_write_null(struct cbor_writer *writer)
{
    write_head(writer, MAJOR_SIMPLE, SIMPLE_NULL);
}

struct cbor_reader cbor_reader(struct span bytes, struct err *err)
{
    return (struct cbor_reader){bytes, 0, err, true};
}

bool cbor_fail(struct cbor_reader *reader, enum err_kind kind, const char *format, ...)
{
    char what[512];
    va_list args;

    if (!reader->ok)
        return false;
    reader->ok = false;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return err_set(reader->err, kind, "%s (CBOR, byte %zu)", what, reader->offset);
}

struct head {
    enum major major;
    uint64_t value;
    size_t size; /* bytes of the head itself */
};

static size_t argument_size(uint8_t info)
{
    if (info < 24)
        return 0;
    return info <= 27 ? (size_t)1 << (info - 24) : SIZE_MAX;
}

static uint64_t argument_value(const uint8_t *at, size_t size, uint8_t info)
{
    switch (size) {
    case 0:
        return info;
    case 1:
        return at[0];
    case 2:
        return load_be16(at);
    case 4:
        return load_be32(at);
    default:
        return load_be64(at);
    }
}

static bool is_shortest(uint64_t value, size_t argument)
{
    static const uint64_t least[] = {[1] = 24, [2] = 256, [4] = 65536, [8] = UINT64_C(1) << 32};

    return argument == 0 || value >= least[argument];
}

/* Looks at the head of the next item without stepping over it. */
static bool read_head(struct cbor_reader *reader, struct head *out)
{
    size_t left = reader->bytes.size - reader->offset;
    const uint8_t *at;
    size_t argument;
    uint8_t info;

    if (!reader->ok)
        return false;
    if (left == 0)
        return cbor_fail(reader, ERR_CORRUPT, "the data ends where an item should begin");
    at = reader->bytes.data + reader->offset;
    out->major = (enum major)(at[0] >> 5);
    info = at[0] & 31;
    argument = argument_size(info);
    if (argument == SIZE_MAX)
        return cbor_fail(reader, ERR_CORRUPT, "initial byte 0x%02x is not in the subset", at[0]);
    if (left - 1 < argument)
        return cbor_fail(reader, ERR_CORRUPT, "the data ends inside an item's head");
    out->value = argument_value(at + 1, argument, info);
    out->size = 1 + argument;
    if (!is_shortest(out->value, argument))
        return cbor_fail(reader, ERR_CORRUPT, "a number is not in its shortest form");
    if (out->major == MAJOR_TAG)
        return cbor_fail(reader, ERR_CORRUPT, "tags are not in the subset");
    if (out->major == MAJOR_SIMPLE &&
        (argument != 0 || out->value < SIMPLE_FALSE || out->value > SIMPLE_NULL))
        return cbor_fail(reader, ERR_CORRUPT, "simple value or float not in the subset");
    return true;
}

enum cbor_type cbor_peek(struct cbor_reader *reader)
{
    static const enum cbor_type types[] = {CBOR_UINT, CBOR_NINT,  CBOR_BYTES,
                                           CBOR_TEXT, CBOR_ARRAY, CBOR_MAP};
    struct head head;

    if (!reader->ok || reader->offset == reader->bytes.size || !read_head(reader, &head))
        return CBOR_END;
    if (head.major == MAJOR_SIMPLE)
        return head.value == SIMPLE_NULL ? CBOR_NULL : CBOR_BOOL;
    return types[head.major];
}

static bool read_major(struct cbor_reader *reader, enum major major, const char *what,
                       struct head *out)
{
    if (!read_head(reader, out))
        return false;
    if (out->major != major)
        return cbor_fail(reader, ERR_CORRUPT, "%s was expected here", what);
    return true;
}

bool cbor_read_uint(struct cbor_reader *reader, uint64_t *out)
{
    struct head head;

    if (!read_major(reader, MAJOR_UINT, "an unsigned integer", &head))
        return false;
    reader->offset += head.size;
    *out = head.value;
    return true;
}

bool cbor_read_negative(struct cbor_reader *reader, uint64_t *out)
{
    struct head head;

    if (!read_major(reader, MAJOR_NINT, "a negative integer", &head))
        return false;
    reader->offset += head.size;
    *out = head.value;
    return true;
}

bool cbor_read_int(struct cbor_reader *reader, int64_t *out)
{
    struct head head;

    if (!read_head(reader, &head))
        return false;
    if (head.major != MAJOR_UINT && head.major != MAJOR_NINT)
        return cbor_fail(reader, ERR_CORRUPT, "an integer was expected here");
    if (head.value > INT64_MAX)
        return cbor_fail(reader, ERR_CORRUPT, "an integer is out of range");
    reader->offset += head.size;
    *out = head.major == MAJOR_UINT ? (int64_t)head.value : -1 - (int64_t)head.value;
    return true;
}

/* The bytes of a string whose head was just read. */
static bool read_string(struct cbor_reader *reader, const struct head *head, size_t max,
                        struct span *out)
{
    size_t left = reader->bytes.size - reader->offset - head->size;

    if (head->value > max)
        return cbor_fail(reader, ERR_TOO_BIG, "a string of %llu bytes, at most %zu are allowed",
                         (unsigned long long)head->value, max);
    if (head->value > left)
        return cbor_fail(reader, ERR_CORRUPT, "the data ends inside a string");
    out->data = reader->bytes.data + reader->offset + head->size;
    out->size = (size_t)head->value;
    reader->offset += head->size + out->size;
    return true;
}

bool cbor_read_bytes(struct cbor_reader *reader, size_t max, struct span *out)
{
    struct head head;

    return read_major(reader, MAJOR_BYTES, "a byte string", &head) &&
           read_string(reader, &head, max, out);
}

/* Length of the UTF-8 sequence at `at` (RFC 3629), 0 if there is none. */
static size_t utf8_sequence(const uint8_t *at, size_t left)
{
    uint8_t first = at[0], low = 0x80, high = 0xbf;
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (size == 1)
        return 1;
    if (first < 0xc2 || first > 0xf4 || left < size)
        return 0;
    if (first == 0xe0)
        low = 0xa0;
    if (first == 0xed)
        high = 0x9f;
    if (first == 0xf0)
        low = 0x90;
    if (first == 0xf4)
        high = 0x8f;
    if (at[1] < low || at[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

static bool is_utf8(struct span text)
{
    size_t at = 0;

    while (at < text.size) {
        size_t step = utf8_sequence(text.data + at, text.size - at);
        if (step == 0)
            return false;
        at += step;
    }
    return true;
}

bool cbor_read_text(struct cbor_reader *reader, size_t max, struct span *out)
{
    struct head head;
    struct span text;

    if (!read_major(reader, MAJOR_TEXT, "a text string", &head) ||
        !read_string(reader, &head, max, &text))
        return false;
    if (!is_utf8(text))
        return cbor_fail(reader, ERR_CORRUPT, "a text string is not UTF-8");
    *out = text;
    return true;
}

static bool read_count(struct cbor_reader *reader, const struct head *head, size_t max,
                       size_t *count)
{
    size_t left = reader->bytes.size - reader->offset - head->size;
    size_t least = head->major == MAJOR_MAP ? 2 : 1; /* bytes an entry takes */

    if (head->value > max)
        return cbor_fail(reader, ERR_TOO_BIG, "%llu entries, at most %zu are allowed",
                         (unsigned long long)head->value, max);
    if (head->value > left / least)
        return cbor_fail(reader, ERR_CORRUPT, "more entries than the data can hold");
    *count = (size_t)head->value;
    reader->offset += head->size;
    return true;
}

bool cbor_read_array(struct cbor_reader *reader, size_t max, size_t *count)
{
    struct head head;

    return read_major(reader, MAJOR_ARRAY, "an array", &head) &&
           read_count(reader, &head, max, count);
}

bool cbor_read_map(struct cbor_reader *reader, size_t max, size_t *count)
{
    struct head head;

    return read_major(reader, MAJOR_MAP, "a map", &head) && read_count(reader, &head, max, count);
}

bool cbor_read_bool(struct cbor_reader *reader, bool *out)
{
    struct head head;

    if (!read_major(reader, MAJOR_SIMPLE, "true or false", &head))
        return false;
    if (head.value == SIMPLE_NULL)
        return cbor_fail(reader, ERR_CORRUPT, "true or false was expected here");
    reader->offset += head.size;
    *out = head.value == SIMPLE_TRUE;
    return true;
}

bool cbor_read_null(struct cbor_reader *reader)
{
    struct head head;

    if (!read_major(reader, MAJOR_SIMPLE, "null", &head))
        return false;
    if (head.value != SIMPLE_NULL)
        return cbor_fail(reader, ERR_CORRUPT, "null was expected here");
    reader->offset += head.size;
    return true;
}

bool cbor_text_is(struct span text, const char *expected)
{
    return span_equal(text, span_of_text(expected));
}

/* One open array or map while walking. */
struct level {
    uint64_t left; /* items to come; a map has two an entry */
    bool is_map;
    struct span key; /* the previous key's encoding; size 0 before the first */
};

/* Steps over a head that opens nothing; strings with their bytes. */
static bool walk_leaf(struct cbor_reader *reader, const struct head *head)
{
    struct span ignored;

    if (head->major == MAJOR_BYTES)
        return read_string(reader, head, SIZE_MAX, &ignored);
    if (head->major == MAJOR_TEXT)
        return cbor_read_text(reader, SIZE_MAX, &ignored);
    reader->offset += head->size;
    return true;
}

static bool walk_open(struct cbor_reader *reader, const struct head *head, struct level *level)
{
    size_t count;

    if (!read_count(reader, head, SIZE_MAX / 2, &count))
        return false;
    level->is_map = head->major == MAJOR_MAP;
    level->left = level->is_map ? (uint64_t)count * 2 : count;
    level->key = (struct span){NULL, 0};
    return true;
}

/* Keys come in bytewise order of their encodings, each once (RFC 8949, 4.2.1). */
static bool check_key(struct cbor_reader *reader, struct level *level, struct span key)
{
    size_t common = key.size < level->key.size ? key.size : level->key.size;
    int order = common == 0 ? 0 : memcmp(level->key.data, key.data, common);

    if (level->key.size != 0 && (order > 0 || (order == 0 && level->key.size >= key.size)))
        return cbor_fail(reader, ERR_CORRUPT, "map keys are repeated or out of order");
    level->key = key;
    return true;
}

static bool is_key(const struct level *level)
{
    return level->is_map && level->left % 2 == 0;
}

/* Walks one whole item with a stack of our own, checking map order on the way. Keys are scalars. */
bool cbor_skip(struct cbor_reader *reader)
{
    struct level levels[CBOR_DEPTH_MAX + 1] = {{1, false, {NULL, 0}}};
    size_t depth = 0;

    for (;;) {
        size_t start = reader->offset;
        struct head head;
        bool key;

        while (levels[depth].left == 0) {
            if (depth == 0)
                return true;
            depth--;
        }
        if (!read_head(reader, &head))
            return false;
        key = is_key(&levels[depth]);
        levels[depth].left--;
        if (head.major == MAJOR_ARRAY || head.major == MAJOR_MAP) {
            if (key)
                return cbor_fail(reader, ERR_CORRUPT, "a map key is an array or a map");
            if (depth == CBOR_DEPTH_MAX)
                return cbor_fail(reader, ERR_TOO_BIG, "more than %d levels", CBOR_DEPTH_MAX);
            depth++;
            if (!walk_open(reader, &head, &levels[depth]))
                return false;
            continue;
        }
        if (!walk_leaf(reader, &head))
            return false;
        if (key && !check_key(reader, &levels[depth],
                              (struct span){reader->bytes.data + start, reader->offset - start}))
            return false;
    }
}

bool cbor_check(struct span bytes, struct err *err)
{
    struct cbor_reader reader = cbor_reader(bytes, err);

    if (!cbor_skip(&reader))
        return false;
    if (reader.offset != bytes.size)
        return cbor_fail(&reader, ERR_CORRUPT, "bytes follow the last item");
    return true;
}
