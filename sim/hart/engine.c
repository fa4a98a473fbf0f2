#include "sim/hart/engine.h"

#include "sim/hart/csr.h"
#include "sim/hart/interpreter.h"
#include "sim/hart/trap.h"
#include "storage/base/bytes.h"
#include "storage/base/err.h"

#include <stdlib.h>
#include <string.h>

#define RUN_MAX (UINT64_C(1) << 62) /* instructions of one run: budgets are signed */

/* Instructions of the block that come before the current one. */
static uint32_t index_in_block(const struct engine *engine)
{
    return block_index(engine->block, engine->op->at) + engine->second;
}

static uint32_t parcel_in_block(const struct engine *engine)
{
    uint32_t at = engine->op->at;

    return engine->second != 0 ? block_next_parcel(engine->block, at) : at;
}

static uint64_t address_of(const struct engine *engine, uint32_t parcel)
{
    return engine->page + engine->block->offset + 2 * (uint64_t)parcel;
}

static void set_counters(struct engine *engine, int64_t budget)
{
    engine->state->cycle = engine->cycle_end - (uint64_t)budget;
    engine->state->instructions = engine->instructions_end - (uint64_t)budget;
    engine->hart->machine->now = engine->state->cycle;
}

void engine_publish(struct engine *engine)
{
    set_counters(engine, engine->budget + engine->block->count - index_in_block(engine));
    engine->state->pc = address_of(engine, parcel_in_block(engine));
}

void engine_leave(struct engine *engine)
{
    uint32_t next = block_next_parcel(engine->block, parcel_in_block(engine));

    engine->budget += engine->block->count - index_in_block(engine) - 1;
    engine->state->pc = address_of(engine, next);
    engine->second = 0;
}

enum slow engine_trap(struct engine *engine, uint64_t cause, uint64_t tval)
{
    engine_publish(engine);
    engine->budget += engine->block->count - index_in_block(engine) - 1;
    engine->second = 0;
    hart_exception(engine->hart, cause, tval);
    engine_after_call(engine);
    return SLOW_TRAP;
}

enum slow engine_after_call(struct engine *engine)
{
    const struct machine *machine = engine->hart->machine;

    if (machine->stop_requested || machine->deadline_changed ||
        (engine->hart->changed & HART_CHANGED_TIMING) != 0)
        engine->stop = true;
    return engine->stop || engine->leave || engine->hart->changed != 0 ? SLOW_LEAVE : SLOW_DONE;
}

/* The bits of the current instruction. */
static uint32_t bits_of(const struct engine *engine)
{
    const struct block *block = engine->block;

    if (block == engine->scratch && engine->careful != 0)
        return (uint32_t)(engine->careful >> 16);
    uint64_t physical = block->physical + 2 * (uint64_t)parcel_in_block(engine);
    const struct ram *ram = memory_ram(engine->memory, physical);
    const uint8_t *bytes = ram->data + (physical - ram->base);
    uint32_t bits = load_le16(bytes);

    return instruction_bytes(bits) == 4 ? bits | (uint32_t)load_le16(bytes + 2) << 16 : bits;
}

enum slow engine_illegal(struct engine *engine)
{
    return engine_trap(engine, CAUSE_ILLEGAL, bits_of(engine));
}

/* CSRRW, CSRRS, CSRRC and their immediate forms (I 7.1): a write of CSRRW with rd = x0 does not
 * read; a set or clear with rs1 = x0 does not write. */
enum slow engine_csr(struct engine *engine)
{
    const struct op *op = engine->op;
    uint32_t number = (uint32_t)op->imm & 0xfff, f3 = op->rs2;
    uint64_t source = (f3 & 4) != 0 ? op->rs1 : engine->state->x[op->rs1];
    bool writes = (f3 & 3) == 1 || op->rs1 != 0;
    uint64_t old = 0;

    engine->leave = false;
    engine_publish(engine);
    if (((f3 & 3) != 1 || op->rd != 0) && !csr_read(engine->hart, number, &old))
        return engine_illegal(engine);
    uint64_t base = csr_modify_base(engine->hart, number, old);
    uint64_t value = (f3 & 3) == 1 ? source : (f3 & 3) == 2 ? base | source : base & ~source;

    if (writes && !csr_write(engine->hart, number, value))
        return engine_illegal(engine);
    if (op->rd != 0)
        engine->state->x[op->rd] = old;
    return engine_after_call(engine);
}

enum slow engine_xret(struct engine *engine, bool machine_mode)
{
    engine_publish(engine);
    if (!(machine_mode ? hart_mret(engine->hart) : hart_sret(engine->hart)))
        return engine_illegal(engine);
    engine_after_call(engine);
    return SLOW_TRAP; /* pc is set */
}

enum slow engine_wfi(struct engine *engine)
{
    engine_publish(engine);
    if (!hart_wfi(engine->hart))
        return engine_illegal(engine);
    engine_after_call(engine);
    return SLOW_LEAVE;
}

enum slow engine_fence(struct engine *engine, bool is_sfence_or_sinval)
{
    if (!csr_fence_allowed(engine->hart, is_sfence_or_sinval))
        return engine_illegal(engine);
    return SLOW_DONE;
}

/* Forgets everything that was derived from the state or from memory. */
static void interpreter_flush(struct hart *hart)
{
    memory_flush(hart->engine->memory);
    hart->engine->context = NULL;
    hart->changed |= HART_CHANGED_INTERRUPTS | HART_CHANGED_TRANSLATION;
}

static void interpreter_flush_writes(struct hart *hart)
{
    tlb_drop_writes(&hart->engine->tlb);
}

static void interpreter_close(struct hart *hart)
{
    struct engine *engine = hart->engine;

    if (engine == NULL)
        return;
    if (engine->memory != NULL)
        board_memory_leave(engine->memory, engine);
    tlb_release(&engine->tlb);
    free(engine->scratch);
    free(engine);
    hart->engine = NULL;
}

static bool interpreter_open(struct hart *hart, struct err *err)
{
    const void *const *labels = interpret(NULL, NULL);
    struct engine *engine = calloc(1, sizeof *engine);

    hart->engine = engine;
    if (engine == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for a hart");
    engine->hart = hart;
    engine->state = hart->state;
    engine->dead = labels[OP_DEAD];
    engine->scratch = calloc(1, sizeof *engine->scratch + BLOCK_OPS_MAX * sizeof(struct op));
    if (engine->scratch != NULL && tlb_init(&engine->tlb, engine, err))
        engine->memory = board_memory_join(hart->bus, engine, labels, err);
    if (engine->memory != NULL)
        return true;
    interpreter_close(hart);
    return err_set(err, ERR_NO_MEMORY, "no memory for a hart");
}

static uint64_t run_length(const struct hart_state *state, uint64_t cycle_limit,
                           uint64_t instructions_max)
{
    uint64_t length = state->cycle >= cycle_limit ? 0 : cycle_limit - state->cycle;

    if (length > instructions_max)
        length = instructions_max;
    return length < RUN_MAX ? length : RUN_MAX;
}

static uint64_t interpreter_run(struct hart *hart, uint64_t cycle_limit, uint64_t instructions_max)
{
    struct engine *engine = hart->engine;
    struct hart_state *state = hart->state;
    uint64_t length = run_length(state, cycle_limit, instructions_max);

    if (length == 0)
        return 0;
    engine->budget = (int64_t)length;
    engine->cycle_end = state->cycle + length;
    engine->instructions_end = state->instructions + length;
    engine->stop = false;
    engine->leave = false;
    engine->second = 0;
    engine->link = NULL;
    hart->machine->now = state->cycle;
    hart->changed |= HART_CHANGED_INTERRUPTS | HART_CHANGED_TRANSLATION;
    if (state->waiting != 0)
        hart_take_interrupt(hart);
    struct block *block = engine_next(engine);

    if (block != NULL)
        interpret(engine, block);
    set_counters(engine, engine->budget);
    return length - (uint64_t)engine->budget;
}

const struct engine_ops engine_interpreter = {
    .name = "interpreter",
    .open = interpreter_open,
    .close = interpreter_close,
    .run = interpreter_run,
    .flush = interpreter_flush,
    .flush_writes = interpreter_flush_writes,
};

const struct engine_ops *engine_find(const char *name)
{
    if (strcmp(name, "auto") == 0 || strcmp(name, engine_interpreter.name) == 0)
        return &engine_interpreter;
    return NULL;
}
