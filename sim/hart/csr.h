/* csr.h — control and status registers (volume II, chapter 2; I 7 Zicsr). */
#ifndef THAW_SIM_HART_CSR_H
#define THAW_SIM_HART_CSR_H

#include "sim/hart/hart.h"

/* One CSR instruction's read and/or write, checked for existence, privilege, mstatus.FS/TVM,
 * counters enabled, Sstc. False: illegal instruction, nothing changed. state->cycle and
 * state->instructions are exact (as before this instruction). Sets hart->changed as needed. */
bool csr_read(struct hart *hart, uint32_t number, uint64_t *value);
bool csr_write(struct hart *hart, uint32_t number, uint64_t value);
/* What CSRRS and CSRRC (and their immediate forms) set and clear bits in, and write back, when
 * csr_read gave `read`: not the same for mip, whose SEIP reads as the OR of a line and a bit of its
 * own (II 3.1.9). */
uint64_t csr_modify_base(const struct hart *hart, uint32_t number, uint64_t read);
/* "mstatus"; NULL for a number that has no register here. */
const char *csr_name(uint32_t number);
/* SFENCE.VMA, SINVAL.VMA, SFENCE.W.INVAL, SFENCE.INVAL.IR: false: illegal at this privilege (TVM).
 * The translations themselves are always coherent (hart.h). */
bool csr_fence_allowed(const struct hart *hart, bool is_sfence_or_sinval);
/* CBO.ZERO / CBO.CLEAN, FLUSH / CBO.INVAL at this privilege (menvcfg, senvcfg). */
enum cbo { CBO_INVAL, CBO_CLEAN, CBO_FLUSH, CBO_ZERO };
bool csr_cbo_allowed(const struct hart *hart, enum cbo op);
/* Sets the Sstc timer bit of mip_lines from time and stimecmp, as of now. */
void csr_update_stimer(struct hart *hart);

#endif
