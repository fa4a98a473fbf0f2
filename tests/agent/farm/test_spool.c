#include "agent/farm/spool.h"

#include "storage/base/file.h"
#include "tests/support/base_test.h"
#include "tests/support/store_folder.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct fixture {
    char *folder;
    struct spool *spool;
    struct message *message;
    struct buf bytes;
};

static void fixture_open(struct fixture *fixture)
{
    struct err err = ERR_INIT;

    fixture->folder = base_folder_make();
    fixture->message = mem_alloc(sizeof *fixture->message);
    fixture->bytes = (struct buf)BUF_INIT(0);
    BASE_OK(spool_open(fixture->folder, &fixture->spool, &err), &err);
}

static void fixture_close(struct fixture *fixture)
{
    spool_close(fixture->spool);
    buf_release(&fixture->bytes);
    mem_free(fixture->message);
    base_folder_remove(fixture->folder);
}

static void put(struct fixture *fixture, uint64_t lease)
{
    struct message_job_result *result = mem_alloc(sizeof *result);
    struct err err = ERR_INIT;

    message_job_result_init(result);
    result->lease = lease;
    result->job = lease + 1000;
    result->attempt = 2;
    result->verdict = VERDICT_FAIL;
    result->exit_status = 3;
    result->instructions = 123456789;
    result->reason = span_of_text("it did not work");
    result->signature_title = span_of_text("fail: it did not work");
    result->signature.bytes[0] = 9;
    result->console.bytes[0] = 8;
    result->console_size = 77;
    result->artifacts[0] = (struct message_artifact){span_of_text("a/b.txt"), 5, {{7}}};
    result->artifact_count = 1;
    BASE_OK(spool_put(fixture->spool, result, &err), &err);
    mem_free(result);
}

static char *path_of(const struct fixture *fixture, uint64_t lease)
{
    char name[64];

    snprintf(name, sizeof name, "%016llx.result", (unsigned long long)lease);
    return path_join(fixture->folder, name);
}

static void result_comes_back_as_it_was_put(void **state)
{
    const struct message_job_result *result;
    struct fixture fixture;
    struct err err = ERR_INIT;

    (void)state;
    fixture_open(&fixture);
    put(&fixture, 42);
    BASE_OK(spool_get(fixture.spool, 42, &fixture.bytes, fixture.message, &err), &err);
    result = &fixture.message->u.result.results[0];
    assert_int_equal(result->lease, 42);
    assert_int_equal(result->job, 1042);
    assert_int_equal(result->attempt, 2);
    assert_int_equal(result->verdict, VERDICT_FAIL);
    assert_int_equal(result->exit_status, 3);
    assert_int_equal(result->instructions, 123456789);
    assert_true(span_equal(result->reason, span_of_text("it did not work")));
    assert_int_equal(result->artifact_count, 1);
    assert_true(span_equal(result->artifacts[0].name, span_of_text("a/b.txt")));
    BASE_OK(spool_remove(fixture.spool, 42, &err), &err);
    BASE_OK(spool_remove(fixture.spool, 42, &err), &err);
    BASE_FAILS(spool_get(fixture.spool, 42, &fixture.bytes, fixture.message, &err), &err,
               ERR_NOT_FOUND, "");
    fixture_close(&fixture);
}

static void what_is_there_is_found_again_in_order(void **state)
{
    const struct span none = {(const uint8_t *)"x", 1};
    const char *strangers[] = {"README", "0000000000000001.result.damaged", "1.result",
                               "000000000000000G.result"};
    struct spool_list list;
    struct fixture fixture;
    struct err err = ERR_INIT;

    (void)state;
    fixture_open(&fixture);
    put(&fixture, UINT64_MAX);
    put(&fixture, 3);
    put(&fixture, 0x1000);
    for (size_t i = 0; i < 4; i++)
        BASE_OK(file_write(test_path(fixture.folder, strangers[i]), none, &err), &err);
    spool_close(fixture.spool);
    BASE_OK(spool_open(fixture.folder, &fixture.spool, &err), &err);
    BASE_OK(spool_leases(fixture.spool, &list, &err), &err);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.leases[0], 3);
    assert_int_equal(list.leases[1], 0x1000);
    assert_true(list.leases[2] == UINT64_MAX);
    spool_list_release(&list);
    fixture_close(&fixture);
}

static void every_truncation_is_set_aside_and_named(void **state)
{
    struct fixture fixture;
    struct err err = ERR_INIT;
    uint64_t size;
    char *path;

    (void)state;
    fixture_open(&fixture);
    path = path_of(&fixture, 5);
    put(&fixture, 5);
    BASE_OK(file_size(path, &size, &err), &err);
    for (uint64_t cut = 0; cut < size; cut++) {
        put(&fixture, 5);
        test_cut(path, cut);
        BASE_FAILS(spool_get(fixture.spool, 5, &fixture.bytes, fixture.message, &err), &err,
                   ERR_CORRUPT, "0000000000000005.result.damaged");
        assert_false(file_exists(path));
        err = (struct err)ERR_INIT;
    }
    mem_free(path);
    fixture_close(&fixture);
}

static void every_changed_bit_is_set_aside(void **state)
{
    struct fixture fixture;
    struct err err = ERR_INIT;
    uint64_t size;
    char *path;

    (void)state;
    fixture_open(&fixture);
    path = path_of(&fixture, 5);
    put(&fixture, 5);
    BASE_OK(file_size(path, &size, &err), &err);
    for (uint64_t bit = 0; bit < 8 * size; bit += 3) {
        put(&fixture, 5);
        test_flip_bit(path, bit);
        BASE_FAILS(spool_get(fixture.spool, 5, &fixture.bytes, fixture.message, &err), &err,
                   ERR_CORRUPT, "damaged");
        err = (struct err)ERR_INIT;
    }
    mem_free(path);
    fixture_close(&fixture);
}

static void result_of_another_lease_is_damage(void **state)
{
    struct fixture fixture;
    struct err err = ERR_INIT;
    char *from, *to;

    (void)state;
    fixture_open(&fixture);
    put(&fixture, 5);
    from = path_of(&fixture, 5);
    to = path_of(&fixture, 6);
    assert_int_equal(rename(from, to), 0);
    BASE_FAILS(spool_get(fixture.spool, 6, &fixture.bytes, fixture.message, &err), &err,
               ERR_CORRUPT, "not the result of its lease");
    mem_free(from);
    mem_free(to);
    fixture_close(&fixture);
}

/* A file limit is as good as a full disk: the write stops in the middle. */
static void put_on_a_full_disk(void *context)
{
    const struct rlimit little = {100, 100};
    struct message_job_result *result = mem_alloc(sizeof *result);
    struct spool *spool = context;
    struct err err = ERR_INIT;

    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &little);
    message_job_result_init(result);
    result->lease = 7;
    result->attempt = 1;
    result->reason = span_of_text("a reason that is longer than what the disk has room for; it "
                                  "takes more than a hundred bytes to be told");
    _exit(spool_put(spool, result, &err) ? 1 : 0);
}

static void full_disk_leaves_no_half_result(void **state)
{
    struct name_list names;
    struct fixture fixture;
    struct err err = ERR_INIT;
    char errors[256];
    int status;

    (void)state;
    fixture_open(&fixture);
    status = base_child(put_on_a_full_disk, fixture.spool, errors, sizeof errors);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    BASE_OK(folder_list(fixture.folder, &names, &err), &err);
    assert_int_equal(names.count, 1);
    assert_string_equal(names.names[0], "lock");
    name_list_release(&names);
    assert_true(spool_has_room(fixture.spool, 1));
    assert_false(spool_has_room(fixture.spool, UINT64_MAX / 2));
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(result_comes_back_as_it_was_put),
        cmocka_unit_test(what_is_there_is_found_again_in_order),
        cmocka_unit_test(every_truncation_is_set_aside_and_named),
        cmocka_unit_test(every_changed_bit_is_set_aside),
        cmocka_unit_test(result_of_another_lease_is_damage),
        cmocka_unit_test(full_disk_leaves_no_half_result),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
