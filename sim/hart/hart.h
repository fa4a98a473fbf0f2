/* hart.h — a RISC-V hart: its state, as the hardware holds it, and its host side.
 *
 * Schema "riscv-hart/1". RV64GC with M, S and U modes; the extensions are listed in hart.c beside
 * the ISA string. Sources: the RISC-V Instruction Set Manual, volumes I (unprivileged) and II
 * (privileged), ratified 2024 editions; section numbers in the code are theirs.
 *
 * The semantics that every engine must share, bit for bit:
 * - Interrupts are taken at the first instruction boundary at which they are pending and enabled.
 * - Translation behaves as if every access walked the page tables: a TLB is never visible. A store
 *   to a page-table entry takes effect at the next access, with or without SFENCE.VMA (the manual
 *   allows that, II 12.2.1), so that a freshly thawed hart and one that ran on cannot differ.
 * - Code behaves as if every instruction were fetched when it is executed: FENCE.I needs to do
 *   nothing.
 * - One cycle an instruction. An instruction that traps counts too (cycle and instructions go on by
 *   one: limits must end a trap loop), but minstret does not see it: hart_exception takes one off
 *   minstret_offset. Taking an interrupt costs nothing.
 * - Misaligned loads and stores to RAM are done by the hart, byte by byte as far as faults go: both
 *   pages are checked before anything is written. Misaligned access to a device: access fault. AMO,
 *   LR, SC: must be aligned, else store/AMO (load for LR) address-misaligned.
 * - An LR reservation covers the naturally aligned 64 bytes. It ends at any SC, at the end of a
 *   turn of several harts, at a trap return, and when a device writes there. */
#ifndef THAW_SIM_HART_HART_H
#define THAW_SIM_HART_HART_H

#include "sim/core/machine.h"

#define HART_PMP_COUNT 16

enum hart_privilege { PRIVILEGE_U = 0, PRIVILEGE_S = 1, PRIVILEGE_M = 3 };

/* Input lines of a hart: the interrupt numbers of mip (II 3.1.9). */
enum hart_line {
    HART_LINE_SSI = 1,
    HART_LINE_MSI = 3,
    HART_LINE_STI = 5, /* by Sstc, inside the hart */
    HART_LINE_MTI = 7,
    HART_LINE_SEI = 9,
    HART_LINE_MEI = 11,
    HART_LINE_TIME_WRITTEN = 64, /* not a wire: mtime was written, look at stimecmp again */
};

struct hart_state {
    uint64_t x[32]; /* x[0] is 0 */
    uint64_t f[32]; /* NaN-boxed (I 21.2) */
    uint64_t pc;
    uint64_t cycle;        /* local virtual time, in machine cycles; guests cannot write it */
    /* executed since reset, those that trapped included; guests cannot write it */
    uint64_t instructions;
    uint64_t mcycle_offset;   /* mcycle = cycle + offset while counting (II 3.1.10) */
    uint64_t minstret_offset; /* minstret = instructions + offset */
    uint64_t mcycle_stopped;   /* value while mcountinhibit.CY is set */
    uint64_t minstret_stopped; /* value while mcountinhibit.IR is set */
    uint64_t mstatus;
    uint64_t medeleg;
    uint64_t mideleg;
    uint64_t mie;
    uint64_t mip_software; /* bits of mip that software set: SSIP, STIP, SEIP (II 3.1.9) */
    uint64_t mip_lines;    /* levels of the input lines: MSIP, MTIP, MEIP, SEIP, and STIP by Sstc */
    uint64_t mtvec;
    uint64_t mscratch;
    uint64_t mepc;
    uint64_t mcause;
    uint64_t mtval;
    uint64_t menvcfg;
    uint64_t stvec;
    uint64_t sscratch;
    uint64_t sepc;
    uint64_t scause;
    uint64_t stval;
    uint64_t senvcfg;
    uint64_t satp;
    uint64_t stimecmp;
    uint64_t reservation_address; /* physical, aligned to 64; meaningful while reservation_valid */
    uint64_t pmpaddr[HART_PMP_COUNT];
    uint8_t pmpcfg[HART_PMP_COUNT];
    uint32_t mcounteren;
    uint32_t scounteren;
    uint32_t mcountinhibit;
    uint8_t fflags;
    uint8_t frm;
    uint8_t privilege; /* enum hart_privilege */
    uint8_t reservation_valid;
    uint8_t waiting; /* in WFI */
    uint8_t unused[7];
};

struct hart_config {
    uint64_t hart_id;
    uint64_t reset_pc;
    uint32_t satp_mode_max; /* 8: Sv39, 9: Sv48, 10: Sv57 */
    uint8_t svadu;          /* 1: menvcfg.ADUE is writable and starts as 1; 0: Svade */
    uint8_t unused[3];
};

/* Why the engine must look up from its fast path before the next instruction. */
enum hart_changed {
    /* mip, mie, mstatus.xIE, mideleg or privilege: look for interrupts */
    HART_CHANGED_INTERRUPTS = 1,
    /* satp, privilege, mstatus.MPRV/MPP/SUM/MXR, menvcfg: another TLB context */
    HART_CHANGED_TRANSLATION = 2,
    HART_CHANGED_PROTECTION = 4,  /* PMP: every cached translation is void */
    HART_CHANGED_TIMING = 8,      /* stimecmp, counters inhibited: deadlines */
};

struct engine_ops; /* engine.h */
struct engine;     /* the engine's own per-hart data; engine.h */

/* Host side of a hart: object->host. Never saved; rebuilt. */
struct hart {
    struct object *object;
    struct hart_state *state; /* object->state */
    const struct hart_config *config;
    struct machine *machine;
    struct bus *bus;
    struct object *timer; /* has timer_ops */
    uint32_t changed;     /* enum hart_changed; set by csr, trap, lines; cleared by the engine */
    const struct engine_ops *engine_ops;
    struct engine *engine;
};

extern const struct schema hart_schema;
/* The functional model: one cycle an instruction. */
extern const struct model hart_fast_model; /* "rv64-fast" */

static inline struct hart *hart_of(const struct object *object)
{
    return object->host;
}
/* The ISA string for the device tree and for `thaw show`, lower case, e.g. "rv64imafdc_zicsr_…";
 * static. */
const char *hart_isa_string(const struct hart_config *config);

#endif
