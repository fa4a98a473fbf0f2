#include "coordinator/http_internal.h"

#include "storage/base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What http.h lets handlers ask, and the checks before any of them sees a request. */

enum http_method http_request_method(const struct http_exchange *exchange)
{
    return exchange->method;
}

bool http_is_head(const struct http_exchange *exchange)
{
    return exchange->is_head;
}

const struct http_route *http_request_route(const struct http_exchange *exchange)
{
    return exchange->match.route;
}

const char *http_path(const struct http_exchange *exchange)
{
    return exchange->path;
}

const char *http_param(const struct http_exchange *exchange, const char *name)
{
    const char *value = http_parameters_get(&exchange->match.captured, name);

    CHECK(value != NULL);
    return value;
}

const char *http_query(const struct http_exchange *exchange, const char *name)
{
    return http_parameters_get(&exchange->query, name);
}

const char *http_header(const struct http_exchange *exchange, const char *name)
{
    return MHD_lookup_connection_value(exchange->mhd, MHD_HEADER_KIND, name);
}

uint64_t http_content_length(const struct http_exchange *exchange)
{
    return exchange->content_length;
}

struct span http_body(const struct http_exchange *exchange)
{
    return buf_span(&exchange->body);
}

const char *http_peer(const struct http_exchange *exchange)
{
    return exchange->connection->peer;
}

bool http_peer_is_local(const struct http_exchange *exchange)
{
    return exchange->connection->is_local;
}

void http_set_identity(struct http_exchange *exchange, const char *name, uint32_t role)
{
    snprintf(exchange->identity, sizeof exchange->identity, "%s", name);
    exchange->role = role;
}

const char *http_identity(const struct http_exchange *exchange)
{
    return exchange->identity;
}

uint32_t http_role(const struct http_exchange *exchange)
{
    return exchange->role;
}

void http_set_user(struct http_exchange *exchange, void *user)
{
    exchange->user = user;
}

void *http_user(const struct http_exchange *exchange)
{
    return exchange->user;
}

/* Digits only; false otherwise or when it does not fit. */
static bool number(const char **text, uint64_t *out)
{
    uint64_t value = 0;
    const char *at = *text;

    for (; *at >= '0' && *at <= '9'; at++) {
        if (value > (UINT64_MAX - 9) / 10)
            return false;
        value = value * 10 + (uint64_t)(*at - '0');
    }
    if (at == *text)
        return false;
    *text = at;
    *out = value;
    return true;
}

bool http_range(const struct http_exchange *exchange, uint64_t size, uint64_t *offset,
                uint64_t *bytes)
{
    const char *text = http_header(exchange, MHD_HTTP_HEADER_RANGE);
    uint64_t from = 0, to = UINT64_MAX;
    bool is_suffix, ok;

    *offset = 0;
    *bytes = size;
    if (text == NULL || strncasecmp(text, "bytes=", 6) != 0)
        return false;
    text += 6;
    is_suffix = *text == '-';
    ok = is_suffix || number(&text, &from);
    if (!ok || *text++ != '-' || ((is_suffix || *text != 0) && !number(&text, &to)) || *text != 0)
        return false;
    if (is_suffix) {
        from = to < size ? size - to : 0;
        to = to == 0 ? 0 : UINT64_MAX;
    } else if (to < from) {
        return false;
    }
    if (from >= size || (is_suffix && to == 0)) {
        *bytes = 0;
        return false;
    }
    *offset = from;
    *bytes = (to < size ? to + 1 : size) - from;
    return true;
}

static bool refuse(struct http_exchange *exchange, unsigned status, const struct err *err)
{
    http_respond_refusal(exchange, status, err);
    return false;
}

static bool parse_method(struct http_exchange *exchange, const char *name)
{
    exchange->is_head = strcmp(name, "HEAD") == 0;
    exchange->method = HTTP_GET;
    if (exchange->is_head)
        return true;
    for (int i = 0; i < HTTP_METHOD_COUNT; i++) {
        if (strcmp(name, http_method_name((enum http_method)i)) == 0) {
            exchange->method = (enum http_method)i;
            return true;
        }
    }
    return false;
}

static void allow_header(struct http_exchange *exchange, uint32_t methods)
{
    char text[64] = "";
    size_t used = 0;

    for (unsigned i = 0; i < HTTP_METHOD_COUNT; i++)
        if ((methods & 1u << i) != 0)
            used += (size_t)snprintf(text + used, sizeof text - used, "%s%s%s",
                                     used != 0 ? ", " : "", http_method_name((enum http_method)i),
                                     i == HTTP_GET ? ", HEAD" : "");
    http_respond_header(exchange, MHD_HTTP_HEADER_ALLOW, text);
}

static bool find_route(struct http_exchange *exchange, const char *method)
{
    struct http *http = exchange->http;
    struct err err = ERR_INIT;
    bool known = parse_method(exchange, method);

    if (http_match_path(http->tables, http->options.table_count, exchange->method, exchange->path,
                        &exchange->match, &err)) {
        if (known)
            return true;
        (void)err_set(&err, ERR_UNSUPPORTED, "the method %.20s is not served", method);
    }
    if (err.kind != ERR_UNSUPPORTED) {
        http_respond_err(exchange, &err);
        return false;
    }
    if (known)
        allow_header(exchange, exchange->match.methods);
    return refuse(exchange, MHD_HTTP_METHOD_NOT_ALLOWED, &err);
}

struct query_reading {
    struct http_exchange *exchange;
    struct err err;
    bool ok;
};

static bool query_add(struct query_reading *reading, const char *name, const char *value,
                      size_t size)
{
    const struct http_route *route = reading->exchange->match.route;
    struct http_parameters *query = &reading->exchange->query;
    const char *word = http_word(route->query, name);
    char *decoded;

    if (word == NULL)
        return err_set(&reading->err, ERR_INVALID, "no parameter \"%.40s\" here%s%s", name,
                       route->query[0] != 0 ? "; there is: " : "", route->query);
    if (http_parameters_get(query, name) != NULL || query->count == HTTP_QUERY_MAX)
        return err_set(&reading->err, ERR_INVALID, "the parameter \"%.40s\" is given twice", name);
    if (!http_decode(value, size, &decoded, &reading->err))
        return err_wrap(&reading->err, "parameter %.40s", name);
    query->names[query->count] = word;
    query->values[query->count++] = decoded;
    return true;
}

static enum MHD_Result query_each(void *cls, enum MHD_ValueKind kind, const char *name,
                                  size_t name_size, const char *value, size_t value_size)
{
    struct query_reading *reading = cls;

    (void)kind;
    (void)name_size;
    reading->ok = query_add(reading, name, value != NULL ? value : "", value_size);
    return reading->ok ? MHD_YES : MHD_NO;
}

static bool read_query(struct http_exchange *exchange)
{
    struct query_reading reading = {exchange, ERR_INIT, true};

    (void)MHD_get_connection_values_n(exchange->mhd, MHD_GET_ARGUMENT_KIND, query_each, &reading);
    if (!reading.ok)
        http_respond_err(exchange, &reading.err);
    return reading.ok;
}

static bool ask_allowed(struct http_exchange *exchange)
{
    struct http_options *options = &exchange->http->options;
    struct err err = ERR_INIT;

    if (options->allow == NULL || options->allow(options->allow_context, exchange, &err))
        return true;
    if (err.kind == ERR_CONFLICT) {
        http_respond_header(exchange, MHD_HTTP_HEADER_RETRY_AFTER, "10");
        return refuse(exchange, MHD_HTTP_TOO_MANY_REQUESTS, &err);
    }
    if (exchange->role != UINT32_MAX)
        return refuse(exchange, MHD_HTTP_FORBIDDEN, &err);
    http_respond_header(exchange, MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"thaw\"");
    return refuse(exchange, MHD_HTTP_UNAUTHORIZED, &err);
}

/* Bytes of the body as announced: known before anything is refused, so that a long body is not
 * swallowed for the sake of an error. */
static bool read_length(struct http_exchange *exchange)
{
    const char *text = http_header(exchange, MHD_HTTP_HEADER_CONTENT_LENGTH);
    struct err err = ERR_INIT;

    if (http_header(exchange, MHD_HTTP_HEADER_TRANSFER_ENCODING) != NULL) {
        exchange->content_length = UINT64_MAX;
        (void)err_set(&err, ERR_INVALID, "say how long the body is (Content-Length)");
        return refuse(exchange, MHD_HTTP_LENGTH_REQUIRED, &err);
    }
    if (text != NULL && (!number(&text, &exchange->content_length) || *text != 0)) {
        exchange->content_length = UINT64_MAX;
        (void)err_set(&err, ERR_INVALID, "Content-Length is no number");
        return refuse(exchange, MHD_HTTP_BAD_REQUEST, &err);
    }
    return true;
}

static bool length_fits(struct http_exchange *exchange)
{
    uint64_t max = exchange->match.route->body_max;
    struct err err = ERR_INIT;

    if (exchange->content_length <= max)
        return true;
    (void)err_set(&err, ERR_TOO_BIG, "%s %s takes a body of at most %llu bytes, this has %llu",
                  http_method_name(exchange->method), exchange->match.route->path,
                  (unsigned long long)max, (unsigned long long)exchange->content_length);
    return refuse(exchange, 413, &err);
}

/* Room for a body that will be collected. */
static bool reserve_body(struct http_exchange *exchange)
{
    struct http *http = exchange->http;
    uint64_t size = exchange->content_length;
    struct err err = ERR_INIT;

    exchange->body.max = (size_t)size;
    if (exchange->match.route->handler->body != NULL || size == 0)
        return true;
    if (atomic_fetch_add(&http->body_memory, size) + size <= http->options.body_memory_bytes) {
        exchange->body_reserved = size;
        return true;
    }
    atomic_fetch_sub(&http->body_memory, size);
    (void)err_set(&err, ERR_TIMEOUT, "too many large requests at once: try again later");
    http_respond_header(exchange, MHD_HTTP_HEADER_RETRY_AFTER, "2");
    return refuse(exchange, MHD_HTTP_SERVICE_UNAVAILABLE, &err);
}

void http_exchange_begin(struct http_exchange *exchange, const char *method)
{
    const struct http_handler *handler;

    atomic_store(&exchange->connection->has_headers, true);
    atomic_store(&exchange->connection->body_bytes, 0);
    atomic_store(&exchange->connection->since_ns, clock_monotonic_ns(&exchange->http->clock));
    atomic_fetch_add(&exchange->http->figure_requests, 1);
    exchange->body = (struct buf)BUF_INIT(0);
    if (!read_length(exchange) || !find_route(exchange, method) || !ask_allowed(exchange) ||
        !length_fits(exchange) || !read_query(exchange) || !reserve_body(exchange))
        return;
    exchange->has_begun = true;
    handler = exchange->match.route->handler;
    if (handler->begin != NULL)
        handler->begin(exchange->match.context, exchange);
}
