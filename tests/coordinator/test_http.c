#include "tests/support/base_test.h"
#include "tests/support/http_rig.h"

#include <poll.h>
#include <string.h>
#include <unistd.h>

static void names_and_parameters_are_decoded_segment_by_segment(void **state)
{
    (void)state;
    http_rig_expect(GET("/echo/a"), 200, "a|-|");
    http_rig_expect(GET("/echo/a%2Fb%20c?word=x%26y+z"), 200, "a/b c|x&y z|");
    http_rig_expect(GET("/echo/%C3%A4?word="), 200, "ä||");
    http_rig_expect(POST("/echo/b", "the body"), 200, "b|-|the body");
}

static void paths_with_tricks_are_refused(void **state)
{
    (void)state;
    http_rig_expect(GET("/echo/.."), 400, NULL);
    http_rig_expect(GET("/echo/%2e%2E"), 400, NULL);
    http_rig_expect(GET("/echo/."), 400, NULL);
    http_rig_expect(GET("/echo//a"), 400, NULL);
    http_rig_expect(GET("//echo/a"), 400, NULL);
    http_rig_expect(GET("/echo/a/"), 400, NULL);
    http_rig_expect(GET("/echo/%00"), 400, NULL);
    http_rig_expect(GET("/echo/a%0d%0aX:y"), 400, NULL);
    http_rig_expect(GET("/echo/%zz"), 400, NULL);
    http_rig_expect(GET("/echo/%4"), 400, NULL);
    http_rig_expect(GET("/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s"), 400, NULL);
    http_rig_expect(GET("/etc/passwd"), 404, NULL);
    http_rig_expect(GET("/echo"), 404, NULL);
    http_rig_expect(GET("/echo/a/b"), 404, NULL);
}

static void a_name_over_the_bound_is_refused(void **state)
{
    char path[2000] = "/echo/";

    (void)state;
    memset(path + 6, 'a', HTTP_SEGMENT_MAX);
    http_rig_expect(GET(path), 200, NULL);
    memset(path + 6, 'a', HTTP_SEGMENT_MAX + 1);
    http_rig_expect(GET(path), 413, NULL);
}

static void errors_are_json_and_say_what_would_do(void **state)
{
    (void)state;
    http_rig_expect(GET("/nothing"), 404,
                    "{\"error\": \"there is no /nothing here\", \"kind\": \"not found\"}");
    http_rig_expect_part(GET("/echo/a?wird=x"), 400,
                         "no parameter \\\"wird\\\" here; there is: word");
    http_rig_expect_part(GET("/echo/a?word=x&word=y"), 400, "twice");
}

static void a_method_that_is_not_served_is_405_with_those_that_are(void **state)
{
    struct http_reply reply = http_client_call(
        http_rig.port, (struct http_request){"DELETE", "/echo/a", NULL, NULL, NULL});

    (void)state;
    assert_int_equal(reply.status, 405);
    assert_true(http_reply_has(&reply, "Allow: GET, HEAD, POST"));
    http_reply_release(&reply);
    http_rig_expect((struct http_request){"PATCH", "/echo/a", NULL, NULL, NULL}, 405, NULL);
}

static void head_has_the_same_head_and_no_body(void **state)
{
    struct http_reply reply = http_client_call(
        http_rig.port, (struct http_request){"HEAD", "/echo/abc", NULL, NULL, NULL});

    (void)state;
    assert_int_equal(reply.status, 200);
    assert_true(http_reply_has(&reply, "Content-Length: 6"));
    http_reply_release(&reply);
}

static void a_body_over_its_routes_maximum_is_refused_before_it_comes(void **state)
{
    (void)state;
    /* Nothing of the body is sent: the answer comes from the announcement. */
    http_rig_expect((struct http_request){"POST", "/echo/a",
                                          "Content-Length: 9223372036854775807\r\n", NULL, NULL},
                    413, NULL);
    http_rig_expect((struct http_request){"POST", "/echo/a",
                                          "Content-Length: 99999999999999999999999\r\n", NULL,
                                          NULL},
                    413, NULL);
    http_rig_expect(
        (struct http_request){"PUT", "/upload", "Transfer-Encoding: chunked\r\n", NULL, NULL}, 411,
        NULL);
    http_rig_expect((struct http_request){"GET", "/echo/a", NULL, "a body", NULL}, 413, NULL);
    assert_int_equal(atomic_load(&http_rig.ended), 0);
}

static void a_refused_body_of_moderate_size_is_swallowed(void **state)
{
    static char body[200001];
    int fd = http_client_connect(http_rig.port);
    struct http_reply reply;

    (void)state;
    memset(body, 'x', sizeof body - 1);
    http_client_send(fd, "POST /echo/a HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n");
    http_client_send(fd, body);
    reply = http_client_read(fd);
    assert_int_equal(reply.status, 413);
    http_reply_release(&reply);
    /* The connection is as good as before. */
    http_client_send(fd, "GET /echo/b HTTP/1.1\r\nHost: a\r\n\r\n");
    reply = http_client_read(fd);
    assert_int_equal(reply.status, 200);
    http_reply_release(&reply);
    close(fd);
}

static void bodies_in_memory_have_one_bound_for_all(void **state)
{
    int first = http_client_connect(http_rig.port);
    struct http_reply reply;
    static char body[1000001];

    (void)state;
    memset(body, 'x', sizeof body - 1);
    http_client_send(first, "POST /large/a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n"
                            "Expect: 100-continue\r\n\r\n");
    reply = http_client_read(first); /* "100 Continue": its room is taken now */
    assert_int_equal(reply.status, 100);
    http_reply_release(&reply);
    http_rig_expect(POST("/large/b", body), 503, NULL);
    http_client_send(first, body);
    reply = http_client_read(first);
    assert_int_equal(reply.status, 200);
    http_reply_release(&reply);
    close(first);
}

static void uploads_are_streamed_in_pieces(void **state)
{
    static char body[3000001];

    (void)state;
    memset(body, 'x', sizeof body - 1);
    http_rig_expect((struct http_request){"PUT", "/upload", NULL, body, NULL}, 201, "");
    assert_int_equal(atomic_load(&http_rig.streamed), 3000000);
}

static void who_may_not_is_told_apart_from_who_is_not_known(void **state)
{
    struct http_reply reply;

    (void)state;
    reply = http_client_call(http_rig.port, GET("/secret"));
    assert_int_equal(reply.status, 401);
    assert_true(http_reply_has(&reply, "WWW-Authenticate: Bearer realm=\"thaw\""));
    http_reply_release(&reply);
    http_rig_expect((struct http_request){"GET", "/secret", "Authorization: x\r\n", NULL, NULL},
                    403, NULL);
    http_rig_expect((struct http_request){"GET", "/secret", "Authorization: often\r\n", NULL, NULL},
                    429, NULL);
}

static void garbage_is_answered_or_cut_and_nothing_else_suffers(void **state)
{
    static const char *const garbage[] = {
        "\r\n\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        "GET /echo/a HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET /echo/a HTTP/1.1\r\n: \r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        int fd = http_client_connect(http_rig.port);
        struct pollfd readable = {fd, POLLIN, 0};
        struct http_reply reply;

        http_client_send(fd, garbage[i]);
        /* Some could still become a request: those end with their time. */
        while (poll(&readable, 1, 10) == 0) {
            atomic_fetch_add(&http_rig.now_ns, UINT64_C(30000000000));
            http_tick(http_rig.http);
        }
        reply = http_client_read(fd);
        assert_true(reply.status == 0 || reply.status >= 400);
        http_reply_release(&reply);
        close(fd);
    }
    http_rig_expect(GET("/echo/a"), 200, NULL);
}

static void headers_over_the_bound_are_refused(void **state)
{
    static char headers[HTTP_HEADER_MAX + 100];
    struct http_reply reply;

    (void)state;
    memset(headers, 'a', sizeof headers - 3);
    memcpy(headers, "X: ", 3);
    memcpy(headers + sizeof headers - 3, "\r\n", 3);
    reply = http_client_call(http_rig.port,
                             (struct http_request){"GET", "/echo/a", headers, NULL, NULL});
    assert_true(reply.status == 0 || reply.status == 431 || reply.status == 413);
    http_reply_release(&reply);
}

/* Ends once the server has cut the connection. */
static void expect_cut(int fd)
{
    struct http_reply reply;

    /* The server may not have noticed the connection before the first tick. */
    for (;;) {
        struct http_figures figures;

        http_tick(http_rig.http);
        http_figures(http_rig.http, &figures);
        if (figures.slow != 0)
            break;
        atomic_fetch_add(&http_rig.now_ns, UINT64_C(30000000000));
    }
    reply = http_client_read(fd);
    assert_int_equal(reply.status, 0);
    http_reply_release(&reply);
    close(fd);
}

static void headers_that_do_not_come_are_cut(void **state)
{
    int fd = http_client_connect(http_rig.port);

    (void)state;
    http_client_send(fd, "GET /echo/a HTTP/1.1\r\nHost: a\r\nX-Slow: ");
    expect_cut(fd);
}

static void a_body_that_drips_is_cut_and_its_handler_told(void **state)
{
    int fd = http_client_connect(http_rig.port);
    struct http_reply reply;

    (void)state;
    http_client_send(fd, "PUT /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n"
                         "Expect: 100-continue\r\n\r\n");
    reply = http_client_read(fd);
    assert_int_equal(reply.status, 100);
    http_reply_release(&reply);
    http_client_send(fd, "x");
    expect_cut(fd);
    http_close(http_rig.http);
    assert_int_equal(atomic_load(&http_rig.done), 1);
    assert_int_equal(atomic_load(&http_rig.ended), 0);
    http_rig_open((struct http_options){.address = "127.0.0.1"});
}

static void ranges_are_cut_out_of_files(void **state)
{
    (void)state;
    http_rig_expect((struct http_request){"GET", "/file", "Range: bytes=1-3\r\n", NULL, NULL}, 206,
                    "ELF");
    http_rig_expect((struct http_request){"GET", "/file", "Range: bytes=200-\r\n", NULL, NULL}, 416,
                    "");
    http_rig_expect((struct http_request){"GET", "/file", "Range: bytes=-0\r\n", NULL, NULL}, 416,
                    "");
    for (size_t i = 0; i < 5; i++) {
        static const char *const whole[] = {"Range: bytes=3-1\r\n", "Range: bytes=x\r\n",
                                            "Range: bytes=0-1,3-4\r\n", "Range: lines=1-2\r\n",
                                            "Range: bytes=-\r\n"};
        struct http_reply reply = http_client_call(
            http_rig.port, (struct http_request){"GET", "/file", whole[i], NULL, NULL});

        assert_int_equal(reply.status, 200);
        assert_int_equal(reply.body.size, 100);
        http_reply_release(&reply);
    }
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, http_rig_set_up, http_rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(names_and_parameters_are_decoded_segment_by_segment),
        CASE(paths_with_tricks_are_refused),
        CASE(a_name_over_the_bound_is_refused),
        CASE(errors_are_json_and_say_what_would_do),
        CASE(a_method_that_is_not_served_is_405_with_those_that_are),
        CASE(head_has_the_same_head_and_no_body),
        CASE(a_body_over_its_routes_maximum_is_refused_before_it_comes),
        CASE(a_refused_body_of_moderate_size_is_swallowed),
        CASE(bodies_in_memory_have_one_bound_for_all),
        CASE(uploads_are_streamed_in_pieces),
        CASE(who_may_not_is_told_apart_from_who_is_not_known),
        CASE(garbage_is_answered_or_cut_and_nothing_else_suffers),
        CASE(headers_over_the_bound_are_refused),
        CASE(headers_that_do_not_come_are_cut),
        CASE(a_body_that_drips_is_cut_and_its_handler_told),
        CASE(ranges_are_cut_out_of_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
