/* interpreter_fused.h — part of interpret(): pairs of operations in one handler, which saves the
 * jump between them. Both keep their cells, so the second one is at op + 1 as if it stood alone. */

/* clang-format off */
#define BODY_RR(expression) { \
    const uint64_t a = x[op->rs1], b = x[op->rs2]; \
    x[op->rd] = (expression); \
}
#define BODY_RI(expression) { \
    const uint64_t a = x[op->rs1], i = IMM, s = i & 63; \
    (void)i; (void)s; \
    x[op->rd] = (expression); \
}
#define BODY_LOAD(bits, expression) { \
    const uint64_t address = x[op->rs1] + IMM; \
    const struct tlb_entry *const entry = READ_ENTRY(address); \
    uint64_t v; \
    if (LIKELY(HITS(entry, address, bits / 8))) { \
        v = LOAD_##bits(HOST(entry, address)); \
        x[op->rd] = (expression); \
    } else { \
        SAVE(); \
        result = access_load(context->engine, address, bits / 8); \
        UNLESS_TRAPPED(result); \
        v = context->engine->value; \
        x[op->rd] = (expression); \
        if (UNLIKELY(result != SLOW_DONE)) \
            goto leave; \
    } \
}
#define BODY_STORE(bits) { \
    const uint64_t address = x[op->rs1] + IMM; \
    const struct tlb_entry *const entry = WRITE_ENTRY(address); \
    if (LIKELY(HITS(entry, address, bits / 8))) { \
        STORE_##bits(HOST(entry, address), x[op->rs2]); \
    } else { \
        SAVE(); \
        result = access_store(context->engine, address, bits / 8, x[op->rs2]); \
        UNLESS_TRAPPED(result); \
        if (UNLIKELY(result != SLOW_DONE)) \
            goto leave; \
    } \
}
/* These end the block. */
#define BODY_BRANCH(condition) { \
    const uint64_t a = x[op->rs1], b = x[op->rs2]; \
    if (condition) \
        GO(taken, op->imm); \
    else \
        GO(next, block->offset + block->bytes); \
}
#define BODY_JALR { \
    const uint64_t target = (x[op->rs1] + (uint64_t)(int64_t)(int16_t)op->imm) & ~UINT64_C(1); \
    x[op->rd] = page + (uint64_t)(op->imm >> 16); \
    JUMP(target); \
}
#define BODY_CHECK { \
    if (UNLIKELY((state->mstatus & STATUS_FS) == 0)) \
        goto do_ILLEGAL; \
}

#define BODY_ADD   BODY_RR(a + b)
#define BODY_SUB   BODY_RR(a - b)
#define BODY_XOR   BODY_RR(a ^ b)
#define BODY_OR    BODY_RR(a | b)
#define BODY_AND   BODY_RR(a & b)
#define BODY_SLTU  BODY_RR((uint64_t)(a < b))
#define BODY_ADDW  BODY_RR(sext32(a + b))
#define BODY_MUL   BODY_RR(a * b)
#define BODY_MULW  BODY_RR(sext32(a * b))
#define BODY_ADDI  BODY_RI(a + i)
#define BODY_ADDIW BODY_RI(sext32(a + i))
#define BODY_ANDI  BODY_RI(a & i)
#define BODY_SLLI  BODY_RI(a << s)
#define BODY_SRLI  BODY_RI(a >> s)
#define BODY_SRLIW BODY_RI(sext32((uint32_t)a >> s))
#define BODY_MV    { x[op->rd] = x[op->rs1]; }
#define BODY_LI    { x[op->rd] = IMM; }
#define BODY_AUIPC { x[op->rd] = page + IMM; }
#define BODY_LBU   BODY_LOAD(8, v)
#define BODY_LW    BODY_LOAD(32, (uint64_t)(int64_t)(int32_t)v)
#define BODY_LD    BODY_LOAD(64, v)
#define BODY_SB    BODY_STORE(8)
#define BODY_SW    BODY_STORE(32)
#define BODY_SD    BODY_STORE(64)
#define BODY_BEQ   BODY_BRANCH(a == b)
#define BODY_BNE   BODY_BRANCH(a != b)
#define BODY_BLT   BODY_BRANCH((int64_t)a < (int64_t)b)
#define BODY_BGE   BODY_BRANCH((int64_t)a >= (int64_t)b)
#define BODY_BLTU  BODY_BRANCH(a < b)
#define BODY_BGEU  BODY_BRANCH(a >= b)
#define BODY_J     GO(taken, op->imm);
#define BODY_JAL   { \
    x[op->rd] = page + (op->rs1 | (uint64_t)op->rs2 << 8); \
    GO(taken, op->imm); \
}
#define BODY_JR    JUMP((x[op->rs1] + IMM) & ~UINT64_C(1));

#define HANDLE_FUSED(first, second) \
do_##first##_##second: \
    BODY_##first \
    op++; \
    BODY_##second \
    NEXT();
OPS_FUSED(HANDLE_FUSED)
/* clang-format on */
