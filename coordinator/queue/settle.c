/* settle.c — what follows when jobs are done: those that needed them, boots, ends of runs. */
#include "coordinator/queue/arrows.h"

#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>

static bool work_equal(const struct work *a, const struct work *b)
{
    return a->kind == b->kind && a->run == b->run && hash_equal(&a->key, &b->key);
}

void work_add(struct queue *queue, const struct work *work)
{
    for (size_t i = 0; i < queue->work_count; i++)
        if (work_equal(&queue->works[i], work))
            return;
    if (queue->work_count == queue->work_capacity) {
        queue->work_capacity = 2 * queue->work_capacity + 16;
        struct work *more = mem_array(queue->work_capacity, sizeof(*more));
        if (queue->work_count)
            memcpy(more, queue->works, queue->work_count * sizeof(*more));
        mem_free(queue->works);
        queue->works = more;
    }
    queue->works[queue->work_count++] = *work;
}

static void tell_dependent(struct queue *queue, uint64_t id, const struct job *needed)
{
    struct job job;
    char reason[QUEUE_TEXT_MAX + 1];

    if (!job_load(queue, id, &job) || job.state != JOB_WAITING)
        return;
    if (needed->verdict == VERDICT_PASS) {
        if (--job.blocked > 0)
            job_store(queue, &job);
        else
            job_start(queue, &job);
        return;
    }
    sqlite3_stmt *row = db_use(&queue->db, SQL_TEST_NAME);
    db_u64(row, 1, needed->test);
    if (!db_row(&queue->db, row))
        return;
    snprintf(reason, sizeof(reason), "needs %s, which came to: %s", db_get_text(row, 0),
             verdict_name(needed->verdict));
    db_end(row);
    job_go(queue, &job, EVENT_BLOCK,
           &(struct job_change){.verdict = VERDICT_SKIPPED, .reason = reason});
}

static void tell_dependents(struct queue *queue, const struct job *needed)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_NEED_OF);

    db_u64(row, 1, needed->id);
    while (db_row(&queue->db, row))
        tell_dependent(queue, db_get(row, 0), needed);
}

static void settle_finished(struct queue *queue)
{
    struct job job;

    while (queue->finished_count > 0 && !queue->db.faulty) {
        if (!job_load(queue, queue->finished[--queue->finished_count], &job))
            continue;
        if (job.flags & JOB_FLAG_LEADER)
            boot_resolve(queue, &job);
        if (job.flags & JOB_FLAG_NEEDED)
            tell_dependents(queue, &job);
    }
}

void run_store(struct queue *queue, const struct run *run, uint64_t ended_ms)
{
    sqlite3_stmt *store = db_use(&queue->db, SQL_RUN_STORE);

    DB_NUMBERS(store, run->id, run->state, run->cancelled);
    db_text(store, 4, run->reason);
    db_u64(store, 5, ended_ms);
    db_run(&queue->db, store);
}

void run_end(struct queue *queue, struct run *run, const char *reason)
{
    struct work work = {.kind = WORK_CANCEL, .run = run->id};
    struct job job;
    size_t at = 0;

    if (run->cancelled)
        return;
    run->cancelled = true;
    run->reason = mem_text(reason);
    if (run->state == RUN_OPEN)
        run->state = RUN_ACTIVE;
    run_store(queue, run, 0);
    for (struct lease *lease; (lease = map_next(&queue->leases, &at));) {
        if (lease->run != run->id || lease->stopping || !job_load(queue, lease->job, &job))
            continue;
        job_go(queue, &job, EVENT_CANCEL, &(struct job_change){.lease = lease, .reason = reason});
    }
    work_add(queue, &work);
    event_run(queue, run);
}

/* Of those that wait or are ready. Returns how many rows it looked at; 0: there are no more. */
static size_t cancel_some(struct queue *queue, struct work *work, size_t budget)
{
    uint64_t jobs[SETTLE_MAX];
    size_t count = 0, seen = 0;
    struct run *run = map_get(&queue->runs, work->run);
    struct job job;

    if (!run)
        return 0;
    sqlite3_stmt *row = db_use(&queue->db, SQL_JOB_UNDONE);
    DB_NUMBERS(row, work->run, work->after, budget);
    while (seen < SETTLE_MAX && db_row(&queue->db, row)) {
        seen++;
        work->after = db_get(row, 0);
        if (db_get(row, 1) == JOB_WAITING || db_get(row, 1) == JOB_READY)
            jobs[count++] = work->after;
    }
    db_end(row);
    for (size_t i = 0; i < count; i++) {
        struct job_change change = {.verdict = VERDICT_CANCELLED, .reason = run->reason};
        if (job_load(queue, jobs[i], &job))
            job_go(queue, &job, EVENT_CANCEL, &change);
    }
    return seen;
}

static void run_done(struct queue *queue, struct run *run)
{
    run->state = RUN_DONE;
    run->dirty = true;
    load_flush(queue);
    run_store(queue, run, queue_now_ms(queue));
    sqlite3_stmt *used = db_use(&queue->db, SQL_BOOT_USED);
    DB_NUMBERS(used, run->id, queue_now_ms(queue));
    db_run(&queue->db, used);
    sqlite3_stmt *remove = db_use(&queue->db, SQL_LANE_REMOVE);
    DB_NUMBERS(remove, run->id);
    db_run(&queue->db, remove);
    event_add(queue, &(struct queue_event){.kind = QUEUE_EVENT_RUN,
                                           .state = RUN_DONE,
                                           .verdict = run_verdict(&run->counts, run->jobs),
                                           .run = run->id});
    run_free(queue, run);
}

static bool has_failed_enough(const struct run *run)
{
    const struct counts *counts = &run->counts;
    uint64_t failures = 0;

    for (enum verdict v = VERDICT_FAIL; v < VERDICT_COUNT; v++)
        if (v == VERDICT_FAIL || v == VERDICT_TIMEOUT || v == VERDICT_DIVERGENCE)
            failures += counts->verdicts[v] - counts->ignored[v];
    return run->max_failures && failures >= run->max_failures && !run->cancelled;
}

static void settle_runs(struct queue *queue)
{
    char reason[80];
    size_t at = 0;

    for (struct run *run; (run = map_next(&queue->runs, &at));) {
        if (run->state == RUN_OPEN)
            continue;
        if (run->counts.states[JOB_DONE] == run->jobs) {
            run_done(queue, run);
            at = 0; /* the map has changed */
        } else if (has_failed_enough(run)) {
            snprintf(reason, sizeof(reason), "the run ended after %llu failures",
                     (unsigned long long)run->max_failures);
            run_end(queue, run, reason);
        }
    }
}

static size_t work_some(struct queue *queue, size_t budget)
{
    struct work *work = &queue->works[0];
    bool is_boot = work->kind == WORK_BOOT;
    size_t done =
        is_boot ? boot_settle(queue, &work->key, budget) : cancel_some(queue, work, budget);

    if (done < budget) { /* that was the last of it */
        queue->work_count--;
        memmove(work, work + 1, queue->work_count * sizeof(*work));
    }
    return done;
}

void settle(struct queue *queue)
{
    size_t budget = SETTLE_MAX;

    settle_finished(queue);
    settle_runs(queue);
    while (queue->work_count > 0 && budget > 0 && !queue->db.faulty) {
        budget -= work_some(queue, budget);
        settle_finished(queue);
        settle_runs(queue);
    }
}

enum verdict run_verdict(const struct counts *counts, uint64_t jobs)
{
    enum verdict worst = VERDICT_SKIPPED;

    if (jobs == 0)
        return VERDICT_INFRA; /* nothing was shown */
    for (enum verdict v = 0; v < VERDICT_COUNT; v++)
        if (counts->verdicts[v] > counts->ignored[v])
            worst = verdict_worst(worst, v);
    return worst;
}
