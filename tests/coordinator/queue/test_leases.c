/* Leases and results: once, whoever is killed, lost, late or lying. */
#include "tests/support/queue_farm.h"

#include <stdio.h>
#include <string.h>

static void assert_verdict(struct queue_farm *farm, uint64_t job, enum verdict verdict)
{
    const struct queue_job *found = queue_farm_job_of(farm, job);

    assert_int_equal(found->state, JOB_DONE);
    assert_string_equal(verdict_name(found->verdict), verdict_name(verdict));
}

QUEUE_FARM_TEST(job_is_run_once_and_its_verdict_is_the_runs)
{
    struct queue_job_request job = queue_farm_job("a");
    uint64_t run = queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grants grants;

    assert_int_equal(queue_farm_claim(farm, &agent, &grants), 1);
    assert_int_equal(queue_farm_run_of(farm, run)->states[JOB_RUNNING], 1);
    assert_int_equal(grants.grants[0].attempt, 1);
    assert_true(hash_equal(&grants.grants[0].spec, &job.spec));
    struct queue_grants more;
    assert_int_equal(queue_farm_claim(farm, &agent, &more), 0);
    assert_int_equal(queue_farm_result(farm, &agent, &grants.grants[0], VERDICT_PASS),
                     QUEUE_RECORDED);
    assert_verdict(farm, grants.grants[0].job, VERDICT_PASS);
    assert_int_equal(queue_farm_run_of(farm, run)->state, RUN_DONE);
    assert_int_equal(queue_farm_run_of(farm, run)->verdict, VERDICT_PASS);
}

QUEUE_FARM_TEST(second_result_of_a_lease_is_dup_and_changes_nothing)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);

    assert_int_equal(queue_farm_result(farm, &agent, &grant, VERDICT_PASS), QUEUE_RECORDED);
    assert_int_equal(queue_farm_result(farm, &agent, &grant, VERDICT_FAIL), QUEUE_DUP);
    queue_farm_restart(farm);
    assert_int_equal(queue_farm_result(farm, &agent, &grant, VERDICT_FAIL), QUEUE_DUP);
    assert_verdict(farm, grant.job, VERDICT_PASS);
}

QUEUE_FARM_TEST(result_of_another_agents_lease_is_stale)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1), liar = queue_farm_agent(farm, 2);
    struct queue_grant grant = queue_farm_take(farm, &agent), wrong = grant;

    assert_int_equal(queue_farm_result(farm, &liar, &grant, VERDICT_PASS), QUEUE_STALE);
    wrong.attempt++;
    assert_int_equal(queue_farm_result(farm, &agent, &wrong, VERDICT_PASS), QUEUE_STALE);
    wrong = grant;
    wrong.job++;
    assert_int_equal(queue_farm_result(farm, &agent, &wrong, VERDICT_PASS), QUEUE_STALE);
    assert_int_equal(queue_farm_job_of(farm, grant.job)->state, JOB_RUNNING);
}

QUEUE_FARM_TEST(lease_expires_when_agent_goes_silent)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grant lost = queue_farm_take(farm, &agent);

    queue_farm_pass(farm, 29);
    assert_int_equal(queue_farm_job_of(farm, lost.job)->state, JOB_RUNNING);
    queue_farm_pass(farm, 1);
    assert_int_equal(queue_farm_job_of(farm, lost.job)->state, JOB_READY);
    struct queue_farm_agent other = queue_farm_agent(farm, 2);
    struct queue_grant grant = queue_farm_take(farm, &other);
    assert_int_equal(grant.job, lost.job);
    assert_int_equal(grant.attempt, 2);
    assert_true(grant.lease > lost.lease);
    assert_int_equal(queue_farm_result(farm, &agent, &lost, VERDICT_FAIL), QUEUE_STALE);
    assert_int_equal(queue_farm_result(farm, &other, &grant, VERDICT_PASS), QUEUE_RECORDED);
    assert_verdict(farm, grant.job, VERDICT_PASS);
}

QUEUE_FARM_TEST(beat_keeps_a_lease)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grants grants;
    struct queue_beat_answer answer;

    queue_farm_claim(farm, &agent, &grants);
    for (int i = 0; i < 20; i++) {
        queue_farm_pass(farm, 20);
        queue_farm_beat(farm, &agent, &grants, &answer);
        assert_int_equal(answer.unknown_count, 0);
    }
    assert_int_equal(queue_farm_job_of(farm, grants.grants[0].job)->state, JOB_RUNNING);
}

/* Beats every 20 s for so long. How many of its leases the last one heard to be unknown. */
static uint32_t keep_alive(struct queue_farm *farm, struct queue_farm_agent *agent,
                           const struct queue_grants *grants, uint64_t seconds)
{
    struct queue_beat_answer answer = {.unknown_count = 0};

    for (; seconds > 0; seconds -= seconds < 20 ? seconds : 20) {
        queue_farm_pass(farm, seconds < 20 ? seconds : 20);
        queue_farm_beat(farm, agent, grants, &answer);
    }
    return answer.unknown_count;
}

static uint64_t faults_so_far(struct queue_farm *farm)
{
    struct queue_figures figures;

    queue_figures(farm->queue, &figures);
    return figures.faults;
}

#define HOLD_S (2 * 100 + QUEUE_HOLD_MS / 1000) /* of a job with 2 s */

QUEUE_FARM_TEST(beats_keep_no_lease_for_ever)
{
    struct queue_job_request job = queue_farm_job("a");
    job.wall_ms_max = 2000;
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grants grants;

    queue_farm_claim(farm, &agent, &grants);
    queue_farm_pass(farm, 1);
    assert_int_equal(keep_alive(farm, &agent, &grants, HOLD_S - 1), 0);
    assert_int_equal(queue_farm_job_of(farm, grants.grants[0].job)->state, JOB_RUNNING);
    assert_int_equal(faults_so_far(farm), 0);
    assert_int_equal(keep_alive(farm, &agent, &grants, 1), 1);
    assert_int_equal(queue_farm_job_of(farm, grants.grants[0].job)->state, JOB_READY);
    assert_int_equal(faults_so_far(farm), 1);
    assert_int_equal(queue_farm_result(farm, &agent, &grants.grants[0], VERDICT_PASS), QUEUE_STALE);
}

QUEUE_FARM_TEST(time_a_job_is_held_counts_from_when_it_may_have_begun)
{
    struct queue_job_request jobs[] = {queue_farm_job("a"), queue_farm_job("b")};
    jobs[0].wall_ms_max = jobs[1].wall_ms_max = 2000;
    queue_farm_submit(farm, jobs, 2);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1); /* of one slot */
    struct queue_grants grants;

    assert_int_equal(queue_farm_claim(farm, &agent, &grants), 2);
    queue_farm_pass(farm, 1);
    assert_int_equal(keep_alive(farm, &agent, &grants, HOLD_S), 1);
    assert_int_equal(queue_farm_job_of(farm, grants.grants[1].job)->state, JOB_RUNNING);
    queue_farm_pass(farm, 1);
    assert_int_equal(keep_alive(farm, &agent, &grants, HOLD_S - 1), 1);
    assert_int_equal(keep_alive(farm, &agent, &grants, 1), 2);
}

QUEUE_FARM_TEST(cancelled_job_that_is_never_given_back_ends)
{
    struct queue_job_request job = queue_farm_job("a");
    job.wall_ms_max = 2000;
    uint64_t run = queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grants grants;

    queue_farm_claim(farm, &agent, &grants);
    queue_farm_begin(farm);
    BASE_OK(queue_run_cancel(farm->queue, run, "enough", &farm->err), &farm->err);
    queue_farm_commit(farm);
    assert_int_equal(keep_alive(farm, &agent, &grants, HOLD_S), 0);
    assert_int_equal(queue_farm_run_of(farm, run)->state, RUN_ACTIVE);
    assert_int_equal(keep_alive(farm, &agent, &grants, 20), 1);
    assert_verdict(farm, grants.grants[0].job, VERDICT_CANCELLED);
    assert_int_equal(queue_farm_run_of(farm, run)->state, RUN_DONE);
}

QUEUE_FARM_TEST(limit_that_no_clock_can_hold_is_none)
{
    struct queue_job_request job = queue_farm_job("a");
    job.wall_ms_max = INT64_MAX;
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grants grants;

    queue_farm_claim(farm, &agent, &grants);
    assert_int_equal(keep_alive(farm, &agent, &grants, 2 * HOLD_S), 0);
}

QUEUE_FARM_TEST(beat_that_does_not_name_a_lease_gives_it_back)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grants grants, none = {.count = 0};
    struct queue_beat_answer answer;

    queue_farm_claim(farm, &agent, &grants);
    queue_farm_pass(farm, 5);
    queue_farm_beat(farm, &agent, &none, &answer);
    assert_int_equal(queue_farm_job_of(farm, grants.grants[0].job)->state, JOB_RUNNING);
    queue_farm_pass(farm, 5);
    queue_farm_beat(farm, &agent, &none, &answer);
    assert_int_equal(queue_farm_job_of(farm, grants.grants[0].job)->state, JOB_READY);
    queue_farm_beat(farm, &agent, &grants, &answer);
    assert_int_equal(answer.unknown_count, 1);
    assert_int_equal(answer.unknown[0], grants.grants[0].lease);
}

QUEUE_FARM_TEST(late_beat_changes_nothing)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grants grants, none = {.count = 0};
    struct queue_beat_answer answer;

    queue_farm_claim(farm, &agent, &grants);
    queue_farm_pass(farm, 15);
    agent.sequence = 7;
    queue_farm_beat(farm, &agent, &grants, &answer);
    agent.sequence = 2;
    queue_farm_beat(farm, &agent, &none, &answer);
    assert_int_equal(queue_farm_job_of(farm, grants.grants[0].job)->state, JOB_RUNNING);
}

QUEUE_FARM_TEST(restarted_agents_leases_are_free_at_its_hello)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);

    assert_true(queue_farm_hello(farm, &agent)); /* the same start */
    assert_int_equal(queue_farm_job_of(farm, grant.job)->state, JOB_RUNNING);
    agent.incarnation = 99;
    assert_true(queue_farm_hello(farm, &agent));
    assert_int_equal(queue_farm_job_of(farm, grant.job)->state, JOB_READY);
    struct queue_grant again = queue_farm_take(farm, &agent); /* nobody else is there */
    assert_int_equal(again.job, grant.job);
    assert_int_equal(queue_farm_result(farm, &agent, &grant, VERDICT_PASS), QUEUE_STALE);
}

QUEUE_FARM_TEST(spooled_result_counts_if_it_comes_before_the_hello)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);

    agent.incarnation = 99;
    assert_int_equal(queue_farm_result(farm, &agent, &grant, VERDICT_PASS), QUEUE_RECORDED);
}

QUEUE_FARM_TEST(old_incarnation_is_told_to_say_hello)
{
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_claim claim = {
        .agent = queue_farm_id(1), .incarnation = queue_farm_id(77), .slots_free = 1};
    struct queue_grants grants;

    (void)agent;
    queue_farm_begin(farm);
    BASE_FAILS(queue_claim(farm->queue, &claim, &grants, &farm->err), &farm->err, ERR_CONFLICT,
               "say hello");
    claim.agent = queue_farm_id(5);
    BASE_FAILS(queue_claim(farm->queue, &claim, &grants, &farm->err), &farm->err, ERR_ACCESS,
               "not enrolled");
    queue_farm_commit(farm);
}

QUEUE_FARM_TEST(infra_is_retried_on_another_agent_three_times)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent one = queue_farm_agent(farm, 1), two = queue_farm_agent(farm, 2);
    struct queue_farm_agent *now = &one, *other = &two;
    struct queue_grants none;
    struct queue_grant grant;

    for (uint32_t i = 0; i < 4; i++) {
        grant = queue_farm_take(farm, now);
        assert_int_equal(grant.attempt, i + 1);
        assert_int_equal(queue_farm_result(farm, now, &grant, VERDICT_INFRA), QUEUE_RECORDED);
        assert_int_equal(queue_farm_claim(farm, now, &none), 0);
        struct queue_farm_agent *swap = now;
        now = other;
        other = swap;
    }
    assert_verdict(farm, grant.job, VERDICT_INFRA);
}

QUEUE_FARM_TEST(test_failure_is_never_retried)
{
    struct queue_job_request job = queue_farm_job("a");
    uint64_t run = queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);

    queue_farm_result(farm, &agent, &grant, VERDICT_FAIL);
    assert_verdict(farm, grant.job, VERDICT_FAIL);
    assert_int_equal(queue_farm_run_of(farm, run)->verdict, VERDICT_FAIL);
}

QUEUE_FARM_TEST(job_that_loses_every_agent_is_given_up)
{
    struct queue_job_request job = queue_farm_job("a");
    uint64_t run = queue_farm_submit(farm, &job, 1);
    struct queue_grant grant;

    for (uint64_t i = 0; i <= QUEUE_LOST_MAX; i++) {
        struct queue_farm_agent agent = queue_farm_agent(farm, i + 1);
        grant = queue_farm_take(farm, &agent);
        queue_farm_pass(farm, 31);
    }
    assert_verdict(farm, grant.job, VERDICT_INFRA);
    assert_int_equal(queue_farm_run_of(farm, run)->state, RUN_DONE);
}

/* Agents with one slot take two jobs each, and fall silent or start anew: that is one job's fault
 * at most, so none has ended so many that it is given up. */
static void lose_bundles(struct queue_farm *farm, bool restarts)
{
    struct queue_job_request jobs[] = {queue_farm_job("a"), queue_farm_job("b")};
    uint64_t run = queue_farm_submit(farm, jobs, 2);
    struct queue_grants grants;

    for (uint64_t i = 0; i <= QUEUE_LOST_MAX; i++) {
        struct queue_farm_agent agent = queue_farm_agent(farm, i + 1);
        assert_int_equal(queue_farm_claim(farm, &agent, &grants), 2);
        agent.incarnation += 100;
        if (restarts)
            assert_true(queue_farm_hello(farm, &agent));
        queue_farm_pass(farm, 31);
    }
    for (uint32_t place = 0; place < 2; place++)
        assert_int_equal(queue_farm_job_of(farm, queue_farm_at(farm, run, place))->state,
                         JOB_READY);
}

QUEUE_FARM_TEST(job_that_had_not_begun_is_not_blamed_for_a_lost_agent)
{
    lose_bundles(farm, false);
}

QUEUE_FARM_TEST(job_that_had_not_begun_is_not_blamed_for_a_restarted_agent)
{
    lose_bundles(farm, true);
}

QUEUE_FARM_TEST(released_job_is_ready_and_counts_as_no_attempt)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grant grant;

    for (int i = 0; i < 20; i++) {
        grant = queue_farm_take(farm, &agent);
        struct queue_release back = {.agent = queue_farm_id(1),
                                     .incarnation = queue_farm_id(1),
                                     .leases = &grant.lease,
                                     .lease_count = 1};
        queue_farm_begin(farm);
        BASE_OK(queue_release(farm->queue, &back, &farm->err), &farm->err);
        queue_farm_commit(farm);
    }
    assert_int_equal(queue_farm_job_of(farm, grant.job)->state, JOB_READY);
}

QUEUE_FARM_TEST(result_keeps_all_it_says)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);
    struct queue_result result = queue_farm_result_of(&grant, (enum verdict)99);
    struct queue_artifact artifact = {"log", 5, queue_farm_hash("log")};
    enum queue_outcome outcome;
    struct queue_id id = queue_farm_id(1);

    queue_farm_begin(farm);
    BASE_FAILS(queue_result(farm->queue, &id, &result, &outcome, &farm->err), &farm->err,
               ERR_INVALID, "verdict");
    queue_farm_commit(farm);
    grant = queue_farm_take(farm, &agent);
    result = queue_farm_result_of(&grant, VERDICT_FAIL);
    result.reason = "exit status 7";
    result.artifacts = &artifact;
    result.artifact_count = 1;
    assert_int_equal(queue_farm_record(farm, &agent, &result), QUEUE_RECORDED);
    assert_string_equal(queue_farm_job_of(farm, grant.job)->reason, "exit status 7");
}

static struct queue_agent shown_agent;

static bool show_first(void *context, const struct queue_agent *agent)
{
    static char fault[QUEUE_TITLE_MAX + 1];

    (void)context;
    shown_agent = *agent;
    snprintf(fault, sizeof(fault), "%s", agent->fault);
    shown_agent.fault = fault;
    return false;
}

/* Lies until it gets no jobs, and waits; how long it has waited is told. */
static uint64_t lie_until_barred(struct queue_farm *farm, struct queue_farm_agent *agent)
{
    struct queue_id id = queue_farm_id(agent->number);
    struct queue_grants *grants = mem_alloc(sizeof(*grants));
    enum queue_outcome outcome;
    uint64_t seconds = 0;

    while (queue_farm_claim(farm, agent, grants) != 0) {
        struct queue_result lie = queue_farm_result_of(&grants->grants[0], VERDICT_PASS);
        lie.wall_ns = UINT64_MAX;
        queue_farm_begin(farm);
        BASE_FAILS(queue_result(farm->queue, &id, &lie, &outcome, &farm->err), &farm->err,
                   ERR_INVALID, "which cannot be");
        queue_farm_commit(farm);
    }
    BASE_OK(queue_agents_each(farm->queue, show_first, NULL, &farm->err), &farm->err);
    assert_true(shown_agent.barred);
    for (; queue_farm_claim(farm, agent, grants) == 0; seconds++)
        queue_farm_pass(farm, 1);
    struct queue_release back = {id, queue_farm_id(agent->incarnation), &grants->grants[0].lease,
                                 1};
    queue_farm_begin(farm);
    BASE_OK(queue_release(farm->queue, &back, &farm->err), &farm->err);
    queue_farm_commit(farm);
    mem_free(grants);
    return seconds;
}

QUEUE_FARM_TEST(agent_that_lies_is_named_and_waits_longer_each_time)
{
    struct queue_job_request jobs[8];
    char names[8][8];

    for (size_t i = 0; i < 8; i++) {
        snprintf(names[i], sizeof(names[i]), "job%u", (unsigned)i % 10);
        jobs[i] = queue_farm_job(names[i]);
    }
    queue_farm_submit(farm, jobs, 8);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);

    assert_int_equal(lie_until_barred(farm, &agent), 1);
    assert_int_equal(shown_agent.faults, 4);
    assert_non_null(strstr(shown_agent.fault, "wall_ns of 18446744073709551615"));
    assert_int_equal(lie_until_barred(farm, &agent), 2);
    assert_int_equal(lie_until_barred(farm, &agent), 4);
    for (unsigned i = 0; i < 6; i++) /* some truth, and it is forgiven */
        assert_int_equal(lie_until_barred(farm, &agent) > 4, true);
    struct queue_grant grant = queue_farm_take(farm, &agent);
    assert_int_equal(queue_farm_result(farm, &agent, &grant, VERDICT_PASS), QUEUE_RECORDED);
}

QUEUE_FARM_TEST(results_of_leases_it_never_had_are_faults)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent honest = queue_farm_agent(farm, 1);
    struct queue_farm_agent liar = queue_farm_agent(farm, 0);
    struct queue_grant grant = queue_farm_take(farm, &honest), forged = grant;

    forged.lease = 777;
    assert_int_equal(queue_farm_result(farm, &liar, &forged, VERDICT_FAIL), QUEUE_STALE);
    assert_int_equal(queue_farm_result(farm, &liar, &grant, VERDICT_FAIL), QUEUE_STALE);
    assert_int_equal(queue_farm_result(farm, &honest, &grant, VERDICT_PASS), QUEUE_RECORDED);
    assert_int_equal(queue_farm_result(farm, &liar, &grant, VERDICT_FAIL), QUEUE_STALE);
    BASE_OK(queue_agents_each(farm->queue, show_first, NULL, &farm->err), &farm->err);
    assert_int_equal(shown_agent.faults, 3);
    assert_int_equal(queue_farm_job_of(farm, grant.job)->verdict, VERDICT_PASS);
    assert_int_equal(queue_farm_result(farm, &honest, &grant, VERDICT_PASS), QUEUE_DUP);
    struct queue_figures figures;
    queue_figures(farm->queue, &figures);
    assert_int_equal(figures.faults, 3); /* to say the same again is none */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(job_is_run_once_and_its_verdict_is_the_runs),
        cmocka_unit_test(second_result_of_a_lease_is_dup_and_changes_nothing),
        cmocka_unit_test(result_of_another_agents_lease_is_stale),
        cmocka_unit_test(lease_expires_when_agent_goes_silent),
        cmocka_unit_test(beat_keeps_a_lease),
        cmocka_unit_test(beats_keep_no_lease_for_ever),
        cmocka_unit_test(time_a_job_is_held_counts_from_when_it_may_have_begun),
        cmocka_unit_test(cancelled_job_that_is_never_given_back_ends),
        cmocka_unit_test(limit_that_no_clock_can_hold_is_none),
        cmocka_unit_test(beat_that_does_not_name_a_lease_gives_it_back),
        cmocka_unit_test(late_beat_changes_nothing),
        cmocka_unit_test(restarted_agents_leases_are_free_at_its_hello),
        cmocka_unit_test(spooled_result_counts_if_it_comes_before_the_hello),
        cmocka_unit_test(old_incarnation_is_told_to_say_hello),
        cmocka_unit_test(infra_is_retried_on_another_agent_three_times),
        cmocka_unit_test(test_failure_is_never_retried),
        cmocka_unit_test(job_that_loses_every_agent_is_given_up),
        cmocka_unit_test(job_that_had_not_begun_is_not_blamed_for_a_lost_agent),
        cmocka_unit_test(job_that_had_not_begun_is_not_blamed_for_a_restarted_agent),
        cmocka_unit_test(released_job_is_ready_and_counts_as_no_attempt),
        cmocka_unit_test(result_keeps_all_it_says),
        cmocka_unit_test(agent_that_lies_is_named_and_waits_longer_each_time),
        cmocka_unit_test(results_of_leases_it_never_had_are_faults),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
