#include "cli/base/command.h"

#include "storage/base/file.h"
#include "storage/base/log.h"
#include "storage/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_STORE = 0x5700, KEY_JSON };

static const struct argp_option common_options[] = {
    {0, 0, 0, 0, "Common options:", -2},
    {"store", KEY_STORE, "URL", 0,
     "where checkpoints are kept (default: $THAW_STORE, else the user's data folder)", -2},
    {"json", KEY_JSON, 0, 0, "print one JSON value on standard output, and nothing else there", -2},
    {"verbose", 'v', 0, 0, "say more on standard error; twice for debugging", -2},
    {0, 0, 0, 0, 0, 0},
};

struct parsing {
    const struct command_usage *usage;
    struct common *common;
    void *input;
    int argument_count;
};

static error_t common_option(int key, char *value, struct argp_state *state)
{
    struct parsing *parsing = state->input;

    switch (key) {
    case KEY_STORE:
        parsing->common->store_url = value;
        return 0;
    case KEY_JSON:
        parsing->common->json = true;
        return 0;
    case 'v':
        parsing->common->verbose++;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static error_t own_option(int key, char *value, struct argp_state *state)
{
    struct parsing *parsing = state->input;
    struct err err = ERR_INIT;

    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = parsing;
        return 0;
    }
    if (key == ARGP_KEY_END && !parsing->usage->take(parsing->input, key, NULL, &err) &&
        err.kind != ERR_NONE)
        argp_error(state, "%s", err.text);
    if (key >= ARGP_KEY_END && key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (parsing->usage->take(parsing->input, key, value, &err))
        return 0;
    if (err.kind != ERR_NONE)
        argp_error(state, "%s", err.text);
    return ARGP_ERR_UNKNOWN;
}

void common_parse(const struct command_usage *usage, struct common *common, int argc, char **argv,
                  void *input)
{
    static const struct argp common_argp = {common_options, common_option, 0, 0, 0, 0, 0};
    const struct argp_child children[] = {{&common_argp, 0, 0, 0}, {0, 0, 0, 0}};
    struct argp argp = {usage->options, own_option, usage->arguments, usage->text, children, 0, 0};
    struct parsing parsing = {usage, common, input, 0};
    char program[64];

    memset(common, 0, sizeof *common);
    common->command = usage->name;
    common->store_url = getenv("THAW_STORE");
    snprintf(program, sizeof program, "thaw %s", usage->name);
    argv[0] = program;
    argp_err_exit_status = EXIT_USAGE;
    argp_program_version = "thaw " THAW_VERSION;
    argp_parse(&argp, argc, argv, 0, NULL, &parsing);
    log_set_level(common->verbose >= 2 ? LOG_DEBUG : common->verbose == 1 ? LOG_INFO : LOG_WARNING);
}

static int exit_status_of(enum err_kind kind)
{
    switch (kind) {
    case ERR_USAGE:
    case ERR_INVALID:
    case ERR_NOT_FOUND:
    case ERR_TOO_BIG:
    case ERR_UNSUPPORTED:
        return EXIT_USAGE;
    case ERR_TIMEOUT:
        return EXIT_TIMEOUT;
    default:
        return EXIT_INFRA;
    }
}

int common_fail(const struct common *common, const struct err *err)
{
    fprintf(stderr, "thaw %s: %s\n", common->command, err->text);
    return exit_status_of(err->kind);
}

/* $XDG_DATA_HOME/thaw/store, else ~/.local/share/thaw/store. */
static char *default_store(void)
{
    const char *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
    char *folder, *store;

    if (data != NULL && data[0] == '/')
        folder = mem_text(data);
    else
        folder = path_join(home != NULL ? home : "/tmp", ".local/share");
    store = path_join(folder, "thaw/store");
    mem_free(folder);
    return store;
}

bool common_open_store(const struct common *common, struct store **out, struct err *err)
{
    struct store_options options = {.create = true};
    char *place = common->store_url != NULL && common->store_url[0] != 0
                      ? mem_text(common->store_url)
                      : default_store();
    bool ok = store_open(place, &options, out, err);

    mem_free(place);
    return ok;
}
