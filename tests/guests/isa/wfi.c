/* WFI: the privileged manual 3.3.3. It resumes when an enabled interrupt is pending, whether or not
 * it can be taken. */
#include "isa.h"

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    uint64_t start = mtime_read();

    CSR_WRITE(mie, 0x80);
    mtimecmp_write(0, start + 1000);
    seen.count = 0;
    __asm__ volatile("wfi");
    CHECK_EQUAL(seen.count, 0);
    CHECK_EQUAL(mtime_read() >= start + 1000, 1);
    CHECK_EQUAL(CSR_READ(mip) & 0x80u, 0x80u);
    __asm__ volatile("wfi"); /* pending still: no wait */
    /* Taken when MIE is set, with mepc after the WFI. */
    mtimecmp_write(0, mtime_read() + 1000);
    CSR_SET(mstatus, MSTATUS_MIE);
    uint64_t after;
    __asm__ volatile("la %0, 1f\n wfi\n 1:" : "=&r"(after));
    CSR_CLEAR(mstatus, MSTATUS_MIE);
    CHECK_EQUAL(seen.count, 1);
    CHECK_EQUAL(seen.epc, after);
    /* In S mode, with the interrupt for M. */
    pmp_open();
    CSR_WRITE(mie, 0x80);
    mtimecmp_write(0, mtime_read() + 1000);
    seen.count = 0;
    enter_mode(MODE_S);
    __asm__ volatile("wfi");
    leave_mode();
    CHECK_EQUAL(seen.count, 1);
    return 0;
}
