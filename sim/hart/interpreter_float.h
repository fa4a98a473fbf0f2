/* interpreter_float.h — part of interpret(): F and D. FP_CHECK has come first; FP_DIRTY comes after
 * the first one of a block that changes f or fcsr. */

/* clang-format off */
#define FLAGS (&state->fflags)
/* The rounding mode, static or frm; a reserved one in frm is an illegal instruction (I 21.2). */
#define ROUNDING() \
    uint32_t rm = (uint32_t)op->imm & 7; \
    uint8_t *const flags = FLAGS; \
    if (rm == FP_DYNAMIC) { \
        rm = state->frm; \
        if (UNLIKELY(rm > FP_RMM)) \
            goto do_ILLEGAL; \
    }

#define HANDLE_D2(name, function) \
do_##name: { \
    ROUNDING() \
    state->f[op->rd] = function(state->f[op->rs1], state->f[op->rs2], rm, flags); \
    NEXT(); \
}
OPS_FP_D2(HANDLE_D2)

#define HANDLE_S2(name, function) \
do_##name: { \
    ROUNDING() \
    state->f[op->rd] = fp_box(function(fp_unbox(state->f[op->rs1]), fp_unbox(state->f[op->rs2]), rm, flags)); \
    NEXT(); \
}
OPS_FP_S2(HANDLE_S2)

#define HANDLE_FMA(name, negate_product, negate_addend) \
do_##name##_D: { \
    ROUNDING() \
    const uint64_t c = state->f[op->imm >> 8]; \
    state->f[op->rd] = fp_fast_d_fma(state->f[op->rs1] ^ (negate_product ? FP_SIGN64 : 0), state->f[op->rs2], \
                                c ^ (negate_addend ? FP_SIGN64 : 0), rm, flags); \
    NEXT(); \
} \
do_##name##_S: { \
    ROUNDING() \
    const uint32_t c = fp_unbox(state->f[op->imm >> 8]); \
    state->f[op->rd] = fp_box(fp_fast_s_fma(fp_unbox(state->f[op->rs1]) ^ (negate_product ? FP_SIGN32 : 0), \
                                       fp_unbox(state->f[op->rs2]), \
                                       c ^ (negate_addend ? FP_SIGN32 : 0), rm, flags)); \
    NEXT(); \
}
OPS_FP_FMA(HANDLE_FMA)

#define HANDLE_D_PLAIN(name, expression) \
do_##name: { \
    const uint64_t a = state->f[op->rs1], b = state->f[op->rs2]; \
    uint8_t *const flags = FLAGS; \
    (void)flags; \
    state->f[op->rd] = (expression); \
    NEXT(); \
}
OPS_FP_D_PLAIN(HANDLE_D_PLAIN)

#define HANDLE_S_PLAIN(name, expression) \
do_##name: { \
    const uint32_t a = fp_unbox(state->f[op->rs1]), b = fp_unbox(state->f[op->rs2]); \
    uint8_t *const flags = FLAGS; \
    (void)flags; \
    state->f[op->rd] = fp_box(expression); \
    NEXT(); \
}
OPS_FP_S_PLAIN(HANDLE_S_PLAIN)

/* Integer results: with rd = x0 only the flags are left (decode.c marks it in imm). */
#define SET_X(value) \
    do { \
        const uint64_t value_ = (value); \
        if (LIKELY(((uint32_t)op->imm & 0x100) == 0)) \
            x[op->rd] = value_; \
    } while (0)

#define HANDLE_D_COMPARE(name, expression) \
do_##name: { \
    const uint64_t a = state->f[op->rs1], b = state->f[op->rs2]; \
    uint8_t *const flags = FLAGS; \
    SET_X(expression); \
    NEXT(); \
}
OPS_FP_D_COMPARE(HANDLE_D_COMPARE)

#define HANDLE_S_COMPARE(name, expression) \
do_##name: { \
    const uint32_t a = fp_unbox(state->f[op->rs1]), b = fp_unbox(state->f[op->rs2]); \
    uint8_t *const flags = FLAGS; \
    SET_X(expression); \
    NEXT(); \
}
OPS_FP_S_COMPARE(HANDLE_S_COMPARE)

#define HANDLE_TO_X(name, expression) \
do_##name: { \
    ROUNDING() \
    const uint64_t f1 = state->f[op->rs1]; \
    SET_X(expression); \
    NEXT(); \
}
OPS_FP_TO_X(HANDLE_TO_X)

#define HANDLE_TO_F(name, expression) \
do_##name: { \
    ROUNDING() \
    const uint64_t x1 = x[op->rs1]; \
    state->f[op->rd] = (expression); \
    NEXT(); \
}
OPS_FP_TO_F(HANDLE_TO_F)

#define HANDLE_F_TO_F(name, expression) \
do_##name: { \
    ROUNDING() \
    const uint64_t f1 = state->f[op->rs1]; \
    state->f[op->rd] = (expression); \
    NEXT(); \
}
OPS_FP_F_TO_F(HANDLE_F_TO_F)

do_FMV_X_D:
    x[op->rd] = state->f[op->rs1];
    NEXT();
do_FMV_X_W:
    x[op->rd] = sext32(state->f[op->rs1]);
    NEXT();
do_FMV_D_X:
    state->f[op->rd] = x[op->rs1];
    NEXT();
do_FMV_W_X:
    state->f[op->rd] = fp_box((uint32_t)x[op->rs1]);
    NEXT();
do_FCLASS_D:
    x[op->rd] = fp_d_class(state->f[op->rs1]);
    NEXT();
do_FCLASS_S:
    x[op->rd] = fp_s_class(fp_unbox(state->f[op->rs1]));
    NEXT();

do_FLD: {
    HANDLE_LOAD_INTO(state->f[op->rd], 64, v)
    goto finish_fp_load;
}
do_FLW: {
    HANDLE_LOAD_INTO(state->f[op->rd], 32, fp_box((uint32_t)v))
    goto finish_fp_load;
}
finish_fp_load: /* when the block is left here, its FP_DIRTY may not have been reached */
    state->mstatus |= STATUS_FS;
    if (UNLIKELY(result != SLOW_DONE))
        goto leave;
    NEXT();
do_FSD: {
    HANDLE_STORE_OF(state->f[op->rs2], 64)
}
do_FSW: {
    HANDLE_STORE_OF(state->f[op->rs2], 32)
}

do_FP_CHECK:
    if (UNLIKELY((state->mstatus & STATUS_FS) == 0))
        goto do_ILLEGAL;
    NEXT();
do_FP_DIRTY:
    state->mstatus |= STATUS_FS;
    NEXT();
/* clang-format on */
