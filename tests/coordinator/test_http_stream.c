#include "tests/support/base_test.h"
#include "tests/support/http_rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void a_suspended_request_is_answered_from_another_thread(void **state)
{
    int fd = http_client_connect(http_rig.port);
    struct http_exchange *held;
    struct http_reply reply;

    (void)state;
    http_client_send(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    held = http_rig_await_held();
    http_rig_expect(GET("/echo/a"), 200, NULL); /* others are served meanwhile */
    http_respond_text(held, 200, "text/plain", "late");
    http_resume(held);
    reply = http_client_read(fd);
    assert_int_equal(reply.status, 200);
    assert_string_equal(http_reply_text(&reply), "late");
    http_reply_release(&reply);
    close(fd);
}

static void a_server_that_is_closing_suspends_nobody(void **state)
{
    int fd = http_client_connect(http_rig.port), other = http_client_connect(http_rig.port);
    struct http_exchange *held;
    struct http_reply reply;

    (void)state;
    http_client_send(fd, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    http_client_send(other, "GET /echo/a HTTP/1.1\r\nHost: a\r\n\r\n");
    reply = http_client_read(other); /* so that it is accepted */
    http_reply_release(&reply);
    held = http_rig_await_held();
    http_stop_accepting(http_rig.http);
    http_client_send(other, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    reply = http_client_read(other);
    assert_int_equal(reply.status, 503);
    http_reply_release(&reply);
    http_respond_text(held, 200, "text/plain", "done");
    http_resume(held);
    reply = http_client_read(fd);
    assert_string_equal(http_reply_text(&reply), "done");
    http_reply_release(&reply);
    close(fd);
    close(other);
}

static void a_stream_delivers_what_is_written_when_it_is_written(void **state)
{
    int fd = http_client_connect(http_rig.port);
    struct buf came = BUF_INIT(1 << 20);
    struct http_stream *stream;

    (void)state;
    http_client_send(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    stream = http_rig_await_stream();
    for (int i = 0; i < 50; i++) {
        char text[32];

        snprintf(text, sizeof text, "<event %d>", i);
        assert_true(http_stream_write(stream, span_of_text(text)));
        assert_true(http_client_await(fd, text, &came));
    }
    http_stream_end(stream, false);
    assert_true(http_client_await(fd, "0\r\n\r\n", &came));
    buf_release(&came);
    close(fd);
}

static void a_reader_that_is_too_slow_fills_its_stream_and_no_more(void **state)
{
    static uint8_t piece[65536];
    int fd = http_client_connect(http_rig.port);
    struct http_stream *stream;
    size_t written = 0;

    (void)state;
    http_client_send(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    stream = http_rig_await_stream();
    do /* what the kernel's buffers take between two writes makes room for more */
        while (http_stream_write(stream, (struct span){piece, sizeof piece}))
            written += sizeof piece;
    while (http_stream_room(stream) >= sizeof piece);
    assert_false(http_stream_is_gone(stream));
    assert_true(written >= 1 << 20);
    assert_true(written <= 64 << 20);
    http_stream_end(stream, true);
    close(fd);
}

static void a_reader_that_has_gone_is_noticed(void **state)
{
    static uint8_t piece[65536];
    int fd = http_client_connect(http_rig.port);
    struct http_stream *stream;

    (void)state;
    http_client_send(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    stream = http_rig_await_stream();
    close(fd);
    while (!http_stream_is_gone(stream))
        (void)http_stream_write(stream, (struct span){piece, sizeof piece});
    http_stream_end(stream, false);
}

static void a_stream_that_is_cut_has_no_proper_end(void **state)
{
    int fd = http_client_connect(http_rig.port);
    struct http_stream *stream;
    struct http_reply reply;

    (void)state;
    http_client_send(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    stream = http_rig_await_stream();
    assert_true(http_stream_write(stream, span_of_text("one")));
    http_stream_end(stream, true);
    reply = http_client_read(fd);
    assert_int_equal(reply.status, 200);
    assert_false(reply.is_whole);
    http_reply_release(&reply);
    close(fd);
}

static void closing_ends_streams(void **state)
{
    int fd = http_client_connect(http_rig.port);
    struct http_stream *stream;
    struct http_reply reply;

    (void)state;
    http_client_send(fd, "GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
    stream = http_rig_await_stream();
    http_close(http_rig.http);
    assert_true(http_stream_is_gone(stream));
    http_stream_end(stream, true);
    reply = http_client_read(fd);
    assert_false(reply.is_whole);
    http_reply_release(&reply);
    close(fd);
    http_rig_open((struct http_options){.address = "127.0.0.1"});
}

/* Its threads are at every point of their loops when they are told to stop. */
static void a_server_may_stop_at_any_time(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        int fd = http_client_connect(http_rig.port);

        if (i % 2 == 0) {
            http_stop_accepting(http_rig.http);
            assert_true(http_client_is_refused(http_rig.port));
        }
        http_close(http_rig.http);
        close(fd);
        http_rig_open((struct http_options){.address = "127.0.0.1"});
    }
}

static void an_address_in_use_is_a_conflict(void **state)
{
    struct http_options options = {
        .address = "127.0.0.1", .port = http_rig.port, .clock = &http_rig_clock};
    struct err err = ERR_INIT;
    struct http *other;

    (void)state;
    assert_false(http_open(&options, &other, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    options.address = "localhost.example";
    assert_false(http_open(&options, &other, &err));
    assert_int_equal(err.kind, ERR_USAGE);
    options.address = "127.0.0.1";
    options.certificate = "/nowhere";
    assert_false(http_open(&options, &other, &err));
    assert_int_equal(err.kind, ERR_USAGE);
}

static void a_unix_socket_is_for_its_owner_only(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct http_options options = {.clock = &http_rig_clock, .socket_path = address.sun_path};
    char folder[] = "/tmp/thaw-http-XXXXXX";
    struct err err = ERR_INIT;
    struct http *http, *other;
    struct stat status;
    int fd;

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
    assert_true(http_open(&options, &http, &err));
    assert_int_equal(stat(address.sun_path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    /* While one serves no other takes its place. */
    assert_false(http_open(&options, &other, &err));
    assert_int_equal(err.kind, ERR_CONFLICT);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    http_client_send(fd, "GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    struct http_reply reply = http_client_read(fd);
    assert_int_equal(reply.status, 404);
    http_reply_release(&reply);
    close(fd);
    http_close(http);
    assert_int_not_equal(stat(address.sun_path, &status), 0);
    assert_int_equal(rmdir(folder), 0);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, http_rig_set_up, http_rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_suspended_request_is_answered_from_another_thread),
        CASE(a_server_that_is_closing_suspends_nobody),
        CASE(a_stream_delivers_what_is_written_when_it_is_written),
        CASE(a_reader_that_is_too_slow_fills_its_stream_and_no_more),
        CASE(a_reader_that_has_gone_is_noticed),
        CASE(a_stream_that_is_cut_has_no_proper_end),
        CASE(closing_ends_streams),
        CASE(a_server_may_stop_at_any_time),
        CASE(an_address_in_use_is_a_conflict),
        CASE(a_unix_socket_is_for_its_owner_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
