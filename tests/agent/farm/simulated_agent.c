/* simulated_agent.c — an agent of the world: it starts, suffers, dies, and starts again. */
#include "tests/agent/farm/simulated_internal.h"

#include "storage/base/check.h"
#include "storage/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct sim *sim_now;

uint64_t sim_random(uint64_t below)
{
    return world_random(sim_now->world, below);
}

bool sim_trouble(uint32_t permille)
{
    return !world_is_quiet(sim_now->world) && world_chance(sim_now->world, permille);
}

/* ---- in place of log.c: what a world that is followed tells ---- */

void log_set_level(enum log_level level)
{
    (void)level;
}

void log_message(enum log_level level, const char *format, ...)
{
    char text[512];
    va_list arguments;

    (void)level;
    if (!sim_now || !sim_now->world->talks)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    world_say(sim_now->world, "agent %u: %s", sim_now->body->number, text);
}

/* ---- in place of service.c ---- */

uint64_t agent_now_ns(void)
{
    return world_monotonic(sim_now->world);
}

void agent_fail(struct agent *agent, const struct err *err)
{
    (void)agent;
    world_problem(sim_now->world, "agent %u fails: %s", sim_now->body->number, err->text);
}

bool agent_open_store(struct agent *agent, const char *store, struct err *err)
{
    struct sim *sim = sim_now;

    (void)store;
    agent->fetcher = (struct mover *)&sim->moves[0];
    agent->pusher = (struct mover *)&sim->moves[1];
    return task_replay(agent, err);
}

/* ---- life ---- */

static void start(struct sim *sim)
{
    struct agent *agent = mem_alloc(sizeof(*agent));
    struct world_agent *body = sim->body;
    struct err err = ERR_INIT;

    body->up = true;
    body->incarnation++;
    body->counters[0] = body->counters[1] = 0;
    body->epoch = 0;
    sim->agent = agent;
    sim->options = (struct agent_options){.name = "simulated", .drain_ms = 5000};
    agent->options = &sim->options;
    agent->slots = body->slots;
    agent->signals = agent->spawner = agent->keeper = -1;
    agent->request = mem_alloc(sizeof(*agent->request));
    agent->answer = mem_alloc(sizeof(*agent->answer));
    agent->loaded = mem_alloc(sizeof(*agent->loaded));
    agent->spool = (struct spool *)sim;
    agent->nursery = (struct nursery *)sim;
    agent->line = (struct line){&sim_line, sim};
    agent->join_ns = agent_now_ns() + 30 * 1000 * SIM_MS_NS;
    memcpy(agent->keeper_options.incarnation.bytes, &body->incarnation, sizeof(body->incarnation));
    world_say(sim->world, "agent %u starts, %u spooled", body->number, sim->file_count);
    CHECK(agent_open_store(agent, "", &err));
}

/* Whatever is not durable is gone. */
static void stop(struct sim *sim)
{
    struct agent *agent = sim->agent;

    sim_line_release(sim);
    sim_parts_release(sim);
    sim->body->up = sim->dies = false;
    if (!agent)
        return;
    agent->keeper = -1;
    for (size_t i = 0; i < agent->again_count; i++)
        errand_free(&agent->again[i]->move);
    while (agent->task_count)
        task_forget(agent, agent->tasks[0]);
    for (size_t i = 0; i < MESSAGE_RESULTS_MAX; i++)
        buf_release(&agent->sent_bytes[i]);
    mem_free(agent->request);
    mem_free(agent->answer);
    mem_free(agent->loaded);
    mem_free(agent);
    sim->agent = NULL;
}

static void die(struct sim *sim, const char *how)
{
    world_say(sim->world, "agent %u %s", sim->body->number, how);
    stop(sim);
    sim->body->up_ms = sim->world->now_ms + world_random(sim->world, 40000);
}

static struct sim *sim_of(struct world *world, struct world_agent *body)
{
    struct sim *sim = body->real;

    if (!sim) {
        sim = body->real = mem_alloc(sizeof(*sim));
        sim->scratch = mem_alloc(sizeof(*sim->scratch));
    }
    sim->world = world;
    sim->body = body;
    sim_now = sim;
    return sim;
}

static void live(struct sim *sim)
{
    struct agent *agent = sim->agent;

    if (sim_random(1500) == 0 && !world_is_quiet(sim->world)) {
        world_say(sim->world, "agent %u is told to end", sim->body->number);
        phase_drain(agent);
    }
    sim_parts_turn(sim);
    sim_line_turn(sim);
    sim_line_beat(sim);
    if (agent->phase != AGENT_GONE)
        phase_turn(agent);
    talk_turn(agent);
}

static void step(struct world *world, struct world_agent *body)
{
    struct sim *sim = sim_of(world, body);
    bool crashes;

    if (!body->up && body->up_ms <= world->now_ms)
        start(sim);
    if (!world_agent_endures(world, body, &crashes)) {
        if (crashes)
            die(sim, "crashes");
        return;
    }
    live(sim);
    if (sim->dies)
        die(sim, "crashes at its disk");
    else if (sim->agent->phase == AGENT_GONE)
        die(sim, "has left");
}

static void take(struct world *world, struct world_agent *body, const struct world_message *answer)
{
    struct sim *sim = sim_of(world, body);

    if (body->up && body->paused_ms <= world->now_ms)
        sim_line_take(sim, answer);
}

static bool is_settled(const struct world_agent *body)
{
    const struct sim *sim = body->real;

    return sim && sim->file_count == 0 && (!sim->agent || sim->agent->task_count == 0);
}

static void release(struct world_agent *body)
{
    struct sim *sim = body->real;

    if (!sim)
        return;
    sim_now = sim;
    stop(sim);
    for (uint32_t i = 0; i < sim->file_count; i++)
        buf_release(&sim->files[i].bytes);
    mem_free(sim->scratch);
    mem_free(sim);
    body->real = NULL;
}

const struct world_agents simulated_agents = {step, take, is_settled, release};
