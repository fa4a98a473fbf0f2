/* matrix.h — from a suite file to the jobs that run: every combination of every matrix, with names,
 * and the boots that they need.
 *
 * A key of a matrix (struct job_axis) is one of
 * | key                                                    | what it does                        |
 * |--------------------------------------------------------|-------------------------------------|
 * | `host`                                                 | one more tag asked of the agent     |
 * | `tags`                                                 | one more tag of the job, to select by |
 * | `checkpoint`                                           | what the job starts from            |
 * | `seed`, `quantum`                                      | given to the thawed machine         |
 * | `harts`, `memory`, `clock`, `machine_seed`,            | instead of the machine file's: a    |
 * | `machine_quantum`, `engine`, `command_line`            | boot for each combination of them   |
 * | any other name, a capital letter first                 | a variable: `${NAME}`, and in the   |
 * |                                                        | guest's environment                 |
 * The values of all of them stand for `${KEY}` in the test's texts.
 *
 * Names: `test [seed=3, quantum=1000]`, axes in the order of the file: stable, unique in the run.
 * A test without a matrix keeps its name. */
#ifndef THAW_JOBS_MATRIX_H
#define THAW_JOBS_MATRIX_H

#include "jobs/job_spec.h"

#define JOB_JOBS_MAX       100000 /* of one expansion */
#define JOB_BOOTS_MAX      256
#define JOB_ENTRY_NAME_MAX 400
#define JOB_NO_BOOT        SIZE_MAX

/* A checkpoint that is to be booted, when the store has none of the same inputs. */
struct job_boot {
    const char *name;                      /* unique among boots: "boot debian [harts=3]" */
    const char *tag;                       /* to be filed under, or NULL */
    const char *machine;                   /* path of the machine file */
    const struct job_variable *parameters; /* instead of the file's, in order */
    size_t parameter_count;
};

struct job_entry {
    const char *name;
    struct job_test test;                  /* parameters put in; .name is this name */
    const char *group;                     /* the test's name in the file */
    const struct job_variable *parameters; /* of the matrix, in order; for reports */
    size_t parameter_count;
    size_t boot;           /* index into boots; JOB_NO_BOOT: test.checkpoint, or a bare program */
    const uint32_t *needs; /* indices into entries: all jobs of the tests it needs */
    size_t need_count;
};

struct job_expanded {
    const struct job_file *file; /* borrowed */
    struct job_entry *entries;   /* in the file's order */
    size_t count;
    struct job_boot *boots;
    size_t boot_count;
    struct pool pool; /* private */
};

/* The jobs of all tests that a selector asks for (job_test_selected, on the job's name, the test's
 * name and the tags; count 0: all) and, even unasked, of those that they need. ERR_TOO_BIG with the
 * figure before memory is asked for; ERR_USAGE if nothing is selected. Freed with
 * job_expanded_free. */
bool job_expand(const struct job_file *file, const char *const *selectors, size_t selector_count,
                struct job_expanded **out, struct err *err);
void job_expanded_free(struct job_expanded *expanded);
/* How many jobs the whole file makes, matrices multiplied out; UINT64_MAX if more than that. */
uint64_t job_count(const struct job_file *file);

/* The machine of a boot: its file read, the parameters put in. As machine_file_load. */
bool job_boot_machine(const struct job_boot *boot, struct machine_file **out, struct buf *report,
                      struct err *err);

/* Takes a blob and says its hash; called for bytes (path NULL) or a file. The sink stores it, or
 * only hashes it. */
struct job_sink {
    bool (*bytes)(void *context, struct span bytes, struct hash *id, struct err *err);
    bool (*file)(void *context, const char *path, struct hash *id, uint64_t *size, struct err *err);
    void *context;
};
/* Hashes, keeps nothing. */
extern const struct job_sink job_sink_hash;

/* One job, ready to be submitted. */
struct job_submission {
    enum job_kind kind;
    size_t index; /* into boots, or into entries */
    const char *name;
    struct hash spec;     /* stored through the sink like any other blob */
    struct hash boot_key; /* a test's: spec hash of its boot; zero: none */
};
struct job_submissions {
    struct job_submission *items; /* boots first, then entries, in order */
    size_t count;
    struct pool pool; /* private */
};
/* Reads every file that the jobs name, once each, hands all to the sink, and makes the specs.
 * Errors name the job and the file. Freed with job_submissions_release. */
bool job_spec_collect(const struct job_expanded *expanded, const struct job_sink *sink,
                      struct job_submissions *out, struct err *err);
/* The boot key of one boot alone: the hash of all its inputs. */
bool job_boot_key(const struct job_expanded *expanded, size_t boot, struct hash *out,
                  struct err *err);
void job_submissions_release(struct job_submissions *submissions);

#endif
