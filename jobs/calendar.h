/* calendar.h — days and dates of the Gregorian calendar, without the C library's clock. Private to
 * jobs/. */
#ifndef THAW_JOBS_CALENDAR_H
#define THAW_JOBS_CALENDAR_H

#include <stdbool.h>
#include <stdint.h>

#define DAY_SECONDS INT64_C(86400)

struct calendar_date {
    int64_t year;
    int32_t month; /* 1 to 12 */
    int32_t day;   /* 1 to 31 */
};

/* Days since 1970-01-01. */
int64_t calendar_days(int64_t year, int32_t month, int32_t day);
struct calendar_date calendar_date(int64_t days);
/* Sunday 0. */
int32_t calendar_weekday(int64_t days);
int32_t calendar_month_days(int64_t year, int32_t month);
bool calendar_is_leap(int64_t year);
/* The day a second lies in: rounds down before 1970 too. */
int64_t calendar_day_of(int64_t seconds);

#endif
