/* What a cached translation must not outlive: each bit of state that says what an address means,
 * and page tables that change under code that jumps there. Every program finds a translation,
 * changes something, and looks again. */
#include "sim/hart/status.h"
#include "sim/hart/tlb.h"
#include "sim/hart/trap.h"
#include "tests/sim/hart/rig.h"

#define CODE        RIG_RAM
#define DATA        (RIG_RAM + 0x8000)
#define TABLES      (RIG_RAM + 0x10000) /* root, middle, leaf; another root behind them */
#define HANDLER     (RIG_RAM + 0x20000)
#define ALIAS       UINT64_C(0x40000000)
#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

enum { V = 1, R = 2, W = 4, X = 8, U = 16, A = 64, D = 128 };
#define PBMT_NC UINT64_C(0x2000000000000000)
#define MPP(p)  ((uint64_t)(p) << STATUS_MPP_SHIFT)

static struct rig rig;
static struct hart_state *hart; /* rig.state */

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, (struct span){0}, 1);
    hart = rig.state;
    hart->mtvec = HANDLER;
    hart->pmpaddr[0] = UINT64_MAX >> 10;
    hart->pmpcfg[0] = 0x1f;
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static uint8_t *at(uint64_t address)
{
    return rig.ram + (address - RIG_RAM);
}

static uint64_t pte(uint64_t physical, uint64_t bits)
{
    return physical >> 12 << 10 | bits | V;
}

#define SATP(root) (UINT64_C(8) << SATP_MODE_SHIFT | (root) >> 12)

/* Sv39: RAM under its own addresses, for S; ALIAS leads to DATA with the leaf's bits. Under a
 * second root it leads to the page after. */
static void map(uint64_t bits)
{
    for (uint64_t i = 0; i < 2; i++) {
        uint64_t root = TABLES + 0x3000 * i;

        store_le64(at(root) + 8 * 2, pte(RIG_RAM, R | W | X | A | D));
        store_le64(at(root) + 8, pte(root + 4096, 0));
        store_le64(at(root + 4096), pte(root + 8192, 0));
        store_le64(at(root + 8192), pte(DATA + 4096 * i, bits));
        store_le64(at(DATA + 4096 * i), 11 + 11 * i);
    }
    hart->satp = SATP(TABLES);
}

/* M mode looks through MPRV: a load, a write to a CSR, the same load. */
static void what_an_address_means_is_looked_at_anew(void **context)
{
    static const struct {
        const char *name;
        uint64_t leaf, status, menvcfg; /* with these the first load succeeds */
        uint64_t value;                 /* written to the CSR */
        uint32_t csr;
        uint64_t second; /* its value, or 0: it faults */
        uint64_t cause;
    } rows[] = {
        {"SUM", R | U | A, MPP(1) | STATUS_MPRV | STATUS_SUM, 0, MPP(1) | STATUS_MPRV, 0x300, 0,
         CAUSE_LOAD_PAGE},
        {"MXR", X | A, MPP(1) | STATUS_MPRV | STATUS_MXR, 0, MPP(1) | STATUS_MPRV, 0x300, 0,
         CAUSE_LOAD_PAGE},
        {"MPP to S", R | U | A, STATUS_MPRV, 0, MPP(1) | STATUS_MPRV, 0x300, 0, CAUSE_LOAD_PAGE},
        {"MPP to U", R | A, MPP(1) | STATUS_MPRV, 0, STATUS_MPRV, 0x300, 0, CAUSE_LOAD_PAGE},
        {"MPP to M", R | A, MPP(1) | STATUS_MPRV, 0, MPP(3) | STATUS_MPRV, 0x300, 0,
         CAUSE_LOAD_ACCESS},
        {"MPRV", R | A, MPP(1) | STATUS_MPRV, 0, MPP(1), 0x300, 0, CAUSE_LOAD_ACCESS},
        {"PBMTE", R | A | PBMT_NC, MPP(1) | STATUS_MPRV, ENV_PBMTE, 0, 0x30a, 0, CAUSE_LOAD_PAGE},
        {"another root", R | A, MPP(1) | STATUS_MPRV, 0, SATP(TABLES + 0x3000), 0x180, 22, 0},
        {"another ASID", R | A, MPP(1) | STATUS_MPRV, 0, SATP(TABLES + 0x3000) | UINT64_C(77) << 44,
         0x180, 22, 0},
        {"no table", R | A, MPP(1) | STATUS_MPRV, 0, 0, 0x180, 0, CAUSE_LOAD_ACCESS},
        {"PMP", R | A, MPP(1) | STATUS_MPRV, 0, 0x18, 0x3a0, 0, CAUSE_LOAD_ACCESS},
    };

    (void)context;
    for (size_t i = 0; i < COUNT(rows); i++) {
        RIG_PUT(&rig, CODE, LD(5, 10, 0), LD(5, 10, 0), CSRRW(0, rows[i].csr, 11), LD(6, 10, 0));
        map(rows[i].leaf);
        hart->pmpcfg[0] = 0x1f;
        hart->mstatus = rows[i].status;
        hart->menvcfg = rows[i].menvcfg;
        hart->privilege = PRIVILEGE_M;
        hart->mcause = hart->x[5] = hart->x[6] = 0;
        hart->x[10] = ALIAS;
        hart->x[11] = rows[i].value;
        hart->pc = CODE;
        machine_rebuild(rig.machine);
        rig_run(&rig, 4);
        if (hart->x[5] != 11 || hart->x[6] != rows[i].second || hart->mcause != rows[i].cause)
            fail_msg("%s: first %llu, second %llu, cause %llu", rows[i].name,
                     (unsigned long long)hart->x[5], (unsigned long long)hart->x[6],
                     (unsigned long long)hart->mcause);
    }
}

/* The same page under the same table: S may not execute what is U's, nor U what is S's. */
static void a_fetch_depends_on_the_privilege(void **context)
{
    (void)context;
    for (uint64_t user = 0; user < 2; user++) {
        RIG_PUT(&rig, CODE, MRET);
        RIG_PUT(&rig, DATA, ADDI(5, 5, 1), JALR(0, 20, 0));
        map(R | X | A | (user ? U : 0));
        RIG_PUT(&rig, DATA, ADDI(5, 5, 1), JALR(0, 20, 0)); /* map() puts numbers there */
        hart->x[5] = 0;
        hart->x[20] = ALIAS;
        for (uint64_t other = 0; other < 2; other++) {
            uint64_t privilege = (user ^ other) ? PRIVILEGE_U : PRIVILEGE_S;

            hart->privilege = PRIVILEGE_M;
            hart->mstatus = MPP(privilege);
            hart->mepc = ALIAS;
            hart->mcause = 0;
            hart->pc = CODE;
            rig.hart->changed = HART_CHANGED_TRANSLATION; /* not rebuilt: what is cached stays */
            rig_run(&rig, other ? 2 : 9);
            assert_int_equal(hart->x[5], 4);
            assert_int_equal(hart->mcause, other ? CAUSE_FETCH_PAGE : 0);
        }
    }
}

/* II 3.1.6.3: with MPRV, M's data is where S's is, M's code is not. */
static void mprv_leaves_fetches_where_they_are(void **context)
{
    const uint64_t middle = TABLES + 0x1000, leaf = TABLES + 0x2000;

    (void)context;
    RIG_PUT(&rig, CODE, LD(6, 10, 0), ADDI(5, 5, 1), MRET);
    RIG_PUT(&rig, DATA, ADDI(5, 5, 100), JAL(0, 0));
    store_le64(at(DATA + 0x800), 33);
    store_le64(at(TABLES) + 8 * 2, pte(middle, 0));
    store_le64(at(middle), pte(leaf, 0));
    store_le64(at(leaf), pte(DATA, R | X | A)); /* S sees DATA where CODE is */
    hart->satp = SATP(TABLES);
    hart->mstatus = MPP(1) | STATUS_MPRV;
    hart->mepc = CODE;
    hart->x[10] = CODE + 0x800;
    machine_rebuild(rig.machine);
    rig_run(&rig, 4);
    assert_int_equal(hart->x[6], 33);
    assert_int_equal(hart->x[5], 101);
    assert_int_equal(hart->pc, CODE + 4);
}

/* Code that is called under an address whose entry then changes: another page, or none. */
static void a_jump_goes_where_the_table_leads_now(void **context)
{
    for (uint64_t valid = 0; valid < 2; valid++) {
        (void)context;
        RIG_PUT(&rig, CODE, JALR(1, 20, 0), JALR(1, 20, 0), JALR(1, 20, 0), SD(12, 11, 0),
                JALR(1, 20, 0));
        map(R | X | A);
        RIG_PUT(&rig, DATA, ADDI(5, 5, 1), JALR(0, 1, 0));
        RIG_PUT(&rig, DATA + 4096, ADDI(5, 5, 100), JALR(0, 1, 0));
        hart->privilege = PRIVILEGE_S;
        hart->mcause = hart->x[5] = 0;
        hart->x[11] = TABLES + 8192;
        hart->x[12] = valid ? pte(DATA + 4096, R | X | A) : 0;
        hart->x[20] = ALIAS;
        hart->pc = CODE;
        machine_rebuild(rig.machine);
        rig_run(&rig, valid ? 13 : 12);
        assert_int_equal(hart->x[5], valid ? 103 : 3);
        assert_int_equal(hart->mcause, valid ? 0 : CAUSE_FETCH_PAGE);
    }
}

/* More address spaces than there are contexts, again and again: each finds its own. */
static void address_spaces_beyond_the_contexts_keep_apart(void **context)
{
    enum { SPACES = 3 * TLB_CONTEXTS };
    const uint64_t roots = RIG_RAM + 0x40000, leaves = RIG_RAM + 0x100000;

    (void)context;
    RIG_PUT(&rig, CODE, LD(5, 10, 0), CSRRW(0, 0x180, 11), LD(6, 10, 0), CSRRW(0, 0x180, 12));
    for (uint64_t i = 0; i < SPACES; i++) { /* a gigapage for RAM, three levels for ALIAS */
        uint64_t root = roots + 0x3000 * i;

        store_le64(at(root) + 8 * 2, pte(RIG_RAM, R | W | X | A | D));
        store_le64(at(root) + 8, pte(root + 4096, 0));
        store_le64(at(root + 4096), pte(root + 8192, 0));
        store_le64(at(root + 8192), pte(leaves + 4096 * i, R | A));
        store_le64(at(leaves + 4096 * i), 1000 + i);
    }
    hart->privilege = PRIVILEGE_S;
    hart->x[10] = ALIAS;
    hart->satp = SATP(roots);
    machine_rebuild(rig.machine);
    for (uint64_t i = 0; i < 10 * SPACES; i++) {
        uint64_t next = (7 * i + i / SPACES) % SPACES, last = (hart->satp & SATP_PPN) << 12;

        hart->x[11] = SATP(roots + 0x3000 * next);
        hart->x[12] = SATP(roots + 0x3000 * (i % SPACES));
        hart->pc = CODE;
        rig_run(&rig, 4);
        assert_int_equal(hart->x[5], 1000 + (last - roots) / 0x3000);
        assert_int_equal(hart->x[6], 1000 + next);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_an_address_means_is_looked_at_anew),
        TEST(a_fetch_depends_on_the_privilege),
        TEST(mprv_leaves_fetches_where_they_are),
        TEST(a_jump_goes_where_the_table_leads_now),
        TEST(address_spaces_beyond_the_contexts_keep_apart),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
