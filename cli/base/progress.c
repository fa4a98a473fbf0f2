#include "cli/base/progress.h"

#include "storage/base/clock.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
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

/* How many bytes of a line fit the terminal: those of UTF-8 that begin no character take no room.
 */
static size_t fitting(const char *line)
{
    struct winsize window;
    size_t columns = 80, bytes = 0;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 1)
        columns = window.ws_col;
    for (size_t used = 0; line[bytes] != 0; bytes++) {
        used += (line[bytes] & 0xC0) != 0x80;
        if (used == columns) /* the last column stays free: terminals differ in when they wrap */
            break;
    }
    return bytes;
}

static void draw_line(const char *line)
{
    fprintf(stderr, "\r%.*s\033[K", (int)fitting(line), line);
}

static void draw_bar(const struct progress *progress, uint64_t done, const char *text)
{
    char bar[BAR_CELLS + 1], line[512];
    unsigned filled = 0;

    if (progress->total == 0) {
        snprintf(line, sizeof line, "%s  %s", progress->label, text);
        draw_line(line);
        return;
    }
    if (done >= progress->total)
        filled = BAR_CELLS;
    else
        filled = (unsigned)((double)done / (double)progress->total * BAR_CELLS);
    memset(bar, '.', BAR_CELLS);
    memset(bar, '#', filled);
    bar[BAR_CELLS] = 0;
    snprintf(line, sizeof line, "%s [%s] %s", progress->label, bar, text);
    draw_line(line);
}

void progress_clear(struct progress *progress)
{
    if (!progress->drawn || !progress->terminal)
        return;
    if (progress->rows != 0)
        fprintf(stderr, "\033[%uA", progress->rows);
    fprintf(stderr, "\r\033[J");
    progress->rows = 0;
}

bool progress_update(struct progress *progress, uint64_t done, const char *text)
{
    uint64_t now = clock_monotonic_ns(&clock_host);
    uint64_t pause = progress->terminal ? BAR_DRAW_NS : LINE_DRAW_NS;

    if (progress->quiet || now - progress->started_ns < FIRST_DRAW_NS)
        return false;
    if (progress->drawn && now - progress->last_ns < pause)
        return false;
    if (progress->terminal) {
        progress_clear(progress);
        draw_bar(progress, done, text);
    } else {
        fprintf(stderr, "%s: %s\n", progress->label, text);
    }
    progress->drawn = true;
    progress->last_ns = now;
    return true;
}

void progress_row(struct progress *progress, const char *format, ...)
{
    char line[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    draw_line(line);
    progress->rows++;
}

void progress_end(struct progress *progress)
{
    progress_clear(progress);
    progress->drawn = false;
}
