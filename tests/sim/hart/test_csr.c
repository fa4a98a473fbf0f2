/* Control and status registers (volume II, chapters 2, 3, 12; I 7, 8): who may touch which, and
 * what they hold of what is written. PMP's are in test_pmp.c. */
#include "sim/hart/csr.h"
#include "sim/hart/csr_numbers.h"
#include "sim/hart/status.h"
#include "sim/hart/trap.h"
#include "tests/sim/hart/rig.h"

#define BIT(n)      (UINT64_C(1) << (n))
#define ONES        UINT64_MAX
#define MPP(p)      ((uint64_t)(p) << STATUS_MPP_SHIFT)
#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

static struct rig rig;
static struct hart_state *hart; /* rig.state */

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, (struct span){0}, 1);
    hart = rig.state;
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static bool readable(uint32_t number)
{
    uint64_t value;

    return csr_read(rig.hart, number, &value);
}

static uint64_t get(uint32_t number)
{
    uint64_t value = 0;

    if (!csr_read(rig.hart, number, &value))
        fail_msg("CSR %x cannot be read", number);
    return value;
}

/* What the register holds after a write. */
static uint64_t put(uint32_t number, uint64_t value)
{
    if (!csr_write(rig.hart, number, value))
        fail_msg("CSR %x cannot be written", number);
    return get(number);
}

/* The registers this hart has; the counters 3 to 31 and their events come as ranges. */
static bool exists(uint32_t number)
{
    static const uint16_t numbers[] = {
        0x001, 0x002, 0x003, 0x100, 0x104, 0x105, 0x106, 0x10a, 0x140, 0x141, 0x142,
        0x143, 0x144, 0x14d, 0x180, 0x300, 0x301, 0x302, 0x303, 0x304, 0x305, 0x306,
        0x30a, 0x320, 0x340, 0x341, 0x342, 0x343, 0x344, 0x3a0, 0x3a2, 0xb00, 0xb02,
        0xc00, 0xc01, 0xc02, 0xf11, 0xf12, 0xf13, 0xf14, 0xf15};

    for (size_t i = 0; i < COUNT(numbers); i++)
        if (numbers[i] == number)
            return true;
    return (number >= 0x323 && number <= 0x33f) || (number >= 0x3b0 && number <= 0x3bf) ||
           (number >= 0xb03 && number <= 0xb1f) || (number >= 0xc03 && number <= 0xc1f);
}

/* II 2.1: bits 9 and 8 are the least privilege, bits 11 and 10 both set mean read-only; what does
 * not exist is illegal. All 4096 numbers at all privileges. */
static void every_number_obeys_its_own_bits(void **state)
{
    static const uint8_t privileges[] = {PRIVILEGE_U, PRIVILEGE_S, PRIVILEGE_M};

    (void)state;
    hart->mcounteren = hart->scounteren = UINT32_MAX;
    for (size_t p = 0; p < COUNT(privileges); p++)
        for (uint32_t number = 0; number < 4096; number++) {
            bool may_read = exists(number) && (number >> 8 & 3) <= privileges[p];
            uint64_t value = 0;

            hart->privilege = privileges[p];
            hart->mstatus = STATUS_FS;
            hart->menvcfg = ENV_STCE;
            if (csr_read(rig.hart, number, &value) != may_read)
                fail_msg("read of %x at %u", number, privileges[p]);
            if (csr_write(rig.hart, number, value) != (may_read && number >> 10 != 3))
                fail_msg("write of %x at %u", number, privileges[p]);
        }
}

static void only_registers_that_exist_have_names(void **state)
{
    uint32_t count = 0;

    (void)state;
    for (uint32_t number = 0; number < 4096; number++) {
        if (csr_name(number) != NULL && !exists(number))
            fail_msg("CSR %x is called %s", number, csr_name(number));
        count += csr_name(number) != NULL;
    }
    assert_int_equal(count, 41); /* all but the numbered ones: pmpaddr and event counters */
    assert_string_equal(csr_name(CSR_STIMECMP), "stimecmp");
    assert_string_equal(csr_name(CSR_SIP), "sip");
}

/* II 3.1.1 to 3.1.5. */
static void machine_information_is_what_it_is(void **state)
{
    (void)state;
    assert_int_equal(get(CSR_MVENDORID), 0);
    assert_int_equal(get(CSR_MHARTID), 0);
    /* MXL 2 in bits 63 and 62; A 0, C 2, D 3, F 5, I 8, M 12, S 18, U 20 */
    assert_int_equal(get(CSR_MISA), BIT(63) | BIT(0) | BIT(2) | BIT(3) | BIT(5) | BIT(8) | BIT(12) |
                                        BIT(18) | BIT(20));
    assert_int_equal(put(CSR_MISA, 0), get(CSR_MISA));
    assert_int_equal(get(CSR_MISA) >> 62, 2);
    assert_int_equal(put(CSR_MHPMCOUNTER3, ONES), 0);
    assert_int_equal(put(CSR_MHPMEVENT3 + 28, ONES), 0);
}

/* What each register keeps of all ones and of zero, and the bits that cannot be cleared. */
static void writes_keep_only_implemented_bits(void **state)
{
    static const struct {
        uint32_t number;
        uint64_t ones, zero;
    } rows[] = {
        {CSR_FFLAGS, 0x1f, 0}, /* I 21.2 */
        {CSR_FRM, 7, 0},
        {CSR_FCSR, 0xff, 0},
        {CSR_STVEC, 0, 0},      /* MODE 3 is reserved: the write is lost */
        {CSR_SCOUNTEREN, 7, 0}, /* CY, TM, IR */
        {CSR_SENVCFG, 0xf1, 0}, /* II 12.1.10: CBZE CBCFE CBIE FIOM */
        {CSR_SSCRATCH, ONES, 0},
        {CSR_SEPC, ONES - 1, 0}, /* II 12.1.7: IALIGN is 16 */
        {CSR_SCAUSE, ONES, 0},
        {CSR_STVAL, ONES, 0},
        {CSR_STIMECMP, ONES, 0},
        {CSR_MEDELEG, 0xb3ff, 0}, /* II 3.1.8: not ecall from M, not reserved */
        {CSR_MIDELEG, 0x222, 0},  /* the supervisor's three */
        {CSR_MIE, 0xaaa, 0},
        {CSR_MIP, 0x222, 0}, /* II 3.1.9: MEIP, MTIP, MSIP are wires */
        {CSR_MTVEC, 0, 0},
        {CSR_MCOUNTEREN, 7, 0},
        {CSR_MCOUNTINHIBIT, 5, 0}, /* II 3.1.12: CY and IR, never TM */
        {CSR_MSCRATCH, ONES, 0},
        {CSR_MEPC, ONES - 1, 0},
        {CSR_MCAUSE, ONES, 0},
        {CSR_MTVAL, ONES, 0},
        {CSR_MENVCFG, UINT64_C(0xc0000000000000f1), 0}, /* II 3.1.18: STCE and PBMTE too */
        /* II 3.1.6: UXL and SXL are 2; TSR TW TVM MXR SUM MPRV FS MPP SPP MPIE SPIE MIE SIE */
        {CSR_MSTATUS, UINT64_C(0x8000000a007e79aa), UINT64_C(0x0000000a00000000)},
        {CSR_SSTATUS, UINT64_C(0x80000002000c6122), UINT64_C(0x0000000200000000)},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t ones, zero;

        hart->mstatus = STATUS_FS; /* for the rows of F */
        ones = put(rows[i].number, ONES);
        zero = put(rows[i].number, 0);
        if (ones != rows[i].ones || zero != rows[i].zero)
            fail_msg("CSR %x: %llx, %llx", rows[i].number, (unsigned long long)ones,
                     (unsigned long long)zero);
        machine_reset(rig.machine);
    }
}

/* II 3.1.6.1, 3.1.7, 12.1.2, 12.1.10: fields with reserved values keep a legal one. */
static void reserved_values_leave_the_field_as_it_was(void **state)
{
    (void)state;
    put(CSR_MSTATUS, MPP(PRIVILEGE_S) | STATUS_SIE);
    assert_int_equal(put(CSR_MSTATUS, MPP(2) | STATUS_MIE) & ~BIT(33) & ~BIT(35),
                     MPP(PRIVILEGE_S) | STATUS_MIE);
    assert_int_equal(put(CSR_MTVEC, 0x80000101), 0x80000101);
    assert_int_equal(put(CSR_MTVEC, 0x80000202), 0x80000101);
    assert_int_equal(put(CSR_STVEC, 0x80000104), 0x80000104);
    assert_int_equal(put(CSR_STVEC, 0x80000207), 0x80000104);
    assert_int_equal(put(CSR_SENVCFG, 0x10), 0x10);
    assert_int_equal(put(CSR_SENVCFG, 0xa1), 0x91); /* CBIE 2: the other fields are written */
    assert_int_equal(put(CSR_MENVCFG, 0x30) & 0xff, 0x30);
    assert_int_equal(put(CSR_MENVCFG, 0x20) & 0xff, 0x30);
    assert_int_equal(put(CSR_MENVCFG, 0), 0);
}

/* II 12.1.1: sstatus is a window on mstatus; 3.1.6.7: SD says that FS is dirty. */
static void sstatus_is_a_part_of_mstatus(void **state)
{
    const uint64_t machine =
        STATUS_MIE | STATUS_MPIE | STATUS_MPP | STATUS_MPRV | STATUS_TVM | STATUS_TW | STATUS_TSR;

    (void)state;
    put(CSR_MSTATUS, machine);
    put(CSR_SSTATUS, ONES);
    assert_int_equal(hart->mstatus & machine, machine);
    put(CSR_SSTATUS, 0);
    assert_int_equal(hart->mstatus, machine);
    put(CSR_MSTATUS, STATUS_SUM | STATUS_SPP | machine);
    assert_int_equal(get(CSR_SSTATUS) & ~BIT(33), STATUS_SUM | STATUS_SPP);
    for (uint64_t fs = 0; fs < 4; fs++) {
        put(CSR_MSTATUS, fs << 13);
        assert_int_equal(get(CSR_MSTATUS) >> 63, fs == 3);
        assert_int_equal(get(CSR_SSTATUS) >> 63, fs == 3);
    }
}

/* II 12.1.3: sie and sip show and change what is delegated; only SSIP is writable in sip. */
static void sie_and_sip_are_masked_by_mideleg(void **state)
{
    (void)state;
    put(CSR_MIDELEG, BIT(1) | BIT(9));
    put(CSR_MIE, 0xaaa);
    assert_int_equal(get(CSR_SIE), 0x202);
    put(CSR_SIE, 0);
    assert_int_equal(get(CSR_MIE), 0x8a8);
    put(CSR_MIE, 0);
    put(CSR_SIE, ONES);
    assert_int_equal(get(CSR_MIE), 0x202);
    put(CSR_MIP, 0x222);
    assert_int_equal(get(CSR_SIP), 0x202);
    put(CSR_SIP, 0);
    assert_int_equal(get(CSR_MIP), 0x220);
    put(CSR_SIP, ONES);
    assert_int_equal(get(CSR_MIP), 0x222);
    put(CSR_MIDELEG, 0);
    put(CSR_SIP, 0);
    assert_int_equal(get(CSR_MIP), 0x222);
    assert_int_equal(get(CSR_SIP), 0);
}

/* II 3.1.9: SEIP reads as bit or wire, and CSRRS and CSRRC write back the bit alone. */
static void seip_is_a_bit_or_a_wire(void **state)
{
    uint64_t read;

    (void)state;
    hart->mip_lines = BIT(9) | BIT(11) | BIT(7);
    read = get(CSR_MIP);
    assert_int_equal(read, BIT(9) | BIT(11) | BIT(7));
    assert_int_equal(csr_modify_base(rig.hart, CSR_MIP, read), 0);
    put(CSR_MIP, csr_modify_base(rig.hart, CSR_MIP, read) | BIT(1));
    hart->mip_lines = 0;
    assert_int_equal(get(CSR_MIP), BIT(1));
    put(CSR_MIP, BIT(9));
    assert_int_equal(csr_modify_base(rig.hart, CSR_MIP, get(CSR_MIP)), BIT(9));
    assert_int_equal(csr_modify_base(rig.hart, CSR_MIE, 0x123), 0x123);
}

/* II 12.1.11: satp with a MODE that is not implemented changes nothing at all. */
static void satp_takes_the_modes_there_are(void **state)
{
    struct hart_config config = *rig.hart->config;

    (void)state;
    rig.hart->config = &config;
    for (uint32_t max = 8; max <= 10; max++)
        for (uint64_t mode = 0; mode < 16; mode++) {
            uint64_t old = UINT64_C(0x8abcd00000012345), new = mode << 60 | 0x54321;
            bool takes = mode == 0 || (mode >= 8 && mode <= max);

            config.satp_mode_max = max;
            assert_int_equal(put(CSR_SATP, old), old); /* 16 bits of ASID */
            assert_int_equal(put(CSR_SATP, new), takes ? new : old);
        }
    rig.hart->config = rig.hart->object->config;
}

/* II 3.1.6.6: TVM. */
static void tvm_traps_satp_and_fences_in_supervisor_mode(void **state)
{
    (void)state;
    for (int tvm = 0; tvm <= 1; tvm++) {
        hart->mstatus = tvm ? STATUS_TVM : STATUS_TW | STATUS_TSR;
        hart->privilege = PRIVILEGE_M;
        assert_true(csr_write(rig.hart, CSR_SATP, 0) && readable(CSR_SATP));
        assert_true(csr_fence_allowed(rig.hart, true));
        hart->privilege = PRIVILEGE_S;
        assert_int_equal(readable(CSR_SATP), !tvm);
        assert_int_equal(csr_write(rig.hart, CSR_SATP, 0), !tvm);
        assert_int_equal(csr_fence_allowed(rig.hart, true), !tvm);
        assert_true(csr_fence_allowed(rig.hart, false)); /* II 7: SFENCE.W.INVAL, .INVAL.IR */
        hart->privilege = PRIVILEGE_U;
        assert_false(csr_fence_allowed(rig.hart, true) || csr_fence_allowed(rig.hart, false));
    }
}

/* II 3.1.11, 12.1.5: S needs mcounteren, U needs both. */
static void counters_are_open_as_the_enables_say(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 64; bits++) {
        hart->mcounteren = bits & 7;
        hart->scounteren = bits >> 3;
        for (uint32_t i = 0; i < 3; i++) {
            bool m = (bits >> i & 1) != 0, s = (bits >> (i + 3) & 1) != 0;
            hart->privilege = PRIVILEGE_M;
            assert_true(readable(CSR_CYCLE + i));
            hart->privilege = PRIVILEGE_S;
            assert_int_equal(readable(CSR_CYCLE + i), m);
            hart->privilege = PRIVILEGE_U;
            assert_int_equal(readable(CSR_CYCLE + i), m && s);
        }
        assert_false(readable(CSR_CYCLE + 3)); /* not enabled: its bit is hardwired to 0 */
    }
}

/* I 8.1, II 3.1.10: a write takes the place of the instruction's own increment. */
static void counters_go_on_from_what_is_written(void **state)
{
    (void)state;
    hart->cycle = 1000;
    hart->instructions = 900;
    assert_true(csr_write(rig.hart, CSR_MCYCLE, 5));
    assert_true(csr_write(rig.hart, CSR_MINSTRET, ONES));
    hart->cycle++;
    hart->instructions++;
    assert_int_equal(get(CSR_MCYCLE), 5);
    assert_int_equal(get(CSR_CYCLE), 5);
    assert_int_equal(get(CSR_INSTRET), ONES);
    hart->cycle += 7;
    hart->instructions += 3;
    assert_int_equal(get(CSR_CYCLE), 12);
    assert_int_equal(get(CSR_MINSTRET), 2);
    assert_int_equal(hart->cycle, 1008); /* virtual time is not the guest's to change */
}

/* II 3.1.12. */
static void inhibited_counters_stand_still(void **state)
{
    (void)state;
    hart->cycle = hart->instructions = 100;
    put(CSR_MCOUNTINHIBIT, COUNTER_CY);
    hart->cycle += 50;
    hart->instructions += 50;
    assert_int_equal(get(CSR_MCYCLE), 101); /* the write's own instruction still counted */
    assert_int_equal(get(CSR_MINSTRET), 150);
    put(CSR_MCYCLE, 7);
    hart->cycle += 50;
    assert_int_equal(get(CSR_CYCLE), 7);
    put(CSR_MCOUNTINHIBIT, COUNTER_IR);
    hart->cycle += 11;
    hart->instructions += 11;
    assert_int_equal(get(CSR_MCYCLE), 7 + 10); /* the write's own instruction did not count */
    assert_int_equal(get(CSR_MINSTRET), 151);
    put(CSR_MCOUNTINHIBIT, 0);
    hart->instructions += 4;
    assert_int_equal(get(CSR_MINSTRET), 151 + 3);
}

/* Sstc 2.1 (II 13): below M, stimecmp needs STCE and mcounteren.TM. */
static void stimecmp_is_open_with_stce_and_tm(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 4; i++) {
        hart->menvcfg = (i & 1) != 0 ? ENV_STCE : 0;
        hart->mcounteren = (i & 2) != 0 ? COUNTER_TM : COUNTER_CY | COUNTER_IR;
        hart->privilege = PRIVILEGE_S;
        assert_int_equal(readable(CSR_STIMECMP), i == 3);
        assert_int_equal(csr_write(rig.hart, CSR_STIMECMP, ONES), i == 3);
        hart->privilege = PRIVILEGE_U;
        assert_false(readable(CSR_STIMECMP));
        hart->privilege = PRIVILEGE_M;
        assert_true(readable(CSR_STIMECMP));
    }
}

/* Sstc 2.1: STIP follows time >= stimecmp, unsigned. */
static void stip_follows_time(void **state)
{
    uint64_t time;

    (void)state;
    hart->cycle = 1000000;
    time = get(CSR_TIME);
    assert_true(time > 1 && time < ONES / 2);
    put(CSR_STIMECMP, time);
    assert_int_equal(get(CSR_MIP), 0); /* STCE is off */
    put(CSR_MENVCFG, ENV_STCE);
    assert_int_equal(get(CSR_MIP), BIT(5));
    put(CSR_STIMECMP, time + 1);
    assert_int_equal(get(CSR_MIP), 0);
    put(CSR_STIMECMP, ONES); /* not negative */
    assert_int_equal(get(CSR_MIP), 0);
    put(CSR_STIMECMP, time - 1);
    put(CSR_MIP, 0); /* read-only now */
    assert_int_equal(get(CSR_MIP), BIT(5));
    put(CSR_STIMECMP, ONES);
    put(CSR_MIP, BIT(5));
    assert_int_equal(get(CSR_MIP), 0);
    put(CSR_STIMECMP, 0);
    put(CSR_MENVCFG, 0);
    assert_int_equal(get(CSR_MIP), 0);
}

/* Sstc 2.1, II 3.1.9: with STCE, STIP is stimecmp's alone: what software set before is not seen. */
static void stce_hides_the_stip_that_software_set(void **state)
{
    (void)state;
    put(CSR_MIE, BIT(5));
    assert_int_equal(put(CSR_MIP, BIT(5)), BIT(5));
    assert_int_equal(hart_interrupt_ready(rig.hart), -1);
    hart->mstatus = STATUS_MIE;
    assert_int_equal(hart_interrupt_ready(rig.hart), 5);
    rig.hart->changed = 0;
    put(CSR_MENVCFG, ENV_STCE); /* stimecmp is far away */
    assert_int_equal(get(CSR_MIP), 0);
    assert_int_equal(hart_interrupt_ready(rig.hart), -1);
    rig.hart->changed = 0;
    put(CSR_MENVCFG, 0); /* it comes back: the engine must look */
    assert_int_equal(hart_interrupt_ready(rig.hart), 5);
    assert_true((rig.hart->changed & HART_CHANGED_INTERRUPTS) != 0);
}

/* II 3.1.18, 12.1.10 and Zicbom, Zicboz: M always, S by menvcfg, U by both. */
static void cache_operations_are_open_as_the_environment_says(void **state)
{
    static const struct {
        enum cbo op;
        uint64_t bit;
    } rows[] = {{CBO_INVAL, 0x10},
                {CBO_INVAL, 0x30},
                {CBO_CLEAN, 0x40},
                {CBO_FLUSH, 0x40},
                {CBO_ZERO, 0x80}};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++)
        for (uint32_t k = 0; k < 4; k++) {
            uint64_t others = rows[i].op == CBO_INVAL ? 0xc1 : 0xf1 & ~rows[i].bit;
            bool m = (k & 1) != 0, s = (k & 2) != 0;

            hart->menvcfg = others | (m ? rows[i].bit : 0);
            hart->senvcfg = others | (s ? rows[i].bit : 0);
            hart->privilege = PRIVILEGE_M;
            assert_true(csr_cbo_allowed(rig.hart, rows[i].op));
            hart->privilege = PRIVILEGE_S;
            assert_int_equal(csr_cbo_allowed(rig.hart, rows[i].op), m);
            hart->privilege = PRIVILEGE_U;
            assert_int_equal(csr_cbo_allowed(rig.hart, rows[i].op), m && s);
        }
}

/* II 3.1.6.7: without FS the floating-point registers do not exist; writing makes it dirty. */
static void floating_point_state_needs_fs(void **state)
{
    (void)state;
    for (uint32_t number = CSR_FFLAGS; number <= CSR_FCSR; number++) {
        hart->mstatus = 0;
        assert_false(readable(number) || csr_write(rig.hart, number, 0));
        hart->mstatus = BIT(13); /* initial */
        assert_true(readable(number));
        assert_int_equal(hart->mstatus, BIT(13));
        assert_true(csr_write(rig.hart, number, 0));
        assert_int_equal(hart->mstatus, STATUS_FS);
    }
    put(CSR_FCSR, 0xb5); /* frm 5, fflags 0x15 */
    assert_int_equal(get(CSR_FRM), 5);
    assert_int_equal(get(CSR_FFLAGS), 0x15);
    put(CSR_FRM, 2);
    put(CSR_FFLAGS, 1);
    assert_int_equal(get(CSR_FCSR), 0x41);
}

/* II 3.1.18: ADUE is there with Svadu only, and then starts as 1 (hart.h). */
static void adue_is_there_with_svadu_only(void **state)
{
    struct hart_config config = *rig.hart->config;

    (void)state;
    assert_int_equal(config.svadu, 0);
    assert_int_equal(put(CSR_MENVCFG, ENV_ADUE), 0);
    config.svadu = 1;
    rig.hart->config = &config;
    assert_int_equal(put(CSR_MENVCFG, ENV_ADUE), ENV_ADUE);
    assert_int_equal(put(CSR_MENVCFG, 0), 0);
    rig.hart->config = rig.hart->object->config;
}

/* hart.h, enum hart_changed: the engine must hear of each write that may matter to it. */
static void writes_tell_the_engine_what_changed(void **state)
{
    static const struct {
        uint32_t number, changed;
    } rows[] = {
        {CSR_MSTATUS, HART_CHANGED_INTERRUPTS | HART_CHANGED_TRANSLATION},
        {CSR_SSTATUS, HART_CHANGED_INTERRUPTS | HART_CHANGED_TRANSLATION},
        {CSR_MIE, HART_CHANGED_INTERRUPTS},
        {CSR_SIE, HART_CHANGED_INTERRUPTS},
        {CSR_MIP, HART_CHANGED_INTERRUPTS},
        {CSR_SIP, HART_CHANGED_INTERRUPTS},
        {CSR_MIDELEG, HART_CHANGED_INTERRUPTS},
        {CSR_SATP, HART_CHANGED_TRANSLATION},
        {CSR_MENVCFG, HART_CHANGED_PROTECTION | HART_CHANGED_TIMING},
        {CSR_STIMECMP, HART_CHANGED_TIMING},
        {CSR_PMPCFG0, HART_CHANGED_PROTECTION},
        {CSR_PMPADDR0, HART_CHANGED_PROTECTION},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        rig.hart->changed = 0;
        assert_true(csr_write(rig.hart, rows[i].number, 0));
        if ((rig.hart->changed & rows[i].changed) != rows[i].changed)
            fail_msg("CSR %x: %x", rows[i].number, rig.hart->changed);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_number_obeys_its_own_bits),
        TEST(only_registers_that_exist_have_names),
        TEST(machine_information_is_what_it_is),
        TEST(writes_keep_only_implemented_bits),
        TEST(reserved_values_leave_the_field_as_it_was),
        TEST(sstatus_is_a_part_of_mstatus),
        TEST(sie_and_sip_are_masked_by_mideleg),
        TEST(seip_is_a_bit_or_a_wire),
        TEST(satp_takes_the_modes_there_are),
        TEST(tvm_traps_satp_and_fences_in_supervisor_mode),
        TEST(counters_are_open_as_the_enables_say),
        TEST(counters_go_on_from_what_is_written),
        TEST(inhibited_counters_stand_still),
        TEST(stimecmp_is_open_with_stce_and_tm),
        TEST(stip_follows_time),
        TEST(stce_hides_the_stip_that_software_set),
        TEST(cache_operations_are_open_as_the_environment_says),
        TEST(floating_point_state_needs_fs),
        TEST(adue_is_there_with_svadu_only),
        TEST(writes_tell_the_engine_what_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
