/* Accesses that may not take the fast path: pages that somebody watches because code or
 * translations came from them, whatever name they are written under, by whatever instruction or
 * device; and what each kind of access does outside RAM. */
#include "sim/hart/status.h"
#include "sim/hart/trap.h"
#include "tests/sim/hart/rig.h"

#define CODE        RIG_RAM
#define PATCHED     (RIG_RAM + 0x3000) /* a page of code that programs write */
#define DATA        (RIG_RAM + 0x8000)
#define TABLES      (RIG_RAM + 0x10000)
#define HANDLER     (RIG_RAM + 0x20000)
#define ALIAS(n)    (UINT64_C(0x40000000) + (n)*UINT64_C(4096))
#define ROM         UINT64_C(0x1000)
#define DEVICE      UINT64_C(0x2004000) /* mtimecmp */
#define NOTHING     UINT64_C(0x70000000)
#define RWXAD       0xcf
#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

#define CBO(rs1, n)         enc_i(0x0f, 2, 0, (rs1), (n))
#define CBO_CLEAN           1
#define CBO_ZERO            4
#define AMO_D(f5, rd, a, v) enc_r(0x2f, (uint32_t)(f5) << 2, 3, REGS(rd, a, v))
#define AMOSWAP             1

static struct rig rig;

static int open_rig(void **state)
{
    (void)state;
    rig_open(&rig, (struct span){0}, 1);
    rig.state->mtvec = HANDLER;
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

static uint64_t pte(uint64_t physical)
{
    return physical >> 12 << 10 | RWXAD;
}

/* S mode, Sv39: RAM under its own addresses; of the pages at ALIAS(0) and after, `count` lead to
 * `physical`. */
static void map_aliases(uint64_t physical, uint32_t count)
{
    store_le64(at(TABLES) + 8 * 2, pte(RIG_RAM));
    store_le64(at(TABLES) + 8, (TABLES + 4096) >> 12 << 10 | 1);
    store_le64(at(TABLES) + 4096, (TABLES + 8192) >> 12 << 10 | 1);
    for (uint32_t i = 0; i < count; i++)
        store_le64(at(TABLES) + 8192 + 8 * (uint64_t)i, pte(physical));
    rig.state->satp = UINT64_C(8) << SATP_MODE_SHIFT | TABLES >> 12;
    rig.state->privilege = PRIVILEGE_S;
    rig.state->pmpaddr[0] = UINT64_MAX >> 10;
    rig.state->pmpcfg[0] = 0x1f;
    machine_rebuild(rig.machine);
}

/* A page is written under `count` names before it is executed; then under the last of them. */
static void patch_under_names(uint32_t count)
{
    uint32_t program[16], words = 0;

    for (uint32_t i = 0; i < count; i++)
        program[words++] = SD(0, 10 + i, 0x100);
    program[words++] = JALR(1, 20, 0);            /* the old code: x5 += 1 */
    program[words++] = SW(21, 10 + count - 1, 0); /* x5 += 100 */
    program[words++] = JALR(1, 20, 0);
    rig_put(&rig, CODE, program, words);
    RIG_PUT(&rig, PATCHED, ADDI(5, 5, 1), JALR(0, 1, 0));
    map_aliases(PATCHED, count);
    for (uint32_t i = 0; i < count; i++)
        rig.state->x[10 + i] = ALIAS(i);
    rig.state->x[5] = 0;
    rig.state->x[20] = PATCHED;
    rig.state->x[21] = ADDI(5, 5, 100);
    rig.state->pc = CODE;
    rig_run(&rig, words + 4);
    assert_int_equal(rig.state->pc, CODE + 4 * words);
    assert_int_equal(rig.state->x[5], 101);
}

static void code_written_under_any_name_is_what_runs(void **context)
{
    (void)context;
    for (uint32_t count = 1; count <= 5; count++)
        patch_under_names(count);
}

/* The instructions that write, each on a page of code that has run. Old and new code differ in the
 * upper half of the first word only. */
static void every_kind_of_store_changes_code(void **context)
{
    const uint32_t new_code = ADDI(5, 5, 100), end = JALR(0, 1, 0);
    const uint32_t stores[][2] = {
        {SD(21, 20, 0), NOP},
        {SW(21, 20, 0), NOP},
        {enc_s(0x23, 1, 20, 22, 2), NOP}, /* SH */
        {SW(22, 20, 2), NOP},             /* misaligned */
        {AMO_D(AMOSWAP, 0, 20, 21), NOP},
        {LR_D(6, 20), SC_D(7, 20, 21)},
        {enc_s(0x27, 3, 20, 3, 0), NOP}, /* FSD */
    };

    (void)context;
    rig.state->mstatus = UINT64_C(1) << 13;
    for (size_t i = 0; i < COUNT(stores); i++) {
        RIG_PUT(&rig, CODE, JALR(1, 20, 0), stores[i][0], stores[i][1], JALR(1, 20, 0), NOP);
        RIG_PUT(&rig, PATCHED, ADDI(5, 5, 1), end);
        rig.state->x[5] = 0;
        rig.state->x[7] = 0;
        rig.state->x[20] = PATCHED;
        rig.state->x[21] = (uint64_t)end << 32 | new_code;
        rig.state->x[22] = (uint64_t)end << 16 | new_code >> 16;
        rig.state->f[3] = rig.state->x[21];
        rig.state->pc = CODE;
        rig_run(&rig, 8);
        if (rig.state->x[5] != 101)
            fail_msg("row %zu: x5 is %llu", i, (unsigned long long)rig.state->x[5]);
        assert_int_equal(rig.state->x[7], 0); /* SC succeeded */
        assert_int_equal(load_le32(at(PATCHED) + 4), end);
        assert_int_equal(rig.state->pc, CODE + 16);
    }
}

/* Zicboz: 64 bytes, wherever in them the address points; code among them is code no more. */
static void cbo_zero_clears_its_line_and_the_code_there(void **context)
{
    (void)context;
    memset(at(DATA - 64), 0x55, 192);
    RIG_PUT(&rig, CODE, CBO(10, CBO_ZERO), CBO(10, CBO_ZERO), JALR(1, 20, 0), CBO(20, CBO_ZERO),
            JALR(1, 20, 0));
    RIG_PUT(&rig, PATCHED, ADDI(5, 5, 1), JALR(0, 1, 0));
    rig.state->x[10] = DATA + 37;
    rig.state->x[20] = PATCHED;
    rig_run(&rig, 2);
    for (uint64_t i = 0; i < 192; i++)
        assert_int_equal(*at(DATA - 64 + i), i >= 64 && i < 128 ? 0 : 0x55);
    rig_run(&rig, 6);
    assert_int_equal(rig.state->x[5], 1);
    assert_int_equal(rig.state->mcause, CAUSE_ILLEGAL);
    assert_int_equal(rig.state->mepc, PATCHED);
    assert_int_equal(rig.state->mtval, 0);
}

static void cbo_zero_clears_translations(void **context)
{
    (void)context;
    RIG_PUT(&rig, CODE, LD(5, 10, 0), CBO(11, CBO_ZERO), LD(6, 10, 0));
    map_aliases(DATA, 1);
    rig.state->menvcfg |= ENV_CBZE;
    store_le64(at(DATA), 11);
    rig.state->x[10] = ALIAS(0);
    rig.state->x[11] = TABLES + 8192;
    rig_run(&rig, 3);
    assert_int_equal(rig.state->x[5], 11);
    assert_int_equal(rig.state->x[6], 0);
    assert_int_equal(rig.state->mcause, CAUSE_LOAD_PAGE);
    assert_int_equal(rig.state->mtval, ALIAS(0));
}

/* A device moves whole blocks: nobody knows what was there before. */
static void a_device_writes_page_tables_and_code(void **context)
{
    static uint8_t block[8192];

    (void)context;
    RIG_PUT(&rig, CODE, LD(5, 10, 0), LD(6, 11, 0), JALR(1, 20, 0));
    RIG_PUT(&rig, PATCHED, ADDI(7, 7, 1), JALR(0, 1, 0));
    map_aliases(DATA, 2);
    store_le64(at(DATA), 11);
    store_le64(at(DATA + 4096), 22);
    rig.state->x[10] = ALIAS(0);
    rig.state->x[11] = ALIAS(1);
    rig.state->x[20] = PATCHED;
    rig_run(&rig, 5);
    assert_true(rig.state->x[5] == 11 && rig.state->x[6] == 11 && rig.state->x[7] == 1);
    store_le64(block + 4096, pte(DATA + 4096));
    store_le64(block + 4104, pte(DATA));
    assert_true(bus_dma_write(rig.hart->bus, TABLES + 4096 + 2048, block + 2048, 4096));
    store_le32(block, ADDI(7, 7, 100));
    store_le32(block + 4, JALR(0, 1, 0));
    assert_true(bus_dma_write(rig.hart->bus, PATCHED, block, 512));
    rig.state->pc = CODE;
    rig_run(&rig, 5);
    assert_int_equal(rig.state->x[5], 22);
    assert_int_equal(rig.state->x[6], 11);
    assert_int_equal(rig.state->x[7], 101);
}

/* What each kind of access does to RAM, ROM, a device, and where nothing is: 0, or its cause. */
static void every_access_has_its_fault(void **context)
{
    static const uint64_t places[4] = {DATA, ROM, DEVICE, NOTHING};
    const struct {
        uint32_t word;
        uint64_t causes[4];
    } rows[] = {
        {LD(5, 10, 0), {0, 0, 0, CAUSE_LOAD_ACCESS}},
        {LD(0, 10, 0), {0, 0, 0, CAUSE_LOAD_ACCESS}},
        {enc_i(0x07, 3, 5, 10, 0), {0, 0, 0, CAUSE_LOAD_ACCESS}}, /* FLD */
        {SD(5, 10, 0), {0, CAUSE_STORE_ACCESS, 0, CAUSE_STORE_ACCESS}},
        {enc_s(0x27, 3, 10, 5, 0), {0, CAUSE_STORE_ACCESS, 0, CAUSE_STORE_ACCESS}}, /* FSD */
        {AMO_D(AMOSWAP, 5, 10, 6), {0, CAUSE_STORE_ACCESS, CAUSE_STORE_ACCESS, CAUSE_STORE_ACCESS}},
        {LR_D(5, 10), {0, 0, CAUSE_LOAD_ACCESS, CAUSE_LOAD_ACCESS}},
        {SC_D(5, 10, 6), {0, CAUSE_STORE_ACCESS, CAUSE_STORE_ACCESS, CAUSE_STORE_ACCESS}},
        {CBO(10, CBO_ZERO), {0, CAUSE_STORE_ACCESS, CAUSE_STORE_ACCESS, CAUSE_STORE_ACCESS}},
        {CBO(10, CBO_CLEAN), {0, 0, 0, CAUSE_STORE_ACCESS}},
        {LD(5, 10, 4), {0, 0, CAUSE_LOAD_ACCESS, CAUSE_LOAD_ACCESS}}, /* misaligned */
        {SD(5, 10, 4), {0, CAUSE_STORE_ACCESS, CAUSE_STORE_ACCESS, CAUSE_STORE_ACCESS}},
        {JALR(0, 10, 0), {0, 0, CAUSE_FETCH_ACCESS, CAUSE_FETCH_ACCESS}},
    };

    (void)context;
    for (size_t i = 0; i < 2 * COUNT(rows) * COUNT(places); i++) {
        size_t row = i / 2 / COUNT(places), place = i / 2 % COUNT(places);
        bool fetch = row == COUNT(rows) - 1;

        if (i % 2 == 0) { /* the second time, caches know the place */
            RIG_PUT(&rig, CODE, rows[row].word);
            RIG_PUT(&rig, DATA, NOP);
        }
        rig.state->mstatus = UINT64_C(1) << 13;
        rig.state->mcause = rig.state->mtval = UINT64_MAX;
        rig.state->x[10] = places[place];
        rig.state->pc = CODE;
        rig_run(&rig, fetch ? 2 : 1);
        if (rig.state->mcause != (rows[row].causes[place] ? rows[row].causes[place] : UINT64_MAX))
            fail_msg("row %zu, place %zu: cause %llx", row, place,
                     (unsigned long long)rig.state->mcause);
        if (rows[row].causes[place] != 0)
            assert_int_equal(rig.state->mtval & ~UINT64_C(7), places[place]);
    }
}

/* II 3.7.1: PMP may end four bytes into a page; an access across the pages' edge knows. */
static void an_access_across_pages_is_guarded_to_its_last_byte(void **context)
{
    (void)context;
    RIG_PUT(&rig, CODE, SD(5, 10, 0), SD(5, 11, 0), LD(6, 10, 0), LD(6, 11, 0));
    rig.state->pmpaddr[0] = (DATA + 4096 + 4) >> 2;
    rig.state->pmpcfg[0] = 0x0b | 0x80; /* TOR, RW, locked: up to here */
    rig.state->pmpaddr[1] = (DATA + 8192) >> 2;
    rig.state->pmpcfg[1] = 0x08 | 0x80; /* nothing after it */
    rig.state->pmpcfg[0] |= 4;          /* X: the program lies there too */
    rig.state->x[5] = UINT64_MAX;
    rig.state->x[10] = DATA + 4096 - 4;
    rig.state->x[11] = DATA + 4096 - 2;
    machine_rebuild(rig.machine);
    rig_run(&rig, 1);
    assert_int_equal(load_le64(at(DATA + 4096 - 4)), UINT64_MAX);
    rig_run(&rig, 1);
    assert_int_equal(rig.state->mcause, CAUSE_STORE_ACCESS);
    assert_int_equal(rig.state->mtval, DATA + 4096);
    assert_int_equal(load_le16(at(DATA + 4096 + 4)), 0);
    rig.state->pc = CODE + 8;
    rig_run(&rig, 1);
    assert_int_equal(rig.state->x[6], UINT64_MAX);
    rig_run(&rig, 1);
    assert_int_equal(rig.state->mcause, CAUSE_LOAD_ACCESS);
    assert_int_equal(rig.state->mtval, DATA + 4096);
}

/* I 13.2, 13.4 (A, Zalrsc): AMO, LR, SC must be aligned; plain accesses need not. */
static void misaligned_atomics_trap(void **context)
{
    const struct {
        uint32_t word;
        uint64_t cause;
    } rows[] = {
        {AMO_D(AMOSWAP, 5, 10, 6), CAUSE_STORE_MISALIGNED},
        {LR_D(5, 10), CAUSE_LOAD_MISALIGNED},
        {SC_D(5, 10, 6), CAUSE_STORE_MISALIGNED},
    };

    (void)context;
    for (size_t i = 0; i < COUNT(rows); i++) {
        RIG_PUT(&rig, CODE, rows[i].word);
        rig.state->x[10] = DATA + 4;
        rig.state->pc = CODE;
        rig_run(&rig, 1);
        assert_int_equal(rig.state->mcause, rows[i].cause);
        assert_int_equal(rig.state->mtval, DATA + 4);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(code_written_under_any_name_is_what_runs),
        TEST(every_kind_of_store_changes_code),
        TEST(cbo_zero_clears_its_line_and_the_code_there),
        TEST(cbo_zero_clears_translations),
        TEST(a_device_writes_page_tables_and_code),
        TEST(every_access_has_its_fault),
        TEST(an_access_across_pages_is_guarded_to_its_last_byte),
        TEST(misaligned_atomics_trap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
