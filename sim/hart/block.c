#include "sim/hart/block.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/err.h"

#include <stdlib.h>
#include <sys/mman.h>

#define ARENA_BYTES  ((size_t)64 << 20)
#define BUCKETS      65536u
#define BLOCK_ROOM   (sizeof(struct block) + BLOCK_OPS_MAX * sizeof(struct op))
#define PAGE_PARCELS (IMAGE_PAGE_SIZE / 2)

bool block_cache_init(struct block_cache *cache, const void *const *labels, struct err *err)
{
    void *arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    *cache = (struct block_cache){.labels = labels, .limit = ARENA_BYTES};
    if (arena == MAP_FAILED)
        return err_set(err, ERR_NO_MEMORY, "no memory for decoded code");
    cache->arena = arena;
    cache->buckets = calloc(BUCKETS, sizeof cache->buckets[0]);
    if (cache->buckets == NULL) {
        block_cache_release(cache);
        return err_set(err, ERR_NO_MEMORY, "no memory for decoded code");
    }
    return true;
}

void block_cache_release(struct block_cache *cache)
{
    if (cache->arena != NULL)
        munmap(cache->arena, ARENA_BYTES);
    free(cache->buckets);
    *cache = (struct block_cache){0};
}

static struct block **bucket_of(const struct block_cache *cache, uint64_t physical)
{
    uint64_t hash = (physical >> 1) * UINT64_C(0x9e3779b97f4a7c15);

    return &cache->buckets[hash >> 48];
}

struct block *block_find(const struct block_cache *cache, uint64_t physical)
{
    struct block *block = *bucket_of(cache, physical);

    while (block != NULL && block->physical != physical)
        block = block->hash_next;
    return block;
}

bool block_cache_has_room(const struct block_cache *cache)
{
    return cache->used + BLOCK_ROOM <= cache->limit;
}

void block_cache_flush(struct block_cache *cache)
{
    cache->used = 0;
    cache->generation++;
    memset(cache->buckets, 0, BUCKETS * sizeof cache->buckets[0]);
}

uint32_t block_next_parcel(const struct block *block, uint32_t at)
{
    uint32_t end = block->bytes / 2u;

    for (uint32_t parcel = at + 1; parcel < end; parcel++)
        if ((block->starts[parcel / 64] >> (parcel % 64) & 1) != 0)
            return parcel;
    return end;
}

/* Which pairs have a handler of their own. */
#define PAIR_ENTRY(first, second) [OP_##first][OP_##second] = OP_##first##_##second,
static const uint16_t fused[OP_PLAIN_COUNT][OP_PLAIN_COUNT] = {OPS_FUSED(PAIR_ENTRY)};

/* A block under construction. */
struct builder {
    const struct block_cache *cache;
    struct block *block;
    uint32_t op_count;
    uint16_t codes[BLOCK_OPS_MAX]; /* of each operation; links have none */
    bool fp_checked;
    bool fp_dirty;
};

static struct op *emit(struct builder *builder, enum op_code code, uint32_t at)
{
    struct op *op = &builder->block->ops[builder->op_count];

    builder->codes[builder->op_count++] = (uint16_t)code;
    *op = (struct op){.label = builder->cache->labels[code]};
    op->at = (uint8_t)at;
    return op;
}

static void emit_links(struct builder *builder)
{
    struct op *op = &builder->block->ops[builder->op_count];

    builder->codes[builder->op_count++] = OP_NOP;
    op->taken = NULL;
    op->next = NULL;
}

/* The instruction `in`, `at` parcels into the block, `offset` bytes into the page. */
static void emit_instruction(struct builder *builder, const struct decoded *in, uint32_t at,
                             uint32_t offset)
{
    if ((in->flags & DECODED_FP) != 0 && !builder->fp_checked) {
        emit(builder, OP_FP_CHECK, at);
        builder->fp_checked = true;
    }
    if (in->code == OP_NOP)
        return;
    struct op *op = emit(builder, in->code, at);

    op->rd = in->rd;
    op->rs1 = in->rs1;
    op->rs2 = in->rs2;
    op->imm = in->imm;
    if ((in->flags & DECODED_RELATIVE) != 0)
        op->imm = in->imm + (int32_t)offset;
    if (in->code == OP_JAL) { /* where it returns to, in the page */
        op->rs1 = (uint8_t)(offset + in->rs2);
        op->rs2 = (uint8_t)((offset + in->rs2) >> 8);
    } else if (in->code == OP_JALR) {
        op->imm = (int32_t)((offset + in->rs2) << 16 | ((uint32_t)in->imm & 0xffff));
    }
    if ((in->flags & DECODED_LINKS) != 0)
        emit_links(builder);
    if ((in->flags & DECODED_FP_DIRTY) != 0 && !builder->fp_dirty) {
        emit(builder, OP_FP_DIRTY, at);
        builder->fp_dirty = true;
    }
}

static void emit_fall(struct builder *builder, uint32_t at, uint32_t offset)
{
    struct op *op = emit(builder, OP_FALL, at);

    op->imm = (int32_t)offset;
    emit_links(builder);
}

/* True if the block goes on after it. */
static bool add_instruction(struct builder *builder, uint32_t bits, uint32_t at)
{
    struct block *block = builder->block;
    struct decoded decoded;

    decode_instruction(bits, &decoded);
    emit_instruction(builder, &decoded, at, block->offset + 2 * at);
    block->starts[at / 64] |= UINT64_C(1) << (at % 64);
    block->count++;
    block->bytes = (uint16_t)(2 * at + instruction_bytes(bits));
    return (decoded.flags & DECODED_ENDS) == 0;
}

static void fuse(struct builder *builder)
{
    for (uint32_t i = 0; i + 1 < builder->op_count; i++) {
        uint16_t pair = fused[builder->codes[i]][builder->codes[i + 1]];

        if (pair == 0)
            continue;
        builder->block->ops[i].label = builder->cache->labels[pair];
        i++;
    }
}

static void finish(struct builder *builder, bool goes_on)
{
    struct block *block = builder->block;

    if (goes_on)
        emit_fall(builder, block->bytes / 2u, (uint32_t)block->offset + block->bytes);
    CHECK(builder->op_count <= BLOCK_OPS_MAX);
    fuse(builder);
    block->room = builder->op_count;
}

void block_decode(const struct block_cache *cache, const struct block_source *source,
                  struct block *out)
{
    struct builder builder = {.cache = cache, .block = out};
    uint32_t parcel = source->offset / 2, first = parcel;
    bool goes_on = true;

    *out = (struct block){.physical = source->physical | source->offset,
                          .offset = (uint16_t)source->offset};
    while (goes_on && out->count < source->count_max && parcel < PAGE_PARCELS) {
        uint32_t bits = load_le16(source->bytes + 2 * (size_t)parcel);
        uint32_t parcels = instruction_bytes(bits) / 2;

        if (parcel - first + parcels > BLOCK_PARCELS_MAX || parcel + parcels > PAGE_PARCELS)
            break;
        if (parcels == 2)
            bits |= (uint32_t)load_le16(source->bytes + 2 * (size_t)parcel + 2) << 16;
        goes_on = add_instruction(&builder, bits, parcel - first);
        parcel += parcels;
    }
    finish(&builder, goes_on);
}

void block_decode_one(const struct block_cache *cache, uint32_t bits, uint64_t physical,
                      struct block *out)
{
    struct builder builder = {.cache = cache, .block = out};

    *out = (struct block){.physical = physical, .offset = physical & (IMAGE_PAGE_SIZE - 1)};
    finish(&builder, add_instruction(&builder, bits, 0));
}

struct block *block_make(struct block_cache *cache, const struct block_source *source,
                         struct code_page *page)
{
    struct block *block = (struct block *)(void *)(cache->arena + cache->used);
    struct block **bucket = bucket_of(cache, source->physical | source->offset);

    block_decode(cache, source, block);
    if (block->count == 0)
        return NULL;
    cache->used += sizeof *block + block->room * sizeof block->ops[0];
    block->hash_next = *bucket;
    *bucket = block;
    block->page_next = page->blocks;
    page->blocks = block;
    for (uint32_t byte = block->offset & ~63u; byte < block->offset + block->bytes; byte += 64)
        page->granules |= UINT64_C(1) << (byte / 64);
    return block;
}

void block_kill_page(struct block_cache *cache, struct code_page *page)
{
    for (struct block *block = page->blocks; block != NULL; block = block->page_next) {
        struct block **place = bucket_of(cache, block->physical);

        while (*place != block)
            place = &(*place)->hash_next;
        *place = block->hash_next;
        block->ops[0].label = cache->labels[OP_DEAD];
    }
    *page = (struct code_page){0};
}
