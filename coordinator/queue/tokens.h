/* tokens.h — who may talk: enrolment tokens of agents, API tokens with roles. Only hashes of tokens
 * are kept; the caller hashes (SHA-256 of the token's text) and makes the randomness. */
#ifndef THAW_COORDINATOR_QUEUE_TOKENS_H
#define THAW_COORDINATOR_QUEUE_TOKENS_H

#include "coordinator/queue/queue.h"

enum queue_role { QUEUE_ROLE_READ, QUEUE_ROLE_SUBMIT, QUEUE_ROLE_AGENT, QUEUE_ROLE_ADMIN };
#define QUEUE_ROLE_COUNT 4
const char *queue_role_name(enum queue_role role); /* "read", "submit", "agent", "admin" */
bool queue_role_parse(const char *name, enum queue_role *out);

struct queue_token {
    struct hash hash;
    const char *name; /* for people, unique among API tokens */
    enum queue_role role;
    uint64_t created_ms, expires_ms; /* 0: never */
};

/* ERR_CONFLICT if the name or the hash is there. */
bool queue_token_add(struct queue *queue, const struct queue_token *token, struct err *err);
/* By name. ERR_NOT_FOUND. */
bool queue_token_remove(struct queue *queue, const char *name, struct err *err);
/* ERR_ACCESS if it is not there or has expired. `name` has QUEUE_TAG_MAX + 1 bytes. */
bool queue_token_check(struct queue *queue, const struct hash *hash, enum queue_role *role,
                       char *name, struct err *err);
typedef bool queue_token_callback(void *context, const struct queue_token *token);
bool queue_tokens_each(struct queue *queue, queue_token_callback *each, void *context,
                       struct err *err);

/* A token that enrols one agent, once, until it expires. */
bool queue_enrolment_add(struct queue *queue, const struct hash *hash, uint64_t expires_ms,
                         struct err *err);

struct queue_enrolment {
    struct hash token;
    uint8_t key[32]; /* the agent's public key */
    const char *name;
    struct queue_id id; /* random: given to the agent if the token is good */
};
/* Uses the token up and adds the agent. The same token with the same key again gives the same id
 * (the first answer may have been lost). ERR_ACCESS: unknown, expired, or used with another key. */
bool queue_enrol(struct queue *queue, const struct queue_enrolment *enrolment, struct queue_id *out,
                 struct err *err);

#endif
