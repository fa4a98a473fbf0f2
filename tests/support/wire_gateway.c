#include "tests/support/wire_gateway.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "storage/base/file.h"
#include "tests/support/base_test.h"

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

int wire_gateway_make(void **state)
{
    struct wire_gateway *fixture = mem_alloc(sizeof *fixture);

    fixture->folder = base_folder_make();
    fixture->port = free_port();
    (void)snprintf(fixture->path, sizeof fixture->path, "%s/socket", fixture->folder);
    (void)snprintf(fixture->url, sizeof fixture->url, "tcp://127.0.0.1:%u", fixture->port);
    fixture->options.urls[0] = fixture->url;
    (void)snprintf(fixture->ipc_url, sizeof fixture->ipc_url, "ipc://%s", fixture->path);
    fixture->options.urls[1] = fixture->ipc_url;
    fixture->options.url_count = 2;
    fixture->options.limits = gateway_limits_default;
    fixture->last = (struct buf)BUF_INIT(LARGEST);
    fixture->echo = true;
    *state = fixture;
    return 0;
}

int wire_gateway_free(void **state)
{
    struct wire_gateway *fixture = *state;

    gateway_close(fixture->gateway);
    buf_release(&fixture->last);
    base_folder_remove(fixture->folder);
    mem_free(fixture);
    return 0;
}

void wire_gateway_start(struct wire_gateway *fixture)
{
    struct err err = ERR_INIT;

    BASE_OK(gateway_open(&fixture->options, &clock_host, &fixture->gateway, &err), &err);
}

void wire_gateway_turn(struct wire_gateway *fixture)
{
    struct pollfd wait = {gateway_fd(fixture->gateway), gateway_events(fixture->gateway), 0};
    struct span route, bytes;
    struct err err = ERR_INIT;

    if (++fixture->turns > TURNS_MAX)
        fail_msg("it has taken far too long");
    poll(&wait, 1, 20);
    gateway_turn(fixture->gateway);
    while (gateway_next(fixture->gateway, &route, &bytes)) {
        fixture->requests++;
        buf_clear(&fixture->last);
        BASE_OK(buf_append(&fixture->last, bytes.data, bytes.size, &err), &err);
        memcpy(fixture->route, route.data, route.size);
        fixture->route_size = route.size;
        if (fixture->echo)
            gateway_send(fixture->gateway, route, bytes);
    }
    gateway_turn(fixture->gateway);
}

int wire_client_open(const char *url, int resend_ms)
{
    int client = nn_socket(AF_SP, NN_REQ), most = -1, fast = 20;

    CHECK(client >= 0);
    CHECK(nn_setsockopt(client, NN_REQ, NN_REQ_RESEND_IVL, &resend_ms, sizeof resend_ms) == 0);
    CHECK(nn_setsockopt(client, NN_SOL_SOCKET, NN_RCVMAXSIZE, &most, sizeof most) == 0);
    CHECK(nn_setsockopt(client, NN_SOL_SOCKET, NN_RECONNECT_IVL, &fast, sizeof fast) == 0);
    CHECK(nn_connect(client, url) >= 0);
    return client;
}

int wire_client_answer(struct wire_gateway *fixture, int client)
{
    static uint8_t bytes[LARGEST + 1];
    int size;

    while ((size = nn_recv(client, bytes, sizeof bytes, NN_DONTWAIT)) < 0)
        wire_gateway_turn(fixture);
    return size;
}

void wire_gateway_serves(struct wire_gateway *fixture, const char *url)
{
    int client = wire_client_open(url, 60000);
    bool echo = fixture->echo;

    fixture->echo = true;
    assert_int_equal(nn_send(client, "ping", 4, 0), 4);
    assert_int_equal(wire_client_answer(fixture, client), 4);
    fixture->echo = echo;
    nn_close(client);
}

int wire_raw_open(const struct wire_gateway *fixture, bool unix_socket)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)fixture->port),
                             .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int fd = socket(unix_socket ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    memcpy(un.sun_path, fixture->path, strlen(fixture->path) + 1);
    if (unix_socket)
        CHECK(connect(fd, (struct sockaddr *)&un, sizeof un) == 0);
    else
        CHECK(connect(fd, (struct sockaddr *)&in, sizeof in) == 0);
    return fd;
}

const uint8_t wire_greeting[8] = {0, 'S', 'P', 0, 0, NN_REQ, 0, 0};

void wire_raw_announce(int fd, bool unix_socket, uint64_t size)
{
    uint8_t head[9] = {1};

    store_be64(head + 1, size);
    (void)send(fd, wire_greeting, sizeof wire_greeting, MSG_NOSIGNAL);
    (void)send(fd, head + !unix_socket, sizeof head - !unix_socket, MSG_NOSIGNAL);
}
