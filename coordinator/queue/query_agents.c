/* query_agents.c — what is in memory anyway: agents, figures. */
#include "coordinator/queue/internal.h"

#include <stdlib.h>
#include <string.h>

/* Cuts the agent's tags into texts; `lines` is a copy that is written to. */
static uint32_t cut_tags(char *lines, const char *tags[QUEUE_TAGS_MAX])
{
    uint32_t count = 0;

    for (char *at = lines; *at && count < QUEUE_TAGS_MAX;) {
        size_t length = strcspn(at, "\n");
        char *end = at + length;
        tags[count++] = at;
        at = *end ? end + 1 : end;
        *end = 0;
    }
    return count;
}

static bool show(struct queue *queue, const struct agent *agent, queue_agent_callback *each,
                 void *context)
{
    const char *tags[QUEUE_TAGS_MAX];
    char *lines = mem_text(agent->tags);
    struct queue_agent view = {.id = agent->id,
                               .online = agent_online(queue, agent),
                               .draining = agent->draining,
                               .revoked = agent->revoked,
                               .enrolled_ms = agent->enrolled_ms,
                               .heard_ms = agent->heard_ms,
                               .leases = agent->lease_count,
                               .load = agent->load,
                               .slots_busy = agent->slots_busy,
                               .done = agent->done,
                               .faults = agent->faults,
                               .fault = agent->fault,
                               .barred = agent_barred(queue, agent)};
    bool go_on;

    view.facts = (struct queue_agent_facts){.name = agent->name,
                                            .version = agent->version,
                                            .arch = agent->arch,
                                            .os = agent->os,
                                            .word_bits = agent->word_bits,
                                            .big_endian = agent->big_endian,
                                            .cores = agent->cores,
                                            .memory_mib = agent->memory_mib,
                                            .slots = agent->slots,
                                            .tags = tags,
                                            .tag_count = cut_tags(lines, tags)};
    go_on = each(context, &view);
    mem_free(lines);
    return go_on;
}

static int by_name(const void *a, const void *b)
{
    const struct agent *one = *(const struct agent *const *)a;
    const struct agent *other = *(const struct agent *const *)b;
    int order = strcmp(one->name, other->name);

    return order ? order : memcmp(&one->id, &other->id, sizeof(one->id));
}

bool queue_agents_each(struct queue *queue, queue_agent_callback *each, void *context,
                       struct err *err)
{
    const struct agent **agents = mem_array(queue->agents.count + 1, sizeof(agents[0]));
    size_t at = 0, count = 0;

    for (const struct agent *agent; (agent = map_next(&queue->agents, &at));)
        agents[count++] = agent;
    qsort(agents, count, sizeof(agents[0]), by_name);
    for (size_t i = 0; i < count && show(queue, agents[i], each, context); i++)
        ;
    mem_free(agents);
    return queue_read_ok(queue, err);
}

void queue_figures(const struct queue *queue, struct queue_figures *out)
{
    size_t at = 0;

    *out = queue->figures;
    out->runs_active = queue->runs.count;
    out->leases = queue->leases.count;
    out->agents = queue->agents.count;
    for (const struct run *run; (run = map_next(&queue->runs, &at));)
        for (size_t i = 0; i < JOB_STATE_COUNT; i++)
            out->jobs[i] += run->counts.states[i];
    at = 0;
    for (const struct agent *agent; (agent = map_next(&queue->agents, &at));) {
        if (!agent_online(queue, agent))
            continue;
        out->agents_online++;
        out->slots += agent->slots;
    }
}
