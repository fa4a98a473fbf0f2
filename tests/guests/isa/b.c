/* Zba, Zbb, Zbs: the unprivileged manual's chapter "B". */
#include "isa.h"

__asm__(".option arch, +zba, +zbb, +zbs");

static uint64_t count_leading(uint64_t value, int bits)
{
    uint64_t count = 0;

    for (int bit = bits - 1; bit >= 0 && !(value >> bit & 1u); bit--)
        count++;
    return count;
}

static uint64_t count_trailing(uint64_t value, int bits)
{
    uint64_t count = 0;

    for (int bit = 0; bit < bits && !(value >> bit & 1u); bit++)
        count++;
    return count;
}

static uint64_t count_ones(uint64_t value)
{
    uint64_t count = 0;

    for (; value != 0; value >>= 1)
        count += value & 1u;
    return count;
}

static uint64_t or_bytes(uint64_t value)
{
    uint64_t all = 0;

    for (int shift = 0; shift < 64; shift += 8)
        if (value >> shift & 0xffu)
            all |= 0xffull << shift;
    return all;
}

static uint64_t swap_bytes(uint64_t value)
{
    uint64_t all = 0;

    for (int shift = 0; shift < 64; shift += 8)
        all = all << 8 | (value >> shift & 0xffu);
    return all;
}

static uint64_t rotate_right(uint64_t value, uint64_t by)
{
    return by == 0 ? value : value >> by | value << (64 - by);
}

static uint64_t rotate_right32(uint64_t value, uint64_t by)
{
    uint32_t word = (uint32_t)value;

    return sign32(by == 0 ? word : word >> by | word << (32 - by));
}

static void zba(void)
{
    CHECK_PAIRS("sh1add", b + (a << 1));
    CHECK_PAIRS("sh2add", b + (a << 2));
    CHECK_PAIRS("sh3add", b + (a << 3));
    CHECK_PAIRS("add.uw", b + (uint32_t)a);
    CHECK_PAIRS("sh1add.uw", b + ((uint64_t)(uint32_t)a << 1));
    CHECK_PAIRS("sh2add.uw", b + ((uint64_t)(uint32_t)a << 2));
    CHECK_PAIRS("sh3add.uw", b + ((uint64_t)(uint32_t)a << 3));
    CHECK_IMMEDIATE("slli.uw", 0, (uint32_t)a);
    CHECK_IMMEDIATE("slli.uw", 31, (uint64_t)(uint32_t)a << 31);
    CHECK_IMMEDIATE("slli.uw", 63, (uint64_t)(uint32_t)a << 63);
}

static void zbb(void)
{
    CHECK_PAIRS("andn", a & ~b);
    CHECK_PAIRS("orn", a | ~b);
    CHECK_PAIRS("xnor", ~(a ^ b));
    CHECK_EACH("clz", count_leading(a, 64));
    CHECK_EACH("clzw", count_leading((uint32_t)a, 32));
    CHECK_EACH("ctz", count_trailing(a, 64));
    CHECK_EACH("ctzw", count_trailing((uint32_t)a, 32));
    CHECK_EACH("cpop", count_ones(a));
    CHECK_EACH("cpopw", count_ones((uint32_t)a));
    CHECK_PAIRS("max", (int64_t)a > (int64_t)b ? a : b);
    CHECK_PAIRS("min", (int64_t)a < (int64_t)b ? a : b);
    CHECK_PAIRS("maxu", a > b ? a : b);
    CHECK_PAIRS("minu", a < b ? a : b);
    CHECK_EACH("sext.b", (int64_t)(int8_t)a);
    CHECK_EACH("sext.h", (int64_t)(int16_t)a);
    CHECK_EACH("zext.h", a & 0xffffu);
    CHECK_PAIRS("rol", rotate_right(a, (64 - (b & 63u)) & 63u));
    CHECK_PAIRS("ror", rotate_right(a, b & 63u));
    CHECK_PAIRS("rolw", rotate_right32(a, (32 - (b & 31u)) & 31u));
    CHECK_PAIRS("rorw", rotate_right32(a, b & 31u));
    CHECK_IMMEDIATE("rori", 1, rotate_right(a, 1));
    CHECK_IMMEDIATE("rori", 63, rotate_right(a, 63));
    CHECK_IMMEDIATE("roriw", 0, sign32(a));
    CHECK_IMMEDIATE("roriw", 13, rotate_right32(a, 13));
    CHECK_EACH("orc.b", or_bytes(a));
    CHECK_EACH("rev8", swap_bytes(a));
}

static void zbs(void)
{
    CHECK_PAIRS("bclr", a & ~(1ull << (b & 63u)));
    CHECK_PAIRS("bset", a | 1ull << (b & 63u));
    CHECK_PAIRS("binv", a ^ 1ull << (b & 63u));
    CHECK_PAIRS("bext", a >> (b & 63u) & 1u);
    CHECK_IMMEDIATE("bclri", 63, a & ~(1ull << 63));
    CHECK_IMMEDIATE("bseti", 31, a | 1ull << 31);
    CHECK_IMMEDIATE("binvi", 32, a ^ 1ull << 32);
    CHECK_IMMEDIATE("bexti", 63, a >> 63);
}

uint64_t guest_main(uint64_t hart, const uint8_t *tree)
{
    (void)hart, (void)tree;
    zba();
    zbb();
    zbs();
    return 0;
}
