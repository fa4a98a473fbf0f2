/* seal.h — messages sealed between one agent and its coordinator (libsodium's crypto_box: X25519,
 * XSalsa20, Poly1305), and the files that keys are kept in.
 *
 * An envelope is a CBOR array (cbor.h) of at most SEAL_BYTES_MAX bytes:
 *
 * | entry  | value                                                                       |
 * |--------|-----------------------------------------------------------------------------|
 * | format | text "thaw1"                                                                |
 * | sender | byte string: 16, an agent's id; 32, the public key of one that enrols. In   |
 * |        | answers: the same, so that it says whose conversation it is                 |
 * | nonce  | 24 random bytes                                                             |
 * | box    | byte string: the authenticator (16 bytes) and what is sealed                |
 *
 * Sealed is a head, then the message's bytes:
 *
 * | offset | size | meaning                                                               |
 * |--------|------|-----------------------------------------------------------------------|
 * | 0      | 1    | purpose (enum seal_purpose): an answer is never taken for a request    |
 * | 1      | 1    | channel: conversations of one agent that go on side by side            |
 * | 2      | 8    | session, big endian: chosen by the coordinator; 0: not known yet       |
 * | 10     | 8    | counter, big endian: names a request of a channel; its answer has it   |
 *
 * Against replay: the coordinator keeps one session for each agent and channel, in memory only. A
 * request of another session (the agent or the coordinator has started anew, or somebody repeats
 * old bytes) is not handled: the answer is SEAL_SESSION, which names the session to use, and the
 * agent asks again in it. Within a session counters only rise; a request with the last counter gets
 * the same answer again, a lower one none. An agent's first counter is random, so that old answers
 * fit no new request. */
#ifndef THAW_JOBS_WIRE_SEAL_H
#define THAW_JOBS_WIRE_SEAL_H

#include "jobs/wire/message.h"

#define SEAL_BYTES_MAX    65536
#define SEAL_KEY_SIZE     32
#define SEAL_NONCE_SIZE   24
#define SEAL_HEAD_SIZE    18
#define SEAL_SENDER_MAX   32
#define SEAL_KEY_HEX_SIZE (2 * SEAL_KEY_SIZE + 1)

struct seal_keys {
    uint8_t public_key[SEAL_KEY_SIZE];
    uint8_t secret_key[SEAL_KEY_SIZE]; /* seal_wipe it when done */
};
/* What two sides share: computed once for each peer, used for every message. Secret. */
struct seal_pair {
    uint8_t key[SEAL_KEY_SIZE];
};

enum seal_purpose {
    SEAL_REQUEST = 1,
    SEAL_ANSWER = 2,
    SEAL_SESSION = 3, /* "ask again in this session": the message is empty */
    SEAL_WAIT = 4,    /* "I have your request: ask once more for the answer": empty too */
};
enum seal_channel { SEAL_WORK, SEAL_BEAT };
#define SEAL_CHANNELS 2

struct seal_head {
    enum seal_purpose purpose;
    enum seal_channel channel;
    uint64_t session;
    uint64_t counter;
};

/* An envelope taken apart; spans point into it. Nothing of it is proven yet. */
struct seal_envelope {
    struct span sender; /* 16 or 32 bytes */
    struct span nonce;
    struct span box;
};

/* Keys from the system's randomness. */
bool seal_keys_make(struct seal_keys *keys, struct err *err);
/* Text: "thaw key 1", "public HEX", "secret HEX". Written with mode 0600, whole or not at all. */
bool seal_keys_save(const struct seal_keys *keys, const char *path, struct err *err);
/* ERR_ACCESS if others than its owner may read or write the file, ERR_INVALID if it is no key file
 * or the two keys do not belong together. */
bool seal_keys_load(const char *path, struct seal_keys *keys, struct err *err);
/* Overwrites secrets in a way that compilers keep. */
void seal_wipe(void *secret, size_t size);

struct seal_key_hex {
    char text[SEAL_KEY_HEX_SIZE];
};
struct seal_key_hex seal_key_hex(const uint8_t public_key[SEAL_KEY_SIZE]);
/* 64 hex digits, no more, no less. */
bool seal_key_parse(const char *text, uint8_t public_key[SEAL_KEY_SIZE], struct err *err);

/* ERR_INVALID for a public key that is none (small order). */
bool seal_pair_make(const struct seal_keys *own, const uint8_t peer_public[SEAL_KEY_SIZE],
                    struct seal_pair *out, struct err *err);
uint64_t seal_random(void);

struct seal_options {
    struct span sender; /* 16 or 32 bytes */
    struct seal_head head;
    const uint8_t *nonce; /* NULL: random, as it must be but in tests */
};
/* Appends the envelope to `out`. ERR_TOO_BIG over MESSAGE_BYTES_MAX. */
bool seal_wrap(const struct seal_pair *pair, const struct seal_options *options,
               struct span message, struct buf *out, struct err *err);
/* Takes the envelope apart. ERR_TOO_BIG, ERR_CORRUPT, ERR_UNSUPPORTED (another format). */
bool seal_parse(struct span bytes, struct seal_envelope *out, struct err *err);
/* Opens it; the message is put into `message` (cleared before). ERR_ACCESS if it was not sealed by
 * the other side of `pair`, or was changed; ERR_CORRUPT if what is sealed has no head. */
bool seal_open(const struct seal_pair *pair, const struct seal_envelope *envelope,
               struct seal_head *head, struct buf *message, struct err *err);

#endif
