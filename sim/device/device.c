#include "sim/device/device.h"

#include "storage/base/check.h"

#include <inttypes.h>
#include <string.h>

bool device_add_region(struct object *object, uint64_t base, uint64_t size, struct err *err)
{
    struct bus_region region = {.base = base, .size = size, .device = object};

    return bus_add(object_bus(object), &region, err);
}

bool device_add_memory(struct object *object, uint64_t base, struct image *image, bool writable,
                       struct err *err)
{
    struct bus_region region = {
        .base = base, .size = image->size, .ram = image, .writable = writable};

    return bus_add(object_bus(object), &region, err);
}

bool device_image(const struct object *object, uint32_t slot, uint64_t size, struct err *err)
{
    const char *name = object->model->schema->images[slot].name;
    uint64_t actual = object->images[slot]->size;

    if (actual != size)
        return err_set(err, ERR_INVALID,
                       "image %s has %" PRIu64 " bytes, the configuration says %" PRIu64, name,
                       actual, size);
    return true;
}

bool device_check_region(uint64_t base, uint64_t size, struct err *err)
{
    if (base % 4096 != 0)
        return err_set(err, ERR_INVALID, "base 0x%" PRIx64 " is not a multiple of 4096", base);
    if (size == 0 || base > UINT64_MAX - size)
        return err_set(err, ERR_INVALID,
                       "region of 0x%" PRIx64 " bytes at 0x%" PRIx64 " does not fit", size, base);
    return true;
}

bool hz_check(uint64_t hz, uint64_t clock_hz, struct err *err)
{
    if (hz == 0 || clock_hz == 0 || hz > UINT64_MAX / clock_hz)
        return err_set(err, ERR_INVALID,
                       "%" PRIu64 " Hz cannot be counted with a clock of %" PRIu64 " Hz", hz,
                       clock_hz);
    return true;
}

uint64_t hz_cycle_of(uint64_t ticks, uint64_t hz, uint64_t clock_hz)
{
    uint64_t whole = ticks / hz;
    uint64_t rest = (ticks % hz * clock_hz + (hz - 1)) / hz;

    /* ticks % hz * clock_hz < hz * clock_hz, so hz - 1 more may just wrap when the product is at
     * its limit. */
    if (ticks % hz * clock_hz > UINT64_MAX - (hz - 1))
        return CYCLE_NEVER;
    if (whole > UINT64_MAX / clock_hz || whole * clock_hz > UINT64_MAX - rest)
        return CYCLE_NEVER;
    return whole * clock_hz + rest;
}

uint32_t queue_put(uint8_t *queue, uint32_t max, uint32_t *count, struct span bytes)
{
    size_t room = max - *count;
    uint32_t taken = (uint32_t)(bytes.size < room ? bytes.size : room);

    if (taken != 0)
        memcpy(queue + *count, bytes.data, taken);
    *count += taken;
    return taken;
}

uint8_t queue_take(uint8_t *queue, uint32_t max, uint32_t *count)
{
    uint8_t byte = queue[0];

    CHECK(*count > 0 && *count <= max);
    *count -= 1;
    memmove(queue, queue + 1, *count);
    queue[*count] = 0;
    return byte;
}

void queue_clear(uint8_t *queue, uint32_t max, uint32_t *count)
{
    memset(queue, 0, max);
    *count = 0;
}

bool queue_check(const char *name, const uint8_t *queue, uint32_t max, uint32_t count,
                 struct err *err)
{
    if (count > max)
        return err_set(err, ERR_INVALID, "%s: %" PRIu32 " bytes in a queue of %" PRIu32, name,
                       count, max);
    for (uint32_t i = count; i < max; i++)
        if (queue[i] != 0)
            return err_set(err, ERR_INVALID, "%s: a byte past the end of the queue is not zero",
                           name);
    return true;
}

bool device_impossible(struct err *err, const char *attribute, uint64_t value)
{
    return err_set(err, ERR_INVALID, "%s cannot be 0x%" PRIx64, attribute, value);
}

void device_console(struct object *object, const uint8_t *bytes, size_t size)
{
    const struct host *host = &object->machine->host;

    if (host->console != NULL && size != 0)
        host->console(host->context, object, bytes, size);
}
