/* err.h — what went wrong: one kind for the program, one sentence for people.
 *
 * What can fail returns bool and takes `struct err *err` last. Low code says what happened with
 * err_set; high code adds where with err_wrap; nobody replaces a message. Both return false, so
 * that `return err_set(…)` reads well. `err` is never NULL. A struct err owns nothing. */
#ifndef THAW_BASE_ERR_H
#define THAW_BASE_ERR_H

#include <stdbool.h>

enum err_kind {
    ERR_NONE,
    ERR_USAGE,       /* the caller (a person) asked for something that makes no sense */
    ERR_NOT_FOUND,   /* no such chunk, tag, file, object */
    ERR_INVALID,     /* input that breaks its format's rules (YAML, ELF, a job file) */
    ERR_CORRUPT,     /* stored bytes that do not match their hash or are cut short */
    ERR_TOO_BIG,     /* over a documented maximum */
    ERR_UNSUPPORTED, /* well-formed, but newer or other than this build knows */
    ERR_CONFLICT,    /* somebody else holds it, or changed it meanwhile */
    ERR_ACCESS,      /* no rights */
    ERR_NO_SPACE,    /* disk or quota full */
    ERR_NO_MEMORY,
    ERR_IO,          /* any other failure of the host's operating system */
    ERR_TIMEOUT,
};

#define ERR_TEXT_MAX 1024

struct err {
    enum err_kind kind;
    /* one sentence, no newline at the end; longer ones are cut, with "…" */
    char text[ERR_TEXT_MAX];
};

#define ERR_INIT {ERR_NONE, ""}

/* Sets kind and sentence. Returns false. */
bool err_set(struct err *err, enum err_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for a failed system call: appends the text of `code` (an errno) and picks the kind from
 * it (ENOENT: NOT_FOUND; EACCES, EPERM, EROFS: ACCESS; ENOSPC, EDQUOT: NO_SPACE; ENOMEM; else
 * IO). */
bool err_set_errno(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "<where>: " before the sentence, the kind kept. Returns false. */
bool err_wrap(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "not found", "corrupt", … for --json and logs. */
const char *err_kind_name(enum err_kind kind);

#endif
