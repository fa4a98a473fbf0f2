#include "cli/farm/run_results.h"

#include "storage/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PAGE        1000
#define JOBS_MAX    2000000u
#define CONSOLE_MAX (16u << 20) /* an agent sends no longer one (agent/farm/outcome.h) */

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static uint64_t number_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 ? (uint64_t)value : 0;
}

static uint64_t ns_of(const json_t *object, const char *key)
{
    double ms = json_number_value(json_object_get(object, key));

    return ms > 0 ? (uint64_t)(ms * NS_PER_MS) : 0;
}

/* Appends a page of jobs; *after is where the next begins, 0 at the end. */
static bool fetch_page(struct remote *remote, uint64_t run, uint64_t *after, json_t *jobs,
                       struct err *err)
{
    char path[96];
    json_t *page, *list;
    bool ok;

    snprintf(path, sizeof path, "runs/%" PRIu64 "/jobs?limit=%d&after=%" PRIu64, run, PAGE, *after);
    if (!client_ask(remote, "GET", path, (struct span){0}, &page, err))
        return false;
    list = json_object_get(page, "jobs");
    ok = json_is_array(list) && json_array_size(jobs) + json_array_size(list) <= JOBS_MAX;
    if (ok)
        json_array_extend(jobs, list);
    else
        err_set(err, ERR_INVALID, "the coordinator's list of jobs makes no sense");
    *after = number_of(page, "next");
    json_decref(page);
    return ok;
}

static void read_signature(const json_t *job, struct signature *out, enum verdict verdict)
{
    const char *text = text_of(job, "signature");

    out->verdict = verdict;
    if (text != NULL)
        snprintf(out->title, sizeof out->title, "%s", text);
}

/* Who keeps it in quarantine and why, as far as the coordinator says; NULL: nobody. */
static const char *quarantine_of(const json_t *job, struct pool *pool)
{
    const json_t *quarantine = json_object_get(job, "quarantine");
    const char *owner = text_of(quarantine, "owner"), *reason = text_of(quarantine, "reason");

    if (owner != NULL && reason != NULL)
        return pool_format(pool, "%s: %s", owner, reason);
    return json_is_true(json_object_get(job, "quarantined")) ? "as its job file says" : NULL;
}

static void read_artifacts(const json_t *job, struct test_result *out, struct pool *pool)
{
    const json_t *list = json_object_get(job, "artifacts");
    struct result_artifact *artifacts = pool_array(pool, json_array_size(list), sizeof *artifacts);

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        const char *name = text_of(one, "name"), *id = text_of(one, "hash");

        if (name != NULL && id != NULL)
            artifacts[out->artifact_count++] =
                (struct result_artifact){name, id, number_of(one, "size")};
    }
    out->artifacts = artifacts;
}

/* What only a farm knows. */
static void read_farm(const json_t *job, struct test_result *out, struct pool *pool)
{
    uint64_t attempts = number_of(job, "attempts");

    out->group = text_of(job, "group");
    out->attempts = attempts == 0 ? 1 : attempts > UINT32_MAX ? UINT32_MAX : (uint32_t)attempts;
    out->agent = text_of(job, "agent");
    out->cached = json_is_true(json_object_get(job, "cached"));
    out->console_id = text_of(job, "console");
    out->quarantine = quarantine_of(job, pool);
    read_artifacts(job, out, pool);
}

/* A job that is not over has no verdict: in a report it is one that could not be run to its end. */
static void read_test(const json_t *job, struct test_result *out, struct signature *signature)
{
    const char *verdict = text_of(job, "verdict");
    const json_t *status = json_object_get(job, "exit_status");

    *out = (struct test_result){.suite = text_of(job, "suite"),
                                .name = text_of(job, "name"),
                                .reason = text_of(job, "reason"),
                                .checkpoint = text_of(job, "checkpoint"),
                                .state_id = text_of(job, "state_id"),
                                .instructions = number_of(job, "instructions"),
                                .virtual_ns = number_of(job, "virtual_ns"),
                                .thaw_ns = ns_of(job, "thaw_ms"),
                                .wall_ns = ns_of(job, "wall_ms"),
                                .exit_status = -1,
                                .expect_failure =
                                    json_is_true(json_object_get(job, "expect_failure"))};
    if (json_is_integer(status))
        out->exit_status = (int32_t)json_integer_value(status);
    if (out->suite == NULL)
        out->suite = "";
    if (out->name == NULL)
        out->name = "?";
    if (verdict == NULL || !verdict_parse(verdict, &out->verdict)) {
        out->verdict = VERDICT_INFRA;
        if (out->reason == NULL)
            out->reason = "it is not over yet";
    }
    read_signature(job, signature, out->verdict);
    if (out->verdict != VERDICT_PASS && signature->title[0] != 0)
        out->signature = signature;
}

static void read_suite(struct run_results *out)
{
    const char *state = text_of(out->json, "state");
    size_t count = json_array_size(out->jobs);

    out->tests = mem_array(count, sizeof *out->tests);
    out->signatures = mem_array(count, sizeof *out->signatures);
    out->consoles = mem_array(count, sizeof *out->consoles);
    for (size_t i = 0; i < count; i++) {
        const json_t *job = json_array_get(out->jobs, i);
        const char *kind = text_of(job, "kind");
        size_t at = out->suite.test_count;
        if (kind != NULL && strcmp(kind, "boot") == 0)
            continue;
        read_test(job, &out->tests[at], &out->signatures[at]);
        out->consoles[at] = (struct buf)BUF_INIT(CONSOLE_MAX);
        read_farm(job, &out->tests[at], &out->pool);
        out->suite.test_count++;
    }
    out->suite.tests = out->tests;
    out->suite.name = text_of(out->json, "name");
    out->suite.wall_ns = ns_of(out->json, "wall_ms");
    out->suite.boot_ns = ns_of(out->json, "boot_ms");
    out->is_over = state != NULL && (strcmp(state, "done") == 0 || strcmp(state, "cancelled") == 0);
}

bool run_results_fetch(struct remote *remote, uint64_t run, struct run_results *out,
                       struct err *err)
{
    uint64_t after = 0;
    char path[64];
    bool ok;

    memset(out, 0, sizeof *out);
    snprintf(path, sizeof path, "runs/%" PRIu64, run);
    if (!client_ask(remote, "GET", path, (struct span){0}, &out->json, err))
        return false;
    out->jobs = json_array();
    do
        ok = fetch_page(remote, run, &after, out->jobs, err);
    while (ok && after != 0);
    if (ok)
        read_suite(out);
    else
        run_results_release(out);
    return ok;
}

void run_results_release(struct run_results *results)
{
    for (size_t i = 0; i < results->suite.test_count; i++)
        buf_release(&results->consoles[i]);
    mem_free(results->tests);
    mem_free(results->signatures);
    mem_free(results->consoles);
    pool_release(&results->pool);
    json_decref(results->json);
    json_decref(results->jobs);
    memset(results, 0, sizeof *results);
}

static bool fetch_console(struct remote *remote, const json_t *job, struct buf *out,
                          struct err *err)
{
    const char *console = text_of(job, "console");
    char path[128];

    if (console == NULL)
        return true;
    snprintf(path, sizeof path, "store/blobs/%.64s", console);
    if (remote_call(remote, "GET", path, (struct span){0}, out, err))
        return true;
    /* A log that an agent did not keep, or that is no longer kept, must not take the report along.
     */
    return err->kind == ERR_NOT_FOUND &&
           buf_append_text(out, "(the store does not have this log)\n", err);
}

bool run_results_consoles(struct run_results *results, struct remote *remote, struct err *err)
{
    size_t at = 0;

    for (size_t i = 0; i < json_array_size(results->jobs); i++) {
        const json_t *job = json_array_get(results->jobs, i);
        const char *kind = text_of(job, "kind");
        if (kind != NULL && strcmp(kind, "boot") == 0)
            continue;
        if (results->tests[at].verdict != VERDICT_PASS &&
            !fetch_console(remote, job, &results->consoles[at], err))
            return false;
        results->tests[at].console = buf_span(&results->consoles[at]);
        at++;
    }
    return true;
}
