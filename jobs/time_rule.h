/* time_rule.h — a time zone's rule for years to come, as POSIX writes it:
 * `CET-1CEST,M3.5.0,M10.5.0/3` (with the hours -167 to 167 of RFC 8536, 3.3.1). Private to jobs/.
 */
#ifndef THAW_JOBS_TIME_RULE_H
#define THAW_JOBS_TIME_RULE_H

#include "storage/base/err.h"

#include <stdint.h>

enum time_rule_kind {
    RULE_JULIAN, /* Jn: day 1 to 365, 29 February never counted */
    RULE_DAY,    /* n: day 0 to 365 */
    RULE_MONTH,  /* Mm.w.d: weekday d (Sunday 0) of week w (5: the last) of month m */
};
struct time_rule_date {
    enum time_rule_kind kind;
    int32_t day, week, month;
    int32_t time; /* seconds after midnight, local */
};
struct time_rule {
    int32_t standard; /* seconds east of UTC */
    int32_t summer;
    bool has_summer;
    struct time_rule_date begin, end; /* of summer time */
};

/* ERR_CORRUPT. */
bool time_rule_parse(const char *text, struct time_rule *out, struct err *err);
int32_t time_rule_offset(const struct time_rule *rule, int64_t instant_s);
/* The first change after the instant; INT64_MAX: there is none. */
int64_t time_rule_change(const struct time_rule *rule, int64_t after_s);

#endif
