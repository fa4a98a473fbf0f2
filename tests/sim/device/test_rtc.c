#include "tests/sim/device/rig.h"

#define TIME_LOW        (RIG_RTC + 0x00)
#define TIME_HIGH       (RIG_RTC + 0x04)
#define ALARM_LOW       (RIG_RTC + 0x08)
#define ALARM_HIGH      (RIG_RTC + 0x0c)
#define IRQ_ENABLED     (RIG_RTC + 0x10)
#define CLEAR_ALARM     (RIG_RTC + 0x14)
#define ALARM_STATUS    (RIG_RTC + 0x18)
#define CLEAR_INTERRUPT (RIG_RTC + 0x1c)

static uint64_t now_of(struct rig *rig)
{
    uint64_t low = rig_read(rig, TIME_LOW, 4);

    return low | rig_read(rig, TIME_HIGH, 4) << 32;
}

static void set_alarm(struct rig *rig, uint64_t time)
{
    rig_write(rig, ALARM_HIGH, 4, time >> 32);
    rig_write(rig, ALARM_LOW, 4, time);
}

static void clock_starts_at_its_date_and_counts_virtual_time(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    assert_true(now_of(rig) == RIG_START_NS);
    rig_run(rig, 12345);
    assert_true(now_of(rig) == RIG_START_NS + 12345);
    rig_free(rig);
}

static void high_half_is_latched(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, TIME_HIGH, 4, 5);
    rig_write(rig, TIME_LOW, 4, 0xfffffff0);
    assert_int_equal(rig_read(rig, TIME_LOW, 4), 0xfffffff0);
    rig_run(rig, 0x20);
    assert_int_equal(rig_read(rig, TIME_HIGH, 4), 5);
    assert_int_equal(rig_read(rig, TIME_LOW, 4), 0x10);
    assert_int_equal(rig_read(rig, TIME_HIGH, 4), 6);
    rig_free(rig);
}

static void alarm_rings_at_its_time(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, IRQ_ENABLED, 4, 1);
    set_alarm(rig, RIG_START_NS + 1000);
    assert_int_equal(rig_read(rig, ALARM_STATUS, 4), 1);
    rig_run(rig, 999);
    assert_false(rig_wire(rig, RIG_IRQ_RTC));
    rig_cycle(rig); /* pending over a freeze */
    rig_run(rig, 2);
    assert_true(rig_wire(rig, RIG_IRQ_RTC));
    assert_int_equal(rig_read(rig, ALARM_STATUS, 4), 0);
    rig_write(rig, CLEAR_INTERRUPT, 4, 1);
    assert_false(rig_wire(rig, RIG_IRQ_RTC));
    rig_free(rig);
}

static void alarm_in_the_past_rings_at_once_and_cleared_never(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, IRQ_ENABLED, 4, 1);
    set_alarm(rig, RIG_START_NS - 1);
    assert_true(rig_wire(rig, RIG_IRQ_RTC));
    rig_write(rig, CLEAR_INTERRUPT, 4, 1);
    set_alarm(rig, RIG_START_NS + 1000);
    rig_write(rig, CLEAR_ALARM, 4, 1);
    rig_run(rig, 2000);
    assert_false(rig_wire(rig, RIG_IRQ_RTC));
    rig_free(rig);
}

static void setting_the_time_past_the_alarm_rings(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, IRQ_ENABLED, 4, 1);
    set_alarm(rig, RIG_START_NS + (UINT64_C(1) << 40));
    rig_write(rig, TIME_HIGH, 4, 0x7fffffff);
    assert_true(rig_wire(rig, RIG_IRQ_RTC));
    rig_free(rig);
}

static void wrong_sizes_fault(void **state)
{
    struct rig *rig = rig_new();
    uint64_t value = 0;

    (void)state;
    assert_false(rig_try_read(rig, TIME_LOW, 8, &value));
    assert_false(rig_try_write(rig, TIME_LOW, 1, 0));
    assert_int_equal(rig_read(rig, RIG_RTC + 0x20, 4), 0);
    rig_free(rig);
}

static void step(struct rig *rig, uint32_t i)
{
    rig_write(rig, IRQ_ENABLED, 4, i & 1);
    if (i % 2 == 0)
        set_alarm(rig, now_of(rig) + 150);
    if (i % 7 == 5)
        rig_write(rig, TIME_LOW, 4, i * 0x10000000);
    if (i % 5 == 4)
        rig_write(rig, CLEAR_INTERRUPT, 4, 0);
    rig_run(rig, 100);
}

static void run_on_after_thaw_is_the_same(void **state)
{
    (void)state;
    rig_check_thaw(rig_new, step, 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_starts_at_its_date_and_counts_virtual_time),
        cmocka_unit_test(high_half_is_latched),
        cmocka_unit_test(alarm_rings_at_its_time),
        cmocka_unit_test(alarm_in_the_past_rings_at_once_and_cleared_never),
        cmocka_unit_test(setting_the_time_past_the_alarm_rings),
        cmocka_unit_test(wrong_sizes_fault),
        cmocka_unit_test(run_on_after_thaw_is_the_same),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
