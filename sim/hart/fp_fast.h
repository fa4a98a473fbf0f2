/* fp_fast.h — floating point by the host's FPU, only where that gives the same bits and flags as
 * SoftFloat.
 *
 * A rounded operation may go the fast way if
 * - the rounding mode is to nearest, ties to even: the host's default, which nobody here changes;
 * - NX is set already: then it does not matter whether this result is exact;
 * - the result is a number with an exponent at least one above the smallest normal one. Then no
 *   operand was a NaN or an infinity (but for a finite result of x / infinity, which is 0 and thus
 *   excluded), nothing overflowed, nothing was divided by zero, and nothing was tiny before or
 *   after rounding: NV, OF, DZ, UF stay as they are.
 * Comparisons and conversions say their own conditions. Everything else is fp.h's.
 *
 * Hosts whose double arithmetic is not IEEE double (x87) have no fast way: FLT_EVAL_METHOD
 * tells. */
#ifndef THAW_SIM_HART_FP_FAST_H
#define THAW_SIM_HART_FP_FAST_H

#include "sim/hart/fp.h"

#include <float.h>
#include <math.h>
#include <string.h>

#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD == 0
#define FP_HOST_IS_IEEE 1
#else
#define FP_HOST_IS_IEEE 0
#endif

static inline double fp_double(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint64_t fp_double_bits(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float fp_single(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t fp_single_bits(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Exponents 2 to 2046: see above. */
static inline bool fp_d_is_plain(uint64_t bits)
{
    return (bits >> 52 & 0x7ff) - 2 < 0x7fd;
}

static inline bool fp_s_is_plain(uint32_t bits)
{
    return (bits >> 23 & 0xff) - 2 < 0xfd;
}

static inline bool fp_may_round(uint32_t rm, const uint8_t *flags)
{
    return FP_HOST_IS_IEEE && rm == FP_RNE && (*flags & FP_NX) != 0;
}

#define FP_FAST_BINARY(kind, type, number, name, operator)                                         \
    static inline type fp_fast_##kind##_##name(type a, type b, uint32_t rm, uint8_t *flags)        \
    {                                                                                              \
        if (__builtin_expect(fp_may_round(rm, flags), 1)) {                                        \
            type bits = fp_##number##_bits(fp_##number(a) operator fp_##number(b));                \
            if (__builtin_expect(fp_##kind##_is_plain(bits), 1))                                   \
                return bits;                                                                       \
        }                                                                                          \
        return fp_##kind##_##name(a, b, rm, flags);                                                \
    }

FP_FAST_BINARY(d, uint64_t, double, add, +)
FP_FAST_BINARY(d, uint64_t, double, sub, -)
FP_FAST_BINARY(d, uint64_t, double, mul, *)
FP_FAST_BINARY(d, uint64_t, double, div, /)
FP_FAST_BINARY(s, uint32_t, single, add, +)
FP_FAST_BINARY(s, uint32_t, single, sub, -)
FP_FAST_BINARY(s, uint32_t, single, mul, *)
FP_FAST_BINARY(s, uint32_t, single, div, /)

/* glibc's fma and musl's (WASI) are the host's instruction where there is one, and exact where
 * there is not. Of others' that is not known: Microsoft's and mingw-w64's round twice. */
#if defined(__GLIBC__) || defined(__wasi__)
#define FP_HOST_HAS_FMA 1
#else
#define FP_HOST_HAS_FMA 0
#endif

static inline uint64_t fp_fast_d_fma(uint64_t a, uint64_t b, uint64_t c, uint32_t rm,
                                     uint8_t *flags)
{
    if (FP_HOST_HAS_FMA && __builtin_expect(fp_may_round(rm, flags), 1)) {
        uint64_t bits = fp_double_bits(fma(fp_double(a), fp_double(b), fp_double(c)));
        if (__builtin_expect(fp_d_is_plain(bits), 1))
            return bits;
    }
    return fp_d_fma(a, b, c, rm, flags);
}

static inline uint32_t fp_fast_s_fma(uint32_t a, uint32_t b, uint32_t c, uint32_t rm,
                                     uint8_t *flags)
{
    if (FP_HOST_HAS_FMA && __builtin_expect(fp_may_round(rm, flags), 1)) {
        uint32_t bits = fp_single_bits(fmaf(fp_single(a), fp_single(b), fp_single(c)));
        if (__builtin_expect(fp_s_is_plain(bits), 1))
            return bits;
    }
    return fp_s_fma(a, b, c, rm, flags);
}

static inline uint64_t fp_fast_d_sqrt(uint64_t a, uint32_t rm, uint8_t *flags)
{
    if (fp_may_round(rm, flags) && a >> 63 == 0) {
        uint64_t bits = fp_double_bits(sqrt(fp_double(a)));
        if (fp_d_is_plain(bits))
            return bits;
    }
    return fp_d_sqrt(a, rm, flags);
}

static inline uint32_t fp_fast_s_sqrt(uint32_t a, uint32_t rm, uint8_t *flags)
{
    if (fp_may_round(rm, flags) && a >> 31 == 0) {
        uint32_t bits = fp_single_bits(sqrtf(fp_single(a)));
        if (fp_s_is_plain(bits))
            return bits;
    }
    return fp_s_sqrt(a, rm, flags);
}

/* No NaN: no flag, and the host compares numbers as everybody does. */
#define FP_FAST_COMPARE(kind, type, number, name, operator)                                        \
    static inline bool fp_fast_##kind##_##name(type a, type b, uint8_t *flags)                     \
    {                                                                                              \
        if (__builtin_expect(!isunordered(fp_##number(a), fp_##number(b)), 1))                     \
            return fp_##number(a) operator fp_##number(b);                                         \
        return fp_##kind##_##name(a, b, flags);                                                    \
    }

FP_FAST_COMPARE(d, uint64_t, double, eq, ==)
FP_FAST_COMPARE(d, uint64_t, double, lt, <)
FP_FAST_COMPARE(d, uint64_t, double, le, <=)
FP_FAST_COMPARE(s, uint32_t, single, eq, ==)
FP_FAST_COMPARE(s, uint32_t, single, lt, <)
FP_FAST_COMPARE(s, uint32_t, single, le, <=)

/* A double holds every 32-bit integer: exact in every mode. */
static inline uint64_t fp_fast_d_from_w(uint64_t x, uint32_t rm, uint8_t *flags)
{
    (void)rm;
    (void)flags;
    return fp_double_bits((double)(int32_t)x);
}

static inline uint64_t fp_fast_d_from_l(uint64_t x, uint32_t rm, uint8_t *flags)
{
    return fp_may_round(rm, flags) ? fp_double_bits((double)(int64_t)x) : fp_d_from_l(x, rm, flags);
}

/* Every single but a NaN is a double: exact. */
static inline uint64_t fp_fast_d_from_s(uint32_t a, uint32_t rm, uint8_t *flags)
{
    return fp_s_is_plain(a) ? fp_double_bits((double)fp_single(a)) : fp_d_from_s(a, rm, flags);
}

static inline uint32_t fp_fast_s_from_d(uint64_t a, uint32_t rm, uint8_t *flags)
{
    if (fp_may_round(rm, flags)) {
        uint32_t bits = fp_single_bits((float)fp_double(a));
        if (fp_s_is_plain(bits))
            return bits;
    }
    return fp_s_from_d(a, rm, flags);
}

/* Towards zero, as C converts, and in range: only NX can come of it. */
static inline bool fp_may_cut(uint64_t a, double limit, uint32_t rm, const uint8_t *flags)
{
    return FP_HOST_IS_IEEE && rm == FP_RTZ && (*flags & FP_NX) != 0 && fabs(fp_double(a)) < limit;
}

static inline uint64_t fp_fast_d_to_w(uint64_t a, uint32_t rm, uint8_t *flags)
{
    if (fp_may_cut(a, 2147483648.0, rm, flags))
        return (uint64_t)(int64_t)(int32_t)fp_double(a);
    return fp_d_to_w(a, rm, flags);
}

static inline uint64_t fp_fast_d_to_l(uint64_t a, uint32_t rm, uint8_t *flags)
{
    if (fp_may_cut(a, 9223372036854775808.0, rm, flags))
        return (uint64_t)(int64_t)fp_double(a);
    return fp_d_to_l(a, rm, flags);
}

#endif
