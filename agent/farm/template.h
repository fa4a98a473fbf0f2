/* template.h — a process that thaws one checkpoint once and forks a worker for every test of it:
 * the worker has the machine in memory, shared until written to. */
#ifndef THAW_AGENT_FARM_TEMPLATE_H
#define THAW_AGENT_FARM_TEMPLATE_H

#include "agent/farm/brood.h"

/* What is asked of a spawner, and by it of a template. */
enum spawner_ask { SPAWNER_START, SPAWNER_CANCEL };
struct spawner_request {
    uint32_t ask;
    struct worker_order order; /* of a cancellation: the token alone */
};
/* Sends a request, no larger than it must be; `fd` goes along (-1: none). */
bool spawner_request_send(int channel, const struct spawner_request *request, int fd,
                          struct err *err);
/* ERR_CONFLICT: the other end is closed. *fd is the caller's. */
bool spawner_request_receive(int channel, struct spawner_request *out, int *fd, struct err *err);
bool spawner_event_send(int channel, const struct brood_event *event, struct err *err);
/* ERR_CONFLICT likewise. */
bool spawner_event_receive(int channel, struct brood_event *out, struct err *err);

/* The process's body: until its channel is closed. A checkpoint that cannot be thawed is told of by
 * an event with token 0. Returns the exit status. */
int template_run(const struct worker_place *place, const struct hash *checkpoint, int channel);

#endif
