#include "sim/device/virtio_empty.h"

#include "sim/device/virtio_mmio.h"

static bool empty_takes(uint64_t offset, uint32_t size)
{
    return offset < VIRTIO_MMIO_SIZE &&
           (offset >= VIRTIO_MMIO_CONFIG || (size == 4 && offset % 4 == 0));
}

static bool empty_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    static const uint32_t identity[4] = {VIRTIO_MMIO_MAGIC, VIRTIO_MMIO_VERSION, 0,
                                         VIRTIO_MMIO_VENDOR};

    (void)object;
    if (!empty_takes(offset, size))
        return false;
    *value = offset < sizeof identity ? identity[offset / 4] : 0;
    return true;
}

static bool empty_write(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    (void)object;
    (void)value;
    return empty_takes(offset, size);
}

static bool empty_check_config(const void *config, struct err *err)
{
    const struct virtio_empty_config *empty = config;

    return device_check_region(empty->base, VIRTIO_MMIO_SIZE, err);
}

static bool empty_open(struct object *object, struct err *err)
{
    const struct virtio_empty_config *config = object->config;

    return device_add_region(object, config->base, VIRTIO_MMIO_SIZE, err);
}

static const struct attr empty_config_attrs[] = {
    ATTR(struct virtio_empty_config, base, 0, "physical address"),
};

const struct schema virtio_empty_schema = {
    .name = "virtio-empty",
    .version = 1,
    .state = ATTR_TABLE_NONE,
    .config = ATTR_TABLE(struct virtio_empty_config, empty_config_attrs),
    .meaning = "virtio slot without a device",
};

static const struct mmio_ops empty_mmio = {empty_read, empty_write};

const struct model virtio_empty_model = {
    .name = "virtio-empty",
    .schema = &virtio_empty_schema,
    .open = empty_open,
    .check_config = empty_check_config,
    .mmio = &empty_mmio,
};
