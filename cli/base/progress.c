#include "cli/base/progress.h"

#include "storage/base/clock.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FIRST_DRAW_NS UINT64_C(1000000000)
#define BAR_DRAW_NS   UINT64_C(100000000)
#define LINE_DRAW_NS  UINT64_C(5000000000)
#define BAR_CELLS     24

void progress_begin(struct progress *progress, const char *label, uint64_t total, bool quiet)
{
    memset(progress, 0, sizeof *progress);
    snprintf(progress->label, sizeof progress->label, "%s", label);
    progress->total = total;
    progress->quiet = quiet;
    progress->terminal = isatty(STDERR_FILENO) == 1;
    progress->started_ns = clock_monotonic_ns(&clock_host);
    progress->last_ns = progress->started_ns;
}

static void draw_bar(const struct progress *progress, uint64_t done, const char *text)
{
    char bar[BAR_CELLS + 1];
    unsigned filled = 0;

    if (progress->total == 0) {
        fprintf(stderr, "\r%s  %s\033[K", progress->label, text);
        return;
    }
    if (done >= progress->total)
        filled = BAR_CELLS;
    else
        filled = (unsigned)((double)done / (double)progress->total * BAR_CELLS);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', filled);
    bar[BAR_CELLS] = 0;
    fprintf(stderr, "\r%s [%s] %s\033[K", progress->label, bar, text);
}

void progress_update(struct progress *progress, uint64_t done, const char *text)
{
    uint64_t now = clock_monotonic_ns(&clock_host);
    uint64_t pause = progress->terminal ? BAR_DRAW_NS : LINE_DRAW_NS;

    if (progress->quiet || now - progress->started_ns < FIRST_DRAW_NS)
        return;
    if (progress->drawn && now - progress->last_ns < pause)
        return;
    if (progress->terminal)
        draw_bar(progress, done, text);
    else
        fprintf(stderr, "%s: %s\n", progress->label, text);
    progress->drawn = true;
    progress->last_ns = now;
}

void progress_end(struct progress *progress)
{
    if (progress->drawn && progress->terminal)
        fprintf(stderr, "\r\033[K");
    progress->drawn = false;
}
