#include "sim/device/magic.h"

#include "sim/device/device.h"

static bool magic_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    (void)object;
    if (offset >= MAGIC_SIZE)
        return false;
    *value = offset != 0 ? 0 : size == 8 ? MAGIC_ID : MAGIC_ID & ((UINT64_C(1) << 8 * size) - 1);
    return true;
}

static bool magic_write(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    const struct host *host = &object->machine->host;
    struct magic_state *state = object->state;

    (void)size;
    if (offset >= MAGIC_SIZE)
        return false;
    if (offset != 0)
        return true;
    state->last = value;
    state->count++;
    if (host->magic != NULL)
        host->magic(host->context, object, value);
    return true;
}

static bool magic_check_config(const void *config, struct err *err)
{
    const struct magic_config *magic = config;

    return device_check_region(magic->base, MAGIC_SIZE, err);
}

static bool magic_open(struct object *object, struct err *err)
{
    const struct magic_config *config = object->config;

    return device_add_region(object, config->base, MAGIC_SIZE, err);
}

static const struct attr magic_config_attrs[] = {
    ATTR(struct magic_config, base, 0, "physical address"),
};

static const struct attr magic_state_attrs[] = {
    ATTR(struct magic_state, last, 0, "value stored last"),
    ATTR(struct magic_state, count, 0, "stores since reset"),
};

const struct schema magic_schema = {
    .name = "thaw-magic",
    .version = 1,
    .state = ATTR_TABLE(struct magic_state, magic_state_attrs),
    .config = ATTR_TABLE(struct magic_config, magic_config_attrs),
    .meaning = "requests from inside the guest",
};

static const struct mmio_ops magic_mmio = {magic_read, magic_write};

const struct model magic_model = {
    .name = "thaw-magic",
    .schema = &magic_schema,
    .open = magic_open,
    .check_config = magic_check_config,
    .mmio = &magic_mmio,
};
