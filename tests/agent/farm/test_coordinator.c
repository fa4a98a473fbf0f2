#include "tests/support/base_test.h"
#include "tests/support/farm_wire.h"

#include <string.h>

/* The whole coordinator, and an agent that speaks the wire. */

#define WAIT_MS 60000

struct farm {
    struct farm_wire *wire;
    struct http_service *s;
    struct farm_wire_agent *agent; /* NULL until it has enrolled */
};

static int set_up(void **state)
{
    struct farm *farm = mem_alloc(sizeof *farm);

    farm->wire = farm_wire_open();
    farm->s = farm->wire->s;
    *state = farm;
    return 0;
}

static int tear_down(void **state)
{
    struct farm *farm = *state;

    if (farm->agent != NULL)
        farm_wire_leave(farm->agent);
    farm_wire_close(farm->wire);
    mem_free(farm);
    return 0;
}

static void join(struct farm *farm)
{
    farm->agent = farm_wire_enrol(farm->wire, "a1");
    farm_wire_hello(farm->agent, "a1");
    assert_int_equal(farm->agent->answer->u.welcome.beat_ms, QUEUE_BEAT_MS);
    assert_memory_equal(farm->agent->answer->u.welcome.store.data, "/store", 6);
}

static bool call(struct farm *farm, struct err *err)
{
    return farm_wire_call(farm->agent, err);
}

static void an_agent_enrols_works_and_says_goodbye(void **state)
{
    struct farm *farm = *state;
    struct message_job job;
    struct err err = ERR_INIT;

    join(farm);
    http_service_submit(farm->s, "nightly", 1);
    farm_wire_ask_claim(farm->agent, 0);
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->agent->answer->kind, MESSAGE_GRANT);
    assert_int_equal(farm->agent->answer->u.grant.job_count, 1);
    job = farm->agent->answer->u.grant.jobs[0];
    assert_int_equal(job.run, 1);
    (void)farm_wire_result(farm->agent, &job);
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->agent->answer->u.ack.results[0].outcome, MESSAGE_OUTCOME_OK);
    assert_int_equal(farm->agent->answer->u.ack.results[0].lease, job.lease);
    (void)farm_wire_result(farm->agent, &job); /* a new message, the same result */
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->agent->answer->u.ack.results[0].outcome, MESSAGE_OUTCOME_DUP);
    http_service_expect(farm->s, "GET /api/v1/runs/1/jobs", NULL, 200, "\"reason\": \"it broke\"");
    http_service_expect(farm->s, "GET /api/v1/runs/1/jobs", NULL, 200, "\"name\": \"a.txt\"");
    http_service_expect(farm->s, "GET /api/v1/runs/1/jobs", NULL, 200, "\"signature\": \"oops\"");
    http_service_expect(farm->s, "GET /api/v1/agents", NULL, 200, "\"arch\": \"riscv64\"");
    http_service_expect(farm->s, "GET /api/v1/agents", NULL, 200, "\"fast\"");
    message_init(farm->agent->ask, MESSAGE_BYE);
    farm->agent->ask->u.bye.incarnation = farm->agent->incarnation;
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->agent->answer->kind, MESSAGE_ACK);
    http_service_expect(farm->s, "GET /api/v1/agents", NULL, 200, "\"state\": \"away\"");
}

/* Waits for an answer, for ever but for the test's own limit. */
static void await(struct farm *farm)
{
    struct err err = ERR_INIT;
    enum link_state link;

    do
        link = link_turn(farm->agent->link, farm->agent->answer, &err);
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

    join(farm);
    farm_wire_ask_claim(farm->agent, 20000);
    BASE_OK(link_send(farm->agent->link, farm->agent->ask, WAIT_MS, &err), &err);
    await_held(farm);
    http_service_submit(farm->s, "nightly", 1);
    await(farm);
    assert_int_equal(farm->agent->answer->kind, MESSAGE_GRANT);
}

static void a_claim_is_held_no_longer_than_it_asks(void **state)
{
    struct farm *farm = *state;
    struct err err = ERR_INIT;

    join(farm);
    farm_wire_ask_claim(farm->agent, 0);
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->agent->answer->kind, MESSAGE_EMPTY);
    farm_wire_ask_claim(farm->agent, 1000);
    BASE_OK(link_send(farm->agent->link, farm->agent->ask, WAIT_MS, &err), &err);
    await_held(farm);
    http_service_pass(farm->s, 1001);
    await(farm);
    assert_int_equal(farm->agent->answer->kind, MESSAGE_EMPTY);
}

static void a_drained_agent_is_told(void **state)
{
    struct farm *farm = *state;
    struct err err = ERR_INIT;

    join(farm);
    http_service_expect(farm->s, "POST /api/v1/agents/a1/drain", "{}", 200, "");
    farm_wire_ask_claim(farm->agent, 20000);
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->agent->answer->kind, MESSAGE_DRAIN);
}

static void beats_bring_back_what_is_to_be_stopped(void **state)
{
    struct farm *farm = *state;
    struct link *work;
    struct err err = ERR_INIT;
    uint64_t lease;

    join(farm);
    http_service_submit(farm->s, "nightly", 1);
    farm_wire_ask_claim(farm->agent, 0);
    BASE_OK(call(farm, &err), &err);
    lease = farm->agent->answer->u.grant.jobs[0].lease;
    work = farm->agent->link;
    farm->agent->link = farm_wire_link(farm->agent, SEAL_BEAT);
    http_service_expect(farm->s, "POST /api/v1/runs/1/cancel", "{}", 200, "");
    message_init(farm->agent->ask, MESSAGE_BEAT);
    farm->agent->ask->u.beat.incarnation = farm->agent->incarnation;
    farm->agent->ask->u.beat.sequence = 1;
    farm->agent->ask->u.beat.leases[0] = lease;
    farm->agent->ask->u.beat.leases[1] = lease + 1000;
    farm->agent->ask->u.beat.lease_count = 2;
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->agent->answer->kind, MESSAGE_ACK);
    assert_int_equal(farm->agent->answer->u.ack.cancel_count, 1);
    assert_int_equal(farm->agent->answer->u.ack.cancel[0], lease);
    assert_int_equal(farm->agent->answer->u.ack.unknown_count, 1);
    link_close(work);
}

static void an_agent_that_was_revoked_may_say_nothing_more(void **state)
{
    struct farm *farm = *state;
    struct err err = ERR_INIT;

    join(farm);
    http_service_expect(farm->s, "POST /api/v1/agents/a1/revoke", "{}", 200, "");
    farm_wire_ask_claim(farm->agent, 0);
    assert_false(link_call(farm->agent->link, farm->agent->ask, 500, farm->agent->answer, &err));
}

static void an_old_incarnation_is_sent_to_say_hello(void **state)
{
    struct farm *farm = *state;
    struct err err = ERR_INIT;

    join(farm);
    farm->agent->incarnation = (struct message_id){{9}};
    farm_wire_ask_claim(farm->agent, 0);
    BASE_FAILS(call(farm, &err), &err, ERR_CONFLICT, "");
}

static void a_wrong_enrolment_token_is_refused(void **state)
{
    struct farm *farm = *state;
    struct err err = ERR_INIT;

    farm->agent = farm_wire_enrol(farm->wire, "a1");
    link_close(farm->agent->link);
    farm->agent->id = (struct message_id){{0}};
    farm->agent->link = farm_wire_link(farm->agent, SEAL_WORK);
    message_init(farm->agent->ask, MESSAGE_ENROL);
    farm->agent->ask->u.enrol.token = span_of_text("thaw_guess");
    farm->agent->ask->u.enrol.name = span_of_text("a1");
    memcpy(farm->agent->ask->u.enrol.public_key, farm->agent->keys.public_key, MESSAGE_PUBLIC_KEY);
    BASE_FAILS(call(farm, &err), &err, ERR_ACCESS, "");
}

static void nothing_is_lost_when_the_coordinator_restarts(void **state)
{
    struct farm *farm = *state;
    struct message_job job;
    struct err err = ERR_INIT;

    join(farm);
    http_service_submit(farm->s, "nightly", 1);
    farm_wire_ask_claim(farm->agent, 0);
    BASE_OK(call(farm, &err), &err);
    job = farm->agent->answer->u.grant.jobs[0];
    http_service_restart(farm->s);
    (void)farm_wire_result(farm->agent, &job);
    BASE_OK(call(farm, &err), &err);
    assert_int_equal(farm->agent->answer->u.ack.results[0].outcome, MESSAGE_OUTCOME_OK);
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
