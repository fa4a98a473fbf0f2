#include "coordinator/queue/internal.h"
#include "coordinator/queue/schema.h"

#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>

/* Numbers of events go on after a restart: each start has a range of its own. */
#define EVENTS_A_START ((uint64_t)1 << 40)

uint64_t queue_now_ns(const struct queue *queue)
{
    return clock_monotonic_ns(&queue->clock);
}

uint64_t queue_now_ms(const struct queue *queue)
{
    return clock_wall_ns(&queue->clock) / NS_PER_MS;
}

/* splitmix64 */
uint64_t queue_random(struct queue *queue)
{
    uint64_t z = queue->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static bool number_events(struct queue *queue, struct err *err)
{
    sqlite3_stmt *get = db_use(&queue->db, SQL_META_GET);
    db_text(get, 1, "starts");
    uint64_t starts = db_number(&queue->db, get, 0) + 1;
    sqlite3_stmt *set = db_use(&queue->db, SQL_META_SET);
    db_text(set, 1, "starts");
    db_u64(set, 2, starts);
    db_run(&queue->db, set);
    queue->event_first = queue->event_next = queue->event_published = starts * EVENTS_A_START;
    queue->random += starts;
    return db_ok(&queue->db, err);
}

bool queue_open(const struct queue_options *options, struct queue **out, struct err *err)
{
    struct queue *queue = mem_alloc(sizeof(*queue));

    queue->options = *options;
    queue->clock = *options->clock;
    queue->lease_ns =
        (uint64_t)(options->lease_ms ? options->lease_ms : QUEUE_LEASE_MS) * NS_PER_MS;
    queue->hold_ns = (uint64_t)(options->hold_ms ? options->hold_ms : QUEUE_HOLD_MS) * NS_PER_MS;
    queue->random = options->seed;
    queue->events = mem_array(QUEUE_EVENTS_KEPT, sizeof(*queue->events));
    if (!db_open(&queue->db, options->path, options->vfs, err)) {
        mem_free(queue->events);
        mem_free(queue);
        return false;
    }
    if (!schema_prepare(&queue->db, err) || !number_events(queue, err) || !load_all(queue, err)) {
        queue_close(queue);
        return err_wrap(err, "%s", options->path);
    }
    *out = queue;
    return true;
}

void queue_close(struct queue *queue)
{
    if (!queue)
        return;
    load_release(queue);
    db_close(&queue->db);
    mem_free(queue->events);
    mem_free(queue);
}

bool queue_begin(struct queue *queue, struct err *err)
{
    CHECK(!queue->open);
    db_forgive(&queue->db);
    if (!queue->loaded && !load_all(queue, err))
        return false;
    queue->figures_begin = queue->figures;
    queue->open = db_run(&queue->db, db_use(&queue->db, SQL_BEGIN));
    return queue->open || queue_read_ok(queue, err);
}

/* The database as it was; memory from it. A disk that fails now fails the next bracket too. */
static void take_back(struct queue *queue)
{
    struct err ignored = ERR_INIT;

    db_forgive(&queue->db);
    if (!sqlite3_get_autocommit(queue->db.handle))
        db_run(&queue->db, db_use(&queue->db, SQL_ROLLBACK));
    db_forgive(&queue->db);
    queue->open = false;
    queue->event_next = queue->event_published;
    queue->figures = queue->figures_begin;
    load_all(queue, &ignored);
}

bool queue_commit(struct queue *queue, struct err *err)
{
    CHECK(queue->open);
    load_flush(queue);
    if (!db_run(&queue->db, db_use(&queue->db, SQL_COMMIT))) {
        *err = queue->db.fault;
        take_back(queue);
        return false;
    }
    queue->open = false;
    queue->event_published = queue->event_next;
    queue->figures.commits++;
    return true;
}

void queue_rollback(struct queue *queue)
{
    CHECK(queue->open);
    take_back(queue);
}

bool queue_backup(struct queue *queue, const char *path, struct err *err)
{
    char *sql = sqlite3_mprintf("VACUUM INTO %Q", path);

    CHECK(sql && !queue->open);
    db_exec(&queue->db, sql);
    sqlite3_free(sql);
    return queue_read_ok(queue, err) || err_wrap(err, "backup to %s", path);
}

bool queue_may_change(struct queue *queue, struct err *err)
{
    CHECK(queue->open);
    return db_ok(&queue->db, err);
}

bool queue_read_ok(struct queue *queue, struct err *err)
{
    bool ok = db_ok(&queue->db, err);

    if (!queue->open)
        db_forgive(&queue->db);
    return ok;
}

uint64_t queue_work_number(const struct queue *queue)
{
    return queue->work_number;
}

const char *job_state_name(enum job_state state)
{
    static const char *const names[JOB_STATE_COUNT] = {"new",     "waiting",  "ready",
                                                       "running", "stopping", "done"};

    CHECK((unsigned)state < JOB_STATE_COUNT);
    return names[state];
}

const char *run_state_name(enum run_state state)
{
    static const char *const names[RUN_STATE_COUNT] = {"open", "active", "paused", "done"};

    CHECK((unsigned)state < RUN_STATE_COUNT);
    return names[state];
}
