/* memory.h — what the engines of one board know about its RAM: decoded code, pages that
 * translations came from, pages that are written without notice; and the rules that keep it all
 * unseen.
 *
 * For each 4 KiB page of RAM:
 * - writers: the virtual pages under which fast write entries may exist (two, or "several");
 * - code: blocks decoded from it (flag CODE while there are any);
 * - table: for each of its 512 possible page-table entries, which virtual page it translated (flag
 * TABLE while any is recorded). A store that changes a recorded, valid entry drops what came from
 * it; invalid entries are never cached, so there is nothing to drop when they change. */
#ifndef THAW_SIM_HART_MEMORY_H
#define THAW_SIM_HART_MEMORY_H

#include "sim/hart/block.h"
#include "sim/hart/walk.h"

#define TABLE_ENTRIES     512u
#define BOARD_ENGINES_MAX 64u

struct engine;

struct table_page {
    struct table_page *next; /* all of the board */
    struct table_page **previous;
    uint64_t root; /* the one root that walks through here, or TLB_ANY_ROOT */
    uint32_t recorded;
    uint64_t
        pages[TABLE_ENTRIES]; /* 0: not recorded; else virtual page number * 4 + enum recorded */
};
/* How a page-table entry was used. */
enum recorded { RECORDED_LEAF = 1, RECORDED_WIDE = 2 };

#define WRITERS_SEVERAL UINT64_MAX
struct ram_page {
    uint64_t writers[2]; /* virtual page address + 1, 0: none; writers[1] may be WRITERS_SEVERAL */
    struct code_page code;
    struct table_page *table;
};

struct ram {
    uint64_t base;
    uint64_t size; /* multiple of 4 KiB */
    uint8_t *data;
    uint8_t *flags; /* enum image_page_flag of each page */
    bool writable;
    struct ram_page *pages;
};

struct board_memory {
    struct bus *bus;
    struct block_cache blocks;
    struct ram *rams[BUS_REGIONS_MAX];
    uint32_t ram_count;
    struct table_page *tables;
    struct engine *engines[BOARD_ENGINES_MAX];
    uint32_t engine_count;
    uint64_t changes; /* goes on whenever cached translations or code are dropped */
};

/* The board's, made with its first engine. */
struct board_memory *board_memory_join(struct bus *bus, struct engine *engine,
                                       const void *const *labels, struct err *err);
/* Frees it with its last engine. */
void board_memory_leave(struct board_memory *memory, struct engine *engine);

/* The RAM (or ROM) that holds this page wholly; NULL if none does. */
struct ram *memory_ram(struct board_memory *memory, uint64_t physical);
static inline uint64_t ram_page_index(const struct ram *ram, uint64_t physical)
{
    return (physical - ram->base) / IMAGE_PAGE_SIZE;
}
/* Physical address of a byte of RAM. */
uint64_t memory_physical(const struct board_memory *memory, const uint8_t *host);
struct ram *memory_ram_of_host(const struct board_memory *memory, const uint8_t *host);

/* Notes that these entries gave the translation of `address` under `root`. */
void memory_record_walk(struct board_memory *memory, uint64_t root, uint64_t address,
                        const struct translation *translation);
/* Notes a fast write entry. The page must have no SLOW flag; it becomes dirty. */
void memory_record_writer(struct ram *ram, uint64_t physical, uint64_t address);
/* The block at this physical address, decoded now if need be. NULL: the instruction there goes on
 * in the next page. */
struct block *memory_block(struct board_memory *memory, struct ram *ram, uint64_t physical);
/* Stores into RAM with everything that follows. Naturally aligned, size 1 to 8. False: the bus
 * refused. */
bool memory_store(struct board_memory *memory, uint8_t *host, uint32_t size, uint64_t value);
/* Drops all decoded code and all translations of all engines. */
void memory_flush(struct board_memory *memory);

#endif
