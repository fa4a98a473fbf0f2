/* cron.h — when a schedule starts next: a cron expression in a time zone.
 *
 * Five fields (minute, hour, day of month, month, day of week), each `*`, a number, a range `a-b`,
 * a list `a,b`, a step `*` `/n` or `a-b/n`; months and days of the week by their English names too
 * (three letters); Sunday is 0 or 7. When both days are restricted, either will do, as cron(5) has
 * it. Also @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually. A date that never
 * comes (30 February) is an error.
 *
 * Time zones are those of the tz database (RFC 8536 files under /usr/share/zoneinfo), read here,
 * with bounds, so that no global state of the C library is touched. A time that a change of clocks
 * skips starts once, at the instant the change happens; a time that comes twice starts once, the
 * first time. A schedule that names every hour or every minute goes by the instants themselves. */
#ifndef THAW_JOBS_CRON_H
#define THAW_JOBS_CRON_H

#include "jobs/time_zone.h"

struct cron {
    uint64_t minutes; /* bit n: minute n */
    uint32_t hours;   /* bit n */
    uint32_t days;    /* bit n: day n of the month, from 1 */
    uint16_t months;  /* bit n: month n, from 1 */
    uint8_t weekdays; /* bit n, Sunday 0 */
    bool any_day;     /* the day of the month is not restricted */
    bool any_weekday;
};

/* ERR_INVALID says which field, and what is wrong with it. */
bool cron_parse(const char *text, struct cron *out, struct err *err);
/* The first start after (not at) the instant, in seconds since 1970 UTC. ERR_NOT_FOUND if there is
 * none in the next 30 years. */
bool cron_next(const struct cron *cron, const struct time_zone *zone, int64_t after_s, int64_t *out,
               struct err *err);

#endif
