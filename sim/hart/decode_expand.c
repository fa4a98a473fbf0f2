#include "sim/hart/decode.h"

enum { X0 = 0, RA = 1, SP = 2 };
enum major {
    LOAD = 0x03,
    LOAD_FP = 0x07,
    OP_IMM = 0x13,
    OP_IMM_32 = 0x1b,
    STORE = 0x23,
    STORE_FP = 0x27,
    OP = 0x33,
    LUI = 0x37,
    OP_32 = 0x3b,
    BRANCH = 0x63,
    JALR = 0x67,
    JAL = 0x6f,
    SYSTEM = 0x73,
};

static uint32_t bits(uint32_t value, uint32_t high, uint32_t low)
{
    return value >> low & ((1u << (high - low + 1)) - 1);
}

static uint32_t type_i(uint32_t major, uint32_t f3, uint32_t rd, uint32_t rs1, uint32_t imm)
{
    return (imm & 0xfff) << 20 | rs1 << 15 | f3 << 12 | rd << 7 | major;
}

static uint32_t type_r(uint32_t major, uint32_t f7_f3, uint32_t rd, uint32_t rs1, uint32_t rs2)
{
    return (f7_f3 >> 4) << 25 | rs2 << 20 | rs1 << 15 | (f7_f3 & 7) << 12 | rd << 7 | major;
}

static uint32_t type_s(uint32_t major, uint32_t f3, uint32_t rs1, uint32_t rs2, uint32_t imm)
{
    return bits(imm, 11, 5) << 25 | rs2 << 20 | rs1 << 15 | f3 << 12 | bits(imm, 4, 0) << 7 | major;
}

static uint32_t type_b(uint32_t f3, uint32_t rs1, uint32_t imm)
{
    return bits(imm, 12, 12) << 31 | bits(imm, 10, 5) << 25 | rs1 << 15 | f3 << 12 |
           bits(imm, 4, 1) << 8 | bits(imm, 11, 11) << 7 | BRANCH;
}

static uint32_t type_j(uint32_t rd, uint32_t imm)
{
    return bits(imm, 20, 20) << 31 | bits(imm, 10, 1) << 21 | bits(imm, 11, 11) << 20 |
           bits(imm, 19, 12) << 12 | rd << 7 | JAL;
}

/* The six-bit immediate of bits 12 and 6:2, sign-extended. */
static uint32_t imm6(uint32_t c)
{
    uint32_t value = bits(c, 12, 12) << 5 | bits(c, 6, 2);

    return (c & 0x1000) != 0 ? value | ~31u : value;
}

static uint32_t expand_0(uint32_t c)
{
    uint32_t rd = 8 + bits(c, 4, 2), rs1 = 8 + bits(c, 9, 7);
    uint32_t offset_8 = bits(c, 12, 10) << 3 | bits(c, 6, 5) << 6;
    uint32_t offset_4 = bits(c, 12, 10) << 3 | bits(c, 6, 6) << 2 | bits(c, 5, 5) << 6;
    uint32_t imm =
        bits(c, 12, 11) << 4 | bits(c, 10, 7) << 6 | bits(c, 6, 6) << 2 | bits(c, 5, 5) << 3;

    switch (c >> 13) {
    case 0:
        return imm == 0 ? 0 : type_i(OP_IMM, 0, rd, SP, imm); /* c.addi4spn */
    case 1:
        return type_i(LOAD_FP, 3, rd, rs1, offset_8);
    case 2:
        return type_i(LOAD, 2, rd, rs1, offset_4);
    case 3:
        return type_i(LOAD, 3, rd, rs1, offset_8);
    case 5:
        return type_s(STORE_FP, 3, rs1, rd, offset_8);
    case 6:
        return type_s(STORE, 2, rs1, rd, offset_4);
    case 7:
        return type_s(STORE, 3, rs1, rd, offset_8);
    default:
        return 0;
    }
}

static uint32_t expand_lui(uint32_t c)
{
    uint32_t rd = bits(c, 11, 7), imm = imm6(c);
    uint32_t sp = (c & 0x1000 ? ~0x1ffu : 0) | bits(c, 6, 6) << 4 | bits(c, 5, 5) << 6 |
                  bits(c, 4, 3) << 7 | bits(c, 2, 2) << 5;

    if (imm == 0)
        return 0;
    return rd == SP ? type_i(OP_IMM, 0, SP, SP, sp) : imm << 12 | rd << 7 | LUI;
}

static uint32_t expand_arithmetic(uint32_t c)
{
    static const uint16_t f7_f3[8] = {0x200, 0x004, 0x006, 0x007, 0x200, 0x000, 0xfff, 0xfff};
    uint32_t rd = 8 + bits(c, 9, 7), rs2 = 8 + bits(c, 4, 2);
    uint32_t shift = bits(c, 12, 12) << 5 | bits(c, 6, 2);
    uint32_t kind = bits(c, 12, 12) << 2 | bits(c, 6, 5);

    switch (bits(c, 11, 10)) {
    case 0:
        return type_i(OP_IMM, 5, rd, rd, shift);
    case 1:
        return type_i(OP_IMM, 5, rd, rd, shift | 0x400);
    case 2:
        return type_i(OP_IMM, 7, rd, rd, imm6(c));
    default:
        if (f7_f3[kind] == 0xfff)
            return 0;
        return type_r(kind < 4 ? OP : OP_32, f7_f3[kind], rd, rd, rs2);
    }
}

static uint32_t expand_1(uint32_t c)
{
    uint32_t rd = bits(c, 11, 7), rs1 = 8 + bits(c, 9, 7);
    uint32_t sign = c & 0x1000 ? UINT32_MAX : 0;
    uint32_t jump = (sign << 11) | bits(c, 11, 11) << 4 | bits(c, 10, 9) << 8 |
                    bits(c, 8, 8) << 10 | bits(c, 7, 7) << 6 | bits(c, 6, 6) << 7 |
                    bits(c, 5, 3) << 1 | bits(c, 2, 2) << 5;
    uint32_t branch = (sign << 8) | bits(c, 11, 10) << 3 | bits(c, 6, 5) << 6 | bits(c, 4, 3) << 1 |
                      bits(c, 2, 2) << 5;

    switch (c >> 13) {
    case 0:
        return type_i(OP_IMM, 0, rd, rd, imm6(c));
    case 1:
        return rd == 0 ? 0 : type_i(OP_IMM_32, 0, rd, rd, imm6(c));
    case 2:
        return type_i(OP_IMM, 0, rd, X0, imm6(c));
    case 3:
        return expand_lui(c);
    case 4:
        return expand_arithmetic(c);
    case 5:
        return type_j(X0, jump);
    case 6:
        return type_b(0, rs1, branch);
    default:
        return type_b(1, rs1, branch);
    }
}

static uint32_t expand_jump_or_move(uint32_t c)
{
    uint32_t rd = bits(c, 11, 7), rs2 = bits(c, 6, 2);
    bool second = (c & 0x1000) != 0;

    if (rs2 != 0)
        return type_r(OP, 0, rd, second ? rd : X0, rs2);
    if (rd != 0)
        return type_i(JALR, 0, second ? RA : X0, rd, 0);
    return second ? type_i(SYSTEM, 0, 0, 0, 1) : 0; /* ebreak */
}

static uint32_t expand_2(uint32_t c)
{
    uint32_t rd = bits(c, 11, 7), rs2 = bits(c, 6, 2);
    uint32_t load_8 = bits(c, 12, 12) << 5 | bits(c, 6, 5) << 3 | bits(c, 4, 2) << 6;
    uint32_t load_4 = bits(c, 12, 12) << 5 | bits(c, 6, 4) << 2 | bits(c, 3, 2) << 6;
    uint32_t store_8 = bits(c, 12, 10) << 3 | bits(c, 9, 7) << 6;
    uint32_t store_4 = bits(c, 12, 9) << 2 | bits(c, 8, 7) << 6;

    switch (c >> 13) {
    case 0:
        return type_i(OP_IMM, 1, rd, rd, bits(c, 12, 12) << 5 | bits(c, 6, 2));
    case 1:
        return type_i(LOAD_FP, 3, rd, SP, load_8);
    case 2:
        return rd == 0 ? 0 : type_i(LOAD, 2, rd, SP, load_4);
    case 3:
        return rd == 0 ? 0 : type_i(LOAD, 3, rd, SP, load_8);
    case 4:
        return expand_jump_or_move(c);
    case 5:
        return type_s(STORE_FP, 3, SP, rs2, store_8);
    case 6:
        return type_s(STORE, 2, SP, rs2, store_4);
    default:
        return type_s(STORE, 3, SP, rs2, store_8);
    }
}

uint32_t decode_expand(uint16_t c)
{
    switch (c & 3) {
    case 0:
        return expand_0(c);
    case 1:
        return expand_1(c);
    case 2:
        return expand_2(c);
    default:
        return 0;
    }
}
