#include "coordinator/store_http.h"

#include "coordinator/queue/tokens.h"
#include "jobs/json_writer.h"
#include "storage/remote/remote.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define JSON_MAX  (4u << 20)
#define FACTS_MAX (1u << 20)
#define LIST_MAX  (64u << 20)
#define ANYBODY_WITH_A_TOKEN                                                                       \
    (1u << QUEUE_ROLE_READ | 1u << QUEUE_ROLE_SUBMIT | 1u << QUEUE_ROLE_AGENT |                    \
     1u << QUEUE_ROLE_ADMIN)
#define WHO_PUTS (1u << QUEUE_ROLE_SUBMIT | 1u << QUEUE_ROLE_AGENT | 1u << QUEUE_ROLE_ADMIN)
#define PART_MAX STORE_BLOB_MAX

static const char type_json[] = "application/json";
static const char type_bytes[] = "application/octet-stream";

/* ---- parts: blobs, packs, manifests; the kind is the route's data ---- */

static const enum exchange_kind kinds[] = {EXCHANGE_BLOB, EXCHANGE_PACK, EXCHANGE_MANIFEST};

static enum exchange_kind kind_of(const struct http_exchange *exchange)
{
    return *(const enum exchange_kind *)http_request_route(exchange)->data;
}

static void refuse(struct store_http *http, struct http_exchange *exchange, const struct err *err)
{
    http->refused++;
    http_respond_err(exchange, err);
}

/* A part never changes: who has it once need not ask again. */
static void part_get(void *context, struct http_exchange *exchange)
{
    struct store_http *http = context;
    struct http_file file = {-1, 0, 0};
    struct err err = ERR_INIT;
    uint64_t size;
    bool partial;
    char range[96];

    if (!exchange_open(http->store, kind_of(exchange), http_param(exchange, "name"), &file.fd,
                       &size, &err)) {
        refuse(http, exchange, &err);
        return;
    }
    partial = http_range(exchange, size, &file.offset, &file.size);
    if (!partial && file.size == 0 && size != 0) {
        close(file.fd);
        snprintf(range, sizeof range, "bytes */%llu", (unsigned long long)size);
        http_respond_header(exchange, "Content-Range", range);
        http_respond_empty(exchange, 416);
        return;
    }
    if (partial) {
        snprintf(range, sizeof range, "bytes %llu-%llu/%llu", (unsigned long long)file.offset,
                 (unsigned long long)(file.offset + file.size - 1), (unsigned long long)size);
        http_respond_header(exchange, "Content-Range", range);
    }
    http_respond_header(exchange, "Accept-Ranges", "bytes");
    http_respond_header(exchange, "Cache-Control", "private, max-age=31536000, immutable");
    http->parts_out++;
    http_respond_file(exchange, partial ? 206 : 200, type_bytes, file);
}

/* What is there already is not taken again. */
static void part_put_begin(void *context, struct http_exchange *exchange)
{
    const char *name = http_param(exchange, "name");
    struct store_http *http = context;
    struct intake *intake = NULL;
    struct err err = ERR_INIT;

    if (exchange_has(http->store, kind_of(exchange), name)) {
        http_respond_empty(exchange, 200);
        return;
    }
    if (!intake_open(http->store, kind_of(exchange), name, &intake, &err)) {
        refuse(http, exchange, &err);
        return;
    }
    http_set_user(exchange, intake);
    if (!intake_restart(intake, &err))
        refuse(http, exchange, &err);
}

static void part_put_body(void *context, struct http_exchange *exchange, struct span piece)
{
    struct store_http *http = context;
    struct err err = ERR_INIT;

    if (intake_add(http_user(exchange), piece, &err))
        http->bytes_in += piece.size;
    else
        refuse(http, exchange, &err);
}

static void part_put_end(void *context, struct http_exchange *exchange)
{
    struct store_http *http = context;
    struct intake *intake = http_user(exchange);
    struct err err = ERR_INIT;

    http_set_user(exchange, NULL);
    if (intake_commit(intake, &err)) {
        http->parts_in++;
        http_respond_empty(exchange, 201);
    } else {
        refuse(http, exchange, &err);
    }
}

static void part_put_done(void *context, struct http_exchange *exchange)
{
    (void)context;
    intake_abort(http_user(exchange));
}

/* ---- checkpoints: what they need, and how to talk to their machine ---- */

static bool checkpoint_param(const struct http_exchange *exchange, struct hash *out,
                             struct err *err)
{
    return hash_parse(http_param(exchange, "id"), out, err);
}

static void tag_name(const struct hash *id, char out[STORE_NAME_MAX + 1])
{
    snprintf(out, STORE_NAME_MAX + 1, REMOTE_TAG_PREFIX "%s", hash_hex(id).text);
}

/* "id/ID", else any tag of the checkpoint. Zero: there is none. */
static bool find_tag(struct store *store, const struct hash *id, struct store_tag *out,
                     struct err *err)
{
    struct store_tag_list list = {NULL, 0};
    struct err ignored = ERR_INIT;
    char name[STORE_NAME_MAX + 1];

    memset(out, 0, sizeof *out);
    tag_name(id, name);
    if (store_tag_get(store, name, out, &ignored))
        return true;
    if (!store_tag_list(store, &list, NULL, err))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        if (!hash_equal(&list.items[i].checkpoint, id))
            continue;
        *out = list.items[i];
        memset(&list.items[i], 0, sizeof list.items[i]);
        break;
    }
    store_tag_list_release(&list);
    return true;
}

static void write_facts(struct json_writer *json, const struct store_tag *tag)
{
    json_write_key(json, "facts");
    json_write_object(json);
    for (size_t i = 0; i < tag->fact_count; i++)
        json_write_key_text(json, tag->facts[i].key, tag->facts[i].text);
    json_write_close(json);
}

static bool describe(struct store *store, const struct hash *id, struct buf *out, struct err *err)
{
    struct json_writer json = json_writer(out, false, err);
    struct exchange_pack_list packs;
    struct store_tag tag;

    if (!exchange_packs(store, id, &packs, err))
        return false;
    if (!find_tag(store, id, &tag, err)) {
        exchange_pack_list_release(&packs);
        return false;
    }
    json_write_object(&json);
    json_write_key_text(&json, "checkpoint", hash_hex(id).text);
    json_write_key(&json, "packs");
    json_write_array(&json);
    for (size_t i = 0; i < packs.count; i++) {
        json_write_object(&json);
        json_write_key_text(&json, "name", packs.items[i].name);
        json_write_key_uint(&json, "bytes", packs.items[i].bytes);
        json_write_close(&json);
    }
    json_write_close(&json);
    write_facts(&json, &tag);
    json_write_close(&json);
    store_tag_release(&tag);
    exchange_pack_list_release(&packs);
    return json_writer_ok(&json);
}

static void checkpoint_get(void *context, struct http_exchange *exchange)
{
    struct store_http *http = context;
    struct buf out = BUF_INIT(JSON_MAX);
    struct err err = ERR_INIT;
    struct hash id;

    if (checkpoint_param(exchange, &id, &err) && describe(http->store, &id, &out, &err))
        http_respond_take(exchange, 200, type_json, &out);
    else
        refuse(http, exchange, &err);
    buf_release(&out);
}

static bool take_facts(json_t *facts, struct store_tag *tag, struct err *err)
{
    const char *key;
    json_t *value;

    if (facts != NULL && !json_is_object(facts))
        return err_set(err, ERR_INVALID, "\"facts\" is not an object of texts");
    json_object_foreach(facts, key, value)
    {
        if (!json_is_string(value))
            return err_set(err, ERR_INVALID, "the fact \"%.64s\" is not a text", key);
        if (tag->fact_count >= STORE_FACTS_MAX)
            return err_set(err, ERR_TOO_BIG, "more than %d facts", STORE_FACTS_MAX);
        store_tag_set_fact(tag, key, json_string_value(value));
    }
    return true;
}

static bool put_facts(struct store_http *http, struct http_exchange *exchange, struct err *err)
{
    struct span body = http_body(exchange);
    struct store_tag tag;
    char name[STORE_NAME_MAX + 1];
    json_t *json = NULL;
    struct hash id;
    bool ok;

    if (!checkpoint_param(exchange, &id, err))
        return false;
    json = json_loadb((const char *)body.data, body.size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json)) {
        json_decref(json);
        return err_set(err, ERR_INVALID, "the body is not a JSON object");
    }
    tag_name(&id, name);
    store_tag_init(&tag, name, http->clock);
    tag.checkpoint = id;
    tag.made_by = mem_text(http_identity(exchange));
    ok = take_facts(json_object_get(json, "facts"), &tag, err) &&
         store_tag_set(http->store, &tag, err);
    store_tag_release(&tag);
    json_decref(json);
    return ok;
}

static void checkpoint_put(void *context, struct http_exchange *exchange)
{
    struct store_http *http = context;
    struct err err = ERR_INIT;

    if (put_facts(http, exchange, &err))
        http_respond_text(exchange, 200, type_json, "{}");
    else
        refuse(http, exchange, &err);
}

/* ---- tags, for people ---- */

static bool list_tags(struct store *store, struct buf *out, struct err *err)
{
    struct json_writer json = json_writer(out, false, err);
    struct store_tag_list list;

    if (!store_tag_list(store, &list, NULL, err))
        return false;
    json_write_object(&json);
    json_write_key(&json, "tags");
    json_write_array(&json);
    for (size_t i = 0; i < list.count; i++) {
        json_write_object(&json);
        json_write_key_text(&json, "name", list.items[i].name);
        json_write_key_text(&json, "checkpoint", hash_hex(&list.items[i].checkpoint).text);
        json_write_key_uint(&json, "when_s", list.items[i].when_s);
        json_write_close(&json);
    }
    json_write_close(&json);
    json_write_close(&json);
    store_tag_list_release(&list);
    return json_writer_ok(&json);
}

static void tags_get(void *context, struct http_exchange *exchange)
{
    struct store_http *http = context;
    struct buf out = BUF_INIT(LIST_MAX);
    struct err err = ERR_INIT;

    if (list_tags(http->store, &out, &err))
        http_respond_take(exchange, 200, type_json, &out);
    else
        refuse(http, exchange, &err);
    buf_release(&out);
}

static const struct http_handler part_get_handler = {.end = part_get};
static const struct http_handler part_put_handler = {part_put_begin, part_put_body, part_put_end,
                                                     part_put_done};
static const struct http_handler checkpoint_get_handler = {.end = checkpoint_get};
static const struct http_handler checkpoint_put_handler = {.end = checkpoint_put};
static const struct http_handler tags_get_handler = {.end = tags_get};

#define PARTS(path, kind)                                                                          \
    {HTTP_GET, path, "", ANYBODY_WITH_A_TOKEN, 0, &part_get_handler, &kinds[kind]},                \
    {                                                                                              \
        HTTP_PUT, path, "", WHO_PUTS, PART_MAX, &part_put_handler, &kinds[kind]                    \
    }

static const struct http_route routes[] = {
    PARTS("/api/v1/store/blobs/{name}", EXCHANGE_BLOB),
    PARTS("/api/v1/store/packs/{name}", EXCHANGE_PACK),
    PARTS("/api/v1/store/manifests/{name}", EXCHANGE_MANIFEST),
    {HTTP_GET, "/api/v1/store/checkpoints/{id}", "", ANYBODY_WITH_A_TOKEN, 0,
     &checkpoint_get_handler, NULL},
    {HTTP_PUT, "/api/v1/store/checkpoints/{id}", "", WHO_PUTS, FACTS_MAX, &checkpoint_put_handler,
     NULL},
    {HTTP_GET, "/api/v1/store/tags", "", ANYBODY_WITH_A_TOKEN, 0, &tags_get_handler, NULL},
};

struct http_table store_http_table(struct store_http *store_http)
{
    return (struct http_table){routes, sizeof routes / sizeof routes[0], store_http};
}
