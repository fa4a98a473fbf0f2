/* console_filter.h — what a console put out, as text: terminal control taken out, byte by byte.
 *
 * - CR LF (and CR CR LF) becomes LF; a CR before anything else stays.
 * - Escape sequences (ECMA-48: CSI, OSC, DCS and the like, and two-byte ones) vanish.
 * - NUL, BEL and other C0 controls but BS, TAB, LF and CR vanish. Bytes from 0x80 on stay. */
#ifndef THAW_JOBS_CONSOLE_FILTER_H
#define THAW_JOBS_CONSOLE_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct console_filter {
    uint8_t state;    /* private */
    bool return_held; /* private: a CR that waits for what follows */
    uint32_t length;  /* private: of the escape sequence so far */
};

/* Zeroed is fresh. Takes one byte, writes 0 to 2 bytes of text to `out`, returns how many. */
size_t console_filter_put(struct console_filter *filter, uint8_t byte, uint8_t out[2]);

#endif
