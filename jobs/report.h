/* report.h — results for machines and people: JUnit XML, TAP 14, JSON lines, a table. */
#ifndef THAW_JOBS_REPORT_H
#define THAW_JOBS_REPORT_H

#include "jobs/result.h"
#include "jobs/table.h"

#define REPORT_CONSOLE_MAX (256u << 10) /* of one test's console in JUnit: its end counts */

/* JUnit XML as Jenkins and GitLab read it: one testsuite; a testcase each, its classname the
 * suite's name and its name unique in the file; at most one of failure (fail, divergence, timeout),
 * error (infra, cancelled) and skipped in each. Console output is in system-out, as text: escape
 * sequences taken out, what XML 1.0 forbids replaced. */
bool report_junit(const struct suite_result *suite, struct buf *out, struct err *err);
/* The Test Anything Protocol, version 14, with a YAML block for what did not pass. */
bool report_tap(const struct suite_result *suite, struct buf *out, struct err *err);
/* One object a line (result_write_json). */
bool report_json_lines(const struct suite_result *suite, struct buf *out, struct err *err);
/* One object: run, suite, verdict, counts (by verdict), wall_ms, boot_ms_saved, jobs (as
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
