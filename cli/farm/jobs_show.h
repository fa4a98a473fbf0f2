/* jobs_show.h — what `thaw jobs` prints. */
#ifndef THAW_CLI_FARM_JOBS_SHOW_H
#define THAW_CLI_FARM_JOBS_SHOW_H

#include "jobs/job_check.h"

/* The report on standard error and a line of counts, or one JSON value: file, valid, mistakes,
 * warnings, tests, jobs, boots, report. */
void jobs_show_findings(const char *path, const struct job_findings *findings, bool json);
/* A line a job. `jobs` may be empty: then no keys are shown. */
bool jobs_print_table(const struct job_expanded *expanded, const struct job_submissions *jobs,
                      struct err *err);
void jobs_print_json(const struct job_expanded *expanded, const struct job_submissions *jobs);

#endif
