/* job_file.h — the suite file: tests and what they start from. jobs/FORMAT.md documents every key.
 *
 * Plain data, checked as far as one file can be; all memory belongs to the struct. What a test
 * means on a console is told by job_plan_make, which makes a console_plan of it. */
#ifndef THAW_JOBS_JOB_FILE_H
#define THAW_JOBS_JOB_FILE_H

#include "jobs/console_script.h"
#include "jobs/machine_file.h"

#define JOB_TESTS_MAX   10000
#define JOB_NAME_MAX    100
#define JOB_PAYLOAD_MAX 256 /* paths of one test */
#define JOB_RESULTS_MAX 64
#define JOB_DISKS_MAX   8
#define JOB_TAGS_MAX    16
#define JOB_CHECKS_MAX  32

/* A disk of the machine that gets other content at thaw. */
struct job_disk {
    const char *name; /* the device's */
    const char *file; /* path */
};

struct job_test {
    const char *name; /* unique in its file */
    uint32_t line;    /* in the file */
    const char *const *tags;
    size_t tag_count;
    const char *
        checkpoint; /* tag, id or prefix; the suite's unless given; NULL: see the suite's machine */

    /* What is done. Either steps on the console (a `command:` is one step), or a bare-metal
     * program. */
    const struct console_step *steps;
    size_t step_count;
    const char *elf;            /* path; NULL: steps */
    struct console_check check; /* of the bare-metal program: its exit status and console output */

    const char *const
        *payload; /* paths of files and folders; their content comes to the guest's work folder */
    size_t payload_count;
    const char *const *results; /* paths in the guest, relative to the work folder or absolute */
    size_t result_count;
    struct job_disk disks[JOB_DISKS_MAX];
    size_t disk_count;

    bool expect_failure; /* it must fail; see verdict_expect_failure */
    const char *reason;  /* why it must fail, or why it is skipped */
    bool skip;
    struct test_limits limits;
    bool has_seed;
    uint64_t seed; /* given to the thawed machine, if has_seed */
    const struct monitor_choice *monitors;
    uint32_t monitor_count;
};

struct job_file {
    const char *path;
    const char *name;       /* of the suite; the file's name without its ending unless given */
    const char *checkpoint; /* tag or id, or NULL */
    const char *machine;  /* path of a machine file, booted when there is no checkpoint; or NULL */
    const char *prompt;   /* pattern, or NULL: the machine's */
    const char *work;     /* the guest's folder for payloads: "/tmp/job" */
    const char *job_disk; /* what the guest calls its job disk, or NULL: as the machine file says */
    const char *result_disk;
    struct job_test *tests;
    size_t test_count;
    struct pool pool; /* private */
};

/* As machine_file_load. */
bool job_file_load(const char *path, const struct variables *variables, struct job_file **out,
                   struct buf *report, struct err *err);
bool job_file_parse(struct span text, const char *path, const struct variables *variables,
                    struct job_file **out, struct err *err);
void job_file_free(struct job_file *file);

/* True if the test is asked for by a pattern of names with `*` and `?`, or by `@tag`. */
bool job_test_selected(const struct job_test *test, const char *selector);

/* What is known of the guest that a test starts from. */
struct job_guest {
    const char *prompt;
    bool at_prompt;
    const char *job_disk;    /* in the guest; NULL: none */
    const char *result_disk; /* in the guest; NULL: none */
    const char *work;        /* folder in the guest */
};

/* The default for suites and for `thaw run`. */
#define JOB_WORK_FOLDER "/tmp/job"

/* Makes the plan of a test with steps. A payload is unpacked before the first command, results are
 * packed after the last one; ERR_USAGE if the guest has no disk for them, or the test no command.
 * Texts and steps are in `pool`, and point into the test and the guest. */
bool job_plan_make(const struct job_test *test, const struct job_guest *guest, struct pool *pool,
                   struct console_plan *out, struct err *err);
/* Shell text that unpacks the job disk / packs results, for those who make steps of their own. */
const char *job_unpack_text(const struct job_guest *guest, struct pool *pool);
const char *job_pack_text(const struct job_guest *guest, const char *const *results, size_t count,
                          struct pool *pool);

/* The freeze point of a machine file as a plan: its pattern, then settling. Without a pattern the
 * plan waits until `instructions` (if given) or for ever: the caller looks for the magic store. In
 * `pool`. */
void job_plan_freeze(const struct machine_freeze *freeze, struct pool *pool,
                     struct console_plan *out);

#endif
