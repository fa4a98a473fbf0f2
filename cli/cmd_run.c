/* cmd_run.c — `thaw run`: one test on a thawed machine, or one bare-metal program on a fresh board.
 */
#include "cli/commands.h"

#include "agent/build.h"
#include "agent/runner.h"
#include "cli/base/output.h"
#include "cli/base/progress.h"
#include "cli/suite.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COMMAND_MAX   CONSOLE_OUTPUT_MAX
#define SELECTORS_MAX 64

enum {
    KEY_ELF = 0x6001,
    KEY_INSTRUCTIONS,
    KEY_WALL,
    KEY_SEED,
    KEY_PROMPT,
    KEY_FREEZE,
    KEY_JOBS,
    KEY_JUNIT,
    KEY_TAP,
    KEY_RESULTS,
    KEY_COMPARE,
    KEY_SELECT,
    KEY_HARTS,
    KEY_MEMORY
};

struct run_input {
    const char *checkpoint;
    const char *elf;
    const char *jobs;
    const char *junit;
    const char *tap;
    const char *results;
    const char *selectors[SELECTORS_MAX];
    size_t selector_count;
    bool compare;
    const char *prompt;
    const char *freeze; /* tag */
    struct buf command;
    uint64_t instructions;
    uint64_t wall_ms;
    uint64_t seed;
    uint64_t harts;
    uint64_t memory_mib;
    bool has_seed;
    bool quiet;
};

static bool take_number(const char *option, const char *value, uint64_t *out, struct err *err)
{
    char *end;

    errno = 0;
    *out = strtoull(value, &end, 0);
    if (value[0] == '-' || value[0] == 0 || *end != 0 || errno != 0)
        return err_set(err, ERR_USAGE, "%s takes a whole number, not \"%s\"", option, value);
    return true;
}

static bool take_argument(struct run_input *run, const char *value, struct err *err)
{
    if (run->elf != NULL || (run->jobs != NULL && run->checkpoint != NULL))
        return err_set(err, ERR_USAGE, "\"%s\" is one argument too many", value);
    if (run->checkpoint == NULL) {
        run->checkpoint = value;
        return true;
    }
    if (run->command.size != 0 && !buf_append_text(&run->command, " ", err))
        return false;
    return buf_append_text(&run->command, value, err);
}

static bool take_end(struct run_input *run, struct err *err)
{
    if (run->checkpoint == NULL && run->elf == NULL && run->jobs == NULL)
        return err_set(err, ERR_USAGE,
                       "run takes a checkpoint and a command, or --elf FILE, or --jobs FILE");
    if (run->checkpoint != NULL && run->command.size == 0 && run->jobs == NULL)
        return err_set(err, ERR_USAGE,
                       "run %s: what? Give a command, as in `thaw run %s -- uname -a`",
                       run->checkpoint, run->checkpoint);
    return buf_append(&run->command, "", 1, err);
}

static bool take(void *input, int key, const char *value, struct err *err)
{
    struct run_input *run = input;

    switch (key) {
    case KEY_ELF:
        run->elf = value;
        return true;
    case KEY_JOBS:
        run->jobs = value;
        return true;
    case KEY_JUNIT:
        run->junit = value;
        return true;
    case KEY_TAP:
        run->tap = value;
        return true;
    case KEY_RESULTS:
        run->results = value;
        return true;
    case KEY_COMPARE:
        run->compare = true;
        return true;
    case KEY_SELECT:
        if (run->selector_count == SELECTORS_MAX)
            return err_set(err, ERR_USAGE, "more than %d selections", SELECTORS_MAX);
        run->selectors[run->selector_count++] = value;
        return true;
    case KEY_PROMPT:
        run->prompt = value;
        return true;
    case KEY_FREEZE:
        run->freeze = value;
        return store_name_check(value, err);
    case 'q':
        run->quiet = true;
        return true;
    case KEY_INSTRUCTIONS:
        return take_number("--instructions", value, &run->instructions, err);
    case KEY_WALL:
        return take_number("--wall", value, &run->wall_ms, err);
    case KEY_HARTS:
        return take_number("--harts", value, &run->harts, err);
    case KEY_MEMORY:
        return take_number("--memory", value, &run->memory_mib, err);
    case KEY_SEED:
        run->has_seed = true;
        return take_number("--seed", value, &run->seed, err);
    case ARGP_KEY_ARG:
        return take_argument(run, value, err);
    case ARGP_KEY_END:
        return take_end(run, err);
    default:
        return false;
    }
}

struct watching {
    struct progress progress;
    bool show;
};

static void on_output(void *context, struct span bytes)
{
    const struct watching *watching = context;

    if (watching->show)
        fwrite(bytes.data, 1, bytes.size, stdout);
}

static bool on_progress(void *context, uint64_t instructions, uint64_t virtual_ns)
{
    struct watching *watching = context;
    char text[80];

    if (watching->show)
        return true;
    snprintf(text, sizeof text, "%.2f G instructions, %.2f s virtual", (double)instructions / 1e9,
             (double)virtual_ns / 1e9);
    progress_update(&watching->progress, instructions, text);
    return true;
}

static void report_json(const struct session *session, const struct runner_result *result)
{
    json_t *value = json_object();
    json_t *console = json_stringn((const char *)result->log.data, result->log.size);
    struct span output = buf_span(&result->output);
    json_t *text = json_stringn(output.size != 0 ? (const char *)output.data : "", output.size);

    json_object_set_new(value, "verdict", json_string(verdict_name(result->console.verdict)));
    json_object_set_new(value, "exit_status", json_integer(result->console.exit_status));
    json_object_set_new(value, "reason", json_string(result->console.reason));
    json_object_set_new(value, "checkpoint",
                        hash_is_zero(&session->parent) ? json_null() : json_hash(&session->parent));
    json_object_set_new(value, "state_id", json_hash(&result->state_id));
    json_object_set_new(value, "instructions", json_u64(result->instructions));
    json_object_set_new(value, "virtual_ns", json_u64(result->virtual_ns));
    json_object_set_new(value, "thaw_ms", json_real((double)session->thaw_ns / 1e6));
    json_object_set_new(value, "wall_ms", json_real((double)result->wall_ns / 1e6));
    if (session->freeze_ns != 0)
        json_object_set_new(value, "freeze_ms", json_real((double)session->freeze_ns / 1e6));
    json_object_set_new(value, "output", text != NULL ? text : json_null());
    json_object_set_new(value, "console", console != NULL ? console : json_null());
    print_json(value);
}

static void report_text(const struct session *session, const struct runner_result *result,
                        const struct run_input *input)
{
    if (!input->quiet && input->elf == NULL && result->output.size != 0)
        fwrite(result->output.data, 1, result->output.size, stdout);
    fflush(stdout);
    fprintf(stderr, "%s", verdict_name(result->console.verdict));
    if (result->console.exit_status >= 0)
        fprintf(stderr, " (exit status %d)", result->console.exit_status);
    if (result->console.reason[0] != 0)
        fprintf(stderr, ": %s", result->console.reason);
    fprintf(stderr, "\n%.1f M instructions, thaw %.1f ms, test %.1f ms",
            (double)result->instructions / 1e6, (double)session->thaw_ns / 1e6,
            (double)result->wall_ns / 1e6);
    if (session->freeze_ns != 0)
        fprintf(stderr, ", freeze %.1f ms", (double)session->freeze_ns / 1e6);
    fprintf(stderr, "\n");
}

static bool freeze_after(struct session *session, const char *name, struct err *err)
{
    struct checkpoint_ids ids;
    struct store_tag tag;
    bool ok;

    if (name == NULL)
        return true;
    store_tag_init(&tag, name, &clock_host);
    for (size_t i = 0; i < session->facts.fact_count; i++)
        store_tag_set_fact(&tag, session->facts.facts[i].key, session->facts.facts[i].text);
    tag.parent = session->parent;
    ok = session_freeze(session, &tag, &ids, err);
    store_tag_release(&tag);
    return ok;
}

static bool build_bare(struct session *session, const struct run_input *input, struct err *err)
{
    struct machine_file *file = machine_file_bare(input->elf);
    bool ok;

    if (input->harts != 0)
        file->boards[0].hart_count =
            input->harts > UINT32_MAX ? UINT32_MAX : (uint32_t)input->harts;
    if (input->memory_mib != 0 && input->memory_mib < UINT64_MAX >> 20)
        file->boards[0].memory_bytes = input->memory_mib << 20;
    ok = build_machine(&session->registry, file, &session->machine, err);
    machine_file_free(file);
    return ok;
}

static bool run_one(struct session *session, const struct run_input *input, bool json,
                    struct runner_result *result, struct err *err)
{
    struct console_step step = {.kind = input->elf != NULL ? CONSOLE_HALT : CONSOLE_COMMAND,
                                .text = (const char *)input->command.data};
    struct runner_test test = {.steps = &step,
                               .step_count = 1,
                               .prompt = input->prompt,
                               .instructions_max = input->instructions,
                               .wall_ms_max = input->wall_ms,
                               .no_wait = input->elf != NULL,
                               .seed = input->has_seed ? &input->seed : NULL,
                               .digest = json};
    struct watching watching = {.show = input->elf != NULL && !json && !input->quiet};
    struct runner_watch watch = {on_output, on_progress, NULL, &watching};
    bool ok;

    progress_begin(&watching.progress, "running", 0, watching.show);
    ok = runner_run(session, &test, &watch, result, err);
    progress_end(&watching.progress);
    return ok;
}

static const struct argp_option options[] = {
    {"elf", KEY_ELF, "FILE", 0,
     "run a bare-metal program on a fresh board; HTIF tohost or the test finisher ends it", 0},
    {"jobs", KEY_JOBS, "FILE.yaml", 0, "run a suite of tests, each from the thawed checkpoint", 0},
    {"junit", KEY_JUNIT, "FILE", 0, "with --jobs: write a JUnit report", 0},
    {"tap", KEY_TAP, "FILE", 0, "with --jobs: write a TAP 14 report", 0},
    {"results", KEY_RESULTS, "FOLDER", 0, "with --jobs: keep the files that tests bring back", 0},
    {"select", KEY_SELECT, "NAME", 0,
     "with --jobs: only tests of this name (* and ?) or @tag; again for more", 0},
    {"compare", KEY_COMPARE, 0, 0,
     "with --jobs: boot for one test alone too, and say what thawing saves", 0},
    {"instructions", KEY_INSTRUCTIONS, "N", 0, "limit in guest instructions (default 20 G)", 0},
    {"wall", KEY_WALL, "MS", 0, "guard in host milliseconds (default 600,000)", 0},
    {"seed", KEY_SEED, "N", 0, "re-seed the machine's entropy devices", 0},
    {"prompt", KEY_PROMPT, "REGEX", 0, "the shell's prompt (default: the checkpoint's)", 0},
    {"freeze", KEY_FREEZE, "TAG", 0, "freeze the machine after the test", 0},
    {"harts", KEY_HARTS, "N", 0, "with --elf: harts of the fresh board", 0},
    {"memory", KEY_MEMORY, "MIB", 0, "with --elf: memory of the fresh board, in MiB", 0},
    {"quiet", 'q', 0, 0, "do not print the test's output", 0},
    {0, 0, 0, 0, 0, 0}};

static int run_suite(const struct common *common, struct run_input *input)
{
    struct suite_input suite = {.jobs = input->jobs,
                                .checkpoint = input->checkpoint,
                                .junit = input->junit,
                                .tap = input->tap,
                                .results = input->results,
                                .selectors = input->selectors,
                                .selector_count = input->selector_count,
                                .compare = input->compare,
                                .json = common->json};

    buf_release(&input->command);
    return suite_main(common, &suite);
}

int command_run(int argc, char **argv)
{
    static const struct command_usage usage = {
        "run", "CHECKPOINT -- COMMAND...\n--elf FILE\n[CHECKPOINT] --jobs FILE.yaml",
        "Thaw a checkpoint, run one command at its prompt and report its output and exit status; "
        "or run a "
        "bare-metal program on a fresh board; or run a suite.\v"
        "Example:\n  thaw run debian-booted -- uname -a\n  thaw run --elf hello.elf\n"
        "  thaw run --jobs jobs/examples/smoke.yaml --junit junit.xml\n\n"
        "Exit status: 0 pass, 1 fail, 2 usage, 3 infrastructure, 4 timeout.",
        options, take};
    struct run_input input = {.command = BUF_INIT(COMMAND_MAX)};
    struct runner_result result = {.instructions = 0};
    struct image_cache *cache = NULL;
    struct store *store = NULL;
    struct err err = ERR_INIT;
    struct session session;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    if (input.jobs != NULL)
        return run_suite(&common, &input);
    ok = common_open_store(&common, &store, &err) && image_cache_new(store, NULL, &cache, &err);
    session_init(&session, store, cache);
    ok = ok && (input.elf != NULL ? build_bare(&session, &input, &err)
                                  : session_thaw(&session, input.checkpoint, &err));
    ok = ok && run_one(&session, &input, common.json, &result, &err) &&
         freeze_after(&session, input.freeze, &err);
    if (ok && common.json)
        report_json(&session, &result);
    else if (ok)
        report_text(&session, &result, &input);
    runner_result_release(&result);
    session_release(&session);
    buf_release(&input.command);
    image_cache_free(cache);
    store_close(store);
    return ok ? verdict_exit_status(result.console.verdict) : common_fail(&common, &err);
}
