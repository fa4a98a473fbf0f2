#include "sim/hart/csr.h"

#include "sim/hart/csr_numbers.h"
#include "sim/hart/pmp.h"
#include "sim/hart/status.h"
#include "sim/hart/trap.h"

#define STATUS_WRITABLE                                                                            \
    (STATUS_SIE | STATUS_MIE | STATUS_SPIE | STATUS_MPIE | STATUS_SPP | STATUS_MPP | STATUS_FS |   \
     STATUS_MPRV | STATUS_SUM | STATUS_MXR | STATUS_TVM | STATUS_TW | STATUS_TSR)
#define STATUS_SUPERVISOR                                                                          \
    (STATUS_SIE | STATUS_SPIE | STATUS_SPP | STATUS_FS | STATUS_SUM | STATUS_MXR)
#define EXCEPTIONS_DELEGABLE UINT64_C(0xb3ff)
#define INTERRUPTS_SUPERVISOR                                                                      \
    (LINE_BIT(HART_LINE_SSI) | LINE_BIT(HART_LINE_STI) | LINE_BIT(HART_LINE_SEI))
#define INTERRUPTS_MACHINE                                                                         \
    (LINE_BIT(HART_LINE_MSI) | LINE_BIT(HART_LINE_MTI) | LINE_BIT(HART_LINE_MEI))
#define COUNTERS_ALL   (COUNTER_CY | COUNTER_TM | COUNTER_IR)
#define ENV_SUPERVISOR (ENV_FIOM | ENV_CBIE | ENV_CBCFE | ENV_CBZE)
#define MISA           UINT64_C(0x800000000014112d) /* RV64 with A, C, D, F, I, M, S, U */

static bool sstc_on(const struct hart *hart)
{
    return (hart->state->menvcfg & ENV_STCE) != 0;
}

void csr_update_stimer(struct hart *hart)
{
    struct hart_state *state = hart->state;
    uint64_t time = hart->timer->model->timer->read(hart->timer, state->cycle);
    bool due = sstc_on(hart) && time >= state->stimecmp;
    uint64_t lines = bits_put(state->mip_lines, LINE_BIT(HART_LINE_STI), due);

    if (lines != state->mip_lines)
        hart->changed |= HART_CHANGED_INTERRUPTS;
    state->mip_lines = lines;
}

static void timing_changed(struct hart *hart)
{
    csr_update_stimer(hart);
    hart->changed |= HART_CHANGED_TIMING;
    machine_deadline_changed(hart->machine);
}

/* Whether a counter (bit of mcounteren) may be read at this privilege: II 3.1.11, 12.1.5. */
static bool counter_allowed(const struct hart *hart, uint32_t bit)
{
    const struct hart_state *state = hart->state;

    if (state->privilege == PRIVILEGE_M)
        return true;
    if ((state->mcounteren & bit) == 0)
        return false;
    return state->privilege == PRIVILEGE_S || (state->scounteren & bit) != 0;
}

static bool is_user_counter(uint32_t number)
{
    return number >= CSR_CYCLE && number < CSR_CYCLE + 32;
}

/* What the number alone and a few status bits say: II 2.1, 3.1.6.5, 3.1.6.6. */
static bool allowed(const struct hart *hart, uint32_t number, bool write)
{
    const struct hart_state *state = hart->state;

    if (state->privilege < (number >> 8 & 3) || (write && number >> 10 == 3))
        return false;
    if (number <= CSR_FCSR && number >= CSR_FFLAGS)
        return (state->mstatus & STATUS_FS) != 0;
    if (is_user_counter(number))
        return counter_allowed(hart, UINT32_C(1) << (number - CSR_CYCLE));
    if (number == CSR_SATP)
        return state->privilege == PRIVILEGE_M || (state->mstatus & STATUS_TVM) == 0;
    if (number == CSR_STIMECMP)
        return state->privilege == PRIVILEGE_M ||
               (sstc_on(hart) && (state->mcounteren & COUNTER_TM) != 0);
    return true;
}

static uint64_t read_status(const struct hart_state *state)
{
    uint64_t status = state->mstatus | STATUS_UXL | STATUS_SXL;

    return (status & STATUS_FS) == STATUS_FS ? status | STATUS_SD : status;
}

static uint64_t read_supervisor_status(const struct hart_state *state)
{
    return read_status(state) & (STATUS_SUPERVISOR | STATUS_UXL | STATUS_SD);
}

static uint64_t read_cycle(const struct hart_state *state)
{
    if ((state->mcountinhibit & COUNTER_CY) != 0)
        return state->mcycle_stopped;
    return state->cycle + state->mcycle_offset;
}

static uint64_t read_instret(const struct hart_state *state)
{
    if ((state->mcountinhibit & COUNTER_IR) != 0)
        return state->minstret_stopped;
    return state->instructions + state->minstret_offset;
}

static bool read_machine(const struct hart *hart, uint32_t number, uint64_t *value)
{
    const struct hart_state *state = hart->state;

    switch (number) {
    case CSR_MVENDORID:
    case CSR_MARCHID:
    case CSR_MIMPID:
    case CSR_MCONFIGPTR:
        *value = 0;
        return true;
    case CSR_MHARTID:
        *value = hart->config->hart_id;
        return true;
    case CSR_MSTATUS:
        *value = read_status(state);
        return true;
    case CSR_MISA:
        *value = MISA;
        return true;
    case CSR_MEDELEG:
        *value = state->medeleg;
        return true;
    case CSR_MIDELEG:
        *value = state->mideleg;
        return true;
    case CSR_MIE:
        *value = state->mie;
        return true;
    case CSR_MIP:
        *value = hart_pending(hart);
        return true;
    case CSR_MTVEC:
        *value = state->mtvec;
        return true;
    case CSR_MCOUNTEREN:
        *value = state->mcounteren;
        return true;
    case CSR_MCOUNTINHIBIT:
        *value = state->mcountinhibit;
        return true;
    case CSR_MENVCFG:
        *value = state->menvcfg;
        return true;
    case CSR_MSCRATCH:
        *value = state->mscratch;
        return true;
    case CSR_MEPC:
        *value = state->mepc;
        return true;
    case CSR_MCAUSE:
        *value = state->mcause;
        return true;
    case CSR_MTVAL:
        *value = state->mtval;
        return true;
    case CSR_MCYCLE:
        *value = read_cycle(state);
        return true;
    case CSR_MINSTRET:
        *value = read_instret(state);
        return true;
    default:
        *value = 0; /* event counters: none is implemented, all read 0 (II 3.1.10) */
        return (number >= CSR_MHPMCOUNTER3 && number < CSR_MHPMCOUNTER3 + 29) ||
               (number >= CSR_MHPMEVENT3 && number < CSR_MHPMEVENT3 + 29);
    }
}

static bool read_supervisor(const struct hart *hart, uint32_t number, uint64_t *value)
{
    const struct hart_state *state = hart->state;

    switch (number) {
    case CSR_SSTATUS:
        *value = read_supervisor_status(state);
        return true;
    case CSR_SIE:
        *value = state->mie & state->mideleg;
        return true;
    case CSR_SIP:
        *value = hart_pending(hart) & state->mideleg;
        return true;
    case CSR_STVEC:
        *value = state->stvec;
        return true;
    case CSR_SCOUNTEREN:
        *value = state->scounteren;
        return true;
    case CSR_SENVCFG:
        *value = state->senvcfg;
        return true;
    case CSR_SSCRATCH:
        *value = state->sscratch;
        return true;
    case CSR_SEPC:
        *value = state->sepc;
        return true;
    case CSR_SCAUSE:
        *value = state->scause;
        return true;
    case CSR_STVAL:
        *value = state->stval;
        return true;
    case CSR_STIMECMP:
        *value = state->stimecmp;
        return true;
    case CSR_SATP:
        *value = state->satp;
        return true;
    default:
        return false;
    }
}

static bool read_user(const struct hart *hart, uint32_t number, uint64_t *value)
{
    const struct hart_state *state = hart->state;

    switch (number) {
    case CSR_FFLAGS:
        *value = state->fflags;
        return true;
    case CSR_FRM:
        *value = state->frm;
        return true;
    case CSR_FCSR:
        *value = (uint64_t)state->frm << 5 | state->fflags;
        return true;
    case CSR_CYCLE:
        *value = read_cycle(state);
        return true;
    case CSR_TIME:
        *value = hart->timer->model->timer->read(hart->timer, state->cycle);
        return true;
    case CSR_INSTRET:
        *value = read_instret(state);
        return true;
    default:
        *value = 0; /* hpmcounter3…31 */
        return is_user_counter(number);
    }
}

bool csr_read(struct hart *hart, uint32_t number, uint64_t *value)
{
    if (!allowed(hart, number, false))
        return false;
    if (pmp_is_csr(number)) {
        *value = pmp_csr_read(hart, number);
        return true;
    }
    switch (number >> 8 & 3) {
    case PRIVILEGE_M:
        return read_machine(hart, number, value);
    case PRIVILEGE_S:
        return read_supervisor(hart, number, value);
    case PRIVILEGE_U:
        return read_user(hart, number, value);
    default:
        return false;
    }
}

static void write_status(struct hart *hart, uint64_t value, uint64_t mask)
{
    struct hart_state *state = hart->state;
    uint64_t status = (state->mstatus & ~mask) | (value & mask);

    if ((status & STATUS_MPP) == UINT64_C(2) << STATUS_MPP_SHIFT)
        status = (status & ~STATUS_MPP) | (state->mstatus & STATUS_MPP);
    state->mstatus = status;
    hart->changed |= HART_CHANGED_INTERRUPTS | HART_CHANGED_TRANSLATION;
}

static void write_vector(uint64_t *vector, uint64_t value)
{
    if ((value & 3) <= 1)
        *vector = value & ~UINT64_C(2);
}

/* Fields of menvcfg and senvcfg; CBIE's value 2 is reserved. */
static uint64_t env_value(uint64_t old, uint64_t value, uint64_t mask)
{
    if ((value & ENV_CBIE) == UINT64_C(2) << 4)
        mask &= ~ENV_CBIE;
    return (old & ~mask) | (value & mask);
}

static void write_menvcfg(struct hart *hart, uint64_t value)
{
    uint64_t mask = ENV_SUPERVISOR | ENV_PBMTE | ENV_STCE;

    if (hart->config->svadu)
        mask |= ENV_ADUE;
    hart->state->menvcfg = env_value(hart->state->menvcfg, value, mask);
    hart->changed |= HART_CHANGED_PROTECTION | HART_CHANGED_INTERRUPTS; /* STCE: whose STIP is */
    timing_changed(hart);
}

/* Counters stand still or go on from where they stood: the instruction that writes counts itself.
 */
static void write_inhibit(struct hart_state *state, uint32_t value)
{
    uint32_t old = state->mcountinhibit;
    uint32_t changed = (value ^ old) & (COUNTER_CY | COUNTER_IR);
    uint64_t cycle = read_cycle(state) + 1, instret = read_instret(state) + 1;

    if ((changed & COUNTER_CY) != 0 && (old & COUNTER_CY) == 0)
        state->mcycle_stopped = cycle;
    else if ((changed & COUNTER_CY) != 0)
        state->mcycle_offset = state->mcycle_stopped - (state->cycle + 1);
    if ((changed & COUNTER_IR) != 0 && (old & COUNTER_IR) == 0)
        state->minstret_stopped = instret;
    else if ((changed & COUNTER_IR) != 0)
        state->minstret_offset = state->minstret_stopped - (state->instructions + 1);
    state->mcountinhibit = value & (COUNTER_CY | COUNTER_IR);
}

/* The write happens after the instruction's own count (I 8.1). */
static void write_counter(struct hart_state *state, uint32_t number, uint64_t value)
{
    if (number == CSR_MCYCLE) {
        state->mcycle_stopped = value;
        state->mcycle_offset = value - (state->cycle + 1);
    } else {
        state->minstret_stopped = value;
        state->minstret_offset = value - (state->instructions + 1);
    }
}

static void write_satp(struct hart *hart, uint64_t value)
{
    uint64_t mode = value >> SATP_MODE_SHIFT;

    if (mode != 0 && (mode < 8 || mode > hart->config->satp_mode_max))
        return;
    hart->state->satp = value;
    hart->changed |= HART_CHANGED_TRANSLATION;
}

static void write_pending(struct hart *hart, uint64_t value, uint64_t mask)
{
    struct hart_state *state = hart->state;

    state->mip_software = (state->mip_software & ~mask) | (value & mask);
    hart->changed |= HART_CHANGED_INTERRUPTS;
}

static void write_enables(struct hart *hart, uint64_t value, uint64_t mask)
{
    hart->state->mie = (hart->state->mie & ~mask) | (value & mask);
    hart->changed |= HART_CHANGED_INTERRUPTS;
}

static uint64_t machine_pending_writable(const struct hart *hart)
{
    return sstc_on(hart) ? INTERRUPTS_SUPERVISOR & ~LINE_BIT(HART_LINE_STI) : INTERRUPTS_SUPERVISOR;
}

static bool write_machine(struct hart *hart, uint32_t number, uint64_t value)
{
    struct hart_state *state = hart->state;

    switch (number) {
    case CSR_MSTATUS:
        write_status(hart, value, STATUS_WRITABLE);
        return true;
    case CSR_MISA:
        return true;
    case CSR_MEDELEG:
        state->medeleg = value & EXCEPTIONS_DELEGABLE;
        return true;
    case CSR_MIDELEG:
        state->mideleg = value & INTERRUPTS_SUPERVISOR;
        hart->changed |= HART_CHANGED_INTERRUPTS;
        return true;
    case CSR_MIE:
        write_enables(hart, value, INTERRUPTS_SUPERVISOR | INTERRUPTS_MACHINE);
        return true;
    case CSR_MIP:
        write_pending(hart, value, machine_pending_writable(hart));
        return true;
    case CSR_MTVEC:
        write_vector(&state->mtvec, value);
        return true;
    case CSR_MCOUNTEREN:
        state->mcounteren = (uint32_t)value & COUNTERS_ALL;
        return true;
    case CSR_MCOUNTINHIBIT:
        write_inhibit(state, (uint32_t)value);
        return true;
    case CSR_MENVCFG:
        write_menvcfg(hart, value);
        return true;
    case CSR_MSCRATCH:
        state->mscratch = value;
        return true;
    case CSR_MEPC:
        state->mepc = value & ~UINT64_C(1);
        return true;
    case CSR_MCAUSE:
        state->mcause = value;
        return true;
    case CSR_MTVAL:
        state->mtval = value;
        return true;
    case CSR_MCYCLE:
    case CSR_MINSTRET:
        write_counter(state, number, value);
        return true;
    default: {
        uint64_t ignored;
        return read_machine(hart, number, &ignored); /* those that read 0 ignore writes */
    }
    }
}

static bool write_supervisor(struct hart *hart, uint32_t number, uint64_t value)
{
    struct hart_state *state = hart->state;

    switch (number) {
    case CSR_SSTATUS:
        write_status(hart, value, STATUS_SUPERVISOR);
        return true;
    case CSR_SIE:
        write_enables(hart, value, state->mideleg);
        return true;
    case CSR_SIP:
        write_pending(hart, value, state->mideleg & LINE_BIT(HART_LINE_SSI));
        return true;
    case CSR_STVEC:
        write_vector(&state->stvec, value);
        return true;
    case CSR_SCOUNTEREN:
        state->scounteren = (uint32_t)value & COUNTERS_ALL;
        return true;
    case CSR_SENVCFG:
        state->senvcfg = env_value(state->senvcfg, value, ENV_SUPERVISOR);
        return true;
    case CSR_SSCRATCH:
        state->sscratch = value;
        return true;
    case CSR_SEPC:
        state->sepc = value & ~UINT64_C(1);
        return true;
    case CSR_SCAUSE:
        state->scause = value;
        return true;
    case CSR_STVAL:
        state->stval = value;
        return true;
    case CSR_STIMECMP:
        state->stimecmp = value;
        timing_changed(hart);
        return true;
    case CSR_SATP:
        write_satp(hart, value);
        return true;
    default:
        return false;
    }
}

static bool write_user(struct hart *hart, uint32_t number, uint64_t value)
{
    struct hart_state *state = hart->state;

    if (number < CSR_FFLAGS || number > CSR_FCSR)
        return false;
    if (number == CSR_FRM)
        state->frm = (uint8_t)(value & 7);
    else
        state->fflags = (uint8_t)(value & 31);
    if (number == CSR_FCSR)
        state->frm = (uint8_t)(value >> 5 & 7);
    state->mstatus |= STATUS_FS;
    return true;
}

bool csr_write(struct hart *hart, uint32_t number, uint64_t value)
{
    if (!allowed(hart, number, true))
        return false;
    if (pmp_is_csr(number)) {
        pmp_csr_write(hart, number, value);
        return true;
    }
    switch (number >> 8 & 3) {
    case PRIVILEGE_M:
        return write_machine(hart, number, value);
    case PRIVILEGE_S:
        return write_supervisor(hart, number, value);
    case PRIVILEGE_U:
        return write_user(hart, number, value);
    default:
        return false;
    }
}

uint64_t csr_modify_base(const struct hart *hart, uint32_t number, uint64_t read)
{
    return number == CSR_MIP ? hart->state->mip_software : read;
}

bool csr_fence_allowed(const struct hart *hart, bool is_sfence_or_sinval)
{
    const struct hart_state *state = hart->state;

    if (state->privilege == PRIVILEGE_U)
        return false;
    return state->privilege == PRIVILEGE_M || !is_sfence_or_sinval ||
           (state->mstatus & STATUS_TVM) == 0;
}

bool csr_cbo_allowed(const struct hart *hart, enum cbo op)
{
    const struct hart_state *state = hart->state;
    uint64_t bit = op == CBO_ZERO ? ENV_CBZE : op == CBO_INVAL ? ENV_CBIE : ENV_CBCFE;

    if (state->privilege < PRIVILEGE_M && (state->menvcfg & bit) == 0)
        return false;
    return state->privilege != PRIVILEGE_U || (state->senvcfg & bit) != 0;
}
