#include "storage/base/log.h"

#include "tests/support/base_test.h"

#include <string.h>

static void log_all_levels(void *context)
{
    log_set_level(*(enum log_level *)context);
    log_message(LOG_ERROR, "e%d", 1);
    log_message(LOG_WARNING, "w%d", 2);
    log_message(LOG_INFO, "i%d", 3);
    log_message(LOG_DEBUG, "d%d", 4);
}

static void assert_has(const char *text, const char *part, bool expected)
{
    assert_true((strstr(text, part) != NULL) == expected);
}

static void levels_below_the_chosen_one_are_silent(void **state)
{
    (void)state;
    for (int level = LOG_ERROR; level <= LOG_DEBUG; level++) {
        char errors[4096];
        assert_int_equal(base_child(log_all_levels, &level, errors, sizeof errors), 0);
        assert_has(errors, " error: e1\n", true);
        assert_has(errors, " warning: w2\n", level >= LOG_WARNING);
        assert_has(errors, " info: i3\n", level >= LOG_INFO);
        assert_has(errors, " debug: d4\n", level >= LOG_DEBUG);
    }
}

static void log_at_default(void *context)
{
    (void)context;
    log_message(LOG_WARNING, "seen");
    log_message(LOG_INFO, "hidden");
}

static void warnings_are_seen_unless_told_otherwise(void **state)
{
    char errors[4096];

    (void)state;
    assert_int_equal(base_child(log_at_default, NULL, errors, sizeof errors), 0);
    assert_has(errors, "seen", true);
    assert_has(errors, "hidden", false);
}

static void log_two_lines(void *context)
{
    (void)context;
    log_message(LOG_ERROR, "%s", "first\n2000-01-01T00:00:00Z error: forged\x1b[2J");
}

static void message_is_one_line_whatever_is_in_it(void **state)
{
    char errors[4096];

    (void)state;
    assert_int_equal(base_child(log_two_lines, NULL, errors, sizeof errors), 0);
    assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1);
    assert_has(errors, "\x1b", false);
    assert_has(errors, "first 2000-01-01", true);
}

static void log_long(void *context)
{
    (void)context;
    log_message(LOG_ERROR, "%*d", 5000, 1);
}

static void long_message_is_cut(void **state)
{
    char errors[8192];

    (void)state;
    assert_int_equal(base_child(log_long, NULL, errors, sizeof errors), 0);
    assert_true(strlen(errors) < 1100);
    assert_int_equal(errors[strlen(errors) - 1], '\n');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_below_the_chosen_one_are_silent),
        cmocka_unit_test(warnings_are_seen_unless_told_otherwise),
        cmocka_unit_test(message_is_one_line_whatever_is_in_it),
        cmocka_unit_test(long_message_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
