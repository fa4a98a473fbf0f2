#include "jobs/json_writer.h"
#include "jobs/table.h"
#include "jobs/utf8.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void text_is(struct buf *out, const char *expected)
{
    if (!span_equal(buf_span(out), span_of_text(expected)))
        fail_msg("`%.*s`, expected `%s`", (int)out->size, (const char *)out->data, expected);
    buf_release(out);
}

static void objects_and_arrays_nest(void **state)
{
    struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;
    struct json_writer w = json_writer(&out, false, &err);

    (void)state;
    json_write_object(&w);
    json_write_key_text(&w, "a", "x");
    json_write_key(&w, "b");
    json_write_array(&w);
    json_write_uint(&w, UINT64_MAX);
    json_write_int(&w, INT64_MIN);
    json_write_bool(&w, true);
    json_write_null(&w);
    json_write_object(&w);
    json_write_close(&w);
    json_write_array(&w);
    json_write_close(&w);
    json_write_close(&w);
    json_write_key_text(&w, "c", NULL);
    json_write_close(&w);
    assert_true(json_writer_ok(&w));
    text_is(
        &out,
        "{\"a\": \"x\", \"b\": [18446744073709551615, -9223372036854775808, true, null, {}, []], "
        "\"c\": null}");
}

static void indented_objects_are_for_people(void **state)
{
    struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;
    struct json_writer w = json_writer(&out, true, &err);

    (void)state;
    json_write_object(&w);
    json_write_key_uint(&w, "a", 1);
    json_write_key(&w, "b");
    json_write_array(&w);
    json_write_bool(&w, false);
    json_write_close(&w);
    json_write_close(&w);
    text_is(&out, "{\n  \"a\": 1,\n  \"b\": [\n    false\n  ]\n}");
}

static void what_json_cannot_hold_is_escaped_or_replaced(void **state)
{
    struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;
    struct json_writer w = json_writer(&out, false, &err);
    static const uint8_t bytes[] =
        "\"\\\n\r\t\x01\x7f\x80\xc3\xa4\xed\xa0\x80\xe2\x80\xa8\xf0\x9f\x98\x80\xc3";

    (void)state;
    json_write_span(&w, (struct span){bytes, sizeof bytes - 1});
    text_is(&out, "\"\\\"\\\\\\n\\r\\t\\u0001\\u007f" UTF8_REPLACEMENT
                  "\xc3\xa4" UTF8_REPLACEMENT UTF8_REPLACEMENT UTF8_REPLACEMENT
                  "\\u2028\xf0\x9f\x98\x80" UTF8_REPLACEMENT "\"");
}

static void times_are_milliseconds_without_floating_point(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } cases[] = {{0, "0.000"},       {499, "0.000"},          {500, "0.001"},
                 {1234567, "1.235"}, {999999500, "1000.000"}, {UINT64_MAX, "18446744073709.552"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct buf out = BUF_INIT(64);
        struct err err = ERR_INIT;
        struct json_writer w = json_writer(&out, false, &err);

        json_write_ms(&w, cases[i].ns);
        text_is(&out, cases[i].text);
    }
}

static void a_full_buffer_stops_the_writer(void **state)
{
    (void)state;
    for (size_t max = 0; max < 30; max++) {
        struct buf out = BUF_INIT(max);
        struct err err = ERR_INIT;
        struct json_writer w = json_writer(&out, false, &err);

        json_write_object(&w);
        json_write_key_text(&w, "key", "value of some length");
        json_write_close(&w);
        assert_false(json_writer_ok(&w));
        assert_int_equal(err.kind, ERR_TOO_BIG);
        assert_true(out.size <= max);
        buf_release(&out);
    }
}

static void columns_line_up_by_what_a_terminal_shows(void **state)
{
    static const struct table_column columns[] = {{"name", false}, {"size", true}, {"note", false}};
    struct buf out = BUF_INIT(4096);
    struct err err = ERR_INIT;
    struct table table;

    (void)state;
    table_init(&table, columns, 3);
    table_cell(&table, COLOUR_NONE, "%s", "\xc3\xa4\xc3\xb6");
    table_cell(&table, COLOUR_NONE, "%d", 7);
    table_cell(&table, COLOUR_NONE, "x");
    table_cell(&table, COLOUR_NONE, "\xe6\xbc\xa2\xe5\xad\x97");
    table_cell(&table, COLOUR_NONE, "12345");
    table_cell(&table, COLOUR_NONE, "%s", "");
    table_cell(&table, COLOUR_NONE, "bad\x1b[31m\n\xff");
    table_cell(&table, COLOUR_NONE, "%s", "");
    table_cell(&table, COLOUR_NONE, "%s", "");
    assert_true(table_write(&table, false, &out, &err));
    text_is(&out, "name         size  note\n"
                  "\xc3\xa4\xc3\xb6              7  x\n"
                  "\xe6\xbc\xa2\xe5\xad\x97        12345\n"
                  "bad [31m ?\n");
    table_release(&table);
}

static void colours_come_only_when_asked_for(void **state)
{
    static const struct table_column columns[] = {{NULL, false}, {NULL, true}};
    struct buf plain = BUF_INIT(4096), coloured = BUF_INIT(4096);
    struct err err = ERR_INIT;
    struct table table;

    (void)state;
    table_init(&table, columns, 2);
    table_cell(&table, COLOUR_GREEN, "pass");
    table_cell(&table, COLOUR_NONE, "1");
    assert_true(table_write(&table, false, &plain, &err));
    assert_true(table_write(&table, true, &coloured, &err));
    text_is(&plain, "pass  1\n");
    text_is(&coloured, "\x1b[32mpass\x1b[0m  1\n");
    table_release(&table);
}

static void utf8_takes_only_what_the_standard_takes(void **state)
{
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xff"};
    uint32_t c;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(utf8_read(span_of_text(bad[i]), &c), 0);
    assert_int_equal(utf8_read(span_of_text("\xf4\x8f\xbf\xbf"), &c), 4);
    assert_int_equal(c, 0x10ffff);
    assert_int_equal(utf8_valid_size(span_of_text("ab\xff")), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_and_arrays_nest),
        cmocka_unit_test(indented_objects_are_for_people),
        cmocka_unit_test(what_json_cannot_hold_is_escaped_or_replaced),
        cmocka_unit_test(times_are_milliseconds_without_floating_point),
        cmocka_unit_test(a_full_buffer_stops_the_writer),
        cmocka_unit_test(columns_line_up_by_what_a_terminal_shows),
        cmocka_unit_test(colours_come_only_when_asked_for),
        cmocka_unit_test(utf8_takes_only_what_the_standard_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
