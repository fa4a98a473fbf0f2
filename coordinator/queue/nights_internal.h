/* nights_internal.h — what submitting needs of schedules: a slot starts once. */
#ifndef THAW_COORDINATOR_QUEUE_NIGHTS_INTERNAL_H
#define THAW_COORDINATOR_QUEUE_NIGHTS_INTERNAL_H

#include "coordinator/queue/internal.h"
#include "coordinator/queue/nights.h"

/* ERR_NOT_FOUND: no such schedule; ERR_CONFLICT: it was started for that slot before. */
bool slot_is_free(struct queue *queue, uint64_t schedule, int64_t slot_s, struct err *err);
void slot_take(struct queue *queue, uint64_t schedule, int64_t slot_s, uint64_t run);

#endif
