/* plic.h — platform-level interrupt controller: from device wires to the harts. Schema
 * "sifive-plic/1". Source: RISC-V Platform-Level Interrupt Controller Specification 1.0.0
 * (chapters in plic.c are its).
 *
 * 96 sources (source 0 does not exist), two contexts a hart: 2n is hart n's M mode, 2n + 1 its S
 * mode.
 * | offset                  | register (4 bytes each; other sizes: access fault)          |
 * |-------------------------|-------------------------------------------------------------|
 * | 0x000000 + 4 x source   | priority, 0…7; 0 never interrupts                           |
 * | 0x001000 + 4 x word     | pending bits, read only                                     |
 * | 0x002000 + 0x80 x ctx   | enable bits                                                 |
 * | 0x200000 + 0x1000 x ctx | threshold; + 4: claim (read), complete (write)              |
 *
 * Input lines are levels: set_line(plic, source, level). Each time a device says that its line is
 * high, a request becomes pending; it is not passed on before the one in service is completed. A
 * device says so when there is something new to serve. The completion itself does not look at the
 * wire again: so does QEMU, and teaching kernels that never acknowledge their UART live by it. */
#ifndef THAW_SIM_DEVICE_PLIC_H
#define THAW_SIM_DEVICE_PLIC_H

#include "sim/core/schema.h"

#define PLIC_SOURCES      96
#define PLIC_WORDS        (PLIC_SOURCES / 32)
#define PLIC_HARTS_MAX    8
#define PLIC_CONTEXTS_MAX (2 * PLIC_HARTS_MAX)
#define PLIC_SIZE         0x600000

/* Input lines of a hart that a PLIC drives; the same values as enum hart_line. */
enum plic_line { PLIC_LINE_SEI = 9, PLIC_LINE_MEI = 11 };

struct plic_config {
    uint64_t base;
    uint32_t hart_count; /* 1…8 */
    uint32_t unused;
};

struct plic_state {
    uint32_t priority[PLIC_SOURCES];
    uint32_t level[PLIC_WORDS];   /* of the input wires */
    uint32_t pending[PLIC_WORDS]; /* requests not yet claimed */
    uint32_t claimed[PLIC_WORDS]; /* in service: no request is passed on until the completion */
    uint32_t enable[PLIC_CONTEXTS_MAX * PLIC_WORDS];
    uint32_t threshold[PLIC_CONTEXTS_MAX];
};

extern const struct schema plic_schema; /* links: hart0…hart7 */
extern const struct model plic_model;   /* "sifive-plic" */

#endif
