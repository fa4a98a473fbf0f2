/* Zicntr, Zihpm and the machine counters: the unprivileged manual's chapter "Counters", the
 * privileged manual 3.1.10 to 3.1.12. Exact, so QEMU passes only with -icount. */
#include "isa.h"

static void instret(void)
{
    uint64_t a, b;

    __asm__ volatile("csrr %0, minstret\n csrr %1, minstret" : "=r"(a), "=r"(b));
    CHECK_EQUAL(b - a, 1);
    __asm__ volatile("csrr %0, instret\n nop\n c.nop\n nop\n csrr %1, instret" : "=r"(a), "=r"(b));
    CHECK_EQUAL(b - a, 4);
    __asm__ volatile("csrr %0, mcycle\n .rept 100\n nop\n .endr\n csrr %1, mcycle"
                     : "=r"(a), "=r"(b));
    CHECK_EQUAL(b - a, 101);
    /* What is written is what the next instruction reads. */
    __asm__ volatile("csrw minstret, %1\n csrr %0, minstret" : "=r"(a) : "r"(0x123456789ull));
    CHECK_EQUAL(a, 0x123456789u);
    CHECK_EQUAL(CSR_READ(minstret) < 0x123456789u + 1000u, 1);
}

static void inhibit(void)
{
    uint64_t a, b;

    CSR_WRITE(mcountinhibit, 5);
    CHECK_EQUAL(CSR_READ(mcountinhibit) & 7u, 5);
    __asm__ volatile("csrr %0, minstret\n nop\n nop\n csrr %1, minstret" : "=r"(a), "=r"(b));
    CHECK_EQUAL(b, a);
    __asm__ volatile("csrr %0, mcycle\n nop\n nop\n csrr %1, mcycle" : "=r"(a), "=r"(b));
    CHECK_EQUAL(b, a);
    CSR_WRITE(mcountinhibit, 0);
    __asm__ volatile("csrr %0, minstret\n nop\n nop\n csrr %1, minstret" : "=r"(a), "=r"(b));
    CHECK_EQUAL(b - a, 3);
}

static void enables(void)
{
    pmp_open();
    CSR_WRITE(mcounteren, 0);
    CSR_WRITE(scounteren, 0);
    enter_mode(MODE_S);
    CHECK_TRAPS(CAUSE_ILLEGAL, CSR_READ(cycle));
    CHECK_TRAPS(CAUSE_ILLEGAL, CSR_READ(time));
    CHECK_TRAPS(CAUSE_ILLEGAL, CSR_READ(instret));
    leave_mode();
    CSR_WRITE(mcounteren, 7);
    enter_mode(MODE_S);
    CHECK_NO_TRAP(CSR_READ(cycle); CSR_READ(time); CSR_READ(instret));
    leave_mode();
    enter_mode(MODE_U);
    CHECK_TRAPS(CAUSE_ILLEGAL, CSR_READ(cycle));
    leave_mode();
    CSR_WRITE(scounteren, 2);
    enter_mode(MODE_U);
    CHECK_TRAPS(CAUSE_ILLEGAL, CSR_READ(instret));
    CHECK_NO_TRAP(CSR_READ(time));
    leave_mode();
}

static void time(void)
{
    uint64_t before = mtime_read(), now = CSR_READ(time), after = mtime_read();

    CHECK_EQUAL(before <= now && now <= after, 1);
    for (int i = 0; i < 100000; i++)
        __asm__ volatile("");
    CHECK_EQUAL(CSR_READ(time) > now, 1);
}

static void events(void)
{
    CHECK_NO_TRAP(CSR_READ(mhpmcounter3); CSR_READ(mhpmcounter31); CSR_READ(mhpmevent3));
    CHECK_NO_TRAP(CSR_WRITE(mhpmevent31, 0); CSR_WRITE(mhpmcounter4, 0));
    CHECK_NO_TRAP(CSR_READ(hpmcounter3));
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    instret();
    inhibit();
    enables();
    time();
    events();
    return 0;
}
