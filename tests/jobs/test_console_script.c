#include "jobs/console_command.h"
#include "jobs/console_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct console_script *start(const struct console_plan *plan)
{
    struct err err = ERR_INIT;
    struct console_script *script = console_script_new(plan, &err);

    if (script == NULL)
        fail_msg("%s", err.text);
    console_script_start(script, 1000);
    return script;
}

static bool put(struct console_script *script, const char *text, uint64_t now)
{
    return console_script_put(script, span_of_text(text), now);
}

/* What is to be typed, taken. */
static const char *typed(struct console_script *script)
{
    static char text[4096];
    struct span bytes = console_script_typed(script);

    assert_true(bytes.size < sizeof text);
    if (bytes.size > 0)
        memcpy(text, bytes.data, bytes.size);
    text[bytes.size] = '\0';
    console_script_take(script, bytes.size);
    return text;
}

static void ended(struct console_script *script, enum verdict verdict, const char *reason)
{
    const struct console_result *result = console_script_result(script);

    if (result == NULL)
        fail_msg("still running; expected `%s`", reason);
    if (result->verdict != verdict || strstr(result->reason, reason) == NULL)
        fail_msg("%s `%s`, expected %s `%s`", verdict_name(result->verdict), result->reason,
                 verdict_name(verdict), reason);
}

static void output_is(struct console_script *script, const char *expected)
{
    struct span output = console_script_output(script, NULL);

    if (!span_equal(output, span_of_text(expected)))
        fail_msg("output `%.*s`, expected `%s`", (int)output.size, (const char *)output.data,
                 expected);
}

/* A shell on a terminal with echo, as a fake: prompt, echo, and what echo @\MARK would print. */
static void shell_runs(struct console_script *script, const char *output, int status, uint64_t now)
{
    char line[4096], text[8192];
    char mark[7];

    strcpy(line, typed(script));
    memcpy(mark, strstr(line, "@\\") + 2, 6);
    mark[6] = '\0';
    *strchr(line, '\r') = '\0';
    snprintf(text, sizeof text, "%s\r\n@%s\r\n%s@%s %d\r\n", line, mark, output, mark, status);
    put(script, text, now);
    if (console_script_result(script) == NULL)
        put(script, "~ # ", now);
}

static void a_command_passes_with_its_exit_status(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_COMMAND, .text = "true"}};
    const struct console_plan plan = {steps, 1, "~ # $", true, 0};
    struct console_script *script = start(&plan);

    (void)state;
    shell_runs(script, "hello\r\n", 0, 2000);
    ended(script, VERDICT_PASS, "");
    assert_int_equal(console_script_result(script)->exit_status, 0);
    assert_int_equal(console_script_result(script)->now, 2000);
    output_is(script, "hello\n");
    console_script_free(script);
}

static void another_exit_status_fails(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_COMMAND, .text = "false"}};
    const struct console_plan plan = {steps, 1, NULL, true, 0};
    struct console_script *script = start(&plan);

    (void)state;
    shell_runs(script, "", 3, 2000);
    ended(script, VERDICT_FAIL, "step 1 (command false): exit status 3, expected 0");
    assert_int_equal(console_script_result(script)->exit_status, 3);
    console_script_free(script);
}

static void the_echo_of_a_command_is_never_its_result(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_COMMAND, .text = "cat /proc/cmdline"}};
    const struct console_plan plan = {steps, 1, NULL, true, 0};
    struct console_script *script = start(&plan);
    char line[512], echoed[1200];
    size_t out = 0;

    (void)state;
    strcpy(line, typed(script));
    /* Wrapped in every odd way, and repeated as a line editor redraws. */
    for (int width = 1; width < 60; width++) {
        out = 0;
        for (size_t i = 0; line[i] != '\r'; i++) {
            if (i % (size_t)width == 0) {
                memcpy(echoed + out, "\r\n", 2);
                out += 2;
            }
            echoed[out++] = line[i];
        }
        memcpy(echoed + out, "\r\n", 3);
        put(script, echoed, 1500);
        assert_null(console_script_result(script));
    }
    output_is(script, "");
    console_script_free(script);
}

static void output_without_a_line_end_is_whole(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_COMMAND, .text = "printf abc"}};
    const struct console_plan plan = {steps, 1, NULL, true, 0};
    struct console_script *script = start(&plan);
    bool whole = false;

    (void)state;
    shell_runs(script, "abc", 0, 2000);
    output_is(script, "abc");
    console_script_output(script, &whole);
    assert_true(whole);
    console_script_free(script);
}

static void how_output_is_cut_makes_no_difference(void **state)
{
    const char *const expect[] = {"b+c"};
    const struct console_step steps[] = {
        {.kind = CONSOLE_EXPECT, .text = "lo+gin: $"},
        {.kind = CONSOLE_SEND, .bytes = {(const uint8_t *)"root\r", 5}},
        {.kind = CONSOLE_COMMAND, .text = "x", .check = {.expect = expect, .expect_count = 1}},
    };
    const struct console_plan plan = {steps, 3, "~ # $", false, 0};
    char all[512];
    struct console_mark mark = console_mark_of("x");

    (void)state;
    snprintf(all, sizeof all,
             "\x1b[6nboot\r\nlooogin: root\r\n~ # echo\r\n@%s\r\nabbc\r\n@%s 0\r\n", mark.text,
             mark.text);
    for (size_t piece = 1; piece <= strlen(all); piece++) {
        struct console_script *script = start(&plan);

        for (size_t at = 0; at < strlen(all); at += piece) {
            size_t left = strlen(all) - at;
            struct span bytes = {(const uint8_t *)all + at, piece < left ? piece : left};

            console_script_put(script, bytes, 2000);
        }
        ended(script, VERDICT_PASS, "");
        output_is(script, "abbc\n");
        console_script_free(script);
    }
}

static void a_command_waits_for_the_prompt(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_COMMAND, .text = "one"},
                                         {.kind = CONSOLE_COMMAND, .text = "two"}};
    const struct console_plan plan = {steps, 2, "^~ # $", false, 0};
    struct console_script *script = start(&plan);
    char line[256];

    (void)state;
    assert_string_equal(typed(script), "");
    put(script, "Welcome\r\n~ ", 2000);
    assert_string_equal(typed(script), "");
    assert_true(put(script, "# ", 2100));
    strcpy(line, typed(script));
    assert_non_null(strstr(line, "eval 'one'"));
    snprintf(line, sizeof line, "@%s\r\n@%s 0\r\n", console_mark_of("one").text,
             console_mark_of("one").text);
    put(script, line, 2200);
    assert_string_equal(typed(script), "");
    put(script, "~ # ", 2300);
    assert_non_null(strstr(typed(script), "eval 'two'"));
    console_script_free(script);
}

static void the_prompt_that_an_expect_step_saw_counts(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_EXPECT, .text = "# $"},
                                         {.kind = CONSOLE_COMMAND, .text = "one"}};
    const struct console_plan plan = {steps, 2, "~ # $", false, 0};
    struct console_script *script = start(&plan);

    (void)state;
    put(script, "~ # ", 2000);
    assert_non_null(strstr(typed(script), "eval 'one'"));
    console_script_free(script);
}

static void checks_of_the_output_decide(void **state)
{
    const char *const expect[] = {"^two$"};
    const char *const reject[] = {"err+or"};
    struct console_step step = {.kind = CONSOLE_COMMAND, .text = "x"};
    const struct console_plan plan = {&step, 1, NULL, true, 0};
    struct {
        const char *output, *exact, *reason;
    } cases[] = {
        {"one\r\ntwo\r\n", NULL, ""},
        {"one\r\n2\r\n", NULL, "nothing in the output matches /^two$/; it ends with `2`"},
        {"two\r\nan error here\r\n", NULL,
         "the output has `an error here`, which matches /err+or/"},
        {"two\r\n", "two", ""},
        {"two\r\nx\r\n", "two\ny\n", "output differs in line 2: `x`, expected `y`"},
        {"two\r\n", "two\nthree\n", "output differs in line 1"},
    };

    (void)state;
    step.check.expect = expect;
    step.check.expect_count = 1;
    step.check.reject = reject;
    step.check.reject_count = 1;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct console_script *script;

        step.check.output = cases[i].exact;
        script = start(&plan);
        shell_runs(script, cases[i].output, 0, 2000);
        ended(script, cases[i].reason[0] == '\0' ? VERDICT_PASS : VERDICT_FAIL, cases[i].reason);
        console_script_free(script);
    }
}

static void limits_count_instructions(void **state)
{
    const struct console_step steps[] = {
        {.kind = CONSOLE_EXPECT, .text = "ready", .instructions = 500}};
    const struct console_plan plan = {steps, 1, NULL, false, 0};
    struct console_script *script = start(&plan);

    (void)state;
    assert_int_equal(console_script_deadline(script), 1500);
    put(script, "booting\r\n", 1499);
    assert_null(console_script_result(script));
    assert_true(console_script_advance(script, 1500));
    ended(
        script, VERDICT_TIMEOUT,
        "step 1 (expect /ready/): not done within the step's limit of 500 instructions; the output "
        "ends with `booting`");
    assert_int_equal(console_script_deadline(script), UINT64_MAX);
    console_script_free(script);
}

static void output_at_the_deadline_is_too_late(void **state)
{
    const struct console_step steps[] = {
        {.kind = CONSOLE_EXPECT, .text = "ready", .instructions = 500}};
    const struct console_plan plan = {steps, 1, NULL, false, 0};
    struct console_script *script = start(&plan);

    (void)state;
    put(script, "ready", 1500);
    ended(script, VERDICT_TIMEOUT, "there was no output");
    assert_int_equal(console_script_result(script)->now, 1500);
    console_script_free(script);
}

static void the_whole_script_has_a_limit(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_WAIT, .instructions = 600},
                                         {.kind = CONSOLE_WAIT, .instructions = 600}};
    const struct console_plan plan = {steps, 2, NULL, false, 1000};
    struct console_script *script = start(&plan);

    (void)state;
    assert_int_equal(console_script_deadline(script), 1600);
    console_script_advance(script, 1600);
    assert_int_equal(console_script_deadline(script), 2000);
    console_script_advance(script, 9999);
    ended(script, VERDICT_TIMEOUT, "the test's limit of 1000 instructions");
    assert_int_equal(console_script_result(script)->now, 2000);
    console_script_free(script);
}

static void waits_end_at_their_own_time_whenever_the_caller_comes(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_WAIT, .instructions = 100},
                                         {.kind = CONSOLE_WAIT, .instructions = 100},
                                         {.kind = CONSOLE_WAIT, .instructions = 100}};
    const struct console_plan plan = {steps, 3, NULL, false, 0};
    struct console_script *script = start(&plan);

    (void)state;
    console_script_advance(script, 5000);
    ended(script, VERDICT_PASS, "");
    assert_int_equal(console_script_result(script)->now, 1300);
    console_script_free(script);
}

static void a_freeze_point_is_an_expect_and_a_wait(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_EXPECT, .text = "^~ # $"},
                                         {.kind = CONSOLE_WAIT, .instructions = 10000}};
    const struct console_plan plan = {steps, 2, NULL, false, 0};
    struct console_script *script = start(&plan);

    (void)state;
    assert_true(put(script, "x\r\n\r\n~ # \x1b[6n", 5000) || true);
    assert_int_equal(console_script_deadline(script), 15000);
    console_script_advance(script, 15000);
    ended(script, VERDICT_PASS, "");
    output_is(script, "x\n\n~ # ");
    console_script_free(script);
}

static void forbidden_output_fails_at_once(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_EXPECT_NOT, .text = "panic"},
                                         {.kind = CONSOLE_EXPECT, .text = "never"}};
    const struct console_plan plan = {steps, 2, NULL, false, 0};
    struct console_script *script = start(&plan);

    (void)state;
    put(script, "Kernel pan", 2000);
    assert_null(console_script_result(script));
    assert_true(put(script, "ic - not syncing", 2001));
    ended(script, VERDICT_FAIL,
          "the output has `Kernel panic`, which matches the forbidden /panic/");
    console_script_free(script);
}

static void output_forbidden_for_a_time_is_allowed_afterwards(void **state)
{
    const struct console_step steps[] = {
        {.kind = CONSOLE_EXPECT_NOT, .text = "x", .instructions = 100},
        {.kind = CONSOLE_EXPECT, .text = "x"}};
    const struct console_plan plan = {steps, 2, NULL, false, 0};
    struct console_script *script = start(&plan);

    (void)state;
    put(script, "a", 1099);
    put(script, "x", 1100);
    ended(script, VERDICT_PASS, "");
    console_script_free(script);
    script = start(&plan);
    put(script, "x", 1099);
    ended(script, VERDICT_FAIL, "step 1 (expect_not /x/): there is a match");
    console_script_free(script);
}

static void steps_match_in_order_and_each_byte_once(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_EXPECT, .text = "ab"},
                                         {.kind = CONSOLE_EXPECT, .text = "ab"},
                                         {.kind = CONSOLE_EXPECT, .text = "^c"}};
    const struct console_plan plan = {steps, 3, NULL, false, 0};
    struct console_script *script = start(&plan);

    (void)state;
    put(script, "ab", 2000);
    assert_null(console_script_result(script));
    put(script, "abc", 2001);
    assert_null(console_script_result(script));
    put(script, "\nc", 2002);
    ended(script, VERDICT_PASS, "");
    console_script_free(script);
}

static void a_machine_that_stops_fails_unless_that_was_awaited(void **state)
{
    const struct console_step expect[] = {{.kind = CONSOLE_EXPECT, .text = "x"}};
    const struct console_step halt[] = {{.kind = CONSOLE_HALT}};
    const struct console_plan plan = {expect, 1, NULL, false, 0},
                              halt_plan = {halt, 1, NULL, false, 0};
    struct console_script *script = start(&plan);

    (void)state;
    console_script_halt(script, 0, 2000);
    ended(script, VERDICT_FAIL, "the machine stopped");
    console_script_free(script);
    script = start(&halt_plan);
    console_script_halt(script, 0, 2000);
    ended(script, VERDICT_PASS, "");
    console_script_free(script);
    script = start(&halt_plan);
    console_script_halt(script, 7, 2000);
    ended(script, VERDICT_FAIL, "exit status 7, expected 0");
    assert_int_equal(console_script_result(script)->exit_status, 7);
    console_script_free(script);
}

static void an_idle_machine_is_not_waited_for(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_WAIT, .instructions = 1000},
                                         {.kind = CONSOLE_SEND, .bytes = {(const uint8_t *)"a", 1}},
                                         {.kind = CONSOLE_EXPECT, .text = "b"}};
    const struct console_plan plan = {steps, 3, NULL, false, 0};
    struct console_script *script = start(&plan);

    (void)state;
    console_script_idle(script, 1100);
    assert_string_equal(typed(script), "a");
    assert_null(console_script_result(script));
    console_script_idle(script, 1100);
    ended(script, VERDICT_TIMEOUT, "the machine waits for input");
    console_script_free(script);
}

static void preparation_that_fails_is_infra_and_its_output_is_not_the_tests(void **state)
{
    const struct console_step steps[] = {
        {.kind = CONSOLE_COMMAND, .text = "run", .before = "unpack", .after = "pack"}};
    const struct console_plan plan = {steps, 1, NULL, true, 0};
    struct console_script *script = start(&plan);
    struct console_mark mark = console_mark_of("run");
    char text[256];

    (void)state;
    assert_non_null(strstr(typed(script), "eval 'unpack'&&echo @\\"));
    snprintf(text, sizeof text, "@%s\ntar: no such file\n@%s 1\n", mark.text, mark.text);
    put(script, text, 2000);
    ended(script, VERDICT_INFRA, "the preparation failed with status 1: tar: no such file");
    console_script_free(script);

    script = start(&plan);
    snprintf(text, sizeof text, "@%s\nfiles\n@%s +\nwork\n@%s 0\npacking\n", mark.text, mark.text,
             mark.text);
    put(script, text, 2000);
    assert_null(console_script_result(script));
    output_is(script, "work\n");
    snprintf(text, sizeof text, "@%s -0\n", mark.text);
    put(script, text, 2001);
    ended(script, VERDICT_PASS, "");
    output_is(script, "work\n");
    console_script_free(script);
}

static void output_over_the_limit_is_cut_and_said_so(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_COMMAND, .text = "yes"}};
    const struct console_plan plan = {steps, 1, NULL, true, 0};
    struct console_script *script = start(&plan);
    struct console_mark mark = console_mark_of("yes");
    char text[64];
    bool whole = true;

    (void)state;
    snprintf(text, sizeof text, "@%s\n", mark.text);
    put(script, text, 2000);
    for (size_t i = 0; i < CONSOLE_OUTPUT_MAX / 2 + 10; i++)
        put(script, "y\n", 2000);
    snprintf(text, sizeof text, "@%s 0\n", mark.text);
    put(script, text, 2001);
    ended(script, VERDICT_PASS, "");
    assert_int_equal(console_script_output(script, &whole).size, CONSOLE_OUTPUT_MAX);
    assert_false(whole);
    console_script_free(script);
}

static void a_command_is_typed_so_that_the_shell_sees_every_byte(void **state)
{
    struct buf line = BUF_INIT(65536);
    struct err err = ERR_INIT;
    char expected[256];
    const char *mark = console_mark_of("echo 'a'\n\tb\n").text;
    char kept[8];

    (void)state;
    strcpy(kept, mark);
    assert_true(console_command_typed("echo 'a'\n\tb\n", NULL, NULL, &line, &err));
    snprintf(expected, sizeof expected,
             "echo @\\%s;(eval 'echo '\\''a'\\''\r\x16\tb');echo @\\%s $?\r", kept, kept);
    assert_int_equal(line.size, strlen(expected));
    assert_memory_equal(line.data, expected, line.size);
    buf_release(&line);
    assert_false(console_command_check("a\x03", &err));
    assert_int_equal(err.kind, ERR_INVALID);
}

static void a_script_stopped_from_outside_keeps_its_first_result(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_EXPECT, .text = "x"}};
    const struct console_plan plan = {steps, 1, NULL, false, 0};
    struct console_script *script = start(&plan);

    (void)state;
    console_script_stop(script, VERDICT_TIMEOUT, "wall clock", 3000);
    console_script_stop(script, VERDICT_PASS, "", 4000);
    ended(script, VERDICT_TIMEOUT, "wall clock");
    assert_false(put(script, "x", 4000) && false);
    assert_int_equal(console_script_typed(script).size, 0);
    console_script_free(script);
}

static void bad_patterns_and_commands_are_refused_before_anything_runs(void **state)
{
    struct console_step step = {.kind = CONSOLE_EXPECT, .text = "a(b"};
    struct console_plan plan = {&step, 1, NULL, false, 0};
    struct err err = ERR_INIT;

    (void)state;
    assert_null(console_script_new(&plan, &err));
    assert_non_null(
        strstr(err.text, "step 1: regular expression `a(b`: missing closing parenthesis"));
    step = (struct console_step){.kind = CONSOLE_COMMAND, .text = "\x1b"};
    assert_null(console_script_new(&plan, &err));
    plan.prompt = "[";
    assert_null(console_script_new(&plan, &err));
    assert_non_null(strstr(err.text, "prompt: "));
}

static void a_pattern_that_explodes_is_infra_not_a_hang(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_EXPECT, .text = "(a+)+$x"}};
    const struct console_plan plan = {steps, 1, NULL, false, 0};
    struct console_script *script = start(&plan);

    (void)state;
    for (int i = 0; i < 64 && console_script_result(script) == NULL; i++)
        put(script, "aaaa!", 2000);
    if (console_script_result(script) != NULL)
        ended(script, VERDICT_INFRA, "too many steps");
    console_script_free(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_command_passes_with_its_exit_status),
        cmocka_unit_test(another_exit_status_fails),
        cmocka_unit_test(the_echo_of_a_command_is_never_its_result),
        cmocka_unit_test(output_without_a_line_end_is_whole),
        cmocka_unit_test(how_output_is_cut_makes_no_difference),
        cmocka_unit_test(a_command_waits_for_the_prompt),
        cmocka_unit_test(the_prompt_that_an_expect_step_saw_counts),
        cmocka_unit_test(checks_of_the_output_decide),
        cmocka_unit_test(limits_count_instructions),
        cmocka_unit_test(output_at_the_deadline_is_too_late),
        cmocka_unit_test(the_whole_script_has_a_limit),
        cmocka_unit_test(waits_end_at_their_own_time_whenever_the_caller_comes),
        cmocka_unit_test(a_freeze_point_is_an_expect_and_a_wait),
        cmocka_unit_test(forbidden_output_fails_at_once),
        cmocka_unit_test(output_forbidden_for_a_time_is_allowed_afterwards),
        cmocka_unit_test(steps_match_in_order_and_each_byte_once),
        cmocka_unit_test(a_machine_that_stops_fails_unless_that_was_awaited),
        cmocka_unit_test(an_idle_machine_is_not_waited_for),
        cmocka_unit_test(preparation_that_fails_is_infra_and_its_output_is_not_the_tests),
        cmocka_unit_test(output_over_the_limit_is_cut_and_said_so),
        cmocka_unit_test(a_command_is_typed_so_that_the_shell_sees_every_byte),
        cmocka_unit_test(a_script_stopped_from_outside_keeps_its_first_result),
        cmocka_unit_test(bad_patterns_and_commands_are_refused_before_anything_runs),
        cmocka_unit_test(a_pattern_that_explodes_is_infra_not_a_hang),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
