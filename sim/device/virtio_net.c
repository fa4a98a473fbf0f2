#include "sim/device/virtio_net.h"

#include "sim/device/net_switch.h"
#include "sim/device/virtio_queue.h"
#include "storage/base/bytes.h"

#include <string.h>

#define F_MAC    (UINT64_C(1) << 5)
#define F_STATUS (UINT64_C(1) << 16)

#define HEADER_SIZE                                                                                \
    12 /* with num_buffers; 10 for a driver that did not take VERSION_1 (5.1.6.1)                  \
        */
#define LINK_UP 1

enum net_queue { QUEUE_RECEIVE, QUEUE_TRANSMIT, QUEUE_COUNT };
enum net_link { LINK_INTERRUPTS, LINK_SWITCH, LINK_COUNT };

static uint64_t net_features(const struct object *object)
{
    (void)object;
    return VIRTIO_F_VERSION_1 | F_MAC | F_STATUS;
}

static uint32_t net_config(const struct object *object, uint8_t out[VIRTIO_CONFIG_MAX])
{
    const struct virtio_net_config *config = object->config;

    memcpy(out, config->mac, sizeof config->mac);
    store_le16(out + 6, object->links[LINK_SWITCH] != NULL ? LINK_UP : 0);
    return 8;
}

static uint32_t net_header_size(const struct object *object)
{
    const struct virtio_mmio *mmio = object->state;

    return (mmio->driver_features & VIRTIO_F_VERSION_1) != 0 ? HEADER_SIZE : HEADER_SIZE - 2;
}

void virtio_net_deliver(struct object *object, struct span frame)
{
    struct virtio_net_state *state = object->state;
    uint8_t header[HEADER_SIZE] = {[10] = 1}; /* num_buffers: 1 */
    struct span head = {header, net_header_size(object)};
    struct virtio_chain chain;

    if (!virtio_queue_take(object, QUEUE_RECEIVE, &chain)) {
        state->dropped_received++;
        return;
    }
    if (chain.write_size < head.size + frame.size) {
        state->dropped_received++;
        virtio_queue_give(object, &chain, 0);
        return;
    }
    if (virtio_chain_write(object, &chain, 0, head) &&
        virtio_chain_write(object, &chain, head.size, frame))
        virtio_queue_give(object, &chain, head.size + frame.size);
}

static bool net_send(struct object *object, const struct virtio_chain *chain)
{
    struct virtio_net_state *state = object->state;
    uint32_t header_size = net_header_size(object);
    uint8_t frame[NET_FRAME_MAX];

    if (chain->read_size < header_size + NET_FRAME_MIN ||
        chain->read_size > header_size + NET_FRAME_MAX) {
        state->dropped_sent++;
        return true;
    }
    struct span bytes = {frame, (size_t)(chain->read_size - header_size)};
    if (!virtio_chain_read(object, chain, header_size, frame, bytes.size))
        return false;
    if (object->links[LINK_SWITCH] != NULL)
        net_switch_send(object->links[LINK_SWITCH], object, bytes);
    return true;
}

static void net_notify(struct object *object, uint32_t queue)
{
    struct virtio_chain chain;

    if (queue != QUEUE_TRANSMIT)
        return; /* receive buffers wait for frames */
    for (uint32_t i = 0; i < VIRTIO_QUEUE_SIZE; i++) {
        if (!virtio_queue_take(object, QUEUE_TRANSMIT, &chain) || !net_send(object, &chain))
            return;
        virtio_queue_give(object, &chain, 0);
    }
}

static const struct virtio_ops net_ops = {
    .device_id = 1,
    .queue_count = QUEUE_COUNT,
    .features = net_features,
    .config = net_config,
    .notify = net_notify,
};

static bool net_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    return virtio_mmio_read(object, &net_ops, offset, size, value);
}

static bool net_write(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    return virtio_mmio_write(object, &net_ops, offset, size, value);
}

static bool net_check_config(const void *config, struct err *err)
{
    const struct virtio_net_config *net = config;

    if ((net->mac[0] & 1) != 0)
        return err_set(err, ERR_INVALID, "mac is a group address");
    return virtio_mmio_check_config(config, err);
}

static bool net_check_state(const struct object *object, const void *state, struct err *err)
{
    const struct virtio_net_state *net = state;

    return virtio_mmio_check_state(object, &net_ops, &net->mmio, err);
}

static const struct attr net_config_attrs[] = {
    VIRTIO_MMIO_CONFIG_ATTRS(struct virtio_net_config),
    ATTR_BLOB(struct virtio_net_config, mac, "Ethernet address"),
    ATTR_ARRAY(struct virtio_net_config, unused, 0, "fills the struct"),
};

static const struct attr net_state_attrs[] = {
    VIRTIO_MMIO_ATTRS(struct virtio_net_state),
    ATTR(struct virtio_net_state, dropped_received, 0, "frames that found no buffer"),
    ATTR(struct virtio_net_state, dropped_sent, 0, "frames too short or too long to send"),
};

static const struct link_slot net_links[] = {
    VIRTIO_MMIO_LINK,
    {"switch", "thaw-switch", false, "the switch; none: the link is down"},
};

const struct schema virtio_net_schema = {
    .name = "virtio-net",
    .version = 1,
    .state = ATTR_TABLE(struct virtio_net_state, net_state_attrs),
    .config = ATTR_TABLE(struct virtio_net_config, net_config_attrs),
    .links = net_links,
    .link_count = LINK_COUNT,
    .meaning = "virtio network card",
};

static const struct mmio_ops net_mmio = {net_read, net_write};

const struct model virtio_net_model = {
    .name = "virtio-net",
    .schema = &virtio_net_schema,
    .open = virtio_mmio_open,
    .check_config = net_check_config,
    .check_state = net_check_state,
    .mmio = &net_mmio,
};
