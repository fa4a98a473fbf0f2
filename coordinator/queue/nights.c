/* nights.c — schedules. A schedule's `next_s` is the slot that comes next; it moves on in the
 * bracket that starts it (or skips it), and never back: so a slot is started once, and clocks that
 * are set back only make it wait. */
#include "coordinator/queue/nights_internal.h"

#include "jobs/cron.h"
#include "storage/base/log.h"

#include <string.h>

#define MISSED_MAX 100000 /* slots that are looked through, of a farm that was down for so long */

static int64_t now_s(const struct queue *queue)
{
    return (int64_t)(queue_now_ms(queue) / 1000);
}

bool slot_is_free(struct queue *queue, uint64_t schedule, int64_t slot_s, struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_SLOT_FIND);

    db_u64(row, 1, schedule);
    db_i64(row, 2, slot_s);
    uint64_t taken = db_number(&queue->db, row, 2);
    if (!db_ok(&queue->db, err))
        return false;
    if (taken == 2)
        return err_set(err, ERR_NOT_FOUND, "no schedule %llu", (unsigned long long)schedule);
    return !taken || err_set(err, ERR_CONFLICT, "schedule %llu was started for that time before",
                             (unsigned long long)schedule);
}

void slot_take(struct queue *queue, uint64_t schedule, int64_t slot_s, uint64_t run)
{
    sqlite3_stmt *add = db_use(&queue->db, SQL_SLOT_ADD);

    db_u64(add, 1, schedule);
    db_i64(add, 2, slot_s);
    db_u64(add, 3, run);
    db_run(&queue->db, add);
    sqlite3_stmt *last = db_use(&queue->db, SQL_SCHEDULE_STARTED);
    db_u64(last, 1, schedule);
    db_i64(last, 2, slot_s);
    db_u64(last, 3, run);
    db_run(&queue->db, last);
}

static bool next_start(const struct queue_schedule *schedule, int64_t after_s, int64_t *out,
                       struct err *err)
{
    struct time_zone *zone;
    struct cron cron;

    if (!cron_parse(schedule->cron, &cron, err) || !time_zone_load(schedule->time_zone, &zone, err))
        return false;
    bool ok = cron_next(&cron, zone, after_s, out, err);
    time_zone_free(zone);
    return ok;
}

bool queue_schedule_set(struct queue *queue, const struct queue_schedule *schedule, uint64_t *id,
                        struct err *err)
{
    int64_t next_s;

    if (!queue_may_change(queue, err))
        return false;
    if (!*schedule->name || strlen(schedule->name) > QUEUE_NAME_MAX)
        return err_set(err, ERR_INVALID, "a schedule's name has 1 to %d bytes", QUEUE_NAME_MAX);
    if (strlen(schedule->cron) > QUEUE_CRON_MAX || strlen(schedule->time_zone) > QUEUE_TAG_MAX ||
        schedule->request.size > QUEUE_SCHEDULE_MAX)
        return err_set(err, ERR_TOO_BIG, "schedule %s: too long", schedule->name);
    if (!next_start(schedule, now_s(queue), &next_s, err))
        return err_wrap(err, "schedule %s", schedule->name);
    sqlite3_stmt *set = db_use(&queue->db, SQL_SCHEDULE_SET);
    db_text(set, 1, schedule->name);
    db_text(set, 2, schedule->cron);
    db_text(set, 3, schedule->time_zone);
    db_u64(set, 4, schedule->missed);
    db_u64(set, 5, schedule->paused);
    db_i64(set, 6, next_s);
    db_i64(set, 7, INT64_MIN);
    db_blob(set, 8, schedule->request.size ? schedule->request.data : (const uint8_t *)"",
            schedule->request.size);
    while (db_row(&queue->db, set))
        *id = db_get(set, 0);
    return db_ok(&queue->db, err);
}

/* The id that the statement gives; ERR_NOT_FOUND if none. */
static bool changed(struct queue *queue, sqlite3_stmt *statement, const char *name, uint64_t *id,
                    struct err *err)
{
    *id = 0;
    while (db_row(&queue->db, statement))
        *id = db_get(statement, 0);
    return db_ok(&queue->db, err) &&
           (*id || err_set(err, ERR_NOT_FOUND, "no schedule is named %.100s", name));
}

bool queue_schedule_remove(struct queue *queue, const char *name, struct err *err)
{
    uint64_t id;

    if (!queue_may_change(queue, err))
        return false;
    sqlite3_stmt *remove = db_use(&queue->db, SQL_SCHEDULE_REMOVE);
    db_text(remove, 1, name);
    if (!changed(queue, remove, name, &id, err))
        return false;
    sqlite3_stmt *slots = db_use(&queue->db, SQL_SLOT_REMOVE);
    DB_NUMBERS(slots, id);
    db_run(&queue->db, slots);
    return db_ok(&queue->db, err);
}

static void read_schedule(sqlite3_stmt *row, struct queue_schedule *out)
{
    *out = (struct queue_schedule){.id = db_get(row, 0),
                                   .name = db_get_text(row, 1),
                                   .cron = db_get_text(row, 2),
                                   .time_zone = db_get_text(row, 3),
                                   .missed = (enum job_missed)db_get(row, 4),
                                   .paused = db_get(row, 5) != 0,
                                   .next_s = (int64_t)db_get(row, 6),
                                   .last_slot_s = (int64_t)db_get(row, 7),
                                   .last_run = db_get(row, 8),
                                   .request = db_get_blob(row, 9),
                                   .error = db_get_text(row, 10)};
}

static void move_on(struct queue *queue, uint64_t id, int64_t next_s)
{
    sqlite3_stmt *next = db_use(&queue->db, SQL_SCHEDULE_NEXT);

    db_u64(next, 1, id);
    db_i64(next, 2, next_s);
    db_run(&queue->db, next);
}

/* What would have started while it was paused has not been missed. */
static void skip_pause(struct queue *queue, uint64_t id)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_SCHEDULE_ROW);
    struct queue_schedule schedule;
    struct err ignored = ERR_INIT;
    int64_t next_s = INT64_MAX;

    db_u64(row, 1, id);
    if (!db_row(&queue->db, row))
        return;
    read_schedule(row, &schedule);
    next_start(&schedule, now_s(queue), &next_s, &ignored);
    bool is_past = schedule.next_s <= now_s(queue);
    db_end(row);
    if (is_past)
        move_on(queue, id, next_s);
}

bool queue_schedule_pause(struct queue *queue, const char *name, bool paused, struct err *err)
{
    uint64_t id;

    if (!queue_may_change(queue, err))
        return false;
    sqlite3_stmt *pause = db_use(&queue->db, SQL_SCHEDULE_PAUSE);
    db_text(pause, 1, name);
    db_u64(pause, 2, paused);
    if (!changed(queue, pause, name, &id, err))
        return false;
    if (!paused)
        skip_pause(queue, id);
    return db_ok(&queue->db, err);
}

bool queue_schedules_each(struct queue *queue, queue_schedule_callback *each, void *context,
                          struct err *err)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_SCHEDULE_ALL);
    struct queue_schedule schedule;
    bool go_on = true;

    while (go_on && db_row(&queue->db, row)) {
        read_schedule(row, &schedule);
        go_on = each(context, &schedule);
    }
    db_end(row);
    return queue_read_ok(queue, err);
}

/* The last slot that is due, and the one after it. */
static bool find_slot(const struct queue_schedule *schedule, int64_t now, int64_t *slot_s,
                      int64_t *next_s, struct err *err)
{
    *slot_s = schedule->next_s;
    for (int i = 0; i < MISSED_MAX; i++) {
        if (!next_start(schedule, *slot_s, next_s, err))
            return false;
        if (*next_s > now)
            return true;
        *slot_s = *next_s;
    }
    return next_start(schedule, now, next_s, err); /* more slots than anybody wants to know of */
}

struct due {
    queue_start_callback *start;
    void *context;
};

static void note_error(struct queue *queue, const struct queue_schedule *schedule,
                       const struct err *what)
{
    sqlite3_stmt *note = db_use(&queue->db, SQL_SCHEDULE_ERROR);

    log_message(LOG_WARNING, "schedule %s did not start: %s", schedule->name, what->text);
    db_u64(note, 1, schedule->id);
    db_text(note, 2, what->text);
    db_run(&queue->db, note);
}

/* A copy, because submitting changes the row. False: it has gone, or a fault. */
static bool take_schedule(struct queue *queue, uint64_t id, struct queue_schedule *out)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_SCHEDULE_ROW);

    db_u64(row, 1, id);
    if (!db_row(&queue->db, row))
        return false;
    read_schedule(row, out);
    out->name = mem_text(out->name);
    out->cron = mem_text(out->cron);
    out->time_zone = mem_text(out->time_zone);
    out->error = mem_text(out->error);
    uint8_t *request = mem_alloc(out->request.size + 1);
    if (out->request.size)
        memcpy(request, out->request.data, out->request.size);
    out->request.data = request;
    db_end(row);
    return true;
}

static void release_schedule(struct queue_schedule *schedule)
{
    mem_free((void *)(uintptr_t)schedule->name);
    mem_free((void *)(uintptr_t)schedule->cron);
    mem_free((void *)(uintptr_t)schedule->time_zone);
    mem_free((void *)(uintptr_t)schedule->error);
    mem_free((void *)(uintptr_t)schedule->request.data);
}

static void start_one(struct queue *queue, uint64_t id, const struct due *due)
{
    struct queue_schedule schedule;
    struct err what = ERR_INIT;
    int64_t slot_s, next_s = INT64_MAX, now = now_s(queue);

    if (!take_schedule(queue, id, &schedule))
        return;
    if (!find_slot(&schedule, now, &slot_s, &next_s, &what)) {
        next_s = INT64_MAX; /* its time zone has gone, or it never comes again */
        note_error(queue, &schedule, &what);
    } else if (now - slot_s > QUEUE_LATE_S && schedule.missed == JOB_MISSED_SKIP) {
        log_message(LOG_INFO, "schedule %s: missed, skipped", schedule.name);
    } else if (!due->start(due->context, &schedule, slot_s, &what)) {
        note_error(queue, &schedule, &what);
    }
    release_schedule(&schedule);
    move_on(queue, id, next_s);
}

bool queue_nights(struct queue *queue, queue_start_callback *start, void *context, struct err *err)
{
    struct due due = {start, context};
    uint64_t id = 0;

    if (!queue_may_change(queue, err))
        return false;
    do {
        sqlite3_stmt *first = db_use(&queue->db, SQL_SCHEDULE_DUE);
        db_i64(first, 1, now_s(queue));
        db_u64(first, 2, id);
        id = db_number(&queue->db, first, 0);
        if (id)
            start_one(queue, id, &due);
    } while (id);
    return db_ok(&queue->db, err);
}

int64_t queue_nights_next(struct queue *queue)
{
    sqlite3_stmt *first = db_use(&queue->db, SQL_SCHEDULE_FIRST);
    struct err ignored = ERR_INIT;
    int64_t next = INT64_MAX;

    if (db_row(&queue->db, first)) {
        if (sqlite3_column_type(first, 0) != SQLITE_NULL)
            next = (int64_t)db_get(first, 0);
        db_end(first);
    }
    return queue_read_ok(queue, &ignored) ? next : INT64_MAX;
}
