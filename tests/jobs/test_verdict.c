#include "jobs/verdict.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void names_go_both_ways(void **state)
{
    enum verdict verdict;

    (void)state;
    for (unsigned int i = 0; i < VERDICT_COUNT; i++) {
        assert_true(verdict_parse(verdict_name((enum verdict)i), &verdict));
        assert_int_equal(verdict, i);
    }
    assert_false(verdict_parse("passed", &verdict));
    assert_string_equal(verdict_name(VERDICT_DIVERGENCE), "divergence");
}

static void exit_statuses_are_those_of_the_manual(void **state)
{
    (void)state;
    assert_int_equal(verdict_exit_status(VERDICT_PASS), 0);
    assert_int_equal(verdict_exit_status(VERDICT_SKIPPED), 0);
    assert_int_equal(verdict_exit_status(VERDICT_FAIL), 1);
    assert_int_equal(verdict_exit_status(VERDICT_DIVERGENCE), 1);
    assert_int_equal(verdict_exit_status(VERDICT_INFRA), 3);
    assert_int_equal(verdict_exit_status(VERDICT_CANCELLED), 3);
    assert_int_equal(verdict_exit_status(VERDICT_TIMEOUT), 4);
}

static void a_run_is_as_bad_as_its_worst_test(void **state)
{
    (void)state;
    assert_int_equal(verdict_worst(VERDICT_PASS, VERDICT_FAIL), VERDICT_FAIL);
    assert_int_equal(verdict_worst(VERDICT_DIVERGENCE, VERDICT_FAIL), VERDICT_DIVERGENCE);
    assert_int_equal(verdict_worst(VERDICT_INFRA, VERDICT_TIMEOUT), VERDICT_TIMEOUT);
    assert_int_equal(verdict_worst(VERDICT_SKIPPED, VERDICT_PASS), VERDICT_PASS);
    assert_int_equal(verdict_worst(VERDICT_INFRA, VERDICT_PASS), VERDICT_INFRA);
}

static void only_a_failure_is_a_failure_that_was_expected(void **state)
{
    (void)state;
    assert_int_equal(verdict_expect_failure(VERDICT_FAIL), VERDICT_PASS);
    assert_int_equal(verdict_expect_failure(VERDICT_PASS), VERDICT_FAIL);
    assert_int_equal(verdict_expect_failure(VERDICT_INFRA), VERDICT_INFRA);
    assert_int_equal(verdict_expect_failure(VERDICT_TIMEOUT), VERDICT_TIMEOUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_go_both_ways),
        cmocka_unit_test(exit_statuses_are_those_of_the_manual),
        cmocka_unit_test(a_run_is_as_bad_as_its_worst_test),
        cmocka_unit_test(only_a_failure_is_a_failure_that_was_expected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
