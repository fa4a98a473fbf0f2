/* wire_service.h — a small coordinator and its agents in one process, the gateway in another: to
 * try the wire with real sockets. For programs linked with the coordinator and agent/farm; their
 * main must give its arguments to gateway_command when argv[1] is GATEWAY_COMMAND. */
#ifndef THAW_TESTS_WIRE_SERVICE_H
#define THAW_TESTS_WIRE_SERVICE_H

#include "agent/farm/link.h"
#include "coordinator/gateway.h"
#include "coordinator/peer.h"

#define WIRE_AGENTS_MAX 4096
#define WIRE_HELD_MAX   256

struct wire_service {
    struct seal_keys keys;
    struct gateway_options options;
    char url[128];
    char *folder;
    struct gateway *gateway;
    struct peers *peers;
    struct message_id ids[WIRE_AGENTS_MAX];
    struct seal_keys agent_keys[WIRE_AGENTS_MAX];
    size_t agent_count;
    bool hold_claims; /* keep them in `held` instead of granting */
    uint64_t held[WIRE_HELD_MAX];
    size_t held_count;
    uint64_t handled;  /* requests */
    uint64_t granted;  /* jobs, numbered from 1 */
    uint64_t recorded; /* results that were new: leases 1 … LEASES */
    uint8_t *seen;     /* how often the result of a lease was recorded */
    struct message *answer;
};
#define WIRE_LEASES_MAX 100000

enum wire_transport { WIRE_IPC, WIRE_TCP, WIRE_TCP6 };
/* Opens with the default limits unless service->options.limits was set before (connections != 0).
 */
void wire_service_open(struct wire_service *service, enum wire_transport transport);
void wire_service_close(struct wire_service *service);
/* The coordinator dies and starts again; the gateway as well. */
void wire_service_restart(struct wire_service *service);
/* One turn of the core's loop, not waiting: everything that has come is answered and committed. */
void wire_service_turn(struct wire_service *service);
/* Grants one job to each claim that is held. */
void wire_service_release(struct wire_service *service);
/* A new agent that the coordinator knows, and a link of it. */
size_t wire_service_agent(struct wire_service *service);
struct link *wire_service_link(struct wire_service *service, size_t agent,
                               enum seal_channel channel);
/* Waits until something has happened for the coordinator or a link (or a short while has passed),
 * and does a turn. Fails the test when its guard of two minutes is over. */
void wire_service_wait(struct wire_service *service, struct link **links, size_t count);
/* Asks and waits for the answer, the coordinator working meanwhile. */
enum message_kind wire_service_call(struct wire_service *service, struct link *link,
                                    const struct message *request, struct message *answer);

#endif
