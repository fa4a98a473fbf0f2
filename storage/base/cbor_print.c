/* CBOR for people: diagnostic notation (RFC 8949, section 8), an entry a line. */
#include "storage/base/cbor.h"

#define BYTES_SHOWN 64

struct frame {
    size_t left;
    bool is_map;
    bool value_next; /* of a map: the key was written */
};

struct printer {
    struct cbor_reader reader;
    struct buf *out;
    struct err *err;
    struct frame frames[CBOR_DEPTH_MAX + 1];
    size_t depth;
};

static bool print_indent(struct printer *printer)
{
    return buf_format(printer->out, printer->err, "\n%*s", (int)(printer->depth * 2), "");
}

static bool print_bytes(struct printer *printer, struct span bytes)
{
    size_t shown = bytes.size > BYTES_SHOWN ? BYTES_SHOWN : bytes.size;

    if (!buf_append_text(printer->out, "h'", printer->err))
        return false;
    for (size_t i = 0; i < shown; i++)
        if (!buf_format(printer->out, printer->err, "%02x", bytes.data[i]))
            return false;
    if (shown < bytes.size)
        return buf_format(printer->out, printer->err, "' /%zu bytes/", bytes.size);
    return buf_append_text(printer->out, "'", printer->err);
}

static bool print_text(struct printer *printer, struct span text)
{
    if (!buf_append_text(printer->out, "\"", printer->err))
        return false;
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        bool ok;
        if (byte == '"' || byte == '\\')
            ok = buf_format(printer->out, printer->err, "\\%c", byte);
        else if (byte < 0x20 || byte == 0x7f)
            ok = buf_format(printer->out, printer->err, "\\u%04x", byte);
        else
            ok = buf_append(printer->out, &byte, 1, printer->err);
        if (!ok)
            return false;
    }
    return buf_append_text(printer->out, "\"", printer->err);
}

/* -1 - argument goes down to -2^64, which no integer type of C can hold. */
static bool print_negative(struct printer *printer)
{
    struct cbor_reader *reader = &printer->reader;
    uint64_t argument;

    if (!cbor_read_negative(reader, &argument))
        return false;
    if (argument == UINT64_MAX)
        return buf_append_text(printer->out, "-18446744073709551616", printer->err);
    return buf_format(printer->out, printer->err, "-%llu", (unsigned long long)argument + 1);
}

static bool print_open(struct printer *printer, bool is_map)
{
    size_t count = 0;
    bool ok = is_map ? cbor_read_map(&printer->reader, SIZE_MAX / 2, &count)
                     : cbor_read_array(&printer->reader, SIZE_MAX / 2, &count);

    if (!ok)
        return false;
    if (printer->depth == CBOR_DEPTH_MAX)
        return cbor_fail(&printer->reader, ERR_TOO_BIG, "more than %d levels", CBOR_DEPTH_MAX);
    printer->depth++;
    printer->frames[printer->depth] = (struct frame){count, is_map, false};
    return buf_append_text(printer->out, is_map ? "{" : "[", printer->err);
}

static bool print_item(struct printer *printer)
{
    struct cbor_reader *reader = &printer->reader;
    enum cbor_type type = cbor_peek(reader);
    struct span span;
    uint64_t number;
    bool truth;

    switch (type) {
    case CBOR_UINT:
        return cbor_read_uint(reader, &number) &&
               buf_format(printer->out, printer->err, "%llu", (unsigned long long)number);
    case CBOR_NINT:
        return print_negative(printer);
    case CBOR_BYTES:
        return cbor_read_bytes(reader, SIZE_MAX, &span) && print_bytes(printer, span);
    case CBOR_TEXT:
        return cbor_read_text(reader, SIZE_MAX, &span) && print_text(printer, span);
    case CBOR_BOOL:
        return cbor_read_bool(reader, &truth) &&
               buf_append_text(printer->out, truth ? "true" : "false", printer->err);
    case CBOR_NULL:
        return cbor_read_null(reader) && buf_append_text(printer->out, "null", printer->err);
    case CBOR_ARRAY:
    case CBOR_MAP:
        return print_open(printer, type == CBOR_MAP);
    case CBOR_END:
    default:
        return cbor_fail(reader, ERR_CORRUPT, "the data ends where an item should begin");
    }
}

/* What stands before the next item of the innermost frame: a comma and a line, or ": ". */
static bool print_before(struct printer *printer, bool first)
{
    struct frame *frame = &printer->frames[printer->depth];

    if (frame->value_next) {
        frame->value_next = false;
        frame->left--;
        return buf_append_text(printer->out, ": ", printer->err);
    }
    if (frame->is_map)
        frame->value_next = true;
    else
        frame->left--;
    return (first || buf_append_text(printer->out, ",", printer->err)) && print_indent(printer);
}

bool cbor_print(struct span bytes, struct buf *out, struct err *err)
{
    struct printer printer = {.out = out, .err = err};
    bool first;

    if (!cbor_check(bytes, err))
        return false;
    printer.reader = cbor_reader(bytes, err);
    if (!print_item(&printer))
        return false;
    first = true;
    while (printer.depth > 0) {
        struct frame *frame = &printer.frames[printer.depth];
        size_t depth = printer.depth;
        if (frame->left == 0) {
            const char *end = frame->is_map ? "}" : "]";
            printer.depth--;
            if ((!first && !print_indent(&printer)) || !buf_append_text(out, end, err))
                return false;
            first = false;
            continue;
        }
        if (!print_before(&printer, first) || !print_item(&printer))
            return false;
        first = printer.depth > depth;
    }
    return true;
}
