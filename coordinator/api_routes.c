#include "coordinator/api_calls.h"

#include "coordinator/submission.h"

#include <stdio.h>

/* The API, as openapi.yaml tells it: a test holds the two together. */

#define READER    (1u << QUEUE_ROLE_READ | 1u << QUEUE_ROLE_SUBMIT | 1u << QUEUE_ROLE_ADMIN)
#define SUBMITTER (1u << QUEUE_ROLE_SUBMIT | 1u << QUEUE_ROLE_ADMIN)
#define ADMIN     (1u << QUEUE_ROLE_ADMIN)
#define SMALL     65536u

static void core_end(void *context, struct http_exchange *exchange)
{
    struct service *service = context;

    api_post(&service->mailbox, exchange);
}

/* Answered by the HTTP thread itself: also when the core hangs. */
static void health_end(void *context, struct http_exchange *exchange)
{
    struct service *service = context;
    struct buf text = BUF_INIT(4096);
    struct err err = ERR_INIT;
    struct json_writer writer = json_writer(&text, false, &err);
    uint64_t now_ns = service_now_ns(service), turned_ns = atomic_load(&service->turned_ns);
    bool is_live = now_ns < turned_ns + 10 * NS_PER_S;
    bool is_ready = is_live && atomic_load(&service->is_healthy);

    json_write_object(&writer);
    json_write_key_bool(&writer, "live", is_live);
    json_write_key_bool(&writer, "ready", is_ready);
    json_write_key_text(&writer, "version", THAW_VERSION);
    json_write_key_uint(&writer, "uptime_s",
                        (service_wall_ms(service) - service->opened_ms) / 1000);
    json_write_close(&writer);
    http_respond_take(exchange, is_ready ? 200 : 503, "application/json", &text);
}

/* What this program does, whatever stands in newer or older trees. */
static void document_end(void *context, struct http_exchange *exchange)
{
    struct buf text = BUF_INIT(API_ANSWER_MAX);
    struct err err = ERR_INIT;

    (void)context;
    if (buf_append(&text, api_document, api_document_size, &err)) {
        http_respond_take(exchange, 200, "application/yaml", &text);
        return;
    }
    buf_release(&text);
    http_respond_err(exchange, &err);
}

/* Read by the HTTP thread straight from the store. */
static void tags_end(void *context, struct http_exchange *exchange)
{
    struct service *service = context;
    struct buf text = BUF_INIT(API_ANSWER_MAX);
    struct err err = ERR_INIT;
    struct json_writer writer = json_writer(&text, false, &err);
    struct store_tag_list list = {NULL, 0};
    bool ok =
        service->options.store == NULL || store_tag_list(service->options.store, &list, NULL, &err);

    json_write_object(&writer);
    json_write_key(&writer, "tags");
    json_write_array(&writer);
    for (size_t i = 0; ok && i < list.count; i++) {
        json_write_object(&writer);
        json_write_key_text(&writer, "name", list.items[i].name);
        show_hash(&writer, "checkpoint", &list.items[i].checkpoint);
        show_hash(&writer, "parent", &list.items[i].parent);
        json_write_key_uint(&writer, "when_s", list.items[i].when_s);
        json_write_key_text(&writer, "made_by", list.items[i].made_by);
        json_write_close(&writer);
    }
    json_write_close(&writer);
    json_write_close(&writer);
    store_tag_list_release(&list);
    if (ok && json_writer_ok(&writer)) {
        http_respond_take(exchange, 200, "application/json", &text);
        return;
    }
    buf_release(&text);
    http_respond_err(exchange, &err);
}

static const struct http_handler core = {NULL, NULL, core_end, NULL};
static const struct http_handler health = {NULL, NULL, health_end, NULL};
static const struct http_handler document = {NULL, NULL, document_end, NULL};
static const struct http_handler tags = {NULL, NULL, tags_end, NULL};

#define RUN      "/api/v1/runs/{run}"
#define SCHEDULE "/api/v1/schedules/{name}"

/* clang-format off */
const struct http_route api_routes[] = {
    {HTTP_GET,    "/api/v1/health", "", HTTP_ANYBODY, 0, &health, NULL},
    {HTTP_GET,    "/api/v1/openapi.yaml", "", HTTP_ANYBODY, 0, &document, NULL},
    {HTTP_GET,    "/metrics", "", READER, 0, &core, &api_metrics},
    {HTTP_POST,   "/api/v1/runs", "", SUBMITTER, SUBMISSION_BYTES_MAX, &core, &api_run_submit},
    {HTTP_GET,    "/api/v1/runs", "limit before name", READER, 0, &core, &api_run_list},
    {HTTP_GET,    RUN, "after_event wait_ms", READER, 0, &core, &api_run_get},
    {HTTP_POST,   RUN "/jobs", "", SUBMITTER, SUBMISSION_BYTES_MAX, &core, &api_run_add},
    {HTTP_GET,    RUN "/jobs", "after limit verdict state", READER, 0, &core, &api_job_list},
    {HTTP_POST,   RUN "/close", "", SUBMITTER, SMALL, &core, &api_run_close},
    {HTTP_POST,   RUN "/cancel", "", SUBMITTER, SMALL, &core, &api_run_cancel},
    {HTTP_POST,   RUN "/pause", "", SUBMITTER, SMALL, &core, &api_run_pause},
    {HTTP_POST,   RUN "/resume", "", SUBMITTER, SMALL, &core, &api_run_resume},
    {HTTP_GET,    RUN "/results", "format verdict", READER, 0, &core, &api_results},
    {HTTP_GET,    RUN "/compare", "against slower_permille", READER, 0, &core, &api_compare},
    {HTTP_GET,    "/api/v1/jobs/{job}", "", READER, 0, &core, &api_job_get},
    {HTTP_POST,   "/api/v1/jobs/{job}/cancel", "", SUBMITTER, SMALL, &core, &api_job_cancel},
    {HTTP_GET,    "/api/v1/history", "suite name limit", READER, 0, &core, &api_history},
    {HTTP_GET,    "/api/v1/baselines", "", READER, 0, &core, &api_baseline_list},
    {HTTP_PUT,    "/api/v1/baselines/{name}", "", SUBMITTER, SMALL, &core, &api_baseline_set},
    {HTTP_DELETE, "/api/v1/baselines/{name}", "", SUBMITTER, 0, &core, &api_baseline_remove},
    {HTTP_GET,    "/api/v1/events", "run after", READER, 0, &core, &api_events},
    {HTTP_GET,    "/api/v1/agents", "", READER, 0, &core, &api_agent_list},
    {HTTP_POST,   "/api/v1/agents/{name}/drain", "", ADMIN, SMALL, &core, &api_agent_drain},
    {HTTP_POST,   "/api/v1/agents/{name}/undrain", "", ADMIN, SMALL, &core, &api_agent_undrain},
    {HTTP_POST,   "/api/v1/agents/{name}/revoke", "", ADMIN, SMALL, &core, &api_agent_revoke},
    {HTTP_POST,   "/api/v1/enrolments", "", ADMIN, SMALL, &core, &api_enrol},
    {HTTP_GET,    "/api/v1/tokens", "", ADMIN, 0, &core, &api_token_list},
    {HTTP_POST,   "/api/v1/tokens", "", ADMIN, SMALL, &core, &api_token_make},
    {HTTP_DELETE, "/api/v1/tokens/{name}", "", ADMIN, 0, &core, &api_token_remove},
    {HTTP_GET,    "/api/v1/schedules", "", READER, 0, &core, &api_schedule_list},
    {HTTP_PUT,    SCHEDULE, "", SUBMITTER, 16u << 20, &core, &api_schedule_set},
    {HTTP_DELETE, SCHEDULE, "", SUBMITTER, 0, &core, &api_schedule_remove},
    {HTTP_POST,   SCHEDULE "/pause", "", SUBMITTER, SMALL, &core, &api_schedule_pause},
    {HTTP_POST,   SCHEDULE "/resume", "", SUBMITTER, SMALL, &core, &api_schedule_resume},
    {HTTP_GET,    "/api/v1/tags", "", READER, 0, &tags, NULL},
};
/* clang-format on */
const size_t api_route_count = sizeof api_routes / sizeof api_routes[0];

enum api_outcome api_done(struct api_request *request, struct err *err)
{
    struct json_writer *writer = api_json(request, 200);

    json_write_object(writer);
    json_write_key_bool(writer, "ok", true);
    json_write_close(writer);
    return api_json_end(request, err);
}

bool api_read_body(struct api_request *request, struct json_fields fields, void *out, json_t **json,
                   struct err *err)
{
    struct span body = http_body(request->exchange);

    *json = NULL;
    if (body.size == 0)
        body = span_of_text("{}");
    return json_read(body, 4096, json, err) && json_read_object(*json, fields, NULL, out, err);
}
