/* What verify and its hosts say: written, read back, and refused when it is anything else. */
#include "agent/verify/message.h"

#include "tests/support/base_test.h"

#include <string.h>

static struct verify_message sample(void)
{
    return (struct verify_message){.number = 300,
                                   .verb = VERIFY_RUN,
                                   .values = {UINT64_MAX, 0, 7},
                                   .value_count = 3,
                                   .text = span_of_text("né"),
                                   .bytes = {(const uint8_t *)"\0\xff", 2}};
}

static struct buf written(const struct verify_message *message)
{
    struct buf bytes = BUF_INIT(VERIFY_FRAME_MAX);
    struct err err = ERR_INIT;

    BASE_OK(verify_message_write(message, &bytes, &err), &err);
    return bytes;
}

static void a_message_is_these_bytes(void **state)
{
    struct verify_message message = sample();
    struct buf bytes = written(&message);

    (void)state;
    /* "thaw", 25 bytes follow */
    base_assert_hex(buf_span(&bytes), "74686177 19000000"
                                      "86 19012c 04 00" /* number 300, run, no error */
                                      "83 1bffffffffffffffff 00 07"
                                      "63 6ec3a9"
                                      "42 00ff");
    buf_release(&bytes);
}

static void what_is_written_is_read(void **state)
{
    struct verify_message message = sample(), read;
    struct buf bytes = written(&message);
    struct err err = ERR_INIT;
    size_t size = 0;

    (void)state;
    BASE_OK(verify_frame_size(buf_span(&bytes), &size, &err), &err);
    assert_int_equal(size, bytes.size);
    BASE_OK(verify_message_read(buf_span(&bytes), &read, &err), &err);
    assert_int_equal(read.number, 300);
    assert_int_equal(read.verb, VERIFY_RUN);
    assert_int_equal(read.value_count, 3);
    assert_true(read.values[0] == UINT64_MAX);
    assert_true(span_equal(read.text, message.text));
    assert_true(span_equal(read.bytes, message.bytes));
    buf_release(&bytes);
}

static void every_truncation_waits_for_more(void **state)
{
    struct verify_message message = sample();
    struct buf bytes = written(&message);
    struct err err = ERR_INIT;
    size_t size = 1;

    (void)state;
    for (size_t i = 0; i < bytes.size; i++) {
        BASE_OK(verify_frame_size((struct span){bytes.data, i}, &size, &err), &err);
        assert_int_equal(size, 0);
    }
    buf_release(&bytes);
}

static void other_bytes_are_no_message_from_the_first_on(void **state)
{
    struct err err = ERR_INIT;
    size_t size;

    (void)state;
    BASE_FAILS(verify_frame_size(span_of_text("S"), &size, &err), &err, ERR_INVALID, "begins");
    BASE_FAILS(verify_frame_size(span_of_text("thax"), &size, &err), &err, ERR_INVALID, "begins");
    BASE_FAILS(
        verify_frame_size((struct span){(const uint8_t *)"thaw\xff\xff\xff\xff", 8}, &size, &err),
        &err, ERR_INVALID, "over the maximum");
}

static void every_altered_byte_is_read_or_refused(void **state)
{
    struct verify_message message = sample(), read;
    struct buf bytes = written(&message);

    (void)state;
    for (size_t i = 8; i < bytes.size; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            struct err err = ERR_INIT;
            bytes.data[i] ^= (uint8_t)(1u << bit);
            if (verify_message_read(buf_span(&bytes), &read, &err)) {
                assert_true(read.value_count <= VERIFY_VALUES_MAX);
                assert_true(read.verb < VERIFY_VERB_COUNT);
            } else {
                assert_int_not_equal(err.kind, ERR_NONE);
            }
            bytes.data[i] ^= (uint8_t)(1u << bit);
        }
    }
    buf_release(&bytes);
}

static void a_verb_that_is_none_is_refused(void **state)
{
    struct verify_message message = sample(), read;
    struct err err = ERR_INIT;
    struct buf bytes;

    (void)state;
    message.verb = (enum verify_verb)VERIFY_VERB_COUNT;
    bytes = written(&message);
    BASE_FAILS(verify_message_read(buf_span(&bytes), &read, &err), &err, ERR_INVALID,
               "no such message");
    buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_is_these_bytes),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(every_truncation_waits_for_more),
        cmocka_unit_test(other_bytes_are_no_message_from_the_first_on),
        cmocka_unit_test(every_altered_byte_is_read_or_refused),
        cmocka_unit_test(a_verb_that_is_none_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
