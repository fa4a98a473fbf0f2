#include "jobs/units.h"

#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

struct unit_list {
    const char *what; /* "a size such as `512 MiB`" */
    const struct unit *units;
    size_t count;
};

#define KILO UINT64_C(1000)
#define KIBI UINT64_C(1024)

static const struct unit number_units[] = {
    {"", 1},
    {"k", KILO},
    {"K", KILO},
    {"M", KILO *KILO},
    {"G", KILO *KILO *KILO},
    {"T", KILO *KILO *KILO *KILO},
};
static const struct unit byte_units[] = {
    {"", 1},
    {"B", 1},
    {"K", KIBI},
    {"KiB", KIBI},
    {"M", KIBI *KIBI},
    {"MiB", KIBI *KIBI},
    {"G", KIBI *KIBI *KIBI},
    {"GiB", KIBI *KIBI *KIBI},
    {"T", KIBI *KIBI *KIBI *KIBI},
    {"TiB", KIBI *KIBI *KIBI *KIBI},
    {"bytes", 1},
};
static const struct unit hertz_units[] = {
    {"Hz", 1}, {"kHz", KILO}, {"KHz", KILO}, {"MHz", KILO *KILO}, {"GHz", KILO *KILO *KILO},
};
static const struct unit duration_units[] = {
    {"ns", 1},
    {"us", KILO},
    {"ms", KILO *KILO},
    {"s", KILO *KILO *KILO},
    {"min", 60 * KILO *KILO *KILO},
    {"h", 3600 * KILO *KILO *KILO},
    {"d", 86400 * KILO *KILO *KILO},
    {"day", 86400 * KILO *KILO *KILO},
    {"days", 86400 * KILO *KILO *KILO},
    {"weeks", 7 * 86400 * KILO *KILO *KILO},
};

#define LIST(what, units)                                                                          \
    {                                                                                              \
        what, units, sizeof(units) / sizeof(units)[0]                                              \
    }
static const struct unit_list numbers =
    LIST("a number such as `1000000`, `50M` or `2G`", number_units);
static const struct unit_list bytes =
    LIST("a size such as `4096`, `64 KiB`, `512 MiB` or `2 GiB`", byte_units);
static const struct unit_list hertz = LIST("a frequency such as `1 GHz` or `10 MHz`", hertz_units);
static const struct unit_list durations =
    LIST("a duration such as `500 ms`, `30 s`, `10 min` or `30 days`", duration_units);

static bool refuse(const char *text, const struct unit_list *list, struct err *err)
{
    return err_set(err, ERR_INVALID, "`%.60s` is not %s", text, list->what);
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* A number as read: whole and fraction together as `digits`, with `scale` = 10 ^ (digits behind the
 * point). */
struct decimal {
    uint64_t digits;
    uint64_t scale;
};

static bool add_digit(uint64_t *value, uint64_t base, uint64_t digit)
{
    return !__builtin_mul_overflow(*value, base, value) &&
           !__builtin_add_overflow(*value, digit, value);
}

/* Digits with single underscores between them. Returns false on overflow. */
static bool read_digits(const char **at, struct decimal *out, bool fraction)
{
    while (is_digit(**at) || (**at == '_' && is_digit((*at)[-1]) && is_digit((*at)[1]))) {
        if (**at != '_' && !add_digit(&out->digits, 10, (uint64_t)(**at - '0')))
            return false;
        if (**at != '_' && fraction && !add_digit(&out->scale, 10, 0))
            return false;
        (*at)++;
    }
    return true;
}

static bool read_hex(const char **at, struct decimal *out)
{
    *at += 2;
    if (hex_digit(**at) < 0)
        return false;
    for (; hex_digit(**at) >= 0; (*at)++) {
        if (!add_digit(&out->digits, 16, (uint64_t)hex_digit(**at)))
            return false;
    }
    return true;
}

static bool read_decimal(const char **at, struct decimal *out)
{
    *out = (struct decimal){0, 1};
    if (!is_digit(**at))
        return false;
    if ((*at)[0] == '0' && ((*at)[1] == 'x' || (*at)[1] == 'X'))
        return read_hex(at, out);
    if (!read_digits(at, out, false))
        return false;
    if (**at != '.')
        return true;
    (*at)++;
    return is_digit(**at) && read_digits(at, out, true);
}

static bool is_decimal_byte_unit(const char *unit)
{
    static const char *const names[] = {"kB", "KB", "MB", "GB", "TB", "kb",
                                        "Kb", "Mb", "Gb", "mb", "gb"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(unit, names[i]) == 0)
            return true;
    }
    return false;
}

static bool apply_unit(struct decimal value, uint64_t factor, uint64_t *out)
{
    uint64_t product;

    if (__builtin_mul_overflow(value.digits, factor, &product) || product % value.scale != 0)
        return false;
    *out = product / value.scale;
    return true;
}

/* `suffix`: a word that may follow the unit, or NULL. */
static bool parse(const char *text, const struct unit_list *list, const char *suffix, uint64_t *out,
                  struct err *err)
{
    const char *at = text;
    struct decimal value;

    if (!read_decimal(&at, &value))
        return refuse(text, list, err);
    while (*at == ' ')
        at++;
    for (size_t i = 0; i < list->count; i++) {
        size_t size = strlen(list->units[i].name);
        const char *rest = at + size;

        if (strncmp(at, list->units[i].name, size) != 0)
            continue;
        while (*rest == ' ')
            rest++;
        if (*rest != '\0' && (suffix == NULL || strcmp(rest, suffix) != 0))
            continue;
        if (!apply_unit(value, list->units[i].factor, out))
            return err_set(err, ERR_INVALID, "`%.60s` is too large, or not whole", text);
        return true;
    }
    if (list == &bytes && is_decimal_byte_unit(at))
        return err_set(
            err, ERR_INVALID,
            "`%.60s`: write `%ciB` (1024s); `%s` means different things to different people", text,
            at[0] == 'k'   ? 'K'
            : at[0] >= 'a' ? at[0] - 'a' + 'A'
                           : at[0],
            at);
    return refuse(text, list, err);
}

bool units_number(const char *text, uint64_t *out, struct err *err)
{
    return parse(text, &numbers, NULL, out, err);
}

bool units_instructions(const char *text, uint64_t *out, struct err *err)
{
    return parse(text, &numbers, "instructions", out, err);
}

bool units_bytes(const char *text, uint64_t *out, struct err *err)
{
    return parse(text, &bytes, NULL, out, err);
}

bool units_hertz(const char *text, uint64_t *out, struct err *err)
{
    return parse(text, &hertz, NULL, out, err);
}

bool units_duration_ns(const char *text, uint64_t *out, struct err *err)
{
    return parse(text, &durations, NULL, out, err);
}

/* Exactly `count` digits. */
static bool fixed_digits(const char *at, int count, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < count; i++) {
        if (!is_digit(at[i]))
            return false;
        *out = *out * 10 + (uint32_t)(at[i] - '0');
    }
    return true;
}

static bool is_leap(uint32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static uint32_t days_of_month(uint32_t year, uint32_t month)
{
    static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

static bool read_date(const char *text, uint64_t *days)
{
    uint32_t year, month, day;

    if (!fixed_digits(text, 4, &year) || text[4] != '-' || !fixed_digits(text + 5, 2, &month) ||
        text[7] != '-' || !fixed_digits(text + 8, 2, &day))
        return false;
    if (year < 1970 || year > 2261 || month < 1 || month > 12 || day < 1 ||
        day > days_of_month(year, month))
        return false;
    *days = day - 1;
    for (uint32_t y = 1970; y < year; y++)
        *days += is_leap(y) ? 366 : 365;
    for (uint32_t m = 1; m < month; m++)
        *days += days_of_month(year, m);
    return true;
}

static bool read_clock(const char *text, uint64_t *seconds)
{
    uint32_t hour, minute, second;

    if (!fixed_digits(text, 2, &hour) || text[2] != ':' || !fixed_digits(text + 3, 2, &minute) ||
        text[5] != ':' || !fixed_digits(text + 6, 2, &second) || strcmp(text + 8, "Z") != 0)
        return false;
    *seconds = hour * UINT64_C(3600) + minute * UINT64_C(60) + second;
    return hour < 24 && minute < 60 && second < 60;
}

bool units_date(const char *text, uint64_t *seconds, struct err *err)
{
    uint64_t days, clock = 0;
    bool ok = read_date(text, &days);

    if (ok && text[10] != '\0')
        ok = (text[10] == 'T' || text[10] == ' ') && read_clock(text + 11, &clock);
    if (!ok)
        return err_set(
            err, ERR_INVALID,
            "`%.60s` is not a date such as `2026-01-01T00:00:00Z` (UTC, years 1970 to 2261)", text);
    *seconds = days * 86400 + clock;
    return true;
}

bool units_bool(const char *text, bool *out, struct err *err)
{
    static const char *const names[] = {"true", "yes", "on", "false", "no", "off"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(text, names[i]) == 0) {
            *out = i < 3;
            return true;
        }
    }
    return err_set(err, ERR_INVALID, "`%.60s` is neither `true` nor `false`", text);
}
