/* What the interpreter promises, one small program a promise. */
#include "tests/sim/hart/rig.h"

#include "sim/hart/engine.h"
#include "sim/hart/status.h"
#include "sim/hart/trap.h"

#define CODE               RIG_RAM
#define OTHER              (RIG_RAM + 0x1000)
#define DATA               (RIG_RAM + 0x8000)
#define TABLES             (RIG_RAM + 0x10000)
#define PTE(address, bits) ((uint64_t)(address) >> 12 << 10 | (bits))
#define PTE_RWXAD          0xcf

static int setup(void **context)
{
    static struct rig rig;

    rig_open(&rig, (struct span){0}, 1);
    rig.state->mtvec = RIG_RAM + 0x20000;
    *context = &rig;
    return 0;
}

static int teardown(void **context)
{
    rig_close(*context);
    return 0;
}

static void run_stops_at_exactly_the_asked_instruction(void **context)
{
    struct rig *rig = *context;

    RIG_PUT(rig, CODE, ADDI(1, 1, 1), ADDI(2, 2, 1), LD(3, 4, 0), ADDI(5, 5, 1), JAL(0, -16));
    rig->state->x[4] = DATA;
    for (uint64_t count = 1; count < 40; count++) {
        machine_reset(rig->machine);
        memset(rig->state->x, 0, sizeof rig->state->x);
        rig->state->x[4] = DATA;
        rig->state->pc = CODE;
        assert_int_equal(rig_run(rig, count), MACHINE_STOP_INSTRUCTIONS);
        assert_int_equal(rig->state->cycle, count);
        assert_int_equal(rig->state->instructions, count);
        assert_int_equal(rig->state->pc, CODE + count % 5 * 4);
        assert_int_equal(rig->state->x[1], (count + 4) / 5);
        assert_int_equal(rig->state->x[5], (count + 1) / 5);
    }
}

static void counters_and_time_are_exact_inside_a_block(void **context)
{
    struct rig *rig = *context;

    RIG_PUT(rig, CODE, NOP, NOP, CSRRS(1, 0xc00, 0), NOP, CSRRS(2, 0xc02, 0), LD(3, 4, 0),
            JAL(0, 0));
    rig->state->cycle = 1000;
    rig->state->x[4] = 0x200bff8; /* mtime: a tick is 100 cycles */
    rig->state->minstret_offset = 7;
    machine_rebuild(rig->machine);
    rig_run(rig, 6);
    assert_int_equal(rig->state->x[1], 1002);
    assert_int_equal(rig->state->x[2], 4 + 7);
    assert_int_equal(rig->state->x[3], 10);
}

static void a_store_changes_the_very_next_instruction(void **context)
{
    struct rig *rig = *context;

    RIG_PUT(rig, CODE, SW(1, 2, 8), ADDI(3, 3, 1), ADDI(4, 4, 1), JAL(0, -12));
    rig->state->x[1] = ADDI(4, 4, 100);
    rig->state->x[2] = CODE;
    rig_run(rig, 3);
    assert_int_equal(rig->state->x[4], 100);
    /* And the block, decoded again, once more: in the middle of a loop. */
    rig->state->x[1] = ADDI(4, 4, 1000);
    rig_run(rig, 4);
    assert_int_equal(rig->state->x[4], 1100);
}

static void a_device_writes_code_and_it_is_what_runs(void **context)
{
    struct rig *rig = *context;
    uint8_t word[4];

    RIG_PUT(rig, CODE, ADDI(1, 1, 1), JAL(0, -4));
    rig_run(rig, 10);
    assert_int_equal(rig->state->x[1], 5);
    store_le32(word, ADDI(1, 1, 100));
    assert_true(bus_dma_write(rig->hart->bus, CODE, word, 4));
    rig_run(rig, 2);
    assert_int_equal(rig->state->x[1], 105);
}

/* S mode under Sv39: a root, a middle and a leaf table map the virtual page 0x40000000; the rest is
 * mapped to itself by gigapages. */
static void paged(struct rig *rig)
{
    uint8_t *root = rig->ram + (TABLES - RIG_RAM);

    store_le64(root + 8 * 2, PTE(0x80000000, PTE_RWXAD));
    store_le64(root + 8, PTE(TABLES + 4096, 1));
    store_le64(root + 4096, PTE(TABLES + 8192, 1));
    store_le64(root + 8192, PTE(DATA, PTE_RWXAD));
    store_le64(rig->ram + (DATA - RIG_RAM), 11);
    store_le64(rig->ram + (DATA + 4096 - RIG_RAM), 22);
    rig->state->satp = UINT64_C(8) << 60 | TABLES >> 12;
    rig->state->privilege = PRIVILEGE_S;
    rig->state->pmpaddr[0] = UINT64_MAX >> 10;
    rig->state->pmpcfg[0] = 0x1f;
    machine_rebuild(rig->machine);
}

static void a_changed_leaf_entry_holds_for_the_next_access(void **context)
{
    struct rig *rig = *context;

    RIG_PUT(rig, CODE, LD(1, 10, 0), SD(12, 11, 0), LD(2, 10, 0), SD(0, 11, 0), LD(3, 10, 0));
    paged(rig);
    rig->state->x[10] = 0x40000000;
    rig->state->x[11] = TABLES + 8192;
    rig->state->x[12] = PTE(DATA + 4096, PTE_RWXAD);
    rig_run(rig, 5);
    assert_int_equal(rig->state->x[1], 11);
    assert_int_equal(rig->state->x[2], 22);
    assert_int_equal(rig->state->x[3], 0);
    assert_int_equal(rig->state->mcause, CAUSE_LOAD_PAGE);
    assert_int_equal(rig->state->mtval, 0x40000000);
    assert_int_equal(rig->state->mepc, CODE + 16);
}

static void a_changed_pointer_entry_holds_for_the_next_access(void **context)
{
    struct rig *rig = *context;

    RIG_PUT(rig, CODE, LD(1, 10, 0), SD(12, 11, 0), LD(2, 10, 0));
    paged(rig);
    store_le64(rig->ram + (TABLES + 12288 - RIG_RAM), PTE(DATA + 4096, PTE_RWXAD));
    rig->state->x[10] = 0x40000000;
    rig->state->x[11] = TABLES + 4096;
    rig->state->x[12] = PTE(TABLES + 12288, 1);
    rig_run(rig, 3);
    assert_int_equal(rig->state->x[1], 11);
    assert_int_equal(rig->state->x[2], 22);
}

static void a_table_page_that_was_written_before_is_watched_too(void **context)
{
    struct rig *rig = *context;

    /* The first store makes a fast write entry for the leaf table before anything is translated by
     * it. */
    RIG_PUT(rig, CODE, SD(12, 11, 0), LD(1, 10, 0), SD(13, 11, 0), LD(2, 10, 0));
    paged(rig);
    rig->state->x[10] = 0x40000000;
    rig->state->x[11] = TABLES + 8192;
    rig->state->x[12] = PTE(DATA, PTE_RWXAD);
    rig->state->x[13] = PTE(DATA + 4096, PTE_RWXAD);
    rig_run(rig, 4);
    assert_int_equal(rig->state->x[1], 11);
    assert_int_equal(rig->state->x[2], 22);
}

static void code_loses_its_page_and_the_next_fetch_faults(void **context)
{
    struct rig *rig = *context;

    RIG_PUT(rig, DATA, SD(0, 11, 0), ADDI(1, 1, 1), ADDI(2, 2, 1));
    paged(rig);
    store_le32(rig->ram + (DATA - RIG_RAM), SD(0, 11, 0));
    store_le32(rig->ram + (DATA - RIG_RAM) + 4, ADDI(1, 1, 1));
    rig->state->x[11] = TABLES + 8192;
    rig->state->pc = 0x40000000;
    rig_run(rig, 2);
    assert_int_equal(rig->state->x[1], 0);
    assert_int_equal(rig->state->mcause, CAUSE_FETCH_PAGE);
    assert_int_equal(rig->state->mepc, 0x40000004);
}

static void an_instruction_across_pages_faults_where_its_second_half_is(void **context)
{
    struct rig *rig = *context;
    uint8_t *page = rig->ram + (DATA - RIG_RAM);

    paged(rig);
    store_le16(page + 4094, (uint16_t)ADDI(1, 1, 5));
    store_le16(rig->ram + (DATA + 4096 - RIG_RAM), (uint16_t)(ADDI(1, 1, 5) >> 16));
    rig->state->pc = 0x40000ffe;
    rig_run(rig, 1);
    assert_int_equal(rig->state->mcause, CAUSE_FETCH_PAGE);
    assert_int_equal(rig->state->mepc, 0x40000ffe);
    assert_int_equal(rig->state->mtval, 0x40001000);
    store_le64(rig->ram + (TABLES + 8192 + 8 - RIG_RAM), PTE(DATA + 4096, PTE_RWXAD));
    rig->state->privilege = PRIVILEGE_S;
    rig->state->pc = 0x40000ffe;
    machine_rebuild(rig->machine);
    rig_run(rig, 1);
    assert_int_equal(rig->state->x[1], 5);
    assert_int_equal(rig->state->pc, 0x40001002);
}

static void a_store_across_pages_writes_all_or_nothing(void **context)
{
    struct rig *rig = *context;
    const uint8_t *last = rig->ram + (DATA + 4092 - RIG_RAM);

    RIG_PUT(rig, CODE, SD(1, 10, 0));
    paged(rig);
    rig->state->x[1] = UINT64_MAX;
    rig->state->x[10] = 0x40000ffc;
    rig_run(rig, 1);
    assert_int_equal(load_le32(last), 0);
    assert_int_equal(rig->state->mcause, CAUSE_STORE_PAGE);
    assert_int_equal(rig->state->mtval, 0x40001000);
    store_le64(rig->ram + (TABLES + 8192 + 8 - RIG_RAM), PTE(DATA + 8192, PTE_RWXAD));
    rig->state->privilege = PRIVILEGE_S;
    rig->state->pc = CODE;
    machine_rebuild(rig->machine);
    rig_run(rig, 1);
    assert_int_equal(load_le32(last), UINT32_MAX);
    assert_int_equal(load_le32(rig->ram + (DATA + 8192 - RIG_RAM)), UINT32_MAX);
}

static void a_trap_in_a_block_leaves_no_trace_of_what_follows(void **context)
{
    struct rig *rig = *context;

    RIG_PUT(rig, CODE, ADDI(1, 1, 1), LD(2, 0, 8), ADDI(3, 3, 1));
    rig_run(rig, 2);
    assert_int_equal(rig->state->mcause, CAUSE_LOAD_ACCESS);
    assert_int_equal(rig->state->mepc, CODE + 4);
    assert_int_equal(rig->state->mtval, 8);
    assert_int_equal(rig->state->x[3], 0);
    assert_int_equal(rig->state->instructions, 2);
    assert_int_equal(rig->state->minstret_offset, UINT64_MAX); /* minstret does not see it */
}

static void illegal_instructions_give_their_bits(void **context)
{
    struct rig *rig = *context;

    RIG_PUT(rig, CODE, NOP, FADD_D(1, 2, 3)); /* FS is off */
    rig_run(rig, 2);
    assert_int_equal(rig->state->mcause, CAUSE_ILLEGAL);
    assert_int_equal(rig->state->mtval, FADD_D(1, 2, 3));
}

static void fs_becomes_dirty_only_with_an_instruction_that_was_done(void **context)
{
    struct rig *rig = *context;

    RIG_PUT(rig, CODE, FLD(1, 0, 8), FLD(1, 2, 0));
    rig->state->mstatus = UINT64_C(1) << 13;
    rig->state->x[2] = DATA;
    rig_run(rig, 1);
    assert_int_equal(rig->state->mcause, CAUSE_LOAD_ACCESS);
    assert_int_equal(rig->state->mstatus & STATUS_FS, UINT64_C(1) << 13);
    rig->state->pc = CODE + 4;
    rig_run(rig, 1);
    assert_int_equal(rig->state->mstatus & STATUS_FS, STATUS_FS);
}

static void fs_becomes_dirty_even_if_the_block_is_left_right_after_the_load(void **context)
{
    struct rig *rig = *context;

    RIG_PUT(rig, CODE, FLD(1, 2, 0), NOP, NOP);
    rig->state->mstatus = UINT64_C(1) << 13;
    rig->state->x[2] = 0x200bff8; /* a device: after it, deadlines are looked at */
    rig->machine->deadline_changed = true;
    assert_int_equal(rig->hart->engine_ops->run(rig->hart, UINT64_MAX, 2), 1);
    assert_int_equal(rig->state->mcause, 0);
    assert_int_equal(rig->state->mstatus & STATUS_FS, STATUS_FS);
}

static void reservations_end_when_a_device_writes_there(void **context)
{
    struct rig *rig = *context;
    uint8_t bytes[8] = {0};

    RIG_PUT(rig, CODE, LR_D(1, 10), SC_D(2, 10, 10), LR_D(1, 10), SC_D(3, 10, 10));
    rig->state->x[10] = DATA;
    rig_run(rig, 3);
    assert_int_equal(rig->state->x[2], 0);
    assert_int_equal(rig->state->reservation_valid, 1);
    assert_true(bus_dma_write(rig->hart->bus, DATA + 64, bytes, 8)); /* its neighbour: no matter */
    assert_int_equal(rig->state->reservation_valid, 1);
    assert_true(bus_dma_write(rig->hart->bus, DATA + 56, bytes, 8));
    assert_int_equal(rig->state->reservation_valid, 0);
    rig_run(rig, 1);
    assert_int_equal(rig->state->x[3], 1);
}

static void an_interrupt_comes_at_the_first_boundary_at_which_it_may(void **context)
{
    struct rig *rig = *context;

    /* A software interrupt is pending; the third instruction lets it in. */
    RIG_PUT(rig, CODE, SW(1, 10, 0), ADDI(2, 2, 1), enc_i(0x73, 6, 0, 8, 0x300), ADDI(3, 3, 1));
    rig->state->x[1] = 1;
    rig->state->x[10] = 0x2000000; /* msip */
    rig->state->mie = 1 << HART_LINE_MSI;
    rig_run(rig, 3);
    assert_int_equal(rig->state->pc, CODE + 12);
    rig_run(rig, 1); /* the handler's first instruction, which is illegal */
    assert_int_equal(rig->state->x[3], 0);
    assert_int_equal(rig->state->x[2], 1);
    assert_int_equal(rig->state->instructions, 4);
}

static void every_store_after_a_freeze_makes_its_page_dirty_again(void **context)
{
    struct rig *rig = *context;
    struct hash before, after;

    RIG_PUT(rig, CODE, SD(1, 10, 0), ADDI(1, 1, 1), JAL(0, -8));
    rig->state->x[10] = DATA;
    rig_run(rig, 300);
    before = rig_digest(rig);
    rig_run(rig, 3);
    const struct image *ram = machine_find(rig->machine, "board0.ram")->images[0];

    assert_true((ram->page_flags[(DATA - RIG_RAM) / IMAGE_PAGE_SIZE] & IMAGE_PAGE_DIRTY) != 0);
    after = rig_digest(rig);
    assert_false(hash_equal(&before, &after));
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(run_stops_at_exactly_the_asked_instruction),
        CASE(counters_and_time_are_exact_inside_a_block),
        CASE(a_store_changes_the_very_next_instruction),
        CASE(a_device_writes_code_and_it_is_what_runs),
        CASE(a_changed_leaf_entry_holds_for_the_next_access),
        CASE(a_changed_pointer_entry_holds_for_the_next_access),
        CASE(a_table_page_that_was_written_before_is_watched_too),
        CASE(code_loses_its_page_and_the_next_fetch_faults),
        CASE(an_instruction_across_pages_faults_where_its_second_half_is),
        CASE(a_store_across_pages_writes_all_or_nothing),
        CASE(a_trap_in_a_block_leaves_no_trace_of_what_follows),
        CASE(illegal_instructions_give_their_bits),
        CASE(fs_becomes_dirty_only_with_an_instruction_that_was_done),
        CASE(fs_becomes_dirty_even_if_the_block_is_left_right_after_the_load),
        CASE(reservations_end_when_a_device_writes_there),
        CASE(an_interrupt_comes_at_the_first_boundary_at_which_it_may),
        CASE(every_store_after_a_freeze_makes_its_page_dirty_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
