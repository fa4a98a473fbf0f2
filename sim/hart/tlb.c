#include "sim/hart/tlb.h"

#include "sim/hart/walk.h"
#include "storage/base/err.h"

#include <stdlib.h>

#define SATP_ASID (UINT64_C(0xffff) << 44)

static void clear_entries(struct tlb_entry *entries, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        entries[i].tag = TLB_EMPTY;
}

static void clear_jumps(struct tlb_context *context)
{
    for (uint32_t i = 0; i < TLB_JUMP_ENTRIES; i++)
        context->jump[i].pc = 1;
}

static void clear_context(struct tlb_context *context)
{
    clear_entries(context->read, TLB_DATA_ENTRIES);
    clear_entries(context->write, TLB_DATA_ENTRIES);
    clear_entries(context->fetch, TLB_FETCH_ENTRIES);
    clear_jumps(context);
}

bool tlb_init(struct tlb *tlb, struct engine *engine, struct err *err)
{
    *tlb = (struct tlb){.contexts = calloc(TLB_CONTEXTS, sizeof tlb->contexts[0])};
    if (tlb->contexts == NULL)
        return err_set(err, ERR_NO_MEMORY, "no memory for a hart's TLB");
    for (uint32_t i = 0; i < TLB_CONTEXTS; i++)
        tlb->contexts[i].engine = engine;
    return true;
}

void tlb_release(struct tlb *tlb)
{
    free(tlb->contexts);
    tlb->contexts = NULL;
}

/* Everything that changes what an address means, but the root. */
static uint32_t mode_of(const struct hart_state *state, uint32_t data_privilege, bool paged)
{
    uint32_t mode = 4 | state->privilege | data_privilege << 3;

    if (!paged)
        return mode;
    if (data_privilege == PRIVILEGE_S)
        mode |= (uint32_t)(state->mstatus >> 18 & 1) << 5;   /* SUM */
    mode |= (uint32_t)(state->mstatus >> 19 & 1) << 6;       /* MXR */
    return mode | (uint32_t)(state->menvcfg >> 61 & 3) << 7; /* ADUE, PBMTE */
}

static uint32_t age(const struct tlb *tlb, uint32_t index)
{
    return tlb->keys[index].mode == 0 ? UINT32_MAX : tlb->clock - tlb->keys[index].used;
}

struct tlb_context *tlb_pick(struct tlb *tlb, const struct hart *hart)
{
    const struct hart_state *state = hart->state;
    uint32_t data_privilege = hart_data_privilege(hart);
    uint64_t root = state->satp & ~SATP_ASID;

    if ((state->privilege == PRIVILEGE_M && data_privilege == PRIVILEGE_M) || root >> 60 == 0)
        root = 0;
    uint32_t mode = mode_of(state, data_privilege, root != 0), oldest = 0;

    tlb->clock++;
    for (uint32_t i = 0; i < TLB_CONTEXTS; i++) {
        struct tlb_key *key = &tlb->keys[i];

        if (key->root == root && key->mode == mode) {
            key->used = tlb->clock;
            tlb->picked = i;
            return &tlb->contexts[i];
        }
        if (age(tlb, i) > age(tlb, oldest))
            oldest = i;
    }
    clear_context(&tlb->contexts[oldest]);
    tlb->keys[oldest] = (struct tlb_key){root, mode, tlb->clock};
    tlb->picked = oldest;
    return &tlb->contexts[oldest];
}

static bool has_root(const struct tlb *tlb, uint32_t index, uint64_t root)
{
    const struct tlb_key *key = &tlb->keys[index];

    return key->mode != 0 && (root == TLB_ANY_ROOT || key->root == root);
}

void tlb_drop_all(struct tlb *tlb, uint64_t root)
{
    for (uint32_t i = 0; i < TLB_CONTEXTS; i++)
        if (has_root(tlb, i, root))
            tlb->keys[i].mode = 0;
}

static void drop_jumps_of_page(struct tlb_context *context, uint64_t page)
{
    struct jump_entry *jumps = &context->jump[tlb_jump_slot(page) & ~(TLB_JUMP_PAGE - 1)];

    for (uint32_t i = 0; i < TLB_JUMP_PAGE; i++)
        if ((jumps[i].pc & PAGE_MASK) == page)
            jumps[i].pc = 1;
}

static void drop_entry(struct tlb_entry *entry, uint64_t page)
{
    if ((entry->tag & PAGE_MASK) == page)
        entry->tag = TLB_EMPTY;
}

void tlb_drop_page(struct tlb *tlb, uint64_t root, uint64_t address)
{
    uint64_t page = address & PAGE_MASK;

    for (uint32_t i = 0; i < TLB_CONTEXTS; i++) {
        struct tlb_context *context = &tlb->contexts[i];

        if (!has_root(tlb, i, root))
            continue;
        drop_entry(&context->read[tlb_data_slot(page)], page);
        drop_entry(&context->write[tlb_data_slot(page)], page);
        drop_entry(&context->fetch[tlb_fetch_slot(page)], page);
        drop_jumps_of_page(context, page);
    }
}

void tlb_drop_writes(struct tlb *tlb)
{
    for (uint32_t i = 0; i < TLB_CONTEXTS; i++)
        if (tlb->keys[i].mode != 0)
            clear_entries(tlb->contexts[i].write, TLB_DATA_ENTRIES);
}

static void slow_entry(struct tlb_entry *entry, const uint8_t *host_page)
{
    uint64_t host = (uint64_t)(uintptr_t)host_page;

    if ((entry->tag & PAGE_OFFSET) == 0 && entry->tag + entry->addend == host)
        entry->tag |= TLB_SLOW;
}

void tlb_slow_writes_at(struct tlb *tlb, uint64_t address, const uint8_t *host_page)
{
    for (uint32_t i = 0; i < TLB_CONTEXTS; i++)
        if (tlb->keys[i].mode != 0)
            slow_entry(&tlb->contexts[i].write[tlb_data_slot(address)], host_page);
}

void tlb_slow_writes(struct tlb *tlb, const uint8_t *host_page)
{
    for (uint32_t i = 0; i < TLB_CONTEXTS; i++)
        for (uint32_t j = 0; tlb->keys[i].mode != 0 && j < TLB_DATA_ENTRIES; j++)
            slow_entry(&tlb->contexts[i].write[j], host_page);
}

void tlb_learn_jump(struct tlb_context *context, uint64_t pc, struct block *block)
{
    context->jump[tlb_jump_slot(pc)] = (struct jump_entry){pc, block};
}
