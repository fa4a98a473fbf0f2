/* Runs: cancelled, paused, in parts; needs, boots, quarantine, what is known already. */
#include "tests/support/queue_farm.h"

#include <stdio.h>
#include <string.h>

static void assert_verdict(struct queue_farm *farm, uint64_t job, enum verdict verdict)
{
    const struct queue_job *found = queue_farm_job_of(farm, job);

    assert_int_equal(found->state, JOB_DONE);
    assert_string_equal(verdict_name(found->verdict), verdict_name(verdict));
}

QUEUE_FARM_TEST(cancelled_run_ends_at_once_but_for_what_runs)
{
    struct queue_job_request jobs[] = {queue_farm_job("a"), queue_farm_job("b")};
    uint64_t run = queue_farm_submit(farm, jobs, 2);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);
    struct queue_grants held = {.grants = {grant}, .count = 1};
    struct queue_beat_answer answer;

    queue_farm_begin(farm);
    BASE_OK(queue_run_cancel(farm->queue, run, "enough", &farm->err), &farm->err);
    queue_farm_commit(farm);
    assert_int_equal(queue_farm_run_of(farm, run)->verdicts[VERDICT_CANCELLED], 1);
    assert_int_equal(queue_farm_run_of(farm, run)->states[JOB_STOPPING], 1);
    queue_farm_beat(farm, &agent, &held, &answer);
    assert_int_equal(answer.cancel_count, 1);
    assert_int_equal(queue_farm_result(farm, &agent, &grant, VERDICT_PASS), QUEUE_RECORDED);
    assert_verdict(farm, grant.job, VERDICT_CANCELLED);
    assert_string_equal(queue_farm_job_of(farm, grant.job)->reason, "enough");
    assert_int_equal(queue_farm_run_of(farm, run)->state, RUN_DONE);
    assert_int_equal(queue_farm_run_of(farm, run)->verdict, VERDICT_CANCELLED);
}

QUEUE_FARM_TEST(cancelled_job_whose_agent_is_lost_is_cancelled)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);

    queue_farm_begin(farm);
    BASE_OK(queue_job_cancel(farm->queue, grant.job, "", &farm->err), &farm->err);
    queue_farm_commit(farm);
    queue_farm_restart(farm);
    assert_int_equal(queue_farm_job_of(farm, grant.job)->state, JOB_STOPPING);
    queue_farm_pass(farm, 30);
    assert_verdict(farm, grant.job, VERDICT_CANCELLED);
}

QUEUE_FARM_TEST(run_ends_after_its_max_failures)
{
    struct queue_job_request jobs[] = {queue_farm_job("a"), queue_farm_job("b"),
                                       queue_farm_job("c")};
    struct queue_run_request request = {.name = "run",
                                        .submitter = "tester",
                                        .options = {.max_failures = 1},
                                        .jobs = jobs,
                                        .job_count = 3};
    jobs[0].quarantine.owner = "somebody"; /* a failure that does not count */
    jobs[0].instructions = 1u << 31;       /* and goes first */
    uint64_t run = queue_farm_run(farm, &request);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);

    queue_farm_result(farm, &agent, &grant, VERDICT_FAIL);
    assert_int_equal(queue_farm_run_of(farm, run)->state, RUN_ACTIVE);
    grant = queue_farm_take(farm, &agent);
    queue_farm_result(farm, &agent, &grant, VERDICT_FAIL);
    assert_int_equal(queue_farm_run_of(farm, run)->state, RUN_DONE);
    assert_int_equal(queue_farm_run_of(farm, run)->verdicts[VERDICT_CANCELLED], 1);
    assert_int_equal(queue_farm_run_of(farm, run)->verdict, VERDICT_FAIL);
    assert_int_equal(queue_farm_run_of(farm, run)->quarantined_bad, 1);
}

QUEUE_FARM_TEST(quarantined_failure_does_not_gate)
{
    struct queue_job_request jobs[] = {queue_farm_job("a"), queue_farm_job("b")};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);

    jobs[0].quarantine = (struct queue_quarantine){"me", "flaky", 1700000100};
    uint64_t run = queue_farm_submit(farm, jobs, 2);
    for (int i = 0; i < 2; i++) {
        struct queue_grant grant = queue_farm_take(farm, &agent);
        bool is_first = hash_equal(&grant.spec, &jobs[0].spec);
        queue_farm_result(farm, &agent, &grant, is_first ? VERDICT_FAIL : VERDICT_PASS);
    }
    uint64_t first = queue_farm_at(farm, run, 0);
    assert_int_equal(queue_farm_run_of(farm, run)->verdict, VERDICT_PASS);
    assert_false(queue_farm_job_of(farm, first)->quarantine_expired);
    farm->wall_ns += (uint64_t)101 * QUEUE_FARM_SECOND;
    assert_true(queue_farm_job_of(farm, first)->quarantine_expired);
}

QUEUE_FARM_TEST(job_waits_for_what_it_needs)
{
    struct queue_job_request jobs[] = {queue_farm_job("a"), queue_farm_job("b"),
                                       queue_farm_job("c")};
    uint32_t needs_b[] = {0}, needs_c[] = {0, 1};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grants none;

    jobs[1].needs = needs_b;
    jobs[1].need_count = 1;
    jobs[2].needs = needs_c;
    jobs[2].need_count = 2;
    uint64_t run = queue_farm_submit(farm, jobs, 3);
    struct queue_grant grant = queue_farm_take(farm, &agent);
    assert_true(hash_equal(&grant.spec, &jobs[0].spec));
    assert_int_equal(queue_farm_claim(farm, &agent, &none), 0);
    queue_farm_result(farm, &agent, &grant, VERDICT_PASS);
    grant = queue_farm_take(farm, &agent);
    assert_true(hash_equal(&grant.spec, &jobs[1].spec));
    queue_farm_result(farm, &agent, &grant, VERDICT_FAIL);
    assert_verdict(farm, queue_farm_at(farm, run, 2), VERDICT_SKIPPED);
    assert_non_null(
        strstr(queue_farm_job_of(farm, queue_farm_at(farm, run, 2))->reason, "needs b"));
    assert_int_equal(queue_farm_run_of(farm, run)->verdict, VERDICT_FAIL);
}

QUEUE_FARM_TEST(needs_in_a_circle_are_refused)
{
    struct queue_job_request jobs[] = {queue_farm_job("a"), queue_farm_job("b")};
    uint32_t first[] = {1}, second[] = {0}, far[] = {2};
    struct queue_run_request request = {
        .name = "r", .submitter = "s", .jobs = jobs, .job_count = 2};
    struct queue_submitted out;

    jobs[0].needs = first;
    jobs[1].needs = second;
    jobs[0].need_count = jobs[1].need_count = 1;
    queue_farm_begin(farm);
    BASE_FAILS(queue_run_submit(farm->queue, &request, &out, &farm->err), &farm->err, ERR_INVALID,
               "circle");
    jobs[0].needs = far;
    BASE_FAILS(queue_run_submit(farm->queue, &request, &out, &farm->err), &farm->err, ERR_INVALID,
               "needs number 2");
    jobs[0].need_count = jobs[1].need_count = 0;
    jobs[1].name = "a";
    BASE_FAILS(queue_run_submit(farm->queue, &request, &out, &farm->err), &farm->err, ERR_INVALID,
               "two jobs");
    jobs[1].name = "b";
    jobs[1].boot = queue_farm_hash("nowhere");
    BASE_FAILS(queue_run_submit(farm->queue, &request, &out, &farm->err), &farm->err, ERR_INVALID,
               "boot that is not in the run");
    queue_farm_commit(farm);
}

QUEUE_FARM_TEST(boot_runs_once_for_the_whole_farm_and_only_its_dependents_wait)
{
    struct queue_job_request jobs[] = {queue_farm_boot("boot"), queue_farm_job("a"),
                                       queue_farm_job("free")};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);

    jobs[1].boot = jobs[0].spec;
    uint64_t one = queue_farm_submit(farm, jobs, 3), two = queue_farm_submit(farm, jobs, 2);
    struct queue_grant boot = queue_farm_take(farm, &agent);
    assert_int_equal(boot.kind, JOB_BOOT);
    struct queue_grant free = queue_farm_take(farm, &agent);
    assert_true(hash_equal(&free.spec, &jobs[2].spec));
    struct queue_grants none;
    assert_int_equal(queue_farm_claim(farm, &agent, &none), 0);
    assert_int_equal(queue_farm_run_of(farm, two)->states[JOB_WAITING], 2);
    queue_farm_result(farm, &agent, &boot, VERDICT_PASS);
    struct queue_grant test = queue_farm_take(farm, &agent);
    assert_false(hash_is_zero(&test.checkpoint));
    queue_farm_result(farm, &agent, &test, VERDICT_PASS);
    queue_farm_result(farm, &agent, &free, VERDICT_PASS);
    test = queue_farm_take(farm, &agent); /* of the other run: not the boot */
    assert_int_equal(test.kind, JOB_TEST);
    queue_farm_result(farm, &agent, &test, VERDICT_PASS);
    assert_int_equal(queue_farm_run_of(farm, one)->verdict, VERDICT_PASS);
    assert_int_equal(queue_farm_run_of(farm, two)->verdict, VERDICT_PASS);
    assert_int_equal(queue_farm_run_of(farm, two)->state, RUN_DONE);
    /* Known from now on: no boot, and the test is answered too. */
    uint64_t three = queue_farm_submit(farm, jobs, 2);
    assert_int_equal(queue_farm_run_of(farm, three)->state, RUN_DONE);
    assert_int_equal(queue_farm_run_of(farm, three)->cached, 2);
}

QUEUE_FARM_TEST(failed_boot_makes_its_dependents_infra_with_the_reason)
{
    struct queue_job_request jobs[] = {queue_farm_boot("boot"), queue_farm_job("a")};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);

    jobs[1].boot = jobs[0].spec;
    uint64_t one = queue_farm_submit(farm, jobs, 2), two = queue_farm_submit(farm, jobs, 2);
    struct queue_grant boot = queue_farm_take(farm, &agent);
    struct queue_result result = queue_farm_result_of(&boot, VERDICT_FAIL);
    result.reason = "kernel panic";
    queue_farm_record(farm, &agent, &result);
    assert_int_equal(queue_farm_run_of(farm, one)->state, RUN_DONE);
    assert_int_equal(queue_farm_run_of(farm, two)->state, RUN_DONE);
    uint64_t test = queue_farm_at(farm, one, 1);
    assert_verdict(farm, test, VERDICT_INFRA);
    assert_non_null(strstr(queue_farm_job_of(farm, test)->reason, "kernel panic"));
    assert_verdict(farm, queue_farm_at(farm, two, 0), VERDICT_FAIL);
    /* The next run tries again. */
    queue_farm_submit(farm, jobs, 2);
    boot = queue_farm_take(farm, &agent);
    assert_int_equal(boot.kind, JOB_BOOT);
}

QUEUE_FARM_TEST(cancelled_runs_boot_is_taken_over_by_the_next)
{
    struct queue_job_request jobs[] = {queue_farm_boot("boot"), queue_farm_job("a")};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);

    jobs[1].boot = jobs[0].spec;
    uint64_t one = queue_farm_submit(farm, jobs, 2), two = queue_farm_submit(farm, jobs, 2);
    queue_farm_begin(farm);
    BASE_OK(queue_run_cancel(farm->queue, one, "", &farm->err), &farm->err);
    queue_farm_commit(farm);
    assert_int_equal(queue_farm_run_of(farm, one)->state, RUN_DONE);
    struct queue_grant boot = queue_farm_take(farm, &agent);
    assert_int_equal(boot.run, two);
    assert_int_equal(boot.kind, JOB_BOOT);
    queue_farm_result(farm, &agent, &boot, VERDICT_PASS);
    assert_int_equal(queue_farm_take(farm, &agent).run, two);
}

QUEUE_FARM_TEST(known_result_answers_and_no_cache_runs)
{
    struct queue_job_request job = queue_farm_job("a");
    struct queue_run_request request = {.name = "run",
                                        .submitter = "tester",
                                        .options = {.no_cache = true},
                                        .jobs = &job,
                                        .job_count = 1};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);

    queue_farm_submit(farm, &job, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);
    queue_farm_result(farm, &agent, &grant, VERDICT_FAIL);
    uint64_t cached = queue_farm_submit(farm, &job, 1);
    const struct queue_job *answered = queue_farm_job_of(farm, queue_farm_at(farm, cached, 0));
    assert_int_equal(answered->verdict, VERDICT_FAIL);
    assert_true(answered->cached);
    assert_int_equal(answered->result, grant.lease);
    assert_int_equal(answered->attempts, 0);
    queue_farm_run(farm, &request);
    assert_int_equal(queue_farm_take(farm, &agent).attempt, 1);
}

QUEUE_FARM_TEST(rerun_on_another_agent_that_disagrees_is_a_divergence)
{
    struct queue_job_request job = queue_farm_job("a");
    struct queue_run_request request = {.name = "run",
                                        .submitter = "tester",
                                        .options = {.rerun_share_permille = 1000},
                                        .jobs = &job,
                                        .job_count = 1};
    struct queue_farm_agent one = queue_farm_agent(farm, 1), two = queue_farm_agent(farm, 2);
    struct queue_farm_agent unlike = {.number = 3, .incarnation = 3, .arch = "aarch64", .slots = 1};
    struct queue_grants none;

    queue_farm_submit(farm, &job, 1);
    struct queue_grant grant = queue_farm_take(farm, &one);
    struct queue_result result = queue_farm_result_of(&grant, VERDICT_PASS);
    result.state_id = queue_farm_hash("state");
    queue_farm_record(farm, &one, &result);
    queue_farm_agent(farm, 3);
    queue_farm_hello(farm, &unlike);
    uint64_t run = queue_farm_run(farm, &request);
    assert_int_equal(queue_farm_claim(farm, &one, &none), 0);
    assert_int_equal(queue_farm_claim(farm, &two, &none), 0);
    grant = queue_farm_take(farm, &unlike);
    assert_int_equal(grant.flags, QUEUE_GRANT_RERUN);
    result = queue_farm_result_of(&grant, VERDICT_PASS);
    result.state_id = queue_farm_hash("another state");
    queue_farm_record(farm, &unlike, &result);
    assert_verdict(farm, grant.job, VERDICT_DIVERGENCE);
    assert_int_equal(queue_farm_run_of(farm, run)->verdict, VERDICT_DIVERGENCE);
    /* What disagrees answers nobody any more. */
    request.options.rerun_share_permille = 0;
    run = queue_farm_run(farm, &request);
    assert_int_equal(queue_farm_run_of(farm, run)->states[JOB_READY], 1);
}

QUEUE_FARM_TEST(paused_run_starts_nothing_new)
{
    struct queue_job_request job = queue_farm_job("a");
    uint64_t run = queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grants grants;

    queue_farm_begin(farm);
    BASE_OK(queue_run_pause(farm->queue, run, &farm->err), &farm->err);
    queue_farm_commit(farm);
    queue_farm_restart(farm);
    assert_int_equal(queue_farm_claim(farm, &agent, &grants), 0);
    uint64_t number = queue_work_number(farm->queue);
    queue_farm_begin(farm);
    BASE_OK(queue_run_resume(farm->queue, run, &farm->err), &farm->err);
    queue_farm_commit(farm);
    assert_true(queue_work_number(farm->queue) != number);
    assert_int_equal(queue_farm_claim(farm, &agent, &grants), 1);
}

QUEUE_FARM_TEST(run_in_parts_starts_when_it_is_closed)
{
    struct queue_job_request jobs[] = {queue_farm_job("a"), queue_farm_job("b")};
    struct queue_run_request request = {
        .name = "run", .submitter = "t", .jobs = jobs, .job_count = 1, .open = true};
    struct queue_run_request more = {.jobs = &jobs[1], .job_count = 1};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_submitted out;
    struct queue_grants grants;
    uint32_t needs[] = {0};
    uint64_t run = queue_farm_run(farm, &request);

    jobs[1].needs = needs;
    jobs[1].need_count = 1;
    assert_int_equal(queue_farm_claim(farm, &agent, &grants), 0);
    queue_farm_begin(farm);
    BASE_OK(queue_run_add(farm->queue, run, &more, &out, &farm->err), &farm->err);
    assert_int_equal(out.jobs, 2);
    BASE_FAILS(queue_run_add(farm->queue, run, &more, &out, &farm->err), &farm->err, ERR_INVALID,
               "already");
    BASE_OK(queue_run_close(farm->queue, run, &farm->err), &farm->err);
    BASE_FAILS(queue_run_add(farm->queue, run, &more, &out, &farm->err), &farm->err, ERR_CONFLICT,
               "not open");
    queue_farm_commit(farm);
    struct queue_grant grant = queue_farm_take(farm, &agent);
    assert_true(hash_equal(&grant.spec, &jobs[0].spec));
    queue_farm_result(farm, &agent, &grant, VERDICT_PASS);
    grant = queue_farm_take(farm, &agent);
    assert_true(hash_equal(&grant.spec, &jobs[1].spec));
}

QUEUE_FARM_TEST(bracket_that_is_taken_back_never_was)
{
    struct queue_job_request jobs[] = {queue_farm_job("a"), queue_farm_job("b")};
    uint64_t run = queue_farm_submit(farm, jobs, 2);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_claim claim = {
        .agent = queue_farm_id(agent.number), .incarnation = queue_farm_id(1), .slots_free = 1};
    struct queue_grants grants;

    queue_farm_begin(farm);
    BASE_OK(queue_claim(farm->queue, &claim, &grants, &farm->err), &farm->err);
    assert_true(grants.count > 0);
    queue_rollback(farm->queue);
    assert_int_equal(queue_farm_run_of(farm, run)->states[JOB_READY], 2);
    assert_int_equal(queue_farm_claim(farm, &agent, &grants), 2);
}

QUEUE_FARM_TEST(feed_of_events_is_numbered_and_survives_a_restart_with_a_gap)
{
    struct queue_event events[16];
    struct queue_events feed = {.events = events, .size = 16};
    struct queue_job_request job = queue_farm_job("a");
    uint64_t before = queue_event_newest(farm->queue);
    uint64_t run = queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);

    queue_farm_result(farm, &agent, &grant, VERDICT_PASS);
    queue_events(farm->queue, before, run, &feed);
    assert_false(feed.gap);
    assert_int_equal(feed.count, 4); /* submitted, running, done, run done */
    assert_int_equal(events[0].kind, QUEUE_EVENT_RUN);
    assert_int_equal(events[1].state, JOB_RUNNING);
    assert_int_equal(events[2].state, JOB_DONE);
    assert_int_equal(events[3].state, RUN_DONE);
    assert_int_equal(events[3].verdict, VERDICT_PASS);
    uint64_t newest = feed.next;
    queue_events(farm->queue, newest, run, &feed);
    assert_int_equal(feed.count, 0);
    assert_false(feed.gap);
    queue_farm_restart(farm);
    assert_true(queue_event_newest(farm->queue) > newest);
    queue_events(farm->queue, newest, 0, &feed);
    assert_true(feed.gap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancelled_run_ends_at_once_but_for_what_runs),
        cmocka_unit_test(cancelled_job_whose_agent_is_lost_is_cancelled),
        cmocka_unit_test(run_ends_after_its_max_failures),
        cmocka_unit_test(quarantined_failure_does_not_gate),
        cmocka_unit_test(job_waits_for_what_it_needs),
        cmocka_unit_test(needs_in_a_circle_are_refused),
        cmocka_unit_test(boot_runs_once_for_the_whole_farm_and_only_its_dependents_wait),
        cmocka_unit_test(failed_boot_makes_its_dependents_infra_with_the_reason),
        cmocka_unit_test(cancelled_runs_boot_is_taken_over_by_the_next),
        cmocka_unit_test(known_result_answers_and_no_cache_runs),
        cmocka_unit_test(rerun_on_another_agent_that_disagrees_is_a_divergence),
        cmocka_unit_test(paused_run_starts_nothing_new),
        cmocka_unit_test(run_in_parts_starts_when_it_is_closed),
        cmocka_unit_test(bracket_that_is_taken_back_never_was),
        cmocka_unit_test(feed_of_events_is_numbered_and_survives_a_restart_with_a_gap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
