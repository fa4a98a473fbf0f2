/* nursery.h — a small process, forked before anything that does not survive a fork (sockets of the
 * farm, threads), which forks the agent's other processes whenever the agent asks: the first time,
 * and again when one died. All of them end with it, and it with the agent. */
#ifndef THAW_AGENT_FARM_NURSERY_H
#define THAW_AGENT_FARM_NURSERY_H

#include "storage/base/buf.h"

#include <sys/types.h>

/* What a process does: `run` gets one end of a channel (child.h), and its return value is the exit
 * status. All it needs must be in memory when the nursery is opened. */
struct nursery_role {
    const char *name;
    int (*run)(void *context, int channel);
    void *context;
};

struct nursery; /* opaque */
/* Borrows the roles until it is closed. The process must have no other threads. */
bool nursery_open(const struct nursery_role *roles, size_t count, struct nursery **out,
                  struct err *err);
/* Starts a process of that role; *channel is the other end, the caller's. That the process is gone
 * is seen at the channel. */
bool nursery_start(struct nursery *nursery, size_t role, int *channel, struct err *err);
/* Readable when the nursery itself is gone; then nothing is left below it. */
int nursery_fd(const struct nursery *nursery);
pid_t nursery_pid(const struct nursery *nursery);
/* Ends it and everything below it. NULL is fine. */
void nursery_close(struct nursery *nursery);

#endif
