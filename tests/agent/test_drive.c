/* A console script against a machine. */
#include "agent/drive.h"
#include "agent/guard.h"

#include "sim/device/uart.h"
#include "storage/base/check.h"
#include "tests/support/agent_rig.h"
#include "tests/support/base_test.h"

#include <string.h>

#define RECORDS_MAX 64
#define NS_IN_MS    UINT64_C(1000000)

/* What a driven machine showed, and what was given to it. */
struct record {
    struct buf output;
    struct drive_input inputs[RECORDS_MAX];
    struct buf typed[RECORDS_MAX];
    size_t count;
    uint64_t looks, looks_max; /* calls of progress; cancelled at the maximum; 0: never */
};

struct driven {
    struct console_result result;
    struct hash state_id;
    uint64_t before, after; /* instructions */
};

static void on_output(void *context, struct span bytes)
{
    struct record *record = context;
    struct err err = ERR_INIT;

    BASE_OK(buf_append(&record->output, bytes.data, bytes.size, &err), &err);
}

static void on_input(void *context, const struct drive_input *input)
{
    struct record *record = context;
    struct err err = ERR_INIT;

    assert_true(record->count < RECORDS_MAX);
    assert_string_equal(input->object, AGENT_RIG_CONSOLE);
    record->inputs[record->count] = *input;
    record->typed[record->count] = (struct buf)BUF_INIT(DRIVE_INPUT_MAX);
    BASE_OK(buf_append(&record->typed[record->count], input->bytes.data, input->bytes.size, &err),
            &err);
    record->count++;
}

static bool on_progress(void *context, uint64_t instructions, uint64_t virtual_ns)
{
    struct record *record = context;

    assert_int_equal(virtual_ns, instructions); /* one hart at 1 GHz */
    record->looks++;
    return record->looks != record->looks_max;
}

static void record_release(struct record *record)
{
    for (size_t i = 0; i < record->count; i++)
        buf_release(&record->typed[i]);
    buf_release(&record->output);
}

/* Needs a guest, made by a cross compiler; without one the test is skipped. */
static struct agent_rig *thawed(void **state)
{
    if (*state == NULL)
        skip();
    agent_rig_thaw(*state, NULL);
    return *state;
}

static struct drive_options options_of(struct agent_rig *rig)
{
    struct machine *machine = rig->session.machine;

    return (struct drive_options){.machine = machine,
                                  .console = machine_find(machine, AGENT_RIG_CONSOLE),
                                  .clock = &clock_host};
}

/* Runs the steps; options without a script. */
static struct driven drive(struct agent_rig *rig, struct drive_options options,
                           const struct console_plan *plan)
{
    struct driven out = {.before = machine_instructions(rig->session.machine)};
    struct err err = ERR_INIT;

    options.script = console_script_new(plan, &err);
    assert_non_null(options.script);
    BASE_OK(drive_run(&options, &err), &err);
    assert_non_null(console_script_result(options.script));
    out.result = *console_script_result(options.script);
    out.after = machine_instructions(rig->session.machine);
    out.state_id = agent_rig_digest(rig);
    console_script_free(options.script);
    return out;
}

static struct console_step sends(const char *text)
{
    return (struct console_step){.kind = CONSOLE_SEND, .bytes = span_of_text(text)};
}

static struct console_step expects(const char *pattern)
{
    return (struct console_step){.kind = CONSOLE_EXPECT, .text = pattern};
}

static void the_answer_is_seen_and_ends_the_script_where_it_came(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step steps[] = {sends("say hello\r"), expects("\nhello\r?\n")};
    struct console_plan plan = {.steps = steps, .step_count = 2};
    struct driven first = drive(rig, options_of(rig), &plan), second;

    assert_int_equal(first.result.verdict, VERDICT_PASS);
    assert_int_equal(first.result.now, first.after);
    assert_true(first.after > first.before && first.after < first.before + 100000);
    agent_rig_thaw(rig, NULL);
    second = drive(rig, options_of(rig), &plan);
    assert_int_equal(second.after, first.after);
    assert_true(hash_equal(&second.state_id, &first.state_id));
}

static void limits_in_instructions_are_exact(void **state)
{
    static const uint64_t limits[] = {1, 2, 9999, 123457, DRIVE_SLICE - 1, DRIVE_SLICE + 1};
    struct agent_rig *rig = thawed(state);

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
        struct console_step step = expects("never");
        struct console_plan plan = {.steps = &step, .step_count = 1};
        struct driven driven;

        plan.instructions_max = limits[i]; /* of the script */
        driven = drive(rig, options_of(rig), &plan);
        assert_int_equal(driven.result.verdict, VERDICT_TIMEOUT);
        assert_int_equal(driven.after - driven.before, limits[i]);
        plan.instructions_max = 0;
        step.instructions = limits[i]; /* of the step */
        driven = drive(rig, options_of(rig), &plan);
        assert_int_equal(driven.result.verdict, VERDICT_TIMEOUT);
        assert_int_equal(driven.after - driven.before, limits[i]);
        step.kind = CONSOLE_WAIT;
        driven = drive(rig, options_of(rig), &plan);
        assert_int_equal(driven.result.verdict, VERDICT_PASS);
        assert_int_equal(driven.after - driven.before, limits[i]);
    }
}

static void steps_are_counted_from_where_the_one_before_was_done(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step steps[] = {expects("\n4000\r?\n"), /* long after the script began */
                                   {.kind = CONSOLE_WAIT, .instructions = 1000}};
    struct console_step types[] = {{.kind = CONSOLE_SEND}, expects("\n4000\r?\n")};
    struct console_plan plan = {.steps = types, .step_count = 2};
    static char text[4009];
    struct driven seen, waited;

    memset(text, 'x', sizeof text - 1);
    memcpy(text, "length ", 7);
    text[4007] = '\r';
    types[0] = sends(text);
    seen = drive(rig, options_of(rig), &plan);
    assert_true(seen.after - seen.before > 100000);
    agent_rig_thaw(rig, NULL);
    plan = (struct console_plan){.steps = (struct console_step[]){types[0], steps[0], steps[1]},
                                 .step_count = 3};
    waited = drive(rig, options_of(rig), &plan);
    assert_int_equal(waited.result.verdict, VERDICT_PASS);
    assert_int_equal(waited.after - seen.after, 1000);
}

/* A clock that has moved on by a step whenever somebody looks. */
struct fake_clock {
    uint64_t now_ns, step_ns, looks;
};

static uint64_t fake_now(void *context)
{
    struct fake_clock *clock = context;

    clock->looks++;
    clock->now_ns += clock->step_ns;
    return clock->now_ns;
}

static struct driven drive_for(struct agent_rig *rig, struct fake_clock *fake, uint64_t wall_ms)
{
    struct clock_source clock = {fake_now, fake_now, fake};
    struct console_step steps[] = {sends("spin\r"), expects("never")};
    struct console_plan plan = {
        .steps = steps, .step_count = 2, .instructions_max = 4 * DRIVE_SLICE};
    struct drive_options options = options_of(rig);

    options.clock = &clock;
    options.wall_ms_max = wall_ms;
    agent_rig_thaw(rig, NULL);
    options.machine = rig->session.machine;
    options.console = machine_find(options.machine, AGENT_RIG_CONSOLE);
    return drive(rig, options, &plan);
}

static void the_wall_guard_ends_a_guest_that_hangs(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct fake_clock fake = {.now_ns = 77, .step_ns = 100 * NS_IN_MS};
    struct driven driven = drive_for(rig, &fake, 250); /* starts at 100: 200 passes, 300 not */

    assert_int_equal(driven.result.verdict, VERDICT_TIMEOUT);
    assert_non_null(strstr(driven.result.reason, "wall-clock guard of 250 ms"));
    assert_int_equal(fake.looks, 1 + 3);
    assert_true(driven.after - driven.before < 4 * DRIVE_SLICE);
}

static void a_slow_host_is_given_the_time_that_it_needs(void **state)
{
    struct agent_rig *rig = thawed(state);
    /* A fiftieth of the speed that the guard is for. */
    struct fake_clock fake = {.step_ns = 50 * DRIVE_SLICE / GUARD_PACE * NS_IN_MS};
    struct driven driven = drive_for(rig, &fake, 4 * DRIVE_SLICE / GUARD_PACE + 1);

    assert_int_equal(driven.result.verdict, VERDICT_TIMEOUT);
    assert_non_null(strstr(driven.result.reason, "instructions"));
    assert_int_equal(driven.after - driven.before, 4 * DRIVE_SLICE);
    /* It is still given no more than a fast one gets done. */
    driven = drive_for(rig, &fake, 2 * DRIVE_SLICE / GUARD_PACE);
    assert_non_null(strstr(driven.result.reason, "wall-clock guard"));
    assert_in_range(driven.after - driven.before, 2 * DRIVE_SLICE, 3 * DRIVE_SLICE);
}

static void the_wall_guard_waits_until_it_is_past(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct fake_clock fake = {.step_ns = 0};
    struct driven driven = drive_for(rig, &fake, 1);

    assert_int_equal(driven.result.verdict, VERDICT_TIMEOUT);
    assert_non_null(strstr(driven.result.reason, "instructions"));
    assert_int_equal(driven.after - driven.before, 4 * DRIVE_SLICE);
    /* The clock is looked at once a slice: neither never nor all the time. */
    assert_true(fake.looks >= 5 && fake.looks < 10);
}

static void no_guard_asks_no_clock_to_stop(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct fake_clock fake = {.step_ns = UINT64_C(1) << 60};
    struct driven driven = drive_for(rig, &fake, 0);

    assert_int_equal(driven.after - driven.before, 4 * DRIVE_SLICE);
}

static void progress_can_cancel(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct record record = {.looks_max = 2};
    struct console_step step = expects("never");
    struct console_plan plan = {.steps = &step, .step_count = 1};
    struct drive_options options = options_of(rig);
    struct driven driven;

    options.progress = on_progress;
    options.context = &record;
    driven = drive(rig, options, &plan);
    assert_int_equal(driven.result.verdict, VERDICT_CANCELLED);
    assert_int_equal(driven.after - driven.before, 2 * DRIVE_SLICE);
}

/* Gives the machine the inputs at their instructions, and runs on to `end`. */
static void replay(struct agent_rig *rig, const struct record *record, uint64_t end)
{
    struct machine *machine = rig->session.machine;

    for (size_t i = 0; i <= record->count; i++) {
        struct machine_limits limits = {i < record->count ? record->inputs[i].instructions : end,
                                        UINT64_MAX};
        struct err err = ERR_INIT;
        size_t taken;

        while (machine_instructions(machine) < limits.instructions)
            assert_true(machine_run(machine, &limits) == MACHINE_STOP_INSTRUCTIONS);
        if (i == record->count)
            break;
        assert_string_equal(record->inputs[i].kind, "console");
        assert_int_equal(record->inputs[i].cycle, machine_cycle(machine));
        BASE_OK(machine_input(machine, machine_find(machine, AGENT_RIG_CONSOLE), "console",
                              buf_span(&record->typed[i]), &taken, &err),
                &err);
        assert_int_equal(taken, record->typed[i].size);
    }
}

static void recorded_inputs_replay_to_the_same_state(void **state)
{
    static char longer[6002];
    struct agent_rig *rig = thawed(state);
    struct record record = {.output = BUF_INIT(DRIVE_LOG_MAX)};
    struct console_step steps[] = {sends("say one\r"),      expects("\none\r?\n\\$ $"),
                                   sends(longer),           expects("\n5992\r?\n"),
                                   sends("disk\rrandom\r"), expects("\n[0-9a-f]{16}\r?\n")};
    struct console_plan plan = {.steps = steps, .step_count = 6};
    struct drive_options options = options_of(rig);
    struct driven driven;
    struct hash state_id;

    /* More than the wire takes at once: given in pieces, each of them an input. */
    memset(longer, 'x', sizeof longer - 1);
    memcpy(longer, "length ", 7);
    longer[5999] = '\r';
    longer[6000] = '\0';
    steps[2] = sends(longer);
    options.input = on_input;
    options.output = on_output;
    options.context = &record;
    driven = drive(rig, options, &plan);
    assert_int_equal(driven.result.verdict, VERDICT_PASS);
    assert_true(record.count >= 4);
    assert_true(record.typed[1].size <= UART_BACKLOG_MAX + UART_FIFO_MAX);
    agent_rig_thaw(rig, NULL);
    replay(rig, &record, driven.after);
    state_id = agent_rig_digest(rig);
    assert_true(hash_equal(&state_id, &driven.state_id));
    record_release(&record);
}

static void watching_changes_nothing(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct monitor_choice choice = {.set = "linux"};
    struct record record = {.output = BUF_INIT(DRIVE_LOG_MAX)};
    struct console_step steps[] = {sends("say one\r"),
                                   expects("one"),
                                   {.kind = CONSOLE_WAIT, .instructions = 3 * DRIVE_SLICE + 5}};
    struct console_plan plan = {.steps = steps, .step_count = 3};
    struct drive_options options = options_of(rig);
    struct driven alone = drive(rig, options, &plan), watched;
    struct buf log = BUF_INIT(4);
    struct err err = ERR_INIT;

    agent_rig_thaw(rig, NULL);
    options = options_of(rig);
    options.monitor = monitor_new(&choice, 1, &err);
    options.wall_ms_max = 600000;
    options.output = on_output;
    options.input = on_input;
    options.progress = on_progress;
    options.context = &record;
    options.log = &log;
    watched = drive(rig, options, &plan);
    assert_int_equal(watched.after, alone.after);
    assert_true(hash_equal(&watched.state_id, &alone.state_id));
    assert_true(record.looks >= 3);
    /* The log keeps what it has room for, the first part; others get all. */
    assert_int_equal(log.size, 4);
    assert_memory_equal(log.data, "say ", 4);
    assert_true(record.output.size > 14);
    assert_memory_equal(record.output.data, "say one\r\none\r\n", 14);
    monitor_free(options.monitor);
    buf_release(&log);
    record_release(&record);
}

static void a_panic_on_the_console_fails_the_script(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct monitor_choice choice = {.set = "linux"};
    struct console_step steps[] = {sends("panic\r"), expects("never")};
    struct console_plan plan = {.steps = steps, .step_count = 2, .instructions_max = DRIVE_SLICE};
    struct drive_options options = options_of(rig);
    struct err err = ERR_INIT;
    struct driven driven;

    options.monitor = monitor_new(&choice, 1, &err);
    driven = drive(rig, options, &plan);
    assert_int_equal(driven.result.verdict, VERDICT_FAIL);
    assert_non_null(strstr(driven.result.reason, "Kernel panic - not syncing: asked for"));
    assert_true(driven.after - driven.before < 100000);
    monitor_free(options.monitor);
    /* Nobody listens: it is a guest that hangs. */
    agent_rig_thaw(rig, NULL);
    driven = drive(rig, options_of(rig), &plan);
    assert_int_equal(driven.result.verdict, VERDICT_TIMEOUT);
    assert_int_equal(driven.after - driven.before, DRIVE_SLICE);
}

static void the_magic_word_ends_the_script_if_asked(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step steps[] = {sends("mark\rsay on\r"), expects("\non\r?\n")};
    struct console_plan plan = {.steps = steps, .step_count = 2, .instructions_max = DRIVE_SLICE};
    struct drive_options options = options_of(rig);
    struct driven all = drive(rig, options, &plan), driven;

    assert_int_equal(all.result.verdict, VERDICT_PASS);
    assert_int_equal(all.result.step, 2);
    agent_rig_thaw(rig, NULL);
    options = options_of(rig);
    options.stop_on_magic = true;
    driven = drive(rig, options, &plan);
    assert_int_equal(driven.result.verdict, VERDICT_PASS);
    assert_true(driven.after < all.after);
    assert_int_equal(driven.result.now, driven.after);
}

static void a_machine_that_ends_tells_its_exit_status(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step steps[] = {sends("halt 0\r"), {.kind = CONSOLE_HALT}};
    struct console_plan plan = {.steps = steps, .step_count = 2, .instructions_max = DRIVE_SLICE};
    struct driven driven = drive(rig, options_of(rig), &plan);

    assert_int_equal(driven.result.verdict, VERDICT_PASS);
    agent_rig_thaw(rig, NULL);
    steps[0] = sends("halt 5\r");
    driven = drive(rig, options_of(rig), &plan);
    assert_int_equal(driven.result.verdict, VERDICT_FAIL);
    assert_int_equal(driven.result.exit_status, 5);
    agent_rig_thaw(rig, NULL);
    steps[1] = expects("never"); /* nobody waits for the end */
    driven = drive(rig, options_of(rig), &plan);
    assert_int_equal(driven.result.verdict, VERDICT_FAIL);
    assert_true(driven.after - driven.before < 100000);
}

static void a_machine_where_nothing_can_happen_any_more_is_not_waited_for(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step steps[] = {sends("sleep\r"), expects("never")};
    struct console_plan plan = {.steps = steps, .step_count = 2};
    struct driven driven = drive(rig, options_of(rig), &plan);

    assert_int_equal(driven.result.verdict, VERDICT_TIMEOUT);
    assert_true(driven.after - driven.before < 100000);
}

static void an_input_that_is_refused_is_an_error(void **state)
{
    struct agent_rig *rig = thawed(state);
    struct console_step steps[] = {sends("x"), expects("never")};
    struct console_plan plan = {.steps = steps, .step_count = 2};
    struct drive_options options = options_of(rig);
    struct host before = {.context = rig};
    struct err err = ERR_INIT;

    options.console = machine_find(options.machine, "board0.rng0");
    options.script = console_script_new(&plan, &err);
    options.machine->host = before;
    assert_false(drive_run(&options, &err));
    assert_true(err.text[0] != '\0');
    /* Whatever happened, the machine's host is the one it had. */
    assert_ptr_equal(options.machine->host.context, rig);
    assert_true(options.machine->host.console == NULL);
    console_script_free(options.script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_answer_is_seen_and_ends_the_script_where_it_came),
        cmocka_unit_test(limits_in_instructions_are_exact),
        cmocka_unit_test(steps_are_counted_from_where_the_one_before_was_done),
        cmocka_unit_test(the_wall_guard_ends_a_guest_that_hangs),
        cmocka_unit_test(a_slow_host_is_given_the_time_that_it_needs),
        cmocka_unit_test(the_wall_guard_waits_until_it_is_past),
        cmocka_unit_test(no_guard_asks_no_clock_to_stop),
        cmocka_unit_test(progress_can_cancel),
        cmocka_unit_test(recorded_inputs_replay_to_the_same_state),
        cmocka_unit_test(watching_changes_nothing),
        cmocka_unit_test(a_panic_on_the_console_fails_the_script),
        cmocka_unit_test(the_magic_word_ends_the_script_if_asked),
        cmocka_unit_test(a_machine_that_ends_tells_its_exit_status),
        cmocka_unit_test(a_machine_where_nothing_can_happen_any_more_is_not_waited_for),
        cmocka_unit_test(an_input_that_is_refused_is_an_error),
    };

    return cmocka_run_group_tests(tests, agent_rig_setup, agent_rig_teardown);
}
