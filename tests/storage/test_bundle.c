#include "storage/bundle.h"

#include "storage/base/bytes.h"
#include "storage/base/file.h"
#include "tests/support/store_fault.h"
#include "tests/support/store_folder.h"
#include "tests/support/store_machine.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

struct fixture {
    char *folder; /* with a store "a", which has the checkpoint, and an empty store "b" */
    struct store *from, *to;
    struct test_image image; /* 1 MiB, chunks 3 and 4 filled, with little */
    struct hash id;
    char *path; /* of the bundle */
};

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);
    struct err err = ERR_INIT;

    fixture->folder = test_folder_make();
    assert_true(folder_make(test_path(fixture->folder, "a"), &err));
    fixture->from = test_store_open(test_path(fixture->folder, "a"));
    fixture->to = test_store_open(test_path(fixture->folder, "b"));
    test_image_init(&fixture->image, MIB);
    memset(fixture->image.data + 3 * IMAGE_CHUNK_SIZE, 3, 100);
    memset(fixture->image.data + 4 * IMAGE_CHUNK_SIZE + 500, 4, 100);
    (void)test_freeze_ok(fixture->from, &fixture->image, 1, "first");
    fixture->image.data[3 * IMAGE_CHUNK_SIZE + 7] = 77; /* so that one is stored as a delta */
    fixture->id = test_freeze_ok(fixture->from, &fixture->image, 2, "second");
    fixture->path = path_join(fixture->folder, "second.thaw");
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    store_close(fixture->from);
    store_close(fixture->to);
    test_folder_remove(fixture->folder);
    test_image_release(&fixture->image);
    mem_free(fixture->path);
    mem_free(fixture);
    return 0;
}

static void export_with(struct fixture *fixture, const struct bundle_blob *blobs, size_t count)
{
    struct bundle_contents contents = {fixture->id, blobs, count};
    struct err err = ERR_INIT;

    if (!bundle_export(fixture->from, &contents, fixture->path, NULL, &err))
        fail_msg("%s", err.text);
}

static void assert_empty(struct store *store)
{
    struct store_statistics statistics;
    struct err err = ERR_INIT;

    assert_true(store_statistics(store, &statistics, &err));
    assert_int_equal(statistics.packs, 0);
    assert_int_equal(statistics.manifests, 0);
    assert_int_equal(statistics.tags, 0);
}

static void read_file(const char *path, struct buf *out)
{
    struct err err = ERR_INIT;

    buf_clear(out);
    assert_true(file_read(path, out, &err));
}

static void checkpoint_moves_from_store_to_store(void **state)
{
    struct fixture *fixture = *state;
    struct bundle_import options = {0};
    struct bundle_report report;
    struct err err = ERR_INIT;
    struct store_tag tag;
    struct hash id;

    export_with(fixture, NULL, 0);
    store_tag_init(&tag, "imported", &clock_host);
    options.tag = &tag;
    if (!bundle_import(fixture->to, fixture->path, &options, &report, &err))
        fail_msg("%s", err.text);
    assert_int_equal(report.chunks, 2 + 1); /* two chunks and the root of the tree */
    assert_true(hash_equal(&report.checkpoint, &fixture->id));
    assert_true(store_resolve(fixture->to, "imported", &id, &err));
    assert_true(hash_equal(&id, &fixture->id));
    assert_true(test_matches(fixture->to, &id, &fixture->image, &err));
    assert_int_equal(test_findings(fixture->to, NULL), 0);
}

static void import_of_what_is_there_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct store_statistics before, after;
    struct err err = ERR_INIT;

    export_with(fixture, NULL, 0);
    assert_true(store_statistics(fixture->from, &before, &err));
    assert_true(bundle_import(fixture->from, fixture->path, NULL, NULL, &err));
    assert_true(store_statistics(fixture->from, &after, &err));
    assert_memory_equal(&before, &after, sizeof before);
}

static void equal_checkpoints_make_equal_bundles(void **state)
{
    struct fixture *fixture = *state;
    struct buf first = BUF_INIT(MIB), second = BUF_INIT(MIB);
    struct bundle_contents contents = {.checkpoint = fixture->id};
    struct err err = ERR_INIT;

    export_with(fixture, NULL, 0);
    read_file(fixture->path, &first);
    assert_true(bundle_import(fixture->to, fixture->path, NULL, NULL, &err));
    assert_true(bundle_export(fixture->to, &contents, fixture->path, NULL, &err));
    read_file(fixture->path, &second);
    assert_true(span_equal(buf_span(&first), buf_span(&second)));
    buf_release(&first);
    buf_release(&second);
}

struct blobs {
    struct buf bytes[4];
    char names[4][STORE_NAME_MAX + 1];
    size_t count;
    bool goes_on;
};

static bool keep_blob(void *context, const char *name, struct span piece, bool last,
                      struct err *err)
{
    struct blobs *blobs = context;

    if (!blobs->goes_on) {
        blobs->bytes[blobs->count] = (struct buf)BUF_INIT(MIB);
        snprintf(blobs->names[blobs->count++], STORE_NAME_MAX + 1, "%s", name);
    }
    blobs->goes_on = !last;
    return buf_append(&blobs->bytes[blobs->count - 1], piece.data, piece.size, err);
}

static void blobs_travel_along(void **state)
{
    struct fixture *fixture = *state;
    struct bundle_import options = {0};
    struct blobs back = {0};
    struct err err = ERR_INIT;
    uint8_t *large = mem_alloc(300000);
    const struct bundle_blob blobs[] = {{"recording", {large, 300000}},
                                        {"empty", {NULL, 0}},
                                        {"job.yaml", span_of_text("run: x\n")}};

    for (size_t i = 0; i < 300000; i++)
        large[i] = (uint8_t)(i * i >> 5);
    export_with(fixture, blobs, 3);
    options.blob = keep_blob;
    options.context = &back;
    assert_true(bundle_import(fixture->to, fixture->path, &options, NULL, &err));
    assert_int_equal(back.count, 3);
    assert_string_equal(back.names[0], "empty");
    assert_int_equal(back.bytes[0].size, 0);
    assert_string_equal(back.names[1], "job.yaml");
    assert_true(span_equal(buf_span(&back.bytes[1]), span_of_text("run: x\n")));
    assert_string_equal(back.names[2], "recording");
    assert_true(span_equal(buf_span(&back.bytes[2]), (struct span){large, 300000}));
    for (size_t i = 0; i < 3; i++)
        buf_release(&back.bytes[i]);
    mem_free(large);
}

static void blobs_against_the_rules_are_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct bundle_blob twice[] = {{"a", {NULL, 0}}, {"a", {NULL, 0}}};
    const struct bundle_blob bad[] = {{"../a", {NULL, 0}}};
    struct bundle_contents contents = {fixture->id, twice, 2};
    struct err err = ERR_INIT;

    assert_false(bundle_export(fixture->from, &contents, fixture->path, NULL, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    contents = (struct bundle_contents){fixture->id, bad, 1};
    assert_false(bundle_export(fixture->from, &contents, fixture->path, NULL, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    assert_false(file_exists(fixture->path));
}

static void export_of_an_absent_checkpoint_leaves_no_file(void **state)
{
    struct fixture *fixture = *state;
    struct bundle_contents contents = {.checkpoint = hash_of(span_of_text("none"))};
    struct name_list names;
    struct err err = ERR_INIT;

    assert_false(bundle_export(fixture->from, &contents, fixture->path, NULL, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_true(folder_list(fixture->folder, &names, &err));
    assert_int_equal(names.count, 2); /* the two stores */
    name_list_release(&names);
}

static void write_raw(const char *path, struct span bytes)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    assert_int_equal(fclose(file), 0);
}

static void every_truncation_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct buf bytes = BUF_INIT(MIB);

    export_with(fixture, NULL, 0);
    read_file(fixture->path, &bytes);
    assert_in_range(bytes.size, 200, 2000);
    for (size_t size = bytes.size; size-- > 0;) {
        struct err err = ERR_INIT;
        test_cut(fixture->path, size);
        assert_false(bundle_import(fixture->to, fixture->path, NULL, NULL, &err));
        assert_int_equal(err.kind, ERR_CORRUPT);
        assert_non_null(strstr(err.text, "second.thaw"));
    }
    assert_empty(fixture->to);
    buf_release(&bytes);
}

static void every_flipped_bit_is_refused(void **state)
{
    struct fixture *fixture = *state;
    const struct bundle_blob blobs[] = {{"job.yaml", span_of_text("run: x\n")}};
    uint64_t size;
    struct err err = ERR_INIT;

    export_with(fixture, blobs, 1);
    assert_true(file_size(fixture->path, &size, &err));
    for (uint64_t bit = 0; bit < size * 8; bit++) {
        err = (struct err)ERR_INIT;
        test_flip_bit(fixture->path, bit);
        assert_false(bundle_import(fixture->to, fixture->path, NULL, NULL, &err));
        assert_true(err.kind == ERR_CORRUPT || err.kind == ERR_UNSUPPORTED);
        test_flip_bit(fixture->path, bit);
    }
    assert_empty(fixture->to);
    assert_true(bundle_import(fixture->to, fixture->path, NULL, NULL, &err));
}

/* With the hash at the end put right again: what a hostile writer can do. Refused, or the same
 * checkpoint. */
static void every_flipped_bit_under_a_right_hash_is_refused_or_harmless(void **state)
{
    struct fixture *fixture = *state;
    struct buf bytes = BUF_INIT(MIB);
    size_t harmless = 0;
    struct hash hash;

    export_with(fixture, NULL, 0);
    read_file(fixture->path, &bytes);
    for (size_t bit = 0; bit < (bytes.size - HASH_SIZE) * 8; bit++) {
        struct bundle_report report;
        struct err err = ERR_INIT;
        bytes.data[bit / 8] = (uint8_t)(bytes.data[bit / 8] ^ 1u << bit % 8);
        hash = hash_of((struct span){bytes.data, bytes.size - HASH_SIZE});
        memcpy(bytes.data + bytes.size - HASH_SIZE, hash.bytes, HASH_SIZE);
        write_raw(fixture->path, buf_span(&bytes));
        if (bundle_import(fixture->to, fixture->path, NULL, &report, &err)) {
            assert_true(test_matches(fixture->to, &report.checkpoint, &fixture->image, &err));
            harmless++;
        }
        bytes.data[bit / 8] = (uint8_t)(bytes.data[bit / 8] ^ 1u << bit % 8);
    }
    assert_in_range(harmless, 1,
                    bytes.size); /* another number in the manifest: another checkpoint */
    assert_int_equal(test_findings(fixture->to, NULL), 0);
    buf_release(&bytes);
}

static size_t record_at(const struct buf *bytes, size_t number)
{
    size_t at = 16;

    while (number-- > 0)
        at += 8 + load_le32(bytes->data + at + 4);
    return at;
}

static void bundle_that_lacks_chunks_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct buf bytes = BUF_INIT(MIB);
    struct err err = ERR_INIT;
    size_t at, size;
    struct hash hash;

    export_with(fixture, NULL, 0);
    read_file(fixture->path, &bytes);
    at = record_at(&bytes, 1); /* after the manifest: the frame of chunks */
    size = 8 + load_le32(bytes.data + at + 4);
    memmove(bytes.data + at, bytes.data + at + size, bytes.size - at - size);
    bytes.size -= size;
    store_le64(bytes.data + bytes.size - HASH_SIZE - 8, 1);
    hash = hash_of((struct span){bytes.data, bytes.size - HASH_SIZE});
    memcpy(bytes.data + bytes.size - HASH_SIZE, hash.bytes, HASH_SIZE);
    write_raw(fixture->path, buf_span(&bytes));
    assert_false(bundle_import(fixture->to, fixture->path, NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "board.ram bytes 0xc000"));
    assert_empty(fixture->to);
    buf_release(&bytes);
}

static void other_files_are_no_bundles(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;

    assert_false(bundle_import(fixture->to, fixture->path, NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_false(bundle_import(fixture->to, fixture->folder, NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    write_raw(fixture->path,
              span_of_text("#!/bin/sh\necho this is a program of some length, but no bundle\n"));
    assert_false(bundle_import(fixture->to, fixture->path, NULL, NULL, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_non_null(strstr(err.text, "is not a thaw bundle"));
}

static void killed_import_leaves_a_sound_store(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    bool finished = false;
    uint64_t at;

    export_with(fixture, NULL, 0);
    for (at = 0; !finished; at++) {
        struct hash id;
        pid_t child = fork();
        int status;
        assert_true(child >= 0);
        if (child == 0) {
            struct store_tag tag;
            struct bundle_import options = {.tag = &tag};
            store_tag_init(&tag, "imported", &clock_host);
            test_fault_kill_at(at);
            _exit(bundle_import(fixture->to, fixture->path, &options, NULL, &err) ? 0 : 2);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        finished = WIFEXITED(status);
        assert_int_equal(finished ? WEXITSTATUS(status) : WTERMSIG(status), finished ? 0 : SIGKILL);
        assert_int_equal(test_findings(fixture->to, NULL), 0);
        if (store_resolve(fixture->to, "imported", &id, &err))
            assert_true(test_matches(fixture->to, &id, &fixture->image, &err));
        else
            assert_false(finished);
    }
    assert_in_range(at, 10, 1000);
}

static void full_disk_stops_export_and_import(void **state)
{
    struct fixture *fixture = *state;
    struct bundle_contents contents = {.checkpoint = fixture->id};
    const struct bundle_visitor nothing = {0};
    struct err err = ERR_INIT;
    uint64_t at;
    bool ok;

    for (at = 0, ok = false; !ok; at++) {
        test_fault_fail_from(at, ENOSPC);
        ok = bundle_export(fixture->from, &contents, fixture->path, NULL, &err);
        (void)test_fault_off();
        assert_true(ok || err.kind == ERR_NO_SPACE);
        if (file_exists(fixture->path)) /* whole, though perhaps not flushed */
            assert_true(bundle_read(fixture->path, &nothing, NULL, &err));
        else
            assert_false(ok);
        (void)unlink(fixture->path);
    }
    assert_in_range(at, 8, 100);
    export_with(fixture, NULL, 0);
    for (at = 0, ok = false; !ok; at++) {
        test_fault_fail_from(at, ENOSPC);
        ok = bundle_import(fixture->to, fixture->path, NULL, NULL, &err);
        (void)test_fault_off();
        assert_true(ok || err.kind == ERR_NO_SPACE);
        assert_int_equal(test_findings(fixture->to, NULL), 0);
    }
    assert_in_range(at, 8, 100);
    assert_true(test_matches(fixture->to, &fixture->id, &fixture->image, &err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(checkpoint_moves_from_store_to_store, setup, teardown),
        cmocka_unit_test_setup_teardown(import_of_what_is_there_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(equal_checkpoints_make_equal_bundles, setup, teardown),
        cmocka_unit_test_setup_teardown(blobs_travel_along, setup, teardown),
        cmocka_unit_test_setup_teardown(blobs_against_the_rules_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(export_of_an_absent_checkpoint_leaves_no_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(every_truncation_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(every_flipped_bit_under_a_right_hash_is_refused_or_harmless,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(bundle_that_lacks_chunks_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(other_files_are_no_bundles, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_import_leaves_a_sound_store, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_stops_export_and_import, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
