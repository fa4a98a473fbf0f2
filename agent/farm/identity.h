/* identity.h — who an agent is: its keys, and the id that the coordinator gave it when it enrolled.
 *
 * In the state folder: `keys` (seal.h), and `id`, 32 hex digits and a line end. */
#ifndef THAW_AGENT_FARM_IDENTITY_H
#define THAW_AGENT_FARM_IDENTITY_H

#include "agent/farm/service.h"

struct identity {
    struct seal_keys keys;
    struct message_id id;
    uint8_t coordinator[SEAL_KEY_SIZE];
    struct link_options link; /* made of the above; points into this struct */
};

/* Reads who we are; the first time makes keys and enrols with the options' token, in a process of
 * its own (this one must not open a link before it forks). ERR_NOT_FOUND if there is no id and no
 * token. An enrolment that was cut short is gone through again with the same keys. */
bool identity_open(const struct agent_options *options, struct identity *out, struct err *err);
/* Opens links by link.h; borrows the identity. */
struct line_opener identity_opener(struct identity *identity);

#endif
