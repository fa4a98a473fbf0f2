/* Wall-clock guards on hosts of unlike speed. */
#include "agent/guard.h"

#include "tests/support/base_test.h"

#define SECOND_NS UINT64_C(1000000000)
#define PACE_S    (GUARD_PACE * 1000) /* instructions in a second, of the host a guard is for */

static void guard_is_not_over_before_its_time(void **state)
{
    (void)state;
    assert_false(guard_is_over(10000, 10 * SECOND_NS, UINT64_MAX));
    assert_false(guard_is_over(10000, 0, 0));
}

static void fast_host_has_the_time_that_is_written(void **state)
{
    (void)state;
    assert_true(guard_is_over(10000, 10 * SECOND_NS + 1, 10 * PACE_S));
    assert_true(guard_is_over(10000, 10 * SECOND_NS + 1, UINT64_MAX));
    assert_true(guard_is_over(0, 1, 0));
}

static void slow_host_gets_as_far_as_a_fast_one(void **state)
{
    (void)state;
    for (uint64_t slow = 2; slow < GUARD_SLOWEST; slow++) {
        /* Where it is when its time begins to be longer, and when it ends. */
        assert_false(guard_is_over(10000, 11 * SECOND_NS, 11 * PACE_S / slow));
        assert_false(guard_is_over(10000, 10 * slow * SECOND_NS, 10 * PACE_S - 1));
        assert_true(guard_is_over(10000, 10 * slow * SECOND_NS, 10 * PACE_S));
    }
}

static void guest_that_gets_nowhere_is_ended_all_the_same(void **state)
{
    (void)state;
    assert_false(guard_is_over(10000, 10 * GUARD_SLOWEST * SECOND_NS, 0));
    assert_true(guard_is_over(10000, 10 * GUARD_SLOWEST * SECOND_NS + 1, 0));
}

static void factor_is_how_slow_the_host_was(void **state)
{
    (void)state;
    assert_int_equal(guard_factor(GUARD_INSTRUCTIONS - 1, UINT64_MAX), 0);
    assert_int_equal(guard_factor(PACE_S, 0), 1);
    assert_int_equal(guard_factor(PACE_S, SECOND_NS / GUARD_MARGIN), 1);
    assert_int_equal(guard_factor(PACE_S, SECOND_NS), GUARD_MARGIN);
    assert_int_equal(guard_factor(PACE_S, 5 * SECOND_NS), 5 * GUARD_MARGIN);
    assert_int_equal(guard_factor(PACE_S, 99 * SECOND_NS), GUARD_SLOWEST);
    assert_int_equal(guard_factor(PACE_S, UINT64_MAX), GUARD_SLOWEST);
    assert_int_equal(guard_factor(UINT64_MAX, UINT64_MAX), 1);
}

static void no_time_is_too_long(void **state)
{
    (void)state;
    assert_int_equal(guard_times(1500, 100), 150000);
    assert_true(guard_times(UINT64_MAX / 2, 3) == UINT64_MAX);
    assert_false(guard_is_over(UINT64_MAX, UINT64_MAX, UINT64_MAX));
    assert_false(guard_is_over(UINT64_MAX / 1000000, UINT64_MAX, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guard_is_not_over_before_its_time),
        cmocka_unit_test(fast_host_has_the_time_that_is_written),
        cmocka_unit_test(slow_host_gets_as_far_as_a_fast_one),
        cmocka_unit_test(guest_that_gets_nowhere_is_ended_all_the_same),
        cmocka_unit_test(factor_is_how_slow_the_host_was),
        cmocka_unit_test(no_time_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
