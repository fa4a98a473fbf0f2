/* cmd_upkeep.c — commands that look after a store: gc, fsck. */
#include "cli/commands.h"

#include "cli/base/output.h"
#include "storage/store.h"

#include <stdio.h>

struct upkeep_input {
    bool flag; /* --dry-run, --repair */
};

static bool upkeep_take(void *input, int key, const char *value, struct err *err)
{
    struct upkeep_input *upkeep = input;

    if (key == 'd' || key == 'r')
        upkeep->flag = true;
    else if (key == ARGP_KEY_ARG)
        return err_set(err, ERR_USAGE, "no argument is taken, there was \"%s\"", value);
    else
        return false;
    return true;
}

static void gc_print(const struct gc_report *report, bool dry_run)
{
    printf("%s %zu checkpoints, %zu chunks; %s %zu checkpoints, %zu chunks\n",
           dry_run ? "would keep" : "kept", report->checkpoints_kept, report->chunks_kept,
           dry_run ? "would remove" : "removed", report->checkpoints_removed,
           report->chunks_removed);
    printf("%s before, %s after\n", size_text(report->bytes_before).text,
           size_text(report->bytes_after).text);
}

static void gc_print_json(const struct gc_report *report, bool dry_run)
{
    json_t *value = json_object();

    json_object_set_new(value, "dry_run", json_boolean(dry_run));
    json_object_set_new(value, "checkpoints_kept", json_u64(report->checkpoints_kept));
    json_object_set_new(value, "checkpoints_removed", json_u64(report->checkpoints_removed));
    json_object_set_new(value, "chunks_kept", json_u64(report->chunks_kept));
    json_object_set_new(value, "chunks_removed", json_u64(report->chunks_removed));
    json_object_set_new(value, "packs_removed", json_u64(report->packs_removed));
    json_object_set_new(value, "packs_written", json_u64(report->packs_written));
    json_object_set_new(value, "leftovers_removed", json_u64(report->leftovers_removed));
    json_object_set_new(value, "bytes_before", json_u64(report->bytes_before));
    json_object_set_new(value, "bytes_after", json_u64(report->bytes_after));
    print_json(value);
}

int command_gc(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"dry-run", 'd', 0, 0, "change nothing, say what would go", 0}, {0, 0, 0, 0, 0, 0}};
    static const struct command_usage usage = {"gc", "",
                                               "Give back the space of checkpoints and chunks that "
                                               "no tag names. Waits for freezes that are "
                                               "going on, and never takes what they just stored.\v"
                                               "Example:\n  thaw gc --dry-run",
                                               options, upkeep_take};
    struct upkeep_input input = {false};
    struct gc_report report;
    struct err err = ERR_INIT;
    struct store *store = NULL;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = common_open_store(&common, &store, &err) && store_gc(store, input.flag, &report, &err);
    if (ok && common.json)
        gc_print_json(&report, input.flag);
    else if (ok)
        gc_print(&report, input.flag);
    store_close(store);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}

struct findings {
    json_t *list; /* NULL: print them */
};

static void on_finding(void *context, const struct fsck_finding *finding)
{
    struct findings *findings = context;
    json_t *entry;

    if (findings->list == NULL) {
        printf("%s: %s\n", finding->kind == ERR_NONE ? "note" : err_kind_name(finding->kind),
               finding->text);
        return;
    }
    entry = json_pack("{s:s, s:s}", "kind",
                      finding->kind == ERR_NONE ? "note" : err_kind_name(finding->kind), "text",
                      finding->text);
    json_array_append_new(findings->list, entry);
}

static void fsck_print_json(const struct fsck_report *report, json_t *list)
{
    json_t *value = json_object();

    json_object_set_new(value, "sound", json_boolean(report->findings == 0));
    json_object_set_new(value, "packs", json_u64(report->packs));
    json_object_set_new(value, "chunks", json_u64(report->chunks));
    json_object_set_new(value, "manifests", json_u64(report->manifests));
    json_object_set_new(value, "tags", json_u64(report->tags));
    json_object_set(value, "findings", list);
    print_json(value);
}

int command_fsck(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"repair", 'r', 0, 0,
         "move damaged packs out of the way, so that freezing or importing again "
         "fills the gaps",
         0},
        {0, 0, 0, 0, 0, 0}};
    static const struct command_usage usage = {"fsck", "",
                                               "Check every pack, chunk, manifest and tag, and "
                                               "name what damage hurts: checkpoint, image and "
                                               "place. Exit status 1 if anything is wrong.\v"
                                               "Example:\n  thaw fsck",
                                               options, upkeep_take};
    struct upkeep_input input = {false};
    struct findings findings = {NULL};
    struct fsck_options fsck = {on_finding, &findings, false};
    struct fsck_report report;
    struct err err = ERR_INIT;
    struct store *store = NULL;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    fsck.repair = input.flag;
    if (common.json)
        findings.list = json_array();
    ok = common_open_store(&common, &store, &err) && store_fsck(store, &fsck, &report, &err);
    if (ok && common.json)
        fsck_print_json(&report, findings.list);
    else if (ok)
        printf("%s: %zu packs, %zu chunks, %zu checkpoints, %zu tags%s\n",
               report.findings == 0 ? "sound" : "DAMAGED", report.packs, report.chunks,
               report.manifests, report.tags,
               report.findings == 0 ? "" : "; what is above says what is hurt and what to do");
    if (findings.list != NULL)
        json_decref(findings.list);
    store_close(store);
    if (!ok)
        return common_fail(&common, &err);
    return report.findings == 0 ? EXIT_PASS : EXIT_FAIL;
}
