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
#include <string.h>
#include <sys/wait.h>
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

static struct gc_report collect(struct fixture *fixture, bool dry_run)
{
    struct gc_report report;
    struct err err = ERR_INIT;

    if (!store_gc(fixture->store, dry_run, &report, &err))
        fail_msg("%s", err.text);
    return report;
}

static void remove_tag(struct fixture *fixture, const char *name)
{
    struct err err = ERR_INIT;

    assert_true(store_tag_remove(fixture->store, name, &err));
}

static void copy_image(struct test_image *out, const struct test_image *image)
{
    test_image_init(out, image->shape.size);
    memcpy(out->data, image->data, (size_t)image->shape.size);
}

static void everything_tagged_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct hash id = test_freeze_ok(fixture->store, &fixture->image, 1, "first");
    struct gc_report report = collect(fixture, false);

    assert_int_equal(report.checkpoints_kept, 1);
    assert_int_equal(report.checkpoints_removed, 0);
    assert_int_equal(report.chunks_kept, 38 + 2);
    assert_int_equal(report.chunks_removed, 0);
    assert_int_equal(report.packs_removed, 0);
    assert_int_equal(report.bytes_before, report.bytes_after);
    assert_true(test_matches(fixture->store, &id, &fixture->image, &err));
}

static void untagged_goes_and_shared_stays(void **state)
{
    struct fixture *fixture = *state;
    struct store_statistics statistics;
    struct test_image first;
    struct err err = ERR_INIT;
    struct hash kept = test_freeze_ok(fixture->store, &fixture->image, 1, "first"), gone;
    struct gc_report report, foretold;

    copy_image(&first, &fixture->image);
    for (uint32_t i = 60; i < 70; i++)
        test_image_fill(&fixture->image, i, 1000 + i);
    gone = test_freeze_ok(fixture->store, &fixture->image, 2, "second");
    remove_tag(fixture, "second");
    foretold = collect(fixture, true);
    assert_true(test_matches(fixture->store, &gone, &fixture->image, &err));
    report = collect(fixture, false);
    assert_int_equal(report.checkpoints_removed, 1);
    assert_int_equal(report.chunks_removed,
                     10 + 3); /* and a leaf of 64 hashes or two, and the root */
    assert_int_equal(foretold.chunks_removed, report.chunks_removed);
    assert_int_equal(foretold.chunks_kept, report.chunks_kept);
    assert_int_equal(foretold.packs_removed, report.packs_removed);
    assert_int_equal(foretold.bytes_after, report.bytes_after);
    assert_true(store_statistics(fixture->store, &statistics, &err));
    assert_int_equal(statistics.chunks, 38 + 2);
    assert_int_equal(statistics.manifests, 1);
    assert_true(test_matches(fixture->store, &kept, &first, &err));
    assert_false(test_matches(fixture->store, &gone, &fixture->image, &err));
    assert_int_equal(test_findings(fixture->store, NULL), 0);
    test_image_release(&first);
}

/* The base of a delta is needed, though its own checkpoint is gone. */
static void bases_of_live_deltas_stay(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct gc_report report;
    struct hash id;

    (void)test_freeze_ok(fixture->store, &fixture->image, 1, "first");
    for (uint32_t i = 3; i <= 12; i++)
        fixture->image.data[i * IMAGE_CHUNK_SIZE + 9] ^= 1;
    id = test_freeze_ok(fixture->store, &fixture->image, 2, "second");
    remove_tag(fixture, "first");
    report = collect(fixture, false);
    assert_int_equal(report.checkpoints_removed, 1);
    assert_true(test_matches(fixture->store, &id, &fixture->image, &err));
    store_close(fixture->store);
    fixture->store = test_store_open(fixture->folder);
    assert_true(test_matches(fixture->store, &id, &fixture->image, &err));
    assert_int_equal(test_findings(fixture->store, NULL), 0);
    remove_tag(fixture, "second");
    report = collect(fixture, false);
    assert_int_equal(report.chunks_kept, 0);
    assert_int_equal(report.bytes_after, 0);
}

static void half_dead_pack_is_written_anew(void **state)
{
    struct fixture *fixture = *state;
    struct gc_report report;
    struct err err = ERR_INIT;
    struct hash id;

    (void)test_freeze_ok(fixture->store, &fixture->image, 1, "first");
    for (uint32_t i = 3; i <= 40; i += 2)
        test_image_fill(&fixture->image, i, 5000 + i);
    memset(fixture->image.nodes, 0, (size_t)fixture->image.shape.total * HASH_SIZE); /* no deltas */
    id = test_freeze_ok(fixture->store, &fixture->image, 2, "second");
    remove_tag(fixture, "first");
    report = collect(fixture, false);
    assert_int_equal(report.chunks_removed, 19 + 2);
    assert_int_equal(report.packs_removed, 1);
    assert_int_equal(report.packs_written, 1);
    assert_in_range(report.bytes_after, 1, report.bytes_before - 19 * 4096);
    assert_true(test_matches(fixture->store, &id, &fixture->image, &err));
    assert_int_equal(collect(fixture, false).packs_removed, 0);
}

static void pinned_checkpoint_stays(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct hash id = test_freeze_ok(fixture->store, &fixture->image, 1, NULL);
    struct store_pin *pin;

    assert_true(store_pin(fixture->store, &id, &pin, &err));
    assert_int_equal(collect(fixture, false).checkpoints_kept, 1);
    assert_true(test_matches(fixture->store, &id, &fixture->image, &err));
    /* freezing the same state again must not put another file in the pinned one's place */
    memset(fixture->image.nodes, 0, (size_t)fixture->image.shape.total * HASH_SIZE);
    (void)test_freeze_ok(fixture->store, &fixture->image, 1, NULL);
    assert_int_equal(collect(fixture, false).checkpoints_kept, 1);
    store_unpin(pin);
    assert_int_equal(collect(fixture, false).checkpoints_kept, 0);
}

/* A machine thawed from a pinned checkpoint freezes only what changed; gc ran in between. */
static void incremental_freeze_after_gc_is_whole(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct hash id = test_freeze_ok(fixture->store, &fixture->image, 1, NULL);
    struct store_pin *pin;

    assert_true(store_pin(fixture->store, &id, &pin, &err));
    (void)collect(fixture, false);
    test_image_fill(&fixture->image, 20, 777);
    id = test_freeze_ok(fixture->store, &fixture->image, 2, "second");
    store_unpin(pin);
    (void)collect(fixture, false);
    assert_true(test_matches(fixture->store, &id, &fixture->image, &err));
}

/* Without the pin the freeze is refused, not left with holes. */
static void incremental_freeze_without_pin_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    struct hash id = test_freeze_ok(fixture->store, &fixture->image, 1, NULL);

    (void)collect(fixture, false);
    test_image_fill(&fixture->image, 20, 777);
    assert_false(test_freeze(fixture->store, &fixture->image, 2, "second", &id, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "removed?"));
}

/* Runs in a child: what could be pinned must be whole for as long as it is pinned. */
static int pin_again_and_again(struct fixture *fixture)
{
    struct store *store = test_store_open(fixture->folder);
    struct err err = ERR_INIT;

    for (uint32_t round = 0; round < 60; round++) {
        struct store_pin *pin;
        struct hash id;
        test_image_fill(&fixture->image, 3, 7000 + round);
        memset(fixture->image.nodes, 0, (size_t)fixture->image.shape.total * HASH_SIZE);
        id = test_freeze_ok(store, &fixture->image, round, NULL);
        if (!store_pin(store, &id, &pin, &err)) {
            if (err.kind != ERR_NOT_FOUND)
                return 1;
            continue;
        }
        if (!test_matches(store, &id, &fixture->image, &err))
            return 2;
        store_unpin(pin);
    }
    return 0;
}

static void pin_holds_against_a_running_gc(void **state)
{
    struct fixture *fixture = *state;
    pid_t child = fork();
    pid_t ended = 0;
    int status = 0;

    assert_true(child >= 0);
    if (child == 0)
        _exit(pin_again_and_again(fixture));
    while (ended == 0) {
        (void)collect(fixture, false);
        ended = waitpid(child, &status, WNOHANG);
    }
    assert_int_equal(ended, child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    (void)collect(fixture, false);
    assert_int_equal(collect(fixture, false).chunks_kept, 0);
}

struct rival {
    struct store *store; /* another process's, as far as locks can tell */
    struct hash id;
    struct store_pin *pin;
};

static void rival_pins(void *context)
{
    struct rival *rival = context;
    struct err err = ERR_INIT;

    assert_true(store_pin(rival->store, &rival->id, &rival->pin, &err));
}

/* gc has looked for pins and not yet removed anything when the pin comes: at its first unlink, of a
 * leftover. */
static void pin_that_comes_while_gc_marks_is_honoured(void **state)
{
    struct fixture *fixture = *state;
    struct rival rival = {.store = test_store_open(fixture->folder)};
    struct gc_report report;
    struct err err = ERR_INIT;

    rival.id = test_freeze_ok(fixture->store, &fixture->image, 1, NULL);
    assert_true(file_write(test_path(fixture->folder, "tmp/tmp-abcdef"), span_of_text("x"), &err));
    /* the store's lock: open and flock; the manifest: flock to see whether it is pinned */
    test_fault_call_at(3, rival_pins, &rival);
    report = collect(fixture, false);
    (void)test_fault_off();
    assert_non_null(rival.pin);
    assert_int_equal(report.leftovers_removed, 1);
    assert_int_equal(report.checkpoints_kept, 1);
    assert_true(test_matches(rival.store, &rival.id, &fixture->image, &err));
    store_unpin(rival.pin);
    store_close(rival.store);
}

static void rival_removes(void *context)
{
    struct rival *rival = context;
    struct err err = ERR_INIT;

    assert_true(store_manifest_remove(rival->store, &rival->id, &err));
}

static void pin_of_what_is_removed_meanwhile_fails(void **state)
{
    struct fixture *fixture = *state;
    struct rival rival = {.store = test_store_open(fixture->folder)};
    struct store_pin *pin;
    struct err err = ERR_INIT;

    rival.id = test_freeze_ok(fixture->store, &fixture->image, 1, NULL);
    test_fault_call_at(0, rival_removes, &rival); /* opened, not yet locked */
    assert_false(store_pin(fixture->store, &rival.id, &pin, &err));
    (void)test_fault_off();
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    store_close(rival.store);
}

static void reader_survives_another_processs_gc(void **state)
{
    struct fixture *fixture = *state;
    struct store *reader = test_store_open(fixture->folder);
    struct err err = ERR_INIT;
    struct test_image first;
    struct hash id = test_freeze_ok(fixture->store, &fixture->image, 1, "first");

    copy_image(&first, &fixture->image);
    assert_true(test_matches(reader, &id, &first, &err));
    test_image_fill(&fixture->image, 4, 4242);
    memset(fixture->image.nodes, 0, (size_t)fixture->image.shape.total * HASH_SIZE);
    (void)test_freeze_ok(fixture->store, &fixture->image, 2, "second");
    remove_tag(fixture, "first");
    id = test_freeze_ok(fixture->store, &fixture->image, 3, "third");
    (void)collect(fixture, false);
    assert_true(test_matches(reader, &id, &fixture->image, &err));
    store_close(reader);
    test_image_release(&first);
}

static void many_small_packs_become_one(void **state)
{
    struct fixture *fixture = *state;
    struct store_statistics statistics;
    struct err err = ERR_INIT;
    struct hash ids[30];
    struct test_image copies[30];

    for (uint32_t i = 0; i < 30; i++) {
        char tag[16];
        snprintf(tag, sizeof tag, "t%u", i);
        fixture->image.data[(3 + i) * IMAGE_CHUNK_SIZE] ^= 7;
        ids[i] = test_freeze_ok(fixture->store, &fixture->image, i, tag);
        copy_image(&copies[i], &fixture->image);
    }
    (void)collect(fixture, false);
    assert_true(store_statistics(fixture->store, &statistics, &err));
    assert_int_equal(statistics.packs, 1);
    for (uint32_t i = 0; i < 30; i++) {
        assert_true(test_matches(fixture->store, &ids[i], &copies[i], &err));
        test_image_release(&copies[i]);
    }
    assert_int_equal(test_findings(fixture->store, NULL), 0);
}

static void leftovers_of_dead_writers_go(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;

    assert_true(file_write(test_path(fixture->folder, "tmp/tmp-abcdef"), span_of_text("x"), &err));
    assert_int_equal(collect(fixture, true).leftovers_removed, 1);
    assert_int_equal(collect(fixture, false).leftovers_removed, 1);
    assert_int_equal(collect(fixture, false).leftovers_removed, 0);
}

static void damaged_store_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct gc_report report;
    struct err err = ERR_INIT;
    char *pack;
    uint64_t size, after;

    (void)test_freeze_ok(fixture->store, &fixture->image, 1, "first");
    pack = test_only_file(fixture->folder, "packs", ".pack");
    assert_true(file_size(pack, &size, &err));
    test_flip_bit(pack, (size - 1) * 8);
    store_close(fixture->store);
    fixture->store = test_store_open(fixture->folder);
    assert_false(store_gc(fixture->store, false, &report, &err));
    assert_int_equal(err.kind, ERR_CORRUPT);
    assert_true(file_size(pack, &after, &err));
    mem_free(pack);
    test_cut(test_path(fixture->folder, "tags/first"), 10);
    assert_false(store_gc(fixture->store, false, &report, &err));
    assert_non_null(strstr(err.text, "tag first"));
}

/* Runs in a child. */
static void collect_and_die(struct fixture *fixture, uint64_t at)
{
    struct store *store = test_store_open(fixture->folder);
    struct gc_report report;
    struct err err = ERR_INIT;

    test_fault_kill_at(at);
    _exit(store_gc(store, false, &report, &err) ? 0 : 2);
}

static void killed_gc_loses_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct test_image kept;
    struct err err = ERR_INIT;
    struct hash id;
    bool finished = false;
    uint64_t at;

    (void)test_freeze_ok(fixture->store, &fixture->image, 0, "doomed");
    for (uint32_t i = 3; i <= 40; i += 3)
        test_image_fill(&fixture->image, i, 100 + i);
    id = test_freeze_ok(fixture->store, &fixture->image, 0, "kept");
    copy_image(&kept, &fixture->image);
    remove_tag(fixture, "doomed");
    for (at = 0; !finished; at++) {
        pid_t child;
        int status;
        /* more to collect, so that no round finds the last one's work done */
        test_image_fill(&fixture->image, 100, 9000 + (uint32_t)at);
        test_image_fill(&fixture->image, 5, 100 + (uint32_t)at % 7);
        (void)test_freeze_ok(fixture->store, &fixture->image, at, "doomed");
        remove_tag(fixture, "doomed");
        child = fork();
        assert_true(child >= 0);
        if (child == 0)
            collect_and_die(fixture, at);
        assert_int_equal(waitpid(child, &status, 0), child);
        finished = WIFEXITED(status);
        assert_int_equal(finished ? WEXITSTATUS(status) : WTERMSIG(status), finished ? 0 : SIGKILL);
        assert_int_equal(test_findings(fixture->store, NULL), 0);
        assert_true(test_matches(fixture->store, &id, &kept, &err));
        (void)collect(fixture, false); /* else each round has more to do than the last */
        memcpy(fixture->image.data, kept.data, (size_t)kept.shape.size);
        memset(fixture->image.nodes, 0, (size_t)fixture->image.shape.total * HASH_SIZE);
    }
    assert_in_range(at, 8, 1000);
    (void)collect(fixture, false);
    assert_int_equal(collect(fixture, false).chunks_removed, 0);
    test_image_release(&kept);
}

/* One pack, half dead; gc killed at one of its calls, then run whole. What it wrote the first time
 * comes out again the second time, under the same name. True if the first run was not killed. */
static bool collect_twice(uint32_t seed, uint64_t at)
{
    struct fixture fixture = {.folder = test_folder_make()};
    struct err err = ERR_INIT;
    bool finished;
    struct hash id;
    pid_t child;
    int status;

    fixture.store = test_store_open(fixture.folder);
    test_image_init(&fixture.image, MIB);
    for (uint32_t i = 0; i < 6; i++)
        test_image_fill(&fixture.image, i, seed * 10 + i);
    (void)test_freeze_ok(fixture.store, &fixture.image, 1, "doomed");
    memset(fixture.image.data, 0, 3 * IMAGE_CHUNK_SIZE);
    id = test_freeze_ok(fixture.store, &fixture.image, 2, "kept");
    remove_tag(&fixture, "doomed");
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        collect_and_die(&fixture, at);
    assert_int_equal(waitpid(child, &status, 0), child);
    finished = WIFEXITED(status);
    (void)collect(&fixture, false);
    assert_int_equal(test_findings(fixture.store, NULL), 0);
    assert_true(test_matches(fixture.store, &id, &fixture.image, &err));
    store_close(fixture.store);
    test_folder_remove(fixture.folder);
    test_image_release(&fixture.image);
    return finished;
}

static void gc_after_a_killed_gc_loses_nothing(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 6; seed++)
        for (uint64_t at = 0; !collect_twice(seed, at); at++)
            ;
}

static void full_disk_stops_gc_without_loss(void **state)
{
    struct fixture *fixture = *state;
    struct test_image kept;
    struct gc_report report;
    struct err err = ERR_INIT;
    struct hash id;

    (void)test_freeze_ok(fixture->store, &fixture->image, 0, "doomed");
    for (uint32_t i = 3; i <= 40; i += 3)
        test_image_fill(&fixture->image, i, 100 + i);
    id = test_freeze_ok(fixture->store, &fixture->image, 0, "kept");
    copy_image(&kept, &fixture->image);
    remove_tag(fixture, "doomed");
    for (uint64_t at = 0;; at++) {
        bool ok;
        test_fault_fail_from(at, ENOSPC);
        err = (struct err)ERR_INIT;
        ok = store_gc(fixture->store, false, &report, &err);
        (void)test_fault_off();
        if (ok)
            break;
        assert_int_equal(err.kind, ERR_NO_SPACE);
        assert_int_equal(test_findings(fixture->store, NULL), 0);
        assert_true(test_matches(fixture->store, &id, &kept, &err));
    }
    test_image_release(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_tagged_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(untagged_goes_and_shared_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(bases_of_live_deltas_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(half_dead_pack_is_written_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(pinned_checkpoint_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(incremental_freeze_after_gc_is_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(incremental_freeze_without_pin_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(pin_holds_against_a_running_gc, setup, teardown),
        cmocka_unit_test_setup_teardown(pin_that_comes_while_gc_marks_is_honoured, setup, teardown),
        cmocka_unit_test_setup_teardown(pin_of_what_is_removed_meanwhile_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(reader_survives_another_processs_gc, setup, teardown),
        cmocka_unit_test_setup_teardown(many_small_packs_become_one, setup, teardown),
        cmocka_unit_test_setup_teardown(leftovers_of_dead_writers_go, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_store_is_left_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(killed_gc_loses_nothing, setup, teardown),
        cmocka_unit_test(gc_after_a_killed_gc_loses_nothing),
        cmocka_unit_test_setup_teardown(full_disk_stops_gc_without_loss, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
