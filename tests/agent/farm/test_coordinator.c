#include "agent/farm/link.h"
#include "storage/base/check.h"
#include "tests/support/base_test.h"
#include "tests/support/http_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The whole coordinator — gateway process, seals, core, database, API — and an agent that speaks
 * the wire. */

#define WAIT_MS 60000

struct farm {
    struct http_service *s;
    char *folder;
    char url[128];
    struct seal_keys keys, agent_keys;
    struct message_id agent;
    struct message_id incarnation;
    struct message *ask, *answer;
    struct link *link;
};

static int set_up(void **state)
{
    struct farm *farm = mem_alloc(sizeof *farm);
    struct service_options options = {.store_told = "/store"};
    struct err err = ERR_INIT;

    farm->folder = base_folder_make();
    farm->ask = mem_alloc(sizeof *farm->ask);
    farm->answer = mem_alloc(sizeof *farm->answer);
    farm->incarnation = (struct message_id){{1}};
    BASE_OK(seal_keys_make(&farm->keys, &err), &err);
    BASE_OK(seal_keys_make(&farm->agent_keys, &err), &err);
    snprintf(farm->url, sizeof farm->url, "ipc://%s/gateway", farm->folder);
    options.keys = &farm->keys;
    options.gateway.urls[0] = farm->url;
    options.gateway.url_count = 1;
    options.gateway.limits = gateway_limits_default;
    options.gateway.limits.memory_bytes = 0; /* sanitizers */
    farm->s = http_service_open(&options);
    *state = farm;
    return 0;
}

static int tear_down(void **state)
{
    struct farm *farm = *state;

    link_close(farm->link);
    http_service_close(farm->s);
    base_folder_remove(farm->folder);
    mem_free(farm->ask);
    mem_free(farm->answer);
    mem_free(farm);
    return 0;
}

static struct link *open_link(struct farm *farm, enum seal_channel channel)
{
    struct link_options options = {.url = farm->url,
                                   .keys = &farm->agent_keys,
                                   .coordinator = farm->keys.public_key,
                                   .agent = farm->agent,
                                   .channel = channel};
    struct err err = ERR_INIT;
    struct link *link;

    BASE_OK(link_open(&options, &link, &err), &err);
    return link;
}

/* Asks what is in farm->ask. */
static bool call(struct farm *farm, struct err *err)
{
    return link_call(farm->link, farm->ask, WAIT_MS, farm->answer, err);
}

static void enrol(struct farm *farm)
{
    json_t *invitation =
        http_service_json(farm->s, "POST /api/v1/enrolments", "{\"name\": \"a1\"}", 201);
    const char *token = json_string_value(json_object_get(invitation, "token"));
    struct err err = ERR_INIT;

    farm->link = open_link(farm, SEAL_WORK);
    message_init(farm->ask, MESSAGE_ENROL);
    farm->ask->u.enrol.token = span_of_text(token);
    farm->ask->u.enrol.name = span_of_text("a1");
    memcpy(farm->ask->u.enrol.public_key, farm->agent_keys.public_key, MESSAGE_PUBLIC_KEY);
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->answer->kind, MESSAGE_ENROLLED);
    farm->agent = farm->answer->u.enrolled.agent;
    link_close(farm->link);
    farm->link = open_link(farm, SEAL_WORK);
    json_decref(invitation);
}

static void hello(struct farm *farm)
{
    struct message_hello *said = &farm->ask->u.hello;
    struct err err = ERR_INIT;

    message_init(farm->ask, MESSAGE_HELLO);
    said->name = span_of_text("a1");
    said->version = span_of_text("1.2");
    said->incarnation = farm->incarnation;
    said->arch = span_of_text("riscv64");
    said->os = span_of_text("linux");
    said->word_bits = 64;
    said->cores = 4;
    said->memory_mib = 2048;
    said->slots = 2;
    said->tags[0] = span_of_text("fast");
    said->tag_count = 1;
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->answer->kind, MESSAGE_WELCOME);
    assert_int_equal(farm->answer->u.welcome.beat_ms, QUEUE_BEAT_MS);
    assert_memory_equal(farm->answer->u.welcome.store.data, "/store", 6);
}

static void ask_claim(struct farm *farm, uint32_t wait_ms)
{
    message_init(farm->ask, MESSAGE_CLAIM);
    farm->ask->u.claim.incarnation = farm->incarnation;
    farm->ask->u.claim.slots_free = 1;
    farm->ask->u.claim.wait_ms = wait_ms;
}

static void write_result(struct farm *farm, const struct message_job *job)
{
    struct message_job_result *result = &farm->ask->u.result.results[0];

    message_init(farm->ask, MESSAGE_RESULT);
    farm->ask->u.result.incarnation = farm->incarnation;
    farm->ask->u.result.result_count = 1;
    message_job_result_init(result);
    result->lease = job->lease;
    result->job = job->job;
    result->attempt = job->attempt;
    result->verdict = VERDICT_FAIL;
    result->exit_status = 1;
    result->instructions = 77;
    result->reason = span_of_text("it broke");
    result->signature_title = span_of_text("oops");
    result->artifacts[0] = (struct message_artifact){span_of_text("a.txt"), 5, {{3}}};
    result->artifact_count = 1;
}

static void an_agent_enrols_works_and_says_goodbye(void **state)
{
    struct farm *farm = *state;
    struct message_job job;
    struct err err = ERR_INIT;

    enrol(farm);
    hello(farm);
    http_service_submit(farm->s, "nightly", 1);
    ask_claim(farm, 0);
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->answer->kind, MESSAGE_GRANT);
    assert_int_equal(farm->answer->u.grant.job_count, 1);
    job = farm->answer->u.grant.jobs[0];
    assert_int_equal(job.run, 1);
    write_result(farm, &job);
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->answer->u.ack.results[0].outcome, MESSAGE_OUTCOME_OK);
    assert_int_equal(farm->answer->u.ack.results[0].lease, job.lease);
    write_result(farm, &job); /* a new message, the same result */
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->answer->u.ack.results[0].outcome, MESSAGE_OUTCOME_DUP);
    http_service_expect(farm->s, "GET /api/v1/runs/1/jobs", NULL, 200, "\"reason\": \"it broke\"");
    http_service_expect(farm->s, "GET /api/v1/runs/1/jobs", NULL, 200, "\"name\": \"a.txt\"");
    http_service_expect(farm->s, "GET /api/v1/runs/1/jobs", NULL, 200, "\"signature\": \"oops\"");
    http_service_expect(farm->s, "GET /api/v1/agents", NULL, 200, "\"arch\": \"riscv64\"");
    http_service_expect(farm->s, "GET /api/v1/agents", NULL, 200, "\"fast\"");
    message_init(farm->ask, MESSAGE_BYE);
    farm->ask->u.bye.incarnation = farm->incarnation;
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->answer->kind, MESSAGE_ACK);
    http_service_expect(farm->s, "GET /api/v1/agents", NULL, 200, "\"state\": \"away\"");
}

/* Waits for an answer, for ever but for the test's own limit. */
static void await(struct farm *farm)
{
    struct err err = ERR_INIT;
    enum link_state link;

    do
        link = link_turn(farm->link, farm->answer, &err);
    while (link == LINK_WAITING);
    if (link != LINK_ANSWERED)
        fail_msg("%s", err.text);
}

static void await_held(struct farm *farm)
{
    for (bool held = false; !held;) {
        struct http_reply reply = http_service_ask(farm->s, "GET", "/metrics", NULL);

        held = strstr(http_reply_text(&reply), "thaw_claims_held 1\n") != NULL;
        http_reply_release(&reply);
    }
}

static void a_claim_is_held_until_there_is_work(void **state)
{
    struct farm *farm = *state;
    struct err err = ERR_INIT;

    enrol(farm);
    hello(farm);
    ask_claim(farm, 20000);
    BASE_OK(link_send(farm->link, farm->ask, WAIT_MS, &err), &err);
    await_held(farm);
    http_service_submit(farm->s, "nightly", 1);
    await(farm);
    assert_int_equal(farm->answer->kind, MESSAGE_GRANT);
}

static void a_claim_is_held_no_longer_than_it_asks(void **state)
{
    struct farm *farm = *state;
    struct err err = ERR_INIT;

    enrol(farm);
    hello(farm);
    ask_claim(farm, 0);
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->answer->kind, MESSAGE_EMPTY);
    ask_claim(farm, 1000);
    BASE_OK(link_send(farm->link, farm->ask, WAIT_MS, &err), &err);
    await_held(farm);
    http_service_pass(farm->s, 1001);
    await(farm);
    assert_int_equal(farm->answer->kind, MESSAGE_EMPTY);
}

static void a_drained_agent_is_told(void **state)
{
    struct farm *farm = *state;
    struct err err = ERR_INIT;

    enrol(farm);
    hello(farm);
    http_service_expect(farm->s, "POST /api/v1/agents/a1/drain", "{}", 200, "");
    ask_claim(farm, 20000);
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->answer->kind, MESSAGE_DRAIN);
}

static void beats_bring_back_what_is_to_be_stopped(void **state)
{
    struct farm *farm = *state;
    struct link *work;
    struct err err = ERR_INIT;
    uint64_t lease;

    enrol(farm);
    hello(farm);
    http_service_submit(farm->s, "nightly", 1);
    ask_claim(farm, 0);
    BASE_OK(call(farm, &err), &err);
    lease = farm->answer->u.grant.jobs[0].lease;
    work = farm->link;
    farm->link = open_link(farm, SEAL_BEAT);
    http_service_expect(farm->s, "POST /api/v1/runs/1/cancel", "{}", 200, "");
    message_init(farm->ask, MESSAGE_BEAT);
    farm->ask->u.beat.incarnation = farm->incarnation;
    farm->ask->u.beat.sequence = 1;
    farm->ask->u.beat.leases[0] = lease;
    farm->ask->u.beat.leases[1] = lease + 1000;
    farm->ask->u.beat.lease_count = 2;
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->answer->kind, MESSAGE_ACK);
    assert_int_equal(farm->answer->u.ack.cancel_count, 1);
    assert_int_equal(farm->answer->u.ack.cancel[0], lease);
    assert_int_equal(farm->answer->u.ack.unknown_count, 1);
    link_close(work);
}

static void an_agent_that_was_revoked_may_say_nothing_more(void **state)
{
    struct farm *farm = *state;
    struct err err = ERR_INIT;

    enrol(farm);
    hello(farm);
    http_service_expect(farm->s, "POST /api/v1/agents/a1/revoke", "{}", 200, "");
    ask_claim(farm, 0);
    assert_false(link_call(farm->link, farm->ask, 500, farm->answer, &err));
}

static void an_old_incarnation_is_sent_to_say_hello(void **state)
{
    struct farm *farm = *state;
    struct err err = ERR_INIT;

    enrol(farm);
    hello(farm);
    farm->incarnation = (struct message_id){{9}};
    ask_claim(farm, 0);
    BASE_FAILS(call(farm, &err), &err, ERR_CONFLICT, "");
}

static void a_wrong_enrolment_token_is_refused(void **state)
{
    struct farm *farm = *state;
    struct err err = ERR_INIT;

    farm->link = open_link(farm, SEAL_WORK);
    message_init(farm->ask, MESSAGE_ENROL);
    farm->ask->u.enrol.token = span_of_text("thaw_guess");
    farm->ask->u.enrol.name = span_of_text("a1");
    memcpy(farm->ask->u.enrol.public_key, farm->agent_keys.public_key, MESSAGE_PUBLIC_KEY);
    BASE_FAILS(call(farm, &err), &err, ERR_ACCESS, "");
}

static void nothing_is_lost_when_the_coordinator_restarts(void **state)
{
    struct farm *farm = *state;
    struct message_job job;
    struct err err = ERR_INIT;

    enrol(farm);
    hello(farm);
    http_service_submit(farm->s, "nightly", 1);
    ask_claim(farm, 0);
    BASE_OK(call(farm, &err), &err);
    job = farm->answer->u.grant.jobs[0];
    http_service_restart(farm->s);
    write_result(farm, &job);
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->answer->u.ack.results[0].outcome, MESSAGE_OUTCOME_OK);
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"state\": \"done\"");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(an_agent_enrols_works_and_says_goodbye),
        CASE(a_claim_is_held_until_there_is_work),
        CASE(a_claim_is_held_no_longer_than_it_asks),
        CASE(a_drained_agent_is_told),
        CASE(beats_bring_back_what_is_to_be_stopped),
        CASE(an_agent_that_was_revoked_may_say_nothing_more),
        CASE(an_old_incarnation_is_sent_to_say_hello),
        CASE(a_wrong_enrolment_token_is_refused),
        CASE(nothing_is_lost_when_the_coordinator_restarts),
    };

    if (argc > 1 && strcmp(argv[1], GATEWAY_COMMAND) == 0)
        return gateway_command(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
