#include "jobs/calendar.h"
#include "jobs/cron.h"
#include "tests/support/jobs_zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define BERLIN    "CET-1CEST,M3.5.0,M10.5.0/3"
#define NEW_YORK  "EST5EDT,M3.2.0,M11.1.0"
#define LORD_HOWE "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0"
#define HAVANA    "CST5CDT,M3.2.0/0,M11.1.0/1"
#define KOLKATA   "IST-5:30"

static struct time_zone *zone_of(const char *rule)
{
    struct buf bytes = BUF_INIT(4096);
    struct time_zone *zone = NULL;
    struct err err = ERR_INIT;

    jobs_zone_file(rule, &bytes);
    if (!time_zone_parse(buf_span(&bytes), &zone, &err))
        fail_msg("%s: %s", rule, err.text);
    buf_release(&bytes);
    return zone;
}

/* "2026-03-29T01:00:00Z" */
static int64_t instant(const char *text)
{
    int year, month, day, hour, minute, second;

    if (sscanf(text, "%d-%d-%dT%d:%d:%dZ", &year, &month, &day, &hour, &minute, &second) != 6)
        fail_msg("%s", text);
    return calendar_days(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second;
}

static void show(int64_t seconds, char out[32])
{
    int64_t day = calendar_day_of(seconds);
    struct calendar_date date = calendar_date(day);
    int rest = (int)(seconds - day * DAY_SECONDS);

    snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)date.year, date.month, date.day,
             rest / 3600, rest / 60 % 60, rest % 60);
}

/* The starts that follow one another after the first instant, up to the NULL. */
static void starts(const char *expression, const char *rule, const char *const *expected)
{
    struct time_zone *zone = zone_of(rule);
    struct err err = ERR_INIT;
    int64_t at = instant(expected[0]);
    struct cron cron;

    if (!cron_parse(expression, &cron, &err))
        fail_msg("%s: %s", expression, err.text);
    for (size_t i = 1; expected[i] != NULL; i++) {
        char shown[32];

        if (!cron_next(&cron, zone, at, &at, &err))
            fail_msg("%s: %s", expression, err.text);
        show(at, shown);
        if (strcmp(shown, expected[i]) != 0)
            fail_msg("%s: start %zu is %s, not %s", expression, i, shown, expected[i]);
    }
    time_zone_free(zone);
}
#define STARTS(expression, rule, ...)                                                              \
    starts(expression, rule, (const char *const[]){__VA_ARGS__, NULL})

static void refuses(const char *expression, const char *because)
{
    struct err err = ERR_INIT;
    struct cron cron;

    if (cron_parse(expression, &cron, &err))
        fail_msg("taken: %s", expression);
    assert_int_equal(err.kind, ERR_INVALID);
    if (strstr(err.text, because) == NULL)
        fail_msg("%s: %s; expected: %s", expression, err.text, because);
}

static void plain_schedules_start_on_time(void **state)
{
    (void)state;
    STARTS("0 3 * * *", "UTC0", "2026-01-01T00:00:00Z", "2026-01-01T03:00:00Z",
           "2026-01-02T03:00:00Z", "2026-01-03T03:00:00Z");
    STARTS("*/20 1-2 * * *", "UTC0", "2026-01-01T01:00:00Z", "2026-01-01T01:20:00Z",
           "2026-01-01T01:40:00Z", "2026-01-01T02:00:00Z", "2026-01-01T02:20:00Z",
           "2026-01-01T02:40:00Z", "2026-01-02T01:00:00Z");
    STARTS("5,10-12,50-59/5 0 1 1 *", "UTC0", "2025-12-31T23:59:59Z", "2026-01-01T00:05:00Z",
           "2026-01-01T00:10:00Z", "2026-01-01T00:11:00Z", "2026-01-01T00:12:00Z",
           "2026-01-01T00:50:00Z", "2026-01-01T00:55:00Z", "2027-01-01T00:05:00Z");
    STARTS("30 22 * * mon-fri", "UTC0", "2026-11-20T22:30:00Z", "2026-11-23T22:30:00Z",
           "2026-11-24T22:30:00Z");
    STARTS("0 0 * jan,JUL sun", "UTC0", "2026-01-25T00:00:00Z", "2026-07-05T00:00:00Z");
    STARTS("0 0 * * 7", "UTC0", "2026-11-23T00:00:00Z", "2026-11-29T00:00:00Z");
    STARTS("0 6 * * *", KOLKATA, "2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z");
}

static void nicknames_stand_for_expressions(void **state)
{
    (void)state;
    STARTS("@hourly", "UTC0", "2026-01-01T00:30:00Z", "2026-01-01T01:00:00Z");
    STARTS("@daily", "UTC0", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    STARTS("@midnight", "UTC0", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
    STARTS("@weekly", "UTC0", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z");
    STARTS("@monthly", "UTC0", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    STARTS("@yearly", "UTC0", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    STARTS("@Annually", "UTC0", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
}

/* crontab(5): when neither field of days has a star, either will do. */
static void restricted_days_are_either_or(void **state)
{
    (void)state;
    STARTS("0 0 13 * 5", "UTC0", "2026-11-01T00:00:00Z", "2026-11-06T00:00:00Z",
           "2026-11-13T00:00:00Z", "2026-11-20T00:00:00Z", "2026-11-27T00:00:00Z",
           "2026-12-04T00:00:00Z", "2026-12-11T00:00:00Z", "2026-12-13T00:00:00Z");
    STARTS("0 0 1-7 * */7", "UTC0", "2026-11-02T00:00:00Z", "2026-12-06T00:00:00Z");
}

static void leap_days_come_in_leap_years(void **state)
{
    (void)state;
    STARTS("0 0 29 2 *", "UTC0", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z",
           "2032-02-29T00:00:00Z");
    STARTS("0 0 29 2 *", "UTC0", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z");
    STARTS("0 0 31 * *", "UTC0", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z",
           "2026-05-31T00:00:00Z");
    /* on a Sunday only: every 28 years, over 2100 it takes 40 */
    STARTS("0 0 29 2 */7", "UTC0", "2026-01-01T00:00:00Z", "2032-02-29T00:00:00Z",
           "2060-02-29T00:00:00Z", "2088-02-29T00:00:00Z", "2128-02-29T00:00:00Z");
}

/* Berlin: 2026-03-29 01:00 UTC, 02:00 becomes 03:00; 2026-10-25 01:00 UTC, 03:00 becomes 02:00. */
static void a_skipped_time_starts_once_at_the_change(void **state)
{
    (void)state;
    STARTS("30 2 * * *", BERLIN, "2026-03-28T00:00:00Z", "2026-03-28T01:30:00Z",
           "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z");
    STARTS("*/15 2 * * *", BERLIN, "2026-03-28T01:45:00Z", "2026-03-29T01:00:00Z",
           "2026-03-30T00:00:00Z");
    STARTS("0,30 2,3 * * *", BERLIN, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z",
           "2026-03-29T01:30:00Z", "2026-03-30T00:00:00Z");
    STARTS("30 2 * * *", NEW_YORK, "2026-03-07T12:00:00Z", "2026-03-08T07:00:00Z",
           "2026-03-09T06:30:00Z");
    /* half an hour, the other hemisphere: 2026-10-04 02:00 becomes 02:30 */
    STARTS("15 2 * * *", LORD_HOWE, "2026-10-03T00:00:00Z", "2026-10-03T15:30:00Z",
           "2026-10-04T15:15:00Z");
    /* midnight itself: 2026-03-08 00:00 becomes 01:00 */
    STARTS("0 0 * * *", HAVANA, "2026-03-07T06:00:00Z", "2026-03-08T05:00:00Z",
           "2026-03-09T04:00:00Z");
    STARTS("30 0 8 3 *", HAVANA, "2026-03-08T04:59:59Z", "2026-03-08T05:00:00Z",
           "2027-03-08T05:30:00Z");
}

static void a_time_that_comes_twice_starts_the_first_time(void **state)
{
    (void)state;
    STARTS("30 2 * * *", BERLIN, "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z",
           "2026-10-26T01:30:00Z");
    /* asked between the two */
    STARTS("30 2 * * *", BERLIN, "2026-10-25T00:45:00Z", "2026-10-26T01:30:00Z");
    STARTS("0 2,3 * * *", BERLIN, "2026-10-24T22:00:00Z", "2026-10-25T00:00:00Z",
           "2026-10-25T02:00:00Z", "2026-10-26T01:00:00Z");
    STARTS("30 1 * * *", NEW_YORK, "2026-10-31T12:00:00Z", "2026-11-01T05:30:00Z",
           "2026-11-02T06:30:00Z");
    STARTS("45 1 * * *", LORD_HOWE, "2026-04-04T00:00:00Z", "2026-04-04T14:45:00Z",
           "2026-04-05T15:15:00Z");
    STARTS("30 0 * * *", HAVANA, "2026-10-31T12:00:00Z", "2026-11-01T04:30:00Z",
           "2026-11-02T05:30:00Z");
}

static void every_hour_is_every_hour_that_passes(void **state)
{
    (void)state;
    STARTS("30 * * * *", BERLIN, "2026-03-29T00:00:00Z", "2026-03-29T00:30:00Z",
           "2026-03-29T01:30:00Z", "2026-03-29T02:30:00Z");
    STARTS("30 * * * *", BERLIN, "2026-10-24T23:45:00Z", "2026-10-25T00:30:00Z",
           "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z");
    STARTS("*/30 * * * *", BERLIN, "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z",
           "2026-10-25T01:30:00Z");
    /* an offset of half a minute: hours begin when the clock says so, before and after */
    STARTS("0 * * * *", "AAA0:00:30BBB-1,M3.5.0,M10.5.0", "2026-03-29T00:30:00Z",
           "2026-03-29T01:00:30Z", "2026-03-29T03:00:00Z");
    STARTS("0 * 1 1 *", BERLIN, "2026-01-01T22:30:00Z", "2026-12-31T23:00:00Z");
    STARTS("0 * * * *", KOLKATA, "2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z");
}

/* Every night of a hundred years, over all changes: one start a day, no more, no less. */
static void a_nightly_schedule_starts_once_a_night(void **state)
{
    static const char *const rules[] = {BERLIN, NEW_YORK, LORD_HOWE, HAVANA, KOLKATA};

    (void)state;
    for (size_t i = 0; i < 5; i++) {
        struct time_zone *zone = zone_of(rules[i]);
        int64_t at = instant("2026-01-01T12:00:00Z"), nights = 0;
        int64_t end = instant("2126-01-01T12:00:00Z");
        struct err err = ERR_INIT;
        struct cron cron;

        assert_true(cron_parse("30 2 * * *", &cron, &err));
        while (at < end) {
            int64_t before = at;

            assert_true(cron_next(&cron, zone, at, &at, &err));
            assert_true(at - before <= 26 * 3600);
            nights++;
        }
        assert_int_equal(nights, 36524 + 1); /* the last is past the end */
        time_zone_free(zone);
    }
}

static void impossible_dates_are_refused(void **state)
{
    (void)state;
    refuses("0 0 30 2 *", "never comes");
    refuses("0 0 31 4,6,9,11 *", "never comes");
    refuses("0 0 30-31 feb */2", "never comes");
}

static void mistakes_are_named(void **state)
{
    (void)state;
    refuses("", "there are 0");
    refuses("* * * *", "there are 4");
    refuses("* * * * * *", "there are 6");
    refuses("60 * * * *", "`60` is no minute");
    refuses("* 24 * * *", "`24` is no hour");
    refuses("* * 0 * *", "`0` is no day of the month");
    refuses("* * * 13 *", "`13` is no month");
    refuses("* * * * 8", "`8` is no day of the week");
    refuses("* * * foo *", "`foo` is no month");
    refuses("5-1 * * * *", "backwards");
    refuses("*/0 * * * *", "step");
    refuses("5/10 * * * *", "no minute");
    refuses("1,,2 * * * *", "no minute");
    refuses("*5 * * * *", "no minute");
    refuses("-1 * * * *", "no minute");
    refuses("9999999999 * * * *", "no minute");
    refuses("@reboot", "none of @hourly");
}

static void a_name_of_a_zone_is_not_a_path(void **state)
{
    static const char *const names[] = {
        "",    "/etc/localtime", "../zoneinfo/UTC", "Europe//Berlin",
        "a b", "Europe/",        "posixrules\n"};
    struct time_zone *zone = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct err err = ERR_INIT;

        assert_false(time_zone_load(names[i], &zone, &err));
        assert_int_equal(err.kind, ERR_INVALID);
    }
}

static void an_instant_of_no_calendar_is_refused(void **state)
{
    struct time_zone *zone = zone_of(BERLIN);
    struct err err = ERR_INIT;
    struct cron cron;
    int64_t next;

    (void)state;
    assert_true(cron_parse("0 0 * * *", &cron, &err));
    assert_false(cron_next(&cron, zone, INT64_MAX, &next, &err));
    assert_false(cron_next(&cron, zone, INT64_MIN, &next, &err));
    time_zone_free(zone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_schedules_start_on_time),
        cmocka_unit_test(nicknames_stand_for_expressions),
        cmocka_unit_test(restricted_days_are_either_or),
        cmocka_unit_test(leap_days_come_in_leap_years),
        cmocka_unit_test(a_skipped_time_starts_once_at_the_change),
        cmocka_unit_test(a_time_that_comes_twice_starts_the_first_time),
        cmocka_unit_test(every_hour_is_every_hour_that_passes),
        cmocka_unit_test(a_nightly_schedule_starts_once_a_night),
        cmocka_unit_test(impossible_dates_are_refused),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(a_name_of_a_zone_is_not_a_path),
        cmocka_unit_test(an_instant_of_no_calendar_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
