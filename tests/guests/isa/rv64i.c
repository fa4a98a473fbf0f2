/* RV64I: the unprivileged manual, chapters 2 and 4. */
#include "isa.h"

static void registers(void)
{
    CHECK_PAIRS("add", a + b);
    CHECK_PAIRS("sub", a - b);
    CHECK_PAIRS("sll", a << (b & 63u));
    CHECK_PAIRS("srl", a >> (b & 63u));
    CHECK_PAIRS("sra", (uint64_t)((int64_t)a >> (b & 63u)));
    CHECK_PAIRS("slt", (int64_t)a < (int64_t)b);
    CHECK_PAIRS("sltu", a < b);
    CHECK_PAIRS("xor", a ^ b);
    CHECK_PAIRS("or", a | b);
    CHECK_PAIRS("and", a & b);
    CHECK_PAIRS("addw", sign32(a + b));
    CHECK_PAIRS("subw", sign32(a - b));
    CHECK_PAIRS("sllw", sign32(a << (b & 31u)));
    CHECK_PAIRS("srlw", sign32((uint32_t)a >> (b & 31u)));
    CHECK_PAIRS("sraw", (uint64_t)(int64_t)((int32_t)(uint32_t)a >> (b & 31u)));
}

static void immediates(void)
{
    CHECK_IMMEDIATE("addi", 0, a);
    CHECK_IMMEDIATE("addi", 2047, a + b);
    CHECK_IMMEDIATE("addi", -2048, a + b);
    CHECK_IMMEDIATE("addi", -1, a + b);
    CHECK_IMMEDIATE("slti", -1, (int64_t)a < (int64_t)b);
    CHECK_IMMEDIATE("slti", 2047, (int64_t)a < (int64_t)b);
    CHECK_IMMEDIATE("sltiu", -1, a < b);
    CHECK_IMMEDIATE("sltiu", 1, a < b);
    CHECK_IMMEDIATE("sltiu", 2047, a < b);
    CHECK_IMMEDIATE("xori", -1, a ^ b);
    CHECK_IMMEDIATE("xori", 0x555, a ^ b);
    CHECK_IMMEDIATE("ori", -2048, a | b);
    CHECK_IMMEDIATE("andi", 0xff, a & b);
    CHECK_IMMEDIATE("andi", -256, a & b);
    CHECK_IMMEDIATE("slli", 0, a);
    CHECK_IMMEDIATE("slli", 31, a << 31);
    CHECK_IMMEDIATE("slli", 63, a << 63);
    CHECK_IMMEDIATE("srli", 1, a >> 1);
    CHECK_IMMEDIATE("srli", 32, a >> 32);
    CHECK_IMMEDIATE("srai", 63, (uint64_t)((int64_t)a >> 63));
    CHECK_IMMEDIATE("srai", 33, (uint64_t)((int64_t)a >> 33));
    CHECK_IMMEDIATE("addiw", 0, sign32(a));
    CHECK_IMMEDIATE("addiw", -1, sign32(a + b));
    CHECK_IMMEDIATE("addiw", 2047, sign32(a + b));
    CHECK_IMMEDIATE("slliw", 31, sign32(a << 31));
    CHECK_IMMEDIATE("srliw", 0, sign32(a));
    CHECK_IMMEDIATE("srliw", 4, sign32((uint32_t)a >> 4));
    CHECK_IMMEDIATE("sraiw", 31, (uint64_t)(int64_t)((int32_t)(uint32_t)a >> 31));
}

#define BRANCH(name, a, b)                                                                         \
    ({                                                                                             \
        uint64_t taken_;                                                                           \
        __asm__ volatile("li %0, 1\n" name " %1, %2, 1f\n li %0, 0\n 1:"                           \
                         : "=&r"(taken_)                                                           \
                         : "r"(a), "r"(b));                                                        \
        taken_;                                                                                    \
    })
#define CHECK_BRANCH(name, condition)                                                              \
    for (int i_ = 0; i_ < CORNERS; i_++) {                                                         \
        for (int j_ = 0; j_ < CORNERS; j_++) {                                                     \
            uint64_t a = corners[i_], b = corners[j_];                                             \
            CHECK_EQUAL(BRANCH(name, a, b), condition);                                            \
        }                                                                                          \
    }

static void branches(void)
{
    CHECK_BRANCH("beq", a == b);
    CHECK_BRANCH("bne", a != b);
    CHECK_BRANCH("blt", (int64_t)a < (int64_t)b);
    CHECK_BRANCH("bge", (int64_t)a >= (int64_t)b);
    CHECK_BRANCH("bltu", a < b);
    CHECK_BRANCH("bgeu", a >= b);
}

static void jumps(void)
{
    uint64_t here, link, value;

    __asm__ volatile(
        "auipc %0, 0\n .option push\n .option norvc\n jal %1, 1f\n 2: j 2b\n 1: .option pop"
        : "=&r"(here), "=&r"(link));
    CHECK_EQUAL(link, here + 8);
    /* JALR clears bit 0 of the sum, and may overwrite its own base. */
    __asm__ volatile(
        "la %0, 1f\n addi %0, %0, 1\n .option push\n .option norvc\n jalr %0, 0(%0)\n 2: j 2b\n"
        "1: la %1, 2b\n .option pop"
        : "=&r"(link), "=&r"(value));
    CHECK_EQUAL(link, value);
    __asm__ volatile("lui %0, 0xfffff" : "=r"(value));
    CHECK_EQUAL(value, 0xfffffffffffff000u);
    __asm__ volatile("lui %0, 0x7ffff" : "=r"(value));
    CHECK_EQUAL(value, 0x7ffff000u);
    __asm__ volatile("1: auipc %0, 0xfffff\n la %1, 1b" : "=r"(value), "=r"(here));
    CHECK_EQUAL(value, here - 4096);
    /* x0 stays 0 whatever is written. */
    __asm__ volatile(
        "li t0, 7\n add zero, t0, t0\n addi %0, zero, 0\n ld zero, 0(sp)\n add %0, %0, zero"
        : "=r"(value)::"t0");
    CHECK_EQUAL(value, 0);
    __asm__ volatile("fence\n fence.tso\n fence r, w\n .word 0x0100000f" ::: "memory"); /* PAUSE */
}

#define LOAD(name, at)                                                                             \
    ({                                                                                             \
        uint64_t to_;                                                                              \
        __asm__ volatile(name " %0, 0(%1)" : "=r"(to_) : "r"(at) : "memory");                      \
        to_;                                                                                       \
    })
#define STORE(name, at, value)                                                                     \
    __asm__ volatile(name " %0, 0(%1)" ::"r"((uint64_t)(value)), "r"(at) : "memory")

static void memory(void)
{
    static _Alignas(16) uint8_t bytes[32];

    /* Every offset: misaligned ones are done by the hart. */
    for (int i = 0; i < 16; i++) {
        for (int k = 0; k < 32; k++)
            bytes[k] = (uint8_t)(0x71 + 0x17 * k);
        uint8_t *at = bytes + i;
        uint64_t want = 0;
        for (int k = 7; k >= 0; k--)
            want = want << 8 | at[k];
        CHECK_EQUAL(LOAD("ld", at), want);
        CHECK_EQUAL(LOAD("lwu", at), want & 0xffffffffu);
        CHECK_EQUAL(LOAD("lw", at), sign32(want));
        CHECK_EQUAL(LOAD("lhu", at), want & 0xffffu);
        CHECK_EQUAL(LOAD("lh", at), (int64_t)(int16_t)want);
        CHECK_EQUAL(LOAD("lbu", at), want & 0xffu);
        CHECK_EQUAL(LOAD("lb", at), (int64_t)(int8_t)want);
        STORE("sb", at, 0x1122334455667788u);
        CHECK_EQUAL(LOAD("ld", at), (want & ~0xffull) | 0x88u);
        STORE("sh", at, 0x1122334455667788u);
        CHECK_EQUAL(LOAD("ld", at), (want & ~0xffffull) | 0x7788u);
        STORE("sw", at, 0x1122334455667788u);
        CHECK_EQUAL(LOAD("ld", at), (want & ~0xffffffffull) | 0x55667788u);
        STORE("sd", at, 0x1122334455667788u);
        CHECK_EQUAL(LOAD("ld", at), 0x1122334455667788u);
    }
    uint64_t value;
    __asm__ volatile("ld %0, -8(%1)" : "=r"(value) : "r"(bytes + 16) : "memory");
    CHECK_EQUAL(value, LOAD("ld", bytes + 8));
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    registers();
    immediates();
    branches();
    jumps();
    memory();
    return 0;
}
