/* arithmetic.h — integer operations that C has no operator for, with the manual's answers to
 * division by zero and overflow (I 13.2). Registers are uint64_t; shifts and casts rely on two's
 * complement. */
#ifndef THAW_SIM_HART_ARITHMETIC_H
#define THAW_SIM_HART_ARITHMETIC_H

#include <stdint.h>

static inline uint64_t sext32(uint64_t value)
{
    return (uint64_t)(int64_t)(int32_t)(uint32_t)value;
}

static inline uint64_t sra(uint64_t value, uint64_t count)
{
    return (uint64_t)((int64_t)value >> count);
}

static inline uint64_t mulhu(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    return (uint64_t)((unsigned __int128)a * b >> 64);
#else
    uint64_t al = (uint32_t)a, ah = a >> 32, bl = (uint32_t)b, bh = b >> 32;
    uint64_t low = al * bl, middle1 = ah * bl, middle2 = al * bh;
    uint64_t carry = (low >> 32) + (uint32_t)middle1 + (uint32_t)middle2;
    return ah * bh + (middle1 >> 32) + (middle2 >> 32) + (carry >> 32);
#endif
}

static inline uint64_t mulhsu(uint64_t a, uint64_t b)
{
    return mulhu(a, b) - ((int64_t)a < 0 ? b : 0);
}

static inline uint64_t mulh(uint64_t a, uint64_t b)
{
    return mulhsu(a, b) - ((int64_t)b < 0 ? a : 0);
}

static inline uint64_t div_signed(uint64_t a, uint64_t b)
{
    if (b == 0)
        return UINT64_MAX;
    return b == UINT64_MAX ? 0 - a : (uint64_t)((int64_t)a / (int64_t)b);
}

static inline uint64_t rem_signed(uint64_t a, uint64_t b)
{
    if (b == 0)
        return a;
    return b == UINT64_MAX ? 0 : (uint64_t)((int64_t)a % (int64_t)b);
}

static inline uint64_t divw(uint64_t a, uint64_t b)
{
    return sext32(div_signed(sext32(a), sext32(b)));
}

static inline uint64_t remw(uint64_t a, uint64_t b)
{
    return sext32(rem_signed(sext32(a), sext32(b)));
}

static inline uint64_t divuw(uint64_t a, uint64_t b)
{
    return (uint32_t)b == 0 ? UINT64_MAX : sext32((uint32_t)a / (uint32_t)b);
}

static inline uint64_t remuw(uint64_t a, uint64_t b)
{
    return sext32((uint32_t)b == 0 ? (uint32_t)a : (uint32_t)a % (uint32_t)b);
}

static inline uint64_t rol64(uint64_t a, uint64_t count)
{
    return a << (count & 63) | a >> (-count & 63);
}

static inline uint64_t ror64(uint64_t a, uint64_t count)
{
    return a >> (count & 63) | a << (-count & 63);
}

static inline uint64_t rolw(uint64_t a, uint64_t count)
{
    uint32_t v = (uint32_t)a;
    return sext32(v << (count & 31) | v >> (-count & 31));
}

static inline uint64_t rorw(uint64_t a, uint64_t count)
{
    uint32_t v = (uint32_t)a;
    return sext32(v >> (count & 31) | v << (-count & 31));
}

static inline uint64_t clz64(uint64_t a)
{
    return a == 0 ? 64 : (uint64_t)__builtin_clzll(a);
}

static inline uint64_t ctz64(uint64_t a)
{
    return a == 0 ? 64 : (uint64_t)__builtin_ctzll(a);
}

static inline uint64_t clz32(uint64_t a)
{
    return (uint32_t)a == 0 ? 32 : (uint64_t)__builtin_clz((uint32_t)a);
}

static inline uint64_t ctz32(uint64_t a)
{
    return (uint32_t)a == 0 ? 32 : (uint64_t)__builtin_ctz((uint32_t)a);
}

/* Every byte that is not 0 becomes 255. */
static inline uint64_t orc_b(uint64_t a)
{
    const uint64_t low = UINT64_C(0x7f7f7f7f7f7f7f7f);
    uint64_t high_bits = (((a & low) + low) | a) & ~low;
    return (high_bits >> 7) * 255;
}

#endif
