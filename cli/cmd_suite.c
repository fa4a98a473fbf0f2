/* cmd_suite.c — `thaw run --jobs`: a suite of tests, each from the thawed checkpoint. */
#include "cli/commands.h"

#include "agent/boot.h"
#include "agent/suite.h"
#include "cli/base/output.h"
#include "cli/base/progress.h"
#include "cli/suite.h"
#include "jobs/matrix.h"
#include "jobs/report.h"
#include "storage/base/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define REPORT_MAX (64u << 20)

/* All of one run of the command. */
struct suite_command {
    const struct suite_input *input;
    struct store *store;
    struct image_cache *cache;
    struct job_file *file;
    struct job_expanded *jobs; /* what of the file is run */
    struct job_file flat;      /* the file with those jobs as its tests; borrows from both */
    const char *checkpoint;    /* of the suite, or NULL */
    struct suite_outcome *outcomes;
    size_t count;
    uint64_t wall_ns;
    uint64_t boot_ns;      /* what the boot of the checkpoint took; 0: not known */
    uint64_t cold_ns;      /* one test measured with a boot of its own; 0: not measured */
    uint64_t cold_test_ns; /* the same test, thawed */
    struct progress progress;
    size_t started;
};

static bool load_file(const char *path, struct job_file **out, struct err *err)
{
    struct buf report = BUF_INIT(1u << 20);
    bool ok = job_file_load(path, &variables_environment, out, &report, err);

    if (!ok && report.size != 0)
        fwrite(report.data, 1, report.size, stderr);
    buf_release(&report);
    return ok;
}

static bool on_boot(void *context, uint64_t instructions, uint64_t virtual_ns)
{
    struct progress *progress = context;
    char text[80];

    snprintf(text, sizeof text, "%.2f G instructions, %.2f s virtual", (double)instructions / 1e9,
             (double)virtual_ns / 1e9);
    progress_update(progress, instructions, text);
    return true;
}

/* Boots a machine of the suite into the session. */
static bool boot(struct suite_command *command, size_t index, struct session *session,
                 uint64_t *boot_ns, struct err *err)
{
    struct boot_options options = {&clock_host, NULL, on_boot, &command->progress};
    struct boot_result result = {.console = BUF_INIT(0)};
    struct machine_file *machine = NULL;
    struct buf report = BUF_INIT(1u << 20);
    bool ok = job_boot_machine(&command->jobs->boots[index], &machine, &report, err);

    if (!ok && report.size != 0)
        fwrite(report.data, 1, report.size, stderr);
    progress_begin(&command->progress, "booting", 0, false);
    ok = ok && boot_run(session, machine, &options, &result, err);
    progress_end(&command->progress);
    *boot_ns = result.wall_ns;
    buf_release(&result.console);
    buf_release(&report);
    machine_file_free(machine);
    return ok;
}

/* Boots once and freezes under the tag. */
static bool make_checkpoint(struct suite_command *command, size_t index, const char *name,
                            const struct hash *key, struct err *err)
{
    struct checkpoint_ids ids;
    struct session session;
    struct store_tag named;
    char text[32];
    bool ok;

    session_init(&session, command->store, command->cache);
    ok = boot(command, index, &session, &command->boot_ns, err);
    if (ok) {
        snprintf(text, sizeof text, "%" PRIu64, command->boot_ns / 1000000);
        store_tag_set_fact(&session.facts, FACT_BOOT_MS, text);
        store_tag_set_fact(&session.facts, FACT_INPUTS, hash_hex(key).text);
        store_tag_init(&named, name, &clock_host);
        memcpy(session.facts.name, named.name, sizeof session.facts.name);
        session.facts.when_s = named.when_s;
        store_tag_release(&named);
        ok = session_freeze(&session, &session.facts, &ids, err);
    }
    session_release(&session);
    return ok;
}

/* True if the store has the checkpoint, and does not know that it was booted from other inputs. A
 * `key` of zeros: what the inputs are now is not known. */
static bool is_current(struct suite_command *command, const char *name, const struct hash *key)
{
    struct store_tag tag = {.name = ""};
    struct err err = ERR_INIT;
    const char *boot_ms, *inputs;
    struct hash id;
    bool current;

    if (!store_resolve(command->store, name, &id, &err))
        return false;
    if (!store_tag_get(command->store, name, &tag, &err))
        return true; /* an id: it is what it is */
    boot_ms = store_tag_fact(&tag, FACT_BOOT_MS);
    inputs = store_tag_fact(&tag, FACT_INPUTS);
    current = inputs == NULL || hash_is_zero(key) || strcmp(inputs, hash_hex(key).text) == 0;
    if (boot_ms != NULL)
        command->boot_ns = strtoull(boot_ms, NULL, 10) * 1000000;
    store_tag_release(&tag);
    return current;
}

/* "boot debian [harts=3]" as a tag: "debian-harts-3". */
static const char *tag_of(struct suite_command *command, const struct job_boot *boot)
{
    char *text;
    size_t used = 0;

    if (boot->tag != NULL)
        return boot->tag;
    text = pool_text(&command->jobs->pool, strchr(boot->name, ' ') + 1);
    for (const char *at = text; *at != '\0'; at++) {
        bool plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') ||
                     (*at >= '0' && *at <= '9') || *at == '.' || *at == '_';

        if (plain)
            text[used++] = *at;
        else if (used > 0 && text[used - 1] != '-' && at[1] != '\0')
            text[used++] = '-';
    }
    text[used] = '\0';
    return text;
}

/* Every machine that is to be booted has its checkpoint afterwards, and every test its name. */
static bool find_checkpoints(struct suite_command *command, struct err *err)
{
    struct job_expanded *jobs = command->jobs;
    struct hash id;

    for (size_t i = 0; i < jobs->boot_count; i++) {
        const char *name = tag_of(command, &jobs->boots[i]);
        struct hash key = {{0}};
        struct err why = ERR_INIT;
        /* Without its inputs a machine can still be thawed. */
        bool known = job_boot_key(jobs, i, &key, &why);

        if (!is_current(command, name, &key)) {
            if (!known)
                *err = why;
            if (!known || !make_checkpoint(command, i, name, &key, err))
                return false;
        }
        for (size_t j = 0; j < jobs->count; j++) {
            if (jobs->entries[j].boot == i)
                jobs->entries[j].test.checkpoint = name;
        }
    }
    if (jobs->boot_count > 0 || command->checkpoint == NULL)
        return true;
    return store_resolve(command->store, command->checkpoint, &id, err);
}

/* The jobs of the file as tests of a suite. */
static bool expand(struct suite_command *command, struct err *err)
{
    const struct suite_input *input = command->input;
    struct job_file *file = command->file;
    struct job_test *tests;

    /* A checkpoint of the command line comes in the place of the suite's. */
    for (size_t i = 0; input->checkpoint != NULL && i < file->test_count; i++) {
        struct job_test *test = &file->tests[i];

        if (test->checkpoint == NULL ||
            (file->checkpoint != NULL && strcmp(test->checkpoint, file->checkpoint) == 0))
            test->checkpoint = input->checkpoint;
    }
    if (input->checkpoint != NULL)
        file->checkpoint = NULL;
    if (!job_expand(file, input->selectors, input->selector_count, &command->jobs, err))
        return false;
    command->checkpoint = input->checkpoint != NULL ? input->checkpoint : file->checkpoint;
    if (!find_checkpoints(command, err))
        return false;
    tests = pool_array(&command->jobs->pool, command->jobs->count, sizeof *tests);
    for (size_t i = 0; i < command->jobs->count; i++)
        tests[i] = command->jobs->entries[i].test;
    command->flat = *file;
    command->flat.tests = tests;
    command->flat.test_count = command->jobs->count;
    return true;
}

static void on_begin(void *context, const struct job_test *test)
{
    struct suite_command *command = context;
    char text[160];

    command->started++;
    snprintf(text, sizeof text, "%zu/%zu %s", command->started, command->flat.test_count,
             test->name);
    progress_update(&command->progress, command->started, text);
}

static struct suite_options options_of(struct suite_command *command)
{
    return (struct suite_options){.store = command->store,
                                  .cache = command->cache,
                                  .file = &command->flat,
                                  .checkpoint = command->checkpoint,
                                  .results_folder = command->input->results,
                                  .digest = command->input->json,
                                  .begin = on_begin,
                                  .context = command};
}

/* The first test that can be run again on a machine that is booted for it alone: what the suite
 * would have cost without checkpoints, measured. */
static bool measure_cold(struct suite_command *command, struct err *err)
{
    struct suite_options options = options_of(command);
    const struct suite_outcome *subject = NULL;
    size_t index = JOB_NO_BOOT;
    struct suite_outcome cold;
    struct session session;
    uint64_t boot_ns;
    bool ok;

    for (size_t i = 0; i < command->count && subject == NULL; i++)
        if (command->outcomes[i].verdict == VERDICT_PASS && command->outcomes[i].test->elf == NULL)
            subject = &command->outcomes[i];
    if (subject != NULL)
        index = command->jobs->entries[subject->test - command->flat.tests].boot;
    if (index == JOB_NO_BOOT)
        return true;
    session_init(&session, command->store, command->cache);
    ok = boot(command, index, &session, &boot_ns, err);
    if (ok) {
        memset(&cold, 0, sizeof cold);
        suite_run_test_on(&options, subject->test, &session, &cold);
        command->cold_ns = boot_ns + cold.run.wall_ns;
        command->cold_test_ns = subject->wall_ns;
        suite_outcome_release(&cold);
    }
    session_release(&session);
    return ok;
}

/* What reports need besides the outcomes: texts of ids. */
struct report_row {
    struct hash_hex checkpoint;
    struct hash_hex state_id;
    char quarantine[256]; /* "" or who and why */
};

static void fill_row(const struct suite_command *command, const struct suite_outcome *outcome,
                     struct report_row *row, struct test_result *out)
{
    const struct job_quarantine *quarantine = &outcome->test->quarantine;

    row->checkpoint = hash_hex(&outcome->checkpoint);
    row->state_id = hash_hex(&outcome->run.state_id);
    if (quarantine->owner != NULL)
        snprintf(row->quarantine, sizeof row->quarantine, "%s: %s", quarantine->owner,
                 quarantine->reason);
    *out = (struct test_result){
        .suite = command->file->name,
        .name = outcome->test->name,
        .file = command->file->path,
        .line = outcome->test->line,
        .verdict = outcome->verdict,
        .expect_failure = outcome->test->expect_failure,
        .reason = outcome->reason,
        .exit_status = outcome->run.console.exit_status,
        .checkpoint = hash_is_zero(&outcome->checkpoint) ? NULL : row->checkpoint.text,
        .state_id = hash_is_zero(&outcome->run.state_id) ? NULL : row->state_id.text,
        .instructions = outcome->run.instructions,
        .virtual_ns = outcome->run.virtual_ns,
        .thaw_ns = outcome->thaw_ns,
        .wall_ns = outcome->wall_ns,
        .console = buf_span(&outcome->run.log),
        .output = buf_span(&outcome->run.output),
        .signature = outcome->verdict == VERDICT_PASS ? NULL : &outcome->run.signature,
        .quarantine = quarantine->owner != NULL ? row->quarantine : NULL,
    };
}

/* Both times for the whole suite, side by side. */
static void print_comparison(const struct suite_command *command)
{
    double thawed = (double)command->wall_ns / 1e9;
    double booting = thawed + (double)command->count *
                                  ((double)command->cold_ns - (double)command->cold_test_ns) / 1e9;

    if (command->cold_ns == 0)
        return;
    printf("\none test, booted for it alone:  %8.2f s (thawed: %.3f s)\n",
           (double)command->cold_ns / 1e9, (double)command->cold_test_ns / 1e9);
    printf("the suite, booting every time:  %8.2f s\n", booting);
    printf("the suite, from the checkpoint: %8.2f s   %.0f times faster\n", thawed,
           thawed > 0 ? booting / thawed : 0);
}

static bool write_reports(const struct suite_command *command, const struct suite_result *suite,
                          struct err *err)
{
    const struct suite_input *input = command->input;
    struct buf out = BUF_INIT(REPORT_MAX);
    bool ok = true;

    if (input->junit != NULL)
        ok = report_junit(suite, &out, err) && file_write(input->junit, buf_span(&out), err);
    buf_clear(&out);
    if (ok && input->tap != NULL)
        ok = report_tap(suite, &out, err) && file_write(input->tap, buf_span(&out), err);
    buf_clear(&out);
    if (ok)
        ok = input->json ? report_json(suite, &out, err)
                         : report_table(suite, isatty(STDOUT_FILENO) == 1, &out, err);
    if (ok)
        fwrite(out.data, 1, out.size, stdout);
    if (ok && input->json)
        putchar('\n');
    else if (ok)
        print_comparison(command);
    buf_release(&out);
    return ok;
}

static bool report(struct suite_command *command, enum verdict *verdict, struct err *err)
{
    struct test_result *tests = mem_array(command->count, sizeof *tests);
    struct report_row *rows = mem_array(command->count, sizeof *rows);
    struct suite_result suite = {.name = command->file->name,
                                 .tests = tests,
                                 .test_count = command->count,
                                 .wall_ns = command->wall_ns,
                                 .boot_ns = command->boot_ns};
    bool ok;

    for (size_t i = 0; i < command->count; i++)
        fill_row(command, &command->outcomes[i], &rows[i], &tests[i]);
    *verdict = suite_verdict(&suite);
    ok = write_reports(command, &suite, err);
    mem_free(rows);
    mem_free(tests);
    return ok;
}

static bool run_all(struct suite_command *command, enum verdict *verdict, struct err *err)
{
    struct suite_options options;
    uint64_t start;

    if (!expand(command, err))
        return false;
    command->outcomes = mem_array(command->flat.test_count, sizeof *command->outcomes);
    options = options_of(command);
    progress_begin(&command->progress, "testing", command->flat.test_count, false);
    start = clock_monotonic_ns(&clock_host);
    command->count = suite_run(&options, NULL, 0, command->outcomes);
    command->wall_ns = clock_monotonic_ns(&clock_host) - start;
    progress_end(&command->progress);
    if (command->input->compare && !measure_cold(command, err))
        return false;
    return report(command, verdict, err);
}

int suite_main(const struct common *common, const struct suite_input *input)
{
    struct suite_command command = {.input = input};
    enum verdict verdict = VERDICT_INFRA;
    struct err err = ERR_INIT;
    bool ok = load_file(input->jobs, &command.file, &err) &&
              common_open_store(common, &command.store, &err) &&
              image_cache_new(command.store, NULL, &command.cache, &err) &&
              run_all(&command, &verdict, &err);

    for (size_t i = 0; i < command.count; i++)
        suite_outcome_release(&command.outcomes[i]);
    mem_free(command.outcomes);
    image_cache_free(command.cache);
    store_close(command.store);
    job_expanded_free(command.jobs);
    job_file_free(command.file);
    return ok ? verdict_exit_status(verdict) : common_fail(common, &err);
}
