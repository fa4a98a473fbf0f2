/* gateway.h — the process that talks to the network, and the coordinator's end of it.
 *
 * libnanomsg stops the process when it cannot have memory, so it lives in a process that holds
 * nothing: the gateway passes requests of agents on to the coordinator and answers back, over a
 * stream socket pair. It opens no seals and knows no keys. When it dies it is started again; agents
 * resend what has not been answered, so nothing is lost but time. The coordinator's process never
 * opens a nanomsg socket.
 *
 * A program of this host that may open an ipc:// socket can end the gateway with one wrong byte
 * (nanomsg asserts it): such a socket is for its owner and group only.
 *
 * Both ways a frame is (gateway_frame.h):
 *
 * | offset | size | meaning                                                             |
 * |--------|------|---------------------------------------------------------------------|
 * | 0      | 4    | bytes that follow, little endian, at most GATEWAY_FRAME_MAX          |
 * | 4      | 1    | kind: 1 request, 2 answer, 3 figures (u64 LE each), 4 why it fails   |
 * | 5      | 1    | bytes of the route                                                  |
 * | 6      | 2    | 0                                                                   |
 * | 8      | n    | route: the SP header, opaque; an answer repeats its request's        |
 * | 8 + n  | m    | the message: an envelope (jobs/wire/seal.h)                         |
 *
 * Bounds, all in struct gateway_limits: bytes of a message, connections (by the limit on open
 * files: the kernel keeps the rest waiting), requests a second of one connection (further ones are
 * dropped and counted; nanomsg tells of no connections, so a peer is the pipe id in the SP header),
 * memory (RLIMIT_AS), frames waiting for the coordinator (then the network is not read). */
#ifndef THAW_COORDINATOR_GATEWAY_H
#define THAW_COORDINATOR_GATEWAY_H

#include "storage/base/buf.h"
#include "storage/base/clock.h"

#include <sys/types.h>

#define GATEWAY_ROUTE_MAX       64
#define GATEWAY_FRAME_MAX       (65536 + 4 + GATEWAY_ROUTE_MAX)
#define GATEWAY_CONNECTIONS_MAX 65536
#define GATEWAY_URLS_MAX        8

struct gateway_limits {
    uint32_t connections;  /* at a time */
    uint32_t rate;         /* requests a second of one connection */
    uint32_t burst;        /* that it may have saved up */
    uint64_t memory_bytes; /* of address space; 0: no limit (sanitizers need it) */
    uint32_t frame_bytes;  /* waiting for the coordinator */
};
/* 8192 connections (fewer where the host allows fewer open files), 2000/s, bursts of 4000, 1 GiB, 4
 * MiB. */
extern const struct gateway_limits gateway_limits_default;

struct gateway_options {
    const char
        *urls[GATEWAY_URLS_MAX]; /* "tcp://ADDRESS:PORT" (or *, [IPv6]), "ipc://PATH" (mode 0660) */
    size_t url_count;
    struct gateway_limits limits;
};

/* What it has seen since it started. */
struct gateway_figures {
    uint64_t connections;   /* now */
    uint64_t accepted;      /* ever */
    uint64_t requests;      /* passed on */
    uint64_t answers;       /* sent */
    uint64_t dropped_rate;  /* over their peer's rate */
    uint64_t dropped_route; /* messages without a proper SP header */
    uint64_t put_out;       /* connections, over the limit of those */
    uint64_t restarts;      /* of the gateway; counted by the coordinator's end */
};

/* The gateway's process: serves until the coordinator closes its end of `fd`. Returns then, or with
 * an error (a URL that cannot be listened at). Call it in a fresh program only. */
bool gateway_serve(const struct gateway_options *options, int fd, struct err *err);
/* The same from arguments: `gateway FD CONNECTIONS RATE BURST MEMORY FRAMES URL…`, as gateway_open
 * starts it. A program that opens a gateway must hand its arguments to this first thing in main
 * when argv[1] is GATEWAY_COMMAND; the exit status is returned. */
#define GATEWAY_COMMAND "gateway"
int gateway_command(int argc, char **argv);

/* The coordinator's end: starts the process (this program again, see gateway_command), starts it
 * again when it has died, moves frames. One thread. */
struct gateway;
/* Succeeds once the process listens: an address in use is an error here. `clock` is borrowed. */
bool gateway_open(const struct gateway_options *options, const struct clock_source *clock,
                  struct gateway **out, struct err *err);
void gateway_close(struct gateway *gateway); /* NULL does nothing */
/* What poll(2) should wait for: the descriptor (another after a restart; -1: none now), its events,
 * and the monotonic time to call gateway_turn and gateway_next at the latest (0: at once, for not
 * all that has come was taken by gateway_next). */
int gateway_fd(const struct gateway *gateway);
short gateway_events(const struct gateway *gateway);
uint64_t gateway_deadline_ns(const struct gateway *gateway);
/* Reads and writes what goes without waiting; starts the process again if it has died. Never fails:
 * what cannot be helped is logged and tried again later. */
void gateway_turn(struct gateway *gateway);
/* The next request that has arrived, or false. Spans live until the next gateway_turn. */
bool gateway_next(struct gateway *gateway, struct span *route, struct span *bytes);
/* Sends an answer: copied, written by gateway_turn (and tried at once). Dropped, as the network may
 * do too, when the gateway is down. Its signature fits peers_options.send. */
void gateway_send(void *gateway, struct span route, struct span bytes);
/* Changes with every restart: routes of an earlier generation lead nowhere. */
uint64_t gateway_generation(const struct gateway *gateway);
void gateway_figures(const struct gateway *gateway, struct gateway_figures *out);
/* For tests and figures; -1: not running. */
pid_t gateway_pid(const struct gateway *gateway);

#endif
