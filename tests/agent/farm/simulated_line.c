/* simulated_line.c — what the agent says, as messages of the world, and the answers back. */
#include "tests/agent/farm/simulated_internal.h"

#include "storage/base/check.h"

#include <string.h>

#define RESEND_MS 3000

/* ---- requests ---- */

static void copy_leases(struct world_message *out, const uint64_t *leases, uint32_t count)
{
    CHECK(count <= WORLD_LEASES);
    memcpy(out->leases, leases, count * sizeof(leases[0]));
    out->lease_count = count;
}

static void write_results(struct world_message *out, const struct message_result *from)
{
    out->result_count = from->result_count;
    for (uint32_t i = 0; i < from->result_count; i++) {
        const struct message_job_result *result = &from->results[i];
        out->results[i] = (struct world_result){.lease = result->lease,
                                                .job = result->job,
                                                .attempt = result->attempt,
                                                .spec = result->state_id.bytes[0],
                                                .verdict = result->verdict};
    }
}

static void write_request(struct world_message *out, const struct message *from)
{
    switch (from->kind) {
    case MESSAGE_HELLO:
        out->kind = WORLD_HELLO;
        break;
    case MESSAGE_CLAIM:
        out->kind = WORLD_CLAIM;
        out->slots = from->u.claim.slots_free;
        break;
    case MESSAGE_BEAT:
        out->kind = WORLD_BEAT;
        out->sequence = from->u.beat.sequence;
        copy_leases(out, from->u.beat.leases, from->u.beat.lease_count);
        break;
    case MESSAGE_RESULT:
        out->kind = WORLD_RESULT;
        write_results(out, &from->u.result);
        break;
    case MESSAGE_RELEASE:
        out->kind = WORLD_RELEASE;
        copy_leases(out, from->u.release.leases, from->u.release.lease_count);
        break;
    default:
        CHECK(from->kind == MESSAGE_BYE);
        out->kind = WORLD_BYE;
    }
}

static void transmit(struct sim *sim, uint32_t channel)
{
    struct world_agent *body = sim->body;

    body->asked[channel]->epoch = body->epoch;
    body->asked_ms[channel] = sim->world->now_ms;
    world_send(sim->world, body->asked[channel]);
}

static void ask(struct sim *sim, uint32_t channel, const struct message *request,
                uint32_t timeout_ms)
{
    struct world_agent *body = sim->body;
    struct world_message *message = mem_alloc(sizeof(*message));

    CHECK(!body->asked[channel]);
    message->agent = body->number;
    message->channel = channel;
    message->incarnation = body->incarnation;
    message->counter = ++body->counters[channel];
    write_request(message, request);
    body->asked[channel] = message;
    sim->deadline_ms[channel] = sim->world->now_ms + timeout_ms;
    transmit(sim, channel);
}

/* ---- answers ---- */

static void write_grant(struct message *out, const struct world_message *from)
{
    message_init(out, from->result_count ? MESSAGE_GRANT : MESSAGE_EMPTY);
    if (!from->result_count) {
        out->u.empty.retry_ms = 500;
        return;
    }
    out->u.grant.job_count = from->result_count;
    for (uint32_t i = 0; i < from->result_count; i++) {
        const struct world_result *grant = &from->results[i];
        bool is_boot = grant->spec >= WORLD_SPECS;
        out->u.grant.jobs[i] = (struct message_job){
            .lease = grant->lease,
            .job = grant->job,
            .attempt = grant->attempt,
            .kind = is_boot ? JOB_BOOT : JOB_TEST,
            .spec = world_hash(is_boot, is_boot ? grant->spec - WORLD_SPECS : grant->spec)};
    }
}

static void write_ack(struct message *out, const struct world_message *from)
{
    static const enum message_outcome outcomes[] = {[QUEUE_RECORDED] = MESSAGE_OUTCOME_OK,
                                                    [QUEUE_DUP] = MESSAGE_OUTCOME_DUP,
                                                    [QUEUE_STALE] = MESSAGE_OUTCOME_STALE};
    struct message_ack *ack = &out->u.ack;

    message_init(out, MESSAGE_ACK);
    ack->cancel_count = from->cancel_count;
    memcpy(ack->cancel, from->cancel, from->cancel_count * sizeof(ack->cancel[0]));
    ack->unknown_count = from->unknown_count;
    memcpy(ack->unknown, from->unknown, from->unknown_count * sizeof(ack->unknown[0]));
    if (from->kind != WORLD_RESULT)
        return;
    ack->result_count = from->result_count;
    for (uint32_t i = 0; i < from->result_count; i++)
        ack->results[i] =
            (struct message_outcome_of){from->results[i].lease, outcomes[from->outcomes[i]]};
}

static void write_answer(struct message *out, const struct world_message *from)
{
    struct err err = ERR_INIT;

    if (from->refused) {
        (void)err_set(&err, from->refusal, "refused");
        message_refuse(out, &err);
        if (from->refusal != ERR_CONFLICT)
            world_problem(sim_now->world, "agent %u was refused, kind %d", from->agent,
                          from->refusal);
    } else if (from->kind == WORLD_HELLO) {
        message_init(out, MESSAGE_WELCOME);
        out->u.welcome.beat_ms = QUEUE_BEAT_MS;
        out->u.welcome.lease_ms = QUEUE_LEASE_MS;
    } else if (from->kind == WORLD_CLAIM) {
        write_grant(out, from);
    } else {
        write_ack(out, from);
    }
}

static void take_news(void *context, enum keeper_news what, uint64_t value)
{
    struct sim *sim = context;
    struct keeper_event event = {.what = (uint32_t)what, .value = value};

    phase_take_news(sim->agent, &event);
}

void sim_line_take(struct sim *sim, const struct world_message *answer)
{
    struct world_agent *body = sim->body;
    struct world_message *asked = body->asked[answer->channel];

    if (!asked || asked->counter != answer->counter || asked->incarnation != answer->incarnation)
        return;
    if (answer->again) {
        body->epoch = answer->epoch;
        transmit(sim, answer->channel);
        return;
    }
    mem_free(asked);
    body->asked[answer->channel] = NULL;
    if (answer->channel == 1) {
        write_answer(sim->scratch, answer);
        keeper_core_take(&sim->keeper, sim->scratch, take_news, sim);
        return;
    }
    CHECK(!sim->ready);
    sim->ready = mem_alloc(sizeof(*sim->ready));
    *sim->ready = *answer;
}

/* ---- the work channel, as the agent sees it ---- */

static bool send(void *context, const struct message *request, uint32_t timeout_ms, struct err *err)
{
    struct sim *sim = context;

    if (sim->body->asked[0] || sim->ready)
        return err_set(err, ERR_CONFLICT, "one request is under way");
    ask(sim, 0, request, timeout_ms);
    return true;
}

static enum link_state turn(void *context, struct message *answer, struct err *err)
{
    struct sim *sim = context;

    if (sim->ready) {
        write_answer(answer, sim->ready);
        mem_free(sim->ready);
        sim->ready = NULL;
        return LINK_ANSWERED;
    }
    if (!sim->body->asked[0])
        return LINK_IDLE;
    if (sim->world->now_ms < sim->deadline_ms[0])
        return LINK_WAITING;
    mem_free(sim->body->asked[0]);
    sim->body->asked[0] = NULL;
    (void)err_set(err, ERR_TIMEOUT, "no answer");
    return LINK_FAILED;
}

static int fd(void *context)
{
    (void)context;
    return -1;
}

static uint64_t deadline_ns(void *context)
{
    const struct sim *sim = context;

    return sim->body->asked[0] ? sim->deadline_ms[0] * SIM_MS_NS : UINT64_MAX;
}

static void cancel(void *context)
{
    struct sim *sim = context;

    mem_free(sim->body->asked[0]);
    mem_free(sim->ready);
    sim->body->asked[0] = sim->ready = NULL;
}

static void close_line(void *context)
{
    cancel(context);
}

const struct line_operations sim_line = {send, turn, fd, deadline_ns, cancel, close_line};

void sim_line_turn(struct sim *sim)
{
    for (uint32_t c = 0; c < 2; c++)
        if (sim->body->asked[c] && sim->world->now_ms - sim->body->asked_ms[c] >= RESEND_MS)
            transmit(sim, c);
}

void sim_line_beat(struct sim *sim)
{
    uint64_t now_ns = agent_now_ns();

    if (sim->body->asked[1] && sim->world->now_ms >= sim->deadline_ms[1]) {
        mem_free(sim->body->asked[1]);
        sim->body->asked[1] = NULL;
    }
    if (sim->body->asked[1] || now_ns < keeper_core_due_ns(&sim->keeper))
        return;
    if (keeper_core_beat(&sim->keeper, now_ns, sim_random(0), sim->scratch))
        ask(sim, 1, sim->scratch, 2 * sim->keeper.beat_ms);
}

void sim_line_release(struct sim *sim)
{
    cancel(sim);
    mem_free(sim->body->asked[1]);
    sim->body->asked[1] = NULL;
}
