#include "storage/base/file.h"
#include "tests/support/base_test.h"
#include "tests/support/http_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set_up(void **state)
{
    *state = http_service_open(NULL);
    return 0;
}

static int tear_down(void **state)
{
    http_service_close(*state);
    return 0;
}

static json_int_t number(const json_t *object, const char *path)
{
    char key[32];

    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        snprintf(key, sizeof key, "%.*s", (int)(dot - path), path);
        object = json_object_get(object, key);
    }
    assert_true(json_is_integer(json_object_get(object, path)));
    return json_integer_value(json_object_get(object, path));
}

static const char *text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static void a_run_goes_from_submission_to_its_results(void **state)
{
    struct http_service *s = *state;
    uint64_t run = http_service_submit(s, "nightly", 3);
    json_t *json;

    assert_int_equal(run, 1);
    json = http_service_json(s, "GET /api/v1/runs/1", NULL, 200);
    assert_string_equal(text(json, "state"), "active");
    assert_string_equal(text(json, "submitter"), "test admin");
    assert_int_equal(number(json, "jobs"), 3);
    assert_int_equal(number(json, "counts.waiting"), 3);
    json_decref(json);
    http_service_work(s, 2, VERDICT_PASS);
    http_service_work(s, 1, VERDICT_FAIL);
    json = http_service_json(s, "GET /api/v1/runs/1", NULL, 200);
    assert_string_equal(text(json, "state"), "done");
    assert_string_equal(text(json, "verdict"), "fail");
    assert_int_equal(number(json, "counts.pass"), 2);
    assert_int_equal(number(json, "counts.fail"), 1);
    assert_int_equal(number(json, "counts.done"), 3);
    json_decref(json);
}

static void jobs_come_in_pages_and_by_verdict(void **state)
{
    struct http_service *s = *state;
    json_t *json, *jobs;
    char path[96];

    http_service_submit(s, "nightly", 5);
    http_service_work(s, 3, VERDICT_PASS);
    http_service_work(s, 2, VERDICT_FAIL);
    json = http_service_json(s, "GET /api/v1/runs/1/jobs?limit=3", NULL, 200);
    jobs = json_object_get(json, "jobs");
    assert_int_equal(json_array_size(jobs), 3);
    assert_string_equal(text(json_array_get(jobs, 0), "name"), "t0");
    assert_string_equal(text(json_array_get(jobs, 0), "agent"), "a1");
    assert_int_equal(number(json_array_get(jobs, 0), "instructions"), 1000);
    snprintf(path, sizeof path, "GET /api/v1/runs/1/jobs?limit=3&after=%lld",
             (long long)number(json, "next"));
    json_decref(json);
    json = http_service_json(s, path, NULL, 200);
    assert_int_equal(json_array_size(json_object_get(json, "jobs")), 2);
    assert_null(json_object_get(json, "next"));
    json_decref(json);
    json = http_service_json(s, "GET /api/v1/runs/1/jobs?verdict=fail,timeout", NULL, 200);
    jobs = json_object_get(json, "jobs");
    assert_int_equal(json_array_size(jobs), 2);
    assert_string_equal(text(json_array_get(jobs, 0), "signature"), "Kernel panic - not syncing");
    json_decref(json);
    http_service_expect(s, "GET /api/v1/runs/1/jobs?verdict=good", NULL, 400, "is no verdict");
    http_service_expect(s, "GET /api/v1/runs/9/jobs", NULL, 404, "");
    http_service_expect(s, "GET /api/v1/jobs/1", NULL, 200, "\"name\": \"t0\"");
    http_service_expect(s, "GET /api/v1/jobs/999", NULL, 404, "");
}

static void results_are_json_lines_junit_and_tap(void **state)
{
    struct http_service *s = *state;
    struct http_reply reply;
    unsigned lines = 0;

    http_service_submit(s, "nightly", 200);
    http_service_work(s, 199, VERDICT_PASS);
    http_service_work(s, 1, VERDICT_FAIL);
    reply = http_service_ask(s, "GET", "/api/v1/runs/1/results", NULL);
    assert_int_equal(reply.status, 200);
    assert_true(reply.is_whole);
    for (const char *at = http_reply_text(&reply); *at != 0; at = strchr(at, '\n') + 1) {
        json_t *json = json_loads(at, JSON_DISABLE_EOF_CHECK, NULL);

        assert_non_null(json);
        assert_string_equal(text(json, "verdict"), lines < 199 ? "pass" : "fail");
        json_decref(json);
        lines++;
    }
    assert_int_equal(lines, 200);
    http_reply_release(&reply);
    http_service_expect(s, "GET /api/v1/runs/1/results?format=junit", NULL, 200,
                        "tests=\"200\" failures=\"1\"");
    http_service_expect(s, "GET /api/v1/runs/1/results?format=tap", NULL, 200, "1..200");
    http_service_expect(s, "GET /api/v1/runs/1/results?format=tap&verdict=fail", NULL, 200, "1..1");
    http_service_expect(s, "GET /api/v1/runs/1/results?format=pdf", NULL, 400,
                        "write jsonl, junit or tap");
    http_service_expect(s, "GET /api/v1/runs/7/results", NULL, 404, "");
}

static void runs_are_cancelled_paused_and_resumed(void **state)
{
    struct http_service *s = *state;

    http_service_submit(s, "nightly", 3);
    http_service_expect(s, "POST /api/v1/runs/1/pause", "{}", 200, "\"ok\": true");
    http_service_expect(s, "GET /api/v1/runs/1", NULL, 200, "\"state\": \"paused\"");
    http_service_expect(s, "POST /api/v1/runs/1/resume", NULL, 200, "\"ok\": true");
    http_service_expect(s, "GET /api/v1/runs/1", NULL, 200, "\"state\": \"active\"");
    http_service_expect(s, "POST /api/v1/runs/1/cancel", "{\"reason\": \"enough\"}", 200, "");
    http_service_expect(s, "GET /api/v1/runs/1", NULL, 200, "\"state\": \"cancelled\"");
    http_service_expect(s, "GET /api/v1/runs/1/jobs", NULL, 200, "\"reason\": \"enough\"");
    http_service_expect(s, "POST /api/v1/runs/2/cancel", NULL, 404, "");
    http_service_expect(s, "POST /api/v1/runs/x/cancel", NULL, 400, "is no number");
    http_service_expect(s, "GET /api/v1/runs?limit=1", NULL, 200, "\"run\": 1");
}

static void a_run_may_be_submitted_in_parts(void **state)
{
    struct http_service *s = *state;
    json_t *json;

    json = http_service_json(s, "POST /api/v1/runs",
                             "{\"name\": \"large\", \"open\": true, \"jobs\": []}", 201);
    json_decref(json);
    json = http_service_json(s, "POST /api/v1/runs/1/jobs",
                             "{\"jobs\": [{\"name\": \"a\", \"spec\": "
                             "\"1111111111111111111111111111111111111111111111111111111111111111\"}"
                             "]}",
                             201);
    assert_int_equal(number(json, "jobs"), 1);
    json_decref(json);
    http_service_expect(s, "GET /api/v1/runs/1", NULL, 200, "\"state\": \"open\"");
    http_service_expect(s, "POST /api/v1/runs/1/close", NULL, 200, "");
    http_service_expect(s, "GET /api/v1/runs/1", NULL, 200, "\"state\": \"active\"");
}

static void mistakes_are_told_with_their_place(void **state)
{
    static const struct {
        const char *body;
        unsigned status;
        const char *says;
    } cases[] = {
        {"", 400, "no proper JSON"},
        {"[]", 400, "must be an object"},
        {"{\"name\": \"a\", \"name\": \"b\"}", 400, "duplicate object key"},
        {"{\"name\": \"a\"", 400, "line 1"},
        {"{\"name\": \"a\", \"jobs\": []}", 400, "without jobs"},
        {"{\"name\": 5, \"jobs\": [{}]}", 400, "name: must be a text"},
        {"{\"name\": \"a\\u0000b\", \"jobs\": [{}]}", 400, ""},
        {"{\"name\": \"a\", \"jobz\": []}", 400, "did you mean \\\"jobs\\\"?"},
        {"{\"name\": \"a\", \"priority\": 101, \"jobs\": []}", 400,
         "priority: is 101, at most 100"},
        {"{\"name\": \"a\", \"priority\": -1, \"jobs\": []}", 400, "priority: must be a whole"},
        {"{\"name\": \"a\", \"priority\": 1.5, \"jobs\": []}", 400, "priority: must be a whole"},
        {"{\"name\": \"a\", \"jobs\": [{\"spec\": \"x\"}]}", 400,
         "jobs[0].spec: must be a SHA-256"},
        {"{\"name\": \"a\", \"jobs\": [{\"name\": \"x\"}]}", 400,
         "jobs[0]: the key \\\"spec\\\" is missing"},
        {"{\"name\": \"a\", \"options\": {\"order\": \"fast\"}, \"jobs\": [{}]}", 400,
         "options.order"},
        {"{\"name\": \"a\", \"options\": {\"webhook\": {\"url\": \"ftp://x\"}}, \"jobs\": [{}]}",
         400, "options.webhook: the url must begin with"},
        {"{\"name\": \"a\", \"jobs\": [[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}", 413, "nested"},
    };
    struct http_service *s = *state;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        http_service_expect(s, "POST /api/v1/runs", cases[i].body, cases[i].status, cases[i].says);
    http_service_expect(s, "GET /api/v1/runs", NULL, 200, "\"runs\": []");
}

static void a_submission_with_too_many_values_is_refused_before_it_is_parsed(void **state)
{
    struct http_service *s = *state;
    size_t size = 6000000;
    char *body = mem_alloc(size + 1);

    memset(body, ',', size);
    memcpy(body, "{\"jobs\": [", 10);
    http_service_expect(s, "POST /api/v1/runs", body, 413, "send it in parts");
    mem_free(body);
    http_service_expect(s, "POST /api/v1/tokens", "", 400, "the key \\\"name\\\" is missing");
}

static void hooks_that_are_not_configured_are_refused(void **state)
{
    struct http_service *s = *state;
    char *body = http_service_submission("a", 1, "{\"command\": \"/bin/sh\"}");

    http_service_expect(s, "POST /api/v1/runs", body, 400, "has no command");
    mem_free(body);
    body = http_service_submission(
        "a", 1, "{\"webhook\": {\"url\": \"http://x/\", \"secret\": \"other\"}}");
    http_service_expect(s, "POST /api/v1/runs", body, 400, "has no secret");
    mem_free(body);
}

static void agents_are_listed_and_drained(void **state)
{
    struct http_service *s = *state;
    json_t *json, *agent;

    http_service_submit(s, "nightly", 1);
    http_service_work(s, 1, VERDICT_PASS);
    json = http_service_json(s, "GET /api/v1/agents", NULL, 200);
    agent = json_array_get(json_object_get(json, "agents"), 0);
    assert_string_equal(text(agent, "name"), "a1");
    assert_string_equal(text(agent, "state"), "online");
    assert_int_equal(number(agent, "slots"), 2);
    json_decref(json);
    http_service_expect(s, "POST /api/v1/agents/a1/drain", "{}", 200, "");
    http_service_expect(s, "GET /api/v1/agents", NULL, 200, "\"state\": \"draining\"");
    http_service_expect(s, "POST /api/v1/agents/a1/undrain", "{}", 200, "");
    http_service_expect(s, "GET /api/v1/agents", NULL, 200, "\"state\": \"online\"");
    http_service_expect(s, "POST /api/v1/agents/a1/revoke", "{}", 200, "");
    http_service_expect(s, "GET /api/v1/agents", NULL, 200, "\"state\": \"revoked\"");
    http_service_expect(s, "POST /api/v1/agents/nobody/drain", "{}", 404, "");
}

static void what_was_accepted_is_there_after_a_restart(void **state)
{
    struct http_service *s = *state;

    http_service_submit(s, "nightly", 3);
    http_service_work(s, 2, VERDICT_PASS);
    http_service_restart(s);
    http_service_expect(s, "GET /api/v1/runs/1", NULL, 200, "\"pass\": 2");
    http_service_work(s, 1, VERDICT_PASS);
    http_service_expect(s, "GET /api/v1/runs/1", NULL, 200, "\"verdict\": \"pass\"");
}

static void figures_are_in_prometheus_text(void **state)
{
    struct http_service *s = *state;

    http_service_submit(s, "nightly", 3);
    http_service_work(s, 1, VERDICT_PASS);
    http_service_expect(s, "GET /metrics", NULL, 200, "thaw_queue_jobs{state=\"ready\"} 2\n");
    http_service_expect(s, "GET /metrics", NULL, 200, "thaw_verdicts_total{verdict=\"pass\"} 1\n");
    http_service_expect(s, "GET /metrics", NULL, 200, "thaw_bracket_seconds_bucket{le=\"+Inf\"} ");
    http_service_expect(s, "GET /metrics", NULL, 200, "# TYPE thaw_bracket_seconds histogram\n");
}

static void health_needs_no_token(void **state)
{
    struct http_service *s = *state;
    struct http_reply reply =
        http_client_call(s->port, (struct http_request){"GET", "/api/v1/health", NULL, NULL, NULL});

    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(http_reply_text(&reply), "\"ready\": true"));
    http_reply_release(&reply);
}

static void the_api_is_told_to_anybody_as_it_was_built(void **state)
{
    struct http_service *s = *state;
    struct http_reply reply = http_client_call(
        s->port, (struct http_request){"GET", "/api/v1/openapi.yaml", NULL, NULL, NULL});
    struct buf file = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;

    BASE_OK(file_read(THAW_TESTS_DIR "/../coordinator/openapi.yaml", &file, &err), &err);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body.size, file.size);
    assert_memory_equal(reply.body.data, file.data, file.size);
    buf_release(&file);
    http_reply_release(&reply);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_run_goes_from_submission_to_its_results),
        CASE(jobs_come_in_pages_and_by_verdict),
        CASE(results_are_json_lines_junit_and_tap),
        CASE(runs_are_cancelled_paused_and_resumed),
        CASE(a_run_may_be_submitted_in_parts),
        CASE(mistakes_are_told_with_their_place),
        CASE(a_submission_with_too_many_values_is_refused_before_it_is_parsed),
        CASE(hooks_that_are_not_configured_are_refused),
        CASE(agents_are_listed_and_drained),
        CASE(what_was_accepted_is_there_after_a_restart),
        CASE(figures_are_in_prometheus_text),
        CASE(health_needs_no_token),
        CASE(the_api_is_told_to_anybody_as_it_was_built),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
