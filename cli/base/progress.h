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
    unsigned rows; /* drawn below the bar */
    bool terminal;
    bool drawn;
    bool quiet;
};

/* Nothing is drawn during the first second. */
void progress_begin(struct progress *progress, const char *label, uint64_t total, bool quiet);
/* `text` follows the bar: what is being done, figures. True if it was drawn: then rows may follow
 * it on a terminal. */
bool progress_update(struct progress *progress, uint64_t done, const char *text);
/* One more row below the bar, cut at the terminal's width. */
void progress_row(struct progress *progress, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Takes bar and rows away until the next update, so that a line can be printed. */
void progress_clear(struct progress *progress);
/* Takes the bar away. */
void progress_end(struct progress *progress);

#endif
