#include "tests/sim/device/driver.h"

#define HEADER (RIG_RAM + 0x20000)
#define DATA   (RIG_RAM + 0x21000)
#define STATUS (RIG_RAM + 0x20100)

#define LATENCY 20000
#define WAITED  (LATENCY + 1) /* a deadline fires as the next round begins */

enum blk_type { IN = 0, OUT = 1, FLUSH = 4, GET_ID = 8, DISCARD = 11, WRITE_ZEROES = 13 };

static struct driver disk_of(struct rig *rig, uint64_t base)
{
    struct driver driver = {rig, base, RIG_RAM + 0x10000};

    driver_start(&driver, 1);
    return driver;
}

static struct driver disk_driver(struct rig *rig)
{
    return disk_of(rig, RIG_BLK);
}

static void put_header(const struct driver *driver, uint32_t type, uint64_t sector)
{
    rig_write(driver->rig, HEADER, 8, type);
    rig_write(driver->rig, HEADER + 8, 8, sector);
    rig_write(driver->rig, STATUS, 1, 0xee);
}

/* A request of one data part, as every driver makes them. */
static void request(const struct driver *driver, uint32_t type, uint64_t sector, uint32_t size)
{
    bool reads = type == IN || type == GET_ID;

    put_header(driver, type, sector);
    driver_put(driver, 0, 0, HEADER, PART(16, DESC_NEXT, size != 0 ? 1 : 2));
    driver_put(driver, 0, 1, DATA, PART(size, DESC_NEXT | (reads ? DESC_WRITE : 0), 2));
    driver_put(driver, 0, 2, STATUS, PART(1, DESC_WRITE, 0));
    driver_offer(driver, 0, 0);
}

static uint64_t status_of(const struct driver *driver)
{
    return rig_read(driver->rig, STATUS, 1);
}

static uint64_t wait_status(const struct driver *driver)
{
    rig_run(driver->rig, WAITED);
    return status_of(driver);
}

static void registers_say_what_the_device_is(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = {rig, RIG_BLK, 0};

    (void)state;
    assert_int_equal(driver_get(&driver, REG_MAGIC), 0x74726976);
    assert_int_equal(driver_get(&driver, REG_VERSION), 2);
    assert_int_equal(driver_get(&driver, REG_DEVICE), 2);
    assert_int_equal(driver_get(&driver, REG_VENDOR), 0x554d4551);
    assert_int_equal(driver_get(&driver, REG_FEATURES), 0x6244);
    driver_set(&driver, REG_FEATURES_SELECT, 1);
    assert_int_equal(driver_get(&driver, REG_FEATURES), 1);
    assert_int_equal(rig_read(rig, RIG_BLK + REG_CONFIG, 8), RIG_DISK_SIZE / 512);
    assert_int_equal(rig_read(rig, RIG_BLK + REG_CONFIG + 12, 4), 254);
    assert_int_equal(rig_read(rig, RIG_BLK + REG_CONFIG + 20, 4), 512);
    assert_int_equal(rig_read(rig, RIG_BLK + REG_CONFIG + 56, 1), 1);
    assert_int_equal(rig_read(rig, RIG_BLK + REG_CONFIG + 0xe00, 4), 0);
    rig_free(rig);
}

static void registers_refuse_other_sizes(void **state)
{
    struct rig *rig = rig_new();
    uint64_t value = 0;

    (void)state;
    assert_false(rig_try_read(rig, RIG_BLK, 1, &value));
    assert_false(rig_try_read(rig, RIG_BLK, 8, &value));
    assert_false(rig_try_write(rig, RIG_BLK + REG_STATUS, 2, 0));
    assert_true(rig_try_write(rig, RIG_BLK + REG_CONFIG, 1, 0));
    rig_free(rig);
}

static void features_not_offered_are_refused(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = {rig, RIG_BLK, 0};

    (void)state;
    driver_set(&driver, REG_STATUS, 3);
    driver_set(&driver, REG_TAKEN, 1 << 5); /* RO: this disk is writable */
    driver_set(&driver, REG_STATUS, 11);
    assert_int_equal(driver_get(&driver, REG_STATUS), 3);
    driver_set(&driver, REG_TAKEN, 0);
    driver_set(&driver, REG_STATUS, 11);
    assert_int_equal(driver_get(&driver, REG_STATUS), 11);
    rig_free(rig);
}

static void sectors_are_written_and_read(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = disk_driver(rig);
    const uint8_t *disk = machine_find(rig->machine, "board.blk")->images[0]->data;

    (void)state;
    for (uint32_t i = 0; i < 1024; i += 8)
        rig_write(rig, DATA + i, 8, UINT64_C(0x0101010101010101) * (i / 8));
    request(&driver, OUT, 3, 1024);
    assert_int_equal(wait_status(&driver), 0);
    assert_int_equal(driver_used_length(&driver, 0, 0), 1);
    assert_int_equal(disk[3 * 512 + 8], 1);
    assert_int_equal(disk[3 * 512 + 1023], 127);
    for (uint32_t i = 0; i < 1024; i += 8)
        rig_write(rig, DATA + i, 8, 0);
    request(&driver, IN, 4, 512);
    assert_int_equal(wait_status(&driver), 0);
    assert_int_equal(driver_used_length(&driver, 0, 1), 513);
    assert_int_equal(rig_read(rig, DATA, 8), UINT64_C(0x4040404040404040));
    assert_int_equal(rig_read(rig, DATA + 512, 8), 0);
    rig_free(rig);
}

static void requests_take_their_latency_and_interrupt(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = disk_driver(rig);

    (void)state;
    request(&driver, IN, 0, 512);
    rig_run(rig, LATENCY - 1);
    assert_int_equal(status_of(&driver), 0xee);
    assert_false(rig_wire(rig, RIG_IRQ_BLK));
    rig_run(rig, 2);
    assert_int_equal(status_of(&driver), 0);
    assert_int_equal(driver_used_index(&driver, 0), 1);
    assert_int_equal(driver_get(&driver, REG_INTERRUPT), 1);
    assert_true(rig_wire(rig, RIG_IRQ_BLK));
    driver_set(&driver, REG_ACK, 1);
    assert_false(rig_wire(rig, RIG_IRQ_BLK));
    rig_free(rig);
}

static void driver_may_ask_for_no_interrupt(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = disk_driver(rig);

    (void)state;
    rig_write(rig, driver_avail(&driver, 0), 2, 1);
    request(&driver, FLUSH, 0, 0);
    assert_int_equal(wait_status(&driver), 0);
    assert_false(rig_wire(rig, RIG_IRQ_BLK));
    rig_free(rig);
}

static void serial_is_given(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = disk_driver(rig);

    (void)state;
    request(&driver, GET_ID, 0, 20);
    assert_int_equal(wait_status(&driver), 0);
    assert_int_equal(driver_used_length(&driver, 0, 0), 21);
    assert_int_equal(rig_read(rig, DATA, 8), UINT64_C(0x2d666f2d6b736964)); /* "disk-of-" */
    rig_free(rig);
}

static void discarded_and_zeroed_sectors_read_zeros(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = disk_driver(rig);
    struct image *image = machine_find(rig->machine, "board.blk")->images[0];

    (void)state;
    memset(image->data, 0xaa, (size_t)image->size);
    image_touch(image, 0, image->size);
    rig_write(rig, DATA, 8, 2); /* sector */
    rig_write(rig, DATA + 8, 8, 3);
    request(&driver, DISCARD, 0, 16);
    assert_int_equal(wait_status(&driver), 0);
    assert_int_equal(image->data[2 * 512 - 1], 0xaa);
    assert_true(bytes_are_zero(image->data + 2 * 512, 3 * 512));
    assert_int_equal(image->data[5 * 512], 0xaa);
    rig_write(rig, DATA, 8, 9);
    rig_write(rig, DATA + 8, 8, UINT64_C(0x100000001)); /* one sector, unmap */
    request(&driver, WRITE_ZEROES, 0, 16);
    assert_int_equal(wait_status(&driver), 0);
    assert_true(bytes_are_zero(image->data + 9 * 512, 512));
    request(&driver, DISCARD, 0, 16);
    assert_int_equal(wait_status(&driver), 2);
    rig_write(rig, DATA, 8, RIG_DISK_SIZE / 512);
    rig_write(rig, DATA + 8, 8, 1);
    request(&driver, WRITE_ZEROES, 0, 16);
    assert_int_equal(wait_status(&driver), 1);
    rig_free(rig);
}

static void requests_outside_the_disk_fail_and_harm_nobody(void **state)
{
    static const struct {
        uint64_t sector;
        uint32_t size;
    } bad[] = {
        {RIG_DISK_SIZE / 512, 512},
        {RIG_DISK_SIZE / 512 - 1, 1024},
        {UINT64_MAX, 512},
        {UINT64_MAX / 512 + 1, 512},
        {0, 511},
        {0, 65536 + 512},
    };
    struct rig *rig = rig_new();
    struct driver driver = disk_driver(rig);

    (void)state;
    for (uint32_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        request(&driver, IN, bad[i].sector, bad[i].size);
        assert_int_equal(wait_status(&driver), 1);
        request(&driver, OUT, bad[i].sector, bad[i].size);
        assert_int_equal(wait_status(&driver), 1);
    }
    request(&driver, 99, 0, 0);
    assert_int_equal(wait_status(&driver), 2);
    assert_false(driver_broken(&driver));
    rig_free(rig);
}

/* What a hostile driver does to the chain before it offers it. */
static void loop_of_descriptors(const struct driver *driver)
{
    driver_put(driver, 0, 2, STATUS, PART(1, DESC_WRITE | DESC_NEXT, 1));
}

static void next_outside_the_table(const struct driver *driver)
{
    driver_put(driver, 0, 0, HEADER, PART(16, DESC_NEXT, DRIVER_SIZE));
}

static void indirect_though_not_offered(const struct driver *driver)
{
    driver_put(driver, 0, 0, HEADER, PART(16, 4 | DESC_NEXT, 1));
}

static void readable_after_writable(const struct driver *driver)
{
    driver_put(driver, 0, 0, HEADER, PART(16, DESC_NEXT | DESC_WRITE, 1));
    driver_put(driver, 0, 1, DATA, PART(512, DESC_NEXT, 2));
}

static void header_outside_memory(const struct driver *driver)
{
    driver_put(driver, 0, 0, 0xffff000000000000, PART(16, DESC_NEXT, 1));
}

static void header_in_a_device(const struct driver *driver)
{
    driver_put(driver, 0, 0, RIG_UART, PART(16, DESC_NEXT, 1));
}

static void data_across_the_end_of_memory(const struct driver *driver)
{
    driver_put(driver, 0, 1, RIG_RAM + RIG_RAM_SIZE - 256, PART(512, DESC_NEXT | DESC_WRITE, 2));
}

static void data_at_the_end_of_the_address_space(const struct driver *driver)
{
    driver_put(driver, 0, 1, UINT64_MAX - 255, PART(512, DESC_NEXT | DESC_WRITE, 2));
}

static void data_into_read_only_memory(const struct driver *driver)
{
    driver_put(driver, 0, 1, RIG_ROM, PART(512, DESC_NEXT | DESC_WRITE, 2));
}

static void status_byte_missing(const struct driver *driver)
{
    driver_put(driver, 0, 0, HEADER, PART(16, 0, 0));
}

static void header_too_short(const struct driver *driver)
{
    driver_put(driver, 0, 0, HEADER, PART(15, DESC_NEXT, 1));
    driver_put(driver, 0, 1, DATA, PART(512, DESC_NEXT | DESC_WRITE, 2));
}

static void available_index_jumps(const struct driver *driver)
{
    rig_write(driver->rig, driver_avail(driver, 0) + 2, 2, 0x7fff);
}

static void available_index_goes_back(const struct driver *driver)
{
    rig_write(driver->rig, driver_avail(driver, 0) + 2, 2, 0xfffe);
}

static void head_outside_the_table(const struct driver *driver)
{
    for (uint32_t i = 0; i < DRIVER_SIZE; i++)
        rig_write(driver->rig, driver_avail(driver, 0) + 4 + 2 * i, 2, 0xffff);
}

static void violation_asks_for_a_reset(void (*violate)(const struct driver *driver))
{
    struct rig *rig = rig_new();
    struct driver driver = disk_driver(rig);

    request(&driver, IN, 0, 512);
    violate(&driver);
    driver_set(&driver, REG_NOTIFY, 0);
    rig_run(rig, WAITED);
    assert_true(driver_broken(&driver));
    assert_int_equal(driver_get(&driver, REG_INTERRUPT) & 2, 2);
    /* No service until the reset, whatever comes; then all is well. */
    driver_set(&driver, REG_NOTIFY, 0);
    rig_run(rig, WAITED);
    assert_int_equal(driver_used_index(&driver, 0), 0);
    driver = disk_driver(rig);
    assert_false(driver_broken(&driver));
    request(&driver, IN, 0, 512);
    assert_int_equal(wait_status(&driver), 0);
    rig_free(rig);
}

static void hostile_drivers_break_only_their_device(void **state)
{
    void (*const violations[])(const struct driver *) = {
        loop_of_descriptors,
        next_outside_the_table,
        indirect_though_not_offered,
        readable_after_writable,
        header_outside_memory,
        header_in_a_device,
        data_across_the_end_of_memory,
        data_at_the_end_of_the_address_space,
        data_into_read_only_memory,
        status_byte_missing,
        header_too_short,
        available_index_jumps,
        available_index_goes_back,
        head_outside_the_table,
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof violations / sizeof violations[0]; i++)
        violation_asks_for_a_reset(violations[i]);
}

static void rings_outside_memory_break_the_device(void **state)
{
    static const uint32_t rings[] = {REG_DESC, REG_DRIVER, REG_DEVICE_RING};
    struct rig *rig = rig_new();

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        struct driver driver = disk_driver(rig);
        driver_set(&driver, REG_READY, 0);
        driver_set64(&driver, rings[i], UINT64_MAX - 8);
        driver_set(&driver, REG_READY, 1);
        request(&driver, FLUSH, 0, 0);
        rig_run(rig, WAITED);
        assert_true(driver_broken(&driver));
    }
    rig_free(rig);
}

/* A disk read that makes itself available again and again: virtual time must go on. */
static void rings_that_feed_themselves_end(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = disk_driver(rig);

    (void)state;
    request(&driver, IN, 0, 512);
    driver_set(&driver, REG_READY, 0);
    driver_set64(&driver, REG_DEVICE_RING,
                 driver_avail(&driver, 0)); /* used index = available index */
    driver_set(&driver, REG_READY, 1);
    driver_set(&driver, REG_NOTIFY, 0);
    rig_run(rig, 10 * LATENCY);
    assert_true(machine_cycle(rig->machine) >= 10 * LATENCY);
    rig_free(rig);
}

static void queue_without_a_size_cannot_be_ready(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = {rig, RIG_BLK, 0};

    (void)state;
    driver_set(&driver, REG_STATUS, 15);
    driver_set(&driver, REG_SIZE, 7);
    driver_set(&driver, REG_SIZE, 512);
    driver_set(&driver, REG_READY, 1);
    assert_true(driver_broken(&driver));
    driver_set(&driver, REG_QUEUE, 0xffffffff);
    assert_int_equal(driver_get(&driver, REG_SIZE_MAX), 0);
    driver_set(&driver, REG_READY, 1);
    driver_set(&driver, REG_NOTIFY, 0xffffffff);
    rig_free(rig);
}

static void media_fills_the_job_disk_and_tells_the_driver(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = disk_of(rig, RIG_JOB);
    uint8_t payload[1000];

    (void)state;
    struct image *image = machine_find(rig->machine, "board.job")->images[0];

    memset(payload, 0x5a, sizeof payload);
    memset(image->data, 0xaa, 2048); /* of a medium before */
    image_touch(image, 0, 2048);
    assert_int_equal(rig_read(rig, RIG_JOB + REG_CONFIG, 8), 0);
    request(&driver, IN, 0, 512);
    assert_int_equal(wait_status(&driver), 1);
    driver_set(&driver, REG_ACK, 3);
    uint32_t generation = driver_get(&driver, REG_GENERATION);
    rig_input(rig, "board.job", "media", (struct span){payload, sizeof payload});
    assert_int_equal(rig_read(rig, RIG_JOB + REG_CONFIG, 8), 2);
    assert_int_equal(driver_get(&driver, REG_INTERRUPT), 2);
    assert_true(rig_wire(rig, RIG_IRQ_JOB));
    assert_int_not_equal(driver_get(&driver, REG_GENERATION), generation);
    request(&driver, IN, 0, 1024);
    assert_int_equal(wait_status(&driver), 0);
    assert_int_equal(rig_read(rig, DATA + 992, 8), UINT64_C(0x5a5a5a5a5a5a5a5a));
    assert_int_equal(rig_read(rig, DATA + 1000, 8), 0);
    rig_input(rig, "board.job", "media", (struct span){payload, 0});
    assert_int_equal(rig_read(rig, RIG_JOB + REG_CONFIG, 8), 0);
    rig_free(rig);
}

static void resize_makes_an_empty_disk(void **state)
{
    struct rig *rig = rig_new();
    struct image *image = machine_find(rig->machine, "board.job")->images[0];
    uint8_t size[8];

    (void)state;
    memset(image->data, 0xaa, (size_t)image->size);
    image_touch(image, 0, image->size);
    store_le64(size, 4096);
    rig_input(rig, "board.job", "resize", (struct span){size, 8});
    assert_int_equal(rig_read(rig, RIG_JOB + REG_CONFIG, 8), 8);
    assert_true(bytes_are_zero(image->data, 4096));
    assert_int_equal(image->data[4096], 0xaa);
    rig_free(rig);
}

static void media_too_large_are_refused_and_change_nothing(void **state)
{
    struct rig *rig = rig_new();
    struct object *job = machine_find(rig->machine, "board.job");
    uint8_t *payload = calloc(1, RIG_DISK_SIZE + 1);
    uint8_t size[8];
    size_t taken = 0;

    (void)state;
    struct hash before = rig_digest(rig);
    assert_false(machine_input(rig->machine, job, "media",
                               (struct span){payload, RIG_DISK_SIZE + 1}, &taken, &rig->err));
    assert_int_equal(rig->err.kind, ERR_TOO_BIG);
    store_le64(size, RIG_DISK_SIZE + 512);
    assert_false(
        machine_input(rig->machine, job, "resize", (struct span){size, 8}, &taken, &rig->err));
    assert_int_equal(rig->err.kind, ERR_TOO_BIG);
    assert_false(
        machine_input(rig->machine, job, "resize", (struct span){size, 7}, &taken, &rig->err));
    assert_false(
        machine_input(rig->machine, job, "floppy", (struct span){size, 8}, &taken, &rig->err));
    assert_int_equal(rig->err.kind, ERR_USAGE);
    struct hash after = rig_digest(rig);
    assert_true(hash_equal(&before, &after));
    free(payload);
    rig_free(rig);
}

static void reset_forgets_requests_in_flight(void **state)
{
    struct rig *rig = rig_new();
    struct driver driver = disk_driver(rig);

    (void)state;
    request(&driver, IN, 0, 512);
    driver_set(&driver, REG_STATUS, 0);
    rig_run(rig, 2 * LATENCY);
    assert_int_equal(status_of(&driver), 0xee);
    assert_int_equal(driver_get(&driver, REG_READY), 0);
    rig_free(rig);
}

static void step(struct rig *rig, uint32_t i)
{
    struct driver driver = {rig, RIG_BLK, RIG_RAM + 0x10000};
    uint8_t media[700] = {(uint8_t)i};

    if (i == 0)
        disk_driver(rig);
    if (i % 2 == 0)
        request(&driver, i % 4 == 0 ? OUT : IN, i, 512); /* in flight over the freeze */
    if (i % 5 == 1)
        rig_input(rig, "board.job", "media", (struct span){media, 100 * (i % 7)});
    rig_run(rig, LATENCY / 3);
    rig_write(rig, DATA, 8, i);
}

static void run_on_after_thaw_is_the_same_with_requests_in_flight(void **state)
{
    (void)state;
    rig_check_thaw(rig_new, step, 30);
}

static void impossible_state_is_refused(void **state)
{
    (void)state;
    rig_check_refused("board.blk", "queue_size", 0, 257);
    rig_check_refused("board.blk", "queue_size", 3, 6);
    rig_check_refused("board.blk", "queue_ready", 0, 1);
    rig_check_refused("board.blk", "queue_ready", 1, 1);
    rig_check_refused("board.blk", "status", 0, 0x100);
    rig_check_refused("board.blk", "interrupt_status", 0, 4);
    rig_check_refused("board.blk", "capacity", 0, RIG_DISK_SIZE / 512 + 1);
    rig_check_refused("board.job", "capacity", 0, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_say_what_the_device_is),
        cmocka_unit_test(registers_refuse_other_sizes),
        cmocka_unit_test(features_not_offered_are_refused),
        cmocka_unit_test(sectors_are_written_and_read),
        cmocka_unit_test(requests_take_their_latency_and_interrupt),
        cmocka_unit_test(driver_may_ask_for_no_interrupt),
        cmocka_unit_test(serial_is_given),
        cmocka_unit_test(discarded_and_zeroed_sectors_read_zeros),
        cmocka_unit_test(requests_outside_the_disk_fail_and_harm_nobody),
        cmocka_unit_test(hostile_drivers_break_only_their_device),
        cmocka_unit_test(rings_outside_memory_break_the_device),
        cmocka_unit_test(rings_that_feed_themselves_end),
        cmocka_unit_test(queue_without_a_size_cannot_be_ready),
        cmocka_unit_test(media_fills_the_job_disk_and_tells_the_driver),
        cmocka_unit_test(resize_makes_an_empty_disk),
        cmocka_unit_test(media_too_large_are_refused_and_change_nothing),
        cmocka_unit_test(reset_forgets_requests_in_flight),
        cmocka_unit_test(run_on_after_thaw_is_the_same_with_requests_in_flight),
        cmocka_unit_test(impossible_state_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
