/* Freezing while the host fails: killed at any call, disk full, no rights, two processes at once.
 */
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
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB    (UINT64_C(1) << 20)
#define NOBODY 65534

struct fixture {
    char *folder;
    struct store *store;
    struct test_image image; /* 4 MiB, chunks 3 to 40 filled; frozen as "first" */
    struct test_image first; /* a copy */
    struct hash id;
};

static int setup(void **state)
{
    struct fixture *fixture = mem_alloc(sizeof *fixture);

    fixture->folder = test_folder_make();
    fixture->store = test_store_open(fixture->folder);
    test_image_init(&fixture->image, 4 * MIB);
    for (uint32_t i = 3; i <= 40; i++)
        test_image_fill(&fixture->image, i, i);
    fixture->id = test_freeze_ok(fixture->store, &fixture->image, 1, "first");
    test_image_init(&fixture->first, 4 * MIB);
    memcpy(fixture->first.data, fixture->image.data, 4 * MIB);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;

    (void)umount2(test_path(fixture->folder, "small"), MNT_DETACH); /* left by a failed test */
    store_close(fixture->store);
    test_folder_remove(fixture->folder);
    test_image_release(&fixture->image);
    test_image_release(&fixture->first);
    mem_free(fixture);
    return 0;
}

static void change(struct test_image *image, uint32_t seed)
{
    for (uint32_t i = 3; i <= 40; i += 2)
        image->data[i * IMAGE_CHUNK_SIZE + seed] ^= 1;
    for (uint32_t i = 60; i < 80; i++)
        test_image_fill(image, i, seed * 100 + i);
}

/* The first checkpoint is whole, the second is whole or not there, and fsck agrees. True if it is
 * there. */
static bool is_sound(struct fixture *fixture, const char *tag)
{
    struct err err = ERR_INIT;
    struct hash id;

    assert_int_equal(test_findings(fixture->store, NULL), 0);
    assert_true(test_matches(fixture->store, &fixture->id, &fixture->first, &err));
    if (!store_resolve(fixture->store, tag, &id, &err)) {
        assert_int_equal(err.kind, ERR_NOT_FOUND);
        return false;
    }
    assert_true(test_matches(fixture->store, &id, &fixture->image, &err));
    return true;
}

static void killed_freeze_leaves_a_sound_store(void **state)
{
    struct fixture *fixture = *state;
    struct err err = ERR_INIT;
    bool finished = false;
    struct hash id;
    uint64_t at;

    change(&fixture->image, 7);
    for (at = 0; !finished; at++) {
        pid_t child = fork();
        int status;
        assert_true(child >= 0);
        if (child == 0) {
            test_fault_kill_at(at);
            _exit(test_freeze(fixture->store, &fixture->image, 2, "second", &id, &err) ? 0 : 2);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        finished = WIFEXITED(status);
        assert_int_equal(finished ? WEXITSTATUS(status) : WTERMSIG(status), finished ? 0 : SIGKILL);
        assert_true(is_sound(fixture, "second") || !finished);
    }
    assert_in_range(at, 10, 1000);
}

static void full_disk_fails_the_freeze_and_nothing_else(void **state)
{
    static const int codes[] = {ENOSPC, EDQUOT, EIO};
    struct fixture *fixture = *state;
    struct test_image copy;
    struct hash id;

    change(&fixture->image, 7);
    for (size_t c = 0; c < sizeof codes / sizeof codes[0]; c++) {
        for (uint64_t at = 0;; at++) {
            struct err err = ERR_INIT;
            bool ok;
            test_image_init(&copy, 4 * MIB);
            memcpy(copy.data, fixture->image.data, 4 * MIB);
            copy.data[0] = (uint8_t)(c + 1);
            test_fault_fail_from(at, codes[c]);
            ok = test_freeze(fixture->store, &copy, 2, "other", &id, &err);
            (void)test_fault_off();
            test_image_release(&copy);
            (void)is_sound(fixture, "second");
            if (ok)
                break;
            assert_int_equal(err.kind, codes[c] == EIO ? ERR_IO : ERR_NO_SPACE);
        }
    }
}

/* The real thing: a small file system. */
static void small_file_system_fills_up_and_goes_on(void **state)
{
    struct fixture *fixture = *state;
    const char *folder = test_path(fixture->folder, "small");
    struct gc_report report;
    struct store *store;
    struct err err = ERR_INIT;
    struct hash id = {{0}};
    bool ok = true;
    uint32_t round;

    assert_true(folder_make(folder, &err));
    if (mount("none", folder, "tmpfs", 0, "size=2m") != 0)
        skip();
    store = test_store_open(folder);
    memset(fixture->image.nodes, 0, (size_t)fixture->image.shape.total * HASH_SIZE);
    for (round = 0; ok && round < 100; round++) {
        for (uint32_t i = 3; i <= 40; i++)
            test_image_fill(&fixture->image, i, 1000 * round + i);
        ok = test_freeze(store, &fixture->image, round, "tip", &id, &err);
    }
    assert_in_range(round, 3, 50);
    assert_int_equal(err.kind, ERR_NO_SPACE);
    assert_int_equal(test_findings(store, NULL), 0);
    assert_true(store_gc(store, false, &report, &err)); /* all but the tip */
    memset(fixture->image.nodes, 0, (size_t)fixture->image.shape.total * HASH_SIZE);
    id = test_freeze_ok(store, &fixture->image, round, "tip");
    assert_true(test_matches(store, &id, &fixture->image, &err));
    store_close(store);
    assert_int_equal(umount(folder), 0);
}

static void make_read_only(struct fixture *fixture)
{
    static const char *const names[] = {"packs", "manifests", "tags",   "tmp",
                                        "lock",  "cache",     "damaged"};

    assert_int_equal(chmod(fixture->folder, 0555), 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(chmod(test_path(fixture->folder, names[i]), 0555), 0);
}

/* Runs in a child that has no rights. Returns 0, or the number of what went wrong. */
static int use_without_rights(struct fixture *fixture)
{
    struct store_options options = {.create = true};
    struct err err = ERR_INIT;
    struct gc_report report;
    struct store_pin *pin;
    struct store *store;
    struct hash id;

    if (!store_open(fixture->folder, &options, &store, &err))
        return 1;
    if (!test_matches(store, &fixture->id, &fixture->first, &err))
        return 2;
    if (!store_pin(store, &fixture->id, &pin, &err))
        return 3;
    if (test_freeze(store, &fixture->image, 2, "second", &id, &err) || err.kind != ERR_ACCESS)
        return 4;
    if (strstr(err.text, fixture->folder) == NULL)
        return 5;
    if (store_gc(store, false, &report, &err) || err.kind != ERR_ACCESS)
        return 6;
    if (store_tag_remove(store, "first", &err) || err.kind != ERR_ACCESS)
        return 7;
    return test_findings(store, NULL) == 0 ? 0 : 8;
}

static void store_without_rights_can_be_read_only(void **state)
{
    struct fixture *fixture = *state;
    int status;
    pid_t child;

    change(&fixture->image, 7);
    make_read_only(fixture);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (getuid() == 0 && setuid(NOBODY) != 0)
            _exit(100);
        _exit(use_without_rights(fixture));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(chmod(fixture->folder, 0755), 0);
    assert_int_equal(chmod(test_path(fixture->folder, "cache"), 0755), 0);
}

#define WRITERS 3
#define ROUNDS  12

/* Runs in a child: freezes again and again, and reads back what it froze. */
static int write_rounds(struct fixture *fixture, uint32_t who)
{
    struct store *store = test_store_open(fixture->folder);
    struct err err = ERR_INIT;

    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct gc_report report;
        struct hash id;
        char tag[32];
        snprintf(tag, sizeof tag, "writer-%u", who);
        change(&fixture->image, round % 3 == 0 ? round : who * 50 + round);
        if (!test_freeze(store, &fixture->image, who * 100 + round, tag, &id, &err))
            return 1;
        if (round % 4 == who && !store_gc(store, false, &report, &err))
            return 2;
        if (!test_matches(store, &id, &fixture->image, &err))
            return 3;
    }
    return 0;
}

/* Writers share the base they came from, which a tag keeps; each runs gc now and then. */
static void processes_freeze_and_collect_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct store_statistics statistics;
    struct gc_report report;
    struct err err = ERR_INIT;
    pid_t children[WRITERS];

    for (uint32_t i = 0; i < WRITERS; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(write_rounds(fixture, i));
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    (void)is_sound(fixture, "none");
    assert_true(store_gc(fixture->store, false, &report, &err));
    assert_true(store_statistics(fixture->store, &statistics, &err));
    assert_int_equal(statistics.manifests, 1 + WRITERS);
    (void)is_sound(fixture, "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(killed_freeze_leaves_a_sound_store, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_fails_the_freeze_and_nothing_else, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(small_file_system_fills_up_and_goes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(store_without_rights_can_be_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(processes_freeze_and_collect_at_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
