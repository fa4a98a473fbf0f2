#include "jobs/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct pool pool;
    struct yaml *yaml;
    struct buf report;
    struct err err;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    f->report = (struct buf)BUF_INIT(1u << 20);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    pool_release(&f->pool);
    buf_release(&f->report);
    free(f);
    return 0;
}

static const struct yaml_node *parse(struct fixture *f, const char *text)
{
    f->yaml = yaml_open(span_of_text(text), "t.yaml", &f->pool);
    return yaml_root(f->yaml);
}

/* All mistakes as people see them. */
static const char *report(struct fixture *f)
{
    if (yaml_finish(f->yaml, &f->report, &f->err))
        return "";
    buf_append(&f->report, "", 1, &f->err);
    return (const char *)f->report.data;
}

static void values_are_read_by_type(void **state)
{
    struct fixture *f = *state;
    const char *name = NULL;
    uint64_t memory = 0, limit = 0;
    bool fast = false;
    struct yaml_map map;
    const struct yaml_node *root;

    root = parse(f, "name: one\nmemory: 2 MiB\nfast: true\nlimit: 3M\n");
    assert_true(yaml_map_open(f->yaml, root, "a thing", &map));
    assert_true(yaml_get_text(&map, "name", &name));
    assert_true(yaml_get_bytes(&map, "memory", &memory, YAML_ANY));
    assert_true(yaml_get_bool(&map, "fast", &fast));
    assert_true(yaml_get_instructions(&map, "limit", &limit, YAML_ANY));
    assert_false(yaml_get_text(&map, "other", &name));
    yaml_map_close(&map);
    assert_string_equal(report(f), "");
    assert_string_equal(name, "one");
    assert_int_equal(memory, 2 << 20);
    assert_true(fast);
    assert_int_equal(limit, 3000000);
}

static void every_mistake_is_shown_with_its_place(void **state)
{
    struct fixture *f = *state;
    uint64_t memory = 5, harts = 1;
    struct yaml_map map;
    const struct yaml_node *root;

    root = parse(f, "memry: 512 MiB\nharts: many\n\nmemory: 1 GiB\n");
    assert_true(yaml_map_open(f->yaml, root, "a machine", &map));
    yaml_get_number(&map, "harts", &harts, YAML_ANY);
    yaml_get_bytes(&map, "memory", &memory, (struct yaml_range){0, 4096});
    yaml_map_close(&map);
    assert_string_equal(
        report(f), "t.yaml:1:1: unknown key `memry`; did you mean `memory`?\n"
                   "    1 | memry: 512 MiB\n"
                   "      | ^~~~~\n"
                   "t.yaml:2:8: `harts:` `many` is not a number such as `1000000`, `50M` or `2G`\n"
                   "    2 | harts: many\n"
                   "      |        ^~~~\n"
                   "t.yaml:4:9: `memory:` 1 GiB is out of range: 0 to 4096\n"
                   "    4 | memory: 1 GiB\n"
                   "      |         ^~~~~\n");
    assert_string_equal(f->err.text,
                        "t.yaml:1:1: unknown key `memry`; did you mean `memory`? (and 2 more)");
    assert_int_equal(f->err.kind, ERR_INVALID);
    assert_int_equal(memory, 5);
    assert_int_equal(harts, 1);
}

static void syntax_errors_have_a_place(void **state)
{
    struct fixture *f = *state;

    assert_null(parse(f, "a: 1\nb: [1, 2\nc: 3\n"));
    assert_non_null(strstr(report(f), "t.yaml:"));
    assert_non_null(strstr((char *)f->report.data, "^"));
}

static void an_empty_file_is_a_mistake(void **state)
{
    struct fixture *f = *state;

    assert_null(parse(f, ""));
    assert_string_equal(report(f), "t.yaml: the file is empty\n");
    buf_clear(&f->report);
    assert_null(parse(f, "# only a comment\n"));
    assert_string_equal(report(f), "t.yaml: the file is empty\n");
}

static void a_key_given_twice_is_a_mistake(void **state)
{
    struct fixture *f = *state;

    parse(f, "a: 1\nb: 2\na: 3\n");
    assert_non_null(strstr(report(f), "t.yaml:3:1: key `a` is there twice"));
}

static void tags_and_second_documents_are_refused(void **state)
{
    struct fixture *f = *state;

    parse(f, "a: !!python/object x\n");
    assert_non_null(strstr(report(f), "tags"));
    buf_clear(&f->report);
    parse(f, "a: 1\n---\nb: 2\n");
    assert_non_null(strstr(report(f), "a second document"));
}

static void aliases_and_merges_work(void **state)
{
    struct fixture *f = *state;
    const struct yaml_node *root =
        parse(f, "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: *b\n");
    struct yaml_map map, one;
    uint64_t x = 0, y = 0;

    assert_true(yaml_map_open(f->yaml, root, "root", &map));
    assert_true(yaml_map_open(f->yaml, yaml_map_find(&map, "one"), "one", &one));
    assert_true(yaml_get_number(&one, "x", &x, YAML_ANY));
    assert_true(yaml_get_number(&one, "y", &y, YAML_ANY));
    assert_int_equal(x, 1);
    assert_int_equal(y, 3);
    assert_true(yaml_map_open(f->yaml, yaml_map_find(&map, "two"), "two", &one));
    assert_true(yaml_get_number(&one, "y", &y, YAML_ANY));
    assert_int_equal(y, 2);
    assert_string_equal(report(f), "");
}

static void an_alias_bomb_is_refused(void **state)
{
    struct fixture *f = *state;
    char text[4096] = "a0: &a0 [x, x, x, x, x, x, x, x]\n";

    for (int i = 1; i < 20; i++) {
        char line[160];

        snprintf(line, sizeof line, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n",
                 i, i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        strcat(text, line);
    }
    assert_null(parse(f, text));
    assert_non_null(strstr(report(f), "unfolds to more values"));
    assert_true(f->pool.total < 4u << 20);
}

static void an_unknown_alias_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_null(parse(f, "a: *nobody\n"));
    assert_non_null(strstr(report(f), "no anchor `&nobody`"));
}

static void deep_nesting_is_refused(void **state)
{
    struct fixture *f = *state;
    char text[2001];

    memset(text, '[', 1000);
    memset(text + 1000, ']', 1000);
    text[2000] = '\0';
    assert_null(parse(f, text));
    assert_string_not_equal(report(f), "");
}

static void a_file_over_the_limit_is_refused(void **state)
{
    struct fixture *f = *state;
    size_t size = YAML_FILE_BYTES_MAX + 1;
    char *text = malloc(size);

    memset(text, 'a', size);
    f->yaml = yaml_open((struct span){(uint8_t *)text, size}, "t.yaml", &f->pool);
    assert_null(yaml_root(f->yaml));
    assert_non_null(strstr(report(f), "the limit is"));
    free(text);
}

static void many_mistakes_are_counted_but_not_all_shown(void **state)
{
    struct fixture *f = *state;
    char text[32768] = "";
    struct yaml_map map;

    for (int i = 0; i < YAML_ERRORS_MAX + 18; i++)
        sprintf(text + strlen(text), "key%d: 1\n", i);
    const struct yaml_node *root = parse(f, text);
    assert_true(yaml_map_open(f->yaml, root, "root", &map));
    yaml_map_close(&map);
    assert_non_null(strstr(report(f), "and 18 more mistakes"));
}

static void a_caret_stands_under_its_word_behind_other_alphabets_and_tabs(void **state)
{
    struct fixture *f = *state;
    struct yaml_map map;
    const struct yaml_node *root = parse(f, "{\"n\xc3\xa4me\": 1, wrong: 2}\n");

    assert_true(yaml_map_open(f->yaml, root, "root", &map));
    yaml_map_find(&map, "n\xc3\xa4me");
    yaml_map_close(&map);
    assert_string_equal(report(f), "t.yaml:1:13: unknown key `wrong`; known here: `n\xc3\xa4me`\n"
                                   "    1 | {\"n\xc3\xa4me\": 1, wrong: 2}\n"
                                   "      |             ^~~~~\n");
}

static void bytes_that_are_not_utf8_are_refused(void **state)
{
    struct fixture *f = *state;

    parse(f, "a: \xff\xfe\n");
    assert_string_not_equal(report(f), "");
}

static void nul_in_a_text_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct yaml_node *root = parse(f, "a: \"x\\0y\"\n");
    const char *text = NULL;
    struct yaml_map map;

    assert_true(yaml_map_open(f->yaml, root, "root", &map));
    assert_false(yaml_get_text(&map, "a", &text));
    assert_non_null(strstr(report(f), "NUL"));
}

static void lists_take_one_value_for_a_list_of_it(void **state)
{
    struct fixture *f = *state;
    const struct yaml_node *root = parse(f, "a: x\nb: [y, z]\nc:\n");
    const char *const *texts = NULL;
    size_t count = 0;
    struct yaml_map map;

    assert_true(yaml_map_open(f->yaml, root, "root", &map));
    assert_true(yaml_get_texts(&map, "a", 4, &texts, &count));
    assert_int_equal(count, 1);
    assert_string_equal(texts[0], "x");
    assert_true(yaml_get_texts(&map, "b", 4, &texts, &count));
    assert_int_equal(count, 2);
    assert_false(yaml_get_texts(&map, "c", 4, &texts, &count));
    assert_string_equal(report(f), "");
    assert_false(yaml_get_texts(&map, "b", 1, &texts, &count));
    assert_non_null(strstr(report(f), "2 values; the limit is 1"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(values_are_read_by_type),
        T(every_mistake_is_shown_with_its_place),
        T(syntax_errors_have_a_place),
        T(an_empty_file_is_a_mistake),
        T(a_key_given_twice_is_a_mistake),
        T(tags_and_second_documents_are_refused),
        T(aliases_and_merges_work),
        T(an_alias_bomb_is_refused),
        T(an_unknown_alias_is_refused),
        T(deep_nesting_is_refused),
        T(a_file_over_the_limit_is_refused),
        T(many_mistakes_are_counted_but_not_all_shown),
        T(a_caret_stands_under_its_word_behind_other_alphabets_and_tabs),
        T(bytes_that_are_not_utf8_are_refused),
        T(nul_in_a_text_is_refused),
        T(lists_take_one_value_for_a_list_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
