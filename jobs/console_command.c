#include "jobs/console_command.h"

#include "storage/base/hash.h"

#include <string.h>

#define ENTER '\r'
#define LITERAL_NEXT                                                                               \
    0x16 /* ^V: the line discipline and line editors take the next byte as it is                   \
          */

struct console_mark console_mark_of(const char *command)
{
    struct hash hash = hash_of(span_of_text(command));
    struct hash_hex hex = hash_hex(&hash);
    struct console_mark mark;

    memcpy(mark.text, hex.text, CONSOLE_MARK_SIZE);
    mark.text[CONSOLE_MARK_SIZE] = '\0';
    return mark;
}

bool console_command_check(const char *command, struct err *err)
{
    size_t line = 0, size = strlen(command);

    if (size > CONSOLE_COMMAND_MAX)
        return err_set(err, ERR_TOO_BIG, "a command of %zu bytes; the limit is %d: use a payload",
                       size, CONSOLE_COMMAND_MAX);
    for (const char *at = command; *at != '\0'; at++) {
        unsigned char c = (unsigned char)*at;

        line = c == '\n' ? 0 : line + 1;
        if (line > CONSOLE_COMMAND_LINE_MAX)
            return err_set(err, ERR_TOO_BIG,
                           "a command line over %d bytes: use several lines, or a payload",
                           CONSOLE_COMMAND_LINE_MAX);
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f)
            return err_set(
                err, ERR_INVALID,
                "a command holds the control character 0x%02x, which a console would act on", c);
    }
    return true;
}

/* The text between single quotes, as it must be typed. */
static bool append_quoted(struct buf *out, const char *text, struct err *err)
{
    size_t size = strlen(text);

    while (size > 0 && text[size - 1] == '\n')
        size--;
    for (size_t i = 0; i < size; i++) {
        bool ok = true;

        if (text[i] == '\'')
            ok = buf_append_text(out, "'\\''", err);
        else if (text[i] == '\n')
            ok = buf_format(out, err, "%c", ENTER);
        else if (text[i] == '\t')
            ok = buf_format(out, err, "%c\t", LITERAL_NEXT);
        else
            ok = buf_append(out, text + i, 1, err);
        if (!ok)
            return false;
    }
    return true;
}

static bool append_eval(struct buf *out, const char *text, struct err *err)
{
    return buf_append_text(out, "eval '", err) && append_quoted(out, text, err) &&
           buf_append_text(out, "'", err);
}

bool console_command_typed(const char *command, const char *before, const char *after,
                           struct buf *out, struct err *err)
{
    struct console_mark mark = console_mark_of(command);

    if (!console_command_check(command, err) ||
        (before != NULL && !console_command_check(before, err)) ||
        (after != NULL && !console_command_check(after, err)))
        return false;
    if (!buf_format(out, err, "echo @\\%s;(", mark.text))
        return false;
    if (before != NULL &&
        (!append_eval(out, before, err) || !buf_format(out, err, "&&echo @\\%s +&&", mark.text)))
        return false;
    if (!append_eval(out, command, err) || !buf_format(out, err, ");echo @\\%s $?", mark.text))
        return false;
    if (after != NULL && (!buf_append_text(out, ";(", err) || !append_eval(out, after, err) ||
                          !buf_format(out, err, ");echo @\\%s -$?", mark.text)))
        return false;
    return buf_format(out, err, "%c", ENTER);
}

void console_mark_finder_init(struct console_mark_finder *finder, const char *command)
{
    memset(finder, 0, sizeof *finder);
    finder->mark = console_mark_of(command);
}

/* 1 to 3 digits up to `end`, nothing else. */
static bool parse_status(const char *at, const char *end, int32_t *out)
{
    if (at == end || end - at > 3)
        return false;
    *out = 0;
    for (; at < end; at++) {
        if (*at < '0' || *at > '9')
            return false;
        *out = *out * 10 + (*at - '0');
    }
    return true;
}

/* What follows `@MARK`, up to the line end. */
static enum console_mark_kind classify(const char *at, const char *end, int32_t *status)
{
    if (at == end)
        return MARK_BEGIN;
    if (*at++ != ' ' || at == end)
        return MARK_NONE;
    if (end - at == 1 && *at == '+')
        return MARK_READY;
    if (*at == '-')
        return parse_status(at + 1, end, status) ? MARK_AFTER : MARK_NONE;
    return parse_status(at, end, status) ? MARK_END : MARK_NONE;
}

enum console_mark_kind console_mark_finder_put(struct console_mark_finder *finder, uint8_t byte,
                                               int32_t *status, size_t *size)
{
    char *tail = finder->tail;

    if (byte != '\n') {
        if (finder->tail_size == sizeof finder->tail)
            memmove(tail, tail + 1, --finder->tail_size);
        tail[finder->tail_size++] = (char)byte;
        return MARK_NONE;
    }
    for (size_t i = finder->tail_size; i-- > 0;) {
        const char *mark = tail + i + 1, *end = tail + finder->tail_size;
        enum console_mark_kind kind;

        if (tail[i] != '@' || end - mark < CONSOLE_MARK_SIZE ||
            memcmp(mark, finder->mark.text, CONSOLE_MARK_SIZE) != 0)
            continue;
        kind = classify(mark + CONSOLE_MARK_SIZE, end, status);
        *size = finder->tail_size - i + 1;
        finder->tail_size = 0;
        return kind;
    }
    finder->tail_size = 0;
    return MARK_NONE;
}
