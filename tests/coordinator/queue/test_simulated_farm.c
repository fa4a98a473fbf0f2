/* The simulated farm with a model of agents: what the coordinator makes of all that may happen. */
#include "tests/support/base_test.h"
#include "tests/support/queue_seeds.h"

static void nothing_is_lost_or_counted_twice_whatever_fails(void **state)
{
    (void)state;
    queue_seeds_run(&world_model_agents);
}

static void where_all_is_calm_no_lease_is_lost(void **state)
{
    (void)state;
    queue_seeds_calm(&world_model_agents, 200);
}

static void same_seed_is_the_same_world(void **state)
{
    (void)state;
    queue_seeds_repeat(&world_model_agents, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_seed_is_the_same_world),
        cmocka_unit_test(where_all_is_calm_no_lease_is_lost),
        cmocka_unit_test(nothing_is_lost_or_counted_twice_whatever_fails),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
