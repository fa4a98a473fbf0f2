/* clint.h — SiFive core-local interruptor: the time counter, timer and software interrupts.
 * Schema "sifive-clint/1". Source: SiFive FU540-C000 Manual, chapter 9 (CLINT); RISC-V
 * Privileged 3.2.1.
 *
 * | offset          | size | register                                                        |
 * |-----------------|------|-----------------------------------------------------------------|
 * | 0x0000 + 4 x n  | 4    | msip of hart n: bit 0 drives the software interrupt               |
 * | 0x4000 + 8 x n  | 8    | mtimecmp of hart n; 4-byte halves too                             |
 * | 0xbff8          | 8    | mtime; writable; 4-byte halves too                                |
 * Other aligned words read 0 and ignore writes. Other sizes: access fault.
 *
 * mtime is a function of virtual time: ticks = cycle * timebase_hz / clock_hz, and mtime =
 * mtime_base + (ticks - mtime_tick), where mtime_base was written at mtime_tick. Thus time goes
 * on after a thaw. */
#ifndef THAW_SIM_DEVICE_CLINT_H
#define THAW_SIM_DEVICE_CLINT_H

#include "sim/core/schema.h"

#define CLINT_HARTS_MAX   8
#define CLINT_SIZE        0x10000
#define CLINT_TIMEBASE_HZ 10000000

/* Input lines of a hart that a CLINT drives: interrupt numbers of mip (Privileged 3.1.9), and the
 * notice that mtime was written. The same values as enum hart_line. */
enum clint_line { CLINT_LINE_MSI = 3, CLINT_LINE_MTI = 7, CLINT_LINE_TIME_WRITTEN = 64 };

struct clint_config {
    uint64_t base;
    uint64_t timebase_hz; /* of mtime */
    uint32_t hart_count;  /* 1…8 */
    uint32_t unused;
};

struct clint_state {
    uint64_t mtime_base; /* what mtime was when last written */
    uint64_t mtime_tick; /* the tick at which it was */
    uint64_t mtimecmp[CLINT_HARTS_MAX];
    uint32_t msip[CLINT_HARTS_MAX];
    uint8_t mtip[CLINT_HARTS_MAX]; /* levels of the timer interrupt wires */
};

extern const struct schema clint_schema; /* links: hart0…hart7 */
extern const struct model clint_model;   /* "sifive-clint" */

#endif
