#include "coordinator/service_internal.h"
#include "coordinator/webhook.h"

#include "storage/base/log.h"

#include <inttypes.h>
#include <string.h>

#define AT_ONCE 64 /* runs of one tick */

/* Runs whose hooks are under way since this start; the queue and the outcomes' files know the rest:
 * what is in neither is begun again. */
struct hook_feed {
    uint64_t *runs;
    size_t count, capacity;
};

struct scan {
    struct service *service;
    uint64_t over[AT_ONCE];
    size_t over_count;
};

bool hook_feed_open(struct service *service, struct err *err)
{
    struct hooks_options options = {
        .folder = service->options.hooks, .clock = service->options.clock, .threaded = true};

    if (service->options.hooks == NULL)
        return true;
    if (!hooks_open(&options, &service->hooks, err))
        return false;
    service->feed = mem_alloc(sizeof *service->feed);
    return true;
}

void hook_feed_close(struct service *service)
{
    hooks_close(service->hooks);
    service->hooks = NULL;
    if (service->feed != NULL)
        mem_free(service->feed->runs);
    mem_free(service->feed);
    service->feed = NULL;
}

static bool is_fed(const struct hook_feed *feed, uint64_t run)
{
    for (size_t i = 0; i < feed->count; i++)
        if (feed->runs[i] == run)
            return true;
    return false;
}

static void feed_add(struct hook_feed *feed, uint64_t run)
{
    if (feed->count == feed->capacity) {
        uint64_t *runs;

        feed->capacity = feed->capacity != 0 ? 2 * feed->capacity : 16;
        runs = mem_array(feed->capacity, sizeof runs[0]);
        if (feed->count != 0)
            memcpy(runs, feed->runs, feed->count * sizeof runs[0]);
        mem_free(feed->runs);
        feed->runs = runs;
    }
    feed->runs[feed->count++] = run;
}

static void feed_drop(struct hook_feed *feed, uint64_t run)
{
    for (size_t i = 0; i < feed->count; i++)
        if (feed->runs[i] == run)
            feed->runs[i--] = feed->runs[--feed->count];
}

/* Names are checked when a run is submitted; the configuration may have changed since. */
static struct span secret_of(const struct service *service, const char *name)
{
    for (size_t i = 0; name != NULL && i < service->options.secret_count; i++)
        if (strcmp(service->options.secrets[i].name, name) == 0)
            return service->options.secrets[i].bytes;
    return (struct span){0};
}

static const char *command_of(const struct service *service, const char *name)
{
    for (size_t i = 0; name != NULL && i < service->options.command_count; i++)
        if (strcmp(service->options.commands[i].name, name) == 0)
            return service->options.commands[i].path;
    return NULL;
}

/* False: not taken, there will be another tick. */
static bool begin(struct service *service, const struct queue_run *run)
{
    struct buf body = BUF_INIT(HOOK_BODY_MAX);
    struct err err = ERR_INIT;
    struct json_writer writer = json_writer(&body, false, &err);
    struct hook_request request = {
        .run = run->id,
        .url = run->options.webhook_url,
        .secret = secret_of(service, run->options.webhook_secret),
        .command = command_of(service, run->options.command),
    };
    bool ok;

    json_write_object(&writer);
    show_run(service, run, &writer);
    json_write_close(&writer);
    request.body = buf_span(&body);
    if (run->options.webhook_secret != NULL && request.secret.size == 0) {
        log_message(LOG_WARNING,
                    "run %" PRIu64 ": its webhook is not called: the secret \"%s\" is not "
                    "configured any more",
                    run->id, run->options.webhook_secret);
        request.url = NULL;
    }
    ok = json_writer_ok(&writer) && hooks_add(service->hooks, &request, &err);
    if (!ok)
        log_message(LOG_WARNING, "hooks of run %" PRIu64 ": %s", run->id, err.text);
    buf_release(&body);
    return ok;
}

static bool look(void *context, const struct queue_run *run)
{
    struct scan *scan = context;
    struct service *service = scan->service;
    struct buf outcome = BUF_INIT(65536);
    struct err ignored = ERR_INIT;

    if (hooks_outcome(service->options.hooks, run->id, &outcome, &ignored))
        scan->over[scan->over_count++] = run->id;
    else if (!is_fed(service->feed, run->id) && begin(service, run))
        feed_add(service->feed, run->id);
    buf_release(&outcome);
    return scan->over_count < AT_ONCE;
}

bool hook_feed_tick(struct service *service, struct err *err)
{
    struct scan scan = {.service = service};

    if (service->hooks == NULL)
        return true;
    if (!queue_hooks_each(service->queue, look, &scan, err))
        return false;
    for (size_t i = 0; i < scan.over_count; i++) {
        if (!queue_hook_done(service->queue, scan.over[i], err))
            return false;
        feed_drop(service->feed, scan.over[i]);
    }
    return true;
}
