#include "sim/hart/walk.h"

#include "sim/hart/pmp.h"
#include "sim/hart/status.h"
#include "sim/hart/trap.h"

enum {
    PTE_V = 1,
    PTE_R = 2,
    PTE_W = 4,
    PTE_X = 8,
    PTE_U = 16,
    PTE_A = 64,
    PTE_D = 128,
};
#define PTE_PPN_SHIFT 10
#define PTE_PPN       ((UINT64_C(1) << 44) - 1)
#define PTE_RESERVED  (UINT64_C(0x7f) << 54)
#define PTE_PBMT      (UINT64_C(3) << 61)
#define PTE_N         (UINT64_C(1) << 63)
#define PAGE_BYTES    UINT64_C(4096)
#define NAPOT_BYTES   UINT64_C(65536)

uint32_t hart_data_privilege(const struct hart *hart)
{
    const struct hart_state *state = hart->state;

    if ((state->mstatus & STATUS_MPRV) != 0)
        return (uint32_t)(state->mstatus >> STATUS_MPP_SHIFT & 3);
    return state->privilege;
}

/* One translation in the making. */
struct walk {
    struct hart *hart;
    uint64_t address;
    enum access access;
    uint32_t privilege; /* in effect */
    struct translation *out;
};

static bool page_fault(const struct walk *walk)
{
    static const uint64_t causes[] = {[ACCESS_LOAD] = CAUSE_LOAD_PAGE,
                                      [ACCESS_STORE] = CAUSE_STORE_PAGE,
                                      [ACCESS_FETCH] = CAUSE_FETCH_PAGE};

    walk->out->cause = causes[walk->access];
    return false;
}

static bool access_fault(const struct walk *walk)
{
    static const uint64_t causes[] = {[ACCESS_LOAD] = CAUSE_LOAD_ACCESS,
                                      [ACCESS_STORE] = CAUSE_STORE_ACCESS,
                                      [ACCESS_FETCH] = CAUSE_FETCH_ACCESS};

    walk->out->cause = causes[walk->access];
    return false;
}

/* PTE permissions at this privilege: II 12.3.1, 12.3.2. */
static void permissions(const struct walk *walk, uint64_t pte)
{
    uint64_t status = walk->hart->state->mstatus;
    bool user = (pte & PTE_U) != 0;
    bool data = walk->privilege == PRIVILEGE_U ? user : !user || (status & STATUS_SUM) != 0;
    bool fetch = user == (walk->privilege == PRIVILEGE_U);
    bool readable = (pte & PTE_R) != 0 || ((status & STATUS_MXR) != 0 && (pte & PTE_X) != 0);

    walk->out->may_load = data && readable;
    walk->out->may_store = data && (pte & PTE_W) != 0;
    walk->out->may_fetch = fetch && (pte & PTE_X) != 0;
}

static bool may(const struct translation *translation, enum access access)
{
    return access == ACCESS_LOAD    ? translation->may_load
           : access == ACCESS_STORE ? translation->may_store
                                    : translation->may_fetch;
}

/* Sets A and D, or faults without Svadu (II 12.3.1). Returns the entry as it then is, 0 on a fault.
 */
static uint64_t update_used(const struct walk *walk, uint64_t address, uint64_t pte)
{
    uint64_t wanted = pte | PTE_A | (walk->access == ACCESS_STORE ? PTE_D : 0);

    if (wanted == pte)
        return pte;
    if ((walk->hart->state->menvcfg & ENV_ADUE) == 0) {
        page_fault(walk);
        return 0;
    }
    if (!pmp_allows(walk->hart, address, 8, ACCESS_STORE, PRIVILEGE_S) ||
        !bus_write(walk->hart->bus, address, 8, wanted)) {
        access_fault(walk);
        return 0;
    }
    return wanted;
}

static bool read_entry(const struct walk *walk, uint64_t address, uint64_t *pte)
{
    if (!pmp_allows(walk->hart, address, 8, ACCESS_LOAD, PRIVILEGE_S) ||
        bus_ram(walk->hart->bus, address, 8) == NULL)
        return access_fault(walk);
    return bus_read(walk->hart->bus, address, 8, pte);
}

static bool entry_is_valid(const struct walk *walk, uint64_t pte)
{
    bool pbmte = (walk->hart->state->menvcfg & ENV_PBMTE) != 0;

    if ((pte & PTE_V) == 0 || (pte & (PTE_R | PTE_W)) == PTE_W || (pte & PTE_RESERVED) != 0)
        return false;
    if ((pte & PTE_PBMT) != 0 && (!pbmte || (pte & PTE_PBMT) == PTE_PBMT))
        return false;
    if ((pte & (PTE_R | PTE_X)) != 0)
        return true;
    return (pte & (PTE_PBMT | PTE_N | PTE_A | PTE_D | PTE_U)) == 0;
}

static bool finish_leaf(const struct walk *walk, uint64_t address, uint64_t pte, uint32_t level)
{
    uint64_t ppn = pte >> PTE_PPN_SHIFT & PTE_PPN;
    uint64_t bytes = PAGE_BYTES << 9 * level;

    if ((ppn & (bytes / PAGE_BYTES - 1)) != 0)
        return page_fault(walk);
    if ((pte & PTE_N) != 0) {
        if (level != 0 || (ppn & 15) != 8) /* 64 KiB is the only NAPOT size (Svnapot) */
            return page_fault(walk);
        bytes = NAPOT_BYTES;
        ppn &= ~UINT64_C(15);
    }
    permissions(walk, pte);
    if (!may(walk->out, walk->access))
        return page_fault(walk);
    pte = update_used(walk, address, pte);
    if (pte == 0)
        return false;
    walk->out->may_store = walk->out->may_store && (pte & PTE_D) != 0;
    walk->out->page_bytes = bytes;
    walk->out->physical = ppn * PAGE_BYTES | (walk->address & (bytes - 1));
    return true;
}

static bool walk_tables(const struct walk *walk)
{
    uint64_t satp = walk->hart->state->satp;
    uint32_t levels = (uint32_t)(satp >> SATP_MODE_SHIFT) - 5; /* Sv39 is mode 8 and has three */
    uint32_t unused = 64 - (12 + 9 * levels);
    uint64_t table = (satp & SATP_PPN) * PAGE_BYTES;

    if ((uint64_t)((int64_t)(walk->address << unused) >> unused) != walk->address)
        return page_fault(walk);
    for (uint32_t level = levels; level-- > 0;) {
        uint64_t index = walk->address >> (12 + 9 * level) & 511;
        uint64_t address = table + index * 8, pte;
        if (!read_entry(walk, address, &pte))
            return false;
        walk->out->pte_addresses[walk->out->pte_count++] = address;
        if (!entry_is_valid(walk, pte))
            return page_fault(walk);
        if ((pte & (PTE_R | PTE_X)) != 0)
            return finish_leaf(walk, address, pte, level);
        table = (pte >> PTE_PPN_SHIFT & PTE_PPN) * PAGE_BYTES;
    }
    return page_fault(walk);
}

/* What PMP lets happen to the whole 4 KiB page. */
static void protect_page(const struct walk *walk)
{
    struct translation *out = walk->out;
    uint64_t page = out->physical & ~(PAGE_BYTES - 1);

    out->may_load =
        out->may_load && pmp_allows(walk->hart, page, PAGE_BYTES, ACCESS_LOAD, walk->privilege);
    out->may_store =
        out->may_store && pmp_allows(walk->hart, page, PAGE_BYTES, ACCESS_STORE, walk->privilege);
    out->may_fetch =
        out->may_fetch && pmp_allows(walk->hart, page, PAGE_BYTES, ACCESS_FETCH, walk->privilege);
}

bool hart_translate(struct hart *hart, uint64_t address, uint32_t size, enum access access,
                    struct translation *out)
{
    uint32_t privilege =
        access == ACCESS_FETCH ? hart->state->privilege : hart_data_privilege(hart);
    struct walk walk = {hart, address, access, privilege, out};

    *out = (struct translation){.physical = address,
                                .page_bytes = UINT64_MAX,
                                .may_load = true,
                                .may_store = true,
                                .may_fetch = true};
    if (privilege != PRIVILEGE_M && hart->state->satp >> SATP_MODE_SHIFT != 0 &&
        !walk_tables(&walk))
        return false;
    if (!pmp_allows(hart, out->physical, size, access, privilege))
        return access_fault(&walk);
    protect_page(&walk);
    return true;
}
