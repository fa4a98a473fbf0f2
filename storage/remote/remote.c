#include "storage/remote/transfer.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 100

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static char *text_or_null(const char *text)
{
    return text != NULL ? mem_text(text) : NULL;
}

bool remote_open(const struct remote_options *options, struct remote **out, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct remote *remote;
    size_t size = strlen(options->url);

    if (strncmp(options->url, "http://", 7) != 0 && strncmp(options->url, "https://", 8) != 0)
        return err_set(err, ERR_USAGE,
                       "\"%.200s\" is no address of a coordinator: http://... or "
                       "https://...",
                       options->url);
    if (size > 2000)
        return err_set(err, ERR_USAGE, "the coordinator's address is longer than 2000 bytes");
    pthread_once(&once, start_curl);
    remote = mem_alloc(sizeof *remote);
    remote->url = mem_text(options->url);
    while (size != 0 && remote->url[size - 1] == '/')
        remote->url[--size] = 0;
    remote->token = text_or_null(options->token);
    remote->ca_file = text_or_null(options->ca_file);
    remote->socket_path = text_or_null(options->socket_path);
    remote->wait_ms = options->wait_ms != 0 ? options->wait_ms : WAIT_MS;
    remote->progress = options->progress;
    remote->context = options->context;
    remote->multi = curl_multi_init();
    if (remote->multi == NULL) {
        remote_close(remote);
        return err_set(err, ERR_NO_MEMORY, "libcurl has no memory");
    }
    curl_multi_setopt(remote->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)REMOTE_PARALLEL);
    *out = remote;
    return true;
}

void remote_close(struct remote *remote)
{
    if (remote == NULL)
        return;
    curl_multi_cleanup(remote->multi);
    mem_free(remote->url);
    mem_free(remote->token);
    mem_free(remote->ca_file);
    mem_free(remote->socket_path);
    mem_free(remote);
}

bool remote_call(struct remote *remote, const char *method, const char *path, struct span body,
                 struct buf *reply, struct err *err)
{
    struct transfer transfer = {.remote = remote,
                                .method = method,
                                .path = mem_text(path),
                                .fd = -1,
                                .size = body.size,
                                .body = body,
                                .type = "application/json",
                                .reply = reply};
    bool ok = transfers_run(remote, &transfer, 1, err);

    transfer_release(&transfer);
    return ok;
}

/* "packs/NAME" below "store/". */
static char *part_path(enum exchange_kind kind, const char *name)
{
    static const char *const folders[] = {"blobs", "packs", "manifests"};
    char path[PACK_NAME_SIZE + 32];

    snprintf(path, sizeof path, "store/%s/%s", folders[kind], name);
    return mem_text(path);
}

/* ---- fetching ---- */

/* Two rounds: a part that is found altered is fetched once more, from its beginning. */
static bool fetch_part(struct remote *remote, struct store *store, enum exchange_kind kind,
                       const char *name, struct err *err)
{
    for (int round = 0;; round++) {
        struct transfer transfer = {.remote = remote, .method = "GET", .fd = -1};
        struct intake *intake;
        if (!intake_open(store, kind, name, &intake, err))
            return false;
        transfer.path = part_path(kind, name);
        transfer.intake = intake;
        if (!transfers_run(remote, &transfer, 1, err)) {
            transfer_release(&transfer);
            intake_pause(intake);
            return false;
        }
        transfer_release(&transfer);
        if (intake_commit(intake, err))
            return true;
        if (err->kind != ERR_CORRUPT || round == 1)
            return err_wrap(err, "%s", remote->url);
        *err = (struct err)ERR_INIT;
    }
}

/* What came is put in its place, once; if it cannot be believed it is fetched again, alone, unless
 * something failed before. */
static bool take_pack(struct remote *remote, struct store *store, struct transfer *transfer,
                      const char *name, bool ok, struct err *err)
{
    struct intake *intake = transfer->intake;
    bool is_whole = transfer->is_done;
    struct err why = ERR_INIT;

    transfer_release(transfer);
    if (!is_whole || (!ok && !intake_is_checkable(intake)))
        intake_pause(intake);
    else if (!intake_commit(intake, &why) && ok)
        return fetch_part(remote, store, EXCHANGE_PACK, name, err);
    return ok;
}

/* The packs of a checkpoint that are not here, in parallel. */
static bool fetch_packs(struct remote *remote, struct store *store,
                        const struct exchange_pack_list *packs, struct err *err)
{
    struct transfer *transfers = mem_array(packs->count, sizeof *transfers);
    const char **names = mem_array(packs->count, sizeof *names);
    size_t count = 0;
    bool ok = true;

    remote->done = remote->total = 0;
    for (size_t i = 0; ok && i < packs->count; i++) {
        const char *name = packs->items[i].name;
        if (exchange_has(store, EXCHANGE_PACK, name))
            continue;
        ok = intake_open(store, EXCHANGE_PACK, name, &transfers[count].intake, err);
        if (!ok)
            break;
        transfers[count].remote = remote;
        transfers[count].method = "GET";
        transfers[count].fd = -1;
        transfers[count].path = part_path(EXCHANGE_PACK, name);
        remote->total += packs->items[i].bytes;
        names[count++] = name;
    }
    ok = ok && transfers_run(remote, transfers, count, err);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < count; i++)
            if (transfers[i].intake != NULL &&
                (round == 1 || intake_is_checkable(transfers[i].intake)))
                ok = take_pack(remote, store, &transfers[i], names[i], ok, err);
    mem_free(transfers);
    mem_free(names);
    return ok;
}

/* What the other side says of a checkpoint. */
struct description {
    struct exchange_pack_list packs;
    struct store_tag facts;
};

static void description_release(struct description *description)
{
    exchange_pack_list_release(&description->packs);
    store_tag_release(&description->facts);
}

static bool read_packs(const json_t *packs, struct description *out, struct err *err)
{
    size_t count = json_array_size(packs);

    if (!json_is_array(packs) || count > REMOTE_PACKS_MAX)
        return err_set(err, ERR_INVALID, "\"packs\" is not a list of at most %u packs",
                       REMOTE_PACKS_MAX);
    out->packs.items = mem_array(count, sizeof *out->packs.items);
    for (size_t i = 0; i < count; i++) {
        const json_t *pack = json_array_get(packs, i);
        const char *name = json_string_value(json_object_get(pack, "name"));
        json_int_t bytes = json_integer_value(json_object_get(pack, "bytes"));
        if (name == NULL || !exchange_name_is_valid(EXCHANGE_PACK, name) || bytes < 0)
            return err_set(err, ERR_INVALID, "pack %zu has no name or no size", i);
        memcpy(out->packs.items[i].name, name, PACK_NAME_SIZE);
        out->packs.items[i].bytes = (uint64_t)bytes;
        out->packs.count = i + 1;
    }
    return true;
}

static bool read_facts(json_t *facts, struct description *out, struct err *err)
{
    const char *key;
    json_t *value;

    if (json_object_size(facts) > STORE_FACTS_MAX)
        return err_set(err, ERR_INVALID, "more than %d facts", STORE_FACTS_MAX);
    json_object_foreach(facts, key, value)
    {
        if (!json_is_string(value))
            return err_set(err, ERR_INVALID, "the fact \"%.64s\" is no text", key);
        store_tag_set_fact(&out->facts, key, json_string_value(value));
    }
    return true;
}

static bool describe(struct remote *remote, const struct hash *checkpoint, struct description *out,
                     struct err *err)
{
    struct buf reply = BUF_INIT(REMOTE_REPLY_MAX);
    char path[128];
    json_t *json = NULL;
    bool ok;

    memset(out, 0, sizeof *out);
    snprintf(path, sizeof path, "store/checkpoints/%s", hash_hex(checkpoint).text);
    ok = remote_call(remote, "GET", path, (struct span){0}, &reply, err);
    if (ok) {
        json = json_loadb((const char *)reply.data, reply.size, JSON_REJECT_DUPLICATES, NULL);
        ok = (json_is_object(json) ||
              err_set(err, ERR_INVALID, "the answer is not a JSON object")) &&
             read_packs(json_object_get(json, "packs"), out, err) &&
             read_facts(json_object_get(json, "facts"), out, err);
        if (!ok)
            err_wrap(err, "%s/%s", remote->url, path);
    }
    json_decref(json);
    buf_release(&reply);
    if (!ok)
        description_release(out);
    return ok;
}

/* "id/ID" */
static void set_tag_name(struct store_tag *tag, const struct hash *checkpoint)
{
    snprintf(tag->name, sizeof tag->name, REMOTE_TAG_PREFIX "%s", hash_hex(checkpoint).text);
    tag->checkpoint = *checkpoint;
    tag->when_s = clock_wall_ns(&clock_host) / 1000000000u;
}

/* The packs, then the manifest, which the packs must bear out; a pack that does not is fetched once
 * more. */
static bool fetch_parts(struct remote *remote, struct store *store, const struct hash *checkpoint,
                        const struct exchange_pack_list *packs, struct err *err)
{
    const struct hash_hex id = hash_hex(checkpoint);

    if (!fetch_packs(remote, store, packs, err))
        return false;
    if (fetch_part(remote, store, EXCHANGE_MANIFEST, id.text, err))
        return true;
    if (err->kind != ERR_CORRUPT)
        return false;
    *err = (struct err)ERR_INIT;
    return fetch_packs(remote, store, packs, err) &&
           fetch_part(remote, store, EXCHANGE_MANIFEST, id.text, err);
}

/* While the batch is open gc takes none of the packs that came. */
static bool fetch_described(struct remote *remote, struct store *store,
                            const struct hash *checkpoint, struct description *description,
                            struct err *err)
{
    struct store_batch *guard;
    bool ok;

    if (!store_batch_begin(store, &guard, err))
        return false;
    ok = fetch_parts(remote, store, checkpoint, &description->packs, err);
    set_tag_name(&description->facts, checkpoint);
    ok = ok && store_tag_set(store, &description->facts, err);
    store_batch_abort(guard);
    return ok;
}

bool remote_fetch_checkpoint(struct remote *remote, struct store *store,
                             const struct hash *checkpoint, struct err *err)
{
    struct description description;
    bool ok;

    if (exchange_has(store, EXCHANGE_MANIFEST, hash_hex(checkpoint).text))
        return true;
    if (!describe(remote, checkpoint, &description, err))
        return false;
    ok = fetch_described(remote, store, checkpoint, &description, err);
    description_release(&description);
    return ok;
}

bool remote_fetch_blob(struct remote *remote, struct store *store, const struct hash *id,
                       struct err *err)
{
    if (store_blob_size(store, id, NULL, err))
        return true;
    if (err->kind != ERR_NOT_FOUND)
        return false;
    *err = (struct err)ERR_INIT;
    return fetch_part(remote, store, EXCHANGE_BLOB, hash_hex(id).text, err);
}

/* ---- pushing ---- */

static bool remote_has(struct remote *remote, const char *path, bool *has, struct err *err)
{
    struct buf reply = BUF_INIT(1024);
    bool ok = remote_call(remote, "HEAD", path, (struct span){0}, &reply, err);

    buf_release(&reply);
    *has = ok;
    if (ok || err->kind != ERR_NOT_FOUND)
        return ok;
    *err = (struct err)ERR_INIT;
    return true;
}

static bool push_part(struct remote *remote, struct store *store, enum exchange_kind kind,
                      const char *name, struct err *err)
{
    struct transfer transfer = {.remote = remote, .method = "PUT", .fd = -1};
    bool ok, has;

    transfer.path = part_path(kind, name);
    ok = remote_has(remote, transfer.path, &has, err);
    if (ok && !has) {
        ok = exchange_open(store, kind, name, &transfer.fd, &transfer.size, err) &&
             transfers_run(remote, &transfer, 1, err);
        if (transfer.fd >= 0)
            close(transfer.fd);
    }
    transfer_release(&transfer);
    return ok;
}

bool remote_push_blob(struct remote *remote, struct store *store, const struct hash *id,
                      struct err *err)
{
    return push_part(remote, store, EXCHANGE_BLOB, hash_hex(id).text, err);
}

static bool push_facts(struct remote *remote, const struct hash *checkpoint,
                       const struct store_tag *tag, struct err *err)
{
    json_t *facts = json_object(), *body = json_object();
    struct buf reply = BUF_INIT(REMOTE_REPLY_MAX);
    char path[128], *text;
    bool ok;

    for (size_t i = 0; tag != NULL && i < tag->fact_count; i++)
        json_object_set_new(facts, tag->facts[i].key, json_string(tag->facts[i].text));
    json_object_set_new(body, "facts", facts);
    text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    snprintf(path, sizeof path, "store/checkpoints/%s", hash_hex(checkpoint).text);
    ok = remote_call(remote, "PUT", path, span_of_text(text), &reply, err);
    json_decref(body);
    buf_release(&reply);
    free(text);
    return ok;
}

bool remote_push_checkpoint(struct remote *remote, struct store *store,
                            const struct hash *checkpoint, const struct store_tag *tag,
                            struct err *err)
{
    struct store_tag own = {.name = ""};
    struct exchange_pack_list packs;
    struct err none = ERR_INIT;
    bool ok;

    if (!exchange_packs(store, checkpoint, &packs, err))
        return false;
    remote->done = remote->total = 0;
    for (size_t i = 0; i < packs.count; i++)
        remote->total += packs.items[i].bytes;
    ok = true;
    for (size_t i = 0; ok && i < packs.count; i++)
        ok = push_part(remote, store, EXCHANGE_PACK, packs.items[i].name, err);
    exchange_pack_list_release(&packs);
    set_tag_name(&own, checkpoint);
    if (tag == NULL && store_tag_get(store, own.name, &own, &none))
        tag = &own;
    ok = ok && push_part(remote, store, EXCHANGE_MANIFEST, hash_hex(checkpoint).text, err) &&
         push_facts(remote, checkpoint, tag, err);
    store_tag_release(&own);
    return ok;
}
