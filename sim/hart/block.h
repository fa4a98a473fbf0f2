/* block.h — decoded basic blocks of a board, found by physical address, and the pages they came
 * from.
 *
 * A block is a straight run of instructions inside one 4 KiB page. Blocks live in one arena, which
 * is thrown away whole when full. A store into decoded code unhooks all blocks of that page at
 * once: their first operation becomes DEAD, so that whoever still points to them (jump caches)
 * finds out on entry. */
#ifndef THAW_SIM_HART_BLOCK_H
#define THAW_SIM_HART_BLOCK_H

#include "sim/core/bus.h"
#include "sim/hart/decode.h"

#define BLOCK_PARCELS_MAX 128u
/* Worst case: FP_CHECK, the operation and FP_DIRTY for an instruction; FALL and links at the end.
 */
#define BLOCK_OPS_MAX (BLOCK_PARCELS_MAX + 4u)

struct block {
    uint64_t physical;
    struct block *hash_next;                 /* same bucket */
    struct block *page_next;                 /* same page */
    uint64_t starts[BLOCK_PARCELS_MAX / 64]; /* bit: an instruction starts at this parcel */
    uint32_t count;                          /* instructions */
    uint32_t room;                           /* cells in ops */
    uint16_t offset;                         /* in the page */
    uint16_t bytes;
    struct op ops[];
};

struct code_page {
    struct block *blocks;
    uint64_t granules; /* bit: decoded code in these 64 bytes */
};

struct block_cache {
    uint8_t *arena;
    size_t used;
    size_t limit; /* of used; tests make it small */
    struct block **buckets;
    uint64_t generation;       /* goes on when the arena is thrown away */
    const void *const *labels; /* handler by enum op_code */
};

bool block_cache_init(struct block_cache *cache, const void *const *labels, struct err *err);
void block_cache_release(struct block_cache *cache);
/* NULL if not decoded yet. */
struct block *block_find(const struct block_cache *cache, uint64_t physical);
/* Whether there is room for another block. If not: block_cache_flush, and forget all pointers. */
bool block_cache_has_room(const struct block_cache *cache);
void block_cache_flush(struct block_cache *cache);

struct block_source {
    const uint8_t *bytes; /* of the page */
    uint64_t physical;    /* of the page */
    uint32_t offset;      /* of the first instruction */
    uint32_t count_max;   /* instructions */
};
/* Decodes into memory for sizeof(struct block) + BLOCK_OPS_MAX operations. Count 0: only the first
 * half of the first instruction is in this page. */
void block_decode(const struct block_cache *cache, const struct block_source *source,
                  struct block *out);
/* The same for one instruction, which may go on in the next page. */
void block_decode_one(const struct block_cache *cache, uint32_t bits, uint64_t physical,
                      struct block *out);
/* Decodes and files a new block. There must be room. NULL where block_decode counts 0. */
struct block *block_make(struct block_cache *cache, const struct block_source *source,
                         struct code_page *page);
/* Unhooks all blocks of the page. */
void block_kill_page(struct block_cache *cache, struct code_page *page);

/* Instructions of the block before parcel `at`. */
static inline uint32_t block_index(const struct block *block, uint32_t at)
{
    uint64_t low = block->starts[0], high = block->starts[1];

    if (at < 64)
        return (uint32_t)__builtin_popcountll(low & ((UINT64_C(1) << at) - 1));
    return (uint32_t)__builtin_popcountll(low) +
           (uint32_t)__builtin_popcountll(high & ((UINT64_C(1) << (at - 64)) - 1));
}
/* The parcel at which the next instruction after the one at `at` starts (the end for the last one).
 */
uint32_t block_next_parcel(const struct block *block, uint32_t at);

#endif
