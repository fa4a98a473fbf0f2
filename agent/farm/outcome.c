#include "agent/farm/outcome.h"

#include "jobs/utf8.h"
#include "storage/base/cbor.h"

#include <string.h>

#define SENTINEL "thaw-outcome"
#define VERSION  1
#define KEYS     14

void outcome_init(struct worker_outcome *outcome)
{
    memset(outcome, 0, sizeof *outcome);
    outcome->verdict = VERDICT_INFRA;
    outcome->exit_status = -1;
}

void outcome_text(char *to, size_t max, struct span text)
{
    size_t used = 0;

    while (text.size != 0 && text.data[0] != 0) {
        uint32_t character;
        size_t size = utf8_read(text, &character);
        const void *from = text.data;
        size_t taken = size;
        if (size == 0) {
            from = UTF8_REPLACEMENT;
            taken = sizeof UTF8_REPLACEMENT - 1;
            size = 1;
        } else if (character < 0x20 || (character >= 0x7f && character < 0xa0)) {
            from = " ";
            taken = 1;
        }
        if (taken > max - used)
            break;
        memcpy(to + used, from, taken);
        used += taken;
        text.data += size;
        text.size -= size;
    }
    to[used] = 0;
}

void outcome_set(struct worker_outcome *outcome, enum verdict verdict, const char *reason)
{
    outcome->verdict = verdict;
    outcome_text(outcome->reason, OUTCOME_REASON_MAX, span_of_text(reason));
}

static void write_hash(struct cbor_writer *writer, uint64_t key, const struct hash *hash)
{
    cbor_write_uint(writer, key);
    cbor_write_bytes(writer, (struct span){hash->bytes, HASH_SIZE});
}

static void write_text(struct cbor_writer *writer, uint64_t key, const char *text)
{
    cbor_write_uint(writer, key);
    cbor_write_text(writer, text);
}

static void write_number(struct cbor_writer *writer, uint64_t key, uint64_t number)
{
    cbor_write_uint(writer, key);
    cbor_write_uint(writer, number);
}

bool outcome_encode(const struct worker_outcome *outcome, struct buf *out, struct err *err)
{
    struct cbor_writer writer = cbor_writer(out, err);

    cbor_write_array(&writer, 3);
    cbor_write_text(&writer, SENTINEL);
    cbor_write_uint(&writer, VERSION);
    cbor_write_map(&writer, KEYS);
    write_text(&writer, 0, verdict_name(outcome->verdict));
    write_text(&writer, 1, outcome->reason);
    cbor_write_uint(&writer, 2);
    cbor_write_int(&writer, outcome->exit_status);
    write_number(&writer, 3, outcome->instructions);
    write_number(&writer, 4, outcome->virtual_ns);
    write_number(&writer, 5, outcome->thaw_ns);
    write_number(&writer, 6, outcome->wall_ns);
    write_hash(&writer, 7, &outcome->state_id);
    write_hash(&writer, 8, &outcome->checkpoint);
    write_text(&writer, 9, outcome->signature);
    write_hash(&writer, 10, &outcome->signature_hash);
    cbor_write_uint(&writer, 11);
    cbor_write_bytes(&writer, outcome->console);
    cbor_write_uint(&writer, 12);
    cbor_write_array(&writer, outcome->artifact_count);
    for (uint32_t i = 0; i < outcome->artifact_count; i++) {
        cbor_write_array(&writer, 2);
        cbor_write_text(&writer, outcome->artifacts[i].name);
        cbor_write_bytes(&writer, outcome->artifacts[i].bytes);
    }
    cbor_write_uint(&writer, 13);
    cbor_write_bool(&writer, outcome->cut);
    return writer.ok;
}

static bool read_key(struct cbor_reader *reader, uint64_t expected)
{
    uint64_t key;

    if (!cbor_read_uint(reader, &key))
        return false;
    return key == expected || cbor_fail(reader, ERR_INVALID, "key %llu, not %llu",
                                        (unsigned long long)key, (unsigned long long)expected);
}

static bool read_text(struct cbor_reader *reader, uint64_t key, size_t max, char *out)
{
    struct span text;

    if (!read_key(reader, key) || !cbor_read_text(reader, max, &text))
        return false;
    outcome_text(out, max, text);
    return true;
}

static bool read_number(struct cbor_reader *reader, uint64_t key, uint64_t *out)
{
    return read_key(reader, key) && cbor_read_uint(reader, out);
}

static bool read_hash(struct cbor_reader *reader, uint64_t key, struct hash *out)
{
    struct span bytes;

    if (!read_key(reader, key) || !cbor_read_bytes(reader, HASH_SIZE, &bytes))
        return false;
    if (bytes.size != HASH_SIZE)
        return cbor_fail(reader, ERR_INVALID, "a hash of %zu bytes", bytes.size);
    memcpy(out->bytes, bytes.data, HASH_SIZE);
    return true;
}

static bool read_verdict(struct cbor_reader *reader, struct worker_outcome *out)
{
    char name[32];
    int64_t status;

    if (!read_text(reader, 0, sizeof name - 1, name))
        return false;
    /* A worker cannot know of another execution, nor that its job is not wanted any more. */
    if (!verdict_parse(name, &out->verdict) || out->verdict == VERDICT_DIVERGENCE ||
        out->verdict == VERDICT_CANCELLED)
        return cbor_fail(reader, ERR_INVALID, "no verdict of a worker");
    if (!read_text(reader, 1, OUTCOME_REASON_MAX, out->reason) || !read_key(reader, 2) ||
        !cbor_read_int(reader, &status))
        return false;
    if (status < -1 || status > INT32_MAX)
        return cbor_fail(reader, ERR_INVALID, "an exit status out of range");
    out->exit_status = (int32_t)status;
    return true;
}

/* A relative path without empty, `.` or `..` parts. */
static bool is_plain(struct span name)
{
    size_t start = 0;

    if (name.size == 0 || name.size > OUTCOME_NAME_MAX)
        return false;
    for (size_t i = 0; i <= name.size; i++) {
        size_t size = i - start;
        if (i < name.size && (name.data[i] < 0x20 || name.data[i] == 0x7f))
            return false;
        if (i < name.size && name.data[i] != '/')
            continue;
        if (size == 0 || (size <= 2 && memcmp(name.data + start, "..", size) == 0))
            return false;
        start = i + 1;
    }
    return true;
}

static bool read_artifact(struct cbor_reader *reader, struct outcome_artifact *out, size_t *room)
{
    struct span name;
    size_t parts;

    if (!cbor_read_array(reader, 2, &parts))
        return false;
    if (parts != 2)
        return cbor_fail(reader, ERR_INVALID, "an artifact of %zu parts", parts);
    if (!cbor_read_text(reader, OUTCOME_NAME_MAX, &name) ||
        !cbor_read_bytes(reader, *room, &out->bytes))
        return false;
    if (!is_plain(name))
        return cbor_fail(reader, ERR_INVALID, "an artifact's name is no plain path");
    memcpy(out->name, name.data, name.size);
    out->name[name.size] = 0;
    *room -= out->bytes.size;
    return true;
}

static bool read_artifacts(struct cbor_reader *reader, struct worker_outcome *out)
{
    size_t room = OUTCOME_ARTIFACT_BYTES, count;

    if (!read_key(reader, 12) || !cbor_read_array(reader, OUTCOME_ARTIFACTS_MAX, &count))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!read_artifact(reader, &out->artifacts[i], &room))
            return false;
    out->artifact_count = (uint32_t)count;
    return true;
}

static bool read_fields(struct cbor_reader *reader, struct worker_outcome *out)
{
    return read_verdict(reader, out) && read_number(reader, 3, &out->instructions) &&
           read_number(reader, 4, &out->virtual_ns) && read_number(reader, 5, &out->thaw_ns) &&
           read_number(reader, 6, &out->wall_ns) && read_hash(reader, 7, &out->state_id) &&
           read_hash(reader, 8, &out->checkpoint) &&
           read_text(reader, 9, OUTCOME_SIGNATURE_MAX, out->signature) &&
           read_hash(reader, 10, &out->signature_hash) && read_key(reader, 11) &&
           cbor_read_bytes(reader, OUTCOME_CONSOLE_MAX, &out->console) &&
           read_artifacts(reader, out) && read_key(reader, 13) && cbor_read_bool(reader, &out->cut);
}

bool outcome_decode(struct span bytes, struct worker_outcome *out, struct err *err)
{
    struct cbor_reader reader = cbor_reader(bytes, err);
    struct span sentinel;
    uint64_t version;
    size_t count;

    outcome_init(out);
    if (!cbor_read_array(&reader, 3, &count) || !cbor_read_text(&reader, 32, &sentinel) ||
        !cbor_read_uint(&reader, &version))
        return false;
    if (count != 3 || !cbor_text_is(sentinel, SENTINEL))
        return cbor_fail(&reader, ERR_INVALID, "it is no outcome");
    if (version != VERSION)
        return cbor_fail(&reader, ERR_UNSUPPORTED, "an outcome of version %llu",
                         (unsigned long long)version);
    if (!cbor_read_map(&reader, KEYS, &count))
        return false;
    if (count != KEYS)
        return cbor_fail(&reader, ERR_INVALID, "an outcome with %zu keys", count);
    if (!read_fields(&reader, out))
        return false;
    return reader.offset == bytes.size ||
           cbor_fail(&reader, ERR_CORRUPT, "there are bytes after the outcome");
}
