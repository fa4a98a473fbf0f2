#include "jobs/console_script.h"

#include "jobs/console_check.h"
#include "jobs/console_command.h"
#include "jobs/console_filter.h"
#include "jobs/pattern.h"
#include "storage/base/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TYPED_MAX      (4u << 20)
#define TAIL_SIZE      128u
#define LAST_LINE_SIZE 100

/* Where in a command the script is. */
enum phase {
    PHASE_PROMPT, /* waiting for the prompt, to type */
    PHASE_BEGIN,  /* typed; what comes is echo */
    PHASE_BEFORE, /* output of `before` */
    PHASE_OUTPUT, /* output of the command */
    PHASE_AFTER,
};

struct console_script {
    const struct console_plan *plan;
    struct pattern **patterns; /* one a step, NULL where there is none */
    struct pattern *prompt;
    bool collect_all; /* no commands: all output is the output */

    size_t step;
    enum phase phase;
    uint64_t now, started, step_started;
    bool at_prompt;
    bool changed; /* since the caller was last told */
    bool ended;
    bool passed; /* the command's checks hold; else result.reason says why not */
    struct console_result result;

    struct console_filter filter;
    struct pattern_stream prompt_stream;
    struct pattern_stream stream; /* of the current EXPECT or EXPECT_NOT */
    struct pattern_stream guards[CONSOLE_GUARDS_MAX];
    size_t guard_count;
    struct console_mark_finder finder;
    uint8_t tail[TAIL_SIZE]; /* last bytes of text, for messages */
    size_t tail_size;

    struct buf typed;
    size_t typed_taken;
    struct buf output;
    uint64_t output_total; /* bytes, those cut off included */
};

static const struct console_step *current(const struct console_script *script)
{
    return &script->plan->steps[script->step];
}

static bool compile_steps(struct console_script *script, struct err *err)
{
    const struct console_plan *plan = script->plan;

    for (size_t i = 0; i < plan->step_count; i++) {
        const struct console_step *step = &plan->steps[i];
        bool ok = true;

        if (step->kind == CONSOLE_EXPECT || step->kind == CONSOLE_EXPECT_NOT) {
            script->patterns[i] = pattern_new(step->text, err);
            ok = script->patterns[i] != NULL;
        } else if (step->kind == CONSOLE_COMMAND) {
            script->collect_all = false;
            ok = console_command_check(step->text, err);
        }
        if (!ok)
            return err_wrap(err, "step %zu", i + 1);
    }
    return true;
}

struct console_script *console_script_new(const struct console_plan *plan, struct err *err)
{
    struct console_script *script;
    bool ok = true;

    if (plan->step_count > CONSOLE_STEPS_MAX) {
        err_set(err, ERR_TOO_BIG, "%zu steps; the limit is %d", plan->step_count,
                CONSOLE_STEPS_MAX);
        return NULL;
    }
    script = mem_alloc(sizeof *script);
    script->plan = plan;
    script->patterns = mem_array(plan->step_count, sizeof(struct pattern *));
    script->collect_all = true;
    script->typed = (struct buf)BUF_INIT(TYPED_MAX);
    script->output = (struct buf)BUF_INIT(CONSOLE_OUTPUT_MAX);
    script->at_prompt = plan->at_prompt;
    script->result.exit_status = -1;
    if (plan->prompt != NULL) {
        script->prompt = pattern_new(plan->prompt, err);
        ok = script->prompt != NULL || err_wrap(err, "prompt");
    }
    if (!ok || !compile_steps(script, err)) {
        console_script_free(script);
        return NULL;
    }
    if (script->prompt != NULL)
        pattern_stream_init(&script->prompt_stream, script->prompt, true);
    return script;
}

void console_script_free(struct console_script *script)
{
    if (script == NULL)
        return;
    for (size_t i = 0; i < script->guard_count; i++)
        pattern_stream_release(&script->guards[i]);
    pattern_stream_release(&script->stream);
    pattern_stream_release(&script->prompt_stream);
    for (size_t i = 0; i < script->plan->step_count; i++)
        pattern_free(script->patterns[i]);
    mem_free(script->patterns);
    pattern_free(script->prompt);
    buf_release(&script->typed);
    buf_release(&script->output);
    mem_free(script);
}

static void end(struct console_script *script, enum verdict verdict, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void end(struct console_script *script, enum verdict verdict, const char *format, ...)
{
    va_list args;

    if (script->ended)
        return;
    script->ended = true;
    script->changed = true;
    script->result.verdict = verdict;
    script->result.step = script->step;
    script->result.now = script->now;
    va_start(args, format);
    vsnprintf(script->result.reason, sizeof script->result.reason, format, args);
    va_end(args);
}

static void end_at_step(struct console_script *script, enum verdict verdict, const char *what)
{
    struct span tail = {script->tail, script->tail_size};
    char step[160], line[LAST_LINE_SIZE];

    console_describe(current(script), script->step, step, sizeof step);
    console_last_line(tail, line, sizeof line);
    if (line[0] == '\0')
        end(script, verdict, "%s: %s; there was no output", step, what);
    else
        end(script, verdict, "%s: %s; the output ends with `%s`", step, what, line);
}

static bool type(struct console_script *script, struct span bytes)
{
    struct err err = ERR_INIT;

    script->at_prompt = false;
    script->changed = true;
    if (script->typed_taken == script->typed.size) {
        buf_clear(&script->typed);
        script->typed_taken = 0;
    }
    if (buf_append(&script->typed, bytes.data, bytes.size, &err))
        return true;
    end(script, VERDICT_INFRA, "more than %u bytes to type are waiting: the guest reads no input",
        TYPED_MAX);
    return false;
}

static void type_command(struct console_script *script, const struct console_step *step)
{
    struct buf line = BUF_INIT(8 * CONSOLE_COMMAND_MAX);
    struct err err = ERR_INIT;

    if (!console_command_typed(step->text, step->before, step->after, &line, &err))
        end(script, VERDICT_INFRA, "%.400s", err.text);
    else
        type(script, buf_span(&line));
    buf_release(&line);
    console_mark_finder_init(&script->finder, step->text);
    script->phase = PHASE_BEGIN;
}

static bool at_line_start(const struct console_script *script)
{
    return script->tail_size == 0 || script->tail[script->tail_size - 1] == '\n';
}

static void add_guard(struct console_script *script)
{
    if (script->guard_count == CONSOLE_GUARDS_MAX)
        end_at_step(script, VERDICT_INFRA, "too many patterns are forbidden at a time");
    else
        pattern_stream_init(&script->guards[script->guard_count++], script->patterns[script->step],
                            at_line_start(script));
}

/* Begins the current step. True if it is done at once. */
static bool step_begin(struct console_script *script)
{
    const struct console_step *step = current(script);

    script->step_started = script->now;
    script->changed = true;
    switch (step->kind) {
    case CONSOLE_SEND:
        type(script, step->bytes);
        return true;
    case CONSOLE_EXPECT_NOT:
        if (step->instructions == 0) {
            add_guard(script);
            return true;
        }
        pattern_stream_init(&script->stream, script->patterns[script->step], at_line_start(script));
        return false;
    case CONSOLE_EXPECT:
        pattern_stream_init(&script->stream, script->patterns[script->step], at_line_start(script));
        return false;
    case CONSOLE_COMMAND:
        script->phase = PHASE_PROMPT;
        buf_clear(&script->output);
        script->output_total = 0;
        if (script->prompt == NULL || script->at_prompt)
            type_command(script, step);
        return false;
    case CONSOLE_WAIT:
        return step->instructions == 0;
    case CONSOLE_HALT:
        return false;
    }
    return false;
}

/* The current step is done: begins the next, and those after it that are done at once. */
static void step_done(struct console_script *script)
{
    while (!script->ended) {
        pattern_stream_release(&script->stream);
        memset(&script->stream, 0, sizeof script->stream);
        script->step++;
        if (script->step == script->plan->step_count) {
            end(script, VERDICT_PASS, "%s", "");
            return;
        }
        if (!step_begin(script))
            return;
    }
}

void console_script_start(struct console_script *script, uint64_t now)
{
    script->now = now;
    script->started = now;
    script->step = 0;
    if (script->plan->step_count == 0)
        end(script, VERDICT_PASS, "%s", "");
    else if (step_begin(script))
        step_done(script);
}

/* Text that a command put out (or, without commands, all text). */
static void collect(struct console_script *script, uint8_t byte)
{
    struct err err = ERR_INIT;

    script->output_total++;
    if (script->output.size < script->output.max)
        buf_append(&script->output, &byte, 1, &err);
}

static void uncollect(struct console_script *script, size_t size)
{
    CHECK(size <= script->output_total);
    script->output_total -= size;
    if (script->output.size > script->output_total)
        script->output.size = (size_t)script->output_total;
}

static void command_done(struct console_script *script)
{
    char reason[CONSOLE_REASON_MAX];

    memcpy(reason, script->result.reason, sizeof reason);
    if (script->passed)
        step_done(script);
    else
        end(script, VERDICT_FAIL, "%s", reason);
}

static void command_ended(struct console_script *script, int32_t status)
{
    const struct console_step *step = current(script);
    char reason[CONSOLE_REASON_MAX], where[160], line[LAST_LINE_SIZE];

    console_describe(current(script), script->step, where, sizeof where);
    if (script->phase == PHASE_BEFORE) {
        console_last_line(buf_span(&script->output), line, sizeof line);
        end(script, VERDICT_INFRA, "%s: the preparation failed with status %d: %s", where, status,
            line);
        return;
    }
    script->result.exit_status = status;
    script->passed = console_check_status(&step->check, status, reason) &&
                     console_check_output(&step->check, buf_span(&script->output), reason);
    if (!script->passed)
        snprintf(script->result.reason, sizeof script->result.reason, "%.150s: %.350s", where,
                 reason);
    /* Results are collected from a failure too: that is when they are wanted. */
    if (step->after != NULL)
        script->phase = PHASE_AFTER;
    else
        command_done(script);
}

static void take_mark(struct console_script *script, enum console_mark_kind kind, int32_t status)
{
    const struct console_step *step = current(script);

    switch (kind) {
    case MARK_BEGIN:
        if (script->phase != PHASE_BEGIN)
            return;
        script->phase = step->before != NULL ? PHASE_BEFORE : PHASE_OUTPUT;
        break;
    case MARK_READY:
        if (script->phase != PHASE_BEFORE)
            return;
        script->phase = PHASE_OUTPUT;
        break;
    case MARK_END:
        if (script->phase == PHASE_BEFORE || script->phase == PHASE_OUTPUT)
            command_ended(script, status);
        return;
    case MARK_AFTER:
        if (script->phase != PHASE_AFTER)
            return;
        if (status == 0 || !script->passed)
            command_done(script);
        else
            end_at_step(script, VERDICT_FAIL, "collecting the results failed");
        return;
    case MARK_NONE:
        return;
    }
    buf_clear(&script->output);
    script->output_total = 0;
}

static void command_take(struct console_script *script, uint8_t byte)
{
    enum console_mark_kind kind;
    int32_t status = 0;
    size_t size = 0;

    if (script->phase == PHASE_PROMPT) {
        if (script->at_prompt)
            type_command(script, current(script));
        return;
    }
    if (script->phase == PHASE_BEFORE || script->phase == PHASE_OUTPUT)
        collect(script, byte);
    kind = console_mark_finder_put(&script->finder, byte, &status, &size);
    if (kind == MARK_NONE)
        return;
    if (script->phase == PHASE_BEFORE || script->phase == PHASE_OUTPUT)
        uncollect(script, size);
    take_mark(script, kind, status);
}

static void stream_failed(struct console_script *script)
{
    end_at_step(script, VERDICT_INFRA,
                "the regular expression takes too many steps on this output");
}

static void check_guards(struct console_script *script, uint8_t byte)
{
    for (size_t i = 0; i < script->guard_count && !script->ended; i++) {
        bool found = pattern_stream_put(&script->guards[i], byte);
        struct span tail = {script->tail, script->tail_size};
        char line[LAST_LINE_SIZE];

        if (!found)
            continue;
        console_last_line(tail, line, sizeof line);
        end(script, VERDICT_FAIL, "the output has `%s`, which matches the forbidden /%.200s/", line,
            pattern_text(script->guards[i].pattern));
    }
}

static void step_take(struct console_script *script, uint8_t byte)
{
    switch (current(script)->kind) {
    case CONSOLE_EXPECT:
        if (pattern_stream_put(&script->stream, byte))
            step_done(script);
        else if (script->stream.failed)
            stream_failed(script);
        return;
    case CONSOLE_EXPECT_NOT:
        if (pattern_stream_put(&script->stream, byte))
            end_at_step(script, VERDICT_FAIL, "there is a match");
        else if (script->stream.failed)
            stream_failed(script);
        return;
    case CONSOLE_COMMAND:
        command_take(script, byte);
        return;
    default:
        return;
    }
}

static void take_text(struct console_script *script, uint8_t byte)
{
    if (script->tail_size == TAIL_SIZE)
        memmove(script->tail, script->tail + 1, --script->tail_size);
    script->tail[script->tail_size++] = byte;
    if (script->collect_all)
        collect(script, byte);
    if (script->prompt != NULL)
        script->at_prompt = pattern_stream_put(&script->prompt_stream, byte);
    check_guards(script, byte);
    if (!script->ended)
        step_take(script, byte);
}

static bool tell(struct console_script *script)
{
    bool changed = script->changed;

    script->changed = false;
    return changed;
}

static uint64_t add_capped(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t step_deadline(const struct console_script *script)
{
    const struct console_step *step = current(script);

    if (step->kind != CONSOLE_WAIT && step->instructions == 0)
        return UINT64_MAX;
    return add_capped(script->step_started, step->instructions);
}

static uint64_t plan_deadline(const struct console_script *script)
{
    if (script->plan->instructions_max == 0)
        return UINT64_MAX;
    return add_capped(script->started, script->plan->instructions_max);
}

uint64_t console_script_deadline(const struct console_script *script)
{
    uint64_t step, plan;

    if (script->ended)
        return UINT64_MAX;
    step = step_deadline(script);
    plan = plan_deadline(script);
    return step < plan ? step : plan;
}

static void time_out(struct console_script *script, uint64_t limit, const char *whose)
{
    char text[120];

    if (current(script)->kind == CONSOLE_COMMAND && script->phase == PHASE_AFTER &&
        !script->passed) {
        command_done(script); /* a failure stays one when its results cannot be had */
        return;
    }
    snprintf(text, sizeof text, "not done within %s limit of %llu instructions", whose,
             (unsigned long long)limit);
    end_at_step(script, VERDICT_TIMEOUT, text);
}

static void go_to(struct console_script *script, uint64_t now)
{
    CHECK(now >= script->now);
    while (!script->ended && now >= console_script_deadline(script)) {
        /* Steps end at their own time, whenever the caller comes. */
        script->now = console_script_deadline(script);
        if (script->now == plan_deadline(script))
            time_out(script, script->plan->instructions_max, "the test's");
        else if (current(script)->kind == CONSOLE_WAIT ||
                 current(script)->kind == CONSOLE_EXPECT_NOT)
            step_done(script);
        else
            time_out(script, current(script)->instructions, "the step's");
    }
    script->now = now;
}

bool console_script_put(struct console_script *script, struct span bytes, uint64_t now)
{
    go_to(script, now);
    for (size_t i = 0; i < bytes.size && !script->ended; i++) {
        uint8_t text[2];
        size_t count = console_filter_put(&script->filter, bytes.data[i], text);

        for (size_t j = 0; j < count && !script->ended; j++)
            take_text(script, text[j]);
    }
    return tell(script);
}

bool console_script_advance(struct console_script *script, uint64_t now)
{
    go_to(script, now);
    return tell(script);
}

void console_script_halt(struct console_script *script, uint64_t exit_code, uint64_t now)
{
    char reason[CONSOLE_REASON_MAX];
    const struct console_step *step;

    go_to(script, now);
    if (script->ended)
        return;
    step = current(script);
    if (step->kind != CONSOLE_HALT) {
        end_at_step(script, VERDICT_FAIL, "the machine stopped");
        return;
    }
    script->result.exit_status = exit_code > INT32_MAX ? INT32_MAX : (int32_t)exit_code;
    if (!console_check_status(&step->check, script->result.exit_status, reason))
        end(script, VERDICT_FAIL, "the machine stopped: %s", reason);
    else if (script->step + 1 < script->plan->step_count)
        end_at_step(script, VERDICT_FAIL, "the machine stopped before the last step");
    else
        step_done(script);
}

void console_script_idle(struct console_script *script, uint64_t now)
{
    go_to(script, now);
    while (!script->ended && script->typed_taken == script->typed.size) {
        const struct console_step *step = current(script);

        if (step->kind != CONSOLE_WAIT && step->kind != CONSOLE_EXPECT_NOT) {
            end_at_step(script, VERDICT_TIMEOUT,
                        "the machine waits for input, and nothing more will come");
            return;
        }
        step_done(script);
    }
}

void console_script_stop(struct console_script *script, enum verdict verdict, const char *reason,
                         uint64_t now)
{
    script->now = now;
    end(script, verdict, "%.500s", reason);
}

struct span console_script_typed(const struct console_script *script)
{
    if (script->ended)
        return (struct span){NULL, 0};
    return (struct span){script->typed.data + script->typed_taken,
                         script->typed.size - script->typed_taken};
}

void console_script_take(struct console_script *script, size_t count)
{
    CHECK(count <= script->typed.size - script->typed_taken);
    script->typed_taken += count;
}

const struct console_result *console_script_result(const struct console_script *script)
{
    return script->ended ? &script->result : NULL;
}

struct span console_script_output(const struct console_script *script, bool *whole)
{
    if (whole != NULL)
        *whole = script->output.size == script->output_total;
    return buf_span(&script->output);
}
