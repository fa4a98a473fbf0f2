/* Bags of attributes, chains of upgrades, and which model a checkpoint is thawed into. */
#include "sim/core/bag.h"
#include "sim/core/checkpoint.h"
#include "tests/support/base_test.h"

#include <string.h>

/* ---- bags ---- */

/* One value of each kind, under names in deterministic order: shorter first. */
static const char every_kind[] = "a9"                          /* a map of 9 */
                                 " 61 62 07"                   /* "b": 7 */
                                 " 62 6161 81 08"              /* "aa": [8] */
                                 " 62 6162 83 01 02 1903e8"    /* "ab": [1, 2, 1000] */
                                 " 62 6163 f5"                 /* "ac": true */
                                 " 62 6164 82 f4 f5"           /* "ad": [false, true] */
                                 " 62 6165 43 00ff80"          /* "ae": bytes */
                                 " 62 6166 63 616263"          /* "af": "abc" */
                                 " 62 6167 1bffffffffffffffff" /* "ag": 2^64 - 1 */
                                 " 62 6168 40";                /* "ah": no bytes */

static struct attr_bag *bag_of(const char *digits)
{
    struct buf bytes = base_hex(digits);
    struct err err = ERR_INIT;
    struct cbor_reader reader = cbor_reader(buf_span(&bytes), &err);
    struct attr_bag *bag = NULL;

    BASE_OK(attr_bag_read(&reader, &bag), &err);
    buf_release(&bytes);
    return bag;
}

/* The bag's bytes are these; they are what a reader takes. */
static void expect_bytes(const struct attr_bag *bag, const char *digits)
{
    struct buf bytes = BUF_INIT(65536);
    struct err err = ERR_INIT;
    struct cbor_writer writer = cbor_writer(&bytes, &err);

    attr_bag_write(bag, &writer);
    BASE_OK(writer.ok, &err);
    base_assert_hex(buf_span(&bytes), digits);
    BASE_OK(cbor_check(buf_span(&bytes), &err), &err);
    buf_release(&bytes);
}

static void a_bag_is_written_as_it_was_read(void **state)
{
    struct attr_bag *bag = bag_of(every_kind);

    (void)state;
    expect_bytes(bag, every_kind);
    attr_bag_free(bag);
}

static void every_truncation_of_a_bag_is_refused(void **state)
{
    struct buf bytes = base_hex(every_kind);

    (void)state;
    for (size_t size = 0; size < bytes.size; size++) {
        struct err err = ERR_INIT;
        struct cbor_reader reader = cbor_reader((struct span){bytes.data, size}, &err);
        struct attr_bag *bag = NULL;
        assert_false(attr_bag_read(&reader, &bag));
        assert_true(err.kind != ERR_NONE && bag == NULL);
    }
    buf_release(&bytes);
}

static void values_are_got_by_name_and_place(void **state)
{
    struct attr_bag *bag = bag_of(every_kind);
    uint64_t value = 55;

    (void)state;
    assert_true(attr_bag_get(bag, "ab", 2, &value) && value == 1000);
    assert_true(attr_bag_get(bag, "ad", 1, &value) && value == 1);
    assert_true(attr_bag_get(bag, "ae", 1, &value) && value == 0xff);
    assert_true(attr_bag_get(bag, "ag", 0, &value) && value == UINT64_MAX);
    value = 55;
    assert_false(attr_bag_get(bag, "ab", 3, &value));
    assert_false(attr_bag_get(bag, "ah", 0, &value));
    assert_false(attr_bag_get(bag, "none", 0, &value));
    assert_int_equal(value, 55);
    attr_bag_free(bag);
}

static void renaming_keeps_the_order_and_takes_no_name_twice(void **state)
{
    struct attr_bag *bag = bag_of("a2 61 62 07 62 6161 81 08");

    (void)state;
    assert_false(attr_bag_rename(bag, "b", "aa"));
    assert_false(attr_bag_rename(bag, "none", "c"));
    expect_bytes(bag, "a2 61 62 07 62 6161 81 08");
    assert_true(attr_bag_rename(bag, "b", "bbb")); /* now the longest */
    expect_bytes(bag, "a2 62 6161 81 08 63 626262 07");
    assert_true(attr_bag_rename(bag, "aa", "z")); /* now the shortest */
    expect_bytes(bag, "a2 61 7a 81 08 63 626262 07");
    attr_bag_free(bag);
}

static void dropping_takes_one_and_leaves_the_others(void **state)
{
    struct attr_bag *bag = bag_of("a3 61 61 01 61 62 42 0102 61 63 03");

    (void)state;
    assert_true(attr_bag_drop(bag, "a"));
    assert_false(attr_bag_drop(bag, "a"));
    expect_bytes(bag, "a2 61 62 42 0102 61 63 03");
    assert_true(attr_bag_drop(bag, "c"));
    expect_bytes(bag, "a1 61 62 42 0102");
    assert_true(attr_bag_drop(bag, "b"));
    expect_bytes(bag, "a0");
    attr_bag_free(bag);
}

static void setting_makes_numbers_and_leaves_flags_flags(void **state)
{
    static const uint64_t two[] = {1, 300}, truths[] = {1, 0}, one[] = {1};
    struct attr_bag *bag = bag_of("a3 61 61 01 61 62 42 0102 61 63 f4");
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(attr_bag_set(bag, "a", 2, two, &err), &err); /* a number becomes an array */
    BASE_OK(attr_bag_set(bag, "b", 1, two, &err), &err); /* bytes become a number */
    BASE_OK(attr_bag_set(bag, "c", 1, one, &err), &err);
    BASE_OK(attr_bag_set(bag, "d", 1, one, &err), &err); /* new */
    expect_bytes(bag, "a4 61 61 82 01 19012c 61 62 01 61 63 f5 61 64 01");
    BASE_OK(attr_bag_set(bag, "c", 2, truths, &err), &err);
    expect_bytes(bag, "a4 61 61 82 01 19012c 61 62 01 61 63 82 f5 f4 61 64 01");
    attr_bag_free(bag);
}

/* ---- a schema in three versions, and two models of it ---- */

struct thing_state {
    uint64_t value;
};
static const struct attr thing_attrs[] = {ATTR(struct thing_state, value, 0, "a number")};
static const struct link_slot thing_links[] = {{"z", NULL, false, "any object"},
                                               {"next", NULL, false, "any object"},
                                               {"after", NULL, false, "any object"}};
static const struct image_slot thing_images[] = {{"data", "bytes"}};

static bool add_ten(struct attr_bag *state, struct attr_bag *config, struct buf *notes,
                    struct err *err)
{
    uint64_t value = 0;

    (void)config;
    assert_true(attr_bag_get(state, "value", 0, &value));
    value += 10;
    return attr_bag_set(state, "value", 1, &value, err) && buf_append_text(notes, "ten\n", err);
}

static bool make_double(struct attr_bag *state, struct attr_bag *config, struct buf *notes,
                        struct err *err)
{
    uint64_t value = 0;

    (void)config;
    assert_true(attr_bag_get(state, "value", 0, &value));
    value *= 2;
    return attr_bag_set(state, "value", 1, &value, err) && buf_append_text(notes, "double\n", err);
}

static const struct upgrade thing_upgrades[] = {{2, make_double, "doubled"},
                                                {1, add_ten, "ten more"}};

#define THING(number, slots)                                                                       \
    {                                                                                              \
        .name = "thing", .version = (number),                                                      \
        .state = ATTR_TABLE(struct thing_state, thing_attrs), .links = thing_links,                \
        .link_count = 3, .images = thing_images, .image_count = (slots),                           \
        .upgrades = thing_upgrades, .upgrade_count = 2                                             \
    }
static const struct schema thing1_schema = THING(1, 0), thing2_schema = THING(2, 0),
                           thing3_schema = THING(3, 0), thing_image_schema = THING(1, 1);
static const struct schema other_schema = {
    .name = "other", .version = 1, .state = ATTR_TABLE(struct thing_state, thing_attrs)};
static const struct model thing1_model = {.name = "thing-fast", .schema = &thing1_schema};
static const struct model exact_model = {.name = "thing-exact", .schema = &thing1_schema};
static const struct model thing2_model = {.name = "thing-fast", .schema = &thing2_schema};
static const struct model thing3_model = {.name = "thing-fast", .schema = &thing3_schema};

/* A fresh machine's; a thawed one has all its images from the checkpoint. */
static bool make_image(struct object *object, struct err *err)
{
    struct image *image;

    return object->images[0] != NULL || (image_new(IMAGE_CHUNK_SIZE, &image, err) &&
                                         object_take_image(object, "data", image, err));
}

static const struct model image_model = {
    .name = "thing-fast", .schema = &thing_image_schema, .open = make_image};
static const struct model other_model = {.name = "other", .schema = &other_schema};

static struct registry registry_of(const struct model *first, const struct model *second)
{
    struct registry registry;

    memset(&registry, 0, sizeof registry);
    registry_add(&registry, &machine_model);
    registry_add(&registry, first);
    if (second != NULL)
        registry_add(&registry, second);
    registry_add(&registry, &other_model);
    return registry;
}

static struct machine *build(const struct registry *registry, const char *model)
{
    static const char *const slots[] = {"z", "next", "after"};
    struct machine *machine = machine_new(registry);
    struct object *thing;
    struct err err = ERR_INIT;

    BASE_OK(machine_add(machine, "machine", "thaw-machine", NULL, NULL, &err), &err);
    BASE_OK(machine_add(machine, "board0.thing", model, NULL, &thing, &err), &err);
    BASE_OK(machine_add(machine, "board0.other", "other", NULL, NULL, &err), &err);
    for (size_t i = 0; i < 3; i++)
        BASE_OK(object_link(thing, slots[i], "board0.other", &err), &err);
    BASE_OK(machine_open(machine, &err), &err);
    machine_reset(machine);
    ((struct thing_state *)thing->state)->value = 5;
    return machine;
}

static struct buf frozen(const struct registry *registry, const char *model,
                         struct checkpoint_ids *ids)
{
    struct machine *machine = build(registry, model);
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct err err = ERR_INIT;

    BASE_OK(machine_save(machine, NULL, &manifest, ids, &err), &err);
    machine_free(machine);
    return manifest;
}

static bool open_nothing(void *context, const struct hash *root, uint64_t size,
                         struct image_mapping *out, struct err *err)
{
    (void)context;
    (void)root;
    (void)size;
    (void)out;
    return err_set(err, ERR_NOT_FOUND, "there are no images here");
}

static const struct image_source no_images = {open_nothing, NULL};

/* The thing's value after a thaw. */
static uint64_t thawed_value(const struct registry *registry, const struct buf *manifest,
                             const char *notes_expected)
{
    struct buf notes = BUF_INIT(4096);
    struct load_options options = {.upgrade_notes = &notes};
    struct machine *machine;
    struct err err = ERR_INIT;
    uint64_t value;

    BASE_OK(machine_load(registry, buf_span(manifest), &no_images, &options, &machine, &err), &err);
    value = ((const struct thing_state *)machine_find(machine, "board0.thing")->state)->value;
    assert_true(span_equal(buf_span(&notes), span_of_text(notes_expected)));
    machine_free(machine);
    buf_release(&notes);
    return value;
}

static void upgrades_are_taken_one_after_the_other(void **state)
{
    struct registry one = registry_of(&thing1_model, NULL), two = registry_of(&thing2_model, NULL),
                    three = registry_of(&thing3_model, NULL);
    struct checkpoint_ids ids;
    struct buf first = frozen(&one, "thing-fast", &ids), second = frozen(&two, "thing-fast", &ids);

    (void)state;
    assert_int_equal(thawed_value(&one, &first, ""), 5);
    assert_int_equal(thawed_value(&two, &first, "ten\n"), 15);
    assert_int_equal(thawed_value(&three, &first, "ten\ndouble\n"), 30);
    assert_int_equal(thawed_value(&three, &second, "double\n"), 10);
    buf_release(&first);
    buf_release(&second);
}

static void the_state_id_knows_no_models_and_the_checkpoint_id_does(void **state)
{
    struct registry registry = registry_of(&thing1_model, &exact_model);
    struct checkpoint_ids fast, exact;
    struct buf first = frozen(&registry, "thing-fast", &fast),
               second = frozen(&registry, "thing-exact", &exact);

    (void)state;
    assert_true(hash_equal(&fast.state_id, &exact.state_id));
    assert_false(hash_equal(&fast.checkpoint_id, &exact.checkpoint_id));
    buf_release(&first);
    buf_release(&second);
}

static const char *model_after(const struct registry *registry, const struct buf *manifest,
                               const char *choice)
{
    struct load_options options = {.model_choice = choice};
    struct machine *machine;
    struct err err = ERR_INIT;
    const char *name;

    BASE_OK(machine_load(registry, buf_span(manifest), &no_images, &options, &machine, &err), &err);
    name = machine_find(machine, "board0.thing")->model->name;
    machine_free(machine);
    return name;
}

static void the_model_is_the_frozen_one_unless_another_is_chosen(void **state)
{
    struct registry registry = registry_of(&thing1_model, &exact_model),
                    fast_only = registry_of(&thing1_model, NULL);
    struct checkpoint_ids ids;
    struct buf manifest = frozen(&registry, "thing-exact", &ids);
    static const char *const refused[] = {"thing=nothing", "thing=other", "other=thing-fast"};

    (void)state;
    assert_string_equal(model_after(&registry, &manifest, NULL), "thing-exact");
    assert_string_equal(model_after(&registry, &manifest, "thing=thing-fast"), "thing-fast");
    assert_string_equal(model_after(&registry, &manifest, "other=other,thing=thing-fast"),
                        "thing-fast");
    assert_string_equal(model_after(&registry, &manifest, "thin=x,things=x"), "thing-exact");
    assert_string_equal(model_after(&fast_only, &manifest, NULL), "thing-fast");
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct load_options options = {.model_choice = refused[i]};
        struct machine *machine;
        struct err err = ERR_INIT;
        BASE_FAILS(
            machine_load(&registry, buf_span(&manifest), &no_images, &options, &machine, &err),
            &err, ERR_USAGE, strchr(refused[i], '=') + 1);
    }
    buf_release(&manifest);
}

static void an_image_that_nobody_froze_is_missed(void **state)
{
    struct registry without = registry_of(&thing1_model, NULL),
                    with = registry_of(&image_model, NULL);
    struct checkpoint_ids ids;
    struct buf manifest = frozen(&without, "thing-fast", &ids);
    struct machine *machine;
    struct err err = ERR_INIT;

    (void)state;
    BASE_FAILS(machine_load(&with, buf_span(&manifest), &no_images, NULL, &machine, &err), &err,
               ERR_INVALID, "board0.thing: the image data is missing");
    buf_release(&manifest);
}

static void a_model_for_an_object_that_is_not_there_is_refused(void **state)
{
    struct registry registry = registry_of(&thing1_model, NULL);
    struct checkpoint_ids ids;
    struct buf manifest = frozen(&registry, "thing-fast", &ids);
    static const char path[] = "board0.thing";
    struct machine *machine;
    struct err err = ERR_INIT;
    uint8_t *at, *last = NULL;

    (void)state;
    for (size_t i = 0; i + sizeof path - 1 <= manifest.size; i++) {
        at = manifest.data + i;
        last = memcmp(at, path, sizeof path - 1) == 0 ? at : last;
    }
    assert_non_null(last); /* the execution part comes last */
    last[sizeof path - 2] = 'k';
    BASE_FAILS(machine_load(&registry, buf_span(&manifest), &no_images, NULL, &machine, &err), &err,
               ERR_CORRUPT, "board0.think, which is not there");
    buf_release(&manifest);
}

static void what_a_newer_build_froze_can_be_listed_without_its_values(void **state)
{
    struct registry old = registry_of(&thing1_model, NULL), new = registry_of(&thing3_model, NULL);
    struct checkpoint_ids ids;
    struct buf manifest = frozen(&new, "thing-fast", &ids);
    struct checkpoint_view *view;
    struct err err = ERR_INIT;

    (void)state;
    BASE_OK(checkpoint_view_open(&old, buf_span(&manifest), &view, &err), &err);
    assert_int_equal(checkpoint_view_count(view), 3);
    for (size_t i = 0; i < 3; i++) {
        const struct checkpoint_object *object = checkpoint_view_at(view, i);
        bool is_thing = span_equal(object->path, span_of_text("board0.thing"));
        assert_true((object->known == NULL) == is_thing);
        assert_true((object->state == NULL) == is_thing);
        assert_int_equal(object->version, is_thing ? 3 : 1);
    }
    checkpoint_view_free(view);
    /* An older one is shown as this build would thaw it. */
    buf_release(&manifest);
    manifest = frozen(&old, "thing-fast", &ids);
    BASE_OK(checkpoint_view_open(&new, buf_span(&manifest), &view, &err), &err);
    assert_int_equal(((const struct thing_state *)checkpoint_view_at(view, 1)->state)->value, 30);
    checkpoint_view_free(view);
    buf_release(&manifest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bag_is_written_as_it_was_read),
        cmocka_unit_test(every_truncation_of_a_bag_is_refused),
        cmocka_unit_test(values_are_got_by_name_and_place),
        cmocka_unit_test(renaming_keeps_the_order_and_takes_no_name_twice),
        cmocka_unit_test(dropping_takes_one_and_leaves_the_others),
        cmocka_unit_test(setting_makes_numbers_and_leaves_flags_flags),
        cmocka_unit_test(upgrades_are_taken_one_after_the_other),
        cmocka_unit_test(the_state_id_knows_no_models_and_the_checkpoint_id_does),
        cmocka_unit_test(the_model_is_the_frozen_one_unless_another_is_chosen),
        cmocka_unit_test(an_image_that_nobody_froze_is_missed),
        cmocka_unit_test(a_model_for_an_object_that_is_not_there_is_refused),
        cmocka_unit_test(what_a_newer_build_froze_can_be_listed_without_its_values),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
