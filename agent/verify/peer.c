#include "agent/verify/peer.h"

#include "storage/base/check.h"
#include "storage/base/words.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define READ_SIZE    65536u
#define LAST_WAIT_MS 2000 /* for a host whose input was closed */
#define COMMAND_MAX  4096
#define POLL_MS      1000
#define OUT_MAX      (64u << 20)
/* What a process ends with that could not become the program, where the one that starts it cannot
 * tell (shells, emulators). */
#define NOT_STARTED 127

extern char **environ;

struct asked {
    uint64_t number;
    enum verify_verb verb;
    uint64_t instructions;
};

struct peer {
    char name[PEER_NAME_MAX];
    char description[VERIFY_TEXT_MAX];
    const struct clock_source *clock;
    uint64_t guard_ns;
    pid_t pid;           /* 0: gone */
    int in, out, errors; /* its standard input, output, error: our ends; -1: closed */
    struct buf sending, receiving;
    size_t read_to; /* bytes of `receiving` that were answered */
    struct asked asked[PEER_WAITING_MAX];
    size_t asked_count;
    uint64_t last_number;
    uint64_t since_ns;   /* when the oldest request became the oldest */
    uint64_t slowest_ns; /* a million instructions took it at most so long; 0: not known */
    char said[PEER_STDERR_MAX + 1];
    size_t said_size;
    bool failed;
    struct err failure;
    char program[200]; /* first word of its command */
};

const char *peer_name(const struct peer *peer)
{
    return peer->name;
}

const char *peer_description(const struct peer *peer)
{
    return peer->description;
}

const struct err *peer_failure(const struct peer *peer)
{
    return peer->failed ? &peer->failure : NULL;
}

size_t peer_waiting(const struct peer *peer)
{
    return peer->failed ? 0 : peer->asked_count;
}

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Reaps it; false while it lives. */
static bool has_ended(struct peer *peer, int *status, int flags)
{
    pid_t got;

    if (peer->pid == 0)
        return true;
    do
        got = waitpid(peer->pid, status, flags);
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return false;
    peer->pid = 0;
    return true;
}

static void end_process(struct peer *peer)
{
    int status = 0;

    close_end(&peer->in);
    close_end(&peer->out);
    close_end(&peer->errors);
    if (peer->pid != 0)
        (void)kill(peer->pid, SIGKILL);
    (void)has_ended(peer, &status, 0);
}

void peer_fail(struct peer *peer, enum err_kind kind, const char *format, ...)
{
    va_list arguments;
    char text[ERR_TEXT_MAX / 2];

    if (peer->failed)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    err_set(&peer->failure, kind, "%s", text);
    peer->failed = true;
    end_process(peer);
}

/* ---- starting ---- */

static bool split(char *text, struct words *words, struct err *err)
{
    bool ok = words_split(text, "a host's command", words, err) &&
              (words->count != 0 || err_set(err, ERR_USAGE, "a host's command is empty"));

    if (!ok)
        err->kind = ERR_USAGE; /* too many, too */
    return ok;
}

static bool make_pipe(int ends[2], struct err *err)
{
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set_errno(err, errno, "cannot make a pipe");
    return true;
}

static bool spawn(struct peer *peer, char **words, const int theirs[3], struct err *err)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    int code;

    CHECK(posix_spawn_file_actions_init(&actions) == 0 && posix_spawnattr_init(&attributes) == 0);
    for (int i = 0; i < 3; i++)
        CHECK(posix_spawn_file_actions_adddup2(&actions, theirs[i], i) == 0);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    CHECK(posix_spawnattr_setsigdefault(&attributes, &defaults) == 0);
    CHECK(posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF) == 0);
    code = posix_spawnp(&peer->pid, words[0], &actions, &attributes, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (code == 0)
        return true;
    peer->pid = 0;
    err_set_errno(err, code, "cannot start %s", words[0]);
    err->kind = ERR_USAGE;
    return false;
}

static bool start(struct peer *peer, const char *command, struct err *err)
{
    int pipes[3][2] = {{-1, -1}, {-1, -1}, {-1, -1}};
    char text[COMMAND_MAX], verb[] = "verify-host";
    char *list[PEER_WORDS_MAX] = {NULL};
    struct words words = {list, PEER_WORDS_MAX - 2, 0};
    bool ok = strlen(command) < sizeof text ||
              err_set(err, ERR_USAGE, "a host's command has at most %d bytes", COMMAND_MAX - 1);

    snprintf(text, sizeof text, "%s", command);
    ok = ok && split(text, &words, err) && make_pipe(pipes[0], err) && make_pipe(pipes[1], err) &&
         make_pipe(pipes[2], err);
    list[words.count] = verb;
    snprintf(peer->program, sizeof peer->program, "%s", words.count != 0 ? list[0] : "");
    ok = ok && spawn(peer, list, (int[3]){pipes[0][0], pipes[1][1], pipes[2][1]}, err);
    close_end(&pipes[0][0]);
    close_end(&pipes[1][1]);
    close_end(&pipes[2][1]);
    peer->in = pipes[0][1];
    peer->out = pipes[1][0];
    peer->errors = pipes[2][0];
    if (!ok)
        return false;
    (void)fcntl(peer->in, F_SETFL, O_NONBLOCK);
    (void)fcntl(peer->out, F_SETFL, O_NONBLOCK);
    (void)fcntl(peer->errors, F_SETFL, O_NONBLOCK);
    return true;
}

/* The answer to the greeting. */
static bool describe(struct peer *peer, const struct verify_message *answer, struct err *err)
{
    char host[80], version[40];
    uint64_t bits = answer->values[HELLO_BITS], big = answer->values[HELLO_BIG_ENDIAN];

    if (answer->value_count != HELLO_COUNT || answer->values[HELLO_VERSION] != VERIFY_VERSION)
        return err_set(err, ERR_UNSUPPORTED, "it speaks another version of verify's protocol");
    if ((bits != 32 && bits != 64) || big > 1)
        return err_set(err, ERR_UNSUPPORTED, "a host of unknown kind: %llu bits, byte order %llu",
                       (unsigned long long)bits, (unsigned long long)big);
    verify_text(answer->text, host, sizeof host);
    verify_text(answer->bytes, version, sizeof version);
    snprintf(peer->description, sizeof peer->description, "%s, %llu bits, %s endian, thaw %s", host,
             (unsigned long long)bits, big != 0 ? "big" : "little", version);
    return true;
}

bool peer_start(const struct peer_options *options, struct peer **out, struct err *err)
{
    struct verify_message greeting = {
        .verb = VERIFY_HELLO, .values = {VERIFY_VERSION}, .value_count = 1};
    struct peer *peer = mem_alloc(sizeof *peer);
    struct verify_message answer;
    struct err refused = ERR_INIT;

    snprintf(peer->name, sizeof peer->name, "%s", options->name);
    peer->clock = options->clock;
    peer->guard_ns = options->guard_ns != 0 ? options->guard_ns : PEER_GUARD_NS;
    peer->sending = (struct buf)BUF_INIT(OUT_MAX);
    peer->receiving = (struct buf)BUF_INIT(VERIFY_FRAME_MAX + READ_SIZE);
    peer->in = peer->out = peer->errors = -1;
    if (!start(peer, options->command, err)) {
        peer_stop(peer);
        return err_wrap(err, "host %s", options->name);
    }
    if (!peer_call(peer, &greeting, &answer, &refused) || !describe(peer, &answer, &refused))
        peer_fail(peer, refused.kind, "%s", refused.text);
    *out = peer;
    return true;
}

void peer_stop(struct peer *peer)
{
    int status = 0;

    if (peer == NULL)
        return;
    close_end(&peer->in);
    if (peer->pid != 0 && peer->out >= 0) {
        struct pollfd ended = {.fd = peer->out, .events = POLLIN};
        char piece[512];
        ssize_t got;
        do
            got = poll(&ended, 1, LAST_WAIT_MS) == 1 ? read(peer->out, piece, sizeof piece) : 0;
        while (got > 0);
    }
    if (!has_ended(peer, &status, WNOHANG))
        end_process(peer);
    close_end(&peer->out);
    close_end(&peer->errors);
    buf_release(&peer->sending);
    buf_release(&peer->receiving);
    mem_free(peer);
}

/* ---- talking ---- */

void peer_ask(struct peer *peer, const struct verify_message *request, uint64_t instructions)
{
    struct verify_message numbered = *request;
    struct err err = ERR_INIT;

    if (peer->failed)
        return;
    CHECK(peer->asked_count < PEER_WAITING_MAX);
    numbered.number = ++peer->last_number;
    if (!verify_message_write(&numbered, &peer->sending, &err)) {
        peer_fail(peer, err.kind, "%s", err.text);
        return;
    }
    if (peer->asked_count == 0)
        peer->since_ns = clock_monotonic_ns(peer->clock);
    peer->asked[peer->asked_count++] = (struct asked){numbered.number, numbered.verb, instructions};
}

uint64_t peer_guard_ns(uint64_t least_ns, uint64_t instructions, uint64_t million_ns)
{
    uint64_t millions = instructions / 1000000 + 1;

    if (million_ns != 0)
        return least_ns + millions * million_ns * PEER_GUARD_FACTOR;
    return least_ns + instructions / PEER_INSTRUCTIONS_A_SECOND * UINT64_C(1000000000);
}

static void check_guard(struct peer *peer, uint64_t now_ns)
{
    if (peer_waiting(peer) == 0 ||
        now_ns - peer->since_ns <=
            peer_guard_ns(peer->guard_ns, peer->asked[0].instructions, peer->slowest_ns))
        return;
    peer_fail(peer, ERR_TIMEOUT, "silent for %llu s after it was asked to %s",
              (unsigned long long)((now_ns - peer->since_ns) / UINT64_C(1000000000)),
              verify_verb_name(peer->asked[0].verb));
}

/* Learns from an answer, and forgets the request. */
static void account(struct peer *peer)
{
    uint64_t now = clock_monotonic_ns(peer->clock);
    uint64_t millions = peer->asked[0].instructions / 1000000;

    if (millions != 0 && (now - peer->since_ns) / millions > peer->slowest_ns)
        peer->slowest_ns = (now - peer->since_ns) / millions;
    peer->since_ns = now;
    peer->asked_count--;
    memmove(peer->asked, peer->asked + 1, peer->asked_count * sizeof peer->asked[0]);
}

bool peer_answer(struct peer *peer, struct verify_message *out)
{
    struct span left = {peer->receiving.data + peer->read_to, peer->receiving.size - peer->read_to};
    struct verify_message message;
    struct err err = ERR_INIT;
    size_t size = 0;

    if (peer->failed)
        return false;
    if (!verify_frame_size(left, &size, &err) ||
        (size != 0 && !verify_message_read((struct span){left.data, size}, &message, &err))) {
        peer_fail(peer, ERR_INVALID, "it speaks nonsense: %s", err.text);
        return false;
    }
    if (size == 0)
        return false;
    if (peer->asked_count == 0 || message.number != peer->asked[0].number ||
        message.verb != peer->asked[0].verb) {
        peer_fail(peer, ERR_INVALID, "it speaks nonsense: an answer to what it was not asked");
        return false;
    }
    peer->read_to += size;
    account(peer);
    *out = message;
    return true;
}

static bool has_answer(const struct peer *peer)
{
    struct span left = {peer->receiving.data + peer->read_to, peer->receiving.size - peer->read_to};
    struct err ignored = ERR_INIT;
    size_t size = 0;

    return peer->failed || !verify_frame_size(left, &size, &ignored) || size != 0;
}

static void hear_errors(struct peer *peer)
{
    char piece[512];
    ssize_t got = peer->errors < 0 ? 0 : read(peer->errors, piece, sizeof piece);

    while (got > 0) {
        size_t size = (size_t)got;
        size_t room = PEER_STDERR_MAX - peer->said_size;
        size_t drop = size > room ? size - room : 0;
        memmove(peer->said, peer->said + drop, peer->said_size - drop);
        peer->said_size -= drop;
        memcpy(peer->said + peer->said_size, piece, size);
        peer->said_size += size;
        got = read(peer->errors, piece, sizeof piece);
    }
    if (got == 0 || (errno != EAGAIN && errno != EINTR))
        close_end(&peer->errors);
    peer->said[peer->said_size] = 0;
}

/* The last line it wrote on standard error, or "". */
static const char *last_words(struct peer *peer)
{
    char *line;

    hear_errors(peer);
    while (peer->said_size != 0 && peer->said[peer->said_size - 1] == '\n')
        peer->said[--peer->said_size] = 0;
    line = strrchr(peer->said, '\n');
    return line == NULL ? peer->said : line + 1;
}

/* Its output ended: how did it? */
static void died(struct peer *peer)
{
    char said[PEER_STDERR_MAX + 1], words[PEER_STDERR_MAX + 8] = "";
    const char *during = peer->asked_count != 0 ? verify_verb_name(peer->asked[0].verb) : "nothing";
    int status = 0;

    close_end(&peer->in);
    (void)has_ended(peer, &status, 0);
    snprintf(said, sizeof said, "%s", last_words(peer));
    if (said[0] != 0)
        snprintf(words, sizeof words, ": %.*s", PEER_STDERR_MAX, said);
    if (WIFSIGNALED(status))
        peer_fail(peer, ERR_IO, "it died of signal %d, asked to %s%.300s", WTERMSIG(status), during,
                  words);
    else if (WEXITSTATUS(status) == NOT_STARTED && peer->description[0] == 0)
        peer_fail(peer, ERR_USAGE, "cannot start %s%.300s", peer->program, words);
    else
        peer_fail(peer, ERR_IO, "it ended with status %d, asked to %s%.300s", WEXITSTATUS(status),
                  during, words);
}

static void send_some(struct peer *peer)
{
    ssize_t put = write(peer->in, peer->sending.data, peer->sending.size);

    if (put > 0) {
        peer->sending.size -= (size_t)put;
        memmove(peer->sending.data, peer->sending.data + put, peer->sending.size);
    } else if (put < 0 && errno == EPIPE) {
        buf_clear(&peer->sending); /* its output will end too */
    }
}

static void receive_some(struct peer *peer)
{
    uint8_t piece[READ_SIZE];
    struct err err = ERR_INIT;
    ssize_t got = read(peer->out, piece, sizeof piece);

    if (got == 0)
        died(peer);
    else if (got > 0 && !buf_append(&peer->receiving, piece, (size_t)got, &err))
        peer_fail(peer, ERR_INVALID, "it speaks nonsense: %s", err.text);
}

static void forget_answered(struct peer *peer)
{
    if (peer->read_to == 0)
        return;
    peer->receiving.size -= peer->read_to;
    memmove(peer->receiving.data, peer->receiving.data + peer->read_to, peer->receiving.size);
    peer->read_to = 0;
}

static void poll_once(struct peer *const *peers, size_t count)
{
    struct pollfd *fds = mem_array(3 * count, sizeof *fds);

    for (size_t i = 0; i < count; i++) {
        const struct peer *peer = peers[i];
        bool live = !peer->failed;
        fds[3 * i] = (struct pollfd){live && peer->sending.size != 0 ? peer->in : -1, POLLOUT, 0};
        fds[3 * i + 1] = (struct pollfd){live ? peer->out : -1, POLLIN, 0};
        fds[3 * i + 2] = (struct pollfd){live ? peer->errors : -1, POLLIN, 0};
    }
    if (poll(fds, 3 * count, POLL_MS) > 0) {
        for (size_t i = 0; i < count; i++) {
            if (fds[3 * i + 2].revents != 0)
                hear_errors(peers[i]);
            if (fds[3 * i].revents != 0)
                send_some(peers[i]);
            if (fds[3 * i + 1].revents != 0)
                receive_some(peers[i]);
        }
    }
    mem_free(fds);
}

void peers_wait(struct peer *const *peers, size_t count)
{
    bool waits = false, ready = false;

    for (size_t i = 0; i < count; i++) {
        forget_answered(peers[i]);
        waits = waits || peer_waiting(peers[i]) != 0;
        ready = ready || (peer_waiting(peers[i]) != 0 && has_answer(peers[i]));
    }
    for (bool first = true; waits && !ready; first = false) {
        if (!first)
            poll_once(peers, count);
        waits = false;
        for (size_t i = 0; i < count; i++) {
            bool before = peers[i]->failed;
            check_guard(peers[i], clock_monotonic_ns(peers[i]->clock));
            waits = waits || peer_waiting(peers[i]) != 0;
            ready = ready || (!before && peers[i]->failed) ||
                    (peer_waiting(peers[i]) != 0 && has_answer(peers[i]));
        }
    }
}

bool peer_call(struct peer *peer, const struct verify_message *request,
               struct verify_message *answer, struct err *err)
{
    CHECK(peer->asked_count == 0);
    peer_ask(peer, request, 0);
    while (!peer->failed && !peer_answer(peer, answer))
        peers_wait(&peer, 1);
    if (peer->failed) {
        *err = peer->failure;
        return false;
    }
    if (answer->kind != ERR_NONE) {
        char text[ERR_TEXT_MAX];
        verify_text(answer->text, text, sizeof text);
        return err_set(err, answer->kind, "%s", text);
    }
    return true;
}
