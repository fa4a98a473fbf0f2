/* cmd_cancel.c — `thaw cancel`: stops a run, or holds it and lets it go on. */
#include "cli/farm/commands.h"

#include "cli/base/output.h"

#include <inttypes.h>
#include <stdio.h>

enum { KEY_PAUSE = 0x5900, KEY_RESUME };

struct cancel_input {
    struct client client;
    const char *run;
    const char *action; /* of the path, and what is printed */
};

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct cancel_input *input = context;

    switch (key) {
    case KEY_PAUSE:
        input->action = "pause";
        return true;
    case KEY_RESUME:
        input->action = "resume";
        return true;
    case ARGP_KEY_ARG:
        if (input->run != NULL)
            return err_set(err, ERR_USAGE, "one run at a time, \"%s\" is too much", value);
        input->run = value;
        return true;
    case ARGP_KEY_END:
        return input->run != NULL || err_set(err, ERR_USAGE, "say which run");
    default:
        return client_take(&input->client, key, value);
    }
}

static bool send(struct remote *remote, uint64_t run, const char *action, bool json,
                 struct err *err)
{
    json_t *answer;
    char path[64];

    snprintf(path, sizeof path, "runs/%" PRIu64 "/%s", run, action);
    if (!client_ask(remote, "POST", path, span_of_text("{}"), &answer, err))
        return false;
    if (json) {
        print_json(answer);
        return true;
    }
    printf("run %" PRIu64 ": %s\n", run,
           action[0] == 'c'   ? "cancelled"
           : action[0] == 'p' ? "paused"
                              : "goes on");
    json_decref(answer);
    return true;
}

int command_cancel(int argc, char **argv)
{
    static const struct argp_option options[] = {
        CLIENT_OPTIONS,
        {"pause", KEY_PAUSE, 0, 0, "start nothing more of it; what runs goes on to its end", 0},
        {"resume", KEY_RESUME, 0, 0, "go on with a run that was paused", 0},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct command_usage usage = {
        "cancel", "RUN",
        "Stop a run: what has not begun never will, what runs is ended.\v"
        "Example:\n  thaw cancel 17\n  thaw cancel --pause latest",
        options, take};
    struct cancel_input input = {.action = "cancel"};
    struct remote *remote = NULL;
    struct err err = ERR_INIT;
    struct common common;
    uint64_t run;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = client_open(&input.client, &remote, &err) &&
         client_run_number(remote, input.run, &run, &err) &&
         send(remote, run, input.action, common.json, &err);
    remote_close(remote);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
