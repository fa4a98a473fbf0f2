/* net_switch.h — a learning Ethernet switch that links the virtio-net devices of one machine.
 * Schema "thaw-switch/1". Our own device, at the top level of the machine; this is its manual.
 * Source of its manners: IEEE 802.1D, section 7 (learning, forwarding, flooding), without
 * spanning tree and ageing.
 *
 * A frame sent at time t arrives config.latency_ns later; frames never overtake each other.
 * Frames in flight are state: a ring whose bytes are in the image "frames", NET_FRAME_SLOT bytes
 * each. A frame that finds the ring full is lost and counted. The source's address is learned
 * when the frame is sent; when it arrives it goes to the port of its destination's address, or
 * to all but its own if that is not known or is a group. */
#ifndef THAW_SIM_DEVICE_NET_SWITCH_H
#define THAW_SIM_DEVICE_NET_SWITCH_H

#include "sim/core/object.h"

#define NET_PORTS       16
#define NET_FRAME_MIN   14
#define NET_FRAME_MAX   1518 /* with a VLAN tag, without the check sequence */
#define NET_FRAME_SLOT  2048
#define NET_FLIGHT_MAX  64
#define NET_ADDRESSES   64
#define NET_FRAMES_SIZE (NET_FRAME_SLOT * NET_FLIGHT_MAX) /* bytes of the image "frames" */
#define NET_LATENCY_NS  10000

struct net_switch_config {
    uint64_t latency_ns; /* virtual, at least 1 */
};

struct net_switch_state {
    uint64_t due[NET_FLIGHT_MAX];    /* cycle at which the frame arrives */
    uint64_t address[NET_ADDRESSES]; /* learned, the first byte lowest; 0: free */
    uint64_t lost;                   /* frames that found the ring full */
    uint32_t size[NET_FLIGHT_MAX];   /* bytes of the frame */
    uint32_t head;                   /* slot of the oldest frame */
    uint32_t count;                  /* frames in flight */
    uint32_t next_address;           /* entry that is replaced when none is free */
    uint32_t unused;
    uint8_t from[NET_FLIGHT_MAX]; /* port that sent the frame */
    uint8_t address_port[NET_ADDRESSES];
};

extern const struct schema net_switch_schema; /* links: port0…port15; image: frames */
extern const struct model net_switch_model;   /* "thaw-switch" */

/* From a virtio-net device: puts the frame on the wire. Its device must be linked to a port,
 * else the frame is dropped; its size is NET_FRAME_MIN to NET_FRAME_MAX. */
void net_switch_send(struct object *object, const struct object *from, struct span frame);

#endif
