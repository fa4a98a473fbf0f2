#include "tests/sim/device/rig.h"

#define MTIMECMP (RIG_CLINT + 0x4000)
#define MTIME    (RIG_CLINT + 0xbff8)

static void time_counts_ten_million_ticks_a_second(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    assert_int_equal(rig_read(rig, MTIME, 8), 0);
    rig_run(rig, 99);
    assert_int_equal(rig_read(rig, MTIME, 8), 0);
    rig_run(rig, 1);
    assert_int_equal(rig_read(rig, MTIME, 8), 1);
    rig_run(rig, 1000000 - 100);
    assert_int_equal(rig_read(rig, MTIME, 8), 10000);
    assert_int_equal(rig_read(rig, MTIME, 4), 10000);
    assert_int_equal(rig_read(rig, MTIME + 4, 4), 0);
    rig_free(rig);
}

static void timer_interrupt_rises_at_the_exact_cycle_and_falls_when_compare_moves(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, MTIMECMP, 8, 50);
    rig_run(rig, 4999);
    assert_false(rig_line(rig, CLINT_LINE_MTI));
    rig_run(rig, 1);
    rig_run(rig, 1); /* the deadline fires as the next round begins */
    assert_true(rig_line(rig, CLINT_LINE_MTI));
    rig_write(rig, MTIMECMP, 8, 100);
    assert_false(rig_line(rig, CLINT_LINE_MTI));
    rig_write(rig, MTIMECMP, 4, 3);
    assert_true(rig_line(rig, CLINT_LINE_MTI));
    rig_write(rig, MTIMECMP + 4, 4, 1);
    assert_false(rig_line(rig, CLINT_LINE_MTI));
    rig_free(rig);
}

static void written_time_counts_on_and_the_harts_are_told(void **state)
{
    struct rig *rig = rig_new();
    const struct rig_cpu_state *cpu = machine_find(rig->machine, "board.cpu")->state;

    (void)state;
    rig_run(rig, 12345);
    rig_write(rig, MTIME, 8, UINT64_C(0x123456789));
    assert_int_equal(cpu->time_written, 1);
    rig_run(rig, 55); /* 12,400: tick 124, one after 123 */
    assert_int_equal(rig_read(rig, MTIME, 8), UINT64_C(0x12345678a));
    rig_write(rig, MTIME + 4, 4, 0);
    assert_int_equal(rig_read(rig, MTIME, 8), 0x2345678a);
    rig_write(rig, MTIMECMP, 8, 0x2345678a);
    assert_true(rig_line(rig, CLINT_LINE_MTI));
    rig_write(rig, MTIME, 8, 5);
    assert_false(rig_line(rig, CLINT_LINE_MTI));
    rig_free(rig);
}

static void counter_wraps_and_the_timer_wire_falls(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, MTIME, 8, UINT64_MAX - 1);
    rig_write(rig, MTIMECMP, 8, UINT64_MAX - 1);
    assert_true(rig_line(rig, CLINT_LINE_MTI));
    rig_run(rig, 150);
    assert_int_equal(rig_read(rig, MTIME, 8), UINT64_MAX);
    rig_run(rig, 100);
    assert_int_equal(rig_read(rig, MTIME, 8), 0);
    assert_false(rig_line(rig, CLINT_LINE_MTI));
    rig_write(rig, MTIMECMP, 8, 3);
    rig_run(rig, 249);
    assert_false(rig_line(rig, CLINT_LINE_MTI));
    rig_run(rig, 2);
    assert_true(rig_line(rig, CLINT_LINE_MTI));
    rig_free(rig);
}

static void software_interrupt_follows_bit_0_of_msip(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, RIG_CLINT, 4, 0xffffffff);
    assert_int_equal(rig_read(rig, RIG_CLINT, 4), 1);
    assert_true(rig_line(rig, CLINT_LINE_MSI));
    rig_write(rig, RIG_CLINT, 4, 0xfffffffe);
    assert_false(rig_line(rig, CLINT_LINE_MSI));
    rig_write(rig, RIG_CLINT + 4, 4, 1); /* no such hart */
    assert_int_equal(rig_read(rig, RIG_CLINT + 4, 4), 0);
    rig_free(rig);
}

static void wrong_sizes_fault(void **state)
{
    struct rig *rig = rig_new();
    uint64_t value = 0;

    (void)state;
    assert_false(rig_try_read(rig, RIG_CLINT, 1, &value));
    assert_false(rig_try_read(rig, RIG_CLINT, 8, &value));
    assert_false(rig_try_write(rig, MTIME, 2, 0));
    assert_false(rig_try_read(rig, RIG_CLINT + CLINT_SIZE, 4, &value));
    rig_free(rig);
}

/* QEMU lost a pending timer over savevm; ours must go off in the thawed machine at the very cycle.
 */
static void timer_pending_at_freeze_goes_off_after_thaw(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, MTIMECMP, 8, 50);
    rig_run(rig, 3000);
    rig_cycle(rig);
    rig_run(rig, 1999);
    assert_false(rig_line(rig, CLINT_LINE_MTI));
    rig_run(rig, 2);
    assert_true(rig_line(rig, CLINT_LINE_MTI));
    rig_cycle(rig);
    assert_true(rig_line(rig, CLINT_LINE_MTI));
    rig_free(rig);
}

/* QEMU's counter jumped back to the host's idea of time when the guest had written mtime. */
static void written_time_survives_a_thaw(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_run(rig, 12345);
    rig_write(rig, MTIME, 8, 1000000);
    rig_write(rig, MTIMECMP, 8, 1000100);
    rig_run(rig, 55);
    rig_cycle(rig);
    assert_int_equal(rig_read(rig, MTIME, 8), 1000001);
    rig_run(rig, 9900);
    assert_int_equal(rig_read(rig, MTIME, 8), 1000100);
    rig_run(rig, 1);
    assert_true(rig_line(rig, CLINT_LINE_MTI));
    rig_free(rig);
}

/* QEMU's time stood still after loadvm until it had caught up with the time before. */
static void time_does_not_stand_still_after_thaw(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_run(rig, 5000000);
    uint64_t before = rig_read(rig, MTIME, 8);
    rig_cycle(rig);
    assert_int_equal(rig_read(rig, MTIME, 8), before);
    rig_run(rig, 100);
    assert_int_equal(rig_read(rig, MTIME, 8), before + 1);
    rig_free(rig);
}

static void step(struct rig *rig, uint32_t i)
{
    rig_run(rig, 777 + 13 * i);
    if (i % 3 == 0)
        rig_write(rig, MTIMECMP, 8, rig_read(rig, MTIME, 8) + i);
    if (i % 5 == 0)
        rig_write(rig, MTIME, 8, UINT64_C(0x100000000) * i);
    rig_write(rig, RIG_CLINT, 4, i & 1);
}

static void run_on_after_thaw_is_the_same(void **state)
{
    (void)state;
    rig_check_thaw(rig_new, step, 20);
}

static void impossible_state_is_refused(void **state)
{
    (void)state;
    rig_check_refused("board.clint", "msip", 0, 2);
    rig_check_refused("board.clint", "msip", 7, 0x80000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_counts_ten_million_ticks_a_second),
        cmocka_unit_test(timer_interrupt_rises_at_the_exact_cycle_and_falls_when_compare_moves),
        cmocka_unit_test(written_time_counts_on_and_the_harts_are_told),
        cmocka_unit_test(counter_wraps_and_the_timer_wire_falls),
        cmocka_unit_test(software_interrupt_follows_bit_0_of_msip),
        cmocka_unit_test(wrong_sizes_fault),
        cmocka_unit_test(timer_pending_at_freeze_goes_off_after_thaw),
        cmocka_unit_test(written_time_survives_a_thaw),
        cmocka_unit_test(time_does_not_stand_still_after_thaw),
        cmocka_unit_test(run_on_after_thaw_is_the_same),
        cmocka_unit_test(impossible_state_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
