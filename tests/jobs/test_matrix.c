#include "jobs/matrix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct job_file *parse(const char *text)
{
    struct err err = ERR_INIT;
    struct job_file *file = NULL;

    if (!job_file_parse(span_of_text(text), "night.yaml", &variables_environment, &file, &err))
        fail_msg("%s", err.text);
    return file;
}

/* Parsed and expanded; both are freed by done(). */
static struct job_expanded *expand(const char *text)
{
    struct job_file *file = parse(text);
    struct job_expanded *out = NULL;
    struct err err = ERR_INIT;

    if (!job_expand(file, NULL, 0, &out, &err))
        fail_msg("%s", err.text);
    return out;
}

static void done(struct job_expanded *expanded)
{
    struct job_file *file = (struct job_file *)(uintptr_t)expanded->file;

    job_expanded_free(expanded);
    job_file_free(file);
}

static void refuses(const char *text, enum err_kind kind, const char *because)
{
    struct job_file *file = parse(text);
    struct job_expanded *out = NULL;
    struct err err = ERR_INIT;

    assert_false(job_expand(file, NULL, 0, &out, &err));
    assert_null(out);
    assert_int_equal(err.kind, kind);
    if (strstr(err.text, because) == NULL)
        fail_msg("%s; expected: %s", err.text, because);
    job_file_free(file);
}

static void assert_names(const struct job_expanded *expanded, const char *const *names)
{
    size_t count = 0;

    for (; names[count] != NULL; count++) {
        if (count == expanded->count || strcmp(expanded->entries[count].name, names[count]) != 0)
            fail_msg("job %zu is `%s`, not `%s`", count,
                     count < expanded->count ? expanded->entries[count].name : "", names[count]);
        assert_string_equal(expanded->entries[count].test.name, names[count]);
    }
    assert_int_equal(expanded->count, count);
}
#define NAMES(expanded, ...) assert_names(expanded, (const char *const[]){__VA_ARGS__, NULL})

static void a_test_without_a_matrix_is_one_job_of_its_name(void **state)
{
    struct job_expanded *e = expand("checkpoint: c\ntests: [{name: a, command: x}]\n");

    (void)state;
    NAMES(e, "a");
    assert_int_equal(e->entries[0].parameter_count, 0);
    assert_string_equal(e->entries[0].test.checkpoint, "c");
    assert_int_equal(e->boot_count, 0);
    assert_int_equal(e->entries[0].boot, JOB_NO_BOOT);
    done(e);
}

static void every_combination_is_a_job_and_the_last_key_changes_fastest(void **state)
{
    struct job_expanded *e =
        expand("checkpoint: c\n"
               "tests:\n"
               "  - name: a\n"
               "    command: x\n"
               "    parallel: {matrix: [{seed: [3, 4], quantum: [1000, 2k]}]}\n"
               "  - name: b\n"
               "    command: x\n"
               "    parallel: {matrix: [{seed: 8..10}, {quantum: 7}]}\n");

    (void)state;
    NAMES(e, "a [seed=3, quantum=1000]", "a [seed=3, quantum=2k]", "a [seed=4, quantum=1000]",
          "a [seed=4, quantum=2k]", "b [seed=8]", "b [seed=9]", "b [seed=10]", "b [quantum=7]");
    assert_true(e->entries[1].test.has_seed);
    assert_int_equal(e->entries[1].test.seed, 3);
    assert_int_equal(e->entries[1].test.quantum, 2000);
    assert_string_equal(e->entries[1].group, "a");
    assert_int_equal(e->entries[1].parameter_count, 2);
    assert_string_equal(e->entries[1].parameters[1].value, "2k");
    assert_int_equal(e->entries[1].test.variable_count, 0);
    assert_int_equal(job_count(e->file), 8);
    done(e);
}

static void names_stand_for_values_in_every_text(void **state)
{
    struct job_expanded *e =
        expand("checkpoint: '${WHERE}'\n"
               "variables: {GREETING: hello, WORD: old}\n"
               "tests:\n"
               "  - name: a\n"
               "    variables: {SIZE: '7'}\n"
               "    parallel: {matrix: [{WORD: [new], seed: [5], tags: [slow]}]}\n"
               "    payload: ['dir/${WORD}']\n"
               "    checkpoint: 'c-${WORD}'\n"
               "    results: ['${SIZE}.txt']\n"
               "    command: echo ${GREETING} ${WORD} ${seed} ${HOME} $WORD ${WORD\n"
               "    stdout: '${GREETING} ${WORD}'\n"
               "    expect: ['^${SIZE}$', other]\n"
               "  - name: b\n"
               "    steps: [{send_line: 'a ${WORD}'}, {expect: '${WORD}'}, {wait: 3}]\n"
               "    checkpoint: d\n");
    const struct job_test *a = &e->entries[0].test, *b = &e->entries[1].test;

    (void)state;
    assert_string_equal(e->entries[0].name, "a [WORD=new, seed=5, tags=slow]");
    assert_string_equal(a->payload[0], "dir/new");
    assert_string_equal(a->checkpoint, "c-new");
    assert_string_equal(a->results[0], "7.txt");
    assert_string_equal(a->steps[0].text, "echo hello new 5 ${HOME} $WORD ${WORD");
    assert_string_equal(a->steps[0].check.output, "hello new");
    assert_string_equal(a->steps[0].check.expect[0], "^7$");
    assert_string_equal(a->steps[0].check.expect[1], "other");
    assert_string_equal(a->tags[0], "slow");
    /* plain variables only: parameters do not make guests differ */
    assert_int_equal(a->variable_count, 3);
    assert_string_equal(a->variables[0].name, "GREETING");
    assert_string_equal(a->variables[1].value, "7");
    assert_string_equal(a->variables[2].value, "new");
    assert_true(span_equal(b->steps[0].bytes, span_of_text("a old\r")));
    assert_string_equal(b->steps[1].text, "old");
    /* what the file says is not changed by it */
    assert_string_equal(e->file->tests[0].steps[0].check.output, "${GREETING} ${WORD}");
    done(e);
}

static void a_machine_is_booted_once_for_each_set_of_its_parameters(void **state)
{
    struct job_expanded *e =
        expand("checkpoints:\n"
               "  small: {tag: debian-booted, machine: debian.yaml, memory: 256 MiB}\n"
               "  other: other.yaml\n"
               "tests:\n"
               "  - {name: a, checkpoint: small, command: x}\n"
               "  - name: b\n"
               "    checkpoint: small\n"
               "    command: x\n"
               "    parallel: {matrix: [{harts: [1, 3], seed: [1, 2]}]}\n"
               "  - {name: c, checkpoint: other, command: x}\n"
               "  - {name: d, checkpoint: a-tag, command: x}\n"
               "  - {name: e, elf: x.elf}\n");

    (void)state;
    assert_int_equal(e->boot_count, 3);
    assert_string_equal(e->boots[0].name, "boot small");
    assert_string_equal(e->boots[0].tag, "debian-booted");
    assert_string_equal(e->boots[0].machine, "debian.yaml");
    assert_int_equal(e->boots[0].parameter_count, 1);
    assert_string_equal(e->boots[1].name, "boot small [harts=1]");
    assert_string_equal(e->boots[2].name, "boot small [harts=3]");
    assert_string_equal(e->boots[2].tag, "debian-booted-harts-3");
    assert_int_equal(e->boots[2].parameter_count, 2);
    assert_string_equal(e->boots[2].parameters[0].name, "harts");
    assert_string_equal(e->boots[2].parameters[1].value, "256 MiB");
    assert_int_equal(e->entries[0].boot, 0);
    assert_null(e->entries[0].test.checkpoint);
    assert_int_equal(e->entries[1].boot, 1);
    assert_int_equal(e->entries[2].boot, 1);
    assert_int_equal(e->entries[3].boot, 2);
    assert_int_equal(e->entries[5].boot, JOB_NO_BOOT);
    assert_string_equal(e->entries[5].test.checkpoint, "other.yaml");
    assert_string_equal(e->entries[6].test.checkpoint, "a-tag");
    assert_int_equal(e->entries[7].boot, JOB_NO_BOOT);
    done(e);
}

static void boots_without_a_tag_differ_by_their_parameters(void **state)
{
    struct job_expanded *e = expand("checkpoints: {m: {machine: m.yaml}}\n"
                                    "tests:\n"
                                    "  - name: t\n"
                                    "    command: x\n"
                                    "    checkpoint: m\n"
                                    "    parallel: {matrix: [{command_line: [a=1, b=2]}]}\n");

    (void)state;
    assert_int_equal(e->boot_count, 2);
    assert_null(e->boots[1].tag);
    assert_string_equal(e->boots[1].name, "boot m [command_line=b=2]");
    assert_string_equal(e->boots[1].parameters[0].value, "b=2");
    done(e);
}

static void an_absolute_value_takes_the_place_of_the_files_folder(void **state)
{
    struct err err = ERR_INIT;
    struct job_file *file = NULL;
    struct job_expanded *e = NULL;
    const char *text = "tests:\n"
                       "  - name: t\n"
                       "    elf: '${PROGRAM}.elf'\n"
                       "    parallel: {matrix: [{PROGRAM: [/bin/a, b]}]}\n";

    (void)state;
    assert_true(
        job_file_parse(span_of_text(text), "night/jobs.yaml", &variables_environment, &file, &err));
    assert_true(job_expand(file, NULL, 0, &e, &err));
    assert_string_equal(e->entries[0].test.elf, "/bin/a.elf");
    assert_string_equal(e->entries[1].test.elf, "night/b.elf");
    done(e);
}

static void a_matrix_may_say_all_checkpoints(void **state)
{
    struct job_expanded *e = expand("tests: [{name: t, command: x, parallel: {matrix: "
                                    "[{checkpoint: [a, b]}]}}]\n");

    (void)state;
    NAMES(e, "t [checkpoint=a]", "t [checkpoint=b]");
    done(e);
}

static void needs_of_needs_come_along(void **state)
{
    struct job_expanded *e = expand("checkpoint: c\n"
                                    "tests:\n"
                                    "  - {name: a, command: x, needs: b}\n"
                                    "  - {name: b, command: x, needs: c}\n"
                                    "  - {name: c, command: x, needs: d}\n"
                                    "  - {name: d, command: x}\n"
                                    "  - {name: e, command: x}\n");
    struct job_expanded *some = NULL;
    const char *a = "a";
    struct err err = ERR_INIT;

    (void)state;
    assert_true(job_expand(e->file, &a, 1, &some, &err));
    NAMES(some, "a", "b", "c", "d");
    job_expanded_free(some);
    done(e);
}

static void the_old_form_of_a_suite_boots_its_machine(void **state)
{
    struct job_expanded *e = expand("checkpoint: tag\nmachine: m.yaml\n"
                                    "tests: [{name: a, command: x}, "
                                    "{name: b, checkpoint: own, command: x}]\n");

    (void)state;
    assert_int_equal(e->boot_count, 1);
    assert_string_equal(e->boots[0].name, "boot tag");
    assert_string_equal(e->boots[0].tag, "tag");
    assert_int_equal(e->entries[1].boot, JOB_NO_BOOT);
    assert_string_equal(e->entries[1].test.checkpoint, "own");
    done(e);
    e = expand("machine: m.yaml\ntests: [{name: a, command: x}]\n");
    assert_string_equal(e->boots[0].name, "boot night");
    assert_null(e->boots[0].tag);
    done(e);
}

static void a_checkpoint_is_a_key_of_a_matrix_too(void **state)
{
    struct job_expanded *e =
        expand("checkpoints: {a: {machine: a.yaml}, b: {id: '1234'}}\n"
               "tests:\n"
               "  - name: t\n"
               "    command: x\n"
               "    checkpoint: a\n"
               "    parallel: {matrix: [{checkpoint: [a, b, c], host: amd64}]}\n");

    (void)state;
    NAMES(e, "t [checkpoint=a, host=amd64]", "t [checkpoint=b, host=amd64]",
          "t [checkpoint=c, host=amd64]");
    assert_int_equal(e->entries[0].boot, 0);
    assert_string_equal(e->entries[1].test.checkpoint, "1234");
    assert_string_equal(e->entries[2].test.checkpoint, "c");
    assert_string_equal(e->entries[0].test.host[0], "amd64");
    done(e);
}

static void needs_are_all_jobs_of_the_test(void **state)
{
    static const char text[] = "checkpoint: c\n"
                               "tests:\n"
                               "  - {name: last, command: x, needs: [many, first]}\n"
                               "  - {name: other, command: x, tags: [quick]}\n"
                               "  - name: many\n"
                               "    command: x\n"
                               "    needs: first\n"
                               "    parallel: {matrix: [{seed: 1..3}]}\n"
                               "  - {name: first, command: x}\n";
    struct job_expanded *e = expand(text), *some = NULL;
    const char *last = "last", *one, *quick = "@quick", *none = "x*";
    struct err err = ERR_INIT;

    (void)state;
    NAMES(e, "last", "other", "many [seed=1]", "many [seed=2]", "many [seed=3]", "first");
    assert_int_equal(e->entries[0].need_count, 4);
    assert_int_equal(e->entries[0].needs[0], 2);
    assert_int_equal(e->entries[0].needs[3], 5);
    assert_int_equal(e->entries[3].need_count, 1);
    /* what is asked for brings along what it needs */
    assert_true(job_expand(e->file, &last, 1, &some, &err));
    NAMES(some, "last", "many [seed=1]", "many [seed=2]", "many [seed=3]", "first");
    assert_int_equal(some->entries[0].needs[0], 1);
    assert_int_equal(some->entries[0].needs[3], 4);
    job_expanded_free(some);
    one = "many ?seed=2]";
    assert_true(job_expand(e->file, &one, 1, &some, &err));
    NAMES(some, "many [seed=2]", "first");
    job_expanded_free(some);
    one = "many";
    assert_true(job_expand(e->file, &one, 1, &some, &err));
    assert_int_equal(some->count, 4);
    job_expanded_free(some);
    assert_true(job_expand(e->file, &quick, 1, &some, &err));
    NAMES(some, "other");
    job_expanded_free(some);
    some = NULL;
    assert_false(job_expand(e->file, &none, 1, &some, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    done(e);
}

static void names_of_long_and_odd_values_are_short_and_plain(void **state)
{
    struct job_expanded *e = expand(
        "checkpoint: c\n"
        "tests:\n"
        "  - name: t\n"
        "    command: x\n"
        "    parallel:\n"
        "      matrix:\n"
        "        - FILE: [a/b, aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa1,\n"
        "                 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2]\n");

    (void)state;
    assert_string_equal(e->entries[0].name, "t [FILE=a_b]");
    assert_string_equal(e->entries[0].test.variables[0].value, "a/b");
    assert_true(strlen(e->entries[1].name) < 70);
    assert_string_not_equal(e->entries[1].name, e->entries[2].name);
    done(e);
}

static void enormous_matrices_are_refused_with_the_figure(void **state)
{
    char text[4096] = "checkpoint: c\ntests:\n  - name: t\n    command: x\n"
                      "    parallel: {matrix: [{seed: 1..9999";

    (void)state;
    strcat(text, ", quantum: 1..9999, A: 1..9999}]}\n");
    refuses(text, ERR_TOO_BIG, "999700029999 jobs; the limit is 100000");
    strcpy(text, "checkpoint: c\ntests:\n  - name: t\n    command: x\n"
                 "    parallel: {matrix: [{A: 1..9999");
    for (char name = 'B'; name < 'H'; name++)
        sprintf(text + strlen(text), ", %c: 1..9999", name);
    strcat(text, "}]}\n");
    refuses(text, ERR_TOO_BIG, "over 18446744073709551615 jobs");
}

/* A text of 60 KiB in 90,000 jobs would be gigabytes. */
static void enormous_texts_are_refused(void **state)
{
    char *text = malloc(100000);
    int used = sprintf(text, "checkpoint: c\ntests:\n  - name: t\n"
                             "    parallel: {matrix: [{A: 1..9000, seed: 1..10}]}\n"
                             "    command: x\n    stdout: '${A}");

    (void)state;
    memset(text + used, 'x', 60000);
    strcpy(text + used + 60000, "'\n");
    refuses(text, ERR_TOO_BIG, "MiB");
    free(text);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    refuses(
        "checkpoint: c\ntests: [{name: t, command: x, parallel: {matrix: [{harts: [1, 2]}]}}]\n",
        ERR_INVALID, "`harts:` is a parameter of a machine, and `c` is a checkpoint without");
    refuses("checkpoint: c\ntests: [{name: t, command: x, parallel: {matrix: [{seed: 1}, {seed: "
            "1}]}}]\n",
            ERR_INVALID, "two jobs named `t [seed=1]`");
    refuses("checkpoint: c\ntests: [{name: t, command: x, expect: '${A}', variables: {A: '('}}]\n",
            ERR_INVALID, "night.yaml:2: test t: ");
    refuses("checkpoint: c\nmachine: m\ntests: [{name: boot c, command: x}]\n", ERR_INVALID,
            "two jobs named `boot c`");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_test_without_a_matrix_is_one_job_of_its_name),
        cmocka_unit_test(every_combination_is_a_job_and_the_last_key_changes_fastest),
        cmocka_unit_test(names_stand_for_values_in_every_text),
        cmocka_unit_test(a_machine_is_booted_once_for_each_set_of_its_parameters),
        cmocka_unit_test(boots_without_a_tag_differ_by_their_parameters),
        cmocka_unit_test(an_absolute_value_takes_the_place_of_the_files_folder),
        cmocka_unit_test(a_matrix_may_say_all_checkpoints),
        cmocka_unit_test(needs_of_needs_come_along),
        cmocka_unit_test(the_old_form_of_a_suite_boots_its_machine),
        cmocka_unit_test(a_checkpoint_is_a_key_of_a_matrix_too),
        cmocka_unit_test(needs_are_all_jobs_of_the_test),
        cmocka_unit_test(names_of_long_and_odd_values_are_short_and_plain),
        cmocka_unit_test(enormous_matrices_are_refused_with_the_figure),
        cmocka_unit_test(enormous_texts_are_refused),
        cmocka_unit_test(mistakes_are_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
