/* Blobs: whole files under their hash. */
#include "storage/base/file.h"
#include "storage/blob.h"

#include "tests/support/base_test.h"
#include "tests/support/store_folder.h"

#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

struct rig {
    char *folder;
    struct store *store;
};

static int setup(void **state)
{
    struct rig *rig = mem_alloc(sizeof *rig);

    rig->folder = test_folder_make();
    rig->store = test_store_open(rig->folder);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    store_close(rig->store);
    test_folder_remove(rig->folder);
    mem_free(rig);
    return 0;
}

static struct hash put(struct rig *rig, const char *text)
{
    struct err err = ERR_INIT;
    struct hash id;

    assert_true(store_blob_put(rig->store, span_of_text(text), &id, &err));
    return id;
}

static void what_was_put_is_had_again(void **state)
{
    struct rig *rig = *state;
    struct buf out = BUF_INIT(1000);
    struct err err = ERR_INIT;
    struct hash id = put(rig, "a console log"), empty = put(rig, ""), expected;
    uint64_t size = 0;

    expected = hash_of(span_of_text("a console log"));
    assert_true(hash_equal(&id, &expected));
    assert_true(store_blob_sync(rig->store, &err));
    assert_true(store_blob_get(rig->store, &id, &out, &err));
    assert_true(span_equal(buf_span(&out), span_of_text("a console log")));
    assert_true(store_blob_size(rig->store, &id, &size, &err));
    assert_int_equal(size, 13);
    buf_clear(&out);
    assert_true(store_blob_get(rig->store, &empty, &out, &err));
    assert_int_equal(out.size, 0);
    buf_release(&out);
}

static void flush_passes_over_what_is_not_there(void **state)
{
    struct rig *rig = *state;
    struct hash ids[70] = {
        put(rig, "one"), {{0}}, hash_of(span_of_text("never put")), put(rig, "two")};
    struct err err = ERR_INIT;

    assert_true(store_blob_flush(rig->store, NULL, 0, &err));
    assert_true(store_blob_flush(rig->store, ids, 4, &err));
    assert_true(store_blob_flush(rig->store, ids, 70, &err));
}

static void flush_says_what_cannot_be_flushed(void **state)
{
    struct rig *rig = *state;
    struct hash id = hash_of(span_of_text("a loop"));
    char *path = store_blob_path(rig->store, &id), *slash = strrchr(path, '/');
    struct err err = ERR_INIT;

    *slash = 0;
    assert_true(folder_make(path, &err));
    *slash = '/';
    assert_int_equal(symlink(path, path), 0);
    assert_false(store_blob_flush(rig->store, &id, 1, &err));
    assert_int_equal(unlink(path), 0);
    mem_free(path);
}

static void an_unknown_blob_is_not_found(void **state)
{
    struct rig *rig = *state;
    struct hash id = hash_of(span_of_text("never put"));
    struct buf out = BUF_INIT(1000);
    struct err err = ERR_INIT;

    assert_false(store_blob_get(rig->store, &id, &out, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, hash_hex(&id).text));
    assert_false(store_blob_file(rig->store, &id, test_path(rig->folder, "copy"), &err));
    assert_false(file_exists(test_path(rig->folder, "copy")));
    buf_release(&out);
}

static void a_larger_blob_than_asked_for_is_refused(void **state)
{
    struct rig *rig = *state;
    struct hash id = put(rig, "0123456789");
    struct buf out = BUF_INIT(9);
    struct err err = ERR_INIT;

    assert_false(store_blob_get(rig->store, &id, &out, &err));
    assert_int_equal(err.kind, ERR_TOO_BIG);
    assert_int_equal(out.size, 0);
    buf_release(&out);
}

/* Every bit of the file, and every length. */
static void damage_is_found_when_it_is_read(void **state)
{
    struct rig *rig = *state;
    struct hash id = put(rig, "bytes that matter");
    char *path = store_blob_path(rig->store, &id);
    struct buf out = BUF_INIT(1000);

    for (uint64_t bit = 0; bit < 17 * 8; bit++) {
        struct err err = ERR_INIT;
        test_flip_bit(path, bit);
        assert_false(store_blob_get(rig->store, &id, &out, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_int_equal(out.size, 0);
        assert_false(store_blob_file(rig->store, &id, test_path(rig->folder, "copy"), &err));
        assert_false(file_exists(test_path(rig->folder, "copy")));
        test_flip_bit(path, bit);
    }
    for (uint64_t size = 17; size-- > 0;) {
        struct err err = ERR_INIT;
        test_cut(path, size);
        assert_false(store_blob_get(rig->store, &id, &out, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
    }
    mem_free(path);
    buf_release(&out);
}

/* A put of the same bytes heals: the size no longer fits. */
static void a_cut_blob_is_written_anew(void **state)
{
    struct rig *rig = *state;
    struct hash id = put(rig, "bytes that matter");
    char *path = store_blob_path(rig->store, &id);
    struct buf out = BUF_INIT(1000);
    struct err err = ERR_INIT;

    test_cut(path, 3);
    (void)put(rig, "bytes that matter");
    assert_true(store_blob_get(rig->store, &id, &out, &err));
    mem_free(path);
    buf_release(&out);
}

static void files_go_in_and_out(void **state)
{
    struct rig *rig = *state;
    struct buf bytes = BUF_INIT(1u << 20), out = BUF_INIT(1u << 20);
    struct err err = ERR_INIT;
    struct hash id, expected;
    uint64_t size;

    for (unsigned i = 0; i < 200000; i++)
        assert_true(buf_append(&bytes, &(uint8_t){(uint8_t)(i * 7 + i / 251)}, 1, &err));
    assert_true(file_write(test_path(rig->folder, "in"), buf_span(&bytes), &err));
    assert_true(store_blob_put_file(rig->store, test_path(rig->folder, "in"), &id, &size, &err));
    expected = hash_of(buf_span(&bytes));
    assert_true(hash_equal(&id, &expected));
    assert_int_equal(size, 200000);
    assert_true(store_blob_file(rig->store, &id, test_path(rig->folder, "out"), &err));
    assert_true(file_read(test_path(rig->folder, "out"), &out, &err));
    assert_true(span_equal(buf_span(&bytes), buf_span(&out)));
    assert_false(store_blob_put_file(rig->store, test_path(rig->folder, "none"), &id, &size, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    buf_release(&bytes);
    buf_release(&out);
}

static bool is_wanted(void *context, const struct hash *id)
{
    return hash_equal(context, id);
}

static void a_sweep_takes_what_is_old_and_not_wanted(void **state)
{
    struct rig *rig = *state;
    struct hash wanted = put(rig, "wanted"), other = put(rig, "not wanted");
    char *path = store_blob_path(rig->store, &other);
    struct blob_sweep sweep = {.wanted = is_wanted, .context = &wanted, .grace_s = 100};
    struct err err = ERR_INIT;
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    sweep.now_s = (uint64_t)status.st_mtime + 99;
    assert_true(store_blob_sweep(rig->store, &sweep, &err));
    assert_int_equal(sweep.removed, 0);
    sweep.now_s++;
    assert_true(store_blob_sweep(rig->store, &sweep, &err));
    assert_int_equal(sweep.removed, 1);
    assert_int_equal(sweep.bytes, 10);
    assert_true(store_blob_size(rig->store, &wanted, NULL, &err));
    assert_false(store_blob_size(rig->store, &other, NULL, &err));
    mem_free(path);
}

static void nothing_temporary_is_left(void **state)
{
    struct rig *rig = *state;
    struct name_list names;
    struct err err = ERR_INIT;

    (void)put(rig, "one");
    (void)put(rig, "two");
    assert_true(folder_list(test_path(rig->folder, "tmp"), &names, &err));
    assert_int_equal(names.count, 0);
    name_list_release(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_was_put_is_had_again, setup, teardown),
        cmocka_unit_test_setup_teardown(flush_passes_over_what_is_not_there, setup, teardown),
        cmocka_unit_test_setup_teardown(flush_says_what_cannot_be_flushed, setup, teardown),
        cmocka_unit_test_setup_teardown(an_unknown_blob_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(a_larger_blob_than_asked_for_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_found_when_it_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(a_cut_blob_is_written_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(files_go_in_and_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_sweep_takes_what_is_old_and_not_wanted, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_temporary_is_left, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
