/* report.h — what a verification came to: for people, as JSON, as JUnit. */
#ifndef THAW_AGENT_VERIFY_REPORT_H
#define THAW_AGENT_VERIFY_REPORT_H

#include "agent/verify/verify.h"
#include "jobs/json_writer.h"

/* Hosts, the matrix (a line for each host that froze, a column for each that thawed), what went
 * wrong, and one line that sums up. */
bool verify_report_text(const struct verify_result *result, bool colours, struct buf *out,
                        struct err *err);
/* One object: checkpoint, passed, verdict, state_id, instructions, wall_ms, hosts (name,
 * description), matrix (freezer, thawer, ring, verdict, reason, instructions, marks, state_id,
 * run_ms, digest_ms), divergences (as `divergence`), divergence (the first: hosts, instruction,
 * pinned, agreed, mark, state_ids, hart, pc, bits, disassembly, attribute, page, registers, text;
 * null: none). */
void verify_report_json(const struct verify_result *result, const char *checkpoint,
                        struct json_writer *writer);
/* A testcase for each cell. */
bool verify_report_junit(const struct verify_result *result, const char *name, struct buf *out,
                         struct err *err);

#endif
