#include "sim/device/clint.h"

#include "sim/device/device.h"

#define MSIP_END       (4 * CLINT_HARTS_MAX)
#define MTIMECMP_START 0x4000
#define MTIMECMP_END   (MTIMECMP_START + 8 * CLINT_HARTS_MAX)
#define MTIME          0xbff8

static uint64_t clint_ticks(const struct object *object, uint64_t cycle)
{
    const struct clint_config *config = object->config;

    return hz_ticks(cycle, config->timebase_hz, machine_config(object->machine)->clock_hz);
}

static uint64_t clint_cycle_of_tick(const struct object *object, uint64_t tick)
{
    const struct clint_config *config = object->config;

    return hz_cycle_of(tick, config->timebase_hz, machine_config(object->machine)->clock_hz);
}

static uint64_t clint_time(const struct object *object, uint64_t cycle)
{
    const struct clint_state *state = object->state;
    uint64_t ticks = clint_ticks(object, cycle);

    /* A hart whose turn is behind the writer's local time must not see a counter that went
     * backwards. */
    if (ticks < state->mtime_tick)
        return state->mtime_base;
    return state->mtime_base + (ticks - state->mtime_tick);
}

static uint64_t clint_cycle_of(const struct object *object, uint64_t time)
{
    const struct clint_state *state = object->state;

    if (time <= state->mtime_base)
        return 0;
    uint64_t delta = time - state->mtime_base;
    if (delta > UINT64_MAX - state->mtime_tick)
        return CYCLE_NEVER;
    return clint_cycle_of_tick(object, state->mtime_tick + delta);
}

/* The virtual time at which mtime goes from its last value to 0; it takes a guest that writes a
 * large one. */
static uint64_t clint_wrap_cycle(const struct object *object)
{
    const struct clint_state *state = object->state;
    uint64_t left = 0 - state->mtime_base;

    if (state->mtime_base == 0 || left > UINT64_MAX - state->mtime_tick)
        return CYCLE_NEVER;
    return clint_cycle_of_tick(object, state->mtime_tick + left);
}

static uint64_t clint_deadline(const struct object *object)
{
    const struct clint_config *config = object->config;
    const struct clint_state *state = object->state;
    uint64_t next = clint_wrap_cycle(object);

    for (uint32_t hart = 0; hart < config->hart_count; hart++) {
        if (state->mtip[hart] != 0)
            continue;
        uint64_t cycle = clint_cycle_of(object, state->mtimecmp[hart]);
        if (cycle < next)
            next = cycle;
    }
    return next;
}

/* Brings the timer wires in line with the counter. */
static void clint_update(struct object *object, uint64_t now)
{
    const struct clint_config *config = object->config;
    struct clint_state *state = object->state;
    uint64_t time = clint_time(object, now);

    for (uint32_t hart = 0; hart < config->hart_count; hart++) {
        uint8_t level = time >= state->mtimecmp[hart];
        if (level == state->mtip[hart])
            continue;
        state->mtip[hart] = level;
        object_set_line(object->links[hart], CLINT_LINE_MTI, level != 0);
    }
    machine_deadline_changed(object->machine);
}

static void clint_time_written(struct object *object, uint64_t now)
{
    const struct clint_config *config = object->config;

    clint_update(object, now);
    for (uint32_t hart = 0; hart < config->hart_count; hart++)
        object_set_line(object->links[hart], CLINT_LINE_TIME_WRITTEN, true);
}

static void clint_fire(struct object *object, uint64_t now)
{
    struct clint_state *state = object->state;

    if (now >= clint_wrap_cycle(object)) {
        state->mtime_tick -= state->mtime_base;
        state->mtime_base = 0;
        clint_time_written(object, now);
    } else {
        clint_update(object, now);
    }
}

static void clint_write_time(struct object *object, uint64_t time)
{
    struct clint_state *state = object->state;
    uint64_t now = machine_now(object->machine);

    state->mtime_base = time;
    state->mtime_tick = clint_ticks(object, now);
    clint_time_written(object, now);
}

/* The part of a 64-bit register that an access of 4 or 8 bytes sees, and with that part replaced.
 */
static uint64_t part_get(uint64_t whole, uint64_t offset, uint32_t size)
{
    return size == 8 ? whole : (whole >> (offset % 8 * 8)) & UINT32_MAX;
}

static uint64_t part_set(uint64_t whole, uint64_t offset, uint32_t size, uint64_t value)
{
    uint64_t shift = offset % 8 * 8;

    if (size == 8)
        return value;
    return (whole & ~((uint64_t)UINT32_MAX << shift)) | (value & UINT32_MAX) << shift;
}

static bool clint_access_ok(uint64_t offset, uint32_t size)
{
    if (offset >= CLINT_SIZE || offset % size != 0)
        return false;
    return size == 4 || (size == 8 && offset >= MTIMECMP_START);
}

static bool clint_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    const struct clint_config *config = object->config;
    const struct clint_state *state = object->state;
    uint64_t hart = offset < MTIMECMP_START ? offset / 4 : (offset - MTIMECMP_START) / 8;

    if (!clint_access_ok(offset, size))
        return false;
    *value = 0;
    if (offset / 8 * 8 == MTIME)
        *value = part_get(clint_time(object, machine_now(object->machine)), offset, size);
    else if (hart >= config->hart_count)
        *value = 0;
    else if (offset < MSIP_END)
        *value = state->msip[hart];
    else if (offset >= MTIMECMP_START && offset < MTIMECMP_END)
        *value = part_get(state->mtimecmp[hart], offset, size);
    return true;
}

static bool clint_write(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    const struct clint_config *config = object->config;
    struct clint_state *state = object->state;
    uint64_t hart = offset < MTIMECMP_START ? offset / 4 : (offset - MTIMECMP_START) / 8;
    uint64_t now = machine_now(object->machine);

    if (!clint_access_ok(offset, size))
        return false;
    if (offset / 8 * 8 == MTIME) {
        clint_write_time(object, part_set(clint_time(object, now), offset, size, value));
    } else if (hart >= config->hart_count) {
        return true;
    } else if (offset < MSIP_END) {
        state->msip[hart] = value & 1;
        object_set_line(object->links[hart], CLINT_LINE_MSI, (value & 1) != 0);
    } else if (offset >= MTIMECMP_START && offset < MTIMECMP_END) {
        state->mtimecmp[hart] = part_set(state->mtimecmp[hart], offset, size, value);
        clint_update(object, now);
    }
    return true;
}

static bool clint_check_config(const void *config, struct err *err)
{
    const struct clint_config *clint = config;

    if (clint->hart_count == 0 || clint->hart_count > CLINT_HARTS_MAX)
        return device_impossible(err, "hart_count", clint->hart_count);
    return device_check_region(clint->base, CLINT_SIZE, err);
}

static bool clint_check_state(const struct object *object, const void *state, struct err *err)
{
    const struct clint_state *clint = state;

    (void)object;
    for (uint32_t hart = 0; hart < CLINT_HARTS_MAX; hart++)
        if (clint->msip[hart] > 1)
            return device_impossible(err, "msip", clint->msip[hart]);
    return true;
}

static bool clint_open(struct object *object, struct err *err)
{
    const struct clint_config *config = object->config;

    return hz_check(config->timebase_hz, machine_config(object->machine)->clock_hz, err) &&
           device_add_region(object, config->base, CLINT_SIZE, err);
}

static const struct attr clint_config_attrs[] = {
    ATTR(struct clint_config, base, 0, "physical address"),
    ATTR(struct clint_config, timebase_hz, CLINT_TIMEBASE_HZ, "ticks of mtime a second"),
    ATTR(struct clint_config, hart_count, 1, "harts it serves"),
    ATTR(struct clint_config, unused, 0, "fills the struct"),
};

static const struct attr clint_state_attrs[] = {
    ATTR(struct clint_state, mtime_base, 0, "value of mtime when it was last written"),
    ATTR(struct clint_state, mtime_tick, 0, "tick of virtual time at which it was written"),
    ATTR_ARRAY(struct clint_state, mtimecmp, UINT64_MAX, "timer compare of each hart"),
    ATTR_ARRAY(struct clint_state, msip, 0, "software interrupt of each hart"),
    ATTR_FLAGS(struct clint_state, mtip, 0, "timer interrupt wire to each hart"),
};

static const struct link_slot clint_links[] = {
    {"hart0", "riscv-hart", true, "hart 0"},  {"hart1", "riscv-hart", false, "hart 1"},
    {"hart2", "riscv-hart", false, "hart 2"}, {"hart3", "riscv-hart", false, "hart 3"},
    {"hart4", "riscv-hart", false, "hart 4"}, {"hart5", "riscv-hart", false, "hart 5"},
    {"hart6", "riscv-hart", false, "hart 6"}, {"hart7", "riscv-hart", false, "hart 7"},
};

const struct schema clint_schema = {
    .name = "sifive-clint",
    .version = 1,
    .state = ATTR_TABLE(struct clint_state, clint_state_attrs),
    .config = ATTR_TABLE(struct clint_config, clint_config_attrs),
    .links = clint_links,
    .link_count = CLINT_HARTS_MAX,
    .meaning = "time counter, timer and software interrupts",
};

static const struct mmio_ops clint_mmio = {clint_read, clint_write};
static const struct timer_ops clint_timer = {clint_time, clint_cycle_of};

const struct model clint_model = {
    .name = "sifive-clint",
    .schema = &clint_schema,
    .open = clint_open,
    .check_config = clint_check_config,
    .check_state = clint_check_state,
    .deadline = clint_deadline,
    .fire = clint_fire,
    .mmio = &clint_mmio,
    .timer = &clint_timer,
};
