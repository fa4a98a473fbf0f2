#include "agent/farm/link.h"

#include "storage/base/check.h"
#include "storage/base/clock.h"

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>

#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define RESEND_MS_DEFAULT 1000
#define RESEND_SLOWER_MAX 8
#define TRIES_MAX         2   /* on one connection */
#define URL_MAX           128 /* nanomsg's NN_SOCKADDR_MAX */

struct link {
    char url[URL_MAX];
    struct seal_keys keys;
    struct seal_pair pair;
    struct message_id agent;
    bool enrols;
    enum seal_channel channel;
    const struct clock_source *clock;
    uint64_t resend_ns;
    unsigned slower; /* how many times that it waits now */
    pid_t owner;     /* the process that opened it */
    int socket;      /* nanomsg's; -1: none */
    int socket_fd;
    bool parked; /* asked once more after a sign: the answer can go to that */
    int tries;   /* since the socket was opened, without a sign of the coordinator */

    uint64_t session; /* 0: not known */
    uint64_t counter; /* of the request under way, or the last one */
    bool waiting;
    uint64_t deadline_ns, resend_due_ns;
    struct buf request; /* encoded */
    struct buf sealed;
    struct buf opened; /* what an answer's spans point into */
};

static uint64_t now_of(const struct link *link)
{
    return clock_monotonic_ns(link->clock);
}

static bool nn_fail(const struct link *link, const char *what, struct err *err)
{
    return err_set(err, ERR_IO, "link to %s: %s: %s", link->url, what, nn_strerror(nn_errno()));
}

static void socket_close(struct link *link)
{
    if (link->socket >= 0)
        nn_close(link->socket);
    link->socket = link->socket_fd = -1;
}

static bool socket_set_up(struct link *link, struct err *err)
{
    /* Repetition is this file's work: nanomsg's own would wait for a minute. */
    const int never = INT_MAX, largest = SEAL_BYTES_MAX, reconnect_ms = 50, reconnect_max_ms = 1000;
    /* Only where it must be: with it nanomsg stops the process at an IPv4 address. */
    const int ipv4_only = strchr(link->url, '[') == NULL;
    size_t size = sizeof link->socket_fd;

    if (nn_setsockopt(link->socket, NN_REQ, NN_REQ_RESEND_IVL, &never, sizeof never) < 0 ||
        nn_setsockopt(link->socket, NN_SOL_SOCKET, NN_RCVMAXSIZE, &largest, sizeof largest) < 0 ||
        nn_setsockopt(link->socket, NN_SOL_SOCKET, NN_RECONNECT_IVL, &reconnect_ms,
                      sizeof reconnect_ms) < 0 ||
        nn_setsockopt(link->socket, NN_SOL_SOCKET, NN_RECONNECT_IVL_MAX, &reconnect_max_ms,
                      sizeof reconnect_max_ms) < 0 ||
        nn_setsockopt(link->socket, NN_SOL_SOCKET, NN_IPV4ONLY, &ipv4_only, sizeof ipv4_only) < 0)
        return nn_fail(link, "an option", err);
    if (nn_connect(link->socket, link->url) < 0)
        return nn_fail(link, "not an address", err);
    if (nn_getsockopt(link->socket, NN_SOL_SOCKET, NN_RCVFD, &link->socket_fd, &size) < 0)
        return nn_fail(link, "no descriptor", err);
    return true;
}

static bool socket_open(struct link *link, struct err *err)
{
    link->tries = 0;
    link->socket = nn_socket(AF_SP, NN_REQ);
    if (link->socket < 0)
        return nn_fail(link, "no socket", err);
    if (socket_set_up(link, err))
        return true;
    socket_close(link);
    return false;
}

bool link_open(const struct link_options *options, struct link **out, struct err *err)
{
    struct link *link;

    if (strlen(options->url) >= URL_MAX)
        return err_set(err, ERR_INVALID, "a coordinator's address has at most %d bytes",
                       URL_MAX - 1);
    link = mem_alloc(sizeof *link);
    memcpy(link->url, options->url, strlen(options->url));
    link->keys = *options->keys;
    link->agent = options->agent;
    link->enrols = message_id_is_zero(&options->agent);
    link->channel = options->channel;
    link->clock = options->clock == NULL ? &clock_host : options->clock;
    link->resend_ns =
        (options->resend_ms == 0 ? RESEND_MS_DEFAULT : options->resend_ms) * NS_PER_MS;
    link->owner = getpid();
    link->socket = -1;
    link->request = (struct buf)BUF_INIT(MESSAGE_BYTES_MAX);
    link->sealed = link->opened = (struct buf)BUF_INIT(SEAL_BYTES_MAX);
    if (!seal_pair_make(&link->keys, options->coordinator, &link->pair, err) ||
        !socket_open(link, err)) {
        link_close(link);
        return false;
    }
    link->counter = seal_random() >> 16; /* never runs over */
    *out = link;
    return true;
}

void link_close(struct link *link)
{
    if (link == NULL)
        return;
    CHECK(link->owner == getpid());
    socket_close(link);
    seal_wipe(&link->keys, sizeof link->keys);
    seal_wipe(&link->pair, sizeof link->pair);
    buf_release(&link->request);
    buf_release(&link->sealed);
    buf_release(&link->opened);
    mem_free(link);
}

static struct span sender_of(const struct link *link)
{
    return link->enrols ? (struct span){link->keys.public_key, SEAL_KEY_SIZE}
                        : (struct span){link->agent.bytes, MESSAGE_ID_SIZE};
}

static bool seal(struct link *link, struct err *err)
{
    struct seal_options options = {
        sender_of(link), {SEAL_REQUEST, link->channel, link->session, link->counter}, NULL};

    buf_clear(&link->sealed);
    return seal_wrap(&link->pair, &options, buf_span(&link->request), &link->sealed, err);
}

/* Sends what is sealed. A connection that is not there (yet) is no error: nanomsg keeps it. A new
 * request takes the place of the one before. */
static void transmit(struct link *link, uint64_t now_ns)
{
    struct err ignored = ERR_INIT;

    if (link->tries >= TRIES_MAX)
        socket_close(link); /* the peer may hang, or its host be gone */
    link->resend_due_ns = now_ns + link->resend_ns * link->slower;
    if (link->slower < RESEND_SLOWER_MAX)
        link->slower *= 2;
    if (link->socket < 0 && !socket_open(link, &ignored))
        return;
    link->tries++;
    link->parked = false;
    (void)nn_send(link->socket, link->sealed.data, link->sealed.size, NN_DONTWAIT);
}

bool link_send(struct link *link, const struct message *request, uint32_t timeout_ms,
               struct err *err)
{
    uint64_t now = now_of(link);

    CHECK(link->owner == getpid());
    if (link->waiting)
        return err_set(err, ERR_CONFLICT, "link to %s: a request is under way", link->url);
    buf_clear(&link->request);
    if (!message_encode(request, &link->request, err))
        return false;
    link->counter++;
    if (!seal(link, err))
        return false;
    link->waiting = true;
    link->slower = 1;
    link->deadline_ns = now + timeout_ms * NS_PER_MS;
    transmit(link, now);
    return true;
}

/* Opens what is an answer or a sign for the request under way; false if it is not. */
static bool open_answer(struct link *link, struct span bytes, struct seal_head *head)
{
    struct seal_envelope envelope;
    struct err ignored = ERR_INIT;

    return seal_parse(bytes, &envelope, &ignored) && span_equal(envelope.sender, sender_of(link)) &&
           seal_open(&link->pair, &envelope, head, &link->opened, &ignored) &&
           head->channel == link->channel && head->counter == link->counter &&
           head->purpose != SEAL_REQUEST;
}

static enum link_state take_answer(struct link *link, struct span bytes, struct message *answer,
                                   struct err *err)
{
    struct seal_head head;

    if (!open_answer(link, bytes, &head))
        return LINK_WAITING;
    link->tries = 0;
    if (head.purpose == SEAL_SESSION && head.session != link->session) {
        link->session = head.session;
        link->slower = 1;
        CHECK(seal(link, err)); /* it was possible before */
        transmit(link, now_of(link));
    }
    if (head.purpose == SEAL_WAIT && !link->parked) {
        transmit(link, now_of(link));
        link->parked = true;
    }
    if (head.purpose != SEAL_ANSWER || head.session != link->session)
        return LINK_WAITING;
    if (message_decode(buf_span(&link->opened), answer, err))
        return LINK_ANSWERED;
    err_wrap(err, "the answer from %s", link->url);
    return LINK_FAILED;
}

static enum link_state receive(struct link *link, struct message *answer, struct err *err)
{
    void *bytes;
    int size;

    while (link->socket >= 0 && (size = nn_recv(link->socket, &bytes, NN_MSG, NN_DONTWAIT)) >= 0) {
        enum link_state state = take_answer(link, (struct span){bytes, (size_t)size}, answer, err);

        nn_freemsg(bytes);
        if (state != LINK_WAITING)
            return state;
    }
    return LINK_WAITING;
}

enum link_state link_turn(struct link *link, struct message *answer, struct err *err)
{
    enum link_state state;
    uint64_t now;

    CHECK(link->owner == getpid());
    if (!link->waiting)
        return LINK_IDLE;
    state = receive(link, answer, err);
    now = now_of(link);
    if (state == LINK_WAITING && now >= link->deadline_ns) {
        state = LINK_FAILED;
        err_set(err, ERR_TIMEOUT,
                "no answer from %s: it is not there, or does not know this agent's key", link->url);
    }
    if (state == LINK_WAITING && now >= link->resend_due_ns)
        transmit(link, now);
    link->waiting = state == LINK_WAITING;
    return state;
}

int link_fd(const struct link *link)
{
    return link->socket_fd;
}

uint64_t link_deadline_ns(const struct link *link)
{
    if (!link->waiting)
        return UINT64_MAX;
    return link->deadline_ns < link->resend_due_ns ? link->deadline_ns : link->resend_due_ns;
}

void link_cancel(struct link *link)
{
    link->waiting = false;
}

/* In steps short enough that an injected clock that jumps is noticed. */
static void wait_for(const struct link *link)
{
    struct pollfd wait = {link->socket_fd, POLLIN, 0};
    uint64_t now = now_of(link), due = link_deadline_ns(link);
    uint64_t ms = due <= now ? 0 : (due - now) / NS_PER_MS + 1;

    poll(&wait, 1, ms < 100 ? (int)ms : 100);
}

bool link_call(struct link *link, const struct message *request, uint32_t timeout_ms,
               struct message *answer, struct err *err)
{
    enum link_state state;

    if (!link_send(link, request, timeout_ms, err))
        return false;
    while ((state = link_turn(link, answer, err)) == LINK_WAITING)
        wait_for(link);
    if (state == LINK_ANSWERED && answer->kind == MESSAGE_REFUSED)
        return message_refused_err(answer, err);
    return state == LINK_ANSWERED;
}
