#include "coordinator/queue/internal.h"

#include "storage/base/check.h"

#include <string.h>

static void read_options(sqlite3_stmt *row, struct queue_run_options *out)
{
    *out = (struct queue_run_options){.max_failures = db_get(row, 12),
                                      .order = (enum job_order)db_get(row, 13),
                                      .no_cache = db_get(row, 14) != 0,
                                      .rerun_share_permille = (uint32_t)db_get(row, 15),
                                      .slower_permille = (uint32_t)db_get(row, 16),
                                      .baseline = db_get_text(row, 17),
                                      .webhook_url = db_get_text(row, 18),
                                      .webhook_secret = db_get_text(row, 19),
                                      .command = db_get_text(row, 20),
                                      .keep_runs = db_get(row, 21),
                                      .keep_run_s = db_get(row, 22),
                                      .keep_artifacts_s = db_get(row, 23),
                                      .keep_checkpoints_s = db_get(row, 24)};
}

/* Counts of a run that is not done are in memory. */
static void read_run(struct queue *queue, sqlite3_stmt *row, struct queue_run *out)
{
    const struct run *run = map_get(&queue->runs, db_get(row, 0));
    struct counts counts;

    counts_decode(db_get_blob(row, 11), &counts);
    if (run)
        counts = run->counts;
    *out = (struct queue_run){.id = db_get(row, 0),
                              .name = db_get_text(row, 1),
                              .submitter = db_get_text(row, 2),
                              .priority = (uint32_t)db_get(row, 3),
                              .state = (enum run_state)db_get(row, 4),
                              .cancelled = db_get(row, 5) != 0,
                              .created_ms = db_get(row, 7),
                              .started_ms = db_get(row, 8),
                              .ended_ms = db_get(row, 9),
                              .jobs = run ? run->jobs : db_get(row, 10),
                              .schedule = db_get(row, 25),
                              .slot_s = (int64_t)db_get(row, 26),
                              .cached = counts.cached,
                              .boot_saved_ns = counts.boot_saved_ns};
    read_options(row, &out->options);
    memcpy(out->states, counts.states, sizeof(out->states));
    memcpy(out->verdicts, counts.verdicts, sizeof(out->verdicts));
    for (size_t v = 0; v < VERDICT_COUNT; v++)
        out->quarantined_bad += v == VERDICT_PASS ? 0 : counts.ignored[v];
    out->verdict = run_verdict(&counts, out->jobs);
}

static bool runs(struct queue *queue, sqlite3_stmt *row, queue_run_callback *each, void *context)
{
    struct queue_run run;
    bool any = false, go_on = true;

    while (go_on && db_row(&queue->db, row)) {
        any = true;
        read_run(queue, row, &run);
        go_on = each(context, &run);
    }
    db_end(row);
    return any;
}

bool queue_runs_each(struct queue *queue, const struct queue_page *page, queue_run_callback *each,
                     void *context, struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, page->name ? SQL_RUN_PAGE_NAMED : SQL_RUN_PAGE);

    db_u64(row, 1, page->after ? page->after : INT64_MAX);
    db_u64(row, 2, page->limit ? page->limit : INT64_MAX);
    if (page->name)
        db_text(row, 3, page->name);
    runs(queue, row, each, context);
    return queue_read_ok(queue, err);
}

bool queue_run_get(struct queue *queue, uint64_t run, queue_run_callback *each, void *context,
                   struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_RUN_ROW);

    db_u64(row, 1, run);
    bool found = runs(queue, row, each, context);
    return queue_read_ok(queue, err) &&
           (found || err_set(err, ERR_NOT_FOUND, "no run %llu", (unsigned long long)run));
}

bool queue_hooks_each(struct queue *queue, queue_run_callback *each, void *context, struct err *err)
{
    runs(queue, db_use(&queue->db, SQL_RUN_HOOKS), each, context);
    return queue_read_ok(queue, err);
}

bool queue_hook_done(struct queue *queue, uint64_t run, struct err *err)
{
    if (!queue_may_change(queue, err))
        return false;
    sqlite3_stmt *done = db_use(&queue->db, SQL_RUN_HOOK_DONE);
    DB_NUMBERS(done, run);
    db_run(&queue->db, done);
    return db_ok(&queue->db, err);
}

static void read_job(struct queue *queue, sqlite3_stmt *row, struct queue_job *out)
{
    uint64_t flags = db_get(row, 11), until_s = db_get(row, 14);

    *out = (struct queue_job){.id = db_get(row, 0),
                              .run = db_get(row, 1),
                              .place = (uint32_t)db_get(row, 2),
                              .name = db_get_text(row, 3),
                              .group = db_get_text(row, 4),
                              .suite = db_get_text(row, 5),
                              .kind = (enum job_kind)db_get(row, 6),
                              .state = (enum job_state)db_get(row, 7),
                              .verdict = (enum verdict)db_get(row, 8),
                              .reason = db_get_text(row, 9),
                              .attempts = (uint32_t)db_get(row, 10),
                              .cached = (flags & JOB_FLAG_CACHED) != 0,
                              .rerun = (flags & JOB_FLAG_RERUN) != 0,
                              .quarantined = (flags & JOB_FLAG_QUARANTINED) != 0,
                              .quarantine = {db_get_text(row, 12), db_get_text(row, 13), until_s},
                              .parameters = db_get_text(row, 18),
                              .result = db_get(row, 19),
                              .submitted_ms = db_get(row, 20),
                              .ended_ms = db_get(row, 21),
                              .expected_ns = db_get(row, 22) * 1000};
    out->quarantine_expired = out->quarantined && until_s && queue_now_ms(queue) / 1000 > until_s;
    if (!*out->group)
        out->group = out->name;
    db_get_hash(row, 15, &out->spec);
    db_get_hash(row, 16, &out->checkpoint);
    db_get_hash(row, 17, &out->boot);
}

static bool page_has(const struct queue_page *page, const struct queue_job *job)
{
    bool is_done = job->state == JOB_DONE;

    if (page->states && !(page->states & 1u << job->state))
        return false;
    return !page->verdicts || (is_done && page->verdicts & 1u << job->verdict);
}

bool queue_jobs_each(struct queue *queue, const struct queue_page *page, queue_job_callback *each,
                     void *context, struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_JOB_PAGE);
    uint64_t left = page->limit ? page->limit : UINT64_MAX;
    struct queue_job job;

    DB_NUMBERS(row, page->run, page->after);
    while (left > 0 && db_row(&queue->db, row)) {
        read_job(queue, row, &job);
        if (!page_has(page, &job))
            continue;
        left--;
        if (!each(context, &job))
            left = 0;
    }
    db_end(row);
    return queue_read_ok(queue, err);
}

bool queue_job_get(struct queue *queue, uint64_t job, queue_job_callback *each, void *context,
                   struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_JOB_VIEW);
    struct queue_job view;

    db_u64(row, 1, job);
    bool found = db_row(&queue->db, row);
    if (found) {
        read_job(queue, row, &view);
        each(context, &view);
        db_end(row);
    }
    return queue_read_ok(queue, err) &&
           (found || err_set(err, ERR_NOT_FOUND, "no job %llu", (unsigned long long)job));
}

static const char *ending_name(uint64_t ending)
{
    static const char *const names[] = {"",          "result",    "lost",   "released",
                                        "restarted", "forgotten", "refused"};

    return ending < sizeof(names) / sizeof(names[0]) ? names[ending] : "?";
}

static void read_attempt(sqlite3_stmt *row, struct queue_attempt *out)
{
    struct queue_result *result = &out->result;

    *out = (struct queue_attempt){.lease = db_get(row, 0),
                                  .job = db_get(row, 1),
                                  .attempt = (uint32_t)db_get(row, 2),
                                  .agent = db_get_text(row, 3),
                                  .agent_arch = db_get_text(row, 4),
                                  .end = ending_name(db_get(row, 5)),
                                  .started_ms = db_get(row, 6),
                                  .ended_ms = db_get(row, 7)};
    result->lease = out->lease;
    result->job = out->job;
    result->attempt = out->attempt;
    result->verdict = (enum verdict)db_get(row, 8);
    result->exit_status = (int32_t)db_get(row, 9);
    result->instructions = db_get(row, 10);
    result->virtual_ns = db_get(row, 11);
    result->thaw_ns = db_get(row, 12);
    result->wall_ns = db_get(row, 13);
    db_get_hash(row, 14, &result->state_id);
    db_get_hash(row, 15, &result->checkpoint);
    db_get_hash(row, 16, &result->signature);
    result->signature_title = db_get_text(row, 17);
    db_get_hash(row, 18, &result->console);
    result->console_size = db_get(row, 19);
    result->reason = db_get_text(row, 20);
}

bool queue_attempts_each(struct queue *queue, uint64_t job, queue_attempt_callback *each,
                         void *context, struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_ATTEMPT_PAGE);
    struct queue_attempt attempt;
    bool go_on = true;

    db_u64(row, 1, job);
    while (go_on && db_row(&queue->db, row)) {
        read_attempt(row, &attempt);
        go_on = each(context, &attempt);
    }
    db_end(row);
    return queue_read_ok(queue, err);
}

bool queue_attempt_get(struct queue *queue, uint64_t lease, queue_attempt_callback *each,
                       void *context, struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_ATTEMPT_VIEW);
    struct queue_attempt attempt;

    db_u64(row, 1, lease);
    bool found = db_row(&queue->db, row);
    if (found) {
        read_attempt(row, &attempt);
        each(context, &attempt);
        db_end(row);
    }
    return queue_read_ok(queue, err) &&
           (found || err_set(err, ERR_NOT_FOUND, "no lease %llu", (unsigned long long)lease));
}

bool queue_artifacts_each(struct queue *queue, uint64_t lease, queue_artifact_callback *each,
                          void *context, struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_ARTIFACT_PAGE);
    struct queue_artifact artifact;
    bool go_on = true;

    db_u64(row, 1, lease);
    while (go_on && db_row(&queue->db, row)) {
        artifact.name = db_get_text(row, 0);
        artifact.size = db_get(row, 1);
        db_get_hash(row, 2, &artifact.hash);
        go_on = each(context, &artifact);
    }
    db_end(row);
    return queue_read_ok(queue, err);
}
