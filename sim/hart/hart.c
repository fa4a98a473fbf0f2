#include "sim/hart/hart.h"

#include "sim/hart/csr.h"
#include "sim/hart/engine.h"
#include "sim/hart/status.h"
#include "sim/hart/trap.h"
#include "storage/base/check.h"

#include <string.h>

#define LINES_INPUT                                                                                \
    (LINE_BIT(HART_LINE_SSI) | LINE_BIT(HART_LINE_MSI) | LINE_BIT(HART_LINE_MTI) |                 \
     LINE_BIT(HART_LINE_SEI) | LINE_BIT(HART_LINE_MEI))
#define LINES_ALL         (LINES_INPUT | LINE_BIT(HART_LINE_STI))
#define LINES_SOFTWARE                                                                             \
    (LINE_BIT(HART_LINE_SSI) | LINE_BIT(HART_LINE_STI) | LINE_BIT(HART_LINE_SEI))
#define RESERVATION_BYTES 64

/* clang-format off */
static const struct attr state_attrs[] = {
    ATTR_ARRAY(struct hart_state, x, 0, "integer registers x0 to x31; x0 is 0"),
    ATTR_ARRAY(struct hart_state, f, 0, "floating-point registers, singles NaN-boxed"),
    ATTR(struct hart_state, pc, 0, "address of the next instruction"),
    ATTR(struct hart_state, cycle, 0, "the hart's virtual time, in machine cycles"),
    ATTR(struct hart_state, instructions, 0, "instructions executed since reset, those that trapped too"),
    ATTR(struct hart_state, mcycle_offset, 0, "mcycle less cycle, while mcycle counts"),
    ATTR(struct hart_state, minstret_offset, 0, "minstret less instructions, while minstret counts"),
    ATTR(struct hart_state, mcycle_stopped, 0, "mcycle while mcountinhibit.CY is set"),
    ATTR(struct hart_state, minstret_stopped, 0, "minstret while mcountinhibit.IR is set"),
    ATTR(struct hart_state, mstatus, 0, "machine status, without its read-only bits"),
    ATTR(struct hart_state, medeleg, 0, "exceptions delegated to S mode"),
    ATTR(struct hart_state, mideleg, 0, "interrupts delegated to S mode"),
    ATTR(struct hart_state, mie, 0, "interrupts enabled"),
    ATTR(struct hart_state, mip_software, 0, "interrupts pending by software: SSIP, STIP, SEIP"),
    ATTR(struct hart_state, mip_lines, 0, "levels of the interrupt lines, by interrupt number"),
    ATTR(struct hart_state, mtvec, 0, "machine trap vector"),
    ATTR(struct hart_state, mscratch, 0, "machine scratch register"),
    ATTR(struct hart_state, mepc, 0, "pc of the last trap into M mode"),
    ATTR(struct hart_state, mcause, 0, "cause of the last trap into M mode"),
    ATTR(struct hart_state, mtval, 0, "value of the last trap into M mode"),
    ATTR(struct hart_state, menvcfg, 0, "environment configuration for less than M mode"),
    ATTR(struct hart_state, stvec, 0, "supervisor trap vector"),
    ATTR(struct hart_state, sscratch, 0, "supervisor scratch register"),
    ATTR(struct hart_state, sepc, 0, "pc of the last trap into S mode"),
    ATTR(struct hart_state, scause, 0, "cause of the last trap into S mode"),
    ATTR(struct hart_state, stval, 0, "value of the last trap into S mode"),
    ATTR(struct hart_state, senvcfg, 0, "environment configuration for U mode"),
    ATTR(struct hart_state, satp, 0, "address translation: mode, ASID, root page"),
    ATTR(struct hart_state, stimecmp, UINT64_MAX, "time of the supervisor timer interrupt (Sstc)"),
    ATTR(struct hart_state, reservation_address, 0, "physical address of LR's 64 bytes, while valid"),
    ATTR_ARRAY(struct hart_state, pmpaddr, 0, "PMP addresses, in units of 4 bytes"),
    ATTR_ARRAY(struct hart_state, pmpcfg, 0, "PMP configurations"),
    ATTR(struct hart_state, mcounteren, 0, "counters that S mode may read"),
    ATTR(struct hart_state, scounteren, 0, "counters that U mode may read"),
    ATTR(struct hart_state, mcountinhibit, 0, "counters that stand still"),
    ATTR(struct hart_state, fflags, 0, "floating-point exceptions: NV 16, DZ 8, OF 4, UF 2, NX 1"),
    ATTR(struct hart_state, frm, 0, "dynamic rounding mode"),
    ATTR(struct hart_state, privilege, PRIVILEGE_M, "0 user, 1 supervisor, 3 machine"),
    ATTR(struct hart_state, reservation_valid, 0, "1 while LR's reservation stands"),
    ATTR(struct hart_state, waiting, 0, "1 while in WFI"),
    ATTR_ARRAY(struct hart_state, unused, 0, "always 0"),
};
static const struct attr config_attrs[] = {
    ATTR(struct hart_config, hart_id, 0, "mhartid"),
    ATTR(struct hart_config, reset_pc, 0x1000, "pc after reset"),
    ATTR(struct hart_config, satp_mode_max, 10, "largest satp mode: 8 Sv39, 9 Sv48, 10 Sv57"),
    ATTR(struct hart_config, svadu, 1, "1: the hart can set A and D bits itself (menvcfg.ADUE)"),
    ATTR_ARRAY(struct hart_config, unused, 0, "always 0"),
};
static const struct link_slot links[] = {
    {"timer", NULL, true, "the board's time counter"},
};
/* clang-format on */

const struct schema hart_schema = {
    .name = "riscv-hart",
    .version = 1,
    .state = ATTR_TABLE(struct hart_state, state_attrs),
    .config = ATTR_TABLE(struct hart_config, config_attrs),
    .links = links,
    .link_count = 1,
    .meaning = "a RISC-V hart: RV64GC with M, S and U modes",
};

const char *hart_isa_string(const struct hart_config *config)
{
    if (config->svadu)
        return "rv64imafdc_zicbom_zicboz_zicntr_zicond_zicsr_zifencei_zihpm_zba_zbb_zbs_sstc_svadu_"
               "svinval_svnapot_svpbmt";
    return "rv64imafdc_zicbom_zicboz_zicntr_zicond_zicsr_zifencei_zihpm_zba_zbb_zbs_sstc_svade_"
           "svinval_"
           "svnapot_svpbmt";
}

static bool check_config(const void *bytes, struct err *err)
{
    const struct hart_config *config = bytes;

    if (config->satp_mode_max < 8 || config->satp_mode_max > 10)
        return err_set(err, ERR_INVALID, "satp_mode_max is %u, not 8, 9 or 10",
                       config->satp_mode_max);
    if (config->svadu > 1 || config->unused[0] != 0 || config->unused[1] != 0 ||
        config->unused[2] != 0)
        return err_set(err, ERR_INVALID, "svadu must be 0 or 1, unused 0");
    if ((config->reset_pc & 1) != 0)
        return err_set(err, ERR_INVALID, "reset_pc is odd");
    return true;
}

static bool impossible(struct err *err, const char *name, uint64_t value)
{
    return err_set(err, ERR_INVALID, "attribute %s: no hart can hold 0x%llx", name,
                   (unsigned long long)value);
}

static bool check_registers(const struct hart_state *state, struct err *err)
{
    uint64_t satp_mode = state->satp >> SATP_MODE_SHIFT;

    if (state->x[0] != 0)
        return impossible(err, "x[0]", state->x[0]);
    if ((state->pc & 1) != 0)
        return impossible(err, "pc", state->pc);
    if ((state->mepc & 1) != 0) /* a return would lead to an odd pc */
        return impossible(err, "mepc", state->mepc);
    if ((state->sepc & 1) != 0)
        return impossible(err, "sepc", state->sepc);
    if (satp_mode != 0 && (satp_mode < 8 || satp_mode > 10))
        return impossible(err, "satp", state->satp);
    if ((state->mstatus & STATUS_MPP) == UINT64_C(2) << STATUS_MPP_SHIFT)
        return impossible(err, "mstatus", state->mstatus);
    if ((state->mip_lines & ~LINES_ALL) != 0)
        return impossible(err, "mip_lines", state->mip_lines);
    if ((state->mip_software & ~LINES_SOFTWARE) != 0)
        return impossible(err, "mip_software", state->mip_software);
    if ((state->mideleg & ~LINES_SOFTWARE) != 0)
        return impossible(err, "mideleg", state->mideleg);
    return true;
}

static bool check_state(const struct object *object, const void *bytes, struct err *err)
{
    const struct hart_state *state = bytes;
    const struct hart_config *config = object->config;

    if (state->privilege != PRIVILEGE_U && state->privilege != PRIVILEGE_S &&
        state->privilege != PRIVILEGE_M)
        return impossible(err, "privilege", state->privilege);
    if (state->fflags > 31)
        return impossible(err, "fflags", state->fflags);
    if (state->frm > 7)
        return impossible(err, "frm", state->frm);
    if (state->reservation_valid > 1 || state->waiting > 1)
        return impossible(err, "waiting or reservation_valid", state->waiting);
    if (state->reservation_address % RESERVATION_BYTES != 0)
        return impossible(err, "reservation_address", state->reservation_address);
    if (state->satp >> SATP_MODE_SHIFT > config->satp_mode_max)
        return impossible(err, "satp", state->satp);
    for (size_t i = 0; i < sizeof state->unused; i++)
        if (state->unused[i] != 0)
            return impossible(err, "unused", state->unused[i]);
    return check_registers(state, err);
}

static void close_hart(struct object *object)
{
    struct hart *hart = hart_of(object);

    if (hart == NULL)
        return;
    if (hart->engine != NULL)
        hart->engine_ops->close(hart);
    mem_free(hart);
    object->host = NULL;
}

static bool open_hart(struct object *object, struct err *err)
{
    struct hart *hart = mem_alloc(sizeof *hart);

    object->host = hart;
    hart->object = object;
    hart->state = object->state;
    hart->config = object->config;
    hart->machine = object->machine;
    hart->bus = object_bus(object);
    hart->timer = object->links[0];
    if (hart->timer->model->timer == NULL) {
        err_set(err, ERR_INVALID, "the link timer leads to %s, which keeps no time",
                hart->timer->path);
        close_hart(object);
        return false;
    }
    hart->engine_ops = engine_find("auto");
    if (hart->engine_ops->open(hart, err))
        return true;
    close_hart(object);
    return false;
}

static void reset(struct object *object)
{
    struct hart_state *state = object->state;
    const struct hart_config *config = object->config;

    state->pc = config->reset_pc;
    if (config->svadu)
        state->menvcfg = ENV_ADUE;
}

static void rebuild(struct object *object)
{
    hart_of(object)->changed = HART_CHANGED_INTERRUPTS | HART_CHANGED_TRANSLATION |
                               HART_CHANGED_PROTECTION | HART_CHANGED_TIMING;
}

static uint64_t deadline(const struct object *object)
{
    const struct hart *hart = hart_of(object);
    const struct hart_state *state = hart->state;

    if ((state->menvcfg & ENV_STCE) == 0 || (state->mip_lines & LINE_BIT(HART_LINE_STI)) != 0)
        return CYCLE_NEVER;
    return hart->timer->model->timer->cycle_of(hart->timer, state->stimecmp);
}

static void fire(struct object *object, uint64_t now)
{
    struct hart *hart = hart_of(object);

    (void)now;
    hart->state->mip_lines |= LINE_BIT(HART_LINE_STI);
    hart->changed |= HART_CHANGED_INTERRUPTS;
}

static void set_line(struct object *object, uint32_t line, bool level)
{
    struct hart *hart = hart_of(object);

    if (line == HART_LINE_TIME_WRITTEN) {
        csr_update_stimer(hart);
        machine_deadline_changed(hart->machine);
        return;
    }
    CHECK(line < 64 && (LINE_BIT(line) & LINES_INPUT) != 0);
    hart->state->mip_lines = bits_put(hart->state->mip_lines, LINE_BIT(line), level);
    hart->changed |= HART_CHANGED_INTERRUPTS;
}

static uint64_t cpu_run(struct object *cpu, uint64_t cycle_limit, uint64_t instructions_max)
{
    struct hart *hart = hart_of(cpu);

    return hart->engine_ops->run(hart, cycle_limit, instructions_max);
}

static uint64_t cpu_cycle(const struct object *cpu)
{
    return hart_of(cpu)->state->cycle;
}

static void cpu_set_cycle(struct object *cpu, uint64_t cycle)
{
    hart_of(cpu)->state->cycle = cycle;
}

static bool cpu_waiting(const struct object *cpu)
{
    const struct hart *hart = hart_of(cpu);

    return hart->state->waiting != 0 && (hart_pending(hart) & hart->state->mie) == 0;
}

static void cpu_end_turn(struct object *cpu)
{
    hart_of(cpu)->state->reservation_valid = 0;
    hart_of(cpu)->state->reservation_address = 0;
}

static void cpu_flush(struct object *cpu)
{
    hart_of(cpu)->engine_ops->flush(hart_of(cpu));
}

static void cpu_flush_writes(struct object *cpu)
{
    hart_of(cpu)->engine_ops->flush_writes(hart_of(cpu));
}

static const struct cpu_ops cpu_ops = {
    .run = cpu_run,
    .cycle = cpu_cycle,
    .set_cycle = cpu_set_cycle,
    .waiting = cpu_waiting,
    .end_turn = cpu_end_turn,
    .flush = cpu_flush,
    .flush_writes = cpu_flush_writes,
};

const struct model hart_fast_model = {
    .name = "rv64-fast",
    .schema = &hart_schema,
    .open = open_hart,
    .close = close_hart,
    .check_config = check_config,
    .check_state = check_state,
    .reset = reset,
    .rebuild = rebuild,
    .deadline = deadline,
    .fire = fire,
    .set_line = set_line,
    .cpu = &cpu_ops,
};
