#define PCRE2_CODE_UNIT_WIDTH 8
#include "jobs/pattern.h"

#include "storage/base/check.h"

#include <pcre2.h>
#include <string.h>

/* Bytes kept before the place where a search goes on, for `\b` and lookbehind of any sensible
 * length. */
#define LOOKBEHIND_MIN 1u
#define LOOKBEHIND_MAX 255u
#define GROUPS_READ    2u

struct pattern {
    char *text;
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    uint32_t lookbehind; /* bytes */
};

static pcre2_code *compile(const char *text, struct err *err)
{
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_code *code;
    PCRE2_UCHAR message[160];
    PCRE2_SIZE offset;
    int error;

    CHECK(context != NULL);
    pcre2_set_newline(context, PCRE2_NEWLINE_ANYCRLF);
    pcre2_set_parens_nest_limit(context, 50);
    code = pcre2_compile((PCRE2_SPTR)text, strlen(text), PCRE2_MULTILINE | PCRE2_NEVER_UTF, &error,
                         &offset, context);
    pcre2_compile_context_free(context);
    if (code != NULL)
        return code;
    pcre2_get_error_message(error, message, sizeof message);
    err_set(err, ERR_INVALID, "regular expression `%.200s`: %s (at character %zu)", text,
            (const char *)message, (size_t)offset + 1);
    return NULL;
}

struct pattern *pattern_new(const char *text, struct err *err)
{
    struct pattern *pattern;
    pcre2_code *code;

    if (strlen(text) > PATTERN_TEXT_MAX) {
        err_set(err, ERR_TOO_BIG, "regular expression of %zu bytes; the limit is %d", strlen(text),
                PATTERN_TEXT_MAX);
        return NULL;
    }
    code = compile(text, err);
    if (code == NULL)
        return NULL;
    pattern = mem_alloc(sizeof *pattern);
    pattern->text = mem_text(text);
    pattern->code = code;
    pattern->match = pcre2_match_data_create(GROUPS_READ, NULL);
    pattern->limits = pcre2_match_context_create(NULL);
    CHECK(pattern->match != NULL && pattern->limits != NULL);
    pcre2_set_match_limit(pattern->limits, PATTERN_STEPS_MAX);
    pcre2_set_depth_limit(pattern->limits, PATTERN_STEPS_MAX);
    /* In KiB. Steps bound memory already; this is the second lock on the same door. */
    pcre2_set_heap_limit(pattern->limits, 65536);
    pcre2_pattern_info(code, PCRE2_INFO_MAXLOOKBEHIND, &pattern->lookbehind);
    if (pattern->lookbehind < LOOKBEHIND_MIN)
        pattern->lookbehind = LOOKBEHIND_MIN;
    if (pattern->lookbehind > LOOKBEHIND_MAX) {
        pattern_free(pattern);
        err_set(err, ERR_INVALID, "regular expression `%.200s` looks back over %u bytes", text,
                LOOKBEHIND_MAX);
        return NULL;
    }
    return pattern;
}

void pattern_free(struct pattern *pattern)
{
    if (pattern == NULL)
        return;
    pcre2_match_context_free(pattern->limits);
    pcre2_match_data_free(pattern->match);
    pcre2_code_free(pattern->code);
    mem_free(pattern->text);
    mem_free(pattern);
}

const char *pattern_text(const struct pattern *pattern)
{
    return pattern->text;
}

static void read_place(const struct pattern *pattern, int groups, struct pattern_place *place)
{
    const PCRE2_SIZE *offsets = pcre2_get_ovector_pointer(pattern->match);

    *place = (struct pattern_place){offsets[0], offsets[1], 0, 0};
    /* \K in a lookahead can put the start behind the end. */
    if (place->start > place->end)
        place->start = place->end;
    if (groups > 1 && offsets[2] != PCRE2_UNSET) {
        place->group_start = offsets[2];
        place->group_end = offsets[3];
    }
}

bool pattern_search(const struct pattern *pattern, struct span subject, struct pattern_place *place,
                    struct err *err)
{
    const uint8_t *data = subject.data == NULL ? (const uint8_t *)"" : subject.data;
    int groups =
        pcre2_match(pattern->code, data, subject.size, 0, 0, pattern->match, pattern->limits);

    err->kind = ERR_NONE;
    if (groups == PCRE2_ERROR_NOMATCH)
        return false;
    if (groups < 0)
        return err_set(err, ERR_TOO_BIG, "regular expression `%.200s` takes too many steps",
                       pattern->text);
    if (place != NULL)
        read_place(pattern, groups == 0 ? (int)GROUPS_READ : groups, place);
    return true;
}

bool pattern_matches(const struct pattern *pattern, struct span subject)
{
    struct err err = ERR_INIT;

    return pattern_search(pattern, subject, NULL, &err);
}

void pattern_stream_init(struct pattern_stream *stream, const struct pattern *pattern,
                         bool line_start)
{
    memset(stream, 0, sizeof *stream);
    stream->pattern = pattern;
    /* Twice the window, so that cutting it is rare. */
    stream->window = (struct buf)BUF_INIT(2 * PATTERN_WINDOW_MAX);
    stream->line_start = line_start;
}

void pattern_stream_release(struct pattern_stream *stream)
{
    buf_release(&stream->window);
}

/* Drops `count` bytes from the front of the window. */
static void drop(struct pattern_stream *stream, size_t count)
{
    struct buf *window = &stream->window;
    uint8_t last;

    if (count == 0)
        return;
    last = window->data[count - 1];
    stream->line_start = last == '\n' || last == '\r';
    memmove(window->data, window->data + count, window->size - count);
    window->size -= count;
    stream->start -= count;
}

/* Keeps what can be part of a match and what a lookbehind may see. */
static void trim(struct pattern_stream *stream)
{
    size_t lookbehind = stream->pattern->lookbehind;

    if (stream->window.size - stream->start > PATTERN_WINDOW_MAX)
        stream->start = stream->window.size - PATTERN_WINDOW_MAX / 2;
    if (stream->start > lookbehind && stream->start - lookbehind >= 64)
        drop(stream, stream->start - lookbehind);
}

bool pattern_stream_put(struct pattern_stream *stream, uint8_t byte)
{
    const struct pattern *pattern = stream->pattern;
    uint32_t options;
    struct err err = ERR_INIT;
    int groups;

    if (stream->failed)
        return false;
    trim(stream);
    options = PCRE2_PARTIAL_SOFT | (stream->line_start ? 0 : PCRE2_NOTBOL);
    CHECK(buf_append(&stream->window, &byte, 1, &err));
    groups = pcre2_match(pattern->code, stream->window.data, stream->window.size, stream->start,
                         options, pattern->match, pattern->limits);
    if (groups == PCRE2_ERROR_PARTIAL) {
        stream->start = pcre2_get_ovector_pointer(pattern->match)[0];
        return false;
    }
    stream->start = stream->window.size;
    if (groups >= 0)
        read_place(pattern, groups == 0 ? (int)GROUPS_READ : groups, &stream->place);
    else if (groups != PCRE2_ERROR_NOMATCH)
        stream->failed = true;
    return groups >= 0;
}
