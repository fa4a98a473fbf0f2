/* The gateway's own process: nanomsg on one side, frames on the other. */
#include "coordinator/gateway_crowd.h"
#include "coordinator/gateway_frame.h"
#include "coordinator/rate.h"
#include "storage/base/check.h"
#include "storage/base/log.h"

#include <nanomsg/nn.h>
#include <nanomsg/reqrep.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define MESSAGE_MAX   65536 /* an envelope (jobs/wire/seal.h) */
#define BATCH_MAX     64    /* messages read before frames are written */
#define FIGURES_MS    1000
#define CROWD_MS      50 /* between looks at the number of connections */
#define FDS_SPARE     64 /* of the library's own, and those open already */
#define CONTROL_BYTES 256

const struct gateway_limits gateway_limits_default = {
    .connections = 8192,
    .rate = 2000,
    .burst = 4000,
    .memory_bytes = UINT64_C(1) << 30,
    .frame_bytes = 4u << 20,
};

struct server {
    const struct gateway_options *options;
    struct frame_stream stream;
    struct rate_table rates;
    struct gateway_figures figures;
    uint32_t connections; /* at most */
    uint64_t figures_due_ns, crowd_due_ns;
    int socket;    /* nanomsg's; -1 before */
    int socket_fd; /* readable when a message is there */
    uint8_t message[MESSAGE_MAX + 64];
};

static bool nn_fail(struct err *err, const char *what)
{
    int code = nn_errno();

    return err_set(err, code == EADDRINUSE ? ERR_CONFLICT : ERR_IO, "%s: %s", what,
                   nn_strerror(code));
}

/* Sanitizers reserve far more address space than they use. */
#if defined(__has_feature)
#define HAS_SANITIZER (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SANITIZER 1
#else
#define HAS_SANITIZER 0
#endif

static bool limit_memory(uint64_t bytes, struct err *err)
{
#if HAS_SANITIZER
    (void)bytes;
    (void)err;
    return true;
#else
    const struct rlimit limit = {bytes, bytes};

    return bytes == 0 || setrlimit(RLIMIT_AS, &limit) == 0 ||
           err_set_errno(err, errno, "limiting memory to %" PRIu64 " bytes", bytes);
#endif
}

/* Each connection is a descriptor. Half as many again may come before the next look. */
static uint32_t files_for(uint32_t connections)
{
    return connections + connections / 2 + FDS_SPARE;
}

/* As many connections as asked for, or as the host allows. */
static bool limit_files(struct server *server, struct err *err)
{
    uint32_t asked = server->options->limits.connections;
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return err_set_errno(err, errno, "asking for the limit on open files");
    if (limit.rlim_max < 2 * FDS_SPARE)
        return err_set(err, ERR_INVALID, "the host allows only %" PRIu64 " open files",
                       (uint64_t)limit.rlim_max);
    server->connections = asked;
    if (files_for(asked) > limit.rlim_max) {
        server->connections = (uint32_t)((limit.rlim_max - FDS_SPARE) / 3 * 2);
        log_message(LOG_WARNING,
                    "gateway: at most %" PRIu32 " connections instead of %" PRIu32
                    ": the host allows %" PRIu64 " open files",
                    server->connections, asked, (uint64_t)limit.rlim_max);
    }
    limit.rlim_cur = limit.rlim_max = files_for(server->connections);
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ||
           err_set_errno(err, errno, "limiting open files to %" PRIu64, (uint64_t)limit.rlim_cur);
}

static bool set_option(int socket, int option, int value, const char *what, struct err *err)
{
    return nn_setsockopt(socket, NN_SOL_SOCKET, option, &value, sizeof value) == 0 ||
           nn_fail(err, what);
}

static bool server_listen(struct server *server, struct err *err)
{
    size_t size = sizeof server->socket_fd;

    server->socket = nn_socket(AF_SP_RAW, NN_REP);
    if (server->socket < 0)
        return nn_fail(err, "nn_socket");
    /* The size on the wire. A larger message ends its connection. */
    if (!set_option(server->socket, NN_RCVMAXSIZE, MESSAGE_MAX, "NN_RCVMAXSIZE", err) ||
        !set_option(server->socket, NN_IPV4ONLY, 0, "NN_IPV4ONLY", err))
        return false;
    umask(0117); /* of an ipc:// socket: its owner and group */
    for (size_t i = 0; i < server->options->url_count; i++)
        if (nn_bind(server->socket, server->options->urls[i]) < 0)
            return nn_fail(err, server->options->urls[i]);
    return nn_getsockopt(server->socket, NN_SOL_SOCKET, NN_RCVFD, &server->socket_fd, &size) == 0 ||
           nn_fail(err, "NN_RCVFD");
}

/* The SP header in what nn_recvmsg gave; size 0 if there is none. */
static struct span route_of(const struct nn_msghdr *header)
{
    const struct nn_cmsghdr *control = NN_CMSG_FIRSTHDR(header);
    const uint8_t *data;
    size_t size;

    if (control == NULL || control->cmsg_level != PROTO_SP || control->cmsg_type != SP_HDR)
        return (struct span){NULL, 0};
    data = NN_CMSG_DATA(control);
    memcpy(&size, data, sizeof size);
    return (struct span){data + sizeof size, size};
}

/* One message from the network, if there is one and it may pass. False: there is none. */
static bool receive_one(struct server *server, uint64_t now_ns)
{
    _Alignas(struct nn_cmsghdr) uint8_t control[CONTROL_BYTES];
    struct nn_iovec part = {server->message, sizeof server->message};
    struct nn_msghdr header = {&part, 1, control, sizeof control};
    int got = nn_recvmsg(server->socket, &header, NN_DONTWAIT);
    struct frame frame = {FRAME_REQUEST, {NULL, 0}, {NULL, 0}};
    uint32_t pipe;

    if (got < 0)
        return nn_errno() == EINTR;
    frame.route = route_of(&header);
    if (frame.route.size < sizeof pipe || frame.route.size > GATEWAY_ROUTE_MAX ||
        (size_t)got > MESSAGE_MAX) {
        server->figures.dropped_route++;
        return true;
    }
    memcpy(&pipe, frame.route.data, sizeof pipe);
    if (!rate_take(&server->rates, pipe, now_ns)) {
        server->figures.dropped_rate++;
        return true;
    }
    frame.bytes = (struct span){server->message, (size_t)got};
    CHECK(frame_put(&server->stream, &frame)); /* room was seen before */
    server->figures.requests++;
    return true;
}

static bool has_room(const struct server *server)
{
    return frame_waiting(&server->stream) + 2 * (size_t)GATEWAY_FRAME_MAX <=
           server->options->limits.frame_bytes;
}

static void send_answer(struct server *server, const struct frame *frame)
{
    _Alignas(struct nn_cmsghdr) uint8_t control[CONTROL_BYTES] = {0};
    struct nn_cmsghdr *head = (struct nn_cmsghdr *)(void *)control;
    size_t size = frame->route.size;
    union {
        const void *from;
        void *to;
    } bytes = {frame->bytes.data}; /* nanomsg's vectors are not const; it copies */
    struct nn_iovec part = {bytes.to, frame->bytes.size};
    struct nn_msghdr header = {&part, 1, control, NN_CMSG_SPACE(sizeof size + size)};

    head->cmsg_len = NN_CMSG_LEN(sizeof size + size);
    head->cmsg_level = PROTO_SP;
    head->cmsg_type = SP_HDR;
    memcpy(NN_CMSG_DATA(head), &size, sizeof size);
    memcpy(NN_CMSG_DATA(head) + sizeof size, frame->route.data, size);
    /* A peer that is gone, or does not read, loses it: it will ask again. */
    if (nn_sendmsg(server->socket, &header, NN_DONTWAIT) >= 0)
        server->figures.answers++;
}

static bool send_answers(struct server *server, struct err *err)
{
    struct frame frame;
    bool got;

    if (!frame_fill(&server->stream, err))
        return false;
    while (frame_take(&server->stream, &frame, &got, err)) {
        if (!got)
            return true;
        if (frame.kind == FRAME_ANSWER && frame.route.size >= 4)
            send_answer(server, &frame);
    }
    return false;
}

static void put_figures(struct server *server, uint64_t now_ns)
{
    struct buf bytes = BUF_INIT(256);
    struct frame frame = {FRAME_FIGURES, {NULL, 0}, {NULL, 0}};

    server->figures_due_ns = now_ns + FIGURES_MS * UINT64_C(1000000);
    server->figures.connections = nn_get_statistic(server->socket, NN_STAT_CURRENT_CONNECTIONS);
    server->figures.accepted = nn_get_statistic(server->socket, NN_STAT_ACCEPTED_CONNECTIONS);
    figures_store(&server->figures, &bytes);
    frame.bytes = buf_span(&bytes);
    frame_put(&server->stream, &frame);
    buf_release(&bytes);
}

static void look_at_crowd(struct server *server, uint64_t now_ns)
{
    uint32_t most = server->connections;
    uint64_t now = nn_get_statistic(server->socket, NN_STAT_CURRENT_CONNECTIONS);

    server->crowd_due_ns = now_ns + CROWD_MS * UINT64_C(1000000);
    if (now > most)
        server->figures.put_out +=
            crowd_put_out((uint32_t)(now - most), server->stream.fd, (int)files_for(most));
}

static void wait_for_work(struct server *server)
{
    struct pollfd waits[2] = {{server->stream.fd, POLLIN, 0}, {server->socket_fd, POLLIN, 0}};

    if (frame_waiting(&server->stream) != 0)
        waits[0].events |= POLLOUT;
    /* While the coordinator does not read, the network is not read either. */
    poll(waits, has_room(server) ? 2 : 1, CROWD_MS);
}

/* Until the coordinator is gone: that is its error. */
static bool server_loop(struct server *server, struct err *err)
{
    for (;;) {
        uint64_t now_ns = clock_monotonic_ns(&clock_host);
        int count = 0;

        while (count < BATCH_MAX && has_room(server) && receive_one(server, now_ns))
            count++;
        if (now_ns >= server->crowd_due_ns)
            look_at_crowd(server, now_ns);
        if (now_ns >= server->figures_due_ns)
            put_figures(server, now_ns);
        if (!frame_flush(&server->stream, err) || !send_answers(server, err))
            return false;
        if (count < BATCH_MAX)
            wait_for_work(server);
    }
}

/* Tells the coordinator why there is no gateway. */
static void send_failure(struct server *server, const struct err *why)
{
    struct frame frame = {FRAME_FAILED, {NULL, 0}, span_of_text(why->text)};
    struct err ignored = ERR_INIT;

    frame_put(&server->stream, &frame);
    frame_flush(&server->stream, &ignored);
}

bool gateway_serve(const struct gateway_options *options, int fd, struct err *err)
{
    const struct gateway_limits *limits = &options->limits;
    struct server *server = mem_alloc(sizeof *server);
    bool ok;

    server->options = options;
    server->socket = -1;
    frame_stream_init(&server->stream, fd, limits->frame_bytes + (size_t)GATEWAY_FRAME_MAX);
    rate_table_init(&server->rates, limits->rate, limits->burst, 2 * (size_t)limits->connections);
    ok = limit_files(server, err) && limit_memory(limits->memory_bytes, err) &&
         server_listen(server, err);
    if (!ok)
        send_failure(server, err);
    else if (!server_loop(server, err))
        ok = err->kind == ERR_NOT_FOUND; /* closed: that is how it ends */
    if (server->socket >= 0)
        nn_close(server->socket);
    frame_stream_release(&server->stream);
    rate_table_release(&server->rates);
    mem_free(server);
    return ok;
}

static bool read_number(const char *text, uint64_t max, uint64_t *out)
{
    char *end;

    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && end != text && *end == 0 && text[0] != '-' && *out <= max;
}

#define ARGUMENTS 6 /* after the command, before the URLs */

static bool read_arguments(int argc, char **argv, struct gateway_options *options, int *fd)
{
    uint64_t numbers[ARGUMENTS];

    if (argc < 2 + ARGUMENTS + 1 || argc > 2 + ARGUMENTS + GATEWAY_URLS_MAX)
        return false;
    for (int i = 0; i < ARGUMENTS; i++)
        if (!read_number(argv[2 + i], i == 4 ? UINT64_MAX : INT32_MAX, &numbers[i]))
            return false;
    *fd = (int)numbers[0];
    options->limits.connections = (uint32_t)numbers[1];
    options->limits.rate = (uint32_t)numbers[2];
    options->limits.burst = (uint32_t)numbers[3];
    options->limits.memory_bytes = numbers[4];
    options->limits.frame_bytes = (uint32_t)numbers[5];
    options->url_count = (size_t)(argc - 2 - ARGUMENTS);
    for (size_t i = 0; i < options->url_count; i++)
        options->urls[i] = argv[2 + ARGUMENTS + i];
    return numbers[1] >= 1 && numbers[2] >= 1 && numbers[3] >= 1;
}

int gateway_command(int argc, char **argv)
{
    struct gateway_options options;
    struct err err = ERR_INIT;
    int fd;

    if (!read_arguments(argc, argv, &options, &fd)) {
        log_message(LOG_ERROR, "the gateway is started by the coordinator, not by hand");
        return 2;
    }
    /* It ends when the coordinator does, not with it: answers are still to go. */
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (gateway_serve(&options, fd, &err))
        return 0;
    log_message(LOG_ERROR, "gateway: %s", err.text);
    return 1;
}
