/* interpreter.h — one hart's engine: what interpreter.c (the handlers) shares with the slow paths
 * in access.c (memory), fetch.c (blocks) and engine.c (the run).
 *
 * Counting. `budget` is what is left of the instructions this run may execute; a block takes its
 * whole count on entry. Time and instruction counters follow from it: cycle = cycle_end - budget,
 * once the part of the block that has not been executed is given back. */
#ifndef THAW_SIM_HART_INTERPRETER_H
#define THAW_SIM_HART_INTERPRETER_H

#include "sim/hart/engine.h"
#include "sim/hart/memory.h"
#include "sim/hart/tlb.h"

struct engine {
    struct hart *hart;
    struct hart_state *state;
    struct board_memory *memory;
    struct tlb tlb;
    struct tlb_context *context; /* of the present state */
    /* Where the interpreter is, written before it calls out: */
    const struct op *op;
    struct block *block;
    uint64_t page;   /* virtual, of the block */
    int64_t budget;  /* after the block's whole count was taken */
    uint32_t second; /* 1 in the second instruction of a fused operation */
    /* What it gets back: */
    uint64_t value;
    uint64_t fault_address; /* of an access that crosses a page */
    uint8_t *target;        /* of an AMO */
    bool leave;             /* go through engine_next after this instruction */
    bool stop;              /* return from run */
    const void *dead;       /* the handler of dead blocks */
    struct block **link;    /* where the block that comes next may be linked; NULL: not */
    uint64_t cycle_end;     /* cycle and instructions when budget is 0 */
    uint64_t instructions_end;
    struct block *scratch; /* for blocks cut short and for instructions that need care */
    uint64_t careful; /* which instruction of the latter sort it holds: bits, offset; 0: none */
};

enum slow {
    SLOW_DONE,
    SLOW_LEAVE, /* done; go through engine_leave before the next instruction */
    SLOW_TRAP,  /* not done: an exception was taken; go on with engine_next */
};

/* Runs from `block` (its entry conditions checked) until engine_next says NULL. Without an engine:
 * only returns the table of handlers. */
const void *const *interpret(struct engine *engine, struct block *block);

/* fetch.c. The block at state->pc, after everything that must be looked at between instructions;
 * its count is at most engine->budget, and is not yet taken. NULL: return from run. */
struct block *engine_next(struct engine *engine);

/* engine.c. Exact cycle, instructions, now and pc, as before the current instruction. */
void engine_publish(struct engine *engine);
/* Gives back what follows the current instruction; state->pc is that of the next one. */
void engine_leave(struct engine *engine);
/* Takes an exception at the current instruction, which counts. Returns SLOW_TRAP. */
enum slow engine_trap(struct engine *engine, uint64_t cause, uint64_t tval);
/* Something outside the engine was called: must the run, or the block, be left? */
enum slow engine_after_call(struct engine *engine);
enum slow engine_illegal(struct engine *engine);
enum slow engine_csr(struct engine *engine);
enum slow engine_xret(struct engine *engine, bool machine_mode);
enum slow engine_wfi(struct engine *engine);
enum slow engine_fence(struct engine *engine, bool is_sfence_or_sinval);

/* access.c: the slow paths. Loads leave the zero-extended value in engine->value. */
enum slow access_load(struct engine *engine, uint64_t address, uint32_t size);
enum slow access_store(struct engine *engine, uint64_t address, uint32_t size, uint64_t value);
/* For AMOs: the old value is in engine->value; access_finish then stores the new one. */
enum slow access_begin(struct engine *engine, uint64_t address, uint32_t size);
enum slow access_finish(struct engine *engine, uint32_t size, uint64_t value);
enum slow access_load_reserved(struct engine *engine, uint64_t address, uint32_t size);
/* engine->value is 0 if it stored, 1 if not. */
enum slow access_store_conditional(struct engine *engine, uint64_t address, uint32_t size,
                                   uint64_t value);
enum slow access_zero(struct engine *engine, uint64_t address);
enum slow access_cache_op(struct engine *engine, uint64_t address, uint32_t f12);
/* The physical address of code at `address`: TLB or walk. False: *cause. *whole_page: it may be
 * cached. */
bool access_fetch(struct engine *engine, uint64_t address, uint64_t *physical, bool *whole_page,
                  uint64_t *cause);

#endif
