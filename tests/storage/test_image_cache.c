#include "storage/image_cache.h"

#include "storage/base/file.h"
#include "tests/support/store_fault.h"
#include "tests/support/store_folder.h"
#include "tests/support/store_machine.h"

#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

struct fixture {
    char *folder;
    struct store *store;
    struct test_image image; /* 4 MiB, chunks 3 to 40 and the last one filled */
    struct image_cache *cache;
};

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);
    struct err err = ERR_INIT;

    fixture->folder = test_folder_make();
    fixture->store = test_store_open(fixture->folder);
    test_image_init(&fixture->image, 4 * MIB);
    for (uint32_t i = 3; i <= 40; i++)
        test_image_fill(&fixture->image, i, i);
    test_image_fill(&fixture->image, 255, 255);
    (void)test_freeze_ok(fixture->store, &fixture->image, 1, "first");
    assert_true(image_cache_new(fixture->store, NULL, &fixture->cache, &err));
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    (void)umount2(test_path(fixture->folder, "small"), MNT_DETACH); /* left by a failed test */
    image_cache_free(fixture->cache);
    store_close(fixture->store);
    test_folder_remove(fixture->folder);
    test_image_release(&fixture->image);
    mem_free(fixture);
    return 0;
}

static bool is_same(const struct image_mapping *mapping, const struct test_image *image)
{
    return mapping->size == image->shape.size &&
           memcmp(mapping->data, image->data, (size_t)mapping->size) == 0 &&
           memcmp(mapping->nodes, image->nodes,
                  (size_t)image->shape.total * sizeof *image->nodes) == 0;
}

static struct image_cache_statistics statistics_of(struct fixture *fixture)
{
    struct image_cache_statistics statistics;
    struct err err = ERR_INIT;

    assert_true(image_cache_statistics(fixture->cache, &statistics, &err));
    return statistics;
}

/* Opens the fixture's image and compares it. */
static void open_and_compare(struct fixture *fixture)
{
    struct hash root = test_image_root(&fixture->image);
    struct image_mapping mapping;
    struct err err = ERR_INIT;

    if (!image_cache_open(fixture->cache, &root, fixture->image.shape.size, &mapping, &err))
        fail_msg("%s", err.text);
    assert_true(is_same(&mapping, &fixture->image));
    mapping.release(&mapping);
}

static char *cached_path(struct fixture *fixture)
{
    return test_only_file(fixture->folder, "cache", ".image");
}

static void image_is_built_once_then_mapped(void **state)
{
    struct fixture *fixture = *state;

    open_and_compare(fixture);
    assert_int_equal(statistics_of(fixture).builds, 1);
    open_and_compare(fixture);
    open_and_compare(fixture);
    assert_int_equal(statistics_of(fixture).builds, 1);
    assert_int_equal(statistics_of(fixture).hits, 2);
}

/* Looked at before anything reads the mapping: tmpfs gives room to holes that are read through one.
 */
static void zeros_take_no_disk(void **state)
{
    struct fixture *fixture = *state;
    struct hash root = test_image_root(&fixture->image);
    struct image_mapping mapping;
    struct err err = ERR_INIT;

    assert_true(image_cache_open(fixture->cache, &root, 4 * MIB, &mapping, &err));
    assert_int_equal(statistics_of(fixture).files, 1);
    assert_in_range(statistics_of(fixture).bytes, 39 * IMAGE_CHUNK_SIZE, MIB);
    mapping.release(&mapping);
}

static void writes_stay_private(void **state)
{
    struct fixture *fixture = *state;
    struct hash root = test_image_root(&fixture->image);
    struct image_mapping first, second;
    struct err err = ERR_INIT;

    assert_true(image_cache_open(fixture->cache, &root, 4 * MIB, &first, &err));
    assert_true(image_cache_open(fixture->cache, &root, 4 * MIB, &second, &err));
    memset(first.data, 0x5a, (size_t)first.size);
    assert_true(is_same(&second, &fixture->image));
    first.release(&first);
    second.release(&second);
    open_and_compare(fixture);
}

static void mapping_outlives_cache_store_and_file(void **state)
{
    struct fixture *fixture = *state;
    struct hash root = test_image_root(&fixture->image);
    struct image_mapping mapping;
    struct err err = ERR_INIT;

    assert_true(image_cache_open(fixture->cache, &root, 4 * MIB, &mapping, &err));
    assert_true(image_cache_clear(fixture->cache, &err));
    image_cache_free(fixture->cache);
    fixture->cache = NULL;
    assert_true(is_same(&mapping, &fixture->image));
    mapping.release(&mapping);
}

static void image_of_zeros_needs_no_chunk(void **state)
{
    struct fixture *fixture = *state;
    struct hash root = {{0}};
    struct image_mapping mapping;
    struct err err = ERR_INIT;

    assert_true(image_cache_open(fixture->cache, &root, 2 * MIB, &mapping, &err));
    assert_true(bytes_are_zero(mapping.data, (size_t)mapping.size));
    mapping.release(&mapping);
}

static void every_truncation_to_a_page_is_built_anew(void **state)
{
    struct fixture *fixture = *state;
    uint64_t size;
    struct err err = ERR_INIT;
    char *path;

    open_and_compare(fixture);
    path = cached_path(fixture);
    assert_true(file_size(path, &size, &err));
    for (uint64_t cut = 0; cut < size; cut += 512 * 1024 - 4096) {
        test_cut(path, cut);
        open_and_compare(fixture);
    }
    test_cut(path, size - 1);
    open_and_compare(fixture);
    mem_free(path);
}

static void every_flipped_bit_of_the_trailer_is_built_anew(void **state)
{
    struct fixture *fixture = *state;
    uint64_t size, builds = 1;
    struct err err = ERR_INIT;
    char *path;

    open_and_compare(fixture);
    path = cached_path(fixture);
    assert_true(file_size(path, &size, &err));
    for (uint64_t bit = 0; bit < 112 * 8; bit += 5) {
        test_flip_bit(path, (size - 4096) * 8 + bit);
        open_and_compare(fixture);
        assert_int_equal(statistics_of(fixture).builds, ++builds);
    }
    mem_free(path);
}

static void check_finds_and_removes_damage(void **state)
{
    struct fixture *fixture = *state;
    size_t files, damaged;
    struct err err = ERR_INIT;
    char *path;
    static const uint64_t places[] = {3 * IMAGE_CHUNK_SIZE, 0, 4 * MIB + 40 * HASH_SIZE,
                                      4 * MIB + 256 * HASH_SIZE};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        open_and_compare(fixture);
        path = cached_path(fixture);
        assert_true(image_cache_check(fixture->cache, &files, &damaged, &err));
        assert_int_equal(files, 1);
        assert_int_equal(damaged, 0);
        test_flip_bit(path, places[i] * 8 + 3);
        assert_true(image_cache_check(fixture->cache, &files, &damaged, &err));
        assert_int_equal(damaged, 1);
        assert_false(file_exists(path));
        mem_free(path);
    }
    open_and_compare(fixture);
}

static void missing_chunk_is_named_and_nothing_is_cached(void **state)
{
    struct fixture *fixture = *state;
    struct hash root = hash_of(span_of_text("no such image"));
    struct image_mapping mapping;
    struct err err = ERR_INIT;

    assert_false(image_cache_open(fixture->cache, &root, 4 * MIB, &mapping, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_non_null(strstr(err.text, hash_hex(&root).text));
    assert_int_equal(statistics_of(fixture).files, 0);
}

static void least_recently_used_goes_first(void **state)
{
    struct fixture *fixture = *state;
    struct image_cache_options options = {.max_bytes = 3 * MIB};
    struct image_mapping mapping;
    struct err err = ERR_INIT;
    struct hash roots[5];

    image_cache_free(fixture->cache);
    assert_true(image_cache_new(fixture->store, &options, &fixture->cache, &err));
    for (uint32_t i = 0; i < 5; i++) {
        test_image_fill(&fixture->image, 200, 300 + i);
        (void)test_freeze_ok(fixture->store, &fixture->image, i, NULL);
        roots[i] = test_image_root(&fixture->image);
        assert_true(image_cache_open(fixture->cache, &roots[i], 4 * MIB, &mapping, &err));
        mapping.release(&mapping);
        assert_true(image_cache_open(fixture->cache, &roots[0], 4 * MIB, &mapping, &err));
        mapping.release(&mapping);
        assert_in_range(statistics_of(fixture).bytes, 1, 3 * MIB);
    }
    assert_int_equal(statistics_of(fixture).builds, 5); /* the first was never built again */
    assert_true(image_cache_open(fixture->cache, &roots[1], 4 * MIB, &mapping, &err));
    mapping.release(&mapping);
    assert_int_equal(statistics_of(fixture).builds, 6);
}

static void image_over_the_cap_is_kept_alone(void **state)
{
    struct fixture *fixture = *state;
    struct image_cache_options options = {.max_bytes = 4096};
    struct err err = ERR_INIT;

    image_cache_free(fixture->cache);
    assert_true(image_cache_new(fixture->store, &options, &fixture->cache, &err));
    open_and_compare(fixture);
    open_and_compare(fixture);
    assert_int_equal(statistics_of(fixture).builds, 1);
}

static void adopted_image_needs_no_store(void **state)
{
    struct fixture *fixture = *state;
    struct image_cache_options options = {0};
    char *folder = test_folder_make();
    struct image_mapping mapping;
    struct image_cache *cache;
    struct err err = ERR_INIT;
    struct hash root = test_image_root(&fixture->image);

    options.folder = folder;
    assert_true(image_cache_new(NULL, &options, &cache, &err));
    assert_false(image_cache_open(cache, &root, 4 * MIB, &mapping, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_true(image_cache_adopt(cache, fixture->image.data, fixture->image.nodes, 4 * MIB, &err));
    assert_true(image_cache_open(cache, &root, 4 * MIB, &mapping, &err));
    assert_true(is_same(&mapping, &fixture->image));
    mapping.release(&mapping);
    image_cache_free(cache);
    test_folder_remove(folder);
}

static void cache_that_cannot_be_made_means_memory(void **state)
{
    struct fixture *fixture = *state;
    struct image_cache_options options = {0};
    struct err err = ERR_INIT;

    assert_true(file_write(test_path(fixture->folder, "file"), span_of_text("x"), &err));
    options.folder = test_path(fixture->folder, "file/cache");
    image_cache_free(fixture->cache);
    assert_true(image_cache_new(fixture->store, &options, &fixture->cache, &err));
    open_and_compare(fixture);
    assert_int_equal(statistics_of(fixture).in_memory, 1);
}

static void full_disk_means_memory(void **state)
{
    struct fixture *fixture = *state;
    struct image_cache_options options = {0};
    const char *folder = test_path(fixture->folder, "small");
    struct err err = ERR_INIT;

    assert_true(folder_make(folder, &err));
    if (mount("none", folder, "tmpfs", 0, "size=300k") != 0)
        skip();
    options.folder = folder;
    image_cache_free(fixture->cache);
    assert_true(image_cache_new(fixture->store, &options, &fixture->cache, &err));
    open_and_compare(fixture);
    assert_int_equal(statistics_of(fixture).in_memory, 1);
    assert_int_equal(statistics_of(fixture).files, 0);
    assert_int_equal(umount(folder), 0);
}

static void *open_in_thread(void *context)
{
    open_and_compare(context);
    return NULL;
}

static void threads_build_an_image_once(void **state)
{
    struct fixture *fixture = *state;
    pthread_t threads[6];

    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, open_in_thread, fixture), 0);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(statistics_of(fixture).builds, 1);
}

/* Runs in a child that dies at the given call. */
static void build_and_die(struct fixture *fixture, uint64_t at)
{
    struct store *store = test_store_open(fixture->folder);
    struct hash root = test_image_root(&fixture->image);
    struct image_mapping mapping;
    struct image_cache *cache;
    struct err err = ERR_INIT;

    test_fault_kill_at(at);
    if (!image_cache_new(store, NULL, &cache, &err) ||
        !image_cache_open(cache, &root, 4 * MIB, &mapping, &err))
        _exit(2);
    _exit(0);
}

/* Whatever a killed builder leaves, the next one to open the image gets the right bytes. */
static void killed_builders_leave_nothing_wrong(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    bool finished = false;
    uint64_t at;

    for (at = 0; !finished; at++) {
        pid_t child;
        int status;
        assert_true(image_cache_clear(fixture->cache, &err));
        child = fork();
        assert_true(child >= 0);
        if (child == 0)
            build_and_die(fixture, at);
        assert_int_equal(waitpid(child, &status, 0), child);
        finished = WIFEXITED(status);
        assert_int_equal(finished ? WEXITSTATUS(status) : WTERMSIG(status), finished ? 0 : SIGKILL);
        open_and_compare(fixture);
    }
    assert_in_range(at, 40, 1000); /* it died at each of its calls */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(image_is_built_once_then_mapped, setup, teardown),
        cmocka_unit_test_setup_teardown(zeros_take_no_disk, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_stay_private, setup, teardown),
        cmocka_unit_test_setup_teardown(mapping_outlives_cache_store_and_file, setup, teardown),
        cmocka_unit_test_setup_teardown(image_of_zeros_needs_no_chunk, setup, teardown),
        cmocka_unit_test_setup_teardown(every_truncation_to_a_page_is_built_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_of_the_trailer_is_built_anew, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(check_finds_and_removes_damage, setup, teardown),
        cmocka_unit_test_setup_teardown(missing_chunk_is_named_and_nothing_is_cached, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(least_recently_used_goes_first, setup, teardown),
        cmocka_unit_test_setup_teardown(image_over_the_cap_is_kept_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(adopted_image_needs_no_store, setup, teardown),
        cmocka_unit_test_setup_teardown(cache_that_cannot_be_made_means_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_means_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(threads_build_an_image_once, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_builders_leave_nothing_wrong, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
