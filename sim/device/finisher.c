#include "sim/device/finisher.h"

#include "sim/device/device.h"

static bool finisher_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    (void)object;
    if (size > 4 || offset >= FINISHER_SIZE)
        return false;
    *value = 0;
    return true;
}

static bool finisher_write(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    uint64_t code = size >= 4 ? value >> 16 & 0xffff : 0;

    if (size < 2 || size > 4 || offset >= FINISHER_SIZE)
        return false;
    if (offset != 0)
        return true;
    switch (value & 0xffff) {
    case FINISHER_PASS:
        machine_halt(object->machine, FINISHER_HALT_END, 0);
        break;
    case FINISHER_FAIL:
        machine_halt(object->machine, FINISHER_HALT_END, code != 0 ? code : 1);
        break;
    case FINISHER_RESET:
        machine_halt(object->machine, FINISHER_HALT_REBOOT, 0);
        break;
    default:
        break;
    }
    return true;
}

static bool finisher_check_config(const void *config, struct err *err)
{
    const struct finisher_config *finisher = config;

    return device_check_region(finisher->base, FINISHER_SIZE, err);
}

static bool finisher_open(struct object *object, struct err *err)
{
    const struct finisher_config *config = object->config;

    return device_add_region(object, config->base, FINISHER_SIZE, err);
}

static const struct attr finisher_config_attrs[] = {
    ATTR(struct finisher_config, base, 0, "physical address"),
};

const struct schema finisher_schema = {
    .name = "sifive-test",
    .version = 1,
    .state = ATTR_TABLE_NONE,
    .config = ATTR_TABLE(struct finisher_config, finisher_config_attrs),
    .meaning = "ends the simulation with a verdict",
};

static const struct mmio_ops finisher_mmio = {finisher_read, finisher_write};

const struct model finisher_model = {
    .name = "sifive-test",
    .schema = &finisher_schema,
    .open = finisher_open,
    .check_config = finisher_check_config,
    .mmio = &finisher_mmio,
};
