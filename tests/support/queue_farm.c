#include "tests/support/queue_farm.h"

#include <stdio.h>
#include <string.h>

static uint64_t monotonic(void *context)
{
    return ((struct queue_farm *)context)->monotonic_ns;
}

static uint64_t wall(void *context)
{
    return ((struct queue_farm *)context)->wall_ns;
}

void queue_farm_open(struct queue_farm *farm)
{
    memset(farm, 0, sizeof(*farm));
    farm->folder = base_folder_make();
    snprintf(farm->path, sizeof(farm->path), "%s/queue.db", farm->folder);
    farm->monotonic_ns = (uint64_t)1000 * QUEUE_FARM_SECOND;
    farm->wall_ns = (uint64_t)1700000000 * QUEUE_FARM_SECOND;
    farm->clock = (struct clock_source){monotonic, wall, farm};
    farm->options = (struct queue_options){.path = farm->path, .clock = &farm->clock, .seed = 1};
    BASE_OK(queue_open(&farm->options, &farm->queue, &farm->err), &farm->err);
}

void queue_farm_close(struct queue_farm *farm)
{
    queue_close(farm->queue);
    base_folder_remove(farm->folder);
}

void queue_farm_restart(struct queue_farm *farm)
{
    queue_close(farm->queue);
    BASE_OK(queue_open(&farm->options, &farm->queue, &farm->err), &farm->err);
}

void queue_farm_begin(struct queue_farm *farm)
{
    BASE_OK(queue_begin(farm->queue, &farm->err), &farm->err);
}

void queue_farm_commit(struct queue_farm *farm)
{
    BASE_OK(queue_commit(farm->queue, &farm->err), &farm->err);
}

void queue_farm_pass(struct queue_farm *farm, uint64_t seconds)
{
    bool more;

    for (uint64_t i = 0; i < seconds; i++) {
        farm->monotonic_ns += QUEUE_FARM_SECOND;
        farm->wall_ns += QUEUE_FARM_SECOND;
        queue_farm_begin(farm);
        BASE_OK(queue_tick(farm->queue, &more, &farm->err), &farm->err);
        queue_farm_commit(farm);
    }
}

struct queue_id queue_farm_id(uint64_t number)
{
    struct queue_id id = {{0}};

    for (size_t i = 0; i < 8; i++)
        id.bytes[i] = (uint8_t)(number >> 8 * i);
    id.bytes[15] = 1;
    return id;
}

struct hash queue_farm_hash(const char *text)
{
    return hash_of(span_of_text(text));
}

struct queue_job_request queue_farm_job(const char *name)
{
    return (struct queue_job_request){.name = name,
                                      .suite = "suite",
                                      .kind = JOB_TEST,
                                      .spec = queue_farm_hash(name),
                                      .retry_infra = 3};
}

struct queue_job_request queue_farm_boot(const char *name)
{
    struct queue_job_request job = queue_farm_job(name);

    job.kind = JOB_BOOT;
    return job;
}

uint64_t queue_farm_run(struct queue_farm *farm, const struct queue_run_request *request)
{
    struct queue_submitted submitted;

    queue_farm_begin(farm);
    BASE_OK(queue_run_submit(farm->queue, request, &submitted, &farm->err), &farm->err);
    queue_farm_commit(farm);
    return submitted.run;
}

uint64_t queue_farm_submit(struct queue_farm *farm, const struct queue_job_request *jobs,
                           size_t count)
{
    struct queue_run_request request = {
        .name = "run", .submitter = "tester", .priority = 50, .jobs = jobs, .job_count = count};

    return queue_farm_run(farm, &request);
}

struct queue_farm_agent queue_farm_agent(struct queue_farm *farm, uint64_t number)
{
    struct queue_farm_agent agent = {
        .number = number, .incarnation = number, .arch = "x86_64", .slots = 1};
    struct queue_id id = queue_farm_id(number);
    uint8_t key[32] = {1};
    char name[32];

    snprintf(name, sizeof(name), "agent%u", (unsigned)number);
    queue_farm_begin(farm);
    BASE_OK(queue_agent_add(farm->queue, &id, key, name, &farm->err), &farm->err);
    queue_farm_commit(farm);
    assert_true(queue_farm_hello(farm, &agent));
    return agent;
}

bool queue_farm_hello(struct queue_farm *farm, const struct queue_farm_agent *agent)
{
    struct queue_id id = queue_farm_id(agent->number), start = queue_farm_id(agent->incarnation);
    char name[32];
    struct queue_agent_facts facts = {.name = name,
                                      .version = "1",
                                      .arch = agent->arch,
                                      .os = "Linux",
                                      .word_bits = agent->word_bits != 0 ? agent->word_bits : 64,
                                      .cores = 4,
                                      .memory_mib = 4096,
                                      .slots = agent->slots,
                                      .tags = &agent->tag,
                                      .tag_count = agent->tag ? 1 : 0};

    snprintf(name, sizeof(name), "agent%u", (unsigned)agent->number);
    queue_farm_begin(farm);
    bool ok = queue_agent_hello(farm->queue, &id, &start, &facts, &farm->err);
    queue_farm_commit(farm);
    return ok;
}

uint32_t queue_farm_claim(struct queue_farm *farm, const struct queue_farm_agent *agent,
                          struct queue_grants *out)
{
    struct queue_claim claim = {.agent = queue_farm_id(agent->number),
                                .incarnation = queue_farm_id(agent->incarnation),
                                .slots_free = 1};

    queue_farm_begin(farm);
    BASE_OK(queue_claim(farm->queue, &claim, out, &farm->err), &farm->err);
    queue_farm_commit(farm);
    return out->count;
}

struct queue_grant queue_farm_take(struct queue_farm *farm, const struct queue_farm_agent *agent)
{
    struct queue_grants grants;
    struct queue_release back = {.agent = queue_farm_id(agent->number),
                                 .incarnation = queue_farm_id(agent->incarnation)};
    uint64_t leases[QUEUE_GRANTS_MAX];

    assert_true(queue_farm_claim(farm, agent, &grants) > 0);
    for (uint32_t i = 1; i < grants.count; i++)
        leases[i - 1] = grants.grants[i].lease;
    back.leases = leases;
    back.lease_count = grants.count - 1;
    queue_farm_begin(farm);
    BASE_OK(queue_release(farm->queue, &back, &farm->err), &farm->err);
    queue_farm_commit(farm);
    return grants.grants[0];
}

struct queue_result queue_farm_result_of(const struct queue_grant *grant, enum verdict verdict)
{
    struct queue_result result = {.lease = grant->lease,
                                  .job = grant->job,
                                  .attempt = grant->attempt,
                                  .verdict = verdict,
                                  .exit_status = verdict == VERDICT_PASS ? 0 : 1,
                                  .instructions = 1000,
                                  .wall_ns = 5000000};

    if (grant->kind == JOB_BOOT && verdict == VERDICT_PASS)
        result.checkpoint = hash_of((struct span){grant->spec.bytes, HASH_SIZE});
    return result;
}

enum queue_outcome queue_farm_record(struct queue_farm *farm, const struct queue_farm_agent *agent,
                                     const struct queue_result *result)
{
    struct queue_id id = queue_farm_id(agent->number);
    enum queue_outcome outcome = QUEUE_STALE;

    queue_farm_begin(farm);
    BASE_OK(queue_result(farm->queue, &id, result, &outcome, &farm->err), &farm->err);
    queue_farm_commit(farm);
    return outcome;
}

enum queue_outcome queue_farm_result(struct queue_farm *farm, const struct queue_farm_agent *agent,
                                     const struct queue_grant *grant, enum verdict verdict)
{
    struct queue_result result = queue_farm_result_of(grant, verdict);

    return queue_farm_record(farm, agent, &result);
}

void queue_farm_beat(struct queue_farm *farm, struct queue_farm_agent *agent,
                     const struct queue_grants *held, struct queue_beat_answer *answer)
{
    uint64_t leases[QUEUE_GRANTS_MAX];
    struct queue_beat beat = {.agent = queue_farm_id(agent->number),
                              .incarnation = queue_farm_id(agent->incarnation),
                              .sequence = ++agent->sequence,
                              .leases = leases,
                              .lease_count = held->count};

    for (uint32_t i = 0; i < held->count; i++)
        leases[i] = held->grants[i].lease;
    queue_farm_begin(farm);
    BASE_OK(queue_beat(farm->queue, &beat, answer, &farm->err), &farm->err);
    queue_farm_commit(farm);
}

static bool copy_job(void *context, const struct queue_job *job)
{
    static char name[QUEUE_NAME_MAX + 1], reason[QUEUE_TEXT_MAX + 1];
    struct queue_job *out = context;

    *out = *job;
    snprintf(name, sizeof(name), "%s", job->name);
    snprintf(reason, sizeof(reason), "%s", job->reason);
    out->name = name;
    out->reason = reason;
    out->group = out->suite = out->parameters = "";
    return true;
}

const struct queue_job *queue_farm_job_of(struct queue_farm *farm, uint64_t job)
{
    static struct queue_job found;

    BASE_OK(queue_job_get(farm->queue, job, copy_job, &found, &farm->err), &farm->err);
    return &found;
}

static bool copy_run(void *context, const struct queue_run *run)
{
    struct queue_run *out = context;

    *out = *run;
    out->name = out->submitter = "";
    out->options = (struct queue_run_options){0};
    return true;
}

const struct queue_run *queue_farm_run_of(struct queue_farm *farm, uint64_t run)
{
    static struct queue_run found;

    BASE_OK(queue_run_get(farm->queue, run, copy_run, &found, &farm->err), &farm->err);
    return &found;
}

struct at {
    uint32_t place;
    uint64_t id;
};

static bool find_place(void *context, const struct queue_job *job)
{
    struct at *at = context;

    if (job->place == at->place)
        at->id = job->id;
    return at->id == 0;
}

uint64_t queue_farm_at(struct queue_farm *farm, uint64_t run, uint32_t place)
{
    struct at at = {place, 0};
    struct queue_page page = {.run = run};

    BASE_OK(queue_jobs_each(farm->queue, &page, find_place, &at, &farm->err), &farm->err);
    assert_true(at.id != 0);
    return at.id;
}
