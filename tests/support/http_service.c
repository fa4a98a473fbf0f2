#include "tests/support/http_service.h"

#include "storage/base/check.h"
#include "storage/base/file.h"
#include "tests/support/base_test.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_NS UINT64_C(1700000000000000000)

static uint64_t now(void *context)
{
    return atomic_load(&((struct http_service *)context)->now_ns);
}

static void *serve(void *context)
{
    struct http_service *s = context;

    for (;;) {
        void (*call)(struct http_service *, void *) = atomic_load(&s->call);

        if (call != NULL) {
            call(s, s->call_context);
            atomic_store(&s->call, NULL);
        }
        if (!service_turn(s->service, 5))
            return NULL;
    }
}

static void start(struct http_service *s)
{
    struct service_token_request request = {"test admin", QUEUE_ROLE_ADMIN, 0, true};
    struct err err = ERR_INIT;

    BASE_OK(service_open(&s->options, &s->service, &err), &err);
    s->port = service_port(s->service);
    BASE_OK(service_token(s->service, &request, s->token, &err), &err);
    assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

static void stop(struct http_service *s)
{
    service_stop(s->service);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    service_close(s->service);
}

struct http_service *http_service_open(const struct service_options *options)
{
    struct http_service *s = mem_alloc(sizeof *s);
    static struct clock_source clock;
    struct store_options store = {.create = true};
    struct err err = ERR_INIT;
    char *path;

    s->folder = base_folder_make();
    s->database = path_join(s->folder, "queue.db");
    s->hooks = path_join(s->folder, "hooks");
    path = path_join(s->folder, "store");
    BASE_OK(store_open(path, &store, &s->store, &err), &err);
    mem_free(path);
    atomic_store(&s->now_ns, START_NS);
    clock = (struct clock_source){now, now, s};
    if (options != NULL)
        s->options = *options;
    s->options.database = s->database;
    s->options.hooks = s->hooks;
    s->options.store = s->store;
    s->options.clock = &clock;
    s->options.seed = 1;
    if (s->options.http.socket_path == NULL)
        s->options.http.address = "127.0.0.1";
    start(s);
    return s;
}

void http_service_restart(struct http_service *s)
{
    stop(s);
    start(s);
}

void http_service_close(struct http_service *s)
{
    stop(s);
    store_close(s->store);
    base_folder_remove(s->folder);
    mem_free(s->database);
    mem_free(s->hooks);
    mem_free(s);
}

void http_service_pass(struct http_service *s, uint64_t ms)
{
    atomic_fetch_add(&s->now_ns, ms * 1000000);
}

void http_service_do(struct http_service *s, void (*call)(struct http_service *, void *),
                     void *context)
{
    s->call_context = context;
    atomic_store(&s->call, call);
    while (atomic_load(&s->call) != NULL)
        sched_yield();
}

struct http_reply http_service_ask(struct http_service *s, const char *method, const char *path,
                                   const char *body)
{
    return http_client_call(s->port, (struct http_request){method, path, NULL, body, s->token});
}

/* "POST /path" taken apart. */
static struct http_reply ask(struct http_service *s, const char *request, const char *body)
{
    char method[16];
    size_t size = strcspn(request, " ");

    assert_in_range(size, 1, sizeof method - 1);
    snprintf(method, sizeof method, "%.*s", (int)size, request);
    return http_service_ask(s, method, request + size + 1, body);
}

json_t *http_service_json(struct http_service *s, const char *request, const char *body,
                          unsigned status)
{
    struct http_reply reply = ask(s, request, body);
    json_t *json;

    if (reply.status != status)
        fail_msg("%s: status %u: %s", request, reply.status, http_reply_text(&reply));
    assert_true(http_reply_has(&reply, "Content-Type: application/json"));
    json = json_loads(http_reply_text(&reply), JSON_REJECT_DUPLICATES, NULL);
    if (json == NULL)
        fail_msg("%s: no JSON: %s", request, http_reply_text(&reply));
    http_reply_release(&reply);
    return json;
}

void http_service_expect(struct http_service *s, const char *request, const char *body,
                         unsigned status, const char *part)
{
    struct http_reply reply = ask(s, request, body);

    if (reply.status != status || strstr(http_reply_text(&reply), part) == NULL)
        fail_msg("%s: status %u: %s", request, reply.status, http_reply_text(&reply));
    http_reply_release(&reply);
}

char *http_service_submission(const char *name, unsigned count, const char *options)
{
    struct buf text = BUF_INIT(64u << 20);
    struct err err = ERR_INIT;

    BASE_OK(buf_format(&text, &err, "{\"name\": \"%s\", \"options\": %s, \"jobs\": [", name,
                       options != NULL ? options : "{}"),
            &err);
    for (unsigned i = 0; i < count; i++)
        BASE_OK(buf_format(&text, &err,
                           "%s{\"name\": \"t%u\", \"suite\": \"s\", \"spec\": \"%064x\"}",
                           i != 0 ? "," : "", i, i + 1),
                &err);
    BASE_OK(buf_append_text(&text, "]}", &err) && buf_append(&text, "", 1, &err), &err);
    return (char *)text.data;
}

uint64_t http_service_submit(struct http_service *s, const char *name, unsigned count)
{
    char *text = http_service_submission(name, count, "{\"no_cache\": true}");
    json_t *json = http_service_json(s, "POST /api/v1/runs", text, 201);
    uint64_t run = (uint64_t)json_integer_value(json_object_get(json, "run"));

    json_decref(json);
    mem_free(text);
    return run;
}

struct work {
    unsigned count;
    enum verdict verdict;
};

static const struct queue_id agent_id = {{1, 2, 3}};
static const struct queue_id agent_incarnation = {{4, 5, 6}};

static void say_hello(struct queue *queue)
{
    static const uint8_t key[32] = {7};
    static const char *const tags[] = {"fast"};
    struct queue_agent_facts facts = {.name = "a1",
                                      .version = "1",
                                      .arch = "x86_64",
                                      .os = "linux",
                                      .word_bits = 64,
                                      .cores = 2,
                                      .memory_mib = 1024,
                                      .slots = 2,
                                      .tags = tags,
                                      .tag_count = 1};
    struct err err = ERR_INIT;

    BASE_OK(queue_agent_add(queue, &agent_id, key, "a1", &err), &err);
    BASE_OK(queue_agent_hello(queue, &agent_id, &agent_incarnation, &facts, &err), &err);
}

static void finish(struct queue *queue, const struct queue_grant *grant, enum verdict verdict)
{
    struct queue_artifact artifact = {"log.txt", 3, {{9}}};
    struct queue_result result = {.lease = grant->lease,
                                  .job = grant->job,
                                  .attempt = grant->attempt,
                                  .verdict = verdict,
                                  .exit_status = verdict == VERDICT_PASS ? 0 : 1,
                                  .instructions = 1000,
                                  .virtual_ns = 2000,
                                  .thaw_ns = 3000000,
                                  .wall_ns = 4000000,
                                  .state_id = {{8}},
                                  .console = {{7}},
                                  .console_size = 10,
                                  .artifacts = &artifact,
                                  .artifact_count = 1};
    enum queue_outcome outcome;
    struct err err = ERR_INIT;

    if (verdict != VERDICT_PASS) {
        result.reason = "it did not do what it should";
        result.signature_title = "Kernel panic - not syncing";
    }
    BASE_OK(queue_result(queue, &agent_id, &result, &outcome, &err), &err);
    assert_int_equal(outcome, QUEUE_RECORDED);
}

static void work(struct http_service *s, void *context)
{
    struct work *left = context;
    struct queue *queue = service_queue(s->service);
    struct queue_claim claim = {agent_id, agent_incarnation, 1, {NULL, 0}};
    struct queue_grants *grants = mem_alloc(sizeof *grants);
    struct err err = ERR_INIT;
    uint32_t i = 0;

    BASE_OK(queue_begin(queue, &err), &err);
    say_hello(queue);
    grants->count = 0;
    while (left->count != 0) {
        if (i == grants->count) {
            BASE_OK(queue_claim(queue, &claim, grants, &err), &err);
            CHECK(grants->count != 0);
            i = 0;
        }
        finish(queue, &grants->grants[i++], left->verdict);
        left->count--;
    }
    for (; i < grants->count; i++) {
        struct queue_release back = {agent_id, agent_incarnation, &grants->grants[i].lease, 1};

        BASE_OK(queue_release(queue, &back, &err), &err);
    }
    BASE_OK(queue_commit(queue, &err), &err);
    mem_free(grants);
}

void http_service_work(struct http_service *s, unsigned count, enum verdict verdict)
{
    struct work left = {count, verdict};

    http_service_do(s, work, &left);
}
