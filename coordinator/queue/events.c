#include "coordinator/queue/internal.h"

#include "storage/base/check.h"

void event_add(struct queue *queue, const struct queue_event *event)
{
    uint64_t number = queue->event_next++;
    struct queue_event *slot = &queue->events[number % QUEUE_EVENTS_KEPT];

    *slot = *event;
    slot->number = number;
    slot->time_ms = queue_now_ms(queue);
    if (queue->event_next - queue->event_first > QUEUE_EVENTS_KEPT)
        queue->event_first = queue->event_next - QUEUE_EVENTS_KEPT;
}

void event_run(struct queue *queue, const struct run *run)
{
    event_add(queue,
              &(struct queue_event){.kind = QUEUE_EVENT_RUN, .state = run->state, .run = run->id});
}

void event_agent(struct queue *queue, struct agent *agent, bool online)
{
    if (agent->online == online)
        return;
    agent->online = online;
    event_add(queue, &(struct queue_event){
                         .kind = QUEUE_EVENT_AGENT, .state = online, .agent = agent->id});
}

void queue_events(const struct queue *queue, uint64_t after, uint64_t run, struct queue_events *out)
{
    uint64_t number = after + 1;

    out->count = 0;
    out->gap = number < queue->event_first || number > queue->event_published;
    if (out->gap)
        number = queue->event_first;
    for (; number < queue->event_published && out->count < out->size; number++) {
        const struct queue_event *event = &queue->events[number % QUEUE_EVENTS_KEPT];
        if (run == 0 || event->run == run)
            out->events[out->count++] = *event;
    }
    out->next = number - 1;
}

uint64_t queue_event_newest(const struct queue *queue)
{
    return queue->event_published - 1;
}
