#include "sim/device/devices.h"

#include "sim/device/clint.h"
#include "sim/device/finisher.h"
#include "sim/device/htif.h"
#include "sim/device/magic.h"
#include "sim/device/net_switch.h"
#include "sim/device/plic.h"
#include "sim/device/ram.h"
#include "sim/device/rtc.h"
#include "sim/device/uart.h"
#include "sim/device/virtio_blk.h"
#include "sim/device/virtio_console.h"
#include "sim/device/virtio_empty.h"
#include "sim/device/virtio_net.h"
#include "sim/device/virtio_rng.h"

void devices_register(struct registry *registry)
{
    static const struct model *const models[] = {
        &ram_model,        &clint_model,
        &plic_model,       &uart_model,
        &finisher_model,   &rtc_model,
        &magic_model,      &htif_model,
        &virtio_blk_model, &virtio_console_model,
        &virtio_rng_model, &virtio_net_model,
        &net_switch_model, &virtio_empty_model,
    };

    for (uint32_t i = 0; i < sizeof models / sizeof models[0]; i++)
        registry_add(registry, models[i]);
}
