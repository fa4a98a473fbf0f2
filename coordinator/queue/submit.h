/* submit.h — private to submitting: what is checked before anything is written. */
#ifndef THAW_COORDINATOR_QUEUE_SUBMIT_H
#define THAW_COORDINATOR_QUEUE_SUBMIT_H

#include "coordinator/queue/arrows.h"

/* Jobs of one submission, or one part of it. */
struct part {
    struct run *run; /* NULL while it is checked and the run is new */
    const struct queue_job_request *jobs;
    size_t count;
    uint64_t base;  /* place of the first */
    uint64_t first; /* id of the first */
    bool *needed;   /* each: some other job of the part needs it */
};

bool submit_check_run(const struct queue_run_request *request, struct err *err);
/* Texts, hashes, names (none twice in the run), needs (of jobs that are there, no cycle), boots.
 * Fills `needed`. `run` is 0 for a new one. */
bool submit_check_jobs(struct queue *queue, struct part *part, uint64_t run, struct err *err);

/* submit.c */
/* The row of a test's name; made if missing and `add`. 0: not there. */
uint64_t test_row(struct queue *queue, const struct queue_job_request *request, bool add,
                  uint64_t *expected_us);
/* Of an earlier part; 0: none. */
uint64_t job_at_place(struct queue *queue, uint64_t run, uint64_t place);

#endif
