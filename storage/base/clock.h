/* clock.h — the host's clocks, behind a seam so that tests use a fake one. Never guest-visible. */
#ifndef THAW_BASE_CLOCK_H
#define THAW_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

struct clock_source {
    uint64_t (*monotonic_ns)(void *context);
    uint64_t (*wall_ns)(void *context); /* since 1970-01-01 UTC */
    void *context;
};
/* The real clocks. */
extern const struct clock_source clock_host;

static inline uint64_t clock_monotonic_ns(const struct clock_source *clock)
{
    return clock->monotonic_ns(clock->context);
}
static inline uint64_t clock_wall_ns(const struct clock_source *clock)
{
    return clock->wall_ns(clock->context);
}

#endif
