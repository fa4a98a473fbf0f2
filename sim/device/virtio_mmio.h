/* virtio_mmio.h — the virtio-mmio version 2 transport that all virtio devices here share.
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, sections 2 (basic facilities) and 4.2 (MMIO).
 *
 * A device's state struct begins with struct virtio_mmio, its table with VIRTIO_MMIO_ATTRS, its
 * config struct with struct virtio_mmio_config and VIRTIO_MMIO_CONFIG_ATTRS; its first link is
 * "interrupts". Its mmio_ops call virtio_mmio_read and _write with the device's virtio_ops.
 *
 * Registers below 0x100 take aligned accesses of 4 bytes, others fault. The device's
 * configuration space follows, read in any size, read only. The interrupt wire is high while
 * interrupt_status is not 0.
 *
 * | status goes   | when                                                          |
 * |---------------|---------------------------------------------------------------|
 * | any to 0      | the driver writes 0: reset (virtio_mmio_write_status)         |
 * | + FEATURES_OK | the driver writes it and its features are a subset of ours    |
 * | + DRIVER_OK   | the driver writes it: queues are looked at from then on       |
 * | + NEEDS_RESET | the driver broke a rule (virtio_break): no queue is looked at |
 * The vendor is QEMU's, which teaching kernels insist on. A driver that does not take
 * VIRTIO_F_VERSION_1 is served nevertheless (6.1 allows it), as version 2 of the transport
 * always means the modern layout. */
#ifndef THAW_SIM_DEVICE_VIRTIO_MMIO_H
#define THAW_SIM_DEVICE_VIRTIO_MMIO_H

#include "sim/device/device.h"

#define VIRTIO_MMIO_SIZE    0x1000
#define VIRTIO_MMIO_CONFIG  0x100      /* offset of the configuration space */
#define VIRTIO_MMIO_MAGIC   0x74726976 /* "virt" */
#define VIRTIO_MMIO_VERSION 2
#define VIRTIO_MMIO_VENDOR  0x554d4551 /* "QEMU" */
#define VIRTIO_QUEUES_MAX   4
#define VIRTIO_QUEUE_SIZE   256 /* QueueNumMax */
#define VIRTIO_CONFIG_MAX   64
#define VIRTIO_F_VERSION_1  (UINT64_C(1) << 32)

enum virtio_status {
    VIRTIO_ACKNOWLEDGE = 1,
    VIRTIO_DRIVER = 2,
    VIRTIO_DRIVER_OK = 4,
    VIRTIO_FEATURES_OK = 8,
    VIRTIO_NEEDS_RESET = 64,
    VIRTIO_FAILED = 128,
};

enum virtio_interrupt { VIRTIO_INTERRUPT_USED = 1, VIRTIO_INTERRUPT_CONFIG = 2 };

struct virtio_mmio_config {
    uint64_t base;
    uint32_t irq; /* line of the interrupt controller */
    uint32_t unused;
};

struct virtio_mmio {
    uint64_t driver_features;
    uint64_t queue_desc[VIRTIO_QUEUES_MAX];   /* addresses of the descriptor table, */
    uint64_t queue_driver[VIRTIO_QUEUES_MAX]; /* the available ring */
    uint64_t queue_device[VIRTIO_QUEUES_MAX]; /* and the used ring */
    uint32_t queue_size[VIRTIO_QUEUES_MAX];   /* 0: not set; else a power of 2 */
    uint16_t last_avail[VIRTIO_QUEUES_MAX];   /* index of the next chain to take */
    uint16_t used_index[VIRTIO_QUEUES_MAX];   /* index of the next used element */
    uint8_t queue_ready[VIRTIO_QUEUES_MAX];
    uint32_t device_features_select;
    uint32_t driver_features_select;
    uint32_t queue_select;
    uint32_t status;           /* enum virtio_status */
    uint32_t interrupt_status; /* enum virtio_interrupt */
    uint32_t config_generation;
    uint32_t mmio_unused;
};

/* What makes a virtio device this device. */
struct virtio_ops {
    uint32_t device_id; /* section 5 */
    uint32_t queue_count;
    uint64_t (*features)(const struct object *object); /* offered, VERSION_1 included */
    /* The configuration space; zeroed before. Returns its size. Optional. */
    uint32_t (*config)(const struct object *object, uint8_t out[VIRTIO_CONFIG_MAX]);
    /* The driver made chains available, or has just become ready. */
    void (*notify)(struct object *object, uint32_t queue);
    /* The driver reset the device: what is the device's own. Optional. */
    void (*reset)(struct object *object);
};

/* clang-format off */
#define VIRTIO_MMIO_ATTR(type, field, element, count, meaning)                                     \
    {#field, element, (uint32_t)(offsetof(type, mmio) + offsetof(struct virtio_mmio, field)),      \
     count, 0, 0, meaning}
#define VIRTIO_MMIO_ATTRS(type)                                                                    \
    VIRTIO_MMIO_ATTR(type, driver_features, ATTR_U64, 1, "features the driver took"),              \
    VIRTIO_MMIO_ATTR(type, queue_desc, ATTR_U64, VIRTIO_QUEUES_MAX, "descriptor tables"),          \
    VIRTIO_MMIO_ATTR(type, queue_driver, ATTR_U64, VIRTIO_QUEUES_MAX, "available rings"),          \
    VIRTIO_MMIO_ATTR(type, queue_device, ATTR_U64, VIRTIO_QUEUES_MAX, "used rings"),               \
    VIRTIO_MMIO_ATTR(type, queue_size, ATTR_U32, VIRTIO_QUEUES_MAX, "elements of each queue"),     \
    VIRTIO_MMIO_ATTR(type, last_avail, ATTR_U16, VIRTIO_QUEUES_MAX, "next chain to take"),         \
    VIRTIO_MMIO_ATTR(type, used_index, ATTR_U16, VIRTIO_QUEUES_MAX, "next used element"),          \
    VIRTIO_MMIO_ATTR(type, queue_ready, ATTR_BOOL, VIRTIO_QUEUES_MAX, "queues in use"),            \
    VIRTIO_MMIO_ATTR(type, device_features_select, ATTR_U32, 1, "word of DeviceFeatures"),         \
    VIRTIO_MMIO_ATTR(type, driver_features_select, ATTR_U32, 1, "word of DriverFeatures"),         \
    VIRTIO_MMIO_ATTR(type, queue_select, ATTR_U32, 1, "queue that the queue registers mean"),      \
    VIRTIO_MMIO_ATTR(type, status, ATTR_U32, 1, "device status"),                                  \
    VIRTIO_MMIO_ATTR(type, interrupt_status, ATTR_U32, 1, "1: used ring, 2: configuration"),       \
    VIRTIO_MMIO_ATTR(type, config_generation, ATTR_U32, 1, "changes of the configuration"),        \
    VIRTIO_MMIO_ATTR(type, mmio_unused, ATTR_U32, 1, "fills the struct")

#define VIRTIO_MMIO_CONFIG_ATTRS(type)                                                             \
    {"base", ATTR_U64,                                                                             \
     (uint32_t)(offsetof(type, mmio) + offsetof(struct virtio_mmio_config, base)),                 \
     1, 0, 0, "physical address"},                                                                 \
    {"irq", ATTR_U32, (uint32_t)(offsetof(type, mmio) + offsetof(struct virtio_mmio_config, irq)), \
     1, 0, 0, "line of the interrupt controller"},                                                 \
    {"mmio_unused", ATTR_U32,                                                                      \
     (uint32_t)(offsetof(type, mmio) + offsetof(struct virtio_mmio_config, unused)), 1, 0, 0,      \
     "fills the struct"}
/* clang-format on */
#define VIRTIO_MMIO_LINK                                                                           \
    {                                                                                              \
        "interrupts", NULL, false, "the interrupt controller"                                      \
    }

static inline struct virtio_mmio *virtio_mmio_of(struct object *object)
{
    return object->state;
}

bool virtio_mmio_check_config(const void *config, struct err *err);
bool virtio_mmio_check_state(const struct object *object, const struct virtio_ops *ops,
                             const struct virtio_mmio *mmio, struct err *err);
bool virtio_mmio_open(struct object *object, struct err *err);
bool virtio_mmio_read(struct object *object, const struct virtio_ops *ops, uint64_t offset,
                      uint32_t size, uint64_t *value);
bool virtio_mmio_write(struct object *object, const struct virtio_ops *ops, uint64_t offset,
                       uint32_t size, uint64_t value);

/* True while the driver may expect service: DRIVER_OK, and no NEEDS_RESET. */
bool virtio_running(const struct object *object);
/* Raises an interrupt (enum virtio_interrupt). */
void virtio_interrupt(struct object *object, uint32_t cause);
/* The configuration space changed: a new generation, and an interrupt if the driver runs. */
void virtio_config_changed(struct object *object);
/* The driver broke a rule: NEEDS_RESET (2.1.1), and no more service until it resets the device. */
void virtio_break(struct object *object);

#endif
