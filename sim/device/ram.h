/* ram.h — memory on the bus: RAM, and with read_only a boot ROM or flash. Schema "ram/1".
 *
 * All its state is the image "bytes"; reset keeps it. A store to read-only memory is an access
 * fault. */
#ifndef THAW_SIM_DEVICE_RAM_H
#define THAW_SIM_DEVICE_RAM_H

#include "sim/core/schema.h"

struct ram_config {
    uint64_t base;     /* multiple of 4096 */
    uint64_t size;     /* bytes, a multiple of IMAGE_CHUNK_SIZE */
    uint8_t read_only; /* for the guest */
    uint8_t unused[7];
};

enum ram_image { RAM_IMAGE_BYTES };

extern const struct schema ram_schema;
extern const struct model ram_model; /* "ram" */

#endif
