#include "sim/hart/trap.h"

#include "sim/hart/status.h"

/* Highest priority first (II 3.1.9, 12.1.3). */
static const int interrupt_order[] = {HART_LINE_MEI, HART_LINE_MSI, HART_LINE_MTI,
                                      HART_LINE_SEI, HART_LINE_SSI, HART_LINE_STI};

uint64_t hart_pending(const struct hart *hart)
{
    const struct hart_state *state = hart->state;
    uint64_t software = state->mip_software;

    /* With Sstc on, STIP is stimecmp's alone (II 3.1.9): what software set before is not seen. */
    if ((state->menvcfg & ENV_STCE) != 0)
        software &= ~LINE_BIT(HART_LINE_STI);
    return software | state->mip_lines;
}

/* Enters the handler of `cause` in M or S mode; II 3.1.6.1, 3.1.7, 3.1.14. */
static void enter(struct hart *hart, uint64_t cause, uint64_t tval, bool to_supervisor)
{
    struct hart_state *state = hart->state;
    uint64_t status = state->mstatus, vector = to_supervisor ? state->stvec : state->mtvec;
    uint64_t offset = (cause & CAUSE_INTERRUPT) != 0 && (vector & 1) != 0 ? 4 * (cause & 63) : 0;

    if (to_supervisor) {
        state->scause = cause;
        state->sepc = state->pc;
        state->stval = tval;
        status = bits_put(status, STATUS_SPIE, (status & STATUS_SIE) != 0);
        status = bits_put(status, STATUS_SPP, state->privilege == PRIVILEGE_S);
        status &= ~STATUS_SIE;
        state->privilege = PRIVILEGE_S;
    } else {
        state->mcause = cause;
        state->mepc = state->pc;
        state->mtval = tval;
        status = bits_put(status, STATUS_MPIE, (status & STATUS_MIE) != 0);
        status = (status & ~STATUS_MPP) | (uint64_t)state->privilege << STATUS_MPP_SHIFT;
        status &= ~STATUS_MIE;
        state->privilege = PRIVILEGE_M;
    }
    state->mstatus = status;
    state->waiting = 0;
    state->pc = (vector & ~UINT64_C(3)) + offset;
    hart->changed |= HART_CHANGED_INTERRUPTS | HART_CHANGED_TRANSLATION;
}

void hart_exception(struct hart *hart, uint64_t cause, uint64_t tval)
{
    struct hart_state *state = hart->state;
    bool delegated = state->privilege <= PRIVILEGE_S && (state->medeleg >> cause & 1) != 0;

    if ((state->mcountinhibit & COUNTER_IR) == 0)
        state->minstret_offset--;
    enter(hart, cause, tval, delegated);
}

/* Those of `pending` that may interrupt now: II 3.1.6.1, 3.1.9. */
static uint64_t takeable(const struct hart *hart, uint64_t pending)
{
    const struct hart_state *state = hart->state;
    uint64_t machine = pending & ~state->mideleg, supervisor = pending & state->mideleg;
    uint64_t ready = 0;

    if (state->privilege < PRIVILEGE_M || (state->mstatus & STATUS_MIE) != 0)
        ready = machine;
    if (ready == 0 && (state->privilege < PRIVILEGE_S ||
                       (state->privilege == PRIVILEGE_S && (state->mstatus & STATUS_SIE) != 0)))
        ready = supervisor;
    return ready;
}

int hart_interrupt_ready(const struct hart *hart)
{
    uint64_t ready = takeable(hart, hart_pending(hart) & hart->state->mie);

    if (ready == 0)
        return -1;
    for (size_t i = 0; i < sizeof interrupt_order / sizeof interrupt_order[0]; i++)
        if ((ready >> interrupt_order[i] & 1) != 0)
            return interrupt_order[i];
    return -1;
}

bool hart_take_interrupt(struct hart *hart)
{
    int number;

    if ((hart_pending(hart) & hart->state->mie) == 0)
        return false;
    hart->state->waiting = 0;
    number = hart_interrupt_ready(hart);
    if (number < 0)
        return false;
    enter(hart, CAUSE_INTERRUPT | (uint64_t)number, 0,
          (hart->state->mideleg >> number & 1) != 0 && hart->state->privilege <= PRIVILEGE_S);
    return true;
}

/* What both returns do besides their own fields: II 3.1.6.1, 3.3.2. */
static void leave(struct hart *hart, uint64_t status, uint8_t privilege, uint64_t pc)
{
    struct hart_state *state = hart->state;

    if (privilege != PRIVILEGE_M)
        status &= ~STATUS_MPRV;
    state->mstatus = status;
    state->privilege = privilege;
    state->pc = pc;
    state->reservation_valid = 0;
    state->reservation_address = 0;
    hart->changed |= HART_CHANGED_INTERRUPTS | HART_CHANGED_TRANSLATION;
}

bool hart_mret(struct hart *hart)
{
    uint64_t status = hart->state->mstatus;
    uint8_t privilege = (uint8_t)(status >> STATUS_MPP_SHIFT & 3);

    if (hart->state->privilege != PRIVILEGE_M)
        return false;
    status = bits_put(status, STATUS_MIE, (status & STATUS_MPIE) != 0);
    status = (status | STATUS_MPIE) & ~STATUS_MPP;
    leave(hart, status, privilege, hart->state->mepc);
    return true;
}

bool hart_sret(struct hart *hart)
{
    uint64_t status = hart->state->mstatus;
    uint8_t privilege = (status & STATUS_SPP) != 0 ? PRIVILEGE_S : PRIVILEGE_U;

    if (hart->state->privilege == PRIVILEGE_U ||
        (hart->state->privilege == PRIVILEGE_S && (status & STATUS_TSR) != 0))
        return false;
    status = bits_put(status, STATUS_SIE, (status & STATUS_SPIE) != 0);
    status = (status | STATUS_SPIE) & ~STATUS_SPP;
    leave(hart, status, privilege, hart->state->sepc);
    return true;
}

bool hart_wfi(struct hart *hart)
{
    struct hart_state *state = hart->state;

    /* U mode may not wait forever, and S mode only if M lets it (II 3.1.6.5). */
    if (state->privilege == PRIVILEGE_U ||
        (state->privilege == PRIVILEGE_S && (state->mstatus & STATUS_TW) != 0))
        return false;
    state->waiting = (hart_pending(hart) & state->mie) == 0;
    return true;
}
