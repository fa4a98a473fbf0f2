/* cmd_farm.c — `thaw farm`: coordinator and agents in one command, on one machine. */
#include "cli/farm/commands.h"
#include "cli/farm/local_farm.h"
#include "cli/farm/report_files.h"
#include "cli/farm/watching.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { KEY_STATE = 0x5900, KEY_NO_CACHE, KEY_NAME };

struct farm_input {
    const char *file;
    const char *state;
    uint64_t agents;
    struct submission_options options;
    const char **selectors;
    struct report_files files;
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static bool take_count(struct farm_input *input, const char *value, struct err *err)
{
    char *end;

    errno = 0;
    input->agents = strtoull(value, &end, 10);
    if (errno != 0 || *end != 0 || input->agents == 0 || input->agents > LOCAL_FARM_AGENTS_MAX)
        return err_set(err, ERR_USAGE, "-j takes a number of agents, 1 to %d",
                       LOCAL_FARM_AGENTS_MAX);
    return true;
}

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct farm_input *input = context;

    switch (key) {
    case 'j':
        return take_count(input, value, err);
    case KEY_STATE:
        input->state = value;
        return true;
    case KEY_NO_CACHE:
        input->options.no_cache = true;
        return true;
    case KEY_NAME:
        input->options.name = value;
        return true;
    case ARGP_KEY_ARG:
        if (input->file == NULL)
            input->file = value;
        else
            input->selectors[input->options.selector_count++] = value;
        return true;
    case ARGP_KEY_END:
        return input->file != NULL || err_set(err, ERR_USAGE, "the job file is missing");
    default:
        return report_files_take(&input->files, key, value);
    }
}

static bool submit(const struct farm_input *input, struct store *store, struct remote *remote,
                   uint64_t *run, struct err *err)
{
    struct submission submission = {0};
    struct job_file *file = NULL;
    bool ok = submit_load(input->file, &file, err) &&
              submission_make(file, &input->options, store, &submission, err) &&
              submit_send(remote, &submission, run, err);

    submission_release(&submission);
    job_file_free(file);
    return ok;
}

static bool report(const struct farm_input *input, struct remote *remote, uint64_t run, bool json,
                   int *status, struct err *err)
{
    struct run_results results;
    bool ok;

    if (!run_results_fetch(remote, run, &results, err))
        return false;
    ok = report_files_write(&input->files, &results, remote, err);
    if (ok && !report_files_take_stdout(&input->files))
        ok = watch_print(&results, json, err);
    *status = verdict_exit_status(watch_verdict(&results));
    run_results_release(&results);
    return ok;
}

/* What `look_after` needs between two looks at the run. */
struct keeping {
    struct local_farm *farm;
    uint64_t run;
    bool is_cancelled;
};

static bool look_after(void *context, struct err *err)
{
    struct keeping *keeping = context;

    if (interrupted && !keeping->is_cancelled) {
        keeping->is_cancelled = true;
        if (!local_farm_cancel(keeping->farm, keeping->run, err))
            return false;
    }
    return local_farm_look_after(keeping->farm, err);
}

static bool run(const struct farm_input *input, const struct common *common, struct store *store,
                int *status, struct err *err)
{
    const struct local_farm_options options = {input->state, (size_t)input->agents, &interrupted};
    struct keeping keeping = {0};
    const struct watch_hook hook = {look_after, &keeping};
    struct err why = ERR_INIT;
    struct remote *remote;
    bool ok;

    if (!local_farm_start(&options, store, &keeping.farm, err))
        return false;
    remote = local_farm_remote(keeping.farm);
    ok = submit(input, store, remote, &keeping.run, err) &&
         watch_follow(remote, keeping.run, &hook, err) &&
         report(input, remote, keeping.run, common->json, status, err);
    if (!ok && !local_farm_look_after(keeping.farm, &why))
        *err = why; /* what went wrong first */
    local_farm_stop(keeping.farm);
    return ok;
}

int command_farm(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"jobs", 'j', "N", 0,
         "agents, each of which runs one test at a time (default: as many as processors)", 0},
        {"name", KEY_NAME, "NAME", 0, "what the run is called (default: the suite's name)", 0},
        {"no-cache", KEY_NO_CACHE, 0, 0, "run everything, whatever is known from earlier runs", 0},
        {"state", KEY_STATE, "FOLDER", 0,
         "where results of earlier runs, logs and keys are kept (default: beside the store)", 0},
        REPORT_OPTIONS,
        {0, 0, 0, 0, 0, 0},
    };
    static const struct command_usage usage = {
        "farm", "FILE [SELECTOR...]",
        "Run a job file on this machine: starts a coordinator and agents, boots what has to be "
        "booted, runs every test from its checkpoint, reports, and ends them again. SELECTOR is a "
        "name with * and ?, or @TAG.\v"
        "Example:\n  thaw farm nightly.yaml -j 4 --junit junit.xml",
        options, take};
    int processors = (int)sysconf(_SC_NPROCESSORS_ONLN);
    struct farm_input input = {.agents = processors > 0 ? (uint64_t)processors : 1,
                               .selectors = mem_array((size_t)argc, sizeof(char *))};
    struct sigaction action = {.sa_handler = on_signal};
    struct store *store = NULL;
    struct err err = ERR_INIT;
    struct common common;
    int status = EXIT_PASS;
    bool ok;

    input.options.selectors = input.selectors;
    input.options.submitter = submit_who();
    common_parse(&usage, &common, argc, argv, &input);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    ok = common_open_store(&common, &store, &err) && run(&input, &common, store, &status, &err);
    store_close(store);
    mem_free(input.selectors);
    return ok ? status : common_fail(&common, &err);
}
