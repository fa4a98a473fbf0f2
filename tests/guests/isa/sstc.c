/* Sstc: stimecmp, the privileged manual's chapter "Sstc". */
#include "isa.h"

#define MENVCFG_STCE (1ull << 63)

static void stimecmp_write(uint64_t ticks)
{
    __asm__ volatile("csrw 0x14d, %0" ::"r"(ticks) : "memory");
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    pmp_open();
    mtimecmp_write(0, ~0ull);
    CSR_WRITE(mcounteren, 7);
    CSR_WRITE(stvec, (uintptr_t)supervisor_trap);
    /* Off: S mode may not touch it, STIP is software's. */
    __asm__ volatile("csrw 0x30a, zero");
    enter_mode(MODE_S);
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrr t0, 0x14d" ::: "t0"));
    leave_mode();
    CSR_SET(mip, 0x20);
    CHECK_EQUAL(CSR_READ(mip) & 0x20u, 0x20u);
    CSR_CLEAR(mip, 0x20);
    CHECK_EQUAL(CSR_READ(mip) & 0x20u, 0);
    /* On: STIP follows time >= stimecmp and cannot be written. */
    stimecmp_write(~0ull);
    __asm__ volatile("csrs 0x30a, %0" ::"r"(MENVCFG_STCE));
    CHECK_EQUAL(CSR_READ(mip) & 0x20u, 0);
    CSR_SET(mip, 0x20);
    CHECK_EQUAL(CSR_READ(mip) & 0x20u, 0);
    CSR_WRITE(mideleg, 0x222);
    CSR_WRITE(mie, 0x20);
    CSR_SET(mstatus, MSTATUS_SIE);
    seen.count = 0;
    seen_s.count = 0;
    enter_mode(MODE_S);
    uint64_t due = CSR_READ(time) + 500;
    stimecmp_write(due);
    __asm__ volatile("wfi");
    while (seen_s.count == 0) {
    }
    leave_mode();
    CHECK_EQUAL(seen.count, 0);
    CHECK_EQUAL(seen_s.count, 1);
    CHECK_EQUAL(seen_s.cause, 1ull << 63 | 5);
    CHECK_EQUAL(CSR_READ(time) >= due, 1);
    CHECK_EQUAL(CSR_READ(mip) & 0x20u, 0x20u);
    /* Writing a later time takes the interrupt back at once. */
    stimecmp_write(~0ull);
    CHECK_EQUAL(CSR_READ(mip) & 0x20u, 0);
    /* Without TM in mcounteren S mode may not touch it. */
    CSR_WRITE(mcounteren, 5);
    enter_mode(MODE_S);
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrw 0x14d, zero"));
    leave_mode();
    return 0;
}
