/* cmd_verify.c — `thaw verify`: the same checkpoint on unlike hosts. */
#include "cli/commands.h"

#include "agent/verify/input.h"
#include "agent/verify/report.h"
#include "cli/base/progress.h"
#include "cli/verify_hosts.h"
#include "jobs/job_file.h"
#include "storage/base/file.h"
#include "storage/store.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TYPED_MAX  65536
#define REPORT_MAX (64u << 20)

#define CHECKPOINTS_MAX 256

enum {
    KEY_HOST = 0x6101,
    KEY_LOCAL,
    KEY_AGENT,
    KEY_INSTRUCTIONS,
    KEY_EVERY,
    KEY_MATRIX,
    KEY_RING,
    KEY_JUNIT,
    KEY_WORK,
    KEY_JOBS
};

struct verify_input {
    struct verify_hosts hosts;
    const char *checkpoint; /* as an argument, or: */
    const char *jobs;       /* a job file */
    struct job_file *file;
    const char *checkpoints[CHECKPOINTS_MAX];
    size_t checkpoint_count;
    const char *junit;
    const char *work;
    struct buf typed, inputs;
    uint64_t instructions, every;
    bool matrix, ring, quiet;
};

static bool take_count(const char *option, const char *value, uint64_t *out, struct err *err)
{
    static const struct {
        char letter;
        uint64_t factor;
    } units[] = {{0, 1}, {'k', 1000}, {'M', 1000000}, {'G', 1000000000}};
    char *end;

    errno = 0;
    *out = strtoull(value, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (end == value || value[0] == '-' || errno != 0 || end[0] != units[i].letter ||
            (end[0] != 0 && end[1] != 0) || *out == 0 ||
            *out > UINT64_C(1000000000000000) / units[i].factor)
            continue;
        *out *= units[i].factor;
        return true;
    }
    return err_set(err, ERR_USAGE, "%s takes a number of instructions, such as 200M, not \"%s\"",
                   option, value);
}

static bool take_argument(struct verify_input *input, const char *value, struct err *err)
{
    if (input->checkpoint == NULL && input->jobs == NULL) {
        input->checkpoint = value;
        return true;
    }
    if (input->typed.size != 0 && !buf_append_text(&input->typed, " ", err))
        return false;
    return buf_append_text(&input->typed, value, err);
}

static bool take_end(struct verify_input *input, struct err *err)
{
    if ((input->checkpoint == NULL) == (input->jobs == NULL))
        return err_set(err, ERR_USAGE, "verify takes a checkpoint, or --jobs FILE");
    if (input->hosts.count == 0 && !verify_hosts_add_local(&input->hosts, "all", err))
        return false;
    if (input->hosts.count == 0)
        return err_set(err, ERR_USAGE, "no builds are beside this program: name hosts with --host");
    return true;
}

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct verify_input *input = context;

    switch (key) {
    case KEY_HOST:
        return verify_hosts_add(&input->hosts, value, err);
    case KEY_LOCAL:
        return verify_hosts_add_local(&input->hosts, value, err);
    case KEY_AGENT:
        return verify_hosts_add_agents(&input->hosts, value, err);
    case KEY_INSTRUCTIONS:
        return take_count("--instructions", value, &input->instructions, err);
    case KEY_EVERY:
        return take_count("--every", value, &input->every, err);
    case KEY_MATRIX:
        input->matrix = true;
        return true;
    case KEY_RING:
        input->ring = true;
        return true;
    case KEY_JUNIT:
        input->junit = value;
        return true;
    case KEY_JOBS:
        input->jobs = value;
        return true;
    case KEY_WORK:
        input->work = value;
        return true;
    case ARGP_KEY_ARG:
        return take_argument(input, value, err);
    case ARGP_KEY_END:
        return take_end(input, err);
    default:
        return false;
    }
}

static void on_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
    struct progress *progress = context;

    (void)total;
    progress_update(progress, done, what);
}

/* What is typed at the console, as one input. */
static bool encode_typed(struct buf *typed, struct buf *out, struct err *err)
{
    struct cbor_writer writer = cbor_writer(out, err);

    if (typed->size == 0)
        return true;
    if (!buf_append_text(typed, "\n", err))
        return false;
    cbor_write_array(&writer, 1);
    input_write(&writer, 0, "", "console", buf_span(typed));
    return writer.ok;
}

/* What a name in a job file stands for: one of its `checkpoints:`, else a tag or an id. */
static const char *resolve(const struct job_file *file, const char *name)
{
    for (size_t i = 0; i < file->checkpoint_count; i++)
        if (strcmp(file->checkpoints[i].name, name) == 0)
            return file->checkpoints[i].tag;
    return name;
}

static bool add_checkpoint(struct verify_input *input, const char *name, struct err *err)
{
    const char *tag = resolve(input->file, name);

    if (tag == NULL)
        return err_set(err, ERR_USAGE,
                       "%s: the checkpoint `%s` has no tag: boot it, and give it one", input->jobs,
                       name);
    for (size_t i = 0; i < input->checkpoint_count; i++)
        if (strcmp(input->checkpoints[i], tag) == 0)
            return true;
    if (input->checkpoint_count == CHECKPOINTS_MAX)
        return err_set(err, ERR_TOO_BIG, "%s: more than %d checkpoints", input->jobs,
                       CHECKPOINTS_MAX);
    input->checkpoints[input->checkpoint_count++] = tag;
    return true;
}

static bool choose_checkpoints(struct verify_input *input, struct err *err)
{
    struct buf report = BUF_INIT(1u << 20);
    bool ok;

    if (input->jobs == NULL) {
        input->checkpoints[input->checkpoint_count++] = input->checkpoint;
        return true;
    }
    ok = job_file_load(input->jobs, &variables_environment, &input->file, &report, err);
    if (report.size != 0)
        fwrite(report.data, 1, report.size, stderr);
    buf_release(&report);
    for (size_t i = 0; ok && i < input->file->test_count; i++) {
        const struct job_test *test = &input->file->tests[i];
        const char *name = test->checkpoint != NULL ? test->checkpoint : input->file->checkpoint;
        if (name != NULL && test->elf == NULL)
            ok = add_checkpoint(input, name, err);
    }
    if (ok && input->checkpoint_count == 0)
        return err_set(err, ERR_USAGE, "%s: no test starts from a checkpoint", input->jobs);
    return ok;
}

static bool make_work(const char *wanted, char *out, size_t size, struct err *err)
{
    const char *parent = wanted != NULL ? wanted : getenv("TMPDIR");

    if (parent == NULL || parent[0] == 0)
        parent = "/var/tmp";
    snprintf(out, size, "%s/thaw-verify-XXXXXX", parent);
    if (mkdtemp(out) == NULL)
        return err_set_errno(err, errno, "cannot make a folder in %s", parent);
    return true;
}

/* FILE, FILE-2, …: the name of the report of checkpoint `index`. */
static void junit_path(const char *path, size_t index, char *out, size_t size)
{
    const char *dot = strrchr(path, '.');
    int stem = dot != NULL && strchr(dot, '/') == NULL ? (int)(dot - path) : (int)strlen(path);

    if (index == 0)
        snprintf(out, size, "%s", path);
    else
        snprintf(out, size, "%.*s-%zu%s", stem, path, index + 1, path + stem);
}

static bool write_junit(const struct verify_input *input, const struct verify_result *result,
                        size_t index, struct err *err)
{
    struct buf out = BUF_INIT(REPORT_MAX);
    char path[4096];
    bool ok;

    if (input->junit == NULL)
        return true;
    junit_path(input->junit, index, path, sizeof path);
    ok = verify_report_junit(result, input->checkpoints[index], &out, err) &&
         file_write(path, buf_span(&out), err);
    buf_release(&out);
    return ok;
}

static bool print_text(const struct verify_input *input, const struct verify_result *result,
                       size_t index, struct err *err)
{
    struct buf out = BUF_INIT(REPORT_MAX);
    bool ok = verify_report_text(result, isatty(STDOUT_FILENO) == 1, &out, err);

    if (ok && input->checkpoint_count > 1)
        printf("%scheckpoint %s\n\n", index == 0 ? "" : "\n", input->checkpoints[index]);
    if (ok)
        fwrite(out.data, 1, out.size, stdout);
    buf_release(&out);
    return ok;
}

/* One checkpoint on all hosts. */
static bool verify(struct store *store, const struct verify_input *input, size_t index,
                   struct verify_result *result, struct err *err)
{
    struct err ignored = ERR_INIT;
    struct progress progress;
    char work[4096];
    struct verify_options options = {.store = store_location(store),
                                     .checkpoint = input->checkpoints[index],
                                     .work = work,
                                     .inputs = buf_span(&input->inputs),
                                     .instructions = input->instructions,
                                     .every = input->every,
                                     .matrix = input->matrix,
                                     .ring = input->ring,
                                     .hosts = input->hosts.items,
                                     .host_count = input->hosts.count,
                                     .clock = &clock_host,
                                     .progress = on_progress,
                                     .context = &progress};
    bool ok = make_work(input->work, work, sizeof work, err);

    if (!ok)
        return false;
    progress_begin(&progress, "verify",
                   input->instructions != 0 ? input->instructions : VERIFY_INSTRUCTIONS,
                   input->quiet);
    ok = verify_run(&options, result, err);
    progress_end(&progress);
    if (!file_remove(work, &ignored))
        fprintf(stderr, "thaw verify: %s\n", ignored.text);
    return ok;
}

/* All checkpoints, with one report each; with --json, one object: of one checkpoint its report, of
 * a job file's `passed` and the reports. */
static bool verify_all(const struct common *common, const struct verify_input *input,
                       enum verdict *loudest, struct err *err)
{
    struct verify_result *result = mem_alloc(sizeof *result);
    struct buf json = BUF_INIT(REPORT_MAX);
    struct json_writer writer = json_writer(&json, true, err);
    struct store *store = NULL;
    bool ok = common_open_store(common, &store, err);

    if (input->jobs != NULL) {
        json_write_object(&writer);
        json_write_key(&writer, "checkpoints");
        json_write_array(&writer);
    }
    for (size_t i = 0; ok && i < input->checkpoint_count; i++) {
        ok = verify(store, input, i, result, err) && write_junit(input, result, i, err);
        if (ok && common->json)
            verify_report_json(result, input->checkpoints[i], &writer);
        else
            ok = ok && print_text(input, result, i, err);
        *loudest = verdict_worst(*loudest, verify_verdict(result));
        verify_result_release(result);
    }
    if (input->jobs != NULL) {
        json_write_close(&writer);
        json_write_key_bool(&writer, "passed", *loudest == VERDICT_PASS);
        json_write_close(&writer);
    }
    ok = ok && (!common->json || json_writer_ok(&writer));
    if (ok && common->json)
        printf("%.*s\n", (int)json.size, (const char *)json.data);
    buf_release(&json);
    store_close(store);
    mem_free(result);
    return ok;
}

static const struct argp_option options[] = {
    {"local", KEY_LOCAL, "NAMES", 0,
     "builds of this machine: \"all\" (the default), or names of build folders joined by ','", 0},
    {"host", KEY_HOST, "NAME=COMMAND", 0,
     "a host: the words that start a thaw there, an emulator first where it takes one, in quotes "
     "what has blanks; again for more",
     0},
    {"agent", KEY_AGENT, "NAMES", 0,
     "enrolled agents of the coordinator at $THAW_COORDINATOR: names joined by ','", 0},
    {"instructions", KEY_INSTRUCTIONS, "N", 0, "how far to run (default 1G)", 0},
    {"every", KEY_EVERY, "M", 0, "compare every M instructions (default: 20 times)", 0},
    {"jobs", KEY_JOBS, "FILE.yaml", 0,
     "instead of a checkpoint: each one that tests of this job file start from", 0},
    {"matrix", KEY_MATRIX, 0, 0, "freeze on every host, thaw each of that on every host", 0},
    {"ring", KEY_RING, 0, 0, "freeze on one host, thaw on the next, through all of them", 0},
    {"junit", KEY_JUNIT, "FILE", 0, "write a JUnit report", 0},
    {"work", KEY_WORK, "FOLDER", 0,
     "where hosts keep stores and caches meanwhile (default $TMPDIR, else /var/tmp)", 0},
    {0, 0, 0, 0, 0, 0}};

int command_verify(int argc, char **argv)
{
    static const struct command_usage usage = {
        "verify", "CHECKPOINT [-- COMMAND...]\n--jobs FILE.yaml [-- COMMAND...]",
        "Thaw a checkpoint on several hosts, run them side by side (typing the command, if one is "
        "given) and compare their state ids. Where two part, find the first instruction that did "
        "differently, and show what it did on both.\v"
        "Example:\n  thaw verify debian-booted --local all --matrix -- md5sum /etc/passwd\n"
        "  thaw verify debian-booted --host new=build/release/thaw --host old=/usr/bin/thaw\n"
        "  thaw verify debian-booted --host 's390x=qemu-s390x build/s390x/thaw' --ring\n\n"
        "Exit status: 0 pass, 1 divergence, 2 usage, 3 a host failed.",
        options, take};
    struct verify_input input = {.typed = BUF_INIT(TYPED_MAX), .inputs = BUF_INIT(INPUT_BYTES_MAX)};
    enum verdict loudest = VERDICT_PASS;
    struct err err = ERR_INIT;
    struct common common;
    bool ok;

    signal(SIGPIPE, SIG_IGN); /* a host that died is told by its output */
    common_parse(&usage, &common, argc, argv, &input);
    input.quiet = common.json;
    ok = encode_typed(&input.typed, &input.inputs, &err) && choose_checkpoints(&input, &err) &&
         verify_all(&common, &input, &loudest, &err);
    job_file_free(input.file);
    buf_release(&input.typed);
    buf_release(&input.inputs);
    verify_hosts_release(&input.hosts);
    return ok ? verdict_exit_status(loudest) : common_fail(&common, &err);
}
