/* cron.h — when a schedule starts next: a cron expression in a time zone.
 *
 * Five fields (minute, hour, day of month, month, day of week), each a list of `*`, numbers and
 * ranges `a-b`, the last two with a step behind a slash; months and days of the week by their
 * English names too (three letters); Sunday is 0 or 7. When neither day has a `*` in it, either
 * will do, else both must be right, as crontab(5) has it. Also @hourly, @daily, @midnight, @weekly,
 * @monthly, @yearly, @annually. A date that never comes (30 February) is an error.
 *
 * Time zones are those of the tz database, see time_zone.h. A time that a change of clocks skips
 * starts once, at the instant of the change (also when several are skipped); a time that comes
 * twice starts once, the first time. But a schedule of every hour (`*` in the hour's field) goes by
 * the hours that pass: none is missed, and none comes twice. */
#ifndef THAW_JOBS_CRON_H
#define THAW_JOBS_CRON_H

#include "jobs/time_zone.h"

struct cron {
    uint64_t minutes; /* bit n: minute n */
    uint32_t hours;   /* bit n */
    uint32_t days;    /* bit n: day n of the month, from 1 */
    uint16_t months;  /* bit n: month n, from 1 */
    uint8_t weekdays; /* bit n, Sunday 0 */
    bool every_hour;  /* the hour's field is `*` */
    bool either_day;  /* no `*` in either field of days */
};

/* ERR_INVALID says which field, and what is wrong with it. */
bool cron_parse(const char *text, struct cron *out, struct err *err);
/* The first start after (not at) the instant, in seconds since 1970 UTC. ERR_NOT_FOUND if there is
 * none in the next 50 years: a 29 February that must be a Monday comes within that. */
bool cron_next(const struct cron *cron, const struct time_zone *zone, int64_t after_s, int64_t *out,
               struct err *err);

#endif
