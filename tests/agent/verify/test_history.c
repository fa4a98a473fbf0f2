/* Marks: a machine that goes back to one is the machine that was there, in every bit. */
#include "agent/verify/history.h"

#include "agent/runner.h"
#include "storage/base/check.h"
#include "tests/support/agent_rig.h"
#include "tests/support/base_test.h"

#include <string.h>

#define STEP  UINT64_C(700)
#define MARKS 12

/* A machine that answers what is typed, with inputs that keep it busy. */
struct run {
    struct agent_rig *rig;
    struct input_list inputs;
    struct input_place place;
    struct history *history;
    uint64_t start;
    struct hash ids[MARKS + 1];
};

static void type(struct run *run, uint64_t at)
{
    struct buf bytes = BUF_INIT(INPUT_BYTES_MAX);
    struct err err = ERR_INIT;
    struct cbor_writer writer = cbor_writer(&bytes, &err);

    cbor_write_array(&writer, 3);
    input_write(&writer, at, "", "console", span_of_text("first\r"));
    input_write(&writer, at + STEP / 2, AGENT_RIG_CONSOLE, "console", span_of_text("second\r"));
    input_write(&writer, at + 3 * STEP, "", "console", span_of_text("exit 3\r"));
    BASE_OK(input_list_read(buf_span(&bytes), &run->inputs, &err), &err);
    buf_release(&bytes);
}

static struct hash digest(const struct run *run)
{
    return agent_rig_digest(run->rig);
}

static void begin(struct run *run, void **state)
{
    struct err err = ERR_INIT;

    memset(run, 0, sizeof *run);
    if (*state == NULL)
        skip();
    run->rig = *state;
    agent_rig_thaw(run->rig, NULL);
    run->start = machine_instructions(run->rig->session.machine);
    type(run, run->start);
    run->ids[0] = digest(run);
    BASE_OK(
        history_new(run->rig->session.machine, run->rig->cache, &run->place, &run->history, &err),
        &err);
}

static void end(struct run *run)
{
    history_free(run->history);
    input_list_release(&run->inputs);
}

static void run_to(struct run *run, uint64_t to)
{
    struct input_run how = {run->rig->session.machine, runner_console(&run->rig->session),
                            &run->inputs, &run->place};
    enum verify_stop stop;
    struct err err = ERR_INIT;

    BASE_OK(input_run(&how, to, &stop, &err), &err);
}

static void run_marks(struct run *run, uint64_t from, uint64_t to)
{
    for (uint64_t i = from + 1; i <= to; i++) {
        run_to(run, run->start + i * STEP);
        run->ids[i] = digest(run);
        history_mark(run->history, run->start + i * STEP, &run->place);
    }
}

static void back_to(struct run *run, uint64_t mark)
{
    struct err err = ERR_INIT;
    struct hash id;

    BASE_OK(history_restore(run->history, run->start + mark * STEP, &run->place, &err), &err);
    id = digest(run);
    assert_true(hash_equal(&id, &run->ids[mark]));
}

static void the_machine_is_back_at_any_mark_and_goes_the_same_way_again(void **state)
{
    struct run run;
    struct hash before[MARKS + 1];

    begin(&run, state);
    run_marks(&run, 0, MARKS);
    memcpy(before, run.ids, sizeof before);
    assert_false(hash_equal(&before[0], &before[MARKS]));
    for (uint64_t mark = MARKS - 1; mark != UINT64_MAX; mark = mark < 3 ? UINT64_MAX : mark - 3) {
        back_to(&run, mark);
        run_marks(&run, mark, MARKS);
        assert_memory_equal(run.ids, before, sizeof before);
    }
    back_to(&run, 0);
    end(&run);
}

static void settled_marks_are_one(void **state)
{
    struct err err = ERR_INIT;
    struct run run;

    begin(&run, state);
    run_marks(&run, 0, 6);
    history_settle(run.history, run.start + 4 * STEP);
    BASE_FAILS(history_restore(run.history, run.start + 3 * STEP, &run.place, &err), &err,
               ERR_NOT_FOUND, "no mark at");
    back_to(&run, 5);
    back_to(&run, 4);
    run_marks(&run, 4, 8);
    back_to(&run, 4);
    end(&run);
}

static void however_a_run_is_cut_it_comes_to_the_same_state(void **state)
{
    struct run run;
    struct hash once, pieces;
    uint64_t random = 1;

    begin(&run, state);
    run_to(&run, run.start + MARKS * STEP);
    once = digest(&run);
    end(&run);
    begin(&run, state);
    for (uint64_t at = run.start; at < run.start + MARKS * STEP;) {
        at += base_random(&random) % STEP + 1;
        run_to(&run, at < run.start + MARKS * STEP ? at : run.start + MARKS * STEP);
        (void)digest(&run);
    }
    pieces = digest(&run);
    assert_true(hash_equal(&once, &pieces));
    assert_true(run.place.index > 1);
    end(&run);
}

static void inputs_out_of_order_are_refused(void **state)
{
    struct buf bytes = BUF_INIT(INPUT_BYTES_MAX);
    struct err err = ERR_INIT;
    struct cbor_writer writer = cbor_writer(&bytes, &err);
    struct input_list list;

    (void)state;
    cbor_write_array(&writer, 2);
    input_write(&writer, 5, "", "console", span_of_text("a"));
    input_write(&writer, 4, "", "console", span_of_text("b"));
    BASE_FAILS(input_list_read(buf_span(&bytes), &list, &err), &err, ERR_INVALID, "out of order");
    for (size_t size = 0; size + 1 < bytes.size; size++)
        assert_false(input_list_read((struct span){bytes.data, size}, &list, &err));
    buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_machine_is_back_at_any_mark_and_goes_the_same_way_again),
        cmocka_unit_test(settled_marks_are_one),
        cmocka_unit_test(however_a_run_is_cut_it_comes_to_the_same_state),
        cmocka_unit_test(inputs_out_of_order_are_refused),
    };

    return cmocka_run_group_tests(tests, agent_rig_setup, agent_rig_teardown);
}
