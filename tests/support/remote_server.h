/* remote_server.h — a small HTTP server that gives out and takes in the parts of a store, and
 * misbehaves as it is told. One connection at a time, closed after each request. */
#ifndef THAW_TESTS_REMOTE_SERVER_H
#define THAW_TESTS_REMOTE_SERVER_H

#include "storage/exchange.h"

struct remote_server;

/* What goes wrong, each for the next so many requests of parts. */
struct remote_faults {
    unsigned refuse_500; /* answers 500 */
    unsigned cut_after;  /* how many replies are cut ... */
    size_t cut_bytes;    /* ... after so many bytes of body */
    unsigned flip;       /* replies with a bit of the body changed */
    bool no_ranges;      /* a whole body whatever was asked for */
    bool no_facts;       /* the description lacks its packs */
    const char *token;   /* what is to be in Authorization, or NULL */
};

/* Serves `store` on a free port of 127.0.0.1, in a thread. The faults may be changed while no
 * request is under way. */
struct remote_server *remote_server_start(struct store *store, struct remote_faults *faults);
/* "http://127.0.0.1:PORT/api" */
const char *remote_server_url(const struct remote_server *server);
unsigned remote_server_requests(const struct remote_server *server);
/* Bytes of bodies that went out. */
uint64_t remote_server_sent(const struct remote_server *server);
void remote_server_stop(struct remote_server *server);

#endif
