#include "sim/board/slots.h"

bool slot_add(const struct slot_place *place, const struct virt_slot *slot, struct err *err)
{
    if (slot->kind == VIRT_SLOT_EMPTY)
        return true;
    image_free(slot->image);
    return err_set(err, ERR_UNSUPPORTED, "%s.%s: no such device", place->board, slot->name);
}
