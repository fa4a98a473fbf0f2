/* Envelopes to a coordinator that knows one agent. The input is a list of: a byte, a length (16
 * bits, big endian), that many bytes. Even: the bytes are an envelope, or whatever they are. Odd:
 * they are what is sealed (head and message), sealed by the agent or, bit 1, by one that enrols.
 * What is handed out is answered, held or forgotten, by the upper bits. */
#include "coordinator/peer.h"
#include "storage/base/bytes.h"
#include "storage/base/check.h"
#include "tests/fuzz/fuzz.h"

#include <sodium.h>

struct world {
    struct peers *peers;
    struct seal_keys coordinator, agent;
    struct seal_pair pair;
    struct message_id id;
    uint64_t held;
    uint64_t session; /* offered last */
    struct buf opened;
};

static bool find(void *context, const struct message_id *agent, uint8_t key[SEAL_KEY_SIZE])
{
    const struct world *world = context;

    memcpy(key, world->agent.public_key, SEAL_KEY_SIZE);
    return message_id_equal(agent, &world->id);
}

static void send(void *context, struct span route, struct span bytes)
{
    struct world *world = context;
    struct seal_envelope envelope;
    struct seal_head head;
    struct err err = ERR_INIT;

    CHECK(route.size == 5 && bytes.size <= SEAL_BYTES_MAX);
    CHECK(seal_parse(bytes, &envelope, &err));
    CHECK(seal_open(&world->pair, &envelope, &head, &world->opened, &err));
    CHECK(head.purpose != SEAL_REQUEST);
    if (head.purpose == SEAL_SESSION)
        world->session = head.session;
}

/* The same keys in each run, so that a finding can be had again. */
static void world_init(struct world *world)
{
    const struct peers_options options = {&world->coordinator, 4, world, find, send, world};
    struct err err = ERR_INIT;

    memset(world->coordinator.secret_key, 1, SEAL_KEY_SIZE);
    memset(world->agent.secret_key, 2, SEAL_KEY_SIZE);
    memset(world->id.bytes, 3, sizeof world->id.bytes);
    CHECK(crypto_scalarmult_base(world->coordinator.public_key, world->coordinator.secret_key) ==
          0);
    CHECK(crypto_scalarmult_base(world->agent.public_key, world->agent.secret_key) == 0);
    CHECK(seal_pair_make(&world->agent, world->coordinator.public_key, &world->pair, &err));
    CHECK(peers_new(&options, &world->peers, &err));
}

static void wrap(const struct world *world, bool enrols, struct span plain, struct buf *out)
{
    struct seal_options options = {
        {enrols ? world->agent.public_key : world->id.bytes,
         enrols ? sizeof world->agent.public_key : sizeof world->id.bytes},
        {SEAL_REQUEST, SEAL_WORK, 0, 0},
        NULL};
    struct err err = ERR_INIT;

    if (plain.size < SEAL_HEAD_SIZE)
        return;
    options.head.purpose = (enum seal_purpose)plain.data[0];
    options.head.channel = (enum seal_channel)plain.data[1];
    options.head.session = load_be64(plain.data + 2);
    if (options.head.session == 1)
        options.head.session = world->session;
    options.head.counter = load_be64(plain.data + 10);
    (void)seal_wrap(&world->pair, &options,
                    (struct span){plain.data + SEAL_HEAD_SIZE, plain.size - SEAL_HEAD_SIZE}, out,
                    &err);
}

static void receive(struct world *world, uint8_t how, struct span bytes)
{
    static struct message answer;
    struct peer_request request;
    struct err err = ERR_INIT;

    if (peers_receive(world->peers, span_of_text("route"), bytes, &request)) {
        CHECK(peers_waits(world->peers, request.slot));
        CHECK(message_id_is_zero(&request.agent) == (request.message->kind == MESSAGE_ENROL));
        message_init(&answer, MESSAGE_ACK);
        if ((how & 4) != 0)
            CHECK(peers_answer(world->peers, request.slot, &answer, &err));
        else
            world->held = request.slot;
    }
    message_init(&answer, MESSAGE_EMPTY);
    if ((how & 8) != 0)
        CHECK(peers_answer(world->peers, world->held, &answer, &err));
    if ((how & 16) != 0)
        peers_abort(world->peers);
    if ((how & 32) != 0)
        peers_commit(world->peers);
    if ((how & 64) != 0)
        peers_forget(world->peers, &world->id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf sealed = BUF_INIT(SEAL_BYTES_MAX);
    struct world world = {.opened = BUF_INIT(SEAL_BYTES_MAX)};

    world_init(&world);
    while (size >= 3) {
        size_t length = load_be16(data + 1);
        struct span bytes = {data + 3, length < size - 3 ? length : size - 3};

        buf_clear(&sealed);
        if ((data[0] & 1) != 0)
            wrap(&world, (data[0] & 2) != 0, bytes, &sealed);
        receive(&world, data[0], (data[0] & 1) != 0 ? buf_span(&sealed) : bytes);
        data += 3 + bytes.size;
        size -= 3 + bytes.size;
    }
    peers_commit(world.peers);
    peers_free(world.peers);
    buf_release(&sealed);
    buf_release(&world.opened);
    return 0;
}
