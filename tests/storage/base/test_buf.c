#include "tests/support/base_test.h"

#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ADDRESS_SANITIZER 1
#endif
#endif

static void appended_bytes_come_out_in_order(void **state)
{
    struct buf buf = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t byte = (uint8_t)(i * 7);
        BASE_OK(buf_append(&buf, &byte, 1, &err), &err);
    }
    assert_int_equal(buf.size, 100000);
    for (unsigned i = 0; i < 100000; i++)
        assert_int_equal(buf.data[i], (uint8_t)(i * 7));
    buf_release(&buf);
}

static void ceiling_is_reached_exactly_and_never_passed(void **state)
{
    struct buf buf = BUF_INIT(10);
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(buf_append(&buf, "0123456789", 10, &err), &err);
    BASE_FAILS(buf_append(&buf, "x", 1, &err), &err, ERR_TOO_BIG, "limit of 10 bytes");
    assert_int_equal(buf.size, 10);
    assert_memory_equal(buf.data, "0123456789", 10);
    BASE_OK(buf_append(&buf, NULL, 0, &err), &err);
    BASE_FAILS(buf_reserve(&buf, SIZE_MAX, &err), &err, ERR_TOO_BIG, "limit");
    buf_release(&buf);
}

static void memory_in_use_stays_below_the_ceiling(void **state)
{
    struct buf buf = BUF_INIT(300), small = BUF_INIT(10);
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(buf_reserve(&small, 1, &err), &err);
    assert_true(small.capacity <= 10);
    buf_release(&small);
    BASE_OK(buf_reserve(&buf, 257, &err), &err);
    assert_true(buf.capacity <= 300);
    BASE_OK(buf_reserve(&buf, 300, &err), &err);
    assert_true(buf.capacity <= 300);
    assert_int_equal(buf.size, 0);
    buf_release(&buf);
}

static void memory_that_cannot_be_had_is_an_error(void **state)
{
    struct buf buf = BUF_INIT(SIZE_MAX);
    struct err err = ERR_INIT;

    (void)state;
#ifdef ADDRESS_SANITIZER
    skip(); /* it ends the program instead of returning NULL */
#endif
    BASE_OK(buf_append(&buf, "abc", 3, &err), &err);
    BASE_FAILS(buf_reserve(&buf, SIZE_MAX / 2, &err), &err, ERR_NO_MEMORY, "no memory for");
    assert_int_equal(buf.size, 3);
    assert_memory_equal(buf.data, "abc", 3);
    buf_release(&buf);
}

static void release_is_safe_twice_and_leaves_a_usable_buf(void **state)
{
    struct buf buf = BUF_INIT(16);
    struct err err = ERR_INIT;

    (void)state;
    buf_release(&buf);
    BASE_OK(buf_append_text(&buf, "ice", &err), &err);
    buf_release(&buf);
    buf_release(&buf);
    assert_int_equal(buf.size, 0);
    BASE_OK(buf_append_text(&buf, "melt", &err), &err);
    assert_memory_equal(buf.data, "melt", 4);
    buf_release(&buf);
}

static void clear_empties_and_keeps_memory(void **state)
{
    struct buf buf = BUF_INIT(16);
    struct err err = ERR_INIT;
    uint8_t *before;

    (void)state;
    BASE_OK(buf_append_text(&buf, "frozen", &err), &err);
    before = buf.data;
    buf_clear(&buf);
    assert_int_equal(buf_span(&buf).size, 0);
    BASE_OK(buf_append_text(&buf, "thawed", &err), &err);
    assert_ptr_equal(buf.data, before);
    buf_release(&buf);
}

static void formatting_takes_short_and_long_texts(void **state)
{
    struct buf buf = BUF_INIT(4096);
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(buf_format(&buf, &err, "%s-%d", "a", 5), &err);
    assert_memory_equal(buf.data, "a-5", 3);
    for (int width = 510; width <= 514; width++) { /* both sides of the small buffer's size */
        buf_clear(&buf);
        BASE_OK(buf_format(&buf, &err, "%*d", width, 7), &err);
        assert_int_equal(buf.size, width);
        assert_int_equal(buf.data[width - 1], '7');
        assert_int_equal(buf.data[width - 2], ' ');
    }
    buf_clear(&buf);
    BASE_FAILS(buf_format(&buf, &err, "%5000d", 1), &err, ERR_TOO_BIG, "limit");
    assert_int_equal(buf.size, 0);
    buf_release(&buf);
}

static void spans_are_equal_by_size_and_bytes(void **state)
{
    (void)state;
    assert_true(span_equal(span_of_text("ice"), span_of_text("ice")));
    assert_false(span_equal(span_of_text("ice"), span_of_text("icy")));
    assert_false(span_equal(span_of_text("ice"), span_of_text("icecap")));
    assert_true(span_equal((struct span){NULL, 0}, span_of_text("")));
}

static void memory_comes_zeroed_and_never_null(void **state)
{
    static const uint8_t zeros[4096];
    uint8_t *memory = mem_alloc(4096);
    void *nothing = mem_array(0, 0);
    char *text = mem_text("thaw");

    (void)state;
    assert_memory_equal(memory, zeros, 4096);
    assert_non_null(nothing);
    assert_string_equal(text, "thaw");
    mem_free(memory);
    mem_free(nothing);
    mem_free(text);
    mem_free(NULL);
}

static void ask_for_too_much(void *context)
{
    size_t count = *(size_t *)context;

    mem_free(mem_array(count, 16));
}

static void product_that_overflows_stops_the_program(void **state)
{
    size_t count = SIZE_MAX / 16 + 2; /* times 16 is 16, modulo 2^64 */

    (void)state;
#ifdef ADDRESS_SANITIZER
    skip(); /* it ends the program in its own way */
#endif
    base_assert_aborts(ask_for_too_much, &count, "this must hold: memory != NULL");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appended_bytes_come_out_in_order),
        cmocka_unit_test(ceiling_is_reached_exactly_and_never_passed),
        cmocka_unit_test(memory_in_use_stays_below_the_ceiling),
        cmocka_unit_test(memory_that_cannot_be_had_is_an_error),
        cmocka_unit_test(release_is_safe_twice_and_leaves_a_usable_buf),
        cmocka_unit_test(clear_empties_and_keeps_memory),
        cmocka_unit_test(formatting_takes_short_and_long_texts),
        cmocka_unit_test(spans_are_equal_by_size_and_bytes),
        cmocka_unit_test(memory_comes_zeroed_and_never_null),
        cmocka_unit_test(product_that_overflows_stops_the_program),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
