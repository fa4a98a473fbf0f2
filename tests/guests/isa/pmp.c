/* Physical memory protection: the privileged manual 3.7. */
#include "isa.h"

enum { R = 1, W = 2, X = 4, TOR = 1 << 3, NA4 = 2 << 3, NAPOT = 3 << 3, LOCK = 128 };

/* The page in question, with a page before and after it. */
static _Alignas(4096) volatile uint64_t area[1536];
#define page (area + 512)
static uint64_t config;

static void set_config(unsigned entry, uint64_t value)
{
    config = (config & ~(0xffull << (8 * entry))) | value << (8 * entry);
    CSR_WRITE(pmpcfg0, config);
    sfence();
}

#define READ(at)  ((void)*(volatile uint64_t *)(uintptr_t)(at))
#define STORE(at) (*(volatile uint64_t *)(uintptr_t)(at) = 1)

/* What `statement` gives in S mode: the cause, or 99 for no trap. */
#define IN_S(statement)                                                                            \
    ({                                                                                             \
        seen.count = 0;                                                                            \
        enter_mode(MODE_S);                                                                        \
        statement;                                                                                 \
        leave_mode();                                                                              \
        seen.count == 0 ? 99 : seen.cause;                                                         \
    })
enum { FINE = 99 };

static void naturally_aligned(void)
{
    /* Entry 1 opens everything, entry 0 goes before it. */
    CSR_WRITE(pmpaddr1, 0x3fffffffffffffu);
    CSR_WRITE(pmpaddr0, (uintptr_t)page >> 2 | 0x1ff); /* 4 KiB */
    set_config(1, NAPOT | R | W | X);
    set_config(0, NAPOT);
    CHECK_EQUAL(IN_S(READ(page)), CAUSE_LOAD_ACCESS);
    CHECK_EQUAL(seen.tval, (uintptr_t)page);
    CHECK_EQUAL(IN_S(STORE(page + 511)), CAUSE_STORE_ACCESS);
    CHECK_EQUAL(IN_S(READ(page + 512)), FINE);
    CHECK_EQUAL(IN_S(READ(page - 1)), FINE);
    CHECK_NO_TRAP(READ(page)); /* not locked: M mode passes */
    set_config(0, NAPOT | R);
    CHECK_EQUAL(IN_S(READ(page)), FINE);
    CHECK_EQUAL(IN_S(STORE(page)), CAUSE_STORE_ACCESS);
    set_config(0, NAPOT | R | W);
    CHECK_EQUAL(IN_S(STORE(page)), FINE);
    page[0] = 0x8082; /* c.jr ra */
    __asm__ volatile("fence.i" ::: "memory");
    seen.count = 0;
    enter_mode(MODE_S);
    __asm__ volatile("la ra, 1f\n sd ra, 0(%1)\n jr %0\n 1:" ::"r"(page), "r"(&resume_at)
                     : "ra", "memory");
    leave_mode();
    CHECK_EQUAL(seen.count, 1);
    CHECK_EQUAL(seen.cause, CAUSE_FETCH_ACCESS);
    CHECK_EQUAL(seen.tval, (uintptr_t)page);
    resume_at = 0;
    /* R=0 W=1 is reserved: WARL, it may not read back. */
    set_config(0, NAPOT | R | W | X);
    CHECK_EQUAL(IN_S(((void (*)(void))(uintptr_t)page)()), FINE);
}

static void top_of_range(void)
{
    CSR_WRITE(pmpaddr0, (uintptr_t)(page + 8) >> 2);
    CSR_WRITE(pmpaddr1, (uintptr_t)(page + 16) >> 2);
    CSR_WRITE(pmpaddr2, 0x3fffffffffffffu);
    set_config(2, NAPOT | R | W | X);
    set_config(0, 0);
    set_config(1, TOR | R);
    CHECK_EQUAL(IN_S(STORE(page + 7)), FINE);
    CHECK_EQUAL(IN_S(STORE(page + 8)), CAUSE_STORE_ACCESS);
    CHECK_EQUAL(IN_S(STORE(page + 15)), CAUSE_STORE_ACCESS);
    CHECK_EQUAL(IN_S(STORE(page + 16)), FINE);
    CHECK_EQUAL(IN_S(READ(page + 15)), FINE);
    /* An access that matches an entry in part fails, whatever is allowed. */
    CSR_WRITE(pmpaddr0, ((uintptr_t)page + 4) >> 2);
    set_config(1, 0);
    set_config(0, NA4 | R | W | X);
    CHECK_EQUAL(IN_S(__asm__ volatile("lw t0, 4(%0)" ::"r"(page) : "t0")), FINE);
    CHECK_EQUAL(IN_S(READ(page)), CAUSE_LOAD_ACCESS);
}

static void no_match(void)
{
    set_config(0, 0);
    set_config(1, 0);
    set_config(2, 0);
    /* With no entry on, S mode reaches nothing: even its fetch fails. M mode does. */
    seen.count = 0;
    __asm__ volatile("la t0, 1f\n sd t0, 0(%0)" ::"r"(&resume_at) : "t0", "memory");
    resume_in_machine = true;
    CSR_CLEAR(mstatus, MSTATUS_MPP);
    CSR_SET(mstatus, 1u << 11);
    __asm__ volatile("la t0, 2f\n csrw mepc, t0\n mret\n 2: nop\n nop\n 1:" ::: "t0", "memory");
    CHECK_EQUAL(seen.count, 1);
    CHECK_EQUAL(seen.cause, CAUSE_FETCH_ACCESS);
}

static void locked(void)
{
    CSR_WRITE(pmpaddr2, 0x3fffffffffffffu);
    set_config(2, NAPOT | R | W | X);
    CSR_WRITE(pmpaddr0, (uintptr_t)page >> 2 | 0x1ff);
    set_config(0, NAPOT | R | LOCK);
    CHECK_TRAPS_AT(CAUSE_STORE_ACCESS, (uintptr_t)page, STORE(page));
    CHECK_NO_TRAP(READ(page));
    /* Neither the configuration nor the address can be changed now. */
    CSR_WRITE(pmpaddr0, 0);
    CHECK_EQUAL(CSR_READ(pmpaddr0), (uintptr_t)page >> 2 | 0x1ff);
    set_config(0, 0);
    CHECK_EQUAL(CSR_READ(pmpcfg0) & 0xffu, NAPOT | R | LOCK);
    /* A locked TOR entry locks the address below it too. */
    CSR_WRITE(pmpaddr4, 100);
    CSR_WRITE(pmpaddr5, 200);
    set_config(5, TOR | R | LOCK);
    CSR_WRITE(pmpaddr4, 50);
    CHECK_EQUAL(CSR_READ(pmpaddr4), 100);
    /* Only the even configuration registers exist on RV64. */
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrr t0, 0x3a1" ::: "t0"));
    CHECK_NO_TRAP(__asm__ volatile("csrr t0, pmpcfg2\n csrr t0, pmpaddr15" ::: "t0"));
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    naturally_aligned();
    top_of_range();
    no_match();
    locked();
    return 0;
}
