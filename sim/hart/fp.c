#include "sim/hart/fp.h"

#include <platform.h> /* first: it says that the mode and flags are thread-local */
#include <softfloat.h>

/* SoftFloat keeps rounding mode and flags in thread-local variables; every operation sets the one
 * and collects the others. Its rounding modes have RISC-V's numbers. */
static void begin(uint32_t rm)
{
    softfloat_roundingMode = (uint_fast8_t)rm;
    softfloat_exceptionFlags = 0;
}

static void end(uint8_t *flags)
{
    *flags = (uint8_t)(*flags | softfloat_exceptionFlags);
}

static float64_t d_of(uint64_t bits)
{
    return (float64_t){bits};
}

static float32_t s_of(uint32_t bits)
{
    return (float32_t){bits};
}

#define BINARY(name, type, wrap, operation)                                                        \
    type name(type a, type b, uint32_t rm, uint8_t *flags)                                         \
    {                                                                                              \
        type result;                                                                               \
        begin(rm);                                                                                 \
        result = operation(wrap(a), wrap(b)).v;                                                    \
        end(flags);                                                                                \
        return result;                                                                             \
    }

BINARY(fp_d_add, uint64_t, d_of, f64_add)
BINARY(fp_d_sub, uint64_t, d_of, f64_sub)
BINARY(fp_d_mul, uint64_t, d_of, f64_mul)
BINARY(fp_d_div, uint64_t, d_of, f64_div)
BINARY(fp_s_add, uint32_t, s_of, f32_add)
BINARY(fp_s_sub, uint32_t, s_of, f32_sub)
BINARY(fp_s_mul, uint32_t, s_of, f32_mul)
BINARY(fp_s_div, uint32_t, s_of, f32_div)

uint64_t fp_d_sqrt(uint64_t a, uint32_t rm, uint8_t *flags)
{
    uint64_t result;

    begin(rm);
    result = f64_sqrt(d_of(a)).v;
    end(flags);
    return result;
}

uint32_t fp_s_sqrt(uint32_t a, uint32_t rm, uint8_t *flags)
{
    uint32_t result;

    begin(rm);
    result = f32_sqrt(s_of(a)).v;
    end(flags);
    return result;
}

uint64_t fp_d_fma(uint64_t a, uint64_t b, uint64_t c, uint32_t rm, uint8_t *flags)
{
    uint64_t result;

    begin(rm);
    result = f64_mulAdd(d_of(a), d_of(b), d_of(c)).v;
    end(flags);
    return result;
}

uint32_t fp_s_fma(uint32_t a, uint32_t b, uint32_t c, uint32_t rm, uint8_t *flags)
{
    uint32_t result;

    begin(rm);
    result = f32_mulAdd(s_of(a), s_of(b), s_of(c)).v;
    end(flags);
    return result;
}

#define D_SIGN     (UINT64_C(1) << 63)
#define D_INFINITY UINT64_C(0x7ff0000000000000)
#define D_QUIET    UINT64_C(0x0008000000000000)
#define D_NAN      UINT64_C(0x7ff8000000000000)
#define S_SIGN     UINT32_C(0x80000000)
#define S_INFINITY UINT32_C(0x7f800000)
#define S_QUIET    UINT32_C(0x00400000)
#define S_NAN      UINT32_C(0x7fc00000)

static bool d_is_nan(uint64_t a)
{
    return (a & ~D_SIGN) > D_INFINITY;
}

static bool s_is_nan(uint32_t a)
{
    return (a & ~S_SIGN) > S_INFINITY;
}

static bool d_is_signaling(uint64_t a)
{
    return d_is_nan(a) && (a & D_QUIET) == 0;
}

static bool s_is_signaling(uint32_t a)
{
    return s_is_nan(a) && (a & S_QUIET) == 0;
}

/* minimumNumber, maximumNumber (I 21.6): -0 is less than +0, a number beats a NaN. */
static uint64_t d_pick(uint64_t a, uint64_t b, bool want_less, uint8_t *flags)
{
    bool less;

    if (d_is_signaling(a) || d_is_signaling(b))
        *flags |= FP_NV;
    if (d_is_nan(a))
        return d_is_nan(b) ? D_NAN : b;
    if (d_is_nan(b))
        return a;
    less = f64_lt_quiet(d_of(a), d_of(b)) || (((a | b) & ~D_SIGN) == 0 && (a & D_SIGN) != 0);
    return less == want_less ? a : b;
}

static uint32_t s_pick(uint32_t a, uint32_t b, bool want_less, uint8_t *flags)
{
    bool less;

    if (s_is_signaling(a) || s_is_signaling(b))
        *flags |= FP_NV;
    if (s_is_nan(a))
        return s_is_nan(b) ? S_NAN : b;
    if (s_is_nan(b))
        return a;
    less = f32_lt_quiet(s_of(a), s_of(b)) || (((a | b) & ~S_SIGN) == 0 && (a & S_SIGN) != 0);
    return less == want_less ? a : b;
}

uint64_t fp_d_min(uint64_t a, uint64_t b, uint8_t *flags)
{
    return d_pick(a, b, true, flags);
}

uint64_t fp_d_max(uint64_t a, uint64_t b, uint8_t *flags)
{
    return d_pick(a, b, false, flags);
}

uint32_t fp_s_min(uint32_t a, uint32_t b, uint8_t *flags)
{
    return s_pick(a, b, true, flags);
}

uint32_t fp_s_max(uint32_t a, uint32_t b, uint8_t *flags)
{
    return s_pick(a, b, false, flags);
}

#define COMPARE(name, type, wrap, operation)                                                       \
    bool name(type a, type b, uint8_t *flags)                                                      \
    {                                                                                              \
        bool result;                                                                               \
        begin(FP_RNE);                                                                             \
        result = operation(wrap(a), wrap(b));                                                      \
        end(flags);                                                                                \
        return result;                                                                             \
    }

/* f64_eq is quiet, f64_lt and f64_le signal: as FEQ, FLT and FLE must (I 21.8). */
COMPARE(fp_d_eq, uint64_t, d_of, f64_eq)
COMPARE(fp_d_lt, uint64_t, d_of, f64_lt)
COMPARE(fp_d_le, uint64_t, d_of, f64_le)
COMPARE(fp_s_eq, uint32_t, s_of, f32_eq)
COMPARE(fp_s_lt, uint32_t, s_of, f32_lt)
COMPARE(fp_s_le, uint32_t, s_of, f32_le)

/* FCLASS's bits (I 21.9). */
static uint64_t class_bit(bool negative, bool infinite, bool zero, bool subnormal)
{
    uint32_t positive = infinite ? 7 : zero ? 4 : subnormal ? 5 : 6;

    return UINT64_C(1) << (negative ? 7 - positive : positive);
}

uint64_t fp_d_class(uint64_t a)
{
    uint64_t size = a & ~D_SIGN;

    if (d_is_nan(a))
        return d_is_signaling(a) ? 1 << 8 : 1 << 9;
    return class_bit((a & D_SIGN) != 0, size == D_INFINITY, size == 0,
                     size < UINT64_C(0x0010000000000000));
}

uint64_t fp_s_class(uint32_t a)
{
    uint32_t size = a & ~S_SIGN;

    if (s_is_nan(a))
        return s_is_signaling(a) ? 1 << 8 : 1 << 9;
    return class_bit((a & S_SIGN) != 0, size == S_INFINITY, size == 0, size < UINT32_C(0x00800000));
}

static uint64_t sign_extend(uint32_t value)
{
    return (uint64_t)(int64_t)(int32_t)value;
}

#define TO_WORD(name, type, wrap, operation)                                                       \
    uint64_t name(type a, uint32_t rm, uint8_t *flags)                                             \
    {                                                                                              \
        uint64_t result;                                                                           \
        begin(rm);                                                                                 \
        result = sign_extend((uint32_t)operation(wrap(a), (uint_fast8_t)rm, true));                \
        end(flags);                                                                                \
        return result;                                                                             \
    }
#define TO_LONG(name, type, wrap, operation)                                                       \
    uint64_t name(type a, uint32_t rm, uint8_t *flags)                                             \
    {                                                                                              \
        uint64_t result;                                                                           \
        begin(rm);                                                                                 \
        result = (uint64_t)operation(wrap(a), (uint_fast8_t)rm, true);                             \
        end(flags);                                                                                \
        return result;                                                                             \
    }

TO_WORD(fp_d_to_w, uint64_t, d_of, f64_to_i32)
TO_WORD(fp_d_to_wu, uint64_t, d_of, f64_to_ui32)
TO_LONG(fp_d_to_l, uint64_t, d_of, f64_to_i64)
TO_LONG(fp_d_to_lu, uint64_t, d_of, f64_to_ui64)
TO_WORD(fp_s_to_w, uint32_t, s_of, f32_to_i32)
TO_WORD(fp_s_to_wu, uint32_t, s_of, f32_to_ui32)
TO_LONG(fp_s_to_l, uint32_t, s_of, f32_to_i64)
TO_LONG(fp_s_to_lu, uint32_t, s_of, f32_to_ui64)

#define FROM_INTEGER(name, type, integer, operation)                                               \
    type name(uint64_t x, uint32_t rm, uint8_t *flags)                                             \
    {                                                                                              \
        type result;                                                                               \
        begin(rm);                                                                                 \
        result = operation((integer)x).v;                                                          \
        end(flags);                                                                                \
        return result;                                                                             \
    }

FROM_INTEGER(fp_d_from_w, uint64_t, int32_t, i32_to_f64)
FROM_INTEGER(fp_d_from_wu, uint64_t, uint32_t, ui32_to_f64)
FROM_INTEGER(fp_d_from_l, uint64_t, int64_t, i64_to_f64)
FROM_INTEGER(fp_d_from_lu, uint64_t, uint64_t, ui64_to_f64)
FROM_INTEGER(fp_s_from_w, uint32_t, int32_t, i32_to_f32)
FROM_INTEGER(fp_s_from_wu, uint32_t, uint32_t, ui32_to_f32)
FROM_INTEGER(fp_s_from_l, uint32_t, int64_t, i64_to_f32)
FROM_INTEGER(fp_s_from_lu, uint32_t, uint64_t, ui64_to_f32)

uint32_t fp_s_from_d(uint64_t a, uint32_t rm, uint8_t *flags)
{
    uint32_t result;

    begin(rm);
    result = f64_to_f32(d_of(a)).v;
    end(flags);
    return result;
}

uint64_t fp_d_from_s(uint32_t a, uint32_t rm, uint8_t *flags)
{
    uint64_t result;

    begin(rm);
    result = f32_to_f64(s_of(a)).v;
    end(flags);
    return result;
}
