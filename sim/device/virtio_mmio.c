#include "sim/device/virtio_mmio.h"

#include "storage/base/bytes.h"

#include <string.h>

/* Table 4.1 of section 4.2.2. */
enum virtio_register {
    MAGIC_VALUE = 0x000,
    VERSION = 0x004,
    DEVICE_ID = 0x008,
    VENDOR_ID = 0x00c,
    DEVICE_FEATURES = 0x010,
    DEVICE_FEATURES_SELECT = 0x014,
    DRIVER_FEATURES = 0x020,
    DRIVER_FEATURES_SELECT = 0x024,
    QUEUE_SELECT = 0x030,
    QUEUE_SIZE_MAX = 0x034,
    QUEUE_SIZE = 0x038,
    QUEUE_READY = 0x044,
    QUEUE_NOTIFY = 0x050,
    INTERRUPT_STATUS = 0x060,
    INTERRUPT_ACK = 0x064,
    STATUS = 0x070,
    QUEUE_DESC_LOW = 0x080,
    QUEUE_DESC_HIGH = 0x084,
    QUEUE_DRIVER_LOW = 0x090,
    QUEUE_DRIVER_HIGH = 0x094,
    QUEUE_DEVICE_LOW = 0x0a0,
    QUEUE_DEVICE_HIGH = 0x0a4,
    SHM_LENGTH_LOW = 0x0b0,
    SHM_BASE_HIGH = 0x0bc,
    CONFIG_GENERATION = 0x0fc,
    CONFIG = VIRTIO_MMIO_CONFIG,
};

#define STATUS_KEPT 0xcf

bool virtio_running(const struct object *object)
{
    const struct virtio_mmio *mmio = object->state;

    return (mmio->status & (VIRTIO_DRIVER_OK | VIRTIO_NEEDS_RESET)) == VIRTIO_DRIVER_OK;
}

static void virtio_update(struct object *object)
{
    const struct virtio_mmio_config *config = object->config;

    object_set_line(object->links[0], config->irq, virtio_mmio_of(object)->interrupt_status != 0);
}

void virtio_interrupt(struct object *object, uint32_t cause)
{
    virtio_mmio_of(object)->interrupt_status |= cause;
    virtio_update(object);
}

void virtio_config_changed(struct object *object)
{
    virtio_mmio_of(object)->config_generation++;
    if ((virtio_mmio_of(object)->status & VIRTIO_DRIVER_OK) != 0)
        virtio_interrupt(object, VIRTIO_INTERRUPT_CONFIG);
}

void virtio_break(struct object *object)
{
    struct virtio_mmio *mmio = virtio_mmio_of(object);

    mmio->status |= VIRTIO_NEEDS_RESET;
    if ((mmio->status & VIRTIO_DRIVER_OK) != 0)
        virtio_interrupt(object, VIRTIO_INTERRUPT_CONFIG);
}

static uint64_t virtio_read_config(struct object *object, const struct virtio_ops *ops,
                                   uint64_t offset, uint32_t size)
{
    uint8_t bytes[VIRTIO_CONFIG_MAX + 8] = {0};

    if (ops->config == NULL || offset >= ops->config(object, bytes))
        return 0;
    uint64_t value = load_le64(bytes + offset);
    return size == 8 ? value : value & ((UINT64_C(1) << 8 * size) - 1);
}

static uint32_t virtio_read_register(struct object *object, const struct virtio_ops *ops,
                                     uint64_t offset)
{
    const struct virtio_mmio *mmio = object->state;
    uint32_t queue = mmio->queue_select;

    switch ((enum virtio_register)offset) {
    case MAGIC_VALUE:
        return VIRTIO_MMIO_MAGIC;
    case VERSION:
        return VIRTIO_MMIO_VERSION;
    case DEVICE_ID:
        return ops->device_id;
    case VENDOR_ID:
        return VIRTIO_MMIO_VENDOR;
    case DEVICE_FEATURES:
        if (mmio->device_features_select > 1)
            return 0;
        return (uint32_t)(ops->features(object) >> 32 * mmio->device_features_select);
    case QUEUE_SIZE_MAX:
        return queue < ops->queue_count ? VIRTIO_QUEUE_SIZE : 0;
    case QUEUE_READY:
        return queue < ops->queue_count ? mmio->queue_ready[queue] : 0;
    case INTERRUPT_STATUS:
        return mmio->interrupt_status;
    case STATUS:
        return mmio->status;
    case CONFIG_GENERATION:
        return mmio->config_generation;
    default:
        /* No shared memory region exists: its length and base read all ones (4.2.2). */
        return offset >= SHM_LENGTH_LOW && offset <= SHM_BASE_HIGH ? UINT32_MAX : 0;
    }
}

bool virtio_mmio_read(struct object *object, const struct virtio_ops *ops, uint64_t offset,
                      uint32_t size, uint64_t *value)
{
    if (offset >= VIRTIO_MMIO_SIZE)
        return false;
    if (offset < CONFIG) {
        if (size != 4 || offset % 4 != 0)
            return false;
        *value = virtio_read_register(object, ops, offset);
    } else {
        *value = virtio_read_config(object, ops, offset - CONFIG, size);
    }
    return true;
}

static void virtio_reset(struct object *object, const struct virtio_ops *ops)
{
    struct virtio_mmio *mmio = virtio_mmio_of(object);
    uint32_t generation = mmio->config_generation;

    memset(mmio, 0, sizeof *mmio);
    mmio->config_generation = generation;
    if (ops->reset != NULL)
        ops->reset(object);
    virtio_update(object);
}

static void virtio_write_status(struct object *object, const struct virtio_ops *ops, uint32_t value)
{
    struct virtio_mmio *mmio = virtio_mmio_of(object);
    uint32_t before = mmio->status;

    if (value == 0) {
        virtio_reset(object, ops);
        return;
    }
    if ((value & VIRTIO_FEATURES_OK) != 0 && (before & VIRTIO_FEATURES_OK) == 0 &&
        (mmio->driver_features & ~ops->features(object)) != 0)
        value &= ~(uint32_t)VIRTIO_FEATURES_OK;
    /* The driver must not clear a bit but by reset (2.1.1), so none is lost. */
    mmio->status = before | (value & STATUS_KEPT & ~(uint32_t)VIRTIO_NEEDS_RESET);
    if ((mmio->status & ~before & VIRTIO_DRIVER_OK) == 0)
        return;
    for (uint32_t queue = 0; queue < ops->queue_count && virtio_running(object); queue++)
        if (mmio->queue_ready[queue] != 0)
            ops->notify(object, queue);
}

static void virtio_write_features(struct virtio_mmio *mmio, uint32_t value)
{
    uint32_t shift = 32 * mmio->driver_features_select;

    if (mmio->driver_features_select > 1 || (mmio->status & VIRTIO_FEATURES_OK) != 0)
        return;
    mmio->driver_features &= ~((uint64_t)UINT32_MAX << shift);
    mmio->driver_features |= (uint64_t)value << shift;
}

static void virtio_write_ready(struct object *object, uint32_t queue, uint32_t value)
{
    struct virtio_mmio *mmio = virtio_mmio_of(object);

    if ((value & 1) == mmio->queue_ready[queue])
        return;
    if ((value & 1) != 0 && mmio->queue_size[queue] == 0) {
        virtio_break(object);
        return;
    }
    mmio->queue_ready[queue] = value & 1;
    mmio->last_avail[queue] = 0;
    mmio->used_index[queue] = 0;
}

static uint64_t with_half(uint64_t whole, bool high, uint32_t half)
{
    return high ? (whole & UINT32_MAX) | (uint64_t)half << 32
                : (whole & ~(uint64_t)UINT32_MAX) | half;
}

/* The registers of the selected queue, which are fixed while it is ready (4.2.2.2). */
static void virtio_write_queue(struct virtio_mmio *mmio, uint32_t queue, uint64_t offset,
                               uint32_t value)
{
    bool high = offset % 8 == 4;

    if (mmio->queue_ready[queue] != 0)
        return;
    switch (offset & ~UINT64_C(7)) {
    case QUEUE_DESC_LOW:
        mmio->queue_desc[queue] = with_half(mmio->queue_desc[queue], high, value);
        break;
    case QUEUE_DRIVER_LOW:
        mmio->queue_driver[queue] = with_half(mmio->queue_driver[queue], high, value);
        break;
    case QUEUE_DEVICE_LOW:
        mmio->queue_device[queue] = with_half(mmio->queue_device[queue], high, value);
        break;
    case QUEUE_SIZE:
        if (value != 0 && value <= VIRTIO_QUEUE_SIZE && (value & (value - 1)) == 0)
            mmio->queue_size[queue] = value;
        break;
    default:
        break;
    }
}

static void virtio_write_register(struct object *object, const struct virtio_ops *ops,
                                  uint64_t offset, uint32_t value)
{
    struct virtio_mmio *mmio = virtio_mmio_of(object);
    uint32_t queue = mmio->queue_select;

    switch ((enum virtio_register)offset) {
    case DEVICE_FEATURES_SELECT:
        mmio->device_features_select = value;
        break;
    case DRIVER_FEATURES_SELECT:
        mmio->driver_features_select = value;
        break;
    case DRIVER_FEATURES:
        virtio_write_features(mmio, value);
        break;
    case QUEUE_SELECT:
        mmio->queue_select = value;
        break;
    case QUEUE_NOTIFY:
        if (value < ops->queue_count && mmio->queue_ready[value] != 0 && virtio_running(object))
            ops->notify(object, value);
        break;
    case INTERRUPT_ACK:
        mmio->interrupt_status &= ~value;
        virtio_update(object);
        break;
    case STATUS:
        virtio_write_status(object, ops, value);
        break;
    case QUEUE_READY:
        if (queue < ops->queue_count)
            virtio_write_ready(object, queue, value);
        break;
    default:
        if (queue < ops->queue_count)
            virtio_write_queue(mmio, queue, offset, value);
        break;
    }
}

bool virtio_mmio_write(struct object *object, const struct virtio_ops *ops, uint64_t offset,
                       uint32_t size, uint64_t value)
{
    if (offset >= VIRTIO_MMIO_SIZE)
        return false;
    if (offset >= CONFIG)
        return true;
    if (size != 4 || offset % 4 != 0)
        return false;
    virtio_write_register(object, ops, offset, (uint32_t)value);
    return true;
}

bool virtio_mmio_check_config(const void *config, struct err *err)
{
    const struct virtio_mmio_config *mmio = config;

    return device_check_region(mmio->base, VIRTIO_MMIO_SIZE, err);
}

bool virtio_mmio_check_state(const struct object *object, const struct virtio_ops *ops,
                             const struct virtio_mmio *mmio, struct err *err)
{
    for (uint32_t queue = 0; queue < VIRTIO_QUEUES_MAX; queue++) {
        uint32_t size = mmio->queue_size[queue];
        if (size > VIRTIO_QUEUE_SIZE || (size & (size - 1)) != 0)
            return device_impossible(err, "queue_size", size);
        if (mmio->queue_ready[queue] != 0 && (size == 0 || queue >= ops->queue_count))
            return device_impossible(err, "queue_ready", mmio->queue_ready[queue]);
    }
    if ((mmio->status & ~(uint32_t)STATUS_KEPT) != 0)
        return device_impossible(err, "status", mmio->status);
    if (mmio->interrupt_status > (VIRTIO_INTERRUPT_USED | VIRTIO_INTERRUPT_CONFIG))
        return device_impossible(err, "interrupt_status", mmio->interrupt_status);
    if ((mmio->status & VIRTIO_FEATURES_OK) != 0 &&
        (mmio->driver_features & ~ops->features(object)) != 0)
        return device_impossible(err, "driver_features", mmio->driver_features);
    return true;
}

bool virtio_mmio_open(struct object *object, struct err *err)
{
    const struct virtio_mmio_config *config = object->config;

    return device_add_region(object, config->base, VIRTIO_MMIO_SIZE, err);
}
