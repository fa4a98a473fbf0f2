/* report.h — results for machines and people: JUnit XML, TAP 14, JSON lines, a table. */
#ifndef THAW_JOBS_REPORT_H
#define THAW_JOBS_REPORT_H

#include "jobs/result.h"
#include "jobs/table.h"

#define REPORT_CONSOLE_MAX (256u << 10) /* of one test's console in JUnit: its end counts */

/* JUnit XML as Jenkins and GitLab read it: one testsuite; a testcase each, its classname the
 * suite's name and its name unique in the file; at most one of failure (fail, divergence, timeout),
 * error (infra, cancelled) and skipped in each. A test in quarantine that did not pass is skipped,
 * with its verdict and the quarantine in the message: it does not gate. Attempts, agent, ids of the
 * console and of artifacts are properties of the testcase. Console output is in system-out, as
 * text: escape sequences taken out, what XML 1.0 forbids replaced. */
bool report_junit(const struct suite_result *suite, struct buf *out, struct err *err);
/* The same in as many files as it takes for each to stay at `max` bytes or below (GitLab refuses
 * larger ones, and Jenkins reads each as a whole). Each is a document of its own, with the counts
 * of the tests in it; no classname and name come twice in all of them together. `take` gets them
 * one after the other. ERR_TOO_BIG if one test alone does not fit. */
#define REPORT_JUNIT_MAX (20u * 1000 * 1000)
struct report_taker {
    bool (*take)(void *context, size_t index, struct span file, struct err *err);
    void *context;
};
bool report_junit_split(const struct suite_result *suite, size_t max,
                        const struct report_taker *taker, struct err *err);
/* The Test Anything Protocol, version 14, with a YAML block for what did not pass; a test in
 * quarantine has the directive of one that need not pass. */
bool report_tap(const struct suite_result *suite, struct buf *out, struct err *err);
/* One object a line (result_write_json). */
bool report_json_lines(const struct suite_result *suite, struct buf *out, struct err *err);
/* One object: run, suite, verdict, counts (by verdict, and
 * quarantined), wall_ms, boot_ms_saved, jobs (as
 * result_write_json). */
bool report_json(const struct suite_result *suite, struct buf *out, struct err *err);
/* A line a test (verdict, name, instructions, thaw, wall time, reason), and a line that sums up. */
bool report_table(const struct suite_result *suite, bool colours, struct buf *out, struct err *err);

/* Numbers for people: "1.24 G", "532 k", "17"; "2.5 s", "3.2 ms", "850 us". */
struct report_text {
    char text[24];
};
struct report_text report_number(uint64_t value);
struct report_text report_duration(uint64_t ns);
enum colour report_colour(enum verdict verdict);

#endif
