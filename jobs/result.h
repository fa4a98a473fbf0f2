/* result.h — what came of one test, and of a suite of them.
 *
 * Plain data, filled in by whoever ran the test; all texts are borrowed and must live as long as
 * the result. Times are in nanoseconds; reports show milliseconds. */
#ifndef THAW_JOBS_RESULT_H
#define THAW_JOBS_RESULT_H

#include "jobs/json_writer.h"
#include "jobs/signature.h"
#include "jobs/verdict.h"

/* A file that came back from a guest, in the store. */
struct result_artifact {
    const char *name;
    const char *id; /* its hash */
    uint64_t size;
};

struct test_result {
    const char *suite;
    const char *name;
    const char *file; /* where the test is written down, or NULL */
    uint32_t line;    /* 0: unknown */
    enum verdict verdict;
    bool expect_failure;               /* was taken into account in `verdict` */
    const char *reason;                /* why the verdict is what it is; NULL or "" for a pass */
    int32_t exit_status;               /* -1: none */
    const char *checkpoint;            /* id it started from, or NULL */
    const char *state_id;              /* of the machine at the end, or NULL */
    uint64_t instructions;             /* executed by the test */
    uint64_t virtual_ns;               /* that passed in the guest */
    uint64_t thaw_ns;                  /* host time to the first instruction */
    uint64_t wall_ns;                  /* host time of the test, thaw included */
    struct span console;               /* the whole console, as it came */
    struct span output;                /* of the last command, as text */
    const struct signature *signature; /* of a failure, or NULL */
    const char *results; /* folder that the guest's results were written to, or NULL */

    /* Of the farm; zeroed for a run on this host alone. */
    const char *group;      /* the test's name without its parameters, or NULL: `name` */
    uint32_t attempts;      /* 0: one */
    const char *agent;      /* name of the last attempt's, or NULL */
    bool cached;            /* known from an earlier run: not run again */
    const char *quarantine; /* owner and reason, or NULL; such a test does not gate */
    const char *console_id; /* hash of the console's log in the store, or NULL */
    const struct result_artifact *artifacts;
    size_t artifact_count;
};

struct suite_result {
    const char *name;
    const char *run; /* id or time of the run, or NULL */
    const struct test_result *tests;
    size_t test_count;
    uint64_t wall_ns; /* of the whole run */
    uint64_t boot_ns; /* what one boot takes; 0: not known */
};

/* How many tests have this verdict; those in quarantine are not among them. */
size_t suite_count(const struct suite_result *suite, enum verdict verdict);
/* How many were not run, but known from an earlier run. */
size_t suite_cached(const struct suite_result *suite);
/* How many tests are in quarantine; `failed` (may be NULL) of them neither passed nor were skipped.
 */
size_t suite_quarantined(const struct suite_result *suite, size_t *failed);
/* The loudest verdict of all that gate; no tests at all is infra: nothing was shown. */
enum verdict suite_verdict(const struct suite_result *suite);
/* What booting for every test that was run would have taken more. */
uint64_t suite_boot_saved_ns(const struct suite_result *suite);

/* One JSON object: name, suite, verdict, exit_status (null: none), reason, signature, checkpoint,
 * state_id, instructions, virtual_ns, thaw_ms, wall_ms, output, console; of a farm's: group,
 * attempts, agent, cached, quarantine, console_id, artifacts (name, id, size). Keys are stable; new
 * ones may come. */
void result_write_json(const struct test_result *result, struct json_writer *writer);

#endif
