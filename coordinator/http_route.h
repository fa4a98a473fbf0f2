/* http_route.h — which route a path takes, and what stood in its braces; query parameters. Pure. */
#ifndef THAW_COORDINATOR_HTTP_ROUTE_H
#define THAW_COORDINATOR_HTTP_ROUTE_H

#include "coordinator/http.h"

/* Names and decoded values. */
struct http_parameters {
    const char *names[HTTP_QUERY_MAX]; /* borrowed from a route */
    char *values[HTTP_QUERY_MAX];
    size_t count;
};
void http_parameters_release(struct http_parameters *parameters);
const char *http_parameters_get(const struct http_parameters *parameters, const char *name);

struct http_match {
    const struct http_route *route;
    void *context;                   /* of its table */
    struct http_parameters captured; /* names are in memory of their own: see release */
    uint32_t methods;                /* bits 1u << method that the path has */
};
void http_match_release(struct http_match *match);

/* Undoes percent-encoding in `text`, `size` bytes. ERR_INVALID: bad encodings, control characters,
 * NUL; ERR_TOO_BIG over HTTP_SEGMENT_MAX. The caller frees (mem_free). */
bool http_decode(const char *text, size_t size, char **out, struct err *err);
/* Finds the route of a path as it came. ERR_INVALID: a path of no proper form; ERR_NOT_FOUND: no
 * such path; ERR_UNSUPPORTED: the path is there, but not this method (`methods` says which are). */
bool http_match_path(const struct http_table *tables, size_t table_count, enum http_method method,
                     const char *path, struct http_match *out, struct err *err);
/* Whether `name` is one of the words in `words`; gives the word itself and its size. */
const char *http_word(const char *words, const char *name);

#endif
