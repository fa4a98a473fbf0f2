/* peer.h — the coordinator's side of sealed conversations: envelopes in, messages of known agents
 * out; answers in, envelopes out. No sockets, no clock, no database; one thread.
 *
 * It fits the core's loop (group commit):
 *
 *     queue_begin
 *     while gateway_next: if (peers_receive(…, &request)) handle it:
 *         either peers_answer(request.slot, …) at once, or keep request.slot and answer later
 *     answer kept slots whose time has come
 *     queue_commit: peers_commit sends all answers;   failed: peers_abort forgets them
 *
 * One request at a time for each agent and channel: a slot. While it is open, a repetition of the
 * request only changes where its answer goes (and is told to wait). After the answer, a repetition
 * gets the same bytes. A request with a higher counter closes the slot before it (the agent has
 * given up on it). Nothing here survives the process, and nothing has to: agents ask again (seal.h,
 * sessions), so handling a request twice must be harmless (a grant that was lost is found out by
 * beats). */
#ifndef THAW_COORDINATOR_PEER_H
#define THAW_COORDINATOR_PEER_H

#include "jobs/wire/seal.h"

#define PEERS_MAX       16384
#define PEERS_ENROL_MAX 64 /* enrolments at a time */

struct peers;

struct peers_options {
    const struct seal_keys *keys; /* the coordinator's; copied */
    size_t peers_max;             /* 0: PEERS_MAX; the one heard of longest ago makes room */
    void *context;                /* of both */
    /* The public key of an agent that may talk; false if there is none (or no more). Asked when an
     * agent is first heard of, and again after peers_forget. */
    bool (*find)(void *context, const struct message_id *agent, uint8_t public_key[SEAL_KEY_SIZE]);
    /* Sends an envelope where `route` says; may drop it. gateway_send fits (own context). */
    void (*send)(void *context, struct span route, struct span bytes);
    void *send_context;
};

struct peer_request {
    uint64_t slot;           /* for peers_answer; never 0, never used twice */
    struct message_id agent; /* proven; zero: one that enrols, the message is MESSAGE_ENROL */
    enum seal_channel channel;
    const struct message *message; /* until the next peers_receive; never an answer's kind */
};

/* Of the last three the 1st, 2nd, 4th, 8th, … is logged with the sender it names. */
struct peers_figures {
    uint64_t requests; /* handed out */
    uint64_t repeated; /* answered again, or waiting already */
    uint64_t sessions; /* sent to another session */
    uint64_t forged;   /* not sealed by whom they name */
    uint64_t unknown;  /* of no known agent */
    uint64_t
        malformed;  /* no envelope; or sealed well, but no message: these are answered `refused` */
    uint64_t stale; /* counters of the past */
};

/* Never fails but for libsodium. */
bool peers_new(const struct peers_options *options, struct peers **out, struct err *err);
void peers_free(struct peers *peers);
/* Takes one envelope. True if `out` is a request to handle; false if there is nothing to do (it was
 * repeated, forged, malformed, …; counted, answered where an answer is due). */
bool peers_receive(struct peers *peers, struct span route, struct span bytes,
                   struct peer_request *out);
/* Whether somebody still waits there: ask before leasing jobs to a claim that was held. */
bool peers_waits(const struct peers *peers, uint64_t slot);
/* Encodes and seals an answer, to be sent by peers_commit. Does nothing if nobody waits there.
 * ERR_TOO_BIG, ERR_INVALID as message_encode says: then the slot is still open. */
bool peers_answer(struct peers *peers, uint64_t slot, const struct message *message,
                  struct err *err);
/* The same with `refused`. */
void peers_refuse(struct peers *peers, uint64_t slot, const struct err *err);
/* Sends all answers since the last commit or abort. */
void peers_commit(struct peers *peers);
/* Forgets all requests received and all answers made since the last commit or abort, as if they had
 * not arrived: their senders will ask again. Slots held from before stay open unless answered. */
void peers_abort(struct peers *peers);
/* The agent's key has changed or it may not talk any more: asks `find` again at its next word. */
void peers_forget(struct peers *peers, const struct message_id *agent);
void peers_figures(const struct peers *peers, struct peers_figures *out);

#endif
