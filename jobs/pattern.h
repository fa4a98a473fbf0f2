/* pattern.h — regular expressions (PCRE2) over streams of console bytes.
 *
 * Patterns work on bytes, not on characters. `^` and `$` match at line ends (multi-line mode), `.`
 * does not match a line end, and line ends are LF, CR or CR LF. No code is compiled for the host
 * and the effort of a match is limited by counting steps, so a pattern behaves the same on every
 * host.
 *
 * In a stream a pattern matches at the first byte with which there is a match: `a+` at the first
 * `a`,
 * `$` at the end of what has come. How bytes were cut into pieces makes no difference. */
#ifndef THAW_JOBS_PATTERN_H
#define THAW_JOBS_PATTERN_H

#include "storage/base/buf.h"

#define PATTERN_TEXT_MAX 4096
/* What a stream keeps of a match that has begun; a longer one is not found. */
#define PATTERN_WINDOW_MAX 16384u
/* Steps of one match. */
#define PATTERN_STEPS_MAX 200000u

struct pattern; /* opaque */

/* ERR_INVALID says what is wrong and where. */
struct pattern *pattern_new(const char *text, struct err *err);
void pattern_free(struct pattern *pattern);
const char *pattern_text(const struct pattern *pattern);

/* Where a match lies, in bytes. */
struct pattern_place {
    size_t start, end;
    size_t group_start, group_end; /* of the first group; both 0 if it took no part */
};
/* Looks once through all of `subject`. False with err->kind ERR_NONE: no match. ERR_TOO_BIG: too
 * many steps. `place` may be NULL. */
bool pattern_search(const struct pattern *pattern, struct span subject, struct pattern_place *place,
                    struct err *err);
/* The same, true if there is a match; too many steps count as none. */
bool pattern_matches(const struct pattern *pattern, struct span subject);

/* A pattern waiting for its match in a stream. */
struct pattern_stream {
    const struct pattern *pattern; /* borrowed */
    struct buf window;          /* bytes that may still be part of a match, and some before them */
    size_t start;               /* where in the window the search goes on */
    bool line_start;            /* the window begins at the start of a line */
    bool failed;                /* too many steps: it will never match */
    struct pattern_place place; /* in the window, of the match that put() just told of */
};
/* `line_start`: the byte before the first one was a line end, or there was none. */
void pattern_stream_init(struct pattern_stream *stream, const struct pattern *pattern,
                         bool line_start);
void pattern_stream_release(struct pattern_stream *stream); /* safe on a zeroed one */
/* Takes one byte. True if it completes a match; the search goes on behind it with the next byte. */
bool pattern_stream_put(struct pattern_stream *stream, uint8_t byte);

#endif
