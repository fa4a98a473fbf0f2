#include "tests/sim/device/rig.h"

#define WORDS  (RIG_RAM + 0x2000)
#define TEXT   (RIG_RAM + 0x3000)
#define HALTED 1

static const struct machine_state *machine_of(struct rig *rig)
{
    return rig->machine->objects[0]->state;
}

static void odd_word_exits_with_its_code(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, RIG_TOHOST, 4, 7 << 1 | 1); /* as riscv-tests do: the low half, then the high */
    assert_int_equal(machine_of(rig)->halted, HALTED);
    assert_int_equal(machine_of(rig)->exit_code, 7);
    assert_int_equal(rig_read(rig, RIG_TOHOST, 8), 0);
    rig_write(rig, RIG_TOHOST + 4, 4, 0);
    rig_free(rig);
}

static void pass_is_code_0(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, RIG_TOHOST, 8, 1);
    assert_int_equal(machine_of(rig)->halted, HALTED);
    assert_int_equal(machine_of(rig)->exit_code, 0);
    rig_free(rig);
}

static void putchar_reaches_the_host(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, RIG_TOHOST, 8, UINT64_C(0x0101000000000041));
    assert_int_equal(rig->console.size, 1);
    assert_int_equal(rig->console.data[0], 'A');
    assert_int_equal(rig_read(rig, RIG_FROMHOST, 8), 0);
    assert_int_equal(machine_of(rig)->halted, 0);
    rig_free(rig);
}

static void getchar_is_answered_when_a_byte_comes_and_fromhost_is_free(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, RIG_TOHOST, 8, UINT64_C(0x0100000000000000));
    assert_int_equal(rig_read(rig, RIG_FROMHOST, 8), 0);
    rig_input(rig, "board.htif", "console", span_of_text("xy"));
    assert_true(rig_read(rig, RIG_FROMHOST, 8) == UINT64_C(0x0100000000000178));
    rig_write(rig, RIG_TOHOST, 8, UINT64_C(0x0100000000000000));
    assert_true(rig_read(rig, RIG_FROMHOST, 8) == UINT64_C(0x0100000000000178));
    rig_cycle(rig);
    rig_write(rig, RIG_FROMHOST, 8, 0); /* taken: the next answer comes */
    assert_true(rig_read(rig, RIG_FROMHOST, 8) == UINT64_C(0x0100000000000179));
    rig_free(rig);
}

static void system_call(struct rig *rig, uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
    rig_write(rig, WORDS, 8, number);
    rig_write(rig, WORDS + 8, 8, a);
    rig_write(rig, WORDS + 16, 8, b);
    rig_write(rig, WORDS + 24, 8, c);
    rig_write(rig, RIG_TOHOST, 8, WORDS);
}

static void write_call_prints_and_answers(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, TEXT, 8, UINT64_C(0x0a6f6c6c6568)); /* "hello\n" */
    system_call(rig, 64, 1, TEXT, 6);
    assert_int_equal(rig->console.size, 6);
    assert_memory_equal(rig->console.data, "hello\n", 6);
    assert_int_equal(rig_read(rig, WORDS, 8), 6);
    assert_int_equal(rig_read(rig, RIG_FROMHOST, 8), 1);
    rig_free(rig);
}

static void bad_calls_are_answered_with_errors(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    system_call(rig, 64, 3, TEXT, 6);
    assert_true(rig_read(rig, WORDS, 8) == (uint64_t)-9);
    system_call(rig, 64, 1, UINT64_MAX - 2, 6);
    assert_true(rig_read(rig, WORDS, 8) == (uint64_t)-14);
    system_call(rig, 57, 1, 2, 3);
    assert_true(rig_read(rig, WORDS, 8) == (uint64_t)-38);
    assert_int_equal(rig->console.size, 0);
    system_call(rig, 93, 5, 0, 0);
    assert_int_equal(machine_of(rig)->exit_code, 5);
    rig_free(rig);
}

static void calls_outside_memory_or_over_the_words_do_not_recurse(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, RIG_TOHOST, 8, 0x100);
    rig_write(rig, RIG_TOHOST, 8, RIG_RAM + RIG_RAM_SIZE - 8);
    rig_write(rig, RIG_TOHOST, 8, RIG_TOHOST);
    rig_write(rig, RIG_TOHOST, 8, UINT64_C(0xffff000000000000));
    assert_int_equal(machine_of(rig)->halted, 0);
    rig_free(rig);
}

static void step(struct rig *rig, uint32_t i)
{
    rig_input(rig, "board.htif", "console", span_of_text("ab"));
    rig_write(rig, RIG_TOHOST, 8,
              i % 2 != 0 ? UINT64_C(0x0100000000000000) : UINT64_C(0x0101000000000030) + i);
    if (i % 3 == 0)
        rig_write(rig, RIG_FROMHOST, 8, 0);
    rig_run(rig, 10);
}

static void run_on_after_thaw_is_the_same(void **state)
{
    (void)state;
    rig_check_thaw(rig_new, step, 20);
}

static void impossible_state_is_refused(void **state)
{
    (void)state;
    rig_check_refused("board.htif", "backlog_count", 0, HTIF_BACKLOG_MAX + 1);
    rig_check_refused("board.htif", "backlog", 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(odd_word_exits_with_its_code),
        cmocka_unit_test(pass_is_code_0),
        cmocka_unit_test(putchar_reaches_the_host),
        cmocka_unit_test(getchar_is_answered_when_a_byte_comes_and_fromhost_is_free),
        cmocka_unit_test(write_call_prints_and_answers),
        cmocka_unit_test(bad_calls_are_answered_with_errors),
        cmocka_unit_test(calls_outside_memory_or_over_the_words_do_not_recurse),
        cmocka_unit_test(run_on_after_thaw_is_the_same),
        cmocka_unit_test(impossible_state_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
