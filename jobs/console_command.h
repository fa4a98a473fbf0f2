/* console_command.h — one shell command through a console: what to type, and how to find its output
 * and exit status in what comes back.
 *
 * Typed, on one line (MARK is six hexadecimal digits made from the command's text):
 *     echo @\MARK;(eval 'COMMAND');echo @\MARK $?
 * The shell takes the backslash away, so only the *output* of echo can contain `@MARK`: the
 * terminal's echo of what was typed cannot be taken for it, however it is wrapped. The command runs
 * in a subshell and inside eval, so that a syntax error, a comment, `exit` or a change of directory
 * harm nobody. Works in any POSIX shell.
 *
 * With something to do before (unpack the job disk) and after (pack results):
 *     echo @\MARK;(eval 'BEFORE'&&echo @\MARK +&&eval 'COMMAND');echo @\MARK $?;(eval 'AFTER');echo
 * @\MARK -$?
 *
 * | line in the output | meaning                                        |
 * |--------------------|------------------------------------------------|
 * | @MARK              | the line was read, what follows is output      |
 * | @MARK +            | BEFORE is done, what follows is output         |
 * | @MARK 3            | the command (or BEFORE) ended with status 3    |
 * | @MARK -0           | AFTER ended with status 0                      | */
#ifndef THAW_JOBS_CONSOLE_COMMAND_H
#define THAW_JOBS_CONSOLE_COMMAND_H

#include "storage/base/buf.h"

#define CONSOLE_COMMAND_MAX      16384 /* bytes of a command */
#define CONSOLE_COMMAND_LINE_MAX 900   /* of one line of it: shells on a console take about 1,000 */
#define CONSOLE_MARK_SIZE        6

struct console_mark {
    char text[CONSOLE_MARK_SIZE + 1];
};

/* The same command text always has the same mark. */
struct console_mark console_mark_of(const char *command);

/* The bytes to type, with the final Enter (CR). `before` and `after` may be NULL. ERR_INVALID for
 * control characters that a console would act on; ERR_TOO_BIG for a line over the limit. */
bool console_command_typed(const char *command, const char *before, const char *after,
                           struct buf *out, struct err *err);
/* The same check without the bytes. */
bool console_command_check(const char *command, struct err *err);

enum console_mark_kind { MARK_NONE, MARK_BEGIN, MARK_READY, MARK_END, MARK_AFTER };

/* Finds marks in text that comes byte by byte, at the line end that completes one. */
struct console_mark_finder {
    struct console_mark mark;
    char tail[24]; /* private: the last bytes */
    size_t tail_size;
};
void console_mark_finder_init(struct console_mark_finder *finder, const char *command);
/* `status` is set for MARK_END and MARK_AFTER; `size` (bytes of the mark, line end included) for
 * all but MARK_NONE. */
enum console_mark_kind console_mark_finder_put(struct console_mark_finder *finder, uint8_t byte,
                                               int32_t *status, size_t *size);

#endif
