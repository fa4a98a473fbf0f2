#include "jobs/job_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char suite[] = "suite: smoke\n"
                            "checkpoint: debian-booted\n"
                            "machine: ../machines/debian.yaml\n"
                            "prompt: '^~ # $'\n"
                            "limits: {instructions: 2G, wall: 60 s}\n"
                            "monitors: [linux, opensbi]\n"
                            "tags: [linux]\n"
                            "tests:\n"
                            "  - name: processes\n"
                            "    command: ps\n"
                            "    expect: ['\\binit\\b', 'sh$']\n"
                            "    expect_not: zombie\n"
                            "  - name: status\n"
                            "    command: |\n"
                            "      cd /tmp\n"
                            "      exit 3\n"
                            "    exit_status: 3\n"
                            "    tags: [shell, quick]\n"
                            "  - name: must fail\n"
                            "    command: 'false'\n"
                            "    expect_failure: true\n"
                            "    reason: false is never true\n"
                            "  - name: payload\n"
                            "    payload: [hello, '${OUT:-out}/data']\n"
                            "    command: ./hello\n"
                            "    stdout: hello\n"
                            "    results: [report.txt, '*.log']\n"
                            "    disks: {data: disk.img}\n"
                            "    seed: 9\n"
                            "    limits: {instructions: 500M}\n"
                            "  - name: login\n"
                            "    steps:\n"
                            "      - send: \"exit\\n\"\n"
                            "      - expect: 'login: $'\n"
                            "        within: 1G\n"
                            "      - send_line: root\n"
                            "      - expect_not: incorrect\n"
                            "        for: 5M\n"
                            "      - wait: 1M\n"
                            "      - command: id -u\n"
                            "        stdout: '0'\n"
                            "      - send_line: poweroff -f\n"
                            "      - halt: true\n"
                            "  - name: bare\n"
                            "    elf: prog.elf\n"
                            "    exit_status: any\n"
                            "  - name: later\n"
                            "    skip: not yet\n"
                            "    command: 'true'\n";

static struct job_file *parse(const char *text)
{
    struct err err = ERR_INIT;
    struct job_file *file = NULL;

    if (!job_file_parse(span_of_text(text), "jobs/smoke.yaml", &variables_environment, &file, &err))
        fail_msg("%s", err.text);
    return file;
}

static void refuses(const char *text, const char *because)
{
    struct err err = ERR_INIT;
    struct job_file *file = NULL;

    if (job_file_parse(span_of_text(text), "jobs/smoke.yaml", &variables_environment, &file, &err))
        fail_msg("taken: %s", text);
    if (strstr(err.text, because) == NULL)
        fail_msg("%s; expected: %s", err.text, because);
}

static void every_key_is_read(void **state)
{
    struct job_file *file = parse(suite);
    const struct job_test *t = file->tests;

    (void)state;
    assert_string_equal(file->name, "smoke");
    assert_string_equal(file->checkpoint, "debian-booted");
    assert_string_equal(file->machine, "jobs/../machines/debian.yaml");
    assert_string_equal(file->prompt, "^~ # $");
    assert_string_equal(file->work, "/tmp/job");
    assert_int_equal(file->test_count, 7);
    assert_string_equal(t[0].name, "processes");
    assert_int_equal(t[0].line, 9);
    assert_string_equal(t[0].checkpoint, "debian-booted");
    assert_int_equal(t[0].limits.instructions, 2000000000);
    assert_int_equal(t[0].limits.wall_ms, 60000);
    assert_int_equal(t[0].monitor_count, 2);
    assert_int_equal(t[0].step_count, 1);
    assert_int_equal(t[0].steps[0].kind, CONSOLE_COMMAND);
    assert_int_equal(t[0].steps[0].check.expect_count, 2);
    assert_int_equal(t[0].steps[0].check.reject_count, 1);
    assert_string_equal(t[0].tags[0], "linux");
    assert_int_equal(t[1].steps[0].check.exit_status, 3);
    assert_string_equal(t[1].steps[0].text, "cd /tmp\nexit 3\n");
    assert_string_equal(t[1].tags[1], "quick");
    assert_true(t[2].expect_failure);
    assert_string_equal(t[2].reason, "false is never true");
    assert_string_equal(t[3].payload[0], "jobs/hello");
    assert_string_equal(t[3].payload[1], "jobs/out/data");
    assert_string_equal(t[3].results[1], "*.log");
    assert_string_equal(t[3].disks[0].name, "data");
    assert_string_equal(t[3].disks[0].file, "jobs/disk.img");
    assert_true(t[3].has_seed);
    assert_int_equal(t[3].seed, 9);
    assert_int_equal(t[3].limits.instructions, 500000000);
    assert_int_equal(t[3].limits.wall_ms, 60000);
    assert_string_equal(t[5].elf, "jobs/prog.elf");
    assert_true(t[5].check.any_status);
    assert_true(t[6].skip);
    assert_string_equal(t[6].reason, "not yet");
    job_file_free(file);
}

static void steps_are_read_in_order(void **state)
{
    static const enum console_step_kind kinds[] = {
        CONSOLE_SEND, CONSOLE_EXPECT,  CONSOLE_SEND, CONSOLE_EXPECT_NOT,
        CONSOLE_WAIT, CONSOLE_COMMAND, CONSOLE_SEND, CONSOLE_HALT};
    struct job_file *file = parse(suite);
    const struct job_test *test = &file->tests[4];

    (void)state;
    assert_int_equal(test->step_count, 8);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(test->steps[i].kind, kinds[i]);
    assert_true(span_equal(test->steps[0].bytes, span_of_text("exit\n")));
    assert_int_equal(test->steps[1].instructions, 1000000000);
    assert_true(span_equal(test->steps[2].bytes, span_of_text("root\r")));
    assert_int_equal(test->steps[3].instructions, 5000000);
    assert_int_equal(test->steps[4].instructions, 1000000);
    assert_string_equal(test->steps[5].check.output, "0");
    job_file_free(file);
}

static void a_plan_unpacks_first_and_packs_last(void **state)
{
    const struct job_guest guest = {"# $", true, "/dev/vda", "/dev/vdb", "/tmp/job"};
    struct job_guest bare = guest;
    struct job_file *file = parse(suite);
    struct pool pool = POOL_INIT;
    struct console_plan plan;
    struct err err = ERR_INIT;

    (void)state;
    assert_true(job_plan_make(&file->tests[3], &guest, &pool, &plan, &err));
    assert_string_equal(plan.steps[0].before, "mkdir -p /tmp/job&&cd /tmp/job&&tar -xf /dev/vda");
    assert_string_equal(plan.steps[0].after,
                        "mkdir -p /tmp/job;cd /tmp/job&&tar -cf /dev/vdb report.txt *.log");
    assert_int_equal(plan.instructions_max, 500000000);
    assert_true(plan.at_prompt);
    assert_true(job_plan_make(&file->tests[0], &guest, &pool, &plan, &err));
    assert_null(plan.steps[0].before);
    assert_null(plan.steps[0].after);
    bare.job_disk = NULL;
    assert_false(job_plan_make(&file->tests[3], &bare, &pool, &plan, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    bare = guest;
    bare.result_disk = NULL;
    assert_false(job_plan_make(&file->tests[3], &bare, &pool, &plan, &err));
    bare.result_disk = "/dev/my disk";
    bare.work = "/tmp/it's";
    assert_string_equal(job_pack_text(&bare, NULL, 0, &pool),
                        "mkdir -p '/tmp/it'\\''s';cd '/tmp/it'\\''s'&&tar -cf '/dev/my disk'");
    pool_release(&pool);
    job_file_free(file);
}

static void a_freeze_point_becomes_a_plan(void **state)
{
    struct machine_freeze freeze = {.console = "ready", .settle = 5, .within = 100};
    struct pool pool = POOL_INIT;
    struct console_plan plan;

    (void)state;
    job_plan_freeze(&freeze, &pool, &plan);
    assert_int_equal(plan.step_count, 2);
    assert_int_equal(plan.steps[1].instructions, 5);
    assert_int_equal(plan.instructions_max, 100);
    freeze = (struct machine_freeze){.instructions = 77};
    job_plan_freeze(&freeze, &pool, &plan);
    assert_int_equal(plan.step_count, 1);
    assert_int_equal(plan.steps[0].kind, CONSOLE_WAIT);
    assert_int_equal(plan.steps[0].instructions, 77);
    pool_release(&pool);
}

static void tests_are_selected_by_name_and_tag(void **state)
{
    struct job_file *file = parse(suite);
    const struct job_test *test = &file->tests[1];

    (void)state;
    assert_true(job_test_selected(test, "status"));
    assert_true(job_test_selected(test, "st*s"));
    assert_true(job_test_selected(test, "*"));
    assert_true(job_test_selected(test, "?tatus"));
    assert_false(job_test_selected(test, "stat"));
    assert_false(job_test_selected(test, "*x*"));
    assert_true(job_test_selected(test, "@quick"));
    assert_false(job_test_selected(test, "@slow"));
    job_file_free(file);
}

static void mistakes_are_named(void **state)
{
    (void)state;
    refuses("checkpoint: a\n", "`tests:` is missing");
    refuses("checkpoint: a\ntests: []\n", "a list of 1 to");
    refuses("checkpoint: a\ntests: [{command: x}]\n", "`name:` is missing");
    refuses("tests: [{name: a, command: x}]\n", "nothing to start from");
    refuses("checkpoint: a\ntests: [{name: a}]\n", "needs one of");
    refuses("checkpoint: a\ntests: [{name: a, command: x, elf: y}]\n", "one of `command:`");
    refuses("checkpoint: a\ntests: [{name: a, comand: x}]\n", "did you mean `command`?");
    refuses("checkpoint: a\ntests: [{name: a, command: x}, {name: a, command: y}]\n",
            "two tests named");
    refuses("checkpoint: a\ntests: [{name: a/b, command: x}]\n", "no `/`");
    refuses("checkpoint: a\ntests: [{name: .a, command: x}]\n", "does not begin with");
    refuses("checkpoint: a\ntests: [{name: a, command: ''}]\n", "an empty command");
    refuses("checkpoint: a\ntests: [{name: a, command: \"a\\x03\"}]\n", "control character 0x03");
    refuses("checkpoint: a\ntests: [{name: a, command: x, exit_status: 256}]\n", "out of range");
    refuses("checkpoint: a\ntests: [{name: a, command: x, expect: '('}]\n", "regular expression");
    refuses("checkpoint: a\ntests: [{name: a, command: x, expect_failure: true}]\n",
            "`reason:` is missing");
    refuses("checkpoint: a\ntests: [{name: a, command: x, reason: y}]\n",
            "without `expect_failure");
    refuses("checkpoint: a\ntests: [{name: a, steps: [{send: a, expect: b}]}]\n", "are two steps");
    refuses("checkpoint: a\ntests: [{name: a, steps: [{sned: a}]}]\n", "did you mean `send`?");
    refuses("checkpoint: a\ntests: [{name: a, steps: [{send: a, within: 5}]}]\n",
            "unknown key `within`");
    refuses("checkpoint: a\ntests: [{name: a, steps: [{halt: false}]}]\n", "is no step");
    refuses("tests: [{name: a, elf: x, payload: y}]\n", "takes no payload");
    refuses("checkpoint: a\ntests: [{name: a, command: x, verify: {}}]\n", "`verify:` needs");
    refuses("checkpoint: a\ntests: [{name: a, command: x, verify: {every: 10}}]\n", "every");
    refuses("checkpoint: a\ntests: [{name: a, command: x, limits: {instructions: 0}}]\n",
            "out of range");
}

static void every_truncation_is_read_or_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof suite - 1; size++) {
        char *text = malloc(size + 1);
        struct job_file *file = NULL;
        struct err err = ERR_INIT;

        memcpy(text, suite, size);
        if (job_file_parse((struct span){(uint8_t *)text, size}, "jobs/smoke.yaml",
                           &variables_environment, &file, &err)) {
            assert_true(file->test_count > 0);
            job_file_free(file);
        } else {
            assert_null(file);
            assert_non_null(strstr(err.text, "jobs/smoke.yaml"));
        }
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(steps_are_read_in_order),
        cmocka_unit_test(a_plan_unpacks_first_and_packs_last),
        cmocka_unit_test(a_freeze_point_becomes_a_plan),
        cmocka_unit_test(tests_are_selected_by_name_and_tag),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(every_truncation_is_read_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
