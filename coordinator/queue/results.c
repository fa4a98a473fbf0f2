/* results.c — a result is recorded once: that of the lease that is held. */
#include "coordinator/queue/arrows.h"

#include <string.h>

#define WALL_NS_MAX      (UINT64_C(366) * 86400 * 1000000000)
#define INSTRUCTIONS_MAX INT64_MAX /* what SQLite can hold */
#define BYTES_MAX        (UINT64_C(1) << 50)

static bool text_fits(const char *text, size_t max)
{
    return !text || strlen(text) <= max;
}

static bool figure_fits(const char *name, uint64_t value, uint64_t max, struct err *err)
{
    return value <= max || err_set(err, ERR_INVALID, "result: %s of %llu, which cannot be", name,
                                   (unsigned long long)value);
}

static bool figures_fit(const struct queue_result *result, struct err *err)
{
    for (uint32_t i = 0; i < result->artifact_count; i++)
        if (!figure_fits("an artifact's bytes", result->artifacts[i].size, BYTES_MAX, err))
            return false;
    return figure_fits("instructions", result->instructions, INSTRUCTIONS_MAX, err) &&
           figure_fits("virtual_ns", result->virtual_ns, INSTRUCTIONS_MAX, err) &&
           figure_fits("thaw_ns", result->thaw_ns, WALL_NS_MAX, err) &&
           figure_fits("wall_ns", result->wall_ns, WALL_NS_MAX, err) &&
           figure_fits("the console's bytes", result->console_size, BYTES_MAX, err);
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
    return figures_fit(result, err);
}

/* What the database has of an attempt. */
struct known {
    bool there;
    uint64_t job, attempt, agent; /* its row */
    enum attempt_ending ending;
    enum verdict verdict;
    struct hash state_id;
};

/* Cancelled, but nobody asked for that: the agent was told to stop by its host. */
static bool says_nothing(enum verdict verdict)
{
    return verdict == VERDICT_INFRA || verdict == VERDICT_CANCELLED;
}

/* A boot passes with a checkpoint that is there, whatever an agent says. */
static void doubt_boot(struct queue *queue, struct agent *agent, struct queue_result *record)
{
    const struct queue_options *options = &queue->options;

    if (record->verdict != VERDICT_PASS || !options->checkpoint_exists ||
        options->checkpoint_exists(options->context, &record->checkpoint))
        return;
    record->verdict = VERDICT_INFRA;
    record->checkpoint = (struct hash){{0}};
    record->reason = "the store does not have the checkpoint that this boot is said to have made";
    agent_fault(queue, agent, "a boot that passed, of no checkpoint there is");
}

/* Somebody else's lease, one that never was, or another verdict than the one that was recorded: no
 * agent that keeps to the rules says so. */
static void judge(struct queue *queue, struct agent *agent, const struct queue_result *said,
                  const struct known *known)
{
    unsigned long long lease = said->lease, job = said->job;

    if (!known->there)
        agent_fault(queue, agent, "result of lease %llu, which there never was", lease);
    else if (known->agent != agent->row)
        agent_fault(queue, agent, "result of lease %llu, which was another agent's", lease);
    else if (known->job != said->job || known->attempt != said->attempt)
        agent_fault(queue, agent, "result of lease %llu as one of job %llu, which it was not of",
                    lease, job);
    else if (known->ending == ATTEMPT_RESULT && !says_nothing(said->verdict) &&
             (known->verdict != said->verdict || !hash_equal(&known->state_id, &said->state_id)))
        agent_fault(queue, agent, "another result of job %llu than the one it has given", job);
}

static enum queue_outcome outcome_without_lease(struct queue *queue, struct agent *agent,
                                                const struct queue_result *result)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_ATTEMPT_ROW);
    struct known known = {0};

    db_u64(row, 1, result->lease);
    if (db_row(&queue->db, row)) {
        known = (struct known){.there = true,
                               .job = db_get(row, 0),
                               .attempt = db_get(row, 1),
                               .agent = db_get(row, 2),
                               .ending = (enum attempt_ending)db_get(row, 3),
                               .verdict = (enum verdict)db_get(row, 4)};
        db_get_hash(row, 5, &known.state_id);
        db_end(row);
    }
    if (!queue->db.faulty)
        judge(queue, agent, result, &known);
    return known.there && known.job == result->job && known.attempt == result->attempt &&
                   known.agent == agent->row && known.ending == ATTEMPT_RESULT
               ? QUEUE_DUP
               : QUEUE_STALE;
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
        doubt_boot(queue, lease->agent, &record);
    if (job.state == JOB_RUNNING && says_nothing(record.verdict)) {
        record.verdict = VERDICT_INFRA;
        event = job.infra < job.retry ? EVENT_RETRY : EVENT_RESULT;
    }
    job_go(queue, &job, event, &change);
    return true;
}

/* The lease that it is about, if it is that agent's. */
static struct lease *lease_of(struct queue *queue, const struct agent *agent,
                              const struct queue_result *result)
{
    struct lease *lease = map_get(&queue->leases, result->lease);
    bool is_own = lease && lease->agent == agent && lease->job == result->job &&
                  lease->attempt == result->attempt;

    return is_own ? lease : NULL;
}

static struct agent *reporter(struct queue *queue, const struct queue_id *id, struct err *err)
{
    struct agent *agent = agent_of(queue, id);

    if (!queue_may_change(queue, err))
        return NULL;
    if (agent && !agent->revoked)
        return agent;
    (void)err_set(err, ERR_ACCESS, "this agent is not enrolled, or was revoked");
    return NULL;
}

/* Its job is free for another agent. */
static void refuse(struct queue *queue, struct agent *agent, const struct queue_result *result,
                   const char *why)
{
    struct lease *lease = lease_of(queue, agent, result);

    agent_fault(queue, agent, "job %llu: %s", (unsigned long long)result->job, why);
    if (lease)
        lease_end(queue, lease, ATTEMPT_REFUSED);
    settle(queue);
}

bool queue_agent_fault(struct queue *queue, const struct queue_id *id, const char *why,
                       struct err *err)
{
    struct agent *agent = reporter(queue, id, err);

    if (agent)
        agent_fault(queue, agent, "%s", why);
    return agent != NULL;
}

bool queue_result(struct queue *queue, const struct queue_id *id, const struct queue_result *result,
                  enum queue_outcome *outcome, struct err *err)
{
    struct agent *agent = reporter(queue, id, err);
    struct lease *lease;

    if (!agent)
        return false;
    lease = lease_of(queue, agent, result);
    if (!lease) {
        *outcome = outcome_without_lease(queue, agent, result);
        queue->figures.dup += *outcome == QUEUE_DUP;
        queue->figures.stale += *outcome == QUEUE_STALE;
        return db_ok(&queue->db, err);
    }
    if (!result_fits(result, err) || !take(queue, lease, result, err)) {
        if (!queue->db.faulty)
            refuse(queue, agent, result, err->text);
        return false;
    }
    agent_forgive(agent);
    settle(queue);
    queue->figures.recorded++;
    *outcome = QUEUE_RECORDED;
    return db_ok(&queue->db, err);
}
