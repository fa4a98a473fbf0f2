/* fp_batch.h — every instruction of F and D that computes (volume I, 21 and 22), and a way to
 * execute one over many operands: a loop in a hart's memory loads fflags and the operands, executes
 * the instruction and stores its result and fflags. What each must give is Berkeley SoftFloat's
 * word, or, where SoftFloat has no such function, the manual's. */
#ifndef THAW_TESTS_SIM_HART_FP_BATCH_H
#define THAW_TESTS_SIM_HART_FP_BATCH_H

#include "sim/hart/fp.h"
#include "tests/sim/hart/rig.h"

#include <platform.h> /* before softfloat.h: it says that the mode and flags are thread-local */
#include <softfloat.h>

#include <math.h>

/* Operands: raw registers. `kinds`: one letter an operand: d, s, x (an integer register). */
struct fp_instruction {
    const char *name;
    uint32_t word; /* rd 7, rs1 1, rs2 2, rs3 3; the rounding mode's bits are 0 if it has one */
    bool rounds;
    char kinds[4];
    char result; /* f or x: the file of rd */
    uint64_t (*reference)(uint64_t a, uint64_t b, uint64_t c, uint8_t rm); /* flags: SoftFloat's */
};

#define FP_D_SIGN     (UINT64_C(1) << 63)
#define FP_S_SIGN     (UINT32_C(1) << 31)
#define FP_BOX(s)     (UINT64_C(0xffffffff00000000) | (s))
#define FP_WORD(w)    (uint64_t)(int64_t)(int32_t)(w)
#define FP_D(bits)    ((float64_t){bits})
#define FP_SD(bits)   ((float32_t){fp_batch_single(bits)})
#define FP_NOT_S(reg) (fp_batch_single(reg) ^ FP_S_SIGN)

/* I 22.2, said once more: what fp.h does must not judge itself. */
static inline uint32_t fp_batch_single(uint64_t reg)
{
    return (reg | UINT32_MAX) == UINT64_MAX ? (uint32_t)reg : UINT32_C(0x7fc00000);
}

struct fp_format {
    uint64_t sign, infinity, quiet;
};
static const struct fp_format fp_format_d = {FP_D_SIGN, UINT64_C(0x7ff) << 52, UINT64_C(1) << 51};
static const struct fp_format fp_format_s = {FP_S_SIGN, UINT64_C(0xff) << 23, UINT64_C(1) << 22};

/* I 21.6: numbers in the order of their bits, -0 before +0; a number beats a NaN. */
static inline uint64_t fp_batch_pick(uint64_t a, uint64_t b, const struct fp_format *f, bool max)
{
    uint64_t size_a = a & ~f->sign, size_b = b & ~f->sign;
    bool nan_a = size_a > f->infinity, nan_b = size_b > f->infinity;
    uint64_t order_a = size_a == a ? f->sign + a : f->sign - 1 - size_a;
    uint64_t order_b = size_b == b ? f->sign + b : f->sign - 1 - size_b;

    if ((nan_a && (a & f->quiet) == 0) || (nan_b && (b & f->quiet) == 0))
        softfloat_exceptionFlags |= softfloat_flag_invalid;
    if (nan_a || nan_b)
        return !nan_a ? a : !nan_b ? b : f->infinity | f->quiet;
    return (order_a > order_b) == max ? a : b;
}

/* I 21.9. */
static inline uint64_t fp_batch_class(int kind, bool negative, bool quiet)
{
    switch (kind) {
    case FP_INFINITE:
        return negative ? 1 << 0 : 1 << 7;
    case FP_NORMAL:
        return negative ? 1 << 1 : 1 << 6;
    case FP_SUBNORMAL:
        return negative ? 1 << 2 : 1 << 5;
    case FP_ZERO:
        return negative ? 1 << 3 : 1 << 4;
    default:
        return quiet ? 1 << 9 : 1 << 8;
    }
}

static inline uint64_t fp_batch_class_d(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof value);
    return fp_batch_class(fpclassify(value), bits >> 63 != 0, (bits & fp_format_d.quiet) != 0);
}

static inline uint64_t fp_batch_class_s(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return fp_batch_class(fpclassify(value), bits >> 31 != 0, (bits & fp_format_s.quiet) != 0);
}

/* clang-format off */
#define FP_OP(f7, rs2, f3) \
    ((uint32_t)(f7) << 25 | (uint32_t)(rs2) << 20 | 1 << 15 | (f3) << 12 | 7 << 7 | 0x53)
#define FP_R4(major, fmt)  (UINT32_C(3) << 27 | (fmt) << 25 | 2 << 20 | 1 << 15 | 7 << 7 | (major))
/* name, word, rounds?, operands, result, what SoftFloat says */
#define FP_INSTRUCTIONS_D(X) \
    X(fadd_d, FP_OP(0x01, 2, 0), true, "dd", 'f', f64_add(FP_D(a), FP_D(b)).v) \
    X(fsub_d, FP_OP(0x05, 2, 0), true, "dd", 'f', f64_sub(FP_D(a), FP_D(b)).v) \
    X(fmul_d, FP_OP(0x09, 2, 0), true, "dd", 'f', f64_mul(FP_D(a), FP_D(b)).v) \
    X(fdiv_d, FP_OP(0x0d, 2, 0), true, "dd", 'f', f64_div(FP_D(a), FP_D(b)).v) \
    X(fsqrt_d, FP_OP(0x2d, 0, 0), true, "d", 'f', f64_sqrt(FP_D(a)).v) \
    X(fsgnj_d, FP_OP(0x11, 2, 0), false, "dd", 'f', (a & ~FP_D_SIGN) | (b & FP_D_SIGN)) \
    X(fsgnjn_d, FP_OP(0x11, 2, 1), false, "dd", 'f', (a & ~FP_D_SIGN) | (~b & FP_D_SIGN)) \
    X(fsgnjx_d, FP_OP(0x11, 2, 2), false, "dd", 'f', a ^ (b & FP_D_SIGN)) \
    X(fmin_d, FP_OP(0x15, 2, 0), false, "dd", 'f', fp_batch_pick(a, b, &fp_format_d, false)) \
    X(fmax_d, FP_OP(0x15, 2, 1), false, "dd", 'f', fp_batch_pick(a, b, &fp_format_d, true)) \
    X(feq_d, FP_OP(0x51, 2, 2), false, "dd", 'x', f64_eq(FP_D(a), FP_D(b))) \
    X(flt_d, FP_OP(0x51, 2, 1), false, "dd", 'x', f64_lt(FP_D(a), FP_D(b))) \
    X(fle_d, FP_OP(0x51, 2, 0), false, "dd", 'x', f64_le(FP_D(a), FP_D(b))) \
    X(fclass_d, FP_OP(0x71, 0, 1), false, "d", 'x', fp_batch_class_d(a)) \
    X(fcvt_w_d, FP_OP(0x61, 0, 0), true, "d", 'x', FP_WORD(f64_to_i32(FP_D(a), rm, true))) \
    X(fcvt_wu_d, FP_OP(0x61, 1, 0), true, "d", 'x', FP_WORD(f64_to_ui32(FP_D(a), rm, true))) \
    X(fcvt_l_d, FP_OP(0x61, 2, 0), true, "d", 'x', (uint64_t)f64_to_i64(FP_D(a), rm, true)) \
    X(fcvt_lu_d, FP_OP(0x61, 3, 0), true, "d", 'x', f64_to_ui64(FP_D(a), rm, true)) \
    X(fcvt_d_w, FP_OP(0x69, 0, 0), true, "x", 'f', i32_to_f64((int32_t)a).v) \
    X(fcvt_d_wu, FP_OP(0x69, 1, 0), true, "x", 'f', ui32_to_f64((uint32_t)a).v) \
    X(fcvt_d_l, FP_OP(0x69, 2, 0), true, "x", 'f', i64_to_f64((int64_t)a).v) \
    X(fcvt_d_lu, FP_OP(0x69, 3, 0), true, "x", 'f', ui64_to_f64(a).v) \
    X(fcvt_s_d, FP_OP(0x20, 1, 0), true, "d", 'f', FP_BOX(f64_to_f32(FP_D(a)).v)) \
    X(fcvt_d_s, FP_OP(0x21, 0, 0), true, "s", 'f', f32_to_f64(FP_SD(a)).v) \
    X(fmv_x_d, FP_OP(0x71, 0, 0), false, "d", 'x', a) \
    X(fmv_d_x, FP_OP(0x79, 0, 0), false, "x", 'f', a) \
    X(fmadd_d, FP_R4(0x43, 1), true, "ddd", 'f', f64_mulAdd(FP_D(a), FP_D(b), FP_D(c)).v) \
    X(fmsub_d, FP_R4(0x47, 1), true, "ddd", 'f', \
      f64_mulAdd(FP_D(a), FP_D(b), FP_D(c ^ FP_D_SIGN)).v) \
    X(fnmsub_d, FP_R4(0x4b, 1), true, "ddd", 'f', \
      f64_mulAdd(FP_D(a ^ FP_D_SIGN), FP_D(b), FP_D(c)).v) \
    X(fnmadd_d, FP_R4(0x4f, 1), true, "ddd", 'f', \
      f64_mulAdd(FP_D(a ^ FP_D_SIGN), FP_D(b), FP_D(c ^ FP_D_SIGN)).v)
#define FP_S_PICK(max) \
    FP_BOX(fp_batch_pick(fp_batch_single(a), fp_batch_single(b), &fp_format_s, max))
#define FP_S_SIGNED(sign) FP_BOX((fp_batch_single(a) & ~FP_S_SIGN) | ((sign) & FP_S_SIGN))
#define FP_INSTRUCTIONS_S(X) \
    X(fadd_s, FP_OP(0x00, 2, 0), true, "ss", 'f', FP_BOX(f32_add(FP_SD(a), FP_SD(b)).v)) \
    X(fsub_s, FP_OP(0x04, 2, 0), true, "ss", 'f', FP_BOX(f32_sub(FP_SD(a), FP_SD(b)).v)) \
    X(fmul_s, FP_OP(0x08, 2, 0), true, "ss", 'f', FP_BOX(f32_mul(FP_SD(a), FP_SD(b)).v)) \
    X(fdiv_s, FP_OP(0x0c, 2, 0), true, "ss", 'f', FP_BOX(f32_div(FP_SD(a), FP_SD(b)).v)) \
    X(fsqrt_s, FP_OP(0x2c, 0, 0), true, "s", 'f', FP_BOX(f32_sqrt(FP_SD(a)).v)) \
    X(fsgnj_s, FP_OP(0x10, 2, 0), false, "ss", 'f', FP_S_SIGNED(fp_batch_single(b))) \
    X(fsgnjn_s, FP_OP(0x10, 2, 1), false, "ss", 'f', FP_S_SIGNED(~fp_batch_single(b))) \
    X(fsgnjx_s, FP_OP(0x10, 2, 2), false, "ss", 'f', \
      FP_S_SIGNED(fp_batch_single(a) ^ fp_batch_single(b))) \
    X(fmin_s, FP_OP(0x14, 2, 0), false, "ss", 'f', FP_S_PICK(false)) \
    X(fmax_s, FP_OP(0x14, 2, 1), false, "ss", 'f', FP_S_PICK(true)) \
    X(feq_s, FP_OP(0x50, 2, 2), false, "ss", 'x', f32_eq(FP_SD(a), FP_SD(b))) \
    X(flt_s, FP_OP(0x50, 2, 1), false, "ss", 'x', f32_lt(FP_SD(a), FP_SD(b))) \
    X(fle_s, FP_OP(0x50, 2, 0), false, "ss", 'x', f32_le(FP_SD(a), FP_SD(b))) \
    X(fclass_s, FP_OP(0x70, 0, 1), false, "s", 'x', fp_batch_class_s(fp_batch_single(a))) \
    X(fcvt_w_s, FP_OP(0x60, 0, 0), true, "s", 'x', FP_WORD(f32_to_i32(FP_SD(a), rm, true))) \
    X(fcvt_wu_s, FP_OP(0x60, 1, 0), true, "s", 'x', FP_WORD(f32_to_ui32(FP_SD(a), rm, true))) \
    X(fcvt_l_s, FP_OP(0x60, 2, 0), true, "s", 'x', (uint64_t)f32_to_i64(FP_SD(a), rm, true)) \
    X(fcvt_lu_s, FP_OP(0x60, 3, 0), true, "s", 'x', f32_to_ui64(FP_SD(a), rm, true)) \
    X(fcvt_s_w, FP_OP(0x68, 0, 0), true, "x", 'f', FP_BOX(i32_to_f32((int32_t)a).v)) \
    X(fcvt_s_wu, FP_OP(0x68, 1, 0), true, "x", 'f', FP_BOX(ui32_to_f32((uint32_t)a).v)) \
    X(fcvt_s_l, FP_OP(0x68, 2, 0), true, "x", 'f', FP_BOX(i64_to_f32((int64_t)a).v)) \
    X(fcvt_s_lu, FP_OP(0x68, 3, 0), true, "x", 'f', FP_BOX(ui64_to_f32(a).v)) \
    X(fmv_x_w, FP_OP(0x70, 0, 0), false, "s", 'x', FP_WORD(a)) \
    X(fmv_w_x, FP_OP(0x78, 0, 0), false, "x", 'f', FP_BOX((uint32_t)a)) \
    X(fmadd_s, FP_R4(0x43, 0), true, "sss", 'f', \
      FP_BOX(f32_mulAdd(FP_SD(a), FP_SD(b), FP_SD(c)).v)) \
    X(fmsub_s, FP_R4(0x47, 0), true, "sss", 'f', \
      FP_BOX(f32_mulAdd(FP_SD(a), FP_SD(b), (float32_t){FP_NOT_S(c)}).v)) \
    X(fnmsub_s, FP_R4(0x4b, 0), true, "sss", 'f', \
      FP_BOX(f32_mulAdd((float32_t){FP_NOT_S(a)}, FP_SD(b), FP_SD(c)).v)) \
    X(fnmadd_s, FP_R4(0x4f, 0), true, "sss", 'f', \
      FP_BOX(f32_mulAdd((float32_t){FP_NOT_S(a)}, FP_SD(b), (float32_t){FP_NOT_S(c)}).v))

#define FP_REFERENCE(name, word, rounds, kinds, result, expression) \
    static inline uint64_t fp_reference_##name(uint64_t a, uint64_t b, uint64_t c, uint8_t rm) \
    { \
        (void)a, (void)b, (void)c, (void)rm; \
        return expression; \
    }
FP_INSTRUCTIONS_D(FP_REFERENCE)
FP_INSTRUCTIONS_S(FP_REFERENCE)
#define FP_ROW(name, word, rounds, kinds, result, expression) \
    {#name, word, rounds, kinds, result, fp_reference_##name},
static const struct fp_instruction fp_instructions[] = {
    FP_INSTRUCTIONS_D(FP_ROW)
    FP_INSTRUCTIONS_S(FP_ROW)
};
/* clang-format on */
#define FP_INSTRUCTION_COUNT (sizeof fp_instructions / sizeof fp_instructions[0])

/* A case in memory: operands a, b, c, fflags before, the result, fflags after. */
#define FP_CASE_BYTES 48
#define FP_CASES      8192 /* in one run of the loop */
#define FP_CASE_AT    0x10000

struct fp_batch {
    struct rig rig;
    const struct fp_instruction *instruction; /* or one of another extension, in the same form */
    uint32_t rm;
    uint32_t words; /* of the loop */
    size_t count;
};

static inline void fp_batch_open(struct fp_batch *batch)
{
    memset(batch, 0, sizeof *batch);
    rig_open(&batch->rig, (struct span){0}, 1);
    batch->rig.state->mstatus = UINT64_C(1) << 13; /* FS initial */
    batch->rig.state->mtvec = RIG_RAM + 0x800;
}

static inline void fp_batch_close(struct fp_batch *batch)
{
    rig_close(&batch->rig);
}

static inline uint8_t *fp_batch_case(struct fp_batch *batch, size_t i)
{
    return batch->rig.ram + FP_CASE_AT + i * FP_CASE_BYTES;
}

/* The cases that follow are for this instruction, with `rm` in the word, or, if `dynamic`, in frm
 * (which is a reserved mode otherwise: nobody may look). */
static inline void fp_batch_begin(struct fp_batch *batch, const struct fp_instruction *instruction,
                                  uint32_t rm, bool dynamic)
{
    uint32_t mode = dynamic ? FP_DYNAMIC : rm;
    uint32_t word = instruction->word | (instruction->rounds ? mode << 12 : 0);
    const uint32_t loop[] = {
        LD(5, 10, 24),
        CSRRW(0, 1, 5),
        FLD(1, 10, 0),
        LD(1, 10, 0),
        LD(2, 10, 8),
        FLD(2, 10, 8),
        FLD(3, 10, 16),
        word,
        CSRRS(5, 1, 0),
        enc_s(instruction->result == 'x' ? 0x23 : 0x27, 3, 10, 7, 32),
        SD(5, 10, 40),
        ADDI(10, 10, FP_CASE_BYTES),
        BNE(10, 11, -48),
    };

    batch->instruction = instruction;
    batch->rm = rm;
    batch->words = sizeof loop / sizeof loop[0];
    batch->count = 0;
    batch->rig.state->frm = (uint8_t)(dynamic ? rm : 5);
    rig_put(&batch->rig, RIG_RAM, loop, batch->words);
}

static inline void fp_batch_compare(struct fp_batch *batch, size_t i)
{
    const uint8_t *at = fp_batch_case(batch, i);
    uint64_t a = load_le64(at), b = load_le64(at + 8), c = load_le64(at + 16), wanted, flags;

    softfloat_roundingMode = (uint_fast8_t)batch->rm;
    softfloat_exceptionFlags = 0;
    wanted = batch->instruction->reference(a, b, c, (uint8_t)batch->rm);
    flags = load_le64(at + 24) | softfloat_exceptionFlags;
    if (load_le64(at + 32) != wanted || load_le64(at + 40) != flags)
        fail_msg("%s, mode %u, fflags %02llx: %016llx %016llx %016llx: %016llx fflags %02llx, not "
                 "%016llx fflags %02llx",
                 batch->instruction->name, batch->rm, (unsigned long long)load_le64(at + 24),
                 (unsigned long long)a, (unsigned long long)b, (unsigned long long)c,
                 (unsigned long long)load_le64(at + 32), (unsigned long long)load_le64(at + 40),
                 (unsigned long long)wanted, (unsigned long long)flags);
}

/* Executes what was added since the last run, and compares. */
static inline void fp_batch_run(struct fp_batch *batch)
{
    struct hart_state *state = batch->rig.state;

    if (batch->count == 0)
        return;
    state->pc = RIG_RAM;
    state->x[10] = RIG_RAM + FP_CASE_AT;
    state->x[11] = state->x[10] + batch->count * FP_CASE_BYTES;
    rig_run(&batch->rig, batch->count * batch->words);
    assert_int_equal(state->x[10], state->x[11]);
    assert_int_equal(state->pc, RIG_RAM + 4 * batch->words);
    for (size_t i = 0; i < batch->count; i++)
        fp_batch_compare(batch, i);
    batch->count = 0;
}

/* One case; `before` is what stands in fflags. */
static inline void fp_batch_add(struct fp_batch *batch, const uint64_t operands[3], uint8_t before)
{
    uint8_t *at = fp_batch_case(batch, batch->count);

    for (size_t i = 0; i < 3; i++)
        store_le64(at + 8 * i, operands[i]);
    store_le64(at + 24, before);
    store_le64(at + 32, UINT64_C(0x5555555555555555));
    if (++batch->count == FP_CASES)
        fp_batch_run(batch);
}

#endif
