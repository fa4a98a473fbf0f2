/* run.c — virtual time: rounds, turns, deadlines; see machine.h.
 *
 * States of the loop, all of them in struct machine_state, so that it can be left and frozen
 * anywhere: turn == harts          between rounds                -> round_begin turn <  harts hart
 * `turn` runs to round_end  -> turn_run
 */
#include "sim/core/machine.h"

#include "storage/base/check.h"

#define FIRES_MAX                                                                                  \
    1000000 /* deadlines fired at one instant; more is a model that never moves on                 \
             */

static struct machine_state *state_of(const struct machine *machine)
{
    return machine->objects[0]->state;
}

static uint64_t deadline_of(const struct object *object)
{
    if (object->model->deadline == NULL)
        return CYCLE_NEVER;
    return object->model->deadline(object);
}

static uint64_t next_deadline(const struct machine *machine, struct object **who)
{
    uint64_t least = CYCLE_NEVER;

    for (uint32_t i = 0; i < machine->object_count; i++) {
        uint64_t at = deadline_of(machine->objects[i]);
        if (at < least) {
            least = at;
            *who = machine->objects[i];
        }
    }
    return least;
}

static void fire_due(struct machine *machine)
{
    uint64_t now = state_of(machine)->round_start;
    struct object *who = NULL;

    machine->now = now;
    for (uint32_t count = 0; next_deadline(machine, &who) <= now; count++) {
        CHECK(count < FIRES_MAX);
        who->model->fire(who, now);
    }
    machine->deadline_changed = false;
}

static bool all_wait(const struct machine *machine)
{
    for (uint32_t i = 0; i < machine->cpu_count; i++)
        if (!machine->cpus[i]->model->cpu->waiting(machine->cpus[i]))
            return false;
    return true;
}

/* False: idle, nothing will ever happen without an input. */
static bool round_begin(struct machine *machine)
{
    struct machine_state *state = state_of(machine);
    struct object *who = NULL;
    uint64_t quantum = machine_config(machine)->quantum;
    uint64_t deadline;
    bool waiting;

    state->round_start = state->round_end;
    fire_due(machine);
    deadline = next_deadline(machine, &who);
    waiting = all_wait(machine);
    if (waiting && deadline == CYCLE_NEVER)
        return false;
    state->round_end = deadline;
    if (machine->cpu_count > 1 && !waiting && deadline - state->round_start > quantum)
        state->round_end = state->round_start + quantum;
    state->turn = 0;
    return true;
}

/* A device or a hart set a nearer deadline: the round ends then, but not before the time that the
 * running hart has reached. */
static void shrink_round(struct machine *machine, uint64_t reached)
{
    struct machine_state *state = state_of(machine);
    struct object *who = NULL;
    uint64_t deadline = next_deadline(machine, &who);

    machine->deadline_changed = false;
    if (deadline < reached)
        deadline = reached;
    if (deadline < state->round_end)
        state->round_end = deadline;
}

void machine_settle(struct machine *machine)
{
    struct machine_state *state = state_of(machine);

    if (!machine->deadline_changed)
        return;
    if (state->turn < machine->cpu_count) {
        struct object *cpu = machine->cpus[state->turn];
        uint64_t reached = cpu->model->cpu->cycle(cpu);
        shrink_round(machine, reached > state->round_start ? reached : state->round_start);
    }
    machine->deadline_changed = false;
}

/* Runs the hart whose turn it is, as far as the limits allow; passes the turn on when it is over.
 */
static void turn_run(struct machine *machine, const struct machine_limits *limits)
{
    struct machine_state *state = state_of(machine);
    struct object *cpu = machine->cpus[state->turn];
    const struct cpu_ops *ops = cpu->model->cpu;
    uint64_t until = state->round_end;

    if (machine->cpu_count == 1 && limits->cycle < until)
        until = limits->cycle;
    if (ops->cycle(cpu) < until && !ops->waiting(cpu)) {
        machine->now = ops->cycle(cpu);
        state->instructions += ops->run(cpu, until, limits->instructions - state->instructions);
        machine->now = ops->cycle(cpu);
        machine_settle(machine);
        if (state->halted != 0 || machine->stop_requested ||
            state->instructions >= limits->instructions)
            return;
    }
    if (ops->waiting(cpu)) {
        if (state->round_end == CYCLE_NEVER)
            state->round_end = ops->cycle(cpu); /* idle: time stands still until an input comes */
        until = machine->cpu_count == 1 && limits->cycle < state->round_end ? limits->cycle
                                                                            : state->round_end;
        if (ops->cycle(cpu) < until)
            ops->set_cycle(cpu, until);
    }
    if (ops->cycle(cpu) < state->round_end)
        return;
    if (machine->cpu_count > 1)
        ops->end_turn(cpu);
    state->turn++;
}

enum machine_stop machine_run(struct machine *machine, const struct machine_limits *limits)
{
    struct machine_state *state = state_of(machine);

    CHECK(machine->opened && machine->cpu_count != 0);
    machine->stop_requested = false;
    for (;;) {
        if (state->halted != 0)
            return MACHINE_STOP_HALTED;
        if (machine->stop_requested)
            return MACHINE_STOP_REQUEST;
        if (state->instructions >= limits->instructions)
            return MACHINE_STOP_INSTRUCTIONS;
        if (machine_cycle(machine) >= limits->cycle)
            return MACHINE_STOP_CYCLE;
        if (state->turn < machine->cpu_count)
            turn_run(machine, limits);
        else if (!round_begin(machine))
            return MACHINE_STOP_IDLE;
    }
}

void machine_stop(struct machine *machine)
{
    machine->stop_requested = true;
}

void machine_halt(struct machine *machine, uint8_t halted, uint64_t exit_code)
{
    struct machine_state *state = state_of(machine);

    state->halted = halted;
    state->exit_code = exit_code;
    machine->stop_requested = true;
}

uint64_t machine_cycle(const struct machine *machine)
{
    const struct machine_state *state = state_of(machine);

    if (machine->cpu_count == 1 && state->turn == 0)
        return machine->cpus[0]->model->cpu->cycle(machine->cpus[0]);
    return state->turn < machine->cpu_count ? state->round_start : state->round_end;
}

uint64_t machine_virtual_ns(const struct machine *machine)
{
    uint64_t cycle = machine_cycle(machine), hz = machine_config(machine)->clock_hz;
    uint64_t seconds = cycle / hz, rest = cycle % hz;

    /* rest < hz <= 1e11: in two steps, so that nothing overflows. */
    return seconds * UINT64_C(1000000000) + rest * 100000 / hz * 10000 +
           rest * 100000 % hz * 10000 / hz;
}

uint64_t machine_instructions(const struct machine *machine)
{
    return state_of(machine)->instructions;
}
