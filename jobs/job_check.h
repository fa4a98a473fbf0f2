/* job_check.h — all that is wrong with a job file, in one go: its own mistakes and those of the
 * machine files that it boots, matrices that cannot be, files that are not there; and what deserves
 * a warning. */
#ifndef THAW_JOBS_JOB_CHECK_H
#define THAW_JOBS_JOB_CHECK_H

#include "jobs/matrix.h"

#define JOB_CHECK_BYTES_MAX (4u << 20)

struct job_findings {
    size_t mistakes;
    size_t warnings;
    struct buf report; /* the mistakes, as yaml_finish shows them, then the warnings, a line each */
    size_t tests;      /* of the file; 0 if it could not be read */
    size_t jobs;       /* with all matrices; 0 likewise */
    size_t boots;      /* among them */
};

/* False only if the file cannot be read at all (ERR_NOT_FOUND, …). `now_s`, seconds since 1970, is
 * for dates that have passed. job_findings_release in either case. */
bool job_file_check(const char *path, const struct variables *variables, uint64_t now_s,
                    struct job_findings *out, struct err *err);
void job_findings_release(struct job_findings *findings);

/* A quarantine that has run out, a checkpoint that is nearly one of the file's: a line each. */
bool job_file_warn(const struct job_file *file, uint64_t now_s, size_t *count, struct buf *out,
                   struct err *err);

#endif
