/* cmd_baseline.c — `thaw baseline`: names for runs that others are held against. */
#include "cli/farm/commands.h"

#include "cli/base/output.h"
#include "jobs/table.h"

#include <inttypes.h>
#include <stdio.h>

enum { KEY_REMOVE = 0x5900 };

struct baseline_input {
    struct client client;
    const char *name, *run; /* NULL: not given */
    bool remove;
};

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct baseline_input *input = context;

    switch (key) {
    case KEY_REMOVE:
        input->remove = true;
        return true;
    case ARGP_KEY_ARG:
        if (input->run != NULL)
            return err_set(err, ERR_USAGE, "\"%s\" is too much: give a name and a run", value);
        *(input->name == NULL ? &input->name : &input->run) = value;
        return true;
    case ARGP_KEY_END:
        if (input->remove && (input->name == NULL || input->run != NULL))
            return err_set(err, ERR_USAGE, "--remove takes a name, and nothing else");
        return true;
    default:
        return client_take(&input->client, key, value);
    }
}

static bool send(struct remote *remote, const char *method, const char *name, uint64_t run,
                 struct err *err)
{
    char *path = client_path("baselines/", name, ""), body[64];
    json_t *answer;
    bool ok;

    snprintf(body, sizeof body, "{\"run\": %" PRIu64 "}", run);
    ok = client_ask(remote, method, path, run != 0 ? span_of_text(body) : (struct span){0}, &answer,
                    err);
    json_decref(answer);
    mem_free(path);
    return ok;
}

static bool change(const struct baseline_input *input, struct remote *remote, struct err *err)
{
    uint64_t run = 0;

    if (input->remove)
        return send(remote, "DELETE", input->name, 0, err);
    return input->run == NULL || (client_run_number(remote, input->run, &run, err) &&
                                  send(remote, "PUT", input->name, run, err));
}

/* All of them, or the one that was asked for. */
static bool show(const struct baseline_input *input, const json_t *baselines, struct err *err)
{
    static const struct table_column columns[] = {{"baseline", false}, {"run", true}};
    bool is_found = input->name == NULL || input->remove;
    struct table table;

    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < json_array_size(baselines); i++) {
        const json_t *baseline = json_array_get(baselines, i);
        const char *name = client_text(baseline, "name");
        bool is_it =
            input->name != NULL && span_equal(span_of_text(name), span_of_text(input->name));
        is_found = is_found || is_it;
        if (input->name != NULL && !input->remove && !is_it)
            continue;
        table_cell(&table, COLOUR_BOLD, "%s", name);
        table_cell(&table, COLOUR_NONE, "%lld", client_number(baseline, "run"));
    }
    if (is_found)
        return client_print(&table, err);
    table_release(&table);
    return err_set(err, ERR_NOT_FOUND, "no baseline is named %s", input->name);
}

static bool list(const struct baseline_input *input, struct remote *remote, bool json,
                 struct err *err)
{
    json_t *answer;
    bool ok = change(input, remote, err) &&
              client_ask(remote, "GET", "baselines", (struct span){0}, &answer, err);

    if (!ok)
        return false;
    if (json) {
        print_json(answer);
        return true;
    }
    ok = show(input, json_object_get(answer, "baselines"), err);
    json_decref(answer);
    return ok;
}

int command_baseline(int argc, char **argv)
{
    static const struct argp_option options[] = {
        CLIENT_OPTIONS,
        {"remove", KEY_REMOVE, 0, 0, "forget the name; the run may go when it is old enough", 0},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct command_usage usage = {
        "baseline", "[NAME [RUN]]",
        "List the runs that have a name, or give a run one: a number, or \"latest\". Such a run is "
        "kept, and `thaw results --against NAME` holds others against it. A name that is there "
        "moves to the run.\v"
        "Example:\n  thaw baseline release-2.1 17\n  thaw results --against release-2.1\n  thaw "
        "baseline --remove release-2.0",
        options, take};
    struct baseline_input input = {.name = NULL};
    struct remote *remote = NULL;
    struct err err = ERR_INIT;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = client_open(&input.client, &remote, &err) && list(&input, remote, common.json, &err);
    remote_close(remote);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
