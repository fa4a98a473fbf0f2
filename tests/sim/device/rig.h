/* rig.h — a small machine for device tests: every device on one board, a processor that only counts
 * cycles and records the levels of its interrupt lines, and a host that keeps what consoles put
 * out.
 *
 * rig_read and rig_write are the accesses of a guest program, each at the current virtual time. */
#ifndef THAW_TESTS_SIM_DEVICE_RIG_H
#define THAW_TESTS_SIM_DEVICE_RIG_H

#include "sim/core/checkpoint.h"
#include "sim/device/clint.h"
#include "sim/device/devices.h"
#include "sim/device/finisher.h"
#include "sim/device/htif.h"
#include "sim/device/magic.h"
#include "sim/device/plic.h"
#include "sim/device/ram.h"
#include "sim/device/rtc.h"
#include "sim/device/uart.h"
#include "sim/device/virtio_blk.h"
#include "sim/device/virtio_console.h"
#include "sim/device/virtio_rng.h"
#include "storage/base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define RIG_RAM      UINT64_C(0x80000000)
#define RIG_RAM_SIZE (UINT64_C(1) << 20)
#define RIG_TOHOST   (RIG_RAM + 0x1000)
#define RIG_FROMHOST (RIG_RAM + 0x1040)
#define RIG_FINISHER UINT64_C(0x100000)
#define RIG_RTC      UINT64_C(0x101000)
#define RIG_MAGIC    UINT64_C(0x102000)
#define RIG_ROM      UINT64_C(0x200000)
#define RIG_CLINT    UINT64_C(0x2000000)
#define RIG_PLIC     UINT64_C(0xc000000)
#define RIG_UART     UINT64_C(0x10000000)
#define RIG_BLK      UINT64_C(0x10001000)
#define RIG_CONSOLE  UINT64_C(0x10002000)
#define RIG_RNG      UINT64_C(0x10003000)
#define RIG_JOB      UINT64_C(0x10004000)

#define RIG_IRQ_UART    10
#define RIG_IRQ_RTC     11
#define RIG_IRQ_BLK     1
#define RIG_IRQ_CONSOLE 2
#define RIG_IRQ_RNG     3
#define RIG_IRQ_JOB     4

#define RIG_DISK_SIZE (UINT64_C(64) << 10)
#define RIG_START_NS  UINT64_C(1700000000000000000)
#define RIG_IMAGES    8

/* The processor: time passes, nothing else. */
struct rig_cpu_state {
    uint64_t cycle;
    uint64_t lines;        /* bit n: the level of line n */
    uint64_t time_written; /* notices that mtime was written */
};

static const struct attr rig_cpu_attrs[] = {
    ATTR(struct rig_cpu_state, cycle, 0, "local time"),
    ATTR(struct rig_cpu_state, lines, 0, "levels"),
    ATTR(struct rig_cpu_state, time_written, 0, "notices"),
};

static const struct schema rig_cpu_schema = {
    .name = "riscv-hart", /* what the devices' links insist on */
    .version = 1,
    .state = ATTR_TABLE(struct rig_cpu_state, rig_cpu_attrs),
    .config = ATTR_TABLE_NONE,
    .meaning = "a processor that waits",
};

static uint64_t rig_cpu_run(struct object *cpu, uint64_t limit, uint64_t instructions)
{
    struct rig_cpu_state *state = cpu->state;
    uint64_t count = limit - state->cycle < instructions ? limit - state->cycle : instructions;

    state->cycle += count;
    return count;
}

static uint64_t rig_cpu_cycle(const struct object *cpu)
{
    return ((const struct rig_cpu_state *)cpu->state)->cycle;
}

static void rig_cpu_set_cycle(struct object *cpu, uint64_t cycle)
{
    ((struct rig_cpu_state *)cpu->state)->cycle = cycle;
}

static bool rig_cpu_waiting(const struct object *cpu)
{
    (void)cpu;
    return false;
}

static void rig_cpu_nothing(struct object *cpu)
{
    (void)cpu;
}

static void rig_cpu_set_line(struct object *cpu, uint32_t line, bool level)
{
    struct rig_cpu_state *state = cpu->state;

    if (line == CLINT_LINE_TIME_WRITTEN)
        state->time_written++;
    else if (level)
        state->lines |= UINT64_C(1) << line;
    else
        state->lines &= ~(UINT64_C(1) << line);
}

static const struct cpu_ops rig_cpu_ops = {
    .run = rig_cpu_run,
    .cycle = rig_cpu_cycle,
    .set_cycle = rig_cpu_set_cycle,
    .waiting = rig_cpu_waiting,
    .end_turn = rig_cpu_nothing,
    .flush = rig_cpu_nothing,
    .flush_writes = rig_cpu_nothing,
};

static const struct model rig_cpu_model = {
    .name = "test-cpu",
    .schema = &rig_cpu_schema,
    .set_line = rig_cpu_set_line,
    .cpu = &rig_cpu_ops,
};

struct rig_snapshot {
    struct hash root;
    uint8_t *data;
    uint64_t size;
};

struct rig {
    struct registry registry;
    struct machine *machine;
    struct buf console; /* everything any console put out */
    uint64_t magic;     /* the last value a guest stored there */
    struct buf manifest;
    struct rig_snapshot snapshots[RIG_IMAGES];
    uint32_t snapshot_count;
    struct err err;
};

#define RIG_OK(rig, call)                                                                          \
    do {                                                                                           \
        if (!(call))                                                                               \
            fail_msg("%s: %s", #call, (rig)->err.text);                                            \
    } while (0)

static inline void rig_console(void *context, struct object *object, const uint8_t *bytes,
                               size_t size)
{
    struct rig *rig = context;

    (void)object;
    RIG_OK(rig, buf_append(&rig->console, bytes, size, &rig->err));
}

static inline void rig_magic(void *context, struct object *object, uint64_t value)
{
    (void)object;
    ((struct rig *)context)->magic = value;
}

static inline void rig_add(struct rig *rig, const char *path, const char *model, const void *config)
{
    RIG_OK(rig, machine_add(rig->machine, path, model, config, NULL, &rig->err));
}

static inline void rig_link(struct rig *rig, const char *path, const char *slot, const char *target)
{
    RIG_OK(rig, object_link(machine_find(rig->machine, path), slot, target, &rig->err));
}

static inline void rig_image(struct rig *rig, const char *path, const char *slot, uint64_t size)
{
    struct image *image = NULL;

    RIG_OK(rig, image_new(size, &image, &rig->err));
    RIG_OK(rig, object_take_image(machine_find(rig->machine, path), slot, image, &rig->err));
}

static inline void rig_add_virtio(struct rig *rig)
{
    struct virtio_blk_config blk = {
        .mmio = {RIG_BLK, RIG_IRQ_BLK, 0},
        .image_size = RIG_DISK_SIZE,
        .capacity = RIG_DISK_SIZE,
        .latency_ns = 20000,
        .serial = "disk-of-the-rig",
    };
    struct virtio_console_config console = {.mmio = {RIG_CONSOLE, RIG_IRQ_CONSOLE, 0}};
    struct virtio_rng_config rng = {.mmio = {RIG_RNG, RIG_IRQ_RNG, 0}, .seed = 7};

    rig_add(rig, "board.blk", "virtio-blk", &blk);
    blk.mmio = (struct virtio_mmio_config){RIG_JOB, RIG_IRQ_JOB, 0};
    blk.capacity = 0;
    rig_add(rig, "board.job", "virtio-blk", &blk);
    rig_add(rig, "board.console", "virtio-console", &console);
    rig_add(rig, "board.rng", "virtio-rng", &rng);
    rig_image(rig, "board.blk", "disk", RIG_DISK_SIZE);
    rig_image(rig, "board.job", "disk", RIG_DISK_SIZE);
    rig_link(rig, "board.blk", "interrupts", "board.plic");
    rig_link(rig, "board.job", "interrupts", "board.plic");
    rig_link(rig, "board.console", "interrupts", "board.plic");
    rig_link(rig, "board.rng", "interrupts", "board.plic");
}

static inline void rig_add_plain(struct rig *rig)
{
    struct ram_config ram = {.base = RIG_RAM, .size = RIG_RAM_SIZE};
    struct ram_config rom = {.base = RIG_ROM, .size = IMAGE_CHUNK_SIZE, .read_only = 1};
    struct clint_config clint = {RIG_CLINT, 10000000, 1, 0};
    struct plic_config plic = {RIG_PLIC, 1, 0};
    struct uart_config uart = {RIG_UART, RIG_IRQ_UART, 0};
    struct finisher_config finisher = {RIG_FINISHER};
    struct rtc_config rtc = {RIG_RTC, RIG_START_NS, RIG_IRQ_RTC, 0};
    struct magic_config magic = {RIG_MAGIC};
    struct htif_config htif = {RIG_TOHOST, RIG_FROMHOST};

    rig_add(rig, "board.ram", "ram", &ram);
    rig_add(rig, "board.rom", "ram", &rom);
    rig_image(rig, "board.ram", "bytes", RIG_RAM_SIZE);
    rig_image(rig, "board.rom", "bytes", IMAGE_CHUNK_SIZE);
    rig_add(rig, "board.cpu", "test-cpu", NULL);
    rig_add(rig, "board.clint", "sifive-clint", &clint);
    rig_add(rig, "board.plic", "sifive-plic", &plic);
    rig_add(rig, "board.uart", "ns16550", &uart);
    rig_add(rig, "board.finisher", "sifive-test", &finisher);
    rig_add(rig, "board.rtc", "goldfish-rtc", &rtc);
    rig_add(rig, "board.magic", "thaw-magic", &magic);
    rig_add(rig, "board.htif", "htif", &htif);
    rig_link(rig, "board.clint", "hart0", "board.cpu");
    rig_link(rig, "board.plic", "hart0", "board.cpu");
    rig_link(rig, "board.uart", "interrupts", "board.plic");
    rig_link(rig, "board.rtc", "interrupts", "board.plic");
}

static inline void rig_host(struct rig *rig)
{
    rig->machine->host.context = rig;
    rig->machine->host.console = rig_console;
    rig->machine->host.magic = rig_magic;
}

/* Registry and an empty machine with its root; the caller adds objects, then rig_open. */
static inline struct rig *rig_begin(void)
{
    struct rig *rig = calloc(1, sizeof *rig);

    assert_non_null(rig);
    rig->console.max = 1 << 20;
    rig->manifest.max = 1 << 20;
    registry_add(&rig->registry, &machine_model);
    registry_add(&rig->registry, &rig_cpu_model);
    devices_register(&rig->registry);
    rig->machine = machine_new(&rig->registry);
    rig_add(rig, "machine", "thaw-machine", NULL);
    return rig;
}

static inline void rig_open(struct rig *rig)
{
    RIG_OK(rig, machine_open(rig->machine, &rig->err));
    machine_reset(rig->machine);
    rig_host(rig);
}

static inline struct rig *rig_new(void)
{
    struct rig *rig = rig_begin();

    rig_add_plain(rig);
    rig_add_virtio(rig);
    rig_open(rig);
    return rig;
}

static inline void rig_forget(struct rig *rig)
{
    for (uint32_t i = 0; i < rig->snapshot_count; i++)
        free(rig->snapshots[i].data);
    rig->snapshot_count = 0;
}

static inline void rig_free(struct rig *rig)
{
    rig_forget(rig);
    machine_free(rig->machine);
    buf_release(&rig->console);
    buf_release(&rig->manifest);
    free(rig);
}

static inline bool rig_try_read(struct rig *rig, uint64_t address, uint32_t size, uint64_t *value)
{
    struct object *first = machine_find(rig->machine, "board.ram");

    rig->machine->now = machine_cycle(rig->machine);
    bool ok = bus_read(object_bus(first), address, size, value);
    machine_settle(rig->machine);
    return ok;
}

static inline bool rig_try_write(struct rig *rig, uint64_t address, uint32_t size, uint64_t value)
{
    struct object *first = machine_find(rig->machine, "board.ram");

    rig->machine->now = machine_cycle(rig->machine);
    bool ok = bus_write(object_bus(first), address, size, value);
    machine_settle(rig->machine);
    return ok;
}

static inline uint64_t rig_read(struct rig *rig, uint64_t address, uint32_t size)
{
    uint64_t value = 0;

    if (!rig_try_read(rig, address, size, &value))
        fail_msg("a read of %u bytes at 0x%llx faults", size, (unsigned long long)address);
    return value;
}

static inline void rig_write(struct rig *rig, uint64_t address, uint32_t size, uint64_t value)
{
    if (!rig_try_write(rig, address, size, value))
        fail_msg("a write of %u bytes at 0x%llx faults", size, (unsigned long long)address);
}

/* Lets virtual time pass. */
static inline void rig_run(struct rig *rig, uint64_t cycles)
{
    struct machine_limits limits = {UINT64_MAX, machine_cycle(rig->machine) + cycles};

    machine_run(rig->machine, &limits);
}

/* The level of an interrupt line of the processor. */
static inline bool rig_line(struct rig *rig, uint32_t line)
{
    const struct rig_cpu_state *state = machine_find(rig->machine, "board.cpu")->state;

    return (state->lines >> line & 1) != 0;
}

/* Whether a device drives its interrupt wire: the PLIC's view. */
static inline bool rig_wire(struct rig *rig, uint32_t irq)
{
    const struct plic_state *state = machine_find(rig->machine, "board.plic")->state;

    return (state->level[irq / 32] >> irq % 32 & 1) != 0;
}

static inline size_t rig_input(struct rig *rig, const char *path, const char *kind,
                               struct span bytes)
{
    size_t taken = 0;

    RIG_OK(rig, machine_input(rig->machine, machine_find(rig->machine, path), kind, bytes, &taken,
                              &rig->err));
    return taken;
}

static inline struct hash rig_digest(struct rig *rig)
{
    struct checkpoint_ids ids;

    RIG_OK(rig, machine_digest(rig->machine, &ids, &rig->err));
    return ids.state_id;
}

static inline void rig_snapshot(struct rig *rig, struct image *image)
{
    struct rig_snapshot *snapshot = &rig->snapshots[rig->snapshot_count++];

    assert_true(rig->snapshot_count <= RIG_IMAGES);
    RIG_OK(rig, image_commit(image, NULL, &snapshot->root, &rig->err));
    snapshot->size = image->size;
    snapshot->data = malloc((size_t)image->size);
    assert_non_null(snapshot->data);
    memcpy(snapshot->data, image->data, (size_t)image->size);
}

static inline void rig_release_mapping(struct image_mapping *mapping)
{
    free(mapping->data);
    mapping->data = NULL;
}

static inline bool rig_source(void *context, const struct hash *root, uint64_t size,
                              struct image_mapping *out, struct err *err)
{
    struct rig *rig = context;

    for (uint32_t i = 0; i < rig->snapshot_count; i++) {
        if (!hash_equal(&rig->snapshots[i].root, root) || rig->snapshots[i].size != size)
            continue;
        void *data = aligned_alloc(IMAGE_PAGE_SIZE, (size_t)size);
        memcpy(data, rig->snapshots[i].data, (size_t)size);
        *out = (struct image_mapping){.data = data, .size = size, .release = rig_release_mapping};
        return true;
    }
    return err_set(err, ERR_NOT_FOUND, "no such image");
}

static inline void rig_freeze(struct rig *rig)
{
    struct checkpoint_ids ids;

    rig_forget(rig);
    buf_clear(&rig->manifest);
    for (uint32_t i = 0; i < rig->machine->object_count; i++)
        for (uint32_t slot = 0; slot < rig->machine->objects[i]->model->schema->image_count; slot++)
            rig_snapshot(rig, rig->machine->objects[i]->images[slot]);
    RIG_OK(rig, machine_save(rig->machine, NULL, &rig->manifest, &ids, &rig->err));
}

/* The machine is thrown away and made again from the checkpoint that rig_freeze made. */
static inline bool rig_try_thaw(struct rig *rig)
{
    struct image_source source = {rig_source, rig};
    struct machine *machine = NULL;

    if (!machine_load(&rig->registry, buf_span(&rig->manifest), &source, NULL, &machine, &rig->err))
        return false;
    machine_free(rig->machine);
    rig->machine = machine;
    rig_host(rig);
    return true;
}

/* Freezes and thaws; the state id must not notice. */
static inline void rig_cycle(struct rig *rig)
{
    struct hash before = rig_digest(rig);

    rig_freeze(rig);
    RIG_OK(rig, rig_try_thaw(rig));
    struct hash after = rig_digest(rig);
    assert_true(hash_equal(&before, &after));
}

/* Runs `step` on one machine straight through and on another with a freeze and thaw before each
 * step: the digests must be the same after every step. */
typedef void rig_step(struct rig *rig, uint32_t step);
static inline void rig_check_thaw(struct rig *(*make)(void), rig_step *step, uint32_t count)
{
    struct rig *straight = make();
    struct rig *thawed = make();

    for (uint32_t i = 0; i < count; i++) {
        step(straight, i);
        rig_cycle(thawed);
        step(thawed, i);
        struct hash a = rig_digest(straight);
        struct hash b = rig_digest(thawed);
        if (!hash_equal(&a, &b))
            fail_msg("the digests differ after step %u", i);
    }
    assert_int_equal(straight->console.size, thawed->console.size);
    rig_free(straight);
    rig_free(thawed);
}

/* A state that no hardware can hold: the checkpoint that says so must be refused, naming the
 * attribute. */
static inline void rig_check_refused(const char *path, const char *attribute, uint32_t index,
                                     uint64_t value)
{
    struct rig *rig = rig_new();
    struct object *object = machine_find(rig->machine, path);
    const struct attr *attr = attr_find(&object->model->schema->state, span_of_text(attribute));

    assert_non_null(attr);
    attr_set(attr, object->state, index, value);
    rig_freeze(rig);
    if (rig_try_thaw(rig))
        fail_msg("%s.%s[%u] = 0x%llx was taken", path, attribute, index, (unsigned long long)value);
    assert_non_null(strstr(rig->err.text, path));
    rig_free(rig);
}

#endif
