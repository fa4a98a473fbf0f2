#include "coordinator/http_route.h"

#include "storage/base/check.h"

#include <string.h>

/* A path taken apart, every segment decoded. */
struct segments {
    char *items[HTTP_SEGMENTS];
    size_t count;
};

void http_parameters_release(struct http_parameters *parameters)
{
    for (size_t i = 0; i < parameters->count; i++)
        mem_free(parameters->values[i]);
    memset(parameters, 0, sizeof *parameters);
}

const char *http_parameters_get(const struct http_parameters *parameters, const char *name)
{
    for (size_t i = 0; i < parameters->count; i++) {
        size_t size = strlen(name);

        /* Names end at a NUL, a space (a word of a list) or a brace (of a path). */
        if (strncmp(parameters->names[i], name, size) == 0 &&
            strchr(" }", parameters->names[i][size]) != NULL)
            return parameters->values[i];
    }
    return NULL;
}

void http_match_release(struct http_match *match)
{
    http_parameters_release(&match->captured);
    match->route = NULL;
}

static int hex_digit(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    if (digit >= 'A' && digit <= 'F')
        return digit - 'A' + 10;
    return -1;
}

/* One character at text[*at]; -1 for a bad encoding. */
static int decode_one(const char *text, size_t size, size_t *at)
{
    int high, low;

    if (text[*at] != '%')
        return (unsigned char)text[(*at)++];
    if (size - *at < 3)
        return -1;
    high = hex_digit(text[*at + 1]);
    low = hex_digit(text[*at + 2]);
    *at += 3;
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool http_decode(const char *text, size_t size, char **out, struct err *err)
{
    char decoded[HTTP_SEGMENT_MAX + 1];
    size_t used = 0;

    for (size_t at = 0; at < size;) {
        int byte = decode_one(text, size, &at);

        if (byte < 0)
            return err_set(err, ERR_INVALID, "\"%%\" is not followed by two hex digits");
        if (byte < ' ' || byte == 0x7f)
            return err_set(err, ERR_INVALID, "a control character (%d) is in the URL", byte);
        if (used == HTTP_SEGMENT_MAX)
            return err_set(err, ERR_TOO_BIG, "a part of the URL is over %d bytes",
                           HTTP_SEGMENT_MAX);
        decoded[used++] = (char)byte;
    }
    decoded[used] = 0;
    *out = mem_text(decoded);
    return true;
}

static void segments_release(struct segments *segments)
{
    for (size_t i = 0; i < segments->count; i++)
        mem_free(segments->items[i]);
    segments->count = 0;
}

static bool segments_split(const char *path, struct segments *out, struct err *err)
{
    out->count = 0;
    if (path[0] != '/')
        return err_set(err, ERR_INVALID, "a path starts with \"/\"");
    while (*path == '/') {
        size_t size = strcspn(++path, "/");
        char *item;

        if (out->count == HTTP_SEGMENTS)
            return err_set(err, ERR_INVALID, "a path has at most %d parts", HTTP_SEGMENTS);
        if (!http_decode(path, size, &item, err))
            return false;
        out->items[out->count++] = item;
        if (item[0] == 0 || strcmp(item, ".") == 0 || strcmp(item, "..") == 0)
            return err_set(err, ERR_INVALID, "empty parts, \".\" and \"..\" are not for paths");
        path += size;
    }
    return true;
}

static bool route_fits(const char *pattern, const struct segments *segments)
{
    for (size_t i = 0; i < segments->count; i++) {
        size_t size;

        if (*pattern != '/')
            return false;
        size = strcspn(++pattern, "/");
        if (pattern[0] != '{' &&
            (strlen(segments->items[i]) != size || memcmp(pattern, segments->items[i], size) != 0))
            return false;
        pattern += size;
    }
    return *pattern == 0;
}

/* Moves what stood in the braces out of `segments`. */
static void route_capture(const char *pattern, struct segments *segments,
                          struct http_parameters *out)
{
    memset(out, 0, sizeof *out);
    for (size_t i = 0; i < segments->count; i++) {
        pattern++;
        if (pattern[0] == '{') {
            CHECK(out->count < HTTP_PARAMS_MAX);
            out->names[out->count] = pattern + 1;
            out->values[out->count++] = segments->items[i];
            segments->items[i] = NULL;
        }
        pattern += strcspn(pattern, "/");
    }
}

static bool match_segments(const struct http_table *tables, size_t table_count,
                           enum http_method method, struct segments *segments,
                           struct http_match *out)
{
    for (size_t t = 0; t < table_count; t++) {
        for (size_t r = 0; r < tables[t].count; r++) {
            const struct http_route *route = &tables[t].routes[r];

            if (!route_fits(route->path, segments))
                continue;
            out->methods |= 1u << route->method;
            if (route->method != method)
                continue;
            out->route = route;
            out->context = tables[t].context;
            route_capture(route->path, segments, &out->captured);
            return true;
        }
    }
    return false;
}

bool http_match_path(const struct http_table *tables, size_t table_count, enum http_method method,
                     const char *path, struct http_match *out, struct err *err)
{
    struct segments segments;
    bool ok;

    memset(out, 0, sizeof *out);
    ok = segments_split(path, &segments, err);
    if (ok && !match_segments(tables, table_count, method, &segments, out))
        ok = out->methods != 0 ? err_set(err, ERR_UNSUPPORTED, "%s does not take this method", path)
                               : err_set(err, ERR_NOT_FOUND, "there is no %.200s here", path);
    segments_release(&segments);
    return ok;
}

const char *http_word(const char *words, const char *name)
{
    size_t size = strlen(name);

    while (*words != 0) {
        size_t word = strcspn(words, " ");

        if (word == size && memcmp(words, name, size) == 0)
            return words;
        words += word + (words[word] == ' ');
    }
    return NULL;
}
