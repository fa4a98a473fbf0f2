/* slots.h — the devices of the board's virtio-mmio slots. Inside of virt.h. */
#ifndef THAW_SIM_BOARD_SLOTS_H
#define THAW_SIM_BOARD_SLOTS_H

#include "sim/board/virt.h"

struct slot_place {
    struct machine *machine;
    const char *board;
    uint64_t base;
    uint32_t irq;
    uint32_t index; /* of the slot */
};

/* Adds the slot's device, or the placeholder of an empty one. Takes the slot's image, even on
 * failure. */
bool slot_add(const struct slot_place *place, const struct virt_slot *slot, struct err *err);

#endif
