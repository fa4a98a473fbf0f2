/* faults.c — agents that do not keep to the rules are named, and made to wait.
 *
 * A fault counts for ever; a strike is taken back by each result that is recorded. Over
 * STRIKES_FREE strikes an agent gets no jobs for a second, then two, four, … at most BARRED_NS_MAX:
 * one that only breaks things takes little of the farm's time, one that had an accident is soon
 * back. Nothing of this is kept over a restart of the coordinator. */
#include "coordinator/queue/internal.h"

#include "storage/base/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define STRIKES_FREE  3
#define BARRED_NS_MAX 60000000000u

static uint64_t barred_ns(uint32_t strikes)
{
    uint32_t doublings = strikes - STRIKES_FREE - 1;
    uint64_t ns = UINT64_C(1000000000) << (doublings < 6 ? doublings : 6);

    return ns < BARRED_NS_MAX ? ns : BARRED_NS_MAX;
}

/* They may come by the thousand: the 1st, 2nd, 4th, 8th, … of an agent is told of. */
static void complain(const struct agent *agent)
{
    char id[2 * sizeof(agent->id.bytes) + 1];

    if ((agent->faults & (agent->faults - 1)) != 0)
        return;
    for (size_t i = 0; i < sizeof(agent->id.bytes); i++)
        snprintf(id + 2 * i, 3, "%02x", agent->id.bytes[i]);
    log_message(LOG_WARNING, "agent %s (%s): %s (%" PRIu64 " faults so far)", agent->name, id,
                agent->fault, agent->faults);
}

void agent_fault(struct queue *queue, struct agent *agent, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(agent->fault, sizeof(agent->fault), format, arguments);
    va_end(arguments);
    agent->faults++;
    queue->figures.faults++;
    if (agent->strikes < UINT32_MAX)
        agent->strikes++;
    if (agent->strikes > STRIKES_FREE)
        agent->barred_until_ns = queue_now_ns(queue) + barred_ns(agent->strikes);
    complain(agent);
}

void agent_forgive(struct agent *agent)
{
    agent->strikes -= agent->strikes > 0;
}

bool agent_barred(const struct queue *queue, const struct agent *agent)
{
    return queue_now_ns(queue) < agent->barred_until_ns;
}
