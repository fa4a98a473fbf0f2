#include "sim/board/elf.h"

#include "tests/sim/board/software.h"

static bool opens(struct span file, struct elf *out, struct err *err)
{
    *err = (struct err)ERR_INIT;
    return elf_open(file, out, err);
}

static void a_segment_is_where_the_header_says(void **state)
{
    uint8_t file[SMALL_SIZE];
    struct elf elf;
    struct err err;

    (void)state;
    small_elf(file, 0x80001000);
    assert_true(elf_is((struct span){file, sizeof file}));
    assert_true(opens((struct span){file, sizeof file}, &elf, &err));
    assert_int_equal(elf.entry, 0x80001000);
    assert_int_equal(elf.segment_count, 1);
    assert_int_equal(elf.segments[0].address, 0x80001000);
    assert_int_equal(elf.segments[0].memory_size, SMALL_CODE);
    assert_int_equal(elf.segments[0].bytes.size, SMALL_CODE);
    assert_int_equal(elf.segments[0].bytes.data[0], 0x11);
}

static void virtual_entry_becomes_physical(void **state)
{
    uint8_t file[SMALL_SIZE];
    struct elf elf;
    struct err err;

    (void)state;
    small_elf(file, 0x80200000);
    store_le64(file + 24, UINT64_C(0xffffffc000000004));
    store_le64(file + 80, UINT64_C(0xffffffc000000000));
    assert_true(opens((struct span){file, sizeof file}, &elf, &err));
    assert_int_equal(elf.entry, 0x80200004);
    store_le64(file + 24, 0x80200008); /* given as a physical address already */
    assert_true(opens((struct span){file, sizeof file}, &elf, &err));
    assert_int_equal(elf.entry, 0x80200008);
    store_le64(file + 24, UINT64_C(0xffffffc000000004));
    store_le32(file + 68, 4); /* not executable: no place to begin */
    assert_true(opens((struct span){file, sizeof file}, &elf, &err));
    assert_int_equal(elf.entry, UINT64_C(0xffffffc000000004));
}

static void every_truncation_is_refused(void **state)
{
    uint8_t file[SMALL_SIZE];
    struct elf elf;
    struct err err;

    (void)state;
    small_elf(file, 0x80000000);
    for (size_t size = 0; size < sizeof file; size++) {
        uint8_t *cut = malloc(size + 1); /* of its own, so that a read past the end is seen */
        memcpy(cut, file, size);
        if (opens((struct span){cut, size}, &elf, &err))
            fail_msg("%zu bytes of %zu were taken", size, sizeof file);
        assert_true(err.text[0] != 0);
        free(cut);
    }
}

/* A flipped bit is refused or means another file; never more than the file has. */
static void every_flipped_bit_stays_in_bounds(void **state)
{
    uint8_t file[SMALL_SIZE];
    struct elf elf;
    struct err err;
    uint64_t value;

    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof file; bit++) {
        small_elf(file, 0x80000000);
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (!opens((struct span){file, sizeof file}, &elf, &err))
            continue;
        for (uint32_t i = 0; i < elf.segment_count; i++) {
            const struct elf_segment *segment = &elf.segments[i];
            assert_true(segment->bytes.data >= file);
            assert_true(segment->bytes.data + segment->bytes.size <= file + sizeof file);
            assert_true(segment->bytes.size <= segment->memory_size);
        }
        elf_symbol(&elf, "tohost", &value);
    }
}

static void other_machines_are_named(void **state)
{
    static const struct {
        uint16_t machine;
        const char *name;
    } others[] = {{62, "x86-64"}, {183, "AArch64"}, {40, "ARM"}, {3, "i386"}, {8, "machine 8"}};
    uint8_t file[SMALL_SIZE];
    struct elf elf;
    struct err err;

    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        small_elf(file, 0x80000000);
        store_le16(file + 18, others[i].machine);
        assert_false(opens((struct span){file, sizeof file}, &elf, &err));
        assert_int_equal(err.kind, ERR_INVALID);
        assert_non_null(strstr(err.text, others[i].name));
    }
}

static void objects_and_narrow_files_are_refused(void **state)
{
    uint8_t file[SMALL_SIZE];
    struct elf elf;
    struct err err;

    (void)state;
    small_elf(file, 0x80000000);
    store_le16(file + 16, 1);
    assert_false(opens((struct span){file, sizeof file}, &elf, &err));
    assert_non_null(strstr(err.text, "link it first"));
    small_elf(file, 0x80000000);
    file[4] = 1;
    assert_false(opens((struct span){file, sizeof file}, &elf, &err));
    assert_non_null(strstr(err.text, "64-bit"));
    small_elf(file, 0x80000000);
    store_le32(file + 64, 0);
    assert_false(opens((struct span){file, sizeof file}, &elf, &err));
    assert_non_null(strstr(err.text, "nothing to load"));
}

static void segment_that_wraps_around_memory_is_refused(void **state)
{
    uint8_t file[SMALL_SIZE];
    struct elf elf;
    struct err err;

    (void)state;
    small_elf(file, UINT64_MAX - SMALL_CODE / 2);
    assert_false(opens((struct span){file, sizeof file}, &elf, &err));
    small_elf(file, 0x80000000);
    store_le64(file + 104, SMALL_CODE - 1);
    assert_false(opens((struct span){file, sizeof file}, &elf, &err));
    small_elf(file, 0x80000000);
    store_le64(file + 72, UINT64_MAX - 4);
    assert_false(opens((struct span){file, sizeof file}, &elf, &err));
}

/* Headers, then a symbol table of two entries, then its strings. */
static void symbols_are_found_by_their_whole_name(void **state)
{
    enum { SECTIONS = SMALL_SIZE, SYMBOLS = SECTIONS + 128, STRINGS = SYMBOLS + 48, END = 16 };
    uint8_t file[STRINGS + END] = {0};
    struct elf elf;
    struct err err;
    uint64_t value = 0;

    (void)state;
    small_elf(file, 0x80000000);
    store_le64(file + 40, SECTIONS);
    store_le16(file + 58, 64);
    store_le16(file + 60, 2);
    store_le32(file + SECTIONS + 4, 2); /* a symbol table, its strings in section 1 */
    store_le64(file + SECTIONS + 24, SYMBOLS);
    store_le64(file + SECTIONS + 32, 48);
    store_le32(file + SECTIONS + 40, 1);
    store_le64(file + SECTIONS + 64 + 24, STRINGS);
    store_le64(file + SECTIONS + 64 + 32, END);
    memcpy(file + STRINGS, "\0tohost\0fromhos", END - 1);
    store_le32(file + SYMBOLS, 1);
    store_le64(file + SYMBOLS + 8, 0x80001234);
    store_le32(file + SYMBOLS + 24, 8);
    store_le64(file + SYMBOLS + 32, 0x80005678);
    assert_true(opens((struct span){file, sizeof file}, &elf, &err));
    assert_true(elf_symbol(&elf, "tohost", &value));
    assert_int_equal(value, 0x80001234);
    assert_true(elf_symbol(&elf, "fromhos", &value));
    assert_int_equal(value, 0x80005678);
    assert_false(elf_symbol(&elf, "tohos", &value));
    assert_false(elf_symbol(&elf, "fromhost", &value));
    store_le64(file + SECTIONS + 64 + 32, END + 1); /* strings past the file's end */
    assert_false(elf_symbol(&elf, "tohost", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_is_where_the_header_says),
        cmocka_unit_test(virtual_entry_becomes_physical),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_stays_in_bounds),
        cmocka_unit_test(other_machines_are_named),
        cmocka_unit_test(objects_and_narrow_files_are_refused),
        cmocka_unit_test(segment_that_wraps_around_memory_is_refused),
        cmocka_unit_test(symbols_are_found_by_their_whole_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
