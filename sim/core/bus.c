#include "sim/core/bus.h"

#include "storage/base/bytes.h"
#include "storage/base/check.h"

#include <string.h>

void bus_init(struct bus *bus)
{
    memset(bus, 0, sizeof *bus);
}

static const char *region_name(const struct bus_region *region)
{
    return region->device != NULL ? region->device->path : "RAM";
}

bool bus_add(struct bus *bus, const struct bus_region *region, struct err *err)
{
    uint32_t at = 0;

    if (region->size == 0 || region->base + (region->size - 1) < region->base)
        return err_set(err, ERR_INVALID, "%s: no address range of %llu bytes begins at 0x%llx",
                       region_name(region), (unsigned long long)region->size,
                       (unsigned long long)region->base);
    if (region->ram != NULL && (region->size < 8 || region->size > region->ram->size))
        return err_set(err, ERR_INVALID, "%s at 0x%llx: %llu bytes, of an image of %llu",
                       region_name(region), (unsigned long long)region->base,
                       (unsigned long long)region->size, (unsigned long long)region->ram->size);
    if (bus->count == BUS_REGIONS_MAX)
        return err_set(err, ERR_TOO_BIG, "%s: more than %d regions on a bus", region_name(region),
                       BUS_REGIONS_MAX);
    while (at < bus->count && bus->regions[at].base < region->base)
        at++;
    if ((at > 0 && region->base - bus->regions[at - 1].base < bus->regions[at - 1].size) ||
        (at < bus->count && bus->regions[at].base - region->base < region->size)) {
        const struct bus_region *other =
            at > 0 && region->base - bus->regions[at - 1].base < bus->regions[at - 1].size
                ? &bus->regions[at - 1]
                : &bus->regions[at];
        return err_set(err, ERR_CONFLICT, "%s at 0x%llx overlaps %s at 0x%llx", region_name(region),
                       (unsigned long long)region->base, region_name(other),
                       (unsigned long long)other->base);
    }
    memmove(&bus->regions[at + 1], &bus->regions[at], (bus->count - at) * sizeof *region);
    bus->regions[at] = *region;
    bus->count++;
    return true;
}

bool bus_watch(struct bus *bus, const struct bus_watch *watch, struct err *err)
{
    struct bus_region *region = bus_ram(bus, watch->address, watch->size);

    if (region == NULL || watch->size == 0)
        return err_set(err, ERR_INVALID, "%s: 0x%llx is not in RAM", watch->device->path,
                       (unsigned long long)watch->address);
    if (bus->watch_count == BUS_WATCHES_MAX)
        return err_set(err, ERR_TOO_BIG, "%s: more than %d watched words", watch->device->path,
                       BUS_WATCHES_MAX);
    for (uint64_t at = watch->address - region->base;
         at < watch->address - region->base + watch->size; at++)
        region->ram->page_flags[at / IMAGE_PAGE_SIZE] |= IMAGE_PAGE_WATCH;
    bus->watches[bus->watch_count++] = *watch;
    return true;
}

struct bus_region *bus_find(struct bus *bus, uint64_t address)
{
    uint32_t low = 0, high = bus->count;

    while (low < high) {
        uint32_t middle = (low + high) / 2;
        struct bus_region *region = &bus->regions[middle];
        if (address < region->base)
            high = middle;
        else if (address - region->base >= region->size)
            low = middle + 1;
        else
            return region;
    }
    return NULL;
}

struct bus_region *bus_ram(struct bus *bus, uint64_t address, uint64_t size)
{
    struct bus_region *region = bus_find(bus, address);

    if (region == NULL || region->ram == NULL || size > region->size ||
        address - region->base > region->size - size)
        return NULL;
    return region;
}

bool bus_read(struct bus *bus, uint64_t address, uint32_t size, uint64_t *value)
{
    struct bus_region *region = bus_find(bus, address);
    const uint8_t *at;

    if (region == NULL)
        return false;
    if (region->ram == NULL)
        return region->device->model->mmio->read(region->device, address - region->base, size,
                                                 value);
    if (address - region->base > region->size - size)
        return false;
    at = region->ram->data + (address - region->base);
    *value = size == 1   ? *at
             : size == 2 ? load_le16(at)
             : size == 4 ? load_le32(at)
                         : load_le64(at);
    return true;
}

static void store(uint8_t *at, uint32_t size, uint64_t value)
{
    if (size == 1)
        *at = (uint8_t)value;
    else if (size == 2)
        store_le16(at, (uint16_t)value);
    else if (size == 4)
        store_le32(at, (uint32_t)value);
    else
        store_le64(at, value);
}

/* Those who watch words hear of a store that begins inside their range. */
static void tell_watches(struct bus *bus, uint64_t address, uint32_t size, uint64_t value)
{
    for (uint32_t i = 0; i < bus->watch_count; i++) {
        struct bus_watch *watch = &bus->watches[i];
        if (address - watch->address < watch->size)
            watch->device->model->mmio->write(watch->device, address - watch->address, size, value);
    }
}

static uint8_t flags_of(const struct bus_region *region, uint64_t offset, uint64_t size)
{
    uint8_t all = 0;

    for (uint64_t page = offset / IMAGE_PAGE_SIZE; page <= (offset + size - 1) / IMAGE_PAGE_SIZE;
         page++)
        all |= region->ram->page_flags[page];
    return all;
}

bool bus_write(struct bus *bus, uint64_t address, uint32_t size, uint64_t value)
{
    struct bus_region *region = bus_find(bus, address);
    uint64_t offset;
    uint8_t old[8], flags;

    if (region == NULL)
        return false;
    offset = address - region->base;
    if (region->ram == NULL)
        return region->device->model->mmio->write(region->device, offset, size, value);
    if (!region->writable || offset > region->size - size)
        return false;
    memcpy(old, region->ram->data + offset, size);
    store(region->ram->data + offset, size, value);
    flags = region->ram->page_flags[offset / IMAGE_PAGE_SIZE];
    image_touch(region->ram, offset, size);
    if ((flags & (IMAGE_PAGE_CODE | IMAGE_PAGE_TABLE)) != 0 && bus->observer.written != NULL)
        bus->observer.written(bus->observer.context, region, offset, size, old);
    if ((flags & IMAGE_PAGE_WATCH) != 0)
        tell_watches(bus, address, size, value);
    return true;
}

bool bus_dma_read(struct bus *bus, uint64_t address, void *out, uint64_t size)
{
    struct bus_region *region = bus_ram(bus, address, size);

    if (region == NULL)
        return false;
    memcpy(out, region->ram->data + (address - region->base), (size_t)size);
    return true;
}

bool bus_dma_write(struct bus *bus, uint64_t address, const void *data, uint64_t size)
{
    struct bus_region *region = bus_ram(bus, address, size);
    uint64_t offset;
    uint8_t flags;

    if (region == NULL || !region->writable)
        return false;
    if (size == 0)
        return true;
    offset = address - region->base;
    memcpy(region->ram->data + offset, data, (size_t)size);
    flags = flags_of(region, offset, size);
    image_touch(region->ram, offset, size);
    if ((flags & (IMAGE_PAGE_CODE | IMAGE_PAGE_TABLE)) != 0 && bus->observer.written != NULL)
        bus->observer.written(bus->observer.context, region, offset, size, NULL);
    if (bus->observer.dma != NULL)
        bus->observer.dma(bus->observer.context, address, size);
    return true;
}
