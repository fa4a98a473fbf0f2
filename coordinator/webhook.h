/* webhook.h — what happens at the end of a run: a signed POST to a URL, a command on this host.
 *
 * Both are tried at least once and not for ever: a POST HOOK_POST_TRIES times (no connection, 5xx,
 * 408, 429; any other answer is final), a command HOOK_COMMAND_TRIES times (an exit status other
 * than 0, a signal, HOOK_COMMAND_S seconds over), each time after a longer wait, by the injected
 * clock. What came of it is written to a file of the run's; a run that has none when the
 * coordinator starts is delivered again, so receivers may see one twice: X-Thaw-Delivery names it.
 *
 * The POST: `Content-Type: application/json`, the run as GET /api/v1/runs/N shows it, and
 *   X-Thaw-Delivery: run-N
 *   X-Thaw-Signature: t=SECONDS,v1=HEX     (if there is a secret)
 * where HEX is HMAC-SHA256 (RFC 2104) with the secret's bytes of the text "SECONDS." and the body:
 * a receiver checks it, and that SECONDS is near. Redirections are not followed; the answer's body
 * is thrown away.
 *
 * The command gets the same JSON on its standard input, the run's number as argument, and an
 * environment of PATH and THAW_RUN only. */
#ifndef THAW_COORDINATOR_WEBHOOK_H
#define THAW_COORDINATOR_WEBHOOK_H

#include "storage/base/buf.h"
#include "storage/base/clock.h"

#define HOOKS_MAX          1024 /* that wait or run */
#define HOOK_BODY_MAX      65536
#define HOOK_POST_TRIES    8
#define HOOK_COMMAND_TRIES 3
#define HOOK_COMMAND_S     60
#define HOOK_WAIT_MS       1000 /* before the second try; then times 4, at most an hour */

struct hooks; /* opaque */

struct hooks_options {
    const char *folder;               /* of the outcomes; made if missing */
    const struct clock_source *clock; /* borrowed */
    bool threaded;                    /* moves on in a thread of its own; else by hooks_turn */
};
bool hooks_open(const struct hooks_options *options, struct hooks **out, struct err *err);
/* What is under way is given up, to be begun again the next time. NULL does nothing. */
void hooks_close(struct hooks *hooks);

struct hook_request {
    uint64_t run;
    const char *url;     /* NULL: no POST */
    struct span secret;  /* size 0: not signed */
    const char *command; /* path of a program; NULL: none */
    struct span body;    /* JSON */
};
/* Copies. ERR_TOO_BIG: too many wait, or too long a body. Any thread. */
bool hooks_add(struct hooks *hooks, const struct hook_request *request, struct err *err);
/* Moves on; waits at most so long for the network. Only if not threaded. */
void hooks_turn(struct hooks *hooks, uint32_t wait_ms);
/* Deliveries that are not over. */
size_t hooks_waiting(struct hooks *hooks);
/* The run's outcome as JSON: {"run", "webhook", "command"}, each of the two null or {"tries",
 * "delivered", "status", "error", "ended_s"}. ERR_NOT_FOUND: not over, or there were no hooks. */
bool hooks_outcome(const char *folder, uint64_t run, struct buf *out, struct err *err);

struct hooks_figures {
    uint64_t delivered, failed, tries;
};
void hooks_figures(struct hooks *hooks, struct hooks_figures *out);

/* "t=SECONDS,v1=HEX"; `out` has HOOK_SIGNATURE_SIZE bytes. */
#define HOOK_SIGNATURE_SIZE 128
void hook_sign(struct span secret, uint64_t seconds, struct span body, char *out);

#endif
