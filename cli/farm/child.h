/* child.h — processes of this program that `thaw farm` starts and ends. */
#ifndef THAW_CLI_FARM_CHILD_H
#define THAW_CLI_FARM_CHILD_H

#include "storage/base/err.h"

#include <sys/types.h>

#define CHILD_ARGUMENTS_MAX 40

struct child {
    pid_t pid;        /* 0: none, or gone */
    const char *what; /* "the coordinator", for messages */
    int status;       /* wait status, once it is gone */
};

/* Starts this program with the arguments (NULL at the end; the first is the command). It dies with
 * its parent. Its standard output and error go to the file `log`, appended. */
bool child_start(struct child *child, const char *what, const char *const *arguments,
                 const char *log, struct err *err);
/* True while it lives; notes how it ended. */
bool child_is_alive(struct child *child);
/* SIGTERM; does not wait. */
void child_ask_to_stop(struct child *child);
/* SIGTERM, then after `guard_ms` SIGKILL; returns when it is gone. */
void child_stop(struct child *child, unsigned guard_ms);

#endif
