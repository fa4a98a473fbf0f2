/* pmp.h — physical memory protection: 16 entries, granularity 4 bytes (volume II, 3.7). */
#ifndef THAW_SIM_HART_PMP_H
#define THAW_SIM_HART_PMP_H

#include "sim/hart/walk.h"

bool pmp_is_csr(uint32_t number);
uint64_t pmp_csr_read(const struct hart *hart, uint32_t number);
void pmp_csr_write(struct hart *hart, uint32_t number, uint64_t value);

#endif
