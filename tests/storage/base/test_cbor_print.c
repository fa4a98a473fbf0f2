#include "storage/base/cbor.h"

#include "tests/support/base_test.h"

#include <string.h>

static void assert_prints(const char *hex, const char *expected)
{
    struct buf bytes = base_hex(hex), out = BUF_INIT(1u << 16);
    struct err err = ERR_INIT;

    BASE_OK(cbor_print(buf_span(&bytes), &out, &err), &err);
    BASE_OK(buf_append(&out, "", 1, &err), &err);
    assert_string_equal((const char *)out.data, expected);
    buf_release(&bytes);
    buf_release(&out);
}

/* RFC 8949, appendix A: all examples that are in the subset, byte for byte. */
static const struct {
    const char *hex, *text;
} vectors[] = {
    {"00", "0"},
    {"01", "1"},
    {"0a", "10"},
    {"17", "23"},
    {"1818", "24"},
    {"1819", "25"},
    {"1864", "100"},
    {"1903e8", "1000"},
    {"1a000f4240", "1000000"},
    {"1b000000e8d4a51000", "1000000000000"},
    {"1bffffffffffffffff", "18446744073709551615"},
    {"3bffffffffffffffff", "-18446744073709551616"},
    {"20", "-1"},
    {"29", "-10"},
    {"3863", "-100"},
    {"3903e7", "-1000"},
    {"f4", "false"},
    {"f5", "true"},
    {"f6", "null"},
    {"40", "h''"},
    {"4401020304", "h'01020304'"},
    {"60", "\"\""},
    {"6161", "\"a\""},
    {"6449455446", "\"IETF\""},
    {"62225c", "\"\\\"\\\\\""},
    {"62c3bc", "\"\xc3\xbc\""},
    {"63e6b0b4", "\"\xe6\xb0\xb4\""},
    {"64f0908591", "\"\xf0\x90\x85\x91\""},
    {"80", "[]"},
    {"83010203", "[\n  1,\n  2,\n  3\n]"},
    {"8301820203820405", "[\n  1,\n  [\n    2,\n    3\n  ],\n  [\n    4,\n    5\n  ]\n]"},
    {"a0", "{}"},
    {"a201020304", "{\n  1: 2,\n  3: 4\n}"},
    {"a26161016162820203", "{\n  \"a\": 1,\n  \"b\": [\n    2,\n    3\n  ]\n}"},
    {"826161a161626163", "[\n  \"a\",\n  {\n    \"b\": \"c\"\n  }\n]"},
};

static void examples_of_the_standard_print_as_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        assert_prints(vectors[i].hex, vectors[i].text);
    /* [1, …, 25], and a map of five entries */
    assert_prints("98190102030405060708090a0b0c0d0e0f101112131415161718181819",
                  "[\n  1,\n  2,\n  3,\n  4,\n  5,\n  6,\n  7,\n  8,\n  9,\n  10,\n  11,\n  12,\n"
                  "  13,\n  14,\n  15,\n  16,\n  17,\n  18,\n  19,\n  20,\n  21,\n  22,\n  23,\n"
                  "  24,\n  25\n]");
    assert_prints("a56161614161626142616361436164614461656145",
                  "{\n  \"a\": \"A\",\n  \"b\": \"B\",\n  \"c\": \"C\",\n  \"d\": \"D\",\n"
                  "  \"e\": \"E\"\n}");
}

static void negative_integers_print_beyond_int64(void **state)
{
    (void)state;
    assert_prints("3b7fffffffffffffff", "-9223372036854775808");
    assert_prints("3b8000000000000000", "-9223372036854775809");
    assert_prints("3bfffffffffffffffe", "-18446744073709551615");
}

static void control_characters_are_escaped(void **state)
{
    (void)state;
    assert_prints("64 0a 1b 00 7f", "\"\\u000a\\u001b\\u0000\\u007f\"");
}

static void empty_and_full_items_mix(void **state)
{
    (void)state;
    assert_prints("83 80 a0 81 00", "[\n  [],\n  {},\n  [\n    0\n  ]\n]");
    assert_prints("a2 00 80 01 a1 02 a0", "{\n  0: [],\n  1: {\n    2: {}\n  }\n}");
    assert_prints("81 81 81 80", "[\n  [\n    [\n      []\n    ]\n  ]\n]");
}

static void long_byte_strings_are_cut_and_say_their_size(void **state)
{
    struct buf bytes = BUF_INIT(1024), out = BUF_INIT(1024);
    struct err err = ERR_INIT;
    struct cbor_writer writer = cbor_writer(&bytes, &err);
    uint8_t zeros[65] = {0};

    (void)state;
    cbor_write_bytes(&writer, (struct span){zeros, 65});
    BASE_OK(cbor_print(buf_span(&bytes), &out, &err), &err);
    assert_int_equal(out.size, 2 + 128 + strlen("' /65 bytes/"));
    assert_memory_equal(out.data + out.size - 12, "' /65 bytes/", 12);
    buf_clear(&bytes);
    buf_clear(&out);
    cbor_write_bytes(&writer, (struct span){zeros, 64});
    BASE_OK(cbor_print(buf_span(&bytes), &out, &err), &err);
    assert_int_equal(out.size, 2 + 128 + 1);
    buf_release(&bytes);
    buf_release(&out);
}

static void ceiling_of_the_output_is_kept(void **state)
{
    struct buf bytes = base_hex("a26161016162820203");
    struct buf whole = BUF_INIT(1024);
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(cbor_print(buf_span(&bytes), &whole, &err), &err);
    for (size_t max = 0; max < whole.size; max++) {
        struct buf out = BUF_INIT(max);
        BASE_FAILS(cbor_print(buf_span(&bytes), &out, &err), &err, ERR_TOO_BIG, "limit");
        buf_release(&out);
    }
    buf_release(&whole);
    buf_release(&bytes);
}

static void broken_bytes_print_nothing(void **state)
{
    struct buf bytes = base_hex("82 01"), out = BUF_INIT(100);
    struct err err = ERR_INIT;

    (void)state;
    BASE_FAILS(cbor_print(buf_span(&bytes), &out, &err), &err, ERR_CORRUPT, "CBOR, byte");
    assert_int_equal(out.size, 0);
    buf_release(&bytes);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(examples_of_the_standard_print_as_it_says),
        cmocka_unit_test(negative_integers_print_beyond_int64),
        cmocka_unit_test(control_characters_are_escaped),
        cmocka_unit_test(empty_and_full_items_mix),
        cmocka_unit_test(long_byte_strings_are_cut_and_say_their_size),
        cmocka_unit_test(ceiling_of_the_output_is_kept),
        cmocka_unit_test(broken_bytes_print_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
