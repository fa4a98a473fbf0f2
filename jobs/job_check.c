#include "jobs/job_check.h"

#include "jobs/calendar.h"
#include "jobs/job_keys.h"
#include "jobs/suggest.h"
#include "storage/base/file.h"

#include <string.h>

/* A sentence without a place in a text of its own. */
static bool note(struct job_findings *out, const struct err *what, struct err *err)
{
    out->mistakes++;
    return buf_format(&out->report, err, "%s\n", what->text);
}

/* Each machine file once, however often it is named. */
static bool check_machine(const struct job_file *file, size_t index, const char *path,
                          const struct variables *variables, struct job_findings *out)
{
    struct machine_file *machine = NULL;
    struct err why = ERR_INIT, err = ERR_INIT;
    size_t before = out->report.size, mistakes = 0;

    if (path == NULL)
        return true;
    if (index > 0 && file->machine != NULL && strcmp(file->machine, path) == 0)
        return true;
    for (size_t i = 0; i + 1 < index; i++) {
        if (file->checkpoints[i].machine != NULL && strcmp(file->checkpoints[i].machine, path) == 0)
            return true;
    }
    if (machine_file_check(path, variables, &machine, &out->report, &mistakes, &why)) {
        machine_file_free(machine);
        return true;
    }
    if (out->report.size == before)
        return note(out, &why, &err);
    out->mistakes += mistakes;
    return true;
}

static bool check_machines(const struct job_file *file, const struct variables *variables,
                           struct job_findings *out)
{
    bool ok = check_machine(file, 0, file->machine, variables, out);

    for (size_t i = 0; ok && i < file->checkpoint_count; i++)
        ok = check_machine(file, i + 1, file->checkpoints[i].machine, variables, out);
    return ok;
}

static bool check_file(const struct job_entry *entry, const struct job_file *file, const char *what,
                       const char *path, struct job_findings *out)
{
    struct err err = ERR_INIT;

    if (path == NULL || file_exists(path))
        return true;
    out->mistakes++;
    return buf_format(&out->report, &err, "%s:%u: test %s: %s: there is no file %s\n", file->path,
                      entry->test.line, entry->name, what, path);
}

/* Jobs of one matrix share the lists that no name stands in: looked at once. */
static bool check_files(const struct job_expanded *expanded, struct job_findings *out)
{
    const struct job_test *last = NULL;
    bool ok = true;

    for (size_t i = 0; ok && i < expanded->count; i++) {
        const struct job_entry *entry = &expanded->entries[i];
        const struct job_test *test = &entry->test;

        for (size_t j = 0; j < test->payload_count; j++) {
            if (last == NULL || last->payload != test->payload)
                ok = ok && check_file(entry, expanded->file, "payload", test->payload[j], out);
        }
        if (last == NULL || last->elf != test->elf)
            ok = ok && check_file(entry, expanded->file, "elf", test->elf, out);
        for (size_t j = 0; j < test->disk_count; j++) {
            if (last == NULL || last->disks[j].file != test->disks[j].file)
                ok = ok && check_file(entry, expanded->file, "disk", test->disks[j].file, out);
        }
        last = test;
    }
    return ok;
}

static bool check_jobs(const struct job_file *file, struct job_findings *out)
{
    struct job_expanded *expanded = NULL;
    struct err why = ERR_INIT, err = ERR_INIT;
    bool ok;

    if (!job_expand(file, NULL, 0, &expanded, &why))
        return note(out, &why, &err);
    out->jobs = expanded->count + expanded->boot_count;
    out->boots = expanded->boot_count;
    ok = check_files(expanded, out);
    job_expanded_free(expanded);
    return ok;
}

static bool warn_of_quarantine(const struct job_file *file, const struct job_test *test,
                               uint64_t now_s, size_t *count, struct buf *out, struct err *err)
{
    const struct job_quarantine *quarantine = &test->quarantine;
    struct calendar_date until;

    if (quarantine->owner == NULL || quarantine->until_s == 0 || quarantine->until_s > now_s)
        return true;
    until = calendar_date(calendar_day_of((int64_t)quarantine->until_s));
    (*count)++;
    return buf_format(
        out, err,
        "%s:%u: warning: the quarantine of `%s` ended on %04d-%02d-%02d; its owner is "
        "%s\n",
        file->path, test->line, test->name, (int)until.year, until.month, until.day,
        quarantine->owner);
}

/* What is no name of `checkpoints:` is a tag or an id; one that is nearly such a name hardly is. */
static bool warn_of_checkpoint(const struct job_file *file, const struct job_test *test,
                               size_t *count, struct buf *out, struct err *err)
{
    const char *names[JOB_CHECKPOINTS_MAX], *near;

    if (test->checkpoint == NULL || job_checkpoint_find(file, test->checkpoint) != NULL)
        return true;
    for (size_t i = 0; i < file->checkpoint_count; i++)
        names[i] = file->checkpoints[i].name;
    near = suggest_name(test->checkpoint, names, file->checkpoint_count);
    if (near == NULL)
        return true;
    (*count)++;
    return buf_format(
        out, err,
        "%s:%u: warning: `checkpoint: %.60s` is taken for a tag: `checkpoints:` has no "
        "such name; did you mean `%s`?\n",
        file->path, test->line, test->checkpoint, near);
}

bool job_file_warn(const struct job_file *file, uint64_t now_s, size_t *count, struct buf *out,
                   struct err *err)
{
    for (size_t i = 0; i < file->test_count; i++) {
        if (!warn_of_quarantine(file, &file->tests[i], now_s, count, out, err) ||
            !warn_of_checkpoint(file, &file->tests[i], count, out, err))
            return false;
    }
    return true;
}

bool job_file_check(const char *path, const struct variables *variables, uint64_t now_s,
                    struct job_findings *out, struct err *err)
{
    struct job_file *file = NULL;
    struct err first = ERR_INIT, full = ERR_INIT;
    bool ok;

    *out = (struct job_findings){.report = BUF_INIT(JOB_CHECK_BYTES_MAX)};
    ok = job_file_load_anyway(path, variables, &file, &out->report, &out->mistakes, &first);
    if (file == NULL) {
        *err = first;
        return false;
    }
    out->tests = file->test_count;
    /* A report that is full says enough: what follows needs no room. */
    if (check_machines(file, variables, out) && ok && check_jobs(file, out))
        job_file_warn(file, now_s, &out->warnings, &out->report, &full);
    job_file_free(file);
    return true;
}

void job_findings_release(struct job_findings *findings)
{
    buf_release(&findings->report);
}
