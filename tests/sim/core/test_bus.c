/* The bus: no overlap, every size, the ends of regions, and writes that do not go unseen. */
#include "sim/core/bus.h"
#include "storage/base/check.h"
#include "tests/support/base_test.h"

#include <string.h>

#define RAM_BASE UINT64_C(0x80000000)
#define RAM_SIZE UINT64_C(0x8000)
#define ROM_BASE UINT64_C(0x1000)
#define ROM_SIZE UINT64_C(0x4000)
#define DEV_BASE UINT64_C(0x10000000)
#define DEV_SIZE UINT64_C(0x100)

/* A device that remembers the last access, and refuses those at 0x80 and up. */
struct access {
    uint64_t offset, value;
    uint32_t size, count;
    bool write;
};

static bool device_read(struct object *object, uint64_t offset, uint32_t size, uint64_t *value)
{
    struct access *access = object->host;

    *access = (struct access){offset, 0, size, access->count + 1, false};
    *value = offset + 1000;
    return offset < 0x80;
}

static bool device_write(struct object *object, uint64_t offset, uint32_t size, uint64_t value)
{
    struct access *access = object->host;

    *access = (struct access){offset, value, size, access->count + 1, true};
    return offset < 0x80;
}

static const struct mmio_ops device_ops = {device_read, device_write};
static const struct model device_model = {.name = "device", .mmio = &device_ops};

/* What the observer heard of last. */
struct heard {
    uint32_t writes, dmas;
    const struct bus_region *region;
    uint64_t offset, size, address;
    uint8_t old[8];
    bool has_old;
};

struct fixture {
    struct bus bus;
    struct image *ram, *rom;
    struct object device, other;
    struct access access, other_access;
    struct heard heard;
};

static void on_written(void *context, struct bus_region *region, uint64_t offset, uint64_t size,
                       const uint8_t *old)
{
    struct heard *heard = context;

    heard->writes++;
    heard->region = region;
    heard->offset = offset;
    heard->size = size;
    heard->has_old = old != NULL;
    if (old != NULL)
        memcpy(heard->old, old, (size_t)size);
}

static void on_dma(void *context, uint64_t address, uint64_t size)
{
    struct heard *heard = context;

    heard->dmas++;
    heard->address = address;
    heard->size = size;
}

static void add(struct bus *bus, const struct bus_region *region)
{
    struct err err = ERR_INIT;

    BASE_OK(bus_add(bus, region, &err), &err);
}

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);
    struct err err = ERR_INIT;

    bus_init(&fixture->bus);
    BASE_OK(image_new(RAM_SIZE, &fixture->ram, &err), &err);
    BASE_OK(image_new(ROM_SIZE, &fixture->rom, &err), &err);
    for (uint64_t i = 0; i < RAM_SIZE; i++)
        fixture->ram->data[i] = (uint8_t)(i * 7 + (i >> 8));
    memset(fixture->rom->data, 0xa5, ROM_SIZE);
    strcpy(fixture->device.path, "board0.device");
    fixture->device.model = &device_model;
    fixture->device.host = &fixture->access;
    strcpy(fixture->other.path, "board0.other");
    fixture->other.model = &device_model;
    fixture->other.host = &fixture->other_access;
    fixture->bus.observer = (struct bus_observer){on_written, on_dma, &fixture->heard};
    add(&fixture->bus, &(struct bus_region){RAM_BASE, RAM_SIZE, fixture->ram, true, NULL, NULL});
    add(&fixture->bus,
        &(struct bus_region){DEV_BASE, DEV_SIZE, NULL, false, &fixture->device, NULL});
    add(&fixture->bus, &(struct bus_region){ROM_BASE, ROM_SIZE, fixture->rom, false, NULL, NULL});
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    image_free(fixture->ram);
    image_free(fixture->rom);
    mem_free(fixture);
    return 0;
}

/* ---- the map ---- */

static void an_overlap_is_refused_and_names_both(void **state)
{
    static const struct {
        uint64_t base, size;
    } over[] = {
        {DEV_BASE, DEV_SIZE}, {DEV_BASE - 1, 2},        {DEV_BASE + DEV_SIZE - 1, 1},
        {DEV_BASE + 1, 1},    {DEV_BASE - 16, 0x1000},  {DEV_BASE - 16, DEV_SIZE},
        {DEV_BASE, 1},        {DEV_BASE + 8, DEV_SIZE}, {DEV_BASE, 0x1000},
    };
    struct fixture *fixture = *state;
    struct bus before = fixture->bus;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < sizeof over / sizeof over[0]; i++) {
        struct bus_region region = {over[i].base, over[i].size, NULL, false, &fixture->other, NULL};
        BASE_FAILS(bus_add(&fixture->bus, &region, &err), &err, ERR_CONFLICT,
                   "board0.device at 0x10000000");
        assert_non_null(strstr(err.text, "board0.other at 0x"));
    }
    assert_memory_equal(&before, &fixture->bus, sizeof before);
}

static void neighbours_that_touch_are_no_overlap(void **state)
{
    struct fixture *fixture = *state;

    add(&fixture->bus, &(struct bus_region){DEV_BASE - 4, 4, NULL, false, &fixture->other, NULL});
    add(&fixture->bus,
        &(struct bus_region){DEV_BASE + DEV_SIZE, 4, NULL, false, &fixture->other, NULL});
    assert_ptr_equal(bus_find(&fixture->bus, DEV_BASE - 1)->device, &fixture->other);
    assert_ptr_equal(bus_find(&fixture->bus, DEV_BASE)->device, &fixture->device);
    assert_ptr_equal(bus_find(&fixture->bus, DEV_BASE + DEV_SIZE - 1)->device, &fixture->device);
    assert_ptr_equal(bus_find(&fixture->bus, DEV_BASE + DEV_SIZE)->device, &fixture->other);
    assert_null(bus_find(&fixture->bus, DEV_BASE + DEV_SIZE + 4));
    assert_null(bus_find(&fixture->bus, DEV_BASE - 5));
}

static void a_region_of_nothing_or_past_the_last_address_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct bus_region empty = {0, 0, NULL, false, &fixture->other, NULL};
    struct bus_region past = {UINT64_MAX - 14, 16, NULL, false, &fixture->other, NULL};
    struct bus_region last = {UINT64_MAX - 15, 16, NULL, false, &fixture->other, NULL};
    struct err err = ERR_INIT;

    BASE_FAILS(bus_add(&fixture->bus, &empty, &err), &err, ERR_INVALID, "board0.other");
    BASE_FAILS(bus_add(&fixture->bus, &past, &err), &err, ERR_INVALID, "board0.other");
    add(&fixture->bus, &last);
    assert_ptr_equal(bus_find(&fixture->bus, UINT64_MAX)->device, &fixture->other);
    assert_null(bus_find(&fixture->bus, 0));
}

/* A region whose accesses could reach past its bytes would hand out the host's memory. */
static void ram_must_fit_its_image(void **state)
{
    struct fixture *fixture = *state;
    struct bus_region region = {0x40000000, RAM_SIZE + 1, fixture->ram, true, NULL, NULL};
    struct err err = ERR_INIT;

    BASE_FAILS(bus_add(&fixture->bus, &region, &err), &err, ERR_INVALID, "RAM");
    region.size = 7;
    BASE_FAILS(bus_add(&fixture->bus, &region, &err), &err, ERR_INVALID, "RAM");
    region.size = 8;
    add(&fixture->bus, &region);
}

static void the_map_is_the_same_in_whatever_order_it_was_made(void **state)
{
    struct fixture *fixture = *state;
    struct bus first, bus;
    uint64_t seed = 5;

    for (uint32_t round = 0; round < 50; round++) {
        uint32_t order[BUS_REGIONS_MAX];
        struct err err = ERR_INIT;
        bus_init(&bus);
        for (uint32_t i = 0; i < BUS_REGIONS_MAX; i++)
            order[i] = i;
        for (uint32_t i = BUS_REGIONS_MAX; round > 0 && i-- > 1;) {
            uint32_t k = (uint32_t)(base_random(&seed) % (i + 1)), kept = order[i];
            order[i] = order[k];
            order[k] = kept;
        }
        for (uint32_t i = 0; i < BUS_REGIONS_MAX; i++)
            add(&bus, &(struct bus_region){order[i] * UINT64_C(0x100), 0x10 + order[i], NULL, false,
                                           &fixture->device, NULL});
        if (round == 0)
            first = bus;
        assert_memory_equal(&first, &bus, sizeof bus);
        for (uint32_t i = 0; i < BUS_REGIONS_MAX; i++) {
            assert_ptr_equal(bus_find(&bus, i * 0x100), &bus.regions[i]);
            assert_ptr_equal(bus_find(&bus, i * 0x100 + 0xf + i), &bus.regions[i]);
            assert_null(bus_find(&bus, i * 0x100 + 0x10 + i));
        }
        BASE_FAILS(bus_add(&bus,
                           &(struct bus_region){0x100000, 1, NULL, false, &fixture->device, NULL},
                           &err),
                   &err, ERR_TOO_BIG, "more than 64 regions");
    }
}

/* ---- accesses ---- */

static uint64_t ram_value(const struct fixture *fixture, uint64_t offset, uint32_t size)
{
    uint64_t value = 0;

    for (uint32_t i = 0; i < size; i++)
        value |= (uint64_t)fixture->ram->data[offset + i] << 8 * i;
    return value;
}

static void ram_is_read_and_written_little_endian_in_every_size(void **state)
{
    static const uint8_t pattern[8] = {0xf1, 0xe2, 0xd3, 0xc4, 0xb5, 0xa6, 0x97, 0x88};
    struct fixture *fixture = *state;

    for (uint32_t size = 1; size <= 8; size *= 2)
        for (uint64_t offset = 0; offset < RAM_SIZE; offset += size) {
            uint8_t before[16] = {0}, *at = fixture->ram->data + offset;
            size_t rest = RAM_SIZE - offset < 16 ? (size_t)(RAM_SIZE - offset) : 16;
            uint64_t value = 0;
            assert_true(bus_read(&fixture->bus, RAM_BASE + offset, size, &value));
            assert_true(value == ram_value(fixture, offset, size));
            memcpy(before, at, rest);
            assert_true(
                bus_write(&fixture->bus, RAM_BASE + offset, size, UINT64_C(0x8897a6b5c4d3e2f1)));
            assert_memory_equal(at, pattern, size);
            assert_memory_equal(at + size, before + size, rest - size);
            memcpy(at, before, size);
        }
}

static void an_access_over_the_end_of_a_region_is_a_fault_and_writes_nothing(void **state)
{
    struct fixture *fixture = *state;

    for (uint32_t size = 2; size <= 8; size *= 2)
        for (uint64_t back = 1; back < size; back++) {
            uint64_t offset = RAM_SIZE - back, value = 42, before = ram_value(fixture, offset, 1);
            assert_false(bus_read(&fixture->bus, RAM_BASE + offset, size, &value));
            assert_int_equal(value, 42);
            assert_false(bus_write(&fixture->bus, RAM_BASE + offset, size, ~before));
            assert_int_equal(ram_value(fixture, offset, 1), before);
        }
    assert_int_equal(fixture->ram->page_flags[RAM_SIZE / IMAGE_PAGE_SIZE - 1], 0);
}

static void nothing_is_where_nothing_is_mapped(void **state)
{
    static const uint64_t holes[] = {0,
                                     ROM_BASE - 8,
                                     ROM_BASE + ROM_SIZE,
                                     DEV_BASE - 8,
                                     DEV_BASE + DEV_SIZE,
                                     RAM_BASE - 8,
                                     RAM_BASE + RAM_SIZE,
                                     UINT64_MAX - 7};
    struct fixture *fixture = *state;
    uint64_t value = 42;
    uint8_t byte = 42;

    for (size_t i = 0; i < sizeof holes / sizeof holes[0]; i++) {
        assert_null(bus_find(&fixture->bus, holes[i]));
        assert_false(bus_read(&fixture->bus, holes[i], 8, &value));
        assert_false(bus_write(&fixture->bus, holes[i], 8, 1));
        assert_false(bus_dma_read(&fixture->bus, holes[i], &byte, 1));
        assert_false(bus_dma_write(&fixture->bus, holes[i], &byte, 1));
    }
    assert_int_equal(value, 42);
    assert_int_equal(byte, 42);
    assert_int_equal(fixture->access.count, 0);
}

static void rom_is_read_and_never_written(void **state)
{
    struct fixture *fixture = *state;
    uint64_t value;

    assert_true(bus_read(&fixture->bus, ROM_BASE + 8, 4, &value));
    assert_int_equal(value, 0xa5a5a5a5);
    assert_false(bus_write(&fixture->bus, ROM_BASE + 8, 4, 0));
    assert_false(bus_dma_write(&fixture->bus, ROM_BASE + 8, "xx", 2));
    assert_true(bus_read(&fixture->bus, ROM_BASE + 8, 4, &value));
    assert_int_equal(value, 0xa5a5a5a5);
    assert_int_equal(fixture->rom->page_flags[0], 0);
    assert_int_equal(fixture->heard.dmas, 0);
}

static void a_device_gets_offset_size_and_value_and_its_refusal_is_a_fault(void **state)
{
    struct fixture *fixture = *state;
    uint64_t value;

    for (uint32_t size = 1; size <= 8; size *= 2) {
        assert_true(bus_read(&fixture->bus, DEV_BASE + 0x18, size, &value));
        assert_int_equal(value, 0x18 + 1000);
        assert_int_equal(fixture->access.offset, 0x18);
        assert_int_equal(fixture->access.size, size);
        assert_false(fixture->access.write);
        assert_true(bus_write(&fixture->bus, DEV_BASE + 0x20, size, 0x1234));
        assert_int_equal(fixture->access.offset, 0x20);
        assert_int_equal(fixture->access.size, size);
        assert_int_equal(fixture->access.value, 0x1234);
        assert_true(fixture->access.write);
    }
    assert_false(bus_read(&fixture->bus, DEV_BASE + 0x80, 4, &value));
    assert_false(bus_write(&fixture->bus, DEV_BASE + 0x80, 4, 1));
    assert_int_equal(fixture->access.count, 10);
}

/* ---- DMA ---- */

static void dma_moves_any_length_at_any_alignment_within_one_region(void **state)
{
    struct fixture *fixture = *state;
    uint8_t out[5000], data[5000];

    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 13);
    for (uint64_t offset = 4093; offset < 4100; offset++) {
        assert_true(bus_dma_write(&fixture->bus, RAM_BASE + offset, data, sizeof data));
        assert_int_equal(fixture->heard.address, RAM_BASE + offset);
        assert_int_equal(fixture->heard.size, sizeof data);
        assert_true(bus_dma_read(&fixture->bus, RAM_BASE + offset, out, sizeof out));
        assert_memory_equal(out, data, sizeof out);
    }
    assert_int_equal(fixture->heard.dmas, 7);
    assert_true(bus_dma_write(&fixture->bus, RAM_BASE + RAM_SIZE - 5000, data, 5000));
    assert_false(bus_dma_write(&fixture->bus, RAM_BASE + RAM_SIZE - 4999, out, 5000));
    assert_false(bus_dma_read(&fixture->bus, RAM_BASE + RAM_SIZE - 4999, out, 5000));
    assert_false(bus_dma_read(&fixture->bus, RAM_BASE, out, UINT64_MAX));
    assert_false(bus_dma_read(&fixture->bus, RAM_BASE + 8, out, UINT64_MAX - 7));
    assert_false(bus_dma_read(&fixture->bus, DEV_BASE, out, 4));
    assert_false(bus_dma_write(&fixture->bus, DEV_BASE, data, 4));
    assert_int_equal(fixture->access.count, 0);
    assert_int_equal(fixture->heard.dmas, 8);
}

static void dma_of_nothing_writes_nothing_and_ends_no_reservation(void **state)
{
    struct fixture *fixture = *state;

    assert_true(bus_dma_write(&fixture->bus, RAM_BASE, NULL, 0));
    assert_int_equal(fixture->heard.dmas, 0);
    assert_int_equal(fixture->ram->page_flags[0], 0);
}

/* ---- who is told ---- */

static void every_write_leaves_its_page_dirty_and_no_other(void **state)
{
    struct fixture *fixture = *state;
    uint8_t *flags = fixture->ram->page_flags;

    bus_write(&fixture->bus, RAM_BASE + 4095, 1, 1);
    assert_int_equal(flags[0], IMAGE_PAGE_DIRTY);
    assert_int_equal(flags[1], 0);
    bus_write(&fixture->bus, RAM_BASE + 2 * 4096, 8, 1);
    assert_int_equal(flags[1], 0);
    assert_int_equal(flags[2], IMAGE_PAGE_DIRTY);
    assert_int_equal(flags[3], 0);
    bus_dma_write(&fixture->bus, RAM_BASE + 4 * 4096 - 1, "ab", 2);
    assert_int_equal(flags[3], IMAGE_PAGE_DIRTY);
    assert_int_equal(flags[4], IMAGE_PAGE_DIRTY);
    bus_dma_write(&fixture->bus, RAM_BASE + 6 * 4096 - 2, "ab", 2);
    assert_int_equal(flags[5], IMAGE_PAGE_DIRTY);
    assert_int_equal(flags[6], 0);
    assert_int_equal(fixture->heard.writes, 0); /* none of them holds code or tables */
}

static void writes_to_code_and_tables_are_told_with_the_bytes_before(void **state)
{
    static const uint8_t kinds[] = {IMAGE_PAGE_CODE, IMAGE_PAGE_TABLE};
    struct fixture *fixture = *state;
    struct heard *heard = &fixture->heard;

    for (uint32_t i = 0; i < 2; i++) {
        uint8_t before[8];
        memset(heard, 0, sizeof *heard);
        fixture->ram->page_flags[1] = kinds[i];
        memcpy(before, fixture->ram->data + 4096 + 16, 8);
        assert_true(bus_write(&fixture->bus, RAM_BASE + 4096 + 16, 8, 77 + i));
        assert_int_equal(heard->writes, 1);
        assert_ptr_equal(heard->region, bus_find(&fixture->bus, RAM_BASE));
        assert_int_equal(heard->offset, 4096 + 16);
        assert_int_equal(heard->size, 8);
        assert_true(heard->has_old);
        assert_memory_equal(heard->old, before, 8);
        assert_int_equal(fixture->ram->data[4096 + 16], 77 + i);
        assert_int_equal(fixture->ram->page_flags[1], kinds[i] | IMAGE_PAGE_DIRTY);
        bus_write(&fixture->bus, RAM_BASE + 16, 8, 1); /* its neighbour */
        bus_write(&fixture->bus, RAM_BASE + 8192, 8, 1);
        assert_int_equal(heard->writes, 1);
        /* DMA that only ends, or only begins, in it. */
        assert_true(bus_dma_write(&fixture->bus, RAM_BASE + 4090, "0123456", 7));
        assert_int_equal(heard->writes, 2);
        assert_false(heard->has_old);
        assert_true(bus_dma_write(&fixture->bus, RAM_BASE + 8191, "0123456", 7));
        assert_int_equal(heard->writes, 3);
    }
    fixture->bus.observer = (struct bus_observer){NULL, NULL, NULL};
    assert_true(bus_write(&fixture->bus, RAM_BASE + 4096, 8, 1));
    assert_true(bus_dma_write(&fixture->bus, RAM_BASE + 4096, "01", 2));
    assert_int_equal(heard->writes, 3);
}

static void a_watched_word_is_told_of_and_nothing_beside_it(void **state)
{
    struct fixture *fixture = *state;
    struct bus_watch watch = {RAM_BASE + 4096 + 64, 16, &fixture->device};
    struct access *access = &fixture->access;
    struct err err = ERR_INIT;

    BASE_OK(bus_watch(&fixture->bus, &watch, &err), &err);
    assert_int_equal(fixture->ram->page_flags[0], 0);
    assert_int_equal(fixture->ram->page_flags[1], IMAGE_PAGE_WATCH);
    assert_int_equal(fixture->ram->page_flags[2], 0);
    bus_write(&fixture->bus, watch.address - 8, 8, 1);
    bus_write(&fixture->bus, watch.address + 16, 8, 1);
    assert_int_equal(access->count, 0);
    bus_write(&fixture->bus, watch.address + 12, 4, 0xabcd);
    assert_int_equal(access->count, 1);
    assert_int_equal(access->offset, 12);
    assert_int_equal(access->size, 4);
    assert_int_equal(access->value, 0xabcd);
    assert_int_equal(ram_value(fixture, 4096 + 76, 4), 0xabcd);
    assert_int_equal(fixture->heard.writes, 0);
}

static void a_watch_over_two_pages_marks_both_and_one_outside_ram_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct bus_watch watch = {RAM_BASE + 4096 - 8, 16, &fixture->device};
    struct err err = ERR_INIT;

    BASE_OK(bus_watch(&fixture->bus, &watch, &err), &err);
    assert_int_equal(fixture->ram->page_flags[0], IMAGE_PAGE_WATCH);
    assert_int_equal(fixture->ram->page_flags[1], IMAGE_PAGE_WATCH);
    bus_write(&fixture->bus, RAM_BASE + 4096, 8, 5);
    assert_int_equal(fixture->access.offset, 8);
    watch.address = DEV_BASE;
    BASE_FAILS(bus_watch(&fixture->bus, &watch, &err), &err, ERR_INVALID, "board0.device");
    watch.address = RAM_BASE + RAM_SIZE - 15;
    BASE_FAILS(bus_watch(&fixture->bus, &watch, &err), &err, ERR_INVALID, "not in RAM");
    watch = (struct bus_watch){RAM_BASE, 0, &fixture->device};
    BASE_FAILS(bus_watch(&fixture->bus, &watch, &err), &err, ERR_INVALID, "not in RAM");
    watch.size = 8;
    for (uint32_t i = 1; i < BUS_WATCHES_MAX; i++)
        BASE_OK(bus_watch(&fixture->bus, &watch, &err), &err);
    BASE_FAILS(bus_watch(&fixture->bus, &watch, &err), &err, ERR_TOO_BIG, "more than 8 watched");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_overlap_is_refused_and_names_both),
        TEST(neighbours_that_touch_are_no_overlap),
        TEST(a_region_of_nothing_or_past_the_last_address_is_refused),
        TEST(ram_must_fit_its_image),
        TEST(the_map_is_the_same_in_whatever_order_it_was_made),
        TEST(ram_is_read_and_written_little_endian_in_every_size),
        TEST(an_access_over_the_end_of_a_region_is_a_fault_and_writes_nothing),
        TEST(nothing_is_where_nothing_is_mapped),
        TEST(rom_is_read_and_never_written),
        TEST(a_device_gets_offset_size_and_value_and_its_refusal_is_a_fault),
        TEST(dma_moves_any_length_at_any_alignment_within_one_region),
        TEST(dma_of_nothing_writes_nothing_and_ends_no_reservation),
        TEST(every_write_leaves_its_page_dirty_and_no_other),
        TEST(writes_to_code_and_tables_are_told_with_the_bytes_before),
        TEST(a_watched_word_is_told_of_and_nothing_beside_it),
        TEST(a_watch_over_two_pages_marks_both_and_one_outside_ram_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
