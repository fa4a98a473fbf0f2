/* finisher.h — SiFive test finisher: how a guest ends the simulation. Schema "sifive-test/1".
 * Source: the "sifive,test0" and "syscon-poweroff", "syscon-reboot" device-tree bindings; it has
 * no manual.
 *
 * A store of 2 bytes or more at offset 0: the low 16 bits say what, the next 16 a code.
 * | value  | effect                                                        |
 * |--------|---------------------------------------------------------------|
 * | 0x5555 | passed: the machine halts, exit code 0                        |
 * | 0x3333 | failed: halts with the code (1 where the guest gives 0)       |
 * | 0x7777 | asks for a reboot                                             |
 * It has no state of its own: that the machine halted is the machine's. */
#ifndef THAW_SIM_DEVICE_FINISHER_H
#define THAW_SIM_DEVICE_FINISHER_H

#include "sim/core/schema.h"

#define FINISHER_SIZE 0x1000

enum finisher_word { FINISHER_FAIL = 0x3333, FINISHER_PASS = 0x5555, FINISHER_RESET = 0x7777 };
/* What machine_halt is told (machine_state.halted). */
enum finisher_halt { FINISHER_HALT_END = 1, FINISHER_HALT_REBOOT = 2 };

struct finisher_config {
    uint64_t base;
};

extern const struct schema finisher_schema;
extern const struct model finisher_model; /* "sifive-test" */

#endif
