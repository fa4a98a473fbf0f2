#include "agent/session.h"

#include "sim/board/virt.h"
#include "storage/base/clock.h"
#include "storage/base/log.h"

#include <string.h>

void session_init(struct session *session, struct store *store, struct image_cache *cache)
{
    memset(session, 0, sizeof *session);
    session->store = store;
    session->cache = cache;
    registry_standard(&session->registry);
}

void session_release(struct session *session)
{
    machine_free(session->machine);
    session->machine = NULL;
    store_unpin(session->pin);
    session->pin = NULL;
    store_tag_release(&session->facts);
}

/* The tag itself, or any tag of the same checkpoint: an id alone says nothing of prompts. */
static bool find_facts(struct session *session, const char *name, struct err *err)
{
    struct store_tag_list list = {NULL, 0};
    struct err ignored = ERR_INIT;

    if (store_name_check(name, &ignored) &&
        store_tag_get(session->store, name, &session->facts, &ignored))
        return true;
    memset(&session->facts, 0, sizeof session->facts);
    if (!store_tag_list(session->store, &list, NULL, err))
        return false;
    for (size_t i = 0; i < list.count; i++) {
        if (!hash_equal(&list.items[i].checkpoint, &session->parent))
            continue;
        session->facts = list.items[i];
        memset(&list.items[i], 0, sizeof list.items[i]);
        break;
    }
    store_tag_list_release(&list);
    return true;
}

bool session_thaw(struct session *session, const char *name, struct err *err)
{
    uint64_t start = clock_monotonic_ns(&clock_host);
    struct image_source images = image_cache_source(session->cache);
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    bool ok = store_resolve(session->store, name, &session->parent, err) &&
              store_pin(session->store, &session->parent, &session->pin, err) &&
              store_manifest_get(session->store, &session->parent, &manifest, err) &&
              find_facts(session, name, err) &&
              machine_load(&session->registry, buf_span(&manifest), &images, NULL,
                           &session->machine, err);

    buf_release(&manifest);
    session->thaw_ns = clock_monotonic_ns(&clock_host) - start;
    return ok || err_wrap(err, "checkpoint %s", name);
}

bool session_freeze(struct session *session, const struct store_tag *tag,
                    struct checkpoint_ids *ids, struct err *err)
{
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    uint64_t start = clock_monotonic_ns(&clock_host);
    struct store_batch *batch = NULL;
    struct chunk_sink sink;
    bool ok;

    if (!store_batch_begin(session->store, &batch, err))
        return false;
    sink = store_batch_sink(batch);
    ok = machine_save(session->machine, &sink, &manifest, ids, err);
    if (ok) {
        struct store_commit commit = {.manifest = buf_span(&manifest), .tag = tag};
        ok = store_batch_commit(batch, &commit, NULL, err);
    } else {
        store_batch_abort(batch);
    }
    buf_release(&manifest);
    session->freeze_ns = clock_monotonic_ns(&clock_host) - start;
    return ok;
}

void session_cache_images(const struct session *session)
{
    for (uint32_t i = 0; i < session->machine->object_count; i++) {
        const struct object *object = session->machine->objects[i];
        for (uint32_t k = 0; k < object->model->schema->image_count; k++) {
            const struct image *image = object->images[k];
            struct err err = ERR_INIT;
            if (!image_cache_adopt(session->cache, image->data, image_nodes(image), image->size,
                                   &err))
                log_message(LOG_INFO, "%s.%s is not cached: %s", object->path,
                            object->model->schema->images[k].name, err.text);
        }
    }
}
