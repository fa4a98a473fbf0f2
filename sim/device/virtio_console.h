/* virtio_console.h — a console, port 0 only. Schema "virtio-console/1". Source: VIRTIO 1.2,
 * section 5.3.
 *
 * Queue 0 receives, queue 1 transmits. What the guest sends goes to host.console at once. Input
 * event "console": bytes wait in `backlog` until the guest gives buffers; it takes as many as
 * there is room for. Features: none but VERSION_1; the configuration space reads 0. */
#ifndef THAW_SIM_DEVICE_VIRTIO_CONSOLE_H
#define THAW_SIM_DEVICE_VIRTIO_CONSOLE_H

#include "sim/device/virtio_mmio.h"

#define CONSOLE_BACKLOG_MAX 4096
#define CONSOLE_SEND_MAX    65536 /* bytes taken of one chain */

struct virtio_console_config {
    struct virtio_mmio_config mmio;
};

struct virtio_console_state {
    struct virtio_mmio mmio;
    uint32_t backlog_count;
    uint32_t unused;
    uint8_t backlog[CONSOLE_BACKLOG_MAX]; /* oldest first */
};

extern const struct schema virtio_console_schema; /* links: interrupts */
extern const struct model virtio_console_model;   /* "virtio-console" */

#endif
