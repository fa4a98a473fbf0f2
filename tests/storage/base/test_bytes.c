#include "storage/base/bytes.h"

#include "tests/support/base_test.h"

static const uint8_t sample[9] = {0xff, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

static void loads_take_the_named_order_at_any_alignment(void **state)
{
    const uint8_t *odd = sample + 1;

    (void)state;
    assert_int_equal(load_le16(odd), 0x2301);
    assert_int_equal(load_le32(odd), 0x67452301);
    assert_true(load_le64(odd) == UINT64_C(0xefcdab8967452301));
    assert_int_equal(load_be16(odd), 0x0123);
    assert_int_equal(load_be32(odd), 0x01234567);
    assert_true(load_be64(odd) == UINT64_C(0x0123456789abcdef));
}

static void stores_put_the_named_order_and_no_byte_more(void **state)
{
    uint8_t out[10];

    (void)state;
    memset(out, 0xee, sizeof out);
    store_le16(out + 1, 0x0123);
    base_assert_hex((struct span){out, 4}, "ee 23 01 ee");
    store_be16(out + 1, 0x0123);
    base_assert_hex((struct span){out, 4}, "ee 01 23 ee");
    store_le32(out + 1, 0x01234567);
    base_assert_hex((struct span){out, 6}, "ee 67 45 23 01 ee");
    store_be32(out + 1, 0x01234567);
    base_assert_hex((struct span){out, 6}, "ee 01 23 45 67 ee");
    store_le64(out + 1, UINT64_C(0x0123456789abcdef));
    base_assert_hex((struct span){out, 10}, "ee ef cd ab 89 67 45 23 01 ee");
    store_be64(out + 1, UINT64_C(0x0123456789abcdef));
    base_assert_hex((struct span){out, 10}, "ee 01 23 45 67 89 ab cd ef ee");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_take_the_named_order_at_any_alignment),
        cmocka_unit_test(stores_put_the_named_order_and_no_byte_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
