/* What came before: a test's history, and runs held against each other. */
#include "coordinator/queue/history.h"
#include "tests/support/queue_farm.h"

#include <string.h>

struct done {
    const char *test;
    enum verdict verdict;
    uint64_t instructions;
};

static bool quarantined;

/* A run of that name in which tests came to that, all of them executed. */
static uint64_t run_named(struct queue_farm *farm, const char *name, const struct done *done,
                          size_t count)
{
    struct queue_job_request jobs[8];
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_run_request request = {.name = name, .submitter = "t", .jobs = jobs};

    request.job_count = count;
    request.options.no_cache = true;
    request.options.slower_permille = 50;
    for (size_t i = 0; i < count; i++) {
        static uint64_t version; /* always something new: never a divergence */
        version++;
        jobs[i] = queue_farm_job(done[i].test);
        jobs[i].spec = hash_of((struct span){(const uint8_t *)&version, sizeof(version)});
        jobs[i].retry_infra = 0;
        jobs[i].quarantine.owner = quarantined ? "somebody" : NULL;
    }
    uint64_t run = queue_farm_run(farm, &request);
    for (size_t i = 0; i < count; i++) {
        struct queue_grant grant = queue_farm_take(farm, &agent);
        size_t at = 0;
        while (!hash_equal(&jobs[at].spec, &grant.spec))
            at++;
        struct queue_result result = queue_farm_result_of(&grant, done[at].verdict);
        result.instructions = done[at].instructions;
        assert_int_equal(queue_farm_record(farm, &agent, &result), QUEUE_RECORDED);
    }
    assert_int_equal(queue_farm_run_of(farm, run)->state, RUN_DONE);
    return run;
}

static uint64_t run_one(struct queue_farm *farm, enum verdict verdict)
{
    return run_named(farm, "run", &(struct done){"a", verdict, 1000}, 1);
}

/* ---- history ---- */

struct entries {
    struct queue_history entry[8];
    size_t count, stop_at;
};

static bool take_entry(void *context, const struct queue_history *entry)
{
    struct entries *entries = context;

    assert_true(entries->count < 8);
    entries->entry[entries->count++] = *entry;
    return entries->count != entries->stop_at;
}

static void look(struct queue_farm *farm, const struct queue_test *test, struct entries *out)
{
    out->count = 0;
    BASE_OK(queue_history_each(farm->queue, test, take_entry, out, &farm->err), &farm->err);
}

QUEUE_FARM_TEST(history_is_newest_first_and_as_long_as_asked_for)
{
    struct queue_test test = {"suite", "a", 0};
    struct entries found = {.stop_at = 0};
    uint64_t one = run_one(farm, VERDICT_PASS);
    uint64_t two = run_one(farm, VERDICT_INFRA);
    farm->wall_ns += (uint64_t)5 * QUEUE_FARM_SECOND;
    uint64_t three =
        run_named(farm, "another", &(struct done){"a", VERDICT_TIMEOUT, 12345678901234}, 1);

    look(farm, &test, &found);
    assert_int_equal(found.count, 3);
    assert_int_equal(found.entry[0].run, three);
    assert_int_equal(found.entry[0].job, queue_farm_at(farm, three, 0));
    assert_int_equal(found.entry[0].verdict, VERDICT_TIMEOUT);
    assert_int_equal(found.entry[0].instructions, 12345678901234);
    assert_int_equal(found.entry[0].wall_ns, 5000000);
    assert_int_equal(found.entry[0].ended_ms, farm->wall_ns / 1000000);
    assert_int_equal(found.entry[1].run, two);
    assert_int_equal(found.entry[1].verdict, VERDICT_INFRA);
    assert_int_equal(found.entry[2].run, one);
    test.limit = 2;
    look(farm, &test, &found);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.entry[0].run, three);
    test.limit = 0;
    found.stop_at = 1;
    look(farm, &test, &found);
    assert_int_equal(found.count, 1);
}

QUEUE_FARM_TEST(tests_are_told_apart_by_suite_and_name)
{
    struct entries found = {.stop_at = 0};
    char long_name[QUEUE_NAME_MAX + 2];

    run_one(farm, VERDICT_PASS);
    look(farm, &(struct queue_test){"suite", "b", 0}, &found);
    assert_int_equal(found.count, 0);
    look(farm, &(struct queue_test){"other suite", "a", 0}, &found);
    assert_int_equal(found.count, 0);
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = 0;
    look(farm, &(struct queue_test){long_name, "a", 0}, &found);
    assert_int_equal(found.count, 0);
    look(farm, &(struct queue_test){"suite", long_name, 0}, &found);
    assert_int_equal(found.count, 0);
}

QUEUE_FARM_TEST(history_outlives_its_run_and_a_restart)
{
    struct entries found = {.stop_at = 0};
    uint64_t run = run_one(farm, VERDICT_FAIL);

    queue_farm_begin(farm);
    BASE_OK(queue_run_remove(farm->queue, run, &farm->err), &farm->err);
    queue_farm_commit(farm);
    queue_farm_restart(farm);
    look(farm, &(struct queue_test){"suite", "a", 0}, &found);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.entry[0].run, run);
    assert_int_equal(found.entry[0].verdict, VERDICT_FAIL);
}

QUEUE_FARM_TEST(history_says_what_was_answered_from_an_earlier_result)
{
    struct entries found = {.stop_at = 0};
    struct queue_job_request job = queue_farm_job("a");
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);

    queue_farm_submit(farm, &job, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);
    struct queue_result result = queue_farm_result_of(&grant, VERDICT_FAIL);
    result.state_id = queue_farm_hash("state");
    queue_farm_record(farm, &agent, &result);
    queue_farm_submit(farm, &job, 1);
    look(farm, &(struct queue_test){"suite", "a", 0}, &found);
    assert_int_equal(found.count, 2);
    assert_true(found.entry[0].cached);
    assert_false(found.entry[1].cached);
    assert_int_equal(found.entry[0].verdict, VERDICT_FAIL);
    assert_int_equal(found.entry[0].instructions, 1000);
    assert_true(hash_equal(&found.entry[0].state_id, &result.state_id));
}

/* ---- comparing ---- */

struct differences {
    struct queue_difference d[8];
    char names[8][8];
    size_t count;
};

static bool take_difference(void *context, const struct queue_difference *difference)
{
    struct differences *out = context;

    assert_true(out->count < 8);
    assert_string_equal(difference->suite, "suite");
    assert_true(strlen(difference->name) < sizeof(out->names[0]));
    memcpy(out->names[out->count], difference->name, strlen(difference->name) + 1);
    out->d[out->count++] = *difference;
    return true;
}

static struct differences compared(struct queue_farm *farm, struct queue_comparison *comparison)
{
    struct differences out = {.count = 0};

    BASE_OK(queue_compare(farm->queue, comparison, take_difference, &out, &farm->err), &farm->err);
    return out;
}

static struct differences with_previous(struct queue_farm *farm, uint64_t run)
{
    struct queue_comparison comparison = {.run = run};

    return compared(farm, &comparison);
}

static void assert_change(const struct differences *found, size_t at, const char *name,
                          enum queue_change change)
{
    assert_true(at < found->count);
    assert_string_equal(found->names[at], name);
    assert_string_equal(queue_change_name(found->d[at].change), queue_change_name(change));
}

QUEUE_FARM_TEST(first_run_has_nothing_to_be_held_against)
{
    struct queue_comparison comparison = {.run = run_one(farm, VERDICT_FAIL)};
    uint64_t before = 1;

    assert_int_equal(compared(farm, &comparison).count, 0);
    assert_int_equal(comparison.against, 0);
    BASE_OK(queue_run_before(farm->queue, comparison.run, &before, &farm->err), &farm->err);
    assert_int_equal(before, 0);
}

QUEUE_FARM_TEST(each_change_is_named_in_the_order_of_tests)
{
    const struct done before[] = {{"fixed", VERDICT_FAIL, 10}, {"gone", VERDICT_PASS, 10},
                                  {"new", VERDICT_PASS, 10},   {"same", VERDICT_PASS, 10},
                                  {"slow", VERDICT_PASS, 10},  {"still", VERDICT_TIMEOUT, 10}};
    const struct done after[] = {{"still", VERDICT_FAIL, 11}, {"slow", VERDICT_PASS, 11},
                                 {"same", VERDICT_PASS, 10},  {"new", VERDICT_FAIL, 12},
                                 {"fixed", VERDICT_PASS, 10}, {"added", VERDICT_FAIL, 10}};
    uint64_t one = run_named(farm, "run", before, 6), two = run_named(farm, "run", after, 6);
    struct differences found = with_previous(farm, two);

    assert_int_equal(found.count, 6);
    assert_change(&found, 0, "added", QUEUE_ADDED);
    assert_int_equal(found.d[0].other, 0);
    assert_int_equal(found.d[0].since, two);
    assert_change(&found, 1, "fixed", QUEUE_FIXED);
    assert_int_equal(found.d[1].verdict_before, VERDICT_FAIL);
    assert_int_equal(found.d[1].since, 0);
    assert_change(&found, 2, "new", QUEUE_NEWLY_FAILING);
    assert_int_equal(found.d[2].since, two);
    assert_int_equal(found.d[2].instructions, 12);
    assert_int_equal(found.d[2].instructions_before, 10);
    assert_change(&found, 3, "slow", QUEUE_SLOWER);
    assert_change(&found, 4, "still", QUEUE_STILL_FAILING);
    assert_int_equal(found.d[4].verdict_before, VERDICT_TIMEOUT);
    assert_int_equal(found.d[4].since, one);
    assert_int_equal(found.d[4].job, queue_farm_at(farm, two, 0));
    assert_int_equal(found.d[4].other, queue_farm_at(farm, one, 5));
    assert_change(&found, 5, "gone", QUEUE_GONE);
    assert_int_equal(found.d[5].job, 0);
    assert_int_equal(found.d[5].other, queue_farm_at(farm, one, 1));
}

QUEUE_FARM_TEST(failure_goes_on_through_runs_that_say_nothing)
{
    run_one(farm, VERDICT_PASS);
    uint64_t began = run_one(farm, VERDICT_FAIL);
    run_one(farm, VERDICT_TIMEOUT);
    uint64_t broken = run_one(farm, VERDICT_INFRA);
    assert_int_equal(with_previous(farm, broken).count, 0);
    struct differences found = with_previous(farm, run_one(farm, VERDICT_FAIL));
    assert_change(&found, 0, "a", QUEUE_STILL_FAILING);
    assert_int_equal(found.d[0].since, began);
    run_one(farm, VERDICT_INFRA);
    found = with_previous(farm, run_one(farm, VERDICT_PASS));
    assert_change(&found, 0, "a", QUEUE_FIXED);
    uint64_t again = run_one(farm, VERDICT_FAIL);
    found = with_previous(farm, again);
    assert_change(&found, 0, "a", QUEUE_NEWLY_FAILING);
    assert_int_equal(found.d[0].since, again);
}

QUEUE_FARM_TEST(runs_of_other_names_do_not_count)
{
    const struct done good = {"a", VERDICT_PASS, 1000}, bad = {"a", VERDICT_FAIL, 1000};
    uint64_t one = run_one(farm, VERDICT_PASS);

    run_named(farm, "another", &bad, 1);
    uint64_t two = run_one(farm, VERDICT_FAIL), before;
    struct differences found = with_previous(farm, two);
    assert_change(&found, 0, "a", QUEUE_NEWLY_FAILING);
    assert_int_equal(found.d[0].since, two);
    BASE_OK(queue_run_before(farm->queue, two, &before, &farm->err), &farm->err);
    assert_int_equal(before, one);
    /* But what is asked for by number may have any name. */
    struct queue_comparison asked = {.run = run_named(farm, "another", &good, 1), .against = two};
    found = compared(farm, &asked);
    assert_change(&found, 0, "a", QUEUE_FIXED);
}

static size_t slower(struct queue_farm *farm, uint64_t before, uint64_t after, uint32_t permille)
{
    const struct done one = {"a", VERDICT_PASS, before}, two = {"a", VERDICT_PASS, after};
    struct queue_comparison comparison = {.slower_permille = permille};

    run_named(farm, "run", &one, 1);
    comparison.run = run_named(farm, "run", &two, 1);
    struct differences found = compared(farm, &comparison);
    for (size_t i = 0; i < found.count; i++)
        assert_change(&found, i, "a", QUEUE_SLOWER);
    return found.count;
}

QUEUE_FARM_TEST(slower_is_more_than_the_set_share)
{
    assert_int_equal(slower(farm, 100000, 105000, 0), 0); /* the run's own share: 5 % */
    assert_int_equal(slower(farm, 100000, 105001, 0), 1);
    assert_int_equal(slower(farm, 100000, 120000, 200), 0);
    assert_int_equal(slower(farm, 100000, 120001, 200), 1);
    assert_int_equal(slower(farm, 1999, 2098, 0), 0); /* 2098.95 */
    assert_int_equal(slower(farm, 1999, 2099, 0), 1);
    assert_int_equal(slower(farm, 100000, 90000, 0), 0);
    /* No number is too large. */
    assert_int_equal(slower(farm, (uint64_t)1 << 62, ((uint64_t)1 << 62) + 1, 1000), 0);
    assert_int_equal(slower(farm, (uint64_t)1 << 61, (uint64_t)1 << 62, 1000000), 0);
    assert_int_equal(slower(farm, (uint64_t)1 << 61, (uint64_t)1 << 62, 999), 1);
}

QUEUE_FARM_TEST(quarantined_differences_say_so)
{
    run_one(farm, VERDICT_PASS);
    quarantined = true;
    uint64_t run = run_one(farm, VERDICT_FAIL);
    quarantined = false;
    struct differences found = with_previous(farm, run);
    assert_change(&found, 0, "a", QUEUE_NEWLY_FAILING);
    assert_true(found.d[0].quarantined);
}

QUEUE_FARM_TEST(run_of_which_only_the_history_is_left_cannot_be_asked_for)
{
    struct queue_comparison comparison = {.run = 17};
    struct differences ignored = {.count = 0};
    uint64_t one = run_one(farm, VERDICT_PASS), two = run_one(farm, VERDICT_FAIL);

    BASE_FAILS(queue_compare(farm->queue, &comparison, take_difference, &ignored, &farm->err),
               &farm->err, ERR_NOT_FOUND, "no run 17");
    comparison = (struct queue_comparison){.run = two, .against = 18};
    BASE_FAILS(queue_compare(farm->queue, &comparison, take_difference, &ignored, &farm->err),
               &farm->err, ERR_NOT_FOUND, "no run 18");
    comparison = (struct queue_comparison){.run = two, .baseline = "release"};
    BASE_FAILS(queue_compare(farm->queue, &comparison, take_difference, &ignored, &farm->err),
               &farm->err, ERR_NOT_FOUND, "release");
    queue_farm_begin(farm);
    BASE_OK(queue_run_remove(farm->queue, one, &farm->err), &farm->err);
    queue_farm_commit(farm);
    comparison = (struct queue_comparison){.run = two};
    assert_int_equal(compared(farm, &comparison).count, 0);
    assert_int_equal(comparison.against, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(history_is_newest_first_and_as_long_as_asked_for),
        cmocka_unit_test(tests_are_told_apart_by_suite_and_name),
        cmocka_unit_test(history_outlives_its_run_and_a_restart),
        cmocka_unit_test(history_says_what_was_answered_from_an_earlier_result),
        cmocka_unit_test(first_run_has_nothing_to_be_held_against),
        cmocka_unit_test(each_change_is_named_in_the_order_of_tests),
        cmocka_unit_test(failure_goes_on_through_runs_that_say_nothing),
        cmocka_unit_test(runs_of_other_names_do_not_count),
        cmocka_unit_test(slower_is_more_than_the_set_share),
        cmocka_unit_test(quarantined_differences_say_so),
        cmocka_unit_test(run_of_which_only_the_history_is_left_cannot_be_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
