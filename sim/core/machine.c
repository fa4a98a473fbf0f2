/* machine.c — objects put together, opened and reset. The loop that runs them is in run.c. */
#include "sim/core/machine.h"

#include "storage/base/check.h"

#include <stdlib.h>
#include <string.h>

#define STATE_ALIGNMENT 64
#define CLOCK_HZ_MAX    UINT64_C(100000000000)
#define QUANTUM_MIN     64 /* a constrained LR/SC loop must fit (I 14.3) */

/* clang-format off */
static const struct attr state_attrs[] = {
    ATTR(struct machine_state, round_start, 0, "virtual time at which the harts' round began, in cycles"),
    ATTR(struct machine_state, round_end, 0, "virtual time at which it ends, in cycles"),
    ATTR(struct machine_state, instructions, 0, "instructions executed by all harts since reset"),
    ATTR(struct machine_state, turn, 0, "whose turn it is, as an index among the harts; their count between rounds"),
    ATTR(struct machine_state, halted, 0, "0 running, 1 powered off or finished, 2 asked for reboot"),
    ATTR_ARRAY(struct machine_state, unused, 0, "always 0"),
    ATTR(struct machine_state, exit_code, 0, "when halted: 0 for pass, else the guest's own number"),
};
static const struct attr config_attrs[] = {
    ATTR(struct machine_config, clock_hz, UINT64_C(1000000000), "cycles a second"),
    ATTR(struct machine_config, quantum, 10000, "cycles of a hart's turn, when there are several harts"),
    ATTR(struct machine_config, seed, 1, "seed of everything random in the machine"),
};
/* clang-format on */

static const struct schema machine_schema = {
    .name = "thaw-machine",
    .version = 1,
    .state = ATTR_TABLE(struct machine_state, state_attrs),
    .config = ATTR_TABLE(struct machine_config, config_attrs),
    .meaning = "the machine itself: virtual time and the harts' turns",
};

static bool check_config(const void *config, struct err *err)
{
    const struct machine_config *machine = config;

    if (machine->clock_hz == 0 || machine->clock_hz > CLOCK_HZ_MAX)
        return err_set(err, ERR_INVALID, "clock_hz must be 1 to %llu",
                       (unsigned long long)CLOCK_HZ_MAX);
    if (machine->quantum < QUANTUM_MIN)
        return err_set(err, ERR_INVALID, "quantum must be at least %d cycles", QUANTUM_MIN);
    return true;
}

static bool check_state(const struct object *object, const void *state, struct err *err)
{
    const struct machine_state *machine = state;

    if (machine->turn > object->machine->cpu_count)
        return err_set(err, ERR_INVALID, "turn %u, but there are %u harts", machine->turn,
                       object->machine->cpu_count);
    if (machine->round_end < machine->round_start)
        return err_set(err, ERR_INVALID, "round_end is before round_start");
    if (machine->halted > 2)
        return err_set(err, ERR_INVALID, "halted is %u, not 0 to 2", machine->halted);
    if (!bytes_are_zero(machine->unused, sizeof machine->unused))
        return err_set(err, ERR_INVALID, "unused is not 0");
    return true;
}

static void reset(struct object *object)
{
    struct machine_state *state = object->state;

    state->turn = object->machine->cpu_count;
}

const struct model machine_model = {
    .name = "thaw-machine",
    .schema = &machine_schema,
    .check_config = check_config,
    .check_state = check_state,
    .reset = reset,
};

struct machine *machine_new(const struct registry *registry)
{
    struct machine *machine = mem_alloc(sizeof *machine);

    machine->registry = registry;
    return machine;
}

static void object_free(struct object *object, bool opened)
{
    if (opened && object->model->close != NULL)
        object->model->close(object);
    for (uint32_t i = 0; i < object->model->schema->image_count; i++)
        image_free(object->images[i]);
    mem_free(object->config);
    free(object->state);
    mem_free(object);
}

void machine_free(struct machine *machine)
{
    if (machine == NULL)
        return;
    for (uint32_t i = machine->object_count; i-- > 0;)
        object_free(machine->objects[i], i < machine->opened_count);
    for (uint32_t i = 0; i < MACHINE_BOARDS_MAX; i++)
        mem_free(machine->buses[i]);
    for (uint32_t i = 0; i < machine->link_count; i++)
        mem_free(machine->links[i].target);
    mem_free(machine->links);
    mem_free(machine);
}

struct object *machine_find(struct machine *machine, const char *path)
{
    for (uint32_t i = 0; i < machine->object_count; i++)
        if (strcmp(machine->objects[i]->path, path) == 0)
            return machine->objects[i];
    return NULL;
}

static bool path_is_well_formed(const char *path)
{
    size_t length = strlen(path);

    if (length == 0 || length >= OBJECT_PATH_MAX || path[0] == '.' || path[length - 1] == '.')
        return false;
    if (strstr(path, "..") != NULL)
        return false;
    return strspn(path, "abcdefghijklmnopqrstuvwxyz0123456789_-.") == length;
}

static void *new_struct(const struct attr_table *table)
{
    size_t size = (table->size + STATE_ALIGNMENT) / STATE_ALIGNMENT * STATE_ALIGNMENT;
    void *memory = aligned_alloc(STATE_ALIGNMENT, size);

    CHECK(memory != NULL);
    memset(memory, 0, size);
    attr_reset(table, memory);
    return memory;
}

bool machine_add(struct machine *machine, const char *path, const char *model, const void *config,
                 struct object **out, struct err *err)
{
    const struct model *found = registry_find_model(machine->registry, span_of_text(model));
    struct object *object;

    CHECK(!machine->opened);
    if (found == NULL)
        return err_set(err, ERR_UNSUPPORTED, "%s: this build has no model \"%s\"", path, model);
    if (!path_is_well_formed(path))
        return err_set(err, ERR_INVALID,
                       "\"%s\" is no object path: names of a-z, 0-9, _ and - "
                       "joined by dots, under %d bytes",
                       path, OBJECT_PATH_MAX);
    if (machine_find(machine, path) != NULL)
        return err_set(err, ERR_CONFLICT, "%s: there are two objects of that path", path);
    if (machine->object_count == MACHINE_OBJECTS_MAX)
        return err_set(err, ERR_TOO_BIG, "%s: more than %d objects", path, MACHINE_OBJECTS_MAX);
    if (config != NULL && found->check_config != NULL && !found->check_config(config, err))
        return err_wrap(err, "%s", path);
    object = mem_alloc(sizeof *object);
    memcpy(object->path, path, strlen(path) + 1);
    object->index = machine->object_count;
    object->model = found;
    object->machine = machine;
    object->config = mem_alloc(found->schema->config.size);
    attr_reset(&found->schema->config, object->config);
    if (config != NULL)
        memcpy(object->config, config, found->schema->config.size);
    object->state = new_struct(&found->schema->state);
    machine->objects[machine->object_count++] = object;
    if (found->cpu != NULL)
        machine->cpus[machine->cpu_count++] = object;
    if (out != NULL)
        *out = object;
    return true;
}

static int link_slot_find(const struct schema *schema, const char *slot)
{
    for (uint32_t i = 0; i < schema->link_count; i++)
        if (strcmp(schema->links[i].name, slot) == 0)
            return (int)i;
    return -1;
}

bool object_link(struct object *object, const char *slot, const char *target_path, struct err *err)
{
    struct machine *machine = object->machine;
    int found = link_slot_find(object->model->schema, slot);
    struct machine_link *links;

    CHECK(!machine->opened);
    if (found < 0)
        return err_set(err, ERR_INVALID, "%s: the schema %s has no link \"%s\"", object->path,
                       object->model->schema->name, slot);
    for (uint32_t i = 0; i < machine->link_count; i++)
        if (machine->links[i].object == object && machine->links[i].slot == (uint32_t)found)
            return err_set(err, ERR_CONFLICT, "%s: the link %s is given twice", object->path, slot);
    links = realloc(machine->links, (machine->link_count + 1) * sizeof *links);
    CHECK(links != NULL);
    links[machine->link_count++] =
        (struct machine_link){object, (uint32_t)found, mem_text(target_path)};
    machine->links = links;
    return true;
}

bool object_take_image(struct object *object, const char *slot, struct image *image,
                       struct err *err)
{
    const struct schema *schema = object->model->schema;

    for (uint32_t i = 0; i < schema->image_count; i++) {
        if (strcmp(schema->images[i].name, slot) != 0)
            continue;
        if (object->images[i] != NULL)
            return err_set(err, ERR_CONFLICT, "%s: the image %s is given twice", object->path,
                           slot);
        object->images[i] = image;
        return true;
    }
    return err_set(err, ERR_INVALID, "%s: the schema %s has no image \"%s\"", object->path,
                   schema->name, slot);
}

static bool resolve_link(struct machine *machine, const struct machine_link *link, struct err *err)
{
    const struct link_slot *slot = &link->object->model->schema->links[link->slot];
    struct object *target = machine_find(machine, link->target);

    if (target == NULL)
        return err_set(err, ERR_INVALID, "%s: the link %s leads to %s, which is not there",
                       link->object->path, slot->name, link->target);
    if (slot->schema != NULL && strcmp(slot->schema, target->model->schema->name) != 0)
        return err_set(err, ERR_INVALID, "%s: the link %s leads to %s, a %s; it must be a %s",
                       link->object->path, slot->name, link->target, target->model->schema->name,
                       slot->schema);
    link->object->links[link->slot] = target;
    return true;
}

static bool check_object(const struct object *object, struct err *err)
{
    const struct schema *schema = object->model->schema;

    for (uint32_t i = 0; i < schema->link_count; i++)
        if (schema->links[i].required && object->links[i] == NULL)
            return err_set(err, ERR_INVALID, "%s: the link %s is missing", object->path,
                           schema->links[i].name);
    if (object->model->check_config != NULL && !object->model->check_config(object->config, err))
        return err_wrap(err, "%s", object->path);
    return true;
}

bool machine_check_images(const struct machine *machine, struct err *err)
{
    for (uint32_t i = 0; i < machine->object_count; i++) {
        const struct object *object = machine->objects[i];
        for (uint32_t k = 0; k < object->model->schema->image_count; k++)
            if (object->images[k] == NULL)
                return err_set(err, ERR_INVALID, "%s: the image %s is missing", object->path,
                               object->model->schema->images[k].name);
    }
    return true;
}

bool machine_open(struct machine *machine, struct err *err)
{
    CHECK(!machine->opened);
    if (machine->object_count == 0 || machine->objects[0]->model != &machine_model ||
        strcmp(machine->objects[0]->path, "machine") != 0)
        return err_set(err, ERR_INVALID, "the first object must be \"machine\", a thaw-machine");
    if (machine->cpu_count > MACHINE_CPUS_MAX)
        return err_set(err, ERR_TOO_BIG, "%u harts, at most %d are allowed", machine->cpu_count,
                       MACHINE_CPUS_MAX);
    for (uint32_t i = 0; i < machine->link_count; i++)
        if (!resolve_link(machine, &machine->links[i], err))
            return false;
    for (uint32_t i = 0; i < machine->object_count; i++)
        if (!check_object(machine->objects[i], err))
            return false;
    machine->opened = true;
    for (uint32_t i = 0; i < machine->object_count; i++) {
        struct object *object = machine->objects[i];
        if (object->model->open != NULL && !object->model->open(object, err))
            return err_wrap(err, "%s", object->path);
        machine->opened_count = i + 1;
    }
    return machine_check_images(machine, err);
}

static void rebuild(struct machine *machine)
{
    for (uint32_t i = 0; i < machine->object_count; i++) {
        struct object *object = machine->objects[i];
        if (object->model->rebuild != NULL)
            object->model->rebuild(object);
    }
    machine_flush(machine);
}

void machine_reset(struct machine *machine)
{
    CHECK(machine->opened);
    for (uint32_t i = 0; i < machine->object_count; i++) {
        struct object *object = machine->objects[i];
        attr_reset(&object->model->schema->state, object->state);
        if (object->model->reset != NULL)
            object->model->reset(object);
    }
    machine->now = 0;
    rebuild(machine);
}

void machine_rebuild(struct machine *machine)
{
    machine->now = machine_cycle(machine);
    rebuild(machine);
}

void machine_flush(struct machine *machine)
{
    for (uint32_t i = 0; i < machine->cpu_count; i++)
        machine->cpus[i]->model->cpu->flush(machine->cpus[i]);
}

/* "board0" of "board0.uart0"; objects at the top have no bus of their own unless they hold others.
 */
static size_t board_length(const char *path)
{
    const char *dot = strchr(path, '.');

    return dot == NULL ? strlen(path) : (size_t)(dot - path);
}

struct bus *object_bus(const struct object *object)
{
    struct machine *machine = object->machine;
    size_t length = board_length(object->path);

    for (uint32_t i = 0; i < MACHINE_BOARDS_MAX; i++) {
        if (machine->buses[i] == NULL) {
            machine->buses[i] = mem_alloc(sizeof *machine->buses[i]);
            bus_init(machine->buses[i]);
            memcpy(machine->bus_boards[i], object->path, length);
            return machine->buses[i];
        }
        if (strlen(machine->bus_boards[i]) == length &&
            memcmp(machine->bus_boards[i], object->path, length) == 0)
            return machine->buses[i];
    }
    CHECK(false); /* more boards than MACHINE_BOARDS_MAX */
    return NULL;
}

const struct machine_config *machine_config(const struct machine *machine)
{
    return machine->objects[0]->config;
}

bool machine_set_quantum(struct machine *machine, uint64_t cycles, struct err *err)
{
    struct machine_config changed = *machine_config(machine);

    changed.quantum = cycles;
    if (!check_config(&changed, err))
        return false;
    memcpy(machine->objects[0]->config, &changed, sizeof changed);
    return true;
}

bool machine_input(struct machine *machine, struct object *object, const char *kind,
                   struct span bytes, size_t *taken, struct err *err)
{
    *taken = 0;
    if (object->model->input == NULL)
        return err_set(err, ERR_USAGE, "%s takes no input", object->path);
    machine->now = machine_cycle(machine);
    if (!object->model->input(object, kind, bytes, taken, err))
        return err_wrap(err, "%s", object->path);
    machine_settle(machine);
    return true;
}
