#include "storage/hash_map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct hash key_of(uint32_t number)
{
    return hash_of((struct span){(const uint8_t *)&number, sizeof number});
}

static void finds_what_was_added_and_nothing_else(void **state)
{
    struct hash_map map = {0};
    struct hash key = key_of(0);
    bool made;

    (void)state;
    assert_null(hash_map_find(&map, &key));
    for (uint32_t i = 0; i < 5000; i++) {
        key = key_of(i);
        *hash_map_add(&map, &key, &made) = i + 7;
        assert_true(made);
    }
    assert_int_equal(map.count, 5000);
    for (uint32_t i = 0; i < 10000; i++) {
        key = key_of(i);
        assert_int_equal(hash_map_has(&map, &key), i < 5000);
        if (i < 5000)
            assert_int_equal(*hash_map_find(&map, &key), i + 7);
    }
    hash_map_release(&map);
}

static void keeps_keys_apart_that_begin_alike(void **state)
{
    struct hash_map map = {0};
    struct hash key = {{0}};
    bool made;

    (void)state;
    for (uint8_t i = 0; i < 200; i++) {
        key.bytes[HASH_SIZE - 1] = i;
        *hash_map_add(&map, &key, &made) = i;
        assert_true(made);
    }
    for (uint8_t i = 0; i < 200; i++) {
        key.bytes[HASH_SIZE - 1] = i;
        assert_int_equal(*hash_map_add(&map, &key, &made), i);
        assert_false(made);
    }
    hash_map_release(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_added_and_nothing_else),
        cmocka_unit_test(keeps_keys_apart_that_begin_alike),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
