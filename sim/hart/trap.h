/* trap.h — exceptions, interrupts and trap returns (volume II, 3.1.6 to 3.1.15, 3.3.2, 12.1). */
#ifndef THAW_SIM_HART_TRAP_H
#define THAW_SIM_HART_TRAP_H

#include "sim/hart/hart.h"

enum cause {
    CAUSE_FETCH_MISALIGNED = 0,
    CAUSE_FETCH_ACCESS = 1,
    CAUSE_ILLEGAL = 2,
    CAUSE_BREAKPOINT = 3,
    CAUSE_LOAD_MISALIGNED = 4,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_MISALIGNED = 6,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_ECALL_U = 8, /* + privilege */
    CAUSE_FETCH_PAGE = 12,
    CAUSE_LOAD_PAGE = 13,
    CAUSE_STORE_PAGE = 15,
    CAUSE_SOFTWARE_CHECK = 18,
};

/* Takes the exception: state->pc is the faulting instruction's; on return it is the handler's. Sets
 * hart->changed. The engine counts the instruction in cycle and instructions; minstret_offset is
 * lowered here. */
void hart_exception(struct hart *hart, uint64_t cause, uint64_t tval);
/* mip as software reads it. */
uint64_t hart_pending(const struct hart *hart);
/* The interrupt to be taken now (number), or -1. Priority: II 3.1.9. */
int hart_interrupt_ready(const struct hart *hart);
/* Takes it if there is one; returns true if taken. Ends WFI whenever mip & mie is not 0, taken or
 * not. */
bool hart_take_interrupt(struct hart *hart);
/* False: illegal instruction (nothing changed). */
bool hart_mret(struct hart *hart);
bool hart_sret(struct hart *hart);
/* WFI (II 3.3.3): false: illegal instruction. Sets state->waiting unless mip & mie. */
bool hart_wfi(struct hart *hart);

#endif
