/* virtio_empty.h — a virtio-mmio transport with nothing behind it. Schema "virtio-empty/1".
 * Source: VIRTIO 1.2, section 4.2.2: device id 0 is for placeholders at well known addresses, which
 * drivers leave alone. QEMU's board has one in each slot without a device, and drivers that look
 * through the slots instead of the device tree count on it.
 *
 * | offset | size | read                                  | write    |
 * |--------|------|---------------------------------------|----------|
 * | 0x000  | 4    | "virt"                                | ignored  |
 * | 0x004  | 4    | 2, the version of the transport       | ignored  |
 * | 0x008  | 4    | 0, no device                          | ignored  |
 * | 0x00c  | 4    | the vendor                            | ignored  |
 * Other registers below 0x100 read 0; these all take aligned accesses of 4 bytes, others fault. The
 * configuration space behind them reads 0 in any size. It has no state and no interrupt. */
#ifndef THAW_SIM_DEVICE_VIRTIO_EMPTY_H
#define THAW_SIM_DEVICE_VIRTIO_EMPTY_H

#include "sim/core/schema.h"

struct virtio_empty_config {
    uint64_t base;
};

extern const struct schema virtio_empty_schema;
extern const struct model virtio_empty_model; /* "virtio-empty" */

#endif
