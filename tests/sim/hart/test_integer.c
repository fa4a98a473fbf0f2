/* Every instruction of I, M, Zba, Zbb, Zbs and Zicond that computes, executed by a hart on boundary
 * and random operands, against the manual's words said another way: bit by bit where that is how it
 * explains them (volume I: 4, 13, 30, Zicond). The loop that executes them is fp_batch.h's. */
#include "tests/sim/hart/fp_batch.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define RANDOM      5000 /* cases an instruction */

static uint64_t word(uint64_t value)
{
    uint64_t low = value & UINT32_MAX;

    return (low & UINT32_C(0x80000000)) != 0 ? low | UINT64_C(0xffffffff00000000) : low;
}

/* Signed order: the order of the values with the sign bit turned. */
static bool less(uint64_t a, uint64_t b)
{
    return (a ^ UINT64_C(1) << 63) < (b ^ UINT64_C(1) << 63);
}

static uint64_t shift_right(uint64_t a, uint64_t count, bool sign)
{
    for (uint64_t i = 0; i < count; i++)
        a = a >> 1 | (sign ? a & UINT64_C(1) << 63 : 0);
    return a;
}

static uint64_t rotate_right(uint64_t a, uint64_t count, uint32_t width)
{
    for (uint64_t i = 0; i < count % width; i++)
        a = a >> 1 | (a & 1) << (width - 1);
    return a;
}

/* The upper half of the product: an addition for each bit, as by hand. */
static uint64_t upper(uint64_t a, uint64_t b)
{
    uint64_t high = 0, low = 0;

    for (uint32_t i = 64; i-- > 0;) {
        high = high << 1 | low >> 63;
        low <<= 1;
        if ((b >> i & 1) == 0)
            continue;
        low += a;
        high += low < a;
    }
    return high;
}

static uint64_t upper_signed(uint64_t a, uint64_t b, bool b_signed)
{
    bool negative = (a >> 63) != (b_signed ? b >> 63 : 0);
    uint64_t size_a = a >> 63 ? 0 - a : a, size_b = b_signed && b >> 63 ? 0 - b : b;
    uint64_t high = upper(size_a, size_b), low = size_a * size_b;

    return negative ? ~high + (low == 0) : high;
}

/* I 13.2, table of division by zero and overflow; long division, signs apart. */
static uint64_t divide(uint64_t a, uint64_t b, bool is_signed, bool remainder)
{
    bool minus_a = is_signed && a >> 63, minus_b = is_signed && b >> 63;
    uint64_t size_a = minus_a ? 0 - a : a, size_b = minus_b ? 0 - b : b;
    uint64_t quotient = 0, rest = 0;

    if (b == 0)
        return remainder ? a : UINT64_MAX;
    for (uint32_t i = 64; i-- > 0;) {
        bool out = rest >> 63 != 0;

        rest = rest << 1 | (size_a >> i & 1);
        if (!out && rest < size_b)
            continue;
        rest -= size_b;
        quotient |= UINT64_C(1) << i;
    }
    if (remainder)
        return minus_a ? 0 - rest : rest;
    return minus_a != minus_b ? 0 - quotient : quotient;
}

static uint64_t count_bits(uint64_t a, uint32_t width)
{
    uint64_t count = 0;

    for (uint32_t i = 0; i < width; i++)
        count += a >> i & 1;
    return count;
}

static uint64_t leading_zeros(uint64_t a, uint32_t width)
{
    uint64_t count = 0;

    while (count < width && (a >> (width - 1 - count) & 1) == 0)
        count++;
    return count;
}

static uint64_t trailing_zeros(uint64_t a, uint32_t width)
{
    uint64_t count = 0;

    while (count < width && (a >> count & 1) == 0)
        count++;
    return count;
}

static uint64_t bytes_of(uint64_t a, bool reverse)
{
    uint64_t result = 0;

    for (uint32_t i = 0; i < 64; i += 8) {
        uint64_t byte = a >> i & 255;

        result |= reverse ? byte << (56 - i) : (byte != 0 ? UINT64_C(255) << i : 0);
    }
    return result;
}

#define LOW(a) ((a)&UINT32_MAX)
#define BIT(b) (UINT64_C(1) << ((b)&63))

/* clang-format off */
#define OP(major, f7, f3) ((uint32_t)(f7) << 25 | 2 << 20 | 1 << 15 | (f3) << 12 | 7 << 7 | (major))
#define REGISTERS(X) \
    X(add, OP(0x33, 0, 0), a + b) \
    X(sub, OP(0x33, 0x20, 0), a + ~b + 1) \
    X(sll, OP(0x33, 0, 1), a * BIT(b)) \
    X(slt, OP(0x33, 0, 2), less(a, b)) \
    X(sltu, OP(0x33, 0, 3), a < b) \
    X(xor, OP(0x33, 0, 4), (a | b) - (a & b)) \
    X(or, OP(0x33, 0, 6), ~(~a & ~b)) \
    X(and, OP(0x33, 0, 7), ~(~a | ~b)) \
    X(srl, OP(0x33, 0, 5), shift_right(a, b & 63, false)) \
    X(sra, OP(0x33, 0x20, 5), shift_right(a, b & 63, true)) \
    X(addw, OP(0x3b, 0, 0), word(a + b)) \
    X(subw, OP(0x3b, 0x20, 0), word(a - b)) \
    X(sllw, OP(0x3b, 0, 1), word(a << (b & 31))) \
    X(srlw, OP(0x3b, 0, 5), word(shift_right(LOW(a), b & 31, false))) \
    X(sraw, OP(0x3b, 0x20, 5), shift_right(word(a), b & 31, true)) \
    X(mul, OP(0x33, 1, 0), a * b) \
    X(mulh, OP(0x33, 1, 1), upper_signed(a, b, true)) \
    X(mulhsu, OP(0x33, 1, 2), upper_signed(a, b, false)) \
    X(mulhu, OP(0x33, 1, 3), upper(a, b)) \
    X(div, OP(0x33, 1, 4), divide(a, b, true, false)) \
    X(divu, OP(0x33, 1, 5), divide(a, b, false, false)) \
    X(rem, OP(0x33, 1, 6), divide(a, b, true, true)) \
    X(remu, OP(0x33, 1, 7), divide(a, b, false, true)) \
    X(mulw, OP(0x3b, 1, 0), word(LOW(a) * LOW(b))) \
    X(divw, OP(0x3b, 1, 4), word(divide(word(a), word(b), true, false))) \
    X(divuw, OP(0x3b, 1, 5), word(divide(LOW(a), LOW(b), false, false))) \
    X(remw, OP(0x3b, 1, 6), word(divide(word(a), word(b), true, true))) \
    X(remuw, OP(0x3b, 1, 7), word(divide(LOW(a), LOW(b), false, true))) \
    X(add_uw, OP(0x3b, 4, 0), LOW(a) + b) \
    X(sh1add, OP(0x33, 0x10, 2), a * 2 + b) \
    X(sh2add, OP(0x33, 0x10, 4), a * 4 + b) \
    X(sh3add, OP(0x33, 0x10, 6), a * 8 + b) \
    X(sh1add_uw, OP(0x3b, 0x10, 2), LOW(a) * 2 + b) \
    X(sh2add_uw, OP(0x3b, 0x10, 4), LOW(a) * 4 + b) \
    X(sh3add_uw, OP(0x3b, 0x10, 6), LOW(a) * 8 + b) \
    X(andn, OP(0x33, 0x20, 7), a - (a & b)) \
    X(orn, OP(0x33, 0x20, 6), ~(~a & b)) \
    X(xnor, OP(0x33, 0x20, 4), (a & b) | ~(a | b)) \
    X(min, OP(0x33, 5, 4), less(b, a) ? b : a) \
    X(minu, OP(0x33, 5, 5), b < a ? b : a) \
    X(max, OP(0x33, 5, 6), less(a, b) ? b : a) \
    X(maxu, OP(0x33, 5, 7), a < b ? b : a) \
    X(rol, OP(0x33, 0x30, 1), rotate_right(a, 64 - (b & 63), 64)) \
    X(ror, OP(0x33, 0x30, 5), rotate_right(a, b & 63, 64)) \
    X(rolw, OP(0x3b, 0x30, 1), word(rotate_right(LOW(a), 32 - (b & 31), 32))) \
    X(rorw, OP(0x3b, 0x30, 5), word(rotate_right(LOW(a), b & 31, 32))) \
    X(bclr, OP(0x33, 0x24, 1), a & ~BIT(b)) \
    X(bext, OP(0x33, 0x24, 5), (a & BIT(b)) != 0) \
    X(binv, OP(0x33, 0x34, 1), a ^ BIT(b)) \
    X(bset, OP(0x33, 0x14, 1), a | BIT(b)) \
    X(czero_eqz, OP(0x33, 7, 5), b != 0 ? a : 0) \
    X(czero_nez, OP(0x33, 7, 7), b == 0 ? a : 0)
/* One operand: rs2's place belongs to the instruction. */
#define ONE(major, f12, f3) ((uint32_t)(f12) << 20 | 1 << 15 | (f3) << 12 | 7 << 7 | (major))
#define UNARY(X) \
    X(clz, ONE(0x13, 0x600, 1), leading_zeros(a, 64)) \
    X(ctz, ONE(0x13, 0x601, 1), trailing_zeros(a, 64)) \
    X(cpop, ONE(0x13, 0x602, 1), count_bits(a, 64)) \
    X(clzw, ONE(0x1b, 0x600, 1), leading_zeros(a, 32)) \
    X(ctzw, ONE(0x1b, 0x601, 1), trailing_zeros(a, 32)) \
    X(cpopw, ONE(0x1b, 0x602, 1), count_bits(a, 32)) \
    X(sext_b, ONE(0x13, 0x604, 1), (a & 255) - (a & 128) * 2) \
    X(sext_h, ONE(0x13, 0x605, 1), (a & 65535) - (a & 32768) * 2) \
    X(zext_h, ONE(0x3b, 0x080, 4), a & 65535) \
    X(orc_b, ONE(0x13, 0x287, 5), bytes_of(a, false)) \
    X(rev8, ONE(0x13, 0x6b8, 5), bytes_of(a, true))
/* Shifts by a constant: b's low six bits, or five; f12 is what stands above them. */
#define SHIFTS_6(X) \
    X(slli, ONE(0x13, 0, 1), a * BIT(b)) \
    X(srli, ONE(0x13, 0, 5), shift_right(a, b, false)) \
    X(srai, ONE(0x13, 0x400, 5), shift_right(a, b, true)) \
    X(slli_uw, ONE(0x1b, 0x080, 1), LOW(a) * BIT(b)) \
    X(rori, ONE(0x13, 0x600, 5), rotate_right(a, b, 64)) \
    X(bclri, ONE(0x13, 0x480, 1), a & ~BIT(b)) \
    X(bexti, ONE(0x13, 0x480, 5), (a & BIT(b)) != 0) \
    X(binvi, ONE(0x13, 0x680, 1), a ^ BIT(b)) \
    X(bseti, ONE(0x13, 0x280, 1), a | BIT(b))
#define SHIFTS_5(X) \
    X(slliw, ONE(0x1b, 0, 1), word(a << b)) \
    X(srliw, ONE(0x1b, 0, 5), word(shift_right(LOW(a), b, false))) \
    X(sraiw, ONE(0x1b, 0x400, 5), shift_right(word(a), b, true)) \
    X(roriw, ONE(0x1b, 0x600, 5), word(rotate_right(LOW(a), b, 32)))
/* Twelve bits, sign-extended, in b. */
#define IMMEDIATES(X) \
    X(addi, ONE(0x13, 0, 0), a + b) \
    X(slti, ONE(0x13, 0, 2), less(a, b)) \
    X(sltiu, ONE(0x13, 0, 3), a < b) \
    X(xori, ONE(0x13, 0, 4), (a | b) - (a & b)) \
    X(ori, ONE(0x13, 0, 6), ~(~a & ~b)) \
    X(andi, ONE(0x13, 0, 7), ~(~a | ~b)) \
    X(addiw, ONE(0x1b, 0, 0), word(a + b))

#define REFERENCE(name, word_, expression) \
    static uint64_t reference_##name(uint64_t a, uint64_t b, uint64_t c, uint8_t rm) \
    { \
        (void)a, (void)b, (void)c, (void)rm; \
        return expression; \
    }
#define ROW(name, word_, expression) {#name, word_, false, "xx", 'x', reference_##name},
#define TABLE(name, list) list(REFERENCE) static const struct fp_instruction name[] = {list(ROW)};
TABLE(registers, REGISTERS)
TABLE(unary, UNARY)
TABLE(shifts_6, SHIFTS_6)
TABLE(shifts_5, SHIFTS_5)
TABLE(immediates, IMMEDIATES)
/* clang-format on */

static const uint64_t operands[] = {0,
                                    1,
                                    2,
                                    3,
                                    31,
                                    32,
                                    33,
                                    63,
                                    64,
                                    127,
                                    128,
                                    0x7fff,
                                    0x8000,
                                    0x7fffffff,
                                    0x80000000,
                                    0xffffffff,
                                    UINT64_C(0x100000000),
                                    UINT64_C(0x123456787fffffff),
                                    UINT64_C(0x1234567880000000),
                                    UINT64_C(0x00ff00ff00010080),
                                    UINT64_C(0x7fffffffffffffff),
                                    UINT64_C(0x8000000000000000),
                                    UINT64_C(0x8000000000000001),
                                    UINT64_C(0xffffffff00000000),
                                    UINT64_C(0xffffffff7fffffff),
                                    UINT64_C(0xffffffff80000000),
                                    UINT64_C(0xfffffffffffffffe),
                                    UINT64_MAX};

static struct fp_batch batch;

static int open_batch(void **state)
{
    (void)state;
    fp_batch_open(&batch);
    return 0;
}

static int close_batch(void **state)
{
    (void)state;
    fp_batch_close(&batch);
    return 0;
}

static void add(uint64_t a, uint64_t b)
{
    const uint64_t both[3] = {a, b, 0};

    fp_batch_add(&batch, both, 0);
}

/* All pairs, with random ones behind them; `b` may be fixed, by the instruction's immediate. */
static void add_all(const uint64_t *b, uint64_t *seed)
{
    for (size_t i = 0; i < COUNT(operands); i++)
        for (size_t k = 0; k < (b != NULL ? 1 : COUNT(operands)); k++)
            add(operands[i], b != NULL ? *b : operands[k]);
    for (size_t i = 0; i < (b != NULL ? RANDOM / 10 : RANDOM); i++) {
        uint64_t first = rig_random(seed) >> (rig_random(seed) & 63), second = rig_random(seed);

        add(i % 2 != 0 ? 0 - first : first, b != NULL ? *b : second >> (rig_random(seed) & 63));
    }
}

static void two_registers(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < COUNT(registers); i++) {
        fp_batch_begin(&batch, &registers[i], 0, false);
        add_all(NULL, &seed);
        fp_batch_run(&batch);
    }
}

static void one_register(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (size_t i = 0; i < COUNT(unary); i++) {
        fp_batch_begin(&batch, &unary[i], 0, false);
        add_all(NULL, &seed);
        fp_batch_run(&batch);
    }
}

static void with_immediate(const struct fp_instruction *row, uint64_t immediate)
{
    struct fp_instruction instruction = *row;
    uint64_t seed = immediate;

    instruction.word |= (uint32_t)immediate << 20;
    fp_batch_begin(&batch, &instruction, 0, false);
    add_all(&immediate, &seed);
    fp_batch_run(&batch);
}

static void every_constant_shift(void **state)
{
    (void)state;
    for (uint64_t count = 0; count < 64; count++) {
        for (size_t i = 0; i < COUNT(shifts_6); i++)
            with_immediate(&shifts_6[i], count);
        for (size_t i = 0; i < COUNT(shifts_5) && count < 32; i++)
            with_immediate(&shifts_5[i], count);
    }
}

static void immediates_are_sign_extended(void **state)
{
    static const int16_t values[] = {0,  1,    2,     7,     8,     255,  256, 1023,
                                     -1, 1024, -2047, -1024, -1025, 2047, -2,  -2048};

    (void)state;
    for (size_t i = 0; i < COUNT(immediates); i++)
        for (size_t k = 0; k < COUNT(values); k++)
            with_immediate(&immediates[i], (uint64_t)values[k]);
}

/* LUI and AUIPC: twenty bits above twelve zeros, sign-extended from bit 31 (I 2.4, 4.2). */
static void upper_immediates(void **state)
{
    static const uint32_t values[] = {0, 1, 0x7ffff, 0x80000, 0x80001, 0xfffff, 0x12345};
    struct rig *rig = &batch.rig;

    (void)state;
    for (size_t i = 0; i < COUNT(values); i++) {
        RIG_PUT(rig, RIG_RAM, NOP, LUI(5, values[i]), AUIPC(6, values[i]));
        rig->state->pc = RIG_RAM;
        rig_run(rig, 3);
        assert_int_equal(rig->state->x[5], word((uint64_t)values[i] << 12));
        assert_int_equal(rig->state->x[6], RIG_RAM + 8 + word((uint64_t)values[i] << 12));
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_batch, close_batch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_registers),        TEST(one_register),
        TEST(every_constant_shift), TEST(immediates_are_sign_extended),
        TEST(upper_immediates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
