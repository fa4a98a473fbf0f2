#include "coordinator/peer.h"

#include "coordinator/peer_table.h"
#include "storage/base/check.h"
#include "storage/base/log.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* A slot's number: a count that never repeats, then which conversation it is. */
#define SLOT_INDEX_BITS   16
#define SLOT_CHANNEL_BITS 2
_Static_assert(SEAL_CHANNELS <= 1 << SLOT_CHANNEL_BITS, "more channels than a slot can tell");

struct peers {
    struct peers_options options;
    struct seal_keys keys;
    struct peer_table table;
    struct conversation *touched; /* since the last commit */
    uint64_t slot_count, heard_count;
    struct peers_figures figures;
    struct buf opened;  /* the message that was opened last: what `message` points into */
    struct buf encoded; /* an answer on its way */
    struct buf sealed;
    struct message message;
    struct message refusal;
};

bool peers_new(const struct peers_options *options, struct peers **out, struct err *err)
{
    struct peers *peers;
    struct seal_keys probe;

    if (!seal_keys_make(&probe, err)) /* libsodium works */
        return false;
    peers = mem_alloc(sizeof *peers);
    peers->options = *options;
    peers->keys = *options->keys;
    peers->options.keys = NULL;
    peers->opened = (struct buf)BUF_INIT(SEAL_BYTES_MAX);
    peers->encoded = (struct buf)BUF_INIT(MESSAGE_BYTES_MAX);
    peers->sealed = (struct buf)BUF_INIT(SEAL_BYTES_MAX);
    peer_table_init(&peers->table, options->peers_max == 0 ? PEERS_MAX : options->peers_max,
                    PEERS_ENROL_MAX);
    *out = peers;
    return true;
}

void peers_free(struct peers *peers)
{
    if (peers == NULL)
        return;
    peer_table_release(&peers->table);
    seal_wipe(&peers->keys, sizeof peers->keys);
    buf_release(&peers->opened);
    buf_release(&peers->encoded);
    buf_release(&peers->sealed);
    mem_free(peers);
}

/* Attacks come by the thousand: the 1st, 2nd, 4th, 8th, … of a kind is told of. */
static void complain(uint64_t count, struct span sender, const char *what)
{
    char name[2 * SEAL_SENDER_MAX + 1] = "";

    if ((count & (count - 1)) != 0)
        return;
    for (size_t i = 0; i < sender.size; i++)
        (void)snprintf(name + 2 * i, 3, "%02x", sender.data[i]);
    log_message(LOG_WARNING, "%s %s: %s (%" PRIu64 " so far, of all)",
                sender.size == SEAL_KEY_SIZE ? "key" : "agent", name, what, count);
}

static struct conversation *find_slot(const struct peers *peers, uint64_t slot,
                                      struct peer **peer_out)
{
    uint64_t channel = slot & ((1u << SLOT_CHANNEL_BITS) - 1);
    uint64_t index = slot >> SLOT_CHANNEL_BITS & ((1u << SLOT_INDEX_BITS) - 1);
    struct peer *peer = peer_table_at(&peers->table, (uint32_t)index);
    struct conversation *conversation;

    if (peer == NULL || channel >= SEAL_CHANNELS)
        return NULL;
    conversation = &peer->conversations[channel];
    if (conversation->slot != slot || conversation->state != CONVERSATION_OPEN)
        return NULL;
    *peer_out = peer;
    return conversation;
}

static void touch(struct peers *peers, struct conversation *conversation)
{
    if (conversation->touched)
        return;
    conversation->touched = true;
    conversation->next_touched = peers->touched;
    peers->touched = conversation;
}

/* Nothing was asked, whatever was. */
static void conversation_close(struct conversation *conversation)
{
    conversation->state = CONVERSATION_IDLE;
    conversation->fresh = conversation->unsent = false;
    buf_release(&conversation->answer);
}

static void set_key(struct peer *peer, const uint8_t key[SEAL_KEY_SIZE],
                    const struct seal_pair *pair)
{
    bool changed = memcmp(peer->public_key, key, SEAL_KEY_SIZE) != 0;

    memcpy(peer->public_key, key, SEAL_KEY_SIZE);
    peer->pair = *pair;
    peer->forgotten = false;
    for (int i = 0; i < SEAL_CHANNELS && changed; i++) {
        conversation_close(&peer->conversations[i]);
        peer->conversations[i].session = peer->conversations[i].offered = 0;
    }
}

/* The peer of that name with a key that holds; NULL if there is none, or no room. */
static struct peer *find_peer(struct peers *peers, struct span sender)
{
    struct peer *peer = peer_table_find(&peers->table, sender);
    uint8_t key[SEAL_KEY_SIZE];
    struct seal_pair pair;
    struct message_id id;
    struct err err = ERR_INIT;

    if (peer != NULL && !peer->forgotten)
        return peer;
    if (sender.size == SEAL_KEY_SIZE) {
        memcpy(key, sender.data, sizeof key);
    } else {
        memcpy(id.bytes, sender.data, sizeof id.bytes);
        if (!peers->options.find(peers->options.context, &id, key))
            return NULL;
    }
    if (!seal_pair_make(&peers->keys, key, &pair, &err))
        return NULL;
    if (peer == NULL)
        peer = peer_table_add(&peers->table, sender);
    if (peer != NULL)
        set_key(peer, key, &pair);
    seal_wipe(&pair, sizeof pair);
    return peer;
}

static void send_to(struct peers *peers, struct span route, struct span bytes)
{
    peers->options.send(peers->options.send_context, route, bytes);
}

static bool seal_for(struct peers *peers, const struct peer *peer, const struct seal_head *head,
                     struct span message, struct err *err)
{
    struct seal_options options = {{peer->sender, peer->sender_size}, *head, NULL};

    buf_clear(&peers->sealed);
    return seal_wrap(&peer->pair, &options, message, &peers->sealed, err);
}

/* Says something that is no answer, at once. */
static void send_sign(struct peers *peers, const struct peer *peer, const struct seal_head *head,
                      struct span route)
{
    struct err err = ERR_INIT;

    CHECK(seal_for(peers, peer, head, (struct span){NULL, 0}, &err));
    send_to(peers, route, buf_span(&peers->sealed));
}

/* Which session to ask in: always the same one until it is used. */
static void offer_session(struct peers *peers, const struct peer *peer,
                          struct conversation *conversation, const struct seal_head *asked,
                          struct span route)
{
    struct seal_head head = {SEAL_SESSION, asked->channel, 0, asked->counter};

    peers->figures.sessions++;
    while (conversation->offered == 0)
        conversation->offered = seal_random();
    head.session = conversation->offered;
    send_sign(peers, peer, &head, route);
}

/* False if the request is not of the session that is or begins. */
static bool enter_session(struct conversation *conversation, uint64_t session)
{
    if (session == 0)
        return false;
    if (session == conversation->session)
        return true;
    if (session != conversation->offered)
        return false;
    conversation_close(conversation);
    conversation->session = session;
    conversation->offered = 0;
    conversation->counter = 0;
    return true;
}

static void set_route(struct conversation *conversation, struct span route)
{
    memcpy(conversation->route, route.data, route.size);
    conversation->route_size = route.size;
}

static struct span route_of(const struct conversation *conversation)
{
    return (struct span){conversation->route, conversation->route_size};
}

/* The request with the last counter, once more. While there is no answer every other one gets a
 * sign, after which the agent asks once more: nanomsg gives an agent one reply to each request, so
 * there must be one that the answer can still go to. */
static void repeat_answer(struct peers *peers, const struct peer *peer,
                          struct conversation *conversation, const struct seal_head *asked,
                          struct span route)
{
    const struct seal_head wait = {SEAL_WAIT, asked->channel, asked->session, asked->counter};

    peers->figures.repeated++;
    set_route(conversation, route);
    if (conversation->state != CONVERSATION_OPEN && !conversation->unsent) {
        send_to(peers, route, buf_span(&conversation->answer));
        return;
    }
    conversation->signed_ = !conversation->signed_;
    if (conversation->signed_)
        send_sign(peers, peer, &wait, route);
}

static void open_slot(struct peers *peers, const struct peer *peer,
                      struct conversation *conversation, const struct seal_head *head,
                      struct span route)
{
    conversation_close(conversation);
    conversation->slot = (++peers->slot_count << SLOT_INDEX_BITS | peer->index)
                             << SLOT_CHANNEL_BITS |
                         (uint64_t)head->channel;
    conversation->state = CONVERSATION_OPEN;
    conversation->counter = head->counter;
    conversation->signed_ = false;
    conversation->fresh = true;
    set_route(conversation, route);
    touch(peers, conversation);
}

static bool is_request(enum message_kind kind)
{
    return kind == MESSAGE_HELLO || kind == MESSAGE_CLAIM || kind == MESSAGE_BEAT ||
           kind == MESSAGE_RESULT || kind == MESSAGE_RELEASE || kind == MESSAGE_BYE ||
           kind == MESSAGE_ENROL;
}

static bool read_request(struct peers *peers, const struct peer *peer, struct err *err)
{
    bool enrols = peer->sender_size == SEAL_KEY_SIZE;

    if (!message_decode(buf_span(&peers->opened), &peers->message, err))
        return false;
    if (!is_request(peers->message.kind))
        return err_set(err, ERR_INVALID, "%s is not a request",
                       message_kind_name(peers->message.kind));
    if ((peers->message.kind == MESSAGE_ENROL) != enrols)
        return err_set(err, ERR_INVALID, "%s from %s", message_kind_name(peers->message.kind),
                       enrols ? "somebody who is not enrolled" : "an agent that is enrolled");
    if (enrols && memcmp(peers->message.u.enrol.public_key, peer->sender, SEAL_KEY_SIZE) != 0)
        return err_set(err, ERR_ACCESS, "the key to enrol is not the key of the seal");
    return true;
}

static bool take_request(struct peers *peers, struct peer *peer, struct conversation *conversation,
                         struct peer_request *out)
{
    struct err err = ERR_INIT;

    if (!read_request(peers, peer, &err)) {
        /* Nothing depends on this answer, so it need not wait for a commit. */
        complain(++peers->figures.malformed, (struct span){peer->sender, peer->sender_size},
                 err.text);
        peers_refuse(peers, conversation->slot, &err);
        conversation->fresh = conversation->unsent = false;
        send_to(peers, route_of(conversation), buf_span(&conversation->answer));
        return false;
    }
    peers->figures.requests++;
    out->slot = conversation->slot;
    out->message = &peers->message;
    out->channel = (enum seal_channel)(conversation - peer->conversations);
    memset(&out->agent, 0, sizeof out->agent);
    if (peer->sender_size == MESSAGE_ID_SIZE)
        memcpy(out->agent.bytes, peer->sender, sizeof out->agent.bytes);
    return true;
}

static bool receive_opened(struct peers *peers, struct peer *peer, const struct seal_head *head,
                           struct span route, struct peer_request *out)
{
    struct conversation *conversation = &peer->conversations[head->channel];

    peer->heard = ++peers->heard_count;
    if (!enter_session(conversation, head->session)) {
        offer_session(peers, peer, conversation, head, route);
        return false;
    }
    if (head->counter < conversation->counter || head->counter == 0) {
        peers->figures.stale++;
        return false;
    }
    if (head->counter == conversation->counter && conversation->state != CONVERSATION_IDLE) {
        repeat_answer(peers, peer, conversation, head, route);
        return false;
    }
    open_slot(peers, peer, conversation, head, route);
    return take_request(peers, peer, conversation, out);
}

bool peers_receive(struct peers *peers, struct span route, struct span bytes,
                   struct peer_request *out)
{
    struct seal_envelope envelope;
    struct err err = ERR_INIT;
    struct seal_head head;
    struct peer *peer;

    if (route.size > PEER_ROUTE_MAX || !seal_parse(bytes, &envelope, &err)) {
        peers->figures.malformed++;
        return false;
    }
    peer = find_peer(peers, envelope.sender);
    if (peer == NULL) {
        complain(++peers->figures.unknown, envelope.sender, "is not known here");
        return false;
    }
    if (!seal_open(&peer->pair, &envelope, &head, &peers->opened, &err) ||
        head.purpose != SEAL_REQUEST) {
        complain(++peers->figures.forged, envelope.sender,
                 "an envelope in its name that it has not sealed as a request");
        return false;
    }
    return receive_opened(peers, peer, &head, route, out);
}

bool peers_waits(const struct peers *peers, uint64_t slot)
{
    struct peer *peer;

    return find_slot(peers, slot, &peer) != NULL;
}

bool peers_answer(struct peers *peers, uint64_t slot, const struct message *message,
                  struct err *err)
{
    struct peer *peer;
    struct conversation *conversation = find_slot(peers, slot, &peer);
    struct seal_head head;

    if (conversation == NULL)
        return true;
    head = (struct seal_head){SEAL_ANSWER, (enum seal_channel)(conversation - peer->conversations),
                              conversation->session, conversation->counter};
    buf_clear(&peers->encoded);
    if (!message_encode(message, &peers->encoded, err) ||
        !seal_for(peers, peer, &head, buf_span(&peers->encoded), err))
        return false;
    buf_release(&conversation->answer); /* small again after a large one */
    if (!buf_append(&conversation->answer, peers->sealed.data, peers->sealed.size, err))
        return false;
    conversation->state = CONVERSATION_ANSWERED;
    conversation->unsent = true;
    touch(peers, conversation);
    return true;
}

void peers_refuse(struct peers *peers, uint64_t slot, const struct err *err)
{
    struct err ignored = ERR_INIT;

    message_refuse(&peers->refusal, err);
    CHECK(peers_answer(peers, slot, &peers->refusal, &ignored));
}

static struct conversation *next_touched(struct peers *peers)
{
    struct conversation *conversation = peers->touched;

    if (conversation != NULL) {
        peers->touched = conversation->next_touched;
        conversation->touched = false;
    }
    return conversation;
}

void peers_commit(struct peers *peers)
{
    struct conversation *conversation;

    while ((conversation = next_touched(peers)) != NULL) {
        if (conversation->unsent)
            send_to(peers, route_of(conversation), buf_span(&conversation->answer));
        conversation->fresh = conversation->unsent = false;
    }
}

void peers_abort(struct peers *peers)
{
    struct conversation *conversation;

    while ((conversation = next_touched(peers)) != NULL)
        if (conversation->fresh || conversation->unsent)
            conversation_close(conversation);
}

void peers_forget(struct peers *peers, const struct message_id *agent)
{
    struct peer *peer =
        peer_table_find(&peers->table, (struct span){agent->bytes, sizeof agent->bytes});

    if (peer == NULL)
        return;
    peer->forgotten = true;
    for (int i = 0; i < SEAL_CHANNELS; i++)
        conversation_close(&peer->conversations[i]);
}

void peers_figures(const struct peers *peers, struct peers_figures *out)
{
    *out = peers->figures;
}
