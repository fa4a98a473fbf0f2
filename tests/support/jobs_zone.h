/* jobs_zone.h — time zone files made for tests, so that none depends on the host's. */
#ifndef THAW_TESTS_SUPPORT_JOBS_ZONE_H
#define THAW_TESTS_SUPPORT_JOBS_ZONE_H

#include "storage/base/buf.h"

/* A file of version 2 (RFC 8536) that says nothing but its rule: "CET-1CEST,M3.5.0,M10.5.0/3". */
void jobs_zone_file(const char *rule, struct buf *out);

#endif
