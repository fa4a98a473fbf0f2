/* cmd_submit.c — `thaw submit`: hands a job file to a coordinator. */
#include "cli/farm/client.h"
#include "cli/farm/commands.h"
#include "cli/farm/schedule.h"
#include "cli/farm/submission.h"
#include "cli/farm/watching.h"

#include "cli/base/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPORT_MAX (1u << 20)

enum { KEY_NAME = 0x5900, KEY_NO_CACHE, KEY_WATCH, KEY_SCHEDULE };

struct submit_input {
    struct client client;
    struct submission_options options;
    const char **selectors; /* room for all arguments */
    const char *file;
    bool watch;
    bool schedule;
};

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct submit_input *input = context;

    switch (key) {
    case KEY_NAME:
        input->options.name = value;
        return true;
    case KEY_NO_CACHE:
        input->options.no_cache = true;
        return true;
    case KEY_WATCH:
        input->watch = true;
        return true;
    case KEY_SCHEDULE:
        input->schedule = true;
        return true;
    case ARGP_KEY_ARG:
        if (input->file == NULL)
            input->file = value;
        else
            input->selectors[input->options.selector_count++] = value;
        return true;
    case ARGP_KEY_END:
        if (input->schedule && input->watch)
            return err_set(err, ERR_USAGE, "--schedule starts nothing that --watch could follow");
        return input->file != NULL || err_set(err, ERR_USAGE, "the job file is missing");
    default:
        return client_take(&input->client, key, value);
    }
}

/* Reads the file; its mistakes go to standard error, all of them. */
bool submit_load(const char *path, struct job_file **out, struct err *err)
{
    struct buf report = BUF_INIT(REPORT_MAX);
    bool ok = job_file_load(path, &variables_environment, out, &report, err);

    if (!ok && report.size != 0)
        fwrite(report.data, 1, report.size, stderr);
    buf_release(&report);
    return ok;
}

static bool ask_about(struct remote *remote, uint64_t run, const char *what, struct span body,
                      struct err *err)
{
    char path[64];
    json_t *answer;
    bool ok;

    snprintf(path, sizeof path, "runs/%llu/%s", (unsigned long long)run, what);
    ok = client_ask(remote, "POST", path, body, &answer, err);
    json_decref(answer);
    return ok;
}

/* A run that did not come whole is not left open for ever. */
static bool send_rest(struct remote *remote, const struct submission *submission, uint64_t run,
                      struct err *err)
{
    struct err ignored = ERR_INIT;
    bool ok = true;

    for (size_t i = 1; ok && i < submission->part_count; i++)
        ok = ask_about(remote, run, "jobs", buf_span(&submission->parts[i]), err);
    ok = ok && ask_about(remote, run, "close", (struct span){0}, err);
    if (!ok)
        (void)ask_about(remote, run, "cancel", (struct span){0}, &ignored);
    return ok;
}

bool submit_send(struct remote *remote, const struct submission *submission, uint64_t *run,
                 struct err *err)
{
    json_t *answer;
    bool ok = client_ask(remote, "POST", "runs", buf_span(&submission->parts[0]), &answer, err);

    if (ok) {
        *run = (uint64_t)json_integer_value(json_object_get(answer, "run"));
        ok = *run != 0 || err_set(err, ERR_INVALID, "the coordinator gave the run no number");
    }
    json_decref(answer);
    if (ok && submission->part_count > 1)
        ok = send_rest(remote, submission, *run, err);
    return ok;
}

const char *submit_who(void)
{
    const char *user = getenv("USER");

    return user != NULL && user[0] != 0 ? user : "nobody";
}

static void say_run(const struct common *common, const struct submit_input *input, uint64_t run,
                    const struct submission *submission)
{
    if (common->json && !input->watch)
        print_json(json_pack("{s:I, s:I}", "run", (json_int_t)run, "jobs",
                             (json_int_t)submission->job_count));
    else if (!common->json)
        printf("run %llu: %zu jobs%s\n", (unsigned long long)run, submission->job_count,
               submission->boot_count != 0 ? ", from checkpoints that are booted if need be" : "");
}

/* Nothing runs now: the coordinator starts it when its time comes. */
static bool register_it(const struct common *common, struct remote *remote,
                        const struct schedule_request *request, struct err *err)
{
    const struct job_workflow *workflow = &request->file->workflow;
    char next[SCHEDULE_TIME_SIZE];
    int64_t next_s;

    if (!schedule_send(remote, request, &next_s, err))
        return false;
    schedule_time(next_s, workflow->schedule.time_zone, next);
    if (common->json)
        print_json(json_pack("{s:s, s:I, s:I}", "schedule", request->name, "jobs",
                             (json_int_t)request->submission->job_count, "next_s",
                             (json_int_t)next_s));
    else
        printf("schedule %s: %zu jobs at \"%s\" (%s), next at %s\n", request->name,
               request->submission->job_count, workflow->schedule.cron,
               workflow->schedule.time_zone, next);
    return true;
}

static bool submit(const struct common *common, struct submit_input *input, struct remote *remote,
                   uint64_t *run, struct err *err)
{
    struct submission submission = {0};
    struct job_file *file = NULL;
    struct store *store = NULL;
    bool ok = submit_load(input->file, &file, err) && common_open_store(common, &store, err) &&
              submission_make(file, &input->options, store, &submission, err) &&
              submission_push(&submission, store, remote, err);
    struct schedule_request request = {.file = file, .submission = &submission};

    if (ok && input->schedule) {
        request.name = input->options.name != NULL ? input->options.name : file->name;
        ok = register_it(common, remote, &request, err);
    } else if (ok) {
        ok = submit_send(remote, &submission, run, err);
        if (ok)
            say_run(common, input, *run, &submission);
    }
    submission_release(&submission);
    store_close(store);
    job_file_free(file);
    return ok;
}

int command_submit(int argc, char **argv)
{
    static const struct argp_option options[] = {
        CLIENT_OPTIONS,
        {"name", KEY_NAME, "NAME", 0, "what the run is called (default: the suite's name)", 0},
        {"no-cache", KEY_NO_CACHE, 0, 0, "run everything, whatever is known from earlier runs", 0},
        {"schedule", KEY_SCHEDULE, 0, 0,
         "run nothing now: let the coordinator start it as the file's workflow says", 0},
        {"watch", KEY_WATCH, 0, 0, "follow the run to its end; the exit status says how it was", 0},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct command_usage usage = {
        "submit", "FILE [SELECTOR...]",
        "Hand a job file to a coordinator, with all that its jobs need. SELECTOR is a name with * "
        "and ?, or @TAG.\v"
        "Example:\n  thaw submit --coordinator https://farm:7090 nightly.yaml '@quick'\n"
        "  thaw submit --schedule nightly.yaml",
        options, take};
    struct submit_input input = {.selectors = mem_array((size_t)argc, sizeof(char *))};
    struct remote *remote = NULL;
    struct err err = ERR_INIT;
    struct common common;
    int status = EXIT_PASS;
    uint64_t run;
    bool ok;

    input.options.selectors = input.selectors;
    input.options.submitter = submit_who();
    common_parse(&usage, &common, argc, argv, &input);
    ok = client_open(&input.client, &remote, &err) && submit(&common, &input, remote, &run, &err);
    if (ok && input.watch)
        ok = watch_run(remote, run, common.json, &status, &err);
    remote_close(remote);
    mem_free(input.selectors);
    return ok ? status : common_fail(&common, &err);
}
