#include "coordinator/api_calls.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* GET /api/v1/events: server-sent events. A reader that comes back says by Last-Event-ID where it
 * was; if what came since is not kept any more, an event `gap` tells so. Every stream has a place
 * in the queue's feed and a bounded buffer: a reader that is slower than the feed is not kept up
 * with for ever, it is cut, and comes back. */

#define STREAM_BYTES (256u << 10)
#define EVENTS_STEP  128 /* of one stream, in one step */
#define EVENT_BYTES  512
#define STUCK_NS     (60 * NS_PER_S) /* a buffer that stays full so long is not read any more */

struct event_stream {
    struct task task;
    uint64_t run;   /* 0: of all */
    uint64_t after; /* number of the last event that was looked at */
    uint64_t beat_ns;
    uint64_t stuck_ns; /* since when nothing fits; 0: it fits */
};

static const char *state_of(const struct queue_event *event)
{
    if (event->kind == QUEUE_EVENT_RUN)
        return run_state_name((enum run_state)event->state);
    if (event->kind == QUEUE_EVENT_JOB)
        return job_state_name((enum job_state)event->state);
    return event->state != 0 ? "online" : "away";
}

static bool has_verdict(const struct queue_event *event)
{
    return (event->kind == QUEUE_EVENT_RUN && event->state == RUN_DONE) ||
           (event->kind == QUEUE_EVENT_JOB && event->state == JOB_DONE);
}

static bool write_event(const struct queue_event *event, struct buf *out, struct err *err)
{
    static const char *const kinds[] = {"run", "job", "agent"};
    struct json_writer writer = json_writer(out, false, err);
    char agent[2 * sizeof event->agent.bytes + 1] = "";

    for (size_t i = 0; event->kind == QUEUE_EVENT_AGENT && i < sizeof event->agent.bytes; i++)
        snprintf(agent + 2 * i, 3, "%02x", event->agent.bytes[i]);
    if (!buf_format(out, err, "id: %" PRIu64 "\nevent: %s\ndata: ", event->number,
                    kinds[event->kind]))
        return false;
    json_write_object(&writer);
    json_write_key_uint(&writer, "event", event->number);
    json_write_key_text(&writer, "kind", kinds[event->kind]);
    json_write_key_uint(&writer, "time_ms", event->time_ms);
    json_write_key_uint(&writer, "run", event->run);
    json_write_key_uint(&writer, "job", event->job);
    json_write_key_text(&writer, "state", state_of(event));
    json_write_key_text(&writer, "verdict",
                        has_verdict(event) ? verdict_name(event->verdict) : NULL);
    json_write_key_uint(&writer, "attempt", event->attempt);
    json_write_key_text(&writer, "agent", agent[0] != 0 ? agent : NULL);
    json_write_close(&writer);
    return json_writer_ok(&writer) && buf_append_text(out, "\n\n", err);
}

/* Says something at least every SERVICE_STREAM_BEAT_S, so that both sides notice a dead line. */
static enum task_state wait_for_more(struct service *service, struct event_stream *stream)
{
    uint64_t now_ns = service_now_ns(service);

    if (now_ns >= stream->beat_ns) {
        (void)http_stream_write(stream->task.stream, span_of_text(": beat\n\n"));
        stream->beat_ns = now_ns + SERVICE_STREAM_BEAT_S * NS_PER_S;
    }
    stream->task.due_ns = stream->beat_ns;
    return TASK_WAITS;
}

/* Nothing fits: the reader is waited for, for a while. */
static enum task_state wait_for_room(struct service *service, struct event_stream *stream)
{
    uint64_t now_ns = service_now_ns(service);

    if (stream->stuck_ns == 0)
        stream->stuck_ns = now_ns;
    stream->task.due_ns = stream->stuck_ns + STUCK_NS;
    if (now_ns < stream->task.due_ns)
        return TASK_WAITS;
    http_stream_end(stream->task.stream, true);
    stream->task.stream = NULL;
    return TASK_DONE;
}

static bool write_events(const struct queue_events *events, struct buf *out, struct err *err)
{
    if (events->gap &&
        !buf_format(out, err, "event: gap\ndata: {\"event\": %" PRIu64 "}\n\n", events->next))
        return false;
    for (size_t i = 0; i < events->count; i++)
        if (!write_event(&events->events[i], out, err))
            return false;
    return true;
}

static enum task_state events_step(struct service *service, struct task *task)
{
    struct event_stream *stream = (struct event_stream *)task;
    struct queue_event list[EVENTS_STEP];
    struct queue_events events = {.events = list, .size = EVENTS_STEP};
    struct buf text = BUF_INIT(EVENTS_STEP * EVENT_BYTES);
    struct err ignored = ERR_INIT;

    if (task->stream == NULL || http_stream_is_gone(task->stream))
        return TASK_DONE;
    if (queue_event_newest(service->queue) == stream->after)
        return wait_for_more(service, stream);
    if (http_stream_room(task->stream) < EVENTS_STEP * EVENT_BYTES)
        return wait_for_room(service, stream);
    stream->stuck_ns = 0;
    queue_events(service->queue, stream->after, stream->run, &events);
    stream->after = events.next;
    if (write_events(&events, &text, &ignored) && text.size != 0 &&
        http_stream_write(task->stream, buf_span(&text)))
        stream->beat_ns = service_now_ns(service) + SERVICE_STREAM_BEAT_S * NS_PER_S;
    buf_release(&text);
    return stream->after != queue_event_newest(service->queue) ? TASK_MORE
                                                               : wait_for_more(service, stream);
}

static void stream_wake(void *context)
{
    mailbox_wake(&((struct service *)context)->mailbox);
}

/* Where to begin: behind the last event the reader has, or now. */
static bool begin_after(struct service *service, struct api_request *request, uint64_t *out,
                        struct err *err)
{
    const char *last = http_header(request->exchange, "Last-Event-ID");

    if (last != NULL)
        return api_number(last, "Last-Event-ID", out, err);
    return api_query_number(request, "after",
                            (struct api_bounds){queue_event_newest(service->queue), INT64_MAX}, out,
                            err);
}

static enum api_outcome events_run(struct service *service, struct api_request *request,
                                   struct err *err)
{
    struct http_stream_options options = {"text/event-stream", STREAM_BYTES, stream_wake, service};
    struct event_stream *stream;
    uint64_t run, after;

    if (!api_query_number(request, "run", (struct api_bounds){0, INT64_MAX}, &run, err) ||
        !begin_after(service, request, &after, err))
        return API_FAILED;
    stream = mem_alloc(sizeof *stream);
    *stream = (struct event_stream){
        .task = {.step = events_step, .due_ns = UINT64_MAX}, .run = run, .after = after};
    if (!task_add(&service->tasks, &stream->task, err)) {
        mem_free(stream);
        return API_FAILED;
    }
    request->is_streaming = true;
    stream->task.stream = http_respond_stream(request->exchange, &options);
    if (stream->task.stream != NULL)
        (void)http_stream_write(stream->task.stream, span_of_text("retry: 2000\n: events\n\n"));
    return API_ANSWERED;
}

const struct api_call api_events = {NULL, events_run, NULL};
