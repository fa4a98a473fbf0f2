#include "tests/support/base_cbor.h"

/* Negative integers below -2^63 have no writer: their head is put together here. */
static bool copy_negative(struct cbor_reader *reader, struct cbor_writer *writer)
{
    struct buf head = BUF_INIT(16);
    struct cbor_writer as_uint = cbor_writer(&head, writer->err);
    uint64_t argument = 0;

    if (!cbor_read_negative(reader, &argument))
        return false;
    if (argument <= INT64_MAX) {
        cbor_write_int(writer, -1 - (int64_t)argument);
    } else {
        cbor_write_uint(&as_uint, argument);
        head.data[0] |= 0x20;
        writer->ok = writer->ok && buf_append(writer->out, head.data, head.size, writer->err);
    }
    buf_release(&head);
    return writer->ok;
}

static bool copy_leaf(struct cbor_reader *reader, struct cbor_writer *writer, enum cbor_type type)
{
    struct span bytes = {NULL, 0};
    uint64_t number = 0;
    bool truth = false;

    switch (type) {
    case CBOR_UINT:
        if (cbor_read_uint(reader, &number))
            cbor_write_uint(writer, number);
        break;
    case CBOR_NINT:
        return copy_negative(reader, writer);
    case CBOR_BYTES:
        if (cbor_read_bytes(reader, SIZE_MAX, &bytes))
            cbor_write_bytes(writer, bytes);
        break;
    case CBOR_TEXT:
        if (cbor_read_text(reader, SIZE_MAX, &bytes))
            cbor_write_text_span(writer, bytes);
        break;
    case CBOR_BOOL:
        if (cbor_read_bool(reader, &truth))
            cbor_write_bool(writer, truth);
        break;
    case CBOR_NULL:
        if (cbor_read_null(reader))
            cbor_write_null(writer);
        break;
    case CBOR_ARRAY:
    case CBOR_MAP:
    case CBOR_END:
        return cbor_fail(reader, ERR_CORRUPT, "the data ends where an item should begin");
    }
    return reader->ok && writer->ok;
}

static bool copy_open(struct cbor_reader *reader, struct cbor_writer *writer, enum cbor_type type,
                      uint64_t *items)
{
    size_t count = 0;

    if (type == CBOR_ARRAY) {
        if (cbor_read_array(reader, SIZE_MAX, &count))
            cbor_write_array(writer, count);
        *items = count;
    } else {
        if (cbor_read_map(reader, SIZE_MAX, &count))
            cbor_write_map(writer, count);
        *items = (uint64_t)count * 2;
    }
    return reader->ok && writer->ok;
}

bool base_cbor_copy(struct cbor_reader *reader, struct cbor_writer *writer)
{
    uint64_t left = 1; /* items to come, on all levels: order alone says where each belongs */

    while (left > 0) {
        enum cbor_type type = cbor_peek(reader);
        uint64_t inside = 0;
        bool open = type == CBOR_ARRAY || type == CBOR_MAP;
        if (open ? !copy_open(reader, writer, type, &inside) : !copy_leaf(reader, writer, type))
            return false;
        left += inside;
        left--;
    }
    return true;
}
