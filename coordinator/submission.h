/* submission.h — what POST /api/v1/runs says (coordinator/openapi.yaml: Submission), read and
 * checked: every mistake that can be seen without the database is told with its place. */
#ifndef THAW_COORDINATOR_SUBMISSION_H
#define THAW_COORDINATOR_SUBMISSION_H

#include "coordinator/json_read.h"
#include "coordinator/queue/queue.h"
#include "jobs/pool.h"

#define SUBMISSION_BYTES_MAX  (32u << 20)
#define SUBMISSION_VALUES_MAX 2500000u

struct submission {
    struct queue_run_request request; /* everything in it is the submission's */
    json_t *json;                     /* private */
    struct pool pool;                 /* private */
};

/* `more`: a later part of an open run, only {"jobs": […]}. ERR_INVALID, ERR_TOO_BIG. */
bool submission_read(struct span text, bool more, struct submission **out, struct err *err);
void submission_free(struct submission *submission); /* NULL does nothing */

#endif
