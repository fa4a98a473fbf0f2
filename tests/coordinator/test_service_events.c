#include "tests/support/base_test.h"
#include "tests/support/http_service.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set_up(void **state)
{
    *state = http_service_open(NULL);
    return 0;
}

static int tear_down(void **state)
{
    http_service_close(*state);
    return 0;
}

/* Sends a GET; the answer is read by the caller. */
static int begin(struct http_service *s, const char *path, const char *headers)
{
    int fd = http_client_connect(s->port);
    struct buf text = BUF_INIT(4096);
    struct err err = ERR_INIT;

    BASE_OK(buf_format(&text, &err,
                       "GET %s HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer %s\r\n%s\r\n", path,
                       s->token, headers),
            &err);
    http_client_send_bytes(fd, buf_span(&text));
    buf_release(&text);
    return fd;
}

static void await(int fd, const char *text, struct buf *out)
{
    if (!http_client_await(fd, text, out))
        fail_msg("no \"%s\" in: %.*s", text, (int)out->size, (const char *)out->data);
}

static bool has(const struct buf *text, const char *part)
{
    return memmem(text->data, text->size, part, strlen(part)) != NULL;
}

static json_int_t newest_event(struct http_service *s)
{
    json_t *json = http_service_json(s, "GET /api/v1/runs/1", NULL, 200);
    json_int_t event = json_integer_value(json_object_get(json, "event"));

    json_decref(json);
    return event;
}

static void events_come_as_they_happen(void **state)
{
    struct http_service *s = *state;
    struct buf came = BUF_INIT(1 << 20);
    int fd = begin(s, "/api/v1/events", "");

    await(fd, ": events\n\n", &came);
    assert_true(has(&came, "Content-Type: text/event-stream"));
    http_service_submit(s, "nightly", 1);
    await(fd, "event: run\ndata: ", &came);
    http_service_work(s, 1, VERDICT_PASS);
    await(fd, "\"state\": \"done\", \"verdict\": \"pass\", \"attempt\": 0, \"agent\": null}\n\n",
          &came);
    assert_true(has(&came, "event: job\n"));
    assert_true(has(&came, "event: agent\n"));
    buf_release(&came);
    close(fd);
}

static void a_reader_goes_on_where_it_was(void **state)
{
    struct http_service *s = *state;
    struct buf first = BUF_INIT(1 << 20), second = BUF_INIT(1 << 20);
    char headers[64], mark[64];
    json_int_t seen;
    int fd;

    http_service_submit(s, "nightly", 2);
    seen = newest_event(s);
    http_service_work(s, 1, VERDICT_PASS);
    snprintf(headers, sizeof headers, "Last-Event-ID: %lld\r\n", (long long)seen);
    snprintf(mark, sizeof mark, "id: %lld\n", (long long)seen + 1);
    fd = begin(s, "/api/v1/events", headers);
    await(fd, mark, &first); /* the very next one, without a gap */
    assert_false(has(&first, "event: gap"));
    close(fd);
    snprintf(mark, sizeof mark, "/api/v1/events?after=%lld", (long long)seen);
    fd = begin(s, mark, "");
    snprintf(mark, sizeof mark, "id: %lld\n", (long long)seen + 1);
    await(fd, mark, &second);
    close(fd);
    buf_release(&first);
    buf_release(&second);
}

static void a_reader_that_was_away_too_long_is_told_of_the_gap(void **state)
{
    struct http_service *s = *state;
    struct buf came = BUF_INIT(1 << 20);
    int fd;

    http_service_submit(s, "nightly", 2);
    http_service_restart(s); /* events of before are not kept */
    fd = begin(s, "/api/v1/events", "Last-Event-ID: 0\r\n");
    await(fd, "event: gap\n", &came);
    buf_release(&came);
    close(fd);
}

static void events_of_one_run_only(void **state)
{
    struct http_service *s = *state;
    struct buf came = BUF_INIT(1 << 20);
    int fd;

    http_service_submit(s, "one", 1);
    http_service_submit(s, "two", 1);
    fd = begin(s, "/api/v1/events?run=2", "");
    await(fd, ": events\n\n", &came);
    http_service_expect(s, "POST /api/v1/runs/1/cancel", NULL, 200, "");
    http_service_expect(s, "POST /api/v1/runs/2/cancel", NULL, 200, "");
    await(fd, "event: run\ndata: ", &came);
    assert_false(has(&came, "\"run\": 1,"));
    buf_release(&came);
    close(fd);
}

static void a_silent_stream_says_that_it_lives(void **state)
{
    struct http_service *s = *state;
    struct buf came = BUF_INIT(1 << 20);
    int fd = begin(s, "/api/v1/events", "");

    await(fd, ": events\n\n", &came);
    http_service_pass(s, 2 * SERVICE_STREAM_BEAT_S * 1000);
    await(fd, ": beat\n\n", &came);
    buf_release(&came);
    close(fd);
}

static void wrong_event_numbers_are_refused(void **state)
{
    struct http_service *s = *state;
    int fd = begin(s, "/api/v1/events", "Last-Event-ID: yesterday\r\n");
    struct http_reply reply = http_client_read(fd);

    assert_int_equal(reply.status, 400);
    http_reply_release(&reply);
    close(fd);
    http_service_expect(s, "GET /api/v1/events?run=-1", NULL, 400, "is no number");
}

static bool is_silent(int fd)
{
    struct pollfd readable = {fd, POLLIN, 0};

    return poll(&readable, 1, 0) == 0;
}

static void a_watcher_is_answered_by_the_next_event_of_its_run(void **state)
{
    struct http_service *s = *state;
    struct http_reply reply;
    char path[96];
    int fd;

    http_service_submit(s, "one", 1);
    http_service_submit(s, "two", 1);
    snprintf(path, sizeof path, "/api/v1/runs/1?after_event=%lld&wait_ms=60000",
             (long long)newest_event(s));
    fd = begin(s, path, "");
    http_service_expect(s, "POST /api/v1/runs/2/cancel", NULL, 200, "");
    http_service_expect(s, "GET /api/v1/runs/2", NULL, 200, "\"state\": \"cancelled\"");
    assert_true(is_silent(fd));
    http_service_expect(s, "POST /api/v1/runs/1/cancel", NULL, 200, "");
    reply = http_client_read(fd);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(http_reply_text(&reply), "\"state\": \"cancelled\""));
    http_reply_release(&reply);
    close(fd);
}

/* Until the service holds so many requests. */
static void await_tasks(struct http_service *s, const char *figure)
{
    for (bool is_there = false; !is_there;) {
        struct http_reply reply = http_service_ask(s, "GET", "/metrics", NULL);

        is_there = strstr(http_reply_text(&reply), figure) != NULL;
        http_reply_release(&reply);
    }
}

static void a_watcher_is_answered_when_its_time_is_over(void **state)
{
    struct http_service *s = *state;
    struct http_reply reply;
    char path[96];
    int fd;

    http_service_submit(s, "one", 1);
    snprintf(path, sizeof path, "/api/v1/runs/1?after_event=%lld&wait_ms=5000",
             (long long)newest_event(s));
    fd = begin(s, path, "");
    await_tasks(s, "thaw_tasks 1\n");
    assert_true(is_silent(fd));
    http_service_pass(s, 5001);
    reply = http_client_read(fd);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(http_reply_text(&reply), "\"state\": \"active\""));
    http_reply_release(&reply);
    close(fd);
    http_service_expect(s, "GET /api/v1/runs/1?wait_ms=99999999", NULL, 400, "is at most 60000");
    http_service_expect(s, "GET /api/v1/runs/9?wait_ms=100", NULL, 404, "");
}

static void stopping_answers_all_who_wait(void **state)
{
    struct http_service *s = *state;
    struct buf came = BUF_INIT(1 << 20);
    struct http_reply reply;
    char path[96];
    int watcher, events;

    http_service_submit(s, "one", 1);
    snprintf(path, sizeof path, "/api/v1/runs/1?after_event=%lld&wait_ms=60000",
             (long long)newest_event(s));
    watcher = begin(s, path, "");
    events = begin(s, "/api/v1/events", "");
    await(events, ": events\n\n", &came);
    await_tasks(s, "thaw_tasks 2\n");
    http_service_restart(s);
    reply = http_client_read(watcher);
    assert_int_equal(reply.status, 503);
    http_reply_release(&reply);
    assert_false(http_client_await(events, "0\r\n\r\n", &came)); /* cut: the reader comes back */
    buf_release(&came);
    close(watcher);
    close(events);
}

static void many_readers_that_do_not_read_disturb_nobody(void **state)
{
    struct http_service *s = *state;
    int fds[40];

    for (size_t i = 0; i < 40; i++)
        fds[i] = begin(s, "/api/v1/events", "");
    for (unsigned i = 0; i < 10; i++) {
        http_service_submit(s, "nightly", 200);
        http_service_work(s, 200, VERDICT_PASS);
    }
    http_service_expect(s, "GET /api/v1/runs/10", NULL, 200, "\"pass\": 200");
    for (size_t i = 0; i < 40; i++)
        close(fds[i]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(events_come_as_they_happen),
        CASE(a_reader_goes_on_where_it_was),
        CASE(a_reader_that_was_away_too_long_is_told_of_the_gap),
        CASE(events_of_one_run_only),
        CASE(a_silent_stream_says_that_it_lives),
        CASE(wrong_event_numbers_are_refused),
        CASE(a_watcher_is_answered_by_the_next_event_of_its_run),
        CASE(a_watcher_is_answered_when_its_time_is_over),
        CASE(stopping_answers_all_who_wait),
        CASE(many_readers_that_do_not_read_disturb_nobody),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
