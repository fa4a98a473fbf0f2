#include "sim/device/net_switch.h"

#include "sim/device/device.h"
#include "sim/device/virtio_net.h"
#include "storage/base/check.h"

#include <string.h>

#define ADDRESS_SIZE 6

static uint64_t address_of(const uint8_t *bytes)
{
    uint64_t address = 0;

    for (uint32_t i = 0; i < ADDRESS_SIZE; i++)
        address |= (uint64_t)bytes[i] << 8 * i;
    return address;
}

static bool address_is_group(uint64_t address)
{
    return (address & 1) != 0;
}

/* NET_ADDRESSES if it is not known. */
static uint32_t switch_find(const struct net_switch_state *state, uint64_t address)
{
    uint32_t i = 0;

    while (i < NET_ADDRESSES && state->address[i] != address)
        i++;
    return i;
}

static void switch_learn(struct net_switch_state *state, uint64_t address, uint32_t port)
{
    uint32_t entry = switch_find(state, address);

    if (address == 0 || address_is_group(address))
        return;
    if (entry == NET_ADDRESSES)
        entry = switch_find(state, 0);
    if (entry == NET_ADDRESSES) {
        entry = state->next_address;
        state->next_address = (entry + 1) % NET_ADDRESSES;
    }
    state->address[entry] = address;
    state->address_port[entry] = (uint8_t)port;
}

static uint8_t *switch_slot(const struct object *object, uint32_t slot)
{
    return object->images[0]->data + (uint64_t)slot * NET_FRAME_SLOT;
}

void net_switch_send(struct object *object, const struct object *from, struct span frame)
{
    const struct net_switch_config *config = object->config;
    struct net_switch_state *state = object->state;
    uint64_t clock_hz = machine_config(object->machine)->clock_hz;
    uint32_t port = 0;

    CHECK(frame.size >= NET_FRAME_MIN && frame.size <= NET_FRAME_MAX);
    while (port < NET_PORTS && object->links[port] != from)
        port++;
    if (port == NET_PORTS)
        return;
    switch_learn(state, address_of(frame.data + ADDRESS_SIZE), port);
    if (state->count == NET_FLIGHT_MAX) {
        state->lost++;
        return;
    }
    uint32_t slot = (state->head + state->count) % NET_FLIGHT_MAX;
    memcpy(switch_slot(object, slot), frame.data, frame.size);
    image_touch(object->images[0], (uint64_t)slot * NET_FRAME_SLOT, NET_FRAME_SLOT);
    state->due[slot] =
        machine_now(object->machine) + hz_cycle_of(config->latency_ns, NS_HZ, clock_hz);
    state->size[slot] = (uint32_t)frame.size;
    state->from[slot] = (uint8_t)port;
    state->count++;
    machine_deadline_changed(object->machine);
}

static void switch_forward(struct object *object, struct span frame, uint32_t from)
{
    const struct net_switch_state *state = object->state;
    uint64_t destination = address_of(frame.data);
    uint32_t entry = switch_find(state, destination);
    bool flood = destination == 0 || address_is_group(destination) || entry == NET_ADDRESSES;

    for (uint32_t port = 0; port < NET_PORTS; port++) {
        if (port == from || object->links[port] == NULL)
            continue;
        if (flood || state->address_port[entry] == port)
            virtio_net_deliver(object->links[port], frame);
    }
}

static void switch_fire(struct object *object, uint64_t now)
{
    struct net_switch_state *state = object->state;
    uint32_t slot = state->head;
    struct span frame = {switch_slot(object, slot), state->size[slot]};

    (void)now;
    switch_forward(object, frame, state->from[slot]);
    /* What is gone leaves no trace: equal states are equal bytes. */
    memset(switch_slot(object, slot), 0, NET_FRAME_SLOT);
    image_touch(object->images[0], (uint64_t)slot * NET_FRAME_SLOT, NET_FRAME_SLOT);
    state->due[slot] = 0;
    state->size[slot] = 0;
    state->from[slot] = 0;
    state->head = (slot + 1) % NET_FLIGHT_MAX;
    state->count--;
    machine_deadline_changed(object->machine);
}

static uint64_t switch_deadline(const struct object *object)
{
    const struct net_switch_state *state = object->state;

    return state->count != 0 ? state->due[state->head] : CYCLE_NEVER;
}

static bool switch_check_config(const void *config, struct err *err)
{
    const struct net_switch_config *net = config;

    /* No latency, no end to a storm between two guests at one instant; and NEVER must stay out of
     * reach. */
    if (net->latency_ns == 0 || net->latency_ns > NS_HZ)
        return device_impossible(err, "latency_ns", net->latency_ns);
    return true;
}

static bool switch_check_state(const struct object *object, const void *state, struct err *err)
{
    const struct net_switch_state *net = state;

    (void)object;
    if (net->head >= NET_FLIGHT_MAX)
        return device_impossible(err, "head", net->head);
    if (net->count > NET_FLIGHT_MAX)
        return device_impossible(err, "count", net->count);
    if (net->next_address >= NET_ADDRESSES)
        return device_impossible(err, "next_address", net->next_address);
    for (uint32_t i = 0; i < NET_FLIGHT_MAX; i++) {
        bool used = (i + NET_FLIGHT_MAX - net->head) % NET_FLIGHT_MAX < net->count;
        if (used ? net->size[i] < NET_FRAME_MIN || net->size[i] > NET_FRAME_MAX : net->size[i] != 0)
            return device_impossible(err, "size", net->size[i]);
        if (net->from[i] >= NET_PORTS)
            return device_impossible(err, "from", net->from[i]);
    }
    for (uint32_t i = 0; i < NET_ADDRESSES; i++) {
        if (net->address_port[i] >= NET_PORTS)
            return device_impossible(err, "address_port", net->address_port[i]);
        if (net->address[i] >> 48 != 0 || address_is_group(net->address[i]))
            return device_impossible(err, "address", net->address[i]);
    }
    return true;
}

static bool switch_open(struct object *object, struct err *err)
{
    return hz_check(NS_HZ, machine_config(object->machine)->clock_hz, err) &&
           device_image(object, 0, NET_FRAMES_SIZE, err);
}

/* The wire is empty after a reset, whatever was on it. */
static void switch_reset(struct object *object)
{
    struct image *image = object->images[0];

    for (uint64_t at = 0; at < image->size; at += IMAGE_PAGE_SIZE) {
        if (bytes_are_zero(image->data + at, IMAGE_PAGE_SIZE))
            continue;
        memset(image->data + at, 0, IMAGE_PAGE_SIZE);
        image_touch(image, at, IMAGE_PAGE_SIZE);
    }
}

static const struct attr switch_config_attrs[] = {
    ATTR(struct net_switch_config, latency_ns, NET_LATENCY_NS, "virtual time a frame takes"),
};

static const struct attr switch_state_attrs[] = {
    ATTR_ARRAY(struct net_switch_state, due, 0, "cycle at which each frame arrives"),
    ATTR_ARRAY(struct net_switch_state, address, 0, "addresses learned; 0: free"),
    ATTR(struct net_switch_state, lost, 0, "frames that found no room"),
    ATTR_ARRAY(struct net_switch_state, size, 0, "bytes of each frame in flight"),
    ATTR(struct net_switch_state, head, 0, "slot of the oldest frame"),
    ATTR(struct net_switch_state, count, 0, "frames in flight"),
    ATTR(struct net_switch_state, next_address, 0, "entry replaced when none is free"),
    ATTR(struct net_switch_state, unused, 0, "fills the struct"),
    ATTR_ARRAY(struct net_switch_state, from, 0, "port that sent each frame"),
    ATTR_ARRAY(struct net_switch_state, address_port, 0, "port of each address"),
};

#define PORT(number)                                                                               \
    {                                                                                              \
        "port" #number, "virtio-net", false, "device at port " #number                             \
    }
static const struct link_slot switch_links[] = {
    PORT(0), PORT(1), PORT(2),  PORT(3),  PORT(4),  PORT(5),  PORT(6),  PORT(7),
    PORT(8), PORT(9), PORT(10), PORT(11), PORT(12), PORT(13), PORT(14), PORT(15),
};
static const struct image_slot switch_images[] = {{"frames", "bytes of the frames in flight"}};

const struct schema net_switch_schema = {
    .name = "thaw-switch",
    .version = 1,
    .state = ATTR_TABLE(struct net_switch_state, switch_state_attrs),
    .config = ATTR_TABLE(struct net_switch_config, switch_config_attrs),
    .links = switch_links,
    .link_count = NET_PORTS,
    .images = switch_images,
    .image_count = 1,
    .meaning = "Ethernet switch between machines of one simulation",
};

const struct model net_switch_model = {
    .name = "thaw-switch",
    .schema = &net_switch_schema,
    .open = switch_open,
    .check_config = switch_check_config,
    .check_state = switch_check_state,
    .reset = switch_reset,
    .deadline = switch_deadline,
    .fire = switch_fire,
};
