/* simulated_agent.h — the real agent's decisions (service_phase.c, service_tasks.c, service_talk.c,
 * keeper_core.c, the wire's messages) in a simulated farm (tests/support/queue_world.h).
 *
 * Simulated is what they touch: clock, lines, spool, movers, spawner and workers, the keeper's
 * process. These functions stand in for those of the same names in thaw_agent_farm: whoever links
 * this file gets them all. */
#ifndef THAW_TESTS_SIMULATED_AGENT_H
#define THAW_TESTS_SIMULATED_AGENT_H

#include "tests/support/queue_world.h"

extern const struct world_agents simulated_agents;

#endif
