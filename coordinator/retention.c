#include "coordinator/service_internal.h"

#include "coordinator/sweeper.h"
#include "storage/base/log.h"

#include <inttypes.h>
#include <string.h>

/* What is old goes: a little with each tick, looked for once an hour. Rows of the database here, in
 * the core; what is in the store by the sweeper. */

#define FIRST_LOOK_NS (UINT64_C(600) * NS_PER_S) /* a start has more urgent things to do */
#define LOOK_NS       (UINT64_C(3600) * NS_PER_S)
#define HISTORY_NS    (UINT64_C(86400) * NS_PER_S) /* from one look at all tests to the next */
#define RUNS_A_TICK   16                           /* removed: one may have many jobs */

struct numbers {
    uint64_t items[RUNS_A_TICK];
    size_t count;
};

static bool take_number(void *context, uint64_t number)
{
    struct numbers *numbers = context;

    numbers->items[numbers->count++] = number;
    return numbers->count != RUNS_A_TICK;
}

/* False, with no error: there may be more. */
static bool remove_runs(struct service *service, struct err *err)
{
    struct numbers old = {.count = 0};
    bool ok = queue_old_runs(service->queue, &service->options.retention, take_number, &old, err);

    for (size_t i = 0; ok && i < old.count; i++) {
        ok = queue_run_remove(service->queue, old.items[i], err);
        if (ok)
            log_message(LOG_INFO, "retention: run %" PRIu64 " is forgotten", old.items[i]);
    }
    return ok && old.count != RUNS_A_TICK;
}

/* ---- checkpoints ---- */

static void own_tag(const struct hash *checkpoint, char out[HASH_SIZE * 2 + 4])
{
    memcpy(out, "id/", 3);
    memcpy(out + 3, hash_hex(checkpoint).text, HASH_SIZE * 2 + 1);
}

struct hashes {
    struct hash items[RUNS_A_TICK];
    size_t count;
    const struct store_tag_list *tags;
};

/* By a tag that somebody gave it: the one that was made when it was booted does not count. */
static bool is_tagged(const struct store_tag_list *tags, const struct hash *checkpoint)
{
    char own[HASH_SIZE * 2 + 4];

    own_tag(checkpoint, own);
    for (size_t i = 0; i < tags->count; i++)
        if (hash_equal(&tags->items[i].checkpoint, checkpoint) &&
            strcmp(tags->items[i].name, own) != 0)
            return true;
    return false;
}

static bool take_hash(void *context, const struct hash *checkpoint)
{
    struct hashes *hashes = context;

    if (!is_tagged(hashes->tags, checkpoint))
        hashes->items[hashes->count++] = *checkpoint;
    return hashes->count != RUNS_A_TICK;
}

static bool forget_checkpoint(struct service *service, const struct hash *checkpoint,
                              struct err *err)
{
    char own[HASH_SIZE * 2 + 4];

    own_tag(checkpoint, own);
    if (!queue_checkpoint_forget(service->queue, checkpoint, err))
        return false;
    if (!store_tag_remove(service->options.store, own, err) && err->kind != ERR_NOT_FOUND)
        return false;
    *err = (struct err)ERR_INIT;
    log_message(LOG_INFO, "retention: checkpoint %.16s is forgotten", hash_hex(checkpoint).text);
    return true;
}

static bool remove_checkpoints(struct service *service, struct err *err)
{
    struct store_tag_list tags = {NULL, 0};
    struct hashes old = {.tags = &tags};
    bool ok = service->options.store == NULL || !service->options.owns_store;

    if (ok)
        return true;
    ok = store_tag_list(service->options.store, &tags, NULL, err) &&
         queue_old_checkpoints(service->queue, &service->options.retention, take_hash, &old, err);
    for (size_t i = 0; ok && i < old.count; i++)
        ok = forget_checkpoint(service, &old.items[i], err);
    service->collects = service->collects || old.count != 0;
    store_tag_list_release(&tags);
    return ok && old.count != RUNS_A_TICK;
}

/* ---- */

static void sweep(struct service *service)
{
    const struct sweeper_task task = {.database = service->options.database,
                                      .store = service->options.store,
                                      .now_s = service_wall_ms(service) / 1000,
                                      .checkpoints = service->collects};

    if (service->options.store == NULL || !service->options.owns_store)
        return;
    service->sweeper = sweeper_start(&task);
    service->collects = false;
}

/* A few tests with each tick, once a day all of them. */
static bool remove_history(struct service *service, struct err *err)
{
    uint64_t now_ns = service_now_ns(service), count;

    if (service->history_due_ns == 0)
        service->history_due_ns = now_ns + FIRST_LOOK_NS;
    if (now_ns < service->history_due_ns)
        return true;
    if (!queue_history_expire(service->queue, &service->options.retention, &service->history_after,
                              &count, err))
        return false;
    service->history_gone += count;
    if (service->history_after != 0)
        return true;
    if (service->history_gone != 0)
        log_message(LOG_INFO, "retention: %" PRIu64 " verdicts of tests are forgotten",
                    service->history_gone);
    service->history_gone = 0;
    service->history_due_ns = now_ns + HISTORY_NS;
    return true;
}

/* In a bracket; an error loses it. What is in the store is swept by what is committed, so a while
 * after it was forgotten here. */
bool retention_tick(struct service *service, struct err *err)
{
    uint64_t now_ns = service_now_ns(service), count;

    if (service->sweeper != NULL && sweeper_is_done(service->sweeper)) {
        sweeper_end(service->sweeper);
        service->sweeper = NULL;
    }
    if (service->retention_due_ns == 0)
        service->retention_due_ns = now_ns + FIRST_LOOK_NS;
    if (!remove_history(service, err))
        return false;
    if (now_ns < service->retention_due_ns || service->sweeper != NULL)
        return true;
    if (!remove_runs(service, err) || !remove_checkpoints(service, err))
        return err->kind == ERR_NONE; /* the rest with the next tick */
    if (!queue_artifacts_expire(service->queue, &service->options.retention, &count, err))
        return false;
    service->retention_due_ns = now_ns + LOOK_NS;
    sweep(service);
    return true;
}

void retention_release(struct service *service)
{
    sweeper_end(service->sweeper);
    service->sweeper = NULL;
}
