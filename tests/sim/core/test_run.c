/* The run loop: exact stops, deadlines in order, turns, idle machines. */
#include "tests/sim/core/rig.h"

static struct machine_state *root(struct machine *machine)
{
    return machine->objects[0]->state;
}

static struct rig_timer_state *timer_of(struct machine *machine)
{
    return machine_find(machine, "board0.timer0")->state;
}

static void a_run_stops_at_exactly_the_instruction_asked(void **state)
{
    struct registry registry;

    (void)state;
    rig_registry(&registry);
    for (uint32_t cpus = 1; cpus <= 3; cpus++) {
        struct machine *machine = rig_board(&registry, cpus, "n", NULL);
        for (uint64_t n = 0; n < 500; n += 1 + n % 7) {
            uint64_t pcs = 0;
            assert_int_equal(rig_run(machine, n), MACHINE_STOP_INSTRUCTIONS);
            for (uint32_t i = 0; i < cpus; i++)
                pcs += rig_cpu(machine, i)->pc;
            assert_int_equal(pcs, n);
            assert_int_equal(machine_instructions(machine), n);
        }
        /* Behind it already: nothing moves. */
        assert_int_equal(rig_run(machine, 3), MACHINE_STOP_INSTRUCTIONS);
        assert_true(machine_instructions(machine) > 3);
        machine_free(machine);
    }
}

static void a_run_stops_at_the_cycle_asked(void **state)
{
    struct machine_limits limits = {UINT64_MAX, 1000};
    struct registry registry;
    struct machine *machine;

    (void)state;
    rig_registry(&registry);
    machine = rig_board(&registry, 1, "n", NULL);
    assert_int_equal(machine_run(machine, &limits), MACHINE_STOP_CYCLE);
    assert_int_equal(machine_cycle(machine), 1000);
    assert_int_equal(rig_cpu(machine, 0)->pc, 1000);
    assert_int_equal(machine_now(machine), 1000);
    machine_free(machine);
    /* With several, at the first round that begins then or later: quanta of 64. */
    machine = rig_board(&registry, 2, "n", NULL);
    assert_int_equal(machine_run(machine, &limits), MACHINE_STOP_CYCLE);
    assert_int_equal(machine_cycle(machine), 1024);
    assert_int_equal(machine_instructions(machine), 2048);
    assert_int_equal(root(machine)->turn, 2); /* and it has not begun: nothing of 1024 has fired */
    machine_free(machine);
}

static void virtual_time_in_nanoseconds_is_rounded_down_and_never_overflows(void **state)
{
    struct machine_config config = {3, RIG_QUANTUM, 1};
    struct registry registry;
    struct machine *machine;

    (void)state;
    rig_registry(&registry);
    machine = machine_new(&registry);
    rig_add(machine, "machine", "thaw-machine", &config, NULL);
    rig_add_cpu(machine, "board0.cpu0", "n", 0);
    rig_open(machine);
    rig_run(machine, 5);
    assert_int_equal(machine_virtual_ns(machine), 1666666666);
    rig_cpu(machine, 0)->cycle = UINT64_C(30000000001);
    assert_int_equal(machine_virtual_ns(machine), UINT64_C(10000000000333333333));
    machine_free(machine);
    config.clock_hz = UINT64_C(100000000000);
    machine = machine_new(&registry);
    rig_add(machine, "machine", "thaw-machine", &config, NULL);
    rig_add_cpu(machine, "board0.cpu0", "n", 0);
    rig_open(machine);
    rig_run(machine, 1);
    rig_cpu(machine, 0)->cycle = UINT64_MAX;
    assert_int_equal(machine_virtual_ns(machine), UINT64_MAX / 100);
    machine_free(machine);
}

/* ---- deadlines ---- */

static void deadlines_fire_in_the_order_of_time_then_of_objects(void **state)
{
    static const uint64_t firsts[] = {50, 30, 50, 30, 49};
    static const char *const paths[] = {"board0.z", "board0.y", "board0.x", "board0.w", "board0.v"};
    static const uint32_t order[] = {1, 3, 4, 0, 2};
    static const uint64_t times[] = {30, 30, 49, 50, 50};
    struct rig_trace *trace = mem_alloc(sizeof *trace);
    struct registry registry;

    (void)state;
    rig_registry(&registry);
    for (uint32_t cpus = 1; cpus <= 2; cpus++) {
        struct machine *machine = rig_machine(&registry, RIG_QUANTUM);
        struct object *timers[5];
        trace->count = 0;
        machine->host.context = trace;
        rig_add_cpu(machine, "board0.cpu0", "n", 0);
        for (uint32_t i = 0; i < 5; i++) {
            struct rig_timer_config config = {i, firsts[i], 0};
            timers[i] = rig_add(machine, paths[i], "rig-timer", &config, NULL);
        }
        if (cpus == 2)
            rig_add_cpu(machine, "board0.cpu1", "n", 0);
        rig_open(machine);
        rig_run(machine, 200);
        assert_int_equal(trace->count, 5);
        for (uint32_t i = 0; i < 5; i++) {
            assert_ptr_equal(trace->fires[i].object, timers[order[i]]);
            assert_int_equal(trace->fires[i].now, times[i]);
        }
        machine_free(machine);
    }
    mem_free(trace);
}

static void a_periodic_timer_fires_at_every_period_and_no_other_time(void **state)
{
    struct rig_timer_config config = {0, 10, 25};
    struct rig_trace *trace = mem_alloc(sizeof *trace);
    struct registry registry;
    struct machine *machine;

    (void)state;
    rig_registry(&registry);
    machine = rig_board(&registry, 1, "n", &config);
    machine->host.context = trace;
    rig_run(machine, 10);
    assert_int_equal(trace->count, 0); /* after instruction 10, before 11 */
    rig_run(machine, 1000);
    assert_int_equal(trace->count, 40);
    for (uint32_t i = 0; i < trace->count; i++)
        assert_int_equal(trace->fires[i].now, 10 + 25 * i);
    machine_free(machine);
    mem_free(trace);
}

/* "d" sets a deadline 10 cycles on, in the middle of a round that had none. */
static void a_nearer_deadline_ends_the_round(void **state)
{
    struct rig_timer_config late = {0, 5000, 0};
    struct rig_trace *trace = mem_alloc(sizeof *trace);
    struct registry registry;

    (void)state;
    rig_registry(&registry);
    for (uint32_t cpus = 1; cpus <= 2; cpus++) {
        struct machine *machine = rig_board(&registry, cpus, "nnnnnndnnnnnnnnn", &late);
        trace->count = 0;
        machine->host.context = trace;
        rig_run(machine, 16 * cpus);
        /* Written at cycle 6; the second cpu, behind the first, writes it again: no change. */
        assert_int_equal(root(machine)->round_end, 16);
        assert_int_equal(trace->count, 0);
        rig_run(machine, 16 * cpus + 1);
        assert_int_equal(trace->count, 1);
        assert_int_equal(trace->fires[0].now, 16);
        machine_free(machine);
    }
    mem_free(trace);
}

static void a_later_deadline_makes_no_round_longer(void **state)
{
    struct span delay = {(const uint8_t *)"\xff", 1};
    struct err err = ERR_INIT;
    struct registry registry;
    struct machine *machine;
    size_t taken;

    (void)state;
    rig_registry(&registry);
    machine = rig_board(&registry, 2, "n", NULL);
    rig_run(machine, 10);
    BASE_OK(machine_input(machine, machine_find(machine, "board0.timer0"), "delay", delay, &taken,
                          &err),
            &err);
    assert_int_equal(root(machine)->round_end, RIG_QUANTUM);
    machine_free(machine);
}

/* The limit comes before the wait: what is frozen there is the machine after that instruction. */
static void a_limit_at_the_instruction_that_waits_leaves_time_where_it_is(void **state)
{
    struct rig_timer_config config = {0, 100000, 0};
    struct registry registry;
    struct machine *machine;

    (void)state;
    rig_registry(&registry);
    machine = rig_board(&registry, 1, "nnw", &config);
    assert_int_equal(rig_run(machine, 3), MACHINE_STOP_INSTRUCTIONS);
    assert_int_equal(machine_cycle(machine), 3);
    assert_int_equal(rig_cpu(machine, 0)->wfi, 1);
    machine_free(machine);
}

/* "e" sets a deadline of now: due when its own instruction is over, not before the hart's time. */
static void a_deadline_that_has_passed_fires_between_this_instruction_and_the_next(void **state)
{
    struct rig_trace *trace = mem_alloc(sizeof *trace);
    struct registry registry;
    struct machine *machine;

    (void)state;
    rig_registry(&registry);
    machine = rig_board(&registry, 1, "nnennnnnnnnnnnnn", NULL);
    machine->host.context = trace;
    rig_run(machine, 4);
    assert_int_equal(trace->count, 1);
    assert_int_equal(trace->fires[0].now, 3);
    assert_int_equal(rig_cpu(machine, 0)->line, 1);
    machine_free(machine);
    mem_free(trace);
}

static void an_input_that_sets_a_nearer_deadline_ends_the_round_then(void **state)
{
    struct rig_trace *trace = mem_alloc(sizeof *trace);
    struct span delay = {(const uint8_t *)"\x14", 1};
    struct err err = ERR_INIT;
    struct registry registry;
    struct machine *machine;
    size_t taken = 9;

    (void)state;
    rig_registry(&registry);
    machine = rig_board(&registry, 1, "n", NULL);
    machine->host.context = trace;
    rig_run(machine, 100);
    BASE_OK(machine_input(machine, machine_find(machine, "board0.timer0"), "delay", delay, &taken,
                          &err),
            &err);
    assert_int_equal(taken, 1);
    assert_int_equal(root(machine)->round_end, 120);
    rig_run(machine, 130);
    assert_int_equal(trace->count, 1);
    assert_int_equal(trace->fires[0].now, 120);
    BASE_FAILS(
        machine_input(machine, machine_find(machine, "board0.timer0"), "tea", delay, &taken, &err),
        &err, ERR_USAGE, "board0.timer0: no such input as tea");
    assert_int_equal(taken, 0);
    BASE_FAILS(
        machine_input(machine, machine_find(machine, "board0.latch"), "tea", delay, &taken, &err),
        &err, ERR_USAGE, "board0.latch takes no input");
    machine_free(machine);
    mem_free(trace);
}

/* ---- turns ---- */

static void harts_take_turns_of_a_quantum_each(void **state)
{
    struct registry registry;
    struct machine *machine;

    (void)state;
    rig_registry(&registry);
    machine = rig_board(&registry, 3, "n", NULL);
    for (uint64_t n = 1; n <= 10 * 3 * RIG_QUANTUM; n++) {
        uint64_t round = (n - 1) / (3 * RIG_QUANTUM), in_round = n - round * 3 * RIG_QUANTUM;
        rig_run(machine, n);
        for (uint64_t i = 0; i < 3; i++) {
            uint64_t before = i * RIG_QUANTUM;
            uint64_t own = in_round < before                 ? 0
                           : in_round - before > RIG_QUANTUM ? RIG_QUANTUM
                                                             : in_round - before;
            assert_int_equal(rig_cpu(machine, (uint32_t)i)->pc, round * RIG_QUANTUM + own);
        }
        assert_int_equal(root(machine)->round_start, round * RIG_QUANTUM);
    }
    rig_run(machine, 30 * RIG_QUANTUM + 1);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(rig_cpu(machine, i)->turns, 10);
    machine_free(machine);
}

static void one_hart_alone_knows_no_quantum(void **state)
{
    struct registry registry;
    struct machine *machine;

    (void)state;
    rig_registry(&registry);
    machine = rig_board(&registry, 1, "n", NULL);
    rig_run(machine, 10 * RIG_QUANTUM);
    assert_int_equal(root(machine)->round_start, 0);
    assert_int_equal(root(machine)->round_end, CYCLE_NEVER);
    assert_int_equal(rig_cpu(machine, 0)->turns, 0);
    machine_free(machine);
}

static void a_deadline_cuts_the_turns_of_all_harts(void **state)
{
    struct rig_timer_config config = {0, 30, 0};
    struct registry registry;
    struct machine *machine;

    (void)state;
    rig_registry(&registry);
    machine = rig_board(&registry, 2, "n", &config);
    rig_run(machine, 31);
    assert_int_equal(rig_cpu(machine, 0)->pc, 30);
    assert_int_equal(rig_cpu(machine, 1)->pc, 1);
    rig_run(machine, 61);
    assert_int_equal(rig_cpu(machine, 0)->pc, 31);
    assert_int_equal(root(machine)->round_start, 30);
    assert_int_equal(root(machine)->round_end, 30 + RIG_QUANTUM);
    machine_free(machine);
}

static void another_quantum_counts_from_the_next_round_on(void **state)
{
    struct err err = ERR_INIT;
    struct registry registry;
    struct machine *machine;
    struct hash before;

    (void)state;
    rig_registry(&registry);
    machine = rig_board(&registry, 2, "n", NULL);
    rig_run(machine, 10);
    before = rig_digest(machine);
    BASE_FAILS(machine_set_quantum(machine, 63, &err), &err, ERR_INVALID, "at least 64");
    assert_int_equal(machine_config(machine)->quantum, RIG_QUANTUM);
    BASE_OK(machine_set_quantum(machine, 100, &err), &err);
    assert_int_equal(root(machine)->round_end, RIG_QUANTUM);
    rig_run(machine, 2 * RIG_QUANTUM + 101);
    assert_int_equal(rig_cpu(machine, 0)->pc, RIG_QUANTUM + 100);
    assert_int_equal(rig_cpu(machine, 1)->pc, RIG_QUANTUM + 1);
    machine_free(machine);
    /* Configuration is part of the state id. */
    machine = rig_board(&registry, 2, "n", NULL);
    BASE_OK(machine_set_quantum(machine, 100, &err), &err);
    machine_reset(machine);
    rig_run(machine, 10);
    struct hash after = rig_digest(machine);
    assert_false(hash_equal(&before, &after));
    machine_free(machine);
}

/* ---- waiting ---- */

static void a_waiting_hart_jumps_to_the_next_event(void **state)
{
    struct rig_timer_config config = {0, 100000, 0};
    struct registry registry;

    (void)state;
    rig_registry(&registry);
    for (uint32_t cpus = 1; cpus <= 3; cpus++) {
        struct machine *machine = rig_board(&registry, cpus, "nnw", &config);
        const struct rig_latch_state *latch = machine_find(machine, "board0.latch")->state;
        /* Three instructions each, then only cpu 0 wakes. */
        assert_int_equal(rig_run(machine, 3 * cpus + 1), MACHINE_STOP_INSTRUCTIONS);
        assert_int_equal(rig_cpu(machine, 0)->pc, 4);
        assert_int_equal(rig_cpu(machine, 0)->cycle, 100001);
        assert_int_equal(latch->edges, 2); /* raised by the timer, taken away by the hart */
        assert_int_equal(latch->at, 100000);
        assert_int_equal(timer_of(machine)->count, 1);
        /* In one step: the round in which all fell asleep, then one to the deadline. */
        assert_int_equal(rig_cpu(machine, 0)->turns, cpus == 1 ? 0 : 2);
        machine_free(machine);
    }
}

/* While another one runs: the end of the round, so that nobody is ahead of the others' doings. */
static void a_waiting_hart_does_not_run_ahead_of_one_that_runs(void **state)
{
    struct rig_timer_config config = {0, 1000, 0};
    struct machine *machine;
    struct registry registry;

    (void)state;
    rig_registry(&registry);
    machine = rig_machine(&registry, RIG_QUANTUM);
    rig_add_cpu(machine, "board0.cpu0", "w", 0);
    rig_add_cpu(machine, "board0.cpu1", "n", 0);
    rig_add(machine, "board0.timer0", "rig-timer", &config, "board0.cpu0");
    rig_open(machine);
    rig_run(machine, 1 + 1);
    assert_int_equal(rig_cpu(machine, 0)->cycle, RIG_QUANTUM);
    rig_run(machine, 1 + RIG_QUANTUM + 1);
    assert_int_equal(rig_cpu(machine, 0)->cycle, 2 * RIG_QUANTUM);
    assert_int_equal(rig_cpu(machine, 0)->pc, 1);
    rig_run(machine, 1 + 1000 + 1);
    assert_int_equal(rig_cpu(machine, 1)->pc, 1000);
    assert_int_equal(rig_cpu(machine, 0)->pc, 2);
    machine_free(machine);
}

static void an_idle_machine_stops_and_its_time_stands_still_until_an_input(void **state)
{
    struct span delay = {(const uint8_t *)"\x14", 1};
    struct registry registry;

    (void)state;
    rig_registry(&registry);
    for (uint32_t cpus = 1; cpus <= 2; cpus++) {
        struct machine *machine = rig_board(&registry, cpus, "nnnnw", NULL);
        struct err err = ERR_INIT;
        struct hash idle, again;
        uint64_t at;
        size_t taken;
        assert_int_equal(rig_run(machine, UINT64_MAX), MACHINE_STOP_IDLE);
        assert_int_equal(machine_instructions(machine), 5 * cpus);
        at = machine_cycle(machine);
        assert_int_equal(at, cpus == 1 ? 5 : RIG_QUANTUM);
        idle = rig_digest(machine);
        assert_int_equal(rig_run(machine, UINT64_MAX), MACHINE_STOP_IDLE);
        again = rig_digest(machine);
        assert_true(hash_equal(&idle, &again));
        BASE_OK(machine_input(machine, machine_find(machine, "board0.timer0"), "delay", delay,
                              &taken, &err),
                &err);
        assert_int_equal(rig_run(machine, 5 * cpus + 1), MACHINE_STOP_INSTRUCTIONS);
        assert_int_equal(rig_cpu(machine, 0)->cycle, at + 0x14 + 1);
        machine_free(machine);
    }
}

/* A limit of virtual time is where to stop, not something that happens: it wakes nobody. */
static void the_time_at_which_a_machine_is_idle_does_not_depend_on_the_limit(void **state)
{
    struct registry registry;
    struct machine *whole, *cut;
    struct hash expected, found;

    (void)state;
    rig_registry(&registry);
    whole = rig_board(&registry, 1, "nnnnw", NULL);
    cut = rig_board(&registry, 1, "nnnnw", NULL);
    assert_int_equal(rig_run(whole, UINT64_MAX), MACHINE_STOP_IDLE);
    assert_int_equal(machine_run(cut, &(struct machine_limits){UINT64_MAX, 3}), MACHINE_STOP_CYCLE);
    assert_int_equal(machine_run(cut, &(struct machine_limits){UINT64_MAX, 1000}),
                     MACHINE_STOP_IDLE);
    assert_int_equal(machine_cycle(cut), 5);
    expected = rig_digest(whole);
    found = rig_digest(cut);
    assert_true(hash_equal(&expected, &found));
    machine_free(whole);
    machine_free(cut);
}

static void a_hart_alone_may_be_stopped_in_the_middle_of_its_wait(void **state)
{
    struct rig_timer_config config = {0, 1000, 0};
    struct registry registry;
    struct machine *machine;

    (void)state;
    rig_registry(&registry);
    machine = rig_board(&registry, 1, "w", &config);
    for (uint64_t cycle = 100; cycle < 1000; cycle += 100) {
        assert_int_equal(machine_run(machine, &(struct machine_limits){UINT64_MAX, cycle}),
                         MACHINE_STOP_CYCLE);
        assert_int_equal(machine_cycle(machine), cycle);
        assert_int_equal(rig_cpu(machine, 0)->pc, 1);
    }
    rig_run(machine, 2);
    assert_int_equal(rig_cpu(machine, 0)->cycle, 1001);
    machine_free(machine);
}

/* ---- leaving early ---- */

static void a_request_stops_after_the_instruction_that_made_it(void **state)
{
    struct registry registry;

    (void)state;
    rig_registry(&registry);
    for (uint32_t cpus = 1; cpus <= 2; cpus++) {
        struct machine *machine = rig_board(&registry, cpus, "nnqn", NULL);
        assert_int_equal(rig_run(machine, UINT64_MAX), MACHINE_STOP_REQUEST);
        assert_int_equal(machine_instructions(machine), 3);
        assert_int_equal(rig_run(machine, UINT64_MAX), MACHINE_STOP_REQUEST);
        assert_int_equal(machine_instructions(machine), 7);
        machine_free(machine);
    }
}

static void a_halted_machine_runs_no_more_and_keeps_its_exit_code(void **state)
{
    struct rig_store *store = mem_alloc(sizeof *store);
    struct registry registry;
    struct machine *machine;

    (void)state;
    rig_registry(&registry);
    machine = rig_board(&registry, 2, "nnnhn", NULL);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(rig_run(machine, UINT64_MAX), MACHINE_STOP_HALTED);
        assert_int_equal(machine_instructions(machine), 4);
        assert_int_equal(root(machine)->halted, 1);
        assert_int_equal(root(machine)->exit_code, 7);
        machine = rig_rethaw(machine, store);
    }
    machine_reset(machine);
    assert_int_equal(rig_run(machine, 2), MACHINE_STOP_INSTRUCTIONS);
    machine_free(machine);
    rig_store_release(store);
    mem_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_stops_at_exactly_the_instruction_asked),
        cmocka_unit_test(a_run_stops_at_the_cycle_asked),
        cmocka_unit_test(virtual_time_in_nanoseconds_is_rounded_down_and_never_overflows),
        cmocka_unit_test(deadlines_fire_in_the_order_of_time_then_of_objects),
        cmocka_unit_test(a_periodic_timer_fires_at_every_period_and_no_other_time),
        cmocka_unit_test(a_nearer_deadline_ends_the_round),
        cmocka_unit_test(a_later_deadline_makes_no_round_longer),
        cmocka_unit_test(a_limit_at_the_instruction_that_waits_leaves_time_where_it_is),
        cmocka_unit_test(a_deadline_that_has_passed_fires_between_this_instruction_and_the_next),
        cmocka_unit_test(an_input_that_sets_a_nearer_deadline_ends_the_round_then),
        cmocka_unit_test(harts_take_turns_of_a_quantum_each),
        cmocka_unit_test(one_hart_alone_knows_no_quantum),
        cmocka_unit_test(a_deadline_cuts_the_turns_of_all_harts),
        cmocka_unit_test(another_quantum_counts_from_the_next_round_on),
        cmocka_unit_test(a_waiting_hart_jumps_to_the_next_event),
        cmocka_unit_test(a_waiting_hart_does_not_run_ahead_of_one_that_runs),
        cmocka_unit_test(an_idle_machine_stops_and_its_time_stands_still_until_an_input),
        cmocka_unit_test(the_time_at_which_a_machine_is_idle_does_not_depend_on_the_limit),
        cmocka_unit_test(a_hart_alone_may_be_stopped_in_the_middle_of_its_wait),
        cmocka_unit_test(a_request_stops_after_the_instruction_that_made_it),
        cmocka_unit_test(a_halted_machine_runs_no_more_and_keeps_its_exit_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
