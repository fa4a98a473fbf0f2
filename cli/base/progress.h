/* progress.h — how far a long job is, on stderr: a bar on a terminal, a line now and then
 * otherwise. */
#ifndef THAW_CLI_BASE_PROGRESS_H
#define THAW_CLI_BASE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    char label[64];
    uint64_t total;   /* 0: unknown */
    uint64_t last_ns; /* when something was last drawn */
    uint64_t started_ns;
    bool terminal;
    bool drawn;
    bool quiet;
};

/* Nothing is drawn during the first second. */
void progress_begin(struct progress *progress, const char *label, uint64_t total, bool quiet);
/* `text` follows the bar: what is being done, figures. */
void progress_update(struct progress *progress, uint64_t done, const char *text);
/* Takes the bar away. */
void progress_end(struct progress *progress);

#endif
