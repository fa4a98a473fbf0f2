/* cmd_history.c — `thaw history`: one test through all runs. */
#include "cli/farm/commands.h"

#include "cli/base/output.h"
#include "jobs/report.h"
#include "jobs/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 10000

enum { KEY_LIMIT = 0x5900 };

struct history_input {
    struct client client;
    const char *suite, *test;
    unsigned limit;
};

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct history_input *input = context;
    char *end;

    switch (key) {
    case KEY_LIMIT:
        input->limit = (unsigned)strtoul(value, &end, 10);
        return (value[0] >= '0' && value[0] <= '9' && strlen(value) <= 5 && *end == 0 &&
                input->limit >= 1 && input->limit <= ENTRIES_MAX) ||
               err_set(err, ERR_USAGE, "--limit takes a number from 1 to %d, not \"%s\"",
                       ENTRIES_MAX, value);
    case ARGP_KEY_ARG:
        if (input->test != NULL)
            return err_set(err, ERR_USAGE, "\"%s\" is too much: give a suite and a test", value);
        *(input->suite == NULL ? &input->suite : &input->test) = value;
        return true;
    case ARGP_KEY_END:
        return input->test != NULL || err_set(err, ERR_USAGE, "say which suite and which test");
    default:
        return client_take(&input->client, key, value);
    }
}

static enum colour colour_of(const char *verdict)
{
    if (strcmp(verdict, "pass") == 0)
        return COLOUR_GREEN;
    if (strcmp(verdict, "fail") == 0 || strcmp(verdict, "timeout") == 0 ||
        strcmp(verdict, "divergence") == 0)
        return COLOUR_RED;
    return COLOUR_YELLOW;
}

static void add_row(struct table *table, const json_t *entry)
{
    const char *verdict = client_text(entry, "verdict"), *state = client_text(entry, "state_id");
    bool is_cached = json_is_true(json_object_get(entry, "cached"));

    table_cell(table, COLOUR_BOLD, "%lld", client_number(entry, "run"));
    table_cell(table, COLOUR_NONE, "%s", time_text((uint64_t)client_number(entry, "ended_s")).text);
    table_cell(table, colour_of(verdict), "%s", verdict);
    table_cell(table, COLOUR_NONE, "%s",
               report_number((uint64_t)client_number(entry, "instructions")).text);
    table_cell(table, COLOUR_FAINT, "%.16s", state);
    table_cell(table, COLOUR_FAINT, "%s", is_cached ? "known from before" : "");
}

static bool print_history(const json_t *history, struct err *err)
{
    static const struct table_column columns[] = {{"run", true},      {"ended (UTC)", false},
                                                  {"verdict", false}, {"instructions", true},
                                                  {"state", false},   {"", false}};
    struct table table;

    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < json_array_size(history); i++)
        add_row(&table, json_array_get(history, i));
    return client_print(&table, err);
}

static bool ask(const struct history_input *input, struct remote *remote, json_t **out,
                struct err *err)
{
    char *suite = client_path("history?suite=", input->suite, "&name="), limit[32], *path;
    bool ok;

    snprintf(limit, sizeof limit, "&limit=%u", input->limit);
    path = client_path(suite, input->test, limit);
    ok = client_ask(remote, "GET", path, (struct span){0}, out, err);
    mem_free(suite);
    mem_free(path);
    return ok;
}

static bool show(const struct history_input *input, struct remote *remote, bool json,
                 struct err *err)
{
    const json_t *history;
    json_t *answer;
    bool ok;

    if (!ask(input, remote, &answer, err))
        return false;
    history = json_object_get(answer, "history");
    ok = json_array_size(history) != 0 ||
         err_set(err, ERR_NOT_FOUND, "no run had a test %s in a suite %s", input->test,
                 input->suite);
    if (ok && json)
        print_json(json_incref(answer));
    else if (ok)
        ok = print_history(history, err);
    json_decref(answer);
    return ok;
}

int command_history(int argc, char **argv)
{
    static const struct argp_option options[] = {
        CLIENT_OPTIONS,
        {"limit", KEY_LIMIT, "N", 0, "at most so many (default: 100)", 0},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct command_usage usage = {
        "history", "SUITE TEST",
        "What one test came to, the newest run first; also in runs that are no longer kept.\v"
        "Example:\n  thaw history nightly 'boot: [4 harts]'",
        options, take};
    struct history_input input = {.limit = 100};
    struct remote *remote = NULL;
    struct err err = ERR_INIT;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = client_open(&input.client, &remote, &err) && show(&input, remote, common.json, &err);
    remote_close(remote);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
