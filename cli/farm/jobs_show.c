#include "cli/farm/jobs_show.h"

#include "cli/base/output.h"
#include "jobs/table.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OUT_MAX  (64u << 20)
#define CELL_MAX 256

void jobs_show_findings(const char *path, const struct job_findings *findings, bool json)
{
    json_t *value;

    if (!json) {
        fwrite(findings->report.data, 1, findings->report.size, stderr);
        if (findings->mistakes == 0)
            printf("%s: %zu tests, %zu jobs, %zu of them boots; no mistakes, %zu warning%s\n", path,
                   findings->tests, findings->jobs, findings->boots, findings->warnings,
                   findings->warnings == 1 ? "" : "s");
        return;
    }
    value = json_object();
    json_object_set_new(value, "file", json_string(path));
    json_object_set_new(value, "valid", json_boolean(findings->mistakes == 0));
    json_object_set_new(value, "mistakes", json_u64(findings->mistakes));
    json_object_set_new(value, "warnings", json_u64(findings->warnings));
    json_object_set_new(value, "tests", json_u64(findings->tests));
    json_object_set_new(value, "jobs", json_u64(findings->jobs));
    json_object_set_new(value, "boots", json_u64(findings->boots));
    json_object_set_new(value, "report", json_span(buf_span(&findings->report)));
    print_json(value);
}

/* "amd64, fast" */
static const char *joined(const char *const *texts, size_t count, char out[CELL_MAX])
{
    size_t used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < count && used + 1 < CELL_MAX; i++)
        used += (size_t)snprintf(out + used, CELL_MAX - used, "%s%s", i == 0 ? "" : ", ", texts[i]);
    return out;
}

static const char *origin_of(const struct job_expanded *expanded, const struct job_entry *entry)
{
    if (entry->boot != JOB_NO_BOOT)
        return expanded->boots[entry->boot].name;
    if (entry->test.elf != NULL)
        return "a fresh board";
    return entry->test.checkpoint != NULL ? entry->test.checkpoint : "";
}

static void marks_of(const struct job_entry *entry, char out[CELL_MAX])
{
    size_t used = 0;

    out[0] = '\0';
    if (entry->need_count > 0)
        used += (size_t)snprintf(out, CELL_MAX, "needs %zu", entry->need_count);
    if (entry->test.skip && used < CELL_MAX)
        used += (size_t)snprintf(out + used, CELL_MAX - used, "%sskipped", used > 0 ? ", " : "");
    if (entry->test.quarantine.owner != NULL && used < CELL_MAX)
        used += (size_t)snprintf(out + used, CELL_MAX - used, "%squarantine (%s)",
                                 used > 0 ? ", " : "", entry->test.quarantine.owner);
    if (entry->test.expect_failure && used < CELL_MAX)
        snprintf(out + used, CELL_MAX - used, "%smust fail", used > 0 ? ", " : "");
}

static void key_cell(struct table *table, const struct job_submissions *jobs, size_t index)
{
    if (jobs->count > 0)
        table_cell(table, COLOUR_FAINT, "%s", id_text(&jobs->items[index].spec).text);
}

static void boot_row(struct table *table, const struct job_expanded *expanded, size_t index,
                     const struct job_submissions *jobs)
{
    const struct job_boot *boot = &expanded->boots[index];

    table_cell(table, COLOUR_YELLOW, "boot");
    table_cell(table, COLOUR_NONE, "%s", boot->name);
    table_cell(table, COLOUR_NONE, "%s", boot->machine);
    table_cell(table, COLOUR_NONE, "%s", "");
    table_cell(table, COLOUR_NONE, "%s", "");
    if (boot->tag != NULL)
        table_cell(table, COLOUR_FAINT, "tag %s", boot->tag);
    else
        table_cell(table, COLOUR_FAINT, "%s", "");
    key_cell(table, jobs, index);
}

static void test_row(struct table *table, const struct job_expanded *expanded, size_t index,
                     const struct job_submissions *jobs)
{
    const struct job_entry *entry = &expanded->entries[index];
    char text[CELL_MAX];

    table_cell(table, COLOUR_NONE, "test");
    table_cell(table, COLOUR_NONE, "%s", entry->name);
    table_cell(table, COLOUR_NONE, "%s", origin_of(expanded, entry));
    table_cell(table, COLOUR_NONE, "%s", joined(entry->test.host, entry->test.host_count, text));
    table_cell(table, COLOUR_NONE, "%s", joined(entry->test.tags, entry->test.tag_count, text));
    marks_of(entry, text);
    table_cell(table, COLOUR_FAINT, "%s", text);
    key_cell(table, jobs, expanded->boot_count + index);
}

bool jobs_print_table(const struct job_expanded *expanded, const struct job_submissions *jobs,
                      struct err *err)
{
    static const struct table_column columns[] = {{"kind", false}, {"job", false},  {"from", false},
                                                  {"host", false}, {"tags", false}, {"", false},
                                                  {"key", false}};
    struct buf out = BUF_INIT(OUT_MAX);
    struct table table;
    bool ok;

    table_init(&table, columns, jobs->count > 0 ? 7 : 6);
    for (size_t i = 0; i < expanded->boot_count; i++)
        boot_row(&table, expanded, i, jobs);
    for (size_t i = 0; i < expanded->count; i++)
        test_row(&table, expanded, i, jobs);
    ok =
        table_write(&table, isatty(STDOUT_FILENO) == 1, &out, err) &&
        buf_format(&out, err, "\n%zu tests and %zu boots\n", expanded->count, expanded->boot_count);
    if (ok)
        fwrite(out.data, 1, out.size, stdout);
    table_release(&table);
    buf_release(&out);
    return ok;
}

static json_t *texts_json(const char *const *texts, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(texts[i]));
    return list;
}

static json_t *variables_json(const struct job_variable *variables, size_t count)
{
    json_t *value = json_object();

    for (size_t i = 0; i < count; i++)
        json_object_set_new(value, variables[i].name, json_string(variables[i].value));
    return value;
}

static json_t *text_or_null(const char *text)
{
    return text == NULL ? json_null() : json_string(text);
}

static void set_keys(json_t *value, const struct job_submissions *jobs, size_t index)
{
    if (jobs->count == 0)
        return;
    json_object_set_new(value, "spec", json_hash(&jobs->items[index].spec));
    if (!hash_is_zero(&jobs->items[index].boot_key))
        json_object_set_new(value, "boot_key", json_hash(&jobs->items[index].boot_key));
}

static json_t *boot_json(const struct job_boot *boot)
{
    json_t *value = json_object();

    json_object_set_new(value, "kind", json_string("boot"));
    json_object_set_new(value, "name", json_string(boot->name));
    json_object_set_new(value, "machine", json_string(boot->machine));
    json_object_set_new(value, "tag", text_or_null(boot->tag));
    json_object_set_new(value, "parameters",
                        variables_json(boot->parameters, boot->parameter_count));
    return value;
}

static json_t *quarantine_json(const struct job_quarantine *quarantine)
{
    if (quarantine->owner == NULL)
        return json_null();
    return json_pack("{s:s, s:s, s:o}", "owner", quarantine->owner, "reason", quarantine->reason,
                     "until", json_u64(quarantine->until_s));
}

static json_t *needs_json(const struct job_expanded *expanded, const struct job_entry *entry)
{
    json_t *list = json_array();

    for (size_t i = 0; i < entry->need_count; i++)
        json_array_append_new(list, json_string(expanded->entries[entry->needs[i]].name));
    return list;
}

static json_t *test_json(const struct job_expanded *expanded, const struct job_entry *entry)
{
    const struct job_test *test = &entry->test;
    json_t *value = json_object();

    json_object_set_new(value, "kind", json_string("test"));
    json_object_set_new(value, "name", json_string(entry->name));
    json_object_set_new(value, "test", json_string(entry->group));
    json_object_set_new(value, "line", json_u64(test->line));
    json_object_set_new(value, "parameters",
                        variables_json(entry->parameters, entry->parameter_count));
    json_object_set_new(value, "checkpoint", text_or_null(test->checkpoint));
    json_object_set_new(
        value, "boot",
        text_or_null(entry->boot == JOB_NO_BOOT ? NULL : expanded->boots[entry->boot].name));
    json_object_set_new(value, "host", texts_json(test->host, test->host_count));
    json_object_set_new(value, "tags", texts_json(test->tags, test->tag_count));
    json_object_set_new(value, "needs", needs_json(expanded, entry));
    json_object_set_new(value, "instructions", json_u64(test->limits.instructions));
    json_object_set_new(value, "wall_ms", json_u64(test->limits.wall_ms));
    json_object_set_new(value, "retry_infra", json_u64(test->retry_infra));
    json_object_set_new(value, "skip", json_boolean(test->skip));
    json_object_set_new(value, "expect_failure", json_boolean(test->expect_failure));
    json_object_set_new(value, "quarantine", quarantine_json(&test->quarantine));
    return value;
}

void jobs_print_json(const struct job_expanded *expanded, const struct job_submissions *jobs)
{
    json_t *value = json_object(), *list = json_array();

    for (size_t i = 0; i < expanded->boot_count; i++) {
        json_t *boot = boot_json(&expanded->boots[i]);

        set_keys(boot, jobs, i);
        json_array_append_new(list, boot);
    }
    for (size_t i = 0; i < expanded->count; i++) {
        json_t *test = test_json(expanded, &expanded->entries[i]);

        set_keys(test, jobs, expanded->boot_count + i);
        json_array_append_new(list, test);
    }
    json_object_set_new(value, "suite", json_string(expanded->file->name));
    json_object_set_new(value, "file", json_string(expanded->file->path));
    json_object_set_new(value, "tests", json_u64(expanded->count));
    json_object_set_new(value, "boots", json_u64(expanded->boot_count));
    json_object_set_new(value, "jobs", list);
    print_json(value);
}
