/* Checkpoints: whole, or not at all; the same bytes for the same state; older versions upgraded. */
#include "sim/board/virt.h"
#include "sim/core/checkpoint.h"
#include "sim/core/upgrade.h"
#include "storage/base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

/* ---- a small machine: a cpu that counts, and a register file of every attribute type ---- */

struct counter_state {
    uint64_t cycle;
};
struct sample_state {
    uint64_t wide;
    uint32_t words[2];
    uint16_t half;
    uint8_t flag;
    uint8_t bytes[5];
    char text[8];
};
struct sample_config {
    uint64_t base;
};

static const struct attr counter_attrs[] = {ATTR(struct counter_state, cycle, 0, "cycles")};
static const struct attr sample_attrs[] = {
    ATTR(struct sample_state, wide, 7, "a number"),
    ATTR_ARRAY(struct sample_state, words, 1, "two words"),
    ATTR(struct sample_state, half, 2, "half a word"),
    ATTR_FLAG(struct sample_state, flag, 0, "yes or no"),
    ATTR_BLOB(struct sample_state, bytes, "five bytes"),
    ATTR_STRING(struct sample_state, text, "a text"),
};
static const struct attr sample_config_attrs[] = {
    ATTR(struct sample_config, base, 16, "an address")};
static const struct link_slot sample_links[] = {{"cpu", NULL, false, "any object"}};
static const struct image_slot sample_images[] = {{"data", "bytes"}};

static uint64_t counter_run(struct object *cpu, uint64_t cycle_limit, uint64_t instructions_max)
{
    struct counter_state *state = cpu->state;
    uint64_t count = cycle_limit - state->cycle;

    count = count < instructions_max ? count : instructions_max;
    state->cycle += count;
    return count;
}

static uint64_t counter_cycle(const struct object *cpu)
{
    return ((const struct counter_state *)cpu->state)->cycle;
}

static void counter_set_cycle(struct object *cpu, uint64_t cycle)
{
    ((struct counter_state *)cpu->state)->cycle = cycle;
}

static bool counter_waiting(const struct object *cpu)
{
    (void)cpu;
    return false;
}

static void nothing(struct object *object)
{
    (void)object;
}

static const struct cpu_ops counter_ops = {
    counter_run, counter_cycle, counter_set_cycle, counter_waiting, nothing, nothing, nothing};
static const struct schema counter_schema = {
    .name = "counter", .version = 1, .state = ATTR_TABLE(struct counter_state, counter_attrs)};
static const struct schema sample_schema = {
    .name = "sample",
    .version = 1,
    .state = ATTR_TABLE(struct sample_state, sample_attrs),
    .config = ATTR_TABLE(struct sample_config, sample_config_attrs),
    .links = sample_links,
    .link_count = 1,
    .images = sample_images,
    .image_count = 1,
};

static bool sample_check(const struct object *object, const void *state, struct err *err)
{
    const struct sample_state *sample = state;

    (void)object;
    return sample->half < 1000 || err_set(err, ERR_INVALID, "half is %u, over 999", sample->half);
}

static const struct model counter_model = {
    .name = "counter", .schema = &counter_schema, .cpu = &counter_ops};
static const struct model sample_model = {
    .name = "sample", .schema = &sample_schema, .check_state = sample_check};

static void make_registry(struct registry *registry, const struct model *sample)
{
    memset(registry, 0, sizeof *registry);
    registry_add(registry, &machine_model);
    registry_add(registry, &counter_model);
    registry_add(registry, sample);
}

/* ---- images: as many zeros as asked for; the roots are not looked at ---- */

static void release_zeros(struct image_mapping *mapping)
{
    munmap(mapping->data, (size_t)mapping->size);
}

static bool open_zeros(void *context, const struct hash *root, uint64_t size,
                       struct image_mapping *out, struct err *err)
{
    struct image_shape shape;

    (void)context;
    (void)root;
    if (!image_shape(size, &shape, err))
        return false;
    if (size > UINT64_C(1) << 30)
        return err_set(err, ERR_TOO_BIG, "an image of this size");
    memset(out, 0, sizeof *out);
    out->data = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    out->size = size;
    out->release = release_zeros;
    return out->data != MAP_FAILED;
}

static const struct image_source zeros = {open_zeros, NULL};

static struct machine *build_small(const struct registry *registry)
{
    struct machine *machine = machine_new(registry);
    struct err err = ERR_INIT;
    struct object *sample;
    struct image *image;

    assert_true(machine_add(machine, "machine", "thaw-machine", NULL, NULL, &err));
    assert_true(machine_add(machine, "board0.cpu", "counter", NULL, NULL, &err));
    assert_true(machine_add(machine, "board0.sample", "sample", NULL, &sample, &err));
    assert_true(image_new(IMAGE_CHUNK_SIZE, &image, &err));
    assert_true(object_take_image(sample, "data", image, &err));
    assert_true(object_link(sample, "cpu", "board0.cpu", &err));
    assert_true(machine_open(machine, &err));
    machine_reset(machine);
    return machine;
}

static void save(struct machine *machine, struct buf *out, struct checkpoint_ids *ids)
{
    struct err err = ERR_INIT;

    buf_clear(out);
    assert_true(machine_save(machine, NULL, out, ids, &err));
}

static struct sample_state *sample_of(struct machine *machine)
{
    return machine_find(machine, "board0.sample")->state;
}

static void fill(struct sample_state *sample)
{
    sample->wide = UINT64_C(0x0123456789abcdef);
    sample->words[1] = 77;
    sample->half = 999;
    sample->flag = 1;
    memcpy(sample->bytes, "\x00\x01\xff\x80\x7f", 5);
    memcpy(sample->text, "seven7!", 8);
}

static void a_loaded_machine_saves_the_same_bytes(void **state)
{
    struct buf first = BUF_INIT(MANIFEST_BYTES_MAX), second = BUF_INIT(MANIFEST_BYTES_MAX);
    const struct machine_limits limits = {1234, CYCLE_NEVER};
    struct checkpoint_ids ids, again;
    struct machine *machine, *loaded;
    struct err err = ERR_INIT;
    struct registry registry;

    (void)state;
    make_registry(&registry, &sample_model);
    machine = build_small(&registry);
    fill(sample_of(machine));
    assert_true(machine_run(machine, &limits) == MACHINE_STOP_INSTRUCTIONS);
    save(machine, &first, &ids);
    assert_true(machine_load(&registry, buf_span(&first), &zeros, NULL, &loaded, &err));
    assert_int_equal(machine_instructions(loaded), 1234);
    assert_int_equal(machine_now(loaded), 1234); /* what devices see before the first run, too */
    assert_memory_equal(sample_of(loaded), sample_of(machine), sizeof(struct sample_state));
    save(loaded, &second, &again);
    assert_true(span_equal(buf_span(&first), buf_span(&second)));
    assert_memory_equal(&ids, &again, sizeof ids);
    sample_of(loaded)->words[0]++;
    save(loaded, &second, &again);
    assert_false(hash_equal(&ids.state_id, &again.state_id));
    machine_free(machine);
    machine_free(loaded);
    buf_release(&first);
    buf_release(&second);
}

/* Either refused with a sentence, or a machine that can be saved and loaded in its turn. */
static void load_hostile(const struct registry *registry, struct span bytes)
{
    struct buf again = BUF_INIT(MANIFEST_BYTES_MAX);
    struct machine *machine = NULL, *second = NULL;
    struct checkpoint_ids ids;
    struct err err = ERR_INIT;

    if (!machine_load(registry, bytes, &zeros, NULL, &machine, &err)) {
        assert_int_not_equal(err.kind, ERR_NONE);
        assert_true(strlen(err.text) > 10);
        assert_null(machine);
        return;
    }
    save(machine, &again, &ids);
    assert_true(machine_load(registry, buf_span(&again), &zeros, NULL, &second, &err));
    machine_free(machine);
    machine_free(second);
    buf_release(&again);
}

static void every_truncation_is_refused(void **state)
{
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct checkpoint_ids ids;
    struct machine *machine, *loaded = NULL;
    struct registry registry;

    (void)state;
    make_registry(&registry, &sample_model);
    machine = build_small(&registry);
    save(machine, &manifest, &ids);
    for (size_t size = 0; size < manifest.size; size++) {
        struct err err = ERR_INIT;
        assert_false(machine_load(&registry, (struct span){manifest.data, size}, &zeros, NULL,
                                  &loaded, &err));
        assert_true(strlen(err.text) > 10);
    }
    machine_free(machine);
    buf_release(&manifest);
}

static void every_flipped_bit_is_refused_or_harmless(void **state)
{
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct checkpoint_ids ids;
    struct machine *machine;
    struct registry registry;

    (void)state;
    make_registry(&registry, &sample_model);
    machine = build_small(&registry);
    save(machine, &manifest, &ids);
    for (size_t bit = 0; bit < manifest.size * 8; bit++) {
        manifest.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        load_hostile(&registry, buf_span(&manifest));
        manifest.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    machine_free(machine);
    buf_release(&manifest);
}

/* Replaces the first `from` in the manifest by `to` of the same size; lengths stay right. */
static void replace(struct buf *manifest, const char *from, const char *to)
{
    size_t size = strlen(from);
    uint8_t *at = memmem(manifest->data, manifest->size, from, size);

    assert_non_null(at);
    assert_int_equal(size, strlen(to));
    memcpy(at, to, size);
}

static void expect_refused(const struct registry *registry, const struct buf *manifest,
                           enum err_kind kind, const char *const words[3])
{
    struct machine *loaded = NULL;
    struct err err = ERR_INIT;

    assert_false(machine_load(registry, buf_span(manifest), &zeros, NULL, &loaded, &err));
    assert_int_equal(err.kind, kind);
    for (size_t i = 0; i < 3 && words[i] != NULL; i++)
        if (strstr(err.text, words[i]) == NULL)
            fail_msg("\"%s\" is not in: %s", words[i], err.text);
}

static void refusals_name_object_attribute_and_version(void **state)
{
    static const char *const unknown[] = {"board0.sample", "attribute wids", "version 1"};
    static const char *const impossible[] = {"board0.sample", "half is 1000", NULL};
    static const char *const schema[] = {"board0.sample", "simple", "newer thaw"};
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct checkpoint_ids ids;
    struct machine *machine;
    struct registry registry;

    (void)state;
    make_registry(&registry, &sample_model);
    machine = build_small(&registry);
    save(machine, &manifest, &ids);
    replace(&manifest, "wide", "wids");
    expect_refused(&registry, &manifest, ERR_UNSUPPORTED, unknown);
    sample_of(machine)->half = 1000;
    save(machine, &manifest, &ids);
    expect_refused(&registry, &manifest, ERR_INVALID, impossible);
    sample_of(machine)->half = 1;
    save(machine, &manifest, &ids);
    replace(&manifest, "fschemafsample", "fschemafsimple");
    expect_refused(&registry, &manifest, ERR_UNSUPPORTED, schema);
    machine_free(machine);
    buf_release(&manifest);
}

/* ---- upgrades: version 2 renames `wide`, adds `fresh`, drops `half`, and doubles words ---- */

struct sample2_state {
    uint64_t broad;
    uint32_t words[2];
    uint8_t flag;
    uint8_t fresh;
    uint8_t bytes[5];
    char text[9];
};
static const struct attr sample2_attrs[] = {
    ATTR(struct sample2_state, broad, 7, "a number"),
    ATTR_ARRAY(struct sample2_state, words, 1, "two words"),
    ATTR_FLAG(struct sample2_state, flag, 0, "yes or no"),
    ATTR(struct sample2_state, fresh, 0, "new in version 2"),
    ATTR_BLOB(struct sample2_state, bytes, "five bytes"),
    ATTR_STRING(struct sample2_state, text, "a text"),
};

static bool upgrade_sample(struct attr_bag *bag, struct attr_bag *config, struct buf *notes,
                           struct err *err)
{
    uint64_t words[2], base = 0, fresh = 5;

    if (!attr_bag_rename(bag, "wide", "broad") || !attr_bag_drop(bag, "half") ||
        !attr_bag_get(bag, "words", 0, &words[0]) || !attr_bag_get(bag, "words", 1, &words[1]) ||
        !attr_bag_get(config, "base", 0, &base))
        return err_set(err, ERR_CORRUPT, "this is no sample of version 1");
    words[0] *= 2;
    words[1] *= 2;
    return attr_bag_set(bag, "words", 2, words, err) &&
           attr_bag_set(bag, "fresh", 1, &fresh, err) &&
           buf_append_text(notes, "words are counted in halves now\n", err);
}

static const struct upgrade sample_upgrades[] = {{1, upgrade_sample, "words doubled"}};
static const struct schema sample2_schema = {
    .name = "sample",
    .version = 2,
    .state = ATTR_TABLE(struct sample2_state, sample2_attrs),
    .config = ATTR_TABLE(struct sample_config, sample_config_attrs),
    .links = sample_links,
    .link_count = 1,
    .images = sample_images,
    .image_count = 1,
    .upgrades = sample_upgrades,
    .upgrade_count = 1,
};
static const struct model sample2_model = {.name = "sample", .schema = &sample2_schema};
static const struct schema stuck_schema = {
    .name = "sample",
    .version = 2,
    .state = ATTR_TABLE(struct sample2_state, sample2_attrs),
    .config = ATTR_TABLE(struct sample_config, sample_config_attrs),
    .links = sample_links,
    .link_count = 1,
    .images = sample_images,
    .image_count = 1,
};
static const struct model stuck_model = {.name = "sample", .schema = &stuck_schema};

static void an_older_version_is_upgraded_and_says_so(void **state)
{
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX), notes = BUF_INIT(4096);
    struct load_options options = {.upgrade_notes = &notes};
    struct registry old, now;
    struct checkpoint_ids ids;
    struct machine *machine, *loaded;
    const struct sample2_state *sample;
    struct err err = ERR_INIT;

    (void)state;
    make_registry(&old, &sample_model);
    make_registry(&now, &sample2_model);
    machine = build_small(&old);
    fill(sample_of(machine));
    save(machine, &manifest, &ids);
    assert_true(machine_load(&now, buf_span(&manifest), &zeros, &options, &loaded, &err));
    sample = machine_find(loaded, "board0.sample")->state;
    assert_int_equal(sample->broad, UINT64_C(0x0123456789abcdef));
    assert_int_equal(sample->words[0], 2);
    assert_int_equal(sample->words[1], 154);
    assert_int_equal(sample->fresh, 5);
    assert_string_equal(sample->text, "seven7!");
    assert_memory_equal(sample->bytes, "\x00\x01\xff\x80\x7f", 5);
    assert_true(span_equal(buf_span(&notes), span_of_text("words are counted in halves now\n")));
    machine_free(machine);
    machine_free(loaded);
    buf_release(&manifest);
    buf_release(&notes);
}

static void a_newer_version_and_one_without_a_way_are_refused(void **state)
{
    static const char *const newer[] = {"board0.sample", "version 2", "up to 1"};
    static const char *const stuck[] = {"board0.sample", "no way leads from version 1",
                                        "older build"};
    struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX);
    struct registry old, now, without;
    struct checkpoint_ids ids;
    struct machine *machine;

    (void)state;
    make_registry(&old, &sample_model);
    make_registry(&now, &sample2_model);
    make_registry(&without, &stuck_model);
    machine = build_small(&now);
    save(machine, &manifest, &ids);
    expect_refused(&old, &manifest, ERR_UNSUPPORTED, newer);
    machine_free(machine);
    machine = build_small(&old);
    save(machine, &manifest, &ids);
    expect_refused(&without, &manifest, ERR_UNSUPPORTED, stuck);
    machine_free(machine);
    buf_release(&manifest);
}

/* ---- the corpus: a manifest from every set of versions that ever landed still loads ---- */

static void every_checkpoint_of_the_corpus_still_loads(void **state)
{
    struct name_list list = {NULL, 0};
    struct registry registry;
    struct err err = ERR_INIT;

    (void)state;
    registry_standard(&registry);
    assert_true(folder_list(THAW_TESTS_DIR "/golden/checkpoints", &list, &err));
    assert_true(list.count > 0);
    for (size_t i = 0; i < list.count; i++) {
        struct buf manifest = BUF_INIT(MANIFEST_BYTES_MAX), again = BUF_INIT(MANIFEST_BYTES_MAX);
        char *path = path_join(THAW_TESTS_DIR "/golden/checkpoints", list.names[i]);
        struct machine *machine = NULL;
        struct checkpoint_ids ids;
        assert_true(file_read(path, &manifest, &err));
        if (!machine_load(&registry, buf_span(&manifest), &zeros, NULL, &machine, &err))
            fail_msg("%s: %s", list.names[i], err.text);
        save(machine, &again, &ids);
        assert_true(again.size > 100);
        machine_free(machine);
        mem_free(path);
        buf_release(&manifest);
        buf_release(&again);
    }
    name_list_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_loaded_machine_saves_the_same_bytes),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused_or_harmless),
        cmocka_unit_test(refusals_name_object_attribute_and_version),
        cmocka_unit_test(an_older_version_is_upgraded_and_says_so),
        cmocka_unit_test(a_newer_version_and_one_without_a_way_are_refused),
        cmocka_unit_test(every_checkpoint_of_the_corpus_still_loads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
