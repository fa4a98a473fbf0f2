/* brood.h — the worker processes of one parent: started, guarded by the clock, ended, told of. */
#ifndef THAW_AGENT_FARM_BROOD_H
#define THAW_AGENT_FARM_BROOD_H

#include "agent/farm/worker.h"

#include <sys/types.h>

enum brood_end {
    BROOD_ENDED,     /* by itself: see wait_status */
    BROOD_GUARD,     /* it outlived its guard_ms and was killed */
    BROOD_CANCELLED, /* killed, as asked for */
    BROOD_LOST,      /* never started, or its template died: see text */
};

/* Tells that a job's process is gone. Crosses channels. */
struct brood_event {
    uint64_t token; /* 0: not of one job but of the template that sends it */
    uint32_t end;   /* enum brood_end */
    int32_t wait_status;
    char text[256]; /* why, for people; "" : nothing to add */
};

struct brood_child {
    uint64_t token;
    uint64_t deadline_ns; /* UINT64_MAX: none */
    pid_t pid;
    enum brood_end end;
};
struct brood {
    struct brood_child *children; /* owned */
    size_t count, capacity;
};

/* Forks a worker; `fd` stays the caller's. */
bool brood_start(struct brood *brood, const struct worker_place *place,
                 const struct worker_order *order, struct session *session, int fd,
                 struct err *err);
/* Kills the worker of that token. False if there is none. */
bool brood_cancel(struct brood *brood, uint64_t token);
/* Kills those that are past their deadline. */
void brood_guard(struct brood *brood);
/* For poll(2): until the next deadline; -1: none. */
int brood_timeout_ms(const struct brood *brood);

struct brood_watch {
    void (*ended)(void *context, const struct brood_event *event);
    /* A child that is no worker of this brood; may be NULL. */
    void (*other)(void *context, pid_t pid, int wait_status);
    void *context;
};
/* Takes leave of every child that has ended. */
void brood_reap(struct brood *brood, const struct brood_watch *watch);
/* Kills all and waits for them. */
void brood_release(struct brood *brood);

#endif
