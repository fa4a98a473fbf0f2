/* guard.h — wall-clock guards that mean the same on hosts of unlike speed.
 *
 * A guard is written for a host that runs GUARD_PACE instructions in a millisecond, as any native
 * one does. A slower host is given the time in which it gets as far as that one would have, but no
 * more than GUARD_SLOWEST times the guard: limits that decide are in instructions, and a guest that
 * runs into its guard on a fast host runs into it on a slow one. */
#ifndef THAW_AGENT_GUARD_H
#define THAW_AGENT_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#define GUARD_PACE         UINT64_C(20000) /* instructions in a millisecond */
#define GUARD_SLOWEST      UINT32_C(100)
#define GUARD_MARGIN       UINT64_C(4)        /* of guard_factor: hosts are not equally busy */
#define GUARD_INSTRUCTIONS UINT64_C(10000000) /* fewer say nothing about a host's speed */

/* Whether it has run out for a guest that executed so much in that time. */
bool guard_is_over(uint64_t wall_ms, uint64_t elapsed_ns, uint64_t instructions);

/* How many times a guard's time to allow on a host that took so long for so many instructions: 1 to
 * GUARD_SLOWEST. For who cannot see how far a guest is. 0 if that says nothing. */
uint32_t guard_factor(uint64_t instructions, uint64_t wall_ns);
/* So many times; the most that a number holds if that is more. */
uint64_t guard_times(uint64_t wall_ms, uint32_t factor);

#endif
