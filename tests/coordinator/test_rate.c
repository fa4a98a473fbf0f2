#include "coordinator/rate.h"
#include "tests/support/base_test.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)

static unsigned take_all(struct rate_table *table, uint32_t key, uint64_t now)
{
    unsigned count = 0;

    while (count < 10000 && rate_take(table, key, now))
        count++;
    return count;
}

static void a_key_has_its_burst_and_then_its_rate(void **state)
{
    struct rate_table table;
    uint64_t now = 5 * SECOND;

    (void)state;
    rate_table_init(&table, 10, 25, 4);
    assert_int_equal(take_all(&table, 7, now), 25);
    assert_int_equal(take_all(&table, 7, now + 99 * MS), 0);
    assert_int_equal(take_all(&table, 7, now + 100 * MS), 1);
    assert_int_equal(take_all(&table, 7, now + 1100 * MS), 10);
    assert_int_equal(take_all(&table, 7, now + 3600 * SECOND), 25);
    rate_table_release(&table);
}

static void keys_do_not_take_from_each_other(void **state)
{
    struct rate_table table;

    (void)state;
    rate_table_init(&table, 1, 3, 100);
    for (uint32_t key = 0; key < 100; key++)
        assert_int_equal(take_all(&table, key * 0x10001, SECOND), 3);
    for (uint32_t key = 0; key < 100; key++)
        assert_false(rate_take(&table, key * 0x10001, SECOND));
    rate_table_release(&table);
}

/* Whoever comes with a new key each time finds no room, until the old ones have calmed down. */
static void the_table_is_bounded_and_forgets_who_is_calm(void **state)
{
    struct rate_table table;
    uint32_t key = 0;

    (void)state;
    rate_table_init(&table, 1, 2, 50);
    while (rate_take(&table, key, SECOND))
        key++;
    assert_in_range(key, 50, 200);
    assert_true(rate_take(&table, 0, SECOND)); /* who is known has its second token */
    assert_false(rate_take(&table, 0, SECOND));
    assert_true(rate_take(&table, key, 3 * SECOND));
    for (uint32_t other = 1000; other < 1040; other++)
        assert_true(rate_take(&table, other, 3 * SECOND));
    rate_table_release(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_key_has_its_burst_and_then_its_rate),
        cmocka_unit_test(keys_do_not_take_from_each_other),
        cmocka_unit_test(the_table_is_bounded_and_forgets_who_is_calm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
