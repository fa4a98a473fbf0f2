/* signature.h — what makes two failures the same failure: verdict, normalised title, top frames.
 *
 * Everything that changes from run to run is taken out: addresses, process ids, CPU numbers, time
 * stamps, offsets and sizes in `function+0x12/0x34`, long numbers. What is left is text that people
 * can read and sort by, for example fail: Kernel panic - not syncing: Attempted to kill init!
 * exitcode=N (do_exit, do_group_exit)  */
#ifndef THAW_JOBS_SIGNATURE_H
#define THAW_JOBS_SIGNATURE_H

#include "jobs/verdict.h"
#include "storage/base/buf.h"

#define SIGNATURE_TITLE_MAX  160
#define SIGNATURE_FRAMES_MAX 4 /* kept; deeper ones differ between callers of one fault */
#define SIGNATURE_FRAME_MAX  64

struct signature {
    enum verdict verdict;
    char title[SIGNATURE_TITLE_MAX]; /* normalised; "" if there is nothing to say */
    char frames[SIGNATURE_FRAMES_MAX][SIGNATURE_FRAME_MAX]; /* function names, innermost first */
    uint32_t frame_count;
};

/* Normalises one line of text: `[  12.345678]` prefixes and `[T123]` callers away, 0x… and
 * hexadecimal words of 8 digits and more become ADDR, `CPU: 1` CPU: N, `PID: 77` and pid=77 PID: N,
 * `comm[123]` comm[N], other numbers N. Blanks are one blank. Cut at the maximum. */
void signature_title(struct span line, char out[SIGNATURE_TITLE_MAX]);
/* Makes a signature from a title line and the text of the report that follows it (Linux's oops
 * format: `epc : function+0x12/0x34` and the lines of `Call Trace:`). Frames of the reporting
 * itself (dump_stack, panic, …) are left out. */
void signature_make(enum verdict verdict, struct span title, struct span report,
                    struct signature *out);
/* "fail: title (frame, frame)", one line. */
bool signature_text(const struct signature *signature, struct buf *out, struct err *err);

#endif
