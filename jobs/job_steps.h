/* job_steps.h — steps of a test in YAML. Private to jobs/. */
#ifndef THAW_JOBS_JOB_STEPS_H
#define THAW_JOBS_JOB_STEPS_H

#include "jobs/job_file.h"
#include "jobs/yaml.h"

/* `command:` with its checks, or `steps:`, of a test. */
void job_steps_read(struct yaml_map *map, struct job_test *test);
/* `exit_status:`, `stdout:`, `expect:`, `expect_not:` of a command. */
void job_check_read(struct yaml_map *map, struct console_check *check);

#endif
