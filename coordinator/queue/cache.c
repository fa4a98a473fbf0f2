/* cache.c — the result of a job that was run before, by its key. */
#include "coordinator/queue/arrows.h"

#include <stdio.h>

struct known {
    uint64_t lease;
    enum verdict verdict;
    struct hash state_id;
    bool diverged;
};

static bool find(struct queue *queue, const struct job *job, struct hash *key, struct known *out)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_CACHE_FIND);

    *key = job_key(&job->spec, &job->checkpoint);
    db_hash(row, 1, key);
    if (!db_row(&queue->db, row))
        return false;
    out->lease = db_get(row, 0);
    out->verdict = (enum verdict)db_get(row, 1);
    db_get_hash(row, 2, &out->state_id);
    out->diverged = db_get(row, 3) != 0;
    db_end(row);
    return true;
}

/* Who ran it, and what was said then. */
static uint64_t agent_of_attempt(struct queue *queue, uint64_t lease,
                                 char reason[QUEUE_TEXT_MAX + 1])
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_ATTEMPT_SHORT);
    uint64_t agent = 0;

    db_u64(row, 1, lease);
    reason[0] = 0;
    if (db_row(&queue->db, row)) {
        agent = db_get(row, 3);
        snprintf(reason, QUEUE_TEXT_MAX + 1, "%s", db_get_text(row, 5));
        db_end(row);
    }
    return agent;
}

void job_start(struct queue *queue, struct job *job)
{
    struct known known;
    struct hash key;
    char reason[QUEUE_TEXT_MAX + 1];
    struct job_change change = {0};

    if (job->kind == JOB_BOOT || job->run->no_cache || !find(queue, job, &key, &known) ||
        known.diverged) {
        job_go(queue, job, EVENT_QUEUE, &change);
        return;
    }
    uint64_t agent = agent_of_attempt(queue, known.lease, reason);
    if (queue_random(queue) % 1000 < job->run->rerun_permille) {
        job->flags |= JOB_FLAG_RERUN;
        queue->figures.reruns++;
        change.avoid = agent;
        job_go(queue, job, EVENT_QUEUE, &change);
        return;
    }
    change.verdict = known.verdict;
    change.reason = reason;
    change.result = known.lease;
    job_go(queue, job, EVENT_ANSWER, &change);
}

static void keep(struct queue *queue, const struct hash *key, uint64_t lease,
                 const struct queue_result *result)
{
    sqlite3_stmt *add = db_use(&queue->db, SQL_CACHE_ADD);

    db_hash(add, 1, key);
    db_u64(add, 2, lease);
    db_u64(add, 3, result->verdict);
    db_hash(add, 4, &result->state_id);
    db_run(&queue->db, add);
}

bool cache_compare(struct queue *queue, const struct job *job, const struct lease *lease,
                   const struct queue_result *result, char reason[QUEUE_TEXT_MAX + 1])
{
    struct known known;
    struct hash key;

    /* A limit of wall time and a broken host are no property of the job. */
    if (job->kind == JOB_BOOT ||
        (result->verdict != VERDICT_PASS && result->verdict != VERDICT_FAIL))
        return false;
    if (!find(queue, job, &key, &known)) {
        keep(queue, &key, lease->id, result);
        return false;
    }
    bool is_other_state = !hash_is_zero(&known.state_id) && !hash_is_zero(&result->state_id) &&
                          !hash_equal(&known.state_id, &result->state_id);
    if (!is_other_state && known.verdict == result->verdict)
        return false;
    sqlite3_stmt *diverged = db_use(&queue->db, SQL_CACHE_DIVERGED);
    db_hash(diverged, 1, &key);
    db_run(&queue->db, diverged);
    snprintf(reason, QUEUE_TEXT_MAX + 1,
             "%s with state %.16s on agent %s, but %s with state %.16s before (lease %llu)",
             verdict_name(result->verdict), hash_hex(&result->state_id).text, lease->agent->name,
             verdict_name(known.verdict), hash_hex(&known.state_id).text,
             (unsigned long long)known.lease);
    return true;
}
