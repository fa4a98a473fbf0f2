/* One run in many pieces, frozen and thawed between some, ends in the state of the whole run; and
 * it does not matter in which order objects stand in the manifest. */
#include "tests/sim/core/rig.h"

#define WHOLE 20000

static struct machine *busy(const struct registry *registry, uint32_t cpus)
{
    struct rig_timer_config config = {0, 77, 191};

    return rig_board(registry, cpus, "?", &config);
}

/* In random steps of instructions and of time, freezing and thawing between some. */
static struct machine *run_in_chunks(struct machine *machine, struct rig_store *store,
                                     uint64_t seed)
{
    for (;;) {
        uint64_t draw = base_random(&seed);
        struct machine_limits limits = {machine_instructions(machine) + draw % 400, UINT64_MAX};
        if (draw >> 20 & 1)
            limits.cycle = machine_cycle(machine) + (draw >> 30) % 300;
        if (limits.instructions > WHOLE)
            limits.instructions = WHOLE;
        machine_run(machine, &limits);
        if (machine_instructions(machine) >= WHOLE)
            return machine;
        if ((draw >> 21 & 7) == 0)
            rig_digest(machine);
        if ((draw >> 24 & 7) == 0)
            machine = rig_rethaw(machine, store);
    }
}

static void many_random_chunks_equal_the_whole_even_through_freeze_and_thaw(void **state)
{
    struct rig_store *store = mem_alloc(sizeof *store);
    struct registry registry;

    (void)state;
    rig_registry(&registry);
    for (uint32_t cpus = 1; cpus <= 3; cpus++) {
        struct machine *whole = busy(&registry, cpus);
        const struct rig_timer_state *timer = machine_find(whole, "board0.timer0")->state;
        struct hash expected;
        assert_int_equal(rig_run(whole, WHOLE), MACHINE_STOP_INSTRUCTIONS);
        assert_true(timer->count > 10);
        expected = rig_digest(whole);
        machine_free(whole);
        for (uint64_t seed = 1; seed <= 12; seed++) {
            struct machine *machine = run_in_chunks(busy(&registry, cpus), store, seed);
            struct hash found = rig_digest(machine);
            if (!hash_equal(&expected, &found))
                fail_msg("%u cpus, seed %u: another state", cpus, (unsigned)seed);
            machine_free(machine);
            rig_store_release(store);
        }
    }
    mem_free(store);
}

/* ---- the order of objects ---- */

/* The same four objects in the order that `rank` (of 24) says, whatever leads to what. */
static struct machine *permuted(const struct registry *registry, uint32_t rank)
{
    struct rig_timer_config config = {0, 77, 191};
    struct machine *machine = rig_machine(registry, RIG_QUANTUM);
    uint32_t left[4] = {0, 1, 2, 3};

    for (uint32_t count = 4; count > 0; rank /= count, count--) {
        uint32_t at = rank % count, which = left[at];
        memmove(&left[at], &left[at + 1], (count - 1 - at) * sizeof left[0]);
        if (which == 0)
            rig_add_cpu(machine, "board0.cpu0", "?", 0);
        else if (which == 1)
            rig_add(machine, "board0.timer0", "rig-timer", &config, "board0.latch");
        else if (which == 2)
            rig_add(machine, "board0.latch", "rig-latch", NULL, "board0.cpu0");
        else
            rig_add(machine, "board0.ram", "rig-ram", NULL, NULL);
    }
    rig_open(machine);
    return machine;
}

static void a_load_does_not_depend_on_the_order_of_objects(void **state)
{
    static const char *const paths[] = {"machine", "board0.cpu0", "board0.timer0", "board0.latch"};
    struct rig_store *store = mem_alloc(sizeof *store);
    struct machine *expected;
    struct registry registry;

    (void)state;
    rig_registry(&registry);
    expected = permuted(&registry, 0);
    rig_run(expected, 6000);
    for (uint32_t rank = 0; rank < 24; rank++) {
        struct machine *machine = permuted(&registry, rank);
        rig_run(machine, 3210);
        machine = rig_rethaw(machine, store);
        rig_run(machine, 6000);
        for (uint32_t i = 0; i < 4; i++) {
            const struct object *a = machine_find(expected, paths[i]);
            const struct object *b = machine_find(machine, paths[i]);
            assert_memory_equal(a->state, b->state, a->model->schema->state.size);
        }
        assert_memory_equal(machine_find(expected, "board0.ram")->images[0]->data,
                            machine_find(machine, "board0.ram")->images[0]->data, RIG_RAM_SIZE);
        machine_free(machine);
        rig_store_release(store);
    }
    machine_free(expected);
    mem_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_random_chunks_equal_the_whole_even_through_freeze_and_thaw),
        cmocka_unit_test(a_load_does_not_depend_on_the_order_of_objects),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
