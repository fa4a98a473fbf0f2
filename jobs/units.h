/* units.h — numbers with units as people write them: `512 MiB`, `2G instructions`, `1.5 GHz`, `30
 * s`.
 *
 * A number is decimal digits, `_` between digits allowed, with an optional fraction that must come
 * out whole in the smallest unit; or 0x and hexadecimal digits. Blanks before the unit are
 * optional. All fail with ERR_INVALID and a sentence that says what is accepted; nothing is rounded
 * and nothing overflows. The same parsers serve files and command lines. */
#ifndef THAW_JOBS_UNITS_H
#define THAW_JOBS_UNITS_H

#include "storage/base/err.h"

#include <stdint.h>

/* No unit, or K, M, G, T (powers of 1000). */
bool units_number(const char *text, uint64_t *out, struct err *err);
/* As a number, and the word "instructions" may follow. */
bool units_instructions(const char *text, uint64_t *out, struct err *err);
/* Bytes: no unit or B; K, M, G, T and KiB, MiB, GiB, TiB are all powers of 1024, as in QEMU. kB, MB
 * and GB are refused, since nobody knows which they are. */
bool units_bytes(const char *text, uint64_t *out, struct err *err);
/* Hz, kHz, MHz, GHz. The unit is required. */
bool units_hertz(const char *text, uint64_t *out, struct err *err);
/* To nanoseconds: ns, us, ms, s, min, h, d, days, weeks. The unit is required. */
bool units_duration_ns(const char *text, uint64_t *out, struct err *err);
/* `2026-01-01T00:00:00Z` (or the date only) to seconds since 1970-01-01 UTC. Years 1970 to 2261:
 * what 64 bits of nanoseconds hold. */
bool units_date(const char *text, uint64_t *seconds, struct err *err);
/* true, false, yes, no, on, off. */
bool units_bool(const char *text, bool *out, struct err *err);

#endif
