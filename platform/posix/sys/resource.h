/* sys/resource.h — no limits. */
#ifndef THAW_PLATFORM_RESOURCE_H
#define THAW_PLATFORM_RESOURCE_H

#include <stdint.h>

typedef uint64_t rlim_t;

#define RLIMIT_AS     9
#define RLIM_INFINITY UINT64_MAX

struct rlimit {
    rlim_t rlim_cur, rlim_max;
};

int getrlimit(int what, struct rlimit *out);

#endif
