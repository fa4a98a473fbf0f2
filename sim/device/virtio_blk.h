/* virtio_blk.h — a disk. Schema "virtio-blk/1". Source: VIRTIO 1.2, section 5.2.
 *
 * The contents are the image "disk", of config.image_size bytes; the guest sees its first
 * state.capacity sectors. Requests wait in the ring until `due`, config.latency_ns after the
 * first of them was made known, then all that wait are served: requests in flight are thus in
 * RAM and `due`.
 *
 * Features: SEG_MAX, BLK_SIZE, FLUSH, DISCARD, WRITE_ZEROES; RO if config.read_only. Commands:
 * IN, OUT, FLUSH, GET_ID, DISCARD, WRITE_ZEROES; others: UNSUPP. Discarded sectors read zeros. A
 * request past the capacity, of a size that is no multiple of 512, or of more than
 * BLK_REQUEST_MAX bytes: IOERR.
 *
 * Input events (both change the capacity and interrupt the driver for its configuration):
 * | kind     | bytes                   | effect                                          |
 * |----------|-------------------------|-------------------------------------------------|
 * | "media"  | the disk's contents     | fills the disk, in whole sectors; none: no disk |
 * | "resize" | 8: bytes, little endian | all zeros, of that capacity                     |
 * ERR_TOO_BIG if the image is smaller. */
#ifndef THAW_SIM_DEVICE_VIRTIO_BLK_H
#define THAW_SIM_DEVICE_VIRTIO_BLK_H

#include "sim/device/virtio_mmio.h"

#define BLK_SECTOR      512
#define BLK_REQUEST_MAX (UINT64_C(1) << 30)
#define BLK_LATENCY_NS  20000
#define BLK_SERIAL_SIZE 20

struct virtio_blk_config {
    struct virtio_mmio_config mmio;
    uint64_t image_size; /* bytes, a multiple of IMAGE_CHUNK_SIZE */
    uint64_t capacity;   /* bytes after reset, a multiple of 512; at most image_size */
    uint64_t latency_ns; /* virtual */
    char serial[24];     /* at most BLK_SERIAL_SIZE characters */
    uint8_t read_only;
    uint8_t unused[7];
};

struct virtio_blk_state {
    struct virtio_mmio mmio;
    uint64_t capacity; /* sectors */
    uint64_t due;      /* cycle at which the waiting requests are served; CYCLE_NEVER: none wait */
};

enum virtio_blk_image { BLK_IMAGE_DISK };

extern const struct schema virtio_blk_schema; /* links: interrupts */
extern const struct model virtio_blk_model;   /* "virtio-blk" */

#endif
