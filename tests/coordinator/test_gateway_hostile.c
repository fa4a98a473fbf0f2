/* The gateway as a process, with peers that misbehave and attack. */
#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "tests/support/base_test.h"
#include "tests/support/wire_gateway.h"

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes in use by a gateway that holds little; a sanitizer keeps what was freed for a while. */
#ifdef __SANITIZE_ADDRESS__
#define RESIDENT_MAX (512u << 20)
#else
#define RESIDENT_MAX (64u << 20)
#endif

/* The trap: the sender sees success, the message is gone. So every sender checks before. */
static void a_message_over_64_kib_vanishes_without_a_word(void **state)
{
    static uint8_t bytes[LARGEST + 1];
    struct wire_gateway *fixture = *state;
    int client;
    pid_t pid;

    wire_gateway_start(fixture);
    pid = gateway_pid(fixture->gateway);
    client = wire_client_open(fixture->url, 100);
    assert_int_equal(nn_send(client, bytes, sizeof bytes, 0), sizeof bytes);
    for (int i = 0; i < 10; i++)
        wire_gateway_serves(fixture, fixture->url);
    assert_int_equal(fixture->requests, 10);
    assert_int_equal(gateway_pid(fixture->gateway), pid);
    nn_close(client);
}

/* The trap: with no limit of size, one such head ends the process. */
static void an_enormous_announced_size_ends_only_its_connection(void **state)
{
    static const uint64_t sizes[] = {UINT64_MAX, UINT64_C(1) << 62, UINT64_C(1) << 40,
                                     UINT64_C(1) << 32, LARGEST + 1};
    struct wire_gateway *fixture = *state;
    pid_t pid;

    wire_gateway_start(fixture);
    pid = gateway_pid(fixture->gateway);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int transport = 0; transport < 2; transport++) {
            int fd = wire_raw_open(fixture, transport == 1);

            wire_raw_announce(fd, transport == 1, sizes[i]);
            wire_gateway_serves(fixture, fixture->options.urls[transport]);
            close(fd);
        }
    }
    assert_int_equal(gateway_pid(fixture->gateway), pid);
}

/* Hundreds that are not agents each announce the largest message and send nothing of it. */
static void many_that_announce_much_do_not_use_up_its_memory(void **state)
{
    enum { COUNT = 800 };
    static int fds[COUNT];
    struct wire_gateway *fixture = *state;
    pid_t pid;

    fixture->options.limits.memory_bytes = UINT64_C(768) << 20;
    wire_gateway_start(fixture);
    pid = gateway_pid(fixture->gateway);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = wire_raw_open(fixture, i % 2 == 1);
        wire_raw_announce(fds[i], i % 2 == 1, LARGEST);
    }
    wire_gateway_serves(fixture, fixture->url);
    assert_int_equal(gateway_pid(fixture->gateway), pid);
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
}

static void send_garbage(struct wire_gateway *fixture, bool unix_socket, int round,
                         uint64_t *random)
{
    int fd = wire_raw_open(fixture, unix_socket);
    uint8_t bytes[4096];
    size_t size = base_random(random) % sizeof bytes;

    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)base_random(random);
    if (round % 2 != 0)
        (void)send(fd, wire_greeting, sizeof wire_greeting, MSG_NOSIGNAL);
    if (round % 4 == 3) /* a small size, then whatever: a message without a proper head */
        store_be64(bytes, base_random(random) % 64);
    (void)send(fd, bytes, size, MSG_NOSIGNAL);
    close(fd);
}

static void garbage_before_and_after_the_greeting_is_harmless(void **state)
{
    struct wire_gateway *fixture = *state;
    uint64_t random = 11;
    pid_t pid;

    wire_gateway_start(fixture);
    pid = gateway_pid(fixture->gateway);
    for (int round = 0; round < 400; round++) {
        send_garbage(fixture, false, round, &random);
        if (round % 16 == 0)
            wire_gateway_serves(fixture, fixture->url);
    }
    wire_gateway_serves(fixture, fixture->url);
    assert_int_equal(gateway_pid(fixture->gateway), pid);
}

/* The trap: nanomsg ends its process for one wrong byte of a message over ipc. Only this host's
 * programs, of the same user or group, can do that; the gateway is started again. */
static void garbage_over_ipc_costs_the_gateway_and_nothing_else(void **state)
{
    struct wire_gateway *fixture = *state;
    struct gateway_figures figures = {0};
    struct stat status;
    uint64_t random = 11;
    int fd;

    wire_gateway_start(fixture);
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 0007, 0);
    fd = wire_raw_open(fixture, true);
    (void)send(fd, wire_greeting, sizeof wire_greeting, MSG_NOSIGNAL);
    (void)send(fd, "\2 is not a kind of message", 20, MSG_NOSIGNAL);
    while (figures.restarts == 0 || gateway_pid(fixture->gateway) < 0) {
        wire_gateway_turn(fixture);
        gateway_figures(fixture->gateway, &figures);
    }
    close(fd);
    wire_gateway_serves(fixture, fixture->options.urls[1]);
    for (int round = 0; round < 20; round += 2) /* before the greeting */
        send_garbage(fixture, true, round, &random);
    wire_gateway_serves(fixture, fixture->options.urls[1]);
    gateway_figures(fixture->gateway, &figures);
    assert_int_equal(figures.restarts, 1);
}

static void a_peer_over_its_rate_loses_requests_and_nobody_else_does(void **state)
{
    struct wire_gateway *fixture = *state;
    struct gateway_figures figures = {0};
    int noisy, calm;

    fixture->options.limits.rate = 1;
    fixture->options.limits.burst = 20;
    wire_gateway_start(fixture);
    noisy = wire_client_open(fixture->url, 60000);
    calm = wire_client_open(fixture->url, 60000);
    assert_int_equal(nn_send(calm, "calm", 4, 0), 4);
    assert_int_equal(wire_client_answer(fixture, calm), 4);
    while (figures.dropped_rate < 50) { /* a new request takes the place of the one before */
        assert_int_equal(nn_send(noisy, "noise", 5, 0), 5);
        wire_gateway_turn(fixture);
        gateway_figures(fixture->gateway, &figures);
    }
    assert_int_equal(nn_send(calm, "calm", 4, 0), 4);
    assert_int_equal(wire_client_answer(fixture, calm), 4);
    assert_true(figures.requests < 20 + 50);
    nn_close(noisy);
    nn_close(calm);
}

/* Whoever talks stays, or gets in, whatever many others do that do not. */
static void connections_over_the_limit_cost_those_that_say_nothing(void **state)
{
    enum { LIMIT = 10, COUNT = 60 };
    struct wire_gateway *fixture = *state;
    struct gateway_figures figures = {0};
    int fds[COUNT], early, late;

    fixture->options.limits.connections = LIMIT;
    wire_gateway_start(fixture);
    early = wire_client_open(fixture->url, 500);
    assert_int_equal(nn_send(early, "early, and with something to say", 32, 0), 32);
    assert_int_equal(wire_client_answer(fixture, early), 32);
    assert_int_equal(nn_send(early, "early, and with something to say", 32, 0), 32);
    assert_int_equal(wire_client_answer(fixture, early), 32);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = wire_raw_open(fixture, false);
        (void)send(fds[i], wire_greeting, sizeof wire_greeting, MSG_NOSIGNAL);
    }
    while (figures.put_out < COUNT - LIMIT + 1 || figures.connections > LIMIT) {
        wire_gateway_turn(fixture);
        gateway_figures(fixture->gateway, &figures);
    }
    late = wire_client_open(fixture->url, 500);
    assert_int_equal(nn_send(late, "late", 4, 0), 4);
    assert_int_equal(wire_client_answer(fixture, late), 4);
    assert_int_equal(nn_send(early, "early", 5, 0), 5);
    assert_int_equal(wire_client_answer(fixture, early), 5);
    for (int i = 0; i < COUNT; i++)
        close(fds[i]);
    nn_close(early);
    nn_close(late);
}

/* Pages in use by the process, times their size. */
static size_t resident_bytes(pid_t pid)
{
    unsigned size, resident = 0;
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
    file = fopen(path, "r");
    CHECK(file != NULL && fscanf(file, "%u %u", &size, &resident) == 2);
    (void)fclose(file);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* The network is not read while the coordinator does not read: what waits is bounded. */
static void a_coordinator_that_does_not_read_does_not_fill_the_gateway(void **state)
{
    enum { CLIENTS = 8, ROUNDS = 200 };
    static uint8_t bytes[60000];
    struct wire_gateway *fixture = *state;
    int clients[CLIENTS];
    pid_t pid;

    fixture->options.limits.frame_bytes = 1u << 20;
    fixture->options.limits.rate = fixture->options.limits.burst = 100000;
    wire_gateway_start(fixture);
    pid = gateway_pid(fixture->gateway);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = wire_client_open(fixture->url, 60000);
    for (int round = 0; round < ROUNDS; round++) /* 96 MB offered */
        for (int i = 0; i < CLIENTS; i++)
            assert_int_equal(nn_send(clients[i], bytes, sizeof bytes, 0), sizeof bytes);
    assert_in_range(resident_bytes(gateway_pid(fixture->gateway)), 1, RESIDENT_MAX);
    for (int i = 0; i < CLIENTS; i++)
        assert_int_equal(wire_client_answer(fixture, clients[i]), sizeof bytes);
    assert_int_equal(gateway_pid(fixture->gateway), pid);
    for (int i = 0; i < CLIENTS; i++)
        nn_close(clients[i]);
}

/* It asks and asks and never takes an answer. */
static void a_peer_that_does_not_read_its_answers_hurts_nobody(void **state)
{
    struct wire_gateway *fixture = *state;
    uint8_t message[8 + 4 + 1000] = {0};
    int fd;

    fixture->options.limits.rate = fixture->options.limits.burst = 100000;
    wire_gateway_start(fixture);
    fd = wire_raw_open(fixture, false);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    (void)send(fd, wire_greeting, sizeof wire_greeting, MSG_NOSIGNAL);
    store_be64(message, sizeof message - 8);
    store_be32(message + 8, UINT32_C(0x80000001)); /* the request's number, as REQ makes it */
    while (fixture->requests < 20000) {
        for (int i = 0; i < 50; i++)
            if (send(fd, message, sizeof message, MSG_NOSIGNAL) < (ssize_t)sizeof message)
                break;
        wire_gateway_turn(fixture);
        if (fixture->turns > TURNS_MAX / 2)
            break; /* it is not read any more: as good */
    }
    assert_true(fixture->requests > 100);
    wire_gateway_serves(fixture, fixture->url);
    assert_in_range(resident_bytes(gateway_pid(fixture->gateway)), 1, RESIDENT_MAX);
    close(fd);
}

#define GATEWAY_TEST(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, wire_gateway_make, wire_gateway_free)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        GATEWAY_TEST(a_message_over_64_kib_vanishes_without_a_word),
        GATEWAY_TEST(an_enormous_announced_size_ends_only_its_connection),
        GATEWAY_TEST(many_that_announce_much_do_not_use_up_its_memory),
        GATEWAY_TEST(garbage_before_and_after_the_greeting_is_harmless),
        GATEWAY_TEST(garbage_over_ipc_costs_the_gateway_and_nothing_else),
        GATEWAY_TEST(a_peer_over_its_rate_loses_requests_and_nobody_else_does),
        GATEWAY_TEST(connections_over_the_limit_cost_those_that_say_nothing),
        GATEWAY_TEST(a_coordinator_that_does_not_read_does_not_fill_the_gateway),
        GATEWAY_TEST(a_peer_that_does_not_read_its_answers_hurts_nobody),
    };

    if (argc > 1 && strcmp(argv[1], GATEWAY_COMMAND) == 0)
        return gateway_command(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
