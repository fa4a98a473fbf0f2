/* cmd_jobs.c — `thaw jobs check FILE`, `thaw jobs expand FILE`: a job file before anything runs. */
#include "cli/farm/commands.h"

#include "cli/farm/jobs_show.h"
#include "jobs/job_check.h"
#include "storage/base/clock.h"

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

static int check(const struct common *common, const struct jobs_input *input)
{
    struct job_findings findings = {.report = BUF_INIT(0)};
    struct err err = ERR_INIT;
    uint64_t now_s = clock_wall_ns(&clock_host) / 1000000000;
    bool ok = job_file_check(input->file, &variables_environment, now_s, &findings, &err);

    if (ok)
        jobs_show_findings(input->file, &findings, common->json);
    if (ok && findings.mistakes > 0)
        err_set(&err, ERR_INVALID, "%s has %zu mistake%s", input->file, findings.mistakes,
                findings.mistakes == 1 ? "" : "s");
    job_findings_release(&findings);
    return err.kind == ERR_NONE ? EXIT_PASS : common_fail(common, &err);
}

/* With -v every file is read, and keys are shown. */
static bool show_expanded(const struct common *common, const struct job_expanded *expanded,
                          struct err *err)
{
    struct job_submissions jobs = {.pool = POOL_INIT};
    bool ok = common->verbose == 0 || job_spec_collect(expanded, &job_sink_hash, &jobs, err);

    if (ok && common->json)
        jobs_print_json(expanded, &jobs);
    else
        ok = ok && jobs_print_table(expanded, &jobs, err);
    job_submissions_release(&jobs);
    return ok;
}

static int expand(const struct common *common, const struct jobs_input *input)
{
    struct buf report = BUF_INIT(REPORT_MAX);
    struct job_expanded *expanded = NULL;
    struct job_file *file = NULL;
    struct err err = ERR_INIT;
    bool ok = job_file_load(input->file, &variables_environment, &file, &report, &err);

    if (!ok && report.size != 0)
        fwrite(report.data, 1, report.size, stderr);
    ok = ok && job_expand(file, input->selectors, input->selector_count, &expanded, &err) &&
         show_expanded(common, expanded, &err);
    job_expanded_free(expanded);
    job_file_free(file);
    buf_release(&report);
    return ok ? EXIT_PASS : common_fail(common, &err);
}

int command_jobs(int argc, char **argv)
{
    static const struct command_usage usage = {
        "jobs", "check FILE | expand FILE [SELECTOR...]",
        "Read a job file. `check` shows all mistakes at once, with line, column and a caret: those "
        "of the file, of the machine files that it boots, of its matrices, and files that are not "
        "there. `expand` lists the jobs that would run, matrices multiplied out, and the boots "
        "that "
        "they need; with -v the keys that results and boots are kept under. SELECTOR is a name "
        "with "
        "* and ?, or @TAG.\v"
        "Example:\n  thaw jobs check nightly.yaml\n  thaw jobs expand nightly.yaml '@quick'",
        NULL, jobs_take};
    struct jobs_input input = {.selectors = mem_array((size_t)argc, sizeof(char *))};
    struct common common;
    int status;

    common_parse(&usage, &common, argc, argv, &input);
    status = input.action == JOBS_CHECK ? check(&common, &input) : expand(&common, &input);
    mem_free(input.selectors);
    return status;
}
