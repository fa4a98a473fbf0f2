#include "storage/base/err.h"

#include "storage/base/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[] = {
    [ERR_NONE] = "none",
    [ERR_USAGE] = "usage",
    [ERR_NOT_FOUND] = "not found",
    [ERR_INVALID] = "invalid",
    [ERR_CORRUPT] = "corrupt",
    [ERR_TOO_BIG] = "too big",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_CONFLICT] = "conflict",
    [ERR_ACCESS] = "access",
    [ERR_NO_SPACE] = "no space",
    [ERR_NO_MEMORY] = "no memory",
    [ERR_IO] = "io",
    [ERR_TIMEOUT] = "timeout",
};

const char *err_kind_name(enum err_kind kind)
{
    CHECK((size_t)kind < sizeof kind_names / sizeof kind_names[0]);
    return kind_names[kind];
}

/* Ends a sentence that vsnprintf cut with "…" (3 bytes of UTF-8), at a character's boundary. */
static void mark_cut(char *text, int length)
{
    size_t end = ERR_TEXT_MAX - 4;

    if (length < ERR_TEXT_MAX)
        return;
    while (end > 0 && ((unsigned char)text[end] & 0xc0) == 0x80)
        end--;
    memcpy(text + end, "\xe2\x80\xa6", 4);
}

bool err_set(struct err *err, enum err_kind kind, const char *format, ...)
{
    va_list args;
    int length;

    CHECK(kind != ERR_NONE);
    err->kind = kind;
    va_start(args, format);
    length = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    mark_cut(err->text, length);
    return false;
}

static enum err_kind kind_of_errno(int code)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR:
        return ERR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS:
        return ERR_ACCESS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_NO_SPACE;
    case ENOMEM:
        return ERR_NO_MEMORY;
    case EISDIR:
        return ERR_INVALID;
    default:
        return ERR_IO;
    }
}

bool err_set_errno(struct err *err, int code, const char *format, ...)
{
    char what[ERR_TEXT_MAX];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return err_set(err, kind_of_errno(code), "%s: %s", what, strerror(code));
}

bool err_wrap(struct err *err, const char *format, ...)
{
    char where[ERR_TEXT_MAX];
    char what[ERR_TEXT_MAX];
    va_list args;
    int length;

    CHECK(err->kind != ERR_NONE);
    va_start(args, format);
    vsnprintf(where, sizeof where, format, args);
    va_end(args);
    memcpy(what, err->text, sizeof what);
    length = snprintf(err->text, sizeof err->text, "%s: %s", where, what);
    mark_cut(err->text, length);
    return false;
}
