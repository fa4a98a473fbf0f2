/* job_file.h — the suite file: tests and what they start from. jobs/FORMAT.md documents every key.
 *
 * Plain data, checked as far as one file can be; all memory belongs to the struct. What a test
 * means on a console is told by job_plan_make, which makes a console_plan of it. */
#ifndef THAW_JOBS_JOB_FILE_H
#define THAW_JOBS_JOB_FILE_H

#include "jobs/console_script.h"
#include "jobs/machine_file.h"

#define JOB_TESTS_MAX        10000
#define JOB_NAME_MAX         100
#define JOB_PAYLOAD_MAX      256 /* paths of one test */
#define JOB_RESULTS_MAX      64
#define JOB_DISKS_MAX        8
#define JOB_TAGS_MAX         16
#define JOB_CHECKS_MAX       32
#define JOB_NEEDS_MAX        64
#define JOB_HOST_MAX         16 /* what one test asks of its host */
#define JOB_CHECKPOINTS_MAX  256
#define JOB_VARIABLES_MAX    64  /* of one test, those of its matrix included */
#define JOB_VALUE_MAX        512 /* bytes of a variable's value */
#define JOB_AXES_MAX         16  /* keys of one map of a matrix */
#define JOB_AXIS_VALUES_MAX  10000
#define JOB_MATRICES_MAX     64 /* maps of one matrix */
#define JOB_RETRY_MAX        10
#define JOB_RETRY_DEFAULT    3
#define JOB_PRIORITY_DEFAULT 50
#define JOB_RERUN_PERMILLE   10
#define JOB_SLOWER_PERMILLE  100

/* A disk of the machine that gets other content at thaw. */
struct job_disk {
    const char *name; /* the device's */
    const char *file; /* path */
};

/* A name and its value: `${NAME}` in the test's texts, and in the guest's environment. Names are
 * those of the shell: letters, digits, `_`, no digit first. */
struct job_variable {
    const char *name;
    const char *value;
};

/* One key of a map of `parallel: matrix:` and the values it takes. */
struct job_axis {
    const char *name;
    const char *const *values;
    size_t count; /* at least 1 */
};
/* One map: every combination of its axes is a job; the last axis changes fastest. */
struct job_matrix {
    const struct job_axis *axes;
    size_t axis_count;
};

/* The test runs, and does not count for the run's verdict. */
struct job_quarantine {
    const char *owner; /* NULL: not in quarantine */
    const char *reason;
    uint64_t until_s; /* since 1970, UTC; 0: no end. Past it the quarantine warns, and stays */
};

enum job_artifacts_when {
    JOB_ARTIFACTS_ALWAYS,
    JOB_ARTIFACTS_ON_FAILURE,
    JOB_ARTIFACTS_ON_SUCCESS
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

    const struct job_variable *variables; /* sorted by name, none twice */
    size_t variable_count;
    uint64_t quantum; /* given to the thawed machine: cycles of a hart's turn; 0: as it is */
    enum job_artifacts_when artifacts_when; /* when `results` are kept */

    /* `verify:`: the state is compared every so many instructions, between the jobs that differ in
     * their host alone; 0: not. Its state id is that of the whole way (runner.h). */
    uint64_t verify_every;
    /* Requests of `thaw verify` (agent/verify/message.h) that are answered instead of a test; in no
     * job file. NULL: a test. */
    const char *script;

    /* For the farm alone: */
    uint64_t artifacts_keep_s; /* 0: as the run's retention says */
    const char *const *host;   /* tags that an agent must have */
    size_t host_count;
    const char *const *needs; /* names of tests that must have passed before */
    size_t need_count;
    uint32_t retry_infra; /* further attempts after `infra` */
    struct job_quarantine quarantine;
    const struct job_matrix *matrices; /* jobs that are made of it; see matrix.h */
    size_t matrix_count;               /* 0: one job */
};

/* What tests start from, under a name of this file. */
struct job_checkpoint {
    const char *name;
    uint32_t line;
    const char *tag;     /* tag, id or prefix; NULL: `machine` alone */
    const char *machine; /* path of a machine file: booted when `tag` is missing or its inputs have
                            changed; NULL: it must be there */
    const struct job_variable *parameters; /* of the machine, instead of the file's: see matrix.h */
    size_t parameter_count;
};

enum job_order { JOB_ORDER_LONGEST, JOB_ORDER_FILE };
/* "longest-first", "file"; as the farm's HTTP interface has them. */
const char *job_order_name(enum job_order order);
enum job_missed { JOB_MISSED_RUN, JOB_MISSED_SKIP };

/* `workflow:`: of the whole run. Texts are NULL and numbers 0 when not given. */
struct job_workflow {
    uint64_t max_failures; /* the run ends after so many failures that count; 0: never */
    enum job_order order;
    uint32_t priority;             /* 0 to 100, 50 unless given */
    bool no_cache;                 /* run all, whatever is known */
    uint32_t rerun_share_permille; /* of jobs answered from the cache: run again all the same; 10 */
    uint32_t
        slower_permille;  /* more instructions than before by more than this is worth a line; 100 */
    const char *baseline; /* name of the run that results are held against */
    struct {
        const char *cron; /* NULL: no schedule; see cron.h */
        const char *time_zone;
        enum job_missed missed;
    } schedule;
    struct {
        uint64_t runs;          /* keep so many */
        uint64_t run_s;         /* keep for so long */
        uint64_t artifacts_s;   /* likewise */
        uint64_t checkpoints_s; /* likewise, after their last use */
    } retention;
    struct {
        const char *url;
        const char *secret; /* name of the coordinator's secret that signs it */
    } webhook;
    const char *command; /* run by the coordinator's host at the end of a run */
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
    struct job_checkpoint *checkpoints; /* sorted by name */
    size_t checkpoint_count;
    struct job_workflow workflow;
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
