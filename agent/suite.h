/* suite.h — the tests of a suite file, each on a machine thawed for it alone. */
#ifndef THAW_AGENT_SUITE_H
#define THAW_AGENT_SUITE_H

#include "agent/runner.h"
#include "jobs/job_file.h"

/* What one test came to. */
struct suite_outcome {
    const struct job_test *test;
    enum verdict verdict; /* expect_failure counted in */
    char reason[ERR_TEXT_MAX];
    struct hash checkpoint; /* zero: a fresh board */
    struct runner_result run;
    uint64_t thaw_ns;
    uint64_t wall_ns; /* thaw, payload, test, results: all of it */
    uint32_t result_files;
};

struct suite_options {
    struct store *store;
    struct image_cache *cache;
    const struct job_file *file;
    const char *checkpoint;     /* for tests that name none; NULL: there must be none such */
    const char *results_folder; /* takes <folder>/<test name>/…; NULL: results are not kept */
    bool digest;
    struct span payload; /* a tar (payload.h) instead of the test's paths; size 0: those */
    /* Before and after each test; both may be NULL. */
    void (*begin)(void *context, const struct job_test *test);
    void (*end)(void *context, const struct suite_outcome *result);
    const struct runner_watch *watch; /* or NULL */
    void *context;
};

/* Runs one test. Never fails: what goes wrong is the result's verdict, `infra`. */
void suite_run_test(const struct suite_options *options, const struct job_test *test,
                    struct suite_outcome *out);
/* The same on a session that already has its machine (a fresh boot), which is not released. */
void suite_run_test_on(const struct suite_options *options, const struct job_test *test,
                       struct session *session, struct suite_outcome *out);
/* The tests chosen by `selectors` (names with * and ?, @tags; count 0: all), in the file's order.
 * `out` has room for file->test_count; returns how many there are. */
size_t suite_run(const struct suite_options *options, const char *const *selectors,
                 size_t selector_count, struct suite_outcome *out);
void suite_outcome_release(struct suite_outcome *result);

#endif
