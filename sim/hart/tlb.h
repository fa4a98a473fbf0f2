/* tlb.h — a hart's software TLB: for each meaning that addresses can have (a *context*: page-table
 * root, privileges, SUM, MXR, …) tables of the translations found, for reads, writes and fetches
 * apart, and a jump cache from virtual addresses to decoded blocks.
 *
 * A trap or a context switch only picks another context. Nothing here can be seen by the guest:
 * memory.c drops an entry when a page-table entry it came from changes. */
#ifndef THAW_SIM_HART_TLB_H
#define THAW_SIM_HART_TLB_H

#include "sim/hart/hart.h"

#define TLB_DATA_ENTRIES  1024u
#define TLB_FETCH_ENTRIES 256u
#define TLB_JUMP_ENTRIES  4096u
#define TLB_JUMP_PAGE     128u
#define TLB_CONTEXTS      16u

#define PAGE_OFFSET UINT64_C(0xfff)
#define PAGE_MASK   (~PAGE_OFFSET)

/* The tag is the virtual page. One of these bits in it makes the fast path miss: */
enum tlb_special {
    TLB_SLOW = 0x800,   /* RAM whose writes somebody must hear of, or whose page is not yet dirty */
    TLB_DEVICE = 0x400, /* the addend gives the physical address */
    TLB_EMPTY = 0x200,
};

struct tlb_entry {
    uint64_t tag;
    uint64_t
        addend; /* host address (for fetches and devices: physical address) minus virtual address */
};

struct block;
struct engine;

struct jump_entry {
    uint64_t pc; /* odd: empty */
    struct block *block;
};

struct tlb_context {
    struct tlb_entry read[TLB_DATA_ENTRIES];
    struct tlb_entry write[TLB_DATA_ENTRIES];
    struct tlb_entry fetch[TLB_FETCH_ENTRIES];
    struct jump_entry jump[TLB_JUMP_ENTRIES];
    struct engine *engine; /* whose it is */
};

/* What a context stands for. */
struct tlb_key {
    uint64_t root; /* satp without ASID; 0: bare */
    uint32_t mode; /* privileges, SUM, MXR, …: tlb.c; 0: the context is empty */
    uint32_t used; /* when it was last picked */
};

struct tlb {
    struct tlb_context *contexts; /* TLB_CONTEXTS of them */
    struct tlb_key keys[TLB_CONTEXTS];
    uint32_t clock;
    uint32_t picked; /* the context of the last tlb_pick */
};

/* Which slot: pages at equal power-of-two strides must not all meet in one. */
static inline uint32_t tlb_data_slot(uint64_t address)
{
    return (uint32_t)(address >> 12 ^ address >> 22) & (TLB_DATA_ENTRIES - 1);
}

/* The same slot, as an entry of a table: the shifts leave out the factor of the entry's size. */
static inline struct tlb_entry *tlb_data_entry(struct tlb_entry *table, uint64_t address)
{
    const uint32_t mask = (TLB_DATA_ENTRIES - 1) * sizeof(struct tlb_entry);

    return (struct tlb_entry *)(void *)((char *)table +
                                        ((uint32_t)(address >> 8 ^ address >> 18) & mask));
}

static inline uint32_t tlb_fetch_slot(uint64_t address)
{
    return (uint32_t)(address >> 12 ^ address >> 20) & (TLB_FETCH_ENTRIES - 1);
}

/* All places of a page share TLB_JUMP_PAGE neighbouring slots, so that a page is quickly dropped.
 */
static inline uint32_t tlb_jump_slot(uint64_t address)
{
    uint32_t page = (uint32_t)(address >> 6 ^ address >> 12) & (TLB_JUMP_ENTRIES - TLB_JUMP_PAGE);

    return page | ((uint32_t)(address >> 1 ^ address >> 7) & (TLB_JUMP_PAGE - 1));
}

bool tlb_init(struct tlb *tlb, struct engine *engine, struct err *err);
void tlb_release(struct tlb *tlb);
/* The context of the hart's present state; an empty one takes the place of the longest unused. */
struct tlb_context *tlb_pick(struct tlb *tlb, const struct hart *hart);

/* False once the context picked last has been emptied: pick again. */
static inline bool tlb_is_valid(const struct tlb *tlb)
{
    return tlb->keys[tlb->picked].mode != 0;
}
static inline uint64_t tlb_root(const struct tlb *tlb)
{
    return tlb->keys[tlb->picked].root;
}

/* Dropping. A root of TLB_ANY_ROOT stands for all contexts. */
#define TLB_ANY_ROOT UINT64_MAX
void tlb_drop_all(struct tlb *tlb, uint64_t root);
void tlb_drop_page(struct tlb *tlb, uint64_t root, uint64_t address);
void tlb_drop_writes(struct tlb *tlb);
/* Fast write entries for this host page become slow ones: under one virtual page, or wherever they
 * are. */
void tlb_slow_writes_at(struct tlb *tlb, uint64_t address, const uint8_t *host_page);
void tlb_slow_writes(struct tlb *tlb, const uint8_t *host_page);
/* Records where a jump goes. */
void tlb_learn_jump(struct tlb_context *context, uint64_t pc, struct block *block);

#endif
