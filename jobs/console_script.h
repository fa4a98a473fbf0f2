/* console_script.h — tests and freeze points driven through a console: a pure state machine.
 *
 * In: the bytes a guest puts out, with the instruction count at which they came. Out: bytes to
 * type, and at last a result. It knows no clock but the counts handed in, so the same guest always
 * gives the same result.
 *
 *     script = console_script_new(&plan, &err);
 *     console_script_start(script, machine_instructions(m));
 *     until console_script_result(script):
 *         give console_script_typed() to the guest, then console_script_take() what it took
 *         run the machine to console_script_deadline(), stopping when it puts something out
 *             that changes the script: if (console_script_put(script, bytes, now)) machine_stop(m)
 *         console_script_advance(script, now), or _halt() when it has stopped for good, or
 *             _idle() when nothing goes on
 *
 * States: each step is waiting or done; they are done in order.
 * | step       | done when                                             | otherwise                    |
 * |------------|-------------------------------------------------------|------------------------------|
 * | SEND       | at once: its bytes are queued                         |                              |
 * | EXPECT     | the pattern matches output that came after the last   | timeout after `instructions` |
 * |            | step                                                  |                              |
 * | EXPECT_NOT | `instructions` have passed without a match; 0: at     | fail at a match              |
 * |            | once, and the pattern stays forbidden to the end      |                              |
 * | WAIT       | `instructions` have passed                            |                              |
 * | COMMAND    | its exit status has come, and all its checks hold     | fail; timeout                |
 * | HALT       | the machine has powered off (with `check.exit_status`)| fail on another; timeout     |
 *
 * After the last step the result is a pass. Patterns see text as console_filter.h makes it, and are
 * those of pattern.h. A command waits for the prompt first, unless the guest is at it. */
#ifndef THAW_JOBS_CONSOLE_SCRIPT_H
#define THAW_JOBS_CONSOLE_SCRIPT_H

#include "jobs/verdict.h"
#include "storage/base/buf.h"

#define CONSOLE_STEPS_MAX  1000
#define CONSOLE_GUARDS_MAX 16
#define CONSOLE_OUTPUT_MAX (1u << 20) /* kept of a command's output */
#define CONSOLE_REASON_MAX 512

enum console_step_kind {
    CONSOLE_SEND,
    CONSOLE_EXPECT,
    CONSOLE_EXPECT_NOT,
    CONSOLE_WAIT,
    CONSOLE_COMMAND,
    CONSOLE_HALT,
};

/* What a command's result must be. Zeroed: exit status 0, any output. */
struct console_check {
    bool any_status;
    int32_t exit_status;
    const char *output;        /* exactly, but for line ends at the end; NULL: anything */
    const char *const *expect; /* patterns, each found somewhere in the output */
    size_t expect_count;
    const char *const *reject; /* patterns, none found */
    size_t reject_count;
};

struct console_step {
    enum console_step_kind kind;
    struct span bytes;  /* SEND */
    const char *text;   /* EXPECT, EXPECT_NOT: pattern; COMMAND: shell text */
    const char *before; /* COMMAND: shell text run first, or NULL; its failure is `infra` */
    const char *after;  /* COMMAND: shell text run afterwards, or NULL; its failure is a failure */
    uint64_t instructions; /* see the table; EXPECT, COMMAND, HALT: 0 means the plan's limit only */
    struct console_check check;
};

struct console_plan {
    const struct console_step *steps;
    size_t step_count;
    const char *prompt;        /* pattern; NULL: commands are typed without waiting */
    bool at_prompt;            /* the guest shows its prompt when the script starts */
    uint64_t instructions_max; /* of the whole script; 0: no limit */
};

struct console_result {
    enum verdict verdict;
    int32_t exit_status; /* of the last command that ended, or the machine's at HALT; -1: none */
    size_t step;         /* where it ended; the plan's step_count if all were done */
    uint64_t now;        /* instructions when it ended */
    char reason[CONSOLE_REASON_MAX]; /* one sentence; "" for a pass */
};

struct console_script; /* opaque, heap */

/* The plan and all it points to must outlive the script. Compiles all patterns: ERR_INVALID,
 * ERR_TOO_BIG. */
struct console_script *console_script_new(const struct console_plan *plan, struct err *err);
void console_script_free(struct console_script *script);
/* Once, before anything else. Counts begin at `now`. */
void console_script_start(struct console_script *script, uint64_t now);

/* Takes output that came at `now`. Returns true if there is something to do: bytes to type, a
 * result, or a nearer deadline. How output is cut into pieces makes no difference. */
bool console_script_put(struct console_script *script, struct span bytes, uint64_t now);
/* Tells the time; `now` never goes back. Returns like console_script_put. */
bool console_script_advance(struct console_script *script, uint64_t now);
/* The machine has powered off, or asked for a reboot. There is a result afterwards. */
void console_script_halt(struct console_script *script, uint64_t exit_code, uint64_t now);
/* The machine waits for input and nothing else can happen: waits are over, anything else times out.
 */
void console_script_idle(struct console_script *script, uint64_t now);
/* Ends the script from outside: wall clock, cancellation, a monitor's report. No effect on one that
 * has a result. */
void console_script_stop(struct console_script *script, enum verdict verdict, const char *reason,
                         uint64_t now);

/* Bytes waiting to be typed; valid until the next call. */
struct span console_script_typed(const struct console_script *script);
/* The guest took the first `count` of them. */
void console_script_take(struct console_script *script, size_t count);
/* The count at which console_script_advance must be called at the latest; UINT64_MAX: none. */
uint64_t console_script_deadline(const struct console_script *script);
/* NULL until it has ended. */
const struct console_result *console_script_result(const struct console_script *script);
/* Output of the last command (while it runs: so far), as text; without commands, all output since
 * the start. Cut at CONSOLE_OUTPUT_MAX; `whole` (may be NULL) tells if nothing is missing. */
struct span console_script_output(const struct console_script *script, bool *whole);

#endif
