#include "storage/tag.h"

#include "storage/base/cbor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const uint8_t sentinel[8] = {'t', 'h', 'a', 'w', 't', 'a', 'g', '\n'};

#define TAG_ITEMS 4
#define TAG_KEYS  6

static bool name_is_good(const char *name)
{
    size_t size = strlen(name);

    if (size == 0 || size > STORE_NAME_MAX || name[size - 1] == '/')
        return false;
    for (size_t i = 0; i < size; i++) {
        bool starts = i == 0 || name[i - 1] == '/';
        if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/", name[i]) ==
            NULL)
            return false;
        if (starts && (name[i] == '.' || name[i] == '/'))
            return false;
    }
    return true;
}

bool store_name_check(const char *name, struct err *err)
{
    if (name_is_good(name))
        return true;
    return err_set(err, ERR_USAGE,
                   "\"%.140s\" cannot name a tag: 1 to %d letters, digits and . _ - /, each part "
                   "between slashes beginning with other than a dot",
                   name, STORE_NAME_MAX);
}

struct tag_file_name tag_file_name(const char *name)
{
    struct tag_file_name out;

    snprintf(out.text, sizeof out.text, "%s", name);
    for (char *at = out.text; *at != 0; at++)
        if (*at == '/')
            *at = '+';
    return out;
}

bool tag_name_of_file(const char *file, char out[STORE_NAME_MAX + 1])
{
    if (strlen(file) > STORE_NAME_MAX || strchr(file, '/') != NULL)
        return false;
    snprintf(out, STORE_NAME_MAX + 1, "%s", file);
    for (char *at = out; *at != 0; at++)
        if (*at == '+')
            *at = '/';
    return name_is_good(out);
}

void store_tag_init(struct store_tag *tag, const char *name, const struct clock_source *clock)
{
    *tag = (struct store_tag){.when_s = clock_wall_ns(clock) / 1000000000};
    snprintf(tag->name, sizeof tag->name, "%s", name);
}

void store_tag_release(struct store_tag *tag)
{
    for (size_t i = 0; i < tag->fact_count; i++) {
        mem_free(tag->facts[i].key);
        mem_free(tag->facts[i].text);
    }
    mem_free(tag->facts);
    mem_free(tag->made_by);
    *tag = (struct store_tag){0};
}

void store_tag_list_release(struct store_tag_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        store_tag_release(&list->items[i]);
    mem_free(list->items);
    *list = (struct store_tag_list){0};
}

static struct store_fact *find_fact(const struct store_tag *tag, const char *key)
{
    for (size_t i = 0; i < tag->fact_count; i++)
        if (strcmp(tag->facts[i].key, key) == 0)
            return &tag->facts[i];
    return NULL;
}

const char *store_tag_fact(const struct store_tag *tag, const char *key)
{
    const struct store_fact *fact = find_fact(tag, key);

    return fact == NULL ? NULL : fact->text;
}

void store_tag_set_fact(struct store_tag *tag, const char *key, const char *text)
{
    struct store_fact *fact = find_fact(tag, key);
    struct store_fact *larger;

    if (fact != NULL) {
        char *old = fact->text;
        fact->text = mem_text(text);
        mem_free(old);
        return;
    }
    larger = mem_array(tag->fact_count + 1, sizeof *larger);
    if (tag->fact_count != 0)
        memcpy(larger, tag->facts, tag->fact_count * sizeof *larger);
    mem_free(tag->facts);
    tag->facts = larger;
    tag->facts[tag->fact_count++] = (struct store_fact){mem_text(key), mem_text(text)};
}

/* The order of deterministic CBOR: shorter first, then bytewise. */
static int compare_facts(const void *a, const void *b)
{
    const struct store_fact *left = *(const struct store_fact *const *)a;
    const struct store_fact *right = *(const struct store_fact *const *)b;
    size_t left_size = strlen(left->key), right_size = strlen(right->key);

    if (left_size != right_size)
        return left_size < right_size ? -1 : 1;
    return strcmp(left->key, right->key);
}

static bool check_facts(const struct store_tag *tag, struct err *err)
{
    if (tag->fact_count > STORE_FACTS_MAX)
        return err_set(err, ERR_USAGE, "tag %s has %zu facts, at most %d are allowed", tag->name,
                       tag->fact_count, STORE_FACTS_MAX);
    for (size_t i = 0; i < tag->fact_count; i++)
        if (strlen(tag->facts[i].key) > STORE_FACT_KEY_MAX ||
            strlen(tag->facts[i].text) > STORE_FACT_TEXT_MAX)
            return err_set(err, ERR_USAGE,
                           "tag %s: the fact \"%.64s\" is too long (key %d bytes, text %d)",
                           tag->name, tag->facts[i].key, STORE_FACT_KEY_MAX, STORE_FACT_TEXT_MAX);
    if (tag->made_by != NULL && strlen(tag->made_by) > STORE_MADE_BY_MAX)
        return err_set(err, ERR_USAGE, "tag %s: made_by has over %d bytes", tag->name,
                       STORE_MADE_BY_MAX);
    return true;
}

static void write_facts(struct cbor_writer *writer, const struct store_tag *tag)
{
    const struct store_fact **sorted = mem_array(tag->fact_count, sizeof *sorted);

    for (size_t i = 0; i < tag->fact_count; i++)
        sorted[i] = &tag->facts[i];
    if (tag->fact_count != 0)
        qsort(sorted, tag->fact_count, sizeof *sorted, compare_facts);
    cbor_write_map(writer, tag->fact_count);
    for (size_t i = 0; i < tag->fact_count; i++) {
        cbor_write_text(writer, sorted[i]->key);
        cbor_write_text(writer, sorted[i]->text);
    }
    mem_free(sorted);
}

/* Keys shorter first, as deterministic CBOR wants them. */
static bool encode_body(const struct store_tag *tag, struct buf *out, struct err *err)
{
    struct cbor_writer writer = cbor_writer(out, err);

    cbor_write_map(&writer, TAG_KEYS);
    cbor_write_text(&writer, "name");
    cbor_write_text(&writer, tag->name);
    cbor_write_text(&writer, "when");
    cbor_write_uint(&writer, tag->when_s);
    cbor_write_text(&writer, "facts");
    write_facts(&writer, tag);
    cbor_write_text(&writer, "parent");
    cbor_write_bytes(&writer, (struct span){tag->parent.bytes, HASH_SIZE});
    cbor_write_text(&writer, "made_by");
    if (tag->made_by != NULL)
        cbor_write_text(&writer, tag->made_by);
    else
        cbor_write_null(&writer);
    cbor_write_text(&writer, "checkpoint");
    cbor_write_bytes(&writer, (struct span){tag->checkpoint.bytes, HASH_SIZE});
    return writer.ok;
}

bool tag_encode(const struct store_tag *tag, struct buf *out, struct err *err)
{
    struct buf body = BUF_INIT(TAG_BYTES_MAX);
    struct cbor_writer writer = cbor_writer(out, err);
    struct hash hash;
    bool ok =
        store_name_check(tag->name, err) && check_facts(tag, err) && encode_body(tag, &body, err);

    if (ok) {
        hash = hash_of(buf_span(&body));
        cbor_write_array(&writer, TAG_ITEMS);
        cbor_write_bytes(&writer, (struct span){sentinel, sizeof sentinel});
        cbor_write_uint(&writer, TAG_VERSION);
        cbor_write_bytes(&writer, buf_span(&body));
        cbor_write_bytes(&writer, (struct span){hash.bytes, HASH_SIZE});
        ok = writer.ok;
    }
    buf_release(&body);
    return ok;
}

static char *text_of_span(struct span text)
{
    char *copy = mem_alloc(text.size + 1);

    if (text.size != 0)
        memcpy(copy, text.data, text.size);
    return copy;
}

static bool read_hash(struct cbor_reader *reader, struct hash *out)
{
    struct span bytes;

    if (!cbor_read_bytes(reader, HASH_SIZE, &bytes))
        return false;
    if (bytes.size != HASH_SIZE)
        return cbor_fail(reader, ERR_CORRUPT, "a hash of %zu bytes", bytes.size);
    memcpy(out->bytes, bytes.data, HASH_SIZE);
    return true;
}

static bool read_facts(struct cbor_reader *reader, struct store_tag *tag)
{
    size_t count;

    if (!cbor_read_map(reader, STORE_FACTS_MAX, &count))
        return false;
    tag->facts = mem_array(count, sizeof *tag->facts);
    for (size_t i = 0; i < count; i++) {
        struct span key, text;
        if (!cbor_read_text(reader, STORE_FACT_KEY_MAX, &key) ||
            !cbor_read_text(reader, STORE_FACT_TEXT_MAX, &text))
            return false;
        tag->facts[tag->fact_count++] = (struct store_fact){text_of_span(key), text_of_span(text)};
    }
    return true;
}

static bool expect_key(struct cbor_reader *reader, const char *name)
{
    struct span key;

    if (!cbor_read_text(reader, 32, &key))
        return false;
    return cbor_text_is(key, name) ||
           cbor_fail(reader, ERR_CORRUPT, "the key \"%s\" was expected", name);
}

static bool read_made_by(struct cbor_reader *reader, struct store_tag *tag)
{
    struct span text;

    if (cbor_peek(reader) == CBOR_NULL)
        return cbor_read_null(reader);
    if (!cbor_read_text(reader, STORE_MADE_BY_MAX, &text))
        return false;
    tag->made_by = text_of_span(text);
    return true;
}

static bool decode_body(struct span body, struct store_tag *tag, struct err *err)
{
    struct cbor_reader reader = cbor_reader(body, err);
    struct span name;
    size_t count;

    if (!cbor_check(body, err) || !cbor_read_map(&reader, TAG_KEYS, &count) ||
        !expect_key(&reader, "name") || !cbor_read_text(&reader, STORE_NAME_MAX, &name) ||
        !expect_key(&reader, "when") || !cbor_read_uint(&reader, &tag->when_s) ||
        !expect_key(&reader, "facts") || !read_facts(&reader, tag) ||
        !expect_key(&reader, "parent") || !read_hash(&reader, &tag->parent) ||
        !expect_key(&reader, "made_by") || !read_made_by(&reader, tag) ||
        !expect_key(&reader, "checkpoint") || !read_hash(&reader, &tag->checkpoint))
        return false;
    memcpy(tag->name, name.data, name.size);
    return true;
}

/* The body, its hash checked. */
static bool open_envelope(struct span bytes, struct span *body, struct err *err)
{
    struct cbor_reader reader = cbor_reader(bytes, err);
    struct span head;
    struct hash expected, hash;
    uint64_t version;
    size_t count;

    if (!cbor_read_array(&reader, TAG_ITEMS, &count) ||
        !cbor_read_bytes(&reader, sizeof sentinel, &head))
        return false;
    if (count != TAG_ITEMS || !span_equal(head, (struct span){sentinel, sizeof sentinel}))
        return err_set(err, ERR_CORRUPT, "this is not a tag");
    if (!cbor_read_uint(&reader, &version))
        return false;
    if (version != TAG_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "tag format %llu, this build reads %d",
                       (unsigned long long)version, TAG_VERSION);
    if (!cbor_read_bytes(&reader, TAG_BYTES_MAX, body) || !read_hash(&reader, &expected))
        return false;
    hash = hash_of(*body);
    if (!hash_equal(&hash, &expected) || reader.offset != bytes.size)
        return err_set(err, ERR_CORRUPT, "its bytes do not match their hash");
    return true;
}

bool tag_decode(struct span bytes, const char *name, struct store_tag *out, struct err *err)
{
    struct store_tag tag = {0};
    struct span body;
    bool ok = open_envelope(bytes, &body, err) && decode_body(body, &tag, err);

    if (ok && strcmp(tag.name, name) != 0)
        ok = err_set(err, ERR_CORRUPT, "it belongs to the tag %s", tag.name);
    if (!ok) {
        store_tag_release(&tag);
        return err_wrap(err, "tag %s is damaged (set it anew, or remove it)", name);
    }
    *out = tag;
    return true;
}
