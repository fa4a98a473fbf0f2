/* remote.h — another store, over HTTP: fetch a checkpoint or a blob from it, push one to it.
 *
 * Paths below the URL that is given (the coordinator's API, coordinator/openapi.yaml):
 *   GET  store/checkpoints/ID   JSON: "packs" [{"name", "bytes"}], "facts" {key: text}
 *   PUT  store/checkpoints/ID   JSON: "facts"; after its packs and its manifest
 *   GET, HEAD, PUT store/packs/NAME, store/manifests/ID, store/blobs/HASH   bytes; GET with Range
 *
 * Both sides believe hashes only (storage/exchange.h). A transfer that breaks goes on where it was;
 * what may pass by itself (no connection, 5xx, 429, 409) is tried again, each time after a longer
 * wait, REMOTE_TRIES times in all. */
#ifndef THAW_STORAGE_REMOTE_H
#define THAW_STORAGE_REMOTE_H

#include "storage/exchange.h"

#define REMOTE_TRIES      6
#define REMOTE_PARALLEL   4          /* transfers at once */
#define REMOTE_REPLY_MAX  (4u << 20) /* bytes of a JSON reply */
#define REMOTE_TAG_PREFIX "id/" /* a fetched checkpoint's facts are under this tag and its id */
#define REMOTE_PACKS_MAX  65536u

struct remote; /* opaque; used by one thread at a time */

struct remote_options {
    const char *url;         /* "https://host:port/api/v1" */
    const char *token;       /* bearer token, or NULL */
    const char *ca_file;     /* certificates to trust besides the system's; or NULL */
    const char *socket_path; /* connect to this Unix socket, whatever the URL's host; or NULL */
    uint32_t wait_ms;        /* before the second try; doubles each time. 0: 100 */
    /* Told now and then of what came or went so far, of `total` (0: not known); or NULL. */
    void (*progress)(void *context, uint64_t bytes, uint64_t total);
    void *context;
};

/* Copies the options' texts. ERR_USAGE for a URL that is neither http nor https. */
bool remote_open(const struct remote_options *options, struct remote **out, struct err *err);
void remote_close(struct remote *remote);

/* Brings what `store` lacks of a checkpoint, and its facts as the tag "id/ID". */
bool remote_fetch_checkpoint(struct remote *remote, struct store *store,
                             const struct hash *checkpoint, struct err *err);
/* Takes there what the other side lacks, with the facts of `tag` (NULL: of "id/ID", if there is
 * one). */
bool remote_push_checkpoint(struct remote *remote, struct store *store,
                            const struct hash *checkpoint, const struct store_tag *tag,
                            struct err *err);
bool remote_fetch_blob(struct remote *remote, struct store *store, const struct hash *id,
                       struct err *err);
bool remote_push_blob(struct remote *remote, struct store *store, const struct hash *id,
                      struct err *err);

/* A JSON request to the same server: `body` may be empty (then it is a GET unless `method` says
 * otherwise). Appends the reply's body. A status of 400 and more is an error with the sentence the
 * server gave; ERR_NOT_FOUND, ERR_ACCESS, ERR_CONFLICT, ERR_TOO_BIG, ERR_USAGE by status. */
bool remote_call(struct remote *remote, const char *method, const char *path, struct span body,
                 struct buf *reply, struct err *err);

#endif
