/* Zicsr and the machine-level registers' WARL fields: the privileged manual, chapters 2 and 3. */
#include "isa.h"

static void operations(void)
{
    uint64_t was;

    CSR_WRITE(mscratch, 0x0ff0u);
    __asm__ volatile("csrrw %0, mscratch, %1" : "=r"(was) : "r"(0x1234ull));
    CHECK_EQUAL(was, 0x0ff0u);
    __asm__ volatile("csrrs %0, mscratch, %1" : "=r"(was) : "r"(0x4321ull));
    CHECK_EQUAL(was, 0x1234u);
    __asm__ volatile("csrrc %0, mscratch, %1" : "=r"(was) : "r"(0x1111ull));
    CHECK_EQUAL(was, 0x5335u);
    __asm__ volatile("csrrwi %0, mscratch, 31" : "=r"(was));
    CHECK_EQUAL(was, 0x4224u);
    __asm__ volatile("csrrci %0, mscratch, 5" : "=r"(was));
    CHECK_EQUAL(was, 31);
    __asm__ volatile("csrrsi %0, mscratch, 1" : "=r"(was));
    CHECK_EQUAL(was, 26);
    /* The same register as source and target: the old value is read before. */
    was = 99;
    __asm__ volatile("csrrw %0, mscratch, %0" : "+r"(was));
    CHECK_EQUAL(was, 27);
    CHECK_EQUAL(CSR_READ(mscratch), 99);
}

static void access_rules(void)
{
    /* Reading a read-only register is no write, with x0 or a zero immediate; anything else is. */
    CHECK_NO_TRAP(__asm__ volatile("csrrs t0, mvendorid, x0\n csrrci t0, mhartid, 0" ::: "t0"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrrs t0, mvendorid, t1" ::: "t0"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrrw t0, mhartid, x0" ::: "t0"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrrsi t0, cycle, 1" ::: "t0"));
    /* No such register. */
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrr t0, 0x5ff" ::: "t0"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrw 0x8ff, t0"));
    CHECK_NO_TRAP(__asm__ volatile("csrr t0, marchid\n csrr t0, mimpid\n csrr t0, mconfigptr" ::
                                       : "t0"));
    pmp_open();
    enter_mode(MODE_S);
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrr t0, mscratch" ::: "t0"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrr t0, mhartid" ::: "t0"));
    CHECK_NO_TRAP(__asm__ volatile("csrw sscratch, t0\n csrr t0, satp" ::: "t0"));
    leave_mode();
    enter_mode(MODE_U);
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrr t0, sscratch" ::: "t0"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile("csrr t0, satp" ::: "t0"));
    CHECK_NO_TRAP(__asm__ volatile("csrr t0, fcsr" ::: "t0"));
    leave_mode();
    CHECK_EQUAL(CSR_READ(mhartid), 0);
}

static void fields(void)
{
    uint64_t extensions =
        1u << 0 | 1u << 2 | 1u << 3 | 1u << 5 | 1u << 8 | 1u << 12 | 1u << 18 | 1u << 20;

    CSR_CLEAR(mstatus, MSTATUS_MIE);
    CHECK_EQUAL(CSR_READ(misa) >> 62, 2);
    CHECK_EQUAL(CSR_READ(misa) & extensions, extensions);
    CHECK_EQUAL(CSR_READ(mstatus) >> 32 & 15u, 10); /* SXL = UXL = 64 bits */
    /* MPP never reads as the reserved mode. */
    CSR_SET(mstatus, MSTATUS_MPP);
    CSR_CLEAR(mstatus, 1ull << 11);
    CHECK_EQUAL((CSR_READ(mstatus) >> 11 & 3u) != 2, 1);
    /* mepc and sepc keep no bit 0, with C only that. */
    CSR_WRITE(mepc, ~0ull);
    CHECK_EQUAL(CSR_READ(mepc), ~1ull);
    CSR_WRITE(sepc, 0x1237u);
    CHECK_EQUAL(CSR_READ(sepc), 0x1236u);
    /* ECALL from M is never delegated. */
    CSR_WRITE(medeleg, ~0ull);
    CHECK_EQUAL(CSR_READ(medeleg) >> 11 & 1u, 0);
    CHECK_EQUAL(CSR_READ(medeleg) >> 8 & 1u, 1);
    CSR_WRITE(medeleg, 0);
    CSR_WRITE(mideleg, 0x222);
    CHECK_EQUAL(CSR_READ(mideleg) & 0xaaau, 0x222);
    CSR_WRITE(mideleg, 0);
    CSR_WRITE(mie, 0xaaa);
    CHECK_EQUAL(CSR_READ(mie) & 0xfffu, 0xaaa);
    CHECK_EQUAL(CSR_READ(sie), 0); /* nothing is delegated */
    CSR_WRITE(mideleg, 0x222);
    CHECK_EQUAL(CSR_READ(sie), 0x222);
    CSR_WRITE(sie, 0);
    CHECK_EQUAL(CSR_READ(mie) & 0xfffu, 0x888);
    CSR_WRITE(mie, 0);
    /* In mip only the S bits can be written. */
    CSR_WRITE(mip, ~0ull);
    CHECK_EQUAL(CSR_READ(mip) & 0x22au, 0x222);
    CSR_WRITE(mip, 0);
    CHECK_EQUAL(CSR_READ(mip) & 0x222u, 0);
    CSR_WRITE(mideleg, 0);
    /* sstatus is a window on mstatus. */
    CSR_SET(sstatus, MSTATUS_SUM);
    CHECK_EQUAL(CSR_READ(mstatus) & MSTATUS_SUM, MSTATUS_SUM);
    CSR_CLEAR(mstatus, MSTATUS_SUM);
    CHECK_EQUAL(CSR_READ(sstatus) & (MSTATUS_SUM | MSTATUS_MPP | MSTATUS_MPIE | MSTATUS_MPRV), 0);
    CHECK_EQUAL(CSR_READ(sstatus) >> 32 & 3u, 2);
    /* A reserved mode leaves satp as it was. */
    CSR_WRITE(satp, 0);
    CSR_WRITE(satp, 3ull << 60 | 0x123);
    CHECK_EQUAL(CSR_READ(satp), 0);
    /* mtvec: modes 0 and 1. */
    uint64_t vector = CSR_READ(mtvec);
    CSR_WRITE(mtvec, vector | 1u);
    CHECK_EQUAL(CSR_READ(mtvec), vector | 1u);
    CSR_WRITE(mtvec, vector);
    CSR_WRITE(mcause, 1ull << 63 | 11);
    CHECK_EQUAL(CSR_READ(mcause), 1ull << 63 | 11);
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    operations();
    access_rules();
    fields();
    return 0;
}
