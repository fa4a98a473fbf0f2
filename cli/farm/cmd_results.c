/* cmd_results.c — `thaw results`: what came of a run, and how that differs from another. */
#include "cli/farm/commands.h"
#include "cli/farm/evidence.h"
#include "cli/farm/report_files.h"
#include "cli/farm/watching.h"

#include "cli/base/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KEY_AGAINST = 0x5900, KEY_LOG, KEY_SAVE };

struct results_input {
    struct client client;
    const char *run;
    struct report_files files;
    const char *against;
    const char *log;  /* of that test, instead of anything else */
    const char *save; /* a folder for what the tests left */
};

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct results_input *input = context;

    switch (key) {
    case KEY_AGAINST:
        input->against = value;
        return true;
    case KEY_LOG:
        input->log = value;
        return true;
    case KEY_SAVE:
        input->save = value;
        return true;
    case ARGP_KEY_ARG:
        if (input->run != NULL)
            return err_set(err, ERR_USAGE, "one run at a time, \"%s\" is too much", value);
        input->run = value;
        return true;
    case ARGP_KEY_END:
        return true;
    default:
        return report_files_take(&input->files, key, value) ||
               client_take(&input->client, key, value);
    }
}

/* A line a test that is not as it was; the coordinator compares. */
static bool print_comparison(struct remote *remote, uint64_t run, const char *against, bool json,
                             struct err *err)
{
    const char *name;
    json_t *answer, *list;
    char path[512];
    bool ok;

    snprintf(path, sizeof path, "runs/%" PRIu64 "/compare?against=%s", run, against);
    ok = client_ask(remote, "GET", path, (struct span){0}, &answer, err);
    if (!ok)
        return false;
    if (json) {
        print_json(answer);
        return true;
    }
    printf("\nrun %" PRIu64 " against run %lld\n", run,
           (long long)json_integer_value(json_object_get(answer, "against")));
    json_object_foreach(answer, name, list)
    {
        for (size_t i = 0; json_is_array(list) && i < json_array_size(list); i++) {
            const json_t *item = json_array_get(list, i);
            const char *test = json_string_value(json_object_get(item, "name"));
            const char *text = json_string_value(json_object_get(item, "text"));
            printf("%-16s %s%s%s\n", name, test != NULL ? test : "?", text != NULL ? "  " : "",
                   text != NULL ? text : "");
        }
    }
    json_decref(answer);
    return true;
}

static bool report(const struct results_input *input, struct remote *remote, uint64_t run,
                   bool json, int *status, struct err *err)
{
    bool to_stdout = report_files_take_stdout(&input->files);
    struct run_results results;
    bool ok;

    if (!run_results_fetch(remote, run, &results, err))
        return false;
    if (input->log != NULL) {
        ok = evidence_print_log(&results, remote, input->log, err);
        run_results_release(&results);
        return ok;
    }
    ok = (input->save == NULL || evidence_save(&results, remote, input->save, err)) &&
         report_files_write(&input->files, &results, remote, err);
    if (ok && input->against != NULL)
        ok = (json || to_stdout || watch_print(&results, false, err)) &&
             print_comparison(remote, run, input->against, json, err);
    else if (ok && !to_stdout)
        ok = watch_print(&results, json, err);
    *status = verdict_exit_status(watch_verdict(&results));
    run_results_release(&results);
    return ok;
}

int command_results(int argc, char **argv)
{
    static const struct argp_option options[] = {
        CLIENT_OPTIONS,
        REPORT_OPTIONS,
        {"against", KEY_AGAINST, "RUN", 0,
         "what differs from another run: its number, \"previous\", or the name of a baseline", 0},
        {"log", KEY_LOG, "TEST", 0, "print the console log of that test, and nothing else", 0},
        {"save", KEY_SAVE, "FOLDER", 0,
         "make a folder with the console log, the artifacts and the result of each test", 0},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct command_usage usage = {
        "results", "[RUN]",
        "What came of a run: a number, or the latest. The exit status says how the run was.\v"
        "Example:\n  thaw results 17 --junit junit.xml\n  thaw results --against previous\n"
        "  thaw results 17 --log 'pipes [seed=3]'",
        options, take};
    struct results_input input = {.run = NULL};
    struct remote *remote = NULL;
    struct err err = ERR_INIT;
    struct common common;
    int status = EXIT_PASS;
    uint64_t run;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = client_open(&input.client, &remote, &err) &&
         client_run_number(remote, input.run != NULL ? input.run : "latest", &run, &err) &&
         report(&input, remote, run, common.json, &status, &err);
    remote_close(remote);
    return ok ? status : common_fail(&common, &err);
}
