/* virtio.h - a small driver for virtio-mmio, version 2 (virtio 1.2, 4.2), with one split queue a
 * device. */
#ifndef TESTS_GUESTS_BARE_VIRTIO_H
#define TESTS_GUESTS_BARE_VIRTIO_H

#include "bare.h"

enum { VIRTIO_QUEUE = 8 };
enum { VIRTIO_BLOCK = 2, VIRTIO_ENTROPY = 4 };
enum { VIRTIO_NEXT = 1, VIRTIO_WRITE = 2 };
enum {
    REG_MAGIC = 0x00,
    REG_VERSION = 0x04,
    REG_ID = 0x08,
    REG_DRIVER_FEATURES = 0x20,
    REG_DRIVER_SELECT = 0x24,
    REG_QUEUE_SELECT = 0x30,
    REG_QUEUE_SIZE = 0x38,
    REG_QUEUE_READY = 0x44,
    REG_NOTIFY = 0x50,
    REG_INTERRUPT = 0x60,
    REG_ACKNOWLEDGE = 0x64,
    REG_STATUS = 0x70,
    REG_DESCRIPTORS = 0x80,
    REG_AVAILABLE = 0x90,
    REG_USED = 0xa0,
    REG_CONFIG = 0x100,
};

struct virtio_descriptor {
    uint64_t address;
    uint32_t bytes;
    uint16_t flags, next;
};

struct virtio_device {
    _Alignas(16) struct virtio_descriptor descriptors[VIRTIO_QUEUE];
    _Alignas(16) struct {
        uint16_t flags, index, ring[VIRTIO_QUEUE];
    } available;
    _Alignas(16) volatile struct {
        uint16_t flags, index;
        struct {
            uint32_t id, bytes;
        } ring[VIRTIO_QUEUE];
    } used;
    uintptr_t registers; /* 0: not there */
    uint32_t interrupt;
    volatile uint64_t interrupts;
};

/* Brings up the device in a slot, and its interrupt in a PLIC context (hart 0's: 0 for M mode, 1
 * for S mode). */
void virtio_init(struct virtio_device *device, uint32_t slot, uint32_t context);
/* Offers the chain that starts at descriptor `head`. */
void virtio_offer(struct virtio_device *device, uint16_t head);
/* In the interrupt handler. */
void virtio_acknowledge(struct virtio_device *device);

#endif
