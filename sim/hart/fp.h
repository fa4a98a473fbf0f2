/* fp.h — floating point, bit-exact on every host: Berkeley SoftFloat 3e (RISC-V specialisation),
 * with the host's FPU only where it gives the same bits and flags (fp_fast.h). F, D (I 21, 22);
 * values are 64-bit registers, singles NaN-boxed.
 *
 * Every function takes the rounding mode (0…4, already resolved and checked) and ORs exception
 * flags into *flags (NV 16, DZ 8, OF 4, UF 2, NX 1). */
#ifndef THAW_SIM_HART_FP_H
#define THAW_SIM_HART_FP_H

#include <stdbool.h>
#include <stdint.h>

enum fp_flag { FP_NX = 1, FP_UF = 2, FP_OF = 4, FP_DZ = 8, FP_NV = 16 };
enum fp_rounding { FP_RNE = 0, FP_RTZ = 1, FP_RDN = 2, FP_RUP = 3, FP_RMM = 4, FP_DYNAMIC = 7 };

static inline uint64_t fp_box(uint32_t single)
{
    return UINT64_C(0xffffffff00000000) | single;
}
/* A badly boxed single is the canonical NaN (I 22.2). */
static inline uint32_t fp_unbox(uint64_t reg)
{
    return reg >> 32 == 0xffffffff ? (uint32_t)reg : UINT32_C(0x7fc00000);
}

/* d: double bits in, double bits out. s: single bits in, single bits out (boxing is the
 * caller's). */
uint64_t fp_d_add(uint64_t a, uint64_t b, uint32_t rm, uint8_t *flags);
uint64_t fp_d_sub(uint64_t a, uint64_t b, uint32_t rm, uint8_t *flags);
uint64_t fp_d_mul(uint64_t a, uint64_t b, uint32_t rm, uint8_t *flags);
uint64_t fp_d_div(uint64_t a, uint64_t b, uint32_t rm, uint8_t *flags);
uint64_t fp_d_sqrt(uint64_t a, uint32_t rm, uint8_t *flags);
uint64_t fp_d_fma(uint64_t a, uint64_t b, uint64_t c, uint32_t rm, uint8_t *flags); /* a*b + c */
uint32_t fp_s_add(uint32_t a, uint32_t b, uint32_t rm, uint8_t *flags);
uint32_t fp_s_sub(uint32_t a, uint32_t b, uint32_t rm, uint8_t *flags);
uint32_t fp_s_mul(uint32_t a, uint32_t b, uint32_t rm, uint8_t *flags);
uint32_t fp_s_div(uint32_t a, uint32_t b, uint32_t rm, uint8_t *flags);
uint32_t fp_s_sqrt(uint32_t a, uint32_t rm, uint8_t *flags);
uint32_t fp_s_fma(uint32_t a, uint32_t b, uint32_t c, uint32_t rm, uint8_t *flags);
/* FMIN/FMAX (minimumNumber, I 21.6), FEQ/FLT/FLE, FCLASS. */
uint64_t fp_d_min(uint64_t a, uint64_t b, uint8_t *flags);
uint64_t fp_d_max(uint64_t a, uint64_t b, uint8_t *flags);
uint32_t fp_s_min(uint32_t a, uint32_t b, uint8_t *flags);
uint32_t fp_s_max(uint32_t a, uint32_t b, uint8_t *flags);
bool fp_d_eq(uint64_t a, uint64_t b, uint8_t *flags);
bool fp_d_lt(uint64_t a, uint64_t b, uint8_t *flags);
bool fp_d_le(uint64_t a, uint64_t b, uint8_t *flags);
bool fp_s_eq(uint32_t a, uint32_t b, uint8_t *flags);
bool fp_s_lt(uint32_t a, uint32_t b, uint8_t *flags);
bool fp_s_le(uint32_t a, uint32_t b, uint8_t *flags);
uint64_t fp_d_class(uint64_t a);
uint64_t fp_s_class(uint32_t a);
/* Conversions; integer results are sign-extended to 64 bits as the manual says (also fcvt.wu). */
uint64_t fp_d_to_w(uint64_t a, uint32_t rm, uint8_t *flags);
uint64_t fp_d_to_wu(uint64_t a, uint32_t rm, uint8_t *flags);
uint64_t fp_d_to_l(uint64_t a, uint32_t rm, uint8_t *flags);
uint64_t fp_d_to_lu(uint64_t a, uint32_t rm, uint8_t *flags);
uint64_t fp_s_to_w(uint32_t a, uint32_t rm, uint8_t *flags);
uint64_t fp_s_to_wu(uint32_t a, uint32_t rm, uint8_t *flags);
uint64_t fp_s_to_l(uint32_t a, uint32_t rm, uint8_t *flags);
uint64_t fp_s_to_lu(uint32_t a, uint32_t rm, uint8_t *flags);
uint64_t fp_d_from_w(uint64_t x, uint32_t rm, uint8_t *flags);
uint64_t fp_d_from_wu(uint64_t x, uint32_t rm, uint8_t *flags);
uint64_t fp_d_from_l(uint64_t x, uint32_t rm, uint8_t *flags);
uint64_t fp_d_from_lu(uint64_t x, uint32_t rm, uint8_t *flags);
uint32_t fp_s_from_w(uint64_t x, uint32_t rm, uint8_t *flags);
uint32_t fp_s_from_wu(uint64_t x, uint32_t rm, uint8_t *flags);
uint32_t fp_s_from_l(uint64_t x, uint32_t rm, uint8_t *flags);
uint32_t fp_s_from_lu(uint64_t x, uint32_t rm, uint8_t *flags);
uint32_t fp_s_from_d(uint64_t a, uint32_t rm, uint8_t *flags);
uint64_t fp_d_from_s(uint32_t a, uint32_t rm, uint8_t *flags);

#endif
