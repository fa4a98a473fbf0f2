/* verify_relay.h — an enrolled agent as a host of `thaw verify`: the requests of message.h go in,
 * jobs of a coordinator come of them, and their answers go out.
 *
 * An agent keeps nothing between two jobs. So each job is a script of all that was asked since the
 * thaw; it does the same every time, and only the last answers are new. Going back to a mark is a
 * shorter script, and takes no job at all. */
#ifndef THAW_CLI_FARM_VERIFY_RELAY_H
#define THAW_CLI_FARM_VERIFY_RELAY_H

#include "agent/verify/message.h"
#include "storage/remote/remote.h"

#define PEER_AGENT_MAX           64  /* of an agent's name */
#define VERIFY_RELAY_WAITING_MAX 256 /* requests of one job */

struct relay; /* opaque */

/* Borrows the remote. ERR_NOT_FOUND if no agent of that name is enrolled, ERR_CONFLICT if it is
 * not there now. */
bool relay_open(struct remote *remote, const char *agent, struct relay **out, struct err *err);
/* Cancels what is under way. */
void relay_close(struct relay *relay);

/* Takes one request (a whole frame). Its answer, and those of requests that waited, are appended to
 * `out` when they are known: at the latest after relay_flush. False only for what is no request:
 * requests that fail are answered with their error. */
bool relay_take(struct relay *relay, struct span frame, struct buf *out, struct err *err);
/* Runs what waits. */
bool relay_flush(struct relay *relay, struct buf *out, struct err *err);

#endif
