/* console_check.h — is a command's result what it must be? Private to jobs/. */
#ifndef THAW_JOBS_CONSOLE_CHECK_H
#define THAW_JOBS_CONSOLE_CHECK_H

#include "jobs/console_script.h"

/* True if all holds. Otherwise writes one sentence of at most CONSOLE_REASON_MAX bytes to `reason`.
 */
bool console_check_status(const struct console_check *check, int64_t status, char *reason);
bool console_check_output(const struct console_check *check, struct span output, char *reason);
/* The end of some text, for messages: its last line that is not blank, printable, at most `size` -
 * 1 bytes. */
void console_last_line(struct span text, char *out, size_t size);
/* "step 3 (expect /login:/)"; counts from 1. */
void console_describe(const struct console_step *step, size_t index, char *out, size_t size);

#endif
