/* cmd_boot.c — `thaw boot`: a machine file run to its freeze point, and frozen there. */
#include "cli/commands.h"

#include "agent/boot.h"
#include "cli/base/output.h"
#include "cli/base/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct boot_input {
    const char *file;
    const char *name;
    bool show_console;
};

static bool take(void *input, int key, const char *value, struct err *err)
{
    struct boot_input *boot = input;

    switch (key) {
    case 'n':
        boot->name = value;
        return true;
    case 'c':
        boot->show_console = true;
        return true;
    case ARGP_KEY_ARG:
        if (boot->file != NULL)
            return err_set(err, ERR_USAGE, "\"%s\" is one argument too many", value);
        boot->file = value;
        return true;
    case ARGP_KEY_END:
        return boot->file != NULL || err_set(err, ERR_USAGE, "boot takes a machine file");
    default:
        return false;
    }
}

struct watching {
    struct progress progress;
    bool show_console;
    char line[160]; /* the console's current line, for the bar */
    size_t size;
};

static void on_output(void *context, struct span bytes)
{
    struct watching *watching = context;

    if (watching->show_console)
        fwrite(bytes.data, 1, bytes.size, stderr);
    for (size_t i = 0; i < bytes.size; i++) {
        uint8_t byte = bytes.data[i];
        if (byte == '\n')
            watching->size = 0;
        else if (byte >= 0x20 && byte < 0x7f && watching->size + 1 < sizeof watching->line)
            watching->line[watching->size++] = (char)byte;
        if (watching->size != 0)
            watching->line[watching->size] = 0;
    }
}

static bool on_progress(void *context, uint64_t instructions, uint64_t virtual_ns)
{
    struct watching *watching = context;
    char text[160];

    snprintf(text, sizeof text, "%5.2f G instructions, %6.2f s virtual  %.60s",
             (double)instructions / 1e9, (double)virtual_ns / 1e9, watching->line);
    progress_update(&watching->progress, instructions, text);
    return true;
}

struct boot_report {
    const struct boot_input *input;
    const struct boot_result *result;
    struct checkpoint_ids ids;
    double freeze_ms;
};

static void report_json(const struct boot_report *report)
{
    json_t *value = json_object();

    json_object_set_new(value, "checkpoint", json_hash(&report->ids.checkpoint_id));
    json_object_set_new(value, "state_id", json_hash(&report->ids.state_id));
    json_object_set_new(
        value, "tag", report->input->name != NULL ? json_string(report->input->name) : json_null());
    json_object_set_new(value, "instructions", json_u64(report->result->instructions));
    json_object_set_new(value, "virtual_ns", json_u64(report->result->virtual_ns));
    json_object_set_new(value, "wall_ms", json_real((double)report->result->wall_ns / 1e6));
    json_object_set_new(value, "freeze_ms", json_real(report->freeze_ms));
    print_json(value);
}

static void report_text(const struct boot_report *report)
{
    const struct boot_result *result = report->result;

    printf("booted in %.2f s: %.2f G instructions, %.2f s of virtual time\n",
           (double)result->wall_ns / 1e9, (double)result->instructions / 1e9,
           (double)result->virtual_ns / 1e9);
    printf("frozen in %.0f ms: %s%s%s\n", report->freeze_ms,
           id_text(&report->ids.checkpoint_id).text, report->input->name != NULL ? "  tag " : "",
           report->input->name != NULL ? report->input->name : "");
}

static bool freeze(struct session *session, const struct boot_input *input,
                   const struct boot_result *result, struct boot_report *report, struct err *err)
{
    uint64_t start = clock_monotonic_ns(&clock_host);
    struct store_tag *facts = &session->facts;
    char text[32];
    bool ok;

    snprintf(text, sizeof text, "%" PRIu64, result->wall_ns / 1000000);
    store_tag_set_fact(facts, FACT_BOOT_MS, text);
    if (input->name != NULL) {
        struct store_tag named;
        store_tag_init(&named, input->name, &clock_host);
        memcpy(facts->name, named.name, sizeof facts->name);
        facts->when_s = named.when_s;
        store_tag_release(&named);
    }
    ok = session_freeze(session, input->name != NULL ? facts : NULL, &report->ids, err);
    report->freeze_ms = (double)(clock_monotonic_ns(&clock_host) - start) / 1e6;
    return ok;
}

static bool load_file(const char *path, struct machine_file **out, struct err *err)
{
    struct buf report = BUF_INIT(1u << 20);
    bool ok = machine_file_load(path, &variables_environment, out, &report, err);

    if (!ok && report.size != 0)
        fwrite(report.data, 1, report.size, stderr);
    buf_release(&report);
    return ok;
}

int command_boot(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"name", 'n', "TAG", 0, "name the checkpoint", 0},
        {"console", 'c', 0, 0, "show the guest's console on standard error", 0},
        {0, 0, 0, 0, 0, 0}};
    static const struct command_usage usage = {
        "boot", "FILE.yaml",
        "Boot the machine that FILE.yaml describes up to its freeze point, and freeze it.\v"
        "Example:\n  thaw boot jobs/examples/debian.yaml -n debian-booted",
        options, take};
    struct boot_input input = {NULL, NULL, false};
    struct boot_result result = {.console = BUF_INIT(0)};
    struct watching watching = {.size = 0};
    struct boot_options boot = {&clock_host, on_output, on_progress, &watching};
    struct boot_report report = {.input = &input, .result = &result};
    struct machine_file *file = NULL;
    struct image_cache *cache = NULL;
    struct store *store = NULL;
    struct err err = ERR_INIT;
    struct session session;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    watching.show_console = input.show_console;
    ok = (input.name == NULL || store_name_check(input.name, &err)) &&
         load_file(input.file, &file, &err) && common_open_store(&common, &store, &err) &&
         image_cache_new(store, NULL, &cache, &err);
    session_init(&session, store, cache);
    if (ok) {
        progress_begin(&watching.progress, "booting", 0, input.show_console);
        ok = boot_run(&session, file, &boot, &result, &err);
        progress_end(&watching.progress);
    }
    ok = ok && freeze(&session, &input, &result, &report, &err);
    if (ok && common.json)
        report_json(&report);
    else if (ok)
        report_text(&report);
    if (ok)
        session_cache_images(&session);
    buf_release(&result.console);
    session_release(&session);
    machine_file_free(file);
    image_cache_free(cache);
    store_close(store);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
