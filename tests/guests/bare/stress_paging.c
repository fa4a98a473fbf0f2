#include "stress.h"

enum { FRAMES = 16, PAGES = 512, TOUCHES = 96 };
#define WINDOW 0x400000000u /* the 512 pages: root entry 16 */

enum { PTE_V = 1, PTE_R = 2, PTE_W = 4, PTE_X = 8, PTE_U = 16, PTE_A = 64, PTE_D = 128 };

struct paging {
    _Alignas(4096) uint64_t root[512];
    uint64_t middle[512], leaf[512];
    uint64_t frame[FRAMES][512];
    /* Which page holds each frame, PAGES if none; the frame taken next. */
    uint64_t holder[FRAMES], next;
};

static struct paging spaces[HARTS_MAX];

static uint64_t pte_to(const void *at, uint64_t bits)
{
    return (uint64_t)(uintptr_t)at >> 12 << 10 | bits;
}

static void flush(uint64_t address)
{
    __asm__ volatile("sfence.vma %0, zero" ::"r"(address) : "memory");
}

void paging_init(uint64_t hart)
{
    struct paging *space = &spaces[hart];

    space->root[0] = pte_to((void *)0, PTE_V | PTE_R | PTE_W | PTE_A | PTE_D);
    space->root[2] = pte_to((void *)0x80000000u, PTE_V | PTE_R | PTE_W | PTE_X | PTE_A | PTE_D);
    space->root[16] = pte_to(space->middle, PTE_V);
    space->middle[0] = pte_to(space->leaf, PTE_V);
    for (int i = 0; i < FRAMES; i++)
        space->holder[i] = PAGES;
    /* S mode may reach everything physical. */
    CSR_WRITE(pmpaddr0, 0x3fffffffffffffu);
    CSR_WRITE(pmpcfg0, 0x1f);
    CSR_WRITE(satp, 8ull << 60 | (uint64_t)(uintptr_t)space->root >> 12);
    __asm__ volatile("sfence.vma" ::: "memory");
}

bool paging_handle_fault(uint64_t hart, uint64_t address)
{
    struct paging *space = &spaces[hart];
    uint64_t page = (address - WINDOW) >> 12, slot = space->next;

    if (address < WINDOW || page >= PAGES)
        return false;
    /* A page that is there faults for its A or D bit, where the hart leaves those to software. */
    if (space->leaf[page] & PTE_V) {
        space->leaf[page] |= PTE_A | PTE_D;
        flush(address);
        return true;
    }
    space->next = (slot + 1) % FRAMES;
    if (space->holder[slot] != PAGES) {
        space->leaf[space->holder[slot]] = 0;
        flush(WINDOW + (space->holder[slot] << 12));
    }
    for (int i = 0; i < 512; i++)
        space->frame[slot][i] = page * 512u + (uint64_t)i;
    space->holder[slot] = page;
    space->leaf[page] = pte_to(space->frame[slot], PTE_V | PTE_R | PTE_W);
    flush(address);
    return true;
}

/* Into S mode and back: the ecall is answered by the trap handler with M mode. */
static void enter_supervisor(void)
{
    CSR_CLEAR(mstatus, 0x1808); /* an interrupt before the MRET would take mepc */
    CSR_SET(mstatus, 0x880);    /* MPP = S; MPIE: interrupts are on again there */
    __asm__ volatile("la t0, 1f\n csrw mepc, t0\n mret\n 1:" ::: "t0", "memory");
}

static void leave_supervisor(void)
{
    __asm__ volatile("ecall" ::: "memory");
}

uint64_t stress_paging(uint64_t hart, uint64_t *seed)
{
    uint64_t sum = 2, bad = 0;

    (void)hart;
    enter_supervisor();
    for (int i = 0; i < TOUCHES; i++) {
        uint64_t random = next_random(seed), page = random % PAGES, word = random >> 32 & 511u;
        volatile uint64_t *at = (volatile uint64_t *)(uintptr_t)(WINDOW + page * 4096u + word * 8u);
        uint64_t was = *at;

        *at = was ^ random;
        bad |= *at ^ was ^ random;
        /* Either still what the fault handler filled in, or what an earlier visit made of it. */
        sum = mix(sum, was ^ (page * 512u + word));
        *at = was;
    }
    leave_supervisor();
    if (bad != 0)
        guest_finish(CHECK_PAGE);
    return sum;
}
