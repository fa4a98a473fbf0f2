/* service_phase.c — an agent from its start to its end: what is done at every turn of the loop,
 * and what makes it go on from one phase to the next. */
#include "agent/farm/service_internal.h"

#define TICK_NS       UINT64_C(1000000000)
#define RESTART_NS    UINT64_C(1000000000)  /* before a process that died is started again */
#define LAST_WORDS_NS UINT64_C(10000000000) /* when all has ended: for results to be delivered */

static void start_spawner(struct agent *agent)
{
    struct err err = ERR_INIT;

    if (agent->spawner >= 0 || agent->fetcher == NULL || agent_now_ns() < agent->spawner_at_ns)
        return;
    agent->spawner_at_ns = agent_now_ns() + RESTART_NS;
    if (!nursery_start(agent->nursery, AGENT_SPAWNER, &agent->spawner, &err))
        agent_fail(agent, &err);
}

/* A new keeper is told all that the old one knew. */
static void start_keeper(struct agent *agent)
{
    struct err err = ERR_INIT;

    if (agent->keeper >= 0 || agent_now_ns() < agent->keeper_at_ns)
        return;
    agent->keeper_at_ns = agent_now_ns() + RESTART_NS;
    if (!nursery_start(agent->nursery, AGENT_KEEPER, &agent->keeper, &err)) {
        agent_fail(agent, &err);
        return;
    }
    for (size_t i = 0; i < agent->task_count; i++)
        if (agent->tasks[i]->job.attempt != 0) /* not one of an earlier start */
            (void)keeper_tell(agent->keeper, KEEPER_HOLD, agent->tasks[i]->job.lease, &err);
    if (agent->beat_ms != 0)
        (void)keeper_tell(agent->keeper, KEEPER_BEGIN, agent->beat_ms, &err);
}

/* From replaying to joining, when all is delivered. From draining to leaving: when nothing runs,
 * and what is done is delivered or has had its time.
 */
static void go_on(struct agent *agent)
{
    uint64_t now = agent_now_ns();

    if (agent->phase == AGENT_REPLAYING && (agent->task_count == 0 || now >= agent->join_ns))
        agent->phase = AGENT_JOINING;
    if (agent->phase != AGENT_DRAINING)
        return;
    if (agent->stop_now || now >= agent->drain_until_ns)
        task_release_running(agent);
    if (agent->task_count == 0 || (task_count_of(agent, TASK_FETCHING, TASK_RUNNING) == 0 &&
                                   now >= agent->drain_until_ns + LAST_WORDS_NS))
        agent->phase = AGENT_LEAVING;
}

static void tick(struct agent *agent)
{
    struct err ignored = ERR_INIT;

    if (agent_now_ns() < agent->tick_ns)
        return;
    agent->tick_ns = agent_now_ns() + TICK_NS;
    task_try_again(agent);
    start_keeper(agent);
    if (agent->keeper >= 0) /* also the sign that this loop is alive */
        (void)keeper_tell(agent->keeper, KEEPER_BUSY,
                          task_count_of(agent, TASK_RUNNING, TASK_RUNNING), &ignored);
}

void phase_turn(struct agent *agent)
{
    tick(agent);
    start_spawner(agent);
    task_start_ready(agent);
    go_on(agent);
    talk_next(agent);
}

void phase_drain(struct agent *agent)
{
    uint32_t drain_ms = agent->options->drain_ms != 0 ? agent->options->drain_ms : AGENT_DRAIN_MS;

    if (agent->phase == AGENT_DRAINING) {
        agent->stop_now = true;
        return;
    }
    if (agent->phase > AGENT_DRAINING)
        return;
    agent->phase = AGENT_DRAINING;
    agent->drain_until_ns = agent_now_ns() + drain_ms * UINT64_C(1000000);
    task_release_waiting(agent);
}

void phase_take_news(struct agent *agent, const struct keeper_event *event)
{
    switch (event->what) {
    case KEEPER_CANCEL:
        task_cancel(agent, event->value);
        break;
    case KEEPER_UNKNOWN:
        task_unknown(agent, event->value);
        break;
    case KEEPER_DRAIN:
        agent->draining = event->value != 0;
        break;
    case KEEPER_STRANGER:
        if (agent->phase == AGENT_SERVING)
            agent->phase = AGENT_JOINING;
        break;
    default:
        break;
    }
}
