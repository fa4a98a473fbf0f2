/* The small devices, and what all share: RAM and ROM, the finisher, the magic word, clock
 * arithmetic. */
#include "tests/sim/device/rig.h"

#include "sim/device/device.h"
#include "sim/hart/hart.h"

static const struct machine_state *machine_of(struct rig *rig)
{
    return rig->machine->objects[0]->state;
}

static void memory_keeps_bytes_and_rom_takes_none(void **state)
{
    struct rig *rig = rig_new();
    uint64_t value = 0;

    (void)state;
    rig_write(rig, RIG_RAM + 8, 8, UINT64_C(0x0123456789abcdef));
    assert_int_equal(rig_read(rig, RIG_RAM + 8, 4), 0x89abcdef);
    assert_false(rig_try_write(rig, RIG_ROM, 4, 1));
    assert_true(rig_try_read(rig, RIG_ROM, 4, &value));
    assert_int_equal(value, 0);
    assert_false(rig_try_read(rig, RIG_RAM + RIG_RAM_SIZE, 1, &value));
    rig_free(rig);
}

static void memory_of_another_size_than_configured_is_refused(void **state)
{
    struct rig *rig = rig_begin();
    struct ram_config ram = {.base = RIG_RAM, .size = 2 * IMAGE_CHUNK_SIZE};

    (void)state;
    rig_add(rig, "board.ram", "ram", &ram);
    rig_image(rig, "board.ram", "bytes", IMAGE_CHUNK_SIZE);
    assert_false(machine_open(rig->machine, &rig->err));
    assert_int_equal(rig->err.kind, ERR_INVALID);
    rig_free(rig);
}

static void impossible_configurations_are_refused(void **state)
{
    struct rig *rig = rig_begin();
    struct ram_config rams[] = {{.base = 1, .size = IMAGE_CHUNK_SIZE},
                                {.base = 0, .size = 0},
                                {.base = UINT64_MAX - 4095, .size = IMAGE_CHUNK_SIZE},
                                {.base = 0, .size = UINT64_MAX}};
    struct clint_config clints[] = {{0, 1, 0, 0}, {0, 1, 9, 0}};
    struct plic_config plics[] = {{0, 0, 0}, {0, 9, 0}};
    struct htif_config htifs[] = {{0, 0}, {12, 0}, {16, 12}, {16, 16}};
    struct virtio_blk_config disks[] = {
        {.image_size = 1, .latency_ns = 1},
        {.image_size = 16384, .capacity = 16384 + 512, .latency_ns = 1},
        {.image_size = 16384, .capacity = 1, .latency_ns = 1},
        {.image_size = 16384}};

    (void)state;
    for (uint32_t i = 0; i < 4; i++)
        assert_false(machine_add(rig->machine, "board.x", "ram", &rams[i], NULL, &rig->err));
    for (uint32_t i = 0; i < 2; i++)
        assert_false(
            machine_add(rig->machine, "board.x", "sifive-clint", &clints[i], NULL, &rig->err));
    for (uint32_t i = 0; i < 2; i++)
        assert_false(
            machine_add(rig->machine, "board.x", "sifive-plic", &plics[i], NULL, &rig->err));
    for (uint32_t i = 0; i < 4; i++)
        assert_false(machine_add(rig->machine, "board.x", "htif", &htifs[i], NULL, &rig->err));
    for (uint32_t i = 0; i < 4; i++)
        assert_false(
            machine_add(rig->machine, "board.x", "virtio-blk", &disks[i], NULL, &rig->err));
    rig_free(rig);
}

/* An interrupt controller that interrupts itself, or another, would recurse for ever. */
static void interrupts_go_from_devices_to_controllers_to_harts_only(void **state)
{
    static const char *const wrong[][2] = {{"board.plic", "hart1"}, {"board.clint", "hart1"}};

    (void)state;
    for (uint32_t i = 0; i < 2; i++) {
        struct rig *rig = rig_begin();
        rig_add_plain(rig);
        rig_link(rig, wrong[i][0], wrong[i][1], "board.plic");
        assert_false(machine_open(rig->machine, &rig->err));
        assert_non_null(strstr(rig->err.text, "riscv-hart"));
        rig_free(rig);
    }
}

static void finisher_ends_the_machine(void **state)
{
    static const struct {
        uint64_t value;
        uint32_t size;
        uint8_t halted;
        uint64_t code;
    } ends[] = {
        {0x5555, 4, 1, 0}, {0x5555, 2, 1, 0}, {0x3333 | 42 << 16, 4, 1, 42},
        {0x3333, 4, 1, 1}, {0x7777, 4, 2, 0}, {0x1234, 4, 0, 0},
        {0, 4, 0, 0},
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct rig *rig = rig_new();
        rig_write(rig, RIG_FINISHER, ends[i].size, ends[i].value);
        assert_int_equal(machine_of(rig)->halted, ends[i].halted);
        assert_int_equal(machine_of(rig)->exit_code, ends[i].code);
        rig_free(rig);
    }
}

static void finisher_heeds_offset_and_size(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, RIG_FINISHER + 4, 4, 0x5555);
    assert_false(rig_try_write(rig, RIG_FINISHER, 8, 0x5555));
    assert_false(rig_try_write(rig, RIG_FINISHER, 1, 0x55));
    assert_int_equal(rig_read(rig, RIG_FINISHER, 4), 0);
    assert_int_equal(machine_of(rig)->halted, 0);
    rig_free(rig);
}

static void magic_word_reaches_the_host_and_names_itself(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    assert_int_equal(rig_read(rig, RIG_MAGIC, 4), 0x77616874);
    assert_int_equal(rig_read(rig, RIG_MAGIC, 8), UINT64_C(0x177616874));
    assert_int_equal(rig_read(rig, RIG_MAGIC, 1), 0x74);
    assert_int_equal(rig_read(rig, RIG_MAGIC + 8, 8), 0);
    rig_write(rig, RIG_MAGIC + 8, 8, 9);
    assert_int_equal(rig->magic, 0);
    rig_write(rig, RIG_MAGIC, 8, UINT64_C(0x1122334455));
    assert_int_equal(rig->magic, UINT64_C(0x1122334455));
    rig_free(rig);
}

static void ticks_and_cycles_agree(void **state)
{
    static const uint64_t rates[][2] = {
        {10000000, 1000000000},  {10000000, 3333333333}, {1000000000, 1000000000},
        {1000000000, 999999937}, {32768, 1000000007},    {7, 3},
    };

    (void)state;
    for (uint32_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        for (uint64_t tick = 1, step = 1; tick < UINT64_C(1) << 40;
             tick += step, step = step * 3 + 1) {
            uint64_t cycle = hz_cycle_of(tick, rates[i][0], rates[i][1]);
            assert_true(hz_ticks(cycle, rates[i][0], rates[i][1]) >= tick);
            assert_true(hz_ticks(cycle - 1, rates[i][0], rates[i][1]) < tick);
        }
    assert_true(hz_cycle_of(UINT64_MAX, 1, 1000000000) == CYCLE_NEVER);
    assert_true(hz_cycle_of(UINT64_MAX, 10000000, 1000000000) == CYCLE_NEVER);
}

static void lines_have_the_harts_numbers(void **state)
{
    (void)state;
    assert_int_equal(CLINT_LINE_MSI, HART_LINE_MSI);
    assert_int_equal(CLINT_LINE_MTI, HART_LINE_MTI);
    assert_int_equal(CLINT_LINE_TIME_WRITTEN, HART_LINE_TIME_WRITTEN);
    assert_int_equal(PLIC_LINE_SEI, HART_LINE_SEI);
    assert_int_equal(PLIC_LINE_MEI, HART_LINE_MEI);
}

static void queues_keep_order_and_leave_zeros(void **state)
{
    uint8_t queue[4] = {0};
    uint32_t count = 0;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(queue_put(queue, 4, &count, span_of_text("abcdef")), 4);
    assert_int_equal(queue_take(queue, 4, &count), 'a');
    assert_int_equal(queue_put(queue, 4, &count, span_of_text("z")), 1);
    assert_memory_equal(queue, "bcdz", 4);
    assert_int_equal(queue_take(queue, 4, &count), 'b');
    assert_memory_equal(queue, "cdz\0", 4);
    assert_true(queue_check("queue", queue, 4, count, &err));
    assert_false(queue_check("queue", queue, 4, 2, &err));
    assert_false(queue_check("queue", queue, 4, 5, &err));
    queue_clear(queue, 4, &count);
    assert_int_equal(count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_keeps_bytes_and_rom_takes_none),
        cmocka_unit_test(memory_of_another_size_than_configured_is_refused),
        cmocka_unit_test(impossible_configurations_are_refused),
        cmocka_unit_test(interrupts_go_from_devices_to_controllers_to_harts_only),
        cmocka_unit_test(finisher_ends_the_machine),
        cmocka_unit_test(finisher_heeds_offset_and_size),
        cmocka_unit_test(magic_word_reaches_the_host_and_names_itself),
        cmocka_unit_test(ticks_and_cycles_agree),
        cmocka_unit_test(lines_have_the_harts_numbers),
        cmocka_unit_test(queues_keep_order_and_leave_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
