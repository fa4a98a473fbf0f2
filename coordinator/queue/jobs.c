/* jobs.c — rows of the table of jobs. */
#include "coordinator/queue/internal.h"

#include <stdio.h>
#include <string.h>

static bool job_read(struct queue *queue, sqlite3_stmt *row, struct job *out)
{
    out->id = db_get(row, 0);
    out->run_id = db_get(row, 1);
    out->run = map_get(&queue->runs, out->run_id);
    out->test = db_get(row, 2);
    out->kind = (enum job_kind)db_get(row, 3);
    out->state = (enum job_state)db_get(row, 4);
    out->verdict = (enum verdict)db_get(row, 5);
    out->lane = db_get(row, 6);
    out->rank = (int64_t)db_get(row, 7);
    out->blocked = (uint32_t)db_get(row, 8);
    out->attempts = (uint32_t)db_get(row, 9);
    out->infra = (uint32_t)db_get(row, 10);
    out->lost = (uint32_t)db_get(row, 11);
    out->flags = (uint32_t)db_get(row, 12);
    out->retry = (uint32_t)db_get(row, 13);
    out->result = db_get(row, 14);
    out->ended_ms = db_get(row, 15);
    out->expected_us = db_get(row, 16);
    out->wall_ms = db_get(row, 17);
    db_get_hash(row, 18, &out->spec);
    db_get_hash(row, 19, &out->checkpoint);
    db_get_hash(row, 20, &out->boot);
    snprintf(out->reason, sizeof(out->reason), "%s", db_get_text(row, 21));
    snprintf(out->requirement, sizeof(out->requirement), "%s", db_get_text(row, 22));
    return true;
}

bool job_load(struct queue *queue, uint64_t id, struct job *out)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_JOB_ROW);

    db_u64(row, 1, id);
    if (!db_row(&queue->db, row))
        return false;
    job_read(queue, row, out);
    db_end(row);
    return true;
}

void job_store(struct queue *queue, const struct job *job)
{
    sqlite3_stmt *store = db_use(&queue->db, SQL_JOB_STORE);

    DB_NUMBERS(store, job->id, job->state, job->verdict, job->lane, (uint64_t)job->rank,
               job->blocked, job->attempts, job->infra, job->lost, job->flags, job->result,
               job->ended_ms);
    db_hash(store, 13, &job->checkpoint);
    db_text(store, 14, job->reason[0] ? job->reason : NULL);
    db_run(&queue->db, store);
}
