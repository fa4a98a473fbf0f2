/* Agents that lie, beside one that does not: each is refused and named, and the farm goes on. */
#include "tests/support/base_test.h"
#include "tests/support/farm_wire.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct farm {
    struct farm_wire *wire;
    struct http_service *s;
    struct farm_wire_agent *liar, *honest;
};

static int set_up(void **state)
{
    struct farm *farm = mem_alloc(sizeof *farm);

    farm->wire = farm_wire_open();
    farm->s = farm->wire->s;
    farm->liar = farm_wire_enrol(farm->wire, "liar");
    farm->honest = farm_wire_enrol(farm->wire, "honest");
    farm_wire_hello(farm->liar, "liar");
    farm_wire_hello(farm->honest, "honest");
    *state = farm;
    return 0;
}

static int tear_down(void **state)
{
    struct farm *farm = *state;

    farm_wire_leave(farm->liar);
    farm_wire_leave(farm->honest);
    farm_wire_close(farm->wire);
    mem_free(farm);
    return 0;
}

/* The honest agent does what is left of run 1, and that is how it ends. */
static void honest_ends_the_run(struct farm *farm, unsigned jobs)
{
    char counts[64];

    for (unsigned i = 0; i < jobs; i++) {
        struct message_job job = farm_wire_claim(farm->honest);
        farm_wire_result(farm->honest, &job)->verdict = VERDICT_PASS;
        assert_int_equal(farm_wire_report(farm->honest), MESSAGE_OUTCOME_OK);
    }
    snprintf(counts, sizeof counts, "\"pass\": %u", jobs);
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"state\": \"done\"");
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, counts);
}

static void results_of_leases_it_never_had_change_nothing(void **state)
{
    struct farm *farm = *state;
    struct message_job guess = {.lease = 1, .job = 1, .attempt = 1};

    http_service_submit(farm->s, "nightly", 1);
    for (uint64_t lease = 0; lease < 20; lease++) {
        guess.lease = lease + (lease == 0); /* 0 is no lease, and cannot be said */
        (void)farm_wire_result(farm->liar, &guess);
        assert_int_equal(farm_wire_report(farm->liar), MESSAGE_OUTCOME_STALE);
    }
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"waiting\": 1");
    honest_ends_the_run(farm, 1);
}

static void a_lease_of_another_is_not_its_to_answer(void **state)
{
    struct farm *farm = *state;
    struct message_job job;

    http_service_submit(farm->s, "nightly", 1);
    job = farm_wire_claim(farm->honest);
    (void)farm_wire_result(farm->liar, &job);
    assert_int_equal(farm_wire_report(farm->liar), MESSAGE_OUTCOME_STALE);
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"running\": 1");
    farm_wire_result(farm->honest, &job)->verdict = VERDICT_PASS;
    assert_int_equal(farm_wire_report(farm->honest), MESSAGE_OUTCOME_OK);
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"pass\": 1");
}

static void a_result_cannot_be_taken_back(void **state)
{
    struct farm *farm = *state;
    struct message_job job;

    http_service_submit(farm->s, "nightly", 1);
    job = farm_wire_claim(farm->liar);
    farm_wire_result(farm->liar, &job)->verdict = VERDICT_PASS;
    assert_int_equal(farm_wire_report(farm->liar), MESSAGE_OUTCOME_OK);
    for (int i = 0; i < 5; i++) {
        farm_wire_result(farm->liar, &job)->verdict = VERDICT_FAIL;
        assert_int_equal(farm_wire_report(farm->liar), MESSAGE_OUTCOME_DUP);
    }
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"pass\": 1");
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"fail\": 0");
}

static void the_job_of_a_lease_is_not_its_to_choose(void **state)
{
    struct farm *farm = *state;
    struct message_job job;

    http_service_submit(farm->s, "nightly", 2);
    job = farm_wire_claim(farm->liar);
    farm_wire_result(farm->liar, &job)->job = job.job + 1;
    assert_int_equal(farm_wire_report(farm->liar), MESSAGE_OUTCOME_STALE);
    farm_wire_result(farm->liar, &job)->attempt = job.attempt + 1;
    assert_int_equal(farm_wire_report(farm->liar), MESSAGE_OUTCOME_STALE);
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"done\": 0");
}

static void blobs_that_it_never_brought_are_missed_and_nothing_else(void **state)
{
    struct farm *farm = *state;
    struct message_job_result *result;
    struct message_job job;

    http_service_submit(farm->s, "nightly", 2);
    job = farm_wire_claim(farm->liar);
    result = farm_wire_result(farm->liar, &job);
    result->verdict = VERDICT_PASS;
    result->console = (struct hash){{7}};
    result->console_size = UINT64_C(1) << 40;
    assert_int_equal(farm_wire_report(farm->liar), MESSAGE_OUTCOME_OK);
    http_service_expect(farm->s,
                        "GET /api/v1/store/blobs/"
                        "0700000000000000000000000000000000000000000000000000000000000000",
                        NULL, 404, "");
    job = farm_wire_claim(farm->honest);
    farm_wire_result(farm->honest, &job)->verdict = VERDICT_PASS;
    assert_int_equal(farm_wire_report(farm->honest), MESSAGE_OUTCOME_OK);
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"pass\": 2");
}

#define BOOT_RUN                                                                                   \
    "{\"name\": \"boots\", \"jobs\": [{\"name\": \"boot\", \"suite\": \"s\", \"kind\": \"boot\","  \
    " \"spec\": \"0500000000000000000000000000000000000000000000000000000000000000\","             \
    " \"retry_infra\": 1}]}"

/* Others would start from it. */
static void a_boot_whose_checkpoint_is_not_there_did_not_pass(void **state)
{
    struct farm *farm = *state;
    struct message_job_result *result;
    struct message_job job;

    json_decref(http_service_json(farm->s, "POST /api/v1/runs", BOOT_RUN, 201));
    job = farm_wire_claim(farm->liar);
    result = farm_wire_result(farm->liar, &job);
    result->verdict = VERDICT_PASS;
    result->checkpoint = (struct hash){{9}};
    assert_int_equal(farm_wire_report(farm->liar), MESSAGE_OUTCOME_OK);
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"done\": 0");
    job = farm_wire_claim(farm->honest); /* it is booted again */
    assert_int_equal(job.attempt, 2);
    result = farm_wire_result(farm->honest, &job);
    result->verdict = VERDICT_PASS;
    result->checkpoint = (struct hash){{8}};
    assert_int_equal(farm_wire_report(farm->honest), MESSAGE_OUTCOME_OK);
    http_service_expect(farm->s, "GET /api/v1/runs/1/jobs", NULL, 200,
                        "does not have the checkpoint");
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"verdict\": \"infra\"");
}

static void a_boot_that_passed_without_a_checkpoint_is_refused_and_its_agent_named(void **state)
{
    struct farm *farm = *state;
    struct message_job job;
    int saved = dup(STDERR_FILENO), pipes[2];
    char said[4096];
    ssize_t size;

    json_decref(http_service_json(farm->s, "POST /api/v1/runs", BOOT_RUN, 201));
    job = farm_wire_claim(farm->liar);
    farm_wire_result(farm->liar, &job)->verdict = VERDICT_PASS;
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    dup2(pipes[1], STDERR_FILENO);
    assert_int_equal(farm_wire_report(farm->liar), MESSAGE_OUTCOME_STALE);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(pipes[1]);
    size = read(pipes[0], said, sizeof said - 1);
    close(pipes[0]);
    said[size > 0 ? size : 0] = 0;
    assert_non_null(strstr(said, "agent liar ("));
    assert_non_null(strstr(said, "job 1: result: a boot that passed has a checkpoint"));
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"done\": 0");
}

/* It beats, and its jobs are held on; it says nothing at all, and another gets them. */
static void what_is_claimed_and_never_reported_runs_elsewhere(void **state)
{
    struct farm *farm = *state;

    http_service_submit(farm->s, "nightly", 1);
    (void)farm_wire_claim(farm->liar);
    farm_wire_ask_claim(farm->honest, 0);
    {
        struct err err = ERR_INIT;
        BASE_OK(farm_wire_call(farm->honest, &err), &err);
    }
    assert_int_equal(farm->honest->answer->kind, MESSAGE_EMPTY);
    /* In steps of less than what a gateway may be silent for. */
    for (bool expired = false; !expired;) {
        http_service_pass(farm->s, 200);
        struct http_reply reply = http_service_ask(farm->s, "GET", "/api/v1/runs/1", NULL);
        expired = strstr(http_reply_text(&reply), "\"waiting\": 1") != NULL;
        http_reply_release(&reply);
    }
    http_service_pass(farm->s, 1000); /* for a gateway that waits to be started again */
    http_service_expect(farm->s, "GET /api/v1/agents", NULL, 200, "\"state\": \"away\"");
    farm_wire_hello(farm->honest, "honest");
    honest_ends_the_run(farm, 1);
}

static void an_invitation_is_good_for_one(void **state)
{
    struct farm *farm = *state;
    json_t *invitation =
        http_service_json(farm->s, "POST /api/v1/enrolments", "{\"name\": \"x\"}", 201);
    const char *token = json_string_value(json_object_get(invitation, "token"));
    struct farm_wire_agent *agents[2] = {farm->liar, farm->honest};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < 2; i++) {
        struct farm_wire_agent *agent = agents[i];
        link_close(agent->link);
        agent->id = (struct message_id){{0}};
        BASE_OK(seal_keys_make(&agent->keys, &err), &err);
        agent->link = farm_wire_link(agent, SEAL_WORK);
        message_init(agent->ask, MESSAGE_ENROL);
        agent->ask->u.enrol.token = span_of_text(token);
        agent->ask->u.enrol.name = span_of_text("x");
        memcpy(agent->ask->u.enrol.public_key, agent->keys.public_key, MESSAGE_PUBLIC_KEY);
        if (i == 0)
            BASE_OK(farm_wire_call(agent, &err), &err);
        else
            BASE_FAILS(farm_wire_call(agent, &err), &err, ERR_ACCESS, "");
    }
    json_decref(invitation);
}

static void asking_for_the_impossible_is_refused(void **state)
{
    struct farm *farm = *state;
    struct farm_wire_agent *liar = farm->liar;
    struct err err = ERR_INIT;

    http_service_submit(farm->s, "nightly", 2);
    farm_wire_ask_claim(liar, 0);
    liar->ask->u.claim.slots_free = UINT32_MAX;
    if (farm_wire_call(liar, &err)) /* granted what one agent may have at most, or nothing */
        assert_true(liar->answer->kind != MESSAGE_GRANT ||
                    liar->answer->u.grant.job_count <= MESSAGE_JOBS_MAX);
    message_init(liar->ask, MESSAGE_RELEASE);
    liar->ask->u.release.incarnation = liar->incarnation;
    liar->ask->u.release.reason = span_of_text("mine");
    for (uint64_t i = 0; i < 100; i++)
        liar->ask->u.release.leases[liar->ask->u.release.lease_count++] = i + 1;
    err = (struct err)ERR_INIT;
    BASE_OK(farm_wire_call(liar, &err), &err);
    honest_ends_the_run(farm, 2);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(results_of_leases_it_never_had_change_nothing),
        CASE(a_lease_of_another_is_not_its_to_answer),
        CASE(a_result_cannot_be_taken_back),
        CASE(the_job_of_a_lease_is_not_its_to_choose),
        CASE(blobs_that_it_never_brought_are_missed_and_nothing_else),
        CASE(a_boot_whose_checkpoint_is_not_there_did_not_pass),
        CASE(a_boot_that_passed_without_a_checkpoint_is_refused_and_its_agent_named),
        CASE(what_is_claimed_and_never_reported_runs_elsewhere),
        CASE(an_invitation_is_good_for_one),
        CASE(asking_for_the_impossible_is_refused),
    };

    if (argc > 1 && strcmp(argv[1], GATEWAY_COMMAND) == 0)
        return gateway_command(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
