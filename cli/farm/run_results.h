/* run_results.h — what came of a run, from a coordinator's JSON to the reports of jobs/report.h. */
#ifndef THAW_CLI_FARM_RUN_RESULTS_H
#define THAW_CLI_FARM_RUN_RESULTS_H

#include "cli/farm/client.h"
#include "jobs/report.h"

struct run_results {
    struct suite_result suite; /* its texts are borrowed from `json` */
    bool is_over;
    json_t *json; /* the run itself */
    json_t *jobs; /* every job of it, tests only in `suite` */
    struct test_result *tests;
    struct signature *signatures;
    struct buf *consoles; /* of each test; filled in by run_results_consoles */
    struct pool pool;     /* private */
};

/* Asks for the run and all its jobs, a page at a time. */
bool run_results_fetch(struct remote *remote, uint64_t run, struct run_results *out,
                       struct err *err);
void run_results_release(struct run_results *results);
/* Fetches the console logs of the tests that did not pass, for reports that show them. */
bool run_results_consoles(struct run_results *results, struct remote *remote, struct err *err);

#endif
