/* Another store over HTTP, and what can go wrong on the way. */
#include "storage/remote/remote.h"

#include "storage/base/file.h"
#include "tests/support/base_test.h"
#include "tests/support/remote_server.h"
#include "tests/support/store_folder.h"
#include "tests/support/store_machine.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct rig {
    char *there_folder, *here_folder;
    struct store *there, *here;
    struct remote_faults faults;
    struct remote_server *server;
    struct remote *remote;
    struct test_image image;
    struct hash first, second;
};

static struct remote *connect_with(const struct rig *rig, const char *token)
{
    struct remote_options options = {
        .url = remote_server_url(rig->server), .token = token, .wait_ms = 1};
    struct remote *remote;
    struct err err = ERR_INIT;

    assert_true(remote_open(&options, &remote, &err));
    return remote;
}

static int setup(void **state)
{
    struct rig *rig = mem_alloc(sizeof *rig);

    rig->there_folder = test_folder_make();
    rig->here_folder = test_folder_make();
    rig->there = test_store_open(rig->there_folder);
    rig->here = test_store_open(rig->here_folder);
    test_image_init(&rig->image, 4u << 20);
    for (uint64_t i = 0; i < 60; i++)
        test_image_fill(&rig->image, i, (uint32_t)i + 1);
    rig->first = test_freeze_ok(rig->there, &rig->image, 1, "first");
    test_image_fill(&rig->image, 3, 500);
    rig->second = test_freeze_ok(rig->there, &rig->image, 2, "second");
    rig->server = remote_server_start(rig->there, &rig->faults);
    rig->remote = connect_with(rig, NULL);
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    remote_close(rig->remote);
    remote_server_stop(rig->server);
    test_image_release(&rig->image);
    store_close(rig->there);
    store_close(rig->here);
    test_folder_remove(rig->there_folder);
    test_folder_remove(rig->here_folder);
    mem_free(rig);
    return 0;
}

static void fetch_second(struct rig *rig)
{
    struct err err = ERR_INIT;

    if (!remote_fetch_checkpoint(rig->remote, rig->here, &rig->second, &err))
        fail_msg("%s", err.text);
    BASE_OK(test_matches(rig->here, &rig->second, &rig->image, &err), &err);
    assert_int_equal(test_findings(rig->here, NULL), 0);
}

static void a_checkpoint_is_fetched_with_its_facts(void **state)
{
    struct rig *rig = *state;
    struct store_tag tag;
    struct err err = ERR_INIT;
    char name[STORE_NAME_MAX + 1];

    fetch_second(rig);
    snprintf(name, sizeof name, "id/%s", hash_hex(&rig->second).text);
    assert_true(store_tag_get(rig->here, name, &tag, &err));
    assert_string_equal(store_tag_fact(&tag, "prompt"), "# $");
    store_tag_release(&tag);
}

static void what_is_there_is_not_fetched_again(void **state)
{
    struct rig *rig = *state;
    unsigned requests;

    fetch_second(rig);
    requests = remote_server_requests(rig->server);
    fetch_second(rig);
    assert_int_equal(remote_server_requests(rig->server), requests);
}

static void packs_that_are_there_are_not_fetched_again(void **state)
{
    struct rig *rig = *state;
    struct err err = ERR_INIT;
    unsigned requests;

    assert_true(remote_fetch_checkpoint(rig->remote, rig->here, &rig->first, &err));
    requests = remote_server_requests(rig->server);
    fetch_second(rig);
    /* the description, one pack, the manifest */
    assert_int_equal(remote_server_requests(rig->server), requests + 3);
}

static void a_cut_reply_goes_on_where_it_was(void **state)
{
    struct rig *rig = *state;
    uint64_t whole;
    struct err err = ERR_INIT;
    struct gc_report report;

    fetch_second(rig);
    whole = remote_server_sent(rig->server);
    store_close(rig->here);
    assert_true(file_remove(rig->here_folder, &err));
    rig->here = test_store_open(rig->here_folder);
    rig->faults.cut_after = 3;
    rig->faults.cut_bytes = 30000;
    fetch_second(rig);
    assert_int_equal(rig->faults.cut_after, 0);
    assert_int_equal(remote_server_sent(rig->server), 2 * whole);
    assert_true(store_gc(rig->here, false, &report, &err));
    assert_int_equal(report.leftovers_removed, 0);
}

static void a_server_without_ranges_sends_all_again(void **state)
{
    struct rig *rig = *state;

    rig->faults.no_ranges = true;
    rig->faults.cut_after = 2;
    rig->faults.cut_bytes = 30000;
    fetch_second(rig);
}

static void a_server_in_trouble_is_asked_again(void **state)
{
    struct rig *rig = *state;

    rig->faults.refuse_500 = REMOTE_TRIES - 1;
    fetch_second(rig);
}

static void a_server_that_stays_in_trouble_is_named(void **state)
{
    struct rig *rig = *state;
    struct err err = ERR_INIT;

    rig->faults.refuse_500 = 1000;
    assert_false(remote_fetch_checkpoint(rig->remote, rig->here, &rig->second, &err));
    assert_int_equal(err.kind, ERR_IO);
    assert_non_null(strstr(err.text, remote_server_url(rig->server)));
    assert_non_null(strstr(err.text, "status 500: not now"));
    assert_false(exchange_has(rig->here, EXCHANGE_MANIFEST, hash_hex(&rig->second).text));
}

static void an_altered_part_is_fetched_once_more(void **state)
{
    struct rig *rig = *state;

    rig->faults.flip = 1;
    fetch_second(rig);
    assert_int_equal(rig->faults.flip, 0);
}

static void a_server_that_lies_is_not_believed(void **state)
{
    struct rig *rig = *state;
    struct err err = ERR_INIT;

    rig->faults.flip = 1000;
    assert_false(remote_fetch_checkpoint(rig->remote, rig->here, &rig->second, &err));
    assert_true(err.kind == ERR_CORRUPT || err.kind == ERR_UNSUPPORTED);
    assert_false(exchange_has(rig->here, EXCHANGE_MANIFEST, hash_hex(&rig->second).text));
    assert_int_equal(test_findings(rig->here, &err), 0);
}

static void a_description_without_packs_is_refused(void **state)
{
    struct rig *rig = *state;
    struct err err = ERR_INIT;

    rig->faults.no_facts = true;
    assert_false(remote_fetch_checkpoint(rig->remote, rig->here, &rig->second, &err));
    assert_int_equal(err.kind, ERR_INVALID);
    assert_non_null(strstr(err.text, "packs"));
}

static void an_unknown_checkpoint_is_not_found(void **state)
{
    struct rig *rig = *state;
    struct hash id = hash_of(span_of_text("none"));
    struct err err = ERR_INIT;

    assert_false(remote_fetch_checkpoint(rig->remote, rig->here, &id, &err));
    assert_int_equal(err.kind, ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "no such checkpoint"));
}

static void the_token_is_shown(void **state)
{
    struct rig *rig = *state;
    struct err err = ERR_INIT;

    rig->faults.token = "secret";
    assert_false(remote_fetch_checkpoint(rig->remote, rig->here, &rig->second, &err));
    assert_int_equal(err.kind, ERR_ACCESS);
    remote_close(rig->remote);
    rig->remote = connect_with(rig, "secret");
    fetch_second(rig);
}

static void a_checkpoint_is_pushed_with_its_facts(void **state)
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
    assert_true(store_tag_get(rig->here, "mine", &tag, &err));
    store_tag_set_fact(&tag, "prompt", "login:");
    assert_true(remote_push_checkpoint(rig->remote, rig->here, &id, &tag, &err));
    store_tag_release(&tag);
    store_close(rig->there);
    rig->there = test_store_open(rig->there_folder);
    assert_true(test_matches(rig->there, &id, &rig->image, &err));
    snprintf(name, sizeof name, "id/%s", hash_hex(&id).text);
    assert_true(store_tag_get(rig->there, name, &there, &err));
    assert_string_equal(store_tag_fact(&there, "body"), "{\"facts\":{\"prompt\":\"login:\"}}");
    store_tag_release(&there);
}

static void blobs_go_both_ways(void **state)
{
    struct rig *rig = *state;
    struct buf out = BUF_INIT(1000);
    struct err err = ERR_INIT;
    struct hash mine, theirs;

    assert_true(store_blob_put(rig->here, span_of_text("mine"), &mine, &err));
    assert_true(store_blob_put(rig->there, span_of_text("theirs"), &theirs, &err));
    assert_true(remote_push_blob(rig->remote, rig->here, &mine, &err));
    assert_true(remote_push_blob(rig->remote, rig->here, &mine, &err));
    assert_true(remote_fetch_blob(rig->remote, rig->here, &theirs, &err));
    assert_true(store_blob_get(rig->there, &mine, &out, &err));
    assert_true(store_blob_get(rig->here, &theirs, &out, &err));
    assert_true(span_equal(buf_span(&out), span_of_text("minetheirs")));
    buf_release(&out);
}

static void only_http_is_an_address(void **state)
{
    static const char *const urls[] = {"ftp://host/", "file:///etc/passwd", "host:80", ""};
    struct remote *remote;

    (void)state;
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        struct remote_options options = {.url = urls[i]};
        struct err err = ERR_INIT;
        assert_false(remote_open(&options, &remote, &err));
        assert_int_equal(err.kind, ERR_USAGE);
    }
}

static void nobody_there_is_said_so(void **state)
{
    struct remote_options options = {.url = "http://127.0.0.1:1/api", .wait_ms = 1};
    struct rig *rig = *state;
    struct remote *remote;
    struct err err = ERR_INIT;

    assert_true(remote_open(&options, &remote, &err));
    assert_false(remote_fetch_checkpoint(remote, rig->here, &rig->second, &err));
    assert_int_equal(err.kind, ERR_IO);
    assert_non_null(strstr(err.text, "http://127.0.0.1:1/api/store/checkpoints/"));
    remote_close(remote);
}

/* Accepts, and closes. */
struct closer {
    int listener;
    unsigned accepted;
};

static void *accept_and_close(void *context)
{
    struct closer *closer = context;

    for (int fd; (fd = accept(closer->listener, NULL, NULL)) >= 0; closer->accepted++)
        close(fd);
    return NULL;
}

static void who_is_sent_away_comes_again(void **state)
{
    static const char *const schemes[] = {"http", "https"};
    struct rig *rig = *state;

    for (size_t i = 0; i < 2; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET};
        socklen_t size = sizeof address;
        struct closer closer = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 0};
        struct err err = ERR_INIT;
        struct remote *remote;
        pthread_t thread;
        char url[64];
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(bind(closer.listener, (struct sockaddr *)&address, size), 0);
        assert_int_equal(listen(closer.listener, 16), 0);
        assert_int_equal(getsockname(closer.listener, (struct sockaddr *)&address, &size), 0);
        assert_int_equal(pthread_create(&thread, NULL, accept_and_close, &closer), 0);
        snprintf(url, sizeof url, "%s://127.0.0.1:%u/api", schemes[i], ntohs(address.sin_port));
        struct remote_options options = {.url = url, .wait_ms = 1};
        assert_true(remote_open(&options, &remote, &err));
        assert_false(remote_fetch_checkpoint(remote, rig->here, &rig->second, &err));
        assert_int_equal(err.kind, ERR_IO);
        remote_close(remote);
        assert_int_equal(shutdown(closer.listener, SHUT_RDWR), 0); /* ends the thread */
        assert_int_equal(pthread_join(thread, NULL), 0);
        close(closer.listener);
        assert_int_equal(closer.accepted, REMOTE_TRIES);
    }
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(a_checkpoint_is_fetched_with_its_facts),
        T(what_is_there_is_not_fetched_again),
        T(packs_that_are_there_are_not_fetched_again),
        T(a_cut_reply_goes_on_where_it_was),
        T(a_server_without_ranges_sends_all_again),
        T(a_server_in_trouble_is_asked_again),
        T(a_server_that_stays_in_trouble_is_named),
        T(an_altered_part_is_fetched_once_more),
        T(a_server_that_lies_is_not_believed),
        T(a_description_without_packs_is_refused),
        T(an_unknown_checkpoint_is_not_found),
        T(the_token_is_shown),
        T(a_checkpoint_is_pushed_with_its_facts),
        T(blobs_go_both_ways),
        cmocka_unit_test(only_http_is_an_address),
        T(nobody_there_is_said_so),
        T(who_is_sent_away_comes_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
