/* status.h — bits of mstatus, menvcfg, satp and other registers (volume II), for the hart's own
 * code. */
#ifndef THAW_SIM_HART_STATUS_H
#define THAW_SIM_HART_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#define STATUS_SIE       (UINT64_C(1) << 1)
#define STATUS_MIE       (UINT64_C(1) << 3)
#define STATUS_SPIE      (UINT64_C(1) << 5)
#define STATUS_MPIE      (UINT64_C(1) << 7)
#define STATUS_SPP       (UINT64_C(1) << 8)
#define STATUS_MPP       (UINT64_C(3) << 11)
#define STATUS_MPP_SHIFT 11
#define STATUS_FS        (UINT64_C(3) << 13)
#define STATUS_MPRV      (UINT64_C(1) << 17)
#define STATUS_SUM       (UINT64_C(1) << 18)
#define STATUS_MXR       (UINT64_C(1) << 19)
#define STATUS_TVM       (UINT64_C(1) << 20)
#define STATUS_TW        (UINT64_C(1) << 21)
#define STATUS_TSR       (UINT64_C(1) << 22)
#define STATUS_UXL       (UINT64_C(2) << 32) /* 64 bits; read only */
#define STATUS_SXL       (UINT64_C(2) << 34)
#define STATUS_SD        (UINT64_C(1) << 63)

#define CAUSE_INTERRUPT (UINT64_C(1) << 63)

#define ENV_FIOM  (UINT64_C(1) << 0)
#define ENV_CBIE  (UINT64_C(3) << 4)
#define ENV_CBCFE (UINT64_C(1) << 6)
#define ENV_CBZE  (UINT64_C(1) << 7)
#define ENV_ADUE  (UINT64_C(1) << 61)
#define ENV_PBMTE (UINT64_C(1) << 62)
#define ENV_STCE  (UINT64_C(1) << 63)

#define COUNTER_CY UINT32_C(1)
#define COUNTER_TM UINT32_C(2)
#define COUNTER_IR UINT32_C(4)

#define SATP_MODE_SHIFT 60
#define SATP_PPN        ((UINT64_C(1) << 44) - 1)

#define LINE_BIT(line) (UINT64_C(1) << (line))

static inline uint64_t bits_put(uint64_t value, uint64_t bit, bool set)
{
    return set ? value | bit : value & ~bit;
}

#endif
