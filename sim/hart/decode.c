#include "sim/hart/decode.h"

#include <stddef.h>

#define DECODE_RM_DYNAMIC 7

static const uint32_t FP_WRITES = DECODED_FP | DECODED_FP_DIRTY;

static int32_t imm_i(uint32_t bits)
{
    return (int32_t)bits >> 20;
}

static int32_t imm_s(uint32_t bits)
{
    return (int32_t)(bits & 0xfe000000) >> 20 | (int32_t)(bits >> 7 & 31);
}

static int32_t imm_b(uint32_t bits)
{
    return (int32_t)(bits & 0x80000000) >> 19 | (int32_t)((bits & 0x80) << 4) |
           (int32_t)(bits >> 20 & 0x7e0) | (int32_t)(bits >> 7 & 0x1e);
}

static int32_t imm_j(uint32_t bits)
{
    return (int32_t)(bits & 0x80000000) >> 11 | (int32_t)(bits & 0xff000) |
           (int32_t)(bits >> 9 & 0x800) | (int32_t)(bits >> 20 & 0x7fe);
}

static uint32_t funct3(uint32_t bits)
{
    return bits >> 12 & 7;
}

static uint32_t funct7(uint32_t bits)
{
    return bits >> 25;
}

struct entry {
    uint32_t key;
    enum op_code code;
};

/* OP_ILLEGAL if the key is not there. */
static enum op_code find(const struct entry *entries, size_t count, uint32_t key)
{
    for (size_t i = 0; i < count; i++)
        if (entries[i].key == key)
            return entries[i].code;
    return OP_ILLEGAL;
}
#define FIND(entries, key) find(entries, sizeof(entries) / sizeof(entries)[0], key)

/* A computation whose result is dropped is nothing at all. */
static void compute(struct decoded *out, enum op_code code)
{
    out->code = code != OP_ILLEGAL && out->rd == 0 ? OP_NOP : code;
}

static void decode_load(uint32_t bits, struct decoded *out)
{
    static const enum op_code codes[8] = {OP_LB,  OP_LH,  OP_LW,  OP_LD,
                                          OP_LBU, OP_LHU, OP_LWU, OP_ILLEGAL};

    out->code = codes[funct3(bits)];
    out->imm = imm_i(bits);
    if (out->rd == 0 && out->code != OP_ILLEGAL) {
        out->code = OP_LOAD_DISCARD; /* it may still fault, and devices see it */
        out->rs2 = (uint8_t)(1u << (funct3(bits) & 3));
    }
}

static void decode_store(uint32_t bits, struct decoded *out)
{
    static const enum op_code codes[8] = {OP_SB,      OP_SH,      OP_SW,      OP_SD,
                                          OP_ILLEGAL, OP_ILLEGAL, OP_ILLEGAL, OP_ILLEGAL};

    out->code = codes[funct3(bits)];
    out->imm = imm_s(bits);
}

static void decode_fp_memory(uint32_t bits, struct decoded *out, bool is_store)
{
    uint32_t f3 = funct3(bits);

    if (f3 != 2 && f3 != 3)
        return;
    if (is_store)
        out->code = f3 == 2 ? OP_FSW : OP_FSD;
    else
        out->code = f3 == 2 ? OP_FLW : OP_FLD;
    out->imm = is_store ? imm_s(bits) : imm_i(bits);
    out->flags = is_store ? DECODED_FP : FP_WRITES;
}

/* FENCE and its hints are nothing to a hart that executes in order; CBO (Zicbom, Zicboz) are here
 * too. */
static void decode_misc(uint32_t bits, struct decoded *out)
{
    uint32_t f3 = funct3(bits), f12 = bits >> 20;

    if (f3 == 0) {
        out->code = OP_NOP;
    } else if (f3 == 1) {
        out->code = OP_FALL; /* FENCE.I: code is coherent anyway */
        out->flags = DECODED_ENDS | DECODED_RELATIVE | DECODED_LINKS;
        out->imm = 4;
    } else if (f3 == 2 && out->rd == 0 && f12 <= 4 && f12 != 3) {
        out->code = f12 == 4 ? OP_CBO_ZERO : OP_CBO;
        out->imm = (int32_t)f12;
    }
}

static void decode_op_imm(uint32_t bits, struct decoded *out)
{
    static const struct entry unary[] = {
        {0x600, OP_CLZ}, {0x601, OP_CTZ}, {0x602, OP_CPOP}, {0x604, OP_SEXT_B}, {0x605, OP_SEXT_H},
    };
    static const struct entry left[] = {
        {0x00, OP_SLLI}, {0x0a, OP_BSETI}, {0x12, OP_BCLRI}, {0x1a, OP_BINVI}};
    static const struct entry right[] = {
        {0x00, OP_SRLI}, {0x10, OP_SRAI}, {0x12, OP_BEXTI}, {0x18, OP_RORI}};
    static const enum op_code plain[8] = {OP_ADDI, OP_ILLEGAL, OP_SLTI, OP_SLTIU,
                                          OP_XORI, OP_ILLEGAL, OP_ORI,  OP_ANDI};
    uint32_t f3 = funct3(bits), f6 = bits >> 26, f12 = bits >> 20;
    enum op_code code = plain[f3];

    out->imm = imm_i(bits);
    if (f3 == 1) {
        code = FIND(left, f6);
        if (f6 == 0x18)
            code = FIND(unary, f12);
    } else if (f3 == 5) {
        code = FIND(right, f6);
        if (f12 == 0x287)
            code = OP_ORC_B;
        else if (f12 == 0x6b8)
            code = OP_REV8;
    } else if (f3 == 0 && out->rs1 == 0) {
        code = OP_LI;
    } else if (f3 == 0 && out->imm == 0) {
        code = OP_MV;
    }
    if (f3 == 1 || f3 == 5)
        out->imm &= 63;
    compute(out, code);
}

static void decode_op_imm_32(uint32_t bits, struct decoded *out)
{
    static const struct entry unary[] = {{0x600, OP_CLZW}, {0x601, OP_CTZW}, {0x602, OP_CPOPW}};
    static const struct entry right[] = {{0x00, OP_SRLIW}, {0x20, OP_SRAIW}, {0x30, OP_RORIW}};
    uint32_t f3 = funct3(bits), f7 = funct7(bits);
    enum op_code code = OP_ILLEGAL;

    out->imm = imm_i(bits);
    if (f3 == 0) {
        code = OP_ADDIW;
    } else if (f3 == 1) {
        if (f7 == 0x30)
            code = FIND(unary, bits >> 20);
        else if (f7 >> 1 == 2)
            code = OP_SLLI_UW;
        else if (f7 == 0)
            code = OP_SLLIW;
    } else if (f3 == 5) {
        code = FIND(right, f7);
    }
    if (f3 != 0)
        out->imm &= 63;
    compute(out, code);
}

#define KEY(f7, f3) ((f7) << 3 | (f3))

static void decode_op(uint32_t bits, struct decoded *out)
{
    static const struct entry entries[] = {
        {KEY(0x00, 0), OP_ADD},    {KEY(0x20, 0), OP_SUB},       {KEY(0x00, 1), OP_SLL},
        {KEY(0x00, 2), OP_SLT},    {KEY(0x00, 3), OP_SLTU},      {KEY(0x00, 4), OP_XOR},
        {KEY(0x00, 5), OP_SRL},    {KEY(0x20, 5), OP_SRA},       {KEY(0x00, 6), OP_OR},
        {KEY(0x00, 7), OP_AND},    {KEY(0x01, 0), OP_MUL},       {KEY(0x01, 1), OP_MULH},
        {KEY(0x01, 2), OP_MULHSU}, {KEY(0x01, 3), OP_MULHU},     {KEY(0x01, 4), OP_DIV},
        {KEY(0x01, 5), OP_DIVU},   {KEY(0x01, 6), OP_REM},       {KEY(0x01, 7), OP_REMU},
        {KEY(0x10, 2), OP_SH1ADD}, {KEY(0x10, 4), OP_SH2ADD},    {KEY(0x10, 6), OP_SH3ADD},
        {KEY(0x20, 7), OP_ANDN},   {KEY(0x20, 6), OP_ORN},       {KEY(0x20, 4), OP_XNOR},
        {KEY(0x05, 6), OP_MAX},    {KEY(0x05, 7), OP_MAXU},      {KEY(0x05, 4), OP_MIN},
        {KEY(0x05, 5), OP_MINU},   {KEY(0x30, 1), OP_ROL},       {KEY(0x30, 5), OP_ROR},
        {KEY(0x24, 1), OP_BCLR},   {KEY(0x24, 5), OP_BEXT},      {KEY(0x34, 1), OP_BINV},
        {KEY(0x14, 1), OP_BSET},   {KEY(0x07, 5), OP_CZERO_EQZ}, {KEY(0x07, 7), OP_CZERO_NEZ},
    };
    enum op_code code = FIND(entries, KEY(funct7(bits), funct3(bits)));

    if (code == OP_ADD && (out->rs1 == 0 || out->rs2 == 0)) {
        out->rs1 |= out->rs2;
        code = OP_MV;
    }
    compute(out, code);
}

static void decode_op_32(uint32_t bits, struct decoded *out)
{
    static const struct entry entries[] = {
        {KEY(0x00, 0), OP_ADDW},      {KEY(0x20, 0), OP_SUBW},      {KEY(0x00, 1), OP_SLLW},
        {KEY(0x00, 5), OP_SRLW},      {KEY(0x20, 5), OP_SRAW},      {KEY(0x01, 0), OP_MULW},
        {KEY(0x01, 4), OP_DIVW},      {KEY(0x01, 5), OP_DIVUW},     {KEY(0x01, 6), OP_REMW},
        {KEY(0x01, 7), OP_REMUW},     {KEY(0x04, 0), OP_ADD_UW},    {KEY(0x10, 2), OP_SH1ADD_UW},
        {KEY(0x10, 4), OP_SH2ADD_UW}, {KEY(0x10, 6), OP_SH3ADD_UW}, {KEY(0x30, 1), OP_ROLW},
        {KEY(0x30, 5), OP_RORW},
    };
    enum op_code code = FIND(entries, KEY(funct7(bits), funct3(bits)));

    if (funct7(bits) == 0x04 && funct3(bits) == 4 && out->rs2 == 0)
        code = OP_ZEXT_H;
    compute(out, code);
}

static void decode_amo(uint32_t bits, struct decoded *out)
{
    static const struct entry entries[] = {
        {0x00, OP_AMOADD_W},  {0x01, OP_AMOSWAP_W}, {0x04, OP_AMOXOR_W}, {0x08, OP_AMOOR_W},
        {0x0c, OP_AMOAND_W},  {0x10, OP_AMOMIN_W},  {0x14, OP_AMOMAX_W}, {0x18, OP_AMOMINU_W},
        {0x1c, OP_AMOMAXU_W}, {0x02, OP_LR_W},      {0x03, OP_SC_W},
    };
    uint32_t f3 = funct3(bits), f5 = bits >> 27;
    enum op_code code = FIND(entries, f5);

    if ((f3 != 2 && f3 != 3) || code == OP_ILLEGAL || (code == OP_LR_W && out->rs2 != 0))
        return;
    if (f3 == 3 && code == OP_LR_W)
        code = OP_LR_D;
    else if (f3 == 3 && code == OP_SC_W)
        code = OP_SC_D;
    else if (f3 == 3)
        code += OP_AMOADD_D - OP_AMOADD_W;
    out->code = code;
}

static void decode_jump(uint32_t bits, struct decoded *out, uint32_t length)
{
    if ((bits & 0x7f) == 0x6f) { /* JAL */
        out->code = out->rd == 0 ? OP_J : OP_JAL;
        out->imm = imm_j(bits);
        out->flags = DECODED_ENDS | DECODED_RELATIVE | DECODED_LINKS;
        out->rs2 = (uint8_t)length;
    } else if (funct3(bits) == 0) { /* JALR */
        out->code = out->rd == 0 ? OP_JR : OP_JALR;
        out->imm = imm_i(bits);
        out->flags = DECODED_ENDS;
        out->rs2 = (uint8_t)length;
    }
}

static void decode_branch(uint32_t bits, struct decoded *out)
{
    static const enum op_code codes[8] = {OP_BEQ, OP_BNE, OP_ILLEGAL, OP_ILLEGAL,
                                          OP_BLT, OP_BGE, OP_BLTU,    OP_BGEU};

    out->code = codes[funct3(bits)];
    out->imm = imm_b(bits);
    out->flags = DECODED_ENDS | DECODED_RELATIVE | DECODED_LINKS;
}

static void decode_privileged(uint32_t bits, struct decoded *out)
{
    static const struct entry whole[] = {
        {0x00000073, OP_ECALL},  {0x00100073, OP_EBREAK}, {0x30200073, OP_MRET},
        {0x10200073, OP_SRET},   {0x10500073, OP_WFI},    {0x18000073, OP_SINVAL},
        {0x18100073, OP_SINVAL},
    };

    if (out->rd == 0 && (funct7(bits) == 0x09 || funct7(bits) == 0x0b)) {
        out->code = OP_SFENCE; /* SFENCE.VMA, SINVAL.VMA */
        return;
    }
    out->code = FIND(whole, bits);
    if (out->code != OP_SINVAL)
        out->flags = DECODED_ENDS;
}

static void decode_system(uint32_t bits, struct decoded *out)
{
    uint32_t f3 = funct3(bits), csr = bits >> 20;
    bool writes = (f3 & 3) == 1 || out->rs1 != 0;

    if (f3 == 0) {
        decode_privileged(bits, out);
        return;
    }
    if (f3 == 4)
        return;
    /* Writing these changes what the rest of the block means (FS, translation): they end it. */
    bool ends = writes && (csr == 0x300 || csr == 0x100 || csr == 0x180);

    out->code = ends ? OP_CSR_LAST : OP_CSR;
    out->flags = ends ? DECODED_ENDS : 0;
    out->imm = (int32_t)csr;
    out->rs2 = (uint8_t)f3;
}

/* Which rounding modes an instruction may name: 5 and 6 are reserved. */
static bool rounding_valid(uint32_t rm)
{
    return rm <= 4 || rm == DECODE_RM_DYNAMIC;
}

static void decode_fma(uint32_t bits, struct decoded *out)
{
    static const enum op_code codes[4] = {OP_FMADD_D, OP_FMSUB_D, OP_FNMSUB_D, OP_FNMADD_D};
    uint32_t format = bits >> 25 & 3, rm = funct3(bits);

    if (format > 1 || !rounding_valid(rm))
        return;
    out->code = codes[bits >> 2 & 3] + (format == 0 ? OP_FMADD_S - OP_FMADD_D : 0);
    out->imm = (int32_t)(rm | (bits >> 27) << 8);
    out->flags = FP_WRITES;
}

/* Instructions with a rounding mode; rs2 tells the conversion's integer type. */
static enum op_code fp_rounding_code(uint32_t f7, uint32_t rs2)
{
    static const struct entry two[] = {
        {0x00, OP_FADD_S}, {0x01, OP_FADD_D}, {0x04, OP_FSUB_S}, {0x05, OP_FSUB_D},
        {0x08, OP_FMUL_S}, {0x09, OP_FMUL_D}, {0x0c, OP_FDIV_S}, {0x0d, OP_FDIV_D},
    };
    static const struct entry one[] = {
        {KEY(0x2c, 0) << 2, OP_FSQRT_S},      {KEY(0x2d, 0) << 2, OP_FSQRT_D},
        {KEY(0x20, 0) << 2 | 1, OP_FCVT_S_D}, {KEY(0x21, 0) << 2, OP_FCVT_D_S},
        {KEY(0x60, 0) << 2, OP_FCVT_W_S},     {KEY(0x60, 0) << 2 | 1, OP_FCVT_WU_S},
        {KEY(0x60, 0) << 2 | 2, OP_FCVT_L_S}, {KEY(0x60, 0) << 2 | 3, OP_FCVT_LU_S},
        {KEY(0x61, 0) << 2, OP_FCVT_W_D},     {KEY(0x61, 0) << 2 | 1, OP_FCVT_WU_D},
        {KEY(0x61, 0) << 2 | 2, OP_FCVT_L_D}, {KEY(0x61, 0) << 2 | 3, OP_FCVT_LU_D},
        {KEY(0x68, 0) << 2, OP_FCVT_S_W},     {KEY(0x68, 0) << 2 | 1, OP_FCVT_S_WU},
        {KEY(0x68, 0) << 2 | 2, OP_FCVT_S_L}, {KEY(0x68, 0) << 2 | 3, OP_FCVT_S_LU},
        {KEY(0x69, 0) << 2, OP_FCVT_D_W},     {KEY(0x69, 0) << 2 | 1, OP_FCVT_D_WU},
        {KEY(0x69, 0) << 2 | 2, OP_FCVT_D_L}, {KEY(0x69, 0) << 2 | 3, OP_FCVT_D_LU},
    };
    enum op_code code = FIND(two, f7);

    if (code == OP_ILLEGAL && rs2 < 4)
        code = FIND(one, KEY(f7, 0) << 2 | rs2);
    return code;
}

static enum op_code fp_plain_code(uint32_t f7, uint32_t f3, uint32_t rs2)
{
    static const struct entry two[] = {
        {KEY(0x10, 0), OP_FSGNJ_S}, {KEY(0x10, 1), OP_FSGNJN_S}, {KEY(0x10, 2), OP_FSGNJX_S},
        {KEY(0x11, 0), OP_FSGNJ_D}, {KEY(0x11, 1), OP_FSGNJN_D}, {KEY(0x11, 2), OP_FSGNJX_D},
        {KEY(0x14, 0), OP_FMIN_S},  {KEY(0x14, 1), OP_FMAX_S},   {KEY(0x15, 0), OP_FMIN_D},
        {KEY(0x15, 1), OP_FMAX_D},  {KEY(0x50, 2), OP_FEQ_S},    {KEY(0x50, 1), OP_FLT_S},
        {KEY(0x50, 0), OP_FLE_S},   {KEY(0x51, 2), OP_FEQ_D},    {KEY(0x51, 1), OP_FLT_D},
        {KEY(0x51, 0), OP_FLE_D},
    };
    static const struct entry one[] = {
        {KEY(0x70, 0), OP_FMV_X_W},  {KEY(0x70, 1), OP_FCLASS_S}, {KEY(0x71, 0), OP_FMV_X_D},
        {KEY(0x71, 1), OP_FCLASS_D}, {KEY(0x78, 0), OP_FMV_W_X},  {KEY(0x79, 0), OP_FMV_D_X},
    };
    enum op_code code = FIND(two, KEY(f7, f3));

    if (code == OP_ILLEGAL && rs2 == 0)
        code = FIND(one, KEY(f7, f3));
    return code;
}

static bool writes_x_and_flags(enum op_code code)
{
    return (code >= OP_FCVT_W_D && code <= OP_FCVT_LU_S) || (code >= OP_FEQ_D && code <= OP_FLE_S);
}

static void decode_op_fp(uint32_t bits, struct decoded *out)
{
    uint32_t f7 = funct7(bits), rm = funct3(bits);
    enum op_code code = fp_plain_code(f7, rm, out->rs2);

    out->flags = FP_WRITES;
    if (code == OP_ILLEGAL && rounding_valid(rm)) {
        code = fp_rounding_code(f7, out->rs2);
        out->imm = (int32_t)rm;
    }
    if (code == OP_FMV_X_D || code == OP_FMV_X_W || code == OP_FCLASS_D || code == OP_FCLASS_S) {
        out->flags = DECODED_FP;
        if (out->rd == 0)
            code = OP_NOP; /* they raise no flag: only FS is looked at */
    }
    if (writes_x_and_flags(code) && out->rd == 0)
        out->imm |= 0x100; /* flags only: the handlers that can raise some look at this */
    out->code = code;
}

void decode_instruction(uint32_t bits, struct decoded *out)
{
    uint32_t original = bits, length = instruction_bytes(bits);

    if (length == 2)
        bits = decode_expand((uint16_t)bits);
    *out = (struct decoded){
        .code = OP_ILLEGAL, .rd = bits >> 7 & 31, .rs1 = bits >> 15 & 31, .rs2 = bits >> 20 & 31};
    switch (bits & 0x7f) {
    case 0x03:
        decode_load(bits, out);
        break;
    case 0x07:
        decode_fp_memory(bits, out, false);
        break;
    case 0x0f:
        decode_misc(bits, out);
        break;
    case 0x13:
        decode_op_imm(bits, out);
        break;
    case 0x17:
        out->imm = (int32_t)(bits & 0xfffff000);
        out->flags = DECODED_RELATIVE;
        compute(out, OP_AUIPC);
        break;
    case 0x1b:
        decode_op_imm_32(bits, out);
        break;
    case 0x23:
        decode_store(bits, out);
        break;
    case 0x27:
        decode_fp_memory(bits, out, true);
        break;
    case 0x2f:
        decode_amo(bits, out);
        break;
    case 0x33:
        decode_op(bits, out);
        break;
    case 0x37:
        out->imm = (int32_t)(bits & 0xfffff000);
        compute(out, OP_LI);
        break;
    case 0x3b:
        decode_op_32(bits, out);
        break;
    case 0x43:
    case 0x47:
    case 0x4b:
    case 0x4f:
        decode_fma(bits, out);
        break;
    case 0x53:
        decode_op_fp(bits, out);
        break;
    case 0x63:
        decode_branch(bits, out);
        break;
    case 0x67:
    case 0x6f:
        decode_jump(bits, out, length);
        break;
    case 0x73:
        decode_system(bits, out);
        break;
    default:
        break;
    }
    if (out->code == OP_ILLEGAL) {
        out->imm = (int32_t)original;
        out->flags = DECODED_ENDS;
    }
}
