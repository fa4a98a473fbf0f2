/* Links, gateway (a process of its own) and peers together, over real sockets. */
#include "agent/farm/link.h"
#include "storage/base/check.h"
#include "tests/support/base_test.h"
#include "tests/support/wire_bench.h"
#include "tests/support/wire_proxy.h"
#include "tests/support/wire_sample.h"
#include "tests/support/wire_service.h"

#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    struct wire_service service;
    struct message *request, *answer;
};

static struct fixture *fixture_new(enum wire_transport transport)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    fixture->request = mem_alloc(sizeof *fixture->request);
    fixture->answer = mem_alloc(sizeof *fixture->answer);
    wire_service_open(&fixture->service, transport);
    return fixture;
}

static int open_ipc(void **state)
{
    *state = fixture_new(WIRE_IPC);
    return 0;
}

static int open_tcp(void **state)
{
    *state = fixture_new(WIRE_TCP);
    return 0;
}

/* On a host without IPv6 it is TCP as before. */
static int open_tcp6(void **state)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM, 0);
    bool works = fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0;

    if (fd >= 0)
        close(fd);
    *state = fixture_new(works ? WIRE_TCP6 : WIRE_TCP);
    return 0;
}

static int close_all(void **state)
{
    struct fixture *fixture = *state;

    wire_service_close(&fixture->service);
    mem_free(fixture->request);
    mem_free(fixture->answer);
    mem_free(fixture);
    return 0;
}

static enum message_kind call(struct fixture *fixture, struct link *link, enum message_kind kind)
{
    wire_sample(kind, fixture->request);
    return wire_service_call(&fixture->service, link, fixture->request, fixture->answer);
}

static void every_request_is_answered_on_both_channels(void **state)
{
    struct fixture *fixture = *state;
    size_t agent = wire_service_agent(&fixture->service);
    struct link *work = wire_service_link(&fixture->service, agent, SEAL_WORK);
    struct link *beat = wire_service_link(&fixture->service, agent, SEAL_BEAT);

    assert_int_equal(call(fixture, work, MESSAGE_HELLO), MESSAGE_WELCOME);
    assert_int_equal(fixture->answer->u.welcome.beat_ms, 5000);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(call(fixture, work, MESSAGE_CLAIM), MESSAGE_GRANT);
        assert_int_equal(call(fixture, beat, MESSAGE_BEAT), MESSAGE_ACK);
    }
    assert_int_equal(call(fixture, work, MESSAGE_RESULT), MESSAGE_ACK);
    assert_int_equal(fixture->answer->u.ack.result_count, 2);
    assert_int_equal(call(fixture, work, MESSAGE_RELEASE), MESSAGE_ACK);
    assert_int_equal(call(fixture, work, MESSAGE_BYE), MESSAGE_ACK);
    assert_int_equal(fixture->service.handled, 204);
    link_close(work);
    link_close(beat);
}

static void one_enrols_and_talks_with_its_new_name(void **state)
{
    struct fixture *fixture = *state;
    struct wire_service *service = &fixture->service;
    struct seal_keys keys;
    struct link_options options = {
        .url = service->url, .keys = &keys, .coordinator = service->keys.public_key};
    struct err err = ERR_INIT;
    struct link *link;

    BASE_OK(seal_keys_make(&keys, &err), &err);
    BASE_OK(link_open(&options, &link, &err), &err);
    wire_sample(MESSAGE_ENROL, fixture->request);
    memcpy(fixture->request->u.enrol.public_key, keys.public_key, SEAL_KEY_SIZE);
    assert_int_equal(wire_service_call(service, link, fixture->request, fixture->answer),
                     MESSAGE_ENROLLED);
    link_close(link);
    options.agent = fixture->answer->u.enrolled.agent;
    BASE_OK(link_open(&options, &link, &err), &err);
    assert_int_equal(call(fixture, link, MESSAGE_HELLO), MESSAGE_WELCOME);
    link_close(link);
}

/* The largest result there is goes through, and comes whole. */
static void the_largest_message_goes_through(void **state)
{
    struct fixture *fixture = *state;
    size_t agent = wire_service_agent(&fixture->service);
    struct link *link = wire_service_link(&fixture->service, agent, SEAL_WORK);
    struct message_result *result = &fixture->request->u.result;
    struct err err = ERR_INIT;
    uint32_t artifacts = MESSAGE_ARTIFACTS_MAX;
    static char name[MESSAGE_ARTIFACT_NAME];

    memset(name, 'n', sizeof name);
    wire_sample(MESSAGE_RESULT, fixture->request);
    for (uint32_t i = 0; i < MESSAGE_RESULTS_MAX; i++) {
        result->results[i] = result->results[0];
        result->results[i].lease = i + 1;
        for (uint32_t j = 0; j < artifacts; j++)
            result->results[i].artifacts[j] = (struct message_artifact){
                {(const uint8_t *)name, sizeof name}, 1, wire_hash((uint8_t)(j + 1))};
        result->results[i].artifact_count = artifacts;
    }
    result->result_count = MESSAGE_RESULTS_MAX;
    BASE_FAILS(link_send(link, fixture->request, 1000, &err), &err, ERR_TOO_BIG,
               "message result (at most 65280 bytes)");
    for (err = (struct err)ERR_INIT; !link_send(link, fixture->request, 60000, &err);
         err = (struct err)ERR_INIT) {
        assert_int_equal(err.kind, ERR_TOO_BIG);
        result->result_count--;
    }
    while (link_turn(link, fixture->answer, &err) == LINK_WAITING)
        wire_service_wait(&fixture->service, &link, 1);
    assert_int_equal(fixture->answer->kind, MESSAGE_ACK);
    assert_true(result->result_count >= 8);
    assert_int_equal(fixture->answer->u.ack.result_count, result->result_count);
    assert_int_equal(fixture->service.recorded, result->result_count);
    link_close(link);
}

static uint64_t still_ns;

static uint64_t stand_still(void *context)
{
    (void)context;
    return still_ns;
}

/* By a clock that stands still nothing is sent again by itself: what comes is the answer. */
static void a_claim_is_held_until_there_is_work(void **state)
{
    static const struct clock_source clock = {stand_still, stand_still, NULL};
    struct fixture *fixture = *state;
    struct wire_service *service = &fixture->service;
    size_t agent = wire_service_agent(service);
    struct link_options options = {.url = service->url,
                                   .keys = &service->agent_keys[agent],
                                   .coordinator = service->keys.public_key,
                                   .agent = service->ids[agent],
                                   .channel = SEAL_WORK,
                                   .clock = &clock,
                                   .resend_ms = 200};
    struct peers_figures figures = {0};
    struct err err = ERR_INIT;
    struct link *link;

    service->hold_claims = true;
    BASE_OK(link_open(&options, &link, &err), &err);
    wire_sample(MESSAGE_CLAIM, fixture->request);
    BASE_OK(link_send(link, fixture->request, 60000, &err), &err);
    BASE_FAILS(link_send(link, fixture->request, 60000, &err), &err, ERR_CONFLICT, "under way");
    err = (struct err)ERR_INIT;
    while (figures.repeated < 2) { /* one that gets a sign, one to be answered */
        if (service->held_count != 0 && still_ns == 0)
            still_ns = 300000000;
        assert_int_equal(link_turn(link, fixture->answer, &err), LINK_WAITING);
        wire_service_wait(service, &link, 1);
        peers_figures(service->peers, &figures);
    }
    assert_int_equal(service->held_count, 1);
    wire_service_release(service);
    while (link_turn(link, fixture->answer, &err) == LINK_WAITING)
        wire_service_wait(service, &link, 1);
    assert_int_equal(fixture->answer->kind, MESSAGE_GRANT);
    assert_int_equal(service->granted, 1);
    peers_figures(service->peers, &figures);
    assert_int_equal(figures.repeated, 2);
    link_close(link);
}

#define REPORTERS 8
#define RESULTS   100

/* Agents that each report RESULTS results, one a message. */
struct reporters {
    struct link *links[REPORTERS];
    uint64_t sent[REPORTERS];
    uint64_t done;
};

static void reporters_open(struct reporters *reporters, struct wire_service *service)
{
    *reporters = (struct reporters){.done = 0};
    for (size_t i = 0; i < REPORTERS; i++)
        reporters->links[i] = wire_service_link(service, wire_service_agent(service), SEAL_WORK);
}

static void reporters_close(struct reporters *reporters)
{
    for (size_t i = 0; i < REPORTERS; i++)
        link_close(reporters->links[i]);
}

/* Takes each agent's answer, which must be to what it has sent, and sends its next result. */
static void reporters_turn(struct reporters *reporters, struct fixture *fixture)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; i < REPORTERS; i++) {
        enum link_state link_state = link_turn(reporters->links[i], fixture->answer, &err);

        assert_int_not_equal(link_state, LINK_FAILED);
        if (link_state == LINK_ANSWERED) {
            assert_int_equal(fixture->answer->u.ack.results[0].lease,
                             i * RESULTS + reporters->sent[i]);
            reporters->done++;
        }
        if (link_state == LINK_WAITING || reporters->sent[i] == RESULTS)
            continue;
        wire_sample(MESSAGE_RESULT, fixture->request);
        fixture->request->u.result.result_count = 1;
        fixture->request->u.result.results[0].lease = i * RESULTS + ++reporters->sent[i];
        BASE_OK(link_send(reporters->links[i], fixture->request, 200000, &err), &err);
    }
}

/* Each result is recorded once, and its agent has heard so, though the gateway is killed again and
 * again. */
static void nothing_is_lost_when_the_gateway_is_killed(void **state)
{
    struct fixture *fixture = *state;
    struct wire_service *service = &fixture->service;
    struct reporters reporters;
    struct gateway_figures figures;
    uint64_t kills = 0;

    reporters_open(&reporters, service);
    while (reporters.done < REPORTERS * RESULTS) {
        reporters_turn(&reporters, fixture);
        if (reporters.done > (kills + 1) * 100 && gateway_pid(service->gateway) > 0) {
            kill(gateway_pid(service->gateway), SIGKILL);
            kills++;
        }
        wire_service_wait(service, reporters.links, REPORTERS);
    }
    gateway_figures(service->gateway, &figures);
    assert_true(kills >= 5);
    assert_true(figures.restarts >= kills);
    assert_int_equal(service->recorded, REPORTERS * RESULTS);
    assert_int_equal(service->handled, REPORTERS * RESULTS); /* each of them once */
    reporters_close(&reporters);
}

/* The same when connections are cut at any byte, after one to a few requests. */
static void nothing_is_lost_when_connections_are_cut(void **state)
{
    struct fixture *fixture = *state;
    struct wire_service *service = &fixture->service;
    unsigned port = (unsigned)strtoul(strrchr(service->url, ':') + 1, NULL, 10);
    struct gateway_figures figures;
    struct reporters reporters;
    struct wire_proxy proxy;

    wire_proxy_open(&proxy, port, 4711, 30000);
    (void)snprintf(service->url, sizeof service->url, "tcp://127.0.0.1:%u", proxy.port);
    reporters_open(&reporters, service);
    while (reporters.done < REPORTERS * RESULTS) {
        reporters_turn(&reporters, fixture);
        wire_service_wait(service, reporters.links, REPORTERS);
    }
    gateway_figures(service->gateway, &figures);
    assert_true(figures.accepted > 3 * REPORTERS);
    assert_int_equal(service->recorded, REPORTERS * RESULTS);
    assert_int_equal(service->handled, REPORTERS * RESULTS); /* each of them once */
    reporters_close(&reporters);
    wire_proxy_close(&proxy);
}

static void nothing_is_lost_when_the_coordinator_starts_anew(void **state)
{
    struct fixture *fixture = *state;
    struct wire_service *service = &fixture->service;
    struct link *link = wire_service_link(service, wire_service_agent(service), SEAL_WORK);
    struct err err = ERR_INIT;

    service->hold_claims = true;
    for (int round = 0; round < 5; round++) {
        wire_sample(MESSAGE_CLAIM, fixture->request);
        BASE_OK(link_send(link, fixture->request, 60000, &err), &err);
        while (service->held_count == 0) {
            assert_int_equal(link_turn(link, fixture->answer, &err), LINK_WAITING);
            wire_service_wait(service, &link, 1);
        }
        wire_service_restart(service); /* with the claim in its hands */
        while (service->held_count == 0) {
            assert_int_equal(link_turn(link, fixture->answer, &err), LINK_WAITING);
            wire_service_wait(service, &link, 1);
        }
        wire_service_release(service);
        while (link_turn(link, fixture->answer, &err) == LINK_WAITING)
            wire_service_wait(service, &link, 1);
        assert_int_equal(fixture->answer->kind, MESSAGE_GRANT);
    }
    assert_int_equal(service->granted, 5);
    link_close(link);
}

/* Stopped, not dead: the connection stays, nothing comes. It goes on when the gateway goes on. */
static void a_gateway_that_hangs_for_a_while_loses_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct wire_service *service = &fixture->service;
    struct link *link = wire_service_link(service, wire_service_agent(service), SEAL_WORK);
    pid_t pid = gateway_pid(service->gateway);
    struct err err = ERR_INIT;
    int turns = 0;

    assert_int_equal(call(fixture, link, MESSAGE_HELLO), MESSAGE_WELCOME);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    wire_sample(MESSAGE_CLAIM, fixture->request);
    BASE_OK(link_send(link, fixture->request, 60000, &err), &err);
    while (link_turn(link, fixture->answer, &err) == LINK_WAITING) {
        wire_service_wait(service, &link, 1);
        if (++turns == 100) /* long enough for a new connection */
            kill(pid, SIGCONT);
    }
    assert_true(turns >= 100);
    assert_int_equal(fixture->answer->kind, MESSAGE_GRANT);
    assert_int_equal(service->granted, 1);
    link_close(link);
}

static void a_hundred_agents_are_served(void **state)
{
    enum { AGENTS = 100, ROUNDS = 20 };
    struct fixture *fixture = *state;
    struct wire_service *service = &fixture->service;
    struct link *links[AGENTS];
    int rounds[AGENTS] = {0};
    size_t done = 0;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < AGENTS; i++)
        links[i] = wire_service_link(service, wire_service_agent(service), SEAL_BEAT);
    while (done < AGENTS) {
        for (size_t i = 0; i < AGENTS; i++) {
            enum link_state link_state = link_turn(links[i], fixture->answer, &err);

            assert_int_not_equal(link_state, LINK_FAILED);
            if (link_state == LINK_ANSWERED)
                done += ++rounds[i] == ROUNDS;
            if (link_state == LINK_WAITING || rounds[i] == ROUNDS)
                continue;
            wire_sample(MESSAGE_BEAT, fixture->request);
            BASE_OK(link_send(links[i], fixture->request, 100000, &err), &err);
        }
        wire_service_wait(service, links, AGENTS);
    }
    assert_int_equal(service->handled, AGENTS * ROUNDS);
    for (size_t i = 0; i < AGENTS; i++)
        link_close(links[i]);
}

/* Time that only the test moves. */
static uint64_t fake_now(void *context)
{
    return *(uint64_t *)context;
}

static void a_request_without_an_answer_ends_at_its_deadline(void **state)
{
    struct fixture *fixture = *state;
    uint64_t now = UINT64_C(1000000000000);
    const struct clock_source clock = {fake_now, fake_now, &now};
    struct link_options options = {.url = "tcp://127.0.0.1:1", /* nobody is there */
                                   .keys = &fixture->service.keys,
                                   .coordinator = fixture->service.keys.public_key,
                                   .agent = wire_id(1),
                                   .clock = &clock};
    struct err err = ERR_INIT;
    struct link *link;

    BASE_OK(link_open(&options, &link, &err), &err);
    assert_true(link_deadline_ns(link) == UINT64_MAX);
    assert_int_equal(link_turn(link, fixture->answer, &err), LINK_IDLE);
    wire_sample(MESSAGE_CLAIM, fixture->request);
    BASE_OK(link_send(link, fixture->request, 30000, &err), &err);
    assert_true(link_deadline_ns(link) == now + UINT64_C(1000000000));
    for (int i = 0; i < 29; i++) {
        now += UINT64_C(1000000000);
        assert_int_equal(link_turn(link, fixture->answer, &err), LINK_WAITING);
        assert_true(link_deadline_ns(link) > now);
    }
    now += UINT64_C(1000000000);
    assert_int_equal(link_turn(link, fixture->answer, &err), LINK_FAILED);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    assert_int_equal(link_turn(link, fixture->answer, &err), LINK_IDLE);
    link_close(link);
}

/* A hundred seconds of the test's own clock with somebody at the other end who is no coordinator.
 */
static void assert_no_answer(struct fixture *fixture, const char *url, int listener)
{
    uint64_t now = UINT64_C(1000000000000), random = 5;
    const struct clock_source clock = {fake_now, fake_now, &now};
    struct link_options options = {.url = url,
                                   .keys = &fixture->service.keys,
                                   .coordinator = fixture->service.keys.public_key,
                                   .agent = wire_id(1),
                                   .clock = &clock};
    enum link_state link_state = LINK_WAITING;
    struct err err = ERR_INIT;
    struct link *link;

    BASE_OK(link_open(&options, &link, &err), &err);
    wire_sample(MESSAGE_CLAIM, fixture->request);
    BASE_OK(link_send(link, fixture->request, 100000, &err), &err);
    while ((link_state = link_turn(link, fixture->answer, &err)) == LINK_WAITING) {
        struct pollfd waits[2] = {{link_fd(link), POLLIN, 0}, {listener, POLLIN, 0}};
        uint64_t bytes[8];
        int peer;

        now += UINT64_C(1000000000);
        poll(waits, 2, 20);
        if (listener < 0 || (waits[1].revents & POLLIN) == 0)
            continue;
        peer = accept(listener, NULL, NULL);
        for (size_t i = 0; i < 8; i++)
            bytes[i] = base_random(&random);
        if (random % 2 == 0) /* greets as a coordinator's socket does, then a size that fits */
            memcpy(bytes, "\0SP\0\0\x31\0\0\0\0\0\0\0\0\0\x08", 16);
        (void)send(peer, bytes, sizeof bytes, MSG_NOSIGNAL);
        close(peer);
    }
    assert_int_equal(link_state, LINK_FAILED);
    assert_int_equal(err.kind, ERR_TIMEOUT);
    link_close(link);
}

static void somebody_else_at_the_coordinators_address_is_harmless(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    char url[64];

    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(listener, 16) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    (void)snprintf(url, sizeof url, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
    assert_no_answer(*state, url, listener);
    close(listener);
}

static void a_name_that_nobody_knows_is_tried_until_the_deadline(void **state)
{
    assert_no_answer(*state, "tcp://no-such-host.invalid:4711", -1);
}

static void addresses_that_make_no_sense_are_refused(void **state)
{
    static char long_url[300];
    struct fixture *fixture = *state;
    struct link_options options = {.url = "carrier://pigeon",
                                   .keys = &fixture->service.keys,
                                   .coordinator = fixture->service.keys.public_key,
                                   .agent = wire_id(1)};
    struct err err = ERR_INIT;
    struct link *link;

    BASE_FAILS(link_open(&options, &link, &err), &err, ERR_IO, "carrier://pigeon");
    options.url = "";
    err = (struct err)ERR_INIT;
    BASE_FAILS(link_open(&options, &link, &err), &err, ERR_IO, "not an address");
    memset(long_url, 'u', sizeof long_url - 1);
    options.url = long_url;
    err = (struct err)ERR_INIT;
    BASE_FAILS(link_open(&options, &link, &err), &err, ERR_INVALID, "at most 127 bytes");
}

static void use_in_child(void *context)
{
    struct err err = ERR_INIT;
    static struct message answer;

    link_turn(context, &answer, &err);
}

/* nanomsg's threads are not in the child: it would wait for ever. */
static void a_link_refuses_to_be_used_after_a_fork(void **state)
{
    struct fixture *fixture = *state;
    struct link *link =
        wire_service_link(&fixture->service, wire_service_agent(&fixture->service), SEAL_WORK);

    assert_int_equal(call(fixture, link, MESSAGE_HELLO), MESSAGE_WELCOME);
    base_assert_aborts(use_in_child, link, "owner == getpid()");
    assert_int_equal(call(fixture, link, MESSAGE_CLAIM), MESSAGE_GRANT);
    link_close(link);
}

/* The benchmark's own parts work; how fast they are is the benchmark's business. */
static void agents_in_processes_of_their_own_are_served(void **state)
{
    const struct wire_bench bench = {WIRE_TCP, 8, 2, 400};
    struct wire_bench_result result;

    (void)state;
    assert_true(wire_bench_run(&bench, &result));
    assert_int_equal(result.requests, 400);
}

/* nanomsg now and then loses the memory of a message whose connection breaks under it: a few
 * hundred bytes for each broken connection, which an agent can bear and a leak checker need not
 * report. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:nn_chunk_alloc";
}

#define IPC_TEST(name)  cmocka_unit_test_setup_teardown(name, open_ipc, close_all)
#define TCP6_TEST(name) cmocka_unit_test_setup_teardown(name, open_tcp6, close_all)
#define TCP_TEST(name)  cmocka_unit_test_setup_teardown(name, open_tcp, close_all)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agents_in_processes_of_their_own_are_served), /* forks: before nanomsg */
        IPC_TEST(every_request_is_answered_on_both_channels),
        TCP_TEST(every_request_is_answered_on_both_channels),
        TCP6_TEST(every_request_is_answered_on_both_channels),
        IPC_TEST(one_enrols_and_talks_with_its_new_name),
        TCP_TEST(the_largest_message_goes_through),
        IPC_TEST(a_claim_is_held_until_there_is_work),
        IPC_TEST(nothing_is_lost_when_the_gateway_is_killed),
        TCP_TEST(nothing_is_lost_when_the_gateway_is_killed),
        TCP_TEST(nothing_is_lost_when_connections_are_cut),
        IPC_TEST(nothing_is_lost_when_the_coordinator_starts_anew),
        TCP_TEST(nothing_is_lost_when_the_coordinator_starts_anew),
        TCP_TEST(a_gateway_that_hangs_for_a_while_loses_nothing),
        TCP_TEST(a_hundred_agents_are_served),
        IPC_TEST(a_request_without_an_answer_ends_at_its_deadline),
        IPC_TEST(somebody_else_at_the_coordinators_address_is_harmless),
        IPC_TEST(a_name_that_nobody_knows_is_tried_until_the_deadline),
        IPC_TEST(addresses_that_make_no_sense_are_refused),
        IPC_TEST(a_link_refuses_to_be_used_after_a_fork),
    };

    if (argc > 1 && strcmp(argv[1], GATEWAY_COMMAND) == 0)
        return gateway_command(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
