/* walk.h — address translation by walking the page tables, and physical memory protection.
 * Sv39, Sv48, Sv57 (II 12.3 to 12.6), Svnapot, Svpbmt, Svadu/Svade, Svinval; PMP (II 3.7).
 * Uncached: engines keep the results in TLBs. */
#ifndef THAW_SIM_HART_WALK_H
#define THAW_SIM_HART_WALK_H

#include "sim/hart/hart.h"

enum access { ACCESS_LOAD, ACCESS_STORE, ACCESS_FETCH };

#define WALK_LEVELS_MAX 5

struct translation {
    uint64_t physical; /* of the address asked for */
    uint64_t cause;    /* of the exception, when the walk fails */
    uint64_t page_bytes;  /* of the leaf (4 KiB, 64 KiB napot, 2 MiB, …); all ones when bare */
    /* What may be done through this translation at this privilege without walking again: PTE
     * permissions with SUM, MXR, U, A and D, and PMP for the whole 4 KiB page. False where only
     * part of the page may. */
    bool may_load;
    bool may_store; /* only if D is set */
    bool may_fetch;
    uint32_t pte_count; /* entries the walk used, root first; the last is the leaf */
    uint64_t pte_addresses[WALK_LEVELS_MAX];
};

/* The privilege that loads and stores have: mstatus.MPRV and MPP (II 3.1.6.3). */
uint32_t hart_data_privilege(const struct hart *hart);
/* Translates for one access of `size` bytes that does not cross a 4 KiB page. Sets A and D in
 * memory (through the bus, so that everybody notices) when Svadu is on. False: out->cause. */
bool hart_translate(struct hart *hart, uint64_t address, uint32_t size, enum access access,
                    struct translation *out);
/* PMP alone. */
bool pmp_allows(const struct hart *hart, uint64_t physical, uint64_t size, enum access access,
                uint32_t privilege);

#endif
