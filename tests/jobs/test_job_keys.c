#include "jobs/job_check.h"
#include "storage/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char night[] =
    "suite: night\n"
    "checkpoints:\n"
    "  debian: {tag: debian-booted, machine: debian.yaml, harts: 3, memory: 1 GiB}\n"
    "  exact: {id: '1234abcd'}\n"
    "  short: a-tag\n"
    "variables: {A: 1, B: two words}\n"
    "workflow:\n"
    "  max_failures: 7\n"
    "  order: file\n"
    "  priority: 80\n"
    "  cache: false\n"
    "  rerun: 0.5 %\n"
    "  slower: 20%\n"
    "  baseline: release-1\n"
    "  schedule: {cron: '30 2 * * mon-fri', time_zone: UTC, missed: skip}\n"
    "  retention: {runs: 30, age: 60 days, artifacts: 2 weeks, checkpoints: 48 h}\n"
    "  webhook: {url: 'https://ci.example/hook', secret: ci}\n"
    "  command: /usr/local/bin/report\n"
    "defaults:\n"
    "  checkpoint: debian\n"
    "  retry: 1\n"
    "  host: amd64\n"
    "  variables: {B: three}\n"
    "  parallel: {matrix: [{seed: 1..3}]}\n"
    "tests:\n"
    "  - {name: plain, command: x}\n"
    "  - name: all\n"
    "    command: x\n"
    "    variables: {C: 3}\n"
    "    host: [arm64, big]\n"
    "    quantum: 2k\n"
    "    needs: plain\n"
    "    retry: {infra: 0}\n"
    "    artifacts: {paths: [a.txt, b], when: on_failure, expire_in: 7 days}\n"
    "    quarantine: {owner: ann, reason: flaky, until: 2027-01-31}\n"
    "    parallel: {matrix: [{harts: [1, 3], FILE: '${HOME}'}, {quantum: 5}]}\n"
    "    checkpoint: exact\n";

static struct job_file *parse(const char *text)
{
    struct err err = ERR_INIT;
    struct job_file *file = NULL;

    if (!job_file_parse(span_of_text(text), "night.yaml", &variables_environment, &file, &err))
        fail_msg("%s", err.text);
    return file;
}

static void refuses(const char *text, const char *because)
{
    struct err err = ERR_INIT;
    struct job_file *file = NULL;

    if (job_file_parse(span_of_text(text), "night.yaml", &variables_environment, &file, &err))
        fail_msg("taken: %s", text);
    if (strstr(err.text, because) == NULL)
        fail_msg("%s; expected: %s", err.text, because);
}

/* One test with these keys besides. */
static void test_refuses(const char *keys, const char *because)
{
    char text[4096];

    snprintf(text, sizeof text, "checkpoint: c\ntests: [{name: a, command: x, %s}]\n", keys);
    refuses(text, because);
}

static void workflow_refuses(const char *keys, const char *because)
{
    char text[4096];

    snprintf(text, sizeof text, "checkpoint: c\nworkflow: {%s}\ntests: [{name: a, command: x}]\n",
             keys);
    refuses(text, because);
}

static void checkpoint_refuses(const char *keys, const char *because)
{
    char text[4096];

    snprintf(text, sizeof text,
             "checkpoints: {%s}\ntests: [{name: a, checkpoint: c, command: x}]\n", keys);
    refuses(text, because);
}

static void the_workflow_is_read(void **state)
{
    struct job_file *file = parse(night);
    const struct job_workflow *workflow = &file->workflow;

    (void)state;
    assert_int_equal(workflow->max_failures, 7);
    assert_int_equal(workflow->order, JOB_ORDER_FILE);
    assert_int_equal(workflow->priority, 80);
    assert_true(workflow->no_cache);
    assert_int_equal(workflow->rerun_share_permille, 5);
    assert_int_equal(workflow->slower_permille, 200);
    assert_string_equal(workflow->baseline, "release-1");
    assert_string_equal(workflow->schedule.cron, "30 2 * * mon-fri");
    assert_string_equal(workflow->schedule.time_zone, "UTC");
    assert_int_equal(workflow->schedule.missed, JOB_MISSED_SKIP);
    assert_int_equal(workflow->retention.runs, 30);
    assert_int_equal(workflow->retention.run_s, 60 * 86400);
    assert_int_equal(workflow->retention.artifacts_s, 14 * 86400);
    assert_int_equal(workflow->retention.checkpoints_s, 2 * 86400);
    assert_string_equal(workflow->webhook.url, "https://ci.example/hook");
    assert_string_equal(workflow->webhook.secret, "ci");
    assert_string_equal(workflow->command, "/usr/local/bin/report");
    job_file_free(file);
}

static void a_file_without_a_workflow_has_its_defaults(void **state)
{
    struct job_file *file = parse("checkpoint: c\ntests: [{name: a, command: x}]\n");

    (void)state;
    assert_int_equal(file->workflow.order, JOB_ORDER_LONGEST);
    assert_int_equal(file->workflow.priority, 50);
    assert_int_equal(file->workflow.rerun_share_permille, 10);
    assert_int_equal(file->workflow.slower_permille, 100);
    assert_null(file->workflow.schedule.cron);
    assert_int_equal(file->tests[0].retry_infra, 3);
    assert_null(file->tests[0].quarantine.owner);
    job_file_free(file);
}

static void checkpoints_are_read_in_order_of_their_names(void **state)
{
    struct job_file *file = parse(night);
    const struct job_checkpoint *c = file->checkpoints;

    (void)state;
    assert_int_equal(file->checkpoint_count, 3);
    assert_string_equal(c[0].name, "debian");
    assert_int_equal(c[0].line, 3);
    assert_string_equal(c[0].tag, "debian-booted");
    assert_string_equal(c[0].machine, "debian.yaml");
    assert_int_equal(c[0].parameter_count, 2);
    assert_string_equal(c[0].parameters[0].name, "harts");
    assert_string_equal(c[0].parameters[1].value, "1 GiB");
    assert_string_equal(c[1].tag, "1234abcd");
    assert_string_equal(c[2].tag, "a-tag");
    assert_null(c[2].machine);
    job_file_free(file);
}

static void a_test_says_for_itself_or_has_the_defaults(void **state)
{
    struct job_file *file = parse(night);
    const struct job_test *plain = &file->tests[0], *all = &file->tests[1];

    (void)state;
    assert_string_equal(plain->checkpoint, "debian");
    assert_int_equal(plain->retry_infra, 1);
    assert_string_equal(plain->host[0], "amd64");
    assert_int_equal(plain->matrix_count, 1);
    assert_int_equal(plain->matrices[0].axes[0].count, 3);
    assert_int_equal(plain->variable_count, 2);
    assert_string_equal(plain->variables[1].value, "three");
    assert_string_equal(all->checkpoint, "exact");
    assert_int_equal(all->host_count, 2);
    assert_int_equal(all->quantum, 2000);
    assert_string_equal(all->needs[0], "plain");
    assert_int_equal(all->retry_infra, 0);
    assert_string_equal(all->results[1], "b");
    assert_int_equal(all->artifacts_when, JOB_ARTIFACTS_ON_FAILURE);
    assert_int_equal(all->artifacts_keep_s, 7 * 86400);
    assert_string_equal(all->quarantine.owner, "ann");
    assert_int_equal(all->quarantine.until_s, 1801353600);
    assert_int_equal(all->variable_count, 3);
    assert_string_equal(all->variables[2].name, "C");
    assert_int_equal(all->matrix_count, 2);
    assert_string_equal(all->matrices[0].axes[1].values[0], "${HOME}");
    job_file_free(file);
}

static void variables_are_in_the_guests_environment(void **state)
{
    struct job_file *file = parse("checkpoint: c\nvariables: {B: it's two, A: 1}\n"
                                  "tests: [{name: a, command: x, payload: f}, {name: b, steps: "
                                  "[{wait: 1}, {command: y}, {command: z}]}]\n");
    const struct job_guest guest = {"# $", true, "/dev/vda", "/dev/vdb", "/tmp/job"};
    struct pool pool = POOL_INIT;
    struct console_plan plan;
    struct err err = ERR_INIT;

    (void)state;
    assert_true(job_plan_make(&file->tests[0], &guest, &pool, &plan, &err));
    assert_string_equal(plan.steps[0].before, "export A=1\nexport B='it'\\''s two'\n"
                                              "mkdir -p /tmp/job&&cd /tmp/job&&tar -xf /dev/vda");
    assert_true(job_plan_make(&file->tests[1], &guest, &pool, &plan, &err));
    assert_null(plan.steps[0].before);
    assert_string_equal(plan.steps[1].before, "export A=1\nexport B='it'\\''s two'");
    assert_string_equal(plan.steps[2].before, plan.steps[1].before);
    pool_release(&pool);
    job_file_free(file);
}

static void mistakes_of_a_test_are_named(void **state)
{
    (void)state;
    test_refuses("retyr: 1", "did you mean `retry`?");
    test_refuses("retry: 11", "out of range");
    test_refuses("retry: {infar: 1}", "did you mean `infra`?");
    test_refuses("quantum: 0", "out of range");
    test_refuses("host: [a b]", "is not a tag of a host");
    refuses("tests: [{name: a, elf: x, artifacts: {paths: b}}]\n", "gives no results");
    test_refuses("quarantine: {owner: a, reason: b}", "`until:` is missing");
    test_refuses("quarantine: {owner: a, until: 2027-01-01}", "`reason:` is missing");
    test_refuses("quarantine: yes", "a map of `key: value` pairs");
    test_refuses("artifacts: {when: on_failrue}", "did you mean `on_failure`?");
    test_refuses("artifacts: {paths: a}, results: b", "mean the same");
    test_refuses("artifacts: {expire_in: 3}", "a duration such as");
    test_refuses("variables: {'a b': 1}", "is not the name of a variable");
    test_refuses("variables: {A: \"\\x03\"}", "control character");
    test_refuses("variables: [A]", "a map of `key: value` pairs");
    test_refuses("needs: b", "there is no test `b`");
    test_refuses("needs: a", "goes round in a circle");
}

static void mistakes_of_a_matrix_are_named(void **state)
{
    (void)state;
    test_refuses("parallel: 3", "a map of `key: value` pairs");
    test_refuses("parallel: {}", "`matrix:` is missing");
    test_refuses("parallel: {matrix: }", "`matrix:` is missing");
    test_refuses("parallel: {matrix: []}", "`matrix:` is missing");
    test_refuses("parallel: {matirx: [{seed: 1}]}", "did you mean `matrix`?");
    test_refuses("parallel: {matrix: [{sede: 1}]}", "did you mean `seed`?");
    test_refuses("parallel: {matrix: [{compiler: 1}]}", "begins with a capital letter");
    test_refuses("parallel: {matrix: [{seed: []}]}", "no values");
    test_refuses("parallel: {matrix: [{seed: [1, 1]}]}", "the value `1` twice");
    test_refuses("parallel: {matrix: [{seed: [1..3, 2]}]}", "the value `2` twice");
    test_refuses("parallel: {matrix: [{seed: 3..1}]}", "runs backwards");
    test_refuses("parallel: {matrix: [{seed: 1..10001}]}", "more than 10000 values");
    test_refuses("parallel: {matrix: [{seed: 1..99999999999999999999}]}", "a number such as");
    test_refuses("parallel: {matrix: [{seed: x}]}", "a number such as");
    test_refuses("parallel: {matrix: [{quantum: 0}]}", "out of range");
    test_refuses("parallel: {matrix: [{harts: 9}]}", "`harts:` is out of range: 1 to 8");
    test_refuses("parallel: {matrix: [{memory: 1.5 MiB}]}", "a multiple of 1 MiB");
    test_refuses("parallel: {matrix: [{clock: 5}]}", "a frequency such as");
    test_refuses("parallel: {matrix: [{engine: jit}]}", "`engine:` is `interpreter`");
    test_refuses("parallel: {matrix: [{host: ['']}]}", "an empty value");
    test_refuses("parallel: {matrix: [{host: [a b]}]}", "is not a tag of a host");
    refuses("tests: [{name: a, command: x, parallel: {matrix: [{checkpoint: c}, {seed: 1}]}}]\n",
            "nothing to start from");
    test_refuses("parallel: {matrix: [{A: {b: c}}]}", "one value is expected here");
    test_refuses("parallel: {matrix: [seed]}", "a part of a matrix is a map");
    test_refuses("parallel: {matrix: [{}]}", "has 1 to 16 keys");
}

static void mistakes_of_a_workflow_are_named(void **state)
{
    (void)state;
    workflow_refuses("max_failure: 1", "did you mean `max_failures`?");
    workflow_refuses("order: longest", "unknown value `longest`");
    workflow_refuses("priority: 101", "out of range");
    workflow_refuses("rerun: 101 %", "at most 100 %");
    workflow_refuses("rerun: 1", "a share such as");
    workflow_refuses("rerun: '%'", "a share such as");
    workflow_refuses("rerun: 0.25 %", "one digit behind the point");
    workflow_refuses("schedule: {time_zone: UTC}", "`cron:` is missing");
    workflow_refuses("schedule: {cron: '0 0 30 2 *'}", "that date never comes");
    workflow_refuses("schedule: {cron: '61 * * * *'}", "`61` is no minute");
    workflow_refuses("schedule: {cron: '@daily', time_zone: Europe/Berlim}", "no time zone");
    workflow_refuses("schedule: {cron: '@daily', time_zone: ../../etc/passwd}",
                     "is not a time zone");
    workflow_refuses("schedule: {cron: '@daily', missed: later}", "one of `run`, `skip`");
    workflow_refuses("webhook: {url: 'ftp://x'}", "begins with `https://`");
    workflow_refuses("webhook: {secret: x}", "`url:` is missing");
    workflow_refuses("retention: {runs: 0}", "out of range");
}

static void mistakes_of_checkpoints_are_named(void **state)
{
    (void)state;
    checkpoint_refuses("c: {tag: }", "needs one of `tag:`, `id:` and `machine:`");
    checkpoint_refuses("c: {}", "needs one of `tag:`, `id:` and `machine:`");
    checkpoint_refuses("c:", "a checkpoint is a tag, or a map");
    checkpoint_refuses("c: {id: a, tag: b}", "nothing else goes with it");
    checkpoint_refuses("c: {tag: b, harts: 3}", "`harts:` without `machine:`");
    checkpoint_refuses("c: {machine: m, harts: 0}", "`harts:` is out of range");
    checkpoint_refuses("c: {machin: m}", "did you mean `machine`?");
    checkpoint_refuses("a/b: c", "no `/`");
}

static void circles_of_needs_are_found(void **state)
{
    (void)state;
    refuses("checkpoint: c\ntests:\n  - {name: a, command: x, needs: b}\n"
            "  - {name: b, command: x, needs: [d, c]}\n  - {name: c, command: x, needs: a}\n"
            "  - {name: d, command: x}\n",
            "`c` waits for `a`, which waits for it");
    refuses("checkpoint: c\ntests:\n  - {name: first test, command: x}\n"
            "  - {name: b, command: x, needs: first tset}\n",
            "did you mean `first test`?");
}

static void put(const char *folder, const char *name, const char *text)
{
    struct err err = ERR_INIT;
    char path[256];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_true(file_write(path, span_of_text(text), &err));
}

/* The findings of `jobs.yaml` in a folder with `machine.yaml`; the report is freed by the caller.
 */
static char *findings_of(const char *jobs, const char *machine, uint64_t now_s, size_t *mistakes)
{
    char folder[] = "/tmp/thaw-keys-XXXXXX", path[256];
    struct job_findings findings;
    struct err err = ERR_INIT;
    char *text;

    assert_non_null(mkdtemp(folder));
    put(folder, "jobs.yaml", jobs);
    put(folder, "machine.yaml", machine);
    snprintf(path, sizeof path, "%s/jobs.yaml", folder);
    assert_true(job_file_check(path, &variables_environment, now_s, &findings, &err));
    *mistakes = findings.mistakes;
    text = calloc(1, findings.report.size + 1);
    if (findings.report.size > 0)
        memcpy(text, findings.report.data, findings.report.size);
    job_findings_release(&findings);
    assert_true(file_remove(folder, &err));
    return text;
}

static void has(const char *report, const char *part)
{
    if (strstr(report, part) == NULL)
        fail_msg("%s\n--- has no ---\n%s", report, part);
}

static void a_check_shows_all_mistakes_of_all_files_at_once(void **state)
{
    size_t mistakes;
    char *report = findings_of("machine: machine.yaml\n"
                               "workflow: {prioritty: 3}\n"
                               "tests:\n"
                               "  - {name: a, comand: x}\n"
                               "  - {name: b, command: x, parallel: {matrix: [{seed: y}]}}\n",
                               "memory: lots\nkernal: k\nfirmware: f\n", 0, &mistakes);

    (void)state;
    assert_int_equal(mistakes, 5);
    has(report, "jobs.yaml:2:12: unknown key `prioritty`; did you mean `priority`?\n"
                "    2 | workflow: {prioritty: 3}\n"
                "      |            ^~~~~~~~~\n");
    has(report, "jobs.yaml:4:15: unknown key `comand`");
    has(report, "jobs.yaml:5:54: `y` is not a number");
    has(report, "machine.yaml:1:9: `memory:`");
    has(report, "machine.yaml:2:1: unknown key `kernal`");
    free(report);
}

static void a_check_looks_for_files_and_through_matrices(void **state)
{
    size_t mistakes;
    char *report = findings_of("machine: machine.yaml\n"
                               "tests:\n"
                               "  - name: a\n"
                               "    command: x\n"
                               "    payload: ['${FILE}', machine.yaml]\n"
                               "    parallel: {matrix: [{FILE: [jobs.yaml, gone]}]}\n",
                               "firmware: f\n", 0, &mistakes);

    (void)state;
    assert_int_equal(mistakes, 1);
    has(report, "jobs.yaml:3: test a [FILE=gone]: payload: there is no file ");
    free(report);
    report = findings_of(
        "machine: machine.yaml\n"
        "tests: [{name: a, command: x, parallel: {matrix: [{A: 1..999, B: 1..999}]}}]\n",
        "firmware: f\n", 0, &mistakes);
    assert_int_equal(mistakes, 1);
    has(report, "the matrices make 998001 jobs; the limit is 100000");
    free(report);
}

static void a_quarantine_that_ran_out_warns(void **state)
{
    static const char jobs[] = "machine: machine.yaml\n"
                               "tests:\n"
                               "  - name: a\n"
                               "    command: x\n"
                               "    quarantine: {owner: ann, reason: flaky, until: 2027-01-31}\n";
    size_t mistakes;
    char *report = findings_of(jobs, "firmware: f\n", 1801353599, &mistakes);

    (void)state;
    assert_string_equal(report, "");
    free(report);
    report = findings_of(jobs, "firmware: f\n", 1801353600, &mistakes);
    assert_int_equal(mistakes, 0);
    has(report,
        "jobs.yaml:3: warning: the quarantine of `a` ended on 2027-01-31; its owner is ann\n");
    free(report);
}

static void a_checkpoint_that_is_nearly_one_of_the_files_warns(void **state)
{
    size_t mistakes;
    char *report = findings_of("checkpoints: {debian: {machine: machine.yaml}}\n"
                               "tests:\n"
                               "  - {name: a, command: x, checkpoint: debain}\n"
                               "  - {name: b, command: x, checkpoint: another-tag}\n",
                               "firmware: f\n", 0, &mistakes);

    (void)state;
    assert_int_equal(mistakes, 0);
    has(report, "jobs.yaml:3: warning: `checkpoint: debain` is taken for a tag");
    has(report, "did you mean `debian`?\n");
    assert_null(strstr(report, "another-tag"));
    free(report);
}

static void every_truncation_is_read_or_refused(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof night - 1; size++) {
        char *text = malloc(size + 1);
        struct job_file *file = NULL;
        struct job_expanded *expanded = NULL;
        struct err err = ERR_INIT;

        memcpy(text, night, size);
        if (job_file_parse((struct span){(uint8_t *)text, size}, "night.yaml",
                           &variables_environment, &file, &err)) {
            if (!job_expand(file, NULL, 0, &expanded, &err))
                assert_int_not_equal(err.kind, ERR_NONE);
        } else {
            assert_null(file);
        }
        job_expanded_free(expanded);
        job_file_free(file);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_workflow_is_read),
        cmocka_unit_test(a_file_without_a_workflow_has_its_defaults),
        cmocka_unit_test(checkpoints_are_read_in_order_of_their_names),
        cmocka_unit_test(a_test_says_for_itself_or_has_the_defaults),
        cmocka_unit_test(variables_are_in_the_guests_environment),
        cmocka_unit_test(mistakes_of_a_test_are_named),
        cmocka_unit_test(mistakes_of_a_matrix_are_named),
        cmocka_unit_test(mistakes_of_a_workflow_are_named),
        cmocka_unit_test(mistakes_of_checkpoints_are_named),
        cmocka_unit_test(circles_of_needs_are_found),
        cmocka_unit_test(a_check_shows_all_mistakes_of_all_files_at_once),
        cmocka_unit_test(a_check_looks_for_files_and_through_matrices),
        cmocka_unit_test(a_quarantine_that_ran_out_warns),
        cmocka_unit_test(a_checkpoint_that_is_nearly_one_of_the_files_warns),
        cmocka_unit_test(every_truncation_is_read_or_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
