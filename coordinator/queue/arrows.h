/* arrows.h — the life of a job as a table of arrows: in this state, at this event, this function
 * runs and this state is next. There is no other way to change a job's state. ARROWS.md is this
 * table as text. */
#ifndef THAW_COORDINATOR_QUEUE_ARROWS_H
#define THAW_COORDINATOR_QUEUE_ARROWS_H

#include "coordinator/queue/internal.h"

enum job_event {
    EVENT_QUEUE,   /* there is nothing to wait for */
    EVENT_HOLD,    /* it needs another job, or a boot */
    EVENT_ANSWER,  /* its verdict is known without running it */
    EVENT_BLOCK,   /* what it needs has failed */
    EVENT_GRANT,   /* leased to an agent */
    EVENT_RESULT,  /* its agent says what came of it */
    EVENT_RETRY,   /* its agent says `infra`, and it may try again */
    EVENT_LOST,    /* its agent has gone, and it may try again */
    EVENT_GIVE_UP, /* its agent has gone, once too often */
    EVENT_RETURN,  /* its agent gave it back, or never got it */
    EVENT_CANCEL,  /* somebody wants it to stop */
};
#define JOB_EVENT_COUNT 11

/* What comes with an event; what is not used is zero. */
struct job_change {
    enum verdict verdict;              /* ANSWER, BLOCK, CANCEL */
    const char *reason;                /* ANSWER, BLOCK, CANCEL; NULL: none */
    uint64_t result;                   /* ANSWER: lease of the attempt that answers; 0: none */
    struct hash checkpoint;            /* ANSWER of a boot; QUEUE of what waited for one */
    struct lease *lease;               /* from RUNNING and STOPPING: the one that ends; freed */
    enum attempt_ending ending;        /* how it ended */
    const struct queue_result *record; /* RESULT, RETRY */
    uint64_t avoid;                    /* QUEUE: agent (row) that should not have it; 0: none */
    struct agent *agent;               /* GRANT */
    uint64_t *granted;                 /* GRANT: the lease's number */
};

struct arrow {
    enum job_state from;
    enum job_event event;
    enum job_state to;
    void (*function)(struct queue *queue, struct job *job, const struct job_change *change);
    const char *function_name;
};

extern const struct arrow arrows[];
extern const size_t arrow_count;

const char *job_event_name(enum job_event event);
/* NULL: refused. */
const struct arrow *arrow_find(enum job_state from, enum job_event event);
/* Follows the arrow; ERR_CONFLICT if there is none, and nothing has changed. */
bool job_follow(struct queue *queue, struct job *job, enum job_event event,
                const struct job_change *change, struct err *err);
/* The same where there must be one. */
void job_go(struct queue *queue, struct job *job, enum job_event event,
            const struct job_change *change);
/* The table as text (ARROWS.md). */
bool arrows_write(struct buf *out, struct err *err);

#endif
