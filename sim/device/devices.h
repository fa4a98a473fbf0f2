/* devices.h — all device models of the simulator, for a registry. */
#ifndef THAW_SIM_DEVICE_DEVICES_H
#define THAW_SIM_DEVICE_DEVICES_H

#include "sim/core/schema.h"

void devices_register(struct registry *registry);

#endif
