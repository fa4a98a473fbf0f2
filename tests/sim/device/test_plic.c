#include "tests/sim/device/rig.h"

#define PRIORITY(source) (RIG_PLIC + 4 * (source))
#define PENDING          (RIG_PLIC + 0x1000)
#define ENABLE_M         (RIG_PLIC + 0x2000)
#define ENABLE_S         (RIG_PLIC + 0x2080)
#define THRESHOLD_M      (RIG_PLIC + 0x200000)
#define CLAIM_M          (RIG_PLIC + 0x200004)
#define THRESHOLD_S      (RIG_PLIC + 0x201000)
#define CLAIM_S          (RIG_PLIC + 0x201004)

static void wire(struct rig *rig, uint32_t source, bool level)
{
    object_set_line(machine_find(rig->machine, "board.plic"), source, level);
}

static void enable(struct rig *rig, uint32_t source, uint32_t priority)
{
    uint64_t word = ENABLE_S + 4 * (source / 32);

    rig_write(rig, PRIORITY(source), 4, priority);
    rig_write(rig, word, 4, rig_read(rig, word, 4) | UINT32_C(1) << source % 32);
}

static void request_goes_from_wire_to_completion(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    enable(rig, 40, 1);
    wire(rig, 40, true);
    assert_true(rig_line(rig, PLIC_LINE_SEI));
    assert_false(rig_line(rig, PLIC_LINE_MEI));
    assert_int_equal(rig_read(rig, PENDING + 4, 4), 1 << 8);
    assert_int_equal(rig_read(rig, CLAIM_S, 4), 40);
    assert_false(rig_line(rig, PLIC_LINE_SEI));
    assert_int_equal(rig_read(rig, CLAIM_S, 4), 0);
    wire(rig, 40, false);
    wire(rig, 40, true); /* not passed on until the completion */
    assert_false(rig_line(rig, PLIC_LINE_SEI));
    rig_write(rig, CLAIM_S, 4, 40);
    assert_true(rig_line(rig, PLIC_LINE_SEI));
    assert_int_equal(rig_read(rig, CLAIM_S, 4), 40);
    rig_write(rig, CLAIM_S, 4, 40); /* the wire is high still, but nobody said so again */
    assert_false(rig_line(rig, PLIC_LINE_SEI));
    wire(rig, 40, true);
    assert_true(rig_line(rig, PLIC_LINE_SEI));
    rig_free(rig);
}

static void request_stays_though_the_wire_falls(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    enable(rig, 5, 1);
    wire(rig, 5, true);
    wire(rig, 5, false);
    assert_int_equal(rig_read(rig, CLAIM_S, 4), 5);
    rig_free(rig);
}

static void highest_priority_then_lowest_number_wins(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    enable(rig, 9, 3);
    enable(rig, 7, 3);
    enable(rig, 3, 2);
    enable(rig, 95, 7);
    enable(rig, 2, 0); /* priority 0 never interrupts */
    wire(rig, 2, true);
    assert_false(rig_line(rig, PLIC_LINE_SEI));
    wire(rig, 3, true);
    wire(rig, 9, true);
    wire(rig, 7, true);
    wire(rig, 95, true);
    assert_int_equal(rig_read(rig, CLAIM_S, 4), 95);
    assert_int_equal(rig_read(rig, CLAIM_S, 4), 7);
    assert_int_equal(rig_read(rig, CLAIM_S, 4), 9);
    assert_int_equal(rig_read(rig, CLAIM_S, 4), 3);
    assert_int_equal(rig_read(rig, CLAIM_S, 4), 0);
    rig_free(rig);
}

static void threshold_masks_the_wire_but_not_the_claim(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    enable(rig, 9, 3);
    wire(rig, 9, true);
    rig_write(rig, THRESHOLD_S, 4, 3);
    assert_false(rig_line(rig, PLIC_LINE_SEI));
    rig_write(rig, THRESHOLD_S, 4, 2);
    assert_true(rig_line(rig, PLIC_LINE_SEI));
    rig_write(rig, THRESHOLD_S, 4, 0xff);
    assert_int_equal(rig_read(rig, THRESHOLD_S, 4), 7);
    assert_int_equal(rig_read(rig, CLAIM_S, 4), 9);
    rig_free(rig);
}

static void completion_of_what_is_not_enabled_is_ignored(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    enable(rig, 9, 1);
    wire(rig, 9, true);
    assert_int_equal(rig_read(rig, CLAIM_S, 4), 9);
    rig_write(rig, CLAIM_M, 4, 9); /* not enabled for M */
    rig_write(rig, CLAIM_S, 4, 0xffffffff);
    rig_write(rig, CLAIM_S, 4, 0);
    wire(rig, 9, true);
    assert_false(rig_line(rig, PLIC_LINE_SEI));
    rig_write(rig, CLAIM_S, 4, 9);
    assert_true(rig_line(rig, PLIC_LINE_SEI));
    rig_free(rig);
}

static void contexts_are_apart(void **state)
{
    struct rig *rig = rig_new();

    (void)state;
    rig_write(rig, PRIORITY(1), 4, 1);
    rig_write(rig, ENABLE_M, 4, 3);
    assert_int_equal(rig_read(rig, ENABLE_M, 4), 2); /* source 0 does not exist */
    wire(rig, 0, true);
    wire(rig, 1, true);
    wire(rig, 96, true);
    wire(rig, 0xffffffff, true);
    assert_true(rig_line(rig, PLIC_LINE_MEI));
    assert_false(rig_line(rig, PLIC_LINE_SEI));
    assert_int_equal(rig_read(rig, CLAIM_S, 4), 0);
    assert_int_equal(rig_read(rig, CLAIM_M, 4), 1);
    rig_write(rig, PENDING, 4, 0xffffffff);
    assert_int_equal(rig_read(rig, PENDING, 4), 0);
    rig_free(rig);
}

static void places_without_a_register_read_zero(void **state)
{
    static const uint64_t places[] = {4 * 96, 0x100c, 0x208c, 0x2100, 0x200008, 0x202000, 0x5ffffc};
    struct rig *rig = rig_new();
    uint64_t value = 0;

    (void)state;
    for (uint32_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        rig_write(rig, RIG_PLIC + places[i], 4, 0xffffffff);
        assert_int_equal(rig_read(rig, RIG_PLIC + places[i], 4), 0);
    }
    assert_false(rig_try_read(rig, RIG_PLIC, 8, &value));
    assert_false(rig_try_read(rig, RIG_PLIC, 1, &value));
    assert_false(rig_try_write(rig, CLAIM_S, 2, 1));
    rig_free(rig);
}

static void step(struct rig *rig, uint32_t i)
{
    uint32_t source = i * 37 % 95 + 1;

    enable(rig, source, i % 8);
    wire(rig, source, i % 3 != 0);
    if (i % 4 == 1)
        rig_read(rig, CLAIM_S, 4);
    if (i % 5 == 2)
        rig_write(rig, CLAIM_S, 4, (i - 1) * 37 % 95 + 1);
    rig_run(rig, 10);
}

static void run_on_after_thaw_is_the_same(void **state)
{
    (void)state;
    rig_check_thaw(rig_new, step, 40);
}

static void impossible_state_is_refused(void **state)
{
    (void)state;
    rig_check_refused("board.plic", "priority", 0, 1);
    rig_check_refused("board.plic", "priority", 7, 8);
    rig_check_refused("board.plic", "threshold", 15, 8);
    rig_check_refused("board.plic", "enable", 3, 1);
    rig_check_refused("board.plic", "pending", 0, 1);
    rig_check_refused("board.plic", "level", 0, 1);
    rig_check_refused("board.plic", "claimed", 0, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_goes_from_wire_to_completion),
        cmocka_unit_test(request_stays_though_the_wire_falls),
        cmocka_unit_test(highest_priority_then_lowest_number_wins),
        cmocka_unit_test(threshold_masks_the_wire_but_not_the_claim),
        cmocka_unit_test(completion_of_what_is_not_enabled_is_ignored),
        cmocka_unit_test(contexts_are_apart),
        cmocka_unit_test(places_without_a_register_read_zero),
        cmocka_unit_test(run_on_after_thaw_is_the_same),
        cmocka_unit_test(impossible_state_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
