#include "storage/base/cbor.h"

#include "tests/support/base_cbor.h"
#include "tests/support/base_test.h"

#include <string.h>

static const char sample_hex[] =
    "a7"                                                              /* map of 7 entries */
    "01 1a000f4240"                                                   /* 1: 1000000 */
    "18ff 39ffff"                                                     /* 255: -65536 */
    "20 1b0000000100000000"                                           /* -1: 2^32 */
    "4101 58 19 00010203040506070809 0a0b0c0d0e0f1011121314 15161718" /* h'01': 25 bytes */
    "6161 6a c3bc e6b0b4 f09fa78a 21" /* "a": UTF-8 of 2, 3 and 4 bytes */
    "626e6f 84 f4 f5 f6 82 00 80"     /* "no": [false, true, null, [0, []]] */
    "63746f70 a1 6178 a1 00 a0"       /* "top": {"x": {0: {}}} */
    ;

/* What every decoder of the subset must hold to: never a crash, and whatever is accepted is in its
 * only encoding. Returns whether it was accepted. */
static bool assert_well_formed_or_refused(struct span bytes)
{
    struct buf out = BUF_INIT(1u << 16), printed = BUF_INIT(1u << 16);
    struct err err = ERR_INIT, copy_err = ERR_INIT, print_err = ERR_INIT;
    bool accepted = cbor_check(bytes, &err);
    struct cbor_reader reader = cbor_reader(bytes, &copy_err);
    struct cbor_writer writer = cbor_writer(&out, &copy_err);
    bool copied = base_cbor_copy(&reader, &writer);

    if (accepted) {
        BASE_OK(copied, &copy_err);
        assert_true(span_equal(bytes, buf_span(&out)));
    } else {
        assert_int_not_equal(err.kind, ERR_NONE);
        assert_true(err.text[0] != 0);
    }
    assert_true(cbor_print(bytes, &printed, &print_err) == accepted);
    buf_release(&printed);
    buf_release(&out);
    return accepted;
}

/* A copy in memory of exactly that size, so that a sanitizer sees one byte too many. */
static struct buf exact_copy(struct span bytes)
{
    struct buf copy = BUF_INIT(bytes.size);
    struct err err = ERR_INIT;

    BASE_OK(buf_append(&copy, bytes.data, bytes.size, &err), &err);
    return copy;
}

static void every_truncation_is_refused(void **state)
{
    struct buf whole = base_hex(sample_hex);

    (void)state;
    assert_true(assert_well_formed_or_refused(buf_span(&whole)));
    for (size_t size = 0; size < whole.size; size++) {
        struct buf cut = exact_copy((struct span){whole.data, size});
        struct err err = ERR_INIT;
        assert_false(assert_well_formed_or_refused(buf_span(&cut)));
        assert_false(cbor_check(buf_span(&cut), &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
        buf_release(&cut);
    }
    buf_release(&whole);
}

static void every_flipped_bit_is_refused_or_well_formed(void **state)
{
    struct buf whole = base_hex(sample_hex);
    size_t refused = 0;

    (void)state;
    for (size_t bit = 0; bit < whole.size * 8; bit++) {
        whole.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        refused += !assert_well_formed_or_refused(buf_span(&whole));
        whole.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_true(refused > whole.size * 2); /* structure was hit, not payload alone */
    buf_release(&whole);
}

static void every_pair_of_first_bytes_is_refused_or_well_formed(void **state)
{
    (void)state;
    for (unsigned value = 0; value < 65536; value++) {
        uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
        assert_well_formed_or_refused((struct span){bytes, 1});
        assert_well_formed_or_refused((struct span){bytes, 2});
    }
}

static void random_bytes_are_refused_or_well_formed(void **state)
{
    uint64_t random = 1;
    size_t accepted = 0;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint8_t bytes[24];
        size_t size = (size_t)(base_random(&random) % sizeof bytes) + 1;
        for (size_t k = 0; k < size; k++) /* mostly heads: small arguments, all major types */
            bytes[k] = (uint8_t)(base_random(&random) & 0xe7);
        accepted += assert_well_formed_or_refused((struct span){bytes, size});
    }
    assert_true(accepted > 0);
}

static void bytes_after_the_item_are_refused(void **state)
{
    struct buf bytes = base_hex("00 00");
    struct err err = ERR_INIT;

    (void)state;
    BASE_FAILS(cbor_check(buf_span(&bytes), &err), &err, ERR_CORRUPT,
               "bytes follow the last item (CBOR, byte 1)");
    buf_release(&bytes);
}

/* `depth` arrays (or maps under the key 0), one in the other, the innermost empty. */
static struct buf nested(size_t depth, bool maps)
{
    struct buf bytes = BUF_INIT(4096);
    struct err err = ERR_INIT;
    struct cbor_writer writer = cbor_writer(&bytes, &err);

    for (size_t i = 1; i <= depth; i++) {
        uint64_t count = i < depth;
        if (maps)
            cbor_write_map(&writer, count);
        else
            cbor_write_array(&writer, count);
        if (maps && count != 0)
            cbor_write_uint(&writer, 0);
    }
    assert_true(writer.ok);
    return bytes;
}

static void sixteen_levels_pass_and_the_seventeenth_is_refused(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    for (int maps = 0; maps < 2; maps++) {
        struct buf most = nested(16, maps), over = nested(17, maps), far = nested(1000, maps);
        struct buf text = BUF_INIT(4096);
        BASE_OK(cbor_check(buf_span(&most), &err), &err);
        BASE_OK(cbor_print(buf_span(&most), &text, &err), &err);
        BASE_FAILS(cbor_check(buf_span(&over), &err), &err, ERR_TOO_BIG, "more than 16 levels");
        BASE_FAILS(cbor_check(buf_span(&far), &err), &err, ERR_TOO_BIG, "more than 16 levels");
        BASE_FAILS(cbor_print(buf_span(&far), &text, &err), &err, ERR_TOO_BIG,
                   "more than 16 levels");
        buf_release(&text);
        buf_release(&most);
        buf_release(&over);
        buf_release(&far);
    }
}

/* Nine bytes that claim more than memory: refused by comparing with what is there, nothing asked
 * for. */
static void length_bombs_are_refused_for_every_type_and_size(void **state)
{
    static const char *const arguments[] = {
        "18 ff",
        "19 ffff",
        "1a 7fffffff",
        "1a 80000000",
        "1a ffffffff",
        "1b 0000000100000000",
        "1b 3fffffffffffffff",
        "1b 4000000000000000",
        "1b 7fffffffffffffff",
        "1b 8000000000000000",
        "1b fffffffffffffffe",
        "1b ffffffffffffffff",
    };

    (void)state;
    for (unsigned major = 2; major <= 5; major++)
        for (size_t i = 0; i < sizeof arguments / sizeof arguments[0]; i++) {
            struct buf bytes = base_hex(arguments[i]);
            struct err err = ERR_INIT;
            bytes.data[0] = (uint8_t)(bytes.data[0] | major << 5);
            assert_false(assert_well_formed_or_refused(buf_span(&bytes)));
            assert_false(cbor_check(buf_span(&bytes), &err));
            assert_true(err.kind == ERR_CORRUPT || err.kind == ERR_TOO_BIG);
            buf_release(&bytes);
        }
}

static void map_entries_need_two_bytes_each(void **state)
{
    struct buf bytes = base_hex("a2 00 00 01");
    struct err err = ERR_INIT;

    (void)state;
    BASE_FAILS(cbor_check(buf_span(&bytes), &err), &err, ERR_CORRUPT, "more entries than the data");
    buf_release(&bytes);
}

/* RFC 8949, 4.2.1: one encoding only. Each line: bytes, and what the refusal says. */
static const struct {
    const char *hex, *says;
} refused[] = {
    /* Integers and lengths in longer forms than they need. */
    {"1817", "shortest"},
    {"190018", "shortest"},
    {"1900ff", "shortest"},
    {"1a0000ffff", "shortest"},
    {"1b00000000ffffffff", "shortest"},
    {"3800", "shortest"},
    {"3900ff", "shortest"},
    {"3a0000ffff", "shortest"},
    {"3b0000000000000000", "shortest"},
    {"5801 00", "shortest"},
    {"7801 61", "shortest"},
    {"9801 00", "shortest"},
    {"b801 00 00", "shortest"},
    {"590001 00", "shortest"},
    /* Indefinite lengths, and a break outside of one. */
    {"5f 41 00 ff", "not in the subset"},
    {"7f 61 61 ff", "not in the subset"},
    {"9f 00 ff", "not in the subset"},
    {"bf 00 00 ff", "not in the subset"},
    {"ff", "not in the subset"},
    /* Reserved additional information. */
    {"1c", "not in the subset"},
    {"1d", "not in the subset"},
    {"1e", "not in the subset"},
    {"1f", "not in the subset"},
    {"fc", "not in the subset"},
    /* Tags, floats, undefined and other simple values. */
    {"c0 60", "tags"},
    {"d9d9f7 00", "tags"},
    {"f7", "not in the subset"},
    {"e0", "not in the subset"},
    {"f3", "not in the subset"},
    {"f818", "not in the subset"},
    {"f814", "shortest"},
    {"f97e00", "not in the subset"},
    {"fa7fc00000", "not in the subset"},
    {"fb7ff8000000000000", "not in the subset"},
    /* Map keys repeated, out of order, or not scalars; a longer key sorts after its beginning. */
    {"a2 00 00 00 00", "repeated or out of order"},
    {"a2 01 00 00 00", "repeated or out of order"},
    {"a2 6161 00 6161 00", "repeated or out of order"},
    {"a2 6162 00 6161 00", "repeated or out of order"},
    {"a2 626161 00 6162 00", "repeated or out of order"},
    {"a2 20 00 00 00", "repeated or out of order"},
    {"a2 1818 00 17 00", "repeated or out of order"},
    {"a3 00 00 02 00 01 00", "repeated or out of order"},
    {"a1 00 a2 01 00 00 00", "repeated or out of order"},
    {"81 a2 00 81 00 00 00", "repeated or out of order"},
    {"a1 80 00", "a map key is an array or a map"},
    {"a1 a0 00", "a map key is an array or a map"},
    /* Text that is not UTF-8 (RFC 3629). */
    {"61 80", "UTF-8"},          /* a continuation alone */
    {"61 ff", "UTF-8"},          /* never in UTF-8 */
    {"61 c3", "UTF-8"},          /* cut at the end of the text */
    {"62 c3 28", "UTF-8"},       /* no continuation after the first */
    {"62 c0 80", "UTF-8"},       /* 0 in two bytes */
    {"62 c1 bf", "UTF-8"},       /* 0x7f in two bytes */
    {"63 e0 9f bf", "UTF-8"},    /* 0x7ff in three bytes */
    {"63 ed a0 80", "UTF-8"},    /* half of a surrogate pair */
    {"63 ed bf bf", "UTF-8"},    /* the other half */
    {"63 e2 82 28", "UTF-8"},    /* no continuation in the third place */
    {"62 e2 82", "UTF-8"},       /* cut after two of three */
    {"64 f0 8f bf bf", "UTF-8"}, /* 0xffff in four bytes */
    {"64 f4 90 80 80", "UTF-8"}, /* above 0x10ffff */
    {"64 f5 80 80 80", "UTF-8"}, /* far above */
    {"64 f0 9f a7 28", "UTF-8"}, /* no continuation in the fourth place */
    {"63 f0 9f a7", "UTF-8"},    /* cut after three of four */
    {"a1 61 ff 00", "UTF-8"},    /* in a key */
};

static void other_encodings_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct buf bytes = base_hex(refused[i].hex);
        struct err err = ERR_INIT;
        BASE_FAILS(cbor_check(buf_span(&bytes), &err), &err, ERR_CORRUPT, refused[i].says);
        assert_false(assert_well_formed_or_refused(buf_span(&bytes)));
        buf_release(&bytes);
    }
}

static void text_at_the_borders_of_utf8_passes(void **state)
{
    static const char *const texts[] = {
        "61 00",          /* U+0000 */
        "61 7f",          /* U+007F */
        "62 c2 80",       /* U+0080 */
        "62 df bf",       /* U+07FF */
        "63 e0 a0 80",    /* U+0800 */
        "63 ed 9f bf",    /* U+D7FF */
        "63 ee 80 80",    /* U+E000 */
        "63 ef bf bf",    /* U+FFFF */
        "64 f0 90 80 80", /* U+10000 */
        "64 f4 8f bf bf", /* U+10FFFF */
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct buf bytes = base_hex(texts[i]);
        assert_true(assert_well_formed_or_refused(buf_span(&bytes)));
        buf_release(&bytes);
    }
}

static void keys_in_order_pass(void **state)
{
    static const char *const maps[] = {
        "a3 00 00 01 00 02 00",             /* integers */
        "a3 17 00 1818 00 190100 00",       /* longer heads sort after shorter ones */
        "a2 6162 00 626161 00",             /* so do longer texts */
        "a4 00 00 20 00 40 00 60 00",       /* types */
        "a2 f4 00 f6 00",                   /* simple values */
        "a2 00 a2 05 00 06 00 01 a1 00 00", /* every map has an order of its own */
    };

    (void)state;
    for (size_t i = 0; i < sizeof maps / sizeof maps[0]; i++) {
        struct buf bytes = base_hex(maps[i]);
        assert_true(assert_well_formed_or_refused(buf_span(&bytes)));
        buf_release(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused_or_well_formed),
        cmocka_unit_test(every_pair_of_first_bytes_is_refused_or_well_formed),
        cmocka_unit_test(random_bytes_are_refused_or_well_formed),
        cmocka_unit_test(bytes_after_the_item_are_refused),
        cmocka_unit_test(sixteen_levels_pass_and_the_seventeenth_is_refused),
        cmocka_unit_test(length_bombs_are_refused_for_every_type_and_size),
        cmocka_unit_test(map_entries_need_two_bytes_each),
        cmocka_unit_test(other_encodings_are_refused),
        cmocka_unit_test(text_at_the_borders_of_utf8_passes),
        cmocka_unit_test(keys_in_order_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
