#include "sim/hart/csr.h"
#include "sim/hart/interpreter.h"
#include "sim/hart/trap.h"
#include "storage/base/bytes.h"

#define LINE_BYTES UINT64_C(64) /* of a reservation, and of CBO */

/* Where an access goes. */
struct place {
    uint8_t *host;     /* RAM, else NULL */
    uint64_t physical; /* of devices */
    bool fast_write;   /* RAM that nobody watches */
};

static uint64_t load_bytes(const uint8_t *host, uint32_t size)
{
    switch (size) {
    case 1:
        return *host;
    case 2:
        return load_le16(host);
    case 4:
        return load_le32(host);
    default:
        return load_le64(host);
    }
}

static void store_bytes(uint8_t *host, uint32_t size, uint64_t value)
{
    switch (size) {
    case 1:
        *host = (uint8_t)value;
        break;
    case 2:
        store_le16(host, (uint16_t)value);
        break;
    case 4:
        store_le32(host, (uint32_t)value);
        break;
    default:
        store_le64(host, value);
        break;
    }
}

static bool crosses_page(uint64_t address, uint32_t size)
{
    return (address & PAGE_OFFSET) + size > IMAGE_PAGE_SIZE;
}

static uint8_t *host_of(const struct tlb_entry *entry, uint64_t address)
{
    return (uint8_t *)(uintptr_t)(address + entry->addend);
}

static void fill(struct tlb_entry *entry, uint64_t address, uint64_t special, uint64_t target)
{
    entry->tag = (address & PAGE_MASK) | special;
    entry->addend = target - address;
}

static bool page_is_slow(const struct ram *ram, uint64_t physical)
{
    return (ram->flags[ram_page_index(ram, physical)] & IMAGE_PAGE_SLOW) != 0;
}

/* Enters a fresh translation into the tables of this access and those it gives away for nothing. */
static void fill_ram(struct engine *engine, uint64_t address, enum access access,
                     const struct translation *walk, struct ram *ram)
{
    struct tlb_entry *read = &engine->context->read[tlb_data_slot(address)];
    struct tlb_entry *write = &engine->context->write[tlb_data_slot(address)];
    uint64_t host = (uint64_t)(uintptr_t)(ram->data + (walk->physical - ram->base));

    if (walk->may_load)
        fill(read, address, 0, host);
    if (!walk->may_store || !ram->writable)
        return;
    if (access == ACCESS_STORE && !page_is_slow(ram, walk->physical)) {
        memory_record_writer(ram, walk->physical, address);
        fill(write, address, 0, host);
    } else if (access == ACCESS_STORE || (write->tag & TLB_EMPTY) != 0) {
        fill(write, address, TLB_SLOW, host);
    }
}

static void fill_device(struct engine *engine, uint64_t address, const struct translation *walk)
{
    struct tlb_entry *read = &engine->context->read[tlb_data_slot(address)];
    struct tlb_entry *write = &engine->context->write[tlb_data_slot(address)];

    if (walk->may_load)
        fill(read, address, TLB_DEVICE, walk->physical);
    if (walk->may_store)
        fill(write, address, TLB_DEVICE, walk->physical);
}

/* One access inside a page, by walking. False: the cause is in engine->value. */
static bool place_by_walk(struct engine *engine, uint64_t address, uint32_t size,
                          enum access access, struct place *out)
{
    struct translation walk;

    if (!hart_translate(engine->hart, address, size, access, &walk)) {
        engine->value = walk.cause;
        return false;
    }
    struct ram *ram = memory_ram(engine->memory, walk.physical);

    memory_record_walk(engine->memory, tlb_root(&engine->tlb), address, &walk);
    *out = (struct place){.physical = walk.physical};
    if (ram == NULL) {
        fill_device(engine, address, &walk);
        return true;
    }
    if (access == ACCESS_STORE && !ram->writable) {
        engine->value = CAUSE_STORE_ACCESS;
        return false;
    }
    fill_ram(engine, address, access, &walk, ram);
    out->host = ram->data + (walk.physical - ram->base);
    out->fast_write = !page_is_slow(ram, walk.physical);
    if (access == ACCESS_STORE)
        ram->flags[ram_page_index(ram, walk.physical)] |= IMAGE_PAGE_DIRTY;
    return true;
}

/* A slow write entry may have become an ordinary one since. */
static void place_slow_write(struct engine *engine, uint64_t address, struct tlb_entry *entry,
                             struct place *out)
{
    uint8_t *host = host_of(entry, address);
    struct ram *ram = memory_ram_of_host(engine->memory, host);
    uint64_t physical = ram->base + (uint64_t)(host - ram->data);

    *out = (struct place){.host = host, .physical = physical};
    if (page_is_slow(ram, physical))
        return;
    memory_record_writer(ram, physical, address);
    entry->tag &= PAGE_MASK;
    out->fast_write = true;
}

/* One access inside a page. False: the cause is in engine->value. */
static bool find_place(struct engine *engine, uint64_t address, uint32_t size, enum access access,
                       struct place *out)
{
    struct tlb_context *context = engine->context;
    struct tlb_entry *entry = access == ACCESS_LOAD ? &context->read[tlb_data_slot(address)]
                                                    : &context->write[tlb_data_slot(address)];

    if ((entry->tag & PAGE_MASK) != (address & PAGE_MASK) || (entry->tag & TLB_EMPTY) != 0)
        return place_by_walk(engine, address, size, access, out);
    if ((entry->tag & TLB_DEVICE) != 0)
        *out = (struct place){.physical = address + entry->addend};
    else if ((entry->tag & TLB_SLOW) != 0)
        place_slow_write(engine, address, entry, out);
    else
        *out = (struct place){.host = host_of(entry, address), .fast_write = true};
    return true;
}

static uint64_t access_fault(enum access access)
{
    return access == ACCESS_LOAD ? CAUSE_LOAD_ACCESS : CAUSE_STORE_ACCESS;
}

/* An access that crosses a page, byte by byte; both pages are looked at first. */
static bool find_crossing(struct engine *engine, uint64_t address, uint32_t size,
                          enum access access, uint8_t **hosts)
{
    struct place place[2];
    uint32_t first = (uint32_t)(IMAGE_PAGE_SIZE - (address & PAGE_OFFSET));

    for (uint32_t i = 0; i < 2; i++) {
        uint64_t start = i == 0 ? address : address + first;

        engine->fault_address = start;
        if (!find_place(engine, start, i == 0 ? first : size - first, access, &place[i]))
            return false;
        engine->value = access_fault(access);
        if (place[i].host == NULL)
            return false;
    }
    for (uint32_t i = 0; i < size; i++)
        hosts[i] = i < first ? place[0].host + i : place[1].host + (i - first);
    return true;
}

static enum slow load_crossing(struct engine *engine, uint64_t address, uint32_t size)
{
    uint8_t *hosts[8];
    uint64_t value = 0;

    if (!find_crossing(engine, address, size, ACCESS_LOAD, hosts))
        return engine_trap(engine, engine->value, engine->fault_address);
    for (uint32_t i = 0; i < size; i++)
        value |= (uint64_t)*hosts[i] << (8 * i);
    engine->value = value;
    return SLOW_DONE;
}

static enum slow store_crossing(struct engine *engine, uint64_t address, uint32_t size,
                                uint64_t value)
{
    uint8_t *hosts[8];

    engine->leave = false;
    if (!find_crossing(engine, address, size, ACCESS_STORE, hosts))
        return engine_trap(engine, engine->value, engine->fault_address);
    engine_publish(engine);
    for (uint32_t i = 0; i < size; i++)
        memory_store(engine->memory, hosts[i], 1, value >> (8 * i) & 255);
    return engine_after_call(engine);
}

enum slow access_load(struct engine *engine, uint64_t address, uint32_t size)
{
    struct place place;

    engine->leave = false;
    if (crosses_page(address, size))
        return load_crossing(engine, address, size);
    if (!find_place(engine, address, size, ACCESS_LOAD, &place))
        return engine_trap(engine, engine->value, address);
    if (place.host != NULL) {
        engine->value = load_bytes(place.host, size);
        return engine->leave ? SLOW_LEAVE : SLOW_DONE;
    }
    engine_publish(engine);
    if ((address & (size - 1)) != 0 ||
        !bus_read(engine->memory->bus, place.physical, size, &engine->value))
        return engine_trap(engine, CAUSE_LOAD_ACCESS, address);
    return engine_after_call(engine);
}

/* A store into RAM that somebody may have to hear of. */
static enum slow store_watched(struct engine *engine, uint8_t *host, uint32_t size, uint64_t value)
{
    bool aligned = ((uintptr_t)host & (size - 1)) == 0;

    engine_publish(engine);
    for (uint32_t i = 0; !aligned && i < size; i++)
        memory_store(engine->memory, host + i, 1, value >> (8 * i) & 255);
    if (aligned)
        memory_store(engine->memory, host, size, value);
    return engine_after_call(engine);
}

enum slow access_store(struct engine *engine, uint64_t address, uint32_t size, uint64_t value)
{
    struct place place;

    engine->leave = false;
    if (crosses_page(address, size))
        return store_crossing(engine, address, size, value);
    if (!find_place(engine, address, size, ACCESS_STORE, &place))
        return engine_trap(engine, engine->value, address);
    if (place.host != NULL && place.fast_write) {
        store_bytes(place.host, size, value);
        return engine->leave ? SLOW_LEAVE : SLOW_DONE;
    }
    if (place.host != NULL)
        return store_watched(engine, place.host, size, value);
    engine_publish(engine);
    if ((address & (size - 1)) != 0 || !bus_write(engine->memory->bus, place.physical, size, value))
        return engine_trap(engine, CAUSE_STORE_ACCESS, address);
    return engine_after_call(engine);
}

enum slow access_begin(struct engine *engine, uint64_t address, uint32_t size)
{
    struct place place;

    engine->leave = false;
    if ((address & (size - 1)) != 0)
        return engine_trap(engine, CAUSE_STORE_MISALIGNED, address);
    if (!find_place(engine, address, size, ACCESS_STORE, &place))
        return engine_trap(engine, engine->value, address);
    if (place.host == NULL)
        return engine_trap(engine, CAUSE_STORE_ACCESS, address);
    engine->target = place.host;
    engine->value = load_bytes(place.host, size);
    return SLOW_DONE;
}

enum slow access_finish(struct engine *engine, uint32_t size, uint64_t value)
{
    return store_watched(engine, engine->target, size, value);
}

enum slow access_load_reserved(struct engine *engine, uint64_t address, uint32_t size)
{
    struct hart_state *state = engine->state;
    struct place place;

    engine->leave = false;
    if ((address & (size - 1)) != 0)
        return engine_trap(engine, CAUSE_LOAD_MISALIGNED, address);
    if (!find_place(engine, address, size, ACCESS_LOAD, &place))
        return engine_trap(engine, engine->value, address);
    if (place.host == NULL)
        return engine_trap(engine, CAUSE_LOAD_ACCESS, address);
    engine->value = load_bytes(place.host, size);
    state->reservation_address = memory_physical(engine->memory, place.host) & ~(LINE_BYTES - 1);
    state->reservation_valid = 1;
    return engine->leave ? SLOW_LEAVE : SLOW_DONE;
}

enum slow access_store_conditional(struct engine *engine, uint64_t address, uint32_t size,
                                   uint64_t value)
{
    struct hart_state *state = engine->state;
    struct place place;

    engine->leave = false;
    if ((address & (size - 1)) != 0)
        return engine_trap(engine, CAUSE_STORE_MISALIGNED, address);
    if (!find_place(engine, address, size, ACCESS_STORE, &place))
        return engine_trap(engine, engine->value, address);
    if (place.host == NULL)
        return engine_trap(engine, CAUSE_STORE_ACCESS, address);
    uint64_t line = memory_physical(engine->memory, place.host) & ~(LINE_BYTES - 1);
    bool reserved = state->reservation_valid != 0 && state->reservation_address == line;
    enum slow result = engine->leave ? SLOW_LEAVE : SLOW_DONE;

    state->reservation_valid = 0;
    state->reservation_address = 0;
    if (reserved && place.fast_write)
        store_bytes(place.host, size, value);
    else if (reserved)
        result = store_watched(engine, place.host, size, value);
    engine->value = reserved ? 0 : 1;
    return result;
}

enum slow access_zero(struct engine *engine, uint64_t address)
{
    uint64_t line = address & ~(LINE_BYTES - 1);
    struct place place;

    engine->leave = false;
    if (!csr_cbo_allowed(engine->hart, CBO_ZERO))
        return engine_illegal(engine);
    if (!find_place(engine, line, LINE_BYTES, ACCESS_STORE, &place))
        return engine_trap(engine, engine->value, address);
    if (place.host == NULL)
        return engine_trap(engine, CAUSE_STORE_ACCESS, address);
    if (place.fast_write) {
        memset(place.host, 0, LINE_BYTES);
        return engine->leave ? SLOW_LEAVE : SLOW_DONE;
    }
    engine_publish(engine);
    for (uint32_t i = 0; i < LINE_BYTES; i += 8)
        memory_store(engine->memory, place.host + i, 8, 0);
    return engine_after_call(engine);
}

enum slow access_cache_op(struct engine *engine, uint64_t address, uint32_t f12)
{
    static const enum cbo ops[3] = {CBO_INVAL, CBO_CLEAN, CBO_FLUSH};
    struct place place;

    engine->leave = false;
    if (!csr_cbo_allowed(engine->hart, ops[f12]))
        return engine_illegal(engine);
    uint64_t line = address & ~(LINE_BYTES - 1);

    if (!find_place(engine, line, 1, ACCESS_LOAD, &place) &&
        !find_place(engine, line, 1, ACCESS_STORE, &place))
        return engine_trap(engine, engine->value, address);
    if (place.host == NULL && bus_find(engine->memory->bus, place.physical) == NULL)
        return engine_trap(engine, CAUSE_STORE_ACCESS, address);
    return engine->leave ? SLOW_LEAVE : SLOW_DONE;
}

bool access_fetch(struct engine *engine, uint64_t address, uint64_t *physical, bool *whole_page,
                  uint64_t *cause)
{
    struct tlb_entry *entry = &engine->context->fetch[tlb_fetch_slot(address)];
    struct translation walk;

    *whole_page = true;
    if (entry->tag == (address & PAGE_MASK)) {
        *physical = address + entry->addend;
        return true;
    }
    if (!hart_translate(engine->hart, address, 2, ACCESS_FETCH, &walk)) {
        *cause = walk.cause;
        return false;
    }
    memory_record_walk(engine->memory, tlb_root(&engine->tlb), address, &walk);
    *physical = walk.physical;
    *whole_page = walk.may_fetch;
    if (walk.may_fetch)
        fill(entry, address, 0, walk.physical);
    return true;
}
