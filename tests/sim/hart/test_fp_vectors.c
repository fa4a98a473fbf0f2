/* Every instruction of F and D that computes, executed by a hart and compared with Berkeley
 * SoftFloat: boundary exponents with boundary significands, both signs, alone, in pairs and in
 * triples, and random operands; in the five rounding modes, static and dynamic; with fflags clear
 * and with NX set, which is when the host's FPU may be used (sim/hart/fp_fast.h). */
#include "sim/hart/fp.h"
#include "tests/sim/hart/fp_batch.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define RANDOM      8000 /* cases an instruction and mode */

static const uint16_t d_exponents[] = {0,    1,    2,    54,   970,  1021, 1022, 1023, 1024,
                                       1054, 1055, 1075, 1076, 1086, 1087, 2045, 2046, 2047};
static const uint8_t s_exponents[] = {0,   1,   2,   25,  103, 125, 126, 127, 128,
                                      150, 151, 158, 190, 191, 253, 254, 255};
static const uint64_t d_fractions[] = {0,
                                       1,
                                       UINT64_C(0x0008000000000000),
                                       UINT64_C(0x0008000000000001),
                                       UINT64_C(0x000ffffffffffffe),
                                       UINT64_C(0x000fffffffffffff)};
static const uint32_t s_fractions[] = {0, 1, 0x400000, 0x400001, 0x7ffffe, 0x7fffff};
/* Shifts, and what to add to 2^shift: where an integer's conversion begins to round. */
static const uint8_t x_shifts[] = {0, 8, 23, 24, 25, 30, 31, 32, 52, 53, 54, 55, 62, 63};
static const int8_t x_offsets[] = {-3, -2, -1, 0, 1, 2, 3};

/* How many boundary operands there are of a kind, and each. */
static size_t operand_count(char kind)
{
    switch (kind) {
    case 'd':
        return 2 * COUNT(d_exponents) * COUNT(d_fractions);
    case 's':
        return 2 * COUNT(s_exponents) * COUNT(s_fractions);
    default:
        return 2 * COUNT(x_shifts) * COUNT(x_offsets);
    }
}

static uint64_t operand(char kind, uint64_t index)
{
    uint64_t sign = index & 1;

    index /= 2;
    if (kind == 'd')
        return sign << 63 | (uint64_t)d_exponents[index / COUNT(d_fractions)] << 52 |
               d_fractions[index % COUNT(d_fractions)];
    if (kind == 's')
        return FP_BOX((uint32_t)sign << 31 |
                      (uint32_t)s_exponents[index / COUNT(s_fractions)] << 23 |
                      s_fractions[index % COUNT(s_fractions)]);
    index = (UINT64_C(1) << x_shifts[index / COUNT(x_offsets)]) +
            (uint64_t)x_offsets[index % COUNT(x_offsets)];
    return sign ? 0 - index : index;
}

/* A random register: as it comes, or with the exponent of a boundary; a single is badly boxed now
 * and then. */
static uint64_t random_operand(char kind, uint64_t *seed)
{
    uint64_t bits = rig_random(seed), pick = rig_random(seed);
    uint64_t boundary = operand(kind, pick / 16 % operand_count(kind));

    if (kind == 'x')
        return (uint64_t)((int64_t)bits >> (pick & 63));
    if (kind == 'd')
        return pick % 2 != 0 ? bits : (bits >> 12) | (boundary & UINT64_C(0xfff0000000000000));
    if (pick % 2 != 0)
        return pick % 16 == 1 ? bits : FP_BOX((uint32_t)bits);
    return (bits & 0x7fffff) | (boundary & UINT64_C(0xffffffffff800000));
}

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

static void add_twice(const uint64_t operands[3])
{
    fp_batch_add(&batch, operands, 0);
    fp_batch_add(&batch, operands, FP_NX);
}

/* All boundary operands, alone or in pairs; in triples every fifth one, which still brings all
 * exponents and all fractions. */
static void add_boundaries(const struct fp_instruction *instruction)
{
    const char *kinds = instruction->kinds;
    size_t arity = strlen(kinds), step = arity == 3 ? 5 : 1;
    size_t a_count = operand_count(kinds[0]);
    size_t b_count = arity >= 2 ? operand_count(kinds[1]) : 1;
    size_t c_count = arity == 3 ? operand_count(kinds[2]) : 1;

    for (size_t i = 0; i < a_count; i += step)
        for (size_t k = 0; k < b_count; k += step)
            for (size_t m = 0; m < c_count; m += step) {
                uint64_t operands[3] = {operand(kinds[0], i), operand(kinds[0], k),
                                        operand(kinds[0], m)};

                add_twice(operands);
            }
}

static void add_random(const struct fp_instruction *instruction, uint64_t *seed)
{
    for (size_t i = 0; i < RANDOM; i++) {
        uint64_t operands[3];

        for (size_t k = 0; k < 3; k++)
            operands[k] = random_operand(instruction->kinds[0], seed);
        add_twice(operands);
    }
}

static void try_all(bool boundaries)
{
    uint64_t seed = 1;

    for (size_t i = 0; i < FP_INSTRUCTION_COUNT; i++)
        for (uint32_t rm = 0; rm < (fp_instructions[i].rounds ? 5 : 1); rm++) {
            /* boundaries have the mode in the word, random operands have it in frm */
            fp_batch_begin(&batch, &fp_instructions[i], rm, !boundaries);
            if (boundaries)
                add_boundaries(&fp_instructions[i]);
            else
                add_random(&fp_instructions[i], &seed);
            fp_batch_run(&batch);
        }
}

static void boundary_operands_give_softfloats_results(void **state)
{
    (void)state;
    try_all(true);
}

static void random_operands_give_softfloats_results(void **state)
{
    (void)state;
    try_all(false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_batch, close_batch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(boundary_operands_give_softfloats_results),
        TEST(random_operands_give_softfloats_results),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
