/* queue_world_agent.c — what an agent does, as the farm's protocol has it. */
#include "tests/support/queue_world.h"

#include "storage/base/check.h"

#include <string.h>

#define RESEND_MS 3000

static void release(struct world_agent *agent)
{
    for (size_t c = 0; c < 2; c++) {
        mem_free(agent->asked[c]);
        agent->asked[c] = NULL;
    }
}

static void crash(struct world *world, struct world_agent *agent)
{
    world_say(world, "agent %u crashes", agent->number);
    release(agent);
    agent->up = agent->hello = false;
    agent->task_count = 0;
    agent->leaving = false;
    agent->up_ms = world->now_ms + world_random(world, 40000);
}

static void start(struct world *world, struct world_agent *agent)
{
    agent->up = true;
    agent->incarnation++;
    agent->sequence = 0;
    agent->counters[0] = agent->counters[1] = 0;
    agent->epoch = 0;
    agent->beat_ms = agent->claim_ms = world->now_ms;
    world_say(world, "agent %u starts, %u spooled", agent->number, agent->spool_count);
}

static void transmit(struct world *world, struct world_agent *agent, uint32_t channel)
{
    agent->asked[channel]->epoch = agent->epoch;
    agent->asked_ms[channel] = world->now_ms;
    world_send(world, agent->asked[channel]);
}

static struct world_message *ask(struct world_agent *agent, uint32_t channel, enum world_kind kind)
{
    struct world_message *message = mem_alloc(sizeof(*message));

    message->agent = agent->number;
    message->channel = channel;
    message->kind = kind;
    message->incarnation = agent->incarnation;
    message->counter = ++agent->counters[channel];
    agent->asked[channel] = message;
    return message;
}

/* Ends tasks whose time has come; they are spooled, durably, unless the agent dies just then. */
static void work(struct world *world, struct world_agent *agent)
{
    uint32_t running = 0;

    for (uint32_t i = 0; i < agent->task_count; i++)
        running += agent->tasks[i].ends_ms != 0;
    for (uint32_t i = 0; i < agent->task_count; i++) {
        struct world_task *task = &agent->tasks[i];
        if (!task->ends_ms && running < agent->slots) {
            task->ends_ms = world->now_ms + world->specs[task->what.spec].takes_ms;
            task->hangs = world->now_ms < world->quiet_ms && world_random(world, 150) == 0;
            running++;
        }
        if (task->hangs || (!task->stopping && (!task->ends_ms || task->ends_ms > world->now_ms)))
            continue;
        const struct world_spec *spec = &world->specs[task->what.spec];
        task->what.verdict = spec->truth;
        if (world_random(world, 100) < spec->infra_percent)
            task->what.verdict = VERDICT_INFRA;
        if (task->stopping)
            task->what.verdict = VERDICT_CANCELLED;
        CHECK(agent->spool_count < WORLD_LEASES);
        agent->spool[agent->spool_count++] = task->what;
        *task = agent->tasks[--agent->task_count];
        i--;
    }
}

static void beat(struct world *world, struct world_agent *agent)
{
    struct world_message *message = ask(agent, 1, WORLD_BEAT);

    message->sequence = ++agent->sequence;
    for (uint32_t i = 0; i < agent->task_count; i++)
        message->leases[message->lease_count++] = agent->tasks[i].what.lease;
    for (uint32_t i = 0; i < agent->spool_count; i++)
        if (message->lease_count < WORLD_LEASES)
            message->leases[message->lease_count++] = agent->spool[i].lease;
    agent->beat_ms = world->now_ms + 4500 + world_random(world, 1000);
    transmit(world, agent, 1);
}

static void report(struct world *world, struct world_agent *agent)
{
    struct world_message *message = ask(agent, 0, WORLD_RESULT);

    message->result_count = agent->spool_count < 8 ? agent->spool_count : 8;
    memcpy(message->results, agent->spool, message->result_count * sizeof(message->results[0]));
    transmit(world, agent, 0);
}

static void give_back(struct world *world, struct world_agent *agent)
{
    struct world_message *message = ask(agent, 0, WORLD_RELEASE);

    for (uint32_t i = 0; i < agent->task_count;) {
        if (agent->tasks[i].ends_ms) {
            i++;
            continue;
        }
        message->leases[message->lease_count++] = agent->tasks[i].what.lease;
        agent->tasks[i] = agent->tasks[--agent->task_count];
    }
    transmit(world, agent, 0);
}

/* The channel for work: results first, whatever the incarnation; then hello; then claims. */
static void talk(struct world *world, struct world_agent *agent)
{
    if (agent->spool_count > 0) {
        report(world, agent);
    } else if (!agent->hello) {
        ask(agent, 0, WORLD_HELLO);
        transmit(world, agent, 0);
    } else if (agent->task_count < agent->slots && agent->claim_ms <= world->now_ms) {
        agent->claim_ms = world->now_ms + 1000;
        ask(agent, 0, WORLD_CLAIM)->slots = agent->slots;
        transmit(world, agent, 0);
    } else if (world->now_ms < world->quiet_ms && world_random(world, 400) == 0) {
        give_back(world, agent);
    } else if (world->now_ms < world->quiet_ms && world_random(world, 1500) == 0) {
        agent->leaving = true;
        agent->task_count = 0;
        ask(agent, 0, WORLD_BYE);
        transmit(world, agent, 0);
    }
}

bool world_agent_endures(struct world *world, struct world_agent *agent, bool *crashes)
{
    *crashes = false;
    if (!agent->up || agent->paused_ms > world->now_ms)
        return false;
    if (world->now_ms >= world->quiet_ms)
        return true;
    *crashes = world_chance(world, world->crash);
    if (*crashes)
        return false;
    if (world_random(world, 800) == 0)
        agent->paused_ms = world->now_ms + world_random(world, 50000);
    if (world_random(world, 600) == 0)
        agent->cut_ms = world->now_ms + world_random(world, 50000);
    return true;
}

static void step(struct world *world, struct world_agent *agent)
{
    bool crashes;

    if (!agent->up && agent->up_ms <= world->now_ms)
        start(world, agent);
    if (!world_agent_endures(world, agent, &crashes)) {
        if (crashes)
            crash(world, agent);
        return;
    }
    work(world, agent);
    for (uint32_t c = 0; c < 2; c++)
        if (agent->asked[c] && world->now_ms - agent->asked_ms[c] >= RESEND_MS)
            transmit(world, agent, c);
    if (agent->hello && !agent->asked[1] && agent->beat_ms <= world->now_ms)
        beat(world, agent);
    if (!agent->asked[0])
        talk(world, agent);
}

static void drop_task(struct world_agent *agent, uint64_t lease)
{
    for (uint32_t i = 0; i < agent->task_count; i++) {
        if (agent->tasks[i].what.lease != lease)
            continue;
        agent->tasks[i] = agent->tasks[--agent->task_count];
        return;
    }
}

static void take_grants(struct world *world, struct world_agent *agent,
                        const struct world_message *answer)
{
    for (uint32_t i = 0; i < answer->result_count; i++) {
        for (uint32_t k = 0; k < agent->task_count; k++)
            if (agent->tasks[k].what.lease == answer->results[i].lease)
                world_problem(world, "lease %llu was granted twice",
                              (unsigned long long)answer->results[i].lease);
        CHECK(agent->task_count < WORLD_LEASES);
        agent->tasks[agent->task_count++] = (struct world_task){.what = answer->results[i]};
    }
}

static void take_outcomes(struct world_agent *agent, const struct world_message *asked)
{
    for (uint32_t i = 0; i < asked->result_count; i++)
        for (uint32_t k = 0; k < agent->spool_count; k++)
            if (agent->spool[k].lease == asked->results[i].lease)
                agent->spool[k--] = agent->spool[--agent->spool_count];
}

static void take_beat(struct world_agent *agent, const struct world_message *answer)
{
    for (uint32_t i = 0; i < answer->unknown_count; i++)
        drop_task(agent, answer->unknown[i]);
    for (uint32_t i = 0; i < answer->cancel_count; i++)
        for (uint32_t k = 0; k < agent->task_count; k++)
            if (agent->tasks[k].what.lease == answer->cancel[i])
                agent->tasks[k].stopping = true;
}

static void take(struct world *world, struct world_agent *agent, const struct world_message *answer)
{
    struct world_message *asked = agent->asked[answer->channel];

    if (!agent->up || agent->paused_ms > world->now_ms || !asked ||
        asked->counter != answer->counter || asked->incarnation != answer->incarnation)
        return;
    if (answer->again) {
        agent->epoch = answer->epoch;
        transmit(world, agent, answer->channel);
        return;
    }
    agent->asked[answer->channel] = NULL;
    if (answer->refused && answer->refusal == ERR_CONFLICT)
        agent->hello = false;
    else if (answer->refused)
        world_problem(world, "agent %u was refused, kind %d", agent->number, answer->refusal);
    else if (answer->kind == WORLD_HELLO)
        agent->hello = true;
    else if (answer->kind == WORLD_CLAIM)
        take_grants(world, agent, answer);
    else if (answer->kind == WORLD_RESULT)
        take_outcomes(agent, asked);
    else if (answer->kind == WORLD_BEAT)
        take_beat(agent, answer);
    else if (answer->kind == WORLD_BYE)
        crash(world, agent);
    mem_free(asked);
}

static bool is_settled(const struct world_agent *agent)
{
    return agent->task_count == 0 && agent->spool_count == 0;
}

const struct world_agents world_model_agents = {step, take, is_settled, release};
