/* confine_internal.h — the parts of confine.c. */
#ifndef THAW_AGENT_FARM_CONFINE_INTERNAL_H
#define THAW_AGENT_FARM_CONFINE_INTERNAL_H

#include "agent/farm/confine.h"

#include <linux/filter.h>

#define CONFINE_FILTER_MAX 4096 /* BPF instructions: BPF_MAXINSNS */

/* A seccomp program; count 0: the host has no seccomp filters. */
struct confine_filter {
    struct sock_filter *steps; /* owned */
    uint16_t count;
};

struct confinement {
    struct confine_filter filters[2]; /* by confine_kind */
    int landlock;                     /* ABI version; 0: none */
};

/* Makes the allow-list of a kind. */
bool confine_filter_make(enum confine_kind kind, struct confine_filter *out, struct err *err);
/* Puts it up; no_new_privs is set. */
bool confine_filter_enter(const struct confine_filter *filter, struct err *err);
/* Which wall a system call belongs to. */
enum confine_wall confine_wall_of_call(int number);

int landlock_version(void);
/* Reading what is readable, writing below `writable`; nothing else of files, TCP, signals. */
bool landlock_enter(int version, const struct confine_rules *rules, struct err *err);

#endif
