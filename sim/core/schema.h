/* schema.h — what hardware holds (a schema) and the code that runs it (a model).
 *
 * A schema is a named, versioned list of attributes, configuration, links and images. A model
 * implements a schema; several models may implement one. Both are immutable tables, registered in a
 * `struct registry` that the caller builds (no global state). Saved names live forever. */
#ifndef THAW_SIM_CORE_SCHEMA_H
#define THAW_SIM_CORE_SCHEMA_H

#include "sim/core/attr.h"

struct object;
struct machine;
struct image;

/* A named reference from one object to another, by path. */
struct link_slot {
    const char *name;
    const char *schema; /* the schema the target must have, or NULL for any */
    bool required;
    const char *meaning;
};

/* A large byte array that belongs to the object. */
struct image_slot {
    const char *name;
    const char *meaning;
};

/* Turns attributes of `from_version` into those of from_version + 1: works on decoded values, see
 * upgrade.h. */
struct upgrade;

struct schema {
    const char *name; /* "riscv-hart", "ns16550" */
    uint32_t version;
    struct attr_table state;
    struct attr_table config;
    const struct link_slot *links;
    uint32_t link_count;
    const struct image_slot *images;
    uint32_t image_count;
    const struct upgrade *upgrades; /* one for each version below `version`, in order */
    uint32_t upgrade_count;
    const char *meaning;
};

/* Memory-mapped access. `offset` from the start of the object's region; size 1, 2, 4 or 8. False:
 * access fault. machine_now(object->machine) is exact. */
struct mmio_ops {
    bool (*read)(struct object *object, uint64_t offset, uint32_t size, uint64_t *value);
    bool (*write)(struct object *object, uint64_t offset, uint32_t size, uint64_t value);
};

/* A processor: something that is given turns. */
struct cpu_ops {
    /* Runs until its cycle counter (state) reaches `cycle_limit`, or `instructions_max` more have
     * been executed, whichever is first, or machine->stop asks (checked after each MMIO access), or
     * it waits for an interrupt that is not there. Never goes past either limit: exact for every
     * engine. Returns the number executed. */
    uint64_t (*run)(struct object *cpu, uint64_t cycle_limit, uint64_t instructions_max);
    uint64_t (*cycle)(const struct object *cpu); /* its local virtual time, in machine cycles */
    void (*set_cycle)(struct object *cpu, uint64_t cycle); /* jumps ahead while it waits */
    bool (*waiting)(const struct object *cpu);   /* in WFI with no pending enabled interrupt */
    /* At the end of a turn of several harts: LR reservations end (the manual allows it, Unpriv.
     * 14.2). */
    void (*end_turn)(struct object *cpu);
    /* Throws away everything derived: decoded blocks, TLBs. After load, reset, debugger writes. */
    void (*flush)(struct object *cpu);
    /* Forgets which pages may be written without notice, so that dirty tracking starts anew. */
    void (*flush_writes)(struct object *cpu);
};

/* The board's time counter (mtime), as harts see it. */
struct timer_ops {
    /* Its value at a virtual time. */
    uint64_t (*read)(const struct object *timer, uint64_t cycle);
    /* The first virtual time at which its value is >= `time`; CYCLE_NEVER if that never comes. */
    uint64_t (*cycle_of)(const struct object *timer, uint64_t time);
};

struct model {
    const char *name; /* "rv64-fast", "ns16550" */
    const struct schema *schema;
    /* Host side. Called once, objects' links resolved, config checked by check_config, state not
     * yet meaningful. May set object->host. */
    bool (*open)(struct object *object, struct err *err);
    void (*close)(struct object *object);
    /* True if this config / state (of the schema's structs) is possible. Load and build call it. */
    bool (*check_config)(const void *config, struct err *err);
    bool (*check_state)(const struct object *object, const void *state, struct err *err);
    /* Reset beyond the table: only what depends on config (phase 1, local). Optional. */
    void (*reset)(struct object *object);
    /* After reset or load of *all* objects: rebuild host-side caches from state. Must not change
     * any state, of any object. Optional. */
    void (*rebuild)(struct object *object);
    /* The next virtual time (cycles) at which `fire` must be called; UINT64_MAX: none. Pure
     * function of state. Call machine_deadline_changed after changing it. Optional. */
    uint64_t (*deadline)(const struct object *object);
    void (*fire)(struct object *object, uint64_t now);
    /* A level on input line `line` of this object (an interrupt controller, a hart). Optional. */
    void (*set_line)(struct object *object, uint32_t line, bool level);
    /* An input event: console bytes, a medium, a seed. Returns how many bytes it took (it may take
     * fewer for a full queue). `kind` is a name such as "console". ERR_USAGE for a kind it does not
     * know. */
    bool (*input)(struct object *object, const char *kind, struct span bytes, size_t *taken,
                  struct err *err);
    const struct mmio_ops *mmio;
    const struct cpu_ops *cpu;
    const struct timer_ops *timer;
};

#define REGISTRY_MODELS_MAX 128
struct registry {
    const struct model *models[REGISTRY_MODELS_MAX];
    uint32_t count;
};
/* CHECKs that the tables tile and that names are unique. */
void registry_add(struct registry *registry, const struct model *model);
const struct model *registry_find_model(const struct registry *registry, struct span name);
/* The first model of the schema: the default one. */
const struct model *registry_find_schema(const struct registry *registry, struct span name);

#endif
