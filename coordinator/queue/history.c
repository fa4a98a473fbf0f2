#include "coordinator/queue/history.h"

#include "coordinator/queue/submit.h"
#include "storage/base/bytes.h"
#include "storage/base/check.h"

#include <string.h>

uint64_t series_of(const char *name)
{
    struct hash hash = hash_of(span_of_text(name));

    return load_le64(hash.bytes);
}

bool queue_history_each(struct queue *queue, const struct queue_test *test,
                        queue_history_callback *each, void *context, struct err *err)
{
    struct queue_job_request named = {.suite = test->suite, .name = test->name};
    struct queue_history entry;
    uint64_t ignored, id = 0;
    bool go_on = true;

    if (strlen(test->suite) <= QUEUE_NAME_MAX && strlen(test->name) <= QUEUE_NAME_MAX)
        id = test_row(queue, &named, false, &ignored);
    sqlite3_stmt *row = db_use(&queue->db, SQL_HISTORY_PAGE);
    db_u64(row, 1, id);
    db_u64(row, 2, test->limit ? test->limit : INT64_MAX);
    while (go_on && db_row(&queue->db, row)) {
        entry = (struct queue_history){.run = db_get(row, 0),
                                       .job = db_get(row, 1),
                                       .verdict = (enum verdict)db_get(row, 2),
                                       .cached = (db_get(row, 3) & JOB_FLAG_CACHED) != 0,
                                       .instructions = db_get(row, 4),
                                       .wall_ns = db_get(row, 5),
                                       .ended_ms = db_get(row, 7)};
        db_get_hash(row, 6, &entry.state_id);
        go_on = each(context, &entry);
    }
    db_end(row);
    return queue_read_ok(queue, err);
}

const char *queue_change_name(enum queue_change change)
{
    static const char *const names[QUEUE_CHANGE_COUNT] = {
        "newly_failing", "fixed", "still_failing", "slower", "newly_divergent", "added", "gone"};

    CHECK((unsigned)change < QUEUE_CHANGE_COUNT);
    return names[change];
}

bool queue_run_before(struct queue *queue, uint64_t run, uint64_t *out, struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_RUN_BEFORE);

    DB_NUMBERS(row, run);
    *out = db_number(&queue->db, row, 0);
    return queue_read_ok(queue, err);
}

/* ---- comparing ---- */

static bool is_failure(enum verdict verdict)
{
    return verdict == VERDICT_FAIL || verdict == VERDICT_TIMEOUT || verdict == VERDICT_DIVERGENCE;
}

static bool says_something(enum verdict verdict)
{
    return verdict == VERDICT_PASS || is_failure(verdict);
}

struct side {
    uint64_t run;
    uint64_t series;
    uint32_t slower_permille;
};

static bool find_side(struct queue *queue, uint64_t run, struct side *out)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_RUN_STATE);

    DB_NUMBERS(row, run);
    if (!db_row(&queue->db, row))
        return false;
    *out = (struct side){run, series_of(db_get_text(row, 1)), (uint32_t)db_get(row, 2)};
    db_end(row);
    return true;
}

/* The last verdict up to a run that says something. */
struct last {
    uint64_t run, job;
    enum verdict verdict;
    uint64_t instructions;
    uint64_t since; /* of a failure: where the row of failures began */
};

static bool find_last(struct queue *queue, uint64_t test, const struct side *side, struct last *out)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_HISTORY_BACK);
    bool found = false;

    DB_NUMBERS(row, test, side->series, side->run);
    while (db_row(&queue->db, row)) {
        enum verdict verdict = (enum verdict)db_get(row, 2);
        if (found && !is_failure(verdict))
            break;
        if (!found)
            *out = (struct last){db_get(row, 0), db_get(row, 1), verdict, db_get(row, 3), 0};
        found = true;
        out->since = db_get(row, 0);
        if (!is_failure(verdict))
            break;
    }
    db_end(row);
    return found;
}

bool failure_is_open(struct queue *queue, uint64_t test, uint64_t series, uint64_t run)
{
    struct side newest = {INT64_MAX, series, 0};
    struct last last;

    return find_last(queue, test, &newest, &last) && is_failure(last.verdict) &&
           (last.run == run || last.since == run);
}

/* By more than the share; exact, also for short tests, and in 64 bits. */
static bool is_slower(const struct queue_difference *d, uint64_t permille)
{
    uint64_t thousands = d->instructions_before / 1000, rest = d->instructions_before % 1000;

    if (!permille || !d->instructions_before || d->instructions <= d->instructions_before ||
        thousands > INT64_MAX / permille)
        return false;
    return d->instructions - d->instructions_before > thousands * permille + rest * permille / 1000;
}

/* False: nothing to say. */
static bool change_of(const struct queue_difference *d, uint32_t slower_permille,
                      enum queue_change *out)
{
    bool is_bad = is_failure(d->verdict), was_bad = is_failure(d->verdict_before);

    if (d->verdict == VERDICT_DIVERGENCE && d->verdict_before != VERDICT_DIVERGENCE)
        *out = QUEUE_NEWLY_DIVERGENT;
    else if (is_bad)
        *out = was_bad ? QUEUE_STILL_FAILING : QUEUE_NEWLY_FAILING;
    else if (was_bad)
        *out = QUEUE_FIXED;
    else if (is_slower(d, slower_permille))
        *out = QUEUE_SLOWER;
    else
        return false;
    return true;
}

struct sides {
    struct side now, before;
    uint32_t slower_permille;
};

static bool was_in(struct queue *queue, uint64_t test, uint64_t run)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_JOB_OF_TEST);

    DB_NUMBERS(row, run, test);
    return db_number(&queue->db, row, 0) != 0;
}

static bool compare_one(struct queue *queue, const struct sides *sides, uint64_t test,
                        struct queue_difference *out)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_HISTORY_ROW);
    struct last before, since;

    DB_NUMBERS(row, test, sides->now.run);
    if (!db_row(&queue->db, row))
        return false;
    out->verdict = (enum verdict)db_get(row, 1);
    out->instructions = db_get(row, 3);
    db_end(row);
    if (!says_something(out->verdict))
        return false;
    if (is_failure(out->verdict) && find_last(queue, test, &sides->now, &since))
        out->since = since.since;
    if (!find_last(queue, test, &sides->before, &before)) {
        out->change = QUEUE_ADDED;
        return !was_in(queue, test, sides->before.run);
    }
    out->other = before.job;
    out->verdict_before = before.verdict;
    out->instructions_before = before.instructions;
    return change_of(out, sides->slower_permille, &out->change);
}

static bool compare_jobs(struct queue *queue, const struct sides *sides,
                         queue_difference_callback *each, void *context)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_COMPARE);
    bool go_on = true;

    DB_NUMBERS(row, sides->now.run);
    while (go_on && db_row(&queue->db, row)) {
        struct queue_difference d = {.job = db_get(row, 0),
                                     .suite = db_get_text(row, 1),
                                     .name = db_get_text(row, 2),
                                     .quarantined = (db_get(row, 4) & JOB_FLAG_QUARANTINED) != 0};
        if (compare_one(queue, sides, db_get(row, 3), &d))
            go_on = each(context, &d);
    }
    db_end(row);
    return go_on;
}

static void compare_gone(struct queue *queue, const struct sides *sides,
                         queue_difference_callback *each, void *context)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_COMPARE_GONE);
    bool go_on = true;

    DB_NUMBERS(row, sides->now.run, sides->before.run);
    while (go_on && db_row(&queue->db, row)) {
        struct queue_difference d = {.change = QUEUE_GONE,
                                     .other = db_get(row, 0),
                                     .suite = db_get_text(row, 1),
                                     .name = db_get_text(row, 2),
                                     .verdict_before = (enum verdict)db_get(row, 3),
                                     .quarantined = (db_get(row, 4) & JOB_FLAG_QUARANTINED) != 0};
        if (db_get(row, 5) == JOB_DONE)
            go_on = each(context, &d);
    }
    db_end(row);
}

bool queue_compare(struct queue *queue, struct queue_comparison *comparison,
                   queue_difference_callback *each, void *context, struct err *err)
{
    struct sides sides;

    if (!find_side(queue, comparison->run, &sides.now))
        return queue_read_ok(queue, err) &&
               err_set(err, ERR_NOT_FOUND, "no run %llu", (unsigned long long)comparison->run);
    if (!comparison->against && comparison->baseline &&
        !queue_baseline_get(queue, comparison->baseline, &comparison->against, err))
        return false;
    if (!comparison->against && !comparison->baseline &&
        !queue_run_before(queue, comparison->run, &comparison->against, err))
        return false;
    if (!comparison->against)
        return true;
    if (!find_side(queue, comparison->against, &sides.before))
        return queue_read_ok(queue, err) &&
               err_set(err, ERR_NOT_FOUND, "no run %llu", (unsigned long long)comparison->against);
    sides.slower_permille =
        comparison->slower_permille ? comparison->slower_permille : sides.now.slower_permille;
    if (compare_jobs(queue, &sides, each, context))
        compare_gone(queue, &sides, each, context);
    return queue_read_ok(queue, err);
}

/* ---- baselines ---- */

bool queue_baseline_set(struct queue *queue, const char *name, uint64_t run, struct err *err)
{
    if (!queue_may_change(queue, err))
        return false;
    if (!*name || strlen(name) > QUEUE_NAME_MAX)
        return err_set(err, ERR_INVALID, "a baseline's name has 1 to %d bytes", QUEUE_NAME_MAX);
    sqlite3_stmt *row = db_use(&queue->db, SQL_RUN_STATE);
    DB_NUMBERS(row, run);
    uint64_t state = db_number(&queue->db, row, RUN_STATE_COUNT);
    if (!db_ok(&queue->db, err))
        return false;
    if (state != RUN_DONE)
        return err_set(err, state == RUN_STATE_COUNT ? ERR_NOT_FOUND : ERR_CONFLICT,
                       "run %llu is not there, or not done", (unsigned long long)run);
    sqlite3_stmt *set = db_use(&queue->db, SQL_BASELINE_SET);
    db_text(set, 1, name);
    db_u64(set, 2, run);
    db_run(&queue->db, set);
    return db_ok(&queue->db, err);
}

static bool named_run(struct queue *queue, sqlite3_stmt *statement, const char *name, uint64_t *run,
                      struct err *err)
{
    *run = 0;
    db_text(statement, 1, name);
    while (db_row(&queue->db, statement))
        *run = db_get(statement, 0);
    return queue_read_ok(queue, err) &&
           (*run || err_set(err, ERR_NOT_FOUND, "no baseline is named %.100s", name));
}

bool queue_baseline_remove(struct queue *queue, const char *name, struct err *err)
{
    uint64_t ignored;

    return queue_may_change(queue, err) &&
           named_run(queue, db_use(&queue->db, SQL_BASELINE_REMOVE), name, &ignored, err);
}

bool queue_baseline_get(struct queue *queue, const char *name, uint64_t *run, struct err *err)
{
    return named_run(queue, db_use(&queue->db, SQL_BASELINE_GET), name, run, err);
}

bool queue_baselines_each(struct queue *queue, queue_baseline_callback *each, void *context,
                          struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_BASELINE_ALL);
    bool go_on = true;

    while (go_on && db_row(&queue->db, row))
        go_on = each(context, db_get_text(row, 0), db_get(row, 1));
    db_end(row);
    return queue_read_ok(queue, err);
}
