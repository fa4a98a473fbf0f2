#include "storage/base/check.h"

#include "tests/support/base_test.h"

static void count_up(void *context)
{
    int *count = context;

    CHECK(++*count == 0);
}

static void broken_promise_stops_with_file_line_and_condition(void **state)
{
    int count = 0;

    (void)state;
    base_assert_aborts(count_up, &count, "test_check.c:9: this must hold: ++*count == 0");
}

static void kept_promise_is_evaluated_once_in_every_build(void **state)
{
    int count = 0;

    (void)state;
    CHECK(++count == 1);
    assert_int_equal(count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_promise_stops_with_file_line_and_condition),
        cmocka_unit_test(kept_promise_is_evaluated_once_in_every_build),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
