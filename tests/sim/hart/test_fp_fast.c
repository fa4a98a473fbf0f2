/* The fast way gives SoftFloat's bits and flags, on this host: structured operands and seeded
 * random ones. */
#include "sim/hart/fp_fast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define RANDOM_ROUNDS 1000000

static uint64_t seed = 1;

/* xorshift64* (Vigna 2016). */
static uint64_t next_random(void)
{
    seed ^= seed >> 12;
    seed ^= seed << 25;
    seed ^= seed >> 27;
    return seed * UINT64_C(2685821657736338717);
}

static const uint64_t mantissas[] = {0,
                                     1,
                                     2,
                                     UINT64_C(0x0008000000000000),
                                     UINT64_C(0x0007ffffffffffff),
                                     UINT64_C(0x000fffffffffffff),
                                     UINT64_C(0x000ffffffffffffe),
                                     UINT64_C(0x000aaaaaaaaaaaaa),
                                     UINT64_C(0x0000000020000000),
                                     UINT64_C(0x000000001fffffff)};
static const uint32_t exponents[] = {0,    1,    2,    3,    52,   53,   511,  512,  895,
                                     896,  970,  1022, 1023, 1024, 1075, 1076, 1085, 1086,
                                     1150, 1151, 1535, 2044, 2045, 2046, 2047};
#define MANTISSAS (sizeof mantissas / sizeof mantissas[0])
#define EXPONENTS (sizeof exponents / sizeof exponents[0])
#define OPERANDS  (2 * MANTISSAS * EXPONENTS)

static uint64_t operand_d(size_t index)
{
    uint64_t sign = index & 1, mantissa = mantissas[index / 2 % MANTISSAS];

    return sign << 63 | (uint64_t)exponents[index / 2 / MANTISSAS] << 52 | mantissa;
}

/* The same patterns, folded into 8 bits of exponent and 23 of mantissa. */
static uint32_t operand_s(size_t index)
{
    uint32_t exponent = exponents[index / 2 / MANTISSAS];
    uint32_t folded = exponent >= 2044 ? exponent - 1792 : exponent <= 3 ? exponent : exponent / 8;

    return (uint32_t)(index & 1) << 31 | (folded & 0xff) << 23 |
           ((uint32_t)mantissas[index / 2 % MANTISSAS] & 0x7fffff);
}

static void same(const char *what, uint64_t fast, uint64_t slow, uint8_t fast_flags,
                 uint8_t slow_flags)
{
    if (fast != slow || fast_flags != slow_flags)
        fail_msg("%s: fast %016llx flags %02x, SoftFloat %016llx flags %02x", what,
                 (unsigned long long)fast, fast_flags, (unsigned long long)slow, slow_flags);
}

#define BOTH(name, ...)                                                                            \
    do {                                                                                           \
        uint8_t fast_flags = flags, slow_flags = flags;                                            \
        uint8_t *f = &fast_flags;                                                                  \
        uint64_t fast = fp_fast_##name(__VA_ARGS__);                                               \
        f = &slow_flags;                                                                           \
        uint64_t slow = fp_##name(__VA_ARGS__);                                                    \
        same(#name, fast, slow, fast_flags, slow_flags);                                           \
    } while (0)

static void compare_d(uint64_t a, uint64_t b, uint64_t c, uint32_t rm, uint8_t flags)
{
    BOTH(d_add, a, b, rm, f);
    BOTH(d_sub, a, b, rm, f);
    BOTH(d_mul, a, b, rm, f);
    BOTH(d_div, a, b, rm, f);
    BOTH(d_fma, a, b, c, rm, f);
    BOTH(d_sqrt, a, rm, f);
    BOTH(d_eq, a, b, f);
    BOTH(d_lt, a, b, f);
    BOTH(d_le, a, b, f);
    BOTH(d_from_w, a, rm, f);
    BOTH(d_from_l, a, rm, f);
    BOTH(d_to_w, a, rm, f);
    BOTH(d_to_l, a, rm, f);
    BOTH(s_from_d, a, rm, f);
}

static void compare_s(uint32_t a, uint32_t b, uint32_t c, uint32_t rm, uint8_t flags)
{
    BOTH(s_add, a, b, rm, f);
    BOTH(s_sub, a, b, rm, f);
    BOTH(s_mul, a, b, rm, f);
    BOTH(s_div, a, b, rm, f);
    BOTH(s_fma, a, b, c, rm, f);
    BOTH(s_sqrt, a, rm, f);
    BOTH(s_eq, a, b, f);
    BOTH(s_lt, a, b, f);
    BOTH(s_le, a, b, f);
    BOTH(d_from_s, a, rm, f);
}

static void doubles_at_every_boundary_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPERANDS; i++)
        for (size_t k = 0; k < OPERANDS; k++)
            compare_d(operand_d(i), operand_d(k), operand_d((i * 7 + k) % OPERANDS),
                      (i + k) % 8 == 0 ? FP_RTZ : FP_RNE, FP_NX);
}

static void singles_at_every_boundary_agree(void **state)
{
    (void)state;
    for (size_t i = 0; i < OPERANDS; i++)
        for (size_t k = 0; k < OPERANDS; k++)
            compare_s(operand_s(i), operand_s(k), operand_s((i * 7 + k) % OPERANDS),
                      (i + k) % 8 == 0 ? FP_RTZ : FP_RNE, FP_NX);
}

static void random_operands_agree_in_every_mode(void **state)
{
    (void)state;
    for (size_t i = 0; i < RANDOM_ROUNDS; i++) {
        uint64_t a = next_random(), b = next_random(), c = next_random();
        uint32_t rm = i % 2 == 0 ? FP_RNE : (uint32_t)(c % 5);
        uint8_t flags = i % 4 == 0 ? 0 : FP_NX;
        if (i % 3 == 0) /* near each other, where additions cancel and products fit */
            b = (a & UINT64_C(0xfff0000000000000)) + (b >> 12) + ((uint64_t)(i % 7) << 52);
        compare_d(a, b, c, rm, flags);
        compare_s((uint32_t)a, (uint32_t)(b >> 32), (uint32_t)c, rm, flags);
    }
}

static void the_fast_way_is_taken(void **state)
{
    uint8_t flags = FP_NX;

    (void)state;
    if (!FP_HOST_IS_IEEE)
        skip();
    assert_true(fp_may_round(FP_RNE, &flags));
    assert_true(fp_d_is_plain(fp_double_bits(1.5)));
    assert_false(fp_d_is_plain(fp_double_bits(INFINITY)));
    assert_false(fp_d_is_plain(UINT64_C(0x0010000000000000)));
    flags = 0;
    assert_false(fp_may_round(FP_RNE, &flags));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_at_every_boundary_agree),
        cmocka_unit_test(singles_at_every_boundary_agree),
        cmocka_unit_test(random_operands_agree_in_every_mode),
        cmocka_unit_test(the_fast_way_is_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
