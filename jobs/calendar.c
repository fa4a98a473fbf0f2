#include "jobs/calendar.h"

bool calendar_is_leap(int64_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int32_t calendar_month_days(int64_t year, int32_t month)
{
    static const int32_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && calendar_is_leap(year) ? 1 : 0);
}

static int64_t floor_divide(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0 ? 1 : 0);
}

int64_t calendar_day_of(int64_t seconds)
{
    return floor_divide(seconds, DAY_SECONDS);
}

/* Leap days before 1 January of the year, counted from year 1. */
static int64_t leap_days_before(int64_t year)
{
    int64_t last = year - 1;

    return floor_divide(last, 4) - floor_divide(last, 100) + floor_divide(last, 400);
}

static int64_t days_before_year(int64_t year)
{
    return (year - 1970) * 365 + leap_days_before(year) - leap_days_before(1970);
}

int64_t calendar_days(int64_t year, int32_t month, int32_t day)
{
    int64_t days = days_before_year(year) + day - 1;

    for (int32_t i = 1; i < month; i++)
        days += calendar_month_days(year, i);
    return days;
}

struct calendar_date calendar_date(int64_t days)
{
    /* A guess from the mean length of a year is off by one at most. */
    struct calendar_date date = {1970 + floor_divide(days * 400, 146097), 1, 1};

    while (days_before_year(date.year) > days)
        date.year--;
    while (days_before_year(date.year + 1) <= days)
        date.year++;
    days -= days_before_year(date.year);
    while (days >= calendar_month_days(date.year, date.month))
        days -= calendar_month_days(date.year, date.month++);
    date.day = (int32_t)days + 1;
    return date;
}

int32_t calendar_weekday(int64_t days)
{
    int64_t since_sunday = (days + 4) % 7; /* 1970-01-01 was a Thursday */

    return (int32_t)(since_sunday < 0 ? since_sunday + 7 : since_sunday);
}
