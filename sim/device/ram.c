#include "sim/device/ram.h"

#include "sim/device/device.h"

static bool ram_check_config(const void *config, struct err *err)
{
    const struct ram_config *ram = config;
    struct image_shape shape;

    return image_shape(ram->size, &shape, err) && device_check_region(ram->base, ram->size, err);
}

static bool ram_open(struct object *object, struct err *err)
{
    const struct ram_config *config = object->config;

    return device_image(object, RAM_IMAGE_BYTES, config->size, err) &&
           device_add_memory(object, config->base, object->images[RAM_IMAGE_BYTES],
                             config->read_only == 0, err);
}

static const struct attr ram_config_attrs[] = {
    ATTR(struct ram_config, base, 0, "physical address"),
    ATTR(struct ram_config, size, 0, "bytes"),
    ATTR_FLAG(struct ram_config, read_only, 0, "1: a store by the guest is an access fault"),
    ATTR_ARRAY(struct ram_config, unused, 0, "fills the struct"),
};

static const struct image_slot ram_images[] = {{"bytes", "the contents"}};

const struct schema ram_schema = {
    .name = "ram",
    .version = 1,
    .state = ATTR_TABLE_NONE,
    .config = ATTR_TABLE(struct ram_config, ram_config_attrs),
    .images = ram_images,
    .image_count = 1,
    .meaning = "memory: RAM, boot ROM or flash",
};

const struct model ram_model = {
    .name = "ram",
    .schema = &ram_schema,
    .open = ram_open,
    .check_config = ram_check_config,
};
