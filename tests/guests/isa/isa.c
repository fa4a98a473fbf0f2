#include "isa.h"

const uint64_t corners[CORNERS] = {
    0,
    1,
    2,
    3,
    7,
    31,
    32,
    63,
    64,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0xffff,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    0x7fffffffffffffff,
    0x8000000000000000,
    0x8000000000000001,
    0xffffffffffffffff,
    0xfffffffffffffffe,
    0xffffffff80000000,
    0x5555555555555555,
    0x0123456789abcdef,
    0xfedcba9800ff0010,
};

volatile struct seen seen, seen_s;
volatile uint64_t resume_at;
volatile bool resume_in_machine;
void (*on_interrupt)(uint64_t number);

enum { LEAVE = 0x7468617721 };

static void stop_here(uint64_t line)
{
    guest_finish(line);
}

void check_equal(uint64_t line, uint64_t got, uint64_t want)
{
    if (got == want)
        return;
    leave_mode();
    print_text("line ");
    print_decimal(line);
    print_text(": got ");
    print_hex(got);
    print_text(" want ");
    print_hex(want);
    print_text("\n");
    stop_here(line);
}

void check_trap(uint64_t line, uint64_t want_cause)
{
    check_equal(line, seen.count, 1);
    check_equal(line, seen.cause, want_cause);
}

static uint64_t instruction_bytes(uint64_t at)
{
    return (*(volatile uint16_t *)(uintptr_t)at & 3u) == 3 ? 4 : 2;
}

void guest_handle_trap(struct trap_frame *frame)
{
    uint64_t cause = CSR_READ(mcause), epc = CSR_READ(mepc);

    /* The way back into M mode is not a trap that a test sees. */
    if (cause >= CAUSE_ECALL_U && cause <= CAUSE_ECALL_M && frame->x[17] == LEAVE) {
        CSR_WRITE(mepc, epc + 4);
        CSR_SET(mstatus, MSTATUS_MPP);
        return;
    }
    seen.count++;
    seen.cause = cause;
    seen.epc = epc;
    seen.tval = CSR_READ(mtval);
    seen.status = CSR_READ(mstatus);
    if (cause >> 63) {
        if (on_interrupt != NULL)
            on_interrupt(cause & 63u);
        else
            CSR_CLEAR(mie, 1ull << (cause & 63u));
    } else if (resume_at != 0) {
        CSR_WRITE(mepc, resume_at);
        resume_at = 0;
        if (resume_in_machine)
            CSR_SET(mstatus, MSTATUS_MPP);
        resume_in_machine = false;
    } else {
        CSR_WRITE(mepc, epc + instruction_bytes(epc));
    }
    if (seen.count > 1000)
        stop_here(9999);
}

void handle_supervisor_trap(struct trap_frame *frame)
{
    uint64_t cause = CSR_READ(scause), epc = CSR_READ(sepc);

    (void)frame;
    seen_s.count++;
    seen_s.cause = cause;
    seen_s.epc = epc;
    seen_s.tval = CSR_READ(stval);
    seen_s.status = CSR_READ(sstatus);
    if (cause >> 63) {
        CSR_CLEAR(sie, 1ull << (cause & 63u));
    } else if (resume_at != 0) {
        CSR_WRITE(sepc, resume_at);
        resume_at = 0;
    } else {
        CSR_WRITE(sepc, epc + instruction_bytes(epc));
    }
}

void enter_mode(enum mode mode)
{
    CSR_CLEAR(mstatus, MSTATUS_MPP | MSTATUS_MIE);
    CSR_SET(mstatus, (uint64_t)mode << 11);
    __asm__ volatile("la t0, 1f\n csrw mepc, t0\n mret\n 1:" ::: "t0", "memory");
}

void leave_mode(void)
{
    register uint64_t a7 __asm__("a7") = LEAVE;

    __asm__ volatile("ecall" ::"r"(a7) : "memory");
}

void pmp_open(void)
{
    CSR_WRITE(pmpaddr0, 0x3fffffffffffffu);
    CSR_WRITE(pmpcfg0, 0x1f);
}
