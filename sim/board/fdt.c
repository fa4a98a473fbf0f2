#include "sim/board/fdt.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Devicetree Specification 0.4: 5.2 header, 5.4.1 tokens. */
enum {
    FDT_MAGIC = (int)0xd00dfeed,
    FDT_VERSION = 17,
    FDT_COMPATIBLE_VERSION = 16,
    FDT_HEADER_SIZE = 40,
    FDT_RESERVE_SIZE = 16,
    TOKEN_BEGIN = 1,
    TOKEN_END = 2,
    TOKEN_PROPERTY = 3,
    TOKEN_NOP = 4,
    TOKEN_FINISH = 9,
};
#define NODE_NAME_MAX 128

struct fdt_writer fdt_writer(struct err *err)
{
    struct fdt_writer writer = {BUF_INIT(FDT_BYTES_MAX), BUF_INIT(FDT_BYTES_MAX), err, 0, true};

    return writer;
}

static void put(struct fdt_writer *writer, const void *data, size_t size)
{
    static const uint8_t padding[4];

    if (writer->ok)
        writer->ok = buf_append(&writer->structure, data, size, writer->err) &&
                     buf_append(&writer->structure, padding, (4 - size % 4) % 4, writer->err);
}

static void put_u32(struct fdt_writer *writer, uint32_t value)
{
    uint8_t bytes[4];

    store_be32(bytes, value);
    put(writer, bytes, sizeof bytes);
}

void fdt_begin(struct fdt_writer *writer, const char *format, ...)
{
    char name[NODE_NAME_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    CHECK(writer->depth < FDT_DEPTH_MAX);
    writer->depth++;
    put_u32(writer, TOKEN_BEGIN);
    put(writer, name, strlen(name) + 1);
}

void fdt_end(struct fdt_writer *writer)
{
    CHECK(writer->depth > 0);
    writer->depth--;
    put_u32(writer, TOKEN_END);
}

/* The offset of a name in the strings block, put there if it is new. */
static uint32_t string_offset(struct fdt_writer *writer, const char *name)
{
    size_t at = 0, length = strlen(name) + 1;

    while (at < writer->strings.size) {
        const char *other = (const char *)writer->strings.data + at;
        if (strcmp(other, name) == 0)
            return (uint32_t)at;
        at += strlen(other) + 1;
    }
    if (writer->ok)
        writer->ok = buf_append(&writer->strings, name, length, writer->err);
    return (uint32_t)at;
}

static void property(struct fdt_writer *writer, const char *name, const void *data, size_t size)
{
    put_u32(writer, TOKEN_PROPERTY);
    put_u32(writer, (uint32_t)size);
    put_u32(writer, string_offset(writer, name));
    put(writer, data, size);
}

void fdt_empty(struct fdt_writer *writer, const char *name)
{
    property(writer, name, "", 0);
}

void fdt_cells(struct fdt_writer *writer, const char *name, const uint32_t *cells, size_t count)
{
    uint8_t *bytes = mem_array(count, 4);

    for (size_t i = 0; i < count; i++)
        store_be32(bytes + 4 * i, cells[i]);
    property(writer, name, bytes, 4 * count);
    mem_free(bytes);
}

void fdt_u32(struct fdt_writer *writer, const char *name, uint32_t value)
{
    fdt_cells(writer, name, &value, 1);
}

void fdt_u64(struct fdt_writer *writer, const char *name, uint64_t value)
{
    uint8_t bytes[8];

    store_be64(bytes, value);
    property(writer, name, bytes, sizeof bytes);
}

void fdt_reg(struct fdt_writer *writer, uint64_t address, uint64_t size)
{
    uint8_t bytes[16];

    store_be64(bytes, address);
    store_be64(bytes + 8, size);
    property(writer, "reg", bytes, sizeof bytes);
}

void fdt_text(struct fdt_writer *writer, const char *name, const char *text)
{
    property(writer, name, text, strlen(text) + 1);
}

void fdt_texts(struct fdt_writer *writer, const char *name, const char *texts, size_t size)
{
    property(writer, name, texts, size);
}

bool fdt_finish(struct fdt_writer *writer, struct buf *out)
{
    uint8_t header[FDT_HEADER_SIZE + FDT_RESERVE_SIZE] = {0};
    uint32_t structure = sizeof header, strings, total;
    bool ok;

    CHECK(writer->depth == 0);
    put_u32(writer, TOKEN_FINISH);
    strings = structure + (uint32_t)writer->structure.size;
    total = strings + (uint32_t)writer->strings.size;
    store_be32(header, (uint32_t)FDT_MAGIC);
    store_be32(header + 4, total);
    store_be32(header + 8, structure);
    store_be32(header + 12, strings);
    store_be32(header + 16, FDT_HEADER_SIZE);
    store_be32(header + 20, FDT_VERSION);
    store_be32(header + 24, FDT_COMPATIBLE_VERSION);
    store_be32(header + 32, (uint32_t)writer->strings.size);
    store_be32(header + 36, (uint32_t)writer->structure.size);
    ok = writer->ok && buf_append(out, header, sizeof header, writer->err) &&
         buf_append(out, writer->structure.data, writer->structure.size, writer->err) &&
         buf_append(out, writer->strings.data, writer->strings.size, writer->err);
    buf_release(&writer->structure);
    buf_release(&writer->strings);
    return ok;
}

/* A walk over the structure block. */
struct walk {
    struct span structure;
    struct span strings;
    size_t at;
};

struct token {
    uint32_t kind;
    const char *name; /* of a node or property */
    struct span value;
};

static bool block(struct span tree, size_t offset_at, size_t size_at, struct span *out)
{
    uint32_t offset = load_be32(tree.data + offset_at), size = load_be32(tree.data + size_at);

    if (offset > tree.size || size > tree.size - offset)
        return false;
    *out = (struct span){tree.data + offset, size};
    return true;
}

static bool walk_open(struct span tree, struct walk *out, struct err *err)
{
    if (tree.size < FDT_HEADER_SIZE || load_be32(tree.data) != (uint32_t)FDT_MAGIC)
        return err_set(err, ERR_INVALID, "this is not a flattened device tree");
    if (load_be32(tree.data + 4) > tree.size || tree.size > FDT_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the device tree is cut short or over %u bytes",
                       FDT_BYTES_MAX);
    if (load_be32(tree.data + 20) < FDT_VERSION || load_be32(tree.data + 24) > FDT_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "device tree version %u, only %d is known",
                       load_be32(tree.data + 20), FDT_VERSION);
    if (!block(tree, 8, 36, &out->structure) || !block(tree, 12, 32, &out->strings))
        return err_set(err, ERR_INVALID, "a block of the device tree is outside of it");
    out->at = 0;
    return true;
}

/* A NUL-terminated text inside `bytes` from `at`; its length, or SIZE_MAX. */
static size_t text_length(struct span bytes, size_t at)
{
    const uint8_t *end;

    if (at >= bytes.size)
        return SIZE_MAX;
    end = memchr(bytes.data + at, 0, bytes.size - at);
    return end == NULL ? SIZE_MAX : (size_t)(end - bytes.data) - at;
}

static bool take_u32(struct walk *walk, uint32_t *out)
{
    if (walk->structure.size - walk->at < 4)
        return false;
    *out = load_be32(walk->structure.data + walk->at);
    walk->at += 4;
    return true;
}

static bool take_padded(struct walk *walk, size_t size)
{
    size_t left = walk->structure.size - walk->at;
    size_t padded;

    if (size > left)
        return false;
    padded = size + (4 - size % 4) % 4;
    if (padded > left)
        return false;
    walk->at += padded;
    return true;
}

static bool next_property(struct walk *walk, struct token *out)
{
    uint32_t size, name;

    if (!take_u32(walk, &size) || !take_u32(walk, &name))
        return false;
    out->value = (struct span){walk->structure.data + walk->at, size};
    if (!take_padded(walk, size) || text_length(walk->strings, name) == SIZE_MAX)
        return false;
    out->name = (const char *)walk->strings.data + name;
    return true;
}

static bool next_token(struct walk *walk, struct token *out)
{
    do {
        if (!take_u32(walk, &out->kind))
            return false;
    } while (out->kind == TOKEN_NOP);
    if (out->kind == TOKEN_BEGIN) {
        size_t length = text_length(walk->structure, walk->at);
        if (length == SIZE_MAX || length >= NODE_NAME_MAX)
            return false;
        out->name = (const char *)walk->structure.data + walk->at;
        return take_padded(walk, length + 1);
    }
    if (out->kind == TOKEN_PROPERTY)
        return next_property(walk, out);
    return out->kind == TOKEN_END || out->kind == TOKEN_FINISH;
}

bool fdt_check(struct span tree, struct err *err)
{
    struct walk walk;
    struct token token;
    uint32_t depth = 0, roots = 0;

    if (!walk_open(tree, &walk, err))
        return false;
    for (;;) {
        if (!next_token(&walk, &token))
            return err_set(err, ERR_INVALID,
                           "the device tree is damaged at byte %zu of its structure", walk.at);
        if (token.kind == TOKEN_FINISH)
            break;
        if (token.kind == TOKEN_BEGIN && depth++ == 0)
            roots++;
        if (depth == 0 || depth > FDT_DEPTH_MAX || roots > 1)
            return err_set(err, ERR_INVALID, "the device tree's nodes are not nested right");
        if (token.kind == TOKEN_END)
            depth--;
    }
    if (depth != 0 || roots != 1)
        return err_set(err, ERR_INVALID, "the device tree's nodes are not nested right");
    return true;
}

/* How much of `path` the node's name matches at this level: "/soc" of "/soc/serial@0"; 0 if not at
 * all. */
static size_t match_name(const char *path, const char *name)
{
    size_t length = strcspn(path + 1, "/");

    if (strlen(name) != length || memcmp(path + 1, name, length) != 0)
        return 0;
    return length + 1;
}

bool fdt_find(struct span tree, const char *path, const char *name, struct span *out)
{
    struct err err = ERR_INIT;
    struct walk walk;
    struct token token;
    uint32_t depth = 0, matched = 0; /* levels of the path that lead here */

    if (!walk_open(tree, &walk, &err))
        return false;
    if (strcmp(path, "/") == 0)
        path = "";
    while (next_token(&walk, &token) && token.kind != TOKEN_FINISH) {
        if (token.kind == TOKEN_BEGIN) {
            size_t step =
                depth != 0 && depth == matched && *path == '/' ? match_name(path, token.name) : 0;
            if (depth == 0 || step != 0)
                matched++;
            path += step;
            depth++;
        } else if (token.kind == TOKEN_END) {
            if (depth == matched)
                return false; /* the node on the path ended without it */
            depth--;
        } else if (depth == matched && *path == 0 && strcmp(token.name, name) == 0) {
            *out = token.value;
            return true;
        }
    }
    return false;
}
