#include "tests/support/wire_service.h"

#include "storage/base/check.h"
#include "storage/base/file.h"
#include "tests/support/base_test.h"
#include "tests/support/wire_sample.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUARD_NS (120 * UINT64_C(1000000000))
#define STEP_MS  20

/* A port that is free now. */
static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    close(fd);
    return ntohs(address.sin_port);
}

static bool find_agent(void *context, const struct message_id *id, uint8_t key[SEAL_KEY_SIZE])
{
    struct wire_service *service = context;

    for (size_t i = 0; i < service->agent_count; i++) {
        if (!message_id_equal(&service->ids[i], id))
            continue;
        memcpy(key, service->agent_keys[i].public_key, SEAL_KEY_SIZE);
        return true;
    }
    return false;
}

static void start(struct wire_service *service)
{
    struct peers_options options = {.keys = &service->keys, .context = service, .find = find_agent};
    struct err err = ERR_INIT;

    BASE_OK(gateway_open(&service->options, &clock_host, &service->gateway, &err), &err);
    options.send = gateway_send;
    options.send_context = service->gateway;
    BASE_OK(peers_new(&options, &service->peers, &err), &err);
}

void wire_service_open(struct wire_service *service, enum wire_transport transport)
{
    struct err err = ERR_INIT;

    service->folder = base_folder_make();
    if (transport == WIRE_TCP6)
        (void)snprintf(service->url, sizeof service->url, "tcp://[::1]:%u", free_port());
    else if (transport == WIRE_IPC)
        (void)snprintf(service->url, sizeof service->url, "ipc://%s/gateway", service->folder);
    else
        (void)snprintf(service->url, sizeof service->url, "tcp://127.0.0.1:%u", free_port());
    service->options.urls[0] = service->url;
    service->options.url_count = 1;
    if (service->options.limits.connections == 0)
        service->options.limits = gateway_limits_default;
    service->answer = mem_alloc(sizeof *service->answer);
    service->seen = mem_alloc(WIRE_LEASES_MAX);
    BASE_OK(seal_keys_make(&service->keys, &err), &err);
    start(service);
}

void wire_service_restart(struct wire_service *service)
{
    gateway_close(service->gateway);
    peers_free(service->peers);
    service->held_count = 0;
    start(service);
}

void wire_service_close(struct wire_service *service)
{
    gateway_close(service->gateway);
    peers_free(service->peers);
    mem_free(service->answer);
    mem_free(service->seen);
    base_folder_remove(service->folder);
}

static void grant(struct wire_service *service, struct message *answer)
{
    struct message_job *job = &answer->u.grant.jobs[0];

    message_init(answer, MESSAGE_GRANT);
    *job = (struct message_job){.lease = ++service->granted, .run = 1, .attempt = 1};
    job->job = job->lease;
    job->spec = wire_hash(1);
    answer->u.grant.job_count = 1;
}

static void record(struct wire_service *service, const struct message_result *result,
                   struct message *answer)
{
    struct message_ack *ack = &answer->u.ack;

    message_init(answer, MESSAGE_ACK);
    for (uint32_t i = 0; i < result->result_count; i++) {
        uint64_t lease = result->results[i].lease;
        bool known;

        CHECK(lease < WIRE_LEASES_MAX);
        known = service->seen[lease] != 0;
        ack->results[i] =
            (struct message_outcome_of){lease, known ? MESSAGE_OUTCOME_DUP : MESSAGE_OUTCOME_OK};
        service->seen[lease] = 1;
        service->recorded += !known;
    }
    ack->result_count = result->result_count;
}

static void enrol(struct wire_service *service, const struct message_enrol *asked,
                  struct message *answer)
{
    size_t agent = service->agent_count++;

    CHECK(agent < WIRE_AGENTS_MAX);
    service->ids[agent] = wire_id((uint8_t)(0x80 + agent));
    memcpy(service->agent_keys[agent].public_key, asked->public_key, SEAL_KEY_SIZE);
    message_init(answer, MESSAGE_ENROLLED);
    answer->u.enrolled.agent = service->ids[agent];
}

static void handle(struct wire_service *service, const struct peer_request *request)
{
    struct message *answer = service->answer;
    struct err err = ERR_INIT;

    service->handled++;
    if (request->message->kind == MESSAGE_CLAIM && service->hold_claims) {
        CHECK(service->held_count < WIRE_HELD_MAX);
        service->held[service->held_count++] = request->slot;
        return;
    }
    if (request->message->kind == MESSAGE_HELLO)
        wire_sample(MESSAGE_WELCOME, answer);
    else if (request->message->kind == MESSAGE_CLAIM)
        grant(service, answer);
    else if (request->message->kind == MESSAGE_RESULT)
        record(service, &request->message->u.result, answer);
    else if (request->message->kind == MESSAGE_ENROL)
        enrol(service, &request->message->u.enrol, answer);
    else
        message_init(answer, MESSAGE_ACK);
    BASE_OK(peers_answer(service->peers, request->slot, answer, &err), &err);
}

void wire_service_turn(struct wire_service *service)
{
    struct peer_request request;
    struct span route, bytes;

    gateway_turn(service->gateway);
    while (gateway_next(service->gateway, &route, &bytes))
        if (peers_receive(service->peers, route, bytes, &request))
            handle(service, &request);
    peers_commit(service->peers);
    gateway_turn(service->gateway);
}

void wire_service_release(struct wire_service *service)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; i < service->held_count; i++) {
        if (!peers_waits(service->peers, service->held[i]))
            continue;
        grant(service, service->answer);
        BASE_OK(peers_answer(service->peers, service->held[i], service->answer, &err), &err);
    }
    service->held_count = 0;
    peers_commit(service->peers);
}

size_t wire_service_agent(struct wire_service *service)
{
    size_t agent = service->agent_count++;
    struct err err = ERR_INIT;

    CHECK(agent < WIRE_AGENTS_MAX);
    service->ids[agent] = wire_id((uint8_t)agent);
    service->ids[agent].bytes[0] = (uint8_t)(agent >> 8);
    BASE_OK(seal_keys_make(&service->agent_keys[agent], &err), &err);
    return agent;
}

struct link *wire_service_link(struct wire_service *service, size_t agent,
                               enum seal_channel channel)
{
    struct link_options options = {.url = service->url,
                                   .keys = &service->agent_keys[agent],
                                   .coordinator = service->keys.public_key,
                                   .agent = service->ids[agent],
                                   .channel = channel,
                                   .resend_ms = 200};
    struct err err = ERR_INIT;
    struct link *link;

    BASE_OK(link_open(&options, &link, &err), &err);
    return link;
}

void wire_service_wait(struct wire_service *service, struct link **links, size_t count)
{
    static uint64_t begun_ns;
    struct pollfd *waits = mem_array(count + 1, sizeof *waits);
    uint64_t now = clock_monotonic_ns(&clock_host);

    if (begun_ns == 0)
        begun_ns = now;
    if (now - begun_ns > 4 * GUARD_NS)
        fail_msg("it has taken far too long");
    waits[0] = (struct pollfd){gateway_fd(service->gateway), gateway_events(service->gateway), 0};
    for (size_t i = 0; i < count; i++)
        waits[i + 1] = (struct pollfd){link_fd(links[i]), POLLIN, 0};
    poll(waits, (nfds_t)(count + 1), STEP_MS);
    mem_free(waits);
    wire_service_turn(service);
}

enum message_kind wire_service_call(struct wire_service *service, struct link *link,
                                    const struct message *request, struct message *answer)
{
    struct err err = ERR_INIT;
    enum link_state state;

    BASE_OK(link_send(link, request, 60000, &err), &err);
    while ((state = link_turn(link, answer, &err)) == LINK_WAITING)
        wire_service_wait(service, &link, 1);
    BASE_OK(state == LINK_ANSWERED, &err);
    return answer->kind;
}
