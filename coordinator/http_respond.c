#include "coordinator/http_internal.h"

#include "jobs/json_writer.h"
#include "storage/base/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERROR_BYTES_MAX 8192

struct status_of_kind {
    enum err_kind kind;
    unsigned status;
};
static const struct status_of_kind statuses[] = {
    {ERR_USAGE, MHD_HTTP_BAD_REQUEST},
    {ERR_INVALID, MHD_HTTP_BAD_REQUEST},
    {ERR_UNSUPPORTED, MHD_HTTP_BAD_REQUEST},
    {ERR_ACCESS, MHD_HTTP_FORBIDDEN},
    {ERR_NOT_FOUND, MHD_HTTP_NOT_FOUND},
    {ERR_CONFLICT, MHD_HTTP_CONFLICT},
    {ERR_TOO_BIG, 413},
    {ERR_CORRUPT, 422},
    {ERR_NO_SPACE, MHD_HTTP_SERVICE_UNAVAILABLE},
    {ERR_TIMEOUT, MHD_HTTP_SERVICE_UNAVAILABLE},
};

static unsigned status_of(enum err_kind kind)
{
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
        if (statuses[i].kind == kind)
            return statuses[i].status;
    return MHD_HTTP_INTERNAL_SERVER_ERROR;
}

void http_respond_header(struct http_exchange *exchange, const char *name, const char *value)
{
    struct http_headers *headers = &exchange->headers;

    CHECK(headers->count < sizeof headers->names / sizeof headers->names[0]);
    CHECK(strpbrk(value, "\r\n") == NULL);
    headers->names[headers->count] = name;
    headers->values[headers->count++] = mem_text(value);
}

void http_respond_with(struct http_exchange *exchange, unsigned status, const char *type,
                       struct MHD_Response *response)
{
    struct http_headers *headers = &exchange->headers;

    CHECK(response != NULL);
    CHECK(exchange->response == NULL);
    if (type != NULL)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    for (size_t i = 0; i < headers->count; i++)
        (void)MHD_add_response_header(response, headers->names[i], headers->values[i]);
    if (MHD_get_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL) == NULL)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    exchange->status = status;
    exchange->response = response;
    if (status >= 500)
        atomic_fetch_add(&exchange->http->figure_failed, 1);
    else if (status >= 400)
        atomic_fetch_add(&exchange->http->figure_refused, 1);
}

void http_respond_take(struct http_exchange *exchange, unsigned status, const char *type,
                       struct buf *take)
{
    static char none;
    size_t size = take->size;
    size_t max = take->max;
    /* A buffer that was never written to has no memory. */
    struct MHD_Response *response =
        take->data == NULL
            ? MHD_create_response_from_buffer(0, &none, MHD_RESPMEM_PERSISTENT)
            : MHD_create_response_from_buffer(size, take->data, MHD_RESPMEM_MUST_FREE);

    *take = (struct buf)BUF_INIT(max);
    atomic_fetch_add(&exchange->http->figure_bytes_out, size);
    http_respond_with(exchange, status, type, response);
}

void http_respond_text(struct http_exchange *exchange, unsigned status, const char *type,
                       const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

    atomic_fetch_add(&exchange->http->figure_bytes_out, strlen(text));
    http_respond_with(exchange, status, type, response);
}

void http_respond_empty(struct http_exchange *exchange, unsigned status)
{
    http_respond_text(exchange, status, NULL, "");
}

void http_respond_file(struct http_exchange *exchange, unsigned status, const char *type,
                       struct http_file file)
{
    struct MHD_Response *response =
        MHD_create_response_from_fd_at_offset64(file.size, file.fd, file.offset);

    atomic_fetch_add(&exchange->http->figure_bytes_out, exchange->is_head ? 0 : file.size);
    http_respond_with(exchange, status, type, response);
}

void http_respond_refusal(struct http_exchange *exchange, unsigned status, const struct err *err)
{
    struct buf text = BUF_INIT(ERROR_BYTES_MAX);
    struct err ignored = ERR_INIT;
    struct json_writer writer = json_writer(&text, false, &ignored);

    json_write_object(&writer);
    json_write_key_text(&writer, "error", err->text);
    json_write_key_text(&writer, "kind", err_kind_name(err->kind));
    json_write_close(&writer);
    CHECK(json_writer_ok(&writer));
    http_respond_take(exchange, status, "application/json", &text);
}

void http_respond_err(struct http_exchange *exchange, const struct err *err)
{
    http_respond_refusal(exchange, status_of(err->kind), err);
}

bool http_has_responded(const struct http_exchange *exchange)
{
    return exchange->response != NULL;
}

enum MHD_Result http_respond_queue(struct http_exchange *exchange)
{
    return MHD_queue_response(exchange->mhd, exchange->status, exchange->response);
}
