#include "coordinator/api_calls.h"

#include "jobs/pool.h"
#include "jobs/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* GET /api/v1/runs/N/results: JSON lines are streamed a page of jobs after each commit; JUnit and
 * TAP are collected page by page first, since their heads hold sums. */

#define PAGE_JOBS      64
#define LINE_BYTES_MAX (64u << 10)
#define STREAM_BYTES   (2 * PAGE_JOBS * LINE_BYTES_MAX)
#define REPORT_TESTS   200000u /* of one report in memory; more only as JSON lines */

struct results {
    struct task task;
    struct queue_page page;
    struct buf lines;
    size_t count; /* jobs of the page */
    bool is_whole;
    /* of a report: */
    bool is_tap;
    struct pool pool;
    struct test_result *tests;
    struct signature *signatures;
    size_t test_count, capacity;
    char *name;
    uint64_t wall_ns, boot_ns;
    struct service *service;
};

static void results_release(struct task *task)
{
    struct results *results = (struct results *)task;

    buf_release(&results->lines);
    pool_release(&results->pool);
    mem_free(results->tests);
    mem_free(results->signatures);
    mem_free(results->name);
}

/* ---- JSON lines ---- */

static bool write_line(void *context, const struct queue_job *job)
{
    struct results *results = context;
    struct err err = ERR_INIT;
    struct json_writer writer = json_writer(&results->lines, false, &err);

    show_job(results->service, job, &writer);
    results->page.after = job->id;
    results->count++;
    results->is_whole = results->is_whole && json_writer_ok(&writer) &&
                        buf_append_text(&results->lines, "\n", &err);
    return results->is_whole;
}

static enum task_state lines_step(struct service *service, struct task *task)
{
    struct results *results = (struct results *)task;
    struct err err = ERR_INIT;

    if (task->stream == NULL || http_stream_is_gone(task->stream))
        return TASK_DONE;
    if (http_stream_room(task->stream) < PAGE_JOBS * LINE_BYTES_MAX)
        return TASK_WAITS; /* woken when there is room */
    buf_clear(&results->lines);
    results->count = 0;
    if (!queue_jobs_each(service->queue, &results->page, write_line, results, &err) ||
        !results->is_whole || !http_stream_write(task->stream, buf_span(&results->lines))) {
        http_stream_end(task->stream, true);
        task->stream = NULL;
        return TASK_DONE;
    }
    return results->count < PAGE_JOBS ? TASK_DONE : TASK_MORE;
}

static void stream_wake(void *context)
{
    mailbox_wake(&((struct service *)context)->mailbox);
}

static enum api_outcome begin_lines(struct service *service, struct api_request *request,
                                    struct results *results, struct err *err)
{
    struct http_stream_options options = {"application/x-ndjson", STREAM_BYTES, stream_wake,
                                          service};

    results->task.step = lines_step;
    if (!task_add(&service->tasks, &results->task, err))
        return API_FAILED;
    request->is_streaming = true;
    results->task.stream = http_respond_stream(request->exchange, &options);
    return API_ANSWERED;
}

/* ---- reports ---- */

struct collecting {
    struct results *results;
    const struct queue_job *job;
    struct test_result *test;
    struct signature *signature;
};

static const char *hash_text(struct pool *pool, const struct hash *hash)
{
    struct hash_hex hex = hash_hex(hash);

    return hash_is_zero(hash) ? NULL : pool_text(pool, hex.text);
}

static bool collect_attempt(void *context, const struct queue_attempt *attempt)
{
    struct collecting *collecting = context;
    struct pool *pool = &collecting->results->pool;
    struct test_result *test = collecting->test;
    const struct queue_result *result = &attempt->result;

    test->agent = pool_text(pool, attempt->agent);
    test->exit_status = result->exit_status;
    test->state_id = hash_text(pool, &result->state_id);
    test->instructions = result->instructions;
    test->virtual_ns = result->virtual_ns;
    test->thaw_ns = result->thaw_ns;
    test->wall_ns = result->wall_ns;
    test->console_id = hash_text(pool, &result->console);
    if (result->signature_title != NULL && result->signature_title[0] != 0) {
        collecting->signature->verdict = result->verdict;
        snprintf(collecting->signature->title, sizeof collecting->signature->title, "%.*s",
                 (int)sizeof collecting->signature->title - 1, result->signature_title);
        test->signature = collecting->signature;
    }
    return false;
}

static void collect_test(struct results *results, const struct queue_job *job)
{
    struct collecting collecting = {results, job, &results->tests[results->test_count],
                                    &results->signatures[results->test_count]};
    struct test_result *test = collecting.test;
    struct err ignored = ERR_INIT;
    bool is_done = job->state == JOB_DONE;

    *test = (struct test_result){
        .suite = pool_text(&results->pool, job->suite),
        .name = pool_text(&results->pool, job->name),
        .group = pool_text(&results->pool, job->group),
        .verdict = is_done ? job->verdict : VERDICT_INFRA,
        .reason = pool_text(&results->pool, is_done ? job->reason : "it is not over yet"),
        .exit_status = -1,
        .checkpoint = hash_text(&results->pool, &job->checkpoint),
        .attempts = job->attempts != 0 ? job->attempts : 1,
        .cached = job->cached,
    };
    if (job->quarantined)
        test->quarantine =
            pool_format(&results->pool, "%s: %s", job->quarantine.owner, job->quarantine.reason);
    if (job->result != 0)
        (void)queue_attempt_get(results->service->queue, job->result, collect_attempt, &collecting,
                                &ignored);
    results->test_count++;
}

static bool collect_boot(void *context, const struct queue_attempt *attempt)
{
    *(uint64_t *)context = attempt->result.wall_ns;
    return false;
}

/* Boots are no tests: they say how long a boot takes. */
static bool collect_job(void *context, const struct queue_job *job)
{
    struct results *results = context;
    struct err ignored = ERR_INIT;

    results->page.after = job->id;
    results->count++;
    if (job->kind == JOB_TEST && results->test_count < results->capacity)
        collect_test(results, job);
    else if (job->kind == JOB_BOOT && job->result != 0)
        (void)queue_attempt_get(results->service->queue, job->result, collect_boot,
                                &results->boot_ns, &ignored);
    return true;
}

static bool write_report(struct results *results, struct err *err)
{
    struct api_request *request = results->task.request;
    char run[24];
    struct suite_result suite = {
        .name = results->name,
        .run = run,
        .tests = results->tests,
        .test_count = results->test_count,
        .wall_ns = results->wall_ns,
        .boot_ns = results->boot_ns,
    };

    snprintf(run, sizeof run, "%" PRIu64, results->page.run);
    request->status = 200;
    request->type = results->is_tap ? "text/plain; charset=utf-8" : "application/xml";
    return results->is_tap ? report_tap(&suite, &request->body, err)
                           : report_junit(&suite, &request->body, err);
}

static enum task_state report_step(struct service *service, struct task *task)
{
    struct results *results = (struct results *)task;
    struct err err = ERR_INIT;

    results->count = 0;
    if (queue_jobs_each(service->queue, &results->page, collect_job, results, &err)) {
        if (results->count == PAGE_JOBS)
            return TASK_MORE;
        if (write_report(results, &err))
            return TASK_DONE;
    }
    api_fail(task->request, &err);
    return TASK_DONE;
}

static enum api_outcome begin_report(struct service *service, struct api_request *request,
                                     struct results *results, struct err *err)
{
    if (results->capacity > REPORT_TESTS) {
        (void)err_set(err, ERR_TOO_BIG,
                      "a report in this format has at most %u tests, this run has %zu: ask for "
                      "JSON lines",
                      REPORT_TESTS, results->capacity);
        return API_FAILED;
    }
    results->tests = mem_array(results->capacity, sizeof *results->tests);
    results->signatures = mem_array(results->capacity, sizeof *results->signatures);
    results->task.step = report_step;
    results->task.request = request;
    return task_add(&service->tasks, &results->task, err) ? API_TAKEN : API_FAILED;
}

static bool note_run(void *context, const struct queue_run *run)
{
    struct results *results = context;
    uint64_t end_ms = run->ended_ms != 0 ? run->ended_ms : service_wall_ms(results->service);

    results->capacity = (size_t)run->jobs;
    results->name = mem_text(run->name);
    results->wall_ns = end_ms > run->created_ms ? (end_ms - run->created_ms) * NS_PER_MS : 0;
    return false;
}

static enum api_outcome begin(struct service *service, struct api_request *request,
                              struct results *results, struct err *err)
{
    const char *format = http_query(request->exchange, "format");

    if (!api_param_number(request, "run", &results->page.run, err) ||
        !api_query_page(request, &results->page, err) ||
        !queue_run_get(service->queue, results->page.run, note_run, results, err))
        return API_FAILED;
    if (format == NULL || strcmp(format, "jsonl") == 0)
        return begin_lines(service, request, results, err);
    results->is_tap = strcmp(format, "tap") == 0;
    if (results->is_tap || strcmp(format, "junit") == 0)
        return begin_report(service, request, results, err);
    (void)err_set(err, ERR_INVALID, "format: \"%.32s\" is none: write jsonl, junit or tap", format);
    return API_FAILED;
}

static enum api_outcome results_run(struct service *service, struct api_request *request,
                                    struct err *err)
{
    struct results *results = mem_alloc(sizeof *results);
    enum api_outcome outcome;

    results->service = service;
    results->is_whole = true;
    results->page.limit = PAGE_JOBS;
    results->lines = (struct buf)BUF_INIT(PAGE_JOBS * LINE_BYTES_MAX);
    results->task.due_ns = UINT64_MAX;
    results->task.release = results_release;
    outcome = begin(service, request, results, err);
    if (outcome == API_FAILED) {
        results_release(&results->task);
        mem_free(results);
    }
    return outcome;
}

const struct api_call api_results = {NULL, results_run, NULL};
