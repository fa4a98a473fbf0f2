/* invitation.h — what an agent must be told to join a farm, as one JSON file (mode 0600: it holds
 * secrets). `thaw agents --invite` makes it, `thaw agent --enrol` reads it; the agent keeps a copy
 * beside its keys.
 *
 * "name" is the agent's, if it has no other; "token" enrols it, once; "coordinator_key" is the
 * coordinator's public key; "agents" are the gateway's addresses; "coordinator" is the API's
 * address, "store_token" what opens the store there, "ca" the certificates to trust (PEM). */
#ifndef THAW_CLI_FARM_INVITATION_H
#define THAW_CLI_FARM_INVITATION_H

#include "cli/farm/client.h"
#include "jobs/wire/seal.h"

#define INVITATION_BYTES_MAX (1u << 20)

struct invitation {
    const char *name;        /* what the agent was invited as, or NULL */
    const char *token;       /* NULL: none */
    const char *dial;        /* the first of the gateway's addresses */
    const char *coordinator; /* NULL: the store is shared */
    const char *store_token; /* NULL: none */
    const char *ca;          /* PEM text, or NULL */
    uint8_t key[SEAL_KEY_SIZE];
    json_t *json; /* private: owns the texts */
};

/* ERR_INVALID, with the key that is missing or wrong. */
bool invitation_read(const char *path, struct invitation *out, struct err *err);
void invitation_release(struct invitation *invitation);
/* Asks the coordinator for one, adds its address and certificates, and writes it to `out`. `client`
 * may be NULL: no address is added, for agents that share the coordinator's store. */
bool invitation_make(struct remote *remote, const struct client *client, const char *name,
                     struct buf *out, struct err *err);
/* Whole or not at all, mode 0600. */
bool invitation_write(const char *path, struct span text, struct err *err);

#endif
