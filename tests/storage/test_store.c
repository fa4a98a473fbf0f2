#include "storage/store.h"

#include "storage/base/file.h"
#include "tests/support/store_folder.h"
#include "tests/support/store_machine.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

struct fixture {
    char *folder;
    struct store *store;
    struct test_image image; /* 4 MiB, chunks 3 to 40 filled */
};

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    fixture->folder = test_folder_make();
    fixture->store = test_store_open(fixture->folder);
    test_image_init(&fixture->image, 4 * MIB);
    for (uint32_t i = 3; i <= 40; i++)
        test_image_fill(&fixture->image, i, i);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    store_close(fixture->store);
    test_folder_remove(fixture->folder);
    test_image_release(&fixture->image);
    mem_free(fixture);
    return 0;
}

static void reopen(struct fixture *fixture)
{
    store_close(fixture->store);
    fixture->store = test_store_open(fixture->folder);
}

static size_t pack_count(struct fixture *fixture)
{
    struct store_statistics statistics;
    struct err err = ERR_INIT;

    assert_true(store_statistics(fixture->store, &statistics, &err));
    return statistics.packs;
}

static void checkpoint_comes_back_whole(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct hash id = test_freeze_ok(fixture->store, &fixture->image, 1, "first");

    assert_true(test_matches(fixture->store, &id, &fixture->image, &err));
    reopen(fixture);
    assert_true(test_matches(fixture->store, &id, &fixture->image, &err));
    fixture->image.data[5 * IMAGE_CHUNK_SIZE] ^= 1;
    assert_false(test_matches(fixture->store, &id, &fixture->image, &err));
}

static void what_is_there_is_not_written_again(void **state)
{
    struct fixture *fixture = *state;
    struct test_image again;
    struct hash first = test_freeze_ok(fixture->store, &fixture->image, 1, "first"), second;

    test_image_init(&again, 4 * MIB);
    memcpy(again.data, fixture->image.data, 4 * MIB);
    assert_int_equal(pack_count(fixture), 1);
    second = test_freeze_ok(fixture->store, &again, 1, "second");
    assert_true(hash_equal(&first, &second));
    assert_int_equal(pack_count(fixture), 1);
    reopen(fixture);
    memset(again.nodes, 0, (size_t)again.shape.total * sizeof *again.nodes);
    (void)test_freeze_ok(fixture->store, &again, 2, "third");
    assert_int_equal(pack_count(fixture), 1);
    test_image_release(&again);
}

static void equal_chunks_of_one_batch_are_kept_once(void **state)
{
    struct fixture *fixture = *state;
    struct store_statistics statistics;
    struct err err = ERR_INIT;

    for (uint32_t i = 50; i < 90; i++)
        test_image_fill(&fixture->image, i, 7);
    (void)test_freeze_ok(fixture->store, &fixture->image, 1, "first");
    assert_true(store_statistics(fixture->store, &statistics, &err));
    /* 38 different chunks (number 7 among them), 2 nodes of level 1, 1 of level 2 */
    assert_int_equal(statistics.chunks, 38 + 2 + 1);
}

static void small_changes_cost_little(void **state)
{
    struct fixture *fixture = *state;
    struct store_statistics before, after;
    struct err err = ERR_INIT;
    struct hash id;

    (void)test_freeze_ok(fixture->store, &fixture->image, 1, "first");
    assert_true(store_statistics(fixture->store, &before, &err));
    for (uint32_t i = 3; i <= 40; i++)
        fixture->image.data[i * IMAGE_CHUNK_SIZE + 100 * i] ^= 0x55;
    id = test_freeze_ok(fixture->store, &fixture->image, 2, "second");
    assert_true(store_statistics(fixture->store, &after, &err));
    assert_in_range(after.stored_bytes - before.stored_bytes, 1, 38 * 400);
    reopen(fixture);
    assert_true(test_matches(fixture->store, &id, &fixture->image, &err));
}

/* A delta of a delta is made against the first one's base: each of ten generations reads back. */
static void generations_of_deltas_read_back(void **state)
{
    struct fixture *fixture = *state;
    struct test_image copies[10];
    struct err err = ERR_INIT;
    struct hash ids[10];

    for (uint32_t g = 0; g < 10; g++) {
        for (uint32_t i = 3; i <= 40; i += 1 + g % 3)
            fixture->image.data[i * IMAGE_CHUNK_SIZE + 64 * g] ^= (uint8_t)(g + 1);
        ids[g] = test_freeze_ok(fixture->store, &fixture->image, g, "tip");
        test_image_init(&copies[g], 4 * MIB);
        memcpy(copies[g].data, fixture->image.data, 4 * MIB);
        if (g % 4 == 1)
            reopen(fixture);
    }
    for (uint32_t g = 0; g < 10; g++) {
        assert_true(test_matches(fixture->store, &ids[g], &copies[g], &err));
        test_image_release(&copies[g]);
    }
}

static void copy_packs(const char *from, const char *to)
{
    struct name_list names;
    struct err err = ERR_INIT;

    assert_true(folder_list(test_path(from, "packs"), &names, &err));
    for (size_t i = 0; i < names.count; i++) {
        struct buf bytes = BUF_INIT(MIB);
        char name[128];
        snprintf(name, sizeof name, "packs/%s", names.names[i]);
        assert_true(file_read(test_path(from, name), &bytes, &err));
        assert_true(file_write(test_path(to, name), buf_span(&bytes), &err));
        buf_release(&bytes);
    }
    name_list_release(&names);
}

/* Two writers at once can store one chunk twice, as a delta and in full: readers must find the full
 * one, which alone can be a base. Which pack comes first in the folder is chance, so there are
 * several. */
static void full_copy_goes_before_a_delta(void **state)
{
    struct fixture *fixture = *state;
    struct test_image image;
    struct err err = ERR_INIT;

    test_image_init(&image, MIB);
    for (uint32_t i = 0; i < 8; i++) {
        char *folder = test_folder_make();
        struct store *other = test_store_open(folder);
        struct hash id;
        memset(image.nodes, 0, (size_t)image.shape.total * HASH_SIZE);
        test_image_fill(&image, 0, 50 + i);
        (void)test_freeze_ok(fixture->store, &image, i, NULL);
        image.data[1] ^= 1;
        (void)test_freeze_ok(fixture->store, &image, i, NULL); /* a delta here */
        memset(image.nodes, 0, (size_t)image.shape.total * HASH_SIZE);
        (void)test_freeze_ok(other, &image, i, NULL); /* full there */
        image.data[2] ^= 1;
        id = test_freeze_ok(other, &image, i, NULL); /* a delta of the full one */
        copy_packs(folder, fixture->folder);
        reopen(fixture);
        (void)test_freeze_ok(fixture->store, &image, i, "kept");
        assert_true(test_matches(fixture->store, &id, &image, &err));
        store_close(other);
        test_folder_remove(folder);
    }
    test_image_release(&image);
}

static void aborted_batch_leaves_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct store_batch *batch;
    struct chunk_sink sink;
    struct name_list left;

    assert_true(store_batch_begin(fixture->store, &batch, &err));
    sink = store_batch_sink(batch);
    assert_true(test_image_put(&fixture->image, &sink, &err));
    store_batch_abort(batch);
    assert_int_equal(pack_count(fixture), 0);
    assert_true(folder_list(test_path(fixture->folder, "tmp"), &left, &err));
    assert_int_equal(left.count, 0);
    name_list_release(&left);
}

static void incomplete_checkpoint_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct hash id = {{0}};

    /* The tree is known, the chunks were never given. */
    assert_true(test_image_put(&fixture->image, NULL, &err));
    test_image_fill(&fixture->image, 3, 99);
    assert_false(test_freeze(fixture->store, &fixture->image, 1, "first", &id, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "board.ram bytes 0x10000 to 0x13fff"));
    assert_int_equal(pack_count(fixture), 0);
    assert_false(store_resolve(fixture->store, "first", &id, &err));
}

static void absent_chunk_is_not_found(void **state)
{
    struct fixture *fixture = *state;
    struct buf out = BUF_INIT(STORE_CHUNK_MAX);
    struct err err = ERR_INIT;
    struct hash id = hash_of(span_of_text("nothing"));

    assert_false(store_get(fixture->store, &id, &out, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_false(store_has(fixture->store, &id));
}

/* One store object sees what another one, opened before, writes. */
static void other_writers_chunks_are_seen(void **state)
{
    struct fixture *fixture = *state;
    struct store *other = test_store_open(fixture->folder);
    struct err err = ERR_INIT;
    struct hash id;

    assert_false(store_has(other, &id));
    id = test_freeze_ok(fixture->store, &fixture->image, 1, "first");
    assert_true(test_matches(other, &id, &fixture->image, &err));
    store_close(other);
}

static void unknown_kinds_of_store_are_unsupported(void **state)
{
    struct store *store;
    struct err err = ERR_INIT;

    (void)state;
    assert_false(store_open("https://host/store", NULL, &store, &err));
    assert_int_equal(err.kind, ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "https"));
    assert_false(store_open("", NULL, &store, &err));
    assert_int_equal(err.kind, ERR_USAGE);
}

static void file_url_is_a_folder(void **state)
{
    struct fixture *fixture = *state;
    char url[512];
    struct store *store;
    struct err err = ERR_INIT;

    snprintf(url, sizeof url, "file://%s", fixture->folder);
    assert_true(store_open(url, NULL, &store, &err));
    store_close(store);
}

static void folder_of_other_things_is_no_store(void **state)
{
    struct store_options options = {.create = true};
    char *folder = test_folder_make();
    struct store *store;
    struct err err = ERR_INIT;

    (void)state;
    assert_false(store_open(folder, NULL, &store, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_true(file_write(test_path(folder, "letter.txt"), span_of_text("hello"), &err));
    assert_false(store_open(folder, &options, &store, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.text, "letter.txt"));
    assert_false(store_open(test_path(folder, "not-there"), NULL, &store, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    test_folder_remove(folder);
}

static void newer_format_is_unsupported(void **state)
{
    struct fixture *fixture = *state;
    struct store *store;
    struct err err = ERR_INIT;

    assert_true(
        file_write(test_path(fixture->folder, "format"), span_of_text("thaw store 2\n"), &err));
    assert_false(store_open(fixture->folder, NULL, &store, &err));
    assert_int_equal(err.kind, ERR_UNSUPPORTED);
    assert_true(file_write(test_path(fixture->folder, "format"), span_of_text("thaw"), &err));
    assert_false(store_open(fixture->folder, NULL, &store, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
}

static void interrupted_creation_is_taken_up(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;

    assert_true(file_remove(test_path(fixture->folder, "format"), &err));
    assert_true(file_remove(test_path(fixture->folder, "tags"), &err));
    reopen(fixture);
    (void)test_freeze_ok(fixture->store, &fixture->image, 1, "first");
}

struct writer {
    struct store *store;
    uint32_t seed;
    struct hash id;
    bool ok;
};

static void *freeze_in_thread(void *context)
{
    struct writer *writer = context;
    struct test_image image;
    struct err err = ERR_INIT;
    char tag[32];

    test_image_init(&image, 4 * MIB);
    for (uint32_t i = 0; i < 100; i++)
        test_image_fill(&image, i, i < 50 ? i : writer->seed * 1000 + i);
    snprintf(tag, sizeof tag, "writer-%u", writer->seed);
    writer->ok = test_freeze(writer->store, &image, writer->seed, tag, &writer->id, &err) &&
                 test_matches(writer->store, &writer->id, &image, &err);
    test_image_release(&image);
    return NULL;
}

static void threads_share_a_store(void **state)
{
    struct fixture *fixture = *state;
    struct writer writers[4];
    pthread_t threads[4];

    for (uint32_t i = 0; i < 4; i++) {
        writers[i] = (struct writer){.store = fixture->store, .seed = i};
        assert_int_equal(pthread_create(&threads[i], NULL, freeze_in_thread, &writers[i]), 0);
    }
    for (uint32_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(writers[i].ok);
    }
}

static void sizes_say_what_is_shared(void **state)
{
    struct fixture *fixture = *state;
    struct store_checkpoint_list list;
    struct store_statistics statistics;
    struct err err = ERR_INIT;
    struct store_tag tag;
    struct hash first = test_freeze_ok(fixture->store, &fixture->image, 1, "first"), second;
    uint64_t own = 0;

    test_image_fill(&fixture->image, 100, 1234);
    second = test_freeze_ok(fixture->store, &fixture->image, 2, "second");
    assert_true(store_tag_get(fixture->store, "second", &tag, &err));
    tag.parent = first;
    assert_true(store_tag_set(fixture->store, &tag, &err));
    store_tag_release(&tag);
    assert_true(store_checkpoint_list(fixture->store, &list, &err));
    assert_int_equal(list.count, 2);
    for (size_t i = 0; i < 2; i++) {
        bool is_second = hash_equal(&list.items[i].id, &second);
        assert_int_equal(list.items[i].image_bytes, 4 * MIB);
        assert_int_equal(list.items[i].missing_chunks, 0);
        assert_int_equal(hash_equal(&list.items[i].parent, &first), is_second);
        assert_in_range(list.items[i].own_bytes, 1, is_second ? 16384 : 4096);
        own += list.items[i].own_bytes;
    }
    assert_true(store_statistics(fixture->store, &statistics, &err));
    assert_int_equal(list.items[0].shared_bytes, list.items[1].shared_bytes);
    assert_in_range(list.items[0].shared_bytes + own, statistics.stored_bytes / 2,
                    statistics.stored_bytes);
    store_checkpoint_list_release(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(checkpoint_comes_back_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_there_is_not_written_again, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_chunks_of_one_batch_are_kept_once, setup, teardown),
        cmocka_unit_test_setup_teardown(small_changes_cost_little, setup, teardown),
        cmocka_unit_test_setup_teardown(generations_of_deltas_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(full_copy_goes_before_a_delta, setup, teardown),
        cmocka_unit_test_setup_teardown(aborted_batch_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(incomplete_checkpoint_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(absent_chunk_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(other_writers_chunks_are_seen, setup, teardown),
        cmocka_unit_test(unknown_kinds_of_store_are_unsupported),
        cmocka_unit_test_setup_teardown(file_url_is_a_folder, setup, teardown),
        cmocka_unit_test(folder_of_other_things_is_no_store),
        cmocka_unit_test_setup_teardown(newer_format_is_unsupported, setup, teardown),
        cmocka_unit_test_setup_teardown(interrupted_creation_is_taken_up, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_share_a_store, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes_say_what_is_shared, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
