#include "tests/support/http_rig.h"

#include "storage/base/check.h"
#include "tests/support/base_test.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct http_rig http_rig;

static uint64_t now(void *context)
{
    return atomic_load(&((struct http_rig *)context)->now_ns);
}
const struct clock_source http_rig_clock = {now, now, &http_rig};

static void echo_end(void *context, struct http_exchange *exchange)
{
    struct http_rig *f = context;
    struct buf text = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    const char *word = http_query(exchange, "word");

    atomic_fetch_add(&f->ended, 1);
    CHECK(buf_format(&text, &err, "%s|%s|%.*s", http_param(exchange, "name"),
                     word != NULL ? word : "-", (int)http_body(exchange).size,
                     (const char *)http_body(exchange).data));
    http_respond_take(exchange, 200, "text/plain", &text);
}

static void count_done(void *context, struct http_exchange *exchange)
{
    (void)exchange;
    atomic_fetch_add(&((struct http_rig *)context)->done, 1);
}

static void upload_body(void *context, struct http_exchange *exchange, struct span piece)
{
    (void)exchange;
    atomic_fetch_add(&((struct http_rig *)context)->streamed, piece.size);
}

static void upload_end(void *context, struct http_exchange *exchange)
{
    atomic_fetch_add(&((struct http_rig *)context)->ended, 1);
    http_respond_empty(exchange, 201);
}

static void hold_end(void *context, struct http_exchange *exchange)
{
    struct http_rig *f = context;

    pthread_mutex_lock(&f->lock);
    if (http_suspend(exchange))
        f->held = exchange;
    pthread_mutex_unlock(&f->lock);
}

static void stream_wake(void *context)
{
    atomic_fetch_add(&((struct http_rig *)context)->wakes, 1);
}

static void stream_end(void *context, struct http_exchange *exchange)
{
    struct http_rig *f = context;
    struct http_stream_options options = {"text/plain", 1 << 20, stream_wake, f};
    struct http_stream *stream = http_respond_stream(exchange, &options);

    pthread_mutex_lock(&f->lock);
    f->stream = stream;
    pthread_mutex_unlock(&f->lock);
}

static void file_end(void *context, struct http_exchange *exchange)
{
    struct http_file file = {-1, 0, 0};

    (void)context;
    file.fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    if (http_range(exchange, 100, &file.offset, &file.size))
        http_respond_file(exchange, 206, "text/plain", file);
    else if (file.size != 0)
        http_respond_file(exchange, 200, "text/plain", file);
    else {
        close(file.fd);
        http_respond_empty(exchange, 416);
    }
}

static const struct http_handler echo = {NULL, NULL, echo_end, count_done};
static const struct http_handler upload = {NULL, upload_body, upload_end, count_done};
static const struct http_handler hold = {NULL, NULL, hold_end, count_done};
static const struct http_handler flow = {NULL, NULL, stream_end, count_done};
static const struct http_handler file = {NULL, NULL, file_end, NULL};

static const struct http_route routes[] = {
    {HTTP_GET, "/echo/{name}", "word", HTTP_ANYBODY, 0, &echo, NULL},
    {HTTP_POST, "/echo/{name}", "", HTTP_ANYBODY, 1000, &echo, NULL},
    {HTTP_PUT, "/upload", "", HTTP_ANYBODY, UINT64_C(1) << 40, &upload, NULL},
    {HTTP_POST, "/large/{name}", "", HTTP_ANYBODY, 1 << 20, &echo, NULL},
    {HTTP_GET, "/hold", "", HTTP_ANYBODY, 0, &hold, NULL},
    {HTTP_GET, "/stream", "", HTTP_ANYBODY, 0, &flow, NULL},
    {HTTP_GET, "/file", "", HTTP_ANYBODY, 0, &file, NULL},
    {HTTP_GET, "/secret", "", 1, 0, &echo, NULL},
};

static bool allow(void *context, struct http_exchange *exchange, struct err *err)
{
    const char *header = http_header(exchange, "Authorization");

    (void)context;
    if (http_request_route(exchange)->roles == HTTP_ANYBODY)
        return true;
    if (header != NULL && strcmp(header, "often") == 0)
        return err_set(err, ERR_CONFLICT, "too often");
    if (header != NULL)
        http_set_identity(exchange, "somebody", 2);
    return err_set(err, ERR_ACCESS, "you may not");
}

void http_rig_open(struct http_options options)
{
    struct http_table table = {routes, sizeof routes / sizeof routes[0], &http_rig};
    struct err err = ERR_INIT;

    options.tables = &table;
    options.table_count = 1;
    options.clock = &http_rig_clock;
    options.allow = allow;
    if (!http_open(&options, &http_rig.http, &err))
        fail_msg("%s", err.text);
    http_rig.port = http_port(http_rig.http);
}

int http_rig_set_up(void **state)
{
    (void)state;
    memset(&http_rig, 0, sizeof http_rig);
    pthread_mutex_init(&http_rig.lock, NULL);
    atomic_store(&http_rig.now_ns, UINT64_C(1000000000000));
    http_rig_open((struct http_options){.address = "127.0.0.1", .body_memory_bytes = 1500000});
    return 0;
}

int http_rig_tear_down(void **state)
{
    (void)state;
    http_close(http_rig.http);
    return 0;
}

void http_rig_expect(struct http_request request, unsigned status, const char *body)
{
    struct http_reply reply = http_client_call(http_rig.port, request);

    assert_int_equal(reply.status, status);
    if (body != NULL)
        assert_string_equal(http_reply_text(&reply), body);
    http_reply_release(&reply);
}

void http_rig_expect_part(struct http_request request, unsigned status, const char *part)
{
    struct http_reply reply = http_client_call(http_rig.port, request);

    assert_int_equal(reply.status, status);
    if (strstr(http_reply_text(&reply), part) == NULL)
        fail_msg("no \"%s\" in: %s", part, http_reply_text(&reply));
    http_reply_release(&reply);
}

struct http_exchange *http_rig_await_held(void)
{
    struct http_exchange *held = NULL;

    while (held == NULL) {
        pthread_mutex_lock(&http_rig.lock);
        held = http_rig.held;
        http_rig.held = NULL;
        pthread_mutex_unlock(&http_rig.lock);
    }
    return held;
}

struct http_stream *http_rig_await_stream(void)
{
    struct http_stream *stream = NULL;

    while (stream == NULL) {
        pthread_mutex_lock(&http_rig.lock);
        stream = http_rig.stream;
        http_rig.stream = NULL;
        pthread_mutex_unlock(&http_rig.lock);
    }
    return stream;
}
