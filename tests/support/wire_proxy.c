#include "tests/support/wire_proxy.h"

#include "storage/base/check.h"
#include "tests/support/base_test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAIRS_MAX 64
#define PIECE_MAX 4096

struct pair {
    int fds[2]; /* the agent's, the gateway's; -1: free */
    uint64_t left;
};

static struct sockaddr_in local(unsigned port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_port = htons((uint16_t)port),
                                .sin_addr = {htonl(INADDR_LOOPBACK)}};
}

static void pair_close(struct pair *pair)
{
    const struct linger at_once = {1, 0}; /* a reset, not an orderly end */

    for (int i = 0; i < 2; i++) {
        setsockopt(pair->fds[i], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(pair->fds[i]);
        pair->fds[i] = -1;
    }
}

static void pair_open(struct pair *pairs, int listener, unsigned to_port, uint64_t life)
{
    struct sockaddr_in address = local(to_port);
    int agent = accept(listener, NULL, NULL);
    int gateway = socket(AF_INET, SOCK_STREAM, 0);
    struct pair *pair = pairs;

    while (pair < pairs + PAIRS_MAX && pair->fds[0] >= 0)
        pair++;
    CHECK(pair < pairs + PAIRS_MAX && gateway >= 0);
    pair->fds[0] = agent;
    pair->fds[1] = gateway;
    pair->left = life;
    if (agent < 0 || connect(gateway, (struct sockaddr *)&address, sizeof address) != 0)
        pair_close(pair);
}

/* Passes on a piece, then perhaps cuts. */
static void pair_move(struct pair *pair, int from, uint64_t *random)
{
    uint8_t bytes[PIECE_MAX];
    size_t most = 1 + base_random(random) % sizeof bytes;
    ssize_t got;

    if (most > pair->left)
        most = (size_t)pair->left;
    got = recv(pair->fds[from], bytes, most, 0);
    if (got <= 0 || send(pair->fds[1 - from], bytes, (size_t)got, MSG_NOSIGNAL) != got) {
        pair_close(pair);
        return;
    }
    pair->left -= (uint64_t)got;
    if (pair->left == 0)
        pair_close(pair);
}

static _Noreturn void run(int listener, unsigned to_port, uint64_t seed, uint32_t bytes_max)
{
    struct pollfd waits[1 + 2 * PAIRS_MAX];
    struct pair pairs[PAIRS_MAX];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < PAIRS_MAX; i++)
        pairs[i].fds[0] = pairs[i].fds[1] = -1;
    for (;;) {
        waits[0] = (struct pollfd){listener, POLLIN, 0};
        for (int i = 0; i < 2 * PAIRS_MAX; i++)
            waits[1 + i] = (struct pollfd){pairs[i / 2].fds[i % 2], POLLIN, 0};
        poll(waits, 1 + 2 * PAIRS_MAX, -1);
        for (int i = 0; i < 2 * PAIRS_MAX; i++)
            if (waits[1 + i].revents != 0 && pairs[i / 2].fds[i % 2] >= 0)
                pair_move(&pairs[i / 2], i % 2, &seed);
        if (waits[0].revents != 0)
            pair_open(pairs, listener, to_port, 1 + base_random(&seed) % bytes_max);
    }
}

void wire_proxy_open(struct wire_proxy *proxy, unsigned to_port, uint64_t seed, uint32_t bytes_max)
{
    struct sockaddr_in address = local(0);
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(listener, PAIRS_MAX) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    proxy->port = ntohs(address.sin_port);
    proxy->pid = fork();
    CHECK(proxy->pid >= 0);
    if (proxy->pid == 0)
        run(listener, to_port, seed, bytes_max);
    close(listener);
}

void wire_proxy_close(struct wire_proxy *proxy)
{
    kill(proxy->pid, SIGKILL);
    CHECK(waitpid(proxy->pid, NULL, 0) == proxy->pid);
}
