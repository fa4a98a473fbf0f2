/* monitor.h — watches a console for the guest's own reports of its death: panics, oopses, traps.
 *
 * Works on complete lines (escape sequences and carriage returns are taken out first). A line that
 * matches opens a report: the lines that follow belong to it until one that ends it, a number of
 * lines or of instructions later; then the report is done and its signature is made. Only the first
 * report of a test is kept: what comes after it is its consequence.
 *
 *     idle -> collecting   [monitor_put, a line matches]
 *     collecting -> done   [monitor_put, the closing line or MONITOR_LINES_MAX; monitor_advance,
 * the deadline]
 *
 * A pure state machine: no clock but the instruction counts handed in. */
#ifndef THAW_JOBS_MONITOR_H
#define THAW_JOBS_MONITOR_H

#include "jobs/signature.h"

#define MONITOR_SETS_MAX     32 /* choices of one test */
#define MONITOR_LINE_MAX     1024
#define MONITOR_LINES_MAX    200
#define MONITOR_INSTRUCTIONS UINT64_C(50000000) /* how long a report is waited for */

/* A built-in set by its name, or a pattern of the user's own. */
struct monitor_choice {
    const char *set;     /* "linux", "opensbi", "uboot"; NULL if `pattern` is given */
    const char *title;   /* of the failure; NULL: the line that matched */
    const char *pattern; /* regular expression for one line */
};

bool monitor_set_exists(const char *name);
/* "`linux`, `opensbi`, …" for messages. */
const char *monitor_set_names(void);

struct monitor; /* opaque, heap */
/* No choices: watches for nothing. ERR_INVALID for a bad pattern, ERR_NOT_FOUND for an unknown set.
 */
struct monitor *monitor_new(const struct monitor_choice *choices, size_t count, struct err *err);
void monitor_free(struct monitor *monitor);
/* Takes output that came at `now` instructions. True once a report is done. */
bool monitor_put(struct monitor *monitor, struct span bytes, uint64_t now);
/* Tells the time. True once a report is done. */
bool monitor_advance(struct monitor *monitor, uint64_t now);
/* When monitor_advance must be called at the latest; UINT64_MAX: not at all. */
uint64_t monitor_deadline(const struct monitor *monitor);
/* The test ends: a report that is being collected is done as it is, and a last line without its end
 * counts. True if there is a report. */
bool monitor_finish(struct monitor *monitor);
/* NULL until a report is done. */
const struct signature *monitor_signature(const struct monitor *monitor);
/* The report's lines; empty until one is done. */
struct span monitor_report(const struct monitor *monitor);

#endif
