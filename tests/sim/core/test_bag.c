/* Optional attributes: marked in their keys, skipped by who does not know them, found by upgrades.
 */
#include "sim/core/bag.h"
#include "tests/support/base_test.h"

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

struct newer {
    uint32_t b;
    uint16_t extra[2];
};

static const struct attr newer_attrs[] = {
    {"b", ATTR_U32, 0, 1, 9, 0, ""},
    {"extra", ATTR_U16, 4, 2, 77, ATTR_OPTIONAL, ""},
};
static const struct attr_table newer_table = ATTR_TABLE(struct newer, newer_attrs);
static const struct attr_table older_table = {newer_attrs, 1, 4};

static void an_optional_attribute_that_is_missing_has_its_reset_value(void **state)
{
    struct err err = ERR_INIT;
    struct newer found;

    (void)state;
    BASE_OK(load(&newer_table, "a1 6162 01", &found, &err), &err);
    assert_int_equal(found.b, 1);
    assert_int_equal(found.extra[0], 77);
    assert_int_equal(found.extra[1], 77);
    BASE_FAILS(load(&newer_table, "a0", &found, &err), &err, ERR_INVALID, "attribute b is missing");
}

/* A newer build's state in an older one: what is marked is stepped over, whatever it holds. */
static void an_unknown_optional_attribute_is_skipped_and_a_plain_one_is_not(void **state)
{
    struct newer newer = {5, {1, 2}}, again;
    struct buf bytes = BUF_INIT(1 << 16);
    struct cbor_reader reader;
    struct err err = ERR_INIT;
    uint32_t older = 0;

    (void)state;
    save(&newer_table, &newer, &bytes);
    base_assert_hex(buf_span(&bytes), "a2 6162 05 666578747261 3f 82 01 02"); /* "extra?" */
    reader = cbor_reader(buf_span(&bytes), &err);
    BASE_OK(attr_load(&older_table, &reader, &older), &err);
    assert_int_equal(older, 5);
    assert_int_equal(reader.offset, bytes.size);
    reader = cbor_reader(buf_span(&bytes), &err);
    BASE_OK(attr_load(&newer_table, &reader, &again), &err);
    assert_memory_equal(&again, &newer, sizeof newer);
    BASE_FAILS(load(&older_table, "a2 6162 05 656578747261 820102", &older, &err), &err,
               ERR_UNSUPPORTED, "attribute extra");
    /* What is skipped must be well formed all the same; and known attributes come but once. */
    assert_false(load(&older_table, "a2 6162 05 6665787472613f 8201", &older, &err));
    err = (struct err)ERR_INIT;
    BASE_FAILS(load(&older_table, "a2 6162 05 62623f 06", &older, &err), &err, ERR_CORRUPT,
               "attribute b comes twice");
    buf_release(&bytes);
}

static void the_mark_counts_in_the_order_of_the_keys(void **state)
{
    static const struct attr attrs[] = {
        {"ab", ATTR_U8, 0, 1, 0, ATTR_OPTIONAL, ""}, /* "ab?" */
        {"abc", ATTR_U8, 1, 1, 0, 0, ""},
        {"ab0", ATTR_U8, 2, 1, 0, 0, ""},           /* before "ab?" */
        {"z", ATTR_U8, 3, 1, 0, ATTR_OPTIONAL, ""}, /* "z?" */
        {"aa", ATTR_U8, 4, 1, 0, 0, ""},
        {"zz", ATTR_U8, 5, 1, 0, 0, ""},
    };
    static const struct attr_table table = {attrs, 6, 6};
    struct buf bytes = BUF_INIT(1 << 16);

    (void)state;
    save(&table, "\1\2\3\4\5\6", &bytes);
    base_assert_hex(buf_span(&bytes),
                    "a6 626161 05 627a3f 04 627a7a 06 63616230 03 6361623f 01 63616263 02");
    buf_release(&bytes);
}

static void an_upgrade_finds_an_optional_attribute_by_its_name(void **state)
{
    struct buf bytes = base_hex("a2 6162 05 6665787472613f 820102"), out = BUF_INIT(1 << 16);
    struct attr_bag *bag = NULL;
    struct err err = ERR_INIT;
    struct cbor_reader reader = cbor_reader(buf_span(&bytes), &err);
    struct cbor_writer writer = cbor_writer(&out, &err);
    uint64_t value = 0;

    (void)state;
    BASE_OK(attr_bag_read(&reader, &bag), &err);
    assert_true(attr_bag_get(bag, "extra", 1, &value));
    assert_int_equal(value, 2);
    assert_false(attr_bag_get(bag, "extr", 0, &value));
    assert_false(attr_bag_get(bag, "extras", 0, &value));
    attr_bag_write(bag, &writer);
    assert_true(span_equal(buf_span(&out), buf_span(&bytes)));
    assert_true(attr_bag_drop(bag, "extra"));
    assert_false(attr_bag_get(bag, "extra", 0, &value));
    attr_bag_free(bag);
    buf_release(&bytes);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_optional_attribute_that_is_missing_has_its_reset_value),
        cmocka_unit_test(an_unknown_optional_attribute_is_skipped_and_a_plain_one_is_not),
        cmocka_unit_test(the_mark_counts_in_the_order_of_the_keys),
        cmocka_unit_test(an_upgrade_finds_an_optional_attribute_by_its_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
