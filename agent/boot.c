#include "agent/boot.h"

#include "agent/build.h"
#include "agent/drive.h"
#include "jobs/pattern.h"

#include <stdio.h>
#include <string.h>

#define LINE_SHOWN 120

/* The last line that says something, for messages. */
static struct span last_line(struct span log)
{
    size_t end = log.size, start;

    while (end > 0 &&
           (log.data[end - 1] == '\n' || log.data[end - 1] == '\r' || log.data[end - 1] == ' '))
        end--;
    start = end;
    while (start > 0 && log.data[start - 1] != '\n' && end - start < LINE_SHOWN)
        start--;
    return (struct span){log.data + start, end - start};
}

static void set_disk_facts(struct store_tag *facts, const struct machine_board *board)
{
    for (uint32_t i = 0; i < board->device_count; i++) {
        const struct machine_device *device = &board->devices[i];
        bool job = device->kind == MACHINE_DEVICE_JOB_DISK;
        char path[OBJECT_PATH_MAX];
        if (!job && device->kind != MACHINE_DEVICE_RESULT_DISK)
            continue;
        snprintf(path, sizeof path, "%s.%s", board->name, device->name);
        store_tag_set_fact(facts, job ? FACT_JOB_DISK : FACT_RESULT_DISK, path);
        if (device->guest != NULL)
            store_tag_set_fact(facts, job ? FACT_JOB_GUEST : FACT_RESULT_GUEST, device->guest);
    }
}

static void set_facts(struct store_tag *facts, const struct machine_file *file)
{
    char sets[256] = "";

    store_tag_set_fact(facts, FACT_MACHINE, file->name);
    store_tag_set_fact(facts, FACT_CONSOLE, file->console);
    if (file->prompt != NULL)
        store_tag_set_fact(facts, FACT_PROMPT, file->prompt);
    for (uint32_t i = 0; i < file->board_count; i++)
        set_disk_facts(facts, &file->boards[i]);
    for (uint32_t i = 0; i < file->monitor_count; i++) {
        size_t used = strlen(sets);
        if (file->monitors[i].set != NULL)
            snprintf(sets + used, sizeof sets - used, "%s%s", used != 0 ? "," : "",
                     file->monitors[i].set);
    }
    if (sets[0] != 0)
        store_tag_set_fact(facts, FACT_MONITORS, sets);
}

/* Whether the console ends with the prompt: then a test need not wait for one. */
static bool ends_with_prompt(const char *prompt, struct span log)
{
    struct err ignored = ERR_INIT;
    struct pattern *pattern = pattern_new(prompt, &ignored);
    struct span line = log;
    bool found;

    while (line.size > 0 && memchr(line.data, '\n', line.size) != NULL) {
        const uint8_t *next = (const uint8_t *)memchr(line.data, '\n', line.size) + 1;
        line = (struct span){next, line.size - (size_t)(next - line.data)};
    }
    found = pattern != NULL && line.size != 0 && pattern_matches(pattern, line);
    pattern_free(pattern);
    return found;
}

/* The freeze point as a script. Without a pattern it waits, for the count or for the magic store;
 * the limit is the script's, so that it is no wait that ends well. */
static struct console_plan plan_of(const struct machine_freeze *freeze,
                                   struct console_step steps[2])
{
    struct console_plan plan = {
        .steps = steps, .step_count = 1, .instructions_max = freeze->within};

    memset(steps, 0, 2 * sizeof *steps);
    steps[0].kind = freeze->console != NULL ? CONSOLE_EXPECT : CONSOLE_WAIT;
    steps[0].text = freeze->console;
    steps[0].instructions = freeze->instructions;
    if (freeze->console == NULL && freeze->instructions == 0)
        steps[0].instructions = UINT64_MAX;
    return plan;
}

struct booting {
    struct session *session;
    const struct machine_file *file;
    const struct boot_options *options;
    struct boot_result *result;
};

static bool drive_plan(const struct booting *booting, const struct console_plan *plan,
                       struct console_result *out, struct err *err)
{
    const struct machine_file *file = booting->file;
    struct machine *machine = booting->session->machine;
    struct console_script *script = console_script_new(plan, err);
    struct monitor *monitor = monitor_new(file->monitors, file->monitor_count, err);
    struct drive_options drive = {.machine = machine,
                                  .console = machine_find(machine, file->console),
                                  .script = script,
                                  .monitor = monitor,
                                  .wall_ms_max = file->boot_wall_ms,
                                  .clock = booting->options->clock,
                                  .stop_on_magic = file->freeze.magic,
                                  .output = booting->options->output,
                                  .progress = booting->options->progress,
                                  .context = booting->options->context,
                                  .log = &booting->result->console};
    bool ok = script != NULL && monitor != NULL;

    if (ok && drive.console == NULL)
        ok = err_set(err, ERR_INVALID, "%s: there is no console %s", file->path, file->console);
    ok = ok && drive_run(&drive, err);
    if (ok)
        *out = *console_script_result(script);
    console_script_free(script);
    monitor_free(monitor);
    return ok;
}

/* A pass before the step is done is the magic store. A wait that is done is none if the machine
 * fell asleep for good before the count. */
static bool reached(const struct machine_freeze *freeze, const struct console_result *result)
{
    if (freeze->instructions != 0 && result->now >= freeze->instructions)
        return result->verdict == VERDICT_PASS || result->verdict == VERDICT_TIMEOUT;
    return result->verdict == VERDICT_PASS && (freeze->console != NULL || result->step == 0);
}

static bool not_reached(const struct booting *booting, const struct console_result *result,
                        struct err *err)
{
    struct span line = last_line(buf_span(&booting->result->console));
    enum err_kind kind = result->verdict == VERDICT_TIMEOUT ? ERR_TIMEOUT : ERR_INVALID;

    return err_set(
        err, kind,
        "%s: the freeze point was not reached after %llu instructions: %s; the console's last "
        "line: \"%.*s\"",
        booting->file->path, (unsigned long long)result->now,
        result->reason[0] != 0 ? result->reason : "nothing goes on in it", (int)line.size,
        line.size != 0 ? (const char *)line.data : "");
}

static bool run_to_point(const struct booting *booting, struct err *err)
{
    const struct machine_freeze *freeze = &booting->file->freeze;
    struct console_step steps[2];
    struct console_plan plan = plan_of(freeze, steps);
    struct console_result result;

    if (!drive_plan(booting, &plan, &result, err))
        return false;
    if (!reached(freeze, &result))
        return not_reached(booting, &result, err);
    if (freeze->settle == 0)
        return true;
    memset(steps, 0, sizeof steps);
    steps[0].kind = CONSOLE_WAIT;
    steps[0].instructions = freeze->settle;
    plan.instructions_max = 0;
    if (!drive_plan(booting, &plan, &result, err))
        return false;
    return result.verdict == VERDICT_PASS || not_reached(booting, &result, err);
}

bool boot_run(struct session *session, const struct machine_file *file,
              const struct boot_options *options, struct boot_result *result, struct err *err)
{
    struct booting booting = {session, file, options, result};
    uint64_t start = clock_monotonic_ns(options->clock);
    bool ok;

    memset(result, 0, sizeof *result);
    result->console = (struct buf)BUF_INIT(DRIVE_LOG_MAX);
    if (!build_machine(&session->registry, file, &session->machine, err))
        return false;
    ok = run_to_point(&booting, err);
    result->instructions = machine_instructions(session->machine);
    result->virtual_ns = machine_virtual_ns(session->machine);
    result->wall_ns = clock_monotonic_ns(options->clock) - start;
    set_facts(&session->facts, file);
    if (file->prompt != NULL && ends_with_prompt(file->prompt, buf_span(&result->console)))
        store_tag_set_fact(&session->facts, FACT_AT_PROMPT, "yes");
    return ok;
}
