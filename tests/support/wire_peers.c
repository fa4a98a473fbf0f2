#include "tests/support/wire_peers.h"

#include "tests/support/base_test.h"
#include "tests/support/wire_sample.h"

#include <string.h>

static bool farm_find(void *context, const struct message_id *id, uint8_t key[SEAL_KEY_SIZE])
{
    struct farm *farm = context;

    for (size_t i = 0; i < farm->agent_count; i++) {
        if (message_id_equal(id, &farm->agents[i].id) && !farm->agents[i].unknown) {
            memcpy(key, farm->agents[i].keys.public_key, SEAL_KEY_SIZE);
            return true;
        }
    }
    return false;
}

static void farm_send(void *context, struct span route, struct span bytes)
{
    struct farm *farm = context;
    struct err err = ERR_INIT;

    farm->sent++;
    assert_true(route.size < sizeof farm->route);
    memcpy(farm->route, route.data, route.size);
    farm->route[route.size] = 0;
    buf_clear(&farm->last);
    BASE_OK(buf_append(&farm->last, bytes.data, bytes.size, &err), &err);
}

struct agent *farm_agent(struct farm *farm)
{
    struct agent *agent = &farm->agents[farm->agent_count++];
    struct err err = ERR_INIT;

    agent->id = wire_id((uint8_t)(farm->agent_count * 16));
    BASE_OK(seal_keys_make(&agent->keys, &err), &err);
    BASE_OK(seal_pair_make(&agent->keys, farm->keys.public_key, &agent->pair, &err), &err);
    for (int i = 0; i < SEAL_CHANNELS; i++)
        agent->counter[i] = 1000;
    return agent;
}

int farm_open(void **state)
{
    struct farm *farm = mem_alloc(sizeof *farm);
    struct err err = ERR_INIT;

    farm->last = farm->opened = (struct buf)BUF_INIT(SEAL_BYTES_MAX);
    farm->message = mem_alloc(sizeof *farm->message);
    BASE_OK(seal_keys_make(&farm->keys, &err), &err);
    farm_restart(farm);
    *state = farm;
    return 0;
}

void farm_restart(struct farm *farm)
{
    struct peers_options options = {&farm->keys, 4, farm, farm_find, farm_send, farm};
    struct err err = ERR_INIT;

    peers_free(farm->peers);
    BASE_OK(peers_new(&options, &farm->peers, &err), &err);
}

int farm_close(void **state)
{
    struct farm *farm = *state;

    peers_free(farm->peers);
    buf_release(&farm->last);
    buf_release(&farm->opened);
    mem_free(farm->message);
    mem_free(farm);
    return 0;
}

static struct span sender_of(const struct agent *agent)
{
    return agent->enrols ? (struct span){agent->keys.public_key, SEAL_KEY_SIZE}
                         : (struct span){agent->id.bytes, MESSAGE_ID_SIZE};
}

struct buf farm_seal(struct agent *agent, enum seal_channel channel, struct span message)
{
    struct seal_options options = {
        sender_of(agent),
        {SEAL_REQUEST, channel, agent->session[channel], agent->counter[channel]},
        NULL};
    struct buf sealed = BUF_INIT(SEAL_BYTES_MAX);
    struct err err = ERR_INIT;

    BASE_OK(seal_wrap(&agent->pair, &options, message, &sealed, &err), &err);
    return sealed;
}

bool farm_receive(struct farm *farm, const char *route, struct span bytes, struct peer_request *out)
{
    return peers_receive(farm->peers, span_of_text(route), bytes, out);
}

bool farm_ask_bytes(struct farm *farm, struct agent *agent, enum seal_channel channel,
                    struct span message, struct peer_request *out)
{
    struct buf sealed = farm_seal(agent, channel, message);
    bool got = farm_receive(farm, "route", buf_span(&sealed), out);

    buf_release(&sealed);
    return got;
}

bool farm_ask_again(struct farm *farm, struct agent *agent, enum seal_channel channel,
                    enum message_kind kind, struct peer_request *out)
{
    struct buf bytes = BUF_INIT(MESSAGE_BYTES_MAX);
    struct err err = ERR_INIT;
    bool got;

    wire_sample(kind, farm->message);
    if (kind == MESSAGE_ENROL)
        memcpy(farm->message->u.enrol.public_key, agent->keys.public_key, SEAL_KEY_SIZE);
    BASE_OK(message_encode(farm->message, &bytes, &err), &err);
    got = farm_ask_bytes(farm, agent, channel, buf_span(&bytes), out);
    buf_release(&bytes);
    return got;
}

struct seal_head farm_open_last(struct farm *farm, const struct agent *agent)
{
    struct seal_envelope envelope;
    struct seal_head head;
    struct err err = ERR_INIT;

    BASE_OK(seal_parse(buf_span(&farm->last), &envelope, &err), &err);
    assert_true(span_equal(envelope.sender, sender_of(agent)));
    BASE_OK(seal_open(&agent->pair, &envelope, &head, &farm->opened, &err), &err);
    return head;
}

bool farm_ask(struct farm *farm, struct agent *agent, enum seal_channel channel,
              enum message_kind kind, struct peer_request *out)
{
    size_t sent = farm->sent;
    struct seal_head head;

    agent->counter[channel]++;
    if (farm_ask_again(farm, agent, channel, kind, out))
        return true;
    if (farm->sent == sent)
        return false;
    head = farm_open_last(farm, agent);
    if (head.purpose != SEAL_SESSION)
        return false;
    assert_int_equal(head.counter, agent->counter[channel]);
    agent->session[channel] = head.session;
    return farm_ask_again(farm, agent, channel, kind, out);
}

void farm_answer(struct farm *farm, uint64_t slot, enum message_kind kind)
{
    struct err err = ERR_INIT;

    wire_sample(kind, farm->message);
    BASE_OK(peers_answer(farm->peers, slot, farm->message, &err), &err);
}

enum message_kind farm_last_kind(struct farm *farm, const struct agent *agent,
                                 enum seal_channel channel)
{
    struct seal_head head = farm_open_last(farm, agent);
    struct err err = ERR_INIT;

    assert_int_equal(head.purpose, SEAL_ANSWER);
    assert_int_equal(head.channel, channel);
    assert_int_equal(head.counter, agent->counter[channel]);
    assert_int_equal(head.session, agent->session[channel]);
    BASE_OK(message_decode(buf_span(&farm->opened), farm->message, &err), &err);
    return farm->message->kind;
}
