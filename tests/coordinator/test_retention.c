/* A service lets go of what is old: runs, artifacts, checkpoints, and what the store holds of them.
 */
#include "storage/exchange.h"
#include "tests/support/base_test.h"
#include "tests/support/http_service.h"
#include "tests/support/store_machine.h"

#include <stdio.h>
#include <string.h>

#define HOUR_MS   UINT64_C(3600000)
#define DAY_MS    (24 * HOUR_MS)
#define TURNS_MAX 2000 /* of the service, that a test waits for something */

static int set_up(void **state)
{
    struct service_options options = {.owns_store = true};

    options.retention.run_s = 10 * DAY_MS / 1000;
    options.retention.artifacts_s = 5 * DAY_MS / 1000;
    options.retention.checkpoints_s = 3 * DAY_MS / 1000;
    options.retention.history_s = 20 * DAY_MS / 1000;
    *state = http_service_open(&options);
    return 0;
}

static int tear_down(void **state)
{
    http_service_close(*state);
    return 0;
}

static unsigned status_of(struct http_service *s, const char *path)
{
    struct http_reply reply = http_service_ask(s, "GET", path, NULL);
    unsigned status = reply.status;

    http_reply_release(&reply);
    return status;
}

/* Time goes on, a second at a time, until the answer is this. */
static void until_status(struct http_service *s, const char *path, unsigned status)
{
    for (int i = 0; i < TURNS_MAX; i++) {
        if (status_of(s, path) == status)
            return;
        http_service_pass(s, 1000);
    }
    fail_msg("%s was never answered %u", path, status);
}

static void old_runs_go_and_younger_ones_stay(void **state)
{
    struct http_service *s = *state;
    char path[64];

    for (int i = 0; i < 40; i++) /* more than go at once */
        http_service_submit(s, "nightly", 1);
    http_service_work(s, 40, VERDICT_PASS);
    http_service_pass(s, 9 * DAY_MS);
    http_service_submit(s, "nightly", 1);
    http_service_work(s, 1, VERDICT_PASS);
    http_service_pass(s, DAY_MS + HOUR_MS);
    for (int i = 1; i <= 40; i++) {
        snprintf(path, sizeof path, "/api/v1/runs/%d", i);
        until_status(s, path, 404);
    }
    assert_int_equal(status_of(s, "/api/v1/runs/41"), 200);
    http_service_pass(s, 9 * DAY_MS);
    until_status(s, "/api/v1/runs/41", 404);
}

static size_t artifacts_of(struct http_service *s, unsigned run)
{
    char request[64];
    json_t *json;
    size_t count;

    snprintf(request, sizeof request, "GET /api/v1/runs/%u/jobs", run);
    json = http_service_json(s, request, NULL, 200);
    count = json_array_size(
        json_object_get(json_array_get(json_object_get(json, "jobs"), 0), "artifacts"));
    json_decref(json);
    return count;
}

static void artifacts_go_before_their_run_but_not_those_of_open_failures(void **state)
{
    struct http_service *s = *state;

    http_service_submit(s, "good", 1);
    http_service_work(s, 1, VERDICT_PASS);
    http_service_submit(s, "bad", 1);
    http_service_work(s, 1, VERDICT_FAIL);
    assert_int_equal(artifacts_of(s, 1), 1);
    http_service_pass(s, 5 * DAY_MS + HOUR_MS);
    for (int i = 0; i < TURNS_MAX && artifacts_of(s, 1) != 0; i++)
        http_service_pass(s, 1000);
    assert_int_equal(artifacts_of(s, 1), 0);
    assert_int_equal(artifacts_of(s, 2), 1);
}

static size_t verdicts_of(struct http_service *s)
{
    json_t *json = http_service_json(s, "GET /api/v1/history?suite=s&name=t0", NULL, 200);
    size_t count = json_array_size(json_object_get(json, "history"));

    json_decref(json);
    return count;
}

static void verdicts_go_a_while_after_their_runs(void **state)
{
    struct http_service *s = *state;

    http_service_submit(s, "nightly", 1);
    http_service_work(s, 1, VERDICT_PASS);
    http_service_pass(s, 11 * DAY_MS);
    until_status(s, "/api/v1/runs/1", 404);
    assert_int_equal(verdicts_of(s), 1);
    http_service_pass(s, 10 * DAY_MS);
    for (int i = 0; i < TURNS_MAX && verdicts_of(s) != 0; i++)
        http_service_pass(s, 1000);
    assert_int_equal(verdicts_of(s), 0);
}

/* ---- checkpoints ---- */

/* One that the farm's agents know how to thaw. */
static struct hash freeze(struct http_service *s, uint64_t number, char own_tag[80])
{
    struct test_image image;
    struct store_tag tag;
    struct err err = ERR_INIT;
    struct hash id;

    test_image_init(&image, 1 << 20);
    test_image_fill(&image, 0, (uint32_t)number);
    id = test_freeze_ok(s->store, &image, number, NULL);
    test_image_release(&image);
    snprintf(own_tag, 80, "id/%s", hash_hex(&id).text);
    store_tag_init(&tag, own_tag, s->options.clock);
    tag.checkpoint = id;
    BASE_OK(store_tag_set(s->store, &tag, &err), &err);
    store_tag_release(&tag);
    return id;
}

static bool has_tag(struct http_service *s, const char *name)
{
    struct store_tag tag = {0};
    struct err ignored = ERR_INIT;
    bool has = store_tag_get(s->store, name, &tag, &ignored);

    store_tag_release(&tag);
    return has;
}

static void boot(struct http_service *s, void *context)
{
    struct queue *queue = service_queue(s->service);
    const struct queue_id agent = {{1}};
    const uint8_t key[32] = {1};
    struct queue_agent_facts facts = {.name = "b",
                                      .version = "1",
                                      .arch = "x86_64",
                                      .os = "linux",
                                      .word_bits = 64,
                                      .cores = 1,
                                      .memory_mib = 1024,
                                      .slots = 1};
    const struct queue_job_request job = {
        .name = "boot", .suite = "s", .kind = JOB_BOOT, .spec = *(const struct hash *)context};
    struct queue_run_request request = {
        .name = "boots", .submitter = "t", .jobs = &job, .job_count = 1};
    struct queue_claim claim = {.agent = agent, .incarnation = agent, .slots_free = 1};
    struct queue_grants *grants = mem_alloc(sizeof *grants);
    struct queue_submitted submitted;
    enum queue_outcome outcome;
    struct err err = ERR_INIT;

    BASE_OK(queue_begin(queue, &err), &err);
    BASE_OK(queue_agent_add(queue, &agent, key, "b", &err), &err);
    BASE_OK(queue_agent_hello(queue, &agent, &agent, &facts, &err), &err);
    BASE_OK(queue_run_submit(queue, &request, &submitted, &err), &err);
    BASE_OK(queue_claim(queue, &claim, grants, &err), &err);
    assert_int_equal(grants->count, 1);
    struct queue_result result = {.lease = grants->grants[0].lease,
                                  .job = grants->grants[0].job,
                                  .attempt = grants->grants[0].attempt,
                                  .verdict = VERDICT_PASS,
                                  .checkpoint = job.spec};
    BASE_OK(queue_result(queue, &agent, &result, &outcome, &err), &err);
    BASE_OK(queue_commit(queue, &err), &err);
    mem_free(grants);
}

static void checkpoints_go_when_nothing_used_them_unless_they_have_a_name(void **state)
{
    struct http_service *s = *state;
    char plain_tag[80], named_tag[80];
    struct hash plain = freeze(s, 1, plain_tag), named = freeze(s, 2, named_tag);
    struct store_tag tag;
    struct err err = ERR_INIT;

    store_tag_init(&tag, "debian-booted", s->options.clock);
    tag.checkpoint = named;
    BASE_OK(store_tag_set(s->store, &tag, &err), &err);
    store_tag_release(&tag);
    http_service_do(s, boot, &plain);
    http_service_do(s, boot, &named);
    http_service_pass(s, 2 * DAY_MS);
    assert_int_equal(status_of(s, "/api/v1/runs/1"), 200);
    assert_true(has_tag(s, plain_tag));
    http_service_pass(s, DAY_MS + HOUR_MS);
    for (int i = 0; i < TURNS_MAX && has_tag(s, plain_tag); i++) {
        http_service_pass(s, 1000);
        assert_int_equal(status_of(s, "/api/v1/runs/1"), 200);
    }
    assert_false(has_tag(s, plain_tag));
    assert_true(has_tag(s, named_tag) && has_tag(s, "debian-booted"));
    assert_int_equal(status_of(s, "/api/v1/runs/1"), 200); /* that turn has ended */
    http_service_restart(s);                               /* and so has what it began */
    assert_false(exchange_has(s->store, EXCHANGE_MANIFEST, hash_hex(&plain).text));
    assert_true(exchange_has(s->store, EXCHANGE_MANIFEST, hash_hex(&named).text));
}

static void store_that_others_use_is_left_alone(void **state)
{
    struct service_options options = {.owns_store = false};
    struct http_service *s;
    char tag[80];

    http_service_close(*state);
    options.retention.checkpoints_s = 1;
    options.retention.run_s = DAY_MS / 1000;
    *state = s = http_service_open(&options);
    struct hash plain = freeze(s, 1, tag);
    http_service_do(s, boot, &plain);
    http_service_pass(s, 2 * DAY_MS);
    until_status(s, "/api/v1/runs/1", 404); /* so retention has been at work */
    assert_true(has_tag(s, tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(old_runs_go_and_younger_ones_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(verdicts_go_a_while_after_their_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            artifacts_go_before_their_run_but_not_those_of_open_failures, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            checkpoints_go_when_nothing_used_them_unless_they_have_a_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(store_that_others_use_is_left_alone, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
