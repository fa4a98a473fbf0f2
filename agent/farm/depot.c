#include "agent/farm/depot.h"

#include <string.h>

#define RECENT_MAX   256u
#define BLOB_GRACE_S 3600u

struct depot {
    struct store *store;
    struct remote *remote;          /* NULL: the store is the coordinator's */
    struct hash recent[RECENT_MAX]; /* the last used first */
    size_t recent_count;
};

bool depot_open(const char *store_location, const struct remote_options *address,
                struct depot **out, struct err *err)
{
    struct store_options options = {.create = true};
    struct depot *depot = mem_alloc(sizeof *depot);

    if (!store_open(store_location, &options, &depot->store, err) ||
        (address != NULL && !remote_open(address, &depot->remote, err))) {
        depot_close(depot);
        return false;
    }
    *out = depot;
    return true;
}

void depot_close(struct depot *depot)
{
    if (depot == NULL)
        return;
    remote_close(depot->remote);
    store_close(depot->store);
    mem_free(depot);
}

struct store *depot_store(struct depot *depot)
{
    return depot->store;
}

bool depot_is_shared(const struct depot *depot)
{
    return depot->remote == NULL;
}

bool depot_fetch_checkpoint(struct depot *depot, const struct hash *checkpoint, struct err *err)
{
    bool ok;

    if (exchange_has(depot->store, EXCHANGE_MANIFEST, hash_hex(checkpoint).text))
        ok = true;
    else if (depot->remote != NULL)
        ok = remote_fetch_checkpoint(depot->remote, depot->store, checkpoint, err);
    else
        ok = err_set(err, ERR_NOT_FOUND, "checkpoint %s is not in the store %s",
                     hash_hex(checkpoint).text, store_location(depot->store));
    if (ok)
        depot_touch(depot, checkpoint);
    return ok;
}

bool depot_fetch_blob(struct depot *depot, const struct hash *id, struct err *err)
{
    if (depot->remote != NULL)
        return remote_fetch_blob(depot->remote, depot->store, id, err);
    return store_blob_size(depot->store, id, NULL, err);
}

bool depot_read_blob(struct depot *depot, const struct hash *id, struct buf *out, struct err *err)
{
    return depot_fetch_blob(depot, id, err) && store_blob_get(depot->store, id, out, err);
}

bool depot_push_blob(struct depot *depot, struct span bytes, struct hash *id, struct err *err)
{
    return store_blob_put(depot->store, bytes, id, err) &&
           (depot->remote == NULL || remote_push_blob(depot->remote, depot->store, id, err));
}

/* Any tag of the checkpoint: its facts say how to talk to the machine. */
static bool find_tag(struct store *store, const struct hash *checkpoint, struct store_tag *out,
                     bool *found, struct err *err)
{
    struct store_tag_list list = {NULL, 0};

    *found = false;
    if (!store_tag_list(store, &list, NULL, err))
        return false;
    for (size_t i = 0; i < list.count && !*found; i++) {
        if (!hash_equal(&list.items[i].checkpoint, checkpoint))
            continue;
        *out = list.items[i];
        memset(&list.items[i], 0, sizeof list.items[i]);
        *found = true;
    }
    store_tag_list_release(&list);
    return true;
}

bool depot_push_checkpoint(struct depot *depot, const struct hash *checkpoint, struct err *err)
{
    struct store_tag tag = {.name = ""};
    bool found, ok;

    if (depot->remote == NULL)
        return true;
    ok = find_tag(depot->store, checkpoint, &tag, &found, err) &&
         remote_push_checkpoint(depot->remote, depot->store, checkpoint, found ? &tag : NULL, err);
    store_tag_release(&tag);
    return ok;
}

void depot_touch(struct depot *depot, const struct hash *checkpoint)
{
    size_t at = 0;

    while (at < depot->recent_count && !hash_equal(&depot->recent[at], checkpoint))
        at++;
    if (at == depot->recent_count) {
        if (depot->recent_count < RECENT_MAX)
            depot->recent_count++;
        at = depot->recent_count - 1;
    }
    memmove(depot->recent + 1, depot->recent, at * sizeof depot->recent[0]);
    depot->recent[0] = *checkpoint;
}

static bool is_listed(const struct hash *list, size_t count, const struct hash *id)
{
    for (size_t i = 0; i < count; i++)
        if (hash_equal(&list[i], id))
            return true;
    return false;
}

size_t depot_cached(struct depot *depot, struct hash *out, size_t max)
{
    struct hash_list there = {NULL, 0};
    struct err ignored = ERR_INIT;
    size_t count = 0;

    if (!store_manifest_list(depot->store, &there, &ignored))
        return 0;
    for (size_t i = 0; i < depot->recent_count && count < max; i++)
        if (is_listed(there.items, there.count, &depot->recent[i]))
            out[count++] = depot->recent[i];
    for (size_t i = 0; i < there.count && count < max; i++)
        if (!is_listed(depot->recent, depot->recent_count, &there.items[i]))
            out[count++] = there.items[i];
    hash_list_release(&there);
    return count;
}

static bool nothing_is_wanted(void *context, const struct hash *id)
{
    (void)context;
    (void)id;
    return false;
}

/* How recently it was used: 0 is now, RECENT_MAX is not since this agent began. */
static size_t age_of(const struct depot *depot, const struct hash *checkpoint)
{
    size_t at = 0;

    while (at < depot->recent_count && !hash_equal(&depot->recent[at], checkpoint))
        at++;
    return at == depot->recent_count ? RECENT_MAX : at;
}

/* The fetched checkpoint that was used longest ago; NULL if none is left. */
static struct store_tag *oldest_of(const struct depot *depot, struct store_tag_list *list)
{
    struct store_tag *oldest = NULL;
    size_t age = 0;

    for (size_t i = 0; i < list->count; i++) {
        struct store_tag *tag = &list->items[i];
        size_t own = age_of(depot, &tag->checkpoint);
        if (strncmp(tag->name, REMOTE_TAG_PREFIX, strlen(REMOTE_TAG_PREFIX)) != 0)
            continue;
        if (oldest == NULL || own > age || (own == age && tag->when_s < oldest->when_s)) {
            oldest = tag;
            age = own;
        }
    }
    return oldest;
}

/* One that is pinned stays, as gc sees to it; its tag goes all the same. */
static bool drop_oldest(struct depot *depot, uint64_t max_bytes, bool *done, struct err *err)
{
    struct store_tag_list list = {NULL, 0};
    struct store_statistics now;
    struct store_tag *oldest;
    struct gc_report report;
    bool ok = store_statistics(depot->store, &now, err);

    *done = !ok || now.stored_bytes <= max_bytes;
    if (*done || !store_tag_list(depot->store, &list, NULL, err))
        return ok && *done;
    oldest = oldest_of(depot, &list);
    *done = oldest == NULL;
    if (oldest != NULL)
        ok = store_tag_remove(depot->store, oldest->name, err) &&
             store_gc(depot->store, false, &report, err);
    store_tag_list_release(&list);
    return ok;
}

bool depot_trim(struct depot *depot, uint64_t max_bytes, const struct clock_source *clock,
                struct err *err)
{
    struct blob_sweep sweep = {.wanted = nothing_is_wanted,
                               .now_s = clock_wall_ns(clock) / UINT64_C(1000000000),
                               .grace_s = BLOB_GRACE_S};
    bool done = false;

    if (depot->remote == NULL)
        return true;
    for (size_t i = 0; !done && i < RECENT_MAX; i++)
        if (!drop_oldest(depot, max_bytes, &done, err))
            return false;
    return store_blob_sweep(depot->store, &sweep, err);
}
