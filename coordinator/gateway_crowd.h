/* gateway_crowd.h — private to the gateway's process: puts connections out when there are too many.
 *
 * nanomsg has no limit of its own, and at the limit on open files it spins on the connection that
 * it cannot accept. So that limit is kept some way above ours, and those over ours are put out from
 * below nanomsg, by shutting their sockets down, which it takes for a peer that has gone. */
#ifndef THAW_COORDINATOR_GATEWAY_CROWD_H
#define THAW_COORDINATOR_GATEWAY_CROWD_H

#include <stdint.h>

/* Shuts down `count` connections of this process, those first that have said next to nothing, then
 * those that have been silent for longest; connections of this host's own programs (ipc) last.
 * `keep_fd` is none of them; descriptors are looked for below `fd_limit`. Returns how many it was.
 */
uint32_t crowd_put_out(uint32_t count, int keep_fd, int fd_limit);

#endif
