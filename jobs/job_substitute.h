/* job_substitute.h — `${NAME}` in the texts of a test. Private to jobs/. */
#ifndef THAW_JOBS_JOB_SUBSTITUTE_H
#define THAW_JOBS_JOB_SUBSTITUTE_H

#include "jobs/job_file.h"

/* What the names stand for, sorted by name. */
struct job_names {
    const struct job_variable *variables;
    size_t count;
};

/* Puts values for names in all texts of the test: commands, what is sent and expected, payload,
 * program, disks, results, checkpoint, reason. Other `${…}` stay: they are the guest's shell's.
 * Nothing that the test points to is changed: what differs is new, in the pool. ERR_INVALID,
 * ERR_TOO_BIG if a text is no longer what the file could have held. */
bool job_test_substitute(struct job_test *test, const struct job_names *names, struct pool *pool,
                         struct err *err);

#endif
