/* outcome.h — what a worker found, as its parent and the agent read it. The worker ran what a
 * stranger wrote: nothing here is believed beyond its bounds.
 *
 * One deterministic CBOR array: text "thaw-outcome", version 1, then a map with these keys:
 * | key | value                                                                              |
 * |-----|------------------------------------------------------------------------------------|
 * | 0   | verdict, text                                                                      |
 * | 1   | reason, text of OUTCOME_REASON_MAX bytes at most                                   |
 * | 2   | exit status, -1: none                                                              |
 * | 3-6 | instructions, virtual ns, thaw ns, wall ns                                         |
 * | 7   | state id, 32 bytes (zeros: not asked for)                                          |
 * | 8   | checkpoint, 32 bytes: a test started from it, a boot made it; zeros: none          |
 * | 9   | signature, text of OUTCOME_SIGNATURE_MAX bytes at most; "" : none                  |
 * | 10  | its hash, 32 bytes                                                                 |
 * | 11  | the console, bytes                                                                 |
 * | 12  | array of artifacts: [name, bytes]                                                  |
 * | 13  | true: artifacts were left out for their size or number                             | */
#ifndef THAW_AGENT_FARM_OUTCOME_H
#define THAW_AGENT_FARM_OUTCOME_H

#include "jobs/verdict.h"
#include "storage/base/hash.h"

#define OUTCOME_REASON_MAX     512 /* bytes of text, as in messages */
#define OUTCOME_SIGNATURE_MAX  256
#define OUTCOME_CONSOLE_MAX    (16u << 20)
#define OUTCOME_ARTIFACTS_MAX  32
#define OUTCOME_NAME_MAX       128
#define OUTCOME_ARTIFACT_BYTES (64u << 20) /* of all artifacts together */
#define OUTCOME_BYTES_MAX      (OUTCOME_CONSOLE_MAX + OUTCOME_ARTIFACT_BYTES + (64u << 10))

struct outcome_artifact {
    char name[OUTCOME_NAME_MAX + 1]; /* a plain relative path */
    struct span bytes;               /* borrowed: see the struct's owner */
};

struct worker_outcome {
    enum verdict verdict;
    char reason[OUTCOME_REASON_MAX + 1]; /* UTF-8 */
    int32_t exit_status;                 /* -1: none */
    uint64_t instructions;
    uint64_t virtual_ns;
    uint64_t thaw_ns; /* host time from the order to the first instruction */
    uint64_t wall_ns; /* host time from there to the end */
    struct hash state_id;
    struct hash checkpoint;
    char signature[OUTCOME_SIGNATURE_MAX + 1]; /* UTF-8 */
    struct hash signature_hash;                /* of its whole text; zero: none */
    struct span console;                       /* borrowed */
    struct outcome_artifact artifacts[OUTCOME_ARTIFACTS_MAX];
    uint32_t artifact_count;
    bool cut; /* artifacts were left out */
};

/* Nothing was run: `infra`, no exit status, all else zero. */
void outcome_init(struct worker_outcome *outcome);
/* Sets verdict and reason; what is not UTF-8 in it is replaced, what is too long cut. */
void outcome_set(struct worker_outcome *outcome, enum verdict verdict, const char *reason);
/* Copies text, at most `max` bytes and a NUL: valid UTF-8, without control characters. */
void outcome_text(char *to, size_t max, struct span text);

/* Appends the encoding; out->max should be OUTCOME_BYTES_MAX. */
bool outcome_encode(const struct worker_outcome *outcome, struct buf *out, struct err *err);
/* Reads and checks everything; spans point into `bytes`. ERR_CORRUPT, ERR_INVALID, ERR_TOO_BIG,
 * ERR_UNSUPPORTED. */
bool outcome_decode(struct span bytes, struct worker_outcome *out, struct err *err);

#endif
