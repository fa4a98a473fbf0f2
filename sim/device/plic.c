#include "sim/device/plic.h"

#include "sim/device/device.h"

#define PRIORITY_MAX   7u
#define PENDING_START  0x1000u
#define ENABLE_START   0x2000u
#define ENABLE_STRIDE  0x80u
#define CONTEXT_START  0x200000u
#define CONTEXT_STRIDE 0x1000u

static uint32_t plic_contexts(const struct object *object)
{
    const struct plic_config *config = object->config;

    return 2 * config->hart_count;
}

/* The source of the highest priority above `threshold` that is pending and enabled for the context;
 * the lowest number among equals (chapter Interrupt Priorities); 0 if there is none. */
static uint32_t plic_best(const struct plic_state *state, uint32_t context, uint32_t threshold)
{
    uint32_t best = 0;
    uint32_t best_priority = threshold;

    for (uint32_t word = 0; word < PLIC_WORDS; word++) {
        uint32_t ready = state->pending[word] & ~state->claimed[word] &
                         state->enable[context * PLIC_WORDS + word];
        for (; ready != 0; ready &= ready - 1) {
            uint32_t source = 32 * word + (uint32_t)__builtin_ctz(ready);
            if (state->priority[source] <= best_priority)
                continue;
            best = source;
            best_priority = state->priority[source];
        }
    }
    return best;
}

/* Drives every hart's wires; a hart ignores a level it already has. */
static void plic_update(struct object *object)
{
    const struct plic_state *state = object->state;

    for (uint32_t context = 0; context < plic_contexts(object); context++) {
        bool level = plic_best(state, context, state->threshold[context]) != 0;
        object_set_line(object->links[context / 2],
                        context % 2 == 0 ? PLIC_LINE_MEI : PLIC_LINE_SEI, level);
    }
}

static void plic_set_line(struct object *object, uint32_t source, bool level)
{
    struct plic_state *state = object->state;
    uint32_t word = source / 32;
    uint32_t bit = UINT32_C(1) << source % 32;

    if (source == 0 || source >= PLIC_SOURCES)
        return;
    if (!level) {
        /* A request once made stays, though the wire falls (chapter Interrupt Gateways). */
        state->level[word] &= ~bit;
        return;
    }
    state->level[word] |= bit;
    state->pending[word] |= bit;
    plic_update(object);
}

/* Chapter Interrupt Claim Process: not affected by the threshold. */
static uint32_t plic_claim(struct object *object, uint32_t context)
{
    struct plic_state *state = object->state;
    uint32_t source = plic_best(state, context, 0);

    if (source == 0)
        return 0;
    state->pending[source / 32] &= ~(UINT32_C(1) << source % 32);
    state->claimed[source / 32] |= UINT32_C(1) << source % 32;
    plic_update(object);
    return source;
}

/* Chapter Interrupt Completion: silently ignored unless the source is enabled for the context. */
static void plic_complete(struct object *object, uint32_t context, uint32_t source)
{
    struct plic_state *state = object->state;
    uint32_t word = source / 32;
    uint32_t bit = UINT32_C(1) << source % 32;

    if (source >= PLIC_SOURCES || (state->enable[context * PLIC_WORDS + word] & bit) == 0 ||
        (state->claimed[word] & bit) == 0)
        return;
    state->claimed[word] &= ~bit;
    plic_update(object);
}

static bool plic_access_ok(uint64_t offset, uint32_t size)
{
    return size == 4 && offset % 4 == 0 && offset < PLIC_SIZE;
}

static bool plic_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    const struct plic_state *state = object->state;
    uint32_t contexts = plic_contexts(object);

    if (!plic_access_ok(offset, size))
        return false;
    *value = 0;
    if (offset < 4 * PLIC_SOURCES) {
        *value = state->priority[offset / 4];
    } else if (offset >= PENDING_START && offset < PENDING_START + 4 * PLIC_WORDS) {
        *value = state->pending[(offset - PENDING_START) / 4];
    } else if (offset >= ENABLE_START && offset < ENABLE_START + contexts * ENABLE_STRIDE) {
        uint64_t context = (offset - ENABLE_START) / ENABLE_STRIDE;
        uint64_t word = (offset - ENABLE_START) % ENABLE_STRIDE / 4;
        if (word < PLIC_WORDS)
            *value = state->enable[context * PLIC_WORDS + word];
    } else if (offset >= CONTEXT_START && offset < CONTEXT_START + contexts * CONTEXT_STRIDE) {
        uint32_t context = (uint32_t)(offset - CONTEXT_START) / CONTEXT_STRIDE;
        if (offset % CONTEXT_STRIDE == 0)
            *value = state->threshold[context];
        else if (offset % CONTEXT_STRIDE == 4)
            *value = plic_claim(object, context);
    }
    return true;
}

static void plic_write_enable(struct object *object, uint64_t offset, uint32_t value)
{
    struct plic_state *state = object->state;
    uint64_t context = offset / ENABLE_STRIDE;
    uint64_t word = offset % ENABLE_STRIDE / 4;

    if (word >= PLIC_WORDS)
        return;
    state->enable[context * PLIC_WORDS + word] = word == 0 ? value & ~UINT32_C(1) : value;
    plic_update(object);
}

static void plic_write_context(struct object *object, uint64_t offset, uint32_t value)
{
    struct plic_state *state = object->state;
    uint32_t context = (uint32_t)offset / CONTEXT_STRIDE;

    if (offset % CONTEXT_STRIDE == 4) {
        plic_complete(object, context, value);
    } else if (offset % CONTEXT_STRIDE == 0) {
        state->threshold[context] = value & PRIORITY_MAX;
        plic_update(object);
    }
}

static bool plic_write(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    struct plic_state *state = object->state;
    uint32_t contexts = plic_contexts(object);

    if (!plic_access_ok(offset, size))
        return false;
    if (offset < 4 * PLIC_SOURCES) {
        if (offset == 0)
            return true;
        state->priority[offset / 4] = (uint32_t)value & PRIORITY_MAX;
        plic_update(object);
    } else if (offset >= ENABLE_START && offset < ENABLE_START + contexts * ENABLE_STRIDE) {
        plic_write_enable(object, offset - ENABLE_START, (uint32_t)value);
    } else if (offset >= CONTEXT_START && offset < CONTEXT_START + contexts * CONTEXT_STRIDE) {
        plic_write_context(object, offset - CONTEXT_START, (uint32_t)value);
    }
    return true;
}

static bool plic_check_config(const void *config, struct err *err)
{
    const struct plic_config *plic = config;

    if (plic->hart_count == 0 || plic->hart_count > PLIC_HARTS_MAX)
        return device_impossible(err, "hart_count", plic->hart_count);
    return device_check_region(plic->base, PLIC_SIZE, err);
}

static bool plic_check_state(const struct object *object, const void *state, struct err *err)
{
    const struct plic_state *plic = state;

    (void)object;
    if (plic->priority[0] != 0)
        return device_impossible(err, "priority", plic->priority[0]);
    for (uint32_t source = 0; source < PLIC_SOURCES; source++)
        if (plic->priority[source] > PRIORITY_MAX)
            return device_impossible(err, "priority", plic->priority[source]);
    for (uint32_t context = 0; context < PLIC_CONTEXTS_MAX; context++) {
        if (plic->threshold[context] > PRIORITY_MAX)
            return device_impossible(err, "threshold", plic->threshold[context]);
        if ((plic->enable[context * PLIC_WORDS] & 1) != 0)
            return device_impossible(err, "enable", plic->enable[context * PLIC_WORDS]);
    }
    if (((plic->pending[0] | plic->level[0] | plic->claimed[0]) & 1) != 0)
        return err_set(err, ERR_INVALID, "source 0 does not exist, but has a bit");
    return true;
}

static bool plic_open(struct object *object, struct err *err)
{
    const struct plic_config *config = object->config;

    return device_add_region(object, config->base, PLIC_SIZE, err);
}

static const struct attr plic_config_attrs[] = {
    ATTR(struct plic_config, base, 0, "physical address"),
    ATTR(struct plic_config, hart_count, 1, "harts it serves"),
    ATTR(struct plic_config, unused, 0, "fills the struct"),
};

static const struct attr plic_state_attrs[] = {
    ATTR_ARRAY(struct plic_state, priority, 0, "priority of each source, 0 to 7"),
    ATTR_ARRAY(struct plic_state, level, 0, "levels of the input wires, one bit each"),
    ATTR_ARRAY(struct plic_state, pending, 0, "requests not yet claimed"),
    ATTR_ARRAY(struct plic_state, claimed, 0, "sources claimed and not yet completed"),
    ATTR_ARRAY(struct plic_state, enable, 0, "enable bits, three words a context"),
    ATTR_ARRAY(struct plic_state, threshold, 0, "priority threshold of each context"),
};

static const struct link_slot plic_links[] = {
    {"hart0", "riscv-hart", true, "hart 0"},  {"hart1", "riscv-hart", false, "hart 1"},
    {"hart2", "riscv-hart", false, "hart 2"}, {"hart3", "riscv-hart", false, "hart 3"},
    {"hart4", "riscv-hart", false, "hart 4"}, {"hart5", "riscv-hart", false, "hart 5"},
    {"hart6", "riscv-hart", false, "hart 6"}, {"hart7", "riscv-hart", false, "hart 7"},
};

const struct schema plic_schema = {
    .name = "sifive-plic",
    .version = 1,
    .state = ATTR_TABLE(struct plic_state, plic_state_attrs),
    .config = ATTR_TABLE(struct plic_config, plic_config_attrs),
    .links = plic_links,
    .link_count = PLIC_HARTS_MAX,
    .meaning = "platform-level interrupt controller",
};

static const struct mmio_ops plic_mmio = {plic_read, plic_write};

const struct model plic_model = {
    .name = "sifive-plic",
    .schema = &plic_schema,
    .open = plic_open,
    .check_config = plic_check_config,
    .check_state = plic_check_state,
    .set_line = plic_set_line,
    .mmio = &plic_mmio,
};
