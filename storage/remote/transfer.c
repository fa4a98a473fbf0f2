#include "storage/remote/transfer.h"

#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ERROR_TEXT_MAX 2048u
#define QUIET_MS       1000u

void transfer_release(struct transfer *transfer)
{
    if (transfer->easy != NULL) {
        if (transfer->is_running)
            curl_multi_remove_handle(transfer->remote->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_slist_free_all(transfer->headers);
    buf_release(&transfer->error_text);
    mem_free(transfer->path);
    memset(transfer, 0, sizeof *transfer);
    transfer->fd = -1;
}

static void count_progress(struct remote *remote, uint64_t bytes)
{
    remote->done += bytes;
    if (remote->progress != NULL)
        remote->progress(remote->context, remote->done, remote->total);
}

static long status_of(const struct transfer *transfer)
{
    long status = 0;

    curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status;
}

/* What the server answers. */
static size_t take(char *data, size_t one, size_t size, void *context)
{
    struct transfer *transfer = context;
    struct span bytes = {(const uint8_t *)data, size};
    struct err ignored = ERR_INIT;
    long status = status_of(transfer);
    bool ok = true;

    (void)one;
    if (status >= 400) {
        if (bytes.size > ERROR_TEXT_MAX - transfer->error_text.size)
            bytes.size = ERROR_TEXT_MAX - transfer->error_text.size;
        (void)buf_append(&transfer->error_text, bytes.data, bytes.size, &ignored);
        return size;
    }
    if (transfer->intake != NULL) {
        ok = intake_add(transfer->intake, bytes, &transfer->failure);
        if (ok)
            count_progress(transfer->remote, size);
    } else if (transfer->reply != NULL) {
        ok = buf_append(transfer->reply, data, size, &transfer->failure);
    }
    return ok ? size : 0;
}

static size_t give(char *data, size_t one, size_t room, void *context)
{
    struct transfer *transfer = context;
    uint64_t left = transfer->size - transfer->sent;

    (void)one;
    if (room > left)
        room = (size_t)left;
    if (transfer->fd < 0)
        memcpy(data, transfer->body.data + transfer->sent, room);
    else if (!file_read_at(transfer->fd, data, room, transfer->sent, transfer->path,
                           &transfer->failure))
        return CURL_READFUNC_ABORT;
    transfer->sent += room;
    if (transfer->fd >= 0)
        count_progress(transfer->remote, room);
    return room;
}

/* libcurl asks to begin again, as after a connection that was closed under it. */
static int rewind_body(void *context, curl_off_t offset, int origin)
{
    struct transfer *transfer = context;

    if (origin != SEEK_SET || offset < 0 || (uint64_t)offset > transfer->size)
        return CURL_SEEKFUNC_FAIL;
    transfer->sent = (uint64_t)offset;
    return CURL_SEEKFUNC_OK;
}

static void add_header(struct transfer *transfer, const char *format, const char *value)
{
    char text[4096];
    struct curl_slist *list;

    snprintf(text, sizeof text, format, value);
    list = curl_slist_append(transfer->headers, text);
    CHECK(list != NULL);
    transfer->headers = list;
}

static void set_headers(struct transfer *transfer)
{
    const struct remote *remote = transfer->remote;

    curl_slist_free_all(transfer->headers);
    transfer->headers = NULL;
    add_header(transfer, "Expect:%s", ""); /* no waiting for a 100 */
    if (remote->token != NULL)
        add_header(transfer, "Authorization: Bearer %s", remote->token);
    if (transfer->size != 0 || transfer->fd >= 0)
        add_header(transfer, "Content-Type: %s",
                   transfer->type != NULL ? transfer->type : "application/octet-stream");
    curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, transfer->headers);
}

static void set_connection(CURL *easy, const struct remote *remote)
{
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, 10L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, 60L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    if (remote->ca_file != NULL)
        curl_easy_setopt(easy, CURLOPT_CAINFO, remote->ca_file);
    if (remote->socket_path != NULL)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, remote->socket_path);
}

static void set_body(struct transfer *transfer)
{
    CURL *easy = transfer->easy;
    bool has_body = transfer->fd >= 0 || transfer->size != 0 || !strcmp(transfer->method, "PUT");

    if (strcmp(transfer->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
        return;
    }
    if (has_body || strcmp(transfer->method, "POST") == 0) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)transfer->size);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, give);
        curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, rewind_body);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, transfer->method);
}

static void start(struct transfer *transfer)
{
    struct remote *remote = transfer->remote;
    char url[4096];

    if (transfer->easy == NULL)
        transfer->easy = curl_easy_init();
    CHECK(transfer->easy != NULL);
    curl_easy_reset(transfer->easy);
    snprintf(url, sizeof url, "%s/%s", remote->url, transfer->path);
    curl_easy_setopt(transfer->easy, CURLOPT_URL, url);
    curl_easy_setopt(transfer->easy, CURLOPT_PRIVATE, transfer);
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(transfer->easy, CURLOPT_WRITEDATA, transfer);
    set_connection(transfer->easy, remote);
    set_headers(transfer);
    set_body(transfer);
    transfer->sent = 0;
    if (transfer->intake != NULL && intake_size(transfer->intake) != 0)
        curl_easy_setopt(transfer->easy, CURLOPT_RESUME_FROM_LARGE,
                         (curl_off_t)intake_size(transfer->intake));
    if (transfer->reply != NULL)
        buf_clear(transfer->reply);
    transfer->error_text.max = ERROR_TEXT_MAX;
    buf_clear(&transfer->error_text);
    transfer->tries++;
    transfer->is_running = true;
    CHECK(curl_multi_add_handle(remote->multi, transfer->easy) == CURLM_OK);
}

static enum err_kind kind_of(long status)
{
    switch (status) {
    case 401:
    case 403:
        return ERR_ACCESS;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_CONFLICT;
    case 413:
        return ERR_TOO_BIG;
    case 422:
        return ERR_CORRUPT;
    case 507:
        return ERR_NO_SPACE;
    default:
        return status < 500 ? ERR_USAGE : ERR_IO;
    }
}

/* The value of "error" in a JSON object, or the text as it is: what the server says, in a line. */
static void server_says(const struct transfer *transfer, char *out, size_t size)
{
    static const char key[] = "\"error\":";
    size_t used = 0, at = 0;
    const uint8_t *data = transfer->error_text.data;
    size_t count = transfer->error_text.size;

    for (size_t i = 0; i + sizeof key - 1 <= count && at == 0; i++)
        if (memcmp(data + i, key, sizeof key - 1) == 0)
            at = i + sizeof key - 1;
    while (at < count && (data[at] == '"' || data[at] == ' '))
        at++;
    for (; at < count && used + 1 < size && data[at] != '"'; at++) {
        if (data[at] == '\\' && at + 1 < count)
            at++;
        out[used++] = data[at] < ' ' ? ' ' : (char)data[at];
    }
    out[used] = 0;
}

static bool may_pass(CURLcode code, long status)
{
    switch (code) {
    case CURLE_OK:
        return status >= 500 || status == 429 || status == 409 || status == 408 || status == 416;
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR: /* closed before a word was said, as by a server that stops */
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_RANGE_ERROR: /* the server gives only the whole: see finish */
        return true;
    default:
        return false;
    }
}

static bool fail(const struct transfer *transfer, CURLcode code, long status, struct err *err)
{
    char says[ERROR_TEXT_MAX];

    if (transfer->failure.kind != ERR_NONE) {
        *err = transfer->failure;
        return false;
    }
    if (code != CURLE_OK)
        return err_set(err, code == CURLE_OPERATION_TIMEDOUT ? ERR_TIMEOUT : ERR_IO,
                       "%s %s/%s: %s (tried %u times)", transfer->method, transfer->remote->url,
                       transfer->path, curl_easy_strerror(code), transfer->tries);
    server_says(transfer, says, sizeof says);
    return err_set(err, kind_of(status), "%s %s/%s: status %ld%s%.600s", transfer->method,
                   transfer->remote->url, transfer->path, status, says[0] != 0 ? ": " : "", says);
}

/* One has ended. False: for good, and badly. */
static bool finish(struct transfer *transfer, CURLcode code, uint64_t now_ns, struct err *err)
{
    struct remote *remote = transfer->remote;
    long status = status_of(transfer);

    curl_multi_remove_handle(remote->multi, transfer->easy);
    transfer->is_running = false;
    if (code == CURLE_OK && status < 400) {
        transfer->is_done = true;
        return true;
    }
    if (transfer->failure.kind != ERR_NONE || !may_pass(code, status) ||
        transfer->tries >= REMOTE_TRIES)
        return fail(transfer, code, status, err);
    if ((status == 416 || code == CURLE_RANGE_ERROR) && transfer->intake != NULL &&
        !intake_restart(transfer->intake, err))
        return false;
    transfer->not_before_ns =
        now_ns + ((uint64_t)remote->wait_ms << (transfer->tries - 1)) * NS_PER_MS;
    return true;
}

/* Starts what may start; false when all are done. */
static bool start_some(struct transfer *transfers, size_t count, uint64_t now_ns)
{
    size_t running = 0, left = 0;

    for (size_t i = 0; i < count; i++) {
        running += transfers[i].is_running;
        left += !transfers[i].is_done;
    }
    for (size_t i = 0; i < count && running < REMOTE_PARALLEL; i++) {
        struct transfer *transfer = &transfers[i];
        if (transfer->is_done || transfer->is_running || transfer->not_before_ns > now_ns)
            continue;
        start(transfer);
        running++;
    }
    return left != 0;
}

/* How long nothing need be done unless something comes: 0 if all are done, else until the next try.
 * What waits for its turn waits for one that runs. */
static int quiet_ms(const struct transfer *transfers, size_t count, uint64_t now_ns)
{
    uint64_t ms = QUIET_MS;
    size_t left = 0;

    for (size_t i = 0; i < count; i++) {
        const struct transfer *transfer = &transfers[i];
        uint64_t wait_ns = transfer->not_before_ns > now_ns ? transfer->not_before_ns - now_ns : 0;
        left += !transfer->is_done;
        if (!transfer->is_done && !transfer->is_running && wait_ns / NS_PER_MS + 1 < ms &&
            wait_ns != 0)
            ms = wait_ns / NS_PER_MS + 1;
    }
    return left == 0 ? 0 : (int)ms;
}

static bool finish_some(struct remote *remote, struct err *err)
{
    CURLMsg *message;
    bool ok = true;
    int left;

    while (ok && (message = curl_multi_info_read(remote->multi, &left)) != NULL) {
        CURLcode code = message->data.result;
        char *transfer = NULL;
        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        ok =
            finish((struct transfer *)(void *)transfer, code, clock_monotonic_ns(&clock_host), err);
    }
    return ok;
}

bool transfers_run(struct remote *remote, struct transfer *transfers, size_t count, struct err *err)
{
    bool ok = true;

    while (ok && start_some(transfers, count, clock_monotonic_ns(&clock_host))) {
        int running, ready;
        if (curl_multi_perform(remote->multi, &running) != CURLM_OK)
            return err_set(err, ERR_IO, "libcurl cannot go on with %s", remote->url);
        ok = finish_some(remote, err);
        if (ok)
            curl_multi_poll(remote->multi, NULL, 0,
                            quiet_ms(transfers, count, clock_monotonic_ns(&clock_host)), &ready);
    }
    for (size_t i = 0; i < count; i++) {
        if (!transfers[i].is_running)
            continue;
        curl_multi_remove_handle(remote->multi, transfers[i].easy);
        transfers[i].is_running = false;
    }
    return ok;
}
