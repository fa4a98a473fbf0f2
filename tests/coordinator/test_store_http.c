/* The store over HTTP: a real server, the real client. */
#include "coordinator/store_http.h"

#include "coordinator/queue/tokens.h"
#include "storage/remote/remote.h"
#include "tests/support/base_test.h"
#include "tests/support/store_folder.h"
#include "tests/support/store_machine.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct rig {
    char *there_folder, *here_folder;
    struct store *there, *here;
    struct store_http store_http;
    uint32_t role; /* of whoever asks */
    struct http *http;
    struct remote *remote;
    struct test_image image;
    struct hash first, second;
};

static bool allow(void *context, struct http_exchange *exchange, struct err *err)
{
    struct rig *rig = context;

    http_set_identity(exchange, "tester", rig->role);
    if ((http_request_route(exchange)->roles & 1u << rig->role) != 0)
        return true;
    return err_set(err, ERR_ACCESS, "the role does not allow this");
}

static int setup(void **state)
{
    struct rig *rig = mem_alloc(sizeof *rig);
    struct remote_options address = {.wait_ms = 1};
    struct http_options options = {.address = "127.0.0.1", .table_count = 1};
    struct http_table table;
    struct err err = ERR_INIT;
    char url[64];

    rig->there_folder = test_folder_make();
    rig->here_folder = test_folder_make();
    rig->there = test_store_open(rig->there_folder);
    rig->here = test_store_open(rig->here_folder);
    test_image_init(&rig->image, 2u << 20);
    for (uint64_t i = 0; i < 30; i++)
        test_image_fill(&rig->image, i, (uint32_t)i + 1);
    rig->first = test_freeze_ok(rig->there, &rig->image, 1, "first");
    test_image_fill(&rig->image, 3, 500);
    rig->second = test_freeze_ok(rig->there, &rig->image, 2, "second");
    rig->store_http.store = rig->there;
    rig->store_http.clock = &clock_host;
    rig->role = QUEUE_ROLE_AGENT;
    table = store_http_table(&rig->store_http);
    options.tables = &table;
    options.clock = &clock_host;
    options.allow = allow;
    options.allow_context = rig;
    BASE_OK(http_open(&options, &rig->http, &err), &err);
    snprintf(url, sizeof url, "http://127.0.0.1:%u/api/v1", http_port(rig->http));
    address.url = url;
    BASE_OK(remote_open(&address, &rig->remote, &err), &err);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    remote_close(rig->remote);
    http_close(rig->http);
    test_image_release(&rig->image);
    store_close(rig->there);
    store_close(rig->here);
    test_folder_remove(rig->there_folder);
    test_folder_remove(rig->here_folder);
    mem_free(rig);
    return 0;
}

static void a_checkpoint_comes_whole_with_its_facts(void **state)
{
    struct rig *rig = *state;
    struct store_tag tag;
    struct err err = ERR_INIT;
    char name[STORE_NAME_MAX + 1];

    BASE_OK(store_tag_get(rig->there, "second", &tag, &err), &err);
    store_tag_set_fact(&tag, "prompt", "# \"$\" \\ ü");
    BASE_OK(store_tag_set(rig->there, &tag, &err), &err);
    store_tag_release(&tag);
    BASE_OK(remote_fetch_checkpoint(rig->remote, rig->here, &rig->second, &err), &err);
    BASE_OK(test_matches(rig->here, &rig->second, &rig->image, &err), &err);
    snprintf(name, sizeof name, "id/%s", hash_hex(&rig->second).text);
    BASE_OK(store_tag_get(rig->here, name, &tag, &err), &err);
    assert_string_equal(store_tag_fact(&tag, "prompt"), "# \"$\" \\ ü");
    store_tag_release(&tag);
    assert_true(rig->store_http.parts_out >= 3);
}

static void a_checkpoint_goes_there_with_its_facts(void **state)
{
    struct rig *rig = *state;
    struct store_tag tag, there;
    struct err err = ERR_INIT;
    char name[STORE_NAME_MAX + 1];
    struct hash id;

    test_image_release(&rig->image);
    test_image_init(&rig->image, 1u << 20);
    test_image_fill(&rig->image, 5, 700);
    id = test_freeze_ok(rig->here, &rig->image, 3, "mine");
    BASE_OK(store_tag_get(rig->here, "mine", &tag, &err), &err);
    store_tag_set_fact(&tag, "prompt", "login:");
    BASE_OK(remote_push_checkpoint(rig->remote, rig->here, &id, &tag, &err), &err);
    store_tag_release(&tag);
    BASE_OK(test_matches(rig->there, &id, &rig->image, &err), &err);
    snprintf(name, sizeof name, "id/%s", hash_hex(&id).text);
    BASE_OK(store_tag_get(rig->there, name, &there, &err), &err);
    assert_string_equal(store_tag_fact(&there, "prompt"), "login:");
    assert_string_equal(there.made_by, "tester");
    store_tag_release(&there);
    assert_int_equal(test_findings(rig->there, NULL), 0);
}

static void blobs_go_both_ways(void **state)
{
    struct rig *rig = *state;
    struct buf bytes = BUF_INIT(4u << 20), out = BUF_INIT(8u << 20);
    struct err err = ERR_INIT;
    struct hash mine, theirs;

    for (uint32_t i = 0; i < 300000; i++)
        assert_true(buf_append(&bytes, &i, sizeof i, &err));
    BASE_OK(store_blob_put(rig->here, buf_span(&bytes), &mine, &err), &err);
    BASE_OK(store_blob_put(rig->there, span_of_text("theirs"), &theirs, &err), &err);
    BASE_OK(remote_push_blob(rig->remote, rig->here, &mine, &err), &err);
    BASE_OK(remote_push_blob(rig->remote, rig->here, &mine, &err), &err);
    BASE_OK(remote_fetch_blob(rig->remote, rig->here, &theirs, &err), &err);
    BASE_OK(store_blob_get(rig->there, &mine, &out, &err), &err);
    assert_true(span_equal(buf_span(&out), buf_span(&bytes)));
    assert_int_equal(rig->store_http.parts_in, 1);
    assert_int_equal(rig->store_http.bytes_in, bytes.size);
    buf_release(&bytes);
    buf_release(&out);
}

static void half_of_a_part_is_gone_on_with(void **state)
{
    struct rig *rig = *state;
    struct exchange_pack_list packs;
    struct intake *intake;
    struct err err = ERR_INIT;
    uint8_t half[20000];
    uint64_t size;
    int fd;

    BASE_OK(exchange_packs(rig->there, &rig->first, &packs, &err), &err);
    BASE_OK(exchange_open(rig->there, EXCHANGE_PACK, packs.items[0].name, &fd, &size, &err), &err);
    assert_true(size > sizeof half);
    assert_int_equal(pread(fd, half, sizeof half, 0), sizeof half);
    close(fd);
    BASE_OK(intake_open(rig->here, EXCHANGE_PACK, packs.items[0].name, &intake, &err), &err);
    BASE_OK(intake_add(intake, (struct span){half, sizeof half}, &err), &err);
    intake_pause(intake);
    BASE_OK(remote_fetch_checkpoint(rig->remote, rig->here, &rig->second, &err), &err);
    BASE_OK(test_matches(rig->here, &rig->second, &rig->image, &err), &err);
    exchange_pack_list_release(&packs);
}

/* What is refused stays refused: nothing of it is in the store. */
static void put_refused(struct rig *rig, const char *path, const char *body, enum err_kind kind,
                        const char *says)
{
    struct buf reply = BUF_INIT(65536);
    struct err err = ERR_INIT;

    BASE_FAILS(remote_call(rig->remote, "PUT", path, span_of_text(body), &reply, &err), &err, kind,
               says);
    buf_release(&reply);
}

static void what_lies_is_refused(void **state)
{
    struct rig *rig = *state;
    struct hash id = hash_of(span_of_text("right"));
    char path[128];

    snprintf(path, sizeof path, "store/blobs/%s", hash_hex(&id).text);
    put_refused(rig, path, "wrong", ERR_CORRUPT, "hash");
    assert_false(exchange_has(rig->there, EXCHANGE_BLOB, hash_hex(&id).text));
    snprintf(path, sizeof path, "store/packs/%s.pack", hash_hex(&id).text);
    put_refused(rig, path, "no pack at all", ERR_CORRUPT, "pack");
    snprintf(path, sizeof path, "store/manifests/%s", hash_hex(&id).text);
    put_refused(rig, path, "right", ERR_CORRUPT, "");
    assert_int_equal(test_findings(rig->there, NULL), 0);
}

static void paths_lead_nowhere_else(void **state)
{
    struct rig *rig = *state;

    put_refused(rig, "store/blobs/..%2fformat", "x", ERR_USAGE, "");
    put_refused(rig, "store/blobs/%2e%2e", "x", ERR_USAGE, "");
    put_refused(rig, "store/blobs/format", "x", ERR_USAGE, "64 hex digits");
    put_refused(rig, "store/packs/x.pack", "x", ERR_USAGE, "64 hex digits");
    put_refused(rig, "store/checkpoints/zz", "{}", ERR_USAGE, "");
}

static void facts_must_be_texts(void **state)
{
    struct rig *rig = *state;
    char path[128];

    snprintf(path, sizeof path, "store/checkpoints/%s", hash_hex(&rig->first).text);
    put_refused(rig, path, "nonsense", ERR_USAGE, "JSON");
    put_refused(rig, path, "[]", ERR_USAGE, "JSON");
    put_refused(rig, path, "{\"facts\":{\"a\":1}}", ERR_USAGE, "\"a\"");
    put_refused(rig, path, "{\"facts\":[]}", ERR_USAGE, "facts");
}

static void facts_of_a_checkpoint_that_is_not_there_are_refused(void **state)
{
    struct rig *rig = *state;
    struct hash id = hash_of(span_of_text("none"));
    char path[128];

    snprintf(path, sizeof path, "store/checkpoints/%s", hash_hex(&id).text);
    put_refused(rig, path, "{\"facts\":{}}", ERR_NOT_FOUND, "");
}

static void readers_do_not_write(void **state)
{
    struct rig *rig = *state;
    struct hash id = hash_of(span_of_text("right"));
    struct err err = ERR_INIT;
    char path[128];

    rig->role = QUEUE_ROLE_READ;
    snprintf(path, sizeof path, "store/blobs/%s", hash_hex(&id).text);
    put_refused(rig, path, "right", ERR_ACCESS, "role");
    assert_false(exchange_has(rig->there, EXCHANGE_BLOB, hash_hex(&id).text));
    BASE_OK(remote_fetch_checkpoint(rig->remote, rig->here, &rig->first, &err), &err);
}

static void tags_are_listed(void **state)
{
    struct rig *rig = *state;
    struct buf reply = BUF_INIT(65536);
    struct err err = ERR_INIT;
    json_t *json, *tags;

    BASE_OK(remote_call(rig->remote, "GET", "store/tags", (struct span){0}, &reply, &err), &err);
    json = json_loadb((const char *)reply.data, reply.size, 0, NULL);
    tags = json_object_get(json, "tags");
    assert_int_equal(json_array_size(tags), 2);
    assert_string_equal(json_string_value(json_object_get(json_array_get(tags, 0), "name")),
                        "first");
    assert_string_equal(json_string_value(json_object_get(json_array_get(tags, 1), "checkpoint")),
                        hash_hex(&rig->second).text);
    json_decref(json);
    buf_release(&reply);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_checkpoint_comes_whole_with_its_facts),
        T(a_checkpoint_goes_there_with_its_facts),
        T(blobs_go_both_ways),
        T(half_of_a_part_is_gone_on_with),
        T(what_lies_is_refused),
        T(paths_lead_nowhere_else),
        T(facts_must_be_texts),
        T(facts_of_a_checkpoint_that_is_not_there_are_refused),
        T(readers_do_not_write),
        T(tags_are_listed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
