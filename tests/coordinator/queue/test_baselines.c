/* Names for runs, which later ones are held against, and which retention leaves alone. */
#include "coordinator/queue/history.h"
#include "tests/support/queue_farm.h"

#include <string.h>

/* A run of one test that came to that. */
static uint64_t run_one(struct queue_farm *farm, enum verdict verdict)
{
    struct queue_job_request job = queue_farm_job("a");
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    static uint64_t version;

    version++;
    job.spec = hash_of((struct span){(const uint8_t *)&version, sizeof(version)});
    uint64_t run = queue_farm_submit(farm, &job, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);
    assert_int_equal(queue_farm_result(farm, &agent, &grant, verdict), QUEUE_RECORDED);
    return run;
}

static void set(struct queue_farm *farm, const char *name, uint64_t run)
{
    queue_farm_begin(farm);
    BASE_OK(queue_baseline_set(farm->queue, name, run, &farm->err), &farm->err);
    queue_farm_commit(farm);
}

struct names {
    char name[4][16];
    uint64_t run[4];
    size_t count, stop_at;
};

static bool take_name(void *context, const char *name, uint64_t run)
{
    struct names *names = context;

    assert_true(names->count < 4 && strlen(name) < 16);
    memcpy(names->name[names->count], name, strlen(name) + 1);
    names->run[names->count++] = run;
    return names->count != names->stop_at;
}

QUEUE_FARM_TEST(baseline_names_a_run_and_moves_when_set_again)
{
    uint64_t one = run_one(farm, VERDICT_PASS), two = run_one(farm, VERDICT_FAIL), run;

    set(farm, "release", one);
    queue_farm_restart(farm);
    BASE_OK(queue_baseline_get(farm->queue, "release", &run, &farm->err), &farm->err);
    assert_int_equal(run, one);
    set(farm, "release", two);
    BASE_OK(queue_baseline_get(farm->queue, "release", &run, &farm->err), &farm->err);
    assert_int_equal(run, two);
}

QUEUE_FARM_TEST(baselines_are_listed_by_name)
{
    uint64_t one = run_one(farm, VERDICT_PASS), two = run_one(farm, VERDICT_PASS);
    struct names names = {.stop_at = 0};

    set(farm, "release", two);
    set(farm, "beta", one);
    set(farm, "alpha", two);
    BASE_OK(queue_baselines_each(farm->queue, take_name, &names, &farm->err), &farm->err);
    assert_int_equal(names.count, 3);
    assert_string_equal(names.name[0], "alpha");
    assert_int_equal(names.run[0], two);
    assert_string_equal(names.name[1], "beta");
    assert_int_equal(names.run[1], one);
    assert_string_equal(names.name[2], "release");
    names = (struct names){.stop_at = 2};
    BASE_OK(queue_baselines_each(farm->queue, take_name, &names, &farm->err), &farm->err);
    assert_int_equal(names.count, 2);
}

QUEUE_FARM_TEST(only_a_run_that_is_done_can_be_a_baseline)
{
    struct queue_job_request job = queue_farm_job("a");
    uint64_t run = queue_farm_submit(farm, &job, 1), found;
    char long_name[QUEUE_NAME_MAX + 2];

    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = 0;
    queue_farm_begin(farm);
    BASE_FAILS(queue_baseline_set(farm->queue, "release", run, &farm->err), &farm->err,
               ERR_CONFLICT, "not done");
    BASE_FAILS(queue_baseline_set(farm->queue, "release", 99, &farm->err), &farm->err,
               ERR_NOT_FOUND, "99");
    BASE_FAILS(queue_baseline_set(farm->queue, "", run, &farm->err), &farm->err, ERR_INVALID,
               "name");
    BASE_FAILS(queue_baseline_set(farm->queue, long_name, run, &farm->err), &farm->err, ERR_INVALID,
               "name");
    queue_farm_commit(farm); /* none of it lost the bracket */
    BASE_FAILS(queue_baseline_get(farm->queue, "release", &found, &farm->err), &farm->err,
               ERR_NOT_FOUND, "release");
}

QUEUE_FARM_TEST(baseline_that_is_removed_is_gone)
{
    uint64_t one = run_one(farm, VERDICT_PASS), run;

    set(farm, "release", one);
    queue_farm_begin(farm);
    BASE_OK(queue_baseline_remove(farm->queue, "release", &farm->err), &farm->err);
    BASE_FAILS(queue_baseline_remove(farm->queue, "release", &farm->err), &farm->err, ERR_NOT_FOUND,
               "release");
    queue_farm_commit(farm);
    BASE_FAILS(queue_baseline_get(farm->queue, "release", &run, &farm->err), &farm->err,
               ERR_NOT_FOUND, "release");
}

struct change {
    enum queue_change change;
    uint64_t count, since;
};

static bool take_change(void *context, const struct queue_difference *difference)
{
    struct change *change = context;

    *change = (struct change){difference->change, change->count + 1, difference->since};
    return true;
}

static struct change held_against(struct queue_farm *farm, uint64_t run, const char *baseline)
{
    struct queue_comparison comparison = {.run = run, .baseline = baseline};
    struct change change = {.count = 0};

    BASE_OK(queue_compare(farm->queue, &comparison, take_change, &change, &farm->err), &farm->err);
    return change;
}

QUEUE_FARM_TEST(run_is_held_against_the_baseline_and_not_the_run_before_it)
{
    uint64_t good = run_one(farm, VERDICT_PASS), began = run_one(farm, VERDICT_FAIL);
    uint64_t now = run_one(farm, VERDICT_FAIL);

    set(farm, "good", good);
    set(farm, "bad", began);
    struct change change = held_against(farm, now, "good");
    assert_int_equal(change.count, 1);
    assert_int_equal(change.change, QUEUE_NEWLY_FAILING);
    assert_int_equal(change.since, began); /* new to the baseline, but not of today */
    change = held_against(farm, now, "bad");
    assert_int_equal(change.change, QUEUE_STILL_FAILING);
    change = held_against(farm, run_one(farm, VERDICT_PASS), "bad");
    assert_int_equal(change.change, QUEUE_FIXED);
    /* A run is no different from itself. */
    assert_int_equal(held_against(farm, good, "good").count, 0);
}

static bool count_number(void *context, uint64_t number)
{
    (void)number;
    ++*(uint64_t *)context;
    return true;
}

QUEUE_FARM_TEST(baseline_keeps_its_run_until_it_is_moved)
{
    const struct queue_retention policy = {.runs = 1};
    uint64_t one = run_one(farm, VERDICT_PASS), two = run_one(farm, VERDICT_PASS), count = 0;

    set(farm, "release", one);
    BASE_OK(queue_old_runs(farm->queue, &policy, count_number, &count, &farm->err), &farm->err);
    assert_int_equal(count, 0);
    set(farm, "release", two);
    BASE_OK(queue_old_runs(farm->queue, &policy, count_number, &count, &farm->err), &farm->err);
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(baseline_names_a_run_and_moves_when_set_again),
        cmocka_unit_test(baselines_are_listed_by_name),
        cmocka_unit_test(only_a_run_that_is_done_can_be_a_baseline),
        cmocka_unit_test(baseline_that_is_removed_is_gone),
        cmocka_unit_test(run_is_held_against_the_baseline_and_not_the_run_before_it),
        cmocka_unit_test(baseline_keeps_its_run_until_it_is_moved),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
