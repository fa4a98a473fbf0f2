/* link.h — an agent's conversation with its coordinator: one sealed request at a time, its answer.
 *
 * A link belongs to the process and the thread that opened it: libnanomsg does not survive a fork,
 * so processes that fork workers must not have opened one (CHECK). Work and beats have a link each.
 *
 * The request is sent again after resend_ms, after twice that, and so on up to eight times that,
 * until its answer is there or its deadline has come; over a new connection after two tries without
 * a sign of the coordinator (a peer that hangs is not noticed by TCP; a request that is held gets
 * signs). A sign is a reply, and to each request nanomsg lets one through: after it the request is
 * sent once more, for the answer to go to. The coordinator knows repetitions by their counter.
 * After a deadline the link is ready for the next request; the old one may or may not have been
 * handled. */
#ifndef THAW_AGENT_FARM_LINK_H
#define THAW_AGENT_FARM_LINK_H

#include "jobs/wire/seal.h"
#include "storage/base/clock.h"

struct link;

struct link_options {
    const char *url;              /* "tcp://HOST:PORT", "tcp://[IPv6]:PORT", "ipc://PATH" */
    const struct seal_keys *keys; /* the agent's; copied */
    const uint8_t *coordinator;   /* SEAL_KEY_SIZE bytes: its public key */
    struct message_id agent;      /* zero: to enrol */
    enum seal_channel channel;
    const struct clock_source *clock; /* borrowed; NULL: the host's */
    uint32_t resend_ms;               /* 0: 1000 */
};

/* Opens no connection yet: a coordinator that is not there is no error here, a bad URL is. */
bool link_open(const struct link_options *options, struct link **out, struct err *err);
void link_close(struct link *link); /* NULL does nothing */

/* Starts a request and returns at once. `timeout_ms` is counted from now; a claim's must be longer
 * than its wait_ms. ERR_TOO_BIG, ERR_INVALID: nothing was sent. ERR_CONFLICT: one is under way. */
bool link_send(struct link *link, const struct message *request, uint32_t timeout_ms,
               struct err *err);

enum link_state {
    LINK_IDLE,    /* no request under way */
    LINK_WAITING, /* call again when link_fd is readable, or at link_deadline_ns */
    LINK_ANSWERED,
    LINK_FAILED, /* ERR_TIMEOUT; or an answer of a version that is not understood */
};
/* Moves on without waiting. LINK_ANSWERED: `answer` is set, its spans live until the next link_send
 * or link_turn; a `refused` is an answer too. `err` is set on LINK_FAILED (and on
 * no other state). */
enum link_state link_turn(struct link *link, struct message *answer, struct err *err);
/* For poll(2), POLLIN; another after a reconnection: ask before each poll. */
int link_fd(const struct link *link);
/* Monotonic time of the injected clock; UINT64_MAX when idle. */
uint64_t link_deadline_ns(const struct link *link);
/* Gives up the request under way, if any. */
void link_cancel(struct link *link);

/* All at once, waiting: sends, waits for the answer. A `refused` is turned into its error. */
bool link_call(struct link *link, const struct message *request, uint32_t timeout_ms,
               struct message *answer, struct err *err);

#endif
