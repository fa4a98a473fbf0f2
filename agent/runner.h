/* runner.h — one test on one thawed machine: given its payload, driven by its script, judged. */
#ifndef THAW_AGENT_RUNNER_H
#define THAW_AGENT_RUNNER_H

#include "agent/drive.h"
#include "agent/session.h"
#include "jobs/signature.h"

#define RUNNER_STATES_MAX (1u << 20)   /* bytes of the list of states */
#define RUNNER_REPORT_MAX (256u << 10) /* bytes of a monitor's report kept */

struct runner_test {
    const struct console_step *steps;
    size_t step_count;
    const char *prompt;        /* NULL: the checkpoint's */
    uint64_t instructions_max; /* 0: RUNNER_INSTRUCTIONS */
    uint64_t wall_ms_max;      /* 0: RUNNER_WALL_MS */
    bool no_wait;         /* the steps are not commands at a prompt: nothing is assumed of one */
    const uint64_t *seed; /* re-seeds the thawed machine's entropy devices, or NULL */
    struct span payload;  /* a tar for the job disk; size 0: none */
    bool any_monitor;     /* with `monitors`; false: the checkpoint's own choice */
    const struct monitor_choice *monitors;
    size_t monitor_count;
    bool digest; /* compute the state id at the end */
    /* With `digest`: look at the state every so many instructions, too; state_id is then the hash
     * of all those ids, one after the other, the last one at the end. 0: only at the end. */
    uint64_t mark_every;
};
#define RUNNER_INSTRUCTIONS UINT64_C(20000000000)
#define RUNNER_WALL_MS      UINT64_C(600000)

struct runner_result {
    struct console_result console; /* verdict, exit status, reason */
    struct signature signature;    /* of a failure */
    struct buf log;                /* the whole console */
    struct buf output;             /* of the last command */
    struct buf states;             /* of `mark_every`: a line each, "INSTRUCTIONS STATE_ID" */
    uint64_t instructions;         /* executed by this test */
    uint64_t virtual_ns;           /* that passed in it */
    uint64_t wall_ns;              /* thaw not included */
    struct hash state_id;          /* at the end, if asked for; else zero */
};

struct runner_watch {
    void (*output)(void *context, struct span bytes);
    bool (*progress)(void *context, uint64_t instructions, uint64_t virtual_ns);
    void (*input)(void *context, const struct drive_input *input);
    void *context;
};

/* False only if the test could not be run at all; what it came to is in the result, which is filled
 * in either way. `watch` may be NULL. */
bool runner_run(struct session *session, const struct runner_test *test,
                const struct runner_watch *watch, struct runner_result *out, struct err *err);
void runner_result_release(struct runner_result *result); /* safe on a zeroed one */
/* The board's console that tests talk to: the checkpoint's fact, else the first UART. NULL: none.
 */
struct object *runner_console(struct session *session);

#endif
