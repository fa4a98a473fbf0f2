#include "jobs/cron.h"

#include "jobs/calendar.h"

#include <string.h>
#include <strings.h>

#define TEXT_MAX   256u
#define MINUTE     INT64_C(60)
#define DAYS_AHEAD (50 * 366)
/* Seconds far from what 64 bits hold, so that nothing here overflows: the year 100,000. */
#define INSTANT_MAX INT64_C(3093527980800)

static const char *const month_names[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                          "jul", "aug", "sep", "oct", "nov", "dec"};
static const char *const weekday_names[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct field {
    const char *what;
    uint32_t min, max;
    const char *const *names; /* of min, min + 1, …; NULL: none */
    uint32_t name_count;
};
enum { MINUTE_FIELD, HOUR_FIELD, DAY_FIELD, MONTH_FIELD, WEEKDAY_FIELD, FIELDS };

static const struct field fields[FIELDS] = {
    {"minute", 0, 59, NULL, 0},
    {"hour", 0, 23, NULL, 0},
    {"day of the month", 1, 31, NULL, 0},
    {"month", 1, 12, month_names, 12},
    {"day of the week", 0, 7, weekday_names, 7},
};

static bool wrong(const struct field *field, const char *text, struct err *err)
{
    return err_set(err, ERR_INVALID, "`%.40s` is no %s: %u to %u, `*`, a range, a list or a step",
                   text, field->what, field->min, field->max);
}

static bool read_value(const struct field *field, const char **at, uint32_t *out)
{
    uint32_t value = 0;
    size_t digits = strspn(*at, "0123456789");

    if (digits == 0) {
        for (uint32_t i = 0; i < field->name_count; i++) {
            if (strncasecmp(*at, field->names[i], 3) == 0) {
                *at += 3;
                *out = field->min + i;
                return true;
            }
        }
        return false;
    }
    if (digits > 3)
        return false;
    for (size_t i = 0; i < digits; i++)
        value = value * 10 + (uint32_t)(*(*at)++ - '0');
    *out = value;
    return value >= field->min && value <= field->max;
}

/* One part of a list: `*`, `a`, `a-b`, each but `a` with `/n`. */
static bool read_part(const struct field *field, const char *text, uint64_t *bits, struct err *err)
{
    uint32_t first = field->min, last = field->max, step = 1;
    const char *at = text;
    bool range = *at == '*';

    if (range) {
        at++;
        last -= field == &fields[WEEKDAY_FIELD] ? 1 : 0; /* 7 is Sunday again */
    } else {
        if (!read_value(field, &at, &first))
            return wrong(field, text, err);
        last = first;
    }
    if (!range && *at == '-') {
        at++;
        range = true;
        if (!read_value(field, &at, &last))
            return wrong(field, text, err);
        if (last < first)
            return err_set(err, ERR_INVALID, "`%.40s`: the range runs backwards", text);
    }
    if (range && *at == '/') {
        const struct field any = {field->what, 1, field->max, NULL, 0};

        at++;
        if (!read_value(&any, &at, &step))
            return err_set(err, ERR_INVALID, "`%.40s`: a step is a number from 1 to %u", text,
                           field->max);
    }
    if (*at != '\0')
        return wrong(field, text, err);
    for (uint32_t i = first; i <= last; i += step)
        *bits |= UINT64_C(1) << i;
    return true;
}

static bool read_field(const struct field *field, char *text, uint64_t *bits, struct err *err)
{
    *bits = 0;
    while (text != NULL) {
        char *comma = strchr(text, ',');

        if (comma != NULL)
            *comma++ = '\0';
        if (!read_part(field, text, bits, err))
            return false;
        text = comma;
    }
    return true;
}

static const char *without_nickname(const char *text, struct err *err)
{
    static const char *const names[][2] = {
        {"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},   {"@midnight", "0 0 * * *"},
        {"@weekly", "0 0 * * 0"},   {"@monthly", "0 0 1 * *"}, {"@yearly", "0 0 1 1 *"},
        {"@annually", "0 0 1 1 *"},
    };

    if (text[0] != '@')
        return text;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcasecmp(text, names[i][0]) == 0)
            return names[i][1];
    }
    err_set(err, ERR_INVALID,
            "`%.40s` is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually",
            text);
    return NULL;
}

/* Cuts the text at blanks; false unless there are exactly five. */
static bool split(char *text, char *out[FIELDS], struct err *err)
{
    size_t count = 0;
    char *saved = NULL;

    for (char *word = strtok_r(text, " \t", &saved); word != NULL;
         word = strtok_r(NULL, " \t", &saved)) {
        if (count < FIELDS)
            out[count] = word;
        count++;
    }
    return count == FIELDS ||
           err_set(err, ERR_INVALID,
                   "a cron expression has five fields (minute, hour, day of the month, month, day "
                   "of the week); there are %zu",
                   count);
}

static int32_t longest(int32_t month)
{
    return calendar_month_days(2000, month); /* a leap year */
}

/* When the day of the month must be right, some month must have such a day. */
static bool check_days(const struct cron *cron, struct err *err)
{
    if (cron->either_day)
        return true;
    for (int32_t month = 1; month <= 12; month++) {
        if ((cron->months & 1u << month) == 0)
            continue;
        for (int32_t day = 1; day <= longest(month); day++) {
            if ((cron->days & UINT32_C(1) << day) != 0)
                return true;
        }
    }
    return err_set(err, ERR_INVALID, "that date never comes: no such month has such a day");
}

bool cron_parse(const char *text, struct cron *out, struct err *err)
{
    char copy[TEXT_MAX], *words[FIELDS] = {NULL};
    uint64_t bits[FIELDS];
    struct cron cron = {0};
    bool day_star, weekday_star;

    text = without_nickname(text, err);
    if (text == NULL)
        return false;
    if (strlen(text) >= sizeof copy)
        return err_set(err, ERR_INVALID, "a cron expression has at most %u bytes", TEXT_MAX - 1);
    memcpy(copy, text, strlen(text) + 1);
    if (!split(copy, words, err))
        return false;
    cron.every_hour = strcmp(words[HOUR_FIELD], "*") == 0;
    day_star = strchr(words[DAY_FIELD], '*') != NULL;
    weekday_star = strchr(words[WEEKDAY_FIELD], '*') != NULL;
    cron.either_day = !day_star && !weekday_star;
    for (int i = 0; i < FIELDS; i++) {
        if (!read_field(&fields[i], words[i], &bits[i], err))
            return false;
    }
    cron.minutes = bits[MINUTE_FIELD];
    cron.hours = (uint32_t)bits[HOUR_FIELD];
    cron.days = (uint32_t)bits[DAY_FIELD];
    cron.months = (uint16_t)bits[MONTH_FIELD];
    cron.weekdays = (uint8_t)((bits[WEEKDAY_FIELD] | bits[WEEKDAY_FIELD] >> 7) & 0x7f);
    if (!check_days(&cron, err))
        return false;
    *out = cron;
    return true;
}

static bool day_matches(const struct cron *cron, int64_t days)
{
    struct calendar_date date = calendar_date(days);
    bool day = (cron->days & UINT32_C(1) << date.day) != 0;
    bool weekday = (cron->weekdays & 1u << calendar_weekday(days)) != 0;

    if ((cron->months & 1u << date.month) == 0)
        return false;
    return cron->either_day ? day || weekday : day && weekday;
}

/* The instant at which clocks show `local`: the first of two; if none does, the change that skips
 * it. */
static int64_t instant_of(const struct time_zone *zone, int64_t local)
{
    int64_t early = local - time_zone_offset(zone, local - DAY_SECONDS);
    int64_t late = local - time_zone_offset(zone, local + DAY_SECONDS);
    int64_t first = early < late ? early : late, second = early < late ? late : early;

    if (first + time_zone_offset(zone, first) == local)
        return first;
    if (second + time_zone_offset(zone, second) == local)
        return second;
    return time_zone_change(zone, first);
}

/* The first start of that local day after the instant; INT64_MAX: none. */
static int64_t start_in_day(const struct cron *cron, const struct time_zone *zone, int64_t day,
                            int64_t after)
{
    for (int64_t minute = 0; minute < DAY_SECONDS / MINUTE; minute++) {
        int64_t instant;

        if ((cron->hours & UINT32_C(1) << minute / 60) == 0 ||
            (cron->minutes & UINT64_C(1) << minute % 60) == 0)
            continue;
        instant = instant_of(zone, day * DAY_SECONDS + minute * MINUTE);
        if (instant > after)
            return instant;
    }
    return INT64_MAX;
}

static bool next_by_day(const struct cron *cron, const struct time_zone *zone, int64_t after,
                        int64_t *out)
{
    /* A day early: the start of a day may be skipped, and shifted into the next one. */
    int64_t first = calendar_day_of(after + time_zone_offset(zone, after)) - 1;

    for (int64_t day = first; day <= first + DAYS_AHEAD; day++) {
        if (!day_matches(cron, day))
            continue;
        *out = start_in_day(cron, zone, day, after);
        if (*out != INT64_MAX)
            return true;
    }
    return false;
}

/* The next instant at which the local clock shows a whole minute. */
static int64_t next_minute(int64_t after, int64_t offset)
{
    return after + MINUTE - ((after + offset) % MINUTE + MINUTE) % MINUTE;
}

/* By the hours that pass: looks at instants, and skips whole days that do not match. */
static bool next_by_hour(const struct cron *cron, const struct time_zone *zone, int64_t after,
                         int64_t *out)
{
    int64_t end = after + DAYS_AHEAD * DAY_SECONDS;
    int64_t offset = time_zone_offset(zone, after), change = time_zone_change(zone, after);
    int64_t at = next_minute(after, offset);

    while (at <= end) {
        int64_t local, day, next;

        if (at >= change) {
            offset = time_zone_offset(zone, at);
            change = time_zone_change(zone, at);
            at = next_minute(at - 1, offset);
        }
        local = at + offset;
        day = calendar_day_of(local);
        if (!day_matches(cron, day)) {
            next = at + (day + 1) * DAY_SECONDS - local;
            at = next < change ? next : change;
            continue;
        }
        if ((cron->minutes & UINT64_C(1) << (local - day * DAY_SECONDS) / MINUTE % 60) != 0) {
            *out = at;
            return true;
        }
        at += MINUTE;
    }
    return false;
}

bool cron_next(const struct cron *cron, const struct time_zone *zone, int64_t after_s, int64_t *out,
               struct err *err)
{
    if (after_s < -INSTANT_MAX || after_s > INSTANT_MAX)
        return err_set(err, ERR_INVALID, "a schedule is asked for in the year 100,000");
    if (cron->every_hour ? next_by_hour(cron, zone, after_s, out)
                         : next_by_day(cron, zone, after_s, out))
        return true;
    return err_set(err, ERR_NOT_FOUND, "the schedule has no start in the next 50 years");
}
