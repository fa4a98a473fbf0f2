/* claim.c — which jobs an agent gets.
 *
 * Runs: the highest priority first; between equals the one that was given the least work so far
 * (stride scheduling: a run's pass goes up by the expected time of each job that it is given).
 * Lanes of a run: boots, because others wait for them; then those whose checkpoint the agent has;
 * then the one that the fewest jobs are running from for what is waiting there, so that agents
 * spread over checkpoints. Jobs of a lane: by rank, which is the longest first or the file's order.
 * A claim is given jobs until each free slot has BUNDLE_US of work, but no more than the slot's
 * share of what is ready: at a run's end nobody sits on jobs that others have time for. */
#include "coordinator/queue/arrows.h"

#include "storage/base/check.h"

#include <string.h>

struct choice {
    struct lane *lane;
    bool is_cached;
};

struct candidates {
    struct choice *choices;
    size_t count;
    uint64_t ready; /* jobs in all of them */
};

static bool is_cached(const struct lane *lane, const struct queue_cached *cached)
{
    for (uint32_t i = 0; i < cached->count; i++)
        if (hash_equal(&lane->checkpoint, &cached->checkpoints[i]))
            return true;
    return false;
}

static void find_candidates(struct queue *queue, struct agent *agent,
                            const struct queue_cached *cached, struct candidates *out)
{
    size_t at = 0, capacity = 0;

    for (struct run *run; (run = map_next(&queue->runs, &at));)
        capacity += run->state == RUN_ACTIVE && !run->cancelled ? run->lane_count : 0;
    *out = (struct candidates){mem_array(capacity + 1, sizeof(*out->choices)), 0, 0};
    at = 0;
    for (struct run *run; (run = map_next(&queue->runs, &at));) {
        if (run->state != RUN_ACTIVE || run->cancelled)
            continue;
        for (size_t i = 0; i < run->lane_count; i++) {
            struct lane *lane = run->lanes[i];
            if (lane->ready == 0 || !lane_suits(queue, lane, agent))
                continue;
            out->choices[out->count++] = (struct choice){lane, is_cached(lane, cached)};
            out->ready += lane->ready;
        }
    }
}

/* Whether lane a is to be served before b, both of one run. */
static bool lane_before(const struct choice *a, const struct choice *b)
{
    if (a->lane->boot != b->lane->boot)
        return a->lane->boot;
    if (a->is_cached != b->is_cached)
        return a->is_cached;
    uint64_t left = a->lane->running * b->lane->ready, right = b->lane->running * a->lane->ready;
    if (left != right)
        return left < right;
    if (a->lane->ready != b->lane->ready)
        return a->lane->ready > b->lane->ready;
    return a->lane->id < b->lane->id;
}

static bool choice_before(const struct choice *a, const struct choice *b)
{
    const struct run *left = a->lane->run, *right = b->lane->run;

    if (left == right)
        return lane_before(a, b);
    if (left->priority != right->priority)
        return left->priority > right->priority;
    if (left->pass != right->pass)
        return left->pass < right->pass;
    return left->id < right->id;
}

static struct lane *best(const struct candidates *candidates)
{
    const struct choice *best = NULL;

    for (size_t i = 0; i < candidates->count; i++) {
        const struct choice *choice = &candidates->choices[i];
        if (choice->lane->ready > 0 && (!best || choice_before(choice, best)))
            best = choice;
    }
    return best ? best->lane : NULL;
}

/* A test that never ran is thought to take twice what its run's tests took lately: at a run's
 * beginning little is given at a time, soon as much as is good for short tests. */
static uint64_t expected_of(const struct job *job)
{
    if (job->expected_us)
        return job->expected_us;
    return job->run->learned_us && job->kind == JOB_TEST ? 2 * job->run->learned_us : EXPECTED_US;
}

static bool grant_first(struct queue *queue, struct lane *lane, struct agent *agent,
                        struct queue_grant *out, uint64_t *expected_us)
{
    sqlite3_stmt *first = db_use(&queue->db, SQL_JOB_FIRST);
    struct job job;

    db_u64(first, 1, lane->id);
    uint64_t id = db_number(&queue->db, first, 0);
    if (!job_load(queue, id, &job)) {
        CHECK(queue->db.faulty); /* or the lane's count lies */
        return false;
    }
    *expected_us = expected_of(&job);
    job_go(queue, &job, EVENT_GRANT, &(struct job_change){.agent = agent, .granted = &out->lease});
    out->run = job.run_id;
    out->job = job.id;
    out->attempt = job.attempts;
    out->kind = job.kind;
    out->flags = job.flags & JOB_FLAG_RERUN ? QUEUE_GRANT_RERUN : 0;
    out->spec = job.spec;
    out->checkpoint = job.kind == JOB_BOOT ? (struct hash){{0}} : job.checkpoint;
    out->wall_ms = job.wall_ms;
    queue->figures.granted++;
    return true;
}

/* How many jobs this claim may have at most, however short. */
static uint32_t share_of(const struct queue *queue, const struct queue_claim *claim,
                         const struct agent *agent, uint64_t ready)
{
    uint64_t slots = 0, most = QUEUE_GRANTS_MAX;
    size_t at = 0;

    for (const struct agent *other; (other = map_next(&queue->agents, &at));)
        if (agent_online(queue, other) && !other->draining)
            slots += other->slots;
    uint64_t share = slots ? (ready + slots - 1) / slots * claim->slots_free : most;
    if (share < claim->slots_free)
        share = claim->slots_free;
    if (share < most)
        most = share;
    uint64_t room =
        agent->lease_count < QUEUE_LEASES_MAX ? QUEUE_LEASES_MAX - agent->lease_count : 0;
    return (uint32_t)(room < most ? room : most);
}

bool queue_claim(struct queue *queue, const struct queue_claim *claim, struct queue_grants *out,
                 struct err *err)
{
    struct agent *agent = agent_speaks(queue, &claim->agent, &claim->incarnation, err);
    struct candidates candidates;
    uint64_t given_us = 0;

    out->count = 0;
    if (!agent)
        return false;
    if (claim->cached.count > QUEUE_CACHED_MAX)
        return err_set(err, ERR_TOO_BIG, "claim: at most %d checkpoints", QUEUE_CACHED_MAX);
    out->drain = agent->draining;
    if (agent->draining || claim->slots_free == 0 || agent_barred(queue, agent))
        return true;
    find_candidates(queue, agent, &claim->cached, &candidates);
    uint32_t most = share_of(queue, claim, agent, candidates.ready);
    uint64_t wanted_us = (uint64_t)claim->slots_free * BUNDLE_US;
    while (out->count < most && (out->count < claim->slots_free || given_us < wanted_us)) {
        struct lane *lane = best(&candidates);
        uint64_t expected_us;
        if (!lane || !grant_first(queue, lane, agent, &out->grants[out->count], &expected_us))
            break;
        out->count++;
        given_us += expected_us;
        lane->run->pass += expected_us;
    }
    mem_free(candidates.choices);
    return db_ok(&queue->db, err);
}
