#include "tests/sim/device/driver.h"

#define BUFFER (RIG_RAM + 0x20000)

static struct driver console_of(struct rig *rig)
{
    struct driver driver = {rig, RIG_CONSOLE, RIG_RAM + 0x10000};

    driver_start(&driver, 2);
    return driver;
}

static void offer_buffer(const struct driver *driver, uint16_t index, uint32_t size)
{
    driver_put(driver, 0, index, BUFFER + 0x100 * (uint64_t)index, PART(size, DESC_WRITE, 0));
    driver_offer(driver, 0, index);
}

static void what_the_guest_sends_reaches_the_host(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = console_of(rig);

    (void)state;
    rig_write(rig, BUFFER, 8, UINT64_C(0x0a7761687420)); /* " thaw\n" */
    driver_put(&driver, 1, 0, BUFFER + 1, PART(2, DESC_NEXT, 1));
    driver_put(&driver, 1, 1, BUFFER + 3, PART(3, 0, 0));
    driver_offer(&driver, 1, 0);
    assert_int_equal(rig->console.size, 5);
    assert_memory_equal(rig->console.data, "thaw\n", 5);
    assert_int_equal(driver_used_index(&driver, 1), 1);
    assert_true(rig_wire(rig, RIG_IRQ_CONSOLE));
    rig_free(rig);
}

static void input_waits_for_buffers(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = console_of(rig);

    (void)state;
    assert_int_equal(rig_input(rig, "board.console", "console", span_of_text("abcdef")), 6);
    assert_int_equal(driver_used_index(&driver, 0), 0);
    offer_buffer(&driver, 0, 4);
    assert_int_equal(driver_used_length(&driver, 0, 0), 4);
    assert_int_equal(rig_read(rig, BUFFER, 4), 0x64636261);
    offer_buffer(&driver, 1, 4);
    assert_int_equal(driver_used_length(&driver, 0, 1), 2);
    offer_buffer(&driver, 2, 4);
    assert_int_equal(driver_used_index(&driver, 0), 2);
    rig_input(rig, "board.console", "console", span_of_text("g"));
    assert_int_equal(driver_used_index(&driver, 0), 3);
    rig_free(rig);
}

static void buffers_given_before_driver_ok_are_seen(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = console_of(rig);

    (void)state;
    driver_set(&driver, REG_STATUS, 0);
    driver_start(&driver, 2);
    driver_set(&driver, REG_STATUS, 0);
    rig_input(rig, "board.console", "console", span_of_text("x"));
    driver_set(&driver, REG_STATUS, 11);
    for (uint32_t queue = 0; queue < 1; queue++) {
        driver_set(&driver, REG_QUEUE, queue);
        driver_set(&driver, REG_SIZE, DRIVER_SIZE);
        driver_set64(&driver, REG_DESC, driver_desc(&driver, queue));
        driver_set64(&driver, REG_DRIVER, driver_avail(&driver, queue));
        driver_set64(&driver, REG_DEVICE_RING, driver_used(&driver, queue));
        driver_set(&driver, REG_READY, 1);
    }
    offer_buffer(&driver, 0, 4);
    assert_int_equal(driver_used_index(&driver, 0), 0);
    driver_set(&driver, REG_STATUS, 15);
    assert_int_equal(driver_used_index(&driver, 0), 1);
    rig_free(rig);
}

static void backlog_takes_what_it_has_room_for(void **state)
{
    struct rig *rig = rig_new();
    static uint8_t bytes[5000];

    (void)state;
    assert_int_equal(rig_input(rig, "board.console", "console", (struct span){bytes, 5000}), 4096);
    assert_int_equal(rig_input(rig, "board.console", "console", (struct span){bytes, 1}), 0);
    rig_free(rig);
}

static void rings_that_feed_themselves_end(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = console_of(rig);

    (void)state;
    rig_input(rig, "board.console", "console", span_of_text("abc"));
    driver_set(&driver, REG_READY, 0); /* queue 1; now queue 0: used index = available index */
    driver_set(&driver, REG_QUEUE, 0);
    driver_set(&driver, REG_READY, 0);
    driver_set64(&driver, REG_DEVICE_RING, driver_avail(&driver, 0));
    driver_set(&driver, REG_READY, 1);
    offer_buffer(&driver, 0, 0);
    offer_buffer(&driver, 0, 0);
    rig_free(rig);
}

static void step(struct rig *rig, uint32_t i)
{
    struct driver driver = {rig, RIG_CONSOLE, RIG_RAM + 0x10000};

    if (i == 0)
        driver = console_of(rig);
    rig_input(rig, "board.console", "console", span_of_text("some text"));
    if (i % 2 == 0)
        offer_buffer(&driver, i % DRIVER_SIZE, 7);
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
    rig_check_refused("board.console", "backlog_count", 0, 4097);
    rig_check_refused("board.console", "backlog", 0, 1);
    rig_check_refused("board.console", "queue_ready", 2, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_guest_sends_reaches_the_host),
        cmocka_unit_test(input_waits_for_buffers),
        cmocka_unit_test(buffers_given_before_driver_ok_are_seen),
        cmocka_unit_test(backlog_takes_what_it_has_room_for),
        cmocka_unit_test(rings_that_feed_themselves_end),
        cmocka_unit_test(run_on_after_thaw_is_the_same),
        cmocka_unit_test(impossible_state_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
