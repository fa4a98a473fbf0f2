/* job_keys.h — keys of a job file that have files of their own. Private to jobs/. */
#ifndef THAW_JOBS_JOB_KEYS_H
#define THAW_JOBS_JOB_KEYS_H

#include "jobs/job_file.h"
#include "jobs/paths.h"

/* `variables:`, put over those that the test has already. */
void job_variables_read(struct yaml_map *map, struct job_test *test);
/* `parallel:`. */
void job_parallel_read(struct yaml_map *map, struct job_test *test);
/* `verify:`, `host:`, `quantum:`, `needs:`, `retry:`, `artifacts:`, `quarantine:`. */
void job_farm_keys_read(struct yaml_map *map, struct job_test *test);
/* A list of paths in the guest. */
void job_results_read(struct yaml_map *map, const char *key, struct job_test *test);
/* Every name under `needs:` is a test of the file, and none needs itself in the end. */
void job_needs_check(struct yaml *yaml, const struct yaml_node *list, const struct job_file *file);
/* Index of the test of that name; file->test_count: none. `sorted` as job_names_sort makes it. */
size_t job_name_find(const struct job_file *file, const uint32_t *sorted, const char *name);
/* Indices of the file's tests by name; mem_free it. */
uint32_t *job_names_sort(const struct job_file *file);
/* `workflow:`, and its defaults. */
void job_workflow_read(struct yaml_map *map, struct job_workflow *out);
/* `checkpoints:`. */
void job_checkpoints_read(struct yaml_map *map, const struct path_reader *reader,
                          struct job_file *file);
/* NULL if there is none of that name. */
const struct job_checkpoint *job_checkpoint_find(const struct job_file *file, const char *name);
/* Names of checkpoints, tests and suites: not empty, no `/`, no control characters, … */
void job_name_check(struct yaml *yaml, const struct yaml_node *node, const char *name);

/* As job_file_load, but *out is set even if there are mistakes, whose number is added: for those
 * who go on to look for more. NULL only if the file could not be read. */
bool job_file_load_anyway(const char *path, const struct variables *variables,
                          struct job_file **out, struct buf *report, size_t *mistakes,
                          struct err *err);
/* As machine_file_load, and adds the number of mistakes. */
bool machine_file_check(const char *path, const struct variables *variables,
                        struct machine_file **out, struct buf *report, size_t *mistakes,
                        struct err *err);

/* What the key of a matrix is. */
enum job_axis_kind {
    JOB_AXIS_VARIABLE,
    JOB_AXIS_HOST,
    JOB_AXIS_TAGS,
    JOB_AXIS_CHECKPOINT,
    JOB_AXIS_SEED,
    JOB_AXIS_QUANTUM,
    JOB_AXIS_MACHINE, /* one of machine_parameter_names */
};
/* False if the name is neither a parameter nor can be a variable. */
bool job_axis_kind_of(const char *name, enum job_axis_kind *out);
/* The value of a seed, of a quantum, of a parameter of the machine. ERR_INVALID. */
bool job_axis_check(const char *name, const char *value, struct err *err);
/* A tag of an agent: letters, digits and `._:=+-`, at most JOB_TAG_MAX. */
#define JOB_TAG_MAX  64
#define JOB_TAG_RULE "`%.70s` is not a tag of a host: letters, digits and `._:=+-`, at most 64"
bool job_tag_is_valid(const char *tag);
/* True if `${NAME}` means something in the test: a variable, or a key of its matrix. */
bool job_test_has_variable(const struct job_test *test, const char *name);

/* Parameters of a machine that a job file may give instead of the machine file. */
extern const char *const machine_parameter_names[];
extern const size_t machine_parameter_count;
/* On every board; NULL only checks. ERR_INVALID names the parameter. The text must live as long as
 * the file. */
bool machine_parameter_set(struct machine_file *file, const char *name, const char *value,
                           struct err *err);

#endif
