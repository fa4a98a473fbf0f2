#include "storage/base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static atomic_int level_now = LOG_WARNING;

void log_set_level(enum log_level level)
{
    atomic_store(&level_now, (int)level);
}

void log_message(enum log_level level, const char *format, ...)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char text[1024], stamp[32];
    time_t now = time(NULL);
    struct tm utc;
    va_list args;

    if ((int)level > atomic_load(&level_now))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *at = text; *at != 0; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' '; /* a message is one line, whatever a peer put into it */
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    fprintf(stderr, "%s %s: %s\n", stamp, names[level], text);
}
