/* The hart as an object of a machine: which configurations and states it takes, that it never comes
 * into a state that it would not take back, its ISA string, its timer. */
#include "sim/hart/status.h"
#include "sim/hart/trap.h"
#include "tests/sim/hart/fp_batch.h"

#define COUNT(rows) (sizeof(rows) / sizeof(rows)[0])

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

static bool takes(const struct hart_state *state, struct err *err)
{
    return hart_fast_model.check_state(rig.hart->object, state, err);
}

/* The number as the host keeps it in a field of `size` bytes. */
static void field_set(void *field, size_t size, uint64_t value)
{
    const uint32_t word = (uint32_t)value;
    const uint16_t half = (uint16_t)value;
    const uint8_t byte = (uint8_t)value;

    assert_true(size == 8 || size == 4 || size == 2 || size == 1);
    memcpy(field,
           size == 8   ? (const void *)&value
           : size == 4 ? (const void *)&word
           : size == 2 ? (const void *)&half
                       : (const void *)&byte,
           size);
}

static void a_state_no_hart_can_hold_is_refused_by_name(void **context)
{
#define FIELD(name) offsetof(struct hart_state, name), sizeof rig.state->name
    static const struct {
        const char *name;
        size_t offset, size;
        uint64_t value;
    } rows[] = {
        {"x[0]", offsetof(struct hart_state, x), 8, 1},
        {"pc", FIELD(pc), 0x80000001},
        {"mepc", FIELD(mepc), 1},
        {"sepc", FIELD(sepc), UINT64_MAX},
        {"satp", FIELD(satp), UINT64_C(1) << 60},
        {"satp", FIELD(satp), UINT64_C(7) << 60},
        {"satp", FIELD(satp), UINT64_C(11) << 60},
        {"mstatus", FIELD(mstatus), UINT64_C(2) << STATUS_MPP_SHIFT},
        {"mip_lines", FIELD(mip_lines), 1 << 2},
        {"mip_software", FIELD(mip_software), LINE_BIT(HART_LINE_MSI)},
        {"mideleg", FIELD(mideleg), LINE_BIT(HART_LINE_MTI)},
        {"privilege", FIELD(privilege), 2},
        {"privilege", FIELD(privilege), 4},
        {"fflags", FIELD(fflags), 32},
        {"frm", FIELD(frm), 8},
        {"waiting", FIELD(waiting), 2},
        {"reservation_valid", FIELD(reservation_valid), 2},
        {"reservation_address", FIELD(reservation_address), 8},
        {"unused", offsetof(struct hart_state, unused) + 6, 1, 1},
    };

    (void)context;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct err err = ERR_INIT;
        struct hart_state state = *rig.state;

        assert_true(takes(&state, &err));
        field_set((uint8_t *)&state + rows[i].offset, rows[i].size, rows[i].value);
        if (takes(&state, &err))
            fail_msg("row %zu: %s is taken", i, rows[i].name);
        assert_int_equal(err.kind, ERR_INVALID);
        assert_non_null(strstr(err.text, rows[i].name));
    }
}

static void a_satp_beyond_the_configured_modes_is_refused(void **context)
{
    struct hart_config config = *rig.hart->config;
    struct object object = *rig.hart->object;

    (void)context;
    object.config = &config;
    for (uint32_t most = 8; most <= 10; most++)
        for (uint64_t mode = 8; mode <= 10; mode++) {
            struct err err = ERR_INIT;
            struct hart_state state = *rig.state;

            config.satp_mode_max = most;
            state.satp = mode << SATP_MODE_SHIFT;
            assert_int_equal(hart_fast_model.check_state(&object, &state, &err), mode <= most);
        }
}

static void configurations_are_checked(void **context)
{
    const struct hart_config good = {.reset_pc = 0x1000, .satp_mode_max = 10, .svadu = 1};
    struct hart_config bad[7];
    struct err err = ERR_INIT;

    (void)context;
    assert_true(hart_fast_model.check_config(&good, &err));
    for (size_t i = 0; i < COUNT(bad); i++)
        bad[i] = good;
    bad[0].satp_mode_max = 7;
    bad[1].satp_mode_max = 11;
    bad[2].svadu = 2;
    bad[3].unused[0] = 1;
    bad[4].unused[1] = 1;
    bad[5].unused[2] = 1;
    bad[6].reset_pc = 0x1001;
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(hart_fast_model.check_config(&bad[i], &err));
}

static void the_isa_string_says_who_sets_a_and_d(void **context)
{
    struct hart_config config = {.svadu = 1};

    (void)context;
    assert_non_null(strstr(hart_isa_string(&config), "_svadu_"));
    assert_null(strstr(hart_isa_string(&config), "svade"));
    config.svadu = 0;
    assert_non_null(strstr(hart_isa_string(&config), "_svade_"));
    assert_null(strstr(hart_isa_string(&config), "svadu"));
    assert_int_equal(strncmp(hart_isa_string(&config), "rv64imafdc_", 11), 0);
}

/* A store to mtime is seen by stimecmp at once, forwards and backwards. */
static void a_written_time_moves_the_supervisor_timer(void **context)
{
    (void)context;
    RIG_PUT(&rig, RIG_RAM, SD(1, 10, 0), NOP, SD(0, 10, 0), NOP);
    rig.state->menvcfg = ENV_STCE;
    rig.state->stimecmp = 1000000;
    rig.state->x[1] = 1000000;
    rig.state->x[10] = 0x200bff8; /* mtime */
    machine_rebuild(rig.machine);
    rig_run(&rig, 1);
    assert_int_equal(rig.state->mip_lines, LINE_BIT(HART_LINE_STI));
    rig_run(&rig, 2);
    assert_int_equal(rig.state->mip_lines, 0);
    rig.state->menvcfg = 0;
    rig.state->pc = RIG_RAM;
    machine_rebuild(rig.machine);
    rig_run(&rig, 2);
    assert_int_equal(rig.state->mip_lines, 0);
}

/* The machine sleeps in WFI until stimecmp, and not a cycle longer. */
static void a_waiting_hart_wakes_when_stimecmp_is_due(void **context)
{
    struct machine_limits limits = {UINT64_MAX, 100000};

    (void)context;
    RIG_PUT(&rig, RIG_RAM, WFI, CSRRS(5, 0xc00, 0), JAL(0, 0));
    rig.state->menvcfg = ENV_STCE;
    rig.state->stimecmp = 500; /* a tick is 100 cycles */
    rig.state->mie = LINE_BIT(HART_LINE_STI);
    machine_rebuild(rig.machine);
    machine_run(rig.machine, &limits);
    assert_int_equal(rig.state->x[5], 50000);
    assert_int_equal(rig.state->waiting, 0);
}

/* An instruction word of one of the 32-bit majors, or of any kind at all; rd is often x0. */
static uint32_t random_word(uint64_t *seed)
{
    static const uint8_t majors[] = {0x03, 0x07, 0x0f, 0x13, 0x17, 0x1b, 0x23, 0x27,
                                     0x2f, 0x33, 0x37, 0x3b, 0x43, 0x47, 0x4b, 0x4f,
                                     0x53, 0x53, 0x63, 0x67, 0x6f, 0x73, 0x73};
    static const uint16_t csrs[] = {0x001, 0x002, 0x003, 0x100, 0x104, 0x105, 0x141, 0x144, 0x14d,
                                    0x180, 0x300, 0x302, 0x303, 0x304, 0x305, 0x30a, 0x320, 0x341,
                                    0x344, 0x3a0, 0x3b0, 0xb00, 0xb02, 0xc00, 0xc01, 0x10a, 0x106};
    uint32_t word = (uint32_t)rig_random(seed), pick = (uint32_t)rig_random(seed);

    if (pick % 8 == 0)
        return word;
    word = (word & ~UINT32_C(0x7f)) | majors[(pick >> 8) % sizeof majors];
    if ((word & 0x7f) == 0x53)
        word = fp_instructions[(pick >> 16) % FP_INSTRUCTION_COUNT].word;
    if (pick % 3 == 0)
        word &= ~(UINT32_C(31) << 7);
    if ((word & 0x707f) == 0x73 && pick % 5 < 2)
        return pick % 5 == 0 ? MRET : 0x10200073; /* SRET */
    if ((word & 0x7f) == 0x73)
        word = (word & 0xfffff) | (uint32_t)csrs[(pick >> 16) % COUNT(csrs)] << 20;
    return word;
}

/* Registers that lead somewhere now and then; traps come back to the code. */
static void put_random_program(uint64_t *seed)
{
    uint32_t words[1024];

    for (size_t i = 0; i < COUNT(words); i++)
        words[i] = random_word(seed);
    rig_put(&rig, RIG_RAM, words, COUNT(words));
    for (size_t i = 1; i < 32; i++) {
        uint64_t bits = rig_random(seed);

        rig.state->x[i] = bits % 4 == 0 ? bits : RIG_RAM + (bits >> 8) % 0x2000;
        rig.state->f[i] = rig_random(seed);
    }
    rig.state->mtvec = RIG_RAM + 0x100;
    rig.state->stvec = RIG_RAM + 0x200;
    rig.state->mstatus = UINT64_C(1) << 13;
    rig.state->privilege = PRIVILEGE_M;
    rig.state->waiting = 0;
    rig.state->satp = 0;
    rig.state->pc = RIG_RAM + 4 * (rig_random(seed) % COUNT(words));
    memset(rig.state->pmpcfg, 0, sizeof rig.state->pmpcfg);
    rig.state->pmpaddr[0] = UINT64_MAX >> 10;
    rig.state->pmpcfg[0] = 0x1f;
    machine_rebuild(rig.machine);
}

static void every_state_a_hart_comes_into_is_one_it_takes(void **context)
{
    uint64_t seed = 1;

    (void)context;
    for (uint32_t i = 0; i < 20000; i++) {
        put_random_program(&seed);
        for (uint32_t k = 0; k < 12; k++) {
            struct err err = ERR_INIT;
            uint64_t pc = rig.state->pc;

            rig_run(&rig, 1 + rig_random(&seed) % 20);
            if (!takes(rig.state, &err))
                fail_msg("program %u, after pc %llx: %s", i, (unsigned long long)pc, err.text);
        }
    }
}

/* A value that somebody might put into a checkpoint. */
static uint64_t hostile_value(uint64_t *seed)
{
    uint64_t bits = rig_random(seed), pick = rig_random(seed);

    switch (pick % 6) {
    case 0:
        return bits;
    case 1:
        return UINT64_C(1) << (bits & 63);
    case 2:
        return 0 - (bits & 15);
    case 3:
        return RIG_RAM + RIG_RAM_BYTES - (bits & 15);
    case 4:
        return RIG_RAM + (bits & 0xffe);
    default:
        return bits & 15;
    }
}

/* What is refused has its own test; whatever is taken must do no harm, however strange. */
static void every_state_that_is_taken_runs(void **context)
{
    static uint8_t start[sizeof(struct hart_state)];
    uint64_t seed = 1;
    uint32_t taken = 0;

    (void)context;
    put_random_program(&seed);
    memcpy(start, rig.state, sizeof start);
    for (uint32_t i = 0; i < 20000; i++) {
        struct err err = ERR_INIT;
        struct hart_state state;

        memcpy(&state, start, sizeof state);
        for (uint64_t k = rig_random(&seed) % 6; k < 8; k++) {
            uint64_t value = hostile_value(&seed);
            size_t at = rig_random(&seed) % (sizeof state / 8) * 8;

            memcpy((uint8_t *)&state + at, &value, 8);
        }
        if (!takes(&state, &err))
            continue;
        taken++;
        memcpy(rig.state, &state, sizeof state);
        machine_rebuild(rig.machine);
        rig_run(&rig, 1 + rig_random(&seed) % 60);
        if (!takes(rig.state, &err))
            fail_msg("state %u: %s", i, err.text);
    }
    assert_true(taken > 2000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_rig, close_rig)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_state_no_hart_can_hold_is_refused_by_name),
        TEST(a_satp_beyond_the_configured_modes_is_refused),
        TEST(configurations_are_checked),
        TEST(the_isa_string_says_who_sets_a_and_d),
        TEST(a_written_time_moves_the_supervisor_timer),
        TEST(a_waiting_hart_wakes_when_stimecmp_is_due),
        TEST(every_state_a_hart_comes_into_is_one_it_takes),
        TEST(every_state_that_is_taken_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
