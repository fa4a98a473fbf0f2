/* peer.h — one of the hosts that `thaw verify` drives: a process that speaks message.h on its
 * standard input and output. What it writes on standard error is kept for the report of its death.
 *
 * Requests are queued and sent as the host takes them; answers come in order. A host fails once and
 * for good: it ended, it spoke nonsense, or it was silent for longer than the guard, which grows
 * with what it was asked to do and with how long the same took it before. Whoever starts peers must
 * ignore SIGPIPE. */
#ifndef THAW_AGENT_VERIFY_PEER_H
#define THAW_AGENT_VERIFY_PEER_H

#include "agent/verify/message.h"
#include "storage/base/clock.h"

#define PEER_NAME_MAX    64
#define PEER_WORDS_MAX   64
#define PEER_STDERR_MAX  2000 /* the end of it */
#define PEER_WAITING_MAX 64   /* requests not answered yet */

/* How long a silent host is waited for: this, and for what it was asked to run, as long as the
 * slowest host worth verifying takes; once it has run, PEER_GUARD_FACTOR times what it needed. */
#define PEER_GUARD_NS              UINT64_C(120000000000)
#define PEER_INSTRUCTIONS_A_SECOND UINT64_C(200000)
#define PEER_GUARD_FACTOR          20
/* That: `million_ns` is what a million instructions took it at most, 0 if it has run none yet. */
uint64_t peer_guard_ns(uint64_t least_ns, uint64_t instructions, uint64_t million_ns);

struct peer_options {
    const char *name;
    const char *command; /* see words.h; "verify-host" is added */
    const struct clock_source *clock;
    uint64_t guard_ns; /* 0: PEER_GUARD_NS */
};

struct peer; /* opaque */

/* Starts the process and greets it. A process that cannot be started is ERR_USAGE. */
bool peer_start(const struct peer_options *options, struct peer **out, struct err *err);
/* Closes its input; waits a little, then kills it. NULL is fine. */
void peer_stop(struct peer *peer);

const char *peer_name(const struct peer *peer);
/* "Linux s390x, 64 bits, big endian"; empty before its greeting was answered. */
const char *peer_description(const struct peer *peer);
/* NULL while it works; what befell it otherwise. */
const struct err *peer_failure(const struct peer *peer);
/* Marks it failed, ends it. */
void peer_fail(struct peer *peer, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Queues a request; its number is filled in here. `instructions`: how many it runs, for the guard.
 * Nothing happens if the peer has failed. */
void peer_ask(struct peer *peer, const struct verify_message *request, uint64_t instructions);
/* Requests not answered yet. */
size_t peer_waiting(const struct peer *peer);
/* The next answer, if one is there; its spans are valid until peers_wait. */
bool peer_answer(struct peer *peer, struct verify_message *out);
/* Sends and receives until any peer has an answer or has failed newly; returns at once if none of
 * them waits for any. */
void peers_wait(struct peer *const *peers, size_t count);
/* Asks one thing and waits for its answer. False: the peer refused (err has its sentence) or has
 * failed. */
bool peer_call(struct peer *peer, const struct verify_message *request,
               struct verify_message *answer, struct err *err);

#endif
