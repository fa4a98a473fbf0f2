#include "agent/farm/keeper.h"

#include "agent/farm/child.h"
#include "agent/farm/keeper_core.h"
#include "storage/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_POLL_MS 50 /* a line without a descriptor is asked so often */

struct keeper {
    const struct keeper_options *options;
    int channel;
    struct line line;
    struct message *request, *answer;
    struct keeper_core core;
    bool waiting; /* for an answer */
};

static uint64_t now_ns(void)
{
    return clock_monotonic_ns(&clock_host);
}

bool keeper_tell(int channel, enum keeper_tell what, uint64_t value, struct err *err)
{
    struct keeper_event event = {.what = (uint32_t)what, .value = value};

    return channel_send(channel, (struct span){(const uint8_t *)&event, sizeof event}, -1, err);
}

bool keeper_hear(int channel, struct keeper_event *out, struct err *err)
{
    struct channel_message message = {.bytes = out, .room = sizeof *out};

    if (!channel_receive(channel, &message, err))
        return false;
    if (message.fd >= 0)
        close(message.fd);
    if (message.size == 0)
        return err_set(err, ERR_CONFLICT, "the keeper's channel is closed");
    return message.size == sizeof *out ||
           err_set(err, ERR_INVALID, "%zu bytes on the keeper's channel", message.size);
}

static void say(void *context, enum keeper_news what, uint64_t value)
{
    struct keeper *keeper = context;
    struct keeper_event event = {.what = (uint32_t)what, .value = value};
    struct err ignored = ERR_INIT;

    (void)channel_send(keeper->channel, (struct span){(const uint8_t *)&event, sizeof event}, -1,
                       &ignored);
}

static bool obey(struct keeper *keeper)
{
    struct keeper_event told;
    struct err err = ERR_INIT;

    if (!keeper_hear(keeper->channel, &told, &err))
        return false;
    keeper_core_obey(&keeper->core, &told, now_ns());
    return true;
}

/* Thousandths of all cores, by the kernel's average of a minute. */
static uint32_t host_load(void)
{
    double average;
    int64_t cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (getloadavg(&average, 1) != 1 || cores < 1)
        return 0;
    return (uint32_t)(average * 1000 / (double)cores);
}

static void beat(struct keeper *keeper)
{
    struct err err = ERR_INIT;

    if (!keeper_core_beat(&keeper->core, now_ns(), seal_random(), keeper->request))
        return;
    keeper->request->u.beat.load = host_load();
    keeper->waiting = keeper->line.operations->send(keeper->line.context, keeper->request,
                                                    2 * keeper->core.beat_ms, &err);
    if (!keeper->waiting)
        log_message(LOG_WARNING, "beat: %s", err.text);
}

static void turn(struct keeper *keeper)
{
    struct err err = ERR_INIT;

    switch (keeper->line.operations->turn(keeper->line.context, keeper->answer, &err)) {
    case LINK_WAITING:
        return;
    case LINK_ANSWERED:
        keeper_core_take(&keeper->core, keeper->answer, say, keeper);
        break;
    case LINK_FAILED:
        log_message(LOG_WARNING, "beat: %s", err.text);
        break;
    case LINK_IDLE:
        break;
    }
    keeper->waiting = false;
}

static int timeout_of(const struct keeper *keeper, int fd)
{
    uint64_t now = now_ns(), next = keeper_core_due_ns(&keeper->core);

    if (keeper->waiting) {
        next = keeper->line.operations->deadline_ns(keeper->line.context);
        if (fd < 0 && next > now + LINE_POLL_MS * UINT64_C(1000000))
            next = now + LINE_POLL_MS * UINT64_C(1000000);
    }
    if (next == UINT64_MAX)
        return -1;
    return next <= now ? 0 : (int)((next - now) / 1000000 + 1);
}

static void serve(struct keeper *keeper)
{
    for (;;) {
        int fd = keeper->waiting ? keeper->line.operations->fd(keeper->line.context) : -1;
        struct pollfd polled[] = {{keeper->channel, POLLIN, 0}, {fd, POLLIN, 0}};
        if (poll(polled, 2, timeout_of(keeper, fd)) < 0 && errno != EINTR)
            return;
        if (polled[0].revents != 0 && !obey(keeper))
            return;
        if (keeper->waiting)
            turn(keeper);
        if (!keeper->waiting && now_ns() >= keeper_core_due_ns(&keeper->core))
            beat(keeper);
    }
}

int keeper_run(const struct keeper_options *options, int channel)
{
    struct keeper *keeper = mem_alloc(sizeof *keeper);
    struct err err = ERR_INIT;
    bool ok;

    keeper->options = options;
    keeper->core.incarnation = options->incarnation;
    keeper->channel = channel;
    keeper->request = mem_alloc(sizeof *keeper->request);
    keeper->answer = mem_alloc(sizeof *keeper->answer);
    ok = options->opener.open(options->opener.context, SEAL_BEAT, &keeper->line, &err);
    if (ok) {
        serve(keeper);
        keeper->line.operations->close(keeper->line.context);
    } else {
        log_message(LOG_ERROR, "keeper: %s", err.text);
    }
    mem_free(keeper->request);
    mem_free(keeper->answer);
    mem_free(keeper);
    return ok ? 0 : 1;
}
