/* transfer.h — one HTTP request of a remote, tried as often as is allowed. Private to
 * storage/remote/. */
#ifndef THAW_STORAGE_REMOTE_TRANSFER_H
#define THAW_STORAGE_REMOTE_TRANSFER_H

#include "storage/remote/remote.h"

#include <curl/curl.h>

struct remote {
    char *url, *token, *ca_file, *socket_path;
    uint32_t wait_ms;
    void (*progress)(void *context, uint64_t bytes, uint64_t total);
    void *context;
    uint64_t done, total; /* for progress */
    CURLM *multi;
};

struct transfer {
    struct remote *remote;
    const char *method; /* "GET", "HEAD", "PUT", "POST", "DELETE" */
    char *path;         /* below the URL; owned */
    /* What goes out: a file (fd >= 0, from its beginning), or bytes. */
    int fd;
    uint64_t size, sent;
    struct span body;
    const char *type; /* of what goes out; NULL: bytes */
    /* What comes in: to an intake, or to a buffer; or nowhere. */
    struct intake *intake;
    struct buf *reply;
    /* private */
    CURL *easy;
    struct curl_slist *headers;
    struct buf error_text; /* what the server says with a status of 400 and more */
    struct err failure;    /* a callback's */
    unsigned tries;
    uint64_t not_before_ns; /* of the next try */
    bool is_running, is_done;
};

/* Runs them all, at most REMOTE_PARALLEL at once; stops at the first that fails for good. */
bool transfers_run(struct remote *remote, struct transfer *transfers, size_t count,
                   struct err *err);
/* Frees what the transfer owns; the intake is the caller's. */
void transfer_release(struct transfer *transfer);

#endif
