/* jobs_spec.h — job specs for tests: one of each kind with every part in use. */
#ifndef THAW_TESTS_SUPPORT_JOBS_SPEC_H
#define THAW_TESTS_SUPPORT_JOBS_SPEC_H

#include "jobs/job_spec.h"

/* Static data; not to be freed. */
struct job_spec jobs_spec_test(void);
struct job_spec jobs_spec_boot(void);

#endif
