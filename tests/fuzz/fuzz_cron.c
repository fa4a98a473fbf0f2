/* Any line as a cron expression, what follows it as a time zone file: refused, or a start that is
 * after the instant and on the schedule. */
#include "jobs/cron.h"
#include "storage/base/check.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/jobs_zone.h"

#include <string.h>

#define NOW INT64_C(1795424400) /* 2026-11-23 */

static void start(const struct cron *cron, const struct time_zone *zone)
{
    struct err err = ERR_INIT;
    int64_t at = NOW, next;

    for (int i = 0; i < 3; i++) {
        if (!cron_next(cron, zone, at, &next, &err)) {
            CHECK(err.kind != ERR_NONE);
            return;
        }
        CHECK(next > at);
        at = next;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *newline = size == 0 ? NULL : memchr(data, '\n', size);
    size_t length = newline == NULL ? size : (size_t)(newline - data);
    struct buf file = BUF_INIT(4096);
    struct time_zone *zone = NULL;
    struct err err = ERR_INIT;
    struct cron cron;
    char text[512];

    if (length >= sizeof text)
        return 0;
    memcpy(text, data, length);
    text[length] = '\0';
    if (newline == NULL ||
        !time_zone_parse((struct span){newline + 1, size - length - 1}, &zone, &err)) {
        jobs_zone_file("CET-1CEST,M3.5.0,M10.5.0/3", &file);
        CHECK(time_zone_parse(buf_span(&file), &zone, &err));
    }
    if (cron_parse(text, &cron, &err))
        start(&cron, zone);
    time_zone_free(zone);
    buf_release(&file);
    return 0;
}
