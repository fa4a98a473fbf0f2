#include "agent/runner.h"

#include "storage/base/bytes.h"

#include <stdio.h>
#include <string.h>

#define PROMPT_DEFAULT "[#$] $"
#define MONITORS_MAX   16
#define NUDGE_STEPS    1 /* an Enter before the first command */

struct object *runner_console(struct session *session)
{
    const char *path = store_tag_fact(&session->facts, FACT_CONSOLE);
    struct machine *machine = session->machine;

    if (path != NULL)
        return machine_find(machine, path);
    for (uint32_t i = 0; i < machine->object_count; i++)
        if (strcmp(machine->objects[i]->model->schema->name, "ns16550") == 0)
            return machine->objects[i];
    return NULL;
}

void runner_result_release(struct runner_result *result)
{
    buf_release(&result->log);
    buf_release(&result->output);
    buf_release(&result->states);
}

/* The sets that the checkpoint's machine file named; "linux" for one that names none. */
static size_t monitors_of(const struct session *session, char *text, size_t size,
                          struct monitor_choice *out)
{
    const char *sets = store_tag_fact(&session->facts, FACT_MONITORS);
    size_t count = 0;
    char *rest;

    snprintf(text, size, "%s", sets != NULL ? sets : "linux");
    for (char *name = strtok_r(text, ",", &rest); name != NULL && count < MONITORS_MAX;
         name = strtok_r(NULL, ",", &rest))
        out[count++] = (struct monitor_choice){.set = name};
    return count;
}

static bool give(struct session *session, const char *path, const char *kind, struct span bytes,
                 struct err *err)
{
    struct object *object = machine_find(session->machine, path);
    size_t taken;

    if (object == NULL)
        return err_set(err, ERR_INVALID, "the checkpoint has no object %s", path);
    return machine_input(session->machine, object, kind, bytes, &taken, err);
}

static bool give_payload(struct session *session, struct span payload, struct err *err)
{
    const char *disk = store_tag_fact(&session->facts, FACT_JOB_DISK);

    if (payload.size == 0)
        return true;
    if (disk == NULL)
        return err_set(err, ERR_USAGE,
                       "the test has a payload, but the machine has no job disk: give its machine "
                       "file `job_disk: true` and boot it again");
    return give(session, disk, "media", payload, err) || err_wrap(err, "job disk");
}

/* Every entropy device gets a seed of its own. */
static bool give_seed(struct session *session, uint64_t seed, struct err *err)
{
    for (uint32_t i = 0; i < session->machine->object_count; i++) {
        struct object *object = session->machine->objects[i];
        uint8_t bytes[16];
        if (strcmp(object->model->schema->name, "virtio-rng") != 0)
            continue;
        store_le64(bytes, seed);
        store_le64(bytes + 8, object->index);
        if (!give(session, object->path, "seed", (struct span){bytes, sizeof bytes}, err))
            return false;
    }
    return true;
}

/* The script's own steps, with an Enter before them when it is not known that a prompt is shown. */
static struct console_step *steps_of(const struct runner_test *test, bool nudge, size_t *count)
{
    struct console_step *steps = mem_array(test->step_count + NUDGE_STEPS, sizeof *steps);
    size_t first = 0;

    if (nudge)
        steps[first++] = (struct console_step){.kind = CONSOLE_SEND, .bytes = span_of_text("\r")};
    if (test->step_count != 0)
        memcpy(steps + first, test->steps, test->step_count * sizeof *steps);
    *count = first + test->step_count;
    return steps;
}

/* A report may have begun so late that the script ended before it was whole: it counts all the
 * same. */
static void judge(struct monitor *monitor, struct runner_result *out)
{
    bool over = out->console.verdict == VERDICT_PASS || out->console.verdict == VERDICT_TIMEOUT;
    const struct signature *report = monitor_finish(monitor) ? monitor_signature(monitor) : NULL;
    struct span none = {NULL, 0};

    if (over && report != NULL) {
        out->console.verdict = VERDICT_FAIL;
        snprintf(out->console.reason, sizeof out->console.reason, "the console reports: %s",
                 report->title);
    }
    if (out->console.verdict == VERDICT_PASS)
        return;
    if (report != NULL)
        out->signature = *report;
    else
        signature_make(out->console.verdict, span_of_text(out->console.reason), none,
                       &out->signature);
}

static bool run_script(struct session *session, const struct drive_options *drive,
                       struct runner_result *out, struct err *err)
{
    const struct clock_source *clock = drive->clock;
    uint64_t start = clock_monotonic_ns(clock);
    uint64_t instructions = machine_instructions(session->machine);
    uint64_t virtual_ns = machine_virtual_ns(session->machine);
    bool ok = drive_run(drive, err);

    out->wall_ns = clock_monotonic_ns(clock) - start;
    out->instructions = machine_instructions(session->machine) - instructions;
    out->virtual_ns = machine_virtual_ns(session->machine) - virtual_ns;
    if (!ok)
        return false;
    out->console = *console_script_result(drive->script);
    struct span output = console_script_output(drive->script, NULL);
    return buf_append(&out->output, output.data, output.size, err);
}

static bool run_planned(struct session *session, const struct runner_test *test,
                        struct drive_options *drive, struct runner_result *out, struct err *err)
{
    const char *prompt =
        test->prompt != NULL ? test->prompt : store_tag_fact(&session->facts, FACT_PROMPT);
    bool at_prompt =
        store_tag_fact(&session->facts, FACT_AT_PROMPT) != NULL && test->prompt == NULL;
    struct console_plan plan = {.prompt = test->no_wait    ? NULL
                                          : prompt != NULL ? prompt
                                                           : PROMPT_DEFAULT,
                                .at_prompt = at_prompt,
                                .instructions_max = test->instructions_max != 0
                                                        ? test->instructions_max
                                                        : RUNNER_INSTRUCTIONS};
    struct console_step *steps = steps_of(test, !test->no_wait && !at_prompt, &plan.step_count);
    bool ok;

    plan.steps = steps;
    drive->script = console_script_new(&plan, err);
    ok = drive->script != NULL && run_script(session, drive, out, err);
    if (ok)
        judge(drive->monitor, out);
    console_script_free(drive->script);
    mem_free(steps);
    return ok;
}

static bool prepare(struct session *session, const struct runner_test *test, struct err *err)
{
    return give_payload(session, test->payload, err) &&
           (test->seed == NULL || give_seed(session, *test->seed, err));
}

/* The way of a machine, state after state. */
struct way {
    struct machine *machine;
    struct hasher *hasher;
    uint64_t start; /* instructions */
    struct buf *states;
};

static bool on_mark(void *context, struct err *err)
{
    const struct way *way = context;
    struct err ignored = ERR_INIT;
    struct checkpoint_ids ids;

    if (!machine_digest(way->machine, &ids, err))
        return false;
    hasher_add(way->hasher, (struct span){ids.state_id.bytes, HASH_SIZE});
    /* When there is no room for more, what comes later is in the hash alone. */
    (void)buf_format(way->states, &ignored, "%llu %s\n",
                     (unsigned long long)(machine_instructions(way->machine) - way->start),
                     hash_hex(&ids.state_id).text);
    return true;
}

/* The state at the end, or the whole way there. */
static bool digest(struct session *session, const struct runner_test *test, struct way *way,
                   struct hash *out, struct err *err)
{
    struct checkpoint_ids ids;

    if (test->mark_every == 0) {
        if (!machine_digest(session->machine, &ids, err))
            return false;
        *out = ids.state_id;
        return true;
    }
    if (!on_mark(way, err))
        return false;
    *out = hasher_finish(way->hasher);
    return true;
}

bool runner_run(struct session *session, const struct runner_test *test,
                const struct runner_watch *watch, struct runner_result *out, struct err *err)
{
    struct monitor_choice choices[MONITORS_MAX];
    char sets[256];
    struct drive_options drive = {.machine = session->machine,
                                  .console = runner_console(session),
                                  .wall_ms_max =
                                      test->wall_ms_max != 0 ? test->wall_ms_max : RUNNER_WALL_MS,
                                  .clock = &clock_host,
                                  .log = &out->log};
    struct way way = {session->machine, hasher_new(), 0, &out->states};
    bool ok = true;

    memset(out, 0, sizeof *out);
    if (test->digest && test->mark_every != 0) {
        drive.mark_every = test->mark_every;
        drive.mark = on_mark;
        drive.mark_context = &way;
    }
    out->log = (struct buf)BUF_INIT(DRIVE_LOG_MAX);
    out->output = (struct buf)BUF_INIT(CONSOLE_OUTPUT_MAX);
    out->states = (struct buf)BUF_INIT(RUNNER_STATES_MAX);
    way.start = machine_instructions(session->machine);
    if (watch != NULL) {
        drive.output = watch->output;
        drive.progress = watch->progress;
        drive.input = watch->input;
        drive.context = watch->context;
    }
    if (drive.console == NULL)
        ok = err_set(err, ERR_USAGE, "the machine has no console that a test could use");
    else if (test->any_monitor)
        drive.monitor = monitor_new(test->monitors, test->monitor_count, err);
    else
        drive.monitor = monitor_new(choices, monitors_of(session, sets, sizeof sets, choices), err);
    ok = ok && drive.monitor != NULL && prepare(session, test, err) &&
         run_planned(session, test, &drive, out, err);
    monitor_free(drive.monitor);
    if (ok && test->digest)
        ok = digest(session, test, &way, &out->state_id, err);
    hasher_free(way.hasher);
    return ok;
}
