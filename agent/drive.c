#include "agent/drive.h"

#include "agent/guard.h"
#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>

struct drive {
    const struct drive_options *options;
    uint64_t start_ns;  /* host */
    uint64_t start;     /* instructions */
    uint64_t next_mark; /* instructions; UINT64_MAX: none */
    uint64_t idle_at;   /* instructions at the last idle stop; UINT64_MAX: it ran since */
    bool reported;      /* the monitor has a report */
    bool magic;
    struct buf heard; /* on the console since the machine last stood still */
};

#define HEARD_MAX (64u << 10)

static void keep_log(const struct drive_options *options, struct span bytes)
{
    struct err ignored = ERR_INIT;
    size_t room;

    if (options->log == NULL)
        return;
    room = options->log->max - options->log->size;
    if (bytes.size > room)
        bytes.size = room; /* the first part of a flood is the one worth keeping */
    (void)buf_append(options->log, bytes.data, bytes.size, &ignored);
}

/* Shows the script and the monitor what was heard. True if that changes something. */
static bool hand_over(struct drive *drive)
{
    const struct drive_options *options = drive->options;
    uint64_t now = machine_instructions(options->machine);
    struct span bytes = buf_span(&drive->heard);
    bool changed;

    if (bytes.size == 0)
        return false;
    changed = console_script_put(options->script, bytes, now);
    if (options->monitor != NULL && !drive->reported)
        drive->reported = monitor_put(options->monitor, bytes, now);
    drive->heard.size = 0;
    return changed || drive->reported;
}

/* While the machine runs it does not know how many instructions it has executed, and limits are
 * counted from where something was seen: so the machine stops, and then the script sees it. */
static void on_console(void *context, struct object *object, const uint8_t *data, size_t size)
{
    struct drive *drive = context;
    const struct drive_options *options = drive->options;
    struct span bytes = {data, size};
    struct err ignored = ERR_INIT;

    if (object != options->console)
        return;
    keep_log(options, bytes);
    if (options->output != NULL)
        options->output(options->context, bytes);
    machine_stop(options->machine);
    while (bytes.size != 0) { /* one instruction may print any amount */
        size_t room = HEARD_MAX - drive->heard.size;
        size_t part = bytes.size < room ? bytes.size : room;
        CHECK(buf_append(&drive->heard, bytes.data, part, &ignored));
        bytes = (struct span){bytes.data + part, bytes.size - part};
        if (bytes.size != 0)
            (void)hand_over(drive);
    }
}

static void on_magic(void *context, struct object *object, uint64_t value)
{
    struct drive *drive = context;

    (void)object;
    (void)value;
    if (!drive->options->stop_on_magic)
        return;
    drive->magic = true;
    machine_stop(drive->options->machine);
}

/* Types what the script has ready, as far as the guest takes it. */
static bool type(const struct drive_options *options, struct err *err)
{
    struct span bytes = console_script_typed(options->script);
    struct drive_input input = {machine_instructions(options->machine),
                                machine_cycle(options->machine), options->console->path, "console",
                                bytes};
    size_t taken;

    if (bytes.size == 0)
        return true;
    if (!machine_input(options->machine, options->console, "console", bytes, &taken, err))
        return false;
    input.bytes.size = taken;
    if (taken != 0 && options->input != NULL)
        options->input(options->context, &input);
    console_script_take(options->script, taken);
    return true;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Where to stop next: the script's deadline, the monitor's, or the end of the slice. While the
 * guest has not taken all that was typed, soon. */
static uint64_t next_stop(const struct drive *drive, uint64_t now)
{
    const struct drive_options *options = drive->options;
    uint64_t stop = least(now + DRIVE_SLICE, console_script_deadline(options->script));

    stop = least(stop, drive->next_mark);

    if (options->monitor != NULL)
        stop = least(stop, monitor_deadline(options->monitor));
    if (console_script_typed(options->script).size != 0)
        stop = least(stop, now + DRIVE_SLICE / 100);
    return stop > now ? stop : now + 1;
}

static void end_by_monitor(const struct drive *drive, uint64_t now)
{
    const struct signature *signature = monitor_signature(drive->options->monitor);
    char reason[CONSOLE_REASON_MAX];

    snprintf(reason, sizeof reason, "the console reports: %s", signature->title);
    console_script_stop(drive->options->script, VERDICT_FAIL, reason, now);
}

/* Runs until there is something to do. */
static enum machine_stop run_on(struct drive *drive)
{
    struct machine *machine = drive->options->machine;
    struct machine_limits limits = {next_stop(drive, machine_instructions(machine)), UINT64_MAX};
    enum machine_stop stop;

    do
        stop = machine_run(machine, &limits);
    while (!hand_over(drive) && stop == MACHINE_STOP_REQUEST && !drive->magic);
    return stop;
}

/* What the stop means to the script. */
static void after_run(struct drive *drive, enum machine_stop stop)
{
    const struct drive_options *options = drive->options;
    const struct machine_state *state = options->machine->objects[0]->state;
    uint64_t now = machine_instructions(options->machine);

    console_script_advance(options->script, now);
    if (options->monitor != NULL && !drive->reported)
        drive->reported = monitor_advance(options->monitor, now);
    if (drive->magic)
        console_script_stop(options->script, VERDICT_PASS, "", now);
    if (stop == MACHINE_STOP_HALTED) {
        if (options->monitor != NULL && !drive->reported)
            drive->reported = monitor_finish(options->monitor);
        console_script_halt(options->script, state->halted == 2 ? 0 : state->exit_code, now);
    }
    if (stop == MACHINE_STOP_IDLE) {
        /* Nothing to type, or typed and it did not wake the guest. */
        if (console_script_typed(options->script).size == 0 || drive->idle_at == now)
            console_script_idle(options->script, now);
        drive->idle_at = now;
    }
    if (drive->reported)
        end_by_monitor(drive, now);
}

static void look_at_clock(const struct drive *drive)
{
    const struct drive_options *options = drive->options;
    uint64_t now = machine_instructions(options->machine);
    uint64_t elapsed_ns = clock_monotonic_ns(options->clock) - drive->start_ns;
    char reason[CONSOLE_REASON_MAX];

    if (options->wall_ms_max != 0 &&
        guard_is_over(options->wall_ms_max, elapsed_ns, now - drive->start)) {
        snprintf(reason, sizeof reason, "the wall-clock guard of %llu ms ran out",
                 (unsigned long long)options->wall_ms_max);
        console_script_stop(options->script, VERDICT_TIMEOUT, reason, now);
    }
    if (options->progress != NULL &&
        !options->progress(options->context, now, machine_virtual_ns(options->machine)))
        console_script_stop(options->script, VERDICT_CANCELLED, "cancelled", now);
}

static bool mark(struct drive *drive, struct err *err)
{
    const struct drive_options *options = drive->options;

    if (machine_instructions(options->machine) != drive->next_mark)
        return true;
    drive->next_mark += options->mark_every;
    return options->mark(options->mark_context, err);
}

bool drive_run(const struct drive_options *options, struct err *err)
{
    struct machine *machine = options->machine;
    struct host before = machine->host;
    struct drive drive = {.options = options,
                          .start = machine_instructions(machine),
                          .next_mark = UINT64_MAX,
                          .idle_at = UINT64_MAX,
                          .heard = BUF_INIT(HEARD_MAX)};
    bool ok = true;

    machine->host = (struct host){.context = &drive, .console = on_console, .magic = on_magic};
    drive.start_ns = clock_monotonic_ns(options->clock);
    if (options->mark_every != 0)
        drive.next_mark = machine_instructions(machine) + options->mark_every;
    console_script_start(options->script, machine_instructions(machine));
    while (ok && console_script_result(options->script) == NULL) {
        ok = type(options, err);
        if (!ok || console_script_result(options->script) != NULL)
            break;
        after_run(&drive, run_on(&drive));
        look_at_clock(&drive);
        ok = mark(&drive, err);
    }
    machine->host = before;
    buf_release(&drive.heard);
    return ok;
}
