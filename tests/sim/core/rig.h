/* rig.h — a machine for the tests of sim/core: a cpu of one-letter programs, timers, a latch, RAM.
 *
 * All models trace into the rig_trace that is the machine's host context (it may be NULL). */
#ifndef THAW_TESTS_SIM_CORE_RIG_H
#define THAW_TESTS_SIM_CORE_RIG_H

#include "sim/core/checkpoint.h"
#include "storage/base/check.h"
#include "tests/sim/core/rig_store.h"
#include "tests/support/base_test.h"

#include <string.h>

#define RIG_TIMER_BASE  UINT64_C(0x1000) /* timer i is at RIG_TIMER_BASE + i * RIG_TIMER_SIZE */
#define RIG_TIMER_SIZE  UINT64_C(0x100)
#define RIG_RAM_BASE    UINT64_C(0x80000000)
#define RIG_RAM_SIZE    (2u * IMAGE_CHUNK_SIZE)
#define RIG_PROGRAM_MAX 16
#define RIG_QUANTUM     UINT64_C(64)

/* What fired, in order. */
#define RIG_TRACE_MAX 4096
struct rig_trace {
    struct {
        const struct object *object;
        uint64_t now;
    } fires[RIG_TRACE_MAX];
    uint32_t count;
};

/* ---- the cpu: one cycle an instruction; the program is repeated for ever ----
 *
 * | letter | what it does                                                                |
 * |--------|-----------------------------------------------------------------------------|
 * | n      | nothing                                                                     |
 * | w      | wait for the line; takes it away from timer 0 when it comes                 |
 * | t      | timer 0 shall fire in 1 to 300 cycles, as `mix` says                        |
 * | d      | timer 0 shall fire in 10 cycles                                             |
 * | e      | timer 0 shall fire now (is due as soon as the instruction is over)          |
 * | r      | reads timer 0's count into `mix`                                            |
 * | s      | stores `mix` into RAM where `mix` says                                      |
 * | q      | asks the machine to stop                                                    |
 * | h      | halts the machine with exit code 7                                          |
 * | ?      | one of n, w, t, r, s, as `mix` says                                         |
 */
struct rig_cpu_state {
    uint64_t cycle;
    uint64_t pc;
    uint64_t mix;
    uint64_t turns; /* ended */
    uint32_t wfi;
    uint32_t line;
};
struct rig_cpu_config {
    uint64_t seed;
    uint8_t program[RIG_PROGRAM_MAX]; /* ends with 0 or the array */
};

/* clang-format off */
static const struct attr rig_cpu_attrs[] = {
    ATTR(struct rig_cpu_state, cycle, 0, "local time"),
    ATTR(struct rig_cpu_state, pc, 0, "instructions executed"),
    ATTR(struct rig_cpu_state, mix, 1, "what it computed"),
    ATTR(struct rig_cpu_state, turns, 0, "turns ended"),
    ATTR(struct rig_cpu_state, wfi, 0, "1: waits for the line"),
    ATTR(struct rig_cpu_state, line, 0, "level of the interrupt line"),
};
static const struct attr rig_cpu_config_attrs[] = {
    ATTR(struct rig_cpu_config, seed, 0, "mixed into what it computes"),
    ATTR_BLOB(struct rig_cpu_config, program, "letters"),
};
/* clang-format on */

static inline void rig_mmio(struct object *cpu, uint64_t offset, uint64_t value)
{
    CHECK(bus_write(object_bus(cpu), RIG_TIMER_BASE + offset, 8, value));
}

static inline void rig_cpu_wait(struct object *cpu)
{
    struct rig_cpu_state *state = cpu->state;

    if (state->line != 0)
        rig_mmio(cpu, 8, 0);
    else
        state->wfi = 1;
}

static inline void rig_cpu_access(struct object *cpu, char letter)
{
    struct rig_cpu_state *state = cpu->state;
    uint64_t value;

    if (letter == 't')
        rig_mmio(cpu, 0, 1 + state->mix % 300);
    if (letter == 'd' || letter == 'e')
        rig_mmio(cpu, 0, letter == 'd' ? 10 : 0);
    if (letter == 'q')
        rig_mmio(cpu, 16, 0);
    if (letter == 'h')
        rig_mmio(cpu, 24, 7);
    if (letter == 'r') {
        CHECK(bus_read(object_bus(cpu), RIG_TIMER_BASE, 8, &value));
        state->mix += value;
    }
    if (letter == 's') {
        uint64_t at = state->mix % (RIG_RAM_SIZE / 8) * 8;
        CHECK(bus_write(object_bus(cpu), RIG_RAM_BASE + at, 8, state->mix));
    }
}

static inline char rig_cpu_letter(const struct object *cpu)
{
    const struct rig_cpu_config *config = cpu->config;
    const struct rig_cpu_state *state = cpu->state;
    const uint8_t *end = memchr(config->program, 0, RIG_PROGRAM_MAX);
    uint64_t length = end != NULL ? (uint64_t)(end - config->program) : RIG_PROGRAM_MAX;
    char letter = length == 0 ? 'n' : (char)config->program[state->pc % length];

    /* Waits are rare, so that turns are cut in all sorts of places. */
    return letter == '?' ? "nnnnwntrnnsntrss"[state->mix >> 8 & 15] : letter;
}

static inline void rig_cpu_step(struct object *cpu)
{
    const struct rig_cpu_config *config = cpu->config;
    struct rig_cpu_state *state = cpu->state;
    uint64_t mixed = state->mix + config->seed;
    char letter = rig_cpu_letter(cpu);

    cpu->machine->now = state->cycle;
    if (state->wfi != 0) {
        state->wfi = 0;
        rig_mmio(cpu, 8, 0);
    }
    state->mix = base_random(&mixed);
    state->pc++;
    if (letter == 'w')
        rig_cpu_wait(cpu);
    else
        rig_cpu_access(cpu, letter);
    state->cycle++;
}

static inline bool rig_cpu_waiting(const struct object *cpu)
{
    const struct rig_cpu_state *state = cpu->state;

    return state->wfi != 0 && state->line == 0;
}

static inline uint64_t rig_cpu_run(struct object *cpu, uint64_t cycle_limit,
                                   uint64_t instructions_max)
{
    const struct rig_cpu_state *state = cpu->state;
    uint64_t done = 0;

    while (state->cycle < cycle_limit && done < instructions_max && !rig_cpu_waiting(cpu)) {
        rig_cpu_step(cpu);
        done++;
        if (cpu->machine->stop_requested || cpu->machine->deadline_changed)
            break;
    }
    return done;
}

static inline uint64_t rig_cpu_cycle(const struct object *cpu)
{
    return ((const struct rig_cpu_state *)cpu->state)->cycle;
}

static inline void rig_cpu_set_cycle(struct object *cpu, uint64_t cycle)
{
    struct rig_cpu_state *state = cpu->state;

    CHECK(cycle > state->cycle && rig_cpu_waiting(cpu));
    state->cycle = cycle;
}

static inline void rig_cpu_end_turn(struct object *cpu)
{
    ((struct rig_cpu_state *)cpu->state)->turns++;
}

static inline void rig_nothing(struct object *object)
{
    (void)object;
}

static inline void rig_cpu_line(struct object *cpu, uint32_t line, bool level)
{
    CHECK(line == 0);
    ((struct rig_cpu_state *)cpu->state)->line = level;
}

static const struct cpu_ops rig_cpu_ops = {
    .run = rig_cpu_run,
    .cycle = rig_cpu_cycle,
    .set_cycle = rig_cpu_set_cycle,
    .waiting = rig_cpu_waiting,
    .end_turn = rig_cpu_end_turn,
    .flush = rig_nothing,
    .flush_writes = rig_nothing,
};
static const struct schema rig_cpu_schema = {
    .name = "rig-cpu",
    .version = 1,
    .state = ATTR_TABLE(struct rig_cpu_state, rig_cpu_attrs),
    .config = ATTR_TABLE(struct rig_cpu_config, rig_cpu_config_attrs),
};
static const struct model rig_cpu_model = {
    .name = "rig-cpu",
    .schema = &rig_cpu_schema,
    .set_line = rig_cpu_line,
    .cpu = &rig_cpu_ops,
};

/* ---- the timer: an absolute deadline, and a wire that it raises ----
 *
 * | offset | read                | write                                                 |
 * |--------|---------------------|-------------------------------------------------------|
 * | 0      | how often it fired  | fire so many cycles from now                          |
 * | 8      | 0                   | the wire goes down                                    |
 * | 16     | 0                   | machine_stop                                          |
 * | 24     | 0                   | machine_halt with this exit code                      |
 * Input "delay": one byte, the same as a write to 0.
 */
struct rig_timer_state {
    uint64_t deadline;
    uint64_t count;
    uint64_t level;
};
struct rig_timer_config {
    uint64_t place;  /* which timer of the board it is */
    uint64_t first;  /* the deadline after reset; 0: none */
    uint64_t period; /* 0: fires once */
};

/* clang-format off */
static const struct attr rig_timer_attrs[] = {
    ATTR(struct rig_timer_state, deadline, CYCLE_NEVER, "when it fires"),
    ATTR(struct rig_timer_state, count, 0, "how often it fired"),
    ATTR(struct rig_timer_state, level, 0, "of the wire"),
};
static const struct attr rig_timer_config_attrs[] = {
    ATTR(struct rig_timer_config, place, 0, "which timer of the board it is"),
    ATTR(struct rig_timer_config, first, 0, "deadline after reset, or 0"),
    ATTR(struct rig_timer_config, period, 0, "cycles, or 0"),
};
static const struct link_slot rig_wire[] = {{"wire", NULL, false, "whose line 0 it raises"}};
/* clang-format on */

static inline void rig_timer_set(struct object *timer, uint64_t delay)
{
    ((struct rig_timer_state *)timer->state)->deadline = machine_now(timer->machine) + delay;
    machine_deadline_changed(timer->machine);
}

static inline bool rig_timer_read(struct object *timer, uint64_t offset, uint32_t size,
                                  uint64_t *value)
{
    (void)size;
    *value = offset == 0 ? ((struct rig_timer_state *)timer->state)->count : 0;
    return offset < 32;
}

static inline bool rig_timer_write(struct object *timer, uint64_t offset, uint32_t size,
                                   uint64_t value)
{
    struct rig_timer_state *state = timer->state;

    (void)size;
    if (offset == 0)
        rig_timer_set(timer, value);
    if (offset == 8) {
        state->level = 0;
        object_set_line(timer->links[0], 0, false);
    }
    if (offset == 16)
        machine_stop(timer->machine);
    if (offset == 24)
        machine_halt(timer->machine, 1, value);
    return offset < 32;
}

static inline bool rig_timer_input(struct object *timer, const char *kind, struct span bytes,
                                   size_t *taken, struct err *err)
{
    if (strcmp(kind, "delay") != 0 || bytes.size == 0)
        return err_set(err, ERR_USAGE, "no such input as %s", kind);
    rig_timer_set(timer, bytes.data[0]);
    *taken = 1;
    return true;
}

static inline uint64_t rig_timer_deadline(const struct object *timer)
{
    return ((const struct rig_timer_state *)timer->state)->deadline;
}

static inline void rig_timer_fire(struct object *timer, uint64_t now)
{
    const struct rig_timer_config *config = timer->config;
    struct rig_timer_state *state = timer->state;
    struct rig_trace *trace = timer->machine->host.context;

    CHECK(state->deadline <= now && machine_now(timer->machine) == now);
    if (trace != NULL) {
        CHECK(trace->count < RIG_TRACE_MAX);
        trace->fires[trace->count].object = timer;
        trace->fires[trace->count++].now = now;
    }
    state->deadline = config->period != 0 ? now + config->period : CYCLE_NEVER;
    state->count++;
    state->level = 1;
    machine_deadline_changed(timer->machine);
    object_set_line(timer->links[0], 0, true);
}

static inline void rig_timer_reset(struct object *timer)
{
    const struct rig_timer_config *config = timer->config;

    if (config->first != 0)
        ((struct rig_timer_state *)timer->state)->deadline = config->first;
}

static inline bool rig_timer_open(struct object *timer, struct err *err)
{
    const struct rig_timer_config *config = timer->config;
    struct bus_region region = {.base = RIG_TIMER_BASE + config->place * RIG_TIMER_SIZE,
                                .size = RIG_TIMER_SIZE,
                                .device = timer};

    return bus_add(object_bus(timer), &region, err);
}

static const struct mmio_ops rig_timer_mmio = {rig_timer_read, rig_timer_write};
static const struct schema rig_timer_schema = {
    .name = "rig-timer",
    .version = 1,
    .state = ATTR_TABLE(struct rig_timer_state, rig_timer_attrs),
    .config = ATTR_TABLE(struct rig_timer_config, rig_timer_config_attrs),
    .links = rig_wire,
    .link_count = 1,
};
static const struct model rig_timer_model = {
    .name = "rig-timer",
    .schema = &rig_timer_schema,
    .open = rig_timer_open,
    .reset = rig_timer_reset,
    .deadline = rig_timer_deadline,
    .fire = rig_timer_fire,
    .input = rig_timer_input,
    .mmio = &rig_timer_mmio,
};

/* ---- the latch: counts edges on its line and hands the level on ---- */

struct rig_latch_state {
    uint64_t level;
    uint64_t edges;
    uint64_t at; /* when the last one came */
};

/* clang-format off */
static const struct attr rig_latch_attrs[] = {
    ATTR(struct rig_latch_state, level, 0, "of the line"),
    ATTR(struct rig_latch_state, edges, 0, "seen"),
    ATTR(struct rig_latch_state, at, 0, "when the last one came"),
};
/* clang-format on */

static inline void rig_latch_line(struct object *latch, uint32_t line, bool level)
{
    struct rig_latch_state *state = latch->state;

    if (state->level != level) {
        state->edges++;
        state->at = machine_now(latch->machine);
    }
    state->level = level;
    object_set_line(latch->links[0], line, level);
}

static const struct schema rig_latch_schema = {
    .name = "rig-latch",
    .version = 1,
    .state = ATTR_TABLE(struct rig_latch_state, rig_latch_attrs),
    .config = ATTR_TABLE_NONE,
    .links = rig_wire,
    .link_count = 1,
};
static const struct model rig_latch_model = {
    .name = "rig-latch",
    .schema = &rig_latch_schema,
    .set_line = rig_latch_line,
};

/* ---- RAM ---- */

static const struct image_slot rig_ram_images[] = {{"bytes", "its bytes"}};
static const struct schema rig_ram_schema = {
    .name = "rig-ram",
    .version = 1,
    .state = ATTR_TABLE_NONE,
    .config = ATTR_TABLE_NONE,
    .images = rig_ram_images,
    .image_count = 1,
};

static inline bool rig_ram_open(struct object *ram, struct err *err)
{
    struct bus_region region = {.base = RIG_RAM_BASE, .size = RIG_RAM_SIZE, .writable = true};

    if (ram->images[0] == NULL && !image_new(RIG_RAM_SIZE, &ram->images[0], err))
        return false;
    region.ram = ram->images[0];
    return bus_add(object_bus(ram), &region, err);
}

static const struct model rig_ram_model = {
    .name = "rig-ram",
    .schema = &rig_ram_schema,
    .open = rig_ram_open,
};

static inline void rig_registry(struct registry *registry)
{
    memset(registry, 0, sizeof *registry);
    registry_add(registry, &machine_model);
    registry_add(registry, &rig_cpu_model);
    registry_add(registry, &rig_timer_model);
    registry_add(registry, &rig_latch_model);
    registry_add(registry, &rig_ram_model);
}

/* ---- machines ---- */

static inline struct object *rig_add(struct machine *machine, const char *path, const char *model,
                                     const void *config, const char *wire)
{
    struct object *object = NULL;
    struct err err = ERR_INIT;

    BASE_OK(machine_add(machine, path, model, config, &object, &err), &err);
    if (wire != NULL)
        BASE_OK(object_link(object, "wire", wire, &err), &err);
    return object;
}

static inline void rig_add_cpu(struct machine *machine, const char *path, const char *program,
                               uint64_t seed)
{
    struct rig_cpu_config config = {.seed = seed};

    assert_true(strlen(program) <= RIG_PROGRAM_MAX);
    memcpy(config.program, program, strlen(program));
    rig_add(machine, path, "rig-cpu", &config, NULL);
}

/* With only the root object in it. */
static inline struct machine *rig_machine(const struct registry *registry, uint64_t quantum)
{
    struct machine_config config = {1000000000, quantum, 1};
    struct machine *machine = machine_new(registry);

    rig_add(machine, "machine", "thaw-machine", &config, NULL);
    return machine;
}

static inline void rig_open(struct machine *machine)
{
    struct err err = ERR_INIT;

    BASE_OK(machine_open(machine, &err), &err);
    machine_reset(machine);
}

static inline struct rig_cpu_state *rig_cpu(struct machine *machine, uint32_t index)
{
    return machine->cpus[index]->state;
}

/* One board: `cpus` cpus that run `program`, RAM, and a timer whose wire leads to cpu 0. */
static inline struct machine *rig_board(const struct registry *registry, uint32_t cpus,
                                        const char *program, const struct rig_timer_config *timer)
{
    static const char *const paths[] = {"board0.cpu0", "board0.cpu1", "board0.cpu2"};
    struct machine *machine = rig_machine(registry, RIG_QUANTUM);

    for (uint32_t i = 0; i < cpus; i++)
        rig_add_cpu(machine, paths[i], program, i);
    rig_add(machine, "board0.timer0", "rig-timer", timer, "board0.latch");
    rig_add(machine, "board0.latch", "rig-latch", NULL, "board0.cpu0");
    rig_add(machine, "board0.ram", "rig-ram", NULL, NULL);
    rig_open(machine);
    return machine;
}

static inline struct hash rig_digest(struct machine *machine)
{
    struct checkpoint_ids ids;
    struct err err = ERR_INIT;

    BASE_OK(machine_digest(machine, &ids, &err), &err);
    return ids.state_id;
}

/* Frozen into the store and thawed out of it; the first is freed. */
static inline struct machine *rig_rethaw(struct machine *machine, struct rig_store *store)
{
    const struct registry *registry = machine->registry;
    struct image_source source = rig_store_source(store);
    struct chunk_sink sink = rig_store_sink(store);
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct host host = machine->host;
    struct machine *thawed = NULL;
    struct checkpoint_ids ids;
    struct err err = ERR_INIT;

    BASE_OK(machine_save(machine, &sink, &manifest, &ids, &err), &err);
    machine_free(machine);
    BASE_OK(machine_load(registry, buf_span(&manifest), &source, NULL, &thawed, &err), &err);
    thawed->host = host;
    buf_release(&manifest);
    return thawed;
}

static inline enum machine_stop rig_run(struct machine *machine, uint64_t instructions)
{
    return machine_run(machine, &(struct machine_limits){instructions, UINT64_MAX});
}

#endif
