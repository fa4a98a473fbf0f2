#include "jobs/suggest.h"
#include "jobs/units.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef bool parser(const char *text, uint64_t *out, struct err *err);

static void reads(parser *parse, const char *text, uint64_t expected)
{
    struct err err = ERR_INIT;
    uint64_t value = 0;

    if (!parse(text, &value, &err))
        fail_msg("`%s`: %s", text, err.text);
    assert_int_equal(value, expected);
}

static void refuses(parser *parse, const char *text, const char *because)
{
    struct err err = ERR_INIT;
    uint64_t value = 77;

    if (parse(text, &value, &err))
        fail_msg("`%s` was taken as %llu", text, (unsigned long long)value);
    assert_int_equal(value, 77);
    assert_int_equal(err.kind, ERR_INVALID);
    if (strstr(err.text, because) == NULL)
        fail_msg("`%s`: %s, instead of %s", text, err.text, because);
}

static void sizes_are_powers_of_1024(void **state)
{
    (void)state;
    reads(units_bytes, "4096", 4096);
    reads(units_bytes, "512 MiB", UINT64_C(512) << 20);
    reads(units_bytes, "512M", UINT64_C(512) << 20);
    reads(units_bytes, "1.5GiB", UINT64_C(1536) << 20);
    reads(units_bytes, "64   KiB", 65536);
    reads(units_bytes, "0x1000", 4096);
    reads(units_bytes, "0x10 KiB", 16384);
    reads(units_bytes, "18446744073709551615", UINT64_MAX);
}

static void decimal_byte_units_are_refused_with_the_right_one(void **state)
{
    (void)state;
    refuses(units_bytes, "512 MB", "`MiB`");
    refuses(units_bytes, "64kB", "`KiB`");
    refuses(units_bytes, "1 gb", "`GiB`");
}

static void counts_take_powers_of_1000_and_the_word(void **state)
{
    (void)state;
    reads(units_instructions, "2G instructions", 2000000000);
    reads(units_instructions, "2 G", 2000000000);
    reads(units_instructions, "1_000_000", 1000000);
    reads(units_instructions, "5 instructions", 5);
    reads(units_instructions, "0.5M", 500000);
    reads(units_number, "42", 42);
}

static void frequencies_and_durations_need_a_unit(void **state)
{
    (void)state;
    reads(units_hertz, "1 GHz", 1000000000);
    reads(units_hertz, "32.768kHz", 32768);
    reads(units_duration_ns, "30 s", UINT64_C(30000000000));
    reads(units_duration_ns, "1.5ms", 1500000);
    reads(units_duration_ns, "2 h", UINT64_C(7200000000000));
    refuses(units_hertz, "1000", "a frequency such as");
    refuses(units_duration_ns, "30", "a duration such as");
}

static void nothing_overflows_and_nothing_is_rounded(void **state)
{
    (void)state;
    refuses(units_bytes, "18446744073709551616", "a size");
    refuses(units_bytes, "16777216 TiB", "too large");
    refuses(units_bytes, "0.3", "not whole");
    refuses(units_hertz, "1.5 Hz", "not whole");
    refuses(units_bytes, "1.00000000000000000000000001 KiB", "a size");
    refuses(units_bytes, "0x10000000000000000", "a size");
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const texts[] = {"",      " ",   "-1",  "+1",  "1_",    "_1",     "1__0",
                                        "1.",    ".5",  "0x",  "1 2", "1e6",   "512 Mi", "MiB",
                                        "1 M M", "1M.", "1\n", "nan", "1 KiBx"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        refuses(units_bytes, texts[i], "a size such as");
    refuses(units_number, "5 instructions", "a number");
}

static void dates_are_seconds_since_1970(void **state)
{
    (void)state;
    reads(units_date, "1970-01-01", 0);
    reads(units_date, "2026-01-01T00:00:00Z", 1767225600);
    reads(units_date, "2000-02-29 23:59:59Z", 951868799);
    refuses(units_date, "2026-02-29", "not a date");
    refuses(units_date, "2026-13-01", "not a date");
    refuses(units_date, "2026-01-01T24:00:00Z", "not a date");
    refuses(units_date, "2026-01-01T00:00:00", "not a date");
    refuses(units_date, "2026-1-1", "not a date");
    refuses(units_date, "1969-12-31", "not a date");
    refuses(units_date, "2", "not a date");
}

static void the_nearest_name_is_suggested(void **state)
{
    static const char *const names[] = {"memory", "harts", "kernel", "initrd", "command_line"};

    (void)state;
    assert_string_equal(suggest_name("memry", names, 5), "memory");
    assert_string_equal(suggest_name("hrats", names, 5), "harts");
    assert_string_equal(suggest_name("Kernel", names, 5), "kernel");
    assert_string_equal(suggest_name("command-line", names, 5), "command_line");
    assert_null(suggest_name("colour", names, 5));
    assert_null(suggest_name("x", names, 5));
    assert_null(suggest_name("", names, 5));
    assert_int_equal(suggest_distance("kitten", "sitting"), 3);
    assert_int_equal(suggest_distance("ab", "ba"), 1);
    assert_int_equal(suggest_distance("", "abc"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_powers_of_1024),
        cmocka_unit_test(decimal_byte_units_are_refused_with_the_right_one),
        cmocka_unit_test(counts_take_powers_of_1000_and_the_word),
        cmocka_unit_test(frequencies_and_durations_need_a_unit),
        cmocka_unit_test(nothing_overflows_and_nothing_is_rounded),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(dates_are_seconds_since_1970),
        cmocka_unit_test(the_nearest_name_is_suggested),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
