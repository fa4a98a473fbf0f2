#include "jobs/calendar.h"
#include "jobs/time_zone.h"
#include "storage/base/file.h"
#include "tests/support/jobs_zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

/* Summer time by rules and without, backwards (Dublin's winter time), half hours, a day left out
 * (Apia), a rule made by decree (Casablanca), changes at midnight. */
static const char *const zones[] = {"Europe/Berlin",     "America/New_York", "Australia/Lord_Howe",
                                    "Asia/Kolkata",      "Pacific/Apia",     "Europe/Dublin",
                                    "Africa/Casablanca", "America/Santiago", "America/St_Johns",
                                    "Asia/Tehran",       "Antarctica/Troll", "Asia/Gaza",
                                    "Pacific/Kiritimati"};

static bool have_database(void)
{
    return file_exists(TIME_ZONE_FOLDER "/Europe/Berlin");
}

static int64_t offset_by_the_c_library(int64_t instant)
{
    time_t when = (time_t)instant;
    struct tm local;

    assert_non_null(localtime_r(&when, &local));
    return local.tm_gmtoff;
}

static void offsets_are_those_of_the_c_library(void **state)
{
    (void)state;
    if (!have_database())
        skip();
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        struct time_zone *zone = NULL;
        struct err err = ERR_INIT;

        if (!time_zone_load(zones[i], &zone, &err))
            fail_msg("%s", err.text);
        setenv("TZ", zones[i], 1);
        tzset();
        /* from 1900 to 2200, a step that meets every hour of the day */
        for (int64_t t = INT64_C(-2208988800); t < INT64_C(7258118400); t += 3600 * 7) {
            if (time_zone_offset(zone, t) != offset_by_the_c_library(t))
                fail_msg("%s at %lld: %d, not %d", zones[i], (long long)t,
                         time_zone_offset(zone, t), (int)offset_by_the_c_library(t));
        }
        time_zone_free(zone);
    }
}

static void a_change_is_where_the_offset_changes(void **state)
{
    (void)state;
    if (!have_database())
        skip();
    for (size_t i = 0; i < sizeof zones / sizeof zones[0]; i++) {
        int64_t end = INT64_C(4102444800), at = 0; /* 1970 to 2100 */
        struct time_zone *zone = NULL;
        struct err err = ERR_INIT;

        assert_true(time_zone_load(zones[i], &zone, &err));
        while (at < end) {
            int64_t change = time_zone_change(zone, at);
            int64_t last = change < end ? change : end;

            for (int64_t t = at; t < last; t += 3600)
                assert_int_equal(time_zone_offset(zone, t), time_zone_offset(zone, at));
            if (change != INT64_MAX)
                assert_int_not_equal(time_zone_offset(zone, change),
                                     time_zone_offset(zone, change - 1));
            at = change;
        }
        time_zone_free(zone);
    }
}

static void a_rule_holds_for_ever(void **state)
{
    static const struct {
        const char *rule;
        int64_t instant;
        int32_t offset;
    } rows[] = {
        {"UTC0", 0, 0},
        {"<-03>3", 0, -10800},
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1774745999, 3600}, /* 2026-03-29T00:59:59Z */
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1774746000, 7200},
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1792889999, 7200}, /* 2026-10-25T00:59:59Z */
        {"CET-1CEST,M3.5.0,M10.5.0/3", 1792890000, 3600},
        {"AAA3BBB,J60,J300", 1772334000 - 86400 + 18000 - 1, -10800}, /* 1 March, 02:00 */
        /* J60 is 1 March in leap years too: 2028-03-01T05:00:00Z */
        {"AAA3BBB,J60,J300", 1835499600 - 1, -10800},
        {"AAA3BBB,J60,J300", 1835499600, -7200},
        {"AAA3BBB2:30,59/0,300", 1772334000, -9000},
        {"XXX3EDT4,0/0,J365/23", 1800000000, -14400}, /* summer time all year (RFC 8536, 3.3.1) */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1774745999, -7200}, /* America/Nuuk */
        {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 1774746000, -3600},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct buf bytes = BUF_INIT(4096);
        struct time_zone *zone = NULL;
        struct err err = ERR_INIT;

        jobs_zone_file(rows[i].rule, &bytes);
        if (!time_zone_parse(buf_span(&bytes), &zone, &err))
            fail_msg("%s", err.text);
        if (time_zone_offset(zone, rows[i].instant) != rows[i].offset)
            fail_msg("%s at %lld: %d", rows[i].rule, (long long)rows[i].instant,
                     time_zone_offset(zone, rows[i].instant));
        time_zone_offset(zone, INT64_MAX);
        time_zone_offset(zone, INT64_MIN);
        time_zone_change(zone, INT64_MAX);
        time_zone_free(zone);
        buf_release(&bytes);
    }
}

static void nonsense_is_refused(void **state)
{
    static const char *const rules[] = {"X1",
                                        "CET",
                                        "CET-25",
                                        "CET-1CEST,M3.5.0",
                                        "CET1CEST",
                                        "CET-1CEST,M13.1.0,M1.1.0",
                                        "CET-1CEST,J0,J1",
                                        "CET-1CEST,M3.5.0/168,M10.5.0",
                                        "<>1",
                                        "<CET1"};

    (void)state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        struct buf bytes = BUF_INIT(4096);
        struct time_zone *zone = NULL;
        struct err err = ERR_INIT;

        jobs_zone_file(rules[i], &bytes);
        if (time_zone_parse(buf_span(&bytes), &zone, &err))
            fail_msg("taken: %s", rules[i]);
        assert_int_equal(err.kind, ERR_CORRUPT);
        buf_release(&bytes);
    }
}

static void every_truncation_is_refused(void **state)
{
    struct buf bytes = BUF_INIT(TIME_ZONE_BYTES_MAX);
    struct err err = ERR_INIT;

    (void)state;
    if (!have_database())
        skip();
    assert_true(file_read(TIME_ZONE_FOLDER "/America/Santiago", &bytes, &err));
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *cut = malloc(size + 1);
        struct time_zone *zone = NULL;

        memcpy(cut, bytes.data, size);
        err = (struct err)ERR_INIT;
        assert_false(time_zone_parse((struct span){cut, size}, &zone, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
        free(cut);
    }
    buf_release(&bytes);
}

static void days_and_dates_agree(void **state)
{
    struct calendar_date last = calendar_date(-800000);

    (void)state;
    for (int64_t day = -799999; day < 800000; day++) {
        struct calendar_date date = calendar_date(day);
        bool next_day =
            date.year == last.year && date.month == last.month && date.day == last.day + 1;
        bool next_month = date.day == 1 && last.day == calendar_month_days(last.year, last.month);

        if (!next_day && !next_month)
            fail_msg("%lld", (long long)day);
        assert_int_equal(calendar_days(date.year, date.month, date.day), day);
        last = date;
    }
    assert_int_equal(calendar_days(2026, 11, 23), 20780);
    assert_int_equal(calendar_weekday(20780), 1);
    assert_int_equal(calendar_weekday(-1), 3);
    assert_int_equal(calendar_day_of(-1), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_are_those_of_the_c_library),
        cmocka_unit_test(a_change_is_where_the_offset_changes),
        cmocka_unit_test(a_rule_holds_for_ever),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(days_and_dates_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
