/* submission.h — a job file as what a coordinator takes: its jobs resolved, their files in a store,
 * and the JSON that lists them. */
#ifndef THAW_CLI_FARM_SUBMISSION_H
#define THAW_CLI_FARM_SUBMISSION_H

#include "jobs/matrix.h"
#include "storage/remote/remote.h"

#define SUBMISSION_JSON_MAX (256u << 20)
/* From here on a part is cut where its jobs need none of the next: half of what a coordinator
 * takes at a time. */
#define SUBMISSION_PART_JOBS  32768u
#define SUBMISSION_PART_BYTES (16u << 20)

struct submission_options {
    const char *name;      /* of the run; NULL: the suite's */
    const char *submitter; /* who asks */
    bool no_cache;         /* besides what the file says */
    const char *const *selectors;
    size_t selector_count;
};

struct submission {
    /* The body of POST runs, and of POST runs/N/jobs if it leaves the run open for more. */
    struct buf *parts;
    size_t part_count;
    size_t job_count; /* tests */
    size_t boot_count;
    struct hash_list blobs; /* that the jobs need, as they were stored: unordered, none twice */
    struct hash_list checkpoints; /* likewise */
};

/* Stores every file the jobs name, and their specs, as blobs of `store`; tags and prefixes of
 * checkpoints are looked up there. Errors name the job. */
bool submission_make(const struct job_file *file, const struct submission_options *options,
                     struct store *store, struct submission *out, struct err *err);
void submission_release(struct submission *submission);
/* Takes the blobs and checkpoints to another store. */
bool submission_push(const struct submission *submission, struct store *store,
                     struct remote *remote, struct err *err);

#endif
