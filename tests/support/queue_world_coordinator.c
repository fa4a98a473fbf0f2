/* queue_world_coordinator.c — the network, and the coordinator: the real queue behind what stands
 * between it and the network (sessions, counters, answers kept to be repeated). */
#include "tests/support/queue_world.h"

#include "coordinator/queue/internal.h"

#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>

struct queue_id world_id(uint64_t number, uint64_t kind)
{
    struct queue_id id = {{0}};

    for (size_t i = 0; i < 7; i++)
        id.bytes[i] = (uint8_t)(number >> 8 * i);
    id.bytes[7] = (uint8_t)kind;
    id.bytes[15] = 1;
    return id;
}

/* ---- the network ---- */

bool world_is_quiet(const struct world *world)
{
    return world->now_ms >= world->quiet_ms;
}

void world_send(struct world *world, const struct world_message *message)
{
    const struct world_agent *agent = &world->agents[message->agent];
    uint32_t copies = 1;

    world->messages++;
    if (!world_is_quiet(world)) {
        copies = world_chance(world, world->loss) ? 0 : 1;
        copies += world_chance(world, world->repeat);
        copies = agent->cut_ms > world->now_ms ? 0 : copies;
    }
    for (uint32_t i = 0; i < copies; i++) {
        struct world_message *copy = mem_alloc(sizeof(*copy));
        *copy = *message;
        copy->at_ms = world->now_ms + 1;
        if (!world_is_quiet(world) && world_random(world, 3) == 0)
            copy->at_ms += world_random(world, world->delay_ms);
        copy->next = world->flying;
        world->flying = copy;
    }
}

/* Takes one that has arrived, of those to that side. */
struct world_message *world_receive(struct world *world, bool to_agent)
{
    for (struct world_message **link = &world->flying; *link; link = &(*link)->next) {
        struct world_message *message = *link;
        if (message->at_ms > world->now_ms || message->to_agent != to_agent)
            continue;
        *link = message->next;
        return message;
    }
    return NULL;
}

/* ---- the coordinator ---- */

uint64_t world_monotonic(void *context)
{
    return ((struct world *)context)->now_ms * NS_PER_MS + 1000000000u;
}

uint64_t world_wall(void *context)
{
    const struct world *world = context;

    return (uint64_t)((int64_t)world->now_ms + world->wall_jump_ms + 1700000000000) * NS_PER_MS;
}

void world_forget_answers(struct world *world)
{
    for (uint32_t a = 0; a < WORLD_AGENTS; a++)
        for (uint32_t c = 0; c < 2; c++) {
            mem_free(world->answers[a][c]);
            world->answers[a][c] = NULL;
            world->counters[a][c] = 0;
        }
}

void world_stop(struct world *world)
{
    bool power_loss = world_random(world, 2) == 0;

    world_say(world, "coordinator dies%s", power_loss ? ", and its power goes" : "");
    queue_disk_kill(world->disk);
    queue_close(world->queue);
    world->queue = NULL;
    queue_disk_revive(world->disk, power_loss);
    world_forget_answers(world);
    world->crashes++;
    world->up_ms = world->now_ms + world_random(world, world_is_quiet(world) ? 1000 : 20000);
}

static void trouble_the_disk(struct world *world)
{
    if (world_is_quiet(world)) {
        queue_disk_fuse(world->disk, 0);
        queue_disk_full(world->disk, 0);
    } else if (world_chance(world, world->disk_trouble)) {
        queue_disk_fuse(world->disk, 1 + world_random(world, 12));
    } else if (world_chance(world, world->disk_trouble)) {
        queue_disk_full(world->disk, 1 + world_random(world, 6));
    }
}

/* Whether a run whose submission was not acknowledged is there all the same. */
static bool adopt(void *context, const struct queue_run *run)
{
    struct world *world = context;

    for (uint32_t r = 0; r < world->run_count; r++)
        if (!world->runs[r].id && strcmp(world->runs[r].name, run->name) == 0)
            world->runs[r].id = run->id;
    return true;
}

static bool number_jobs(void *context, const struct queue_job *job)
{
    struct world_run *run = context;

    if (job->place < run->job_count)
        run->jobs[job->place].id = job->id;
    return true;
}

void world_find_jobs(struct world *world, struct world_run *run)
{
    struct queue_page page = {.run = run->id};
    struct err err = ERR_INIT;

    if (!queue_jobs_each(world->queue, &page, number_jobs, run, &err))
        world_problem(world, "jobs of run %llu: %s", (unsigned long long)run->id, err.text);
}

void world_begin(struct world *world)
{
    struct queue_page page = {0};
    struct err err = ERR_INIT;

    trouble_the_disk(world);
    if (!queue_open(&world->options, &world->queue, &err)) {
        if (!queue_disk_dead(world->disk) && err.kind != ERR_NO_SPACE)
            world_problem(world, "open: %s", err.text);
        queue_disk_revive(world->disk, world_random(world, 2) == 0);
        world->up_ms = world->now_ms + 1000;
        return;
    }
    world->epoch++;
    world_say(world, "coordinator starts (%llu)", (unsigned long long)world->epoch);
    queue_runs_each(world->queue, &page, adopt, world, &err);
    for (uint32_t r = 0; r < world->run_count; r++)
        if (world->runs[r].id && !world->runs[r].jobs[0].id)
            world_find_jobs(world, &world->runs[r]);
    if (!queue_disk_dead(world->disk))
        world_check_all(world);
}

/* One bracket. False: nothing of it happened (and the coordinator may be dead). */
bool world_commit(struct world *world)
{
    struct err err = ERR_INIT;

    if (queue_commit(world->queue, &err)) {
        world->commits++;
        return true;
    }
    world_say(world, "commit failed: %s", err.text);
    if (!queue_disk_dead(world->disk) && err.kind != ERR_NO_SPACE)
        world_problem(world, "commit: %s", err.text);
    return false;
}

/* A write that fails at the wrong place may be SQLite's own (WAL's start): then it is dead, too. */
void world_die_if_dead(struct world *world)
{
    if (world->queue && queue_disk_dead(world->disk))
        world_stop(world);
}

bool world_open_bracket(struct world *world)
{
    struct err err = ERR_INIT;

    trouble_the_disk(world);
    return queue_begin(world->queue, &err);
}

static bool refuse(struct world *world, struct world_message *answer, const struct err *err)
{
    bool is_lost = err->kind != ERR_INVALID && err->kind != ERR_CONFLICT &&
                   err->kind != ERR_ACCESS && err->kind != ERR_NOT_FOUND;

    if (err->kind == ERR_INVALID)
        world_problem(world, "refused: %s", err->text);
    answer->refused = true;
    answer->refusal = err->kind;
    return !is_lost;
}

static bool hello(struct world *world, struct world_message *answer, struct err *err)
{
    struct queue_id id = world_id(answer->agent, 1), start = world_id(answer->incarnation, 2);
    struct queue_agent_facts facts = {.name = "agent",
                                      .version = "1",
                                      .arch = answer->agent % 2 ? "aarch64" : "x86_64",
                                      .os = "Linux",
                                      .word_bits = 64,
                                      .cores = 2,
                                      .memory_mib = 1024,
                                      .slots = world->agents[answer->agent].slots};

    return queue_agent_hello(world->queue, &id, &start, &facts, err);
}

static bool claim(struct world *world, const struct world_message *request,
                  struct world_message *answer, struct err *err)
{
    static struct queue_grants grants;
    struct queue_claim claim = {.agent = world_id(answer->agent, 1),
                                .incarnation = world_id(answer->incarnation, 2),
                                .slots_free = request->slots};

    if (!queue_claim(world->queue, &claim, &grants, err))
        return false;
    for (uint32_t i = 0; i < grants.count && i < WORLD_LEASES; i++) {
        const struct queue_grant *grant = &grants.grants[i];
        answer->results[answer->result_count++] = (struct world_result){
            .lease = grant->lease,
            .job = grant->job,
            .attempt = grant->attempt,
            .spec = grant->spec.bytes[0] + (grant->kind == JOB_BOOT ? WORLD_SPECS : 0u)};
    }
    return true;
}

static bool beat(struct world *world, const struct world_message *request,
                 struct world_message *answer, struct err *err)
{
    static struct queue_beat_answer said;
    struct queue_beat beat = {.agent = world_id(answer->agent, 1),
                              .incarnation = world_id(answer->incarnation, 2),
                              .sequence = request->sequence,
                              .leases = request->leases,
                              .lease_count = request->lease_count};

    if (!queue_beat(world->queue, &beat, &said, err))
        return false;
    answer->cancel_count = said.cancel_count;
    memcpy(answer->cancel, said.cancel, said.cancel_count * sizeof(said.cancel[0]));
    answer->unknown_count = said.unknown_count;
    memcpy(answer->unknown, said.unknown, said.unknown_count * sizeof(said.unknown[0]));
    return true;
}

static bool results(struct world *world, const struct world_message *request,
                    struct world_message *answer, struct err *err)
{
    struct queue_id id = world_id(answer->agent, 1);

    answer->result_count = request->result_count;
    for (uint32_t i = 0; i < request->result_count; i++) {
        const struct world_result *r = &request->results[i];
        const struct world_spec *spec = &world->specs[r->spec];
        struct queue_result result = {.lease = r->lease,
                                      .job = r->job,
                                      .attempt = r->attempt,
                                      .verdict = r->verdict,
                                      .instructions = 1000,
                                      .wall_ns = spec->takes_ms * NS_PER_MS,
                                      .reason = ""};
        bool is_boot = r->spec >= WORLD_SPECS;
        result.state_id = world_hash(2, r->spec);
        result.state_id.bytes[4] = spec->diverges ? (uint8_t)request->agent : 0;
        if (is_boot && r->verdict == VERDICT_PASS)
            result.checkpoint = world_hash(3, r->spec);
        answer->results[i] = *r;
        if (!queue_result(world->queue, &id, &result, &answer->outcomes[i], err))
            return false;
    }
    return true;
}

static bool leave(struct world *world, const struct world_message *request, struct err *err)
{
    struct queue_release release = {.agent = world_id(request->agent, 1),
                                    .incarnation = world_id(request->incarnation, 2),
                                    .leases = request->leases,
                                    .lease_count = request->lease_count};

    return request->kind == WORLD_BYE ? queue_bye(world->queue, &release, err)
                                      : queue_release(world->queue, &release, err);
}

/* False: the bracket is lost. */
static bool handle(struct world *world, const struct world_message *request,
                   struct world_message *answer)
{
    struct err err = ERR_INIT;
    bool ok = false;

    switch (request->kind) {
    case WORLD_HELLO:
        ok = hello(world, answer, &err);
        break;
    case WORLD_CLAIM:
        ok = claim(world, request, answer, &err);
        break;
    case WORLD_BEAT:
        ok = beat(world, request, answer, &err);
        break;
    case WORLD_RESULT:
        ok = results(world, request, answer, &err);
        break;
    case WORLD_RELEASE:
    case WORLD_BYE:
        ok = leave(world, request, &err);
        break;
    }
    return ok || refuse(world, answer, &err);
}

/* What stands between the network and the queue: sessions and counters (peer.h). True: handle it.
 */
static bool admit(struct world *world, const struct world_message *request)
{
    uint64_t *last = &world->counters[request->agent][request->channel];
    const struct world_message *said = world->answers[request->agent][request->channel];
    uint64_t number = request->incarnation << 32 | request->counter;

    if (request->epoch != world->epoch) {
        struct world_message answer = {.to_agent = true,
                                       .agent = request->agent,
                                       .channel = request->channel,
                                       .incarnation = request->incarnation,
                                       .counter = request->counter,
                                       .epoch = world->epoch,
                                       .again = true};
        world_send(world, &answer);
        return false;
    }
    if (number == *last && said && !(world->raw && request->kind != WORLD_BYE)) {
        world_send(world, said);
        return false;
    }
    if (number < *last)
        return false;
    *last = number;
    return true;
}

static void answered(struct world *world, const struct world_message *request,
                     struct world_message *answer)
{
    world_check_granted(world, answer);
    world_check_recorded(world, request, answer);
    mem_free(world->answers[answer->agent][answer->channel]);
    world->answers[answer->agent][answer->channel] = answer;
    world_send(world, answer);
}

/* Everything that has come in, or the first few, in one bracket; answers after the commit. */
void world_serve(struct world *world)
{
    struct world_message *requests[8], *answers[8];
    uint32_t count = 0, most = 1 + (uint32_t)world_random(world, 8);
    bool ok = world_open_bracket(world);

    for (struct world_message *request; count < most && (request = world_receive(world, false));) {
        if (!admit(world, request)) {
            mem_free(request);
            continue;
        }
        struct world_message *answer = mem_alloc(sizeof(*answer));
        answer->to_agent = true;
        answer->agent = request->agent;
        answer->channel = request->channel;
        answer->kind = request->kind;
        answer->counter = request->counter;
        answer->incarnation = request->incarnation;
        requests[count] = request;
        answers[count++] = answer;
        ok = ok && handle(world, request, answer);
    }
    bool more;
    struct err err = ERR_INIT;
    if (ok && world->now_ms % 1000 == 0)
        queue_tick(world->queue, &more, &err);
    if (world->queue->open) {
        bool is_committed = world_commit(world);
        if (is_committed && !ok)
            world_problem(world, "a lost bracket was committed");
        ok = is_committed && ok;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (ok) {
            answered(world, requests[i], answers[i]);
        } else {
            world->counters[requests[i]->agent][requests[i]->channel]--; /* as if it never came */
            mem_free(answers[i]);
        }
        mem_free(requests[i]);
    }
    world_die_if_dead(world);
}
