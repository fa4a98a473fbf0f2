#include "sim/hart/memory.h"

#include "sim/hart/interpreter.h"
#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/err.h"

#include <stdlib.h>

/* Bits of a page-table entry (II 12.4.1). */
enum {
    PTE_V = 1,
    PTE_R = 2,
    PTE_W = 4,
    PTE_X = 8,
    PTE_A = 64,
    PTE_D = 128,
    PTE_RSW = 0x300,
};

#define PTE_PPN_SHIFT 10
#define PTE_PPN       ((UINT64_C(1) << 44) - 1)

static void bus_written(void *context, struct bus_region *region, uint64_t offset, uint64_t size,
                        const uint8_t *old);
static void bus_dma(void *context, uint64_t address, uint64_t size);

struct board_memory *board_memory_join(struct bus *bus, struct engine *engine,
                                       const void *const *labels, struct err *err)
{
    struct board_memory *memory = bus->observer.context;

    if (bus->observer.written != bus_written) {
        memory = calloc(1, sizeof *memory);
        if (memory == NULL || !block_cache_init(&memory->blocks, labels, err)) {
            free(memory);
            err_set(err, ERR_NO_MEMORY, "no memory for decoded code");
            return NULL;
        }
        memory->bus = bus;
        bus->observer = (struct bus_observer){bus_written, bus_dma, memory};
    }
    CHECK(memory->engine_count < BOARD_ENGINES_MAX);
    memory->engines[memory->engine_count++] = engine;
    return memory;
}

static void free_table(struct table_page *table)
{
    *table->previous = table->next;
    if (table->next != NULL)
        table->next->previous = table->previous;
    free(table);
}

static struct table_page *new_table(struct board_memory *memory, uint64_t root)
{
    struct table_page *table = calloc(1, sizeof *table);

    CHECK(table != NULL);
    table->root = root;
    table->next = memory->tables;
    table->previous = &memory->tables;
    if (table->next != NULL)
        table->next->previous = &table->next;
    memory->tables = table;
    return table;
}

void board_memory_leave(struct board_memory *memory, struct engine *engine)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < memory->engine_count; i++)
        if (memory->engines[i] != engine)
            memory->engines[kept++] = memory->engines[i];
    memory->engine_count = kept;
    if (kept != 0)
        return;
    memory->bus->observer = (struct bus_observer){NULL, NULL, NULL};
    while (memory->tables != NULL)
        free_table(memory->tables);
    for (uint32_t i = 0; i < memory->ram_count; i++) {
        free(memory->rams[i]->pages);
        free(memory->rams[i]);
    }
    block_cache_release(&memory->blocks);
    free(memory);
}

static struct ram *ram_of_region(struct board_memory *memory, const struct bus_region *region)
{
    for (uint32_t i = 0; i < memory->ram_count; i++)
        if (memory->rams[i]->base == region->base)
            return memory->rams[i];
    if (region->ram == NULL || (region->base & PAGE_OFFSET) != 0)
        return NULL;
    struct ram *ram = calloc(1, sizeof *ram);

    CHECK(ram != NULL && memory->ram_count < BUS_REGIONS_MAX);
    uint64_t size = region->size < region->ram->size ? region->size : region->ram->size;

    *ram = (struct ram){.base = region->base,
                        .size = size & PAGE_MASK,
                        .data = region->ram->data,
                        .flags = region->ram->page_flags,
                        .writable = region->writable};
    ram->pages = calloc((size_t)(ram->size / IMAGE_PAGE_SIZE) + 1, sizeof ram->pages[0]);
    CHECK(ram->pages != NULL);
    memory->rams[memory->ram_count++] = ram;
    return ram;
}

struct ram *memory_ram(struct board_memory *memory, uint64_t physical)
{
    physical &= PAGE_MASK;
    for (uint32_t i = 0; i < memory->ram_count; i++)
        if (physical - memory->rams[i]->base < memory->rams[i]->size)
            return memory->rams[i];
    const struct bus_region *region = bus_find(memory->bus, physical);
    struct ram *ram = region == NULL ? NULL : ram_of_region(memory, region);

    return ram != NULL && physical - ram->base < ram->size ? ram : NULL;
}

struct ram *memory_ram_of_host(const struct board_memory *memory, const uint8_t *host)
{
    for (uint32_t i = 0; i < memory->ram_count; i++)
        if ((uintptr_t)host - (uintptr_t)memory->rams[i]->data < memory->rams[i]->size)
            return memory->rams[i];
    return NULL;
}

uint64_t memory_physical(const struct board_memory *memory, const uint8_t *host)
{
    const struct ram *ram = memory_ram_of_host(memory, host);

    CHECK(ram != NULL);
    return ram->base + (uint64_t)(host - ram->data);
}

/* The page's write entries must go through the slow path from now on. */
static void slow_down_writes(struct board_memory *memory, struct ram *ram, uint64_t index)
{
    struct ram_page *page = &ram->pages[index];
    const uint8_t *host = ram->data + index * IMAGE_PAGE_SIZE;

    for (uint32_t i = 0; i < memory->engine_count; i++) {
        struct tlb *tlb = &memory->engines[i]->tlb;

        if (page->writers[1] == WRITERS_SEVERAL) {
            tlb_slow_writes(tlb, host);
            continue;
        }
        for (uint32_t j = 0; j < 2; j++)
            if (page->writers[j] != 0)
                tlb_slow_writes_at(tlb, page->writers[j] - 1, host);
    }
    page->writers[0] = 0;
    page->writers[1] = 0;
}

void memory_record_writer(struct ram *ram, uint64_t physical, uint64_t address)
{
    uint64_t index = ram_page_index(ram, physical), key = (address & PAGE_MASK) + 1;
    uint64_t *writers = ram->pages[index].writers;

    ram->flags[index] |= IMAGE_PAGE_DIRTY;
    if (writers[0] == key || writers[1] == key)
        return;
    if (writers[0] == 0)
        writers[0] = key;
    else if (writers[1] == 0)
        writers[1] = key;
    else
        writers[1] = WRITERS_SEVERAL;
}

static void record_entry(struct board_memory *memory, uint64_t root, uint64_t entry, uint64_t mark)
{
    struct ram *ram = memory_ram(memory, entry);

    if (ram == NULL || !ram->writable)
        return;
    uint64_t index = ram_page_index(ram, entry);
    struct ram_page *page = &ram->pages[index];

    if (page->table == NULL) {
        page->table = new_table(memory, root);
        ram->flags[index] |= IMAGE_PAGE_TABLE;
        slow_down_writes(memory, ram, index);
    }
    if (page->table->root != root)
        page->table->root = TLB_ANY_ROOT;
    uint64_t *slot = &page->table->pages[(entry & PAGE_OFFSET) / 8];

    if (*slot == 0)
        page->table->recorded++;
    else if (*slot != mark)
        mark = RECORDED_WIDE;
    *slot = mark;
}

void memory_record_walk(struct board_memory *memory, uint64_t root, uint64_t address,
                        const struct translation *translation)
{
    for (uint32_t i = 0; i < translation->pte_count; i++) {
        bool leaf = i + 1 == translation->pte_count;
        /* Up to 64 KiB (Svnapot) each 4 KiB page has an entry of its own. */
        bool narrow = leaf && translation->page_bytes <= 65536;
        uint64_t mark = narrow ? (address >> 12) * 4 | RECORDED_LEAF : RECORDED_WIDE;

        record_entry(memory, root, translation->pte_addresses[i], mark);
    }
}

static void drop_translations(struct board_memory *memory, uint64_t root, uint64_t mark)
{
    memory->changes++;
    for (uint32_t i = 0; i < memory->engine_count; i++) {
        struct engine *engine = memory->engines[i];

        if (mark == RECORDED_WIDE)
            tlb_drop_all(&engine->tlb, root);
        else
            tlb_drop_page(&engine->tlb, root, mark >> 2 << 12);
        engine->leave = true;
    }
}

/* True if whatever was cached under the old entry is still allowed, and leads to the same place. */
static bool entry_only_widens(uint64_t old, uint64_t new)
{
    uint64_t harmless = PTE_A | PTE_D | PTE_RSW | ((old & PTE_R) != 0 ? PTE_W : 0);

    return (old & ~new & ~(uint64_t)PTE_RSW) == 0 && ((old ^ new) & ~harmless) == 0;
}

/* Whether anything that is cached came through this entry: not if it points to a table of which no
 * entry is recorded any more. Systems that take a table down clear it before they unhook it. */
static bool entry_was_used(struct board_memory *memory, uint64_t old)
{
    if ((old & (PTE_R | PTE_W | PTE_X)) != 0)
        return true;
    uint64_t physical = (old >> PTE_PPN_SHIFT & PTE_PPN) * IMAGE_PAGE_SIZE;
    const struct ram *ram = memory_ram(memory, physical);

    return ram == NULL || ram->pages[ram_page_index(ram, physical)].table != NULL;
}

static void table_written(struct board_memory *memory, struct ram *ram, uint64_t offset,
                          uint64_t old)
{
    uint64_t index = offset / IMAGE_PAGE_SIZE;
    struct table_page *table = ram->pages[index].table;
    uint64_t *slot = &table->pages[(offset & PAGE_OFFSET) / 8];
    uint64_t new = load_le64(ram->data + (offset & ~UINT64_C(7)));

    if (*slot == 0 || (old & PTE_V) == 0 || old == new)
        return;
    if ((*slot & 3) == RECORDED_LEAF && entry_only_widens(old, new))
        return;
    if (entry_was_used(memory, old))
        drop_translations(memory, table->root, *slot);
    *slot = 0;
    if (--table->recorded != 0)
        return;
    free_table(table);
    ram->pages[index].table = NULL;
    ram->flags[index] &= (uint8_t)~IMAGE_PAGE_TABLE;
}

static void code_written(struct board_memory *memory, struct ram *ram, uint64_t offset,
                         uint64_t size)
{
    uint64_t index = offset / IMAGE_PAGE_SIZE;
    struct code_page *code = &ram->pages[index].code;
    uint64_t first = (offset & PAGE_OFFSET) / 64, last = ((offset & PAGE_OFFSET) + size - 1) / 64;
    uint64_t touched = UINT64_MAX >> (63 - last) & UINT64_MAX << first;

    if ((code->granules & touched) == 0)
        return;
    block_kill_page(&memory->blocks, code);
    ram->flags[index] &= (uint8_t)~IMAGE_PAGE_CODE;
    memory->changes++;
    for (uint32_t i = 0; i < memory->engine_count; i++)
        memory->engines[i]->leave = true;
}

/* After a write of up to 8 bytes inside one aligned 8-byte word; `old` is that whole word before.
 */
static void word_written(struct board_memory *memory, struct ram *ram, uint64_t offset,
                         uint64_t size, uint64_t old)
{
    uint8_t flags = ram->flags[offset / IMAGE_PAGE_SIZE];

    if ((flags & IMAGE_PAGE_TABLE) != 0)
        table_written(memory, ram, offset, old);
    if ((flags & IMAGE_PAGE_CODE) != 0)
        code_written(memory, ram, offset, size);
}

/* A whole piece of a page changed, and nobody knows what was there. */
static void piece_written(struct board_memory *memory, struct ram *ram, uint64_t offset,
                          uint64_t size)
{
    uint64_t index = offset / IMAGE_PAGE_SIZE;
    uint8_t flags = ram->flags[index];
    uint64_t last = offset + size - 1;

    if ((flags & IMAGE_PAGE_CODE) != 0)
        code_written(memory, ram, offset, size);
    for (uint64_t at = offset & ~UINT64_C(7); at <= last; at += 8) {
        if (ram->pages[index].table == NULL)
            return;
        table_written(memory, ram, at, ~load_le64(ram->data + at) | PTE_V | PTE_R);
    }
}

static void bus_written(void *context, struct bus_region *region, uint64_t offset, uint64_t size,
                        const uint8_t *old)
{
    struct board_memory *memory = context;
    struct ram *ram = ram_of_region(memory, region);
    uint64_t word = 0, shift = offset & 7;

    if (ram == NULL || size == 0 || offset + size > ram->size)
        return;
    if (old == NULL || shift + size > 8) {
        for (uint64_t at = offset; at < offset + size;) {
            uint64_t left = IMAGE_PAGE_SIZE - (at & PAGE_OFFSET);
            uint64_t piece = left < offset + size - at ? left : offset + size - at;

            piece_written(memory, ram, at, piece);
            at += piece;
        }
        return;
    }
    uint8_t bytes[8];

    store_le64(bytes, load_le64(ram->data + (offset & ~UINT64_C(7))));
    memcpy(bytes + shift, old, (size_t)size);
    word = load_le64(bytes);
    word_written(memory, ram, offset, size, word);
}

static void bus_dma(void *context, uint64_t address, uint64_t size)
{
    const struct board_memory *memory = context;

    for (uint32_t i = 0; i < memory->engine_count; i++) {
        struct hart_state *state = memory->engines[i]->state;

        if (state->reservation_address + 64 <= address ||
            state->reservation_address >= address + size)
            continue;
        state->reservation_valid = 0;
        state->reservation_address = 0;
    }
}

bool memory_store(struct board_memory *memory, uint8_t *host, uint32_t size, uint64_t value)
{
    struct ram *ram = memory_ram_of_host(memory, host);

    CHECK(ram != NULL);
    uint64_t offset = (uint64_t)(host - ram->data), index = offset / IMAGE_PAGE_SIZE;
    uint64_t old = load_le64(ram->data + (offset & ~UINT64_C(7)));

    if ((ram->flags[index] & IMAGE_PAGE_WATCH) != 0)
        return bus_write(memory->bus, ram->base + offset, size, value);
    if (size == 8)
        store_le64(host, value);
    else if (size == 4)
        store_le32(host, (uint32_t)value);
    else if (size == 2)
        store_le16(host, (uint16_t)value);
    else
        *host = (uint8_t)value;
    ram->flags[index] |= IMAGE_PAGE_DIRTY;
    word_written(memory, ram, offset, size, old);
    return true;
}

struct block *memory_block(struct board_memory *memory, struct ram *ram, uint64_t physical)
{
    struct block *block = block_find(&memory->blocks, physical);

    if (block != NULL)
        return block;
    if (!block_cache_has_room(&memory->blocks))
        memory_flush(memory);
    uint64_t index = ram_page_index(ram, physical);
    struct block_source source = {.bytes = ram->data + index * IMAGE_PAGE_SIZE,
                                  .physical = physical & PAGE_MASK,
                                  .offset = (uint32_t)(physical & PAGE_OFFSET),
                                  .count_max = UINT32_MAX};

    block = block_make(&memory->blocks, &source, &ram->pages[index].code);
    if (block != NULL && (ram->flags[index] & IMAGE_PAGE_CODE) == 0) {
        ram->flags[index] |= IMAGE_PAGE_CODE;
        slow_down_writes(memory, ram, index);
    }
    return block;
}

void memory_flush(struct board_memory *memory)
{
    memory->changes++;
    block_cache_flush(&memory->blocks);
    for (uint32_t i = 0; i < memory->engine_count; i++) {
        tlb_drop_all(&memory->engines[i]->tlb, TLB_ANY_ROOT);
        memory->engines[i]->leave = true;
    }
    for (uint32_t i = 0; i < memory->ram_count; i++) {
        struct ram *ram = memory->rams[i];

        for (uint64_t j = 0; j < ram->size / IMAGE_PAGE_SIZE; j++) {
            if ((ram->flags[j] & (IMAGE_PAGE_CODE | IMAGE_PAGE_TABLE)) == 0)
                continue;
            ram->flags[j] &= (uint8_t) ~(IMAGE_PAGE_CODE | IMAGE_PAGE_TABLE);
            ram->pages[j].code = (struct code_page){0};
            ram->pages[j].table = NULL;
        }
    }
    while (memory->tables != NULL)
        free_table(memory->tables);
}
