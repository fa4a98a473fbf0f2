/* host.h — the side of `thaw verify` that thaws and runs: answers the requests of message.h, from
 * one descriptor to another, until the first ends. */
#ifndef THAW_AGENT_VERIFY_HOST_H
#define THAW_AGENT_VERIFY_HOST_H

#include "agent/verify/message.h"

/* False only when it cannot go on: what is read is no request, or what is written is not taken.
 * Requests that fail are answered with their error. */
bool verify_host_run(int in, int out, struct err *err);

#endif
