/* webhook_internal.h — private to webhook*.c: one delivery and its two halves. */
#ifndef THAW_COORDINATOR_WEBHOOK_INTERNAL_H
#define THAW_COORDINATOR_WEBHOOK_INTERNAL_H

#include "coordinator/webhook.h"

#include <curl/curl.h>
#include <sys/types.h>

enum hook_state { HOOK_ABSENT, HOOK_WAITS, HOOK_RUNS, HOOK_OVER };

struct hook_half {
    enum hook_state state;
    uint32_t tries;
    uint64_t due_ns; /* of the next try; of a command that runs: when it is ended */
    bool is_delivered;
    int32_t status; /* HTTP's, or the exit status; -1: none */
    char error[256];
    uint64_t ended_s;
};

struct delivery {
    struct delivery *next;
    uint64_t run;
    char *url, *command;
    struct buf secret, body;
    struct hook_half post, program;
    CURL *easy; /* of a POST that runs */
    struct curl_slist *headers;
    size_t answered; /* bytes */
    pid_t pid;       /* of a command that runs; else 0 */
};

/* webhook_post.c. Starts a try: hands an easy handle to `multi`. */
bool post_start(struct delivery *delivery, CURLM *multi, const struct clock_source *clock,
                struct err *err);
/* The try has ended; true if there may be another. */
bool post_ended(struct delivery *delivery, CURLM *multi, CURLcode code);
/* webhook_command.c */
bool command_start(struct delivery *delivery, struct err *err);
/* True if the try has ended; `*ok` if well. `kill` ends it. */
bool command_ended(struct delivery *delivery, bool kill, bool *ok);

#endif
