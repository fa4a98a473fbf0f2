#include "jobs/wire/message.h"

#include "jobs/utf8.h"
#include "jobs/wire/message_fields.h"
#include "storage/base/check.h"

#include <string.h>

/* Spent on the map around the fields; see MESSAGE_RESULT_ROOM. */
#define KEY_BYTES_MAX 32

void message_init(struct message *message, enum message_kind kind)
{
    CHECK((unsigned)kind < MESSAGE_KIND_COUNT);
    message->major = MESSAGE_MAJOR;
    message->minor = MESSAGE_MINOR;
    message->kind = kind;
    fields_clear(message_table(kind), &message->u);
}

void message_job_result_init(struct message_job_result *result)
{
    fields_clear(&message_job_result_table, result);
    result->exit_status = -1;
}

const char *message_kind_name(enum message_kind kind)
{
    CHECK((unsigned)kind < MESSAGE_KIND_COUNT);
    return message_table(kind)->name;
}

bool message_encode(const struct message *message, struct buf *out, struct err *err)
{
    size_t start = out->size, ceiling = out->max;
    struct cbor_writer writer = cbor_writer(out, err);

    CHECK((unsigned)message->kind < MESSAGE_KIND_COUNT);
    if (out->max - start > MESSAGE_BYTES_MAX)
        out->max = start + MESSAGE_BYTES_MAX;
    cbor_write_map(&writer, 3);
    cbor_write_text(&writer, "v");
    cbor_write_array(&writer, 2);
    cbor_write_uint(&writer, message->major);
    cbor_write_uint(&writer, message->minor);
    cbor_write_text(&writer, "kind");
    cbor_write_text(&writer, message_kind_name(message->kind));
    cbor_write_text(&writer, "fields");
    if (writer.ok)
        fields_write(message_table(message->kind), &message->u, &writer);
    out->max = ceiling;
    if (writer.ok)
        return true;
    out->size = start;
    return err_wrap(err, "message %s (at most %d bytes)", message_kind_name(message->kind),
                    MESSAGE_BYTES_MAX);
}

/* What the outer map says. Offsets of 0: not there. */
struct outline {
    uint64_t major, minor;
    bool has_version;
    struct span kind;
    size_t fields; /* offset of the map */
};

static bool read_version(struct cbor_reader *reader, struct outline *outline)
{
    size_t count;

    if (!cbor_read_array(reader, MESSAGE_BYTES_MAX, &count))
        return false;
    if (count < 2)
        return cbor_fail(reader, ERR_INVALID, "`v` is not a major and a minor version");
    if (!cbor_read_uint(reader, &outline->major) || !cbor_read_uint(reader, &outline->minor))
        return false;
    for (size_t i = 2; i < count; i++)
        if (!cbor_skip(reader))
            return false;
    outline->has_version = true;
    return true;
}

static bool read_entry(struct cbor_reader *reader, struct outline *outline)
{
    struct span key;

    if (cbor_peek(reader) != CBOR_TEXT)
        return cbor_skip(reader) && cbor_skip(reader);
    if (!cbor_read_text(reader, MESSAGE_BYTES_MAX, &key))
        return false;
    if (cbor_text_is(key, "v"))
        return read_version(reader, outline);
    if (cbor_text_is(key, "kind"))
        return cbor_read_text(reader, MESSAGE_NAME_MAX, &outline->kind);
    if (cbor_text_is(key, "fields"))
        outline->fields = reader->offset;
    return cbor_skip(reader);
}

static bool read_outline(struct cbor_reader *reader, struct outline *outline)
{
    size_t entries;

    if (!cbor_read_map(reader, MESSAGE_BYTES_MAX, &entries))
        return false;
    for (size_t i = 0; i < entries; i++)
        if (!read_entry(reader, outline))
            return false;
    if (!outline->has_version || outline->kind.data == NULL || outline->fields == 0)
        return cbor_fail(reader, ERR_INVALID, "not a message: `v`, `kind` or `fields` is missing");
    if (outline->major > UINT32_MAX || outline->minor > UINT32_MAX)
        return cbor_fail(reader, ERR_INVALID, "the version is out of range");
    return true;
}

static bool find_kind(struct cbor_reader *reader, struct span name, enum message_kind *out)
{
    for (int kind = 0; kind < MESSAGE_KIND_COUNT; kind++) {
        if (cbor_text_is(name, message_kind_name((enum message_kind)kind))) {
            *out = (enum message_kind)kind;
            return true;
        }
    }
    return cbor_fail(reader, ERR_UNSUPPORTED, "a message of the kind \"%.*s\" is not known here",
                     (int)name.size, (const char *)name.data);
}

bool message_decode(struct span bytes, struct message *out, struct err *err)
{
    struct outline outline = {0, 0, false, {NULL, 0}, 0};
    struct cbor_reader reader = cbor_reader(bytes, err);

    out->major = out->minor = 0;
    if (bytes.size > MESSAGE_BYTES_MAX)
        return err_set(err, ERR_TOO_BIG, "a message of %zu bytes, at most %d are allowed",
                       bytes.size, MESSAGE_BYTES_MAX);
    if (!cbor_check(bytes, err))
        return err_wrap(err, "message");
    if (!read_outline(&reader, &outline))
        return err_wrap(err, "message");
    out->major = (uint32_t)outline.major;
    out->minor = (uint32_t)outline.minor;
    if (out->major != MESSAGE_MAJOR && !cbor_text_is(outline.kind, "refused"))
        return err_set(err, ERR_UNSUPPORTED,
                       "the peer speaks version %u.%u of the farm's protocol, this is %d.%d",
                       (unsigned)out->major, (unsigned)out->minor, MESSAGE_MAJOR, MESSAGE_MINOR);
    if (!find_kind(&reader, outline.kind, &out->kind))
        return err_wrap(err, "message");
    reader.offset = outline.fields;
    if (!fields_read(message_table(out->kind), &out->u, &reader))
        return err_wrap(err, "message %s", message_kind_name(out->kind));
    return true;
}

/* As much of `text` as is UTF-8, at most `max` bytes, no character cut in two. */
static struct span cut_text(const char *text, size_t max)
{
    struct span span = span_of_text(text);

    if (span.size > max)
        span.size = max;
    span.size = utf8_valid_size(span);
    return span;
}

void message_refuse(struct message *message, const struct err *err)
{
    message_init(message, MESSAGE_REFUSED);
    message->u.refused.kind = err->kind == ERR_NONE ? ERR_INVALID : err->kind;
    message->u.refused.sentence = cut_text(err->text, MESSAGE_TEXT_MAX);
    if (message->u.refused.sentence.size == 0)
        message->u.refused.sentence = span_of_text("refused");
}

bool message_refused_err(const struct message *message, struct err *err)
{
    const struct message_refused *refused = &message->u.refused;

    CHECK(message->kind == MESSAGE_REFUSED);
    return err_set(err, refused->kind == ERR_NONE ? ERR_INVALID : refused->kind, "%.*s",
                   (int)refused->sentence.size, (const char *)refused->sentence.data);
}

size_t message_job_result_bytes(const struct message_job_result *result)
{
    size_t bytes = message_job_result_table.count * (KEY_BYTES_MAX + 9) + 4 * (HASH_SIZE + 2) +
                   result->reason.size + result->signature_title.size;

    for (uint32_t i = 0; i < result->artifact_count; i++)
        bytes += result->artifacts[i].name.size + HASH_SIZE + 40;
    return bytes;
}

bool message_id_equal(const struct message_id *a, const struct message_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool message_id_is_zero(const struct message_id *id)
{
    static const struct message_id zero;

    return message_id_equal(id, &zero);
}
