#include "jobs/time_rule.h"

#include "jobs/calendar.h"

#include <string.h>

#define HOUR         3600
#define DEFAULT_TIME (2 * HOUR)
#define HOURS_MAX    167 /* of a rule's time */
#define OFFSET_HOURS 24
/* Beyond this no year can be computed without overflow. */
#define INSTANT_LIMIT (INT64_C(1) << 55)

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* `CET` or `<+03>`. */
static bool skip_name(const char **at)
{
    const char *start = *at;

    if (**at == '<') {
        const char *end = strchr(*at, '>');

        if (end == NULL || end == start + 1)
            return false;
        *at = end + 1;
        return true;
    }
    while (is_letter(**at))
        (*at)++;
    return *at - start >= 3;
}

static bool read_number(const char **at, int32_t max, int32_t *out)
{
    const char *start = *at;

    *out = 0;
    while (**at >= '0' && **at <= '9') {
        *out = *out * 10 + (*(*at)++ - '0');
        if (*out > max)
            return false;
    }
    return *at != start;
}

/* `[+-]hh[:mm[:ss]]` in seconds. */
static bool read_time(const char **at, int32_t hours_max, int32_t *out)
{
    int32_t sign = **at == '-' ? -1 : 1;
    int32_t part = 0;

    if (**at == '-' || **at == '+')
        (*at)++;
    if (!read_number(at, hours_max, &part))
        return false;
    *out = part * HOUR;
    for (int32_t unit = 60; unit >= 1 && **at == ':'; unit /= 60) {
        (*at)++;
        if (!read_number(at, 59, &part))
            return false;
        *out += part * unit;
    }
    *out *= sign;
    return true;
}

static bool read_part(const char **at, char before, int32_t min, int32_t max, int32_t *out)
{
    if (*(*at)++ != before)
        return false;
    return read_number(at, max, out) && *out >= min;
}

static bool read_date(const char **at, struct time_rule_date *out)
{
    bool ok;

    if (*(*at)++ != ',')
        return false;
    out->time = DEFAULT_TIME;
    if (**at == 'M') {
        out->kind = RULE_MONTH;
        ok = read_part(at, 'M', 1, 12, &out->month) && read_part(at, '.', 1, 5, &out->week) &&
             read_part(at, '.', 0, 6, &out->day);
    } else if (**at == 'J') {
        out->kind = RULE_JULIAN;
        ok = read_part(at, 'J', 1, 365, &out->day);
    } else {
        out->kind = RULE_DAY;
        ok = read_number(at, 365, &out->day);
    }
    if (!ok || **at != '/')
        return ok;
    (*at)++;
    return read_time(at, HOURS_MAX, &out->time);
}

static bool parse(const char *at, struct time_rule *out)
{
    int32_t west;

    if (!skip_name(&at) || !read_time(&at, OFFSET_HOURS, &west))
        return false;
    out->standard = -west;
    out->has_summer = *at != '\0';
    if (!out->has_summer)
        return true;
    if (!skip_name(&at))
        return false;
    out->summer = out->standard + HOUR;
    if (*at != ',') {
        if (!read_time(&at, OFFSET_HOURS, &west))
            return false;
        out->summer = -west;
    }
    return read_date(&at, &out->begin) && read_date(&at, &out->end) && *at == '\0';
}

bool time_rule_parse(const char *text, struct time_rule *out, struct err *err)
{
    struct time_rule rule = {0};

    if (!parse(text, &rule))
        return err_set(err, ERR_CORRUPT, "`%.100s` is not a rule of a time zone", text);
    *out = rule;
    return true;
}

/* The day of the rule's date in that year. */
static int64_t day_of(const struct time_rule_date *date, int64_t year)
{
    int64_t first;
    int32_t day;

    if (date->kind == RULE_DAY)
        return calendar_days(year, 1, 1) + date->day;
    if (date->kind == RULE_JULIAN)
        return calendar_days(year, 1, 1) + date->day - 1 +
               (calendar_is_leap(year) && date->day >= 60 ? 1 : 0);
    first = calendar_days(year, date->month, 1);
    day = (date->day - calendar_weekday(first) + 7) % 7 + (date->week - 1) * 7;
    while (day >= calendar_month_days(year, date->month))
        day -= 7;
    return first + day;
}

static int64_t begin_of(const struct time_rule *rule, int64_t year)
{
    return day_of(&rule->begin, year) * DAY_SECONDS + rule->begin.time - rule->standard;
}

static int64_t end_of(const struct time_rule *rule, int64_t year)
{
    return day_of(&rule->end, year) * DAY_SECONDS + rule->end.time - rule->summer;
}

static int64_t year_of(const struct time_rule *rule, int64_t instant)
{
    if (instant > INSTANT_LIMIT)
        instant = INSTANT_LIMIT;
    if (instant < -INSTANT_LIMIT)
        instant = -INSTANT_LIMIT;
    return calendar_date(calendar_day_of(instant + rule->standard)).year;
}

int32_t time_rule_offset(const struct time_rule *rule, int64_t instant_s)
{
    int64_t year, latest = INT64_MIN;
    bool summer = false;

    if (!rule->has_summer)
        return rule->standard;
    year = year_of(rule, instant_s);
    /* The last change at or before the instant decides; when both fall together, summer holds. */
    for (int64_t y = year - 1; y <= year + 1; y++) {
        int64_t begin = begin_of(rule, y), end = end_of(rule, y);

        if (end <= instant_s && end > latest) {
            latest = end;
            summer = false;
        }
        if (begin <= instant_s && begin >= latest) {
            latest = begin;
            summer = true;
        }
    }
    return summer ? rule->summer : rule->standard;
}

int64_t time_rule_change(const struct time_rule *rule, int64_t after_s)
{
    int32_t now = time_rule_offset(rule, after_s);
    int64_t year, found = INT64_MAX;

    if (!rule->has_summer || rule->summer == rule->standard)
        return INT64_MAX;
    year = year_of(rule, after_s);
    for (int64_t y = year - 1; y <= year + 2; y++) {
        int64_t changes[] = {begin_of(rule, y), end_of(rule, y)};

        for (int i = 0; i < 2; i++) {
            if (changes[i] > after_s && changes[i] < found &&
                time_rule_offset(rule, changes[i]) != now)
                found = changes[i];
        }
    }
    return found;
}
