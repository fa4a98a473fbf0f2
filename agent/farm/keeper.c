#include "agent/farm/keeper.h"

#include "agent/farm/child.h"
#include "storage/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_POLL_MS 50                    /* a line without a descriptor is asked so often */
#define SILENCE_NS   UINT64_C(20000000000) /* an agent that says nothing for so long is stuck */

struct keeper {
    const struct keeper_options *options;
    int channel;
    struct line line;
    struct message *request, *answer;
    uint64_t leases[MESSAGE_LEASES_MAX];
    uint32_t lease_count;
    uint32_t beat_ms; /* 0: not yet */
    uint32_t slots_busy;
    uint64_t next_ns;  /* of the next beat */
    uint64_t heard_ns; /* from the agent */
    uint64_t sequence;
    bool waiting;  /* for an answer */
    bool draining; /* by the last answer */
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

static void say(struct keeper *keeper, enum keeper_news what, uint64_t value)
{
    struct keeper_event event = {.what = (uint32_t)what, .value = value};
    struct err ignored = ERR_INIT;

    (void)channel_send(keeper->channel, (struct span){(const uint8_t *)&event, sizeof event}, -1,
                       &ignored);
}

static void hold(struct keeper *keeper, uint64_t lease)
{
    for (uint32_t i = 0; i < keeper->lease_count; i++)
        if (keeper->leases[i] == lease)
            return;
    if (keeper->lease_count < MESSAGE_LEASES_MAX)
        keeper->leases[keeper->lease_count++] = lease;
}

static void drop(struct keeper *keeper, uint64_t lease)
{
    for (uint32_t i = 0; i < keeper->lease_count; i++)
        if (keeper->leases[i] == lease) {
            keeper->leases[i] = keeper->leases[--keeper->lease_count];
            return;
        }
}

static bool obey(struct keeper *keeper)
{
    struct keeper_event told;
    struct err err = ERR_INIT;

    if (!keeper_hear(keeper->channel, &told, &err))
        return false;
    keeper->heard_ns = now_ns();
    switch (told.what) {
    case KEEPER_BEGIN:
        if (keeper->beat_ms == 0)
            keeper->next_ns = now_ns();
        keeper->beat_ms = told.value != 0 ? (uint32_t)told.value : KEEPER_BEAT_MS;
        break;
    case KEEPER_HOLD:
        hold(keeper, told.value);
        break;
    case KEEPER_DROP:
        drop(keeper, told.value);
        break;
    case KEEPER_BUSY:
        keeper->slots_busy = (uint32_t)told.value;
        break;
    default:
        break;
    }
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

/* ± 10 %, so that agents started together do not beat together. */
static uint64_t beat_ns(const struct keeper *keeper)
{
    uint64_t ns = keeper->beat_ms * UINT64_C(1000000);

    return ns - ns / 10 + seal_random() % (ns / 5 + 1);
}

static void beat(struct keeper *keeper)
{
    struct message_beat *beat = &keeper->request->u.beat;
    struct err err = ERR_INIT;

    keeper->next_ns = now_ns() + beat_ns(keeper);
    if (now_ns() > keeper->heard_ns + SILENCE_NS)
        return; /* its leases are better given to others */
    message_init(keeper->request, MESSAGE_BEAT);
    beat->incarnation = keeper->options->incarnation;
    beat->sequence = ++keeper->sequence;
    memcpy(beat->leases, keeper->leases, keeper->lease_count * sizeof keeper->leases[0]);
    beat->lease_count = keeper->lease_count;
    beat->load = host_load();
    beat->slots_busy = keeper->slots_busy;
    keeper->waiting = keeper->line.operations->send(keeper->line.context, keeper->request,
                                                    2 * keeper->beat_ms, &err);
    if (!keeper->waiting)
        log_message(LOG_WARNING, "beat: %s", err.text);
}

static void take_answer(struct keeper *keeper)
{
    const struct message *answer = keeper->answer;
    struct err err = ERR_INIT;

    if (answer->kind == MESSAGE_REFUSED) {
        (void)message_refused_err(answer, &err);
        log_message(LOG_WARNING, "beat: %s", err.text);
        say(keeper, KEEPER_STRANGER, 0);
        keeper->beat_ms = 0; /* until the agent has said hello */
        return;
    }
    if (answer->kind != MESSAGE_ACK)
        return;
    for (uint32_t i = 0; i < answer->u.ack.cancel_count; i++)
        say(keeper, KEEPER_CANCEL, answer->u.ack.cancel[i]);
    for (uint32_t i = 0; i < answer->u.ack.unknown_count; i++) {
        drop(keeper, answer->u.ack.unknown[i]);
        say(keeper, KEEPER_UNKNOWN, answer->u.ack.unknown[i]);
    }
    if (answer->u.ack.drain || keeper->draining)
        say(keeper, KEEPER_DRAIN, answer->u.ack.drain ? 1 : 0);
    keeper->draining = answer->u.ack.drain;
}

static void turn(struct keeper *keeper)
{
    struct err err = ERR_INIT;

    switch (keeper->line.operations->turn(keeper->line.context, keeper->answer, &err)) {
    case LINK_WAITING:
        return;
    case LINK_ANSWERED:
        take_answer(keeper);
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
    uint64_t now = now_ns(), next = keeper->beat_ms != 0 ? keeper->next_ns : UINT64_MAX;

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
        if (!keeper->waiting && keeper->beat_ms != 0 && now_ns() >= keeper->next_ns)
            beat(keeper);
    }
}

int keeper_run(const struct keeper_options *options, int channel)
{
    struct keeper *keeper = mem_alloc(sizeof *keeper);
    struct err err = ERR_INIT;
    bool ok;

    keeper->options = options;
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
