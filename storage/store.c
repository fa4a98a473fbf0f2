#include "storage/backend.h"
#include "storage/directory.h"

#include <ctype.h>
#include <string.h>

/* The length of "scheme" if the text begins with "scheme://" (RFC 3986, section 3.1), else 0. */
static size_t scheme_size(const char *location)
{
    const char *end = strstr(location, "://");

    if (end == NULL || !isalpha((unsigned char)location[0]))
        return 0;
    for (const char *at = location; at < end; at++)
        if (!isalnum((unsigned char)*at) && strchr("+-.", *at) == NULL)
            return 0;
    return (size_t)(end - location);
}

bool store_open(const char *location, const struct store_options *options, struct store **out,
                struct err *err)
{
    static const struct store_options defaults;
    size_t scheme = scheme_size(location);
    struct directory *directory;
    struct store *store;

    if (scheme == 4 && strncmp(location, "file", 4) == 0)
        location += strlen("file://");
    else if (scheme != 0)
        return err_set(err, ERR_UNSUPPORTED,
                       "a store at a %.*s:// URL is not supported by this build: name a folder",
                       (int)scheme, location);
    if (location[0] == 0)
        return err_set(err, ERR_USAGE, "the store's location is empty");
    if (!directory_open(location, options != NULL ? options : &defaults, &directory, err))
        return false;
    store = mem_alloc(sizeof *store);
    *store = (struct store){&directory_ops, directory, mem_text(location)};
    *out = store;
    return true;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    store->ops->close(store->context);
    mem_free(store->location);
    mem_free(store);
}

const char *store_location(const struct store *store)
{
    return store->location;
}

bool store_get(struct store *store, const struct hash *id, struct buf *out, struct err *err)
{
    return store->ops->get(store->context, id, out, err);
}

bool store_has(struct store *store, const struct hash *id)
{
    return store->ops->look(store->context, id, NULL);
}

struct store_batch {
    struct store *store;
    void *batch; /* the backend's */
};

bool store_batch_begin(struct store *store, struct store_batch **out, struct err *err)
{
    struct store_batch *batch;
    void *inner;

    if (!store->ops->batch_begin(store->context, &inner, err))
        return false;
    batch = mem_alloc(sizeof *batch);
    *batch = (struct store_batch){store, inner};
    *out = batch;
    return true;
}

bool store_batch_put(struct store_batch *batch, const struct hash *id, struct span bytes,
                     const struct hash *base, struct err *err)
{
    return batch->store->ops->batch_put(batch->batch, id, bytes, base, err);
}

static bool sink_put(void *context, const struct hash *id, struct span bytes,
                     const struct hash *base, struct err *err)
{
    return store_batch_put(context, id, bytes, base, err);
}

struct chunk_sink store_batch_sink(struct store_batch *batch)
{
    return (struct chunk_sink){sink_put, batch};
}

bool store_batch_commit(struct store_batch *batch, const struct store_commit *commit,
                        struct hash *checkpoint, struct err *err)
{
    bool ok = batch->store->ops->batch_commit(batch->batch, commit, checkpoint, err);

    mem_free(batch);
    return ok;
}

void store_batch_abort(struct store_batch *batch)
{
    if (batch == NULL)
        return;
    batch->store->ops->batch_abort(batch->batch);
    mem_free(batch);
}

bool store_manifest_get(struct store *store, const struct hash *checkpoint, struct buf *out,
                        struct err *err)
{
    return store->ops->manifest_get(store->context, checkpoint, out, err);
}

void hash_list_release(struct hash_list *list)
{
    mem_free(list->items);
    *list = (struct hash_list){0};
}

bool store_manifest_list(struct store *store, struct hash_list *out, struct err *err)
{
    return store->ops->manifest_list(store->context, out, err);
}

bool store_manifest_remove(struct store *store, const struct hash *checkpoint, struct err *err)
{
    return store->ops->manifest_remove(store->context, checkpoint, err);
}

bool store_pin(struct store *store, const struct hash *checkpoint, struct store_pin **out,
               struct err *err)
{
    return store->ops->pin(store->context, checkpoint, out, err);
}

void store_unpin(struct store_pin *pin)
{
    if (pin != NULL)
        pin->release(pin);
}

bool store_tag_get(struct store *store, const char *name, struct store_tag *out, struct err *err)
{
    return store->ops->tag_get(store->context, name, out, err);
}

bool store_tag_set(struct store *store, const struct store_tag *tag, struct err *err)
{
    return store->ops->tag_set(store->context, tag, err);
}

bool store_tag_remove(struct store *store, const char *name, struct err *err)
{
    return store->ops->tag_remove(store->context, name, err);
}

bool store_tag_list(struct store *store, struct store_tag_list *out, size_t *damaged,
                    struct err *err)
{
    struct store_tag_list list = {0};
    struct name_list names;
    size_t bad = 0;

    if (!store->ops->tag_names(store->context, &names, err))
        return false;
    list.items = mem_array(names.count, sizeof *list.items);
    for (size_t i = 0; i < names.count; i++) {
        struct err why = ERR_INIT;
        if (store_tag_get(store, names.names[i], &list.items[list.count], &why))
            list.count++;
        else if (why.kind != ERR_NOT_FOUND) /* removed since it was listed */
            bad++;
    }
    name_list_release(&names);
    *out = list;
    if (damaged != NULL)
        *damaged = bad;
    return true;
}

bool store_statistics(struct store *store, struct store_statistics *out, struct err *err)
{
    return store->ops->statistics(store->context, out, err);
}

bool store_gc(struct store *store, bool dry_run, struct gc_report *out, struct err *err)
{
    return store->ops->gc(store->context, dry_run, out, err);
}

bool store_fsck(struct store *store, const struct fsck_options *options, struct fsck_report *out,
                struct err *err)
{
    return store->ops->fsck(store->context, options, out, err);
}
