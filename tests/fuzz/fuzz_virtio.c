/* Any driver, any registers: the input is a little program of a hostile guest, and of its user.
 *
 * | operation (low 3 bits) | operands                        | does            |
 * |------------------------|---------------------------------|-----------------|
 * | 0                      | device, register / 4, value (4) | writes a virtio |
 * register       | | 1                      | device, register / 4                         | reads
 * one, in a size from bits 3, 4 | | 2                      | device, offset (2), count, bytes |
 * writes the device's ring memory | | 3                      | n | lets 500 n cycles pass         |
 * | 4                      | device, count, bytes                         | an input event | | 5 |
 * device                                       | starts a good driver           | | 6 | device,
 * offset (3), value (4)                | pokes a plain device; size: bits 3, 4; bit 5: reads | | 7
 * | none                                         | freezes and thaws, once        | Whatever it
 * does, every device must end in a state that it would itself take from a checkpoint. */
#include "tests/fuzz/fuzz.h"

#include "sim/device/net_switch.h"
#include "sim/device/virtio_net.h"
#include "storage/base/check.h"
#include "tests/sim/device/driver.h"

#define NET_A  UINT64_C(0x10010000)
#define NET_B  UINT64_C(0x10011000)
#define RINGS  (RIG_RAM + 0x10000)
#define STRIDE 0x4000 /* ring memory of each device */

static const uint64_t bases[] = {RIG_BLK, RIG_JOB, RIG_CONSOLE, RIG_RNG, NET_A, NET_B};
static const uint32_t queues[] = {1, 1, 2, 1, 2, 2};
#define DEVICES (sizeof bases / sizeof bases[0])

static const uint64_t plain[] = {RIG_RAM,   RIG_FINISHER, RIG_RTC,  RIG_MAGIC, RIG_ROM,
                                 RIG_CLINT, RIG_PLIC,     RIG_UART, 0};
#define PLAIN (sizeof plain / sizeof plain[0])

static const char *const inputs[][2] = {
    {"board.uart", "console"}, {"board.console", "console"}, {"board.htif", "console"},
    {"board.job", "media"},    {"board.job", "resize"},      {"board.rng", "seed"},
    {"board.blk", "media"},    {"board.uart", "nonsense"},
};
#define INPUTS (sizeof inputs / sizeof inputs[0])

struct program {
    struct rig *rig;
    const uint8_t *at;
    size_t left;
    bool frozen; /* once is enough: it is slow */
};

static uint64_t next(struct program *program, uint32_t bytes)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < bytes; i++) {
        if (program->left == 0)
            break;
        value |= (uint64_t)*program->at << 8 * i;
        program->at++;
        program->left--;
    }
    return value;
}

static struct span next_span(struct program *program)
{
    size_t size = (size_t)next(program, 1);
    struct span span = {program->at, size < program->left ? size : program->left};

    program->at += span.size;
    program->left -= span.size;
    return span;
}

static void add_net(struct rig *rig, const char *name, uint64_t base, uint8_t number)
{
    struct virtio_net_config config = {
        .mmio = {base, 20u + number, 0},
        .mac = {2, 0, 0, 0, 0, number},
    };

    rig_add(rig, name, "virtio-net", &config);
    rig_link(rig, name, "interrupts", "board.plic");
    rig_link(rig, name, "switch", "switch0");
    rig_link(rig, "switch0", number == 0 ? "port0" : "port1", name);
}

static struct rig *whole_rig(void)
{
    struct rig *rig = rig_begin();

    rig_add_plain(rig);
    rig_add_virtio(rig);
    rig_add(rig, "switch0", "thaw-switch", NULL);
    rig_image(rig, "switch0", "frames", NET_FRAMES_SIZE);
    add_net(rig, "board.net0", NET_A, 0);
    add_net(rig, "board.net1", NET_B, 1);
    rig_open(rig);
    return rig;
}

static void do_register(struct program *program, uint8_t operation)
{
    uint64_t base = bases[next(program, 1) % DEVICES];
    uint64_t address = base + 4 * next(program, 1);
    uint64_t value = 0;

    if ((operation & 7) == 0)
        (void)rig_try_write(program->rig, address, 4, next(program, 4));
    else
        (void)rig_try_read(program->rig, address, 1u << (operation >> 3 & 3), &value);
}

static void do_memory(struct program *program)
{
    uint64_t device = next(program, 1) % DEVICES;
    uint64_t address = RINGS + STRIDE * device + next(program, 2) % STRIDE;
    struct span bytes = next_span(program);

    for (size_t i = 0; i < bytes.size; i++)
        (void)rig_try_write(program->rig, address + i, 1, bytes.data[i]);
}

static void do_input(struct program *program)
{
    const char *const *input = inputs[next(program, 1) % INPUTS];
    struct object *object = machine_find(program->rig->machine, input[0]);
    struct span bytes = next_span(program);
    size_t taken = 0;

    if (machine_input(program->rig->machine, object, input[1], bytes, &taken, &program->rig->err))
        CHECK(taken <= bytes.size);
}

static void do_start(struct program *program)
{
    uint64_t device = next(program, 1) % DEVICES;
    struct driver driver = {program->rig, bases[device], RINGS + STRIDE * device};

    driver_start(&driver, queues[device]);
}

static void do_plain(struct program *program, uint8_t operation)
{
    uint64_t base = plain[next(program, 1) % PLAIN];
    uint32_t size = 1u << (operation >> 3 & 3);
    uint64_t address = (base + next(program, 3)) / size * size;
    uint64_t value = next(program, 4);

    if ((operation & 32) != 0)
        (void)rig_try_read(program->rig, address, size, &value);
    else
        (void)rig_try_write(program->rig, address, size, value | value << 32);
}

static void do_freeze(struct program *program)
{
    if (!program->frozen)
        rig_cycle(program->rig);
    program->frozen = true;
}

static void step(struct program *program)
{
    uint8_t operation = (uint8_t)next(program, 1);

    switch (operation & 7) {
    case 0:
    case 1:
        do_register(program, operation);
        break;
    case 2:
        do_memory(program);
        break;
    case 3:
        rig_run(program->rig, 500 * next(program, 1));
        break;
    case 4:
        do_input(program);
        break;
    case 5:
        do_start(program);
        break;
    case 6:
        do_plain(program, operation);
        break;
    default:
        do_freeze(program);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct program program = {whole_rig(), data, size, false};
    struct machine *machine = program.rig->machine;

    for (uint32_t steps = 0; steps < 2000 && program.left != 0; steps++)
        step(&program);
    machine = program.rig->machine;
    for (uint32_t i = 0; i < machine->object_count; i++) {
        const struct object *object = machine->objects[i];
        if (object->model->check_state == NULL)
            continue;
        CHECK(object->model->check_state(object, object->state, &program.rig->err));
    }
    rig_free(program.rig);
    return 0;
}
