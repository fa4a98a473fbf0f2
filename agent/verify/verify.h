/* verify.h — the same checkpoint on unlike hosts: every one must go through the very same states.
 *
 * Three ways, each of which takes a checkpoint, a set of hosts and a number of instructions:
 * - as it is: each host thaws the checkpoint and runs; all compare at every mark;
 * - matrix: each host imports the checkpoint into a store of its own, runs the first half, freezes,
 *   checks its store, exports; then every host thaws what every host froze and runs the second
 *   half, beside a machine that was never frozen in between ("home", of the first host's kind);
 * - ring: the first host runs a part and freezes, the next thaws that, and so on; at every freeze
 *   the id must be that of the machine that never left home.
 * Where a host goes another way than most, the first instruction that differs is found
 * (divergence.h); the others go on without it. */
#ifndef THAW_AGENT_VERIFY_VERIFY_H
#define THAW_AGENT_VERIFY_VERIFY_H

#include "agent/verify/divergence.h"
#include "jobs/verdict.h"

#define VERIFY_HOSTS_MAX    24u
#define VERIFY_INSTRUCTIONS UINT64_C(1000000000)
#define VERIFY_MARKS        20u      /* marks in a run, unless their distance is given */
#define VERIFY_AS_IT_IS     SIZE_MAX /* a cell's freezer: the checkpoint was not frozen again */

struct verify_host_choice {
    char name[PEER_NAME_MAX]; /* unique; [A-Za-z0-9_.-]+ */
    char *command;            /* see peer_options; owned */
};

struct verify_options {
    const char *store;      /* location: every host opens it */
    const char *checkpoint; /* tag, id or prefix */
    const char *work;       /* a folder that is there: for stores and caches of hosts */
    struct span inputs;     /* input.h; size 0: none */
    uint64_t instructions;  /* 0: VERIFY_INSTRUCTIONS */
    uint64_t every;         /* instructions between marks; 0: VERIFY_MARKS of them */
    uint64_t guard_ns;      /* see peer_options */
    bool matrix, ring;      /* neither: as it is */
    const struct verify_host_choice *hosts;
    size_t host_count;
    const struct clock_source *clock;
    /* May be NULL. `what` is being run; `done` of `total` instructions. */
    void (*progress)(void *context, const char *what, uint64_t done, uint64_t total);
    void *context;
};

/* One run on one host. */
struct verify_cell {
    size_t freezer; /* host that froze what it thawed, or VERIFY_AS_IT_IS */
    size_t thawer;
    bool ring;            /* a leg of the ring */
    enum verdict verdict; /* pass, divergence, infra */
    char reason[ERR_TEXT_MAX];
    uint64_t instructions; /* that it ran and that were compared */
    uint64_t marks;
    struct hash state_id; /* at the last mark */
    uint64_t run_ns, digest_ns;
    size_t divergence; /* index, when that is the verdict and it was looked for; else SIZE_MAX */
};

struct verify_result {
    char hosts[VERIFY_HOSTS_MAX][PEER_NAME_MAX];
    char descriptions[VERIFY_HOSTS_MAX][256];
    size_t host_count;
    struct verify_cell *cells;
    size_t cell_count;
    struct divergence *divergences;
    size_t divergence_count;
    struct hash state_id;  /* where all that passed ended: of the machine that never left home */
    uint64_t instructions; /* from the checkpoint to there */
    bool ended;            /* the machine ended before all instructions were run */
    uint64_t wall_ns;
};

/* False only if nothing could be verified at all (no such checkpoint, no store): what befalls a
 * host is in its cells. The result is filled in either way; verify_result_release. */
bool verify_run(const struct verify_options *options, struct verify_result *out, struct err *err);
void verify_result_release(struct verify_result *result); /* safe on a zeroed one */
/* The loudest of the cells' verdicts; infra if there is none. */
enum verdict verify_verdict(const struct verify_result *result);

#endif
