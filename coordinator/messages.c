#include "coordinator/service_internal.h"

#include "storage/base/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Messages of the wire become calls of the queue, and what the queue says becomes messages. */

#define EMPTY_RETRY_MS 500

static struct queue_id queue_id_of(const struct message_id *id)
{
    struct queue_id out;

    memcpy(out.bytes, id->bytes, sizeof out.bytes);
    return out;
}

bool messages_find_agent(void *context, const struct message_id *agent,
                         uint8_t public_key[SEAL_KEY_SIZE])
{
    struct service *service = context;
    struct queue_id id = queue_id_of(agent);

    return queue_agent_key(service->queue, &id, public_key);
}

/* A span as a text with its end; the decoder has bounded it by `size` - 1. */
static const char *text_of(struct span span, char *out, size_t size)
{
    size_t used = span.size < size ? span.size : size - 1;

    if (used != 0)
        memcpy(out, span.data, used);
    out[used] = 0;
    return out;
}

/* Answers with service->answer. What cannot be said (a bug, or too long) is refused. */
static void answer(struct service *service, uint64_t slot)
{
    struct err err = ERR_INIT;

    if (!peers_answer(service->peers, slot, service->answer, &err))
        peers_refuse(service->peers, slot, &err);
}

static void refuse(struct service *service, uint64_t slot, const struct err *err)
{
    if (service_error_is_request(err))
        peers_refuse(service->peers, slot, err);
    else
        service->is_lost = true; /* nobody is answered: they will ask again */
}

struct hello_texts {
    char name[MESSAGE_NAME_MAX + 1], version[MESSAGE_NAME_MAX + 1], arch[MESSAGE_NAME_MAX + 1];
    char os[MESSAGE_NAME_MAX + 1];
    char tags[MESSAGE_TAGS_MAX][MESSAGE_NAME_MAX + 1];
    const char *tag_list[MESSAGE_TAGS_MAX];
};

static void hello(struct service *service, const struct peer_request *request)
{
    const struct message_hello *said = &request->message->u.hello;
    struct queue_id agent = queue_id_of(&request->agent);
    struct queue_id incarnation = queue_id_of(&said->incarnation);
    struct hello_texts texts;
    struct queue_agent_facts facts = {
        .name = text_of(said->name, texts.name, sizeof texts.name),
        .version = text_of(said->version, texts.version, sizeof texts.version),
        .arch = text_of(said->arch, texts.arch, sizeof texts.arch),
        .os = text_of(said->os, texts.os, sizeof texts.os),
        .word_bits = said->word_bits,
        .big_endian = said->big_endian,
        .cores = said->cores,
        .memory_mib = said->memory_mib,
        .slots = said->slots,
        .tags = texts.tag_list,
        .tag_count = said->tag_count,
    };
    struct message_welcome *welcome = &service->answer->u.welcome;
    const char *told = service->options.store_told;
    struct err err = ERR_INIT;

    for (uint32_t i = 0; i < said->tag_count; i++)
        texts.tag_list[i] = text_of(said->tags[i], texts.tags[i], sizeof texts.tags[i]);
    if (!queue_agent_hello(service->queue, &agent, &incarnation, &facts, &err)) {
        refuse(service, request->slot, &err);
        return;
    }
    message_init(service->answer, MESSAGE_WELCOME);
    welcome->beat_ms = service->options.beat_ms != 0 ? service->options.beat_ms : QUEUE_BEAT_MS;
    welcome->lease_ms = service->options.lease_ms != 0 ? service->options.lease_ms : QUEUE_LEASE_MS;
    welcome->server_ms = service_wall_ms(service);
    welcome->store = span_of_text(told != NULL ? told : "");
    answer(service, request->slot);
}

static void write_grant(struct service *service)
{
    const struct queue_grants *grants = service->grants;
    struct message_grant *grant = &service->answer->u.grant;

    message_init(service->answer, MESSAGE_GRANT);
    grant->job_count = grants->count;
    for (uint32_t i = 0; i < grants->count; i++) {
        const struct queue_grant *from = &grants->grants[i];

        grant->jobs[i] = (struct message_job){
            .lease = from->lease,
            .run = from->run,
            .job = from->job,
            .attempt = from->attempt,
            .kind = from->kind,
            .flags = from->flags,
            .spec = from->spec,
            .checkpoint = from->checkpoint,
            .wall_ms = from->wall_ms,
        };
    }
}

static void write_empty(struct service *service, uint32_t retry_ms)
{
    message_init(service->answer, MESSAGE_EMPTY);
    service->answer->u.empty.retry_ms = retry_ms;
}

/* True if there is an answer: jobs, or none for a long time. */
static bool try_claim(struct service *service, uint64_t slot, const struct queue_claim *claim)
{
    uint64_t began_ns = service_now_ns(service);
    struct err err = ERR_INIT;

    if (!queue_claim(service->queue, claim, service->grants, &err)) {
        refuse(service, slot, &err);
        return true;
    }
    if (service->grants->count != 0) {
        write_grant(service);
        histogram_add(&service->claims, service_now_ns(service) - began_ns);
    } else if (service->grants->drain) {
        message_init(service->answer, MESSAGE_DRAIN);
        service->answer->u.drain.reason = span_of_text("this agent is being drained");
    } else {
        return false;
    }
    answer(service, slot);
    return true;
}

static void hold_claim(struct service *service, const struct peer_request *request,
                       const struct queue_claim *claim)
{
    uint32_t wait_ms = request->message->u.claim.wait_ms;
    struct held_claim *held = mem_alloc(sizeof *held);

    if (wait_ms > SERVICE_CLAIM_MS_MAX)
        wait_ms = SERVICE_CLAIM_MS_MAX;
    held->slot = request->slot;
    held->due_ns = service_now_ns(service) + wait_ms * NS_PER_MS;
    held->claim = *claim;
    if (claim->cached.count != 0)
        memcpy(held->cached, claim->cached.checkpoints,
               claim->cached.count * sizeof held->cached[0]);
    held->claim.cached.checkpoints = held->cached;
    *service->held_last = held;
    service->held_last = &held->next;
    service->held_count++;
}

static void claim(struct service *service, const struct peer_request *request)
{
    const struct message_claim *said = &request->message->u.claim;
    struct queue_claim asked = {
        .agent = queue_id_of(&request->agent),
        .incarnation = queue_id_of(&said->incarnation),
        .slots_free = said->slots_free,
        .cached = {said->cached, said->cached_count},
    };

    if (try_claim(service, request->slot, &asked))
        return;
    if (said->wait_ms != 0 && service->held_count < PEERS_MAX) {
        hold_claim(service, request, &asked);
        return;
    }
    write_empty(service, EMPTY_RETRY_MS);
    answer(service, request->slot);
}

static void beat(struct service *service, const struct peer_request *request)
{
    const struct message_beat *said = &request->message->u.beat;
    struct queue_beat asked = {
        .agent = queue_id_of(&request->agent),
        .incarnation = queue_id_of(&said->incarnation),
        .sequence = said->sequence,
        .leases = said->leases,
        .lease_count = said->lease_count,
        .load = said->load,
        .slots_busy = said->slots_busy,
    };
    struct queue_beat_answer *from = service->beat_answer;
    struct message_ack *ack = &service->answer->u.ack;
    struct err err = ERR_INIT;

    if (!queue_beat(service->queue, &asked, from, &err)) {
        refuse(service, request->slot, &err);
        return;
    }
    message_init(service->answer, MESSAGE_ACK);
    ack->cancel_count = from->cancel_count;
    memcpy(ack->cancel, from->cancel, from->cancel_count * sizeof ack->cancel[0]);
    ack->unknown_count = from->unknown_count;
    memcpy(ack->unknown, from->unknown, from->unknown_count * sizeof ack->unknown[0]);
    ack->drain = from->drain;
    answer(service, request->slot);
}

struct result_texts {
    char reason[MESSAGE_TEXT_MAX + 1], title[MESSAGE_TITLE_MAX + 1];
    char names[MESSAGE_ARTIFACTS_MAX][MESSAGE_ARTIFACT_NAME + 1];
    struct queue_artifact artifacts[MESSAGE_ARTIFACTS_MAX];
};

static struct queue_result result_of(const struct message_job_result *said,
                                     struct result_texts *texts)
{
    for (uint32_t i = 0; i < said->artifact_count; i++)
        texts->artifacts[i] = (struct queue_artifact){
            text_of(said->artifacts[i].name, texts->names[i], sizeof texts->names[i]),
            said->artifacts[i].size, said->artifacts[i].hash};
    return (struct queue_result){
        .lease = said->lease,
        .job = said->job,
        .attempt = said->attempt,
        .verdict = said->verdict,
        .exit_status = said->exit_status,
        .instructions = said->instructions,
        .virtual_ns = said->virtual_ns,
        .thaw_ns = said->thaw_ns,
        .wall_ns = said->wall_ns,
        .state_id = said->state_id,
        .checkpoint = said->checkpoint,
        .reason = text_of(said->reason, texts->reason, sizeof texts->reason),
        .signature_title = text_of(said->signature_title, texts->title, sizeof texts->title),
        .signature = said->signature,
        .console = said->console,
        .console_size = said->console_size,
        .artifacts = texts->artifacts,
        .artifact_count = said->artifact_count,
    };
}

static enum message_outcome outcome_of(enum queue_outcome outcome)
{
    switch (outcome) {
    case QUEUE_RECORDED:
        return MESSAGE_OUTCOME_OK;
    case QUEUE_DUP:
        return MESSAGE_OUTCOME_DUP;
    case QUEUE_STALE:
        break;
    }
    return MESSAGE_OUTCOME_STALE;
}

static void keep_blob(struct service *service, const struct hash *id)
{
    if (!hash_is_zero(id) && service->blob_count < SERVICE_BLOBS_MAX)
        service->blobs[service->blob_count++] = *id;
}

static void keep_blobs(struct service *service, const struct message_job_result *said)
{
    keep_blob(service, &said->console);
    for (uint32_t i = 0; i < said->artifact_count; i++)
        keep_blob(service, &said->artifacts[i].hash);
}

/* Agents push what they name before they name it. */
static bool blob_is_there(struct service *service, const char *what, const struct hash *id,
                          uint64_t size, struct err *err)
{
    uint64_t there;

    if (hash_is_zero(id) || service->options.store == NULL)
        return true;
    if (!store_blob_size(service->options.store, id, &there, err))
        return err_wrap(err, "%s", what);
    return there == size || err_set(err, ERR_INVALID, "%s: has %llu bytes, not %llu", what,
                                    (unsigned long long)there, (unsigned long long)size);
}

static bool blobs_are_there(struct service *service, const struct queue_result *result,
                            struct err *err)
{
    if (!blob_is_there(service, "its console", &result->console, result->console_size, err))
        return false;
    for (uint32_t i = 0; i < result->artifact_count; i++) {
        const struct queue_artifact *artifact = &result->artifacts[i];

        if (!blob_is_there(service, "its artifact", &artifact->hash, artifact->size, err))
            return false;
    }
    return true;
}

/* A report without its evidence counts, but is held against the agent. */
static void look_for_blobs(struct service *service, const struct queue_id *agent,
                           const struct queue_result *result)
{
    struct err why = ERR_INIT, ignored = ERR_INIT;
    char text[MESSAGE_TEXT_MAX];

    if (blobs_are_there(service, result, &why))
        return;
    snprintf(text, sizeof text, "job %llu: %.400s", (unsigned long long)result->job, why.text);
    (void)queue_agent_fault(service->queue, agent, text, &ignored);
}

/* False: the bracket is lost. A result that cannot be is told from one that comes too late only in
 * the agent's faults: either way it must forget it. */
static bool take_result(struct service *service, const struct queue_id *agent,
                        const struct message_job_result *said, enum message_outcome *outcome)
{
    enum queue_outcome recorded = QUEUE_STALE;
    struct result_texts texts;
    struct queue_result result = result_of(said, &texts);
    struct err err = ERR_INIT;

    if (!queue_result(service->queue, agent, &result, &recorded, &err)) {
        if (!service_error_is_request(&err)) {
            service->is_lost = true;
            return false;
        }
        recorded = QUEUE_STALE;
    }
    if (recorded == QUEUE_RECORDED) {
        look_for_blobs(service, agent, &result);
        keep_blobs(service, said);
    }
    *outcome = outcome_of(recorded);
    return true;
}

static void results(struct service *service, const struct peer_request *request)
{
    const struct message_result *said = &request->message->u.result;
    struct queue_id agent = queue_id_of(&request->agent);
    struct message_ack *ack = &service->answer->u.ack;

    message_init(service->answer, MESSAGE_ACK);
    for (uint32_t i = 0; i < said->result_count; i++) {
        ack->results[i].lease = said->results[i].lease;
        if (!take_result(service, &agent, &said->results[i], &ack->results[i].outcome))
            return;
    }
    ack->result_count = said->result_count;
    answer(service, request->slot);
}

static void give_back(struct service *service, const struct peer_request *request)
{
    const struct message *message = request->message;
    bool is_bye = message->kind == MESSAGE_BYE;
    struct queue_release asked = {.agent = queue_id_of(&request->agent)};
    struct err err = ERR_INIT;
    bool ok;

    if (is_bye) {
        asked.incarnation = queue_id_of(&message->u.bye.incarnation);
        ok = queue_bye(service->queue, &asked, &err);
    } else {
        asked.incarnation = queue_id_of(&message->u.release.incarnation);
        asked.leases = message->u.release.leases;
        asked.lease_count = message->u.release.lease_count;
        ok = queue_release(service->queue, &asked, &err);
    }
    if (!ok) {
        refuse(service, request->slot, &err);
        return;
    }
    message_init(service->answer, MESSAGE_ACK);
    answer(service, request->slot);
}

static void enrol(struct service *service, const struct peer_request *request)
{
    const struct message_enrol *said = &request->message->u.enrol;
    char name[MESSAGE_NAME_MAX + 1];
    struct queue_enrolment asked = {.token = hash_of(said->token),
                                    .name = text_of(said->name, name, sizeof name)};
    struct queue_id id;
    struct err err = ERR_INIT;

    memcpy(asked.key, said->public_key, sizeof asked.key);
    if (getrandom(asked.id.bytes, sizeof asked.id.bytes, 0) != sizeof asked.id.bytes) {
        (void)err_set_errno(&err, errno, "no randomness for an agent's id");
        peers_refuse(service->peers, request->slot, &err);
        return;
    }
    if (!queue_enrol(service->queue, &asked, &id, &err)) {
        refuse(service, request->slot, &err);
        return;
    }
    message_init(service->answer, MESSAGE_ENROLLED);
    memcpy(service->answer->u.enrolled.agent.bytes, id.bytes, sizeof id.bytes);
    answer(service, request->slot);
}

static void handle(struct service *service, const struct peer_request *request)
{
    struct err err = ERR_INIT;

    switch (request->message->kind) {
    case MESSAGE_ENROL:
        enrol(service, request);
        return;
    case MESSAGE_HELLO:
        hello(service, request);
        return;
    case MESSAGE_CLAIM:
        claim(service, request);
        return;
    case MESSAGE_BEAT:
        beat(service, request);
        return;
    case MESSAGE_RESULT:
        results(service, request);
        return;
    case MESSAGE_RELEASE:
    case MESSAGE_BYE:
        give_back(service, request);
        return;
    default:
        (void)err_set(&err, ERR_INVALID, "%s is no request",
                      message_kind_name(request->message->kind));
        peers_refuse(service->peers, request->slot, &err);
    }
}

void messages_receive(struct service *service)
{
    struct peer_request request;
    struct span route, bytes;

    for (unsigned i = 0; service->peers != NULL && i < SERVICE_GROUP_MAX; i++) {
        if (!gateway_next(service->gateway, &route, &bytes))
            return;
        if (peers_receive(service->peers, route, bytes, &request))
            handle(service, &request);
    }
}

/* True if it is to be held on. */
static bool retry(struct service *service, const struct held_claim *held, bool is_work,
                  uint64_t now_ns)
{
    if (!peers_waits(service->peers, held->slot))
        return false;
    if (is_work && try_claim(service, held->slot, &held->claim))
        return false;
    if (now_ns < held->due_ns)
        return true;
    write_empty(service, 0); /* it was held: it may ask to be held again */
    answer(service, held->slot);
    return false;
}

void messages_retry(struct service *service)
{
    uint64_t now_ns = service_now_ns(service);
    uint64_t work = queue_work_number(service->queue);
    bool is_work = work != service->held_work;
    struct held_claim **place = &service->held;

    while (*place != NULL) {
        struct held_claim *held = *place;

        if (retry(service, held, is_work, now_ns)) {
            place = &held->next;
            continue;
        }
        *place = held->next;
        service->held_count--;
        mem_free(held);
    }
    service->held_last = place;
    service->held_work = work;
}

uint64_t messages_due_ns(const struct service *service)
{
    /* All are held for about the same time: the first is the first to be due, or nearly. */
    return service->held != NULL ? service->held->due_ns : UINT64_MAX;
}

void messages_release(struct service *service)
{
    while (service->held != NULL) {
        struct held_claim *held = service->held;

        service->held = held->next;
        mem_free(held);
    }
    service->held_last = &service->held;
    service->held_count = 0;
}
