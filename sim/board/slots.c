#include "sim/board/slots.h"

#include "sim/device/net_switch.h"
#include "sim/device/virtio_blk.h"
#include "sim/device/virtio_console.h"
#include "sim/device/virtio_empty.h"
#include "sim/device/virtio_net.h"
#include "sim/device/virtio_rng.h"

#include <stdio.h>
#include <string.h>

static bool add(const struct slot_place *place, const char *path, const char *model,
                const void *config, struct err *err)
{
    char plic[OBJECT_PATH_MAX];
    struct object *object;

    snprintf(plic, sizeof plic, "%s.plic", place->board);
    return machine_add(place->machine, path, model, config, &object, err) &&
           object_link(object, "interrupts", plic, err);
}

static bool add_block(const struct slot_place *place, const char *path, struct virt_slot *slot,
                      struct err *err)
{
    struct virtio_blk_config config = {
        .mmio = {place->base, place->irq, 0},
        .capacity = slot->capacity_bytes,
        .latency_ns = BLK_LATENCY_NS,
        .read_only = slot->read_only,
    };
    struct object *object;

    if (slot->image == NULL)
        return err_set(err, ERR_USAGE, "%s: a disk without an image", path);
    config.image_size = slot->image->size;
    snprintf(config.serial, BLK_SERIAL_SIZE + 1, "%s", slot->name);
    if (!add(place, path, "virtio-blk", &config, err))
        return false;
    object = machine_find(place->machine, path);
    if (!object_take_image(object, "disk", slot->image, err))
        return false;
    slot->image = NULL;
    return true;
}

/* The card goes to the switch's first free port. */
static bool plug_in(const struct slot_place *place, const char *path, const char *link,
                    struct err *err)
{
    struct object *net = machine_find(place->machine, path);
    struct object *wire = machine_find(place->machine, link);
    char port[16];

    if (wire == NULL || wire->model->schema != &net_switch_schema)
        return err_set(err, ERR_USAGE, "%s: %s is no switch", path, link);
    for (uint32_t i = 0; i < NET_PORTS; i++) {
        struct err taken = ERR_INIT;
        snprintf(port, sizeof port, "port%u", i);
        if (object_link(wire, port, path, &taken))
            return object_link(net, "switch", link, err);
    }
    return err_set(err, ERR_CONFLICT, "%s: all %d ports of %s are taken", path, NET_PORTS, link);
}

static bool add_net(const struct slot_place *place, const char *path, const struct virt_slot *slot,
                    struct err *err)
{
    struct virtio_net_config config = {.mmio = {place->base, place->irq, 0}};

    memcpy(config.mac, slot->mac, sizeof config.mac);
    return add(place, path, "virtio-net", &config, err) &&
           (slot->link == NULL || plug_in(place, path, slot->link, err));
}

static bool add_empty(const struct slot_place *place, struct err *err)
{
    struct virtio_empty_config config = {place->base};
    char path[OBJECT_PATH_MAX];

    snprintf(path, sizeof path, "%s.virtio%u", place->board, place->index);
    return machine_add(place->machine, path, "virtio-empty", &config, NULL, err);
}

static bool add_device(const struct slot_place *place, struct virt_slot *slot, struct err *err)
{
    struct virtio_console_config console = {.mmio = {place->base, place->irq, 0}};
    struct virtio_rng_config rng = {.mmio = {place->base, place->irq, 0}};
    char path[OBJECT_PATH_MAX];

    snprintf(path, sizeof path, "%s.%s", place->board, slot->name);
    switch (slot->kind) {
    case VIRT_SLOT_EMPTY:
        break;
    case VIRT_SLOT_BLOCK:
        return add_block(place, path, slot, err);
    case VIRT_SLOT_CONSOLE:
        return add(place, path, "virtio-console", &console, err);
    case VIRT_SLOT_NET:
        return add_net(place, path, slot, err);
    case VIRT_SLOT_RNG:
        return add(place, path, "virtio-rng", &rng, err);
    }
    return err_set(err, ERR_USAGE, "%s: no such kind of device", path);
}

bool slot_add(const struct slot_place *place, const struct virt_slot *slot, struct err *err)
{
    struct virt_slot mine = *slot;
    bool ok = slot->kind == VIRT_SLOT_EMPTY ? add_empty(place, err) : add_device(place, &mine, err);

    image_free(mine.image);
    return ok;
}
