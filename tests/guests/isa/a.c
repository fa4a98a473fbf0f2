/* A: AMOs and LR/SC, the unprivileged manual's chapter. */
#include "isa.h"

static _Alignas(64) volatile uint64_t cell[16];

#define AMO(name, operand)                                                                         \
    ({                                                                                             \
        uint64_t to_;                                                                              \
        __asm__ volatile(name " %0, %1, (%2)"                                                      \
                         : "=&r"(to_)                                                              \
                         : "r"((uint64_t)(operand)), "r"(cell)                                     \
                         : "memory");                                                              \
        to_;                                                                                       \
    })
/* a: what memory held, b: the operand. The W forms leave the upper half alone. */
#define CHECK_AMO(name, double_result, word_result)                                                \
    for (int i_ = 0; i_ < CORNERS; i_++) {                                                         \
        for (int j_ = 0; j_ < CORNERS; j_++) {                                                     \
            uint64_t a = corners[i_], b = corners[j_];                                             \
            uint32_t aw = (uint32_t)a, bw = (uint32_t)b;                                           \
            (void)aw, (void)bw;                                                                    \
            cell[0] = a;                                                                           \
            CHECK_EQUAL(AMO(name ".d", b), a);                                                     \
            CHECK_EQUAL(cell[0], (double_result));                                                 \
            cell[0] = a;                                                                           \
            CHECK_EQUAL(AMO(name ".w.aqrl", b), sign32(a));                                        \
            CHECK_EQUAL(cell[0], (a & 0xffffffff00000000u) | (uint32_t)(word_result));             \
        }                                                                                          \
    }

static void amos(void)
{
    CHECK_AMO("amoswap", b, bw);
    CHECK_AMO("amoadd", a + b, aw + bw);
    CHECK_AMO("amoand", a & b, aw & bw);
    CHECK_AMO("amoor", a | b, aw | bw);
    CHECK_AMO("amoxor", a ^ b, aw ^ bw);
    CHECK_AMO("amomax", (int64_t)a > (int64_t)b ? a : b, (int32_t)aw > (int32_t)bw ? aw : bw);
    CHECK_AMO("amomin", (int64_t)a < (int64_t)b ? a : b, (int32_t)aw < (int32_t)bw ? aw : bw);
    CHECK_AMO("amomaxu", a > b ? a : b, aw > bw ? aw : bw);
    CHECK_AMO("amominu", a < b ? a : b, aw < bw ? aw : bw);
}

static uint64_t load_reserved(volatile uint64_t *at)
{
    uint64_t value;

    __asm__ volatile("lr.d %0, (%1)" : "=r"(value) : "r"(at) : "memory");
    return value;
}

static uint64_t store_conditional(volatile uint64_t *at, uint64_t value)
{
    uint64_t failed;

    __asm__ volatile("sc.d %0, %2, (%1)" : "=&r"(failed) : "r"(at), "r"(value) : "memory");
    return failed;
}

/* In one asm: a plain pair must succeed within a few tries. */
static uint64_t pair(volatile uint64_t *at, uint64_t value)
{
    uint64_t failed, was;

    __asm__ volatile("1: lr.d %0, (%2)\n sc.d %1, %3, (%2)\n bnez %1, 1b"
                     : "=&r"(was), "=&r"(failed)
                     : "r"(at), "r"(value)
                     : "memory");
    return was;
}

static void reservations(void)
{
    uint64_t word, failed;

    cell[0] = 5;
    CHECK_EQUAL(pair(cell, 6), 5);
    CHECK_EQUAL(cell[0], 6);
    /* Every SC ends the reservation, whether it stored or not. */
    CHECK_EQUAL(store_conditional(cell, 7) != 0, 1);
    CHECK_EQUAL(cell[0], 6);
    /* An SC elsewhere fails (another 64-byte line, so another reservation set on any sane hart). */
    load_reserved(cell);
    CHECK_EQUAL(store_conditional(cell + 8, 1) != 0, 1);
    CHECK_EQUAL(store_conditional(cell, 1) != 0, 1);
    CHECK_EQUAL(cell[0], 6);
    CHECK_EQUAL(cell[8], 0);
    /* LR.W sign-extends, SC.W stores 32 bits. */
    cell[0] = 0x11223344f5667788u;
    __asm__ volatile("1: lr.w.aq %0, (%2)\n sc.w.rl %1, zero, (%2)\n bnez %1, 1b"
                     : "=&r"(word), "=&r"(failed)
                     : "r"(cell)
                     : "memory");
    CHECK_EQUAL(word, 0xfffffffff5667788u);
    CHECK_EQUAL(cell[0], 0x1122334400000000u);
}

static void misaligned(void)
{
    uintptr_t odd = (uintptr_t)cell + 4;
    uint64_t value;

    cell[0] = 0;
    cell[1] = 0;
    /* LR and SC need natural alignment; without Zam so do AMOs. Either exception is right. */
    seen.count = 0;
    __asm__ volatile("lr.d %0, (%1)" : "=r"(value) : "r"(odd) : "memory");
    CHECK_EQUAL(seen.count, 1);
    CHECK_EQUAL(seen.cause == CAUSE_LOAD_MISALIGNED || seen.cause == CAUSE_LOAD_ACCESS, 1);
    CHECK_EQUAL(seen.tval, odd);
    seen.count = 0;
    __asm__ volatile("sc.d %0, zero, (%1)" : "=r"(value) : "r"(odd) : "memory");
    CHECK_EQUAL(seen.count <= 1, 1);
    seen.count = 0;
    __asm__ volatile("lr.w %0, (%1)" : "=r"(value) : "r"(odd + 2) : "memory");
    CHECK_EQUAL(seen.count, 1);
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    amos();
    reservations();
    misaligned();
    return 0;
}
