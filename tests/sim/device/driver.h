/* driver.h — a virtio driver in a few lines, for tests: rings in the rig's RAM, and every rule
 * breakable. */
#ifndef THAW_TESTS_SIM_DEVICE_DRIVER_H
#define THAW_TESTS_SIM_DEVICE_DRIVER_H

#include "tests/sim/device/rig.h"

#define DRIVER_SIZE 8 /* elements of each queue */
#define DESC_NEXT   1
#define DESC_WRITE  2

enum driver_register {
    REG_MAGIC = 0x00,
    REG_VERSION = 0x04,
    REG_DEVICE = 0x08,
    REG_VENDOR = 0x0c,
    REG_FEATURES = 0x10,
    REG_FEATURES_SELECT = 0x14,
    REG_TAKEN = 0x20,
    REG_TAKEN_SELECT = 0x24,
    REG_QUEUE = 0x30,
    REG_SIZE_MAX = 0x34,
    REG_SIZE = 0x38,
    REG_READY = 0x44,
    REG_NOTIFY = 0x50,
    REG_INTERRUPT = 0x60,
    REG_ACK = 0x64,
    REG_STATUS = 0x70,
    REG_DESC = 0x80,
    REG_DRIVER = 0x90,
    REG_DEVICE_RING = 0xa0,
    REG_GENERATION = 0xfc,
    REG_CONFIG = 0x100,
};

struct driver {
    struct rig *rig;
    uint64_t base;   /* of the device's registers */
    uint64_t memory; /* of queue 0's rings; queue n's are 0x1000 * n further */
};

static inline uint32_t driver_get(const struct driver *driver, uint64_t reg)
{
    return (uint32_t)rig_read(driver->rig, driver->base + reg, 4);
}

static inline void driver_set(const struct driver *driver, uint64_t reg, uint32_t value)
{
    rig_write(driver->rig, driver->base + reg, 4, value);
}

static inline uint64_t driver_desc(const struct driver *driver, uint32_t queue)
{
    return driver->memory + 0x1000 * (uint64_t)queue;
}

static inline uint64_t driver_avail(const struct driver *driver, uint32_t queue)
{
    return driver_desc(driver, queue) + 0x400;
}

static inline uint64_t driver_used(const struct driver *driver, uint32_t queue)
{
    return driver_desc(driver, queue) + 0x800;
}

static inline void driver_put(const struct driver *driver, uint32_t queue, uint32_t index,
                              uint64_t address, uint64_t size_flags_next)
{
    uint64_t at = driver_desc(driver, queue) + 16 * (uint64_t)index;

    rig_write(driver->rig, at, 8, address);
    rig_write(driver->rig, at + 8, 8, size_flags_next);
}

#define PART(size, flags, next)                                                                    \
    ((uint64_t)(size) | (uint64_t)(flags) << 32 | (uint64_t)(next) << 48)

/* Makes the chain that begins at `head` available and notifies the device. */
static inline void driver_offer(const struct driver *driver, uint32_t queue, uint16_t head)
{
    uint64_t avail = driver_avail(driver, queue);
    uint64_t index = rig_read(driver->rig, avail + 2, 2);

    rig_write(driver->rig, avail + 4 + 2 * (index % DRIVER_SIZE), 2, head);
    rig_write(driver->rig, avail + 2, 2, (index + 1) & 0xffff);
    driver_set(driver, REG_NOTIFY, queue);
}

static inline uint32_t driver_used_index(const struct driver *driver, uint32_t queue)
{
    return (uint32_t)rig_read(driver->rig, driver_used(driver, queue) + 2, 2);
}

/* The length the device gave with used element `place`. */
static inline uint32_t driver_used_length(const struct driver *driver, uint32_t queue,
                                          uint32_t place)
{
    return (uint32_t)rig_read(driver->rig, driver_used(driver, queue) + 8 + 8 * (uint64_t)place, 4);
}

static inline void driver_set64(const struct driver *driver, uint64_t reg, uint64_t value)
{
    driver_set(driver, reg, (uint32_t)value);
    driver_set(driver, reg + 4, (uint32_t)(value >> 32));
}

/* Section 3.1.1, with queues 0 … count - 1. */
static inline void driver_start(const struct driver *driver, uint32_t count)
{
    driver_set(driver, REG_STATUS, 0);
    driver_set(driver, REG_STATUS, 1);
    driver_set(driver, REG_STATUS, 3);
    driver_set(driver, REG_TAKEN_SELECT, 1);
    driver_set(driver, REG_TAKEN, 1); /* VERSION_1 */
    driver_set(driver, REG_STATUS, 11);
    assert_int_equal(driver_get(driver, REG_STATUS), 11);
    for (uint32_t queue = 0; queue < count; queue++) {
        rig_write(driver->rig, driver_avail(driver, queue), 4, 0);
        rig_write(driver->rig, driver_used(driver, queue), 4, 0);
        driver_set(driver, REG_QUEUE, queue);
        assert_true(driver_get(driver, REG_SIZE_MAX) >= DRIVER_SIZE);
        driver_set(driver, REG_SIZE, DRIVER_SIZE);
        driver_set64(driver, REG_DESC, driver_desc(driver, queue));
        driver_set64(driver, REG_DRIVER, driver_avail(driver, queue));
        driver_set64(driver, REG_DEVICE_RING, driver_used(driver, queue));
        driver_set(driver, REG_READY, 1);
    }
    driver_set(driver, REG_STATUS, 15);
}

static inline bool driver_broken(const struct driver *driver)
{
    return (driver_get(driver, REG_STATUS) & VIRTIO_NEEDS_RESET) != 0;
}

#endif
