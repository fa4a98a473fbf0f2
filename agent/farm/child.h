/* child.h — the agent's processes: forked so that none outlives its parent, and the channels on
 * which they are told things.
 *
 * A channel is a pair of connected SOCK_SEQPACKET sockets: whole messages, file descriptors with
 * them, and an end that is seen when the other process is gone. Both ends are the same program:
 * messages are plain structs. */
#ifndef THAW_AGENT_FARM_CHILD_H
#define THAW_AGENT_FARM_CHILD_H

#include "storage/base/buf.h"

#include <sys/types.h>

#define CHANNEL_FDS_MAX 4

bool channel_pair(int ends[2], struct err *err);
/* Sends one message, and `fd` with it (-1: none), which stays the caller's. ERR_CONFLICT if the
 * other end is closed. */
bool channel_send(int channel, struct span message, int fd, struct err *err);
/* Waits for one message. *size 0: the other end is closed. A descriptor that came is the caller's
 * (-1: none). ERR_TOO_BIG for a message that does not fit into `room`. */
struct channel_message {
    void *bytes;
    size_t room;
    size_t size; /* out */
    int fd;      /* out */
};
bool channel_receive(int channel, struct channel_message *message, struct err *err);

/* Forks. 0 in the child, which is killed when its parent ends, has no signal handlers, takes no
 * notice of SIGINT, SIGTERM and SIGHUP (whoever wants it ended kills it, or closes its channel),
 * and goes on only with standard error and the descriptors given. -1: ERR_… */
pid_t child_fork(const int *keep, size_t keep_count, struct err *err);
/* Ends this process without a look back: nothing is flushed that its parent may flush too. */
_Noreturn void child_end(int status);
/* Waits for one child of ours to end. */
void child_wait(pid_t pid, int *status);
/* "signal 9 (Killed)", "status 3"; how a process ended. */
void child_status_text(int status, char *text, size_t size);

/* Blocks a signal and has it read from a descriptor. The caller closes it. */
bool child_signals(const int *signals, size_t count, int *fd, struct err *err);
/* Reads all that is there. True if `signal` was among it. */
bool child_signal_taken(int fd, int signal);

#endif
