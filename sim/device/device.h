/* device.h — what every device model needs: its region on the board's bus, its interrupt line,
 * virtual time in other units, and byte queues.
 *
 * Devices are state only: all that a checkpoint keeps is in the state struct, which the
 * attribute table tiles; `object->host` holds at most what rebuild() can make again. */
#ifndef THAW_SIM_DEVICE_DEVICE_H
#define THAW_SIM_DEVICE_DEVICE_H

#include "sim/core/machine.h"

/* Registers [base, base + size) as the object's registers on its board's bus. */
bool device_add_region(struct object *object, uint64_t base, uint64_t size, struct err *err);
/* Registers the image as memory. */
bool device_add_memory(struct object *object, uint64_t base, struct image *image, bool writable,
                       struct err *err);
/* ERR_INVALID if the image in `slot` is not of `size` bytes. */
bool device_image(const struct object *object, uint32_t slot, uint64_t size, struct err *err);
/* A check_config for a region: ERR_INVALID unless base is a multiple of 4096 and nothing wraps. */
bool device_check_region(uint64_t base, uint64_t size, struct err *err);

/* Another clock's ticks against the machine's cycles. hz_check must have passed: then nothing
 * overflows. */
bool hz_check(uint64_t hz, uint64_t clock_hz, struct err *err);
/* Whole ticks of `hz` in `cycles` of `clock_hz`. */
static inline uint64_t hz_ticks(uint64_t cycles, uint64_t hz, uint64_t clock_hz)
{
    return cycles / clock_hz * hz + cycles % clock_hz * hz / clock_hz;
}
/* The first cycle at which hz_ticks is >= ticks; CYCLE_NEVER if that is past the end of time. */
uint64_t hz_cycle_of(uint64_t ticks, uint64_t hz, uint64_t clock_hz);

#define NS_HZ UINT64_C(1000000000)
/* Nanoseconds of virtual time at the instant of the access or event that runs now. */
static inline uint64_t device_now_ns(const struct object *object)
{
    return hz_ticks(machine_now(object->machine), NS_HZ, machine_config(object->machine)->clock_hz);
}

/* Byte queues in state: oldest first, unused places zero, so that equal queues are equal bytes. */
uint32_t queue_put(uint8_t *queue, uint32_t max, uint32_t *count, struct span bytes);
/* The oldest byte; CHECKs that there is one. */
uint8_t queue_take(uint8_t *queue, uint32_t max, uint32_t *count);
void queue_clear(uint8_t *queue, uint32_t max, uint32_t *count);
/* For check_state: count within max, unused places zero. */
bool queue_check(const char *name, const uint8_t *queue, uint32_t max, uint32_t count,
                 struct err *err);

/* For check_state: an attribute out of the hardware's range. Returns false. */
bool device_impossible(struct err *err, const char *attribute, uint64_t value);

/* Sends to the host's console callback, if there is one. */
void device_console(struct object *object, const uint8_t *bytes, size_t size);

#endif
