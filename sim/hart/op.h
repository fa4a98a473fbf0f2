/* op.h — a decoded instruction, and the list of all operations that the interpreter knows.
 *
 * The lists are X-macros: name and, where one expression says it all, what the operation computes.
 * `a` and `b` are the source registers, `i` the immediate (sign-extended to 64 bits), `s` its low
 * six bits. */
#ifndef THAW_SIM_HART_OP_H
#define THAW_SIM_HART_OP_H

#include "sim/hart/arithmetic.h"

struct block;

/* Two sorts of 16-byte cells: an operation, or (after an operation that ends a block) links to the
 * blocks that followed it, NULL until they were first needed. Links stay inside one 4 KiB page. */
struct op {
    union {
        struct {
            union {
                const void *label; /* the handler in interpreter.c */
                uint64_t room;     /* the same layout on 32-bit hosts */
            };
            uint8_t rd;
            uint8_t rs1;
            uint8_t rs2;
            uint8_t at; /* of the instruction, in 2-byte parcels from the block's start */
            int32_t imm;
        };
        struct {
            struct block *taken;
            struct block *next;
        };
    };
};
_Static_assert(sizeof(struct op) == 16, "four operations a cache line");

/* clang-format off */

/* rd = f(rs1, rs2) */
#define OPS_RR(X) \
    X(ADD, a + b) X(SUB, a - b) X(XOR, a ^ b) X(OR, a | b) X(AND, a & b) \
    X(SLL, a << (b & 63)) X(SRL, a >> (b & 63)) X(SRA, sra(a, b & 63)) \
    X(SLT, (uint64_t)((int64_t)a < (int64_t)b)) X(SLTU, (uint64_t)(a < b)) \
    X(ADDW, sext32(a + b)) X(SUBW, sext32(a - b)) X(SLLW, sext32(a << (b & 31))) \
    X(SRLW, sext32((uint32_t)a >> (b & 31))) X(SRAW, sra(sext32(a), b & 31)) \
    X(MUL, a * b) X(MULH, mulh(a, b)) X(MULHSU, mulhsu(a, b)) X(MULHU, mulhu(a, b)) \
    X(DIV, div_signed(a, b)) X(DIVU, b == 0 ? UINT64_MAX : a / b) \
    X(REM, rem_signed(a, b)) X(REMU, b == 0 ? a : a % b) \
    X(MULW, sext32(a * b)) X(DIVW, divw(a, b)) X(DIVUW, divuw(a, b)) \
    X(REMW, remw(a, b)) X(REMUW, remuw(a, b)) \
    X(ADD_UW, (uint64_t)(uint32_t)a + b) X(SH1ADD, (a << 1) + b) X(SH2ADD, (a << 2) + b) \
    X(SH3ADD, (a << 3) + b) X(SH1ADD_UW, ((uint64_t)(uint32_t)a << 1) + b) \
    X(SH2ADD_UW, ((uint64_t)(uint32_t)a << 2) + b) X(SH3ADD_UW, ((uint64_t)(uint32_t)a << 3) + b) \
    X(ANDN, a & ~b) X(ORN, a | ~b) X(XNOR, ~(a ^ b)) \
    X(MAX, (int64_t)a > (int64_t)b ? a : b) X(MAXU, a > b ? a : b) \
    X(MIN, (int64_t)a < (int64_t)b ? a : b) X(MINU, a < b ? a : b) \
    X(ROL, rol64(a, b)) X(ROR, ror64(a, b)) X(ROLW, rolw(a, b)) X(RORW, rorw(a, b)) \
    X(BCLR, a & ~(UINT64_C(1) << (b & 63))) X(BEXT, (a >> (b & 63)) & 1) \
    X(BINV, a ^ (UINT64_C(1) << (b & 63))) X(BSET, a | (UINT64_C(1) << (b & 63))) \
    X(CZERO_EQZ, b == 0 ? 0 : a) X(CZERO_NEZ, b != 0 ? 0 : a)

/* rd = f(rs1, imm) */
#define OPS_RI(X) \
    X(ADDI, a + i) X(SLTI, (uint64_t)((int64_t)a < (int64_t)i)) X(SLTIU, (uint64_t)(a < i)) \
    X(XORI, a ^ i) X(ORI, a | i) X(ANDI, a & i) X(SLLI, a << s) X(SRLI, a >> s) X(SRAI, sra(a, s)) \
    X(ADDIW, sext32(a + i)) X(SLLIW, sext32(a << s)) X(SRLIW, sext32((uint32_t)a >> s)) \
    X(SRAIW, sra(sext32(a), s)) X(SLLI_UW, (uint64_t)(uint32_t)a << s) X(RORI, ror64(a, s)) \
    X(RORIW, rorw(a, s)) X(BCLRI, a & ~(UINT64_C(1) << s)) X(BEXTI, (a >> s) & 1) \
    X(BINVI, a ^ (UINT64_C(1) << s)) X(BSETI, a | (UINT64_C(1) << s)) \
    X(MV, ((void)i, a)) X(CLZ, clz64(a)) X(CTZ, ctz64(a)) X(CPOP, (uint64_t)__builtin_popcountll(a)) \
    X(CLZW, clz32(a)) X(CTZW, ctz32(a)) X(CPOPW, (uint64_t)__builtin_popcount((uint32_t)a)) \
    X(SEXT_B, (uint64_t)(int64_t)(int8_t)a) X(SEXT_H, (uint64_t)(int64_t)(int16_t)a) \
    X(ZEXT_H, (uint64_t)(uint16_t)a) X(ORC_B, orc_b(a)) X(REV8, __builtin_bswap64(a))

/* name, bits of the access, how the bits become a register */
#define OPS_LOAD(X) \
    X(LB, 8, (uint64_t)(int64_t)(int8_t)v) X(LH, 16, (uint64_t)(int64_t)(int16_t)v) \
    X(LW, 32, (uint64_t)(int64_t)(int32_t)v) X(LD, 64, v) X(LBU, 8, v) X(LHU, 16, v) X(LWU, 32, v)
#define OPS_STORE(X) X(SB, 8) X(SH, 16) X(SW, 32) X(SD, 64)

#define OPS_BRANCH(X) \
    X(BEQ, a == b) X(BNE, a != b) X(BLT, (int64_t)a < (int64_t)b) X(BGE, (int64_t)a >= (int64_t)b) \
    X(BLTU, a < b) X(BGEU, a >= b)

/* name, bits, new value from the old one `v` and the register `b`; both have the access's width */
#define OPS_AMO(X) \
    X(AMOSWAP_W, 32, b) X(AMOADD_W, 32, v + b) X(AMOXOR_W, 32, v ^ b) X(AMOAND_W, 32, v & b) \
    X(AMOOR_W, 32, v | b) X(AMOMIN_W, 32, (int32_t)v < (int32_t)b ? v : b) \
    X(AMOMAX_W, 32, (int32_t)v > (int32_t)b ? v : b) X(AMOMINU_W, 32, v < b ? v : b) \
    X(AMOMAXU_W, 32, v > b ? v : b) \
    X(AMOSWAP_D, 64, b) X(AMOADD_D, 64, v + b) X(AMOXOR_D, 64, v ^ b) X(AMOAND_D, 64, v & b) \
    X(AMOOR_D, 64, v | b) X(AMOMIN_D, 64, (int64_t)v < (int64_t)b ? v : b) \
    X(AMOMAX_D, 64, (int64_t)v > (int64_t)b ? v : b) X(AMOMINU_D, 64, v < b ? v : b) \
    X(AMOMAXU_D, 64, v > b ? v : b)

/* Floating point. Operations that round have the mode in imm (low byte; rs3 in the next). */
#define OPS_FP_D2(X) X(FADD_D, fp_fast_d_add) X(FSUB_D, fp_fast_d_sub) X(FMUL_D, fp_fast_d_mul) X(FDIV_D, fp_fast_d_div)
#define OPS_FP_S2(X) X(FADD_S, fp_fast_s_add) X(FSUB_S, fp_fast_s_sub) X(FMUL_S, fp_fast_s_mul) X(FDIV_S, fp_fast_s_div)
/* name, what is negated: the product, the addend */
#define OPS_FP_FMA(X) X(FMADD, 0, 0) X(FMSUB, 0, 1) X(FNMSUB, 1, 0) X(FNMADD, 1, 1)
/* rd (fp) = f(rs1, rs2), no rounding */
#define OPS_FP_D_PLAIN(X) \
    X(FSGNJ_D, (a & ~FP_SIGN64) | (b & FP_SIGN64)) X(FSGNJN_D, (a & ~FP_SIGN64) | (~b & FP_SIGN64)) \
    X(FSGNJX_D, a ^ (b & FP_SIGN64)) X(FMIN_D, fp_d_min(a, b, flags)) X(FMAX_D, fp_d_max(a, b, flags))
#define OPS_FP_S_PLAIN(X) \
    X(FSGNJ_S, (a & ~FP_SIGN32) | (b & FP_SIGN32)) X(FSGNJN_S, (a & ~FP_SIGN32) | (~b & FP_SIGN32)) \
    X(FSGNJX_S, a ^ (b & FP_SIGN32)) X(FMIN_S, fp_s_min(a, b, flags)) X(FMAX_S, fp_s_max(a, b, flags))
/* rd (integer) = f(rs1, rs2) */
#define OPS_FP_D_COMPARE(X) \
    X(FEQ_D, fp_fast_d_eq(a, b, flags)) X(FLT_D, fp_fast_d_lt(a, b, flags)) X(FLE_D, fp_fast_d_le(a, b, flags))
#define OPS_FP_S_COMPARE(X) \
    X(FEQ_S, fp_fast_s_eq(a, b, flags)) X(FLT_S, fp_fast_s_lt(a, b, flags)) X(FLE_S, fp_fast_s_le(a, b, flags))
/* Conversions and square roots: name, value of the destination register; `a` source, `rm` resolved.
 * To integer registers: */
#define OPS_FP_TO_X(X) \
    X(FCVT_W_D, fp_fast_d_to_w(f1, rm, flags)) X(FCVT_WU_D, fp_d_to_wu(f1, rm, flags)) \
    X(FCVT_L_D, fp_fast_d_to_l(f1, rm, flags)) X(FCVT_LU_D, fp_d_to_lu(f1, rm, flags)) \
    X(FCVT_W_S, fp_s_to_w(fp_unbox(f1), rm, flags)) X(FCVT_WU_S, fp_s_to_wu(fp_unbox(f1), rm, flags)) \
    X(FCVT_L_S, fp_s_to_l(fp_unbox(f1), rm, flags)) X(FCVT_LU_S, fp_s_to_lu(fp_unbox(f1), rm, flags))
#define OPS_FP_TO_F(X) \
    X(FCVT_D_W, fp_fast_d_from_w(x1, rm, flags)) X(FCVT_D_WU, fp_d_from_wu(x1, rm, flags)) \
    X(FCVT_D_L, fp_fast_d_from_l(x1, rm, flags)) X(FCVT_D_LU, fp_d_from_lu(x1, rm, flags)) \
    X(FCVT_S_W, fp_box(fp_s_from_w(x1, rm, flags))) X(FCVT_S_WU, fp_box(fp_s_from_wu(x1, rm, flags))) \
    X(FCVT_S_L, fp_box(fp_s_from_l(x1, rm, flags))) X(FCVT_S_LU, fp_box(fp_s_from_lu(x1, rm, flags)))
#define OPS_FP_F_TO_F(X) \
    X(FCVT_S_D, fp_box(fp_fast_s_from_d(f1, rm, flags))) X(FCVT_D_S, fp_fast_d_from_s(fp_unbox(f1), rm, flags)) \
    X(FSQRT_D, fp_fast_d_sqrt(f1, rm, flags)) X(FSQRT_S, fp_box(fp_fast_s_sqrt(fp_unbox(f1), rm, flags)))
#define OPS_FP_MOVE(X) X(FMV_X_D) X(FMV_X_W) X(FMV_D_X) X(FMV_W_X) X(FCLASS_D) X(FCLASS_S)
#define OPS_FP_MEMORY(X) X(FLW) X(FLD) X(FSW) X(FSD)
/* Not instructions: FP_CHECK traps when mstatus.FS is off; FP_DIRTY sets it to dirty. */
#define OPS_FP_STATE(X) X(FP_CHECK) X(FP_DIRTY)

#define OPS_OTHER(X) \
    X(LI) X(AUIPC) X(J) X(JAL) X(JR) X(JALR) X(FALL) X(DEAD) X(NOP) \
    X(LOAD_DISCARD) X(LR_W) X(LR_D) X(SC_W) X(SC_D) \
    X(ILLEGAL) X(ECALL) X(EBREAK) X(CSR) X(CSR_LAST) X(MRET) X(SRET) X(WFI) X(SFENCE) X(SINVAL) \
    X(CBO_ZERO) X(CBO)

#define OPS_1(X, name, ...) X(name)
#define OPS_NAMES(X) \
    OPS_RR(X) OPS_RI(X) OPS_LOAD(X) OPS_STORE(X) OPS_BRANCH(X) OPS_AMO(X) OPS_FP_D2(X) OPS_FP_S2(X) \
    OPS_FP_D_PLAIN(X) OPS_FP_S_PLAIN(X) OPS_FP_D_COMPARE(X) OPS_FP_S_COMPARE(X) OPS_FP_TO_X(X) \
    OPS_FP_TO_F(X) OPS_FP_F_TO_F(X) OPS_FP_MOVE(X) OPS_FP_MEMORY(X) OPS_FP_STATE(X) OPS_OTHER(X)

/* Pairs that come often enough to have a handler of their own. */
#define OPS_FUSED(X) \
    X(LD, LD) X(LD, ADDI) X(LD, ADD) X(LD, MV) X(LD, BNE) X(LD, BEQ) X(LD, ADDIW) X(LD, SD) X(LD, LI) \
    X(LD, LW) X(LD, JR) \
    X(LW, LW) X(LW, ADDI) X(LW, XOR) X(LW, BNE) X(LW, BEQ) X(LW, ADDIW) X(LBU, BEQ) X(LBU, BNE) \
    X(LBU, ADDI) X(LBU, SRLIW) X(LBU, LBU) \
    X(SD, SD) X(SD, ADDI) X(SD, ADD) X(SD, LD) X(SD, MV) X(SD, BNE) X(SD, AUIPC) X(SD, LI) X(SW, ADDI) \
    X(SB, ADDI) \
    X(ADD, LD) X(ADD, LW) X(ADD, LBU) X(ADD, SD) X(ADD, ADD) X(ADD, ADDI) X(ADD, SLTU) X(ADD, SLLI) \
    X(ADD, BNE) X(ADD, BGEU) X(ADD, ADDIW) X(ADD, MUL) X(SUB, SLLI) X(SLTU, ADD) X(SLTU, SRLI) \
    X(MUL, ADD) X(MUL, MUL) X(MUL, SLLI) X(MULW, ADDW) X(ADDW, LD) X(OR, SD) X(OR, OR) X(AND, BNE) \
    X(AND, BEQ) X(XOR, XOR) X(XOR, ANDI) X(XOR, ADDIW) X(XOR, AND) X(XOR, LD) X(XOR, MUL) \
    X(ADDI, ADDI) X(ADDI, LD) X(ADDI, LW) X(ADDI, SD) X(ADDI, ADD) X(ADDI, BNE) X(ADDI, BEQ) \
    X(ADDI, BLTU) X(ADDI, BGEU) X(ADDI, BLT) X(ADDI, J) X(ADDI, JR) X(ADDI, MV) X(ADDI, LI) X(ADDI, XOR) \
    X(ADDI, MULW) X(ADDI, SLLI) X(ADDI, SRLI) X(ADDI, ANDI) X(ADDI, SB) X(ADDI, SW) X(ADDI, LBU) \
    X(ADDIW, BNE) X(ADDIW, ADDI) X(ADDIW, SLLI) X(ADDIW, ANDI) X(ANDI, BEQ) X(ANDI, BNE) X(ANDI, SLLI) \
    X(SLLI, ADD) X(SLLI, SRLI) X(SLLI, ADDI) X(SLLI, OR) X(SRLI, SRLI) X(SRLI, ADD) X(SRLI, MUL) \
    X(SRLI, XOR) X(SRLI, SLLI) X(SRLI, ANDI) X(SRLI, ADDI) X(SRLIW, ADDI) X(SRLI, AND) \
    X(MV, MV) X(MV, LD) X(MV, ADDI) X(MV, BLTU) X(MV, J) X(MV, LI) X(MV, JAL) X(MV, SD) X(MV, AUIPC) \
    X(MV, BEQ) X(MV, BNE) \
    X(LI, BEQ) X(LI, BNE) X(LI, LI) X(LI, MV) X(LI, BGEU) X(LI, BLTU) X(LI, ADDI) X(LI, AND) X(LI, J) \
    X(LI, SD) X(LI, AUIPC) \
    X(AUIPC, ADDI) X(AUIPC, LD) X(AUIPC, JALR) X(AUIPC, LW)

#define OP_ENUM(name, ...) OP_##name,
#define OP_ENUM_FMA(name, ...) OP_##name##_D, OP_##name##_S,
#define OP_ENUM_FUSED(first, second) OP_##first##_##second,
enum op_code {
    OPS_NAMES(OP_ENUM) OPS_FP_FMA(OP_ENUM_FMA)
    OP_PLAIN_COUNT, /* decode.c makes those before */
    OP_PLAIN_LAST = OP_PLAIN_COUNT - 1,
    OPS_FUSED(OP_ENUM_FUSED)
    OP_COUNT
};

/* clang-format on */

#endif
