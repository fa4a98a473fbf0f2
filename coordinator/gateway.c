/* The coordinator's end of the gateway: no nanomsg here. */
#include "coordinator/gateway.h"

#include "coordinator/gateway_frame.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/log.h"
#include "storage/base/program.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUT_MAX      (16u << 20)
#define START_MS     10000               /* for the first start: it binds and says so */
#define END_MS       1000                /* for its end, then it is killed */
#define SILENCE_NS   (20000 * NS_PER_MS) /* it says something every second */
#define BACKOFF_MIN  (50 * NS_PER_MS)
#define BACKOFF_MAX  (1000 * NS_PER_MS)
#define STEADY_NS    (3000 * NS_PER_MS) /* having lived so long, it is started again at once */
#define CHILD_FD     3
#define ARGUMENT_MAX 24

struct gateway {
    struct gateway_options options;
    char *urls[GATEWAY_URLS_MAX];
    const struct clock_source *clock;
    struct frame_stream stream;
    pid_t pid;   /* -1: not running */
    bool ready;  /* it has said something since it started */
    bool broken; /* to be killed by the next turn */
    uint64_t started_ns, heard_ns;
    uint64_t start_due_ns; /* when to start it again */
    uint64_t backoff_ns;
    uint64_t generation;
    struct gateway_figures figures;
    char failure[256]; /* what it said last about why it cannot serve */
};

static uint64_t now_of(const struct gateway *gateway)
{
    return clock_monotonic_ns(gateway->clock);
}

/* Arguments as gateway_command reads them. */
struct arguments {
    char numbers[6][ARGUMENT_MAX];
    struct program program;
    char *argv[PROGRAM_WORDS_MAX + 1 + 6 + GATEWAY_URLS_MAX + 1];
};

static bool make_arguments(const struct gateway *gateway, struct arguments *out, struct err *err)
{
    const struct gateway_limits *limits = &gateway->options.limits;
    const uint64_t values[6] = {CHILD_FD,      limits->connections,  limits->rate,
                                limits->burst, limits->memory_bytes, limits->frame_bytes};
    static char command[] = GATEWAY_COMMAND;
    size_t count = 0;

    if (!program_self(&out->program, "thaw-gateway", err))
        return false;
    for (size_t i = 0; i < out->program.count; i++)
        out->argv[count++] = out->program.words[i];
    out->argv[count++] = command;
    for (int i = 0; i < 6; i++) {
        (void)snprintf(out->numbers[i], sizeof out->numbers[i], "%" PRIu64, values[i]);
        out->argv[count++] = out->numbers[i];
    }
    for (size_t i = 0; i < gateway->options.url_count; i++)
        out->argv[count++] = gateway->urls[i];
    out->argv[count] = NULL;
    return true;
}

/* Signals as a program expects them at its start. */
static int spawn_with(const struct arguments *arguments, int fd, pid_t *pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    int code;

    sigemptyset(&none);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    code = posix_spawn_file_actions_adddup2(&files, fd, CHILD_FD);
    if (code == 0)
        code = posix_spawnattr_setsigmask(&attributes, &none);
    if (code == 0)
        code = posix_spawnattr_setsigdefault(&attributes, &defaults);
    if (code == 0)
        code =
            posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (code == 0)
        code = posix_spawnp(pid, arguments->program.file, &files, &attributes, arguments->argv,
                            environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&files);
    return code;
}

static bool start(struct gateway *gateway, struct err *err)
{
    struct arguments arguments;
    int ends[2], code;

    if (!make_arguments(gateway, &arguments, err))
        return err_wrap(err, "gateway");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0)
        return err_set_errno(err, errno, "gateway: a socket pair");
    code = spawn_with(&arguments, ends[1], &gateway->pid);
    close(ends[1]);
    if (code != 0) {
        gateway->pid = -1;
        close(ends[0]);
        return err_set_errno(err, code, "gateway: starting its process");
    }
    frame_stream_init(&gateway->stream, ends[0], OUT_MAX);
    gateway->started_ns = gateway->heard_ns = now_of(gateway);
    gateway->ready = gateway->broken = false;
    gateway->generation++;
    return true;
}

static void stop(struct gateway *gateway)
{
    frame_stream_release(&gateway->stream);
    if (gateway->pid < 0)
        return;
    kill(gateway->pid, SIGKILL);
    while (waitpid(gateway->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    gateway->pid = -1;
}

/* It has died, or must: what was on its way is lost, agents will ask again. */
static void replace(struct gateway *gateway, const char *why)
{
    uint64_t now = now_of(gateway);
    bool was_steady = gateway->ready && now - gateway->started_ns >= STEADY_NS;

    stop(gateway);
    gateway->figures.restarts++;
    gateway->backoff_ns =
        was_steady || gateway->backoff_ns == 0 ? BACKOFF_MIN : gateway->backoff_ns * 2;
    if (gateway->backoff_ns > BACKOFF_MAX)
        gateway->backoff_ns = BACKOFF_MAX;
    gateway->start_due_ns = now + gateway->backoff_ns;
    log_message(LOG_WARNING, "the gateway is started again in %" PRIu64 " ms: %s",
                gateway->backoff_ns / NS_PER_MS, why);
}

/* Takes what is no request. */
static void note(struct gateway *gateway, const struct frame *frame)
{
    gateway->heard_ns = now_of(gateway);
    if (frame->kind == FRAME_FIGURES) {
        gateway->ready = figures_load(frame->bytes, &gateway->figures);
    } else if (frame->kind == FRAME_FAILED) {
        (void)snprintf(gateway->failure, sizeof gateway->failure, "%.*s", (int)frame->bytes.size,
                       (const char *)frame->bytes.data);
        gateway->broken = true;
    }
}

/* Waits until it has said that it listens, or why it cannot. Agents may be quick: a request is a
 * sign as well, and stays where it is. */
static bool await_ready(struct gateway *gateway, struct err *err)
{
    uint64_t deadline = now_of(gateway) + START_MS * NS_PER_MS;
    struct frame frame;
    bool got = false;

    while (!gateway->ready) {
        struct pollfd wait = {gateway->stream.fd, POLLIN, 0};
        size_t before = gateway->stream.in_at;

        if (!frame_take(&gateway->stream, &frame, &got, err))
            return false;
        if (got && frame.kind == FRAME_REQUEST) {
            gateway->stream.in_at = before;
            gateway->ready = true;
        } else if (got) {
            note(gateway, &frame);
        }
        if (gateway->broken)
            return err_set(err, ERR_IO, "gateway: %s", gateway->failure);
        if (got)
            continue;
        if (now_of(gateway) >= deadline)
            return err_set(err, ERR_TIMEOUT, "gateway: not ready within %d s", START_MS / 1000);
        poll(&wait, 1, 100);
        if (!frame_fill(&gateway->stream, err))
            return err_wrap(err, "gateway: it ended when it should begin");
    }
    return true;
}

static bool check_options(const struct gateway_options *options, struct err *err)
{
    if (options->url_count == 0 || options->url_count > GATEWAY_URLS_MAX)
        return err_set(err, ERR_INVALID, "a gateway listens at 1 to %d addresses",
                       GATEWAY_URLS_MAX);
    if (options->limits.connections == 0 || options->limits.connections > GATEWAY_CONNECTIONS_MAX ||
        options->limits.rate == 0 || options->limits.burst == 0 ||
        options->limits.frame_bytes < 4 * GATEWAY_FRAME_MAX)
        return err_set(err, ERR_INVALID,
                       "a gateway has 1 to %d connections, a rate and a burst of 1 and more, "
                       "frames of %u bytes and more",
                       GATEWAY_CONNECTIONS_MAX, 4u * GATEWAY_FRAME_MAX);
    return true;
}

bool gateway_open(const struct gateway_options *options, const struct clock_source *clock,
                  struct gateway **out, struct err *err)
{
    struct gateway *gateway;

    if (!check_options(options, err))
        return false;
    gateway = mem_alloc(sizeof *gateway);
    gateway->options = *options;
    gateway->clock = clock;
    gateway->pid = -1;
    frame_stream_init(&gateway->stream, -1, OUT_MAX);
    for (size_t i = 0; i < options->url_count; i++)
        gateway->urls[i] = mem_text(options->urls[i]);
    if (!start(gateway, err) || !await_ready(gateway, err)) {
        gateway_close(gateway);
        return false;
    }
    *out = gateway;
    return true;
}

/* It ends by itself when its stream is closed, and passes on what it has before. */
static void let_end(struct gateway *gateway)
{
    struct err ignored = ERR_INIT;

    frame_flush(&gateway->stream, &ignored);
    frame_stream_release(&gateway->stream);
    for (int i = 0; i < END_MS && gateway->pid >= 0; i++) {
        pid_t ended = waitpid(gateway->pid, NULL, WNOHANG);

        if (ended == gateway->pid || (ended < 0 && errno == ECHILD))
            gateway->pid = -1;
        else
            poll(NULL, 0, 1);
    }
}

void gateway_close(struct gateway *gateway)
{
    if (gateway == NULL)
        return;
    if (gateway->pid >= 0 && gateway->ready)
        let_end(gateway);
    stop(gateway);
    for (size_t i = 0; i < gateway->options.url_count; i++)
        mem_free(gateway->urls[i]);
    mem_free(gateway);
}

int gateway_fd(const struct gateway *gateway)
{
    return gateway->stream.fd;
}

short gateway_events(const struct gateway *gateway)
{
    return (short)(POLLIN | (frame_waiting(&gateway->stream) != 0 ? POLLOUT : 0));
}

uint64_t gateway_deadline_ns(const struct gateway *gateway)
{
    if (gateway->pid < 0)
        return gateway->start_due_ns;
    if (gateway->broken || frame_ready(&gateway->stream))
        return 0; /* gateway_next has more to give, whatever poll says */
    return gateway->heard_ns + SILENCE_NS;
}

/* Moves bytes both ways; false when the other end is gone. What comes is a sign of life, even if
 * it has waited here while this process was stopped. */
static bool exchange(struct gateway *gateway, struct err *err)
{
    size_t before = gateway->stream.in.size - gateway->stream.in_at;

    if (!frame_flush(&gateway->stream, err) || !frame_fill(&gateway->stream, err))
        return false;
    if (gateway->stream.in.size > before)
        gateway->heard_ns = now_of(gateway);
    return true;
}

static void turn_running(struct gateway *gateway)
{
    struct err err = ERR_INIT;

    if (gateway->broken) {
        replace(gateway, gateway->failure[0] != 0 ? gateway->failure : "its stream is broken");
        return;
    }
    if (!exchange(gateway, &err)) {
        replace(gateway, gateway->failure[0] != 0 ? gateway->failure : err.text);
        return;
    }
    if (now_of(gateway) >= gateway->heard_ns + SILENCE_NS)
        replace(gateway, "it has been silent for too long");
}

void gateway_turn(struct gateway *gateway)
{
    struct err err = ERR_INIT;

    if (gateway->pid >= 0) {
        turn_running(gateway);
        return;
    }
    if (now_of(gateway) < gateway->start_due_ns)
        return;
    gateway->failure[0] = 0;
    if (!start(gateway, &err))
        replace(gateway, err.text);
}

bool gateway_next(struct gateway *gateway, struct span *route, struct span *bytes)
{
    struct err err = ERR_INIT;
    struct frame frame;
    bool got;

    while (gateway->pid >= 0 && !gateway->broken) {
        if (!frame_take(&gateway->stream, &frame, &got, &err)) {
            log_message(LOG_WARNING, "gateway: %s", err.text);
            gateway->broken = true;
            return false;
        }
        if (!got)
            return false;
        if (frame.kind == FRAME_REQUEST) {
            gateway->heard_ns = now_of(gateway);
            *route = frame.route;
            *bytes = frame.bytes;
            return true;
        }
        note(gateway, &frame);
    }
    return false;
}

void gateway_send(void *context, struct span route, struct span bytes)
{
    struct gateway *gateway = context;
    const struct frame frame = {FRAME_ANSWER, route, bytes};

    if (gateway->pid < 0 || gateway->broken)
        return;
    if (route.size > GATEWAY_ROUTE_MAX || bytes.size > GATEWAY_FRAME_MAX - 4 - route.size)
        return;
    if (!frame_put(&gateway->stream, &frame)) {
        log_message(LOG_WARNING, "gateway: it does not read its answers");
        gateway->broken = true;
    }
}

uint64_t gateway_generation(const struct gateway *gateway)
{
    return gateway->generation;
}

void gateway_figures(const struct gateway *gateway, struct gateway_figures *out)
{
    *out = gateway->figures;
}

pid_t gateway_pid(const struct gateway *gateway)
{
    return gateway->pid;
}
