/* Verdicts of tests outlive their runs, but not for ever: what is old goes, and what is said of
 * later runs stays the same. */
#include "coordinator/queue/history.h"
#include "tests/support/queue_farm.h"

#include <stdio.h>

#define DAY_S 86400u

static void pass_days(struct queue_farm *farm, uint64_t days)
{
    farm->wall_ns += days * DAY_S * QUEUE_FARM_SECOND;
}

/* A run of that name with one test, executed. */
static uint64_t run_of(struct queue_farm *farm, const char *run, const char *test,
                       enum verdict verdict)
{
    static uint64_t version; /* always something new: never answered */
    struct queue_job_request job = queue_farm_job(test);
    struct queue_run_request request = {
        .name = run, .submitter = "t", .jobs = &job, .job_count = 1};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);

    version++;
    job.spec = hash_of((struct span){(const uint8_t *)&version, sizeof(version)});
    job.retry_infra = 0;
    uint64_t id = queue_farm_run(farm, &request);
    struct queue_grant grant = queue_farm_take(farm, &agent);
    assert_int_equal(queue_farm_result(farm, &agent, &grant, verdict), QUEUE_RECORDED);
    return id;
}

static void remove_run(struct queue_farm *farm, uint64_t run)
{
    queue_farm_begin(farm);
    BASE_OK(queue_run_remove(farm->queue, run, &farm->err), &farm->err);
    queue_farm_commit(farm);
}

/* One whose run is gone. */
static uint64_t gone(struct queue_farm *farm, enum verdict verdict)
{
    uint64_t run = run_of(farm, "run", "a", verdict);

    remove_run(farm, run);
    return run;
}

/* All tests, however many calls that takes: how many verdicts went. */
static uint64_t expire(struct queue_farm *farm, const struct queue_retention *policy)
{
    uint64_t after = 0, count, sum = 0;

    do {
        queue_farm_begin(farm);
        BASE_OK(queue_history_expire(farm->queue, policy, &after, &count, &farm->err), &farm->err);
        queue_farm_commit(farm);
        sum += count;
    } while (after != 0);
    return sum;
}

struct runs {
    uint64_t run[16];
    size_t count;
};

static bool take_run(void *context, const struct queue_history *entry)
{
    struct runs *runs = context;

    assert_true(runs->count < 16);
    runs->run[runs->count++] = entry->run;
    return true;
}

static struct runs history_of(struct queue_farm *farm, const char *test)
{
    struct queue_test of = {"suite", test, 0};
    struct runs runs = {.count = 0};

    BASE_OK(queue_history_each(farm->queue, &of, take_run, &runs, &farm->err), &farm->err);
    return runs;
}

QUEUE_FARM_TEST(verdicts_beyond_the_number_go_the_oldest_first)
{
    for (int i = 0; i < 5; i++)
        gone(farm, VERDICT_PASS);
    uint64_t fourth = gone(farm, VERDICT_FAIL), fifth = gone(farm, VERDICT_PASS);

    assert_int_equal(expire(farm, &(struct queue_retention){0}), 0);
    assert_int_equal(expire(farm, &(struct queue_retention){.history_runs = 7}), 0);
    assert_int_equal(expire(farm, &(struct queue_retention){.history_runs = 2}), 5);
    struct runs left = history_of(farm, "a");
    assert_int_equal(left.count, 2);
    assert_int_equal(left.run[0], fifth);
    assert_int_equal(left.run[1], fourth);
}

QUEUE_FARM_TEST(verdicts_older_than_the_limit_go)
{
    const struct queue_retention policy = {.history_s = 10 * DAY_S};

    gone(farm, VERDICT_FAIL);
    pass_days(farm, 6);
    uint64_t younger = gone(farm, VERDICT_PASS);
    assert_int_equal(expire(farm, &policy), 0);
    pass_days(farm, 5);
    assert_int_equal(expire(farm, &policy), 1);
    struct runs left = history_of(farm, "a");
    assert_int_equal(left.count, 1);
    assert_int_equal(left.run[0], younger);
    /* A limit from before 1970 is none. */
    assert_int_equal(expire(farm, &(struct queue_retention){.history_s = UINT64_MAX / 1000}), 0);
}

QUEUE_FARM_TEST(verdicts_of_runs_that_are_there_stay)
{
    uint64_t kept = run_of(farm, "run", "a", VERDICT_PASS);

    gone(farm, VERDICT_PASS);
    pass_days(farm, 100);
    assert_int_equal(expire(farm, &(struct queue_retention){.history_runs = 1, .history_s = DAY_S}),
                     1);
    struct runs left = history_of(farm, "a");
    assert_int_equal(left.count, 1);
    assert_int_equal(left.run[0], kept);
    remove_run(farm, kept);
    assert_int_equal(expire(farm, &(struct queue_retention){.history_s = DAY_S}), 1);
    assert_int_equal(history_of(farm, "a").count, 0);
}

static bool take_since(void *context, const struct queue_difference *difference)
{
    *(uint64_t *)context = difference->since;
    return true;
}

/* A failure that was fixed stays fixed, though of what lies between only the fix is left. */
QUEUE_FARM_TEST(fix_is_kept_as_long_as_the_failure_before_it)
{
    const struct queue_retention policy = {.history_s = DAY_S};
    uint64_t baseline = run_of(farm, "run", "a", VERDICT_FAIL);

    gone(farm, VERDICT_FAIL);
    uint64_t fix = gone(farm, VERDICT_PASS);
    gone(farm, VERDICT_PASS);
    gone(farm, VERDICT_TIMEOUT);
    gone(farm, VERDICT_INFRA);
    gone(farm, VERDICT_PASS);
    remove_run(farm, run_of(farm, "another", "a", VERDICT_PASS));
    uint64_t first = run_of(farm, "run", "a", VERDICT_FAIL), since = 0;
    uint64_t last = run_of(farm, "run", "a", VERDICT_FAIL);
    pass_days(farm, 2);
    assert_int_equal(expire(farm, &policy), 6);
    struct runs left = history_of(farm, "a");
    assert_int_equal(left.count, 4);
    assert_int_equal(left.run[2], fix);
    assert_int_equal(left.run[3], baseline);
    struct queue_comparison comparison = {.run = last, .against = first};
    BASE_OK(queue_compare(farm->queue, &comparison, take_since, &since, &farm->err), &farm->err);
    assert_int_equal(since, first);
    remove_run(farm, baseline);
    assert_int_equal(expire(farm, &policy), 2);
}

QUEUE_FARM_TEST(many_tests_are_looked_at_some_at_a_time)
{
    char name[32];
    uint64_t after = 0, count;

    for (int i = 0; i < 150; i++) {
        snprintf(name, sizeof(name), "test%d", i);
        remove_run(farm, run_of(farm, "run", name, VERDICT_PASS));
    }
    pass_days(farm, 2);
    queue_farm_begin(farm);
    BASE_OK(queue_history_expire(farm->queue, &(struct queue_retention){.history_s = DAY_S}, &after,
                                 &count, &farm->err),
            &farm->err);
    queue_farm_commit(farm);
    assert_true(after != 0 && count > 0 && count < 100);
    assert_int_equal(expire(farm, &(struct queue_retention){.history_s = DAY_S}), 150 - count);
    assert_int_equal(history_of(farm, "test149").count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_beyond_the_number_go_the_oldest_first),
        cmocka_unit_test(verdicts_older_than_the_limit_go),
        cmocka_unit_test(verdicts_of_runs_that_are_there_stay),
        cmocka_unit_test(fix_is_kept_as_long_as_the_failure_before_it),
        cmocka_unit_test(many_tests_are_looked_at_some_at_a_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
