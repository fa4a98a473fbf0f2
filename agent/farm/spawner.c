#include "agent/farm/spawner.h"

#include "agent/farm/child.h"
#include "storage/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define JOBS_MAX 1024 /* at a time */

struct held {
    struct hash checkpoint;
    pid_t pid; /* 0: this place is free */
    int channel;
    uint64_t used; /* counts orders: the least was used longest ago */
    char why[256]; /* why it ended, by its own account */
};

struct tracked {
    uint64_t token;
    struct held *held;
};

struct spawner {
    const struct spawner_options *options;
    int channel;
    int signals;
    struct brood brood; /* fresh boards and boots */
    struct held held[SPAWNER_TEMPLATES_MAX];
    struct tracked jobs[JOBS_MAX]; /* of templates */
    size_t job_count;
    uint64_t orders;
};

static void tell(void *context, const struct brood_event *event)
{
    struct spawner *spawner = context;
    struct err ignored = ERR_INIT;

    /* An agent that is gone takes us along. */
    (void)spawner_event_send(spawner->channel, event, &ignored);
}

static void tell_lost(struct spawner *spawner, uint64_t token, const char *why)
{
    struct brood_event event = {.token = token, .end = BROOD_LOST};

    outcome_text(event.text, sizeof event.text - 1, span_of_text(why));
    tell(spawner, &event);
}

static void forget_job(struct spawner *spawner, uint64_t token)
{
    for (size_t i = 0; i < spawner->job_count; i++)
        if (spawner->jobs[i].token == token) {
            spawner->jobs[i] = spawner->jobs[--spawner->job_count];
            return;
        }
}

static bool is_busy(const struct spawner *spawner, const struct held *held)
{
    for (size_t i = 0; i < spawner->job_count; i++)
        if (spawner->jobs[i].held == held)
            return true;
    return false;
}

/* Ends it: its channel is closed, its process reaped later. */
static void drop(struct held *held)
{
    close(held->channel);
    memset(held, 0, sizeof *held);
}

static void lose(struct spawner *spawner, struct held *held, const char *why)
{
    char text[sizeof held->why];

    snprintf(text, sizeof text, "%s", held->why[0] != 0 ? held->why : why);
    for (size_t i = spawner->job_count; i-- > 0;) {
        uint64_t token = spawner->jobs[i].token;
        if (spawner->jobs[i].held != held)
            continue;
        spawner->jobs[i] = spawner->jobs[--spawner->job_count];
        tell_lost(spawner, token, text);
    }
    drop(held);
}

/* Memory that is its own, not shared with a cached image. */
static uint64_t own_bytes(pid_t pid)
{
    char path[64], text[4096];
    const char *line;
    ssize_t size;
    int fd;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    size = read(fd, text, sizeof text - 1);
    close(fd);
    text[size > 0 ? size : 0] = 0;
    line = strstr(text, "RssAnon:");
    return line != NULL ? strtoull(line + 8, NULL, 10) * 1024 : 0;
}

static struct held *idle_longest(struct spawner *spawner)
{
    struct held *found = NULL;

    for (size_t i = 0; i < SPAWNER_TEMPLATES_MAX; i++) {
        struct held *held = &spawner->held[i];
        if (held->pid != 0 && !is_busy(spawner, held) &&
            (found == NULL || held->used < found->used))
            found = held;
    }
    return found;
}

/* Makes room for one more, if `more`: those that nobody uses go. */
static void keep_bounds(struct spawner *spawner, bool more)
{
    const struct spawner_options *options = spawner->options;
    size_t most = options->templates != 0 ? options->templates : SPAWNER_TEMPLATES;
    uint64_t most_bytes =
        options->template_bytes != 0 ? options->template_bytes : SPAWNER_TEMPLATE_BYTES;
    uint64_t bytes = 0;
    size_t count = more ? 1 : 0;
    struct held *idle;

    for (size_t i = 0; i < SPAWNER_TEMPLATES_MAX; i++) {
        if (spawner->held[i].pid == 0)
            continue;
        count++;
        bytes += own_bytes(spawner->held[i].pid);
    }
    while ((count > most || bytes > most_bytes) && (idle = idle_longest(spawner)) != NULL) {
        bytes -= own_bytes(idle->pid);
        drop(idle);
        count--;
    }
}

static bool start_template(struct spawner *spawner, struct held *held, struct err *err)
{
    struct worker_place place = spawner->options->place;
    struct hash checkpoint = held->checkpoint;
    int ends[2];

    if (!channel_pair(ends, err))
        return false;
    held->pid = child_fork(&ends[1], 1, err);
    if (held->pid == 0)
        child_end(template_run(&place, &checkpoint, ends[1]));
    close(ends[1]);
    held->channel = ends[0];
    if (held->pid > 0)
        return true;
    drop(held);
    return false;
}

/* The checkpoint's template, started if there is none. */
static struct held *template_of(struct spawner *spawner, const struct hash *checkpoint,
                                struct err *err)
{
    struct held *free_place = NULL;

    for (size_t i = 0; i < SPAWNER_TEMPLATES_MAX; i++)
        if (spawner->held[i].pid != 0 && hash_equal(&spawner->held[i].checkpoint, checkpoint))
            return &spawner->held[i];
    keep_bounds(spawner, true);
    for (size_t i = 0; i < SPAWNER_TEMPLATES_MAX && free_place == NULL; i++)
        if (spawner->held[i].pid == 0)
            free_place = &spawner->held[i];
    if (free_place == NULL) {
        err_set(err, ERR_CONFLICT, "tests of %d checkpoints are running", SPAWNER_TEMPLATES_MAX);
        return NULL;
    }
    free_place->checkpoint = *checkpoint;
    return start_template(spawner, free_place, err) ? free_place : NULL;
}

static bool give_to_template(struct spawner *spawner, const struct spawner_request *request, int fd,
                             struct err *err)
{
    struct held *held;

    if (spawner->job_count == JOBS_MAX)
        return err_set(err, ERR_CONFLICT, "%d jobs are running", JOBS_MAX);
    held = template_of(spawner, &request->order.checkpoint, err);
    if (held == NULL)
        return false;
    held->used = ++spawner->orders;
    spawner->jobs[spawner->job_count++] = (struct tracked){request->order.token, held};
    /* One that is gone has left its reason in its channel: there the job's end is told of. */
    if (spawner_request_send(held->channel, request, fd, err) || err->kind == ERR_CONFLICT)
        return true;
    forget_job(spawner, request->order.token);
    return false;
}

static void cancel(struct spawner *spawner, const struct spawner_request *request)
{
    struct err ignored = ERR_INIT;

    if (brood_cancel(&spawner->brood, request->order.token))
        return;
    for (size_t i = 0; i < spawner->job_count; i++)
        if (spawner->jobs[i].token == request->order.token)
            (void)spawner_request_send(spawner->jobs[i].held->channel, request, -1, &ignored);
}

/* False: the channel is closed. */
static bool obey(struct spawner *spawner)
{
    struct spawner_request request;
    struct err err = ERR_INIT;
    bool ok = true;
    int fd;

    if (!spawner_request_receive(spawner->channel, &request, &fd, &err))
        return false;
    if (request.ask == SPAWNER_CANCEL)
        cancel(spawner, &request);
    else if (hash_is_zero(&request.order.checkpoint) || spawner->options->place.wrapper != NULL)
        ok = brood_start(&spawner->brood, &spawner->options->place, &request.order, NULL, fd, &err);
    else
        ok = give_to_template(spawner, &request, fd, &err);
    if (!ok)
        tell_lost(spawner, request.order.token, err.text);
    if (fd >= 0)
        close(fd);
    return true;
}

static void hear(struct spawner *spawner, struct held *held)
{
    struct brood_event event;
    struct err err = ERR_INIT;

    if (!spawner_event_receive(held->channel, &event, &err)) {
        lose(spawner, held, "the process that holds the thawed machine died");
    } else if (event.token == 0) {
        memcpy(held->why, event.text, sizeof held->why);
    } else {
        forget_job(spawner, event.token);
        tell(spawner, &event);
        keep_bounds(spawner, false);
    }
}

static void on_other(void *context, pid_t pid, int wait_status)
{
    struct spawner *spawner = context;

    for (size_t i = 0; i < SPAWNER_TEMPLATES_MAX; i++) {
        struct held *held = &spawner->held[i];
        char how[64];
        if (held->pid != pid || held->why[0] != 0)
            continue;
        child_status_text(wait_status, how, sizeof how);
        snprintf(held->why, sizeof held->why, "the process that holds the thawed machine died: %s",
                 how);
        return; /* what it said before is still in its channel */
    }
}

static size_t polled_of(struct spawner *spawner, struct pollfd *polled)
{
    size_t count = 2;

    polled[0] = (struct pollfd){spawner->channel, POLLIN, 0};
    polled[1] = (struct pollfd){spawner->signals, POLLIN, 0};
    for (size_t i = 0; i < SPAWNER_TEMPLATES_MAX; i++)
        if (spawner->held[i].pid != 0)
            polled[count++] = (struct pollfd){spawner->held[i].channel, POLLIN, 0};
    return count;
}

static void hear_all(struct spawner *spawner, const struct pollfd *polled, size_t count)
{
    for (size_t i = 2; i < count; i++)
        for (size_t k = 0; polled[i].revents != 0 && k < SPAWNER_TEMPLATES_MAX; k++)
            if (spawner->held[k].pid != 0 && spawner->held[k].channel == polled[i].fd) {
                hear(spawner, &spawner->held[k]);
                break;
            }
}

static void serve(struct spawner *spawner)
{
    const struct brood_watch watch = {.ended = tell, .other = on_other, .context = spawner};
    struct pollfd polled[2 + SPAWNER_TEMPLATES_MAX];
    bool open = true;

    while (open) {
        size_t count = polled_of(spawner, polled);
        if (poll(polled, count, brood_timeout_ms(&spawner->brood)) < 0 && errno != EINTR)
            return;
        if (polled[1].revents != 0 && child_signal_taken(spawner->signals, SIGCHLD))
            brood_reap(&spawner->brood, &watch);
        hear_all(spawner, polled, count);
        if (polled[0].revents != 0)
            open = obey(spawner);
        brood_guard(&spawner->brood);
    }
}

int spawner_run(const struct spawner_options *options, int channel)
{
    static const int signals[] = {SIGCHLD};
    struct spawner *spawner = mem_alloc(sizeof *spawner);
    struct err err = ERR_INIT;
    bool ok;

    spawner->options = options;
    spawner->channel = channel;
    ok = child_signals(signals, 1, &spawner->signals, &err);
    if (ok)
        serve(spawner);
    else
        log_message(LOG_ERROR, "spawner: %s", err.text);
    brood_release(&spawner->brood);
    mem_free(spawner);
    return ok ? 0 : 1;
}

bool spawner_start(int channel, const struct worker_order *order, int outcome_fd, struct err *err)
{
    struct spawner_request request = {.ask = SPAWNER_START, .order = *order};

    return spawner_request_send(channel, &request, outcome_fd, err);
}

bool spawner_cancel(int channel, uint64_t token, struct err *err)
{
    struct spawner_request request = {.ask = SPAWNER_CANCEL, .order = {.token = token}};

    return spawner_request_send(channel, &request, -1, err);
}

static void judge_end(const struct brood_event *event, struct worker_outcome *out)
{
    char text[OUTCOME_REASON_MAX], how[64];
    enum confine_wall wall;

    child_status_text(event->wait_status, how, sizeof how);
    if (event->end == BROOD_LOST)
        snprintf(text, sizeof text, "%s", event->text);
    else if (event->end == BROOD_GUARD)
        snprintf(text, sizeof text,
                 "the worker was stopped at the wall \"time\": it did not end at its wall-clock "
                 "limit");
    else if (confine_wall_of(event->wait_status, &wall))
        snprintf(text, sizeof text, "the worker was stopped at the wall \"%s\"",
                 confine_wall_name(wall));
    else
        snprintf(text, sizeof text, "the worker ended without a result: %s", how);
    outcome_init(out);
    outcome_set(out, VERDICT_INFRA, text);
}

void spawner_judge(const struct brood_event *event, struct span written, struct worker_outcome *out)
{
    struct err err = ERR_INIT;

    if (event->end == BROOD_CANCELLED) {
        outcome_init(out);
        outcome_set(out, VERDICT_CANCELLED, "cancelled");
        return;
    }
    if (written.size != 0 && event->end != BROOD_GUARD && outcome_decode(written, out, &err))
        return;
    judge_end(event, out);
    if (written.size != 0 && event->end == BROOD_ENDED && event->wait_status == 0) {
        char text[OUTCOME_REASON_MAX];
        snprintf(text, sizeof text, "the worker's result makes no sense: %.400s", err.text);
        outcome_set(out, VERDICT_INFRA, text);
    }
}
