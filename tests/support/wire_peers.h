/* wire_peers.h — agents that talk to peers (coordinator/peer.h) without a network: what is sent is
 * kept here. For programs that are linked with the coordinator. */
#ifndef THAW_TESTS_WIRE_PEERS_H
#define THAW_TESTS_WIRE_PEERS_H

#include "coordinator/peer.h"

#define FARM_AGENTS_MAX 8

struct agent {
    struct message_id id;
    struct seal_keys keys;
    struct seal_pair pair;
    bool enrols;  /* the sender is its key */
    bool unknown; /* to the coordinator */
    uint64_t session[SEAL_CHANNELS], counter[SEAL_CHANNELS];
};

struct farm {
    struct peers *peers;
    struct seal_keys keys;
    struct agent agents[FARM_AGENTS_MAX];
    size_t agent_count;
    size_t sent;     /* envelopes */
    struct buf last; /* the last one */
    char route[32];  /* where it went */
    struct message *message;
    struct buf opened;
};

/* Set-up and tear-down of a test: *state is a struct farm with room for four peers. */
int farm_open(void **state);
int farm_close(void **state);
/* The coordinator has lost its memory. */
void farm_restart(struct farm *farm);
/* One agent more, known to the coordinator. */
struct agent *farm_agent(struct farm *farm);
/* The envelope of a request with the agent's session and counter; the caller releases. */
struct buf farm_seal(struct agent *agent, enum seal_channel channel, struct span message);
bool farm_receive(struct farm *farm, const char *route, struct span bytes,
                  struct peer_request *out);
bool farm_ask_bytes(struct farm *farm, struct agent *agent, enum seal_channel channel,
                    struct span message, struct peer_request *out);
/* Sends a sample of that kind as it stands: same session, same counter. */
bool farm_ask_again(struct farm *farm, struct agent *agent, enum seal_channel channel,
                    enum message_kind kind, struct peer_request *out);
/* A new request; if the coordinator sends the agent to a session, it asks again there. */
bool farm_ask(struct farm *farm, struct agent *agent, enum seal_channel channel,
              enum message_kind kind, struct peer_request *out);
/* Answers with a sample. */
void farm_answer(struct farm *farm, uint64_t slot, enum message_kind kind);
/* Opens what was sent last, as the agent does. */
struct seal_head farm_open_last(struct farm *farm, const struct agent *agent);
/* The kind of message that was sent last, which must be the answer to the agent's last request. */
enum message_kind farm_last_kind(struct farm *farm, const struct agent *agent,
                                 enum seal_channel channel);

#endif
