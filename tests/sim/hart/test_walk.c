/* Address translation (volume II, 12.3 to 12.6; Svnapot, Svpbmt, Svadu, Svade): what a walk finds
 * and when it faults, over page tables built in RAM. */
#include "sim/hart/status.h"
#include "sim/hart/trap.h"
#include "sim/hart/walk.h"
#include "tests/sim/hart/rig.h"

/* II 12.3.1, figure 63. */
enum { V = 1, R = 2, W = 4, X = 8, U = 16, G = 32, A = 64, D = 128, RSW = 3 << 8 };
#define N           (UINT64_C(1) << 63)
#define PBMT(n)     ((uint64_t)(n) << 61)
#define RWXAD       (R | W | X | A | D)
#define MPP(p)      ((uint64_t)(p) << STATUS_MPP_SHIFT)
#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

/* Tables one a page from here, root first; data pages behind them. */
#define TABLES (RIG_RAM + 0x10000)
#define DATA   (RIG_RAM + 0x200000)

static struct rig rig;
static struct hart_state *hart; /* rig.state */
static struct translation out;

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, (struct span){0}, 1);
    hart = rig.state;
    hart->privilege = PRIVILEGE_S;
    hart->pmpaddr[15] = UINT64_MAX >> 10;
    hart->pmpcfg[15] = 0x1f; /* NAPOT, everything, RWX */
    return 0;
}

static int close_rig(void **state)
{
    (void)state;
    rig_close(&rig);
    return 0;
}

static uint64_t peek(uint64_t address)
{
    return load_le64(rig.ram + (address - RIG_RAM));
}

static void poke(uint64_t address, uint64_t value)
{
    store_le64(rig.ram + (address - RIG_RAM), value);
}

static uint64_t pte(uint64_t physical, uint64_t bits)
{
    return physical >> 12 << 10 | bits | V;
}

/* Where the entry for `address` stands at a level (II 12.3.2 step 2), in the tables of map(). */
static uint64_t entry_at(uint32_t levels, uint32_t level, uint64_t address)
{
    return TABLES + 4096 * (levels - 1 - level) + 8 * (address >> (12 + 9 * level) & 511);
}

/* A path of tables to one leaf at `level`; returns the leaf's address. */
static uint64_t map(uint32_t levels, uint64_t address, uint32_t level, uint64_t leaf)
{
    for (uint32_t i = levels - 1; i > level; i--)
        poke(entry_at(levels, i, address), pte(TABLES + 4096 * (levels - i), 0));
    poke(entry_at(levels, level, address), leaf);
    hart->satp = (uint64_t)(levels + 5) << SATP_MODE_SHIFT | TABLES >> 12;
    return entry_at(levels, level, address);
}

static bool walk(uint64_t address, enum access access)
{
    return hart_translate(rig.hart, address, 4, access, &out);
}

/* 0, or the cause of the exception. */
static uint64_t load(uint64_t address)
{
    return walk(address, ACCESS_LOAD) ? 0 : out.cause;
}

static uint64_t store(uint64_t address)
{
    return walk(address, ACCESS_STORE) ? 0 : out.cause;
}

static uint64_t fetch(uint64_t address)
{
    return walk(address, ACCESS_FETCH) ? 0 : out.cause;
}

#define AT UINT64_C(0x1234567000) /* indices 0x48, 0x1a2, 0x167 in Sv39's three levels */

static void without_a_table_an_address_is_physical(void **state)
{
    (void)state;
    map(3, AT, 0, pte(DATA, RWXAD));
    hart->privilege = PRIVILEGE_M; /* II 12.1.11: never translated */
    assert_int_equal(load(DATA + 8), 0);
    assert_int_equal(out.physical, DATA + 8);
    assert_int_equal(out.page_bytes, UINT64_MAX);
    assert_int_equal(out.pte_count, 0);
    hart->privilege = PRIVILEGE_S;
    hart->satp = 0; /* Bare */
    assert_int_equal(store(DATA + 16), 0);
    assert_int_equal(out.physical, DATA + 16);
    assert_true(out.may_load && out.may_store && out.may_fetch);
}

/* II 12.3.2, 12.4, 12.5: every leaf level of every mode; the offset is as wide as the page. */
static void every_mode_and_page_size_translates(void **state)
{
    (void)state;
    for (uint32_t levels = 3; levels <= 5; levels++)
        for (uint32_t level = 0; level < levels; level++) {
            uint64_t bytes = UINT64_C(4096) << 9 * level;
            uint64_t address =
                UINT64_C(0xabcdef123456789) & ((UINT64_C(1) << (11 + 9 * levels)) - 1);
            uint64_t physical = UINT64_C(3) << 54 & ~(bytes - 1);

            physical = level == 0 ? DATA : physical;
            map(levels, address, level, pte(physical, RWXAD));
            hart->menvcfg = ENV_ADUE;
            assert_int_equal(load(address & ~UINT64_C(3)), 0);
            assert_int_equal(out.physical, physical | (address & ~UINT64_C(3) & (bytes - 1)));
            assert_int_equal(out.page_bytes, bytes);
            assert_int_equal(out.pte_count, levels - level);
            for (uint32_t i = 0; i < out.pte_count; i++)
                assert_int_equal(out.pte_addresses[i], entry_at(levels, levels - 1 - i, address));
        }
}

/* II 12.3.2 step 6. */
static void a_misaligned_superpage_faults(void **state)
{
    (void)state;
    for (uint32_t levels = 3; levels <= 5; levels++)
        for (uint32_t level = 1; level < levels; level++)
            for (uint32_t bit = 0; bit < 9 * level; bit++) {
                map(levels, AT, level, pte(0, RWXAD) | UINT64_C(1) << (10 + bit));
                assert_int_equal(load(AT), CAUSE_LOAD_PAGE);
                assert_int_equal(store(AT), CAUSE_STORE_PAGE);
                assert_int_equal(fetch(AT), CAUSE_FETCH_PAGE);
            }
}

/* II 12.3.2, 12.4.1, 12.5.1: the bits above must equal the highest one translated. */
static void a_non_canonical_address_faults(void **state)
{
    (void)state;
    for (uint32_t levels = 3; levels <= 5; levels++) {
        uint32_t width = 12 + 9 * levels;
        uint64_t top = UINT64_C(1) << (width - 1), high = ~(2 * top - 1);

        map(levels, top, levels - 1, pte(0, RWXAD));
        poke(TABLES, pte(0, RWXAD)); /* the lowest addresses too */
        assert_int_equal(load(high | top), 0);
        assert_int_equal(load(0), 0);
        assert_int_equal(load(top), CAUSE_LOAD_PAGE);
        assert_int_equal(fetch(high), CAUSE_FETCH_PAGE);
        for (uint32_t bit = width; bit < 64; bit++) {
            assert_int_equal(store((high | top) ^ UINT64_C(1) << bit), CAUSE_STORE_PAGE);
            assert_int_equal(load(UINT64_C(1) << bit), CAUSE_LOAD_PAGE);
        }
    }
}

/* II 12.3.1, table 27, and step 3: not valid, W without R, and bits reserved. */
static void invalid_and_reserved_entries_fault(void **state)
{
    const uint64_t good = pte(DATA, RWXAD);
    const uint64_t bad[] = {good & ~(uint64_t)V, pte(DATA, W),   pte(DATA, W | X | A | D),
                            good | PBMT(1),      good | PBMT(2), good | PBMT(3)};

    (void)state;
    for (size_t i = 0; i < COUNT(bad); i++) {
        map(3, AT, 0, bad[i]);
        assert_int_equal(load(AT), CAUSE_LOAD_PAGE);
        assert_int_equal(store(AT), CAUSE_STORE_PAGE);
        assert_int_equal(fetch(AT), CAUSE_FETCH_PAGE);
    }
    for (uint32_t bit = 54; bit < 61; bit++) { /* reserved in leaves and in pointers */
        map(3, AT, 0, pte(DATA, RWXAD | UINT64_C(1) << bit));
        assert_int_equal(load(AT), CAUSE_LOAD_PAGE);
        map(3, AT, 0, pte(DATA, RWXAD));
        poke(entry_at(3, 1, AT), peek(entry_at(3, 1, AT)) | UINT64_C(1) << bit);
        assert_int_equal(load(AT), CAUSE_LOAD_PAGE);
    }
    map(3, AT, 0, pte(DATA, RWXAD | RSW | G)); /* software's bits and G mean nothing */
    assert_int_equal(load(AT), 0);
}

/* II 12.3.1: D, A and U of a pointer are reserved; so are N and PBMT (Svnapot, Svpbmt). */
static void a_pointer_with_leaf_bits_faults(void **state)
{
    static const uint64_t bits[] = {U, A, D, N, PBMT(1), PBMT(2), PBMT(3)};

    (void)state;
    hart->menvcfg = ENV_PBMTE | ENV_ADUE;
    for (uint32_t level = 1; level < 3; level++)
        for (size_t i = 0; i < COUNT(bits); i++) {
            map(3, AT, 0, pte(DATA, RWXAD));
            assert_int_equal(load(AT), 0);
            poke(entry_at(3, level, AT), peek(entry_at(3, level, AT)) | bits[i]);
            assert_int_equal(load(AT), CAUSE_LOAD_PAGE);
        }
    map(3, AT, 0, pte(TABLES, 0)); /* a pointer where there is no level left (step 4) */
    assert_int_equal(load(AT), CAUSE_LOAD_PAGE);
    map(3, AT, 0, pte(DATA, RWXAD));
    poke(entry_at(3, 2, AT), peek(entry_at(3, 2, AT)) | G | RSW);
    assert_int_equal(load(AT), 0);
}

/* What the leaf's bits let S and U do, with SUM and MXR (II 3.1.6.3, 12.3.1). */
struct row {
    uint64_t bits, status;
    uint8_t privilege;
    bool load, store, fetch;
};
static const struct row rows[] = {
    {R, 0, PRIVILEGE_S, true, false, false},
    {R | W, 0, PRIVILEGE_S, true, true, false},
    {X, 0, PRIVILEGE_S, false, false, true},
    {R | X, 0, PRIVILEGE_S, true, false, true},
    {R | W | X, 0, PRIVILEGE_S, true, true, true},
    {X, STATUS_MXR, PRIVILEGE_S, true, false, true},
    {X, STATUS_SUM, PRIVILEGE_S, false, false, true},
    {R | W, STATUS_MXR, PRIVILEGE_S, true, true, false},
    {U | R | W | X, 0, PRIVILEGE_S, false, false, false},
    {U | R | W | X, STATUS_SUM, PRIVILEGE_S, true, true, false}, /* SUM never opens fetches */
    {U | X, STATUS_SUM | STATUS_MXR, PRIVILEGE_S, true, false, false},
    {U | X, STATUS_MXR, PRIVILEGE_S, false, false, false},
    {U | R, STATUS_SUM, PRIVILEGE_S, true, false, false},
    {R | W | X, 0, PRIVILEGE_U, false, false, false},
    {R | W | X, STATUS_SUM | STATUS_MXR, PRIVILEGE_U, false, false, false},
    {U | R | W | X, 0, PRIVILEGE_U, true, true, true},
    {U | R, 0, PRIVILEGE_U, true, false, false},
    {U | X, 0, PRIVILEGE_U, false, false, true},
    {U | X, STATUS_MXR, PRIVILEGE_U, true, false, true},
};

static void check_row(const struct row *row, bool may_fetch)
{
    assert_int_equal(load(AT), row->load ? 0 : CAUSE_LOAD_PAGE);
    if (row->load) {
        assert_int_equal(out.may_store, row->store);
        assert_int_equal(out.may_fetch, may_fetch);
    }
    assert_int_equal(store(AT), row->store ? 0 : CAUSE_STORE_PAGE);
}

static void permissions_are_the_leafs_with_sum_and_mxr(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        map(3, AT, 0, pte(DATA, rows[i].bits | A | D));
        hart->privilege = rows[i].privilege;
        hart->mstatus = rows[i].status;
        check_row(&rows[i], rows[i].fetch);
        assert_int_equal(fetch(AT), rows[i].fetch ? 0 : CAUSE_FETCH_PAGE);
    }
}

/* II 3.1.6.3: MPRV makes data accesses MPP's; fetches stay the hart's own. */
static void mprv_translates_data_as_mpp(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        map(3, AT, 0, pte(DATA, rows[i].bits | A | D));
        hart->privilege = PRIVILEGE_M;
        hart->mstatus = rows[i].status | STATUS_MPRV | MPP(rows[i].privilege);
        assert_int_equal(hart_data_privilege(rig.hart), rows[i].privilege);
        check_row(&rows[i], rows[i].fetch);
        assert_int_equal(fetch(DATA), 0); /* bare */
        assert_int_equal(out.physical, DATA);
        hart->mstatus &= ~STATUS_MPRV;
        assert_int_equal(hart_data_privilege(rig.hart), PRIVILEGE_M);
        hart->mstatus |= STATUS_MPRV | MPP(PRIVILEGE_M);
        assert_int_equal(load(DATA), 0);
        assert_int_equal(out.pte_count, 0);
    }
}

/* Svade (II 12.3.1): A clear faults, and so does D clear on a store; nothing is written. */
static void svade_faults_where_a_or_d_is_clear(void **state)
{
    uint64_t leaf, bits;

    (void)state;
    hart->menvcfg = 0;
    bits = pte(DATA, R | W | X | D);
    leaf = map(3, AT, 0, bits);
    assert_int_equal(load(AT), CAUSE_LOAD_PAGE);
    assert_int_equal(store(AT), CAUSE_STORE_PAGE);
    assert_int_equal(fetch(AT), CAUSE_FETCH_PAGE);
    assert_int_equal(peek(leaf), bits);
    bits = pte(DATA, R | W | X | A);
    map(3, AT, 0, bits);
    assert_int_equal(load(AT), 0);
    assert_true(out.may_load && out.may_fetch && !out.may_store);
    assert_int_equal(fetch(AT), 0);
    assert_int_equal(store(AT), CAUSE_STORE_PAGE);
    assert_int_equal(peek(leaf), bits);
}

/* Svadu (II 12.3.1): the hart sets A, and D on a store; not for an access that is not allowed. */
static void svadu_sets_a_and_d(void **state)
{
    uint64_t leaf;

    (void)state;
    hart->menvcfg = ENV_ADUE;
    for (uint32_t level = 0; level < 3; level++) {
        leaf = map(3, AT, level, pte(0, R | W | X));
        assert_int_equal(walk(AT, ACCESS_LOAD), true);
        assert_int_equal(peek(leaf), pte(0, R | W | X | A));
        assert_false(out.may_store);
        assert_int_equal(walk(AT, ACCESS_STORE), true);
        assert_int_equal(peek(leaf), pte(0, R | W | X | A | D));
        assert_true(out.may_store);
        poke(leaf, pte(0, R | W | X));
        assert_int_equal(walk(AT, ACCESS_FETCH), true);
        assert_int_equal(peek(leaf), pte(0, R | W | X | A));
    }
    leaf = map(3, AT, 0, pte(DATA, R));
    assert_int_equal(store(AT), CAUSE_STORE_PAGE);
    assert_int_equal(fetch(AT), CAUSE_FETCH_PAGE);
    assert_int_equal(peek(leaf), pte(DATA, R));
    leaf = map(3, AT, 1, pte(DATA + 4096, R | W)); /* misaligned */
    assert_int_equal(store(AT), CAUSE_STORE_PAGE);
    assert_int_equal(peek(leaf), pte(DATA + 4096, R | W));
}

/* Svnapot (II 13): ppn[3:0] 8 in a 4 KiB leaf means 64 KiB; all else is reserved. */
static void napot_pages_are_64_kib(void **state)
{
    (void)state;
    for (uint64_t page = 0; page < 16; page++) {
        map(3, AT & ~UINT64_C(0xffff), 0, 0);
        map(3, (AT & ~UINT64_C(0xffff)) + 4096 * page, 0, pte(DATA + 0x8000, RWXAD) | N);
        assert_int_equal(load((AT & ~UINT64_C(0xffff)) + 4096 * page + 0x10), 0);
        assert_int_equal(out.physical, DATA + 4096 * page + 0x10);
        assert_int_equal(out.page_bytes, 65536);
    }
    for (uint64_t low = 0; low < 16; low++) {
        map(3, AT, 0, pte(DATA + 4096 * low, RWXAD) | N);
        assert_int_equal(load(AT), low == 8 ? 0 : CAUSE_LOAD_PAGE);
    }
    map(3, AT, 1, pte(UINT64_C(0x8000) << 9, RWXAD) | N);
    assert_int_equal(load(AT), CAUSE_LOAD_PAGE);
}

/* Svpbmt (II 14): with PBMTE, NC and IO are fine and translate the same; 3 stays reserved. */
static void pbmt_is_legal_with_pbmte(void **state)
{
    (void)state;
    hart->menvcfg = ENV_PBMTE;
    for (uint32_t level = 0; level < 3; level++)
        for (uint32_t type = 0; type < 4; type++) {
            map(3, AT, level, pte(0, RWXAD) | PBMT(type));
            assert_int_equal(walk(AT, ACCESS_FETCH), type != 3);
        }
}

/* II 3.7.2: table reads and A/D updates are S-mode accesses; failing them is an access fault. */
static void pmp_guards_the_tables(void **state)
{
    uint64_t leaf = map(3, AT, 0, pte(DATA, R | W | X | A));

    (void)state;
    hart->menvcfg = ENV_ADUE;
    for (uint32_t level = 0; level < 3; level++) {
        hart->pmpaddr[0] = entry_at(3, level, AT) >> 2 & ~UINT64_C(1); /* NAPOT, 8 bytes */
        hart->pmpcfg[0] = 0x18 | 2 | 4;                                /* no reading */
        assert_int_equal(load(AT), CAUSE_LOAD_ACCESS);
        assert_int_equal(store(AT), CAUSE_STORE_ACCESS);
        assert_int_equal(fetch(AT), CAUSE_FETCH_ACCESS);
        hart->privilege = PRIVILEGE_M; /* by MPRV it is S's access too */
        hart->mstatus = STATUS_MPRV | MPP(PRIVILEGE_S);
        assert_int_equal(load(AT), CAUSE_LOAD_ACCESS);
        hart->privilege = PRIVILEGE_S;
        hart->mstatus = 0;
    }
    hart->pmpaddr[0] = leaf >> 2;
    hart->pmpcfg[0] = 0x18 | 1; /* no writing: D cannot be set */
    assert_int_equal(load(AT), 0);
    assert_int_equal(store(AT), CAUSE_STORE_ACCESS);
    assert_int_equal(peek(leaf), pte(DATA, R | W | X | A));
    poke(leaf, pte(DATA, R | W | X)); /* nor A, on a load */
    assert_int_equal(load(AT), CAUSE_LOAD_ACCESS);
    assert_int_equal(peek(leaf), pte(DATA, R | W | X));
}

/* II 3.7: and the page itself, at the privilege in effect. */
static void pmp_guards_the_page(void **state)
{
    (void)state;
    map(3, AT, 0, pte(DATA, RWXAD));
    hart->pmpaddr[0] = DATA >> 2 | 0x1ff; /* NAPOT, 4 KiB */
    hart->pmpcfg[0] = 0x18 | 1;
    assert_int_equal(load(AT), 0);
    assert_true(out.may_load && !out.may_store && !out.may_fetch);
    assert_int_equal(store(AT), CAUSE_STORE_ACCESS);
    assert_int_equal(fetch(AT), CAUSE_FETCH_ACCESS);
    map(3, AT, 0, pte(DATA, RWXAD) & ~(uint64_t)V); /* the page fault comes first */
    assert_int_equal(store(AT), CAUSE_STORE_PAGE);
}

/* II 12.3.2 step 2: tables outside RAM are an access fault of the original type. */
static void a_table_outside_ram_is_an_access_fault(void **state)
{
    (void)state;
    map(3, AT, 0, pte(DATA, RWXAD));
    poke(entry_at(3, 1, AT), pte(UINT64_C(0x10000000), 0)); /* a device */
    assert_int_equal(load(AT), CAUSE_LOAD_ACCESS);
    poke(entry_at(3, 1, AT), pte(UINT64_C(0xfffffffffff000), 0)); /* nothing */
    assert_int_equal(store(AT), CAUSE_STORE_ACCESS);
    hart->satp = UINT64_C(8) << SATP_MODE_SHIFT | SATP_PPN;
    assert_int_equal(fetch(AT), CAUSE_FETCH_ACCESS);
    assert_int_equal(out.pte_count, 0);
}

/* ASID and mode bits of satp are not part of the root's address. */
static void the_asid_does_not_move_the_root(void **state)
{
    (void)state;
    map(3, AT, 0, pte(DATA, RWXAD));
    hart->satp |= UINT64_C(0xffff) << 44;
    assert_int_equal(load(AT + 4), 0);
    assert_int_equal(out.physical, DATA + 4);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_table_an_address_is_physical),
        TEST(every_mode_and_page_size_translates),
        TEST(a_misaligned_superpage_faults),
        TEST(a_non_canonical_address_faults),
        TEST(invalid_and_reserved_entries_fault),
        TEST(a_pointer_with_leaf_bits_faults),
        TEST(permissions_are_the_leafs_with_sum_and_mxr),
        TEST(mprv_translates_data_as_mpp),
        TEST(svade_faults_where_a_or_d_is_clear),
        TEST(svadu_sets_a_and_d),
        TEST(napot_pages_are_64_kib),
        TEST(pbmt_is_legal_with_pbmte),
        TEST(pmp_guards_the_tables),
        TEST(pmp_guards_the_page),
        TEST(a_table_outside_ram_is_an_access_fault),
        TEST(the_asid_does_not_move_the_root),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
