/* beats.c — leases are renewed, given back, or run out. */
#include "coordinator/queue/arrows.h"

#include "storage/base/check.h"

static void renew(struct queue *queue, struct agent *agent, const struct queue_beat *beat,
                  struct queue_beat_answer *answer)
{
    uint64_t now = queue_now_ns(queue);

    for (uint32_t i = 0; i < beat->lease_count; i++) {
        struct lease *lease = map_get(&queue->leases, beat->leases[i]);
        if (!lease || lease->agent != agent) {
            answer->unknown[answer->unknown_count++] = beat->leases[i];
            continue;
        }
        lease->renewed_ns = now;
        lease->named = true;
        if (lease->stopping)
            answer->cancel[answer->cancel_count++] = lease->id;
    }
}

static void forget(struct queue *queue, struct agent *agent)
{
    uint64_t now = queue_now_ns(queue);
    struct lease *next;
    uint64_t count = 0;

    for (struct lease *lease = agent->leases; lease; lease = next) {
        next = lease->next;
        bool is_named = lease->named;
        lease->named = false;
        if (is_named || now - lease->granted_ns < FORGOTTEN_NS)
            continue;
        lease_end(queue, lease, ATTEMPT_FORGOTTEN);
        count++;
    }
    if (count != 0)
        agent_fault(queue, agent, "claimed %llu jobs and knows nothing of them",
                    (unsigned long long)count);
}

bool queue_beat(struct queue *queue, const struct queue_beat *beat,
                struct queue_beat_answer *answer, struct err *err)
{
    struct agent *agent = agent_speaks(queue, &beat->agent, &beat->incarnation, err);

    answer->cancel_count = answer->unknown_count = 0;
    answer->drain = false;
    if (!agent)
        return false;
    if (beat->lease_count > QUEUE_LEASES_MAX)
        return err_set(err, ERR_TOO_BIG, "beat: at most %d leases", QUEUE_LEASES_MAX);
    answer->drain = agent->draining;
    if (beat->sequence < agent->sequence)
        return true;
    agent->sequence = beat->sequence;
    agent->load = beat->load;
    agent->slots_busy = beat->slots_busy;
    renew(queue, agent, beat, answer);
    forget(queue, agent);
    settle(queue);
    return db_ok(&queue->db, err);
}

bool queue_release(struct queue *queue, const struct queue_release *release, struct err *err)
{
    struct agent *agent = agent_speaks(queue, &release->agent, &release->incarnation, err);

    if (!agent)
        return false;
    for (uint32_t i = 0; i < release->lease_count; i++) {
        struct lease *lease = map_get(&queue->leases, release->leases[i]);
        if (lease && lease->agent == agent)
            lease_end(queue, lease, ATTEMPT_RELEASED);
    }
    settle(queue);
    return db_ok(&queue->db, err);
}

bool queue_bye(struct queue *queue, const struct queue_release *bye, struct err *err)
{
    struct agent *agent = agent_speaks(queue, &bye->agent, &bye->incarnation, err);

    if (!agent)
        return false;
    leases_end(queue, agent, ATTEMPT_RELEASED);
    settle(queue);
    agent->hello = false;
    sqlite3_stmt *gone = db_use(&queue->db, SQL_AGENT_GONE);
    DB_NUMBERS(gone, agent->row);
    db_run(&queue->db, gone);
    event_agent(queue, agent, false);
    return db_ok(&queue->db, err);
}

/* Kept alive for longer than its job may take, by any clock: whatever the agent does, it is not
 * that job. The agent hears of it as of a lease that is unknown. */
static void take_away(struct queue *queue, struct lease *lease)
{
    unsigned long long job = lease->job,
                       held_s = (queue_now_ns(queue) - lease->begun_ns) / NS_PER_S;
    struct agent *agent = lease->agent;

    lease_end(queue, lease, ATTEMPT_LOST);
    agent_fault(queue, agent, "kept job %llu for %llu s, over %d times its limit", job, held_s,
                HELD_TIMES);
}

/* An agent's list begins with the latest lease, as lease_end wants it. */
static void expire_of(struct queue *queue, struct agent *agent)
{
    uint64_t now = queue_now_ns(queue);
    uint32_t before = agent->lease_count;
    struct lease *next;

    for (struct lease *lease = agent->leases; lease && !queue->db.faulty; lease = next) {
        next = lease->next;
        before--;
        if (now - lease->renewed_ns >= queue->lease_ns) {
            lease_end(queue, lease, ATTEMPT_LOST);
            agent->late++;
        } else if (lease_is_overdue(lease, before, now)) {
            take_away(queue, lease);
        }
    }
}

static void expire(struct queue *queue)
{
    size_t at = 0;

    for (struct agent *agent; (agent = map_next(&queue->agents, &at));)
        expire_of(queue, agent);
}

bool queue_tick(struct queue *queue, bool *more, struct err *err)
{
    size_t at = 0;

    *more = false;
    if (!queue_may_change(queue, err))
        return false;
    expire(queue);
    for (struct agent *agent; (agent = map_next(&queue->agents, &at));) {
        if (agent->late != 0)
            agent_fault(queue, agent, "let the leases of %u jobs run out", agent->late);
        agent->late = 0;
        if (agent->online && !agent_online(queue, agent))
            event_agent(queue, agent, false);
    }
    settle(queue);
    *more = queue->work_count > 0;
    return db_ok(&queue->db, err);
}
