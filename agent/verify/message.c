#include "agent/verify/message.h"

#include "storage/base/bytes.h"

#define HEAD_BYTES 8u

static const char sentinel[] = "thaw";

const char *verify_verb_name(enum verify_verb verb)
{
    static const char *const names[VERIFY_VERB_COUNT] = {
        "hello",   "open",  "inputs", "thaw",   "run",    "restore", "state",
        "changed", "chunk", "next",   "freeze", "export", "import",  "fsck"};

    return (uint32_t)verb < VERIFY_VERB_COUNT ? names[verb] : "unknown";
}

bool verify_message_write(const struct verify_message *message, struct buf *out, struct err *err)
{
    size_t start = out->size;
    struct cbor_writer writer;

    if (!buf_append(out, "thaw\0\0\0\0", HEAD_BYTES, err))
        return false;
    writer = cbor_writer(out, err);
    cbor_write_array(&writer, 6);
    cbor_write_uint(&writer, message->number);
    cbor_write_uint(&writer, message->verb);
    cbor_write_uint(&writer, message->kind);
    cbor_write_array(&writer, message->value_count);
    for (size_t i = 0; i < message->value_count; i++)
        cbor_write_uint(&writer, message->values[i]);
    cbor_write_text_span(&writer, message->text);
    cbor_write_bytes(&writer, message->bytes);
    if (!writer.ok)
        return false;
    store_le32(out->data + start + 4, (uint32_t)(out->size - start - HEAD_BYTES));
    return true;
}

bool verify_frame_size(struct span bytes, size_t *size, struct err *err)
{
    uint32_t length;

    *size = 0;
    if (bytes.size == 0)
        return true;
    if (memcmp(bytes.data, sentinel, bytes.size < 4 ? bytes.size : 4) != 0)
        return err_set(err, ERR_INVALID, "no message begins like that");
    if (bytes.size < HEAD_BYTES)
        return true;
    length = load_le32(bytes.data + 4);
    if (length > VERIFY_FRAME_MAX)
        return err_set(err, ERR_INVALID, "a message of %u bytes, over the maximum of %u", length,
                       VERIFY_FRAME_MAX);
    if (bytes.size - HEAD_BYTES >= length)
        *size = HEAD_BYTES + length;
    return true;
}

static bool read_parts(struct cbor_reader *reader, struct verify_message *out)
{
    uint64_t verb = 0, kind = 0;
    size_t count = 0;

    if (!cbor_read_array(reader, 6, &count) || !cbor_read_uint(reader, &out->number) ||
        !cbor_read_uint(reader, &verb) || !cbor_read_uint(reader, &kind) ||
        !cbor_read_array(reader, VERIFY_VALUES_MAX, &out->value_count))
        return false;
    if (count != 6 || verb >= VERIFY_VERB_COUNT || kind > ERR_TIMEOUT)
        return cbor_fail(reader, ERR_INVALID, "no such message: %llu parts, verb %llu, kind %llu",
                         (unsigned long long)count, (unsigned long long)verb,
                         (unsigned long long)kind);
    out->verb = (enum verify_verb)verb;
    out->kind = (enum err_kind)kind;
    for (size_t i = 0; i < out->value_count; i++)
        if (!cbor_read_uint(reader, &out->values[i]))
            return false;
    return cbor_read_text(reader, VERIFY_TEXT_MAX, &out->text) &&
           cbor_read_bytes(reader, MANIFEST_BYTES_MAX, &out->bytes);
}

bool verify_message_read(struct span frame, struct verify_message *out, struct err *err)
{
    struct span body = {frame.data + HEAD_BYTES, frame.size - HEAD_BYTES};
    struct verify_message message = {.number = 0};
    struct cbor_reader reader;

    if (!cbor_check(body, err))
        return false;
    reader = cbor_reader(body, err);
    if (!read_parts(&reader, &message))
        return false;
    *out = message;
    return true;
}

void verify_text(struct span text, char *out, size_t size)
{
    size_t count = text.size < size - 1 ? text.size : size - 1;

    if (count != 0)
        memcpy(out, text.data, count);
    out[count] = 0;
}
