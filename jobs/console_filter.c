#include "jobs/console_filter.h"

/* A sequence that does not end is none: after so many bytes what follows is text again. */
#define SEQUENCE_MAX 256u

enum { PLAIN, ESCAPE, INTERMEDIATE, CSI, STRING, STRING_ESCAPE };

/* Moves through an escape sequence (ECMA-48, sections 5.3 to 5.6). */
static uint8_t sequence_next(uint8_t state, uint8_t byte)
{
    switch (state) {
    case ESCAPE:
        if (byte == '[')
            return CSI;
        if (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_')
            return STRING;
        return byte >= 0x20 && byte <= 0x2f ? INTERMEDIATE : PLAIN;
    case INTERMEDIATE:
        return byte >= 0x20 && byte <= 0x2f ? INTERMEDIATE : PLAIN;
    case CSI:
        return byte >= 0x40 && byte <= 0x7e ? PLAIN : CSI;
    case STRING:
        if (byte == 0x07)
            return PLAIN;
        return byte == 0x1b ? STRING_ESCAPE : STRING;
    case STRING_ESCAPE:
        return byte == '\\' ? PLAIN : STRING;
    default:
        return PLAIN;
    }
}

static bool is_text(uint8_t byte)
{
    return (byte >= 0x20 && byte != 0x7f) || byte == '\b' || byte == '\t' || byte == '\n';
}

size_t console_filter_put(struct console_filter *filter, uint8_t byte, uint8_t out[2])
{
    size_t count = 0;

    if (filter->state != PLAIN) {
        /* A line end inside a CSI is a torn sequence: the line matters more. */
        bool torn = filter->state == CSI && (byte == '\n' || byte == '\r');

        filter->state = torn ? PLAIN : sequence_next(filter->state, byte);
        if (++filter->length >= SEQUENCE_MAX)
            filter->state = PLAIN;
        if (!torn)
            return 0;
    }
    if (byte == 0x1b) {
        filter->state = ESCAPE;
        filter->length = 0;
        return 0;
    }
    if (byte == '\r') {
        filter->return_held = true;
        return 0;
    }
    if (!is_text(byte))
        return 0;
    if (filter->return_held && byte != '\n')
        out[count++] = '\r';
    filter->return_held = false;
    out[count++] = byte;
    return count;
}
