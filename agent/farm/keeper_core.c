#include "agent/farm/keeper_core.h"

#include "storage/base/log.h"

#include <string.h>

#define SILENCE_NS UINT64_C(20000000000) /* an agent that says nothing for so long is stuck */

static void hold(struct keeper_core *core, uint64_t lease)
{
    for (uint32_t i = 0; i < core->lease_count; i++)
        if (core->leases[i] == lease)
            return;
    if (core->lease_count < MESSAGE_LEASES_MAX)
        core->leases[core->lease_count++] = lease;
}

static void drop(struct keeper_core *core, uint64_t lease)
{
    for (uint32_t i = 0; i < core->lease_count; i++)
        if (core->leases[i] == lease) {
            core->leases[i] = core->leases[--core->lease_count];
            return;
        }
}

void keeper_core_obey(struct keeper_core *core, const struct keeper_event *told, uint64_t now_ns)
{
    core->heard_ns = now_ns;
    switch (told->what) {
    case KEEPER_BEGIN:
        if (core->beat_ms == 0)
            core->next_ns = now_ns;
        core->beat_ms = told->value != 0 ? (uint32_t)told->value : KEEPER_BEAT_MS;
        break;
    case KEEPER_HOLD:
        hold(core, told->value);
        break;
    case KEEPER_DROP:
        drop(core, told->value);
        break;
    case KEEPER_BUSY:
        core->slots_busy = (uint32_t)told->value;
        break;
    default:
        break;
    }
}

uint64_t keeper_core_due_ns(const struct keeper_core *core)
{
    return core->beat_ms != 0 ? core->next_ns : UINT64_MAX;
}

bool keeper_core_beat(struct keeper_core *core, uint64_t now_ns, uint64_t random,
                      struct message *request)
{
    struct message_beat *beat = &request->u.beat;
    uint64_t period_ns = core->beat_ms * UINT64_C(1000000);

    core->next_ns = now_ns + period_ns - period_ns / 10 + random % (period_ns / 5 + 1);
    if (now_ns > core->heard_ns + SILENCE_NS)
        return false;
    message_init(request, MESSAGE_BEAT);
    beat->incarnation = core->incarnation;
    beat->sequence = ++core->sequence;
    memcpy(beat->leases, core->leases, core->lease_count * sizeof core->leases[0]);
    beat->lease_count = core->lease_count;
    beat->slots_busy = core->slots_busy;
    return true;
}

void keeper_core_take(struct keeper_core *core, const struct message *answer, keeper_core_say *say,
                      void *context)
{
    const struct message_ack *ack = &answer->u.ack;
    struct err err = ERR_INIT;

    if (answer->kind == MESSAGE_REFUSED) {
        (void)message_refused_err(answer, &err);
        log_message(LOG_WARNING, "beat: %s", err.text);
        say(context, KEEPER_STRANGER, 0);
        core->beat_ms = 0; /* until the agent has said hello */
        return;
    }
    if (answer->kind != MESSAGE_ACK)
        return;
    for (uint32_t i = 0; i < ack->cancel_count; i++)
        say(context, KEEPER_CANCEL, ack->cancel[i]);
    for (uint32_t i = 0; i < ack->unknown_count; i++) {
        drop(core, ack->unknown[i]);
        say(context, KEEPER_UNKNOWN, ack->unknown[i]);
    }
    if (ack->drain || core->draining)
        say(context, KEEPER_DRAIN, ack->drain ? 1 : 0);
    core->draining = ack->drain;
}
