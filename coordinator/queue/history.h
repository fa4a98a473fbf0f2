/* history.h — what came before: a test's history, runs held against each other, baselines, and what
 * is old enough to go. */
#ifndef THAW_COORDINATOR_QUEUE_HISTORY_H
#define THAW_COORDINATOR_QUEUE_HISTORY_H

#include "coordinator/queue/queue.h"

/* One verdict of one test; outlives its run (but see queue_history_expire). */
struct queue_history {
    uint64_t run;
    uint64_t job;
    enum verdict verdict;
    bool cached;
    uint64_t instructions;
    uint64_t wall_ns;
    struct hash state_id;
    uint64_t ended_ms;
};
typedef bool queue_history_callback(void *context, const struct queue_history *entry);

struct queue_test {
    const char *suite;
    const char *name;
    uint64_t limit; /* 0: all */
};
/* Newest run first; tests that are not known have none. */
bool queue_history_each(struct queue *queue, const struct queue_test *test,
                        queue_history_callback *each, void *context, struct err *err);

enum queue_change {
    QUEUE_NEWLY_FAILING,
    QUEUE_FIXED,
    QUEUE_STILL_FAILING,
    QUEUE_SLOWER, /* passed both times, more instructions than before */
    QUEUE_NEWLY_DIVERGENT,
    QUEUE_ADDED, /* not in the other run */
    QUEUE_GONE,  /* only in the other run */
};
#define QUEUE_CHANGE_COUNT 7
const char *queue_change_name(enum queue_change change); /* "newly_failing", … */

struct queue_difference {
    enum queue_change change;
    const char *suite;
    const char *name;
    uint64_t job;   /* in the run; 0: gone */
    uint64_t other; /* job in the run that it is held against; 0: added */
    enum verdict verdict, verdict_before;
    uint64_t instructions, instructions_before;
    uint64_t
        since; /* failing: the first run of those in a row, of runs of that name, that failed */
    bool quarantined;
};
typedef bool queue_difference_callback(void *context, const struct queue_difference *difference);

struct queue_comparison {
    uint64_t run;
    uint64_t against;         /* 0: the run of the same name before it */
    const char *baseline;     /* or the run of this name, if against is 0; NULL */
    uint32_t slower_permille; /* 0: as the run's options say */
};
/* Differences, ordered by suite and name. `against` tells which run it was (0: there is none, then
 * there are no differences). Verdicts that say nothing (infra, cancelled, skipped) are not
 * compared. */
bool queue_compare(struct queue *queue, struct queue_comparison *comparison,
                   queue_difference_callback *each, void *context, struct err *err);
/* Finished run of the same name before this one; 0: none. */
bool queue_run_before(struct queue *queue, uint64_t run, uint64_t *out, struct err *err);

/* A name for a run, kept from retention; moved if it is there. ERR_CONFLICT: the run is not done.
 */
bool queue_baseline_set(struct queue *queue, const char *name, uint64_t run, struct err *err);
bool queue_baseline_remove(struct queue *queue, const char *name, struct err *err);
/* ERR_NOT_FOUND. */
bool queue_baseline_get(struct queue *queue, const char *name, uint64_t *run, struct err *err);
typedef bool queue_baseline_callback(void *context, const char *name, uint64_t run);
bool queue_baselines_each(struct queue *queue, queue_baseline_callback *each, void *context,
                          struct err *err);

/* ---- retention: by age and number; never what a baseline or an open failure needs ---- */

/* What holds for runs that say nothing of their own. 0: no limit. A run may go when it is older
 * than `run_s` or beyond the newest `runs` of its name. */
struct queue_retention {
    uint64_t runs;
    uint64_t run_s;
    uint64_t artifacts_s;
    uint64_t checkpoints_s; /* after their last use */
    uint64_t history_runs;  /* verdicts of a test */
    uint64_t history_s;
};
typedef bool queue_number_callback(void *context, uint64_t number);
typedef bool queue_hash_callback(void *context, const struct hash *hash);

/* Runs that may go: done, old, no baseline, and no open failure: a test whose newest verdict in
 * runs of that name is a failure of that run or of a later row of failures that began with it. */
bool queue_old_runs(struct queue *queue, const struct queue_retention *policy,
                    queue_number_callback *each, void *context, struct err *err);
/* Forgets a run and its jobs; attempts that answer other runs' jobs stay. ERR_CONFLICT: not done.
 */
bool queue_run_remove(struct queue *queue, uint64_t run, struct err *err);
/* Forgets consoles and artifacts of attempts older than their run's limit, but those of open
 * failures and baselines. Returns by `count` how many attempts. */
bool queue_artifacts_expire(struct queue *queue, const struct queue_retention *policy,
                            uint64_t *count, struct err *err);
/* Forgets verdicts of tests that are older, or beyond the newest so many, and whose run is gone;
 * but the pass that ended a row of failures stays as long as a run of that row does. Looks at a few
 * tests, those after `*after` (at first 0), and moves that on: 0 when it was through. Returns by
 * `count` how many verdicts. */
bool queue_history_expire(struct queue *queue, const struct queue_retention *policy,
                          uint64_t *after, uint64_t *count, struct err *err);
/* Checkpoints booted by the farm that were not used for so long and that no run that is not done,
 * no baseline and no open failure starts from. (Tags are the store's: it keeps what has one.) */
bool queue_old_checkpoints(struct queue *queue, const struct queue_retention *policy,
                           queue_hash_callback *each, void *context, struct err *err);
/* The checkpoint is gone from the store: the next run that needs it boots it again. */
bool queue_checkpoint_forget(struct queue *queue, const struct hash *checkpoint, struct err *err);
/* All blobs that the database names: specs, consoles, artifacts (some more than once). What a spec
 * names in its turn is for the caller to add: `is_spec`. */
typedef bool queue_blob_callback(void *context, const struct hash *blob, bool is_spec);
bool queue_blobs_each(struct queue *queue, queue_blob_callback *each, void *context,
                      struct err *err);

#endif
