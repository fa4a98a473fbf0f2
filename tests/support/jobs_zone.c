#include "tests/support/jobs_zone.h"

#include "storage/base/check.h"

/* Of both blocks: one type with offset 0, named by one NUL; nothing else. */
static const uint8_t block[] = {
    'T', 'Z', 'i', 'f', '2', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, /* version, reserved */
    0,   0,   0,   0,                                                     /* isutcnt */
    0,   0,   0,   0,                                                     /* isstdcnt */
    0,   0,   0,   0,                                                     /* leapcnt */
    0,   0,   0,   0,                                                     /* timecnt */
    0,   0,   0,   1,                                                     /* typecnt */
    0,   0,   0,   1,                                                     /* charcnt */
    0,   0,   0,   0,   0,   0,                                           /* the type */
    0,                                                                    /* its name */
};

void jobs_zone_file(const char *rule, struct buf *out)
{
    struct err err = ERR_INIT;

    CHECK(buf_append(out, block, sizeof block, &err) &&
          buf_append(out, block, sizeof block, &err) && buf_format(out, &err, "\n%s\n", rule));
}
