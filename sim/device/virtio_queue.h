/* virtio_queue.h — split virtqueues, device side. Source: VIRTIO 1.2, section 2.7.
 *
 * The driver is hostile: every index and address is checked, a chain has at most as many
 * descriptors as its queue (so a loop ends), all memory is reached through the bus. Whoever
 * breaks a rule gets virtio_break. No optional ring feature is offered: no indirect descriptors,
 * no event indices. */
#ifndef THAW_SIM_DEVICE_VIRTIO_QUEUE_H
#define THAW_SIM_DEVICE_VIRTIO_QUEUE_H

#include "sim/device/virtio_mmio.h"

struct virtio_part {
    uint64_t address;
    uint32_t size;
};

/* A descriptor chain that was taken: first the parts that the device reads, then those it
 * writes. */
struct virtio_chain {
    uint32_t queue;
    uint16_t head;
    uint32_t read_count;  /* parts */
    uint32_t write_count; /* parts */
    uint64_t read_size;   /* bytes in all */
    uint64_t write_size;
    struct virtio_part parts[VIRTIO_QUEUE_SIZE];
};

/* True if a chain waits to be taken. */
bool virtio_queue_waiting(struct object *object, uint32_t queue);
/* Takes the next chain. False: none there, or the driver broke a rule. */
bool virtio_queue_take(struct object *object, uint32_t queue, struct virtio_chain *chain);
/* Gives it back with `written` bytes, and interrupts unless the driver asked not to. */
void virtio_queue_give(struct object *object, const struct virtio_chain *chain, uint64_t written);

/* Copies from / to the chain's bytes at `offset` of its readable / writable part. False, and the
 * device is broken, if that leaves the chain or the memory. */
bool virtio_chain_read(struct object *object, const struct virtio_chain *chain, uint64_t offset,
                       void *out, uint64_t size);
bool virtio_chain_write(struct object *object, const struct virtio_chain *chain, uint64_t offset,
                        struct span bytes);

#endif
