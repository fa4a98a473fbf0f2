/* queue_nights.h — what happens in 400 nights: when they must start, when the coordinator is down,
 * what goes into the tests, and what comes of it. Worked out without cron.c and time_zone.c. */
#ifndef THAW_TESTS_QUEUE_NIGHTS_H
#define THAW_TESTS_QUEUE_NIGHTS_H

#include "jobs/verdict.h"
#include "storage/base/hash.h"

#define NIGHT_COUNT       400
#define NIGHT_TESTS       8
#define NIGHT_DAY_S       86400
#define NIGHT_FIRST_DAY   21111 /* 20 October 2027, in days since 1970 */
#define NIGHT_SPRING_DAY  21269 /* 26 March 2028 */
#define NIGHT_AUTUMN_DAY  21122 /* 31 October 2027 */
#define NIGHT_AUTUMN_DAY2 21486 /* 29 October 2028 */
#define NIGHT_LEAP_DAY    21243 /* 29 February 2028 */

enum night_series { NIGHT_EARLY, NIGHT_NIGHTLY };
#define NIGHT_SERIES 2

/* When it must start, in seconds since 1970: `early` at 01:00, `nightly` at 02:30, by Berlin's
 * clocks. */
int64_t night_slot(enum night_series series, int night);
/* Down from two hours before the early start until three after the nightly one; over three nights
 * once; and from between the two 02:30 of an autumn until the morning. */
bool night_is_down(int64_t now_s);
/* Version of the kernel: a new one every 23 nights, and for a few nights an old one again. */
int night_kernel(int night);
/* Version of a test: a new one every 11 nights. */
int night_version(int test, int night);
/* There is a test that comes later, and one that is left out for a while. */
bool night_has(int test, int night);

struct night_outcome {
    enum verdict verdict; /* as the agent reports it */
    uint64_t instructions;
    struct hash state;
};
/* What a test does depends on what goes into it, but for a host that breaks and a bug that makes
 * two executions differ. */
struct night_outcome night_outcome(int test, int night);

#endif
