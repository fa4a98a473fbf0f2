/* interpreter_integer.h — part of interpret(): integer registers, jumps and branches. */

/* clang-format off */
#define HANDLE_RR(name, expression) \
do_##name: { \
    const uint64_t a = x[op->rs1], b = x[op->rs2]; \
    x[op->rd] = (expression); \
    NEXT(); \
}
OPS_RR(HANDLE_RR)

#define HANDLE_RI(name, expression) \
do_##name: { \
    const uint64_t a = x[op->rs1], i = IMM, s = i & 63; \
    (void)i; (void)s; \
    x[op->rd] = (expression); \
    NEXT(); \
}
OPS_RI(HANDLE_RI)

#define HANDLE_BRANCH(name, condition) \
do_##name: { \
    const uint64_t a = x[op->rs1], b = x[op->rs2]; \
    if (condition) \
        GO(taken, op->imm); \
    else \
        GO(next, block->offset + block->bytes); \
}
OPS_BRANCH(HANDLE_BRANCH)

do_LI:
    x[op->rd] = IMM;
    NEXT();
do_AUIPC:
    x[op->rd] = page + IMM;
    NEXT();
do_NOP:
    NEXT();
do_J:
    GO(taken, op->imm);
do_FALL:
    GO(taken, op->imm);
do_JAL:
    x[op->rd] = page + (op->rs1 | (uint64_t)op->rs2 << 8);
    GO(taken, op->imm);
do_JR:
    JUMP((x[op->rs1] + IMM) & ~UINT64_C(1));
do_JALR: {
    const uint64_t target = (x[op->rs1] + (uint64_t)(int64_t)(int16_t)op->imm) & ~UINT64_C(1);

    x[op->rd] = page + (uint64_t)(op->imm >> 16);
    JUMP(target);
}
do_DEAD: /* the code was overwritten since this block was decoded */
    budget += block->count;
    state->pc = page + block->offset;
    goto resume;
/* clang-format on */
