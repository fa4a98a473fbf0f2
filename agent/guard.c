#include "agent/guard.h"

#include "storage/base/clock.h"

static uint64_t times(uint64_t a, uint64_t b)
{
    return a != 0 && b > UINT64_MAX / a ? UINT64_MAX : a * b;
}

bool guard_is_over(uint64_t wall_ms, uint64_t elapsed_ns, uint64_t instructions)
{
    uint64_t guard_ns = times(wall_ms, NS_PER_MS);

    if (elapsed_ns <= guard_ns)
        return false;
    return instructions >= times(wall_ms, GUARD_PACE) ||
           elapsed_ns > times(guard_ns, GUARD_SLOWEST);
}

uint32_t guard_factor(uint64_t instructions, uint64_t wall_ns)
{
    uint64_t wanted_ns = times(instructions / GUARD_PACE, NS_PER_MS);
    uint64_t factor;

    if (instructions < GUARD_INSTRUCTIONS)
        return 0;
    if (wall_ns / GUARD_SLOWEST >= wanted_ns)
        return GUARD_SLOWEST;
    factor = times(wall_ns, GUARD_MARGIN) / wanted_ns;
    if (factor > GUARD_SLOWEST)
        return GUARD_SLOWEST;
    return factor > 1 ? (uint32_t)factor : 1;
}

uint64_t guard_times(uint64_t wall_ms, uint32_t factor)
{
    return times(wall_ms, factor);
}
