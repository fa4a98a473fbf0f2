#include "agent/suite.h"

#include "agent/build.h"
#include "jobs/payload.h"
#include "storage/base/file.h"
#include "storage/base/log.h"

#include <stdio.h>
#include <string.h>

/* Everything one test needs until it is over. */
struct running {
    const struct suite_options *options;
    const struct job_test *test;
    struct session *session;
    struct suite_outcome *out;
    struct pool pool;
    struct buf payload;
};

void suite_outcome_release(struct suite_outcome *result)
{
    runner_result_release(&result->run);
}

static const char *first_of(const char *a, const char *b)
{
    return a != NULL ? a : b;
}

static struct job_guest guest_of(const struct running *running)
{
    const struct job_file *file = running->options->file;
    const struct store_tag *facts = &running->session->facts;
    struct job_guest guest = {
        .prompt = first_of(file->prompt, store_tag_fact(facts, FACT_PROMPT)),
        .at_prompt = store_tag_fact(facts, FACT_AT_PROMPT) != NULL,
        .job_disk = first_of(file->job_disk, store_tag_fact(facts, FACT_JOB_GUEST)),
        .result_disk = first_of(file->result_disk, store_tag_fact(facts, FACT_RESULT_GUEST)),
        .work = file->work,
    };

    return guest;
}

/* What the guest left on its result disk, into a folder of the test's own. */
static bool read_results(const struct running *running, struct err *err)
{
    const char *path = store_tag_fact(&running->session->facts, FACT_RESULT_DISK);
    struct object *disk = path != NULL ? machine_find(running->session->machine, path) : NULL;
    uint32_t *files = &running->out->result_files;
    char *target;
    bool ok;

    if (disk == NULL || disk->images[0] == NULL)
        return err_set(err, ERR_INVALID, "the checkpoint has no result disk");
    target = path_join(running->options->results_folder, running->test->name);
    ok = file_remove(target, err) &&
         payload_to_host((struct span){disk->images[0]->data, (size_t)disk->images[0]->size},
                         target, files, NULL, err);
    mem_free(target);
    if (ok && *files == 0)
        return err_set(err, ERR_INVALID, "nothing came on the disk %s", path);
    return ok;
}

/* Results that are missing or damaged are never a pass; a test that found a fault, or did not come
 * to its end, has one all the same. */
static bool keep_results(const struct running *running, struct err *err)
{
    const struct job_test *test = running->test;
    enum verdict verdict = running->out->run.console.verdict;
    bool passes = verdict == VERDICT_PASS ||
                  (test->expect_failure && verdict_expect_failure(verdict) == VERDICT_PASS);
    struct err own = ERR_INIT;

    if (test->result_count == 0 || running->options->results_folder == NULL ||
        read_results(running, &own))
        return true;
    if (passes)
        return err_set(err, own.kind, "results: %s", own.text);
    log_message(LOG_INFO, "%s: results: %s", test->name, own.text);
    return true;
}

/* A file given for a disk of the machine replaces its content. */
static bool change_disks(const struct running *running, struct err *err)
{
    for (size_t i = 0; i < running->test->disk_count; i++) {
        const struct job_disk *disk = &running->test->disks[i];
        struct buf content = BUF_INIT(BUILD_SOFTWARE_MAX);
        char path[OBJECT_PATH_MAX];
        struct object *object;
        size_t taken;
        bool ok;
        snprintf(path, sizeof path, "board0.%s", disk->name);
        object = machine_find(running->session->machine, path);
        if (object == NULL)
            return err_set(err, ERR_INVALID, "the machine has no disk %s", disk->name);
        ok = file_read(disk->file, &content, err) &&
             machine_input(running->session->machine, object, "media", buf_span(&content), &taken,
                           err);
        buf_release(&content);
        if (!ok)
            return err_wrap(err, "disk %s", disk->name);
    }
    return true;
}

static struct runner_test runner_test_of(const struct running *running,
                                         const struct console_plan *plan)
{
    const struct job_test *test = running->test;

    return (struct runner_test){.steps = plan->steps,
                                .step_count = plan->step_count,
                                .prompt = running->options->file->prompt,
                                .instructions_max = test->limits.instructions,
                                .wall_ms_max = test->limits.wall_ms,
                                .no_wait = test->elf != NULL,
                                .seed = test->has_seed ? &test->seed : NULL,
                                .payload = running->options->payload.size != 0
                                               ? running->options->payload
                                               : buf_span(&running->payload),
                                .any_monitor = test->monitor_count != 0,
                                .monitors = test->monitors,
                                .monitor_count = test->monitor_count,
                                .digest = running->options->digest,
                                .mark_every = test->verify_every};
}

static bool plan_of(struct running *running, struct console_plan *plan, struct console_step *halt,
                    struct err *err)
{
    struct job_guest guest = guest_of(running);

    if (running->test->elf == NULL)
        return job_plan_make(running->test, &guest, &running->pool, plan, err);
    *halt = (struct console_step){.kind = CONSOLE_HALT, .check = running->test->check};
    *plan = (struct console_plan){.steps = halt, .step_count = 1};
    return true;
}

static bool run_prepared(struct running *running, struct err *err)
{
    struct console_plan plan;
    struct console_step halt;
    struct runner_test test;

    if (running->options->payload.size == 0 && running->test->payload_count != 0 &&
        !payload_from_host(running->test->payload, running->test->payload_count, &running->payload,
                           err))
        return err_wrap(err, "payload");
    if (!plan_of(running, &plan, &halt, err) || !change_disks(running, err))
        return false;
    if (running->test->quantum != 0 &&
        !machine_set_quantum(running->session->machine, running->test->quantum, err))
        return false;
    test = runner_test_of(running, &plan);
    return runner_run(running->session, &test, running->options->watch, &running->out->run, err) &&
           keep_results(running, err);
}

static bool give_machine(struct session *session, const struct suite_options *options,
                         const struct job_test *test, struct err *err)
{
    const char *name = first_of(test->checkpoint, options->checkpoint);
    struct machine_file *file;
    bool ok;

    if (test->elf == NULL && name == NULL)
        return err_set(err, ERR_USAGE, "neither the test nor its suite names a checkpoint");
    if (test->elf == NULL)
        return session_thaw(session, name, err);
    file = machine_file_bare(test->elf);
    ok = build_machine(&session->registry, file, &session->machine, err);
    machine_file_free(file);
    return ok;
}

static void finish(struct suite_outcome *out, bool ok, const struct err *err)
{
    if (!ok) {
        out->verdict = VERDICT_INFRA;
        snprintf(out->reason, sizeof out->reason, "%s", err->text);
        return;
    }
    out->verdict = out->run.console.verdict;
    snprintf(out->reason, sizeof out->reason, "%s", out->run.console.reason);
    if (!out->test->expect_failure)
        return;
    out->verdict = verdict_expect_failure(out->verdict);
    if (out->verdict == VERDICT_FAIL)
        snprintf(out->reason, sizeof out->reason, "it passed, and must fail: %s",
                 out->test->reason != NULL ? out->test->reason : "it is marked so");
}

void suite_run_test_on(const struct suite_options *options, const struct job_test *test,
                       struct session *session, struct suite_outcome *out)
{
    struct running running = {.options = options,
                              .test = test,
                              .session = session,
                              .out = out,
                              .pool = POOL_INIT,
                              .payload = BUF_INIT(BUILD_JOB_DISK)};
    struct err err = ERR_INIT;

    out->test = test;
    out->checkpoint = session->parent;
    out->thaw_ns = session->thaw_ns;
    finish(out, run_prepared(&running, &err), &err);
    buf_release(&running.payload);
    pool_release(&running.pool);
}

void suite_run_test(const struct suite_options *options, const struct job_test *test,
                    struct suite_outcome *out)
{
    uint64_t start = clock_monotonic_ns(&clock_host);
    struct err err = ERR_INIT;
    struct session session;

    memset(out, 0, sizeof *out);
    out->test = test;
    if (test->skip) {
        out->verdict = VERDICT_SKIPPED;
        snprintf(out->reason, sizeof out->reason, "%s", test->reason != NULL ? test->reason : "");
        return;
    }
    session_init(&session, options->store, options->cache);
    if (give_machine(&session, options, test, &err))
        suite_run_test_on(options, test, &session, out);
    else
        finish(out, false, &err);
    session_release(&session);
    out->wall_ns = clock_monotonic_ns(&clock_host) - start;
}

static bool is_selected(const struct job_test *test, const char *const *selectors, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (job_test_selected(test, selectors[i]))
            return true;
    return count == 0;
}

size_t suite_run(const struct suite_options *options, const char *const *selectors,
                 size_t selector_count, struct suite_outcome *out)
{
    size_t done = 0;

    for (size_t i = 0; i < options->file->test_count; i++) {
        const struct job_test *test = &options->file->tests[i];
        if (!is_selected(test, selectors, selector_count))
            continue;
        if (options->begin != NULL)
            options->begin(options->context, test);
        suite_run_test(options, test, &out[done]);
        if (options->end != NULL)
            options->end(options->context, &out[done]);
        done++;
    }
    return done;
}
