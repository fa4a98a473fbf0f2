/* magic.h — the magic word: a request from inside the guest to whoever runs the machine (a
 * freeze point, a mark). Schema "thaw-magic/1". Our own device; this is its manual.
 *
 * | offset | size       | read                      | write                                    |
 * |--------|------------|---------------------------|------------------------------------------|
 * | 0      | 1, 2, 4, 8 | MAGIC_ID, cut to the size | the value goes to host.magic, and `last` |
 * Other offsets of the page read 0 and ignore writes. A guest that finds MAGIC_ID knows it runs
 * here. */
#ifndef THAW_SIM_DEVICE_MAGIC_H
#define THAW_SIM_DEVICE_MAGIC_H

#include "sim/core/schema.h"

#define MAGIC_SIZE 0x1000
#define MAGIC_ID   UINT64_C(0x0000000177616874) /* "thaw", then the version */

struct magic_config {
    uint64_t base;
};

struct magic_state {
    uint64_t last;  /* value stored last */
    uint64_t count; /* stores since reset */
};

extern const struct schema magic_schema;
extern const struct model magic_model; /* "thaw-magic" */

#endif
