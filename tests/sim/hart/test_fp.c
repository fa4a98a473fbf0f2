/* Floating point against the manual (volume I, 21 F and 22 D): literal results and flags.
 * test_fp_instructions.c has what the instructions add, test_fp_vectors.c many operands. */
#include "sim/hart/fp_fast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

#define D_ONE  UINT64_C(0x3ff0000000000000)
#define D_TWO  UINT64_C(0x4000000000000000)
#define D_INF  UINT64_C(0x7ff0000000000000)
#define D_NAN  UINT64_C(0x7ff8000000000000) /* canonical: I 21.3 */
#define D_SNAN UINT64_C(0x7ff0000000000001)
#define D_QNAN UINT64_C(0xfff8000000abcdef) /* quiet, with a sign and a payload */
#define D_MAX  UINT64_C(0x7fefffffffffffff)
#define D_MIN  UINT64_C(0x0010000000000000) /* the smallest normal one */
#define D_NEG  UINT64_C(0x8000000000000000)
#define S_ONE  UINT32_C(0x3f800000)
#define S_INF  UINT32_C(0x7f800000)
#define S_NAN  UINT32_C(0x7fc00000)
#define S_SNAN UINT32_C(0x7f800001)
#define S_QNAN UINT32_C(0xffc12345)
#define S_NEG  UINT32_C(0x80000000)

static void expect(const char *what, size_t row, uint64_t result, uint64_t wanted)
{
    if (result != wanted)
        fail_msg("%s, row %zu: %016llx, not %016llx", what, row, (unsigned long long)result,
                 (unsigned long long)wanted);
}

static void expect_flags(const char *what, size_t row, uint8_t flags, uint32_t wanted)
{
    if (flags != wanted)
        fail_msg("%s, row %zu: flags %02x, not %02x", what, row, flags, wanted);
}

/* I 22.2. */
static void a_badly_boxed_single_is_the_canonical_nan(void **state)
{
    (void)state;
    assert_int_equal(fp_box(0x12345678), UINT64_C(0xffffffff12345678));
    assert_int_equal(fp_unbox(UINT64_C(0xffffffff92345678)), 0x92345678);
    for (uint32_t bit = 32; bit < 64; bit++)
        assert_int_equal(fp_unbox(UINT64_C(0xffffffff3f800000) ^ UINT64_C(1) << bit), S_NAN);
}

/* I 21.9: the ten classes, in the order of their bits. */
static void classes_are_the_manuals(void **state)
{
    static const struct {
        uint64_t d[2];
        uint32_t s[2];
    } rows[] = {
        {{D_NEG | D_INF, D_NEG | D_INF}, {S_NEG | S_INF, S_NEG | S_INF}},
        {{D_NEG | D_MIN, D_NEG | D_MAX}, {0x80800000, 0xff7fffff}},
        {{D_NEG | 1, D_NEG | (D_MIN - 1)}, {0x80000001, 0x807fffff}},
        {{D_NEG, D_NEG}, {S_NEG, S_NEG}},
        {{0, 0}, {0, 0}},
        {{1, D_MIN - 1}, {1, 0x007fffff}},
        {{D_MIN, D_MAX}, {0x00800000, 0x7f7fffff}},
        {{D_INF, D_INF}, {S_INF, S_INF}},
        {{D_SNAN, UINT64_C(0xfff7ffffffffffff)}, {S_SNAN, 0xffbfffff}},
        {{D_NAN, UINT64_MAX}, {S_NAN, UINT32_MAX}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t k = 0; k < 2; k++) {
            assert_int_equal(fp_d_class(rows[i].d[k]), 1 << i);
            assert_int_equal(fp_s_class(rows[i].s[k]), 1 << i);
        }
}

/* I 21.6: minimumNumber and maximumNumber of IEEE 754-2019; -0 is less than +0. */
static void min_and_max_are_ieee_2019s(void **state)
{
    static const struct {
        uint64_t a, b, min, max;
        uint32_t sa, sb, smin, smax;
        uint8_t flags;
    } rows[] = {
        {D_ONE, D_TWO, D_ONE, D_TWO, S_ONE, 0x40000000, S_ONE, 0x40000000, 0},
        {D_NEG | D_ONE, D_ONE, D_NEG | D_ONE, D_ONE, 0xbf800000, S_ONE, 0xbf800000, S_ONE, 0},
        {D_NEG, 0, D_NEG, 0, S_NEG, 0, S_NEG, 0, 0},
        {D_INF, D_NEG | D_INF, D_NEG | D_INF, D_INF, S_INF, 0xff800000, 0xff800000, S_INF, 0},
        {D_QNAN, D_ONE, D_ONE, D_ONE, S_QNAN, S_ONE, S_ONE, S_ONE, 0},
        {D_SNAN, D_ONE, D_ONE, D_ONE, S_SNAN, S_ONE, S_ONE, S_ONE, FP_NV},
        {D_QNAN, D_QNAN, D_NAN, D_NAN, S_QNAN, S_QNAN, S_NAN, S_NAN, 0},
        {D_SNAN, D_QNAN, D_NAN, D_NAN, S_SNAN, S_QNAN, S_NAN, S_NAN, FP_NV},
    };

    (void)state;
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        size_t row = i / 2;
        bool turned = i % 2 != 0;
        uint64_t a = turned ? rows[row].b : rows[row].a, b = turned ? rows[row].a : rows[row].b;
        uint32_t sa = turned ? rows[row].sb : rows[row].sa,
                 sb = turned ? rows[row].sa : rows[row].sb;
        uint8_t flags[4] = {0};

        expect("fmin.d", row, fp_d_min(a, b, &flags[0]), rows[row].min);
        expect("fmax.d", row, fp_d_max(a, b, &flags[1]), rows[row].max);
        expect("fmin.s", row, fp_s_min(sa, sb, &flags[2]), rows[row].smin);
        expect("fmax.s", row, fp_s_max(sa, sb, &flags[3]), rows[row].smax);
        for (size_t k = 0; k < 4; k++)
            expect_flags("fmin, fmax", row, flags[k], rows[row].flags);
    }
}

/* I 21.8: FEQ is quiet, FLT and FLE signal; a NaN compares false. */
static void comparisons_with_nans_are_false(void **state)
{
    static const struct {
        uint64_t d;
        uint32_t s;
        uint8_t eq_flags;
    } nans[] = {{D_QNAN, S_QNAN, 0}, {D_SNAN, S_SNAN, FP_NV}};

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        uint64_t d = nans[i / 2].d, d1 = i % 2 ? d : D_ONE, d2 = i % 2 ? D_ONE : d;
        uint32_t s = nans[i / 2].s, s1 = i % 2 ? s : S_ONE, s2 = i % 2 ? S_ONE : s;
        uint8_t eq = 0, lt = 0, le = 0;

        assert_false(fp_fast_d_eq(d1, d2, &eq) || fp_fast_s_eq(s1, s2, &eq));
        assert_false(fp_d_eq(d1, d2, &eq) || fp_s_eq(s1, s2, &eq));
        expect_flags("feq", i, eq, nans[i / 2].eq_flags);
        assert_false(fp_d_lt(d1, d2, &lt) || fp_fast_d_lt(d1, d2, &lt));
        expect_flags("flt.d", i, lt, FP_NV);
        assert_false(fp_d_le(d1, d2, &le) || fp_fast_d_le(d1, d2, &le));
        expect_flags("fle.d", i, le, FP_NV);
        lt = le = 0;
        assert_false(fp_s_lt(s1, s2, &lt) || fp_fast_s_lt(s1, s2, &lt));
        expect_flags("flt.s", i, lt, FP_NV);
        assert_false(fp_s_le(s1, s2, &le) || fp_fast_s_le(s1, s2, &le));
        expect_flags("fle.s", i, le, FP_NV);
    }
}

static void zeros_are_equal(void **state)
{
    uint8_t flags = 0;

    (void)state;
    assert_true(fp_d_eq(0, D_NEG, &flags) && fp_s_eq(0, S_NEG, &flags));
    assert_true(fp_d_le(0, D_NEG, &flags) && fp_s_le(0, S_NEG, &flags));
    assert_false(fp_d_lt(D_NEG, 0, &flags) || fp_s_lt(S_NEG, 0, &flags));
    assert_true(fp_fast_d_eq(0, D_NEG, &flags) && fp_fast_s_le(0, S_NEG, &flags));
    assert_int_equal(flags, 0);
}

/* I 21.7, "Domains of float-to-integer conversions and behavior for invalid inputs". */
struct conversion {
    uint64_t d;
    uint32_t s;
    uint64_t w, wu, l, lu;
    uint8_t w_flags, wu_flags, l_flags, lu_flags;
};
#define W_MIN  UINT64_C(0xffffffff80000000)
#define W_MAX  UINT64_C(0x000000007fffffff)
#define WU_MAX UINT64_MAX /* 2^32 - 1, sign-extended to 64 bits */
#define L_MIN  UINT64_C(0x8000000000000000)
#define L_MAX  UINT64_C(0x7fffffffffffffff)
#define LU_MAX UINT64_MAX
static const struct conversion conversions[] = {
    {D_NAN, S_NAN, W_MAX, WU_MAX, L_MAX, LU_MAX, FP_NV, FP_NV, FP_NV, FP_NV},
    {D_QNAN, S_QNAN, W_MAX, WU_MAX, L_MAX, LU_MAX, FP_NV, FP_NV, FP_NV,
     FP_NV}, /* a sign is nothing */
    {D_SNAN, S_SNAN, W_MAX, WU_MAX, L_MAX, LU_MAX, FP_NV, FP_NV, FP_NV, FP_NV},
    {D_INF, S_INF, W_MAX, WU_MAX, L_MAX, LU_MAX, FP_NV, FP_NV, FP_NV, FP_NV},
    {D_NEG | D_INF, S_NEG | S_INF, W_MIN, 0, L_MIN, 0, FP_NV, FP_NV, FP_NV, FP_NV},
    {D_ONE, S_ONE, 1, 1, 1, 1, 0, 0, 0, 0},
    {D_NEG | D_ONE, S_NEG | S_ONE, UINT64_MAX, 0, UINT64_MAX, 0, 0, FP_NV, 0, FP_NV},
    /* ±2^31, ±2^32, ±2^63, ±2^64 */
    {UINT64_C(0x41e0000000000000), 0x4f000000, W_MAX, W_MIN, UINT64_C(1) << 31, UINT64_C(1) << 31,
     FP_NV, 0, 0, 0},
    {UINT64_C(0xc1e0000000000000), 0xcf000000, W_MIN, 0, W_MIN, 0, 0, FP_NV, 0, FP_NV},
    {UINT64_C(0x41f0000000000000), 0x4f800000, W_MAX, WU_MAX, UINT64_C(1) << 32, UINT64_C(1) << 32,
     FP_NV, FP_NV, 0, 0},
    {UINT64_C(0xc1f0000000000000), 0xcf800000, W_MIN, 0, 0 - (UINT64_C(1) << 32), 0, FP_NV, FP_NV,
     0, FP_NV},
    {UINT64_C(0x43e0000000000000), 0x5f000000, W_MAX, WU_MAX, L_MAX, L_MIN, FP_NV, FP_NV, FP_NV, 0},
    {UINT64_C(0xc3e0000000000000), 0xdf000000, W_MIN, 0, L_MIN, 0, FP_NV, FP_NV, 0, FP_NV},
    {UINT64_C(0x43f0000000000000), 0x5f800000, W_MAX, WU_MAX, L_MAX, LU_MAX, FP_NV, FP_NV, FP_NV,
     FP_NV},
    {UINT64_C(0xc3f0000000000000), 0xdf800000, W_MIN, 0, L_MIN, 0, FP_NV, FP_NV, FP_NV, FP_NV},
};

static void conversions_to_integers_saturate(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(conversions); i++)
        for (uint32_t rm = 0; rm < 5; rm++) {
            const struct conversion *row = &conversions[i];
            uint8_t flags[8] = {0};

            expect("fcvt.w.d", i, fp_d_to_w(row->d, rm, &flags[0]), row->w);
            expect("fcvt.wu.d", i, fp_d_to_wu(row->d, rm, &flags[1]), row->wu);
            expect("fcvt.l.d", i, fp_d_to_l(row->d, rm, &flags[2]), row->l);
            expect("fcvt.lu.d", i, fp_d_to_lu(row->d, rm, &flags[3]), row->lu);
            expect("fcvt.w.s", i, fp_s_to_w(row->s, rm, &flags[4]), row->w);
            expect("fcvt.wu.s", i, fp_s_to_wu(row->s, rm, &flags[5]), row->wu);
            expect("fcvt.l.s", i, fp_s_to_l(row->s, rm, &flags[6]), row->l);
            expect("fcvt.lu.s", i, fp_s_to_lu(row->s, rm, &flags[7]), row->lu);
            for (size_t k = 0; k < 8; k += 4) {
                expect_flags("fcvt.w", i, flags[k], row->w_flags);
                expect_flags("fcvt.wu", i, flags[k + 1], row->wu_flags);
                expect_flags("fcvt.l", i, flags[k + 2], row->l_flags);
                expect_flags("fcvt.lu", i, flags[k + 3], row->lu_flags);
            }
            flags[0] = FP_NX; /* what the fast way asks for */
            expect("fast fcvt.w.d", i, fp_fast_d_to_w(row->d, rm, &flags[0]), row->w);
            expect("fast fcvt.l.d", i, fp_fast_d_to_l(row->d, rm, &flags[0]), row->l);
            expect_flags("fast", i, flags[0], FP_NX | row->w_flags | row->l_flags);
        }
}

/* I 21.2, table of rounding modes: RNE, RTZ, RDN, RUP, RMM of halves and their neighbours. */
static void conversions_round_in_five_modes(void **state)
{
    static const struct {
        uint64_t d;
        int64_t by_mode[5];
    } rows[] = {
        {UINT64_C(0x3fe0000000000000), {0, 0, 0, 1, 1}},      /* 0.5 */
        {UINT64_C(0xbfe0000000000000), {0, 0, -1, 0, -1}},    /* -0.5 */
        {UINT64_C(0x3ff8000000000000), {2, 1, 1, 2, 2}},      /* 1.5 */
        {UINT64_C(0xbff8000000000000), {-2, -1, -2, -1, -2}}, /* -1.5 */
        {UINT64_C(0x4004000000000000), {2, 2, 2, 3, 3}},      /* 2.5 */
        {UINT64_C(0xc004000000000000), {-2, -2, -3, -2, -3}}, /* -2.5 */
        {UINT64_C(0x3fdfffffffffffff), {0, 0, 0, 1, 0}},      /* just below 0.5 */
        {UINT64_C(0x3fe0000000000001), {1, 0, 0, 1, 1}},      /* just above */
        {UINT64_C(0x0000000000000001), {0, 0, 0, 1, 0}},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (uint32_t rm = 0; rm < 5; rm++) {
            int64_t wanted = rows[i].by_mode[rm];
            uint8_t flags = 0, unsigned_flags = 0;

            expect("fcvt.w.d", i, fp_d_to_w(rows[i].d, rm, &flags), (uint64_t)wanted);
            expect("fcvt.l.d", i, fp_d_to_l(rows[i].d, rm, &flags), (uint64_t)wanted);
            expect_flags("fcvt.w.d", i, flags, FP_NX);
            expect("fcvt.lu.d", i, fp_d_to_lu(rows[i].d, rm, &unsigned_flags),
                   wanted < 0 ? 0 : (uint64_t)wanted);
            expect("fcvt.wu.d", i, fp_d_to_wu(rows[i].d, rm, &unsigned_flags),
                   wanted < 0 ? 0 : (uint64_t)wanted);
            expect_flags("fcvt.wu.d", i, unsigned_flags, wanted < 0 ? FP_NV : FP_NX);
        }
}

static void integers_become_numbers(void **state)
{
    uint8_t flags = 0;

    (void)state;
    assert_int_equal(fp_d_from_w(UINT64_C(0x5555555580000000), 0, &flags),
                     UINT64_C(0xc1e0000000000000)); /* the low 32 bits, signed */
    assert_int_equal(fp_d_from_wu(UINT64_MAX, 0, &flags), UINT64_C(0x41efffffffe00000));
    assert_int_equal(fp_d_from_l(UINT64_MAX, 0, &flags), D_NEG | D_ONE);
    assert_int_equal(fp_s_from_w(UINT32_MAX, 0, &flags), S_NEG | S_ONE);
    assert_int_equal(fp_s_from_l(0, 0, &flags), 0);
    assert_int_equal(fp_fast_d_from_w(UINT64_C(0x5555555580000000), 0, &flags),
                     UINT64_C(0xc1e0000000000000));
    assert_int_equal(flags, 0);
    assert_int_equal(fp_d_from_lu(UINT64_MAX, FP_RTZ, &flags), UINT64_C(0x43efffffffffffff));
    assert_int_equal(flags, FP_NX);
    flags = 0;
    assert_int_equal(fp_s_from_wu(UINT32_MAX, FP_RUP, &flags), 0x4f800000);
    assert_int_equal(fp_s_from_lu(UINT64_C(0x8000000000000001), FP_RDN, &flags), 0x5f000000);
    assert_int_equal(flags, FP_NX);
}

/* Sums, products, quotients, roots: special operands (IEEE 754; I 21.3: NaNs are canonical). */
enum operation { ADD, SUB, MUL, DIV, SQRT };

static uint64_t compute(enum operation operation, uint64_t a, uint64_t b, uint32_t rm,
                        uint8_t *flags)
{
    switch (operation) {
    case ADD:
        return fp_fast_d_add(a, b, rm, flags);
    case SUB:
        return fp_fast_d_sub(a, b, rm, flags);
    case MUL:
        return fp_fast_d_mul(a, b, rm, flags);
    case DIV:
        return fp_fast_d_div(a, b, rm, flags);
    default:
        return fp_fast_d_sqrt(a, rm, flags);
    }
}

static void special_operands_give_the_manuals_results(void **state)
{
    static const struct {
        enum operation operation;
        uint64_t a, b, result;
        uint8_t flags;
    } rows[] = {
        {ADD, D_INF, D_NEG | D_INF, D_NAN, FP_NV},
        {SUB, D_INF, D_INF, D_NAN, FP_NV},
        {ADD, D_INF, D_ONE, D_INF, 0},
        {ADD, D_QNAN, D_ONE, D_NAN, 0},
        {ADD, D_ONE, D_SNAN, D_NAN, FP_NV},
        {MUL, 0, D_INF, D_NAN, FP_NV},
        {MUL, D_NEG | D_ONE, 0, D_NEG, 0},
        {DIV, 0, D_NEG, D_NAN, FP_NV},
        {DIV, D_INF, D_INF, D_NAN, FP_NV},
        {DIV, D_ONE, D_NEG, D_NEG | D_INF, FP_DZ},
        {DIV, D_INF, 0, D_INF, 0}, /* exact: no DZ */
        {DIV, D_ONE, D_INF, 0, 0},
        {SQRT, D_NEG | D_ONE, 0, D_NAN, FP_NV},
        {SQRT, D_NEG, 0, D_NEG, 0},
        {SQRT, D_INF, 0, D_INF, 0},
        {SQRT, D_SNAN, 0, D_NAN, FP_NV},
        {SQRT, UINT64_C(0x4010000000000000), 0, D_TWO, 0},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (uint32_t k = 0; k < 10; k++) {
            uint8_t before = k < 5 ? 0 : FP_NX, flags = before;

            expect("special", i, compute(rows[i].operation, rows[i].a, rows[i].b, k % 5, &flags),
                   rows[i].result);
            expect_flags("special", i, flags, before | rows[i].flags);
        }
}

/* By mode: RNE, RTZ, RDN, RUP, RMM (I 21.2). UF: tiny after rounding (I 21.4, IEEE 754 7.5). */
static const struct {
    enum operation operation;
    uint64_t a, b, by_mode[5];
    uint8_t flags;
} rounded[] = {
    /* 1 + 2^-53, half a step; and with the step's own last bit set */
    {ADD, D_ONE, UINT64_C(0x3ca0000000000000), {D_ONE, D_ONE, D_ONE, D_ONE + 1, D_ONE + 1}, FP_NX},
    {ADD,
     D_ONE + 1,
     UINT64_C(0x3ca0000000000000),
     {D_ONE + 2, D_ONE + 1, D_ONE + 1, D_ONE + 2, D_ONE + 2},
     FP_NX},
    {SUB,
     D_NEG | D_ONE,
     UINT64_C(0x3ca0000000000000),
     {D_NEG | D_ONE, D_NEG | D_ONE, D_NEG | (D_ONE + 1), D_NEG | D_ONE, D_NEG | (D_ONE + 1)},
     FP_NX},
    /* x - x is -0 only downwards */
    {SUB, D_ONE, D_ONE, {0, 0, D_NEG, 0, 0}, 0},
    {MUL, D_MAX, D_TWO, {D_INF, D_MAX, D_MAX, D_INF, D_INF}, FP_OF | FP_NX},
    {MUL,
     D_NEG | D_MAX,
     D_TWO,
     {D_NEG | D_INF, D_NEG | D_MAX, D_NEG | D_INF, D_NEG | D_MAX, D_NEG | D_INF},
     FP_OF | FP_NX},
    {MUL, 1, 1, {0, 0, 0, 1, 0}, FP_UF | FP_NX},
    {DIV, 1, D_TWO, {0, 0, 0, 1, 1}, FP_UF | FP_NX},
    {DIV, D_MIN, D_TWO, {D_MIN / 2, D_MIN / 2, D_MIN / 2, D_MIN / 2, D_MIN / 2}, 0},
    /* 2^-1022 (1 - 2^-53) has 53 bits: tiny in every mode, though it may become normal */
    {MUL,
     D_MIN,
     UINT64_C(0x3fefffffffffffff),
     {D_MIN, D_MIN - 1, D_MIN - 1, D_MIN, D_MIN},
     FP_UF | FP_NX},
    {DIV,
     D_ONE,
     UINT64_C(0x4008000000000000), /* 1/3 */
     {UINT64_C(0x3fd5555555555555), UINT64_C(0x3fd5555555555555), UINT64_C(0x3fd5555555555555),
      UINT64_C(0x3fd5555555555556), UINT64_C(0x3fd5555555555555)},
     FP_NX},
    {SQRT,
     D_TWO,
     0,
     {UINT64_C(0x3ff6a09e667f3bcd), UINT64_C(0x3ff6a09e667f3bcc), UINT64_C(0x3ff6a09e667f3bcc),
      UINT64_C(0x3ff6a09e667f3bcd), UINT64_C(0x3ff6a09e667f3bcd)},
     FP_NX},
};

static void results_round_in_five_modes(void **state)
{
    uint8_t flags = 0;

    (void)state;
    for (size_t i = 0; i < COUNT(rounded); i++)
        for (uint32_t k = 0; k < 10; k++) {
            uint8_t before = k < 5 ? 0 : FP_NX;

            flags = before;
            expect("rounded", i,
                   compute(rounded[i].operation, rounded[i].a, rounded[i].b, k % 5, &flags),
                   rounded[i].by_mode[k % 5]);
            expect_flags("rounded", i, flags, before | rounded[i].flags);
        }
    /* (1 + 2^-52)(1 - 2^-52) 2^-1022 rounds to 2^-1022 in 53 bits: not tiny after rounding */
    flags = 0;
    assert_int_equal(fp_d_mul(D_MIN + 1, UINT64_C(0x3feffffffffffffe), FP_RNE, &flags), D_MIN);
    assert_int_equal(flags, FP_NX);
}

/* I 21.6: fused, one rounding; 0 * inf is invalid even when the addend is a quiet NaN. */
static void multiply_add_rounds_once(void **state)
{
    const uint64_t up = D_ONE + 1, down = UINT64_C(0x3feffffffffffffe);
    uint8_t flags = 0;

    (void)state;
    /* (1 + 2^-52)(1 - 2^-52) - 1 = -2^-104, exactly */
    assert_int_equal(fp_d_fma(up, down, D_NEG | D_ONE, FP_RNE, &flags),
                     UINT64_C(0xb970000000000000));
    assert_int_equal(flags, 0);
    assert_int_equal(fp_d_fma(0, D_INF, D_QNAN, FP_RNE, &flags), D_NAN);
    assert_int_equal(fp_s_fma(S_INF, 0, S_QNAN, FP_RNE, &flags), S_NAN);
    assert_int_equal(flags, FP_NV);
    flags = FP_NX;
    assert_int_equal(fp_fast_d_fma(0, D_INF, D_QNAN, FP_RNE, &flags), D_NAN);
    assert_int_equal(flags, FP_NX | FP_NV);
    flags = 0;
    assert_int_equal(fp_d_fma(D_ONE, D_QNAN, D_ONE, FP_RNE, &flags), D_NAN);
    assert_int_equal(fp_d_fma(D_INF, D_ONE, D_INF, FP_RNE, &flags), D_INF);
    assert_int_equal(flags, 0);
    assert_int_equal(fp_d_fma(D_INF, D_ONE, D_NEG | D_INF, FP_RNE, &flags), D_NAN);
    assert_int_equal(flags, FP_NV);
}

/* I 22.4: narrowing rounds, widening is exact; NaNs lose sign and payload. */
static void conversions_between_formats(void **state)
{
    uint8_t flags = 0;

    (void)state;
    assert_int_equal(fp_s_from_d(D_QNAN, FP_RNE, &flags), S_NAN);
    assert_int_equal(fp_d_from_s(S_QNAN, FP_RNE, &flags), D_NAN);
    assert_int_equal(fp_d_from_s(1, FP_RNE, &flags), UINT64_C(0x36a0000000000000));
    assert_int_equal(fp_s_from_d(UINT64_C(0x36a0000000000000), FP_RNE, &flags), 1);
    assert_int_equal(flags, 0);
    assert_int_equal(fp_fast_d_from_s(S_SNAN, FP_RNE, &flags), D_NAN);
    assert_int_equal(flags, FP_NV);
    flags = 0;
    assert_int_equal(fp_s_from_d(D_SNAN, FP_RNE, &flags), S_NAN);
    assert_int_equal(flags, FP_NV);
    flags = 0;
    assert_int_equal(fp_s_from_d(D_MAX, FP_RNE, &flags), S_INF);
    assert_int_equal(fp_s_from_d(D_MAX, FP_RTZ, &flags), 0x7f7fffff);
    assert_int_equal(flags, FP_OF | FP_NX);
    flags = 0;
    assert_int_equal(fp_s_from_d(UINT64_C(0x3ff0000010000000), FP_RNE, &flags), S_ONE); /* a tie */
    assert_int_equal(fp_s_from_d(UINT64_C(0x3ff0000010000000), FP_RMM, &flags), S_ONE + 1);
    assert_int_equal(flags, FP_NX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_badly_boxed_single_is_the_canonical_nan),
        cmocka_unit_test(classes_are_the_manuals),
        cmocka_unit_test(min_and_max_are_ieee_2019s),
        cmocka_unit_test(comparisons_with_nans_are_false),
        cmocka_unit_test(zeros_are_equal),
        cmocka_unit_test(conversions_to_integers_saturate),
        cmocka_unit_test(conversions_round_in_five_modes),
        cmocka_unit_test(integers_become_numbers),
        cmocka_unit_test(special_operands_give_the_manuals_results),
        cmocka_unit_test(results_round_in_five_modes),
        cmocka_unit_test(multiply_add_rounds_once),
        cmocka_unit_test(conversions_between_formats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
