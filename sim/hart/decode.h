/* decode.h — from instruction bits to operations (volume I: 2, 4, 7, 13 to 17, 21, 22, 28 to 30,
 * 34).
 *
 * Pure functions of the bits: what depends on the hart's state (privilege, FS, frm) is checked when
 * the operation runs. */
#ifndef THAW_SIM_HART_DECODE_H
#define THAW_SIM_HART_DECODE_H

#include "sim/hart/op.h"

#include <stdbool.h>

enum decoded_flag {
    DECODED_ENDS = 1,      /* control never simply goes on to the next operation */
    DECODED_RELATIVE = 2,  /* imm counts from the instruction's address */
    DECODED_LINKS = 4,     /* links follow the operation */
    DECODED_FP = 8,        /* illegal when mstatus.FS is off */
    DECODED_FP_DIRTY = 16, /* makes mstatus.FS dirty, if it does not trap */
};

struct decoded {
    enum op_code code; /* OP_NOP: nothing to do; OP_ILLEGAL: imm holds the bits */
    uint8_t rd;
    uint8_t rs1;
    uint8_t rs2;
    int32_t imm;
    uint32_t flags;
};

/* 2 or 4, from the first parcel. */
static inline uint32_t instruction_bytes(uint32_t bits)
{
    return (bits & 3) == 3 ? 4 : 2;
}

/* The 32-bit instruction that a 16-bit one stands for (I 28); 0, which is illegal, if there is
 * none. */
uint32_t decode_expand(uint16_t bits);
/* `bits` has 16 or 32 significant bits, as its own low bits say. */
void decode_instruction(uint32_t bits, struct decoded *out);

#endif
