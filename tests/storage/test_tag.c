#include "storage/tag.h"

#include "storage/base/file.h"
#include "tests/support/store_folder.h"
#include "tests/support/store_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static uint64_t fixed_ns(void *context)
{
    (void)context;
    return UINT64_C(1700000000) * 1000000000;
}
static const struct clock_source fixed_clock = {fixed_ns, fixed_ns, NULL};

static void fill(struct store_tag *tag, const char *name)
{
    store_tag_init(tag, name, &fixed_clock);
    tag->checkpoint = hash_of(span_of_text("checkpoint"));
    tag->parent = hash_of(span_of_text("parent"));
    tag->made_by = mem_text("thaw boot");
    store_tag_set_fact(tag, "boot_ms", "2500");
    store_tag_set_fact(tag, "a", "first by length");
    store_tag_set_fact(tag, "boot_ms", "2600");
}

static void tag_comes_back_as_it_was(void **state)
{
    struct store_tag tag, back;
    struct buf bytes = BUF_INIT(TAG_BYTES_MAX);
    struct err err = ERR_INIT;

    (void)state;
    fill(&tag, "nightly/debian-12.4_x");
    assert_true(tag_encode(&tag, &bytes, &err));
    assert_true(tag_decode(buf_span(&bytes), tag.name, &back, &err));
    assert_string_equal(back.name, tag.name);
    assert_true(hash_equal(&back.checkpoint, &tag.checkpoint));
    assert_true(hash_equal(&back.parent, &tag.parent));
    assert_int_equal(back.when_s, 1700000000);
    assert_string_equal(back.made_by, "thaw boot");
    assert_int_equal(back.fact_count, 2);
    assert_string_equal(store_tag_fact(&back, "boot_ms"), "2600");
    assert_null(store_tag_fact(&back, "nothing"));
    store_tag_release(&tag);
    store_tag_release(&back);
    buf_release(&bytes);
}

static void equal_tags_have_equal_bytes(void **state)
{
    struct store_tag one, other;
    struct buf first = BUF_INIT(TAG_BYTES_MAX), second = BUF_INIT(TAG_BYTES_MAX);
    struct err err = ERR_INIT;

    (void)state;
    store_tag_init(&one, "t", &fixed_clock);
    store_tag_init(&other, "t", &fixed_clock);
    store_tag_set_fact(&one, "aa", "1");
    store_tag_set_fact(&one, "b", "2");
    store_tag_set_fact(&other, "b", "2");
    store_tag_set_fact(&other, "aa", "1");
    assert_true(tag_encode(&one, &first, &err));
    assert_true(tag_encode(&other, &second, &err));
    assert_true(span_equal(buf_span(&first), buf_span(&second)));
    store_tag_release(&one);
    store_tag_release(&other);
    buf_release(&first);
    buf_release(&second);
}

static void every_truncation_and_flip_is_refused(void **state)
{
    struct store_tag tag, back;
    struct buf bytes = BUF_INIT(TAG_BYTES_MAX);
    struct err err = ERR_INIT;

    (void)state;
    fill(&tag, "tag");
    assert_true(tag_encode(&tag, &bytes, &err));
    for (size_t size = 0; size < bytes.size; size++)
        assert_false(tag_decode((struct span){bytes.data, size}, "tag", &back, &err));
    for (size_t bit = 0; bit < bytes.size * 8; bit++) {
        bytes.data[bit / 8] = (uint8_t)(bytes.data[bit / 8] ^ 1u << bit % 8);
        assert_false(tag_decode(buf_span(&bytes), "tag", &back, &err));
        bytes.data[bit / 8] = (uint8_t)(bytes.data[bit / 8] ^ 1u << bit % 8);
    }
    assert_false(tag_decode(buf_span(&bytes), "other", &back, &err));
    assert_true(tag_decode(buf_span(&bytes), "tag", &back, &err));
    store_tag_release(&tag);
    store_tag_release(&back);
    buf_release(&bytes);
}

static void names_keep_the_rules(void **state)
{
    static const char *const good[] = {"a", "debian-booted", "nightly/2026-11-22/smp.3", "A_b..c",
                                       "-"};
    static const char *const bad[] = {"",   ".a",   "..",  "a/..", "a/.b",        "/a",
                                      "a/", "a//b", "a b", "a+b",  "caf\xc3\xa9", "a\n"};
    char longest[STORE_NAME_MAX + 2];
    struct err err = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char back[STORE_NAME_MAX + 1];
        assert_true(store_name_check(good[i], &err));
        assert_true(tag_name_of_file(tag_file_name(good[i]).text, back));
        assert_string_equal(back, good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(store_name_check(bad[i], &err));
        assert_int_equal(err.kind, ERR_USAGE);
    }
    memset(longest, 'x', sizeof longest);
    longest[STORE_NAME_MAX + 1] = 0;
    assert_false(store_name_check(longest, &err));
    longest[STORE_NAME_MAX] = 0;
    assert_true(store_name_check(longest, &err));
}

static void facts_over_the_limits_are_refused(void **state)
{
    struct buf bytes = BUF_INIT(TAG_BYTES_MAX);
    char text[STORE_FACT_TEXT_MAX + 2];
    struct err err = ERR_INIT;
    struct store_tag tag;

    (void)state;
    store_tag_init(&tag, "t", &fixed_clock);
    memset(text, 'x', sizeof text);
    text[STORE_FACT_TEXT_MAX] = 0;
    for (int i = 0; i < STORE_FACTS_MAX; i++) {
        char key[STORE_FACT_KEY_MAX + 1];
        snprintf(key, sizeof key, "%0*d", STORE_FACT_KEY_MAX, i);
        store_tag_set_fact(&tag, key, text);
    }
    assert_true(tag_encode(&tag, &bytes, &err));
    store_tag_set_fact(&tag, "one more", "");
    assert_false(tag_encode(&tag, &bytes, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    store_tag_release(&tag);
    store_tag_init(&tag, "t", &fixed_clock);
    text[STORE_FACT_TEXT_MAX] = 'x';
    text[STORE_FACT_TEXT_MAX + 1] = 0;
    store_tag_set_fact(&tag, "long", text);
    assert_false(tag_encode(&tag, &bytes, &err));
    store_tag_release(&tag);
    buf_release(&bytes);
}

struct fixture {
    char *folder;
    struct store *store;
    struct hash ids[3];
};

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);
    struct test_image image;

    fixture->folder = test_folder_make();
    fixture->store = test_store_open(fixture->folder);
    test_image_init(&image, IMAGE_CHUNK_SIZE);
    for (uint32_t i = 0; i < 3; i++) {
        test_image_fill(&image, 0, i);
        fixture->ids[i] = test_freeze_ok(fixture->store, &image, i, NULL);
    }
    test_image_release(&image);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    store_close(fixture->store);
    test_folder_remove(fixture->folder);
    mem_free(fixture);
    return 0;
}

static void set_tag(struct fixture *fixture, const char *name, size_t which)
{
    struct store_tag tag;
    struct err err = ERR_INIT;

    store_tag_init(&tag, name, &fixed_clock);
    tag.checkpoint = fixture->ids[which];
    assert_true(store_tag_set(fixture->store, &tag, &err));
}

static void tag_moves_and_goes(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct hash id;

    set_tag(fixture, "tip", 0);
    set_tag(fixture, "tip/sub", 1);
    set_tag(fixture, "tip", 2);
    assert_true(store_resolve(fixture->store, "tip", &id, &err));
    assert_true(hash_equal(&id, &fixture->ids[2]));
    assert_true(store_tag_remove(fixture->store, "tip", &err));
    assert_false(store_tag_remove(fixture->store, "tip", &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_true(store_resolve(fixture->store, "tip/sub", &id, &err));
}

static void tags_are_listed_by_name(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct store_tag_list list;
    size_t damaged;

    set_tag(fixture, "b", 0);
    set_tag(fixture, "a-b", 0);
    set_tag(fixture, "a/b", 0);
    set_tag(fixture, "c", 0);
    test_flip_bit(test_path(fixture->folder, "tags/c"), 300);
    assert_true(store_tag_list(fixture->store, &list, &damaged, &err));
    assert_int_equal(damaged, 1);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].name, "a-b");
    assert_string_equal(list.items[1].name, "a/b");
    assert_string_equal(list.items[2].name, "b");
    store_tag_list_release(&list);
}

static void tag_of_an_absent_checkpoint_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct store_tag tag;

    fill(&tag, "t");
    assert_false(store_tag_set(fixture->store, &tag, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    store_tag_release(&tag);
}

static void ids_resolve_by_their_beginning(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct hash id;
    char text[HASH_HEX_SIZE];

    for (size_t size = 4; size <= 64; size += 12) {
        snprintf(text, sizeof text, "%.*s", (int)size, hash_hex(&fixture->ids[1]).text);
        assert_true(store_resolve(fixture->store, text, &id, &err));
        assert_true(hash_equal(&id, &fixture->ids[1]));
    }
    text[3] = 0;
    assert_false(store_resolve(fixture->store, text, &id, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

static void ambiguous_beginning_lists_the_candidates(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct hash id = fixture->ids[0];
    char path[128];

    id.bytes[31] ^= 1;
    snprintf(path, sizeof path, "manifests/%s", hash_hex(&id).text);
    assert_true(file_write(test_path(fixture->folder, path), span_of_text("x"), &err));
    snprintf(path, sizeof path, "%.20s", hash_hex(&id).text);
    assert_false(store_resolve(fixture->store, path, &id, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    path[16] = 0;
    assert_non_null(strstr(err.text, path));
}

static void unknown_name_suggests_similar_tags(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct hash id;

    set_tag(fixture, "debian-booted", 0);
    set_tag(fixture, "xv6", 0);
    assert_false(store_resolve(fixture->store, "debain-booted", &id, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "did you mean debian-booted?"));
    assert_false(store_resolve(fixture->store, "quite-other", &id, &err));
    assert_null(strstr(err.text, "did you mean"));
}

static void damaged_tag_is_named(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct hash id;

    set_tag(fixture, "tip", 0);
    test_cut(test_path(fixture->folder, "tags/tip"), 40);
    assert_false(store_resolve(fixture->store, "tip", &id, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_non_null(strstr(err.text, "tag tip"));
}

static void tagged_checkpoint_is_not_removed(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct hash_list list;

    set_tag(fixture, "tip", 0);
    assert_false(store_manifest_remove(fixture->store, &fixture->ids[0], &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    assert_non_null(strstr(err.text, "tip"));
    assert_true(store_manifest_remove(fixture->store, &fixture->ids[1], &err));
    assert_false(store_manifest_remove(fixture->store, &fixture->ids[1], &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_true(store_manifest_list(fixture->store, &list, &err));
    assert_int_equal(list.count, 2);
    hash_list_release(&list);
}

static void pinned_checkpoint_is_not_removed(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct store_pin *pin, *second;

    assert_true(store_pin(fixture->store, &fixture->ids[0], &pin, &err));
    assert_true(store_pin(fixture->store, &fixture->ids[0], &second, &err));
    store_unpin(second);
    assert_false(store_manifest_remove(fixture->store, &fixture->ids[0], &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    store_unpin(pin);
    assert_true(store_manifest_remove(fixture->store, &fixture->ids[0], &err));
    assert_false(store_pin(fixture->store, &fixture->ids[0], &pin, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tag_comes_back_as_it_was),
        cmocka_unit_test(equal_tags_have_equal_bytes),
        cmocka_unit_test(every_truncation_and_flip_is_refused),
        cmocka_unit_test(names_keep_the_rules),
        cmocka_unit_test(facts_over_the_limits_are_refused),
        cmocka_unit_test_setup_teardown(tag_moves_and_goes, setup, teardown),
        cmocka_unit_test_setup_teardown(tags_are_listed_by_name, setup, teardown),
        cmocka_unit_test_setup_teardown(tag_of_an_absent_checkpoint_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(ids_resolve_by_their_beginning, setup, teardown),
        cmocka_unit_test_setup_teardown(ambiguous_beginning_lists_the_candidates, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_name_suggests_similar_tags, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_tag_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(tagged_checkpoint_is_not_removed, setup, teardown),
        cmocka_unit_test_setup_teardown(pinned_checkpoint_is_not_removed, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
