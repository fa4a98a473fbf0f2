/* job_spec_internal.h — parts of job_spec.c that have files of their own. Private to jobs/. */
#ifndef THAW_JOBS_JOB_SPEC_INTERNAL_H
#define THAW_JOBS_JOB_SPEC_INTERNAL_H

#include "jobs/job_spec.h"
#include "jobs/spec_codec.h"

/* The fields of a spec of that kind. */
const struct spec_table *job_spec_table(enum job_kind kind);
/* The rules that a table cannot say: names, ranges, what goes together. ERR_INVALID. */
bool job_spec_check(const struct job_spec *spec, struct err *err);
/* Those of a machine: all that parsing a machine file would have refused. */
bool job_machine_check(const struct machine_file *machine, struct err *err);
bool job_monitors_check(const struct monitor_choice *monitors, size_t count, struct err *err);
/* As machine files name devices and boards: lower-case letters, digits, `_`, a letter first. */
bool job_object_name_is_valid(const char *name);
/* Letters, digits, `_`, no digit first. */
bool job_variable_name_is_valid(const char *name);

#endif
