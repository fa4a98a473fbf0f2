#include "sim/hart/interpreter.h"
#include "sim/hart/trap.h"
#include "storage/base/bytes.h"

/* A fetch fault at state->pc; it counts as an instruction. */
static void fetch_fault(struct engine *engine, uint64_t cause, uint64_t address)
{
    struct hart_state *state = engine->state;

    state->cycle = engine->cycle_end - (uint64_t)engine->budget;
    state->instructions = engine->instructions_end - (uint64_t)engine->budget;
    engine->hart->machine->now = state->cycle;
    hart_exception(engine->hart, cause, address);
    engine->budget--;
}

/* One parcel of code, found without the help of anything cached but the TLB. */
static bool fetch_parcel(struct engine *engine, uint64_t address, uint32_t *parcel)
{
    uint64_t physical = 0, cause = CAUSE_FETCH_ACCESS;
    bool whole_page = false;
    struct ram *ram = NULL;

    if (access_fetch(engine, address, &physical, &whole_page, &cause)) {
        cause = CAUSE_FETCH_ACCESS;
        ram = memory_ram(engine->memory, physical);
    }
    if (ram == NULL) {
        fetch_fault(engine, cause, address);
        return false;
    }
    *parcel = load_le16(ram->data + (physical - ram->base));
    return true;
}

/* Instructions that lie in two pages, or in a page of which only a part may be executed: a block of
 * their own, never kept. NULL: trapped. */
static struct block *fetch_careful(struct engine *engine, uint64_t pc)
{
    uint32_t bits = 0, high = 0;

    if (!fetch_parcel(engine, pc, &bits))
        return NULL;
    if (instruction_bytes(bits) == 4 && !fetch_parcel(engine, pc + 2, &high))
        return NULL;
    bits |= high << 16;
    uint64_t which = (uint64_t)bits << 16 | (pc & PAGE_OFFSET) | 1;

    if (engine->careful != which)
        block_decode_one(&engine->memory->blocks, bits, pc & PAGE_OFFSET, engine->scratch);
    engine->careful = which;
    return engine->scratch;
}

/* Whether the instruction here goes on in the next page. */
static bool straddles(const struct ram *ram, uint64_t physical)
{
    return (physical & PAGE_OFFSET) == PAGE_OFFSET - 1 &&
           instruction_bytes(load_le16(ram->data + (physical - ram->base))) == 4;
}

/* NULL: trapped. */
static struct block *fetch_block(struct engine *engine, uint64_t pc)
{
    uint64_t physical = 0, cause = 0;
    bool whole_page = false;
    struct block *block = NULL;

    if (!access_fetch(engine, pc, &physical, &whole_page, &cause)) {
        fetch_fault(engine, cause, pc);
        return NULL;
    }
    struct ram *ram = memory_ram(engine->memory, physical);

    if (ram == NULL) {
        fetch_fault(engine, CAUSE_FETCH_ACCESS, pc);
        return NULL;
    }
    if (whole_page && !straddles(ram, physical))
        block = memory_block(engine->memory, ram, physical);
    if (block == NULL)
        return fetch_careful(engine, pc);
    if (!tlb_is_valid(&engine->tlb)) /* the cache was full and has been flushed */
        engine->context = tlb_pick(&engine->tlb, engine->hart);
    else
        tlb_learn_jump(engine->context, pc, block);
    return block;
}

/* The first `budget` instructions of the block. */
static struct block *cut(struct engine *engine, const struct block *block)
{
    const struct ram *ram = memory_ram(engine->memory, block->physical);
    uint64_t page = block->physical & PAGE_MASK;
    struct block_source source = {.bytes = ram->data + (page - ram->base),
                                  .physical = page,
                                  .offset = block->offset,
                                  .count_max = (uint32_t)engine->budget};

    block_decode(&engine->memory->blocks, &source, engine->scratch);
    engine->careful = 0;
    return engine->scratch;
}

/* Looks at what changed outside. True: an interrupt was taken. */
static bool look_up(struct engine *engine)
{
    struct hart *hart = engine->hart;
    uint32_t changed = hart->changed;

    hart->changed = 0;
    if ((changed & HART_CHANGED_PROTECTION) != 0)
        tlb_drop_all(&engine->tlb, TLB_ANY_ROOT);
    if ((changed & (HART_CHANGED_TRANSLATION | HART_CHANGED_PROTECTION)) != 0)
        engine->context = NULL;
    if ((changed & HART_CHANGED_INTERRUPTS) == 0)
        return false;
    engine->state->cycle = engine->cycle_end - (uint64_t)engine->budget;
    engine->state->instructions = engine->instructions_end - (uint64_t)engine->budget;
    return hart_take_interrupt(hart);
}

struct block *engine_next(struct engine *engine)
{
    struct hart_state *state = engine->state;
    struct block **link = engine->block == engine->scratch ? NULL : engine->link;
    uint64_t generation = engine->memory->blocks.generation;

    engine->link = NULL;
    for (;;) {
        if (engine->stop || engine->budget <= 0 || state->waiting != 0)
            return NULL;
        if (engine->hart->changed != 0 && look_up(engine)) {
            link = NULL;
            continue;
        }
        if (engine->context == NULL || !tlb_is_valid(&engine->tlb))
            engine->context = tlb_pick(&engine->tlb, engine->hart);
        uint64_t pc = state->pc;
        const struct jump_entry *jump = &engine->context->jump[tlb_jump_slot(pc)];
        struct block *block = jump->pc == pc && jump->block->ops[0].label != engine->dead
                                  ? jump->block
                                  : fetch_block(engine, pc);

        engine->page = pc & PAGE_MASK;
        if (block == NULL) {
            link = NULL;
            continue;
        }
        if (link != NULL && block != engine->scratch &&
            generation == engine->memory->blocks.generation)
            *link = block;
        return block->count > engine->budget ? cut(engine, block) : block;
    }
}
