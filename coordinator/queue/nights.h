/* nights.h — runs that start by themselves: schedules, kept in the database.
 *
 * A schedule holds what to submit as bytes that only the caller understands (a submission's JSON),
 * and when: a cron expression and a time zone. Starting is submitting with queue_run_request
 * .schedule and .slot_s, in the bracket in which it came due: the slot is used up with it, or not
 * at all, so no slot starts twice, whatever is killed when. */
#ifndef THAW_COORDINATOR_QUEUE_NIGHTS_H
#define THAW_COORDINATOR_QUEUE_NIGHTS_H

#include "coordinator/queue/queue.h"

#define QUEUE_CRON_MAX     256
#define QUEUE_SCHEDULE_MAX (16u << 20) /* bytes of what to submit */

struct queue_schedule {
    uint64_t id;
    const char *name; /* unique */
    const char *cron;
    const char *time_zone;  /* "UTC" */
    enum job_missed missed; /* while the coordinator was down: run once, or skip */
    bool paused;
    struct span request; /* what to submit */
    int64_t next_s;      /* when it starts next; since 1970 */
    int64_t last_slot_s; /* that was started last; INT64_MIN: none */
    uint64_t last_run;   /* that it started; 0: none */
    const char *error;   /* why the last slot did not start; "" */
};

/* Adds one, or changes the one of that name (what it started stays known; `next_s` is new). `id` is
 * written. ERR_INVALID: cron, time zone. */
bool queue_schedule_set(struct queue *queue, const struct queue_schedule *schedule, uint64_t *id,
                        struct err *err);
bool queue_schedule_remove(struct queue *queue, const char *name, struct err *err);
bool queue_schedule_pause(struct queue *queue, const char *name, bool paused, struct err *err);
typedef bool queue_schedule_callback(void *context, const struct queue_schedule *schedule);
bool queue_schedules_each(struct queue *queue, queue_schedule_callback *each, void *context,
                          struct err *err);

/* Submits what a schedule says, for that slot (queue_run_submit). On an error of the request (not
 * of the database) the slot is used up too, and the error is logged and kept with the schedule. */
typedef bool queue_start_callback(void *context, const struct queue_schedule *schedule,
                                  int64_t slot_s, struct err *err);
/* Starts what is due; in a bracket, as often as queue_tick. A slot more than QUEUE_LATE_S ago was
 * missed: of all that were missed the last is started if the schedule says so. Clocks set back
 * start nothing again. */
#define QUEUE_LATE_S 60
bool queue_nights(struct queue *queue, queue_start_callback *start, void *context, struct err *err);
/* The next time that something is due, since 1970; INT64_MAX: never. */
int64_t queue_nights_next(struct queue *queue);

#endif
