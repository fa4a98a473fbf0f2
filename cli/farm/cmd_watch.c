/* cmd_watch.c — `thaw watch`: follows a run as it goes. */
#include "cli/farm/commands.h"
#include "cli/farm/watching.h"

struct watch_input {
    struct client client;
    const char *run;
};

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct watch_input *input = context;

    if (key == ARGP_KEY_ARG && input->run != NULL)
        return err_set(err, ERR_USAGE, "one run is watched at a time, \"%s\" is too much", value);
    if (key == ARGP_KEY_ARG)
        input->run = value;
    else if (key != ARGP_KEY_END)
        return client_take(&input->client, key, value);
    return true;
}

int command_watch(int argc, char **argv)
{
    static const struct argp_option options[] = {CLIENT_OPTIONS, {0, 0, 0, 0, 0, 0}};
    static const struct command_usage usage = {
        "watch", "[RUN]",
        "Follow a run to its end: a bar on a terminal, lines otherwise; then what came of it. RUN "
        "is a number, or the latest. The exit status says how the run was.\v"
        "Example:\n  thaw watch 17",
        options, take};
    struct watch_input input = {.run = NULL};
    struct remote *remote = NULL;
    struct err err = ERR_INIT;
    struct common common;
    int status = EXIT_PASS;
    uint64_t run;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = client_open(&input.client, &remote, &err) &&
         client_run_number(remote, input.run != NULL ? input.run : "latest", &run, &err) &&
         watch_run(remote, run, common.json, &status, &err);
    remote_close(remote);
    return ok ? status : common_fail(&common, &err);
}
