/* results.c — a result is recorded once: that of the lease that is held. */
#include "coordinator/queue/arrows.h"

#include <string.h>

static bool text_fits(const char *text, size_t max)
{
    return !text || strlen(text) <= max;
}

static bool result_fits(const struct queue_result *result, struct err *err)
{
    if ((unsigned)result->verdict >= VERDICT_DIVERGENCE)
        return err_set(err, ERR_INVALID, "result: no such verdict of an agent");
    if (!text_fits(result->reason, QUEUE_TEXT_MAX) ||
        !text_fits(result->signature_title, QUEUE_TITLE_MAX))
        return err_set(err, ERR_TOO_BIG, "result: reason or signature is too long");
    if (result->artifact_count > QUEUE_ARTIFACTS_MAX)
        return err_set(err, ERR_TOO_BIG, "result: at most %d artifacts", QUEUE_ARTIFACTS_MAX);
    for (uint32_t i = 0; i < result->artifact_count; i++)
        if (!text_fits(result->artifacts[i].name, QUEUE_ARTIFACT_NAME))
            return err_set(err, ERR_TOO_BIG, "result: name of artifact %u is too long", i);
    return true;
}

static enum queue_outcome outcome_without_lease(struct queue *queue, const struct agent *agent,
                                                const struct queue_result *result)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_ATTEMPT_ROW);
    enum queue_outcome outcome = QUEUE_STALE;

    db_u64(row, 1, result->lease);
    if (db_row(&queue->db, row)) {
        bool is_same = db_get(row, 0) == result->job && db_get(row, 1) == result->attempt &&
                       db_get(row, 2) == agent->row;
        if (is_same && db_get(row, 3) == ATTEMPT_RESULT)
            outcome = QUEUE_DUP;
        db_end(row);
    }
    return outcome;
}

/* Cancelled, but nobody asked for that: the agent was told to stop by its host. */
static bool says_nothing(enum verdict verdict)
{
    return verdict == VERDICT_INFRA || verdict == VERDICT_CANCELLED;
}

/* A boot passes with a checkpoint that is there, whatever an agent says. */
static void doubt_boot(const struct queue *queue, struct queue_result *record)
{
    const struct queue_options *options = &queue->options;

    if (record->verdict != VERDICT_PASS || !options->checkpoint_exists ||
        options->checkpoint_exists(options->context, &record->checkpoint))
        return;
    record->verdict = VERDICT_INFRA;
    record->checkpoint = (struct hash){{0}};
    record->reason = "the store does not have the checkpoint that this boot is said to have made";
}

static bool take(struct queue *queue, struct lease *lease, const struct queue_result *result,
                 struct err *err)
{
    struct queue_result record = *result;
    struct job_change change = {.lease = lease, .record = &record};
    enum job_event event = EVENT_RESULT;
    struct job job;

    if (!job_load(queue, lease->job, &job))
        return db_ok(&queue->db, err);
    if (job.kind == JOB_BOOT && result->verdict == VERDICT_PASS &&
        hash_is_zero(&result->checkpoint))
        return err_set(err, ERR_INVALID, "result: a boot that passed has a checkpoint");
    if (job.kind == JOB_BOOT)
        doubt_boot(queue, &record);
    if (job.state == JOB_RUNNING && says_nothing(record.verdict)) {
        record.verdict = VERDICT_INFRA;
        event = job.infra < job.retry ? EVENT_RETRY : EVENT_RESULT;
    }
    job_go(queue, &job, event, &change);
    return true;
}

bool queue_result(struct queue *queue, const struct queue_id *id, const struct queue_result *result,
                  enum queue_outcome *outcome, struct err *err)
{
    struct agent *agent = agent_of(queue, id);
    struct lease *lease = map_get(&queue->leases, result->lease);

    if (!queue_may_change(queue, err) || !result_fits(result, err))
        return false;
    if (!agent || agent->revoked)
        return err_set(err, ERR_ACCESS, "this agent is not enrolled, or was revoked");
    if (!lease || lease->agent != agent || lease->job != result->job ||
        lease->attempt != result->attempt) {
        *outcome = outcome_without_lease(queue, agent, result);
        queue->figures.dup += *outcome == QUEUE_DUP;
        queue->figures.stale += *outcome == QUEUE_STALE;
        return db_ok(&queue->db, err);
    }
    if (!take(queue, lease, result, err))
        return false;
    settle(queue);
    queue->figures.recorded++;
    *outcome = QUEUE_RECORDED;
    return db_ok(&queue->db, err);
}
