/* Physical memory protection (volume II, 3.7): which accesses each kind of entry allows, and what
 * locks. pmp_allows is asked directly; one program sees that the engine asks it too. */
#include "sim/hart/csr.h"
#include "sim/hart/csr_numbers.h"
#include "sim/hart/pmp.h"
#include "sim/hart/status.h"
#include "sim/hart/trap.h"
#include "tests/sim/hart/rig.h"

/* pmpcfg bits (II 3.7.1, figure 33). */
enum { R = 1, W = 2, X = 4, TOR = 1 << 3, NA4 = 2 << 3, NAPOT = 3 << 3, L = 0x80 };

#define AT RIG_RAM

static struct rig rig;

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, (struct span){0}, 1);
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static void entry(uint32_t index, uint64_t address, uint32_t config)
{
    rig.state->pmpaddr[index] = address >> 2;
    rig.state->pmpcfg[index] = (uint8_t)config;
}

/* pmpaddr of a naturally aligned range of 8 bytes or more (II 3.7.1.1, table 18). */
static uint64_t napot(uint64_t base, uint64_t bytes)
{
    return base | (bytes / 2 - 1);
}

static bool allows(uint64_t address, uint64_t size, enum access access, uint32_t privilege)
{
    return pmp_allows(rig.hart, address, size, access, privilege);
}

static bool s_reads(uint64_t address, uint64_t size)
{
    return allows(address, size, ACCESS_LOAD, PRIVILEGE_S);
}

static uint64_t read_csr(uint32_t number)
{
    uint64_t value = 0;

    assert_true(csr_read(rig.hart, number, &value));
    return value;
}

static void write_csr(uint32_t number, uint64_t value)
{
    assert_true(csr_write(rig.hart, number, value));
}

/* II 3.7.1.3: no entry matches: M succeeds, S and U fail (entries being implemented). */
static void without_a_match_only_machine_mode_may(void **state)
{
    (void)state;
    for (int access = ACCESS_LOAD; access <= ACCESS_FETCH; access++) {
        assert_true(allows(AT, 4, (enum access)access, PRIVILEGE_M));
        assert_false(allows(AT, 4, (enum access)access, PRIVILEGE_S));
        assert_false(allows(AT, 4, (enum access)access, PRIVILEGE_U));
    }
    entry(0, AT, R | W | X); /* A = OFF: matches nothing */
    assert_false(s_reads(AT, 4));
    entry(1, AT + 8, TOR | R); /* below it, the address of an entry that is off */
    assert_true(s_reads(AT, 4));
}

static void na4_covers_four_bytes(void **state)
{
    (void)state;
    entry(0, AT + 8, NA4 | R);
    for (uint64_t i = 0; i < 16; i++)
        assert_int_equal(s_reads(AT + i, 1), i >= 8 && i < 12);
    assert_true(s_reads(AT + 8, 4));
}

/* II 3.7.1.1: NAPOT sizes from 8 bytes to everything. */
static void napot_covers_its_power_of_two(void **state)
{
    (void)state;
    for (uint32_t order = 3; order <= 20; order++) {
        uint64_t bytes = UINT64_C(1) << order, base = AT + bytes;
        entry(0, napot(base, bytes), NAPOT | R);
        assert_false(s_reads(base - 1, 1));
        assert_true(s_reads(base, 1));
        assert_true(s_reads(base + bytes - 8, 8));
        assert_false(s_reads(base + bytes, 1));
    }
    rig.state->pmpaddr[0] = (UINT64_C(1) << 54) - 1; /* all ones: every physical address */
    assert_true(s_reads(0, 8));
    assert_true(s_reads((UINT64_C(1) << 56) - 8, 8));
}

/* II 3.7.1.2. */
static void tor_covers_from_the_address_before_to_its_own(void **state)
{
    (void)state;
    entry(0, AT + 0x20, TOR | R); /* entry 0 starts at address 0 */
    assert_true(s_reads(0, 8));
    assert_true(s_reads(AT + 0x1f, 1));
    assert_false(s_reads(AT + 0x20, 1));
    entry(0, AT + 0x20, 0);
    entry(1, AT + 0x40, TOR | R);
    assert_false(s_reads(AT + 0x1f, 1));
    assert_true(s_reads(AT + 0x20, 1));
    assert_true(s_reads(AT + 0x3f, 1));
    assert_false(s_reads(AT + 0x40, 1));
}

/* II 3.7.1.2: pmpaddr[i-1] >= pmpaddr[i] matches no address, so not the bytes beside it either. */
static void an_empty_tor_range_matches_nothing(void **state)
{
    (void)state;
    entry(0, AT + 0x20, 0);
    entry(1, AT + 0x20, TOR);
    entry(2, napot(AT, 4096), NAPOT | R | W);
    assert_true(s_reads(AT + 0x1c, 8));
    assert_true(s_reads(AT + 0x20, 8));
    entry(1, AT + 0x10, TOR); /* upside down */
    assert_true(s_reads(AT + 0x0c, 8));
    assert_true(s_reads(AT, 4096));
    entry(0, 0, TOR | L); /* entry 0 up to address 0: M is not bound */
    assert_true(allows(0, 8, ACCESS_LOAD, PRIVILEGE_M));
}

/* II 3.7.1.3: the lowest-numbered matching entry decides, whatever the others say. */
static void the_lowest_matching_entry_decides(void **state)
{
    (void)state;
    entry(3, napot(AT, 4096), NAPOT | R | W | X);
    entry(2, napot(AT, 64), NAPOT | R);
    assert_true(s_reads(AT, 8));
    assert_false(allows(AT, 8, ACCESS_STORE, PRIVILEGE_S));
    assert_true(allows(AT + 64, 8, ACCESS_STORE, PRIVILEGE_S));
    entry(1, napot(AT, 32), NAPOT);
    assert_false(s_reads(AT, 8));
    assert_true(s_reads(AT + 32, 8));
    entry(15, napot(AT + 8192, 4096), NAPOT | R); /* the last one counts too */
    assert_true(s_reads(AT + 8192, 8));
}

/* II 3.7.1.3: the entry must match all bytes of an access, irrespective of L, R, W and X. */
static void an_access_across_an_edge_fails_even_in_machine_mode(void **state)
{
    (void)state;
    entry(0, napot(AT, 64), NAPOT | R | W | X);
    entry(1, napot(AT, 4096), NAPOT | R | W | X);
    assert_false(s_reads(AT + 60, 8));
    assert_true(s_reads(AT + 56, 8));
    assert_true(s_reads(AT + 64, 8));
    assert_false(allows(AT + 60, 8, ACCESS_LOAD, PRIVILEGE_M));
    entry(0, napot(AT + 64, 64), NAPOT | R | W | X);
    assert_false(s_reads(AT + 60, 8));
    assert_false(allows(AT + 60, 8, ACCESS_STORE, PRIVILEGE_M));
}

static void each_permission_stands_alone(void **state)
{
    static const struct {
        uint32_t config;
        bool load, store, fetch;
    } rows[] = {
        {0, false, false, false}, {R, true, false, false},    {R | W, true, true, false},
        {X, false, false, true},  {R | X, true, false, true}, {R | W | X, true, true, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        entry(0, napot(AT, 64), NAPOT | rows[i].config);
        for (uint32_t privilege = PRIVILEGE_U; privilege <= PRIVILEGE_S; privilege++) {
            assert_int_equal(allows(AT, 8, ACCESS_LOAD, privilege), rows[i].load);
            assert_int_equal(allows(AT, 8, ACCESS_STORE, privilege), rows[i].store);
            assert_int_equal(allows(AT, 4, ACCESS_FETCH, privilege), rows[i].fetch);
        }
        assert_true(allows(AT, 8, ACCESS_STORE, PRIVILEGE_M)); /* L clear: M is not bound */
        entry(0, napot(AT, 64), NAPOT | L | rows[i].config);
        assert_int_equal(allows(AT, 8, ACCESS_LOAD, PRIVILEGE_M), rows[i].load);
        assert_int_equal(allows(AT, 8, ACCESS_STORE, PRIVILEGE_M), rows[i].store);
        assert_int_equal(allows(AT, 4, ACCESS_FETCH, PRIVILEGE_M), rows[i].fetch);
    }
}

/* II 3.7.1: eight entries a register, odd pmpcfg registers do not exist in RV64, R=0 W=1 is
 * reserved, bits 5 and 6 are 0; pmpaddr holds bits 55 to 2. */
static void registers_hold_legal_values(void **state)
{
    uint64_t value;

    (void)state;
    write_csr(CSR_PMPCFG0, UINT64_C(0x1f1b1713100f0700) | 0x60);
    assert_int_equal(read_csr(CSR_PMPCFG0), UINT64_C(0x1f1b1713100f0700));
    write_csr(CSR_PMPCFG0, UINT64_C(0x62)); /* W alone, and the two zero bits */
    assert_int_equal(read_csr(CSR_PMPCFG0) & 0xe3, 0);
    write_csr(CSR_PMPCFG0, UINT64_C(0x06)); /* W and X */
    assert_int_equal(read_csr(CSR_PMPCFG0) & (R | W), 0);
    write_csr(CSR_PMPCFG2, UINT64_C(0x0100000000000004));
    assert_int_equal(rig.state->pmpcfg[8], 4);
    assert_int_equal(rig.state->pmpcfg[15], 1);
    assert_int_equal(read_csr(CSR_PMPCFG2), UINT64_C(0x0100000000000004));
    for (uint32_t i = 0; i < HART_PMP_COUNT; i++) {
        write_csr(CSR_PMPADDR0 + i, UINT64_MAX - i);
        assert_int_equal(read_csr(CSR_PMPADDR0 + i), (UINT64_C(1) << 54) - 1 - i);
    }
    assert_false(csr_read(rig.hart, CSR_PMPCFG0 + 1, &value));
    assert_false(csr_write(rig.hart, CSR_PMPCFG2 + 1, 0));
    rig.state->privilege = PRIVILEGE_S;
    assert_false(csr_read(rig.hart, CSR_PMPCFG0, &value));
    assert_false(csr_write(rig.hart, CSR_PMPADDR0, 0));
}

/* II 3.7.1.2, "Locking and privilege mode". */
static void locked_entries_ignore_writes_until_reset(void **state)
{
    (void)state;
    write_csr(CSR_PMPADDR0, 0x100);
    write_csr(CSR_PMPADDR0 + 1, 0x200);
    write_csr(CSR_PMPADDR0 + 2, 0x300);
    write_csr(CSR_PMPADDR0 + 3, 0x400);
    write_csr(CSR_PMPCFG0, (L | NAPOT | R) << 8 | (uint32_t)(L | TOR | R) << 24);
    write_csr(CSR_PMPCFG0, UINT64_C(0x0f0f0f0f));
    assert_int_equal(read_csr(CSR_PMPCFG0), (uint64_t)0x0f << 16 | 0x0f | (L | NAPOT | R) << 8 |
                                                (uint64_t)(L | TOR | R) << 24);
    for (uint32_t i = 0; i < 4; i++)
        write_csr(CSR_PMPADDR0 + i, 0x999);
    assert_int_equal(read_csr(CSR_PMPADDR0), 0x999); /* below a locked one that is not TOR */
    assert_int_equal(read_csr(CSR_PMPADDR0 + 1), 0x200);
    assert_int_equal(read_csr(CSR_PMPADDR0 + 2), 0x300); /* below a locked TOR */
    assert_int_equal(read_csr(CSR_PMPADDR0 + 3), 0x400);
    machine_reset(rig.machine);
    assert_int_equal(rig.state->pmpcfg[1], 0);
}

/* A lock with A = OFF holds too (II 3.7.1.2), across the two configuration registers. */
static void a_lock_reaches_over_the_edge_of_the_registers(void **state)
{
    (void)state;
    write_csr(CSR_PMPADDR0 + 7, 0x700);
    write_csr(CSR_PMPCFG2, L | TOR | (uint64_t)L << 56);
    write_csr(CSR_PMPADDR0 + 7, 0x999);
    write_csr(CSR_PMPADDR0 + 15, 0x999);
    assert_int_equal(read_csr(CSR_PMPADDR0 + 7), 0x700);
    assert_int_equal(read_csr(CSR_PMPADDR0 + 15), 0);
    write_csr(CSR_PMPCFG0, 0); /* entry 7 itself is free */
    assert_int_equal(rig.state->pmpcfg[7], 0);
    write_csr(CSR_PMPADDR0 + 6, 0x999);
    assert_int_equal(read_csr(CSR_PMPADDR0 + 6), 0x999);
}

/* II 3.7.1.2: loads and stores by MPRV are checked as MPP, fetches are not. */
static void mprv_makes_machine_data_accesses_obey(void **state)
{
    struct translation out;

    (void)state;
    entry(0, napot(AT, 4096), NAPOT | R);
    rig.state->mstatus = STATUS_MPRV | (uint64_t)PRIVILEGE_S << STATUS_MPP_SHIFT;
    assert_true(hart_translate(rig.hart, AT, 8, ACCESS_LOAD, &out));
    assert_true(out.may_load && !out.may_store);
    assert_false(hart_translate(rig.hart, AT, 8, ACCESS_STORE, &out));
    assert_int_equal(out.cause, CAUSE_STORE_ACCESS);
    assert_false(hart_translate(rig.hart, AT + 4096, 8, ACCESS_LOAD, &out));
    assert_int_equal(out.cause, CAUSE_LOAD_ACCESS);
    assert_true(hart_translate(rig.hart, AT, 4, ACCESS_FETCH, &out));
    rig.state->mstatus |= STATUS_MPP; /* M */
    assert_true(hart_translate(rig.hart, AT, 8, ACCESS_STORE, &out));
}

/* What a whole page may is narrower than what one access may. */
static void a_page_in_two_halves_is_not_open_as_a_whole(void **state)
{
    struct translation out;

    (void)state;
    entry(0, napot(AT, 2048), NAPOT | R | W | X);
    entry(1, napot(AT, 4096), NAPOT | R);
    rig.state->privilege = PRIVILEGE_S;
    assert_true(hart_translate(rig.hart, AT, 8, ACCESS_STORE, &out));
    assert_false(out.may_load || out.may_store || out.may_fetch);
    assert_false(hart_translate(rig.hart, AT + 2048, 8, ACCESS_STORE, &out));
    assert_false(hart_translate(rig.hart, AT + 2048, 4, ACCESS_FETCH, &out));
    assert_int_equal(out.cause, CAUSE_FETCH_ACCESS);
}

/* A lock written by a program binds the program's next store at once. */
static void a_program_meets_its_own_lock(void **state)
{
    (void)state;
    RIG_PUT(&rig, RIG_RAM, SD(0, 6, 0), CSRRW(0, CSR_PMPADDR0, 5), CSRRW(0, CSR_PMPCFG0, 7),
            SD(5, 6, 0));
    rig.state->x[6] = RIG_RAM + 0x1000;
    rig.state->x[5] = napot(RIG_RAM + 0x1000, 4096) >> 2;
    rig.state->x[7] = L | NAPOT | R;
    rig.state->mtvec = RIG_RAM + 0x100;
    rig_run(&rig, 4);
    assert_int_equal(rig.state->pc, RIG_RAM + 0x100);
    assert_int_equal(rig.state->mcause, CAUSE_STORE_ACCESS);
    assert_int_equal(rig.state->mtval, RIG_RAM + 0x1000);
    assert_int_equal(rig.state->mepc, RIG_RAM + 12);
    assert_int_equal(load_le64(rig.ram + 0x1000), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_match_only_machine_mode_may),
        TEST(na4_covers_four_bytes),
        TEST(napot_covers_its_power_of_two),
        TEST(tor_covers_from_the_address_before_to_its_own),
        TEST(an_empty_tor_range_matches_nothing),
        TEST(the_lowest_matching_entry_decides),
        TEST(an_access_across_an_edge_fails_even_in_machine_mode),
        TEST(each_permission_stands_alone),
        TEST(registers_hold_legal_values),
        TEST(locked_entries_ignore_writes_until_reset),
        TEST(a_lock_reaches_over_the_edge_of_the_registers),
        TEST(mprv_makes_machine_data_accesses_obey),
        TEST(a_page_in_two_halves_is_not_open_as_a_whole),
        TEST(a_program_meets_its_own_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
