#include "sim/hart/disassemble.h"

#include "sim/hart/csr.h"
#include "sim/hart/decode.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const x_names[32] = {"zero", "ra", "sp",  "gp",  "tp", "t0", "t1", "t2",
                                        "s0",   "s1", "a0",  "a1",  "a2", "a3", "a4", "a5",
                                        "a6",   "a7", "s2",  "s3",  "s4", "s5", "s6", "s7",
                                        "s8",   "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
static const char *const f_names[32] = {"ft0", "ft1", "ft2",  "ft3",  "ft4", "ft5", "ft6",  "ft7",
                                        "fs0", "fs1", "fa0",  "fa1",  "fa2", "fa3", "fa4",  "fa5",
                                        "fa6", "fa7", "fs2",  "fs3",  "fs4", "fs5", "fs6",  "fs7",
                                        "fs8", "fs9", "fs10", "fs11", "ft8", "ft9", "ft10", "ft11"};
static const char *const rounding_names[8] = {"rne", "rtz", "rdn", "rup", "rmm", "?", "?", "dyn"};

#define NAME(name, ...)     [OP_##name] = #name,
#define NAME_FMA(name, ...) [OP_##name##_D] = #name "_D", [OP_##name##_S] = #name "_S",
static const char *const op_names[OP_PLAIN_COUNT] = {OPS_NAMES(NAME) OPS_FP_FMA(NAME_FMA)};

/* Which operands a kind of operation shows. */
enum shape {
    SHAPE_NONE,
    SHAPE_RR,
    SHAPE_RI,
    SHAPE_LOAD,
    SHAPE_STORE,
    SHAPE_BRANCH,
    SHAPE_AMO,
    SHAPE_FP_RR,
    SHAPE_FP_PLAIN,
    SHAPE_FP_COMPARE,
    SHAPE_FP_TO_X,
    SHAPE_FP_TO_F,
    SHAPE_FP_F_TO_F,
    SHAPE_FP_FMA,
    SHAPE_FP_LOAD,
    SHAPE_FP_STORE,
};

#define AS_RR(name, ...)      [OP_##name] = SHAPE_RR,
#define AS_RI(name, ...)      [OP_##name] = SHAPE_RI,
#define AS_LOAD(name, ...)    [OP_##name] = SHAPE_LOAD,
#define AS_STORE(name, ...)   [OP_##name] = SHAPE_STORE,
#define AS_BRANCH(name, ...)  [OP_##name] = SHAPE_BRANCH,
#define AS_AMO(name, ...)     [OP_##name] = SHAPE_AMO,
#define AS_FP_RR(name, ...)   [OP_##name] = SHAPE_FP_RR,
#define AS_PLAIN(name, ...)   [OP_##name] = SHAPE_FP_PLAIN,
#define AS_COMPARE(name, ...) [OP_##name] = SHAPE_FP_COMPARE,
#define AS_TO_X(name, ...)    [OP_##name] = SHAPE_FP_TO_X,
#define AS_TO_F(name, ...)    [OP_##name] = SHAPE_FP_TO_F,
#define AS_F_TO_F(name, ...)  [OP_##name] = SHAPE_FP_F_TO_F,
#define AS_FMA(name, ...)     [OP_##name##_D] = SHAPE_FP_FMA, [OP_##name##_S] = SHAPE_FP_FMA,
/* clang-format off */
static const uint8_t shapes[OP_PLAIN_COUNT] = {
    OPS_RR(AS_RR) OPS_RI(AS_RI) OPS_LOAD(AS_LOAD) OPS_STORE(AS_STORE) OPS_BRANCH(AS_BRANCH)
    OPS_AMO(AS_AMO) OPS_FP_D2(AS_FP_RR) OPS_FP_S2(AS_FP_RR) OPS_FP_D_PLAIN(AS_PLAIN)
    OPS_FP_S_PLAIN(AS_PLAIN) OPS_FP_D_COMPARE(AS_COMPARE) OPS_FP_S_COMPARE(AS_COMPARE)
    OPS_FP_TO_X(AS_TO_X) OPS_FP_TO_F(AS_TO_F) OPS_FP_F_TO_F(AS_F_TO_F) OPS_FP_FMA(AS_FMA)
    [OP_FLW] = SHAPE_FP_LOAD, [OP_FLD] = SHAPE_FP_LOAD,
    [OP_FSW] = SHAPE_FP_STORE, [OP_FSD] = SHAPE_FP_STORE,
    [OP_LR_W] = SHAPE_AMO, [OP_LR_D] = SHAPE_AMO, [OP_SC_W] = SHAPE_AMO, [OP_SC_D] = SHAPE_AMO,
    [OP_FMV_X_D] = SHAPE_FP_TO_X, [OP_FMV_X_W] = SHAPE_FP_TO_X,
    [OP_FMV_D_X] = SHAPE_FP_TO_F, [OP_FMV_W_X] = SHAPE_FP_TO_F,
    [OP_FCLASS_D] = SHAPE_FP_TO_X, [OP_FCLASS_S] = SHAPE_FP_TO_X,
};
/* clang-format on */

/* One instruction being written down. */
struct writer {
    struct disassembly *out;
    const struct decoded *in;
    uint64_t pc;
    uint32_t bits;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *writer, const char *format,
                                                      ...)
{
    size_t used = strlen(writer->out->text);
    va_list list;

    va_start(list, format);
    vsnprintf(writer->out->text + used, sizeof writer->out->text - used, format, list);
    va_end(list);
}

/* "FCVT_W_D" is fcvt.w.d. */
static void put_name(struct writer *writer, const char *name)
{
    char *at = writer->out->text + strlen(writer->out->text);

    for (; *name != 0; name++)
        *at++ = *name == '_' ? '.' : (char)tolower((unsigned char)*name);
    *at++ = ' ';
    *at = 0;
}

/* Operations on one register have no immediate. */
static bool is_unary(enum op_code code)
{
    return code >= OP_MV && code <= OP_REV8;
}

static void put_rounding(struct writer *writer)
{
    uint32_t rm = (uint32_t)writer->in->imm & 7;

    if (rm != 7 && shapes[writer->in->code] != SHAPE_FP_PLAIN)
        put(writer, ",%s", rounding_names[rm]);
}

static void put_integer(struct writer *writer)
{
    const struct decoded *in = writer->in;
    const char *rd = x_names[in->rd], *rs1 = x_names[in->rs1], *rs2 = x_names[in->rs2];

    switch (shapes[in->code]) {
    case SHAPE_RR:
        put(writer, "%s,%s,%s", rd, rs1, rs2);
        break;
    case SHAPE_RI:
        if (is_unary(in->code))
            put(writer, "%s,%s", rd, rs1);
        else
            put(writer, "%s,%s,%d", rd, rs1, in->imm);
        break;
    case SHAPE_LOAD:
        put(writer, "%s,%d(%s)", rd, in->imm, rs1);
        break;
    case SHAPE_STORE:
        put(writer, "%s,%d(%s)", rs2, in->imm, rs1);
        break;
    case SHAPE_BRANCH:
        put(writer, "%s,%s,0x%llx", rs1, rs2,
            (unsigned long long)(writer->pc + (uint64_t)(int64_t)in->imm));
        break;
    default: /* atomics */
        if (in->code == OP_LR_W || in->code == OP_LR_D)
            put(writer, "%s,(%s)", rd, rs1);
        else
            put(writer, "%s,%s,(%s)", rd, rs2, rs1);
        break;
    }
}

static void put_float(struct writer *writer)
{
    const struct decoded *in = writer->in;
    const char *rd = f_names[in->rd], *rs1 = f_names[in->rs1], *rs2 = f_names[in->rs2];

    switch (shapes[in->code]) {
    case SHAPE_FP_RR:
    case SHAPE_FP_PLAIN:
        put(writer, "%s,%s,%s", rd, rs1, rs2);
        put_rounding(writer);
        break;
    case SHAPE_FP_FMA:
        put(writer, "%s,%s,%s,%s", rd, rs1, rs2, f_names[in->imm >> 8]);
        put_rounding(writer);
        break;
    case SHAPE_FP_COMPARE:
        put(writer, "%s,%s,%s", x_names[in->rd], rs1, rs2);
        break;
    case SHAPE_FP_TO_X:
        put(writer, "%s,%s", x_names[in->rd], rs1);
        if (in->code <= OP_FCVT_LU_S && in->code >= OP_FCVT_W_D)
            put_rounding(writer);
        break;
    case SHAPE_FP_TO_F:
        put(writer, "%s,%s", rd, x_names[in->rs1]);
        if (in->code <= OP_FCVT_S_LU && in->code >= OP_FCVT_D_W)
            put_rounding(writer);
        break;
    case SHAPE_FP_F_TO_F:
        put(writer, "%s,%s", rd, rs1);
        put_rounding(writer);
        break;
    case SHAPE_FP_LOAD:
        put(writer, "%s,%d(%s)", rd, in->imm, x_names[in->rs1]);
        break;
    default:
        put(writer, "%s,%d(%s)", rs2, in->imm, x_names[in->rs1]);
        break;
    }
}

static void put_csr(struct writer *writer)
{
    static const char *const names[8] = {"?", "csrrw",  "csrrs",  "csrrc",
                                         "?", "csrrwi", "csrrsi", "csrrci"};
    const struct decoded *in = writer->in;
    const char *name = csr_name((uint32_t)in->imm);

    put(writer, "%s %s,", names[in->rs2], x_names[in->rd]);
    if (name != NULL)
        put(writer, "%s,", name);
    else
        put(writer, "0x%x,", (unsigned)in->imm);
    if ((in->rs2 & 4) != 0)
        put(writer, "%u", in->rs1);
    else
        put(writer, "%s", x_names[in->rs1]);
}

static void put_jump(struct writer *writer)
{
    const struct decoded *in = writer->in;
    unsigned long long target = writer->pc + (uint64_t)(int64_t)in->imm;

    switch (in->code) {
    case OP_J:
        put(writer, "j 0x%llx", target);
        break;
    case OP_JAL:
        put(writer, "jal %s,0x%llx", x_names[in->rd], target);
        break;
    case OP_AUIPC:
        put(writer, "auipc %s,0x%x", x_names[in->rd], (uint32_t)in->imm >> 12);
        break;
    case OP_LI:
        if ((writer->bits & 0x7f) == 0x37)
            put(writer, "lui %s,0x%x", x_names[in->rd], (uint32_t)in->imm >> 12);
        else
            put(writer, "li %s,%d", x_names[in->rd], in->imm);
        break;
    default: /* JR, JALR */
        put(writer, "jalr %s,%d(%s)", x_names[in->rd], in->imm, x_names[in->rs1]);
        break;
    }
}

static void put_discarded_load(struct writer *writer)
{
    static const char *const names[8] = {"lb", "lh", "lw", "ld", "lbu", "lhu", "lwu", "?"};

    put(writer, "%s zero,%d(%s)", names[writer->bits >> 12 & 7], writer->in->imm,
        x_names[writer->in->rs1]);
}

static void put_privileged(struct writer *writer)
{
    const struct decoded *in = writer->in;
    uint32_t f7 = writer->bits >> 25;

    switch (in->code) {
    case OP_SFENCE:
        put(writer, "%s %s,%s", f7 == 0x09 ? "sfence.vma" : "sinval.vma", x_names[in->rs1],
            x_names[in->rs2]);
        break;
    case OP_SINVAL:
        put(writer, "%s", in->rs2 == 0 ? "sfence.w.inval" : "sfence.inval.ir");
        break;
    case OP_CBO:
        put(writer, "cbo.%s (%s)", (const char *const[]){"inval", "clean", "flush"}[in->imm],
            x_names[in->rs1]);
        break;
    case OP_CBO_ZERO:
        put(writer, "cbo.zero (%s)", x_names[in->rs1]);
        break;
    case OP_FALL:
        put(writer, "fence.i");
        break;
    case OP_ILLEGAL:
        put(writer, "illegal 0x%0*x", 2 * (int)writer->out->bytes,
            writer->out->bytes == 2 ? writer->bits & 0xffff : writer->bits);
        break;
    default: /* nop, ecall, ebreak, mret, sret, wfi */
        put_name(writer, op_names[in->code]);
        writer->out->text[strlen(writer->out->text) - 1] = 0;
        break;
    }
}

static void put_other(struct writer *writer)
{
    switch (writer->in->code) {
    case OP_CSR:
    case OP_CSR_LAST:
        put_csr(writer);
        break;
    case OP_LI:
    case OP_AUIPC:
    case OP_J:
    case OP_JAL:
    case OP_JR:
    case OP_JALR:
        put_jump(writer);
        break;
    case OP_LOAD_DISCARD:
        put_discarded_load(writer);
        break;
    default:
        put_privileged(writer);
        break;
    }
}

struct disassembly disassemble(uint32_t bits, uint64_t pc)
{
    struct disassembly out = {.text = "", .bytes = instruction_bytes(bits)};
    struct decoded in;
    struct writer writer = {&out, &in, pc, bits};

    decode_instruction(bits, &in);
    if (out.bytes == 2 && in.code != OP_ILLEGAL)
        writer.bits = decode_expand((uint16_t)bits);
    if (shapes[in.code] == SHAPE_NONE) {
        put_other(&writer);
        return out;
    }
    put_name(&writer, op_names[in.code]);
    if (shapes[in.code] < SHAPE_FP_RR)
        put_integer(&writer);
    else
        put_float(&writer);
    return out;
}
