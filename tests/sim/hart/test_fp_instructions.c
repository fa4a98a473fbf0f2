/* What the instructions of F and D (volume I, 21, 22) do besides computing: boxes, rounding modes,
 * fflags, FS. The results themselves are test_fp.c's. */
#include "sim/hart/fp.h"
#include "sim/hart/status.h"
#include "sim/hart/trap.h"
#include "tests/sim/hart/fp_batch.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])
#define D_ONE       UINT64_C(0x3ff0000000000000)

static void expect(const char *what, size_t row, uint64_t result, uint64_t wanted)
{
    if (result != wanted)
        fail_msg("%s, row %zu: %016llx, not %016llx", what, row, (unsigned long long)result,
                 (unsigned long long)wanted);
}

static struct rig rig;
#define F(n)             (rig.state->f[n])
#define OP_FP(f7, f3, a) enc_r(0x53, (f7), (f3), (a))

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, (struct span){0}, 1);
    rig.state->mstatus = UINT64_C(1) << 13; /* FS initial */
    rig.state->mtvec = RIG_RAM + 0x100;
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static void run_one(uint32_t word)
{
    rig.state->pc = RIG_RAM;
    RIG_PUT(&rig, RIG_RAM, word);
    rig_run(&rig, 1);
}

/* I 22.2: f1 holds a badly boxed 1.0, f2 a well boxed one. */
static void instructions_check_and_make_boxes(void **state)
{
    const struct {
        uint32_t word;
        uint64_t f3;
        uint8_t flags;
    } rows[] = {
        {OP_FP(0x00, 0, REGS(3, 2, 2)), UINT64_C(0xffffffff40000000), 0}, /* fadd.s */
        {OP_FP(0x00, 0, REGS(3, 1, 2)), UINT64_C(0xffffffff7fc00000), 0},
        {OP_FP(0x08, 0, REGS(3, 2, 1)), UINT64_C(0xffffffff7fc00000), 0}, /* fmul.s */
        {OP_FP(0x2c, 0, REGS(3, 1, 0)), UINT64_C(0xffffffff7fc00000), 0}, /* fsqrt.s */
        {OP_FP(0x14, 0, REGS(3, 1, 2)), UINT64_C(0xffffffff3f800000), 0}, /* fmin.s: a NaN loses */
        {OP_FP(0x10, 0, REGS(3, 1, 1)), UINT64_C(0xffffffff7fc00000), 0}, /* fmv.s */
        {OP_FP(0x10, 1, REGS(3, 2, 1)), UINT64_C(0xffffffffbf800000), 0}, /* fsgnjn.s */
        {OP_FP(0x10, 2, REGS(3, 2, 1)), UINT64_C(0xffffffff3f800000), 0}, /* fsgnjx.s */
        {OP_FP(0x21, 0, REGS(3, 1, 0)), UINT64_C(0x7ff8000000000000), 0}, /* fcvt.d.s */
        {OP_FP(0x21, 0, REGS(3, 2, 0)), UINT64_C(0x3ff0000000000000), 0},
        {OP_FP(0x20, 0, REGS(3, 4, 1)), UINT64_C(0xffffffff3f800000), 0}, /* fcvt.s.d of 1.0 */
        {OP_FP(0x78, 0, REGS(3, 5, 0)), UINT64_C(0xffffffff89abcdef), 0}, /* fmv.w.x */
        {OP_FP(0x68, 0, REGS(3, 6, 0)), UINT64_C(0xffffffffbf800000), 0}, /* fcvt.s.w of -1 */
        {enc_i(0x07, 2, 3, 7, 0), UINT64_C(0xffffffff01234567), 0},       /* flw */
    };

    (void)state;
    store_le32(rig.ram + 0x200, 0x01234567);
    rig.state->x[5] = UINT64_C(0x0123456789abcdef);
    rig.state->x[6] = UINT64_MAX;
    rig.state->x[7] = RIG_RAM + 0x200;
    F(1) = UINT64_C(0xfffffffe3f800000);
    F(2) = UINT64_C(0xffffffff3f800000);
    F(4) = D_ONE;
    for (size_t i = 0; i < COUNT(rows); i++) {
        F(3) = 0;
        rig.state->fflags = 0;
        run_one(rows[i].word);
        expect("f3", i, F(3), rows[i].f3);
        expect("fflags", i, rig.state->fflags, rows[i].flags);
        assert_int_equal(rig.state->mstatus & STATUS_FS, STATUS_FS);
    }
}

/* I 22.2: moves and stores transfer the low bits, whatever stands above. */
static void results_in_integer_registers(void **state)
{
    const struct {
        uint32_t word;
        uint64_t x9;
        uint8_t flags;
    } rows[] = {
        {OP_FP(0x70, 0, REGS(9, 1, 0)), UINT64_C(0xffffffff80000001), 0}, /* fmv.x.w: sign */
        {OP_FP(0x71, 0, REGS(9, 1, 0)), UINT64_C(0x1234567880000001), 0}, /* fmv.x.d */
        {OP_FP(0x70, 1, REGS(9, 1, 0)), 1 << 9, 0},                       /* fclass.s: quiet NaN */
        {OP_FP(0x70, 1, REGS(9, 2, 0)), 1 << 6, 0},
        {OP_FP(0x50, 2, REGS(9, 1, 1)), 0, 0}, /* feq.s */
        {OP_FP(0x50, 2, REGS(9, 2, 2)), 1, 0},
        {OP_FP(0x50, 1, REGS(9, 1, 2)), 0, FP_NV},                    /* flt.s */
        {OP_FP(0x60, 1, REGS(9, 1, 0)), UINT64_C(0x7fffffff), FP_NV}, /* fcvt.w.s */
        {OP_FP(0x60, 1, REGS(9, 2, 1)), UINT64_MAX, FP_NV},           /* fcvt.wu.s of 2^33 */
        {OP_FP(0x60, 1, REGS(9, 2, 2)), UINT64_C(1) << 33, 0},        /* fcvt.l.s */
    };

    (void)state;
    F(1) = UINT64_C(0x1234567880000001);
    F(2) = UINT64_C(0xffffffff50000000); /* 2^33 */
    for (size_t i = 0; i < COUNT(rows); i++) {
        rig.state->fflags = 0;
        run_one(rows[i].word);
        expect("x9", i, rig.state->x[9], rows[i].x9);
        expect("fflags", i, rig.state->fflags, rows[i].flags);
    }
    rig.state->x[7] = RIG_RAM + 0x200;
    run_one(enc_s(0x27, 2, 7, 1, 0)); /* fsw */
    assert_int_equal(load_le64(rig.ram + 0x200), UINT32_C(0x80000001));
}

/* I 21.2: modes 5 and 6 are reserved, 7 means frm; fflags accrue; 21.1: FS off traps. */
static void the_rounding_mode_is_static_or_frm(void **state)
{
    static const uint64_t by_mode[] = {D_ONE, D_ONE, D_ONE, D_ONE + 1, D_ONE + 1};

    (void)state;
    F(1) = D_ONE;
    F(2) = UINT64_C(0x3ca0000000000000);
    rig.state->fflags = FP_DZ;
    for (uint32_t rm = 0; rm < 8; rm++)
        for (uint32_t frm = 0; frm < 8; frm++) {
            uint32_t mode = rm == FP_DYNAMIC ? frm : rm, word = OP_FP(0x01, rm, REGS(3, 1, 2));

            F(3) = 77;
            rig.state->frm = (uint8_t)frm;
            run_one(word);
            assert_int_equal(F(3), mode < 5 ? by_mode[mode] : 77);
            if (mode >= 5) {
                assert_int_equal(rig.state->mcause, CAUSE_ILLEGAL);
                assert_int_equal(rig.state->mtval, word);
                assert_int_equal(rig.state->pc, RIG_RAM + 0x100);
            }
        }
    assert_int_equal(rig.state->fflags, FP_DZ | FP_NX);
    rig.state->mstatus = 0;
    rig.state->mcause = 0;
    run_one(OP_FP(0x01, 0, REGS(3, 1, 2)));
    assert_int_equal(rig.state->mcause, CAUSE_ILLEGAL);
}

/* Executes `word`, which must trap as illegal and touch no register of either file. */
static void expect_illegal(const char *what, uint32_t word)
{
    F(7) = 77;
    rig.state->x[7] = 78;
    rig.state->fflags = 0;
    rig.state->mcause = 0;
    run_one(word);
    if (rig.state->mcause != CAUSE_ILLEGAL || rig.state->mtval != word ||
        rig.state->pc != RIG_RAM + 0x100)
        fail_msg("%s (%08x): cause %llu, tval %llx", what, word,
                 (unsigned long long)rig.state->mcause, (unsigned long long)rig.state->mtval);
    assert_int_equal(F(7), 77);
    assert_int_equal(rig.state->x[7], 78);
    assert_int_equal(rig.state->fflags, 0);
}

/* I 21.2: 5 and 6 are reserved in every instruction that rounds, and in frm, where 7 is too. */
static void every_instruction_refuses_reserved_modes(void **state)
{
    (void)state;
    for (size_t i = 0; i < FP_INSTRUCTION_COUNT; i++) {
        const struct fp_instruction *row = &fp_instructions[i];

        if (!row->rounds)
            continue;
        expect_illegal(row->name, row->word | 5 << 12);
        expect_illegal(row->name, row->word | 6 << 12);
        for (uint32_t frm = 5; frm < 8; frm++) {
            rig.state->frm = (uint8_t)frm;
            expect_illegal(row->name, row->word | FP_DYNAMIC << 12);
        }
        rig.state->frm = 0;
    }
}

/* II 3.1.6.6: with FS off they are illegal, whatever they do; that does not make it dirty. */
static void every_instruction_needs_fs(void **state)
{
    const uint32_t memory[] = {enc_i(0x07, 2, 7, 8, 0), enc_i(0x07, 3, 7, 8, 0),
                               enc_s(0x27, 2, 8, 7, 0), enc_s(0x27, 3, 8, 7, 0)};

    (void)state;
    rig.state->mstatus = 0;
    rig.state->x[8] = RIG_RAM + 0x200;
    for (size_t i = 0; i < FP_INSTRUCTION_COUNT; i++)
        expect_illegal(fp_instructions[i].name, fp_instructions[i].word);
    for (size_t i = 0; i < COUNT(memory); i++)
        expect_illegal("a load or store", memory[i]);
    assert_int_equal(load_le64(rig.ram + 0x200), 0);
    assert_int_equal(rig.state->mstatus & STATUS_FS, 0);
}

/* What changes f or fcsr makes FS dirty; a store and a move to x leave it. II 3.1.6.6. */
static void fs_becomes_dirty_with_the_state(void **state)
{
    const struct {
        uint32_t word;
        bool dirty;
    } rows[] = {
        {enc_i(0x07, 2, 7, 8, 0), true},  /* flw */
        {enc_i(0x07, 3, 7, 8, 0), true},  /* fld */
        {enc_s(0x27, 2, 8, 7, 0), false}, /* fsw */
        {enc_s(0x27, 3, 8, 7, 0), false}, /* fsd */
        {FP_OP(0x70, 0, 0), false},       /* fmv.x.w */
        {FP_OP(0x71, 0, 1), false},       /* fclass.d */
        {FP_OP(0x78, 0, 0), true},        /* fmv.w.x */
        {FP_OP(0x11, 2, 0), true},        /* fsgnj.d */
        {FP_OP(0x51, 2, 1), true},        /* flt.d of a NaN: only a flag */
        {FP_OP(0x61, 0, 0), true},        /* fcvt.w.d of a NaN: only a flag */
        {CSRRW(0, 1, 5), true},           /* fflags */
        {CSRRW(0, 2, 5), true},           /* frm */
        {CSRRW(0, 3, 5), true},           /* fcsr */
        {CSRRS(7, 3, 0), false},
    };

    (void)state;
    rig.state->x[8] = RIG_RAM + 0x200;
    F(1) = UINT64_C(0x7ff0000000000001);
    for (size_t i = 0; i < COUNT(rows); i++)
        for (uint64_t before = 1; before < 4; before++) { /* initial, clean, dirty */
            uint64_t fs = before << 13;

            rig.state->mstatus = fs;
            rig.state->fflags = 0;
            run_one(rows[i].word);
            assert_int_equal(rig.state->pc, RIG_RAM + 4);
            expect("FS", i, rig.state->mstatus & STATUS_FS, rows[i].dirty ? STATUS_FS : fs);
        }
}

/* The formats H and Q, and holes between the operations, are nobody's. */
static void undefined_words_are_illegal(void **state)
{
    const uint32_t words[] = {
        FP_OP(0x02, 2, 0), FP_OP(0x03, 2, 0),  /* fadd.h, fadd.q */
        FP_R4(0x43, 2),    FP_R4(0x4f, 3),     /* fmadd.h, fnmadd.q */
        FP_OP(0x2d, 1, 0), FP_OP(0x2c, 31, 0), /* fsqrt with an rs2 */
        FP_OP(0x10, 2, 3), FP_OP(0x11, 2, 7),  /* fsgnj of an unknown kind */
        FP_OP(0x14, 2, 2), FP_OP(0x15, 2, 3),  /* Zfa's fminm */
        FP_OP(0x50, 2, 3), FP_OP(0x51, 2, 4),  /* feq, flt, fle: no fourth */
        FP_OP(0x61, 4, 0), FP_OP(0x68, 31, 0), /* fcvt of no integer */
        FP_OP(0x20, 0, 0), FP_OP(0x21, 1, 0),  /* fcvt.s.s, fcvt.d.d */
        FP_OP(0x70, 1, 0), FP_OP(0x71, 0, 2),  /* fmv.x and fclass */
        FP_OP(0x78, 1, 0), FP_OP(0x79, 0, 1),  /* fmv.f */
        FP_OP(0x7f, 0, 0), enc_i(0x07, 1, 7, 8, 0), enc_s(0x27, 4, 8, 7, 0),
    };

    (void)state;
    for (size_t i = 0; i < COUNT(words); i++)
        expect_illegal("undefined", words[i]);
}

/* Where frm is reserved, what came before in the block has happened, what comes after has not. */
static void a_reserved_frm_traps_in_the_middle(void **state)
{
    static const uint32_t rd = UINT32_C(31) << 7;

    (void)state;
    for (size_t i = 0; i < FP_INSTRUCTION_COUNT; i++) {
        uint32_t word = (fp_instructions[i].word & ~rd) | 9 << 7;

        if (!fp_instructions[i].rounds)
            continue;
        RIG_PUT(&rig, RIG_RAM, ADDI(5, 0, 1), FP_OP(0x11, 1, 0) /* fmv.d f7, f1 */,
                word | FP_DYNAMIC << 12, ADDI(5, 0, 2), FP_OP(0x11, 2, 0));
        rig.state->pc = RIG_RAM;
        rig.state->mstatus = UINT64_C(1) << 13;
        rig.state->frm = 5;
        rig.state->mcause = 0;
        F(1) = i + 1;
        F(9) = rig.state->x[9] = 79;
        rig_run(&rig, 3);
        assert_int_equal(rig.state->mcause, CAUSE_ILLEGAL);
        assert_int_equal(rig.state->mepc, RIG_RAM + 8);
        assert_int_equal(rig.state->x[5], 1);
        assert_int_equal(F(7), i + 1);
        assert_true(F(9) == 79 && rig.state->x[9] == 79);
        assert_int_equal(rig.state->mstatus & STATUS_FS, STATUS_FS);
    }
}

/* With rd = x0 only the flags are left. */
static void drop_result(const struct fp_instruction *row, uint64_t operand)
{
    F(1) = F(2) = operand;
    rig.state->fflags = 0;
    rig.state->x[5] = 0;
    softfloat_exceptionFlags = 0;
    (void)row->reference(operand, operand, 0, 0);
    RIG_PUT(&rig, RIG_RAM, row->word & ~(UINT32_C(31) << 7), ADDI(5, 0, 3));
    rig.state->pc = RIG_RAM;
    rig_run(&rig, 2);
    assert_int_equal(rig.state->x[0], 0);
    assert_int_equal(rig.state->x[5], 3);
    expect(row->name, 0, rig.state->fflags, softfloat_exceptionFlags);
}

static void x0_stays_zero_and_flags_accrue(void **state)
{
    static const uint64_t signaling[] = {UINT64_C(0x7ff0000000000001),
                                         UINT64_C(0xffffffff7f800001)};
    static const uint64_t one_and_a_half[] = {UINT64_C(0x3ff8000000000000),
                                              UINT64_C(0xffffffff3fc00000)};

    (void)state;
    for (size_t i = 0; i < FP_INSTRUCTION_COUNT; i++) {
        const struct fp_instruction *row = &fp_instructions[i];
        size_t single = row->kinds[0] == 's';

        if (row->result != 'x')
            continue;
        drop_result(row, signaling[single]);
        drop_result(row, one_and_a_half[single]);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(instructions_check_and_make_boxes),  TEST(results_in_integer_registers),
        TEST(the_rounding_mode_is_static_or_frm), TEST(every_instruction_refuses_reserved_modes),
        TEST(every_instruction_needs_fs),         TEST(fs_becomes_dirty_with_the_state),
        TEST(undefined_words_are_illegal),        TEST(a_reserved_frm_traps_in_the_middle),
        TEST(x0_stays_zero_and_flags_accrue),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
