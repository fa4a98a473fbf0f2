/* runs.c — what people do to runs and jobs that are there. */
#include "coordinator/queue/arrows.h"

#include <string.h>

static bool row_exists(struct queue *queue, enum sql statement, uint64_t id)
{
    sqlite3_stmt *row = db_use(&queue->db, statement);

    db_u64(row, 1, id);
    bool found = db_row(&queue->db, row);
    if (found)
        db_end(row);
    return found;
}

/* NULL: with an error, or without one if the run is done. */
static struct run *run_there(struct queue *queue, uint64_t id, bool *is_done, struct err *err)
{
    struct run *run = map_get(&queue->runs, id);

    *is_done = false;
    if (!queue_may_change(queue, err))
        return NULL;
    if (!run) {
        *is_done = row_exists(queue, SQL_RUN_ROW, id);
        if (!*is_done && db_ok(&queue->db, err))
            err_set(err, ERR_NOT_FOUND, "no run %llu", (unsigned long long)id);
    }
    return run;
}

bool queue_run_cancel(struct queue *queue, uint64_t id, const char *reason, struct err *err)
{
    bool is_done;
    struct run *run = run_there(queue, id, &is_done, err);

    if (!run)
        return is_done;
    if (strlen(reason) > QUEUE_TEXT_MAX)
        return err_set(err, ERR_TOO_BIG, "a reason has at most %d bytes", QUEUE_TEXT_MAX);
    run_end(queue, run, *reason ? reason : "cancelled");
    settle(queue);
    return db_ok(&queue->db, err);
}

static bool move(struct queue *queue, uint64_t id, enum run_state from, enum run_state to,
                 struct err *err)
{
    bool is_done;
    struct run *run = run_there(queue, id, &is_done, err);

    if (!run && !is_done)
        return false;
    enum run_state state = run ? run->state : RUN_DONE;
    if (state == to && run)
        return true;
    if (state != from)
        return err_set(err, ERR_CONFLICT, "run %llu is %s", (unsigned long long)id,
                       run_state_name(state));
    run->state = to;
    run_store(queue, run, 0);
    event_run(queue, run);
    queue->work_number++;
    return db_ok(&queue->db, err);
}

bool queue_run_pause(struct queue *queue, uint64_t run, struct err *err)
{
    return move(queue, run, RUN_ACTIVE, RUN_PAUSED, err);
}

bool queue_run_resume(struct queue *queue, uint64_t run, struct err *err)
{
    return move(queue, run, RUN_PAUSED, RUN_ACTIVE, err);
}

bool queue_run_close(struct queue *queue, uint64_t run, struct err *err)
{
    if (!move(queue, run, RUN_OPEN, RUN_ACTIVE, err))
        return false;
    settle(queue);
    return db_ok(&queue->db, err);
}

static struct lease *lease_of(struct queue *queue, uint64_t job)
{
    size_t at = 0;
    struct lease *lease;

    while ((lease = map_next(&queue->leases, &at)) && lease->job != job)
        ;
    return lease;
}

bool queue_job_cancel(struct queue *queue, uint64_t id, const char *reason, struct err *err)
{
    struct job job;

    if (!queue_may_change(queue, err))
        return false;
    if (strlen(reason) > QUEUE_TEXT_MAX)
        return err_set(err, ERR_TOO_BIG, "a reason has at most %d bytes", QUEUE_TEXT_MAX);
    if (!job_load(queue, id, &job))
        return db_ok(&queue->db, err) &&
               err_set(err, ERR_NOT_FOUND, "no job %llu", (unsigned long long)id);
    if (job.state == JOB_DONE || job.state == JOB_STOPPING)
        return true;
    struct job_change change = {.verdict = VERDICT_CANCELLED,
                                .reason = *reason ? reason : "cancelled",
                                .lease = lease_of(queue, id)};
    if (!job_follow(queue, &job, EVENT_CANCEL, &change, err))
        return false;
    settle(queue);
    return db_ok(&queue->db, err);
}
