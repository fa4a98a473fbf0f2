/* monitor_sets.h — the built-in patterns of monitor.h. Private to jobs/. */
#ifndef THAW_JOBS_MONITOR_SETS_H
#define THAW_JOBS_MONITOR_SETS_H

#include <stdbool.h>
#include <stddef.h>

struct monitor_rule {
    const char *pattern; /* opens a report; its first group is the title */
    const char *close;   /* the line that ends it, or NULL */
};
struct monitor_set {
    const char *name;
    const struct monitor_rule *rules;
    size_t count;
};

/* NULL if there is none of that name. */
const struct monitor_set *monitor_set_find(const char *name);

#endif
