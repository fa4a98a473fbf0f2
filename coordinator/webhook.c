#include "coordinator/webhook_internal.h"

#include "jobs/json_writer.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/file.h"
#include "storage/base/log.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define WAIT_MS_MAX UINT64_C(3600000)
#define TURN_MS     100 /* of the thread: children are looked after so often */

struct hooks {
    const struct clock_source *clock;
    char *folder;
    CURLM *multi;
    bool is_threaded;
    pthread_t thread;
    atomic_bool stops;
    struct delivery *deliveries; /* of the thread, or of whoever calls hooks_turn */
    pthread_mutex_t lock;        /* guards what follows */
    struct delivery *added, **added_last;
    size_t waiting;
    struct hooks_figures figures;
};

static void *serve(void *context);

bool hooks_open(const struct hooks_options *options, struct hooks **out, struct err *err)
{
    struct hooks *hooks;

    if (!folder_make(options->folder, err))
        return false;
    hooks = mem_alloc(sizeof *hooks);
    hooks->clock = options->clock;
    hooks->folder = mem_text(options->folder);
    hooks->added_last = &hooks->added;
    hooks->multi = curl_multi_init();
    CHECK(hooks->multi != NULL);
    CHECK(pthread_mutex_init(&hooks->lock, NULL) == 0);
    hooks->is_threaded = options->threaded;
    if (hooks->is_threaded && pthread_create(&hooks->thread, NULL, serve, hooks) != 0) {
        hooks->is_threaded = false;
        hooks_close(hooks);
        return err_set(err, ERR_IO, "cannot start a thread");
    }
    *out = hooks;
    return true;
}

static void delivery_free(struct hooks *hooks, struct delivery *delivery)
{
    bool ok;

    if (delivery->easy != NULL)
        (void)post_ended(delivery, hooks->multi, CURLE_ABORTED_BY_CALLBACK);
    if (delivery->pid != 0)
        (void)command_ended(delivery, true, &ok);
    if (delivery->secret.data != NULL)
        explicit_bzero(delivery->secret.data, delivery->secret.size);
    buf_release(&delivery->secret);
    buf_release(&delivery->body);
    mem_free(delivery->url);
    mem_free(delivery->command);
    mem_free(delivery);
}

static void free_list(struct hooks *hooks, struct delivery *list)
{
    while (list != NULL) {
        struct delivery *delivery = list;

        list = delivery->next;
        delivery_free(hooks, delivery);
    }
}

void hooks_close(struct hooks *hooks)
{
    if (hooks == NULL)
        return;
    atomic_store(&hooks->stops, true);
    curl_multi_wakeup(hooks->multi);
    if (hooks->is_threaded)
        (void)pthread_join(hooks->thread, NULL);
    free_list(hooks, hooks->deliveries);
    free_list(hooks, hooks->added);
    curl_multi_cleanup(hooks->multi);
    pthread_mutex_destroy(&hooks->lock);
    mem_free(hooks->folder);
    mem_free(hooks);
}

static struct delivery *delivery_new(const struct hook_request *request)
{
    struct delivery *delivery = mem_alloc(sizeof *delivery);
    struct err ignored = ERR_INIT;

    delivery->run = request->run;
    delivery->secret = (struct buf)BUF_INIT(request->secret.size);
    delivery->body = (struct buf)BUF_INIT(HOOK_BODY_MAX);
    (void)buf_append(&delivery->secret, request->secret.data, request->secret.size, &ignored);
    (void)buf_append(&delivery->body, request->body.data, request->body.size, &ignored);
    delivery->post.status = -1;
    delivery->program.status = -1;
    if (request->url != NULL) {
        delivery->url = mem_text(request->url);
        delivery->post.state = HOOK_WAITS;
    }
    if (request->command != NULL) {
        delivery->command = mem_text(request->command);
        delivery->program.state = HOOK_WAITS;
    }
    return delivery;
}

bool hooks_add(struct hooks *hooks, const struct hook_request *request, struct err *err)
{
    struct delivery *delivery;
    bool ok;

    if (request->body.size > HOOK_BODY_MAX)
        return err_set(err, ERR_TOO_BIG, "a hook's body has at most %d bytes", HOOK_BODY_MAX);
    delivery = delivery_new(request);
    pthread_mutex_lock(&hooks->lock);
    ok = hooks->waiting < HOOKS_MAX;
    if (ok) {
        hooks->waiting++;
        *hooks->added_last = delivery;
        hooks->added_last = &delivery->next;
    }
    pthread_mutex_unlock(&hooks->lock);
    if (!ok) {
        delivery_free(hooks, delivery);
        return err_set(err, ERR_TOO_BIG,
                       "%d hooks are waiting: run %" PRIu64 " has to wait for "
                       "the next start",
                       HOOKS_MAX, request->run);
    }
    curl_multi_wakeup(hooks->multi);
    return true;
}

size_t hooks_waiting(struct hooks *hooks)
{
    size_t waiting;

    pthread_mutex_lock(&hooks->lock);
    waiting = hooks->waiting;
    pthread_mutex_unlock(&hooks->lock);
    return waiting;
}

void hooks_figures(struct hooks *hooks, struct hooks_figures *out)
{
    pthread_mutex_lock(&hooks->lock);
    *out = hooks->figures;
    pthread_mutex_unlock(&hooks->lock);
}

/* A try is over: is there another, and when? */
static void half_tried(struct hooks *hooks, struct hook_half *half, bool again, uint32_t tries_max)
{
    uint64_t wait_ms = HOOK_WAIT_MS;

    again = again && half->tries < tries_max;
    for (uint32_t i = 1; i < half->tries && wait_ms < WAIT_MS_MAX; i++)
        wait_ms *= 4;
    wait_ms = wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX;
    half->due_ns = clock_monotonic_ns(hooks->clock) + wait_ms * NS_PER_MS;
    half->state = again ? HOOK_WAITS : HOOK_OVER;
    half->ended_s = clock_wall_ns(hooks->clock) / NS_PER_S;
    pthread_mutex_lock(&hooks->lock);
    hooks->figures.tries++;
    hooks->figures.delivered += half->is_delivered;
    hooks->figures.failed += half->state == HOOK_OVER && !half->is_delivered;
    pthread_mutex_unlock(&hooks->lock);
}

static void step_post(struct hooks *hooks, struct delivery *delivery, uint64_t now_ns)
{
    struct hook_half *half = &delivery->post;
    struct err err = ERR_INIT;

    if (half->state != HOOK_WAITS || now_ns < half->due_ns)
        return;
    half->tries++;
    half->state = HOOK_RUNS;
    if (post_start(delivery, hooks->multi, hooks->clock, &err))
        return;
    snprintf(half->error, sizeof half->error, "%.200s", err.text);
    half_tried(hooks, half, true, HOOK_POST_TRIES);
}

static void step_command(struct hooks *hooks, struct delivery *delivery, uint64_t now_ns)
{
    struct hook_half *half = &delivery->program;
    struct err err = ERR_INIT;
    bool ok = false;

    if (half->state == HOOK_RUNS) {
        if (!command_ended(delivery, now_ns >= half->due_ns, &ok))
            return;
        half->is_delivered = ok;
        half_tried(hooks, half, !ok, HOOK_COMMAND_TRIES);
        return;
    }
    if (half->state != HOOK_WAITS || now_ns < half->due_ns)
        return;
    half->tries++;
    half->state = HOOK_RUNS;
    half->due_ns = now_ns + HOOK_COMMAND_S * NS_PER_S;
    if (command_start(delivery, &err))
        return;
    snprintf(half->error, sizeof half->error, "%.200s", err.text);
    half_tried(hooks, half, true, HOOK_COMMAND_TRIES);
}

static void finish_posts(struct hooks *hooks)
{
    CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(hooks->multi, &left)) != NULL) {
        char *private = NULL;
        struct delivery *delivery;
        bool again;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
        delivery = (void *)private;
        again = post_ended(delivery, hooks->multi, message->data.result);
        half_tried(hooks, &delivery->post, again, HOOK_POST_TRIES);
    }
}

static void write_half(struct json_writer *writer, const char *key, const struct hook_half *half)
{
    json_write_key(writer, key);
    if (half->state == HOOK_ABSENT) {
        json_write_null(writer);
        return;
    }
    json_write_object(writer);
    json_write_key_bool(writer, "delivered", half->is_delivered);
    json_write_key_uint(writer, "tries", half->tries);
    json_write_key_int(writer, "status", half->status);
    json_write_key_text(writer, "error", half->error[0] != 0 ? half->error : NULL);
    json_write_key_uint(writer, "ended_s", half->ended_s);
    json_write_close(writer);
}

static char *outcome_path(const char *folder, uint64_t run)
{
    char name[32];

    snprintf(name, sizeof name, "%" PRIu64 ".json", run);
    return path_join(folder, name);
}

static void tell(const struct delivery *delivery, const char *what, const struct hook_half *half)
{
    if (half->state == HOOK_OVER && !half->is_delivered)
        log_message(LOG_WARNING,
                    "the %s of run %" PRIu64 " was given up after %" PRIu32 " tries: %s", what,
                    delivery->run, half->tries, half->error);
}

static void record(struct hooks *hooks, const struct delivery *delivery)
{
    struct buf text = BUF_INIT(8192);
    struct err err = ERR_INIT;
    struct json_writer writer = json_writer(&text, false, &err);
    char *path = outcome_path(hooks->folder, delivery->run);

    tell(delivery, "webhook", &delivery->post);
    tell(delivery, "command", &delivery->program);
    json_write_object(&writer);
    json_write_key_uint(&writer, "run", delivery->run);
    write_half(&writer, "webhook", &delivery->post);
    write_half(&writer, "command", &delivery->program);
    json_write_close(&writer);
    if (!json_writer_ok(&writer) || !file_write(path, buf_span(&text), &err))
        log_message(LOG_WARNING, "hooks of run %" PRIu64 ": %s", delivery->run, err.text);
    mem_free(path);
    buf_release(&text);
}

static bool is_over(const struct hook_half *half)
{
    return half->state == HOOK_ABSENT || half->state == HOOK_OVER;
}

static void take_added(struct hooks *hooks)
{
    struct delivery **last = &hooks->deliveries;

    while (*last != NULL)
        last = &(*last)->next;
    pthread_mutex_lock(&hooks->lock);
    *last = hooks->added;
    hooks->added = NULL;
    hooks->added_last = &hooks->added;
    pthread_mutex_unlock(&hooks->lock);
}

static void remove_finished(struct hooks *hooks)
{
    struct delivery **place = &hooks->deliveries;

    while (*place != NULL) {
        struct delivery *delivery = *place;

        if (!is_over(&delivery->post) || !is_over(&delivery->program)) {
            place = &delivery->next;
            continue;
        }
        *place = delivery->next;
        record(hooks, delivery);
        delivery_free(hooks, delivery);
        pthread_mutex_lock(&hooks->lock);
        hooks->waiting--;
        pthread_mutex_unlock(&hooks->lock);
    }
}

void hooks_turn(struct hooks *hooks, uint32_t wait_ms)
{
    uint64_t now_ns = clock_monotonic_ns(hooks->clock);
    int running;

    take_added(hooks);
    for (struct delivery *d = hooks->deliveries; d != NULL; d = d->next) {
        step_post(hooks, d, now_ns);
        step_command(hooks, d, now_ns);
    }
    curl_multi_perform(hooks->multi, &running);
    finish_posts(hooks);
    remove_finished(hooks);
    curl_multi_poll(hooks->multi, NULL, 0, (int)wait_ms, NULL);
}

static void *serve(void *context)
{
    struct hooks *hooks = context;

    while (!atomic_load(&hooks->stops))
        hooks_turn(hooks, hooks->deliveries != NULL ? TURN_MS : 1000);
    return NULL;
}

bool hooks_outcome(const char *folder, uint64_t run, struct buf *out, struct err *err)
{
    char *path = outcome_path(folder, run);
    bool ok = file_read(path, out, err);

    if (!ok && err->kind == ERR_NOT_FOUND)
        (void)err_set(err, ERR_NOT_FOUND, "run %" PRIu64 " has no hooks, or they are not over",
                      run);
    mem_free(path);
    return ok;
}
