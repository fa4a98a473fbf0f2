#include "tests/support/queue_world.h"

#include "coordinator/queue/internal.h"

#include "storage/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

uint64_t world_random(struct world *world, uint64_t below)
{
    uint64_t z = world->random += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return below ? z % below : 0;
}

bool world_chance(struct world *world, uint32_t permille)
{
    return world_random(world, 1000) < permille;
}

void world_say(struct world *world, const char *format, ...)
{
    va_list arguments;

    if (!world->talks)
        return;
    va_start(arguments, format);
    fprintf(stderr, "%9.3f  ", (double)world->now_ms / 1000);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

void world_problem(struct world *world, const char *format, ...)
{
    va_list arguments;

    if (world->problem[0])
        return;
    va_start(arguments, format);
    vsnprintf(world->problem, sizeof(world->problem), format, arguments);
    va_end(arguments);
    world_say(world, "PROBLEM: %s", world->problem);
}

struct hash world_hash(uint32_t kind, uint32_t number)
{
    return (struct hash){{(uint8_t)number, (uint8_t)kind, 0x5a}};
}

/* ---- submitters ---- */

static void make_request(struct world *world, struct world_run *run,
                         struct queue_job_request jobs[WORLD_JOBS], char names[WORLD_JOBS][16])
{
    (void)world;
    for (uint32_t i = 0; i < run->job_count; i++) {
        const struct world_job *job = &run->jobs[i];
        bool is_boot = job->spec >= WORLD_SPECS;
        snprintf(names[i], 16, "job%u", i);
        jobs[i] = (struct queue_job_request){
            .name = names[i],
            .suite = "world",
            .kind = is_boot ? JOB_BOOT : JOB_TEST,
            .spec = world_hash(is_boot, is_boot ? job->spec - WORLD_SPECS : job->spec),
            .needs = job->needs,
            .need_count = job->need_count,
            .retry_infra = job->retry,
            .wall_ms_max = WORLD_WALL_MS};
        if (job->boot)
            jobs[i].boot = world_hash(1, job->boot - 1);
        if (job->quarantined)
            jobs[i].quarantine.owner = "somebody";
    }
}

static void submit(struct world *world, struct world_run *run)
{
    struct queue_job_request jobs[WORLD_JOBS];
    char names[WORLD_JOBS][16];
    struct queue_run_request request = {.name = run->name,
                                        .submitter = "world",
                                        .priority = 50,
                                        .options = {.max_failures = run->max_failures,
                                                    .no_cache = run->no_cache,
                                                    .rerun_share_permille = run->rerun_permille},
                                        .jobs = jobs,
                                        .job_count = run->job_count};
    struct queue_submitted out;
    struct err err = ERR_INIT;

    snprintf(run->name, sizeof(run->name), "run%u try%u", (unsigned)(run - world->runs),
             run->tries++);
    make_request(world, run, jobs, names);
    if (!world_open_bracket(world)) {
        world_die_if_dead(world);
        return;
    }
    bool ok = queue_run_submit(world->queue, &request, &out, &err);
    if (world_commit(world) && ok) {
        run->id = out.run;
        world_find_jobs(world, run);
        world_say(world, "%s is run %llu", run->name, (unsigned long long)run->id);
    }
    world_die_if_dead(world);
}

static void change_run(struct world *world, struct world_run *run, uint64_t *at_ms,
                       bool (*change)(struct queue *, uint64_t, struct err *))
{
    struct err err = ERR_INIT;

    if (!*at_ms || *at_ms > world->now_ms || !run->id || !world->queue ||
        !world_open_bracket(world))
        return;
    bool ok = change(world->queue, run->id, &err) || err.kind == ERR_CONFLICT;
    if (world_commit(world) && ok)
        *at_ms = 0;
    world_die_if_dead(world);
}

static bool cancel_run(struct queue *queue, uint64_t run, struct err *err)
{
    return queue_run_cancel(queue, run, "enough", err);
}

static void submitters(struct world *world)
{
    for (uint32_t r = 0; r < world->run_count && world->queue; r++) {
        struct world_run *run = &world->runs[r];
        if (!run->id && run->at_ms <= world->now_ms) {
            submit(world, run);
            continue;
        }
        if (run->cancel_ms && run->cancel_ms <= world->now_ms)
            run->cancelled = true; /* even if it fails: it may have been done */
        change_run(world, run, &run->cancel_ms, cancel_run);
        change_run(world, run, &run->pause_ms, queue_run_pause);
        if (!run->pause_ms)
            change_run(world, run, &run->resume_ms, queue_run_resume);
    }
}

/* ---- making a world ---- */

static void make_specs(struct world *world)
{
    for (uint32_t i = 0; i < WORLD_SPECS + WORLD_BOOTS; i++) {
        struct world_spec *spec = &world->specs[i];
        uint64_t dice = world_random(world, 10);
        spec->truth = dice < 7 ? VERDICT_PASS : dice < 9 ? VERDICT_FAIL : VERDICT_TIMEOUT;
        spec->diverges = i < WORLD_SPECS && world_random(world, 12) == 0;
        spec->infra_percent = world_random(world, 3) == 0 ? (uint32_t)world_random(world, 90) : 0;
        /* Where all is calm, long enough for beats to matter. */
        spec->takes_ms = (250 + world_random(world, 8000)) * (world->calm ? 5 : 1);
    }
}

static void make_job(struct world *world, struct world_run *run, uint32_t at, uint32_t boots)
{
    struct world_job *job = &run->jobs[at];

    job->retry = (uint32_t)world_random(world, 4);
    if (at < boots) {
        job->spec = WORLD_SPECS + at;
        return;
    }
    job->spec = (uint32_t)world_random(world, WORLD_SPECS);
    job->quarantined = world_random(world, 8) == 0;
    if (boots && world_random(world, 2))
        job->boot = 1 + (uint32_t)world_random(world, boots);
    while (at > 0 && job->need_count < 2 && world_random(world, 3) == 0) {
        uint32_t need = (uint32_t)world_random(world, at);
        if (job->need_count && job->needs[0] == need)
            break;
        job->needs[job->need_count++] = need;
    }
}

static void make_run(struct world *world, struct world_run *run)
{
    uint32_t boots = (uint32_t)world_random(world, WORLD_BOOTS + 1);

    run->at_ms = world_random(world, 15000);
    run->job_count = boots + 1 + (uint32_t)world_random(world, WORLD_JOBS - boots);
    for (uint32_t i = 0; i < run->job_count; i++)
        make_job(world, run, i, boots);
    run->max_failures = world_random(world, 4) == 0 ? 1 + world_random(world, 3) : 0;
    run->no_cache = world_random(world, 3) == 0;
    run->rerun_permille = world_random(world, 3) == 0 ? 500 : 0;
    if (world_random(world, 6) == 0)
        run->cancel_ms = run->at_ms + world_random(world, 30000);
    if (world_random(world, 6) == 0) {
        run->pause_ms = run->at_ms + world_random(world, 20000);
        run->resume_ms = run->pause_ms + world_random(world, 20000);
    }
}

static void make(struct world *world, struct queue_disk *disk, uint64_t seed)
{
    bool talks = world->talks, calm = world->calm;
    const struct world_agents *agents_are = world->agents_are;

    memset(world, 0, sizeof(*world));
    world->talks = talks;
    world->calm = calm;
    world->agents_are = agents_are ? agents_are : &world_model_agents;
    world->seed = seed;
    world->random = seed * 0x2545f4914f6cdd1du + 1;
    world->disk = disk;
    world->clock = (struct clock_source){world_monotonic, world_wall, world};
    world->options = (struct queue_options){.path = "queue.db",
                                            .vfs = QUEUE_DISK_VFS,
                                            .clock = &world->clock,
                                            .seed = seed,
                                            .hold_ms = WORLD_HOLD_MS};
    world->quiet_ms = calm ? 0 : 20000 + world_random(world, 60000);
    world->loss = world_random(world, 3) ? (uint32_t)world_random(world, 300) : 0;
    world->repeat = world_random(world, 2) ? (uint32_t)world_random(world, 300) : 0;
    world->delay_ms = world_random(world, 2) ? world_random(world, 8000) : 500;
    world->crash = world_random(world, 3) ? (uint32_t)world_random(world, 20) : 0;
    world->disk_trouble = world_random(world, 3) ? (uint32_t)world_random(world, 80) : 0;
    world->raw = world_random(world, 4) == 0;
    make_specs(world);
    world->agent_count = 1 + (uint32_t)world_random(world, WORLD_AGENTS);
    for (uint32_t i = 0; i < world->agent_count; i++) {
        world->agents[i].number = i;
        world->agents[i].slots = 1 + (uint32_t)world_random(world, 3);
        world->agents[i].up_ms = world_random(world, 5000);
    }
    world->run_count = 1 + (uint32_t)world_random(world, WORLD_RUNS);
    for (uint32_t i = 0; i < world->run_count; i++)
        make_run(world, &world->runs[i]);
}

/* The first start: agents are enrolled before anything goes wrong. */
static void enrol(struct world *world)
{
    uint8_t key[32] = {1};
    struct err err = ERR_INIT;

    CHECK(queue_open(&world->options, &world->queue, &err));
    CHECK(queue_begin(world->queue, &err));
    for (uint32_t i = 0; i < world->agent_count; i++) {
        struct queue_id id = world_id(i, 1);
        CHECK(queue_agent_add(world->queue, &id, key, "agent", &err));
    }
    CHECK(queue_commit(world->queue, &err));
    world->epoch = 1;
}

static void step(struct world *world)
{
    if (!world_is_quiet(world) && world_random(world, 300) == 0)
        world->wall_jump_ms += (int64_t)world_random(world, 172800000) - 86400000;
    if (!world->queue && world->up_ms <= world->now_ms)
        world_begin(world);
    if (world->queue && !world_is_quiet(world) && world_chance(world, world->crash / 2))
        world_stop(world);
    if (world->queue)
        submitters(world);
    for (uint32_t i = 0; i < world->agent_count; i++)
        world->agents_are->step(world, &world->agents[i]);
    for (struct world_message *answer; (answer = world_receive(world, true));) {
        world->agents_are->take(world, &world->agents[answer->agent], answer);
        mem_free(answer);
    }
    if (world->queue)
        world_serve(world);
    else
        for (struct world_message *lost; (lost = world_receive(world, false));)
            mem_free(lost);
    if (world->queue && world->now_ms % 16000 == 0)
        world_check_all(world);
    world_die_if_dead(world);
}

static bool is_over(const struct world *world)
{
    for (uint32_t r = 0; r < world->run_count; r++)
        if (!world->runs[r].id || !world->queue || map_get(&world->queue->runs, world->runs[r].id))
            return false;
    for (uint32_t i = 0; i < world->agent_count; i++)
        if (!world->agents_are->is_settled(&world->agents[i]))
            return false;
    return true;
}

bool queue_world_run(struct world *world, struct queue_disk *disk, uint64_t seed)
{
    make(world, disk, seed);
    enrol(world);
    while (!world->problem[0] && !is_over(world)) {
        world->now_ms += WORLD_STEP_MS;
        step(world);
        if (world->now_ms > WORLD_END_MS)
            world_problem(world, "it does not end");
    }
    if (!world->problem[0]) {
        queue_disk_fuse(disk, 0);
        queue_disk_full(disk, 0);
        world_check_all(world);
        world_check_verdicts(world);
    }
    queue_close(world->queue);
    for (struct world_message *message; (message = world->flying);) {
        world->flying = message->next;
        mem_free(message);
    }
    world_forget_answers(world);
    for (uint32_t i = 0; i < world->agent_count; i++)
        world->agents_are->free(&world->agents[i]);
    return !world->problem[0];
}
