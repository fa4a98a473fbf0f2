/* command.h — what every subcommand shares: its row in a table, common options, exit status. */
#ifndef THAW_CLI_BASE_COMMAND_H
#define THAW_CLI_BASE_COMMAND_H

#include "storage/base/buf.h"

#include <argp.h>

/* Exit status, as the manual pages list it. */
enum exit_status {
    EXIT_PASS = 0,
    EXIT_FAIL = 1,    /* a test failed, a check found something */
    EXIT_USAGE = 2,   /* a wrong flag, a file that makes no sense */
    EXIT_INFRA = 3,   /* the host or the store failed: disk full, no rights, corrupt data */
    EXIT_TIMEOUT = 4, /* a limit was reached */
};

struct store;

/* Options that every command takes; filled by common_parse. */
struct common {
    const char *command;   /* "ls" */
    const char *store_url; /* --store, $THAW_STORE, or NULL: the user's data folder */
    bool json;
    int verbose;
};

struct command {
    const char *name;
    const char *summary; /* one line for `thaw --help` */
    int (*run)(int argc, char **argv);
};
/* A program: a name and its commands. */
struct command_set {
    const char *program; /* "thaw" */
    const char *purpose; /* a sentence */
    const char *example; /* lines, indented by two */
    const struct command *commands;
    size_t count;
};
/* What a program's main does: finds the command in argv[1] and runs it; --help, --version. */
int command_main(const struct command_set *set, int argc, char **argv);

/* Parses argv with the common options added to the command's own; --help and --version end the
 * program, a wrong flag ends it with EXIT_USAGE. `options` may be NULL. */
struct command_usage {
    const char *name;      /* "ls" */
    const char *arguments; /* "CHECKPOINT [-- COMMAND...]" */
    const char *text;      /* what it does; after a vertical tab, the example */
    const struct argp_option *options;
    /* Each of the command's own options (key, value) and arguments (ARGP_KEY_ARG, value). False:
     * unknown, or wrong with *err set: a usage error. */
    bool (*take)(void *input, int key, const char *value, struct err *err);
};
void common_parse(const struct command_usage *usage, struct common *common, int argc, char **argv,
                  void *input);
/* Opens the store of --store, $THAW_STORE or the default folder, which is made if need be. */
bool common_open_store(const struct common *common, struct store **out, struct err *err);
/* Prints "thaw COMMAND: sentence" on stderr, and {"error": …} on stdout with --json; returns the
 * exit status that the kind stands for. */
int common_fail(const struct common *common, const struct err *err);

#endif
