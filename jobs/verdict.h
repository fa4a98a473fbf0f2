/* verdict.h — what a test came to. */
#ifndef THAW_JOBS_VERDICT_H
#define THAW_JOBS_VERDICT_H

#include <stdbool.h>

enum verdict {
    VERDICT_PASS,
    VERDICT_FAIL,    /* the test ran and found a fault */
    VERDICT_TIMEOUT, /* a limit in instructions or wall time was reached */
    VERDICT_INFRA,   /* the test could not be run, or not to its end; says nothing about the subject
                      */
    VERDICT_CANCELLED,  /* somebody asked for it to stop */
    VERDICT_SKIPPED,    /* not run, on purpose */
    VERDICT_DIVERGENCE, /* two executions of one job disagree */
};
#define VERDICT_COUNT 7

/* Exit statuses of `thaw`. */
enum {
    EXIT_STATUS_PASS = 0,
    EXIT_STATUS_FAIL = 1,
    EXIT_STATUS_USAGE = 2,
    EXIT_STATUS_INFRA = 3,
    EXIT_STATUS_TIMEOUT = 4,
};

/* "pass", … lower case; saved names live for ever. */
const char *verdict_name(enum verdict verdict);
bool verdict_parse(const char *name, enum verdict *out);
/* Pass and skipped 0; fail and divergence 1; infra and cancelled 3; timeout 4. */
int verdict_exit_status(enum verdict verdict);
/* Of many: the loudest: divergence, fail, timeout, infra, cancelled, pass, skipped. */
enum verdict verdict_worst(enum verdict a, enum verdict b);
/* A test marked as one that must fail: fail becomes pass, pass becomes fail; the rest stays. A
 * timeout is no failure of that kind: it says nothing about why. */
enum verdict verdict_expect_failure(enum verdict verdict);

#endif
