#include "coordinator/service_internal.h"

#include "coordinator/queue/tokens.h"
#include "storage/base/check.h"
#include "storage/base/log.h"

#include <poll.h>
#include <string.h>

#define TICK_NS (NS_PER_S / 2)

bool service_error_is_request(const struct err *err)
{
    switch (err->kind) {
    case ERR_USAGE:
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_CONFLICT:
    case ERR_ACCESS:
    case ERR_TOO_BIG:
    case ERR_UNSUPPORTED:
        return true;
    default:
        return false;
    }
}

static bool checkpoint_exists(void *context, const struct hash *checkpoint)
{
    struct service *service = context;
    struct hash_hex hex = hash_hex(checkpoint);

    return service->options.store == NULL ||
           exchange_has(service->options.store, EXCHANGE_MANIFEST, hex.text);
}

static bool open_queue(struct service *service, struct err *err)
{
    struct queue_options options = {
        .path = service->options.database,
        .clock = service->options.clock,
        .seed = service->options.seed,
        .lease_ms = service->options.lease_ms,
        .checkpoint_exists = checkpoint_exists,
        .context = service,
    };

    return queue_open(&options, &service->queue, err) && service_tokens_load(service, err);
}

static bool open_agents(struct service *service, struct err *err)
{
    struct peers_options peers = {.keys = service->options.keys,
                                  .context = service,
                                  .find = messages_find_agent,
                                  .send = gateway_send};

    if (service->options.gateway.url_count == 0 || service->options.keys == NULL)
        return true;
    if (!gateway_open(&service->options.gateway, service->options.clock, &service->gateway, err))
        return false;
    peers.send_context = service->gateway;
    return peers_new(&peers, &service->peers, err);
}

static bool open_http(struct service *service, struct err *err)
{
    struct http_table tables[2] = {{api_routes, api_route_count, service}};
    struct http_options options = service->options.http;

    service->store_http.store = service->options.store;
    service->store_http.clock = service->options.clock;
    options.tables = tables;
    options.table_count = 1;
    if (service->options.store != NULL)
        tables[options.table_count++] = store_http_table(&service->store_http);
    options.clock = service->options.clock;
    options.allow = service_allow;
    options.allow_context = service;
    return http_open(&options, &service->http, err);
}

bool service_open(const struct service_options *options, struct service **out, struct err *err)
{
    struct service *service = mem_alloc(sizeof *service);

    service->options = *options;
    service->answered_last = &service->answered;
    service->held_last = &service->held;
    service->answer = mem_alloc(sizeof *service->answer);
    service->grants = mem_alloc(sizeof *service->grants);
    service->beat_answer = mem_alloc(sizeof *service->beat_answer);
    service->tokens = token_table_new(options->clock);
    service->opened_ms = service_wall_ms(service);
    service->mailbox.wake = -1;
    atomic_store(&service->is_healthy, true);
    atomic_store(&service->turned_ns, service_now_ns(service));
    /* The gateway first: it is a new process, and there are no threads yet. */
    if (!mailbox_open(&service->mailbox, err) || !open_queue(service, err) ||
        !open_agents(service, err) || !hook_feed_open(service, err) || !open_http(service, err)) {
        service_close(service);
        return false;
    }
    *out = service;
    return true;
}

static void refuse_all(struct api_request *list, const struct err *err)
{
    while (list != NULL) {
        struct api_request *request = list;

        list = request->next;
        api_fail(request, err);
        api_send(request);
    }
}

void service_close(struct service *service)
{
    struct err stopping = ERR_INIT;

    if (service == NULL)
        return;
    (void)err_set(&stopping, ERR_TIMEOUT, "the coordinator is being stopped");
    if (service->http != NULL)
        http_stop_accepting(service->http);
    refuse_all(mailbox_shut(&service->mailbox), &stopping);
    task_end_all(&service->tasks, &stopping);
    http_close(service->http);
    messages_release(service);
    retention_release(service);
    hook_feed_close(service);
    gateway_close(service->gateway);
    if (service->peers != NULL)
        peers_free(service->peers);
    if (service->queue != NULL)
        queue_close(service->queue);
    token_table_free(service->tokens);
    mailbox_close(&service->mailbox);
    mem_free(service->answer);
    mem_free(service->grants);
    mem_free(service->beat_answer);
    mem_free(service);
}

uint16_t service_port(const struct service *service)
{
    return http_port(service->http);
}

struct queue *service_queue(struct service *service)
{
    return service->queue;
}

void service_stop(struct service *service)
{
    atomic_store(&service->is_stopping, true);
    mailbox_wake(&service->mailbox);
}

/* ---- the loop ---- */

static void run_request(struct service *service, struct api_request *request)
{
    struct err err = ERR_INIT;
    enum api_outcome outcome;

    outcome = request->call->run(service, request, &err);
    if (outcome == API_TAKEN)
        return;
    if (outcome == API_FAILED) {
        service->is_lost = service->is_lost || !service_error_is_request(&err);
        api_fail(request, &err);
    }
    request->next = NULL;
    *service->answered_last = request;
    service->answered_last = &request->next;
}

static void run_requests(struct service *service)
{
    struct api_request *list = mailbox_take(&service->mailbox, SERVICE_GROUP_MAX);

    while (list != NULL) {
        struct api_request *request = list;

        list = request->next;
        run_request(service, request);
    }
}

static void tick(struct service *service, uint64_t now_ns)
{
    struct err err = ERR_INIT;
    bool more = false;

    if (now_ns < service->tick_ns)
        return;
    if (!queue_tick(service->queue, &more, &err)) {
        log_message(LOG_ERROR, "queue: %s", err.text);
        service->is_lost = true;
        return;
    }
    upkeep_tick(service);
    http_tick(service->http);
    service->tick_ns = more ? now_ns : now_ns + TICK_NS;
}

/* Blobs that results name must not be lost when the results are not. */
static bool commit(struct service *service, struct err *err)
{
    if (service->is_lost) {
        queue_rollback(service->queue);
        return err_set(err, ERR_IO, "the database has failed: nothing was changed, try again");
    }
    if (service->blob_count != 0 && service->options.store != NULL &&
        !store_blob_flush(service->options.store, service->blobs, service->blob_count, err)) {
        queue_rollback(service->queue);
        return false;
    }
    return queue_commit(service->queue, err);
}

static void answer_requests(struct service *service, const struct err *failure)
{
    struct api_request *list = service->answered;

    service->answered = NULL;
    service->answered_last = &service->answered;
    while (list != NULL) {
        struct api_request *request = list;
        struct err busy = ERR_INIT;

        list = request->next;
        if (failure != NULL) {
            (void)err_set(&busy, ERR_TIMEOUT, "%.600s", failure->text);
            api_fail(request, &busy);
        }
        api_send(request);
    }
}

static void end_bracket(struct service *service, uint64_t began_ns)
{
    struct err err = ERR_INIT;
    bool ok = commit(service, &err);

    histogram_add(&service->commits, service_now_ns(service) - began_ns);
    atomic_store(&service->is_healthy, ok);
    if (!ok) {
        service->commit_failures++;
        log_message(LOG_ERROR, "commit: %s", err.text);
    }
    if (service->peers != NULL && ok)
        peers_commit(service->peers);
    else if (service->peers != NULL)
        peers_abort(service->peers);
    service_tokens_commit(service, ok);
    answer_requests(service, ok ? NULL : &err);
}

static void bracket(struct service *service)
{
    uint64_t now_ns = service_now_ns(service);
    struct err err = ERR_INIT;

    service->is_lost = false;
    service->blob_count = 0;
    if (!queue_begin(service->queue, &err)) {
        /* Whoever asked waits a turn: requests are still in the mailbox and the gateway. */
        log_message(LOG_ERROR, "queue: %s", err.text);
        atomic_store(&service->is_healthy, false);
        service->commit_failures++;
        return;
    }
    messages_receive(service);
    run_requests(service);
    tick(service, now_ns);
    messages_retry(service);
    end_bracket(service, now_ns);
}

static int wait_ms_of(const struct service *service, uint32_t wait_ms)
{
    uint64_t now_ns = service_now_ns(service);
    uint64_t due_ns = service->tick_ns;
    uint64_t held_ns = messages_due_ns(service);
    uint64_t gateway_ns =
        service->gateway != NULL ? gateway_deadline_ns(service->gateway) : UINT64_MAX;

    due_ns = held_ns < due_ns ? held_ns : due_ns;
    due_ns = gateway_ns < due_ns ? gateway_ns : due_ns;
    due_ns = service->tasks_due_ns < due_ns ? service->tasks_due_ns : due_ns;
    if (due_ns <= now_ns)
        return 0;
    if ((due_ns - now_ns) / NS_PER_MS >= wait_ms)
        return (int)wait_ms;
    return (int)((due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

bool service_turn(struct service *service, uint32_t wait_ms)
{
    struct pollfd fds[2] = {{service->mailbox.wake, POLLIN, 0}, {-1, 0, 0}};

    if (atomic_load(&service->is_stopping))
        return false;
    if (service->gateway != NULL) {
        fds[1].fd = gateway_fd(service->gateway);
        fds[1].events = gateway_events(service->gateway);
    }
    (void)poll(fds, 2, wait_ms_of(service, wait_ms));
    atomic_store(&service->turned_ns, service_now_ns(service));
    if (service->gateway != NULL)
        gateway_turn(service->gateway);
    bracket(service);
    service->tasks_due_ns = task_step_all(&service->tasks, service);
    return !atomic_load(&service->is_stopping);
}

bool service_run(struct service *service, struct err *err)
{
    (void)err;
    while (service_turn(service, 1000))
        ;
    return true;
}
