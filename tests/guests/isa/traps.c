/* Exceptions, interrupts, delegation and returns: the privileged manual 3.1.6 to 3.1.9, 3.3, 10.1.
 */
#include "isa.h"

#define NOWHERE (1ull << 40)

extern char vector_table[];
extern volatile uint64_t vector_taken;

static void exceptions(void)
{
    uint64_t value, at;

    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile(".word 0xffffffff"));
    CHECK_EQUAL(seen.tval == 0 || seen.tval == 0xffffffffu, 1);
    CHECK_EQUAL(seen.status & MSTATUS_MPP, MSTATUS_MPP);
    CHECK_TRAPS(CAUSE_BREAKPOINT, __asm__ volatile("ebreak"));
    register uint64_t a7 __asm__("a7") = 0;
    CHECK_TRAPS(CAUSE_ECALL_M,
                __asm__ volatile("la %0, 1f\n .option push\n .option norvc\n 1: ecall\n .option pop"
                                 : "=&r"(at)
                                 : "r"(a7)));
    CHECK_EQUAL(seen.epc, at);
    CHECK_EQUAL(seen.tval, 0);
    CHECK_TRAPS_AT(CAUSE_LOAD_ACCESS, NOWHERE,
                   __asm__ volatile("ld %0, 0(%1)"
                                    : "=r"(value)
                                    : "r"(NOWHERE)));
    CHECK_TRAPS_AT(CAUSE_STORE_ACCESS, NOWHERE + 8,
                   __asm__ volatile("sb zero, 8(%0)" ::"r"(NOWHERE)));
    CHECK_TRAPS_AT(CAUSE_LOAD_ACCESS, NOWHERE,
                   __asm__ volatile("lr.d %0, (%1)"
                                    : "=r"(value)
                                    : "r"(NOWHERE)));
    CHECK_TRAPS_AT(CAUSE_STORE_ACCESS, NOWHERE,
                   __asm__ volatile("amoadd.d %0, zero, (%1)"
                                    : "=r"(value)
                                    : "r"(NOWHERE)));
    CHECK_TRAPS_AT(CAUSE_STORE_ACCESS, NOWHERE, __asm__ volatile("fsd ft0, 0(%0)" ::"r"(NOWHERE)));
    /* A failed load leaves its register. */
    __asm__ volatile("li %0, 77\n ld %0, 0(%1)" : "=&r"(value) : "r"(NOWHERE));
    CHECK_EQUAL(value, 77);
    CHECK_TRAPS_AT(
        CAUSE_FETCH_ACCESS, NOWHERE,
        __asm__ volatile("la t0, 1f\n sd t0, 0(%0)\n jr %1\n 1:" ::"r"(&resume_at), "r"(NOWHERE)
                         : "t0", "memory"));
    CHECK_EQUAL(seen.epc, NOWHERE);
}

static void modes(void)
{
    register uint64_t a7 __asm__("a7") = 0;

    pmp_open();
    enter_mode(MODE_S);
    CHECK_TRAPS(CAUSE_ECALL_S,
                __asm__ volatile(".option push\n .option norvc\n ecall\n .option pop" ::"r"(a7)));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("mret"));
    leave_mode();
    enter_mode(MODE_U);
    a7 = 0;
    CHECK_TRAPS(CAUSE_ECALL_U, __asm__ volatile("ecall" ::"r"(a7)));
    CHECK_EQUAL(seen.status & MSTATUS_MPP, 0);
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("sret"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("sfence.vma"));
    leave_mode();
    /* TSR, TVM, TW */
    CSR_SET(mstatus, MSTATUS_TSR | MSTATUS_TVM | MSTATUS_TW);
    enter_mode(MODE_S);
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("sret"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrr t0, satp" ::: "t0"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrw satp, zero"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("sfence.vma"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("wfi"));
    leave_mode();
    CSR_CLEAR(mstatus, MSTATUS_TSR | MSTATUS_TVM | MSTATUS_TW);
}

static void returns(void)
{
    uint64_t status;

    /* MRET: MIE takes MPIE, MPIE is set, MPP is the least mode; MPRV is cleared on the way below M.
     */
    CSR_SET(mstatus, MSTATUS_MPRV | MSTATUS_MPP);
    CSR_CLEAR(mstatus, MSTATUS_MPIE);
    enter_mode(MODE_S);
    leave_mode();
    status = CSR_READ(mstatus);
    CHECK_EQUAL(status & MSTATUS_MPRV, 0);
    enter_mode(MODE_M);
    status = CSR_READ(mstatus);
    CHECK_EQUAL(status & MSTATUS_MPP, 0);
    CHECK_EQUAL(status & MSTATUS_MPIE, MSTATUS_MPIE);
    CSR_CLEAR(mstatus, MSTATUS_MIE);
    /* SRET, from M: SIE takes SPIE, SPP is U after. */
    CSR_SET(mstatus, MSTATUS_SPP);
    CSR_CLEAR(mstatus, MSTATUS_SPIE | MSTATUS_SIE);
    __asm__ volatile("la t0, 1f\n csrw sepc, t0\n sret\n 1:" ::: "t0", "memory");
    CHECK_EQUAL(CSR_READ(sstatus) & (MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE), MSTATUS_SPIE);
    leave_mode();
}

static void delegation(void)
{
    CSR_WRITE(stvec, (uintptr_t)supervisor_trap);
    CSR_WRITE(medeleg, 1u << CAUSE_ILLEGAL | 1u << CAUSE_BREAKPOINT);
    CSR_SET(mstatus, MSTATUS_SIE);
    seen.count = 0;
    seen_s.count = 0;
    enter_mode(MODE_U);
    __asm__ volatile("ebreak");
    CHECK_EQUAL(seen_s.count, 1);
    CHECK_EQUAL(seen_s.cause, CAUSE_BREAKPOINT);
    CHECK_EQUAL(seen_s.status & (MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE), MSTATUS_SPIE);
    __asm__ volatile(".word 0xffffffff");
    CHECK_EQUAL(seen_s.count, 2);
    CHECK_EQUAL(seen_s.cause, CAUSE_ILLEGAL);
    CHECK_EQUAL(seen.count, 0);
    /* A load fault is not delegated: M mode sees it. */
    CHECK_TRAPS(CAUSE_LOAD_ACCESS, __asm__ volatile("ld t0, 0(%0)" ::"r"(NOWHERE) : "t0"));
    leave_mode();
    enter_mode(MODE_S);
    seen.count = 0;
    __asm__ volatile("ebreak");
    CHECK_EQUAL(seen_s.count, 3);
    CHECK_EQUAL(seen_s.status & (MSTATUS_SPP | MSTATUS_SPIE | MSTATUS_SIE),
                MSTATUS_SPP | MSTATUS_SPIE);
    leave_mode();
    /* From M mode nothing is delegated. */
    CHECK_TRAPS(CAUSE_BREAKPOINT, __asm__ volatile("ebreak"));
    CHECK_EQUAL(seen_s.count, 3);
    CSR_WRITE(medeleg, 0);
    CSR_CLEAR(mstatus, MSTATUS_SIE);
}

static void machine_interrupts(void)
{
    seen.count = 0;
    CSR_WRITE(mie, 0x88);
    mtimecmp_write(0, 0);
    msip_write(0, 1);
    while ((CSR_READ(mip) & 0x88) != 0x88) {
    }
    CHECK_EQUAL(seen.count, 0); /* MIE is off */
    /* Both pending: software before timer. The handler masks what it took. */
    CSR_SET(mstatus, MSTATUS_MIE);
    CSR_CLEAR(mstatus, MSTATUS_MIE);
    CHECK_EQUAL(seen.count, 2);
    CHECK_EQUAL(seen.cause, 1ull << 63 | 7);
    CHECK_EQUAL(CSR_READ(mie), 0);
    CSR_WRITE(mie, 0x80);
    msip_write(0, 0);
    seen.count = 0;
    /* In a lower mode they are taken whatever MIE says. */
    CSR_CLEAR(mstatus, MSTATUS_MPIE);
    enter_mode(MODE_S);
    leave_mode();
    CHECK_EQUAL(seen.count, 1);
    CHECK_EQUAL(seen.cause, 1ull << 63 | 7);
    mtimecmp_write(0, ~0ull);
    CHECK_EQUAL(CSR_READ(mip) & 0x80, 0);
}

static void vectored(void)
{
    uint64_t kept = CSR_READ(mtvec);

    CSR_WRITE(mtvec, (uintptr_t)vector_table | 1u);
    vector_taken = 99;
    CSR_WRITE(mie, 8);
    msip_write(0, 1);
    seen.count = 0;
    CSR_SET(mstatus, MSTATUS_MIE);
    while (seen.count == 0) {
    }
    CSR_CLEAR(mstatus, MSTATUS_MIE);
    msip_write(0, 0);
    CHECK_EQUAL(vector_taken, 3);
    CHECK_TRAPS(CAUSE_BREAKPOINT, __asm__ volatile("ebreak"));
    CHECK_EQUAL(vector_taken, 0);
    CSR_WRITE(mtvec, kept);
    CSR_WRITE(mie, 0);
}

static void supervisor_interrupts(void)
{
    CSR_WRITE(mideleg, 0x222);
    CSR_WRITE(stvec, (uintptr_t)supervisor_trap);
    CSR_WRITE(mie, 0x222);
    CSR_SET(mip, 2);
    seen.count = 0;
    seen_s.count = 0;
    /* Delegated interrupts are not taken in M mode. */
    CSR_SET(mstatus, MSTATUS_MIE);
    CSR_CLEAR(mstatus, MSTATUS_MIE);
    CHECK_EQUAL(seen_s.count + seen.count, 0);
    CSR_CLEAR(mstatus, MSTATUS_SIE);
    enter_mode(MODE_S);
    CHECK_EQUAL(seen_s.count, 0);
    CSR_SET(sstatus, MSTATUS_SIE);
    CHECK_EQUAL(seen_s.count, 1);
    CHECK_EQUAL(seen_s.cause, 1ull << 63 | 1);
    CSR_CLEAR(sip, 2);
    CHECK_EQUAL(CSR_READ(sip) & 2u, 0);
    CSR_SET(sie, 2);
    CSR_SET(sip, 2); /* S mode may raise its own */
    CHECK_EQUAL(seen_s.count, 2);
    CSR_CLEAR(sip, 2);
    leave_mode();
    CSR_WRITE(mip, 0x220);
    CSR_WRITE(mie, 0x220);
    seen_s.count = 0;
    CSR_SET(mstatus, MSTATUS_SIE);
    CSR_CLEAR(mstatus, MSTATUS_SPP);
    enter_mode(MODE_S); /* external before timer, then the timer */
    leave_mode();
    CHECK_EQUAL(seen_s.count, 2);
    CHECK_EQUAL(seen_s.cause, 1ull << 63 | 5);
    CSR_WRITE(mip, 0);
    CSR_CLEAR(mstatus, MSTATUS_SIE);
    CSR_WRITE(mideleg, 0);
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    mtimecmp_write(0, ~0ull);
    exceptions();
    modes();
    returns();
    machine_interrupts();
    vectored();
    supervisor_interrupts();
    delegation();
    return 0;
}
