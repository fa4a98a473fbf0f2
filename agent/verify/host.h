/* host.h — the side of `thaw verify` that thaws and runs: answers the requests of message.h. */
#ifndef THAW_AGENT_VERIFY_HOST_H
#define THAW_AGENT_VERIFY_HOST_H

#include "agent/session.h"
#include "agent/verify/input.h"
#include "agent/verify/message.h"

#define VERIFY_SCRIPT_MAX (INPUT_BYTES_MAX + (1u << 20)) /* bytes of the requests of one script */

/* False only when it cannot go on: what is read is no request, or what is written is not taken.
 * Requests that fail are answered with their error. */
bool verify_host_run(int in, int out, struct err *err);

/* Answers requests that were all made beforehand, on a machine that is thawed already: INPUTS, one
 * THAW of the checkpoint that it came from, then RUN, STATE, CHANGED, CHUNK, NEXT. The rest is
 * refused: no store is at hand, and there is no going back but by another script. Appends the
 * answers' frames; what has no room is ERR_TOO_BIG. */
bool verify_host_script(struct session *session, struct span requests, struct buf *out,
                        struct err *err);

#endif
