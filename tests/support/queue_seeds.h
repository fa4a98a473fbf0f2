/* queue_seeds.h — thousands of worlds (queue_world.h), each from its seed.
 *
 *   THAW_SEEDS=N      how many, from seed 1 (10,000; 1,000 under ASan)
 *   THAW_SEED=N       that one alone, telling what happens on stderr */
#ifndef THAW_TESTS_QUEUE_SEEDS_H
#define THAW_TESTS_QUEUE_SEEDS_H

#include "tests/support/queue_world.h"

/* Runs them all; fails the test, naming the first seeds that found something. */
void queue_seeds_run(const struct world_agents *agents);
/* Worlds in which nothing goes wrong: no lease may be lost. */
void queue_seeds_calm(const struct world_agents *agents, uint64_t count);
/* A seed is run twice; fails the test if the two worlds are not the same. */
void queue_seeds_repeat(const struct world_agents *agents, uint64_t seed);

#endif
