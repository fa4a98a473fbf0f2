/* Attributes: tables that tile, values that come back, sentences that name what is wrong. */
#include "sim/core/attr.h"
#include "tests/sim/core/rig.h"

/* One of everything; tiled without padding. */
struct all {
    uint64_t u64;
    uint64_t u64s[3];
    uint32_t u32;
    uint32_t u32s[2];
    uint16_t u16;
    uint16_t u16s[3];
    uint8_t u8;
    uint8_t u8s[5];
    uint8_t flag;
    uint8_t flags[4];
    uint8_t blob[6];
    char text[11];
};

/* clang-format off */
static const struct attr all_attrs[] = {
    ATTR(struct all, u64, UINT64_C(0x8000000000000001), "a"),
    ATTR_ARRAY(struct all, u64s, UINT64_MAX, "b"),
    ATTR(struct all, u32, 0x80000002, "c"),
    ATTR_ARRAY(struct all, u32s, 3, "d"),
    ATTR(struct all, u16, 0x8004, "e"),
    ATTR_ARRAY(struct all, u16s, 5, "f"),
    ATTR(struct all, u8, 0x86, "g"),
    ATTR_ARRAY(struct all, u8s, 7, "h"),
    ATTR_FLAG(struct all, flag, 1, "i"),
    ATTR_FLAGS(struct all, flags, 0, "j"),
    ATTR_BLOB(struct all, blob, "k"),
    ATTR_STRING(struct all, text, "l"),
};
/* clang-format on */
static const struct attr_table all_table = ATTR_TABLE(struct all, all_attrs);

static void save(const struct attr_table *table, const void *state, struct buf *out)
{
    struct err err = ERR_INIT;
    struct cbor_writer writer = cbor_writer(out, &err);

    buf_clear(out);
    attr_save(table, state, &writer);
    assert_true(writer.ok);
    BASE_OK(cbor_check(buf_span(out), &err), &err); /* deterministic, order included */
}

static bool load(const struct attr_table *table, const char *hex, void *state, struct err *err)
{
    struct buf bytes = base_hex(hex);
    struct cbor_reader reader = cbor_reader(buf_span(&bytes), err);
    bool ok;

    attr_reset(table, state);
    ok = attr_load(table, &reader, state);
    buf_release(&bytes);
    return ok;
}

/* ---- tables ---- */

static void a_table_that_tiles_is_accepted(void **state)
{
    static const struct attr_table none = ATTR_TABLE_NONE;
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(attr_table_check(&all_table, &err), &err);
    BASE_OK(attr_table_check(&none, &err), &err);
}

#define COUNT (sizeof all_attrs / sizeof all_attrs[0])

static void every_forgotten_field_is_found(void **state)
{
    (void)state;
    for (uint32_t gone = 0; gone < COUNT; gone++) {
        struct attr attrs[COUNT];
        struct attr_table table = {attrs, COUNT - 1, sizeof(struct all)};
        struct err err = ERR_INIT;
        memcpy(attrs, all_attrs, sizeof attrs);
        memmove(&attrs[gone], &attrs[gone + 1], (COUNT - 1 - gone) * sizeof attrs[0]);
        if (gone == COUNT - 1)
            BASE_FAILS(attr_table_check(&table, &err), &err, ERR_INVALID,
                       "the table covers 69 of the struct's 80 bytes");
        else
            BASE_FAILS(attr_table_check(&table, &err), &err, ERR_INVALID, attrs[gone].name);
    }
}

static void holes_overlaps_and_wrong_sizes_are_found(void **state)
{
    static const struct {
        uint32_t which;
        int32_t offset, count;
        enum attr_type type;
        const char *part;
    } wrong[] = {
        {2, 4, 1, ATTR_U32, "u32 is at byte 36"}, {2, -4, 1, ATTR_U32, "u32 is at byte 28"},
        {3, 0, 1, ATTR_U32, "u16 is at byte 44"}, {3, 0, 3, ATTR_U32, "u16 is at byte 44"},
        {0, 0, 1, ATTR_U32, "u64s is at byte 8"}, {0, 8, 1, ATTR_U64, "u64 is at byte 8"},
        {6, 0, 1, ATTR_U16, "u8s is at byte"},    {11, 0, 10, ATTR_TEXT, "covers 79 of"},
        {11, 0, 12, ATTR_TEXT, "covers 81 of"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct attr attrs[COUNT];
        struct attr_table table = {attrs, COUNT, sizeof(struct all)};
        struct err err = ERR_INIT;
        memcpy(attrs, all_attrs, sizeof attrs);
        attrs[wrong[i].which].offset += (uint32_t)wrong[i].offset;
        attrs[wrong[i].which].count = (uint32_t)wrong[i].count;
        attrs[wrong[i].which].type = wrong[i].type;
        BASE_FAILS(attr_table_check(&table, &err), &err, ERR_INVALID, wrong[i].part);
    }
}

struct padded {
    uint8_t small;
    uint32_t large; /* three bytes of padding before it */
};
struct padded_behind {
    uint32_t large;
    uint8_t small; /* three bytes of padding behind it */
};

static void a_compilers_padding_is_a_hole(void **state)
{
    static const struct attr before[] = {ATTR(struct padded, small, 0, "s"),
                                         ATTR(struct padded, large, 0, "l")};
    static const struct attr behind[] = {ATTR(struct padded_behind, large, 0, "l"),
                                         ATTR(struct padded_behind, small, 0, "s")};
    struct attr_table first = ATTR_TABLE(struct padded, before);
    struct attr_table second = ATTR_TABLE(struct padded_behind, behind);
    struct err err = ERR_INIT;

    (void)state;
    BASE_FAILS(attr_table_check(&first, &err), &err, ERR_INVALID, "padding");
    BASE_FAILS(attr_table_check(&second, &err), &err, ERR_INVALID, "covers 5 of the struct's 8");
}

static void a_name_twice_or_no_name_is_refused(void **state)
{
    static const char longest[] =
        "a23456789_123456789_123456789_123456789_123456789_123456789_1234";
    static const char too_long[] =
        "a23456789_123456789_123456789_123456789_123456789_123456789_12345";
    static const char *const bad[] = {"", "U", "a-b", "a b", "a.b", "\xc3\xa9", too_long};
    struct attr attrs[2] = {{"same", ATTR_U8, 0, 1, 0, 0, ""}, {"same", ATTR_U8, 1, 1, 0, 0, ""}};
    struct attr_table table = {attrs, 2, 2};
    struct err err = ERR_INIT;

    (void)state;
    BASE_FAILS(attr_table_check(&table, &err), &err, ERR_INVALID, "same is listed twice");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        attrs[1].name = bad[i];
        BASE_FAILS(attr_table_check(&table, &err), &err, ERR_INVALID, "is no attribute name");
    }
    attrs[1].name = longest;
    BASE_OK(attr_table_check(&table, &err), &err);
}

static void register_padded(void *context)
{
    static const struct attr attrs[] = {ATTR(struct padded, small, 0, "s"),
                                        ATTR(struct padded, large, 0, "l")};
    static const struct schema schema = {
        .name = "p", .version = 1, .state = ATTR_TABLE(struct padded, attrs)};
    static const struct model model = {.name = "p", .schema = &schema};

    registry_add(context, &model);
}

static void register_twice(void *context)
{
    registry_add(context, &rig_latch_model);
    registry_add(context, &rig_latch_model);
}

static void a_registry_takes_no_table_with_holes_and_no_name_twice(void **state)
{
    struct registry registry = {.count = 0};

    (void)state;
    base_assert_aborts(register_padded, &registry, "large is at byte 4");
    base_assert_aborts(register_twice, &registry, "registry_find_model");
}

/* ---- values ---- */

static void reset_gives_every_element_its_value_and_touches_nothing_else(void **state)
{
    struct {
        uint8_t before[8];
        struct all all;
        uint8_t after[8];
    } room;
    uint8_t guard[8];

    (void)state;
    memset(&room, 0xcd, sizeof room);
    memset(guard, 0xcd, sizeof guard);
    attr_reset(&all_table, &room.all);
    assert_true(room.all.u64 == UINT64_C(0x8000000000000001));
    assert_int_equal(room.all.u32, 0x80000002);
    assert_int_equal(room.all.u16, 0x8004);
    assert_int_equal(room.all.u8, 0x86);
    assert_int_equal(room.all.flag, 1);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(room.all.u64s[i] == UINT64_MAX);
        assert_int_equal(room.all.u16s[i], 5);
    }
    assert_int_equal(room.all.u32s[0], 3);
    assert_int_equal(room.all.u32s[1], 3);
    assert_memory_equal(room.all.u8s, "\7\7\7\7\7", 5);
    assert_true(bytes_are_zero(room.all.flags, 4 + 6 + 11));
    assert_memory_equal(room.before, guard, 8);
    assert_memory_equal(room.after, guard, 8);
}

static void fill(struct all *all, uint64_t seed)
{
    uint8_t *bytes = (uint8_t *)all;
    bool extreme = seed < 2;

    for (size_t i = 0; i < sizeof *all; i++)
        bytes[i] = extreme ? (uint8_t)(0 - seed) : (uint8_t)base_random(&seed);
    all->flag &= 1;
    for (uint32_t i = 0; i < 4; i++)
        all->flags[i] &= 1;
    for (uint32_t i = 0; i < 10; i++)
        all->text[i] = (char)(1 + (all->text[i] & 0x7f) % 0x7f);
    all->text[10] = 0;
}

static void every_type_comes_back_as_it_was_saved(void **state)
{
    struct buf bytes = BUF_INIT(1 << 16);
    struct err err = ERR_INIT;

    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct all all, again;
        struct cbor_reader reader;
        fill(&all, seed);
        save(&all_table, &all, &bytes);
        reader = cbor_reader(buf_span(&bytes), &err);
        attr_reset(&all_table, &again);
        BASE_OK(attr_load(&all_table, &reader, &again), &err);
        assert_int_equal(reader.offset, bytes.size);
        assert_memory_equal(&all, &again, sizeof all);
    }
    buf_release(&bytes);
}

struct small {
    uint32_t b;
    uint16_t aa[2];
    uint8_t a;
    uint8_t on;
    uint8_t raw[2];
    char name[4];
};

/* clang-format off */
static const struct attr small_attrs[] = {
    ATTR(struct small, b, 9, ""),
    ATTR_ARRAY(struct small, aa, 0, ""),
    ATTR(struct small, a, 0, ""),
    ATTR_FLAG(struct small, on, 0, ""),
    ATTR_BLOB(struct small, raw, ""),
    ATTR_STRING(struct small, name, ""),
};
/* clang-format on */
static const struct attr_table small_table = ATTR_TABLE(struct small, small_attrs);

/* Golden: saved names and this encoding live forever. */
#define SMALL_A    "6161 05 "             /* "a": 5 */
#define SMALL_B    "6162 1a00010000 "     /* "b": 65536 */
#define SMALL_AA   "626161 82 01 1901ff " /* "aa": [1, 511] */
#define SMALL_ON   "626f6e f5 "           /* "on": true */
#define SMALL_RAW  "63726177 42 00ff "    /* "raw": h'00ff' */
#define SMALL_NAME "646e616d65 626869 "   /* "name": "hi" */
#define SMALL      SMALL_A SMALL_B SMALL_AA SMALL_ON SMALL_RAW SMALL_NAME

static const struct small small = {65536, {1, 511}, 5, 1, {0, 0xff}, "hi"};

static void the_encoding_is_fixed_shorter_names_first(void **state)
{
    struct buf bytes = BUF_INIT(1 << 16);

    (void)state;
    save(&small_table, &small, &bytes);
    base_assert_hex(buf_span(&bytes), "a6" SMALL);
    buf_release(&bytes);
}

/* Neither what lies behind a text's NUL, nor behind the struct, is anybody's state. */
static void host_bytes_beside_the_state_are_in_no_digest(void **state)
{
    struct buf bytes = BUF_INIT(1 << 16);
    struct small other = small;
    struct machine *machine;
    struct registry registry;
    struct object *object;
    struct hash before, after;

    (void)state;
    other.name[3] = 'x';
    save(&small_table, &other, &bytes);
    base_assert_hex(buf_span(&bytes), "a6" SMALL);
    buf_release(&bytes);
    rig_registry(&registry);
    machine = rig_board(&registry, 1, "n", NULL);
    object = machine_find(machine, "board0.latch");
    before = rig_digest(machine);
    memset((uint8_t *)object->state + sizeof(struct rig_latch_state), 0xcd,
           64 - sizeof(struct rig_latch_state)); /* states are 64-byte aligned, and rounded up */
    object->host = object;
    after = rig_digest(machine);
    assert_true(hash_equal(&before, &after));
    ((struct rig_latch_state *)object->state)->at ^= 1;
    after = rig_digest(machine);
    assert_false(hash_equal(&before, &after));
    object->host = NULL;
    machine_free(machine);
}

static void any_order_of_fields_loads(void **state)
{
    struct err err = ERR_INIT;
    struct small found;

    (void)state;
    BASE_OK(load(&small_table, "a6" SMALL, &found, &err), &err);
    assert_memory_equal(&found, &small, sizeof small);
    BASE_OK(load(&small_table, "a6" SMALL_NAME SMALL_ON SMALL_B SMALL_AA SMALL_RAW SMALL_A, &found,
                 &err),
            &err);
    assert_memory_equal(&found, &small, sizeof small);
}

/* ---- refusals ---- */

static void every_refusal_names_its_attribute(void **state)
{
    static const struct {
        enum err_kind kind;
        const char *hex, *part;
    } wrong[] = {
        {ERR_INVALID, "a5" SMALL_B SMALL_AA SMALL_ON SMALL_RAW SMALL_NAME,
         "attribute a is missing"},
        {ERR_INVALID, "a5" SMALL_A SMALL_B SMALL_AA SMALL_ON SMALL_RAW,
         "attribute name is missing"},
        {ERR_INVALID, "a0", "attribute b is missing"},
        {ERR_CORRUPT, "a7" SMALL SMALL_AA, "attribute aa comes twice"},
        {ERR_UNSUPPORTED, "a7 617a 00" SMALL, "attribute z: this build does not know it"},
        {ERR_UNSUPPORTED, "a7 6141 00" SMALL, "attribute A: this build"},
        {ERR_UNSUPPORTED, "a7 60 00" SMALL, "attribute : this build"},
        {ERR_INVALID, "a1 6161 190100", "256 does not fit into a u8"},
        {ERR_INVALID, "a1 6162 1b0000000100000000", "4294967296 does not fit into a u32"},
        {ERR_INVALID, "a1 626161 82 00 1a00010000", "65536 does not fit into a u16"},
        {ERR_CORRUPT, "a1 6161 20", "attribute a"},    /* -1 */
        {ERR_CORRUPT, "a1 6161 f5", "attribute a"},    /* true for a number */
        {ERR_CORRUPT, "a1 6161 8105", "attribute a"},  /* an array of one for a scalar */
        {ERR_CORRUPT, "a1 626f6e 01", "attribute on"}, /* 1 for true */
        {ERR_CORRUPT, "a1 626161 01", "attribute aa"}, /* a scalar for an array */
        {ERR_INVALID, "a1 626161 8101", "1 elements where the schema has 2"},
        {ERR_TOO_BIG, "a1 626161 83010101", "attribute aa"},
        {ERR_CORRUPT, "a1 626161 4201ff", "attribute aa"}, /* bytes for an array */
        {ERR_INVALID, "a1 63726177 4100", "1 bytes where the schema has 2"},
        {ERR_TOO_BIG, "a1 63726177 43000000", "attribute raw"},
        {ERR_CORRUPT, "a1 63726177 820000", "attribute raw"},
        {ERR_TOO_BIG, "a1 646e616d65 6461626364", "attribute name"}, /* no room for the NUL */
        {ERR_INVALID, "a1 646e616d65 626100", "a zero byte inside a text"},
        {ERR_CORRUPT, "a1 646e616d65 61ff", "attribute name"}, /* no UTF-8 */
        {ERR_CORRUPT, "a1 01 02", ""},                         /* a key that is no text */
        {ERR_CORRUPT, "80", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct err err = ERR_INIT;
        struct small found;
        if (load(&small_table, wrong[i].hex, &found, &err) ||
            strstr(err.text, wrong[i].part) == NULL)
            fail_msg("%s: \"%s\" is not in \"%s\"", wrong[i].hex, wrong[i].part, err.text);
        if (err.kind != wrong[i].kind)
            fail_msg("%s: kind %s, not %s: %s", wrong[i].hex, err_kind_name(err.kind),
                     err_kind_name(wrong[i].kind), err.text);
        if (strncmp(wrong[i].part, "attribute", 9) != 0 && wrong[i].part[0] != 0)
            assert_non_null(strstr(err.text, "attribute "));
    }
}

static void every_truncation_is_refused(void **state)
{
    struct buf bytes = base_hex("a6" SMALL);

    (void)state;
    for (size_t size = 0; size < bytes.size; size++) {
        struct err err = ERR_INIT;
        struct cbor_reader reader = cbor_reader((struct span){bytes.data, size}, &err);
        struct small found;
        attr_reset(&small_table, &found);
        assert_false(attr_load(&small_table, &reader, &found));
        assert_int_not_equal(err.kind, ERR_NONE);
    }
    buf_release(&bytes);
}

static void a_text_that_fills_its_field_and_one_that_is_shorter_are_padded_with_zeros(void **state)
{
    struct attr attrs[] = {{"name", ATTR_TEXT, 0, 4, 0, 0, ""}};
    struct attr_table table = {attrs, 1, 4};
    struct cbor_reader reader;
    struct err err = ERR_INIT;
    char name[4];

    (void)state;
    BASE_OK(load(&table, "a1 646e616d65 63616263", name, &err), &err);
    assert_memory_equal(name, "abc", 4);
    BASE_OK(load(&table, "a1 646e616d65 60", name, &err), &err);
    assert_memory_equal(name, "\0\0\0", 4);
    /* Whatever was there before. */
    memset(name, 'x', sizeof name);
    reader = cbor_reader((struct span){(const uint8_t *)"\xa1\x64name\x61Z", 8}, &err);
    BASE_OK(attr_load(&table, &reader, name), &err);
    assert_memory_equal(name, "Z\0\0", 4);
}

/* ---- differences ---- */

struct difference {
    const char *name;
    uint32_t index;
    uint64_t a, b;
};
struct differences {
    struct difference found[8];
    uint32_t count;
};

static void on_difference(void *context, const struct attr *attr, uint32_t index, uint64_t a,
                          uint64_t b)
{
    struct differences *differences = context;

    assert_true(differences->count < 8);
    differences->found[differences->count++] = (struct difference){attr->name, index, a, b};
}

static void a_diff_tells_every_element_that_differs_and_no_other(void **state)
{
    static const struct difference expected[] = {{"b", 0, 65536, 7},
                                                 {"aa", 1, 511, 512},
                                                 {"on", 0, 1, 0},
                                                 {"raw", 1, 0xff, 0xfe},
                                                 {"name", 0, 'h', 'H'}};
    struct differences differences = {.count = 0};
    struct small other = {7, {1, 512}, 5, 0, {0, 0xfe}, "Hi"};

    (void)state;
    attr_diff(&small_table, &small, &small, on_difference, &differences);
    assert_int_equal(differences.count, 0);
    attr_diff(&small_table, &small, &other, on_difference, &differences);
    assert_int_equal(differences.count, 5);
    for (uint32_t i = 0; i < 5; i++) {
        assert_string_equal(differences.found[i].name, expected[i].name);
        assert_int_equal(differences.found[i].index, expected[i].index);
        assert_int_equal(differences.found[i].a, expected[i].a);
        assert_int_equal(differences.found[i].b, expected[i].b);
    }
}

static void get_outside(void *context)
{
    attr_get(&small_attrs[1], context, 2);
}

static void set_outside(void *context)
{
    attr_set(&small_attrs[1], context, 2, 0);
}

static void an_element_past_the_last_is_a_bug(void **state)
{
    struct small other = small;

    (void)state;
    base_assert_aborts(get_outside, &other, "index < attr->count");
    base_assert_aborts(set_outside, &other, "index < attr->count");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_that_tiles_is_accepted),
        cmocka_unit_test(every_forgotten_field_is_found),
        cmocka_unit_test(holes_overlaps_and_wrong_sizes_are_found),
        cmocka_unit_test(a_compilers_padding_is_a_hole),
        cmocka_unit_test(a_name_twice_or_no_name_is_refused),
        cmocka_unit_test(a_registry_takes_no_table_with_holes_and_no_name_twice),
        cmocka_unit_test(reset_gives_every_element_its_value_and_touches_nothing_else),
        cmocka_unit_test(every_type_comes_back_as_it_was_saved),
        cmocka_unit_test(the_encoding_is_fixed_shorter_names_first),
        cmocka_unit_test(host_bytes_beside_the_state_are_in_no_digest),
        cmocka_unit_test(any_order_of_fields_loads),
        cmocka_unit_test(every_refusal_names_its_attribute),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_text_that_fills_its_field_and_one_that_is_shorter_are_padded_with_zeros),
        cmocka_unit_test(a_diff_tells_every_element_that_differs_and_no_other),
        cmocka_unit_test(an_element_past_the_last_is_a_bug),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
