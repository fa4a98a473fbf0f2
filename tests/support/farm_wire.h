/* farm_wire.h — the whole coordinator (gateway process, seals, core, database, API) and agents that
 * a test plays over the wire. For programs linked with the coordinator and agent/farm; their main
 * must give its arguments to gateway_command when argv[1] is GATEWAY_COMMAND. */
#ifndef THAW_TESTS_FARM_WIRE_H
#define THAW_TESTS_FARM_WIRE_H

#include "agent/farm/link.h"
#include "tests/support/http_service.h"

struct farm_wire {
    struct http_service *s;
    char *folder;
    char url[128];
    struct seal_keys keys;
};
struct farm_wire_agent {
    struct farm_wire *farm;
    struct seal_keys keys;
    struct message_id id;
    struct message_id incarnation;
    struct message *ask, *answer;
    struct link *link;
};

struct farm_wire *farm_wire_open(void);
void farm_wire_close(struct farm_wire *farm);

/* Enrols under that name and opens the channel for work. Closed by the caller. */
struct farm_wire_agent *farm_wire_enrol(struct farm_wire *farm, const char *name);
void farm_wire_leave(struct farm_wire_agent *agent);
struct link *farm_wire_link(struct farm_wire_agent *agent, enum seal_channel channel);
/* Asks what is in agent->ask; the answer is in agent->answer. */
bool farm_wire_call(struct farm_wire_agent *agent, struct err *err);
void farm_wire_hello(struct farm_wire_agent *agent, const char *name);
void farm_wire_ask_claim(struct farm_wire_agent *agent, uint32_t wait_ms);
/* One job; fails the test if there is none. */
struct message_job farm_wire_claim(struct farm_wire_agent *agent);
/* Writes a result of that job into agent->ask, for the test to change. */
struct message_job_result *farm_wire_result(struct farm_wire_agent *agent,
                                            const struct message_job *job);
/* Sends what farm_wire_result wrote. */
enum message_outcome farm_wire_report(struct farm_wire_agent *agent);

#endif
