/* The tests of a suite file, each on a machine of its own. */
#include "agent/suite.h"

#include "jobs/payload.h"
#include "storage/base/check.h"
#include "storage/base/file.h"
#include "tests/support/agent_rig.h"
#include "tests/support/base_test.h"
#include "tests/support/store_folder.h"

#include <stdio.h>
#include <string.h>

#define OUTCOMES_MAX 16
#define HEAD                                                                                       \
    "suite: s\ncheckpoint: answer\nlimits: {instructions: 2M}\nresult_disk: /dev/vdb\n"            \
    "job_disk: /dev/vda\ntests:\n"

/* One run of a suite, and what it told on the way. */
struct suite_run {
    struct job_file *file;
    struct suite_options options;
    struct suite_outcome outcomes[OUTCOMES_MAX];
    size_t count;
    char told[512]; /* "+name" at each begin, "-name:verdict" at each end */
};

static void on_begin(void *context, const struct job_test *test)
{
    struct suite_run *run = context;
    size_t used = strlen(run->told);

    snprintf(run->told + used, sizeof run->told - used, "+%s ", test->name);
}

static void on_end(void *context, const struct suite_outcome *outcome)
{
    struct suite_run *run = context;
    size_t used = strlen(run->told);

    snprintf(run->told + used, sizeof run->told - used, "-%s:%s ", outcome->test->name,
             verdict_name(outcome->verdict));
}

/* Needs a guest, made by a cross compiler; without one the test is skipped. */
static struct agent_rig *rig_of(void **state)
{
    if (*state == NULL)
        skip();
    return *state;
}

/* Reads the suite; `text` is the file. */
static struct suite_run *load_suite(struct agent_rig *rig, const char *text)
{
    struct suite_run *run = mem_alloc(sizeof *run);
    struct err err = ERR_INIT;

    BASE_OK(job_file_parse(span_of_text(text), test_path(rig->folder, "suite.yaml"),
                           &variables_environment, &run->file, &err),
            &err);
    assert_true(run->file->test_count <= OUTCOMES_MAX);
    run->options = (struct suite_options){.store = rig->store,
                                          .cache = rig->cache,
                                          .file = run->file,
                                          .checkpoint = run->file->checkpoint,
                                          .results_folder = test_path(rig->folder, "results"),
                                          .digest = true,
                                          .begin = on_begin,
                                          .end = on_end,
                                          .context = run};
    return run;
}

/* Runs it; `selectors` end with NULL. */
static struct suite_run *run_suite(struct agent_rig *rig, const char *text,
                                   const char *const *selectors)
{
    struct suite_run *run = load_suite(rig, text);
    size_t count = 0;

    while (selectors != NULL && selectors[count] != NULL)
        count++;
    run->count = suite_run(&run->options, selectors, count, run->outcomes);
    return run;
}

static void suite_run_free(struct suite_run *run)
{
    for (size_t i = 0; i < run->count; i++)
        suite_outcome_release(&run->outcomes[i]);
    job_file_free(run->file);
    mem_free(run);
}

static void expect(const struct suite_run *run, size_t index, enum verdict verdict,
                   const char *reason)
{
    const struct suite_outcome *outcome = &run->outcomes[index];

    assert_true(index < run->count);
    if (outcome->verdict != verdict || strstr(outcome->reason, reason) == NULL)
        fail_msg("%s: %s: %s", outcome->test->name, verdict_name(outcome->verdict),
                 outcome->reason);
}

static void tests_run_in_the_files_order(void **state)
{
    struct suite_run *run = run_suite(rig_of(state),
                                      HEAD "  - {name: zulu, command: exit 0}\n"
                                           "  - {name: alpha, command: exit 1}\n"
                                           "  - {name: mike, command: exit 0}\n",
                                      NULL);

    assert_int_equal(run->count, 3);
    assert_string_equal(run->told, "+zulu -zulu:pass +alpha -alpha:fail +mike -mike:pass ");
    suite_run_free(run);
}

static void only_what_is_selected_runs_and_once(void **state)
{
    static const char *const selectors[] = {"*o*", "@quick", "@none", NULL};
    static const char *const nothing[] = {"@none", "nobody", NULL};
    static const char text[] = HEAD "  - {name: one, command: exit 0, tags: [quick]}\n"
                                    "  - {name: three, command: exit 0, tags: [slow]}\n"
                                    "  - {name: six, command: exit 0, tags: [quick]}\n"
                                    "  - {name: two, command: exit 0}\n";
    struct suite_run *run = run_suite(rig_of(state), text, selectors);

    assert_int_equal(run->count, 3);
    assert_string_equal(run->told, "+one -one:pass +six -six:pass +two -two:pass ");
    suite_run_free(run);
    run = run_suite(rig_of(state), text, nothing);
    assert_int_equal(run->count, 0);
    suite_run_free(run);
}

static void every_test_starts_from_the_checkpoint(void **state)
{
    struct suite_run *run = run_suite(rig_of(state),
                                      HEAD "  - {name: first, command: random}\n"
                                           "  - {name: hangs, command: spin}\n"
                                           "  - {name: again, command: random}\n",
                                      NULL);
    const struct suite_outcome *first = &run->outcomes[0], *again = &run->outcomes[2];

    expect(run, 0, VERDICT_PASS, "");
    expect(run, 1, VERDICT_TIMEOUT, "instructions");
    expect(run, 2, VERDICT_PASS, "");
    assert_true(hash_equal(&first->run.state_id, &again->run.state_id));
    assert_int_equal(first->run.instructions, again->run.instructions);
    assert_memory_equal(first->run.output.data, again->run.output.data, 17);
    suite_run_free(run);
}

static void a_test_that_must_fail_passes_by_failing_only(void **state)
{
    struct suite_run *run = run_suite(
        rig_of(state),
        HEAD "  - {name: fails, command: exit 1, expect_failure: true, reason: a known bug}\n"
             "  - {name: passes, command: exit 0, expect_failure: true, reason: a known bug}\n"
             "  - {name: hangs, command: spin, expect_failure: true, reason: a known bug}\n"
             "  - {name: cannot, checkpoint: none, command: x, expect_failure: true, reason: a "
             "known bug}\n",
        NULL);

    expect(run, 0, VERDICT_PASS, "");
    expect(run, 1, VERDICT_FAIL, "it passed, and must fail: a known bug");
    expect(run, 2, VERDICT_TIMEOUT, "");
    expect(run, 3, VERDICT_INFRA, "none");
    suite_run_free(run);
}

static void a_skipped_test_needs_nothing(void **state)
{
    struct suite_run *run =
        run_suite(rig_of(state),
                  HEAD "  - {name: skipped, checkpoint: none, command: x, skip: no time}\n", NULL);

    expect(run, 0, VERDICT_SKIPPED, "no time");
    assert_int_equal(run->outcomes[0].run.instructions, 0);
    suite_run_free(run);
}

static void what_cannot_be_run_is_infra_and_the_rest_runs(void **state)
{
    struct agent_rig *rig = rig_of(state);
    struct suite_run *run =
        run_suite(rig,
                  HEAD "  - {name: thaw, checkpoint: nothing, command: exit 0}\n"
                       "  - {name: payload, payload: [nowhere.txt], command: exit 0}\n"
                       "  - {name: program, elf: nowhere.elf}\n"
                       "  - {name: disk, command: exit 0, disks: {nothing: suite.yaml}}\n"
                       "  - {name: good, command: exit 0}\n",
                  NULL);

    expect(run, 0, VERDICT_INFRA, "nothing");
    expect(run, 1, VERDICT_INFRA, "nowhere.txt");
    expect(run, 2, VERDICT_INFRA, "nowhere.elf");
    expect(run, 3, VERDICT_INFRA, "no disk nothing");
    expect(run, 4, VERDICT_PASS, "");
    assert_true(hash_is_zero(&run->outcomes[0].checkpoint));
    suite_run_free(run);
    /* Neither the test nor the suite says what it starts from. */
    run = load_suite(rig, HEAD "  - {name: lost, command: exit 0}\n");
    run->options.checkpoint = NULL;
    run->file->tests[0].checkpoint = NULL;
    run->count = suite_run(&run->options, NULL, 0, run->outcomes);
    expect(run, 0, VERDICT_INFRA, "neither the test nor its suite names a checkpoint");
    suite_run_free(run);
}

static void put_file(struct agent_rig *rig, const char *name, const char *text)
{
    struct err err = ERR_INIT;

    BASE_OK(file_write(test_path(rig->folder, name), span_of_text(text), &err), &err);
}

static bool result_is(struct agent_rig *rig, const char *name, const char *text)
{
    struct buf content = BUF_INIT(4096);
    struct err err = ERR_INIT;
    bool same = file_read(test_path(rig->folder, name), &content, &err) &&
                content.size == strlen(text) && memcmp(content.data, text, content.size) == 0;

    buf_release(&content);
    return same;
}

static void results_are_kept_and_counted(void **state)
{
    struct agent_rig *rig = rig_of(state);
    struct suite_run *run;

    put_file(rig, "one.txt", "first file\n");
    put_file(rig, "two.txt", "second file\n");
    run = run_suite(rig,
                    HEAD "  - {name: both, payload: [one.txt, two.txt], command: exit 0,\n"
                         "     results: [one.txt]}\n"
                         "  - {name: fails, payload: [two.txt], command: exit 1,\n"
                         "     results: [two.txt]}\n"
                         "  - {name: keeps none, payload: [two.txt], command: exit 0}\n",
                    NULL);
    expect(run, 0, VERDICT_PASS, "");
    expect(run, 1, VERDICT_FAIL, "");
    expect(run, 2, VERDICT_PASS, "");
    assert_int_equal(run->outcomes[0].result_files, 2);
    assert_int_equal(run->outcomes[1].result_files, 1);
    assert_int_equal(run->outcomes[2].result_files, 0);
    assert_true(result_is(rig, "results/both/one.txt", "first file\n"));
    assert_true(result_is(rig, "results/both/two.txt", "second file\n"));
    assert_true(result_is(rig, "results/fails/two.txt", "second file\n"));
    suite_run_free(run);
    /* Those of an earlier run do not stay. */
    run = run_suite(
        rig, HEAD "  - {name: both, payload: [two.txt], command: exit 0, results: [x]}\n", NULL);
    assert_int_equal(run->outcomes[0].result_files, 1);
    assert_false(result_is(rig, "results/both/one.txt", "first file\n"));
    suite_run_free(run);
}

static void a_missing_result_is_never_a_pass(void **state)
{
    struct agent_rig *rig = rig_of(state);
    struct suite_run *run;

    put_file(rig, "one.txt", "first file\n");
    agent_rig_freeze(rig, "job_disk: true\n", "no-result-disk");
    agent_rig_freeze(rig, "job_disk: true\ndevices: [blk: {name: other, size: 64 KiB}]\n", "other");
    run = run_suite(rig,
                    HEAD "  - {name: fails to pack, command: say nothing to keep, results: [x]}\n"
                         "  - {name: went elsewhere, command: say kept elsewhere, results: [x]}\n"
                         "  - {name: must fail, command: say kept elsewhere, results: [x],\n"
                         "     exit_status: 1, expect_failure: true, reason: a bug}\n"
                         "  - {name: has no disk, payload: [one.txt], checkpoint: no-result-disk,\n"
                         "     command: say kept elsewhere, results: [x]}\n"
                         "  - {name: hangs, command: spin, results: [x]}\n",
                    NULL);
    expect(run, 0, VERDICT_FAIL, "");
    expect(run, 1, VERDICT_INFRA, "results");
    expect(run, 2, VERDICT_INFRA, "results");
    expect(run, 3, VERDICT_INFRA, "result disk");
    expect(run, 4, VERDICT_TIMEOUT, "instructions");
    suite_run_free(run);
}

static void rubbish_on_the_result_disk_hides_no_failure(void **state)
{
    struct agent_rig *rig = rig_of(state);
    struct suite_run *run;
    char text[2048] = {0};

    memset(text, 'x', sizeof text - 1);
    put_file(rig, "rubbish.img", text);
    run = run_suite(rig,
                    HEAD "  - {name: passes, command: say kept elsewhere, results: [x],\n"
                         "     disks: {result: rubbish.img}}\n"
                         "  - {name: fails, command: exit 1, results: [x],\n"
                         "     disks: {job: rubbish.img}}\n",
                    NULL);
    expect(run, 0, VERDICT_INFRA, "results");
    expect(run, 1, VERDICT_FAIL, "1");
    suite_run_free(run);
}

static void a_disk_gets_the_content_that_the_test_names(void **state)
{
    struct agent_rig *rig = rig_of(state);
    struct suite_run *run;

    put_file(rig, "disk.img", "hello from the disk\n");
    run = run_suite(rig,
                    HEAD "  - name: reads\n    command: disk\n    disks: {job: disk.img}\n"
                         "    stdout: hello from the disk\n"
                         "  - {name: without, command: disk}\n",
                    NULL);
    expect(run, 0, VERDICT_PASS, "");
    assert_memory_equal(run->outcomes[1].run.output.data, "no disk\n", 8);
    suite_run_free(run);
}

static void seeds_and_quanta_make_other_states(void **state)
{
    struct suite_run *run =
        load_suite(rig_of(state), HEAD "  - {name: plain, command: random}\n"
                                       "  - {name: seed, command: random, seed: 5}\n"
                                       "  - {name: quantum, command: random}\n");
    const struct suite_outcome *outcomes = run->outcomes;

    run->file->tests[2].quantum = 77;
    run->count = suite_run(&run->options, NULL, 0, run->outcomes);
    for (size_t i = 0; i < 3; i++)
        expect(run, i, VERDICT_PASS, "");
    assert_memory_not_equal(outcomes[0].run.output.data, outcomes[1].run.output.data, 17);
    assert_memory_equal(outcomes[0].run.output.data, outcomes[2].run.output.data, 17);
    assert_false(hash_equal(&outcomes[0].run.state_id, &outcomes[2].run.state_id));
    suite_run_free(run);
}

static void a_bare_program_runs_on_a_fresh_board(void **state)
{
    struct agent_rig *rig = rig_of(state);
    char text[4096];
    struct suite_run *run;

    snprintf(text, sizeof text,
             "suite: s\nlimits: {instructions: 2M}\ntests:\n"
             "  - {name: waits, elf: '%s'}\n",
             agent_rig_guest());
    run = run_suite(rig, text, NULL);
    expect(run, 0, VERDICT_TIMEOUT, ""); /* nobody types */
    assert_true(memmem(run->outcomes[0].run.log.data, run->outcomes[0].run.log.size,
                       "answer: ready", 13) != NULL);
    assert_true(hash_is_zero(&run->outcomes[0].checkpoint));
    suite_run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tests_run_in_the_files_order),
        cmocka_unit_test(only_what_is_selected_runs_and_once),
        cmocka_unit_test(every_test_starts_from_the_checkpoint),
        cmocka_unit_test(a_test_that_must_fail_passes_by_failing_only),
        cmocka_unit_test(a_skipped_test_needs_nothing),
        cmocka_unit_test(what_cannot_be_run_is_infra_and_the_rest_runs),
        cmocka_unit_test(results_are_kept_and_counted),
        cmocka_unit_test(a_missing_result_is_never_a_pass),
        cmocka_unit_test(rubbish_on_the_result_disk_hides_no_failure),
        cmocka_unit_test(a_disk_gets_the_content_that_the_test_names),
        cmocka_unit_test(seeds_and_quanta_make_other_states),
        cmocka_unit_test(a_bare_program_runs_on_a_fresh_board),
    };

    return cmocka_run_group_tests(tests, agent_rig_setup, agent_rig_teardown);
}
