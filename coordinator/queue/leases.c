#include "coordinator/queue/arrows.h"

#include "storage/base/check.h"

struct lease *lease_add(struct queue *queue, const struct lease *lease)
{
    struct lease *added = mem_alloc(sizeof(*added));
    struct agent *agent = lease->agent;

    *added = *lease;
    CHECK(!map_get(&queue->leases, added->id));
    map_put(&queue->leases, added->id, added);
    added->next = agent->leases;
    added->link = &agent->leases;
    if (added->next)
        added->next->link = &added->next;
    agent->leases = added;
    agent->lease_count++;
    return added;
}

void lease_drop(struct queue *queue, struct lease *lease)
{
    *lease->link = lease->next;
    if (lease->next)
        lease->next->link = lease->link;
    lease->agent->lease_count--;
    CHECK(map_take(&queue->leases, lease->id) == lease);
    mem_free(lease);
}

/* Agents begin jobs in the order of their grants, one in each slot. */
static bool is_begun_after(const struct agent *agent, uint32_t before)
{
    return before == 0 || before < agent->slots;
}

/* Those that were granted after as many others had not begun when the agent was lost: it was no
 * fault of theirs. */
static bool may_have_begun(const struct lease *lease)
{
    uint32_t before = 0;

    for (const struct lease *other = lease->agent->leases; other; other = other->next)
        before += other->id < lease->id;
    return is_begun_after(lease->agent, before);
}

static enum job_event event_of(const struct job *job, const struct lease *lease,
                               enum attempt_ending ending)
{
    bool is_loss =
        ending == ATTEMPT_LOST || ending == ATTEMPT_RESTARTED || ending == ATTEMPT_REFUSED;

    if (job->state == JOB_STOPPING)
        return is_loss ? EVENT_LOST : EVENT_RETURN;
    if (job->attempts >= ATTEMPTS_MAX)
        return EVENT_GIVE_UP;
    if (!is_loss || (ending != ATTEMPT_REFUSED && !may_have_begun(lease)))
        return EVENT_RETURN;
    return job->lost >= QUEUE_LOST_MAX ? EVENT_GIVE_UP : EVENT_LOST;
}

static void count(struct queue_figures *figures, enum attempt_ending ending)
{
    figures->lost += ending == ATTEMPT_LOST || ending == ATTEMPT_RESTARTED;
    figures->released += ending == ATTEMPT_RELEASED;
    figures->forgotten += ending == ATTEMPT_FORGOTTEN;
}

void lease_end(struct queue *queue, struct lease *lease, enum attempt_ending ending)
{
    struct job job;

    if (!job_load(queue, lease->job, &job))
        return; /* a fault: the bracket is lost */
    count(&queue->figures, ending);
    job_go(queue, &job, event_of(&job, lease, ending),
           &(struct job_change){.lease = lease, .ending = ending});
}

void leases_end(struct queue *queue, struct agent *agent, enum attempt_ending ending)
{
    while (agent->leases && !queue->db.faulty)
        lease_end(queue, agent->leases, ending);
}

uint64_t lease_hold_ns(const struct queue *queue, uint64_t wall_ms)
{
    uint64_t limit_ms = wall_ms ? wall_ms : HELD_WALL_MS;

    if (limit_ms > (UINT64_MAX - queue->hold_ns) / (HELD_TIMES * NS_PER_MS))
        return UINT64_MAX;
    return limit_ms * HELD_TIMES * NS_PER_MS + queue->hold_ns;
}

bool lease_is_overdue(struct lease *lease, uint32_t before, uint64_t now_ns)
{
    if (lease->begun_ns == 0 && is_begun_after(lease->agent, before))
        lease->begun_ns = now_ns;
    return lease->begun_ns != 0 && now_ns - lease->begun_ns >= lease->hold_ns;
}
