/* C: the unprivileged manual's chapter. Each instruction by its name, two bytes long, against what
 * it stands for. */
#include "isa.h"

/* Runs a compressed sequence with a0 = x and a1 = y (registers of the 3-bit set); the result is a0.
 */
#define C2(text, x, y)                                                                             \
    ({                                                                                             \
        register uint64_t a0_ __asm__("a0") = (uint64_t)(x);                                       \
        register uint64_t a1_ __asm__("a1") = (uint64_t)(y);                                       \
        __asm__ volatile(text : "+r"(a0_), "+r"(a1_)::"memory", "ra", "a2");                       \
        a0_;                                                                                       \
    })
#define EACH_PAIR(text, expression)                                                                \
    for (int i_ = 0; i_ < CORNERS; i_++) {                                                         \
        for (int j_ = 0; j_ < CORNERS; j_++) {                                                     \
            uint64_t a = corners[i_], b = corners[j_];                                             \
            (void)b;                                                                               \
            CHECK_EQUAL(C2(text, a, b), (expression));                                             \
        }                                                                                          \
    }

static void arithmetic(void)
{
    EACH_PAIR("c.add a0, a1", a + b);
    EACH_PAIR("c.mv a0, a1", b);
    EACH_PAIR("c.sub a0, a1", a - b);
    EACH_PAIR("c.xor a0, a1", a ^ b);
    EACH_PAIR("c.or a0, a1", a | b);
    EACH_PAIR("c.and a0, a1", a & b);
    EACH_PAIR("c.addw a0, a1", sign32(a + b));
    EACH_PAIR("c.subw a0, a1", sign32(a - b));
    EACH_PAIR("c.addi a0, -32", a - 32);
    EACH_PAIR("c.addi a0, 31", a + 31);
    EACH_PAIR("c.addiw a0, 0", sign32(a));
    EACH_PAIR("c.addiw a0, -1", sign32(a - 1));
    EACH_PAIR("c.andi a0, -32", a & ~31ull);
    EACH_PAIR("c.andi a0, 31", a & 31u);
    EACH_PAIR("c.slli a0, 1", a << 1);
    EACH_PAIR("c.slli a0, 63", a << 63);
    EACH_PAIR("c.srli a0, 33", a >> 33);
    EACH_PAIR("c.srai a0, 63", (uint64_t)((int64_t)a >> 63));
    EACH_PAIR("c.li a0, -32", (uint64_t)-32);
    EACH_PAIR("c.li a0, 31", 31);
    EACH_PAIR("c.lui a0, 0xfffe0", (uint64_t)-131072);
    EACH_PAIR("c.lui a0, 31", 31u << 12);
    EACH_PAIR("c.nop", a);
    /* Hints change nothing: c.nop 1, c.li x0, c.slli x0, c.mv x0, c.add x0. */
    EACH_PAIR(".half 0x0005\n .half 0x4005\n .half 0x0006\n .half 0x802e\n .half 0x902e", a);
}

static void stack(void)
{
    uint64_t got;

    __asm__ volatile("mv a2, sp\n c.addi16sp sp, -512\n sub %0, a2, sp\n mv sp, a2"
                     : "=r"(got)::"a2");
    CHECK_EQUAL(got, 512);
    __asm__ volatile("mv a2, sp\n c.addi16sp sp, 496\n sub %0, sp, a2\n mv sp, a2"
                     : "=r"(got)::"a2");
    CHECK_EQUAL(got, 496);
    __asm__ volatile("c.addi4spn a0, sp, 1020\n sub %0, a0, sp" : "=r"(got)::"a0");
    CHECK_EQUAL(got, 1020);
    __asm__ volatile("addi sp, sp, -512\n c.sdsp %1, 504(sp)\n c.ldsp a2, 504(sp)\n mv %0, a2\n"
                     "c.swsp %1, 252(sp)\n c.lwsp a2, 252(sp)\n sub %0, %0, a2\n addi sp, sp, 512"
                     : "=&r"(got)
                     : "r"(0x7000000080000001u)
                     : "a2", "memory");
    CHECK_EQUAL(got, 0x7000000080000001u - 0xffffffff80000001u);
    __asm__ volatile(
        "addi sp, sp, -512\n fmv.d.x fa0, %1\n c.fsdsp fa0, 504(sp)\n c.fldsp fa1, 504(sp)\n"
        "fmv.x.d %0, fa1\n addi sp, sp, 512"
        : "=r"(got)
        : "r"(0x7ff0000000000123u)
        : "fa0", "fa1", "memory");
    CHECK_EQUAL(got, 0x7ff0000000000123u);
}

static void memory(void)
{
    static uint64_t cells[32];

    for (uint64_t i = 0; i < 32; i++)
        cells[i] = 0x8000000090000000u + i * 0x100000001u;
    CHECK_EQUAL(C2("c.ld a0, 248(a0)", cells, 0), cells[31]);
    CHECK_EQUAL(C2("c.lw a0, 124(a0)", cells, 0), sign32(cells[15] >> 32));
    C2("c.sd a1, 128(a0)", cells, 77);
    CHECK_EQUAL(cells[16], 77);
    C2("c.sw a1, 64(a0)", cells, 0x1234567887654321u);
    CHECK_EQUAL(cells[8], (0x8000000090000000u + 8 * 0x100000001u) >> 32 << 32 | 0x87654321u);
    CHECK_EQUAL(C2("c.fld fa0, 248(a0)\n c.fsd fa0, 0(a0)\n c.ld a0, 0(a0)", cells, 0), cells[31]);
}

static void control(void)
{
    uint64_t got;

    CHECK_EQUAL(C2("c.beqz a0, 1f\n c.li a1, 9\n 1: c.mv a0, a1", 0, 5), 5);
    CHECK_EQUAL(C2("c.beqz a0, 1f\n c.li a1, 9\n 1: c.mv a0, a1", 1, 5), 9);
    CHECK_EQUAL(C2("c.bnez a0, 1f\n c.li a1, 9\n 1: c.mv a0, a1", 1ull << 63, 5), 5);
    CHECK_EQUAL(C2("c.bnez a0, 1f\n c.li a1, 9\n 1: c.mv a0, a1", 0, 5), 9);
    CHECK_EQUAL(C2("c.j 1f\n c.li a1, 9\n 1: c.mv a0, a1", 0, 5), 5);
    CHECK_EQUAL(C2("c.j 2f\n 1: c.li a1, 7\n c.j 3f\n 2: c.j 1b\n 3: c.mv a0, a1", 0, 5), 7);
    CHECK_EQUAL(C2("la a2, 1f\n c.jr a2\n c.li a1, 9\n 1: c.mv a0, a1", 0, 5), 5);
    /* C.JALR links to the instruction two bytes on. */
    __asm__ volatile("la a2, 1f\n la %0, 2f\n .balign 4\n c.jalr a2\n 2: c.nop\n 1: sub %0, ra, %0"
                     : "=&r"(got)::"a2", "ra");
    CHECK_EQUAL(got, 0);
    CHECK_TRAPS(CAUSE_BREAKPOINT, __asm__ volatile("c.ebreak"));
}

static void illegal(void)
{
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile(".half 0"));
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile(".half 0x8002")); /* c.jr x0 */
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile(".half 0x2001")); /* c.addiw x0 */
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile(".half 0x4002")); /* c.lwsp x0 */
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile(".half 0x6002")); /* c.ldsp x0 */
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile(".half 0x6101")); /* c.addi16sp 0 */
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile(".half 0x6501")); /* c.lui a0, 0 */
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile(".half 0x0004")); /* c.addi4spn 0 */
    CHECK_TRAPS(CAUSE_ILLEGAL, __asm__ volatile(".half 0x9c41")); /* reserved in the 100 group */
}

/* A four-byte instruction may start on any even address, and across a page's end. */
static void straddling(void)
{
    static _Alignas(4096) uint16_t page[4096];
    uint16_t *at = page + 2047;

    at[0] = 0x0513; /* addi a0, a0, 291 */
    at[1] = 0x1235;
    at[2] = 0x8082; /* c.jr ra */
    __asm__ volatile("fence.i" ::: "memory");
    CHECK_EQUAL(((uint64_t(*)(uint64_t))(uintptr_t)at)(1000), 1291);
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    arithmetic();
    stack();
    memory();
    control();
    illegal();
    straddling();
    return 0;
}
