/* log.h — messages on stderr for people who run services: level, time, one line each. The level is
 * process-wide, set once by main(). Library code logs only what no caller can see as an error. */
#ifndef THAW_BASE_LOG_H
#define THAW_BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

void log_set_level(enum log_level level);
void log_message(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
