/* virtio_net.h — a network card at a port of a net_switch. Schema "virtio-net/1".
 * Source: VIRTIO 1.2, section 5.1.
 *
 * Queue 0 receives, queue 1 transmits. Features: MAC, STATUS (the link is up while a switch is
 * linked); no offloads. A frame that arrives when no buffer waits, or one too small, is dropped
 * and counted, as is a frame sent that is shorter than NET_FRAME_MIN or longer than
 * NET_FRAME_MAX. */
#ifndef THAW_SIM_DEVICE_VIRTIO_NET_H
#define THAW_SIM_DEVICE_VIRTIO_NET_H

#include "sim/device/virtio_mmio.h"

struct virtio_net_config {
    struct virtio_mmio_config mmio;
    uint8_t mac[6];
    uint8_t unused[2];
};

struct virtio_net_state {
    struct virtio_mmio mmio;
    uint64_t dropped_received;
    uint64_t dropped_sent;
};

extern const struct schema virtio_net_schema; /* links: interrupts, switch */
extern const struct model virtio_net_model;   /* "virtio-net" */

/* From the switch: a frame arrives. */
void virtio_net_deliver(struct object *object, struct span frame);

#endif
