/* An agent's store, alone and beside a coordinator's. */
#include "agent/farm/depot.h"

#include "storage/base/file.h"
#include "tests/support/base_test.h"
#include "tests/support/remote_server.h"
#include "tests/support/store_folder.h"
#include "tests/support/store_machine.h"

#include <string.h>

#define CHECKPOINTS 4

struct rig {
    char *there_folder, *here_folder;
    struct store *there;
    struct remote_faults faults;
    struct remote_server *server;
    struct depot *depot;
    struct test_image images[CHECKPOINTS];
    struct hash ids[CHECKPOINTS];
};

static int setup(void **state)
{
    struct rig *rig = mem_alloc(sizeof *rig);
    struct remote_options address = {.wait_ms = 1};
    struct err err = ERR_INIT;

    rig->there_folder = test_folder_make();
    rig->here_folder = test_folder_make();
    rig->there = test_store_open(rig->there_folder);
    for (uint32_t i = 0; i < CHECKPOINTS; i++) {
        char tag[16] = {'t', (char)('a' + i), 0};
        test_image_init(&rig->images[i], 1u << 20);
        for (uint32_t j = 0; j < 20; j++)
            test_image_fill(&rig->images[i], j, i * 100 + j + 1);
        rig->ids[i] = test_freeze_ok(rig->there, &rig->images[i], i, tag);
    }
    rig->server = remote_server_start(rig->there, &rig->faults);
    address.url = remote_server_url(rig->server);
    BASE_OK(depot_open(rig->here_folder, &address, &rig->depot, &err), &err);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    depot_close(rig->depot);
    remote_server_stop(rig->server);
    for (size_t i = 0; i < CHECKPOINTS; i++)
        test_image_release(&rig->images[i]);
    store_close(rig->there);
    test_folder_remove(rig->there_folder);
    test_folder_remove(rig->here_folder);
    mem_free(rig);
    return 0;
}

static void fetch(struct rig *rig, size_t index)
{
    struct err err = ERR_INIT;

    BASE_OK(depot_fetch_checkpoint(rig->depot, &rig->ids[index], &err), &err);
    BASE_OK(test_matches(depot_store(rig->depot), &rig->ids[index], &rig->images[index], &err),
            &err);
}

static void the_last_used_is_named_first(void **state)
{
    struct rig *rig = *state;
    struct hash cached[8];

    fetch(rig, 0);
    fetch(rig, 1);
    fetch(rig, 2);
    fetch(rig, 0);
    assert_int_equal(depot_cached(rig->depot, cached, 8), 3);
    assert_true(hash_equal(&cached[0], &rig->ids[0]));
    assert_true(hash_equal(&cached[1], &rig->ids[2]));
    assert_true(hash_equal(&cached[2], &rig->ids[1]));
    assert_int_equal(depot_cached(rig->depot, cached, 2), 2);
}

static void checkpoints_of_an_earlier_life_are_cached_too(void **state)
{
    struct rig *rig = *state;
    struct remote_options address = {.url = remote_server_url(rig->server)};
    struct err err = ERR_INIT;
    struct hash cached[8];

    fetch(rig, 3);
    depot_close(rig->depot);
    BASE_OK(depot_open(rig->here_folder, &address, &rig->depot, &err), &err);
    assert_int_equal(depot_cached(rig->depot, cached, 8), 1);
    assert_true(hash_equal(&cached[0], &rig->ids[3]));
}

static void trimming_takes_what_was_used_longest_ago(void **state)
{
    struct rig *rig = *state;
    struct store_statistics all, after;
    struct err err = ERR_INIT;
    struct hash cached[8];

    for (size_t i = 0; i < CHECKPOINTS; i++)
        fetch(rig, i);
    fetch(rig, 0);
    BASE_OK(store_statistics(depot_store(rig->depot), &all, &err), &err);
    BASE_OK(depot_trim(rig->depot, all.stored_bytes, &clock_host, &err), &err);
    assert_int_equal(depot_cached(rig->depot, cached, 8), CHECKPOINTS);
    BASE_OK(depot_trim(rig->depot, all.stored_bytes * 5 / 8, &clock_host, &err), &err);
    assert_int_equal(depot_cached(rig->depot, cached, 8), 2);
    assert_true(hash_equal(&cached[0], &rig->ids[0]));
    assert_true(hash_equal(&cached[1], &rig->ids[3]));
    BASE_OK(store_statistics(depot_store(rig->depot), &after, &err), &err);
    assert_true(after.stored_bytes <= all.stored_bytes * 5 / 8);
    fetch(rig, 1); /* again */
}

static void a_shared_store_is_never_trimmed(void **state)
{
    struct rig *rig = *state;
    struct depot *depot;
    struct err err = ERR_INIT;
    struct hash cached[8];

    BASE_OK(depot_open(rig->there_folder, NULL, &depot, &err), &err);
    BASE_OK(depot_trim(depot, 0, &clock_host, &err), &err);
    assert_int_equal(depot_cached(depot, cached, 8), CHECKPOINTS);
    depot_close(depot);
}

static void a_shared_store_fetches_nothing(void **state)
{
    struct rig *rig = *state;
    struct hash unknown = hash_of(span_of_text("unknown")), id;
    struct buf bytes = BUF_INIT(100);
    struct depot *depot;
    struct err err = ERR_INIT;

    BASE_OK(depot_open(rig->there_folder, NULL, &depot, &err), &err);
    BASE_OK(depot_fetch_checkpoint(depot, &rig->ids[1], &err), &err);
    BASE_FAILS(depot_fetch_checkpoint(depot, &unknown, &err), &err, ERR_NOT_FOUND, "is not in");
    BASE_OK(depot_push_blob(depot, span_of_text("log"), &id, &err), &err);
    BASE_OK(depot_read_blob(depot, &id, &bytes, &err), &err);
    BASE_OK(depot_push_checkpoint(depot, &rig->ids[1], &err), &err);
    assert_int_equal(remote_server_requests(rig->server), 0);
    buf_release(&bytes);
    depot_close(depot);
}

static void blobs_go_there_and_come_from_there(void **state)
{
    struct rig *rig = *state;
    struct buf bytes = BUF_INIT(100);
    struct err err = ERR_INIT;
    struct hash mine, theirs;

    BASE_OK(depot_push_blob(rig->depot, span_of_text("mine"), &mine, &err), &err);
    BASE_OK(store_blob_get(rig->there, &mine, &bytes, &err), &err);
    BASE_OK(store_blob_put(rig->there, span_of_text("theirs"), &theirs, &err), &err);
    BASE_OK(depot_read_blob(rig->depot, &theirs, &bytes, &err), &err);
    assert_true(span_equal(buf_span(&bytes), span_of_text("minetheirs")));
    buf_release(&bytes);
}

static void what_was_booted_here_goes_there_with_its_facts(void **state)
{
    struct rig *rig = *state;
    struct store *here = depot_store(rig->depot);
    struct store_tag tag, there;
    struct err err = ERR_INIT;
    char name[STORE_NAME_MAX + 1] = "id/";
    struct hash id;

    test_image_release(&rig->images[0]);
    test_image_init(&rig->images[0], 1u << 20);
    test_image_fill(&rig->images[0], 3, 77);
    id = test_freeze_ok(here, &rig->images[0], 99, "booted");
    BASE_OK(store_tag_get(here, "booted", &tag, &err), &err);
    store_tag_set_fact(&tag, "console", "board.uart0");
    BASE_OK(store_tag_set(here, &tag, &err), &err);
    store_tag_release(&tag);
    BASE_OK(depot_push_checkpoint(rig->depot, &id, &err), &err);
    memcpy(name + 3, hash_hex(&id).text, HASH_HEX_SIZE);
    BASE_OK(store_tag_get(rig->there, name, &there, &err), &err);
    assert_non_null(strstr(store_tag_fact(&there, "body"), "board.uart0"));
    store_tag_release(&there);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_last_used_is_named_first),
        T(checkpoints_of_an_earlier_life_are_cached_too),
        T(trimming_takes_what_was_used_longest_ago),
        T(a_shared_store_is_never_trimmed),
        T(a_shared_store_fetches_nothing),
        T(blobs_go_there_and_come_from_there),
        T(what_was_booted_here_goes_there_with_its_facts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
