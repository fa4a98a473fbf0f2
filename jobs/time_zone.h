/* time_zone.h — a time zone of the tz database: local time of an instant, without the C library's
 * global state. Reads files of RFC 8536 (version 1 to 4, with the footer's rule for later years),
 * taken as hostile: every count is checked against the file's size. */
#ifndef THAW_JOBS_TIME_ZONE_H
#define THAW_JOBS_TIME_ZONE_H

#include "storage/base/buf.h"

#define TIME_ZONE_BYTES_MAX (256u << 10)
#define TIME_ZONE_FOLDER    "/usr/share/zoneinfo"

struct time_zone; /* opaque, heap; not changed after it was made: safe to share */

/* `name` is "UTC" (needs no file) or "Europe/Berlin": a name of the tz database, never a path.
 * ERR_INVALID, ERR_NOT_FOUND, ERR_CORRUPT. */
bool time_zone_load(const char *name, struct time_zone **out, struct err *err);
/* From the bytes of such a file. */
bool time_zone_parse(struct span bytes, struct time_zone **out, struct err *err);
void time_zone_free(struct time_zone *zone);
/* Seconds east of UTC at that instant. */
int32_t time_zone_offset(const struct time_zone *zone, int64_t instant_s);
/* The first instant after `after_s` at which the offset changes; INT64_MAX: none within 400
 * years. */
int64_t time_zone_change(const struct time_zone *zone, int64_t after_s);

#endif
