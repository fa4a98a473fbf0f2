/* retention.c — what is old enough to go. */
#include "coordinator/queue/history.h"
#include "coordinator/queue/internal.h"
#include "storage/base/bytes.h"

#include <string.h>

#define HISTORY_TESTS 64 /* looked at in one call: each may have thousands of verdicts */

static bool is_older(const struct queue *queue, uint64_t ended_ms, uint64_t limit_s)
{
    return limit_s && queue_now_ms(queue) > ended_ms + limit_s * 1000;
}

static bool is_baseline(struct queue *queue, uint64_t run)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_BASELINE_OF);

    DB_NUMBERS(row, run);
    return db_number(&queue->db, row, 1) != 0; /* on a fault: kept */
}

static bool has_open_failure(struct queue *queue, uint64_t run, uint64_t series)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_RUN_FAILED);
    bool is_open = false;

    DB_NUMBERS(row, run);
    while (!is_open && db_row(&queue->db, row))
        is_open = failure_is_open(queue, db_get(row, 0), series, run);
    db_end(row);
    return is_open || queue->db.faulty;
}

bool queue_old_runs(struct queue *queue, const struct queue_retention *policy,
                    queue_number_callback *each, void *context, struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_OLD_RUNS);
    bool go_on = true;

    while (go_on && db_row(&queue->db, row)) {
        uint64_t id = db_get(row, 0), ended_ms = db_get(row, 2), newer = db_get(row, 5);
        uint64_t keep_runs = db_get(row, 3) ? db_get(row, 3) : policy->runs;
        uint64_t keep_s = db_get(row, 4) ? db_get(row, 4) : policy->run_s;
        if (!(keep_runs && newer >= keep_runs) && !is_older(queue, ended_ms, keep_s))
            continue;
        if (is_baseline(queue, id) || has_open_failure(queue, id, series_of(db_get_text(row, 1))))
            continue;
        go_on = each(context, id);
    }
    db_end(row);
    return queue_read_ok(queue, err);
}

bool queue_run_remove(struct queue *queue, uint64_t run, struct err *err)
{
    static const enum sql statements[] = {
        SQL_REMOVE_ARTIFACTS, SQL_REMOVE_CACHE, SQL_REMOVE_ATTEMPTS, SQL_REMOVE_NEEDS,
        SQL_REMOVE_JOBS,      SQL_REMOVE_PARTS, SQL_REMOVE_RUN};

    if (!queue_may_change(queue, err))
        return false;
    sqlite3_stmt *row = db_use(&queue->db, SQL_RUN_STATE);
    DB_NUMBERS(row, run);
    uint64_t state = db_number(&queue->db, row, RUN_STATE_COUNT);
    if (!db_ok(&queue->db, err))
        return false;
    if (state != RUN_DONE)
        return err_set(err, state == RUN_STATE_COUNT ? ERR_NOT_FOUND : ERR_CONFLICT,
                       "run %llu is not there, or not done", (unsigned long long)run);
    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        sqlite3_stmt *remove = db_use(&queue->db, statements[i]);
        DB_NUMBERS(remove, run);
        db_run(&queue->db, remove);
    }
    return db_ok(&queue->db, err);
}

/* Of one job's attempts. Returns whether there was anything. */
static bool drop_artifacts(struct queue *queue, uint64_t job)
{
    static const enum sql statements[] = {SQL_ARTIFACTS_DROP, SQL_CONSOLE_DROP};
    int before = sqlite3_total_changes(queue->db.handle);

    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        sqlite3_stmt *drop = db_use(&queue->db, statements[i]);
        DB_NUMBERS(drop, job);
        db_run(&queue->db, drop);
    }
    return sqlite3_total_changes(queue->db.handle) != before;
}

static void expire_run(struct queue *queue, uint64_t run, uint64_t series, uint64_t *count)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_RUN_JOBS);
    bool kept = false;

    DB_NUMBERS(row, run);
    while (db_row(&queue->db, row)) {
        enum verdict verdict = (enum verdict)db_get(row, 2);
        bool is_bad =
            verdict == VERDICT_FAIL || verdict == VERDICT_TIMEOUT || verdict == VERDICT_DIVERGENCE;
        if (is_bad && failure_is_open(queue, db_get(row, 1), series, run))
            kept = true;
        else
            *count += drop_artifacts(queue, db_get(row, 0));
    }
    if (kept)
        return; /* looked at again, when it may be closed */
    sqlite3_stmt *gone = db_use(&queue->db, SQL_ARTIFACTS_GONE);
    DB_NUMBERS(gone, run);
    db_run(&queue->db, gone);
}

bool queue_artifacts_expire(struct queue *queue, const struct queue_retention *policy,
                            uint64_t *count, struct err *err)
{
    *count = 0;
    if (!queue_may_change(queue, err))
        return false;
    sqlite3_stmt *row = db_use(&queue->db, SQL_OLD_ARTIFACTS);
    while (db_row(&queue->db, row)) {
        uint64_t id = db_get(row, 0), keep_s = db_get(row, 3);
        bool is_old = is_older(queue, db_get(row, 2), keep_s ? keep_s : policy->artifacts_s);
        if (is_old && !is_baseline(queue, id))
            expire_run(queue, id, series_of(db_get_text(row, 1)), count);
    }
    return db_ok(&queue->db, err);
}

static uint64_t drop_history(struct queue *queue, const struct queue_retention *policy,
                             uint64_t test)
{
    uint64_t now_ms = queue_now_ms(queue), limit_s = policy->history_s;
    int before = sqlite3_total_changes(queue->db.handle);
    sqlite3_stmt *drop = db_use(&queue->db, SQL_HISTORY_DROP);

    DB_NUMBERS(drop, test, limit_s && limit_s < now_ms / 1000 ? now_ms - limit_s * 1000 : 0,
               policy->history_runs ? policy->history_runs : INT64_MAX);
    db_run(&queue->db, drop);
    return (uint64_t)(sqlite3_total_changes(queue->db.handle) - before);
}

bool queue_history_expire(struct queue *queue, const struct queue_retention *policy,
                          uint64_t *after, uint64_t *count, struct err *err)
{
    uint64_t tests[HISTORY_TESTS], found = 0;

    *count = 0;
    if (!queue_may_change(queue, err))
        return false;
    if (policy->history_runs || policy->history_s) {
        sqlite3_stmt *row = db_use(&queue->db, SQL_TESTS_AFTER);
        DB_NUMBERS(row, *after, HISTORY_TESTS);
        while (db_row(&queue->db, row))
            tests[found++] = db_get(row, 0);
    }
    for (size_t i = 0; i < found; i++)
        *count += drop_history(queue, policy, tests[i]);
    *after = found == HISTORY_TESTS ? tests[found - 1] : 0;
    return db_ok(&queue->db, err);
}

/* Checkpoints by the first bytes of their names: one that is taken for another is kept. */
static void hold(struct map *held, const struct hash *checkpoint)
{
    static char mark;

    map_put(held, load_le64(checkpoint->bytes), &mark);
}

static void find_held(struct queue *queue, struct map *held)
{
    struct hash checkpoint;
    sqlite3_stmt *row = db_use(&queue->db, SQL_CHECKPOINTS_HELD);

    while (db_row(&queue->db, row)) {
        db_get_hash(row, 0, &checkpoint);
        hold(held, &checkpoint);
    }
    row = db_use(&queue->db, SQL_CHECKPOINTS_FAILED);
    while (db_row(&queue->db, row)) {
        db_get_hash(row, 0, &checkpoint);
        if (failure_is_open(queue, db_get(row, 1), series_of(db_get_text(row, 3)), db_get(row, 2)))
            hold(held, &checkpoint);
    }
}

bool queue_old_checkpoints(struct queue *queue, const struct queue_retention *policy,
                           queue_hash_callback *each, void *context, struct err *err)
{
    uint64_t now_ms = queue_now_ms(queue), limit_ms = policy->checkpoints_s * 1000;
    struct map held = MAP_INIT;
    struct hash checkpoint;
    bool go_on = limit_ms != 0 && limit_ms < now_ms;

    if (go_on)
        find_held(queue, &held);
    if (!queue_read_ok(queue, err)) { /* what is not known to be free is kept */
        map_release(&held);
        return false;
    }
    sqlite3_stmt *row = db_use(&queue->db, SQL_CHECKPOINTS_OLD);
    DB_NUMBERS(row, now_ms - limit_ms);
    while (go_on && db_row(&queue->db, row)) {
        db_get_hash(row, 0, &checkpoint);
        if (!map_get(&held, load_le64(checkpoint.bytes)))
            go_on = each(context, &checkpoint);
    }
    db_end(row);
    map_release(&held);
    return queue_read_ok(queue, err);
}

bool queue_checkpoint_forget(struct queue *queue, const struct hash *checkpoint, struct err *err)
{
    if (!queue_may_change(queue, err))
        return false;
    sqlite3_stmt *forget = db_use(&queue->db, SQL_CHECKPOINT_FORGET);
    db_hash(forget, 1, checkpoint);
    db_run(&queue->db, forget);
    return db_ok(&queue->db, err);
}

bool queue_blobs_each(struct queue *queue, queue_blob_callback *each, void *context,
                      struct err *err)
{
    static const enum sql statements[] = {SQL_BLOBS_SPEC, SQL_BLOBS_CONSOLE, SQL_BLOBS_ARTIFACT};
    struct hash blob;
    bool go_on = true;

    for (size_t i = 0; i < sizeof(statements) / sizeof(statements[0]); i++) {
        sqlite3_stmt *row = db_use(&queue->db, statements[i]);
        while (go_on && db_row(&queue->db, row)) {
            db_get_hash(row, 0, &blob);
            go_on = each(context, &blob, statements[i] == SQL_BLOBS_SPEC);
        }
        db_end(row);
    }
    return queue_read_ok(queue, err);
}
