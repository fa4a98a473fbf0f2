#include "storage/base/cbor.h"

#include "tests/support/base_cbor.h"
#include "tests/support/base_test.h"

#include <string.h>

/* One of everything, as a golden value: text, and the bytes it must have. */
static const char sample_hex[] = "a6"                       /* map of 6 entries */
                                 "01"                       /* 1: */
                                 "1a000f4240"               /* 1000000 */
                                 "20"                       /* -1: */
                                 "390100"                   /* -257 */
                                 "4101"                     /* h'01': */
                                 "581900010203040506070809" /* h'00..18', 25 bytes */
                                 "0a0b0c0d0e0f101112131415161718"
                                 "6161"           /* "a": */
                                 "66c3bce6b0b421" /* "ü水!" */
                                 "626e6f"         /* "no": */
                                 "84f4f5f600"     /* [false, true, null, 0] */
                                 "63746f70"       /* "top": */
                                 "a1617880"       /* {"x": []} */
    ;

static void write_sample(struct cbor_writer *writer)
{
    uint8_t bytes[25];

    for (uint8_t i = 0; i < sizeof bytes; i++)
        bytes[i] = i;
    cbor_write_map(writer, 6);
    cbor_write_uint(writer, 1);
    cbor_write_uint(writer, 1000000);
    cbor_write_int(writer, -1);
    cbor_write_int(writer, -257);
    cbor_write_bytes(writer, (struct span){(const uint8_t *)"\x01", 1});
    cbor_write_bytes(writer, (struct span){bytes, sizeof bytes});
    cbor_write_text(writer, "a");
    cbor_write_text_span(writer, span_of_text("\xc3\xbc\xe6\xb0\xb4!"));
    cbor_write_text(writer, "no");
    cbor_write_array(writer, 4);
    cbor_write_bool(writer, false);
    cbor_write_bool(writer, true);
    cbor_write_null(writer);
    cbor_write_int(writer, 0);
    cbor_write_text(writer, "top");
    cbor_write_map(writer, 1);
    cbor_write_text(writer, "x");
    cbor_write_array(writer, 0);
}

static void writer_gives_golden_bytes(void **state)
{
    struct buf out = BUF_INIT(1024);
    struct err err = ERR_INIT;
    struct cbor_writer writer = cbor_writer(&out, &err);

    (void)state;
    write_sample(&writer);
    assert_true(writer.ok);
    base_assert_hex(buf_span(&out), sample_hex);
    BASE_OK(cbor_check(buf_span(&out), &err), &err);
    buf_release(&out);
}

static void reader_gives_back_what_was_written(void **state)
{
    struct buf bytes = base_hex(sample_hex);
    struct err err = ERR_INIT;
    struct cbor_reader reader = cbor_reader(buf_span(&bytes), &err);
    struct span span;
    size_t count;
    uint64_t number;
    int64_t integer;
    bool truth;

    (void)state;
    BASE_OK(cbor_read_map(&reader, 6, &count), &err);
    assert_int_equal(count, 6);
    BASE_OK(cbor_read_uint(&reader, &number) && number == 1, &err);
    BASE_OK(cbor_read_int(&reader, &integer) && integer == 1000000, &err);
    BASE_OK(cbor_read_int(&reader, &integer) && integer == -1, &err);
    BASE_OK(cbor_read_negative(&reader, &number) && number == 256, &err);
    BASE_OK(cbor_read_bytes(&reader, 1, &span) && span.size == 1 && span.data[0] == 1, &err);
    BASE_OK(cbor_read_bytes(&reader, 25, &span) && span.size == 25 && span.data[24] == 24, &err);
    BASE_OK(cbor_read_text(&reader, 1, &span) && cbor_text_is(span, "a"), &err);
    BASE_OK(cbor_read_text(&reader, 6, &span) && cbor_text_is(span, "\xc3\xbc\xe6\xb0\xb4!"), &err);
    BASE_OK(cbor_skip(&reader), &err); /* "no" */
    BASE_OK(cbor_read_array(&reader, 4, &count) && count == 4, &err);
    BASE_OK(cbor_read_bool(&reader, &truth) && !truth, &err);
    BASE_OK(cbor_read_bool(&reader, &truth) && truth, &err);
    BASE_OK(cbor_read_null(&reader), &err);
    BASE_OK(cbor_skip(&reader) && cbor_skip(&reader) && cbor_skip(&reader), &err);
    assert_int_equal(cbor_peek(&reader), CBOR_END);
    assert_int_equal(reader.offset, bytes.size);
    assert_true(reader.ok);
    buf_release(&bytes);
}

static void peek_names_the_next_item_and_moves_nothing(void **state)
{
    static const struct {
        const char *hex;
        enum cbor_type type;
    } table[] = {
        {"17", CBOR_UINT},  {"37", CBOR_NINT}, {"40", CBOR_BYTES}, {"60", CBOR_TEXT},
        {"80", CBOR_ARRAY}, {"a0", CBOR_MAP},  {"f4", CBOR_BOOL},  {"f5", CBOR_BOOL},
        {"f6", CBOR_NULL},  {"", CBOR_END},
    };

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct buf bytes = base_hex(table[i].hex);
        struct err err = ERR_INIT;
        struct cbor_reader reader = cbor_reader(buf_span(&bytes), &err);
        assert_int_equal(cbor_peek(&reader), table[i].type);
        assert_int_equal(reader.offset, 0);
        assert_true(reader.ok);
        buf_release(&bytes);
    }
}

/* Each read function against each type but its own. */
static void wrong_types_are_refused(void **state)
{
    static const char *const items[] = {"00", "20", "40", "60", "80", "a0", "f4", "f6"};

    (void)state;
    for (size_t i = 0; i < 8; i++) {
        struct buf bytes = base_hex(items[i]);
        for (size_t k = 0; k < 8; k++) {
            struct err err = ERR_INIT;
            struct cbor_reader reader = cbor_reader(buf_span(&bytes), &err);
            struct span span;
            uint64_t number;
            size_t count;
            bool truth;
            const bool results[] = {
                k == 0 && cbor_read_uint(&reader, &number),
                k == 1 && cbor_read_negative(&reader, &number),
                k == 2 && cbor_read_bytes(&reader, 9, &span),
                k == 3 && cbor_read_text(&reader, 9, &span),
                k == 4 && cbor_read_array(&reader, 9, &count),
                k == 5 && cbor_read_map(&reader, 9, &count),
                k == 6 && cbor_read_bool(&reader, &truth),
                k == 7 && cbor_read_null(&reader),
            };
            if (i == k)
                BASE_OK(results[k], &err);
            else
                BASE_FAILS(results[k], &err, ERR_CORRUPT, "expected here (CBOR, byte 0)");
            assert_true(reader.ok == (i == k));
        }
        buf_release(&bytes);
    }
}

static void counts_and_sizes_over_the_callers_limit_are_refused(void **state)
{
    struct buf text = base_hex("6568656c6c6f"), bytes = base_hex("4400010203");
    struct buf array = base_hex("83010203"), map = base_hex("a201020304");
    struct err err = ERR_INIT;
    struct cbor_reader reader;
    struct span span;
    size_t count;

    (void)state;
    reader = cbor_reader(buf_span(&text), &err);
    BASE_FAILS(cbor_read_text(&reader, 4, &span), &err, ERR_TOO_BIG, "5 bytes, at most 4");
    reader = cbor_reader(buf_span(&bytes), &err);
    BASE_FAILS(cbor_read_bytes(&reader, 3, &span), &err, ERR_TOO_BIG, "4 bytes, at most 3");
    reader = cbor_reader(buf_span(&array), &err);
    BASE_FAILS(cbor_read_array(&reader, 2, &count), &err, ERR_TOO_BIG, "3 entries, at most 2");
    reader = cbor_reader(buf_span(&map), &err);
    BASE_FAILS(cbor_read_map(&reader, 1, &count), &err, ERR_TOO_BIG, "2 entries, at most 1");
    buf_release(&text);
    buf_release(&bytes);
    buf_release(&array);
    buf_release(&map);
}

static void integers_have_their_whole_range(void **state)
{
    static const int64_t values[] = {
        0,  23,  24,  255,  256,  65535,  65536,  4294967295,  4294967296,  INT64_MAX,
        -1, -24, -25, -256, -257, -65536, -65537, -4294967296, -4294967297, INT64_MIN};
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct buf out = BUF_INIT(16);
        struct cbor_writer writer = cbor_writer(&out, &err);
        struct cbor_reader reader;
        int64_t back;
        cbor_write_int(&writer, values[i]);
        reader = cbor_reader(buf_span(&out), &err);
        BASE_OK(cbor_read_int(&reader, &back), &err);
        assert_true(back == values[i]);
        assert_int_equal(reader.offset, out.size);
        buf_release(&out);
    }
}

static void integers_beyond_int64_are_refused_as_such(void **state)
{
    static const char *const items[] = {"1b8000000000000000", "1bffffffffffffffff",
                                        "3b8000000000000000", "3bffffffffffffffff"};
    int64_t value = 5;

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct buf bytes = base_hex(items[i]);
        struct err err = ERR_INIT;
        struct cbor_reader reader = cbor_reader(buf_span(&bytes), &err);
        BASE_FAILS(cbor_read_int(&reader, &value), &err, ERR_CORRUPT, "out of range");
        assert_true(value == 5);
        buf_release(&bytes);
    }
}

static void reader_keeps_its_first_failure(void **state)
{
    struct buf bytes = base_hex("0102");
    struct err err = ERR_INIT;
    struct cbor_reader reader = cbor_reader(buf_span(&bytes), &err);
    uint64_t number = 9;
    size_t count;

    (void)state;
    BASE_OK(cbor_read_uint(&reader, &number), &err);
    BASE_FAILS(cbor_read_map(&reader, 9, &count), &err, ERR_CORRUPT,
               "a map was expected here (CBOR, byte 1)");
    BASE_FAILS(cbor_read_uint(&reader, &number), &err, ERR_CORRUPT, "a map was expected");
    BASE_FAILS(cbor_skip(&reader), &err, ERR_CORRUPT, "a map was expected");
    BASE_FAILS(cbor_fail(&reader, ERR_INVALID, "later"), &err, ERR_CORRUPT, "a map was expected");
    assert_int_equal(cbor_peek(&reader), CBOR_END);
    assert_int_equal(number, 1);
    buf_release(&bytes);
}

static void writer_stops_at_the_ceiling(void **state)
{
    (void)state;
    for (size_t max = 0; max < 64; max++) {
        struct buf out = BUF_INIT(max);
        struct err err = ERR_INIT;
        struct cbor_writer writer = cbor_writer(&out, &err);
        write_sample(&writer);
        assert_false(writer.ok);
        BASE_FAILS(writer.ok, &err, ERR_TOO_BIG, "limit");
        assert_true(out.size <= max);
        buf_release(&out);
    }
}

static void reencoding_gives_the_same_bytes(void **state)
{
    struct buf bytes = base_hex(sample_hex), out = BUF_INIT(1024);
    struct err err = ERR_INIT;
    struct cbor_reader reader = cbor_reader(buf_span(&bytes), &err);
    struct cbor_writer writer = cbor_writer(&out, &err);

    (void)state;
    BASE_OK(base_cbor_copy(&reader, &writer), &err);
    assert_true(span_equal(buf_span(&bytes), buf_span(&out)));
    buf_release(&bytes);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer_gives_golden_bytes),
        cmocka_unit_test(reader_gives_back_what_was_written),
        cmocka_unit_test(peek_names_the_next_item_and_moves_nothing),
        cmocka_unit_test(wrong_types_are_refused),
        cmocka_unit_test(counts_and_sizes_over_the_callers_limit_are_refused),
        cmocka_unit_test(integers_have_their_whole_range),
        cmocka_unit_test(integers_beyond_int64_are_refused_as_such),
        cmocka_unit_test(reader_keeps_its_first_failure),
        cmocka_unit_test(writer_stops_at_the_ceiling),
        cmocka_unit_test(reencoding_gives_the_same_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
