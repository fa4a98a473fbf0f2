/* machine.h — the whole simulated machine: its objects, virtual time, and the loop that runs it.
 *
 * Virtual time is counted in cycles of the machine's clock (config clock_hz, default 1 GHz: a cycle
 * is a nanosecond). A functional hart takes one cycle an instruction. Everything here is
 * deterministic: same state, same inputs at the same points, same states ever after.
 *
 * The loop. Harts take turns in rounds: round_start (state) is the time at which all harts' round
 * began; hart `turn` (state) runs until round_start + quantum, or the next deadline if that is
 * sooner. When all have had their turn, time moves on; due deadlines fire in the order (time,
 * object index). With one hart there is no quantum: a round ends at the next deadline. A hart in
 * WFI skips to the round's end. When all wait, time jumps to the next deadline; without one the
 * machine is idle until an input comes. The machine can be stopped, and frozen, between any two
 * instructions of any hart. */
#ifndef THAW_SIM_CORE_MACHINE_H
#define THAW_SIM_CORE_MACHINE_H

#include "sim/core/bus.h"

#define MACHINE_OBJECTS_MAX 512
#define MACHINE_BOARDS_MAX  16
#define MACHINE_CPUS_MAX    64
#define CYCLE_NEVER         UINT64_MAX

/* The root object, path "machine", schema "thaw-machine/1". */
struct machine_config {
    uint64_t clock_hz; /* cycles a second */
    uint64_t quantum;  /* cycles of a turn, when there are several harts */
    uint64_t seed;     /* of everything random in the machine */
};

struct machine_state {
    uint64_t round_start; /* cycles */
    /* cycles; fixed when the round begins, may shrink to a nearer deadline */
    uint64_t round_end;
    uint64_t instructions; /* executed by all harts since reset; guests cannot write it */
    /* whose turn it is: index among the harts; their count between rounds */
    uint32_t turn;
    uint8_t halted; /* 0 running, 1 powered off or test finished, 2 asked for reboot */
    uint8_t unused[3];
    uint64_t exit_code; /* when halted: 0 pass; the guest's own number otherwise */
};

/* What the machine tells the host. All callbacks may be NULL; none may call back into the machine
 * except machine_stop. */
struct host {
    void *context;
    /* Bytes the guest put out on a console (object is the UART, virtio-console, HTIF). */
    void (*console)(void *context, struct object *object, const uint8_t *bytes, size_t size);
    /* The guest stored to the magic word: a request from inside (freeze point, marks). */
    void (*magic)(void *context, struct object *object, uint64_t value);
};

enum machine_stop {
    MACHINE_STOP_NONE,
    MACHINE_STOP_INSTRUCTIONS, /* the limit was reached, exactly */
    MACHINE_STOP_CYCLE,        /* virtual time reached the limit */
    MACHINE_STOP_REQUEST,      /* machine_stop was called */
    MACHINE_STOP_HALTED,       /* power off, finisher, HTIF exit, reboot: see state */
    MACHINE_STOP_IDLE,         /* all harts wait and no deadline is set: only input can go on */
};

/* A link not yet resolved; private. */
struct machine_link {
    struct object *object;
    uint32_t slot;
    char *target;
};

struct machine {
    const struct registry *registry;
    struct object *objects[MACHINE_OBJECTS_MAX];
    uint32_t object_count;
    struct object *cpus[MACHINE_OBJECTS_MAX]; /* those with cpu_ops, in object order */
    uint32_t cpu_count;
    /* one for each top-level object but "machine" and switches */
    struct bus *buses[MACHINE_BOARDS_MAX];
    struct host host;
    /* the running hart's local time, kept exact whenever devices are called */
    uint64_t now;
    bool stop_requested;   /* engines look at it after each MMIO access and leave */
    bool deadline_changed; /* likewise */
    bool opened;
    /* private: */
    uint32_t opened_count; /* objects whose open succeeded */
    struct machine_link *links;
    uint32_t link_count;
    char bus_boards[MACHINE_BOARDS_MAX][OBJECT_PATH_MAX];
};

/* Schema "thaw-machine", model "thaw-machine": the root object, which must be added first, as
 * "machine". */
extern const struct model machine_model;

struct machine *machine_new(const struct registry *registry);
void machine_free(struct machine *machine);

/* Building: add objects (config is copied; NULL takes reset values), link them, give images, then
 * open. Links are by path and may point forward; machine_open resolves them. */
bool machine_add(struct machine *machine, const char *path, const char *model, const void *config,
                 struct object **out, struct err *err);
bool object_link(struct object *object, const char *slot, const char *target_path, struct err *err);
/* The object takes the image. */
bool object_take_image(struct object *object, const char *slot, struct image *image,
                       struct err *err);
/* ERR_INVALID names the first image that nobody gave. A model's open may make those that are
 * left. */
bool machine_check_images(const struct machine *machine, struct err *err);
/* Resolves links, checks configs, calls every model's open in order, then resets nothing. */
bool machine_open(struct machine *machine, struct err *err);
/* Reset: all tables, then models' reset, then rebuild. RAM keeps its bytes. */
void machine_reset(struct machine *machine);
/* After all states were loaded: models' rebuild, engines' caches away. Changes no state. */
void machine_rebuild(struct machine *machine);
struct object *machine_find(struct machine *machine, const char *path);

struct machine_limits {
    uint64_t instructions; /* stop when state.instructions reaches this; UINT64_MAX: no limit */
    /* stop when virtual time reaches this; UINT64_MAX: no limit. With several harts: at the first
     * round that begins then or later */
    uint64_t cycle;
};
enum machine_stop machine_run(struct machine *machine, const struct machine_limits *limits);
/* From a host callback or from a device: leave after the current instruction. */
void machine_stop(struct machine *machine);
/* From a device: the guest powered off, finished or asked for a reboot. Leaves likewise. */
void machine_halt(struct machine *machine, uint8_t halted, uint64_t exit_code);

static inline uint64_t machine_now(const struct machine *machine)
{
    return machine->now;
}
/* Virtual time between instructions, in cycles / in nanoseconds (rounded down, no overflow). With
 * several harts: when the round began. */
uint64_t machine_cycle(const struct machine *machine);
uint64_t machine_virtual_ns(const struct machine *machine);
uint64_t machine_instructions(const struct machine *machine);
const struct machine_config *machine_config(const struct machine *machine);
/* From the next round on harts take turns of so many cycles: how a test varies the interleaving of
 * a thawed machine. Part of the state id, like all configuration. ERR_INVALID for too few. */
bool machine_set_quantum(struct machine *machine, uint64_t cycles, struct err *err);
static inline void machine_deadline_changed(struct machine *machine)
{
    machine->deadline_changed = true;
}
/* Sets an interrupt line of a linked object. */
static inline void object_set_line(struct object *target, uint32_t line, bool level)
{
    if (target != NULL && target->model->set_line != NULL)
        target->model->set_line(target, line, level);
}
/* The bus of the board this object belongs to: of the top-level object its path begins with. A
 * device's open() adds its own region (its config says where); made on first use. */
struct bus *object_bus(const struct object *object);
/* An input event, now, between two instructions. */
bool machine_input(struct machine *machine, struct object *object, const char *kind,
                   struct span bytes, size_t *taken, struct err *err);
/* Whoever changed a deadline outside machine_run calls this: the round ends at the nearer
 * deadline. */
void machine_settle(struct machine *machine);
/* Engines' caches thrown away: after load, or when somebody changed memory behind the bus. */
void machine_flush(struct machine *machine);

#endif
