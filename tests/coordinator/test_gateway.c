/* The gateway as a process, with peers that behave: what nanomsg does, and what happens when a side
 * dies. */
#include "storage/base/check.h"
#include "tests/support/base_test.h"
#include "tests/support/wire_gateway.h"

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS UINT64_C(1000000)

static void both_transports_carry_requests_and_answers(void **state)
{
    struct wire_gateway *fixture = *state;

    wire_gateway_start(fixture);
    for (int i = 0; i < 20; i++)
        wire_gateway_serves(fixture, fixture->options.urls[i % 2]);
    assert_int_equal(fixture->requests, 20);
}

/* The size counts the request's own head of 4 bytes. */
static void a_message_of_nearly_64_kib_arrives(void **state)
{
    static uint8_t bytes[LARGEST - 4];
    struct wire_gateway *fixture = *state;
    int client;

    wire_gateway_start(fixture);
    client = wire_client_open(fixture->url, 60000);
    memset(bytes, 0x5a, sizeof bytes);
    assert_int_equal(nn_send(client, bytes, sizeof bytes, 0), sizeof bytes);
    assert_int_equal(wire_client_answer(fixture, client), sizeof bytes);
    assert_true(span_equal(buf_span(&fixture->last), (struct span){bytes, sizeof bytes}));
    nn_close(client);
}

/* The trap: a request is sent again by itself. Whoever answers must know it again. */
static void a_request_is_sent_again_by_nanomsg_itself(void **state)
{
    struct wire_gateway *fixture = *state;
    int client;

    wire_gateway_start(fixture);
    fixture->echo = false;
    client = wire_client_open(fixture->url, 20);
    assert_int_equal(nn_send(client, "again", 5, 0), 5);
    while (fixture->requests < 3) {
        wire_gateway_turn(fixture);
        assert_true(fixture->requests == 0 ||
                    span_equal(buf_span(&fixture->last), span_of_text("again")));
    }
    nn_close(client);
}

static void an_address_in_use_is_an_error_with_its_name(void **state)
{
    struct wire_gateway *fixture = *state;
    struct gateway *second;
    struct err err = ERR_INIT;

    wire_gateway_start(fixture);
    BASE_FAILS(gateway_open(&fixture->options, &clock_host, &second, &err), &err, ERR_IO,
               fixture->url);
    assert_non_null(strstr(err.text, "in use"));
    wire_gateway_serves(fixture, fixture->url);
}

static void options_that_make_no_sense_are_refused(void **state)
{
    struct wire_gateway *fixture = *state;
    struct gateway_options options = fixture->options;
    struct gateway *gateway;
    struct err err = ERR_INIT;

    options.url_count = 0;
    BASE_FAILS(gateway_open(&options, &clock_host, &gateway, &err), &err, ERR_INVALID, "addresses");
    options = fixture->options;
    options.limits.frame_bytes = 1000;
    BASE_FAILS(gateway_open(&options, &clock_host, &gateway, &err), &err, ERR_INVALID, "frames");
    options = fixture->options;
    options.limits.connections = GATEWAY_CONNECTIONS_MAX + 1;
    BASE_FAILS(gateway_open(&options, &clock_host, &gateway, &err), &err, ERR_INVALID, "65536");
    options = fixture->options;
    options.urls[0] = "tcp://nowhere";
    BASE_FAILS(gateway_open(&options, &clock_host, &gateway, &err), &err, ERR_IO, "tcp://nowhere");
}

static void serve_with_few_files(void *context)
{
    const struct rlimit few = {200, 200};
    struct wire_gateway *fixture = context;

    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    wire_gateway_start(fixture);
    wire_gateway_serves(fixture, fixture->url);
    gateway_close(fixture->gateway);
}

/* A host that allows few open files still has its farm. */
static void more_connections_than_the_host_allows_are_fewer(void **state)
{
    char errors[4096];

    assert_int_equal(base_child(serve_with_few_files, *state, errors, sizeof errors), 0);
    assert_non_null(strstr(errors, "at most 90 connections instead of 8192"));
}

static void addresses_of_both_families_are_served(void **state)
{
    struct wire_gateway *fixture = *state;
    char any[64];

    (void)snprintf(any, sizeof any, "tcp://*:%u", fixture->port);
    fixture->options.urls[0] = any;
    wire_gateway_start(fixture);
    wire_gateway_serves(fixture, fixture->url);
}

static uint64_t fake_now(void *context)
{
    return *(uint64_t *)context;
}

static void a_gateway_that_is_silent_is_replaced(void **state)
{
    struct wire_gateway *fixture = *state;
    const struct clock_source clock = {fake_now, fake_now, &fixture->now_ns};
    uint64_t generation;
    struct err err = ERR_INIT;
    pid_t pid;

    BASE_OK(gateway_open(&fixture->options, &clock, &fixture->gateway, &err), &err);
    pid = gateway_pid(fixture->gateway);
    generation = gateway_generation(fixture->gateway);
    wire_gateway_serves(fixture, fixture->url);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    while (gateway_pid(fixture->gateway) == pid) {
        fixture->now_ns += 1000 * MS;
        wire_gateway_turn(fixture);
    }
    assert_in_range(fixture->now_ns, 20000 * MS, 60000 * MS);
    while (gateway_pid(fixture->gateway) < 0) {
        assert_true(gateway_deadline_ns(fixture->gateway) > fixture->now_ns);
        fixture->now_ns = gateway_deadline_ns(fixture->gateway);
        gateway_turn(fixture->gateway);
    }
    assert_int_equal(gateway_generation(fixture->gateway), generation + 1);
    wire_gateway_serves(fixture, fixture->url);
}

/* Answers to routes of a gateway that is gone reach nobody, least of all somebody else. */
static void an_answer_for_an_earlier_gateway_is_harmless(void **state)
{
    struct wire_gateway *fixture = *state;
    uint8_t route[GATEWAY_ROUTE_MAX];
    pid_t pid;

    wire_gateway_start(fixture);
    pid = gateway_pid(fixture->gateway);
    wire_gateway_serves(fixture, fixture->url);
    memcpy(route, fixture->route, sizeof route);
    assert_int_equal(kill(pid, SIGKILL), 0);
    while (gateway_pid(fixture->gateway) == pid || gateway_pid(fixture->gateway) < 0)
        wire_gateway_turn(fixture);
    gateway_send(fixture->gateway, (struct span){route, fixture->route_size}, span_of_text("late"));
    gateway_send(fixture->gateway, (struct span){NULL, 0}, span_of_text("nowhere"));
    gateway_send(fixture->gateway, (struct span){route, 3}, span_of_text("half a route"));
    wire_gateway_serves(fixture, fixture->url);
}

static bool is_gone(pid_t pid)
{
    char path[64], name[64], status = 0;
    FILE *file;
    int number;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "r");
    if (file == NULL)
        return true;
    if (fscanf(file, "%d %60s %c", &number, name, &status) != 3)
        status = 'Z';
    (void)fclose(file);
    return status == 'Z' || status == 'X'; /* nobody may be there to reap it */
}

static void the_gateway_ends_when_its_coordinator_is_killed(void **state)
{
    struct wire_gateway *fixture = *state;
    int ends[2], turns = 0;
    pid_t coordinator, pid = 0;

    CHECK(pipe(ends) == 0);
    coordinator = fork();
    if (coordinator == 0) {
        wire_gateway_start(fixture);
        pid = gateway_pid(fixture->gateway);
        CHECK(write(ends[1], &pid, sizeof pid) == sizeof pid);
        for (;;)
            pause();
    }
    assert_int_equal(read(ends[0], &pid, sizeof pid), sizeof pid);
    assert_false(is_gone(pid));
    kill(coordinator, SIGKILL);
    waitpid(coordinator, NULL, 0);
    while (!is_gone(pid) && turns++ < TURNS_MAX)
        poll(NULL, 0, 10);
    assert_true(is_gone(pid));
    close(ends[0]);
    close(ends[1]);
}

static void its_command_is_not_for_hands(void **state)
{
    char name[] = "x", command[] = GATEWAY_COMMAND, word[] = "word", one[] = "1";
    char *bad[] = {name, command, word, one, one, one, one, one, word, NULL};
    char *none[] = {name, command, NULL};

    (void)state;
    assert_int_equal(gateway_command(2, none), 2);
    assert_int_equal(gateway_command(9, bad), 2);
}

#define GATEWAY_TEST(name)                                                                         \
    cmocka_unit_test_setup_teardown(name, wire_gateway_make, wire_gateway_free)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        GATEWAY_TEST(the_gateway_ends_when_its_coordinator_is_killed), /* forks: before nanomsg */
        GATEWAY_TEST(more_connections_than_the_host_allows_are_fewer),
        GATEWAY_TEST(both_transports_carry_requests_and_answers),
        GATEWAY_TEST(a_message_of_nearly_64_kib_arrives),
        GATEWAY_TEST(a_request_is_sent_again_by_nanomsg_itself),
        GATEWAY_TEST(an_address_in_use_is_an_error_with_its_name),
        GATEWAY_TEST(options_that_make_no_sense_are_refused),
        GATEWAY_TEST(addresses_of_both_families_are_served),
        GATEWAY_TEST(a_gateway_that_is_silent_is_replaced),
        GATEWAY_TEST(an_answer_for_an_earlier_gateway_is_harmless),
        cmocka_unit_test(its_command_is_not_for_hands),
    };

    if (argc > 1 && strcmp(argv[1], GATEWAY_COMMAND) == 0)
        return gateway_command(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
