/* bus.h — a board's physical address map: RAM and devices, and the writes that must not go unseen.
 *
 * Every path into RAM other than an engine's TLB hit goes through here, so that dirty pages,
 * decoded code and page tables are kept right. One bus a board; host-side, rebuilt from the
 * objects. */
#ifndef THAW_SIM_CORE_BUS_H
#define THAW_SIM_CORE_BUS_H

#include "sim/core/image.h"
#include "sim/core/object.h"

#define BUS_REGIONS_MAX 64

struct bus_region {
    uint64_t base;
    uint64_t size;
    struct image *ram;     /* RAM or ROM, or NULL */
    bool writable;         /* of RAM */
    struct object *device; /* MMIO, or NULL */
    /* for the engine; index of the region is stable while the machine lives */
    void *tag;
};

/* Told of writes to pages flagged CODE or TABLE, *after* the bytes changed (`old` are the bytes
 * before, at most 8; NULL for longer writes). */
struct bus_observer {
    void (*written)(void *context, struct bus_region *region, uint64_t offset, uint64_t size,
                    const uint8_t *old);
    /* Any DMA write to RAM: LR reservations there end (I 14.2). May be NULL. */
    void (*dma)(void *context, uint64_t address, uint64_t size);
    void *context;
};

#define BUS_WATCHES_MAX 8
/* A range of RAM whose writes a device wants to hear of (HTIF's tohost): after the bytes changed,
 * device->model->mmio->write is called with the offset from `address`, size and value. */
struct bus_watch {
    uint64_t address;
    uint64_t size;
    struct object *device;
};

struct bus {
    struct bus_region regions[BUS_REGIONS_MAX]; /* in order of base, never overlapping */
    uint32_t count;
    struct bus_watch watches[BUS_WATCHES_MAX];
    uint32_t watch_count;
    struct bus_observer observer; /* one: the engine's shared part of the board; may be empty */
};

void bus_init(struct bus *bus);
/* ERR_CONFLICT for an overlap (names both); ERR_INVALID for RAM that is larger than its image, or
 * under 8 bytes. Only while the machine is built. */
bool bus_add(struct bus *bus, const struct bus_region *region, struct err *err);
bool bus_watch(struct bus *bus, const struct bus_watch *watch, struct err *err);
/* NULL if nothing is there. */
struct bus_region *bus_find(struct bus *bus, uint64_t address);
/* RAM that holds [address, address + size), writable or not; NULL otherwise. */
struct bus_region *bus_ram(struct bus *bus, uint64_t address, uint64_t size);

/* One naturally aligned access of 1, 2, 4 or 8 bytes, RAM (little endian) or device. False: access
 * fault. */
bool bus_read(struct bus *bus, uint64_t address, uint32_t size, uint64_t *value);
bool bus_write(struct bus *bus, uint64_t address, uint32_t size, uint64_t value);
/* Device DMA: RAM only, any length, any alignment. False: not RAM, nothing written. */
bool bus_dma_read(struct bus *bus, uint64_t address, void *out, uint64_t size);
bool bus_dma_write(struct bus *bus, uint64_t address, const void *data, uint64_t size);

#endif
