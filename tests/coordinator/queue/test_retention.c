/* What is old enough to go: runs, artifacts, checkpoints; never what a baseline or an open failure
 * needs. */
#include "coordinator/queue/history.h"
#include "tests/support/queue_farm.h"

#include <stdio.h>
#include <string.h>

#define DAY_S 86400u

static void pass_days(struct queue_farm *farm, uint64_t days)
{
    farm->wall_ns += days * DAY_S * QUEUE_FARM_SECOND;
}

/* The artifact and console of an attempt are named after its lease. */
static struct hash blob_of(const char *what, uint64_t lease)
{
    char text[64];
    int size = snprintf(text, sizeof(text), "%s %llu", what, (unsigned long long)lease);

    return hash_of((struct span){(const uint8_t *)text, (size_t)size});
}

static uint64_t report(struct queue_farm *farm, struct queue_farm_agent *agent,
                       enum verdict verdict)
{
    struct queue_grant grant = queue_farm_take(farm, agent);
    struct queue_artifact artifact = {.name = "log", .size = 5};
    struct queue_result result = queue_farm_result_of(&grant, verdict);

    artifact.hash = blob_of("artifact", grant.lease);
    result.console = blob_of("console", grant.lease);
    result.console_size = 7;
    result.artifacts = &artifact;
    result.artifact_count = 1;
    assert_int_equal(queue_farm_record(farm, agent, &result), QUEUE_RECORDED);
    return grant.lease;
}

struct made {
    uint64_t run, lease;
};

static struct made make(struct queue_farm *farm, const struct queue_run_request *how,
                        const char *spec, enum verdict verdict)
{
    struct queue_job_request job = queue_farm_job("a");
    struct queue_run_request request = *how;
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct made made;

    job.spec = queue_farm_hash(spec);
    job.retry_infra = 0;
    request.submitter = "t";
    request.jobs = &job;
    request.job_count = 1;
    made.run = queue_farm_run(farm, &request);
    if (queue_farm_run_of(farm, made.run)->state == RUN_DONE) /* answered */
        made.lease = queue_farm_job_of(farm, queue_farm_at(farm, made.run, 0))->result;
    else
        made.lease = report(farm, &agent, verdict);
    return made;
}

/* A run of one test with something new in it. */
static struct made made_one(struct queue_farm *farm, enum verdict verdict)
{
    static int version;
    char spec[32];

    snprintf(spec, sizeof(spec), "version %d", ++version);
    return make(farm, &(struct queue_run_request){.name = "run"}, spec, verdict);
}

struct numbers {
    uint64_t number[8];
    size_t count;
};

static bool take_number(void *context, uint64_t number)
{
    struct numbers *numbers = context;

    assert_true(numbers->count < 8);
    numbers->number[numbers->count++] = number;
    return true;
}

static struct numbers old_runs(struct queue_farm *farm, const struct queue_retention *policy)
{
    struct numbers out = {.count = 0};

    BASE_OK(queue_old_runs(farm->queue, policy, take_number, &out, &farm->err), &farm->err);
    return out;
}

static void remove_run(struct queue_farm *farm, uint64_t run)
{
    queue_farm_begin(farm);
    BASE_OK(queue_run_remove(farm->queue, run, &farm->err), &farm->err);
    queue_farm_commit(farm);
}

static void set_baseline(struct queue_farm *farm, uint64_t run)
{
    queue_farm_begin(farm);
    BASE_OK(queue_baseline_set(farm->queue, "release", run, &farm->err), &farm->err);
    queue_farm_commit(farm);
}

static uint64_t expire(struct queue_farm *farm, uint64_t seconds)
{
    struct queue_retention policy = {.artifacts_s = seconds};
    uint64_t count;

    queue_farm_begin(farm);
    BASE_OK(queue_artifacts_expire(farm->queue, &policy, &count, &farm->err), &farm->err);
    queue_farm_commit(farm);
    return count;
}

/* ---- which blobs are named ---- */

struct wanted {
    struct hash hash;
    bool found, is_spec;
};

static bool look_for(void *context, const struct hash *blob, bool is_spec)
{
    struct wanted *wanted = context;

    if (hash_equal(blob, &wanted->hash)) {
        wanted->found = true;
        wanted->is_spec = is_spec;
    }
    return true;
}

static bool is_named(struct queue_farm *farm, struct hash blob)
{
    struct wanted wanted = {.hash = blob};

    BASE_OK(queue_blobs_each(farm->queue, look_for, &wanted, &farm->err), &farm->err);
    return wanted.found;
}

static void assert_kept(struct queue_farm *farm, uint64_t lease, bool kept)
{
    assert_int_equal(is_named(farm, blob_of("artifact", lease)), kept);
    assert_int_equal(is_named(farm, blob_of("console", lease)), kept);
}

/* ---- runs ---- */

QUEUE_FARM_TEST(runs_beyond_the_number_of_their_name_may_go)
{
    uint64_t runs[4];
    struct queue_job_request job = queue_farm_job("waits");

    for (int i = 0; i < 4; i++)
        runs[i] = made_one(farm, VERDICT_PASS).run;
    make(farm, &(struct queue_run_request){.name = "other"}, "other", VERDICT_PASS);
    queue_farm_submit(farm, &job, 1); /* is not done, and does not count */
    struct numbers old = old_runs(farm, &(struct queue_retention){.runs = 2});
    assert_int_equal(old.count, 2);
    assert_int_equal(old.number[0], runs[0]);
    assert_int_equal(old.number[1], runs[1]);
    assert_int_equal(old_runs(farm, &(struct queue_retention){.runs = 4}).count, 0);
    assert_int_equal(old_runs(farm, &(struct queue_retention){0}).count, 0);
}

QUEUE_FARM_TEST(runs_older_than_the_limit_may_go)
{
    const struct queue_retention policy = {.run_s = 10 * DAY_S};
    uint64_t one = made_one(farm, VERDICT_PASS).run;

    pass_days(farm, 5);
    made_one(farm, VERDICT_PASS);
    pass_days(farm, 5);
    assert_int_equal(old_runs(farm, &policy).count, 0); /* just as old as allowed */
    farm->wall_ns += QUEUE_FARM_SECOND;
    struct numbers old = old_runs(farm, &policy);
    assert_int_equal(old.count, 1);
    assert_int_equal(old.number[0], one);
}

QUEUE_FARM_TEST(what_a_run_says_of_itself_comes_first)
{
    struct queue_run_request longer = {.name = "longer"}, fewer = {.name = "fewer"};

    longer.options.keep_run_s = 20 * DAY_S;
    fewer.options.keep_runs = 1;
    make(farm, &longer, "longer", VERDICT_PASS);
    uint64_t one = make(farm, &fewer, "fewer 1", VERDICT_PASS).run;
    make(farm, &fewer, "fewer 2", VERDICT_PASS);
    pass_days(farm, 15);
    uint64_t gone = made_one(farm, VERDICT_PASS).run;
    pass_days(farm, 1);
    struct numbers old = old_runs(farm, &(struct queue_retention){.runs = 9, .run_s = 17 * DAY_S});
    assert_int_equal(old.count, 1);
    assert_int_equal(old.number[0], one);
    old = old_runs(farm, &(struct queue_retention){.run_s = DAY_S / 2});
    assert_int_equal(old.count, 3); /* all but the one that says 20 days */
    assert_int_equal(old.number[2], gone);
}

QUEUE_FARM_TEST(open_failure_keeps_its_first_and_last_run)
{
    const struct queue_retention policy = {.runs = 1, .run_s = DAY_S};

    uint64_t before = made_one(farm, VERDICT_PASS).run, first = made_one(farm, VERDICT_FAIL).run;
    uint64_t middle = made_one(farm, VERDICT_TIMEOUT).run;
    made_one(farm, VERDICT_FAIL);
    uint64_t infra = made_one(farm, VERDICT_INFRA).run;
    pass_days(farm, 2);
    struct numbers old = old_runs(farm, &policy);
    assert_int_equal(old.count, 3);
    assert_int_equal(old.number[0], before);
    assert_int_equal(old.number[1], middle);
    assert_int_equal(old.number[2], infra);
    /* Fixed: none of them is needed any more. */
    made_one(farm, VERDICT_PASS);
    old = old_runs(farm, &policy);
    assert_int_equal(old.count, 5);
    assert_int_equal(old.number[1], first);
}

QUEUE_FARM_TEST(removed_run_is_gone_and_others_are_whole)
{
    struct made one = made_one(farm, VERDICT_PASS), two = made_one(farm, VERDICT_PASS);
    struct queue_job_request job = queue_farm_job("waits");
    uint64_t waiting = queue_farm_submit(farm, &job, 1);

    assert_kept(farm, one.lease, true);
    queue_farm_begin(farm);
    BASE_FAILS(queue_run_remove(farm->queue, waiting, &farm->err), &farm->err, ERR_CONFLICT,
               "not done");
    BASE_FAILS(queue_run_remove(farm->queue, 99, &farm->err), &farm->err, ERR_NOT_FOUND, "99");
    queue_farm_commit(farm);
    remove_run(farm, one.run);
    queue_farm_restart(farm);
    BASE_FAILS(queue_run_get(farm->queue, one.run, NULL, NULL, &farm->err), &farm->err,
               ERR_NOT_FOUND, "no run");
    assert_kept(farm, one.lease, false);
    assert_kept(farm, two.lease, true);
    assert_int_equal(queue_farm_run_of(farm, two.run)->verdict, VERDICT_PASS);
}

QUEUE_FARM_TEST(result_that_answers_another_run_stays_until_that_goes_too)
{
    struct queue_run_request run = {.name = "run"}, other = {.name = "other"};
    struct made one = make(farm, &run, "same", VERDICT_PASS);
    struct made two = make(farm, &other, "same", VERDICT_PASS);

    assert_int_equal(two.lease, one.lease);
    remove_run(farm, one.run);
    assert_kept(farm, one.lease, true);
    /* And it goes on answering. */
    struct made three = make(farm, &other, "same", VERDICT_PASS);
    assert_int_equal(three.lease, one.lease);
    remove_run(farm, two.run);
    assert_kept(farm, one.lease, true);
    remove_run(farm, three.run);
    assert_kept(farm, one.lease, false);
    assert_true(make(farm, &run, "same", VERDICT_PASS).lease != one.lease); /* run anew */
}

/* ---- artifacts ---- */

QUEUE_FARM_TEST(artifacts_go_before_their_run)
{
    struct made one = made_one(farm, VERDICT_PASS);

    pass_days(farm, 3);
    struct made two = made_one(farm, VERDICT_PASS);
    assert_int_equal(expire(farm, 0), 0);
    assert_int_equal(expire(farm, 3 * DAY_S), 0);
    assert_int_equal(expire(farm, 2 * DAY_S), 1);
    assert_kept(farm, one.lease, false);
    assert_kept(farm, two.lease, true);
    assert_int_equal(queue_farm_run_of(farm, one.run)->verdict, VERDICT_PASS);
    assert_int_equal(expire(farm, 2 * DAY_S), 0); /* nothing is left of it */
}

QUEUE_FARM_TEST(artifacts_of_a_run_that_says_so_go_by_its_own_limit)
{
    struct queue_run_request longer = {.name = "longer"};

    longer.options.keep_artifacts_s = 9 * DAY_S;
    struct made one = make(farm, &longer, "longer", VERDICT_PASS);
    pass_days(farm, 5);
    assert_int_equal(expire(farm, DAY_S), 0);
    pass_days(farm, 5);
    assert_int_equal(expire(farm, DAY_S), 1);
    assert_kept(farm, one.lease, false);
}

QUEUE_FARM_TEST(artifacts_of_baselines_and_open_failures_stay)
{
    struct made base = made_one(farm, VERDICT_PASS), first = made_one(farm, VERDICT_FAIL);
    struct made middle = made_one(farm, VERDICT_FAIL), last = made_one(farm, VERDICT_FAIL);

    set_baseline(farm, base.run);
    pass_days(farm, 5);
    assert_int_equal(expire(farm, DAY_S), 1);
    assert_kept(farm, base.lease, true);
    assert_kept(farm, first.lease, true);
    assert_kept(farm, middle.lease, false);
    assert_kept(farm, last.lease, true);
    made_one(farm, VERDICT_PASS); /* fixed */
    assert_int_equal(expire(farm, DAY_S), 2);
    assert_kept(farm, first.lease, false);
    assert_kept(farm, last.lease, false);
    assert_kept(farm, base.lease, true);
}

QUEUE_FARM_TEST(artifacts_that_another_runs_answer_needs_stay)
{
    struct queue_run_request run = {.name = "run"}, other = {.name = "other"};
    struct made one = make(farm, &run, "same", VERDICT_PASS);
    struct made two = make(farm, &other, "same", VERDICT_PASS);

    set_baseline(farm, two.run);
    pass_days(farm, 5);
    assert_int_equal(expire(farm, DAY_S), 0);
    assert_kept(farm, one.lease, true);
    remove_run(farm, one.run); /* who ran it is forgotten, what the baseline shows is not */
    assert_int_equal(expire(farm, DAY_S), 0);
    assert_kept(farm, one.lease, true);
    queue_farm_begin(farm);
    BASE_OK(queue_baseline_remove(farm->queue, "release", &farm->err), &farm->err);
    queue_farm_commit(farm);
    assert_int_equal(expire(farm, DAY_S), 1);
    assert_kept(farm, one.lease, false);
}

QUEUE_FARM_TEST(run_that_was_answered_takes_nothing_from_the_one_that_ran)
{
    struct queue_run_request longer = {.name = "longer"}, other = {.name = "other"};

    longer.options.keep_artifacts_s = 9 * DAY_S;
    struct made one = make(farm, &longer, "same", VERDICT_PASS);
    make(farm, &other, "same", VERDICT_PASS);
    pass_days(farm, 5);
    assert_int_equal(expire(farm, DAY_S), 0);
    assert_kept(farm, one.lease, true);
    pass_days(farm, 5);
    assert_int_equal(expire(farm, DAY_S), 1);
    assert_kept(farm, one.lease, false);
}

QUEUE_FARM_TEST(open_failure_that_was_answered_keeps_what_it_was_answered_with)
{
    struct queue_run_request run = {.name = "run"}, other = {.name = "other"};
    struct made one = make(farm, &run, "same", VERDICT_FAIL);

    make(farm, &other, "same", VERDICT_FAIL);
    make(farm, &run, "mended", VERDICT_PASS); /* closed in `run`, open in `other` */
    pass_days(farm, 5);
    expire(farm, DAY_S);
    assert_kept(farm, one.lease, true);
    make(farm, &other, "mended", VERDICT_PASS);
    expire(farm, DAY_S);
    assert_kept(farm, one.lease, false);
}

/* ---- checkpoints ---- */

static struct hash booted(const char *name)
{
    struct hash spec = queue_farm_hash(name);

    return hash_of((struct span){spec.bytes, HASH_SIZE});
}

struct night {
    uint64_t run;
    struct queue_grant grant; /* of the test: not reported yet */
};

/* Boots (if need be) and takes the test that starts from it. */
static struct night start_from(struct queue_farm *farm, const char *boot, const char *spec)
{
    struct queue_job_request jobs[] = {queue_farm_boot("boot"), queue_farm_job("a")};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct night night;

    jobs[0].spec = jobs[1].boot = queue_farm_hash(boot);
    jobs[1].spec = queue_farm_hash(spec);
    night.run = queue_farm_submit(farm, jobs, 2);
    night.grant = queue_farm_take(farm, &agent);
    if (night.grant.kind == JOB_BOOT) {
        queue_farm_result(farm, &agent, &night.grant, VERDICT_PASS);
        night.grant = queue_farm_take(farm, &agent);
    }
    return night;
}

static void end(struct queue_farm *farm, const struct night *night, enum verdict verdict)
{
    struct queue_farm_agent agent = {.number = 1, .incarnation = 1, .arch = "x86_64", .slots = 1};

    queue_farm_result(farm, &agent, &night->grant, verdict);
}

struct found {
    struct hash hash[4];
    size_t count;
};

static bool take_hash(void *context, const struct hash *hash)
{
    struct found *found = context;

    assert_true(found->count < 4);
    found->hash[found->count++] = *hash;
    return true;
}

static struct found old_checkpoints(struct queue_farm *farm, uint64_t seconds)
{
    const struct queue_retention policy = {.checkpoints_s = seconds};
    struct found found = {.count = 0};

    BASE_OK(queue_old_checkpoints(farm->queue, &policy, take_hash, &found, &farm->err), &farm->err);
    return found;
}

QUEUE_FARM_TEST(checkpoint_may_go_so_long_after_its_last_use)
{
    struct hash checkpoint = booted("kernel");
    struct night night = start_from(farm, "kernel", "one");

    end(farm, &night, VERDICT_PASS);
    pass_days(farm, 5);
    night = start_from(farm, "kernel", "two");
    end(farm, &night, VERDICT_PASS);
    pass_days(farm, 3);
    assert_int_equal(old_checkpoints(farm, 3 * DAY_S).count, 0);
    assert_int_equal(old_checkpoints(farm, 0).count, 0);
    pass_days(farm, 1);
    struct found found = old_checkpoints(farm, 3 * DAY_S);
    assert_int_equal(found.count, 1);
    assert_true(hash_equal(&found.hash[0], &checkpoint));
    struct queue_job_request boot = queue_farm_boot("boot"); /* answered: a use too */
    boot.spec = queue_farm_hash("kernel");
    assert_int_equal(queue_farm_run_of(farm, queue_farm_submit(farm, &boot, 1))->cached, 1);
    assert_int_equal(old_checkpoints(farm, 3 * DAY_S).count, 0);
}

QUEUE_FARM_TEST(checkpoint_of_a_run_that_is_not_done_stays)
{
    struct night night = start_from(farm, "kernel", "one");

    pass_days(farm, 5);
    assert_int_equal(old_checkpoints(farm, DAY_S).count, 0);
    end(farm, &night, VERDICT_PASS);
    pass_days(farm, 5);
    assert_int_equal(old_checkpoints(farm, DAY_S).count, 1);
}

QUEUE_FARM_TEST(checkpoint_of_a_baseline_or_an_open_failure_stays)
{
    struct hash free = booted("kernel 3");
    struct night base = start_from(farm, "kernel 1", "one");

    end(farm, &base, VERDICT_PASS);
    set_baseline(farm, base.run);
    struct night bad = start_from(farm, "kernel 2", "two"), good;
    end(farm, &bad, VERDICT_FAIL);
    pass_days(farm, 5);
    assert_int_equal(old_checkpoints(farm, DAY_S).count, 0);
    good = start_from(farm, "kernel 3", "three"); /* fixed */
    end(farm, &good, VERDICT_PASS);
    assert_int_equal(old_checkpoints(farm, DAY_S).count, 1); /* that of the failure */
    pass_days(farm, 5);
    struct found found = old_checkpoints(farm, DAY_S);
    assert_int_equal(found.count, 2);
    assert_true(hash_equal(&found.hash[0], &free) || hash_equal(&found.hash[1], &free));
    queue_farm_begin(farm);
    BASE_OK(queue_baseline_remove(farm->queue, "release", &farm->err), &farm->err);
    queue_farm_commit(farm);
    assert_int_equal(old_checkpoints(farm, DAY_S).count, 3);
}

QUEUE_FARM_TEST(forgotten_checkpoint_is_booted_again)
{
    struct hash checkpoint = booted("kernel");
    struct queue_job_request boot = queue_farm_boot("boot");
    struct night night = start_from(farm, "kernel", "one");
    struct queue_grants grants;

    boot.spec = queue_farm_hash("kernel");
    end(farm, &night, VERDICT_PASS);
    queue_farm_begin(farm);
    BASE_OK(queue_checkpoint_forget(farm->queue, &checkpoint, &farm->err), &farm->err);
    queue_farm_commit(farm);
    assert_int_equal(old_checkpoints(farm, 1).count, 0);
    queue_farm_submit(farm, &boot, 1);
    assert_int_equal(
        queue_farm_claim(farm, &(struct queue_farm_agent){.number = 1, .incarnation = 1}, &grants),
        1);
    assert_int_equal(grants.grants[0].kind, JOB_BOOT);
}

/* ---- blobs ---- */

QUEUE_FARM_TEST(specs_are_told_from_other_blobs)
{
    struct made one = make(farm, &(struct queue_run_request){.name = "run"}, "spec", VERDICT_PASS);
    struct wanted wanted = {.hash = queue_farm_hash("spec")};

    BASE_OK(queue_blobs_each(farm->queue, look_for, &wanted, &farm->err), &farm->err);
    assert_true(wanted.found && wanted.is_spec);
    wanted = (struct wanted){.hash = blob_of("console", one.lease)};
    BASE_OK(queue_blobs_each(farm->queue, look_for, &wanted, &farm->err), &farm->err);
    assert_true(wanted.found && !wanted.is_spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_beyond_the_number_of_their_name_may_go),
        cmocka_unit_test(runs_older_than_the_limit_may_go),
        cmocka_unit_test(what_a_run_says_of_itself_comes_first),
        cmocka_unit_test(open_failure_keeps_its_first_and_last_run),
        cmocka_unit_test(removed_run_is_gone_and_others_are_whole),
        cmocka_unit_test(result_that_answers_another_run_stays_until_that_goes_too),
        cmocka_unit_test(artifacts_go_before_their_run),
        cmocka_unit_test(artifacts_of_a_run_that_says_so_go_by_its_own_limit),
        cmocka_unit_test(artifacts_of_baselines_and_open_failures_stay),
        cmocka_unit_test(artifacts_that_another_runs_answer_needs_stay),
        cmocka_unit_test(run_that_was_answered_takes_nothing_from_the_one_that_ran),
        cmocka_unit_test(open_failure_that_was_answered_keeps_what_it_was_answered_with),
        cmocka_unit_test(checkpoint_may_go_so_long_after_its_last_use),
        cmocka_unit_test(checkpoint_of_a_run_that_is_not_done_stays),
        cmocka_unit_test(checkpoint_of_a_baseline_or_an_open_failure_stays),
        cmocka_unit_test(forgotten_checkpoint_is_booted_again),
        cmocka_unit_test(specs_are_told_from_other_blobs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
