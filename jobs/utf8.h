/* utf8.h — UTF-8 (RFC 3629) in bytes that may be anything. */
#ifndef THAW_JOBS_UTF8_H
#define THAW_JOBS_UTF8_H

#include "storage/base/buf.h"

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Reads one character from `bytes` (not empty). Returns its size; 0 if there is none that is valid:
 * overlong, a surrogate, over U+10FFFF, cut short. */
size_t utf8_read(struct span bytes, uint32_t *out);
/* How many bytes from the start are valid. */
size_t utf8_valid_size(struct span bytes);
/* Columns that a character takes on a terminal: 0 for combining marks and controls, 2 for wide ones
 * (East Asian, emoji), else 1. A short table: the blocks people meet. */
unsigned int utf8_width(uint32_t character);
/* Columns of a text; invalid bytes count one each. */
size_t utf8_text_width(struct span text);

#endif
