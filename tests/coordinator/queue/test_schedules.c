/* Schedules: when one starts, what was missed, what is wrong with one. The 400 nights of
 * test_nights go over all of it together. */
#include "coordinator/queue/nights.h"
#include "tests/support/queue_farm.h"

#include <stdio.h>
#include <string.h>

#define NOON  1700049600 /* 15 November 2023, 12:00 UTC */
#define DAY_S 86400

struct starts {
    struct queue_farm *farm;
    int64_t slots[8];
    size_t count;
    enum err_kind fails; /* instead of starting */
    bool twice;          /* tries the same again */
};

static bool start(void *context, const struct queue_schedule *schedule, int64_t slot_s,
                  struct err *err)
{
    struct starts *starts = context;
    struct queue_job_request job = queue_farm_job("a");
    struct queue_run_request request = {.name = schedule->name,
                                        .submitter = "s",
                                        .jobs = &job,
                                        .job_count = 1,
                                        .schedule = schedule->id,
                                        .slot_s = slot_s};
    struct queue_submitted out;

    assert_string_equal((const char *)schedule->request.data, "what to submit");
    assert_true(starts->count < 8);
    starts->slots[starts->count++] = slot_s;
    if (starts->fails != ERR_NONE)
        return err_set(err, starts->fails, "it does not go");
    if (!queue_run_submit(starts->farm->queue, &request, &out, err))
        return false;
    if (starts->twice)
        BASE_FAILS(queue_run_submit(starts->farm->queue, &request, &out, err), err, ERR_CONFLICT,
                   "started for that time before");
    return true;
}

static struct queue_schedule nightly(enum job_missed missed)
{
    static const char text[] = "what to submit";

    return (struct queue_schedule){.name = "nightly",
                                   .cron = "0 3 * * *",
                                   .time_zone = "UTC",
                                   .missed = missed,
                                   .request = {(const uint8_t *)text, sizeof(text)}};
}

static void set(struct queue_farm *farm, const struct queue_schedule *schedule)
{
    uint64_t id;

    queue_farm_begin(farm);
    BASE_OK(queue_schedule_set(farm->queue, schedule, &id, &farm->err), &farm->err);
    queue_farm_commit(farm);
}

static void pause_it(struct queue_farm *farm, bool paused)
{
    queue_farm_begin(farm);
    BASE_OK(queue_schedule_pause(farm->queue, "nightly", paused, &farm->err), &farm->err);
    queue_farm_commit(farm);
}

/* It is that time; how many have started so far? */
static size_t at(struct starts *starts, int64_t now_s)
{
    struct queue_farm *farm = starts->farm;

    farm->wall_ns = (uint64_t)now_s * QUEUE_FARM_SECOND;
    queue_farm_begin(farm);
    BASE_OK(queue_nights(farm->queue, start, starts, &farm->err), &farm->err);
    queue_farm_commit(farm);
    return starts->count;
}

static bool copy_schedule(void *context, const struct queue_schedule *schedule)
{
    static char error[256];
    struct queue_schedule *out = context;

    *out = *schedule;
    snprintf(error, sizeof(error), "%s", schedule->error);
    out->error = error;
    return false;
}

static struct queue_schedule only(struct queue_farm *farm)
{
    struct queue_schedule out = {.id = 0};

    BASE_OK(queue_schedules_each(farm->queue, copy_schedule, &out, &farm->err), &farm->err);
    return out;
}

#define TOMORROW_3 ((int64_t)NOON + 15 * 3600)

static void begin_at_noon(struct queue_farm *farm, enum job_missed missed)
{
    struct queue_schedule schedule = nightly(missed);

    farm->wall_ns = (uint64_t)NOON * QUEUE_FARM_SECOND;
    set(farm, &schedule);
}

QUEUE_FARM_TEST(start_is_at_its_second_and_once)
{
    struct starts starts = {.farm = farm, .twice = true};

    begin_at_noon(farm, JOB_MISSED_SKIP);
    assert_int_equal(queue_nights_next(farm->queue), TOMORROW_3);
    assert_int_equal(at(&starts, NOON), 0);
    assert_int_equal(at(&starts, TOMORROW_3 - 1), 0);
    assert_int_equal(at(&starts, TOMORROW_3), 1);
    assert_int_equal(starts.slots[0], TOMORROW_3);
    assert_int_equal(at(&starts, TOMORROW_3), 1);
    assert_int_equal(at(&starts, TOMORROW_3 - 7200), 1); /* set back */
    assert_int_equal(at(&starts, TOMORROW_3 + 1), 1);
    assert_int_equal(queue_nights_next(farm->queue), TOMORROW_3 + DAY_S);
    assert_int_equal(only(farm).last_slot_s, TOMORROW_3);
    assert_true(only(farm).last_run != 0);
}

QUEUE_FARM_TEST(start_that_is_late_by_a_minute_was_not_missed)
{
    struct starts starts = {.farm = farm};

    begin_at_noon(farm, JOB_MISSED_SKIP);
    assert_int_equal(at(&starts, TOMORROW_3 + QUEUE_LATE_S), 1);
    assert_int_equal(at(&starts, TOMORROW_3 + DAY_S + QUEUE_LATE_S + 1), 1); /* skipped */
    assert_int_equal(only(farm).last_slot_s, TOMORROW_3);
    assert_int_equal(at(&starts, TOMORROW_3 + 2 * DAY_S), 2);
}

QUEUE_FARM_TEST(of_what_was_missed_the_last_is_caught_up)
{
    struct starts starts = {.farm = farm};

    begin_at_noon(farm, JOB_MISSED_RUN);
    queue_farm_restart(farm);
    assert_int_equal(at(&starts, TOMORROW_3 + 5 * DAY_S + 3600), 1);
    assert_int_equal(starts.slots[0], TOMORROW_3 + 5 * DAY_S);
    assert_int_equal(queue_nights_next(farm->queue), TOMORROW_3 + 6 * DAY_S);
}

QUEUE_FARM_TEST(paused_schedule_misses_nothing)
{
    struct starts starts = {.farm = farm};

    begin_at_noon(farm, JOB_MISSED_RUN);
    pause_it(farm, true);
    assert_int_equal(queue_nights_next(farm->queue), INT64_MAX);
    assert_int_equal(at(&starts, TOMORROW_3 + 3600), 0);
    pause_it(farm, false);
    assert_int_equal(at(&starts, TOMORROW_3 + 3601), 0);
    assert_int_equal(at(&starts, TOMORROW_3 + DAY_S), 1);
}

QUEUE_FARM_TEST(start_that_fails_uses_its_time_up_and_says_why)
{
    struct starts starts = {.farm = farm, .fails = ERR_INVALID};

    begin_at_noon(farm, JOB_MISSED_RUN);
    assert_int_equal(at(&starts, TOMORROW_3), 1);
    assert_non_null(strstr(only(farm).error, "it does not go"));
    assert_int_equal(at(&starts, TOMORROW_3 + 1), 1);
    starts.fails = ERR_NONE;
    assert_int_equal(at(&starts, TOMORROW_3 + DAY_S), 2);
    assert_string_equal(only(farm).error, "");
}

QUEUE_FARM_TEST(schedule_that_is_set_again_starts_by_the_new_one)
{
    struct queue_schedule later = nightly(JOB_MISSED_RUN);
    struct starts starts = {.farm = farm};

    begin_at_noon(farm, JOB_MISSED_RUN);
    assert_int_equal(at(&starts, TOMORROW_3), 1);
    uint64_t id = only(farm).id, run = only(farm).last_run;
    later.cron = "0 4 * * *";
    set(farm, &later);
    assert_int_equal(only(farm).id, id);
    assert_int_equal(only(farm).last_run, run);
    assert_int_equal(queue_nights_next(farm->queue), TOMORROW_3 + 3600);
    assert_int_equal(at(&starts, TOMORROW_3 + 3600), 2);
}

QUEUE_FARM_TEST(removed_schedule_starts_nothing_more)
{
    struct starts starts = {.farm = farm};

    begin_at_noon(farm, JOB_MISSED_RUN);
    queue_farm_begin(farm);
    BASE_OK(queue_schedule_remove(farm->queue, "nightly", &farm->err), &farm->err);
    BASE_FAILS(queue_schedule_remove(farm->queue, "nightly", &farm->err), &farm->err, ERR_NOT_FOUND,
               "nightly");
    BASE_FAILS(queue_schedule_pause(farm->queue, "nightly", true, &farm->err), &farm->err,
               ERR_NOT_FOUND, "nightly");
    queue_farm_commit(farm);
    assert_int_equal(at(&starts, TOMORROW_3), 0);
    assert_int_equal(queue_nights_next(farm->queue), INT64_MAX);
}

static void refuse(struct queue_farm *farm, const struct queue_schedule *schedule,
                   enum err_kind kind, const char *part)
{
    uint64_t id;

    queue_farm_begin(farm);
    BASE_FAILS(queue_schedule_set(farm->queue, schedule, &id, &farm->err), &farm->err, kind, part);
    queue_farm_commit(farm);
    assert_int_equal(queue_nights_next(farm->queue), INT64_MAX);
}

QUEUE_FARM_TEST(wrong_schedules_are_refused)
{
    struct queue_schedule schedule = nightly(JOB_MISSED_RUN);
    char text[QUEUE_CRON_MAX + 2];

    memset(text, '*', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    schedule.cron = "0 25 * * *";
    refuse(farm, &schedule, ERR_INVALID, "hour");
    schedule.cron = "0 0 30 2 *";
    refuse(farm, &schedule, ERR_INVALID, "schedule nightly");
    schedule.cron = text;
    refuse(farm, &schedule, ERR_TOO_BIG, "too long");
    schedule = nightly(JOB_MISSED_RUN);
    schedule.time_zone = "../etc/passwd";
    refuse(farm, &schedule, ERR_INVALID, "nightly");
    schedule.time_zone = "Middle/Earth";
    refuse(farm, &schedule, ERR_NOT_FOUND, "Middle/Earth");
    schedule = nightly(JOB_MISSED_RUN);
    schedule.name = "";
    refuse(farm, &schedule, ERR_INVALID, "name");
    schedule.name = "big";
    schedule.request.size = QUEUE_SCHEDULE_MAX + 1;
    refuse(farm, &schedule, ERR_TOO_BIG, "too long");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_is_at_its_second_and_once),
        cmocka_unit_test(start_that_is_late_by_a_minute_was_not_missed),
        cmocka_unit_test(of_what_was_missed_the_last_is_caught_up),
        cmocka_unit_test(paused_schedule_misses_nothing),
        cmocka_unit_test(start_that_fails_uses_its_time_up_and_says_why),
        cmocka_unit_test(schedule_that_is_set_again_starts_by_the_new_one),
        cmocka_unit_test(removed_schedule_starts_nothing_more),
        cmocka_unit_test(wrong_schedules_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
