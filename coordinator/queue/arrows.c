#include "coordinator/queue/arrows.h"

#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>

static void say(struct job *job, const char *reason)
{
    snprintf(job->reason, sizeof(job->reason), "%s", reason ? reason : "");
}

/* ---- what the functions of arrows are made of ---- */

static void put_into_lane(struct queue *queue, struct job *job, uint64_t avoid)
{
    struct lane_key key = {.run = job->run,
                           .requirement = job->requirement,
                           .checkpoint = job->checkpoint,
                           .avoid = avoid,
                           .unlike = avoid && (job->flags & JOB_FLAG_RERUN),
                           .boot = job->kind == JOB_BOOT};
    if (job->kind == JOB_BOOT)
        key.checkpoint = (struct hash){{0}};
    struct lane *lane = lane_for(queue, &key);

    if (lane->ready == 0)
        lane->since_ns = queue_now_ns(queue);
    lane->ready++;
    lane->dirty = true;
    job->lane = lane->id;
    queue->work_number++;
}

static void take_from_lane(struct queue *queue, struct job *job)
{
    struct lane *lane = map_get(&queue->lanes, job->lane);

    CHECK(lane && lane->ready > 0);
    lane->ready--;
    lane->dirty = true;
}

static void end_attempt(struct queue *queue, struct lease *lease, enum attempt_ending ending)
{
    sqlite3_stmt *end = db_use(&queue->db, SQL_ATTEMPT_END);

    DB_NUMBERS(end, lease->id, ending, queue_now_ms(queue));
    db_run(&queue->db, end);
    lease->lane->running--;
    lease_drop(queue, lease);
}

static void record_attempt(struct queue *queue, struct lease *lease, const struct queue_result *r)
{
    sqlite3_stmt *record = db_use(&queue->db, SQL_ATTEMPT_RECORD);

    DB_NUMBERS(record, lease->id, ATTEMPT_RESULT, queue_now_ms(queue), r->verdict,
               (uint64_t)(int64_t)r->exit_status, r->instructions, r->virtual_ns, r->thaw_ns,
               r->wall_ns);
    db_hash(record, 10, &r->state_id);
    db_hash(record, 11, &r->checkpoint);
    db_hash(record, 12, &r->signature);
    db_text(record, 13, r->signature_title);
    db_hash(record, 14, &r->console);
    db_u64(record, 15, r->console_size);
    db_text(record, 16, r->reason);
    db_run(&queue->db, record);
    for (uint32_t i = 0; i < r->artifact_count; i++) {
        sqlite3_stmt *add = db_use(&queue->db, SQL_ARTIFACT_ADD);
        DB_NUMBERS(add, lease->id, i);
        db_text(add, 3, r->artifacts[i].name);
        db_u64(add, 4, r->artifacts[i].size);
        db_blob(add, 5, r->artifacts[i].hash.bytes, HASH_SIZE);
        db_run(&queue->db, add);
    }
    lease->agent->done++;
    lease->lane->running--;
    lease_drop(queue, lease);
}

static void remember(struct queue *queue, const struct job *job, const struct queue_result *result)
{
    sqlite3_stmt *add = db_use(&queue->db, SQL_HISTORY_ADD);
    struct hash none = {{0}};

    DB_NUMBERS(add, job->test, job->run_id, job->run->series, job->id, job->verdict, job->flags,
               result ? result->instructions : 0, result ? result->wall_ns : 0);
    db_hash(add, 9, result ? &result->state_id : &none);
    db_u64(add, 10, job->ended_ms);
    db_run(&queue->db, add);
}

/* How long the test takes, for the next time; and about how long its run's others may. */
static void learn(struct queue *queue, const struct job *job, const struct queue_result *result)
{
    sqlite3_stmt *expect = db_use(&queue->db, SQL_TEST_EXPECT);
    uint64_t took_us = result->wall_ns / 1000 + 1;
    struct run *run = job->run;

    DB_NUMBERS(expect, job->test, took_us);
    db_run(&queue->db, expect);
    if (job->kind == JOB_TEST)
        run->learned_us = run->learned_us ? (7 * run->learned_us + took_us) / 8 : took_us;
}

static void finish(struct queue *queue, struct job *job, enum verdict verdict)
{
    job->verdict = verdict;
    job->ended_ms = queue_now_ms(queue);
    if (queue->finished_count == queue->finished_capacity) {
        queue->finished_capacity = 2 * queue->finished_capacity + 64;
        uint64_t *more = mem_array(queue->finished_capacity, sizeof(*more));
        if (queue->finished_count)
            memcpy(more, queue->finished, queue->finished_count * sizeof(*more));
        mem_free(queue->finished);
        queue->finished = more;
    }
    queue->finished[queue->finished_count++] = job->id;
}

/* ---- the functions ---- */

static void enter(struct queue *queue, struct job *job, const struct job_change *change)
{
    if (!hash_is_zero(&change->checkpoint))
        job->checkpoint = change->checkpoint;
    put_into_lane(queue, job, change->avoid);
}

static void hold(struct queue *queue, struct job *job, const struct job_change *change)
{
    (void)queue, (void)change;
    CHECK(job->blocked > 0);
}

static void answer(struct queue *queue, struct job *job, const struct job_change *change)
{
    struct queue_result known = {0};

    job->result = change->result;
    if (change->result)
        job->flags |= JOB_FLAG_CACHED;
    if (!hash_is_zero(&change->checkpoint))
        job->checkpoint = change->checkpoint;
    say(job, change->reason);
    finish(queue, job, change->verdict);
    if (!change->result)
        return;
    sqlite3_stmt *row = db_use(&queue->db, SQL_ATTEMPT_SHORT);
    db_u64(row, 1, change->result);
    if (db_row(&queue->db, row)) {
        known.instructions = db_get(row, 0);
        known.wall_ns = db_get(row, 1);
        db_get_hash(row, 2, &known.state_id);
        db_end(row);
    }
    remember(queue, job, &known);
}

static void block(struct queue *queue, struct job *job, const struct job_change *change)
{
    say(job, change->reason);
    finish(queue, job, change->verdict);
    if (job->verdict != VERDICT_SKIPPED)
        remember(queue, job, NULL);
}

static void grant(struct queue *queue, struct job *job, const struct job_change *change)
{
    uint64_t now = queue_now_ns(queue);
    struct lane *lane = map_get(&queue->lanes, job->lane);
    struct lease lease = {.id = queue->next_lease++,
                          .job = job->id,
                          .run = job->run_id,
                          .attempt = ++job->attempts,
                          .lane = lane,
                          .agent = change->agent,
                          .granted_ns = now,
                          .renewed_ns = now,
                          .hold_ns = lease_hold_ns(queue, job->wall_ms)};

    take_from_lane(queue, job);
    lane->running++;
    sqlite3_stmt *add = db_use(&queue->db, SQL_ATTEMPT_ADD);
    DB_NUMBERS(add, lease.id, job->id, job->attempts, change->agent->row, queue_now_ms(queue));
    db_run(&queue->db, add);
    lease_add(queue, &lease);
    *change->granted = lease.id;
}

static void record(struct queue *queue, struct job *job, const struct job_change *change)
{
    char reason[QUEUE_TEXT_MAX + 1];
    const struct queue_result *result = change->record;
    enum verdict verdict = result->verdict;

    say(job, result->reason);
    if (cache_compare(queue, job, change->lease, result, reason)) {
        verdict = VERDICT_DIVERGENCE;
        say(job, reason);
    }
    job->result = change->lease->id;
    if (job->kind == JOB_BOOT)
        job->checkpoint = result->checkpoint;
    else
        job->run->counts.boot_saved_ns += change->lease->lane->boot_ns;
    record_attempt(queue, change->lease, result);
    finish(queue, job, verdict);
    if (verdict != VERDICT_INFRA)
        learn(queue, job, result);
    remember(queue, job, result);
}

static void again(struct queue *queue, struct job *job, const struct job_change *change)
{
    uint64_t avoid = change->lease->agent->row;

    job->infra++;
    job->rank = INT64_MIN; /* it has waited once */
    queue->figures.retried++;
    record_attempt(queue, change->lease, change->record);
    put_into_lane(queue, job, avoid);
}

static void lose(struct queue *queue, struct job *job, const struct job_change *change)
{
    uint64_t avoid = change->lease->agent->row;

    job->lost++;
    job->rank = INT64_MIN;
    end_attempt(queue, change->lease, change->ending);
    put_into_lane(queue, job, avoid);
}

static void give_up(struct queue *queue, struct job *job, const struct job_change *change)
{
    char reason[QUEUE_TEXT_MAX];

    snprintf(reason, sizeof(reason), "given up after %u attempts: agent %s did not end the last",
             job->attempts, change->lease->agent->name);
    say(job, reason);
    end_attempt(queue, change->lease, change->ending);
    finish(queue, job, VERDICT_INFRA);
    remember(queue, job, NULL);
}

static void give_back(struct queue *queue, struct job *job, const struct job_change *change)
{
    uint64_t avoid = change->lease->lane->avoid;

    end_attempt(queue, change->lease, change->ending);
    put_into_lane(queue, job, avoid);
}

static void cancel(struct queue *queue, struct job *job, const struct job_change *change)
{
    if (job->state == JOB_READY)
        take_from_lane(queue, job);
    say(job, change->reason);
    finish(queue, job, change->verdict);
}

static void stop(struct queue *queue, struct job *job, const struct job_change *change)
{
    (void)queue;
    change->lease->stopping = true;
    say(job, change->reason);
}

/* The reason is that of the cancel, whatever the agent says; its attempt keeps what it says. */
static void stopped(struct queue *queue, struct job *job, const struct job_change *change)
{
    if (change->record) {
        job->result = change->lease->id;
        record_attempt(queue, change->lease, change->record);
    } else {
        end_attempt(queue, change->lease, change->ending);
    }
    finish(queue, job, VERDICT_CANCELLED);
}

#define ARROW(from, event, to, function)                                                           \
    {                                                                                              \
        JOB_##from, EVENT_##event, JOB_##to, function, #function                                   \
    }

const struct arrow arrows[] = {
    ARROW(NEW, QUEUE, READY, enter),        ARROW(NEW, HOLD, WAITING, hold),
    ARROW(NEW, ANSWER, DONE, answer),       ARROW(WAITING, QUEUE, READY, enter),
    ARROW(WAITING, ANSWER, DONE, answer),   ARROW(WAITING, BLOCK, DONE, block),
    ARROW(WAITING, CANCEL, DONE, cancel),   ARROW(READY, GRANT, RUNNING, grant),
    ARROW(READY, CANCEL, DONE, cancel),     ARROW(RUNNING, RESULT, DONE, record),
    ARROW(RUNNING, RETRY, READY, again),    ARROW(RUNNING, LOST, READY, lose),
    ARROW(RUNNING, GIVE_UP, DONE, give_up), ARROW(RUNNING, RETURN, READY, give_back),
    ARROW(RUNNING, CANCEL, STOPPING, stop), ARROW(STOPPING, RESULT, DONE, stopped),
    ARROW(STOPPING, LOST, DONE, stopped),   ARROW(STOPPING, RETURN, DONE, stopped),
};
const size_t arrow_count = sizeof(arrows) / sizeof(arrows[0]);

const char *job_event_name(enum job_event event)
{
    static const char *const names[JOB_EVENT_COUNT] = {"queue",   "hold",   "answer", "block",
                                                       "grant",   "result", "retry",  "lost",
                                                       "give up", "return", "cancel"};
    CHECK((unsigned)event < JOB_EVENT_COUNT);
    return names[event];
}

const struct arrow *arrow_find(enum job_state from, enum job_event event)
{
    for (size_t i = 0; i < arrow_count; i++)
        if (arrows[i].from == from && arrows[i].event == event)
            return &arrows[i];
    return NULL;
}

static void count(struct queue *queue, struct job *job, enum job_state from)
{
    struct run *run = job->run;

    if (from != JOB_NEW)
        run->counts.states[from]--;
    run->counts.states[job->state]++;
    run->dirty = true;
    if (job->state != JOB_DONE)
        return;
    run->counts.verdicts[job->verdict]++;
    run->counts.ignored[job->verdict] += (job->flags & JOB_FLAG_QUARANTINED) != 0;
    run->counts.cached += (job->flags & JOB_FLAG_CACHED) != 0;
    queue->figures.verdicts[job->verdict]++;
    queue->figures.divergences += job->verdict == VERDICT_DIVERGENCE;
    queue->figures.cached += (job->flags & JOB_FLAG_CACHED) != 0;
}

bool job_follow(struct queue *queue, struct job *job, enum job_event event,
                const struct job_change *change, struct err *err)
{
    const struct arrow *arrow = arrow_find(job->state, event);
    struct queue_id agent = {{0}};

    if (!arrow)
        return err_set(err, ERR_CONFLICT, "job %llu is %s: no %s now", (unsigned long long)job->id,
                       job_state_name(job->state), job_event_name(event));
    CHECK(job->run);
    if (change->lease || change->agent)
        agent = change->lease ? change->lease->agent->id : change->agent->id;
    arrow->function(queue, job, change);
    job->state = arrow->to;
    count(queue, job, arrow->from);
    if (arrow->from == JOB_NEW)
        return true; /* submit.c writes the row, and tells of the run */
    job_store(queue, job);
    event_add(queue, &(struct queue_event){.kind = QUEUE_EVENT_JOB,
                                           .state = job->state,
                                           .verdict = job->verdict,
                                           .attempt = job->attempts,
                                           .run = job->run_id,
                                           .job = job->id,
                                           .agent = agent});
    return true;
}

void job_go(struct queue *queue, struct job *job, enum job_event event,
            const struct job_change *change)
{
    struct err err = ERR_INIT;

    CHECK(job_follow(queue, job, event, change, &err));
}

bool arrows_write(struct buf *out, struct err *err)
{
    bool ok = buf_append_text(out, "| from | event | to | function |\n|---|---|---|---|\n", err);

    for (size_t i = 0; ok && i < arrow_count; i++)
        ok = buf_format(out, err, "| %s | %s | %s | `%s` |\n", job_state_name(arrows[i].from),
                        job_event_name(arrows[i].event), job_state_name(arrows[i].to),
                        arrows[i].function_name);
    return ok;
}
