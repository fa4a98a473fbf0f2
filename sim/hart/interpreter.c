/* interpreter.c — the handlers of all operations, in one function: each ends with a jump to the
 * next one's (labels as values), so that the host's branch predictor sees every pair of operations
 * apart. */
#include "sim/hart/interpreter.h"

#include "sim/hart/fp_fast.h"
#include "sim/hart/status.h"
#include "sim/hart/trap.h"
#include "storage/base/bytes.h"

#define LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#define FP_SIGN64 (UINT64_C(1) << 63)
#define FP_SIGN32 (UINT32_C(1) << 31)

#define DISPATCH() goto * op->label
#define NEXT()                                                                                     \
    do {                                                                                           \
        op++;                                                                                      \
        DISPATCH();                                                                                \
    } while (0)

/* What the slow paths need to know. */
#define SAVE()                                                                                     \
    do {                                                                                           \
        struct engine *const engine_ = context->engine;                                            \
        engine_->op = op;                                                                          \
        engine_->block = block;                                                                    \
        engine_->page = page;                                                                      \
        engine_->budget = budget;                                                                  \
    } while (0)

/* Starts `block`: takes its count from the budget. */
#define ENTER()                                                                                    \
    do {                                                                                           \
        budget -= block->count;                                                                    \
        if (UNLIKELY(budget < 0))                                                                  \
            goto over_budget;                                                                      \
        op = block->ops;                                                                           \
        DISPATCH();                                                                                \
    } while (0)

/* Goes to a virtual address that may be anywhere. */
#define JUMP(address)                                                                              \
    do {                                                                                           \
        uint64_t target_ = (address);                                                              \
        const struct jump_entry *jump_ = &context->jump[tlb_jump_slot(target_)];                   \
        if (UNLIKELY(jump_->pc != target_)) {                                                      \
            state->pc = target_;                                                                   \
            goto resume;                                                                           \
        }                                                                                          \
        block = jump_->block;                                                                      \
        page = target_ & PAGE_MASK;                                                                \
        ENTER();                                                                                   \
    } while (0)

/* Goes to a place known by its offset from the page, through a link if it is in the page. */
#define GO(slot, offset)                                                                           \
    do {                                                                                           \
        struct block *next_ = op[1].slot;                                                          \
        int64_t offset_ = (offset);                                                                \
        if (UNLIKELY(next_ == NULL)) {                                                             \
            if ((uint64_t)offset_ > PAGE_OFFSET)                                                   \
                JUMP(page + (uint64_t)offset_);                                                    \
            SAVE();                                                                                \
            context->engine->link = (struct block **)&op[1].slot;                                  \
            state->pc = page + (uint64_t)offset_;                                                  \
            goto resume_saved;                                                                     \
        }                                                                                          \
        block = next_;                                                                             \
        ENTER();                                                                                   \
    } while (0)

/* After a slow path: did it trap, and must the block be left? */
#define UNLESS_TRAPPED(result)                                                                     \
    if (UNLIKELY((result) == SLOW_TRAP))                                                           \
    goto resume_saved

#define IMM ((uint64_t)(int64_t)op->imm)

/* The context of the block that comes next; NULL: none. */
static struct tlb_context *engine_resume(struct engine *engine, struct block **block)
{
    *block = engine_next(engine);
    return *block == NULL ? NULL : engine->context;
}

const void *const *interpret(struct engine *engine, struct block *block)
{
    /* clang-format off */
#define LABEL(name, ...) [OP_##name] = &&do_##name,
#define LABEL_FMA(name, ...) [OP_##name##_D] = &&do_##name##_D, [OP_##name##_S] = &&do_##name##_S,
#define LABEL_FUSED(first, second) [OP_##first##_##second] = &&do_##first##_##second,
    static const void *const labels[OP_COUNT] = {
        OPS_NAMES(LABEL) OPS_FP_FMA(LABEL_FMA) OPS_FUSED(LABEL_FUSED)};
    /* clang-format on */

    if (engine == NULL)
        return labels;

    struct hart_state *const state = engine->state;
    uint64_t *const x = state->x;
    struct tlb_context *context = engine->context;
    const struct op *op = NULL;
    uint64_t page = engine->page;
    int64_t budget = engine->budget;
    enum slow result = SLOW_DONE;

    ENTER();

over_budget: /* the block is longer than what is left */
    budget += block->count;
    state->pc = page + block->offset;
    goto resume;

leave: /* after the current instruction, which the slow path has done */
    engine_leave(context->engine);
    goto resume_saved;

resume: /* at state->pc, `budget` exact */
    SAVE();
resume_saved:
    context = engine_resume(context->engine, &block);
    if (context == NULL)
        return labels;
    page = context->engine->page;
    budget = context->engine->budget;
    ENTER();

    /* clang-format off */
#include "sim/hart/interpreter_integer.h"
#include "sim/hart/interpreter_memory.h"
#include "sim/hart/interpreter_float.h"
#include "sim/hart/interpreter_system.h"
#include "sim/hart/interpreter_fused.h"
    /* clang-format on */
}
