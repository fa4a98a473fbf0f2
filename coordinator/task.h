/* task.h — what the core goes on with after a commit, a piece at a time: requests that wait for an
 * event, streams of events, long reports.
 *
 * A task lives in the service's list. `step` is called after each commit, outside of brackets; it
 * moves on by a bounded piece and says when it wants to be called again at the latest. */
#ifndef THAW_COORDINATOR_TASK_H
#define THAW_COORDINATOR_TASK_H

#include "coordinator/api.h"

#define TASKS_MAX 2048

enum task_state {
    TASK_WAITS, /* until something changes, or task->due_ns */
    TASK_MORE,  /* has more to do at once */
    TASK_DONE,
};

struct task {
    struct task *next;
    /* `task` is the first member of what `step` and `release` know. */
    enum task_state (*step)(struct service *service, struct task *task);
    void (*release)(struct task *task);
    uint64_t due_ns;             /* monotonic; UINT64_MAX: none */
    struct api_request *request; /* still to be answered, or NULL; the task's */
    struct http_stream *stream;  /* NULL: none; the task's */
};

struct task_list {
    struct task *first;
    size_t count;
};

/* ERR_TIMEOUT if there are TASKS_MAX. */
bool task_add(struct task_list *list, struct task *task, struct err *err);
/* Steps all; gives the earliest time that one of them wants, 0 if one has more to do. */
uint64_t task_step_all(struct task_list *list, struct service *service);
/* Ends all: requests are failed by `err`, streams are cut. */
void task_end_all(struct task_list *list, const struct err *err);

#endif
