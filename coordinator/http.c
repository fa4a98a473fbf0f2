#include "coordinator/http_internal.h"

#include "storage/base/check.h"
#include "storage/base/file.h"
#include "storage/base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define PEM_BYTES_MAX  (1u << 20)
#define DAEMON_OPTIONS 16
#define CLOSE_SECONDS  2 /* for the last answers */
/* TLS 1.2 and later, forward secrecy only. */
#define TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:%SERVER_PRECEDENCE"

const char *http_method_name(enum http_method method)
{
    static const char *const names[HTTP_METHOD_COUNT] = {"GET", "PUT", "POST", "DELETE"};

    return names[method];
}

/* The server undoes encodings by itself (http_decode), a segment at a time. */
static size_t keep_encoded(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

static void log_daemon(void *cls, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
static void log_daemon(void *cls, const char *format, va_list arguments)
{
    char text[512];
    size_t size;

    (void)cls;
    vsnprintf(text, sizeof text, format, arguments);
    size = strcspn(text, "\n");
    text[size] = 0;
    /* Mostly peers that are gone or send nonsense: nothing for the log of a service. */
    log_message(LOG_DEBUG, "http: %s", text);
}

static void defaults(struct http_options *options)
{
    options->threads = options->threads != 0 ? options->threads : 4;
    options->connections = options->connections != 0 ? options->connections : 1024;
    options->idle_s = options->idle_s != 0 ? options->idle_s : 60;
    options->arrive_ms = options->arrive_ms != 0 ? options->arrive_ms : 20000;
    options->body_bytes_per_s = options->body_bytes_per_s != 0 ? options->body_bytes_per_s : 1024;
    if (options->body_memory_bytes == 0)
        options->body_memory_bytes = UINT64_C(256) << 20;
}

static struct http *http_new(const struct http_options *options)
{
    struct http *http = mem_alloc(sizeof *http);

    http->options = *options;
    defaults(&http->options);
    http->clock = *options->clock;
    http->tables = mem_array(options->table_count, sizeof *http->tables);
    for (size_t i = 0; i < options->table_count; i++)
        http->tables[i] = options->tables[i];
    CHECK(pthread_mutex_init(&http->lock, NULL) == 0);
    CHECK(pthread_cond_init(&http->quiet, NULL) == 0);
    if (options->socket_path != NULL)
        http->socket_path = mem_text(options->socket_path);
    return http;
}

static void http_free(struct http *http)
{
    pthread_cond_destroy(&http->quiet);
    pthread_mutex_destroy(&http->lock);
    mem_free(http->socket_path);
    mem_free(http->tables);
    mem_free(http);
}

struct pem {
    struct buf certificate, private_key;
};

static bool pem_read(const struct http_options *options, struct pem *pem, struct err *err)
{
    if ((options->certificate == NULL) != (options->private_key == NULL))
        return err_set(err, ERR_USAGE, "TLS needs both a certificate and its private key");
    if (options->certificate == NULL)
        return true;
    return file_read(options->certificate, &pem->certificate, err) &&
           buf_append(&pem->certificate, "", 1, err) &&
           file_read(options->private_key, &pem->private_key, err) &&
           buf_append(&pem->private_key, "", 1, err);
}

static void pem_release(struct pem *pem)
{
    if (pem->private_key.data != NULL)
        explicit_bzero(pem->private_key.data, pem->private_key.size);
    buf_release(&pem->private_key);
    buf_release(&pem->certificate);
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **con_cls);
static void completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                      enum MHD_RequestTerminationCode code);

struct daemon_options {
    struct MHD_OptionItem items[DAEMON_OPTIONS];
    size_t count;
};

static void option_add(struct daemon_options *options, enum MHD_OPTION option, uint64_t value,
                       const void *pointer)
{
    CHECK(options->count < DAEMON_OPTIONS);
    options->items[options->count++] =
        (struct MHD_OptionItem){option, (intptr_t)value, (void *)(uintptr_t)pointer};
}

static void *function_pointer(void (*function)(void))
{
    void *pointer;

    memcpy(&pointer, &function, sizeof pointer);
    return pointer;
}

/* Not MHD_quiesce_daemon: in 0.9.75 it and the daemon's threads both take the listening socket out
 * of their epoll sets, and whoever comes second ends the process. */
static enum MHD_Result may_connect(void *cls, const struct sockaddr *address, socklen_t size)
{
    struct http *http = cls;
    bool is_closing;

    (void)address;
    (void)size;
    pthread_mutex_lock(&http->lock);
    is_closing = http->is_closing;
    pthread_mutex_unlock(&http->lock);
    return is_closing ? MHD_NO : MHD_YES;
}

static bool daemon_start(struct http *http, const struct pem *pem, int fd, struct err *err)
{
    struct daemon_options more = {.count = 0};
    bool tls = pem->certificate.data != NULL;
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG |
                     (tls ? MHD_USE_TLS : 0u);

    option_add(&more, MHD_OPTION_THREAD_POOL_SIZE, http->options.threads, NULL);
    option_add(&more, MHD_OPTION_CONNECTION_LIMIT, http->options.connections, NULL);
    option_add(&more, MHD_OPTION_PER_IP_CONNECTION_LIMIT, http->options.address_max, NULL);
    option_add(&more, MHD_OPTION_CONNECTION_TIMEOUT, http->options.idle_s, NULL);
    option_add(&more, MHD_OPTION_CONNECTION_MEMORY_LIMIT, HTTP_HEADER_MAX, NULL);
    option_add(&more, MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL);
    option_add(&more, MHD_OPTION_UNESCAPE_CALLBACK,
               (uint64_t)(uintptr_t)function_pointer((void (*)(void))keep_encoded), NULL);
    if (tls) {
        option_add(&more, MHD_OPTION_HTTPS_MEM_CERT, 0, pem->certificate.data);
        option_add(&more, MHD_OPTION_HTTPS_MEM_KEY, 0, pem->private_key.data);
        option_add(&more, MHD_OPTION_HTTPS_PRIORITIES, 0, TLS_PRIORITIES);
    }
    option_add(&more, MHD_OPTION_END, 0, NULL);
    http->daemon = MHD_start_daemon(
        flags, 0, may_connect, http, answer, http, MHD_OPTION_EXTERNAL_LOGGER, log_daemon, NULL,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED, completed, http,
        MHD_OPTION_NOTIFY_CONNECTION, http_connection_notify, http, MHD_OPTION_ARRAY, more.items,
        MHD_OPTION_END);
    if (http->daemon == NULL)
        return err_set(err, tls ? ERR_USAGE : ERR_IO,
                       tls ? "cannot serve HTTPS: certificate and key are no pair, or not PEM"
                           : "cannot serve HTTP");
    return true;
}

bool http_open(const struct http_options *options, struct http **out, struct err *err)
{
    struct http *http = http_new(options);
    struct pem pem = {BUF_INIT(PEM_BYTES_MAX), BUF_INIT(PEM_BYTES_MAX)};
    int fd = -1;
    bool ok = pem_read(options, &pem, err) && http_listen(options, &fd, &http->port, err);

    /* A broken connection is an error of a write, not the end of the process. */
    (void)signal(SIGPIPE, SIG_IGN);
    if (ok && !daemon_start(http, &pem, fd, err)) {
        close(fd);
        ok = false;
    }
    pem_release(&pem);
    if (!ok) {
        http_free(http);
        return false;
    }
    *out = http;
    return true;
}

void http_stop_accepting(struct http *http)
{
    pthread_mutex_lock(&http->lock);
    if (http->is_closing) {
        pthread_mutex_unlock(&http->lock);
        return;
    }
    http->is_closing = true;
    pthread_mutex_unlock(&http->lock);
    if (http->socket_path != NULL)
        (void)unlink(http->socket_path);
}

/* Answers that are ready get some time to leave; a peer that does not read gets no more. */
static void await_quiet(struct http *http)
{
    struct timespec end;

    CHECK(clock_gettime(CLOCK_REALTIME, &end) == 0);
    end.tv_sec += CLOSE_SECONDS;
    pthread_mutex_lock(&http->lock);
    while (http->exchange_count != 0 &&
           pthread_cond_timedwait(&http->quiet, &http->lock, &end) == 0)
        ;
    pthread_mutex_unlock(&http->lock);
}

void http_close(struct http *http)
{
    if (http == NULL)
        return;
    http_stop_accepting(http);
    http_streams_close(http);
    await_quiet(http);
    MHD_stop_daemon(http->daemon);
    CHECK(http->streams == NULL && http->connections == NULL);
    http_free(http);
}

uint16_t http_port(const struct http *http)
{
    return http->port;
}

void http_figures(const struct http *http, struct http_figures *out)
{
    struct http *shared = (struct http *)(uintptr_t)http;

    *out = (struct http_figures){
        .connections = atomic_load(&http->figure_connections),
        .accepted = atomic_load(&http->figure_accepted),
        .requests = atomic_load(&http->figure_requests),
        .refused = atomic_load(&http->figure_refused),
        .failed = atomic_load(&http->figure_failed),
        .slow = atomic_load(&http->figure_slow),
        .bytes_in = atomic_load(&http->figure_bytes_in),
        .bytes_out = atomic_load(&http->figure_bytes_out),
    };
    pthread_mutex_lock(&shared->lock);
    out->streams = http->stream_count;
    pthread_mutex_unlock(&shared->lock);
}

static struct http_exchange *exchange_of(struct http *http, struct MHD_Connection *mhd,
                                         const char *url)
{
    struct http_exchange *exchange = mem_alloc(sizeof *exchange);

    exchange->http = http;
    exchange->mhd = mhd;
    exchange->connection = http_connection_of(mhd);
    CHECK(exchange->connection != NULL);
    exchange->path = mem_text(url);
    exchange->role = UINT32_MAX;
    pthread_mutex_lock(&http->lock);
    http->exchange_count++;
    pthread_mutex_unlock(&http->lock);
    return exchange;
}

/* What goes with every answer's end, sent or not. */
static void completed(void *cls, struct MHD_Connection *mhd, void **con_cls,
                      enum MHD_RequestTerminationCode code)
{
    struct http *http = cls;
    struct http_exchange *exchange = *con_cls;

    (void)mhd;
    (void)code;
    if (exchange == NULL)
        return;
    *con_cls = NULL;
    if (exchange->has_begun && exchange->match.route->handler->done != NULL)
        exchange->match.route->handler->done(exchange->match.context, exchange);
    if (exchange->response != NULL)
        MHD_destroy_response(exchange->response);
    atomic_fetch_sub(&http->body_memory, exchange->body_reserved);
    atomic_store(&exchange->connection->has_headers, false);
    atomic_store(&exchange->connection->is_served, false);
    atomic_store(&exchange->connection->since_ns, clock_monotonic_ns(&http->clock));
    for (size_t i = 0; i < exchange->headers.count; i++)
        mem_free(exchange->headers.values[i]);
    http_match_release(&exchange->match);
    http_parameters_release(&exchange->query);
    buf_release(&exchange->body);
    mem_free(exchange->path);
    mem_free(exchange);
    pthread_mutex_lock(&http->lock);
    if (--http->exchange_count == 0)
        pthread_cond_broadcast(&http->quiet);
    pthread_mutex_unlock(&http->lock);
}

/* The answer, once there is one. A body that is on its way is swallowed first, or the connection is
 * closed behind the answer. */
static enum MHD_Result finish(struct http_exchange *exchange)
{
    CHECK(exchange->response != NULL);
    atomic_store(&exchange->connection->is_served, true);
    return http_respond_queue(exchange);
}

static enum MHD_Result take_piece(struct http_exchange *exchange, const char *upload, size_t *size)
{
    struct span piece = {(const uint8_t *)upload, *size};
    const struct http_handler *handler;
    struct err err = ERR_INIT;

    *size = 0;
    atomic_fetch_add(&exchange->connection->body_bytes, piece.size);
    atomic_fetch_add(&exchange->http->figure_bytes_in, piece.size);
    if (http_has_responded(exchange))
        return MHD_YES;
    handler = exchange->match.route->handler;
    if (handler->body != NULL)
        handler->body(exchange->match.context, exchange, piece);
    else if (!buf_append(&exchange->body, piece.data, piece.size, &err))
        http_respond_err(exchange, &err);
    return MHD_YES;
}

static enum MHD_Result take_end(struct http_exchange *exchange)
{
    if (exchange->is_suspended && !http_has_responded(exchange))
        return MHD_YES; /* woken for another reason */
    exchange->is_suspended = false;
    if (!http_has_responded(exchange) && !exchange->has_ended) {
        atomic_store(&exchange->connection->is_served, true);
        exchange->has_ended = true;
        exchange->match.route->handler->end(exchange->match.context, exchange);
        if (exchange->is_suspended)
            return MHD_YES;
    }
    return finish(exchange);
}

static enum MHD_Result answer(void *cls, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **con_cls)
{
    struct http *http = cls;
    struct http_exchange *exchange = *con_cls;

    (void)version;
    if (exchange == NULL) {
        exchange = exchange_of(http, mhd, url);
        *con_cls = exchange;
        http_exchange_begin(exchange, method);
        if (http_has_responded(exchange) && exchange->content_length > HTTP_SWALLOW_MAX)
            return finish(exchange);
        return MHD_YES;
    }
    if (*upload_size != 0)
        return take_piece(exchange, upload, upload_size);
    return take_end(exchange);
}

bool http_suspend(struct http_exchange *exchange)
{
    struct http *http = exchange->http;
    struct err closing = ERR_INIT;
    bool is_closing;

    pthread_mutex_lock(&http->lock);
    is_closing = http->is_closing;
    if (!is_closing) {
        exchange->is_suspended = true;
        MHD_suspend_connection(exchange->mhd);
    }
    pthread_mutex_unlock(&http->lock);
    if (is_closing) {
        (void)err_set(&closing, ERR_TIMEOUT, "the coordinator is being stopped");
        http_respond_err(exchange, &closing);
    }
    return !is_closing;
}

void http_resume(struct http_exchange *exchange)
{
    CHECK(exchange->response != NULL);
    MHD_resume_connection(exchange->mhd);
}
