/* engine.h — what runs instructions: chosen per machine, behind one interface (interpreter now;
 * compilers later). All engines go through the same states: the same after any number of
 * instructions. */
#ifndef THAW_SIM_HART_ENGINE_H
#define THAW_SIM_HART_ENGINE_H

#include "sim/hart/hart.h"

struct engine_ops {
    const char *name; /* "interpreter" */
    /* Gives hart->engine; harts of one bus share what can be shared. */
    bool (*open)(struct hart *hart, struct err *err);
    void (*close)(struct hart *hart);
    /* As cpu_ops.run. */
    uint64_t (*run)(struct hart *hart, uint64_t cycle_limit, uint64_t instructions_max);
    void (*flush)(struct hart *hart);
    void (*flush_writes)(struct hart *hart);
};

extern const struct engine_ops engine_interpreter;
/* NULL if this build has no such engine. "auto" is the fastest one of this host. */
const struct engine_ops *engine_find(const char *name);

#endif
