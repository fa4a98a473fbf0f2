/* Zicbom and Zicboz: the unprivileged manual's chapter "CMO"; menvcfg and senvcfg gate them below M
 * mode. Blocks of 64. */
#include "isa.h"

enum { CBIE = 3 << 4, CBCFE = 1 << 6, CBZE = 1 << 7 };

static _Alignas(64) volatile uint64_t block[24];

#define CBO(number, at) __asm__ volatile(".insn i 0x0f, 2, x0, %0, " #number ::"r"(at) : "memory")
#define CBO_INVAL(at)   CBO(0, at)
#define CBO_CLEAN(at)   CBO(1, at)
#define CBO_FLUSH(at)   CBO(2, at)
#define CBO_ZERO(at)    CBO(4, at)

static void envcfg(uint64_t machine, uint64_t supervisor)
{
    __asm__ volatile("csrw 0x30a, %0\n csrw 0x10a, %1" ::"r"(machine), "r"(supervisor));
}

static void zeroing(void)
{
    for (int i = 0; i < 24; i++)
        block[i] = ~0ull;
    CHECK_NO_TRAP(CBO_ZERO((uintptr_t)block + 64 + 13)); /* any address in the block */
    for (int i = 0; i < 24; i++)
        CHECK_EQUAL(block[i], i >= 8 && i < 16 ? 0 : ~0ull);
    CHECK_TRAPS(CAUSE_STORE_ACCESS, CBO_ZERO(1ull << 40));
    CHECK_TRAPS(CAUSE_STORE_ACCESS, CBO_FLUSH(1ull << 40));
}

static void managing(void)
{
    block[3] = 0x1234;
    CHECK_NO_TRAP(CBO_CLEAN(block); CBO_FLUSH(block); CBO_INVAL(block));
    CHECK_EQUAL(block[3], 0x1234);
    CHECK_TRAPS(CAUSE_ILLEGAL, CBO(3, block));
}

static void gates(void)
{
    pmp_open();
    envcfg(0, CBIE | CBCFE | CBZE);
    enter_mode(MODE_S);
    CHECK_TRAPS(CAUSE_ILLEGAL, CBO_ZERO(block));
    CHECK_TRAPS(CAUSE_ILLEGAL, CBO_CLEAN(block));
    CHECK_TRAPS(CAUSE_ILLEGAL, CBO_FLUSH(block));
    CHECK_TRAPS(CAUSE_ILLEGAL, CBO_INVAL(block));
    leave_mode();
    envcfg(CBIE | CBCFE | CBZE, 0);
    enter_mode(MODE_S);
    CHECK_NO_TRAP(CBO_ZERO(block); CBO_CLEAN(block); CBO_FLUSH(block); CBO_INVAL(block));
    leave_mode();
    enter_mode(MODE_U);
    CHECK_TRAPS(CAUSE_ILLEGAL, CBO_ZERO(block));
    CHECK_TRAPS(CAUSE_ILLEGAL, CBO_CLEAN(block));
    CHECK_TRAPS(CAUSE_ILLEGAL, CBO_INVAL(block));
    leave_mode();
    envcfg(CBIE | CBCFE | CBZE, CBIE | CBCFE | CBZE);
    enter_mode(MODE_U);
    CHECK_NO_TRAP(CBO_ZERO(block); CBO_CLEAN(block); CBO_INVAL(block));
    leave_mode();
    /* CBIE 2 is reserved. */
    envcfg(2 << 4, 0);
    uint64_t value;
    __asm__ volatile("csrr %0, 0x30a" : "=r"(value));
    CHECK_EQUAL((value >> 4 & 3u) != 2, 1);
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    zeroing();
    managing();
    gates();
    return 0;
}
