/* confine.h — the walls around a worker, which runs what a stranger wrote on a simulator that may
 * have bugs.
 *
 * | wall      | what stands                                                                  |
 * |-----------|------------------------------------------------------------------------------|
 * | network   | seccomp: no socket calls; Landlock: no TCP (ABI 4), no abstract sockets (6)  |
 * | files     | seccomp: nothing is opened for writing; Landlock: given paths are readable   |
 * | processes | seccomp: no fork, exec, ptrace, signal to others; RLIMIT_NPROC, no_new_privs |
 * | memory    | RLIMIT_AS: what it has when it enters, and a share on top                    |
 * | time      | RLIMIT_CPU; the parent's clock (brood.h) for one that sleeps                 |
 *
 * seccomp(2) is an allow-list: what is not on it is not done, and ends the worker by a status that
 * names the wall. A boot writes checkpoints with several threads: its list has what that takes, and
 * its Landlock rules the store's folder.
 *
 * What a host does not have is left out; confine_probe says what stands, by trying. */
#ifndef THAW_AGENT_FARM_CONFINE_H
#define THAW_AGENT_FARM_CONFINE_H

#include "storage/base/buf.h"

enum confine_wall {
    CONFINE_NETWORK,
    CONFINE_FILES,
    CONFINE_PROCESSES,
    CONFINE_MEMORY,
    CONFINE_TIME,
};
#define CONFINE_WALLS 5
#define CONFINE_ALL   ((1u << CONFINE_WALLS) - 1)
/* "network", … */
const char *confine_wall_name(enum confine_wall wall);
/* "network, files" of a set of walls (1 << wall); "none". */
void confine_walls_text(uint32_t walls, char *text, size_t size);

/* Prepared once, before any worker: the filters take longer to make than to put up. */
struct confinement; /* opaque */
bool confine_new(struct confinement **out, struct err *err);
void confine_free(struct confinement *confinement);

enum confine_kind { CONFINE_TEST, CONFINE_BOOT };

struct confine_rules {
    enum confine_kind kind;
    const char *const *readable; /* files and folders */
    size_t readable_count;
    const char *writable;  /* a folder, of a boot; or NULL */
    uint64_t memory_bytes; /* on top of what the process has */
    uint64_t cpu_s;
};
/* For this process, for good. Fails only if a wall that the host has cannot be put up. The process
 * must not have other threads. */
bool confine_enter(const struct confinement *confinement, const struct confine_rules *rules,
                   struct err *err);

/* A process that ran into a wall ends with this status + the wall. */
#define CONFINE_STATUS 96
/* True if the wait status tells of a wall. */
bool confine_wall_of(int wait_status, enum confine_wall *out);

/* Tries to cross the wall, as hostile code would; ends the process: by the wall, or with status
 * CONFINE_CROSSED if there is none. */
#define CONFINE_CROSSED 95
_Noreturn void confine_trespass(enum confine_wall wall);

/* The walls that stand on this host, each tried in a process of its own: a set of 1 << wall. */
bool confine_probe(const struct confinement *confinement, uint32_t *walls, struct err *err);

#endif
