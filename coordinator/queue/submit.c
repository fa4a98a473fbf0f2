#include "coordinator/queue/submit.h"

#include "coordinator/queue/nights_internal.h"
#include "storage/base/bytes.h"
#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>

uint64_t test_row(struct queue *queue, const struct queue_job_request *request, bool add,
                  uint64_t *expected_us)
{
    uint8_t text[2 * QUEUE_NAME_MAX + 2];
    int size = snprintf((char *)text, sizeof(text), "%s\n%s", request->suite, request->name);
    struct hash hash = hash_of((struct span){text, (size_t)size});
    uint64_t number = load_le64(hash.bytes), id = 0;

    *expected_us = 0;
    sqlite3_stmt *row = db_use(&queue->db, SQL_TEST_FIND);
    db_u64(row, 1, number);
    while (!id && db_row(&queue->db, row)) {
        if (strcmp(db_get_text(row, 2), request->suite) != 0 ||
            strcmp(db_get_text(row, 3), request->name) != 0)
            continue;
        id = db_get(row, 0);
        *expected_us = db_get(row, 1);
    }
    db_end(row);
    if (id || !add)
        return id;
    sqlite3_stmt *insert = db_use(&queue->db, SQL_TEST_ADD);
    db_u64(insert, 1, number);
    db_text(insert, 2, request->suite);
    db_text(insert, 3, request->name);
    db_run(&queue->db, insert);
    return (uint64_t)sqlite3_last_insert_rowid(queue->db.handle);
}

uint64_t job_at_place(struct queue *queue, uint64_t run, uint64_t place)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_PART_OF);
    uint64_t id = 0;

    DB_NUMBERS(row, run, place);
    if (db_row(&queue->db, row)) {
        id = db_get(row, 1) + place - db_get(row, 0);
        db_end(row);
    }
    return id;
}

static void add_row(struct queue *queue, const struct job *job, uint64_t place,
                    const struct queue_job_request *request)
{
    const struct queue_quarantine *quarantine = &request->quarantine;
    bool has_group = request->group && strcmp(request->group, request->name) != 0;
    sqlite3_stmt *add = db_use(&queue->db, SQL_JOB_ADD);

    DB_NUMBERS(add, job->id, job->run_id, place, job->test, job->kind, job->state, job->verdict,
               job->lane, (uint64_t)job->rank, job->blocked, job->flags, job->retry, job->result,
               job->ended_ms, queue_now_ms(queue), job->expected_us, job->wall_ms);
    db_hash(add, 18, &job->spec);
    db_hash(add, 19, &job->checkpoint);
    db_hash(add, 20, &job->boot);
    db_text(add, 21, job->reason[0] ? job->reason : NULL);
    db_text(add, 22, job->requirement[0] ? job->requirement : NULL);
    db_text(add, 23, quarantine->owner);
    db_text(add, 24, quarantine->owner ? quarantine->reason : NULL);
    db_u64(add, 25, quarantine->until_s);
    db_text(add, 26, has_group ? request->group : NULL);
    db_text(add, 27, request->parameters);
    db_text(add, 28, request->tag);
    db_run(&queue->db, add);
}

/* Needs of earlier parts may be done: then they are told of now. False: one has failed. */
static bool hold_for(struct queue *queue, const struct part *part, struct job *job,
                     const struct queue_job_request *request)
{
    struct job needed;

    for (uint32_t i = 0; i < request->need_count; i++) {
        uint64_t place = request->needs[i];
        uint64_t id = part->first + (place - part->base);
        if (place < part->base) {
            id = job_at_place(queue, job->run_id, place);
            if (!job_load(queue, id, &needed))
                return true; /* a fault */
            if (needed.state == JOB_DONE && needed.verdict == VERDICT_PASS)
                continue;
            if (needed.state == JOB_DONE)
                return false;
            needed.flags |= JOB_FLAG_NEEDED;
            job_store(queue, &needed);
        }
        sqlite3_stmt *add = db_use(&queue->db, SQL_NEED_ADD);
        DB_NUMBERS(add, id, job->id);
        db_run(&queue->db, add);
        job->blocked++;
    }
    return true;
}

static void add_boot(struct queue *queue, struct job *job)
{
    struct boot boot;

    job->boot = job->spec;
    boot_find(queue, &job->boot, &boot);
    if (boot.state == BOOT_BOOTED) {
        sqlite3_stmt *used = db_use(&queue->db, SQL_BOOT_USED_KEY);
        db_hash(used, 1, &job->boot);
        db_u64(used, 2, queue_now_ms(queue));
        db_run(&queue->db, used);
        job_go(queue, job, EVENT_ANSWER,
               &(struct job_change){
                   .verdict = VERDICT_PASS, .result = boot.lease, .checkpoint = boot.checkpoint});
    } else if (boot.state == BOOT_PENDING) {
        job->blocked = 1;
        job_go(queue, job, EVENT_HOLD, &(struct job_change){0});
    } else {
        job->flags |= JOB_FLAG_LEADER;
        boot_store(queue, &job->boot, &(struct boot){.state = BOOT_PENDING, .job = job->id});
        job_start(queue, job);
    }
}

static void add_test(struct queue *queue, const struct part *part, struct job *job,
                     const struct queue_job_request *request)
{
    struct boot boot;

    job->boot = request->boot;
    job->checkpoint = request->checkpoint;
    if (request->skip || !hold_for(queue, part, job, request)) {
        const char *reason = request->skip ? request->reason : "needs a job that did not pass";
        job_go(queue, job, EVENT_ANSWER,
               &(struct job_change){.verdict = VERDICT_SKIPPED, .reason = reason});
        return;
    }
    if (!hash_is_zero(&job->boot)) {
        boot_find(queue, &job->boot, &boot);
        if (boot.state == BOOT_BOOTED)
            job->checkpoint = boot.checkpoint;
        else
            job->blocked++;
    }
    if (job->blocked)
        job_go(queue, job, EVENT_HOLD, &(struct job_change){0});
    else
        job_start(queue, job);
}

static void add_job(struct queue *queue, const struct part *part, size_t index)
{
    const struct queue_job_request *request = &part->jobs[index];
    struct job job = {.id = queue->next_job++,
                      .run_id = part->run->id,
                      .run = part->run,
                      .kind = request->kind,
                      .state = JOB_NEW,
                      .spec = request->spec,
                      .retry = request->retry_infra,
                      .wall_ms = request->wall_ms_max};

    job.flags = (request->quarantine.owner ? JOB_FLAG_QUARANTINED : 0) |
                (part->needed[index] ? JOB_FLAG_NEEDED : 0);
    job.test = test_row(queue, request, true, &job.expected_us);
    if (!job.expected_us)
        job.expected_us = request->instructions / INSTRUCTIONS_A_US;
    if (part->run->order == JOB_ORDER_LONGEST)
        job.rank = -(int64_t)(job.expected_us ? job.expected_us : EXPECTED_US);
    CHECK(requirement_text(request, job.requirement, sizeof(job.requirement)));
    if (request->kind == JOB_BOOT)
        add_boot(queue, &job);
    else
        add_test(queue, part, &job, request);
    add_row(queue, &job, part->base + index, request);
}

static void add_part(struct queue *queue, struct part *part)
{
    struct run *run = part->run;

    if (part->count == 0)
        return;
    part->first = queue->next_job;
    sqlite3_stmt *add = db_use(&queue->db, SQL_PART_ADD);
    DB_NUMBERS(add, run->id, part->base, part->first);
    db_run(&queue->db, add);
    for (size_t i = 0; i < part->count && !queue->db.faulty; i++)
        add_job(queue, part, i);
    run->jobs += part->count;
    run->dirty = true;
    queue->figures.submitted += part->count;
}

static bool finish(struct queue *queue, const struct part *part, struct queue_submitted *out,
                   struct err *err)
{
    out->run = part->run->id;
    out->jobs = part->run->jobs;
    out->cached = part->run->counts.cached;
    settle(queue); /* the run may be done by now, and gone */
    return db_ok(&queue->db, err);
}

static void add_run_row(struct queue *queue, const struct queue_run_request *request)
{
    const struct queue_run_options *options = &request->options;
    sqlite3_stmt *add = db_use(&queue->db, SQL_RUN_ADD);

    db_text(add, 1, request->name);
    db_text(add, 2, request->submitter);
    db_u64(add, 3, request->priority);
    db_u64(add, 4, request->open ? RUN_OPEN : RUN_ACTIVE);
    db_u64(add, 5, queue_now_ms(queue));
    db_u64(add, 6, queue_now_ms(queue));
    db_u64(add, 7, options->max_failures);
    db_u64(add, 8, options->order);
    db_u64(add, 9, options->no_cache);
    db_u64(add, 10, options->rerun_share_permille);
    db_u64(add, 11, options->slower_permille);
    db_text(add, 12, options->baseline);
    db_text(add, 13, options->webhook_url);
    db_text(add, 14, options->webhook_secret);
    db_text(add, 15, options->command);
    db_u64(add, 16, options->keep_runs);
    db_u64(add, 17, options->keep_run_s);
    db_u64(add, 18, options->keep_artifacts_s);
    db_u64(add, 19, options->keep_checkpoints_s);
    db_u64(add, 20, request->schedule);
    db_i64(add, 21, request->slot_s);
    db_run(&queue->db, add);
}

/* A new run begins where the others are, not with all the work that they were given before. */
static uint64_t least_pass(const struct queue *queue)
{
    uint64_t least = UINT64_MAX;
    size_t at = 0;

    for (const struct run *run; (run = map_next(&queue->runs, &at));)
        if (run->pass < least && run->counts.states[JOB_READY] > 0)
            least = run->pass;
    return least == UINT64_MAX ? 0 : least;
}

static struct run *add_run(struct queue *queue, const struct queue_run_request *request)
{
    struct run *run = mem_alloc(sizeof(*run));

    add_run_row(queue, request);
    run->id = (uint64_t)sqlite3_last_insert_rowid(queue->db.handle);
    run->series = series_of(request->name);
    run->priority = request->priority;
    run->state = request->open ? RUN_OPEN : RUN_ACTIVE;
    run->max_failures = request->options.max_failures;
    run->order = request->options.order;
    run->no_cache = request->options.no_cache;
    run->rerun_permille = request->options.rerun_share_permille;
    run->pass = least_pass(queue);
    run->dirty = true;
    map_put(&queue->runs, run->id, run);
    event_run(queue, run);
    return run;
}

bool queue_run_submit(struct queue *queue, const struct queue_run_request *request,
                      struct queue_submitted *out, struct err *err)
{
    struct part part = {.jobs = request->jobs, .count = request->job_count};
    bool ok = false;

    if (!queue_may_change(queue, err) || !submit_check_run(request, err) ||
        (request->schedule && !slot_is_free(queue, request->schedule, request->slot_s, err)))
        return false;
    part.needed = mem_array(part.count + 1, sizeof(*part.needed));
    if (!submit_check_jobs(queue, &part, 0, err))
        goto out;
    sqlite3_set_last_insert_rowid(queue->db.handle, 0);
    part.run = add_run(queue, request);
    if (!db_ok(&queue->db, err))
        goto out;
    if (request->schedule)
        slot_take(queue, request->schedule, request->slot_s, part.run->id);
    add_part(queue, &part);
    ok = finish(queue, &part, out, err);
out:
    mem_free(part.needed);
    return ok;
}

bool queue_run_add(struct queue *queue, uint64_t id, const struct queue_run_request *more,
                   struct queue_submitted *out, struct err *err)
{
    struct run *run = map_get(&queue->runs, id);
    struct part part = {.run = run, .jobs = more->jobs, .count = more->job_count};
    bool ok = false;

    if (!queue_may_change(queue, err))
        return false;
    if (!run || run->state != RUN_OPEN)
        return err_set(err, run ? ERR_CONFLICT : ERR_NOT_FOUND, "run %llu is not open",
                       (unsigned long long)id);
    part.base = run->jobs;
    part.needed = mem_array(part.count + 1, sizeof(*part.needed));
    if (submit_check_jobs(queue, &part, id, err)) {
        add_part(queue, &part);
        ok = finish(queue, &part, out, err);
    }
    mem_free(part.needed);
    return ok;
}
