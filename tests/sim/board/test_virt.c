#include "sim/board/virt.h"

#include "sim/board/fdt.h"
#include "sim/device/net_switch.h"
#include "tests/sim/board/software.h"

#include <stdio.h>

#define MIB UINT64_C(1048576)
#define RAM (8 * MIB)

/* A machine to put boards in. */
struct bench {
    struct registry registry;
    struct machine *machine;
    struct err err;
    uint8_t program[SMALL_SIZE];
    struct virt_software software;
    struct virt_options options;
};

static struct bench *bench_new(void)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct machine_config config = {.clock_hz = 1000000000, .quantum = 10000, .seed = 1};

    assert_non_null(bench);
    registry_standard(&bench->registry);
    bench->machine = machine_new(&bench->registry);
    assert_true(machine_add(bench->machine, "machine", "thaw-machine", &config, NULL, &bench->err));
    small_elf(bench->program, VIRT_RAM_BASE);
    bench->software.kernel = (struct span){bench->program, sizeof bench->program};
    bench->options = (struct virt_options){
        .name = "board0", .ram_bytes = RAM, .hart_count = 1, .satp_mode_max = 9};
    return bench;
}

static void bench_free(struct bench *bench)
{
    machine_free(bench->machine);
    free(bench);
}

static bool build(struct bench *bench)
{
    return virt_build(bench->machine, &bench->options, &bench->software, &bench->err);
}

static void must(struct bench *bench, bool ok)
{
    if (!ok)
        fail_msg("%s", bench->err.text);
}

static void must_open(struct bench *bench)
{
    must(bench, build(bench));
    must(bench, machine_open(bench->machine, &bench->err));
    machine_reset(bench->machine);
}

static void must_fail(struct bench *bench, enum err_kind kind, const char *because)
{
    assert_false(build(bench));
    if (strstr(bench->err.text, because) == NULL)
        fail_msg("%s; expected: %s", bench->err.text, because);
    assert_int_equal(bench->err.kind, kind);
    bench_free(bench);
}

static uint64_t bus_word(struct bench *bench, const char *board, uint64_t address)
{
    char path[OBJECT_PATH_MAX];
    uint64_t value = 0;

    snprintf(path, sizeof path, "%s.ram", board);
    assert_true(bus_read(object_bus(machine_find(bench->machine, path)), address, 4, &value));
    return value;
}

/* The tree in RAM, which the boot ROM points to. */
static struct span tree_of(struct bench *bench, const char *board)
{
    char path[OBJECT_PATH_MAX];

    snprintf(path, sizeof path, "%s.rom", board);
    const struct image *rom = machine_find(bench->machine, path)->images[0];
    snprintf(path, sizeof path, "%s.ram", board);
    const struct image *ram = machine_find(bench->machine, path)->images[0];
    uint64_t at = load_le64(rom->data + 32) - VIRT_RAM_BASE;
    assert_true(at + 8 <= ram->size);
    struct span tree = {ram->data + at, load_be32(ram->data + at + 4)};
    assert_true(at + tree.size <= ram->size);
    assert_true(fdt_check(tree, &bench->err));
    return tree;
}

static void has_text(struct span tree, const char *path, const char *property, const char *text)
{
    struct span value;

    if (!fdt_find(tree, path, property, &value))
        fail_msg("%s has no %s", path, property);
    assert_int_equal(value.size, strlen(text) + 1);
    assert_memory_equal(value.data, text, value.size);
}

static void add_disk(struct bench *bench, uint32_t slot, const char *name)
{
    struct virt_slot *disk = &bench->options.slots[slot];

    disk->kind = VIRT_SLOT_BLOCK;
    disk->name = name;
    disk->capacity_bytes = MIB;
    must(bench, image_new(MIB, &disk->image, &bench->err));
}

static void options_out_of_range_are_refused(void **state)
{
    static const struct virt_options wrong[] = {
        {.name = "b", .ram_bytes = VIRT_RAM_MIN / 2, .hart_count = 1, .satp_mode_max = 9},
        {.name = "b", .ram_bytes = RAM + 4096, .hart_count = 1, .satp_mode_max = 9},
        {.name = "b", .ram_bytes = VIRT_RAM_MAX * 2, .hart_count = 1, .satp_mode_max = 9},
        {.name = "b", .ram_bytes = RAM, .hart_count = 0, .satp_mode_max = 9},
        {.name = "b", .ram_bytes = RAM, .hart_count = 9, .satp_mode_max = 9},
        {.name = "b", .ram_bytes = RAM, .hart_count = 1, .satp_mode_max = 7},
        {.name = "b", .ram_bytes = RAM, .hart_count = 1, .satp_mode_max = 11},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct bench *bench = bench_new();
        bench->options = wrong[i];
        must_fail(bench, ERR_USAGE, "board b");
    }
}

static void every_number_of_harts_is_built_and_listed(void **state)
{
    struct span value;
    char path[64];

    (void)state;
    for (uint32_t harts = 1; harts <= VIRT_HARTS_MAX; harts++) {
        struct bench *bench = bench_new();
        bench->options.hart_count = harts;
        must_open(bench);
        assert_int_equal(bench->machine->cpu_count, harts);
        struct span tree = tree_of(bench, "board0");
        for (uint32_t hart = 0; hart <= VIRT_HARTS_MAX; hart++) {
            snprintf(path, sizeof path, "/cpus/cpu@%u", hart);
            assert_int_equal(fdt_find(tree, path, "reg", &value), hart < harts);
        }
        assert_true(fdt_find(tree, "/soc/clint@2000000", "interrupts-extended", &value));
        assert_int_equal(value.size, 16 * harts);
        bench_free(bench);
    }
}

static void every_slot_answers_and_only_devices_are_listed(void **state)
{
    static const uint32_t ids[VIRT_SLOTS] = {2, 0, 3, 0, 4, 1, 0, 2};
    struct bench *bench = bench_new();
    struct virt_slot *slots = bench->options.slots;
    struct span tree, value;
    char path[64];

    (void)state;
    add_disk(bench, 0, "disk0");
    slots[2] = (struct virt_slot){.kind = VIRT_SLOT_CONSOLE, .name = "console0"};
    slots[4] = (struct virt_slot){.kind = VIRT_SLOT_RNG, .name = "rng0"};
    slots[5] = (struct virt_slot){.kind = VIRT_SLOT_NET, .name = "net0", .mac = {0x52}};
    add_disk(bench, 7, "disk1");
    must_open(bench);
    tree = tree_of(bench, "board0");
    for (uint32_t slot = 0; slot < VIRT_SLOTS; slot++) {
        uint32_t base = 0x10001000 + slot * 0x1000;
        assert_int_equal(bus_word(bench, "board0", base), 0x74726976);
        assert_int_equal(bus_word(bench, "board0", base + 4), 2);
        assert_int_equal(bus_word(bench, "board0", base + 8), ids[slot]);
        snprintf(path, sizeof path, "/soc/virtio_mmio@%x", base);
        assert_int_equal(fdt_find(tree, path, "interrupts", &value), ids[slot] != 0);
        if (ids[slot] != 0)
            assert_int_equal(load_be32(value.data), slot + 1);
    }
    bench_free(bench);
}

static void tree_tells_of_memory_console_and_software(void **state)
{
    struct bench *bench = bench_new();
    uint8_t initrd[100] = {0};
    struct span tree, value;

    (void)state;
    bench->software.command_line = "console=ttyS0 quiet";
    bench->software.initrd = (struct span){initrd, sizeof initrd};
    must_open(bench);
    tree = tree_of(bench, "board0");
    has_text(tree, "/chosen", "bootargs", "console=ttyS0 quiet");
    has_text(tree, "/chosen", "stdout-path", "/soc/serial@10000000");
    has_text(tree, "/soc/serial@10000000", "compatible", "ns16550a");
    has_text(tree, "/cpus/cpu@0", "mmu-type", "riscv,sv48");
    assert_true(fdt_find(tree, "/memory@80000000", "reg", &value));
    assert_int_equal(load_be32(value.data + 4), 0x80000000);
    assert_int_equal(load_be32(value.data + 12), RAM);
    assert_true(fdt_find(tree, "/chosen", "linux,initrd-start", &value));
    uint32_t start = load_be32(value.data + 4);
    assert_true(fdt_find(tree, "/chosen", "linux,initrd-end", &value));
    assert_int_equal(load_be32(value.data + 4), start + sizeof initrd);
    bench_free(bench);
}

/* Linux is slow without a seed, and no run is like another with a random one. */
static void seed_in_the_tree_is_the_machines(void **state)
{
    struct span first, second, other;
    struct bench *a = bench_new(), *b = bench_new(), *c = bench_new();
    struct machine_config config = {.clock_hz = 1000000000, .quantum = 10000, .seed = 2};

    (void)state;
    machine_free(c->machine);
    c->machine = machine_new(&c->registry);
    must(c, machine_add(c->machine, "machine", "thaw-machine", &config, NULL, &c->err));
    must_open(a);
    must_open(b);
    must_open(c);
    assert_true(fdt_find(tree_of(a, "board0"), "/chosen", "rng-seed", &first));
    assert_true(fdt_find(tree_of(b, "board0"), "/chosen", "rng-seed", &second));
    assert_true(fdt_find(tree_of(c, "board0"), "/chosen", "rng-seed", &other));
    assert_int_equal(first.size, 64);
    assert_memory_equal(first.data, second.data, 64);
    assert_memory_not_equal(first.data, other.data, 64);
    bench_free(a);
    bench_free(b);
    bench_free(c);
}

/* The slots' images are taken whatever happens: the sanitizers would see one that is left. */
static void failing_build_leaves_nothing(void **state)
{
    struct bench *bench = bench_new();

    (void)state;
    add_disk(bench, 0, "disk0");
    add_disk(bench, 6, "disk1");
    bench->software.kernel = (struct span){NULL, 0};
    must_fail(bench, ERR_USAGE, "nothing to boot");
    bench = bench_new();
    add_disk(bench, 0, "disk0");
    add_disk(bench, 1, "disk0");
    add_disk(bench, 6, "disk1");
    assert_false(build(bench));
    assert_non_null(strstr(bench->err.text, "board0.disk0"));
    bench_free(bench);
}

static void device_cannot_have_the_name_of_another(void **state)
{
    static const char *const taken[] = {"uart0", "hart0", "ram", "virtio3"};

    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) {
        struct bench *bench = bench_new();
        bench->options.slots[0] = (struct virt_slot){.kind = VIRT_SLOT_RNG, .name = taken[i]};
        assert_false(build(bench));
        assert_non_null(strstr(bench->err.text, taken[i]));
        bench_free(bench);
    }
}

static void boards_of_one_machine_have_buses_of_their_own(void **state)
{
    struct bench *bench = bench_new();
    uint64_t value;

    (void)state;
    must(bench, build(bench));
    bench->options.name = "board1";
    bench->options.ram_bytes = 2 * RAM;
    must_open(bench);
    struct bus *first = object_bus(machine_find(bench->machine, "board0.ram"));
    struct bus *second = object_bus(machine_find(bench->machine, "board1.ram"));
    assert_ptr_not_equal(first, second);
    assert_true(bus_write(second, VIRT_RAM_BASE + 0x4000, 4, 0x12345678));
    assert_true(bus_read(first, VIRT_RAM_BASE + 0x4000, 4, &value));
    assert_int_equal(value, 0);
    assert_false(bus_read(first, VIRT_RAM_BASE + RAM, 4, &value));
    assert_true(bus_read(second, VIRT_RAM_BASE + RAM, 4, &value));
    bench_free(bench);
}

static void net_slots(struct bench *bench, const char *link)
{
    static const char *const names[VIRT_SLOTS] = {"net0", "net1", "net2", "net3",
                                                  "net4", "net5", "net6", "net7"};

    for (uint32_t slot = 0; slot < VIRT_SLOTS; slot++)
        bench->options.slots[slot] =
            (struct virt_slot){.kind = VIRT_SLOT_NET, .name = names[slot], .link = link};
}

static void switch_has_as_many_ports_as_it_says(void **state)
{
    struct bench *bench = bench_new();
    struct net_switch_config wire = {.latency_ns = NET_LATENCY_NS};

    (void)state;
    must(bench, machine_add(bench->machine, "lan", "thaw-switch", &wire, NULL, &bench->err));
    net_slots(bench, "lan");
    must(bench, build(bench));
    bench->options.name = "board1";
    must(bench, build(bench));
    bench->options.name = "board2";
    must_fail(bench, ERR_CONFLICT, "all 16 ports of lan are taken");
}

static void card_on_what_is_no_switch_is_refused(void **state)
{
    struct bench *bench = bench_new();

    (void)state;
    net_slots(bench, "board0.uart0");
    must_fail(bench, ERR_USAGE, "is no switch");
    bench = bench_new();
    net_slots(bench, "wan");
    must_fail(bench, ERR_USAGE, "wan is no switch");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(every_number_of_harts_is_built_and_listed),
        cmocka_unit_test(every_slot_answers_and_only_devices_are_listed),
        cmocka_unit_test(tree_tells_of_memory_console_and_software),
        cmocka_unit_test(seed_in_the_tree_is_the_machines),
        cmocka_unit_test(failing_build_leaves_nothing),
        cmocka_unit_test(device_cannot_have_the_name_of_another),
        cmocka_unit_test(boards_of_one_machine_have_buses_of_their_own),
        cmocka_unit_test(switch_has_as_many_ports_as_it_says),
        cmocka_unit_test(card_on_what_is_no_switch_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
