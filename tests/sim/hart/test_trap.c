/* Traps and their returns (volume II, 3.1.6 to 3.1.16, 3.3, 12.1): who handles what, where the
 * handler starts, what the stacks of privileges and enables hold. */
#include "sim/hart/csr.h"
#include "sim/hart/csr_numbers.h"
#include "sim/hart/status.h"
#include "sim/hart/trap.h"
#include "tests/sim/hart/rig.h"

#define HANDLER_M UINT64_C(0x80001000)
#define HANDLER_S UINT64_C(0x80002000)
#define HERE      UINT64_C(0x80000040)
#define BIT(n)    (UINT64_C(1) << (n))
#define ALL_LINES (BIT(1) | BIT(3) | BIT(5) | BIT(7) | BIT(9) | BIT(11))
#define S_LINES   (BIT(1) | BIT(5) | BIT(9))
#define MPP(p)    ((uint64_t)(p) << STATUS_MPP_SHIFT)

static const uint8_t privileges[] = {PRIVILEGE_U, PRIVILEGE_S, PRIVILEGE_M};

static struct rig rig;
static struct hart_state *hart; /* rig.state */

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, (struct span){0}, 1);
    hart = rig.state;
    hart->mtvec = HANDLER_M;
    hart->stvec = HANDLER_S;
    hart->pc = HERE;
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static void stand(uint8_t privilege, uint64_t mstatus)
{
    hart->privilege = privilege;
    hart->mstatus = mstatus;
    hart->pc = HERE;
}

/* II 3.1.8: without delegation every trap goes to M, from wherever. */
static void an_exception_goes_to_machine_mode(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof privileges; i++) {
        stand(privileges[i], STATUS_MIE | STATUS_SIE);
        hart->sepc = hart->scause = hart->stval = 77;
        hart_exception(rig.hart, CAUSE_STORE_PAGE, 0x1234);
        assert_int_equal(hart->privilege, PRIVILEGE_M);
        assert_int_equal(hart->pc, HANDLER_M);
        assert_int_equal(hart->mepc, HERE);
        assert_int_equal(hart->mcause, 15);
        assert_int_equal(hart->mtval, 0x1234);
        assert_int_equal(hart->mstatus, STATUS_MPIE | STATUS_SIE | MPP(privileges[i]));
        assert_int_equal(hart->sepc, 77);
        assert_int_equal(hart->scause, 77);
        assert_int_equal(hart->stval, 77);
    }
}

/* II 3.1.8: a delegated trap goes to S from S and U, never from M. */
static void a_delegated_exception_goes_to_supervisor_mode(void **state)
{
    (void)state;
    hart->medeleg = BIT(CAUSE_LOAD_PAGE);
    for (size_t i = 0; i < 2; i++) {
        stand(privileges[i], STATUS_MIE | STATUS_SIE | STATUS_MPIE | MPP(PRIVILEGE_M));
        hart->mepc = hart->mcause = hart->mtval = 77;
        hart_exception(rig.hart, CAUSE_LOAD_PAGE, 0x4321);
        assert_int_equal(hart->privilege, PRIVILEGE_S);
        assert_int_equal(hart->pc, HANDLER_S);
        assert_int_equal(hart->sepc, HERE);
        assert_int_equal(hart->scause, 13);
        assert_int_equal(hart->stval, 0x4321);
        assert_int_equal(hart->mstatus, STATUS_MIE | STATUS_SPIE | STATUS_MPIE | MPP(PRIVILEGE_M) |
                                            (privileges[i] == PRIVILEGE_S ? STATUS_SPP : 0));
        assert_int_equal(hart->mepc, 77);
        assert_int_equal(hart->mcause, 77);
        assert_int_equal(hart->mtval, 77);
    }
    stand(PRIVILEGE_M, 0);
    hart_exception(rig.hart, CAUSE_LOAD_PAGE, 0);
    assert_int_equal(hart->privilege, PRIVILEGE_M);
    assert_int_equal(hart->mcause, 13);
    stand(PRIVILEGE_S, 0); /* another cause than the delegated one */
    hart_exception(rig.hart, CAUSE_STORE_PAGE, 0);
    assert_int_equal(hart->pc, HANDLER_M);
}

/* II 3.1.6.1: an enable that is off stays off in xPIE. */
static void the_previous_enable_is_what_the_enable_was(void **state)
{
    (void)state;
    stand(PRIVILEGE_M, STATUS_MPIE | STATUS_SPIE);
    hart_exception(rig.hart, CAUSE_ILLEGAL, 0);
    assert_int_equal(hart->mstatus, STATUS_SPIE | MPP(PRIVILEGE_M));
    hart->medeleg = BIT(CAUSE_ILLEGAL);
    stand(PRIVILEGE_U, STATUS_MPIE | STATUS_SPIE | STATUS_SPP);
    hart_exception(rig.hart, CAUSE_ILLEGAL, 0);
    assert_int_equal(hart->mstatus, STATUS_MPIE);
}

/* II 3.1.7, 12.1.2: MODE 1 adds 4 * cause for interrupts, not for exceptions. */
static void a_vector_is_for_interrupts_only(void **state)
{
    (void)state;
    hart->mtvec = HANDLER_M | 1;
    hart->stvec = HANDLER_S | 1;
    hart_exception(rig.hart, CAUSE_STORE_PAGE, 0);
    assert_int_equal(hart->pc, HANDLER_M);
    stand(PRIVILEGE_S, STATUS_SIE);
    hart->mie = ALL_LINES;
    hart->mip_lines = BIT(HART_LINE_MTI);
    assert_true(hart_take_interrupt(rig.hart));
    assert_int_equal(hart->pc, HANDLER_M + 4 * 7);
    assert_int_equal(hart->mcause, BIT(63) | 7);
    assert_int_equal(hart->mtval, 0);
    stand(PRIVILEGE_S, STATUS_SIE);
    hart->mideleg = S_LINES;
    hart->mip_lines = BIT(HART_LINE_SEI);
    assert_true(hart_take_interrupt(rig.hart));
    assert_int_equal(hart->pc, HANDLER_S + 4 * 9);
    assert_int_equal(hart->scause, BIT(63) | 9);
    assert_int_equal(hart->stval, 0);
    assert_int_equal(hart->sepc, HERE);
    assert_int_equal(hart->privilege, PRIVILEGE_S);
}

/* II 3.1.9: MEI, MSI, MTI, SEI, SSI, STI; and all for M before all for S. */
static void interrupts_are_taken_in_the_manuals_order(void **state)
{
    static const int order[] = {11, 3, 7, 9, 1, 5};

    (void)state;
    stand(PRIVILEGE_M, STATUS_MIE);
    hart->mie = ALL_LINES;
    hart->mip_lines = ALL_LINES;
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(hart_interrupt_ready(rig.hart), order[i]);
        hart->mip_lines &= ~BIT(order[i]);
    }
    assert_int_equal(hart_interrupt_ready(rig.hart), -1);
    stand(PRIVILEGE_S, STATUS_SIE);
    hart->mip_lines = BIT(HART_LINE_SEI) | BIT(HART_LINE_STI);
    hart->mideleg = BIT(HART_LINE_SEI); /* STI comes later in the order, but it is for M */
    assert_int_equal(hart_interrupt_ready(rig.hart), HART_LINE_STI);
}

/* II 3.1.6.1, 3.1.9: who may be interrupted, by privilege and enables. */
static void an_interrupt_needs_lower_privilege_or_the_enable(void **state)
{
    static const struct {
        uint8_t privilege;
        uint64_t mstatus;
        bool machine, supervisor;
    } rows[] = {
        {PRIVILEGE_M, 0, false, false},
        {PRIVILEGE_M, STATUS_SIE, false, false},
        {PRIVILEGE_M, STATUS_MIE, true, false},
        {PRIVILEGE_M, STATUS_MIE | STATUS_SIE, true, false}, /* never to a lower privilege */
        {PRIVILEGE_S, 0, true, false},
        {PRIVILEGE_S, STATUS_MIE, true, false},
        {PRIVILEGE_S, STATUS_SIE, true, true},
        {PRIVILEGE_U, 0, true, true},
        {PRIVILEGE_U, STATUS_MIE | STATUS_SIE, true, true},
    };

    (void)state;
    hart->mideleg = S_LINES;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        stand(rows[i].privilege, rows[i].mstatus);
        hart->mie = ALL_LINES;
        hart->mip_lines = BIT(HART_LINE_MSI);
        assert_int_equal(hart_interrupt_ready(rig.hart), rows[i].machine ? 3 : -1);
        hart->mip_lines = BIT(HART_LINE_SSI);
        assert_int_equal(hart_interrupt_ready(rig.hart), rows[i].supervisor ? 1 : -1);
        hart->mie = 0; /* pending but not enabled */
        assert_int_equal(hart_interrupt_ready(rig.hart), -1);
        assert_false(hart_take_interrupt(rig.hart));
        assert_int_equal(hart->pc, HERE);
    }
}

/* II 3.1.9: what is delegated stays pending while in M, whatever the enables say. */
static void a_delegated_interrupt_waits_in_machine_mode(void **state)
{
    (void)state;
    hart->mideleg = S_LINES;
    hart->mie = S_LINES;
    hart->mip_software = BIT(HART_LINE_SSI);
    stand(PRIVILEGE_M, STATUS_MIE | STATUS_SIE | STATUS_MPIE | MPP(PRIVILEGE_U));
    hart->mepc = HERE + 8;
    assert_false(hart_take_interrupt(rig.hart));
    assert_true(hart_mret(rig.hart));
    assert_true(hart_take_interrupt(rig.hart));
    assert_int_equal(hart->sepc, HERE + 8);
    assert_int_equal(hart->scause, BIT(63) | 1);
    assert_int_equal(hart->mstatus & (STATUS_SPP | STATUS_SIE | STATUS_SPIE), STATUS_SPIE);
}

/* II 3.1.6.1, 3.3.2: MRET pops; MPP becomes the least privilege, MPIE 1; MPRV goes unless to M. */
static void mret_pops_the_machine_stack(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof privileges; i++) {
        uint64_t mprv = privileges[i] == PRIVILEGE_M ? STATUS_MPRV : 0;

        stand(PRIVILEGE_M, MPP(privileges[i]) | STATUS_MPIE | STATUS_MPRV | STATUS_SUM);
        hart->mepc = HERE + 64;
        hart->reservation_valid = 1;
        assert_true(hart_mret(rig.hart));
        assert_int_equal(hart->privilege, privileges[i]);
        assert_int_equal(hart->pc, HERE + 64);
        assert_int_equal(hart->mstatus, STATUS_MIE | STATUS_MPIE | STATUS_SUM | mprv);
        assert_int_equal(hart->reservation_valid, 0); /* hart.h */
    }
    stand(PRIVILEGE_M, MPP(PRIVILEGE_S) | STATUS_MIE);
    assert_true(hart_mret(rig.hart));
    assert_int_equal(hart->mstatus, STATUS_MPIE); /* MIE takes MPIE, which was 0 */
    for (size_t i = 0; i < 2; i++) {
        stand(privileges[i], MPP(PRIVILEGE_M));
        assert_false(hart_mret(rig.hart));
        assert_int_equal(hart->privilege, privileges[i]);
        assert_int_equal(hart->pc, HERE);
    }
}

/* II 3.3.2, 12.1.1.1. */
static void sret_pops_the_supervisor_stack(void **state)
{
    static const uint8_t from[] = {PRIVILEGE_S, PRIVILEGE_M};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        stand(from[i], STATUS_SPP | STATUS_SPIE | STATUS_MPRV | MPP(PRIVILEGE_M));
        hart->sepc = HERE + 32;
        assert_true(hart_sret(rig.hart));
        assert_int_equal(hart->privilege, PRIVILEGE_S);
        assert_int_equal(hart->pc, HERE + 32);
        assert_int_equal(hart->mstatus, STATUS_SIE | STATUS_SPIE | MPP(PRIVILEGE_M));
        stand(from[i], STATUS_SIE);
        assert_true(hart_sret(rig.hart));
        assert_int_equal(hart->privilege, PRIVILEGE_U);
        assert_int_equal(hart->mstatus, STATUS_SPIE);
    }
}

/* II 3.1.6.6: TSR. */
static void sret_is_illegal_in_user_mode_and_under_tsr(void **state)
{
    (void)state;
    stand(PRIVILEGE_U, 0);
    assert_false(hart_sret(rig.hart));
    stand(PRIVILEGE_S, STATUS_TSR | STATUS_SPP);
    assert_false(hart_sret(rig.hart));
    assert_int_equal(hart->mstatus, STATUS_TSR | STATUS_SPP);
    assert_int_equal(hart->pc, HERE);
    stand(PRIVILEGE_M, STATUS_TSR);
    assert_true(hart_sret(rig.hart));
}

/* II 3.3.3, 3.1.6.6: WFI waits until mip & mie, delegated or enabled in mstatus or not. */
static void wfi_waits_for_a_pending_enabled_interrupt(void **state)
{
    (void)state;
    stand(PRIVILEGE_M, 0);
    assert_true(hart_wfi(rig.hart));
    assert_int_equal(hart->waiting, 1);
    assert_false(hart_take_interrupt(rig.hart));
    assert_int_equal(hart->waiting, 1);
    hart->mip_lines = BIT(HART_LINE_MTI);
    assert_false(hart_take_interrupt(rig.hart)); /* not enabled in mie */
    assert_int_equal(hart->waiting, 1);
    hart->mie = BIT(HART_LINE_MTI);
    assert_false(hart_take_interrupt(rig.hart)); /* wakes, though MIE is 0 */
    assert_int_equal(hart->waiting, 0);
    assert_true(hart_wfi(rig.hart));
    assert_int_equal(hart->waiting, 0);
}

static void wfi_is_illegal_in_user_mode_and_under_tw(void **state)
{
    (void)state;
    stand(PRIVILEGE_U, 0);
    assert_false(hart_wfi(rig.hart));
    stand(PRIVILEGE_S, STATUS_TW);
    assert_false(hart_wfi(rig.hart));
    assert_int_equal(hart->waiting, 0);
    stand(PRIVILEGE_S, 0);
    assert_true(hart_wfi(rig.hart));
    stand(PRIVILEGE_M, STATUS_TW);
    assert_true(hart_wfi(rig.hart));
}

/* I 8.1: minstret counts instructions retired; one that traps is not. */
static void an_instruction_that_traps_does_not_retire(void **state)
{
    uint64_t before, after;

    (void)state;
    RIG_PUT(&rig, HERE, NOP, NOP, ECALL);
    RIG_PUT(&rig, HANDLER_M, NOP);
    assert_true(csr_read(rig.hart, CSR_MINSTRET, &before));
    rig_run(&rig, 4);
    assert_int_equal(hart->pc, HANDLER_M + 4);
    assert_true(csr_read(rig.hart, CSR_MINSTRET, &after));
    assert_int_equal(after - before, 3);
    assert_int_equal(hart->instructions, 4);
}

/* II 3.1.16 table 14 and 3.1.17: the cause of every kind of instruction that traps, and xtval. */
static void causes_and_values_are_the_manuals(void **state)
{
    const struct {
        uint32_t word;
        uint8_t privilege;
        uint64_t cause, tval;
    } rows[] = {
        {ECALL, PRIVILEGE_U, 8, 0},
        {ECALL, PRIVILEGE_S, 9, 0},
        {ECALL, PRIVILEGE_M, 11, 0},
        {EBREAK, PRIVILEGE_U, 3, HERE},
        {MRET, PRIVILEGE_S, 2, MRET},
        {WFI, PRIVILEGE_U, 2, WFI},
        {0xffffffff, PRIVILEGE_M, 2, 0xffffffff},
        {0, PRIVILEGE_M, 2, 0},
        {CSRRW(0, CSR_MSTATUS, 5), PRIVILEGE_S, 2, CSRRW(0, CSR_MSTATUS, 5)},
        {LD(5, 6, 0), PRIVILEGE_M, 5, 0x40000000},
        {SD(5, 6, 0), PRIVILEGE_M, 7, 0x40000000},
        {LR_D(5, 7), PRIVILEGE_M, 4, RIG_RAM + 4},
        {SC_D(5, 7, 6), PRIVILEGE_M, 6, RIG_RAM + 4},
        {JALR(0, 6, 0), PRIVILEGE_M, 1, 0x40000000},
        {FADD_D(1, 2, 3), PRIVILEGE_M, 2, FADD_D(1, 2, 3)}, /* FS is off */
    };

    (void)state;
    hart->pmpaddr[0] = UINT64_MAX >> 10;
    hart->pmpcfg[0] = 0x1f;
    hart->x[6] = 0x40000000; /* nothing is there */
    hart->x[7] = RIG_RAM + 4;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        RIG_PUT(&rig, HERE, rows[i].word);
        stand(rows[i].privilege, 0);
        rig.hart->changed = UINT32_MAX;
        rig_run(&rig, rows[i].cause == 1 ? 2 : 1);
        assert_int_equal(hart->pc, HANDLER_M);
        assert_int_equal(hart->mcause, rows[i].cause);
        assert_int_equal(hart->mtval, rows[i].tval);
        assert_int_equal(hart->mepc, rows[i].cause == 1 ? 0x40000000 : HERE);
        assert_int_equal(hart->mstatus, MPP(rows[i].privilege));
    }
}

/* hart.h: at the first boundary at which it is pending and enabled. */
static void a_program_is_interrupted_by_the_write_that_enables(void **state)
{
    (void)state;
    RIG_PUT(&rig, HERE, NOP, CSRRS(0, CSR_MSTATUS, 5), NOP);
    RIG_PUT(&rig, HANDLER_M, NOP);
    stand(PRIVILEGE_M, 0);
    hart->x[5] = STATUS_MIE;
    hart->mie = BIT(HART_LINE_SSI);
    hart->mip_software = BIT(HART_LINE_SSI);
    rig_run(&rig, 3);
    assert_int_equal(hart->mepc, HERE + 8);
    assert_int_equal(hart->mcause, BIT(63) | 1);
    assert_int_equal(hart->pc, HANDLER_M + 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_exception_goes_to_machine_mode),
        TEST(a_delegated_exception_goes_to_supervisor_mode),
        TEST(the_previous_enable_is_what_the_enable_was),
        TEST(a_vector_is_for_interrupts_only),
        TEST(interrupts_are_taken_in_the_manuals_order),
        TEST(an_interrupt_needs_lower_privilege_or_the_enable),
        TEST(a_delegated_interrupt_waits_in_machine_mode),
        TEST(mret_pops_the_machine_stack),
        TEST(sret_pops_the_supervisor_stack),
        TEST(sret_is_illegal_in_user_mode_and_under_tsr),
        TEST(wfi_waits_for_a_pending_enabled_interrupt),
        TEST(wfi_is_illegal_in_user_mode_and_under_tw),
        TEST(an_instruction_that_traps_does_not_retire),
        TEST(causes_and_values_are_the_manuals),
        TEST(a_program_is_interrupted_by_the_write_that_enables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
