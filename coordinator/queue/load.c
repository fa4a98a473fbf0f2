/* load.c — memory from the database, and what memory gathers back into it once a bracket. */
#include "coordinator/queue/internal.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"

#include <string.h>

void counts_encode(const struct counts *counts, uint8_t out[8 * COUNTS_NUMBERS])
{
    size_t at = 0;

    for (size_t i = 0; i < JOB_STATE_COUNT; i++)
        store_le64(out + 8 * at++, counts->states[i]);
    for (size_t i = 0; i < VERDICT_COUNT; i++)
        store_le64(out + 8 * at++, counts->verdicts[i]);
    for (size_t i = 0; i < VERDICT_COUNT; i++)
        store_le64(out + 8 * at++, counts->ignored[i]);
    store_le64(out + 8 * at++, counts->cached);
    store_le64(out + 8 * at++, counts->boot_saved_ns);
    CHECK(at == COUNTS_NUMBERS);
}

void counts_decode(struct span bytes, struct counts *out)
{
    size_t at = 0;

    memset(out, 0, sizeof(*out));
    if (bytes.size != 8 * COUNTS_NUMBERS)
        return;
    for (size_t i = 0; i < JOB_STATE_COUNT; i++)
        out->states[i] = load_le64(bytes.data + 8 * at++);
    for (size_t i = 0; i < VERDICT_COUNT; i++)
        out->verdicts[i] = load_le64(bytes.data + 8 * at++);
    for (size_t i = 0; i < VERDICT_COUNT; i++)
        out->ignored[i] = load_le64(bytes.data + 8 * at++);
    out->cached = load_le64(bytes.data + 8 * at++);
    out->boot_saved_ns = load_le64(bytes.data + 8 * at++);
}

void load_flush(struct queue *queue)
{
    size_t at = 0;

    for (struct run *run; (run = map_next(&queue->runs, &at));) {
        if (!run->dirty)
            continue;
        uint8_t bytes[8 * COUNTS_NUMBERS];
        counts_encode(&run->counts, bytes);
        sqlite3_stmt *store = db_use(&queue->db, SQL_RUN_COUNTS);
        DB_NUMBERS(store, run->id, run->jobs);
        db_blob(store, 3, bytes, sizeof(bytes));
        db_run(&queue->db, store);
        run->dirty = false;
        for (size_t i = 0; i < run->lane_count; i++) {
            struct lane *lane = run->lanes[i];
            if (!lane->dirty)
                continue;
            sqlite3_stmt *ready = db_use(&queue->db, SQL_LANE_READY);
            DB_NUMBERS(ready, lane->id, lane->ready);
            db_run(&queue->db, ready);
            lane->dirty = false;
        }
    }
}

static void free_leases(struct queue *queue)
{
    size_t at = 0;

    for (struct lease *lease; (lease = map_next(&queue->leases, &at));)
        mem_free(lease);
    map_release(&queue->leases);
}

static void free_runs(struct queue *queue)
{
    size_t at = 0;

    for (struct run *run; (run = map_next(&queue->runs, &at)); at = 0)
        run_free(queue, run);
    map_release(&queue->runs);
    map_release(&queue->lanes);
}

/* All but the agents: what is known of them only in memory (who was heard of) outlives a bracket.
 */
static void release_work(struct queue *queue)
{
    size_t at = 0;

    free_leases(queue);
    free_runs(queue);
    for (struct agent *agent; (agent = map_next(&queue->agents, &at));) {
        agent->leases = NULL;
        agent->lease_count = 0;
    }
    queue->work_count = 0;
    queue->finished_count = 0;
}

void load_release(struct queue *queue)
{
    size_t at = 0;

    release_work(queue);
    for (struct agent *agent; (agent = map_next(&queue->agents, &at));)
        agent_free(agent);
    map_release(&queue->agents);
    map_release(&queue->agent_rows);
    for (size_t i = 0; i < queue->requirement_count; i++)
        mem_free(queue->requirements[i]);
    mem_free(queue->requirements);
    mem_free(queue->works);
    mem_free(queue->finished);
}

static void load_run(struct queue *queue, sqlite3_stmt *row)
{
    struct run *run = mem_alloc(sizeof(*run));

    run->id = db_get(row, 0);
    run->series = series_of(db_get_text(row, 1));
    run->priority = (uint32_t)db_get(row, 3);
    run->state = (enum run_state)db_get(row, 4);
    run->cancelled = db_get(row, 5) != 0;
    run->reason = run->cancelled ? mem_text(db_get_text(row, 6)) : NULL;
    run->jobs = db_get(row, 10);
    counts_decode(db_get_blob(row, 11), &run->counts);
    run->max_failures = db_get(row, 12);
    run->order = (enum job_order)db_get(row, 13);
    run->no_cache = db_get(row, 14) != 0;
    run->rerun_permille = (uint32_t)db_get(row, 15);
    map_put(&queue->runs, run->id, run);
    if (run->cancelled)
        work_add(queue, &(struct work){.kind = WORK_CANCEL, .run = run->id});
}

static void load_lanes(struct queue *queue, struct run *run)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_LANE_OF);

    db_u64(row, 1, run->id);
    while (db_row(&queue->db, row)) {
        struct lane_key key = {.run = run,
                               .requirement = db_get_text(row, 1),
                               .avoid = db_get(row, 3),
                               .unlike = db_get(row, 4) != 0,
                               .boot = db_get(row, 5) != 0};
        db_get_hash(row, 2, &key.checkpoint);
        struct lane *lane = lane_load(queue, run, db_get(row, 0), &key);
        lane->ready = db_get(row, 6);
    }
}

static void load_leases(struct queue *queue)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_ATTEMPT_HELD);
    uint64_t now = queue_now_ns(queue);

    while (db_row(&queue->db, row)) {
        struct lease lease = {.id = db_get(row, 0),
                              .job = db_get(row, 1),
                              .attempt = (uint32_t)db_get(row, 2),
                              .agent = map_get(&queue->agent_rows, db_get(row, 3)),
                              .run = db_get(row, 4),
                              .lane = map_get(&queue->lanes, db_get(row, 5)),
                              .stopping = db_get(row, 6) == JOB_STOPPING,
                              .granted_ns = now,
                              .renewed_ns = now,
                              .hold_ns = lease_hold_ns(queue, db_get(row, 7))};
        CHECK(lease.agent && lease.lane);
        lease.lane->running++;
        lease_add(queue, &lease);
    }
}

/* Agents that the rollback took back go, others get what the database says. */
static void load_agents(struct queue *queue)
{
    struct map old = queue->agents;
    size_t at = 0;

    queue->agents = (struct map)MAP_INIT;
    map_release(&queue->agent_rows);
    sqlite3_stmt *row = db_use(&queue->db, SQL_AGENT_ALL);
    while (db_row(&queue->db, row)) {
        struct agent *agent = agent_load(queue, row);
        const struct agent *before = NULL;
        size_t of = 0;
        while ((before = map_next(&old, &of)) && before->row != agent->row)
            ;
        if (before && before->heard) {
            agent->heard = true;
            agent->online = before->online;
            agent->heard_ns = before->heard_ns;
            agent->heard_ms = before->heard_ms;
            agent->sequence = before->sequence;
        }
    }
    for (struct agent *agent; (agent = map_next(&old, &at));)
        agent_free(agent);
    map_release(&old);
}

static uint64_t next_of(struct queue *queue, const char *table)
{
    sqlite3_stmt *sequence = db_use(&queue->db, SQL_SEQUENCE);

    db_text(sequence, 1, table);
    return db_number(&queue->db, sequence, 0) + 1;
}

static void load_works(struct queue *queue)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_BOOT_OPEN);

    while (db_row(&queue->db, row)) {
        struct work work = {.kind = WORK_BOOT};
        db_get_hash(row, 0, &work.key);
        work_add(queue, &work);
    }
}

bool load_all(struct queue *queue, struct err *err)
{
    size_t at = 0;

    release_work(queue);
    load_agents(queue);
    sqlite3_stmt *row = db_use(&queue->db, SQL_RUN_ACTIVE);
    while (db_row(&queue->db, row))
        load_run(queue, row);
    for (struct run *run; (run = map_next(&queue->runs, &at));)
        load_lanes(queue, run);
    load_leases(queue);
    load_works(queue);
    queue->next_job = next_of(queue, "job");
    queue->next_lease = next_of(queue, "attempt");
    queue->work_number++;
    queue->loaded = db_ok(&queue->db, err);
    return queue->loaded;
}
