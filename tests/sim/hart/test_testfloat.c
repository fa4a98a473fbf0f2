/* Every instruction of F and D that computes, executed by a hart on the operands of Berkeley
 * TestFloat's level 1, in every rounding mode; what they must give is fp_batch.h's business. Each
 * of TestFloat's twelve million triples goes to one multiply-add in one mode, drawn by a seed; with
 * THAW_TEST_ALL=1 to all of them in all modes. */
#include "tests/sim/hart/fp_batch.h"

#include <genCases.h>

#define COMBINATIONS 20 /* of the multiply-adds of a format with the rounding modes */

static struct fp_batch batch, triple_batches[COMBINATIONS];
static uint64_t cases;
static bool all; /* THAW_TEST_ALL=1 */

static int open_batch(void **state)
{
    const char *asked = getenv("THAW_TEST_ALL");

    (void)state;
    all = asked != NULL && strcmp(asked, "1") == 0;
    fp_batch_open(&batch);
    for (size_t i = 0; i < COMBINATIONS; i++)
        fp_batch_open(&triple_batches[i]);
    genCases_setLevel(1);
    return 0;
}

static int close_batch(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMBINATIONS; i++)
        fp_batch_close(&triple_batches[i]);
    fp_batch_close(&batch);
    return 0;
}

/* NX set before every other case: the host's FPU may compute those. */
static void add(uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t operands[3] = {a, b, c};

    fp_batch_add(&batch, operands, cases++ % 2 != 0 ? FP_NX : 0);
}

static void add_d(size_t arity)
{
    if (arity == 1)
        genCases_f64_a_init();
    else
        genCases_f64_ab_init();
    while (!genCases_done)
        if (arity == 1) {
            genCases_f64_a_next();
            add(genCases_f64_a.v, 0, 0);
        } else {
            genCases_f64_ab_next();
            add(genCases_f64_a.v, genCases_f64_b.v, 0);
        }
}

static void add_s(size_t arity)
{
    if (arity == 1)
        genCases_f32_a_init();
    else
        genCases_f32_ab_init();
    while (!genCases_done)
        if (arity == 1) {
            genCases_f32_a_next();
            add(FP_BOX(genCases_f32_a.v), 0, 0);
        } else {
            genCases_f32_ab_next();
            add(FP_BOX(genCases_f32_a.v), FP_BOX(genCases_f32_b.v), 0);
        }
}

/* Integers of both widths: what stands above the low word is nothing to fcvt.d.w. */
static void add_x(void)
{
    for (genCases_ui64_a_init(); !genCases_done;) {
        genCases_ui64_a_next();
        add(genCases_ui64_a, 0, 0);
    }
    for (genCases_i64_a_init(); !genCases_done;) {
        genCases_i64_a_next();
        add((uint64_t)genCases_i64_a, 0, 0);
    }
    for (genCases_ui32_a_init(); !genCases_done;) {
        genCases_ui32_a_next();
        add(UINT64_C(0x5a5a5a5a00000000) | genCases_ui32_a, 0, 0);
    }
    for (genCases_i32_a_init(); !genCases_done;) {
        genCases_i32_a_next();
        add((uint64_t)(int64_t)genCases_i32_a, 0, 0);
    }
}

static void every_instruction_of_one_or_two_operands(void **state)
{
    (void)state;
    for (size_t i = 0; i < FP_INSTRUCTION_COUNT; i++) {
        const struct fp_instruction *row = &fp_instructions[i];
        size_t arity = strlen(row->kinds);

        for (uint32_t rm = 0; arity < 3 && rm < (row->rounds ? 5 : 1); rm++) {
            fp_batch_begin(&batch, row, rm, i % 2 != 0);
            cases = 0;
            if (row->kinds[0] == 'd')
                add_d(arity);
            else if (row->kinds[0] == 's')
                add_s(arity);
            else
                add_x();
            fp_batch_run(&batch);
            assert_true(cases > 100);
        }
    }
}

static void begin_triples(char kind)
{
    size_t count = 0;

    for (size_t i = 0; i < FP_INSTRUCTION_COUNT; i++) {
        const struct fp_instruction *row = &fp_instructions[i];

        if (strlen(row->kinds) != 3 || row->kinds[0] != kind)
            continue;
        for (uint32_t rm = 0; rm < 5; rm++)
            fp_batch_begin(&triple_batches[count++], row, rm, rm % 2 != 0);
    }
    assert_int_equal(count, COMBINATIONS);
}

static void add_triple(const uint64_t operands[3], uint64_t *seed)
{
    uint64_t random = rig_random(seed);

    if (!all) {
        fp_batch_add(&triple_batches[(random >> 32) % COMBINATIONS], operands, random & FP_NX);
        return;
    }
    for (size_t i = 0; i < COMBINATIONS; i++)
        fp_batch_add(&triple_batches[i], operands, random & FP_NX);
}

static void add_triples(char kind)
{
    uint64_t seed = 1;

    begin_triples(kind);
    if (kind == 'd')
        genCases_f64_abc_init();
    else
        genCases_f32_abc_init();
    while (!genCases_done) {
        if (kind == 'd') {
            genCases_f64_abc_next();
            add_triple((uint64_t[]){genCases_f64_a.v, genCases_f64_b.v, genCases_f64_c.v}, &seed);
        } else {
            genCases_f32_abc_next();
            add_triple((uint64_t[]){FP_BOX(genCases_f32_a.v), FP_BOX(genCases_f32_b.v),
                                    FP_BOX(genCases_f32_c.v)},
                       &seed);
        }
        cases++;
    }
    for (size_t i = 0; i < COMBINATIONS; i++)
        fp_batch_run(&triple_batches[i]);
}

static void every_multiply_add(void **state)
{
    (void)state;
    cases = 0;
    add_triples('d');
    add_triples('s');
    assert_true(cases > 10000000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_batch, close_batch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_instruction_of_one_or_two_operands),
        TEST(every_multiply_add),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
