#include "storage/base/clock.h"

#include "tests/support/base_test.h"

static uint64_t read_field(void *context)
{
    return *(uint64_t *)context;
}

static uint64_t read_field_later(void *context)
{
    return *(uint64_t *)context + 1;
}

static void fake_clock_says_what_the_test_says(void **state)
{
    uint64_t now = 41;
    const struct clock_source fake = {read_field, read_field_later, &now};

    (void)state;
    assert_int_equal(clock_monotonic_ns(&fake), 41);
    assert_int_equal(clock_wall_ns(&fake), 42);
    now = 50;
    assert_int_equal(clock_monotonic_ns(&fake), 50);
}

static void host_clocks_count_nanoseconds(void **state)
{
    uint64_t before = clock_monotonic_ns(&clock_host);

    (void)state;
    assert_true(clock_monotonic_ns(&clock_host) >= before);
    /* Between 2020 and 2200, if the unit is right. */
    assert_true(clock_wall_ns(&clock_host) > UINT64_C(1577836800) * 1000000000);
    assert_true(clock_wall_ns(&clock_host) < UINT64_C(7258118400) * 1000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fake_clock_says_what_the_test_says),
        cmocka_unit_test(host_clocks_count_nanoseconds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
