/* cmd_jobs.c — `thaw jobs check FILE`, `thaw jobs expand FILE`: a job file before anything runs. */
#include "cli/farm/commands.h"

#include "cli/base/output.h"
#include "jobs/matrix.h"

#include <stdio.h>
#include <string.h>

#define REPORT_MAX (1u << 20)

enum jobs_action { JOBS_CHECK, JOBS_EXPAND, JOBS_ACTIONS };

static const char *const action_names[JOBS_ACTIONS] = {"check", "expand"};

struct jobs_input {
    enum jobs_action action;
    const char *file;
    const char **selectors; /* room for all arguments */
    size_t selector_count;
    size_t arguments;
};

static bool take_argument(struct jobs_input *input, const char *value, struct err *err)
{
    if (input->arguments++ == 0) {
        for (unsigned int i = 0; i < JOBS_ACTIONS; i++) {
            if (strcmp(value, action_names[i]) == 0) {
                input->action = (enum jobs_action)i;
                return true;
            }
        }
        return err_set(err, ERR_USAGE, "\"%s\" is neither \"check\" nor \"expand\"", value);
    }
    if (input->file == NULL) {
        input->file = value;
        return true;
    }
    if (input->action == JOBS_CHECK)
        return err_set(err, ERR_USAGE, "one file is checked at a time, \"%s\" is too much", value);
    input->selectors[input->selector_count++] = value;
    return true;
}

static bool jobs_take(void *context, int key, const char *value, struct err *err)
{
    struct jobs_input *input = context;

    if (key == ARGP_KEY_ARG)
        return take_argument(input, value, err);
    if (key == ARGP_KEY_END && input->arguments == 0)
        return err_set(err, ERR_USAGE, "say what: `check FILE` or `expand FILE`");
    if (key == ARGP_KEY_END && input->file == NULL)
        return err_set(err, ERR_USAGE, "the job file is missing");
    return key == ARGP_KEY_END;
}

/* All mistakes of the file, and of the machine files that it boots. */
static bool load(const char *path, struct job_file **file, struct buf *report, struct err *err)
{
    return job_file_load(path, &variables_environment, file, report, err);
}

int command_jobs(int argc, char **argv)
{
    static const struct command_usage usage = {
        "jobs", "check FILE | expand FILE [SELECTOR...]",
        "Read a job file. `check` shows all mistakes at once, with line, column and a caret; "
        "`expand` lists the jobs that it would run, matrices multiplied out. SELECTOR is a name "
        "with * and ?, or @TAG.\v"
        "Example:\n  thaw jobs check nightly.yaml\n  thaw jobs expand nightly.yaml '@quick'",
        NULL, jobs_take};
    struct jobs_input input = {.selectors = mem_array((size_t)argc, sizeof(char *))};
    struct buf report = BUF_INIT(REPORT_MAX);
    struct job_file *file = NULL;
    struct err err = ERR_INIT;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = load(input.file, &file, &report, &err);
    if (!ok && report.size != 0)
        fwrite(report.data, 1, report.size, stderr);
    if (ok)
        printf("%s: %zu tests\n", input.file, file->test_count);
    buf_release(&report);
    job_file_free(file);
    mem_free(input.selectors);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
