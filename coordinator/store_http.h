/* store_http.h — the coordinator's store over HTTP: what storage/remote/remote.h speaks to.
 *
 * Served by the HTTP server's own threads, straight from the store: bulk never passes through the
 * core thread. Blobs that were put are durable only when the core has committed what names them
 * (storage/blob.h). */
#ifndef THAW_COORDINATOR_STORE_HTTP_H
#define THAW_COORDINATOR_STORE_HTTP_H

#include "coordinator/http.h"
#include "storage/exchange.h"

#include <stdatomic.h>

struct store_http {
    struct store *store; /* borrowed; safe between threads */
    const struct clock_source *clock;
    /* For /metrics. */
    atomic_uint_fast64_t parts_out, parts_in, bytes_in, refused;
};

/* The routes below /api/v1/store/; `store_http` is borrowed. */
struct http_table store_http_table(struct store_http *store_http);

#endif
