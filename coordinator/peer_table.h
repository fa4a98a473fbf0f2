/* peer_table.h — private to peer.c: who has been heard of, by the sender in the envelope. */
#ifndef THAW_COORDINATOR_PEER_TABLE_H
#define THAW_COORDINATOR_PEER_TABLE_H

#include "jobs/wire/seal.h"

#define PEER_ROUTE_MAX 64

enum conversation_state {
    CONVERSATION_IDLE,     /* nothing asked since the session began, or given up */
    CONVERSATION_OPEN,     /* a request waits for its answer: the slot */
    CONVERSATION_ANSWERED, /* `answer` holds what was said last */
};

/* One channel of one peer. */
struct conversation {
    uint64_t session; /* 0: none */
    uint64_t offered; /* a session that was sent to the peer and not used yet; 0: none */
    uint64_t counter; /* of the last request in this session; 0: none */
    uint64_t slot;
    enum conversation_state state;
    bool signed_; /* the last request was a repetition that got a sign */
    bool fresh;   /* the request came since the last commit */
    bool unsent;  /* the answer was made since the last commit */
    bool touched; /* fresh or unsent: is in the list of those */
    struct conversation *next_touched;
    uint8_t route[PEER_ROUTE_MAX]; /* where the answer goes */
    size_t route_size;
    struct buf answer; /* sealed */
};

struct peer {
    uint8_t sender[SEAL_SENDER_MAX];
    size_t sender_size; /* MESSAGE_ID_SIZE, or SEAL_KEY_SIZE of one that enrols */
    uint32_t index;     /* in the table */
    bool forgotten;     /* its key must be looked up again */
    uint64_t heard;     /* number of the envelope that came last */
    uint8_t public_key[SEAL_KEY_SIZE];
    struct seal_pair pair;
    struct conversation conversations[SEAL_CHANNELS];
    struct peer *next; /* in the bucket */
};

/* Two kinds in one table, each with a maximum of its own; a full kind loses the one that was heard
 * of longest ago and is not touched. */
struct peer_table {
    struct peer **peers; /* by index: agents first, then those that enrol */
    struct peer **buckets;
    uint64_t seed;       /* so that nobody chooses ids that meet in one bucket */
    size_t bucket_count; /* a power of two */
    size_t agents_max, enrol_max;
};

void peer_table_init(struct peer_table *table, size_t agents_max, size_t enrol_max);
void peer_table_release(struct peer_table *table);
struct peer *peer_table_find(const struct peer_table *table, struct span sender);
/* Makes a peer; nothing of it is set but sender and index. NULL if there is no room. */
struct peer *peer_table_add(struct peer_table *table, struct span sender);
/* By index; NULL if there is none. */
struct peer *peer_table_at(const struct peer_table *table, uint32_t index);

#endif
