/* One test on one thawed machine, judged. */
#include "agent/runner.h"

#include "jobs/job_file.h"
#include "jobs/payload.h"
#include "storage/base/check.h"
#include "tests/support/agent_rig.h"
#include "tests/support/base_test.h"

#include <stdio.h>
#include <string.h>

#define LIMIT UINT64_C(2000000)

/* Needs a guest, made by a cross compiler; without one the test is skipped. */
static struct agent_rig *thawed(void **state)
{
    if (*state == NULL)
        skip();
    agent_rig_thaw(*state, NULL);
    return *state;
}

static struct console_step command(const char *text)
{
    return (struct console_step){.kind = CONSOLE_COMMAND, .text = text};
}

static struct runner_test test_of(const struct console_step *steps, size_t count)
{
    return (struct runner_test){
        .steps = steps, .step_count = count, .instructions_max = LIMIT, .digest = true};
}

static struct runner_result run(struct agent_rig *rig, const struct runner_test *test)
{
    struct runner_result result;
    struct err err = ERR_INIT;

    BASE_OK(runner_run(&rig->session, test, NULL, &result, &err), &err);
    return result;
}

static struct runner_result run_command(struct agent_rig *rig, const char *text)
{
    struct console_step step = command(text);
    struct runner_test test = test_of(&step, 1);

    agent_rig_thaw(rig, NULL);
    return run(rig, &test);
}

static bool log_holds(const struct runner_result *result, const char *text)
{
    return memmem(result->log.data, result->log.size, text, strlen(text)) != NULL;
}

static struct runner_result run_marked(struct agent_rig *rig, const char *text, uint64_t every)
{
    struct console_step step = command(text);
    struct runner_test test = test_of(&step, 1);

    test.mark_every = every;
    agent_rig_thaw(rig, NULL);
    return run(rig, &test);
}

static void the_id_of_a_way_tells_every_state_on_it(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct runner_result plain = run_command(rig, "exit 0");
    uint64_t every = plain.instructions / 3;
    struct runner_result way = run_marked(rig, "exit 0", every);
    struct runner_result again = run_marked(rig, "exit 0", every);
    struct runner_result finer = run_marked(rig, "exit 0", every / 2);
    struct runner_result other = run_marked(rig, "exit 3", every);

    assert_int_equal(way.console.verdict, VERDICT_PASS);
    assert_int_equal(way.instructions, plain.instructions); /* looking changes nothing */
    assert_true(span_equal(buf_span(&way.log), buf_span(&plain.log)));
    assert_true(hash_equal(&way.state_id, &again.state_id));
    assert_false(hash_equal(&way.state_id, &plain.state_id));
    assert_false(hash_equal(&way.state_id, &finer.state_id));
    assert_false(hash_equal(&way.state_id, &other.state_id));
    runner_result_release(&plain);
    runner_result_release(&way);
    runner_result_release(&again);
    runner_result_release(&finer);
    runner_result_release(&other);
}

static void a_way_lists_its_states(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct runner_result plain = run_command(rig, "exit 0");
    uint64_t every = plain.instructions / 3, lines = 0;
    struct runner_result way = run_marked(rig, "exit 0", every);
    char first[32], last[128];

    snprintf(first, sizeof first, "%llu ", (unsigned long long)every);
    snprintf(last, sizeof last, "\n%llu %s\n", (unsigned long long)plain.instructions,
             hash_hex(&plain.state_id).text);
    for (size_t i = 0; i < way.states.size; i++)
        lines += way.states.data[i] == '\n';
    assert_int_equal(plain.states.size, 0);
    assert_int_equal(lines, plain.instructions / every + 1);
    assert_memory_equal(way.states.data, first, strlen(first));
    assert_memory_equal(way.states.data + way.states.size - strlen(last), last, strlen(last));
    runner_result_release(&plain);
    runner_result_release(&way);
}

static void the_exit_status_is_the_verdict(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct runner_result good = run_command(rig, "exit 0"), bad = run_command(rig, "exit 3");

    assert_int_equal(good.console.verdict, VERDICT_PASS);
    assert_int_equal(good.console.exit_status, 0);
    assert_string_equal(good.console.reason, "");
    assert_int_equal(bad.console.verdict, VERDICT_FAIL);
    assert_int_equal(bad.console.exit_status, 3);
    assert_true(bad.console.reason[0] != '\0');
    assert_true(bad.signature.title[0] != '\0');
    runner_result_release(&good);
    runner_result_release(&bad);
}

static void another_exit_status_can_be_asked_for(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step step = command("exit 3");
    struct runner_test test = test_of(&step, 1);
    struct runner_result result;

    step.check.exit_status = 3;
    result = run(rig, &test);
    assert_int_equal(result.console.verdict, VERDICT_PASS);
    runner_result_release(&result);
    step = command("exit 0");
    step.check.exit_status = 3;
    result = run(rig, &test);
    assert_int_equal(result.console.verdict, VERDICT_FAIL);
    runner_result_release(&result);
}

static void the_output_is_that_of_the_last_command(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step steps[] = {command("say first"), command("say second")};
    struct runner_test test = test_of(steps, 2);
    struct runner_result result = run(rig, &test);

    assert_int_equal(result.console.verdict, VERDICT_PASS);
    assert_int_equal(result.output.size, 7);
    assert_memory_equal(result.output.data, "second\n", 7);
    assert_true(log_holds(&result, "\r\nfirst\r\n"));
    runner_result_release(&result);
    steps[1].check.output = "third\n";
    result = run(rig, &test);
    assert_int_equal(result.console.verdict, VERDICT_FAIL);
    runner_result_release(&result);
}

static void a_failing_command_keeps_the_next_from_running(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step steps[] = {command("exit 1"), command("say never")};
    struct runner_test test = test_of(steps, 2);
    struct runner_result result = run(rig, &test);

    assert_int_equal(result.console.verdict, VERDICT_FAIL);
    assert_int_equal(result.console.step, 0);
    assert_false(log_holds(&result, "never"));
    runner_result_release(&result);
}

static void a_test_over_its_limit_is_a_timeout_at_that_instruction(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct runner_result result = run_command(rig, "spin");

    assert_int_equal(result.console.verdict, VERDICT_TIMEOUT);
    assert_int_equal(result.instructions, LIMIT);
    assert_int_equal(result.virtual_ns, LIMIT);
    assert_int_equal(result.console.exit_status, -1);
    assert_int_equal(result.signature.verdict, VERDICT_TIMEOUT);
    runner_result_release(&result);
}

static void the_wall_guard_is_the_tests(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step step = command("spin");
    struct runner_test test = test_of(&step, 1);
    struct runner_result result;

    test.instructions_max = 0; /* RUNNER_INSTRUCTIONS */
    test.wall_ms_max = 1;
    result = run(rig, &test);
    assert_int_equal(result.console.verdict, VERDICT_TIMEOUT);
    assert_non_null(strstr(result.console.reason, "wall-clock guard of 1 ms"));
    assert_true(result.instructions < RUNNER_INSTRUCTIONS);
    runner_result_release(&result);
}

static void a_panic_is_a_failure_with_its_signature(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct runner_result result = run_command(rig, "panic");

    assert_int_equal(result.console.verdict, VERDICT_FAIL);
    assert_string_equal(result.signature.title, "Kernel panic - not syncing: asked for");
    assert_true(result.instructions < LIMIT);
    runner_result_release(&result);
}

static void the_tests_monitors_go_before_the_checkpoints(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct monitor_choice choice = {.title = "too loud", .pattern = "^LOUD"};
    struct console_step step = command("panic");
    struct runner_test test = test_of(&step, 1);
    struct runner_result result;
    struct err err = ERR_INIT;

    test.any_monitor = true;
    result = run(rig, &test); /* none at all */
    assert_int_equal(result.console.verdict, VERDICT_TIMEOUT);
    runner_result_release(&result);
    agent_rig_thaw(rig, NULL);
    test.monitors = &choice;
    test.monitor_count = 1;
    step = command("say LOUD");
    result = run(rig, &test);
    assert_int_equal(result.console.verdict, VERDICT_FAIL);
    assert_string_equal(result.signature.title, "too loud");
    runner_result_release(&result);
    agent_rig_thaw(rig, NULL);
    choice = (struct monitor_choice){.set = "nonsense"};
    BASE_FAILS(runner_run(&rig->session, &test, NULL, &result, &err), &err, ERR_NOT_FOUND,
               "nonsense");
    runner_result_release(&result);
}

static void a_report_that_is_not_whole_when_the_test_ends_counts(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct runner_result passed = run_command(rig, "say BUG: nobody reads on");
    struct console_step steps[] = {command("say BUG: nobody reads on"), command("spin")};
    struct runner_test test = test_of(steps, 2);
    struct runner_result late;

    assert_int_equal(passed.console.verdict, VERDICT_FAIL);
    assert_int_equal(passed.console.exit_status, 0);
    assert_string_equal(passed.signature.title, "BUG: nobody reads on");
    agent_rig_thaw(rig, NULL);
    late = run(rig, &test);
    assert_int_equal(late.console.verdict, VERDICT_FAIL);
    assert_int_equal(late.instructions, LIMIT);
    runner_result_release(&passed);
    runner_result_release(&late);
}

static void the_checkpoint_says_which_monitors_listen(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step step = command("panic");
    struct runner_test test = test_of(&step, 1);
    struct runner_result result;

    store_tag_set_fact(&rig->session.facts, FACT_MONITORS, "opensbi,uboot");
    result = run(rig, &test);
    assert_int_equal(result.console.verdict, VERDICT_TIMEOUT);
    runner_result_release(&result);
    agent_rig_thaw(rig, NULL);
    store_tag_set_fact(&rig->session.facts, FACT_MONITORS, "opensbi,linux");
    result = run(rig, &test);
    assert_int_equal(result.console.verdict, VERDICT_FAIL);
    runner_result_release(&result);
}

static void the_same_test_comes_to_the_same_state(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct runner_result one = run_command(rig, "say x"), two = run_command(rig, "say x"),
                         other = run_command(rig, "say y");

    assert_true(hash_equal(&one.state_id, &two.state_id));
    assert_false(hash_equal(&one.state_id, &other.state_id));
    assert_int_equal(one.instructions, two.instructions);
    assert_int_equal(one.log.size, two.log.size);
    assert_memory_equal(one.log.data, two.log.data, one.log.size);
    runner_result_release(&one);
    runner_result_release(&two);
    runner_result_release(&other);
}

static void a_seed_changes_what_is_random_and_nothing_else_does(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step step = command("random");
    struct runner_test test = test_of(&step, 1);
    static const uint64_t seeds[] = {1, 1, 2};
    struct runner_result results[3];

    for (size_t i = 0; i < 3; i++) {
        agent_rig_thaw(rig, NULL);
        test.seed = &seeds[i];
        results[i] = run(rig, &test);
        assert_int_equal(results[i].console.verdict, VERDICT_PASS);
        assert_int_equal(results[i].output.size, 17);
    }
    assert_memory_equal(results[0].output.data, results[1].output.data, 17);
    assert_memory_not_equal(results[0].output.data, results[2].output.data, 17);
    for (size_t i = 0; i < 3; i++)
        runner_result_release(&results[i]);
}

/* A tar with one small file. */
static void make_payload(struct buf *out)
{
    struct payload_entry entry = {.path = "hello.txt", .content = span_of_text("good morning\n")};
    struct err err = ERR_INIT;

    *out = (struct buf)BUF_INIT(1u << 20);
    BASE_OK(payload_write(&entry, 1, out, &err), &err);
}

static void a_payload_comes_in_and_results_go_out(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step step = command("disk");
    struct runner_test test = test_of(&step, 1);
    struct runner_result result;
    struct object *disk;
    struct buf payload;

    make_payload(&payload);
    step.before = "unpack";
    step.after = "pack";
    test.payload = buf_span(&payload);
    result = run(rig, &test);
    assert_int_equal(result.console.verdict, VERDICT_PASS);
    assert_int_equal(result.output.size, 10); /* the header begins with the name */
    assert_memory_equal(result.output.data, "hello.txt\n", 10);
    disk =
        machine_find(rig->session.machine, store_tag_fact(&rig->session.facts, FACT_RESULT_DISK));
    assert_non_null(disk);
    assert_true(disk->images[0]->size >= payload.size);
    assert_memory_equal(disk->images[0]->data, payload.data, payload.size);
    runner_result_release(&result);
    buf_release(&payload);
}

static void results_that_cannot_be_packed_fail_the_test(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step step = command("say nothing to keep");
    struct runner_test test = test_of(&step, 1);
    struct runner_result result;

    step.after = "pack";
    result = run(rig, &test);
    assert_int_equal(result.console.verdict, VERDICT_FAIL);
    runner_result_release(&result);
}

static void a_payload_needs_a_job_disk(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step step = command("disk");
    struct runner_test test = test_of(&step, 1);
    struct runner_result result;
    struct err err = ERR_INIT;

    agent_rig_freeze(rig, "devices: []\n", "bare");
    agent_rig_thaw(rig, "bare");
    test.payload = span_of_text("x");
    BASE_FAILS(runner_run(&rig->session, &test, NULL, &result, &err), &err, ERR_USAGE,
               "no job disk");
    assert_int_equal(result.instructions, 0);
    runner_result_release(&result);
}

static void a_machine_frozen_after_its_test_goes_on_as_if_nothing_had_been(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step first = command("say one"), second = command("random");
    struct runner_test tests[] = {test_of(&first, 1), test_of(&second, 1)};
    struct runner_result results[2], later;
    struct checkpoint_ids ids;
    struct hash parent;
    struct store_tag tag;
    struct err err = ERR_INIT;

    results[0] = run(rig, &tests[0]);
    store_tag_init(&tag, "child", &clock_host);
    parent = rig->session.parent;
    BASE_OK(session_freeze(&rig->session, &tag, &ids, &err), &err);
    store_tag_release(&tag);
    assert_true(hash_equal(&ids.state_id, &results[0].state_id));
    results[1] = run(rig, &tests[1]); /* the machine that was frozen runs on */
    agent_rig_thaw(rig, "child");
    assert_false(hash_equal(&rig->session.parent, &parent));
    tests[1].prompt = NULL;
    store_tag_set_fact(&rig->session.facts, FACT_PROMPT, AGENT_RIG_PROMPT);
    store_tag_set_fact(&rig->session.facts, FACT_AT_PROMPT, "yes");
    later = run(rig, &tests[1]);
    assert_int_equal(later.console.verdict, VERDICT_PASS);
    assert_int_equal(later.instructions, results[1].instructions);
    assert_true(hash_equal(&later.state_id, &results[1].state_id));
    for (size_t i = 0; i < 2; i++)
        runner_result_release(&results[i]);
    runner_result_release(&later);
}

static void an_enter_comes_first_where_no_prompt_is_known_to_be_shown(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step step = command("exit 0");
    struct runner_test test = test_of(&step, 1);
    struct runner_result result = run(rig, &test);

    assert_false(log_holds(&result, "$ "));
    runner_result_release(&result);
    agent_rig_thaw(rig, NULL);
    test.prompt = AGENT_RIG_PROMPT;
    result = run(rig, &test);
    assert_int_equal(result.console.verdict, VERDICT_PASS);
    assert_memory_equal(result.log.data, "\r\n$ ", 4);
    runner_result_release(&result);
}

static void a_test_that_cannot_be_run_is_an_error(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step step = {.kind = CONSOLE_EXPECT, .text = "("};
    struct runner_test test = test_of(&step, 1);
    struct runner_result result;
    struct err err = ERR_INIT;

    assert_false(runner_run(&rig->session, &test, NULL, &result, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    runner_result_release(&result);
    store_tag_set_fact(&rig->session.facts, FACT_CONSOLE, "board0.nothing");
    err = (struct err)ERR_INIT;
    BASE_FAILS(runner_run(&rig->session, &test, NULL, &result, &err), &err, ERR_USAGE,
               "no console");
    runner_result_release(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_way_lists_its_states),
        cmocka_unit_test(the_exit_status_is_the_verdict),
        cmocka_unit_test(the_id_of_a_way_tells_every_state_on_it),
        cmocka_unit_test(another_exit_status_can_be_asked_for),
        cmocka_unit_test(the_output_is_that_of_the_last_command),
        cmocka_unit_test(a_failing_command_keeps_the_next_from_running),
        cmocka_unit_test(a_test_over_its_limit_is_a_timeout_at_that_instruction),
        cmocka_unit_test(the_wall_guard_is_the_tests),
        cmocka_unit_test(a_panic_is_a_failure_with_its_signature),
        cmocka_unit_test(the_tests_monitors_go_before_the_checkpoints),
        cmocka_unit_test(a_report_that_is_not_whole_when_the_test_ends_counts),
        cmocka_unit_test(the_checkpoint_says_which_monitors_listen),
        cmocka_unit_test(the_same_test_comes_to_the_same_state),
        cmocka_unit_test(a_seed_changes_what_is_random_and_nothing_else_does),
        cmocka_unit_test(a_payload_comes_in_and_results_go_out),
        cmocka_unit_test(results_that_cannot_be_packed_fail_the_test),
        cmocka_unit_test(a_payload_needs_a_job_disk),
        cmocka_unit_test(a_machine_frozen_after_its_test_goes_on_as_if_nothing_had_been),
        cmocka_unit_test(an_enter_comes_first_where_no_prompt_is_known_to_be_shown),
        cmocka_unit_test(a_test_that_cannot_be_run_is_an_error),
    };

    return cmocka_run_group_tests(tests, agent_rig_setup, agent_rig_teardown);
}
