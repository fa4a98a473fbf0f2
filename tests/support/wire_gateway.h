/* wire_gateway.h — a gateway and the coordinator's end of it, clients that behave and plain sockets
 * that do not. For programs linked with the coordinator; see wire_service.h about their main. */
#ifndef THAW_TESTS_WIRE_GATEWAY_H
#define THAW_TESTS_WIRE_GATEWAY_H

#include "coordinator/gateway.h"

#define TURNS_MAX 6000 /* of at most 20 ms: the guard of every wait */
#define LARGEST   65536

struct wire_gateway {
    struct gateway *gateway;
    struct gateway_options options;
    char url[128], path[128], ipc_url[140];
    char *folder;
    unsigned port;
    uint64_t now_ns; /* of the clock, when fake */
    int turns;
    size_t requests; /* that came */
    bool echo;       /* answer them with their own bytes */
    struct buf last;
    uint8_t route[GATEWAY_ROUTE_MAX];
    size_t route_size;
};

/* Set-up and tear-down of a test: listens at both transports once wire_gateway_start is called; the
 * limits may be changed before. */
int wire_gateway_make(void **state);
int wire_gateway_free(void **state);
void wire_gateway_start(struct wire_gateway *fixture);
/* One turn of the coordinator; waits a little for the gateway. */
void wire_gateway_turn(struct wire_gateway *fixture);
/* Fails the test unless a new client gets its answer. */
void wire_gateway_serves(struct wire_gateway *fixture, const char *url);
/* A nanomsg client as any program might have one. */
int wire_client_open(const char *url, int resend_ms);
/* Waits for the client's answer, whose size is returned. */
int wire_client_answer(struct wire_gateway *fixture, int client);
/* A plain socket, to say what nanomsg would not. */
int wire_raw_open(const struct wire_gateway *fixture, bool unix_socket);
/* The greeting of an SP connection (sp-tcp-mapping, section 3): 00 'S' 'P' 00, protocol, reserved.
 */
extern const uint8_t wire_greeting[8];
/* Greets and announces a message of that size; the ipc mapping has a byte 1 before the size. */
void wire_raw_announce(int fd, bool unix_socket, uint64_t size);

#endif
