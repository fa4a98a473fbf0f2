#include "storage/base/file.h"
#include "storage/base/log.h"
#include "storage/pack.h"
#include "tests/support/store_folder.h"
#include "tests/support/store_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

struct fixture {
    char *folder;
    struct store *store;
    struct test_image image; /* 1 MiB, chunks 3 to 8 filled: one frame */
    struct hash id;
    char *pack;
};

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    fixture->folder = test_folder_make();
    fixture->store = test_store_open(fixture->folder);
    test_image_init(&fixture->image, MIB);
    for (uint32_t i = 3; i <= 8; i++)
        test_image_fill(&fixture->image, i, i);
    fixture->id = test_freeze_ok(fixture->store, &fixture->image, 1, "first");
    fixture->pack = test_only_file(fixture->folder, "packs", ".pack");
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    store_close(fixture->store);
    test_folder_remove(fixture->folder);
    test_image_release(&fixture->image);
    mem_free(fixture->pack);
    mem_free(fixture);
    return 0;
}

static void reopen(struct fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = test_store_open(fixture->folder);
}

struct findings {
    size_t count;
    char text[65536]; /* one a line */
};

static void keep(void *context, const struct fsck_finding *finding)
{
    struct findings *findings = context;
    size_t used = strlen(findings->text);

    findings->count += finding->kind != ERR_NONE;
    snprintf(findings->text + used, sizeof findings->text - used, "%s: %s\n",
             err_kind_name(finding->kind), finding->text);
}

static void check(struct fixture *fixture, bool repair, struct findings *out)
{
    struct fsck_options options = {.finding = keep, .context = out, .repair = repair};
    struct fsck_report report;
    struct err err = ERR_INIT;

    memset(out, 0, sizeof *out);
    reopen(fixture);
    if (!store_fsck(fixture->store, &options, &report, &err))
        fail_msg("%s", err.text);
    assert_int_equal(report.findings, out->count);
}

static void expect(const struct findings *findings, const char *text)
{
    if (strstr(findings->text, text) == NULL)
        fail_msg("\"%s\" is not said in: %s", text, findings->text);
}

static void sound_store_has_no_findings(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;

    test_image_fill(&fixture->image, 5, 99);
    fixture->image.data[3 * IMAGE_CHUNK_SIZE] ^= 1;
    (void)test_freeze_ok(fixture->store, &fixture->image, 2, "second");
    check(fixture, false, &findings);
    assert_int_equal(findings.count, 0);
    assert_string_equal(findings.text, "");
}

static void flipped_bit_in_a_chunk_names_what_it_hurts(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    char id[32];

    test_flip_bit(fixture->pack, 8 * 1000);
    check(fixture, false, &findings);
    assert_true(findings.count >= 2);
    snprintf(id, sizeof id, "checkpoint %.16s", hash_hex(&fixture->id).text);
    expect(&findings, id);
    expect(&findings, "(tag first)");
    expect(&findings, "board.ram bytes 0x");
    expect(&findings, strrchr(fixture->pack, '/') + 1);
    expect(&findings, "import or freeze the checkpoint again");
}

/* Every bit of the file: either something is found, or the checkpoint still reads back whole. */
static void every_flipped_bit_is_found_or_harmless(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    uint64_t size, harmless = 0;

    assert_true(file_size(fixture->pack, &size, &err));
    for (uint64_t bit = 0; bit < size * 8;
         bit += bit / 8 >= 64 && bit / 8 < size - 700 ? 4001 : 1) {
        struct err last = ERR_INIT;
        test_flip_bit(fixture->pack, bit);
        reopen(fixture);
        if (test_findings(fixture->store, &last) == 0) {
            assert_true(test_matches(fixture->store, &fixture->id, &fixture->image, &err));
            harmless++;
        }
        test_flip_bit(fixture->pack, bit);
    }
    assert_in_range(harmless, 0, 4);
}

static void truncated_pack_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    struct err err = ERR_INIT;
    uint64_t size;

    assert_true(file_size(fixture->pack, &size, &err));
    test_cut(fixture->pack, size - 1);
    check(fixture, false, &findings);
    expect(&findings, "cannot be used");
    expect(&findings, "board.ram bytes 0x0 to 0xfffff are lost");
}

static void missing_pack_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    struct err err = ERR_INIT;

    assert_true(file_remove(fixture->pack, &err));
    check(fixture, false, &findings);
    assert_int_equal(findings.count, 1);
    expect(&findings, "not found: checkpoint");
}

static void damaged_manifest_and_tag_are_found(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    struct err err = ERR_INIT;
    char path[128];

    snprintf(path, sizeof path, "manifests/%s", hash_hex(&fixture->id).text);
    test_flip_bit(test_path(fixture->folder, path), 77);
    check(fixture, false, &findings);
    assert_int_equal(findings.count, 1);
    expect(&findings, "(tag first) cannot be thawed");
    assert_true(file_remove(test_path(fixture->folder, path), &err));
    check(fixture, false, &findings);
    assert_int_equal(findings.count, 1);
    expect(&findings, "tag first names checkpoint");
    test_cut(test_path(fixture->folder, "tags/first"), 33);
    check(fixture, false, &findings);
    assert_int_equal(findings.count, 1);
    expect(&findings, "tag first is damaged");
}

static void strange_files_are_mentioned_only(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    struct err err = ERR_INIT;

    assert_true(file_write(test_path(fixture->folder, "packs/README"), span_of_text("x"), &err));
    assert_true(file_write(test_path(fixture->folder, "tags/.hidden"), span_of_text("x"), &err));
    assert_true(file_write(test_path(fixture->folder, "manifests/x"), span_of_text("x"), &err));
    check(fixture, false, &findings);
    assert_int_equal(findings.count, 0);
    expect(&findings, "none: ");
    expect(&findings, "README is not a pack");
    expect(&findings, ".hidden is not a tag");
}

static void repair_saves_what_is_sound(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    struct err err = ERR_INIT;
    struct test_image first;
    struct hash second;

    test_image_init(&first, MIB);
    memcpy(first.data, fixture->image.data, MIB);
    for (uint32_t i = 20; i < 24; i++)
        test_image_fill(&fixture->image, i, 400 + i);
    second = test_freeze_ok(fixture->store, &fixture->image, 2, "second");
    test_flip_bit(fixture->pack,
                  8 * 1000); /* the frame of the first's chunks; its nodes are sound */
    check(fixture, true, &findings);
    expect(&findings, "was moved to");
    assert_false(file_exists(fixture->pack));
    check(fixture, false, &findings);
    assert_true(findings.count >= 1);
    expect(&findings, "not in the store");
    assert_false(test_matches(fixture->store, &second, &fixture->image, &err));
    /* freezing the states again fills the gaps */
    (void)test_freeze_ok(fixture->store, &first, 1, "first");
    check(fixture, false, &findings);
    assert_int_equal(findings.count, 0);
    assert_true(test_matches(fixture->store, &second, &fixture->image, &err));
    test_image_release(&first);
}

static void repair_moves_damaged_manifests_away(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    char path[128];

    snprintf(path, sizeof path, "manifests/%s", hash_hex(&fixture->id).text);
    test_flip_bit(test_path(fixture->folder, path), 77);
    check(fixture, true, &findings);
    assert_false(file_exists(test_path(fixture->folder, path)));
    snprintf(path, sizeof path, "damaged/%s", hash_hex(&fixture->id).text);
    assert_true(file_exists(test_path(fixture->folder, path)));
}

static void repair_of_a_sound_store_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct findings findings;
    struct err err = ERR_INIT;

    check(fixture, true, &findings);
    assert_int_equal(findings.count, 0);
    assert_true(file_exists(fixture->pack));
    assert_true(test_matches(fixture->store, &fixture->id, &fixture->image, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sound_store_has_no_findings, setup, teardown),
        cmocka_unit_test_setup_teardown(flipped_bit_in_a_chunk_names_what_it_hurts, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_found_or_harmless, setup, teardown),
        cmocka_unit_test_setup_teardown(truncated_pack_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_pack_is_found, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_manifest_and_tag_are_found, setup, teardown),
        cmocka_unit_test_setup_teardown(strange_files_are_mentioned_only, setup, teardown),
        cmocka_unit_test_setup_teardown(repair_saves_what_is_sound, setup, teardown),
        cmocka_unit_test_setup_teardown(repair_moves_damaged_manifests_away, setup, teardown),
        cmocka_unit_test_setup_teardown(repair_of_a_sound_store_changes_nothing, setup, teardown),
    };
    log_set_level(LOG_ERROR); /* thousands of damaged packs */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
