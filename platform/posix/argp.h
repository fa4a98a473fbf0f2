/* argp.h — the part of glibc's argument parser that the commands use, for hosts without glibc. */
#ifndef THAW_PLATFORM_ARGP_H
#define THAW_PLATFORM_ARGP_H

#include <errno.h>
#include <stddef.h>
#include <stdio.h>

typedef int error_t;

#define ARGP_ERR_UNKNOWN 7
#define ARGP_KEY_ARG     0
#define ARGP_KEY_END     0x1000001
#define ARGP_KEY_NO_ARGS 0x1000002
#define ARGP_KEY_INIT    0x1000003

#define ARGP_IN_ORDER 8
#define ARGP_NO_EXIT  32
#define ARGP_NO_HELP  16

#define OPTION_ARG_OPTIONAL 1
#define OPTION_HIDDEN       2

/* key: a letter, or a number above 255 for an option without one. */
struct argp_option {
    const char *name;
    int key;
    const char *arg; /* NULL: takes none */
    int flags;
    const char *doc;
    int group;
};

struct argp_state;
typedef error_t (*argp_parser_t)(int key, char *arg, struct argp_state *state);

struct argp_child;

struct argp {
    const struct argp_option *options;
    argp_parser_t parser;
    const char *args_doc, *doc;
    const struct argp_child *children;
    char *(*help_filter)(int key, const char *text, void *input);
    const char *argp_domain;
};

struct argp_child {
    const struct argp *argp;
    int flags;
    const char *header;
    int group;
};

struct argp_state {
    const struct argp *root_argp;
    int argc;
    char **argv;
    int next;
    unsigned flags;
    unsigned arg_num;
    int quoted;
    void *input;
    void **child_inputs;
    void *hook;
    char *name;
    FILE *err_stream, *out_stream;
    void *pstate;
};

extern const char *argp_program_version;
extern int argp_err_exit_status;

error_t argp_parse(const struct argp *argp, int argc, char **argv, unsigned flags, int *index,
                   void *input);
void argp_error(const struct argp_state *state, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
