/* query_agents.c — what is in memory anyway: agents, figures. */
#include "coordinator/queue/internal.h"

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

bool queue_agents_each(struct queue *queue, queue_agent_callback *each, void *context,
                       struct err *err)
{
    size_t at = 0;
    bool go_on = true;

    for (struct agent *agent; go_on && (agent = map_next(&queue->agents, &at));) {
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
                                   .done = agent->done};
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
    }
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
