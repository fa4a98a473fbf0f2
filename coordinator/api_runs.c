#include "coordinator/api_calls.h"

#include "coordinator/submission.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define RUNS_PAGE 100
#define RUNS_MAX  1000

/* ---- submitting ---- */

static bool prepare_submission(struct api_request *request, struct err *err)
{
    struct submission *submission;

    if (!submission_read(http_body(request->exchange), false, &submission, err))
        return false;
    request->prepared = submission;
    return true;
}

static bool prepare_more(struct api_request *request, struct err *err)
{
    struct submission *submission;

    if (!submission_read(http_body(request->exchange), true, &submission, err))
        return false;
    request->prepared = submission;
    return true;
}

static void release_submission(void *prepared)
{
    submission_free(prepared);
}

static bool is_secret(const struct service *service, const char *name)
{
    for (size_t i = 0; i < service->options.secret_count; i++)
        if (strcmp(service->options.secrets[i].name, name) == 0)
            return true;
    return false;
}

static bool is_command(const struct service *service, const char *name)
{
    for (size_t i = 0; i < service->options.command_count; i++)
        if (strcmp(service->options.commands[i].name, name) == 0)
            return true;
    return false;
}

bool runs_check_hooks(const struct service *service, const struct queue_run_options *options,
                      struct err *err)
{
    if (options->webhook_secret != NULL && !is_secret(service, options->webhook_secret))
        return err_set(err, ERR_INVALID,
                       "options.webhook.secret: the coordinator has no secret \"%s\": its "
                       "configuration names them",
                       options->webhook_secret);
    if (options->command != NULL && !is_command(service, options->command))
        return err_set(err, ERR_INVALID,
                       "options.command: the coordinator has no command \"%.64s\": its "
                       "configuration names those that it runs",
                       options->command);
    return true;
}

static enum api_outcome show_submitted(struct api_request *request,
                                       const struct queue_submitted *submitted, struct err *err)
{
    struct json_writer *writer = api_json(request, 201);
    char location[64];

    json_write_object(writer);
    json_write_key_uint(writer, "run", submitted->run);
    json_write_key_uint(writer, "jobs", submitted->jobs);
    json_write_key_uint(writer, "cached", submitted->cached);
    json_write_close(writer);
    snprintf(location, sizeof location, "/api/v1/runs/%" PRIu64, submitted->run);
    http_respond_header(request->exchange, "Location", location);
    return api_json_end(request, err);
}

static enum api_outcome run_submit(struct service *service, struct api_request *request,
                                   struct err *err)
{
    struct submission *submission = request->prepared;
    struct queue_submitted submitted;
    const char *who = http_identity(request->exchange);

    /* Who has shown a token is who submits, whatever the text says; at home anybody is anybody. */
    if (submission->request.submitter == NULL || strcmp(who, "local") != 0)
        submission->request.submitter = who;
    if (!runs_check_hooks(service, &submission->request.options, err) ||
        !queue_run_submit(service->queue, &submission->request, &submitted, err))
        return API_FAILED;
    return show_submitted(request, &submitted, err);
}

static enum api_outcome run_add(struct service *service, struct api_request *request,
                                struct err *err)
{
    struct submission *submission = request->prepared;
    struct queue_submitted submitted;
    uint64_t run;

    if (!api_param_number(request, "run", &run, err) ||
        !queue_run_add(service->queue, run, &submission->request, &submitted, err))
        return API_FAILED;
    return show_submitted(request, &submitted, err);
}

const struct api_call api_run_submit = {prepare_submission, run_submit, release_submission};
const struct api_call api_run_add = {prepare_more, run_add, release_submission};

/* ---- what is done to a run ---- */

struct reason_fields {
    const char *reason;
};
static const struct json_field reason_fields[] = {
    JSON_FIELD(struct reason_fields, reason, JSON_FIELD_TEXT, false, QUEUE_TEXT_MAX),
};

static enum api_outcome run_cancel(struct service *service, struct api_request *request,
                                   struct err *err)
{
    struct reason_fields fields = {NULL};
    char reason[QUEUE_TEXT_MAX];
    json_t *json = NULL;
    uint64_t run;
    bool ok;

    ok = api_read_body(request, (struct json_fields){reason_fields, 1}, &fields, &json, err) &&
         api_param_number(request, "run", &run, err);
    if (ok) {
        snprintf(reason, sizeof reason, "cancelled by %s", http_identity(request->exchange));
        ok = queue_run_cancel(service->queue, run, fields.reason != NULL ? fields.reason : reason,
                              err);
    }
    json_decref(json);
    return ok ? api_done(request, err) : API_FAILED;
}

static enum api_outcome run_pause(struct service *service, struct api_request *request,
                                  struct err *err)
{
    uint64_t run;

    return api_param_number(request, "run", &run, err) && queue_run_pause(service->queue, run, err)
               ? api_done(request, err)
               : API_FAILED;
}

static enum api_outcome run_resume(struct service *service, struct api_request *request,
                                   struct err *err)
{
    uint64_t run;

    return api_param_number(request, "run", &run, err) && queue_run_resume(service->queue, run, err)
               ? api_done(request, err)
               : API_FAILED;
}

static enum api_outcome run_close(struct service *service, struct api_request *request,
                                  struct err *err)
{
    uint64_t run;

    return api_param_number(request, "run", &run, err) && queue_run_close(service->queue, run, err)
               ? api_done(request, err)
               : API_FAILED;
}

const struct api_call api_run_cancel = {NULL, run_cancel, NULL};
const struct api_call api_run_pause = {NULL, run_pause, NULL};
const struct api_call api_run_resume = {NULL, run_resume, NULL};
const struct api_call api_run_close = {NULL, run_close, NULL};

/* ---- looking ---- */

struct looking {
    struct service *service;
    struct json_writer *writer;
};

static bool list_run(void *context, const struct queue_run *run)
{
    struct looking *looking = context;

    json_write_object(looking->writer);
    show_run(looking->service, run, looking->writer);
    json_write_close(looking->writer);
    return true;
}

static enum api_outcome run_list(struct service *service, struct api_request *request,
                                 struct err *err)
{
    struct looking looking = {service, NULL};
    struct queue_page page = {.name = http_query(request->exchange, "name")};

    if (!api_query_number(request, "limit", (struct api_bounds){RUNS_PAGE, RUNS_MAX}, &page.limit,
                          err) ||
        !api_query_number(request, "before", (struct api_bounds){0, INT64_MAX}, &page.after, err))
        return API_FAILED;
    if (page.limit == 0)
        page.limit = RUNS_PAGE;
    looking.writer = api_json(request, 200);
    json_write_object(looking.writer);
    json_write_key(looking.writer, "runs");
    json_write_array(looking.writer);
    if (!queue_runs_each(service->queue, &page, list_run, &looking, err))
        return API_FAILED;
    json_write_close(looking.writer);
    json_write_close(looking.writer);
    return api_json_end(request, err);
}

const struct api_call api_run_list = {NULL, run_list, NULL};

static bool attempt_wall(void *context, const struct queue_attempt *attempt)
{
    uint64_t *wall_ns = context;

    *wall_ns = attempt->result.wall_ns;
    return false;
}

struct first_boot {
    struct service *service;
    uint64_t wall_ns; /* 0: not known */
};

static bool boot_wall(void *context, const struct queue_job *job)
{
    struct first_boot *boot = context;
    struct err ignored = ERR_INIT;

    if (job->kind == JOB_BOOT && job->result != 0)
        (void)queue_attempt_get(boot->service->queue, job->result, attempt_wall, &boot->wall_ns,
                                &ignored);
    return false;
}

static bool show_unserved(void *context, const struct queue_unserved *unserved)
{
    struct json_writer *writer = context;

    json_write_object(writer);
    json_write_key_text(writer, "host", unserved->host);
    json_write_key_uint(writer, "memory_mib", unserved->memory_mib);
    json_write_key_uint(writer, "jobs", unserved->jobs);
    json_write_close(writer);
    return true;
}

static bool show_one(void *context, const struct queue_run *run)
{
    struct looking *looking = context;
    struct first_boot boot = {looking->service, 0};
    struct queue_page page = {.run = run->id, .limit = 1};
    struct err ignored = ERR_INIT;

    /* Boots are submitted first. */
    (void)queue_jobs_each(looking->service->queue, &page, boot_wall, &boot, &ignored);
    show_run(looking->service, run, looking->writer);
    json_write_key_ms(looking->writer, "boot_ms", boot.wall_ns);
    json_write_key_uint(looking->writer, "event", queue_event_newest(looking->service->queue));
    json_write_key(looking->writer, "unserved");
    json_write_array(looking->writer);
    queue_unserved_each(looking->service->queue, run->id, show_unserved, looking->writer);
    json_write_close(looking->writer);
    return false;
}

static enum api_outcome answer_run(struct service *service, struct api_request *request,
                                   uint64_t run, struct err *err)
{
    struct looking looking = {service, api_json(request, 200)};

    json_write_object(looking.writer);
    if (!queue_run_get(service->queue, run, show_one, &looking, err))
        return API_FAILED;
    json_write_close(looking.writer);
    return api_json_end(request, err);
}

/* Waits for an event of the run. */
struct watch {
    struct task task;
    uint64_t run;
    uint64_t after; /* events up to this one are known */
};

static enum task_state watch_step(struct service *service, struct task *task)
{
    struct watch *watch = (struct watch *)task;
    struct queue_event event;
    struct queue_events events = {.events = &event, .size = 1};
    struct err err = ERR_INIT;

    if (queue_event_newest(service->queue) == watch->after &&
        service_now_ns(service) < task->due_ns)
        return TASK_WAITS;
    queue_events(service->queue, watch->after, watch->run, &events);
    watch->after = events.next;
    if (events.count == 0 && !events.gap && service_now_ns(service) < task->due_ns)
        return TASK_WAITS;
    if (answer_run(service, task->request, watch->run, &err) == API_FAILED)
        api_fail(task->request, &err);
    return TASK_DONE;
}

static bool run_is_there(void *context, const struct queue_run *run)
{
    (void)run;
    *(bool *)context = true;
    return false;
}

static enum api_outcome run_get(struct service *service, struct api_request *request,
                                struct err *err)
{
    struct watch *watch;
    uint64_t run, after, wait_ms;
    bool there = false;

    if (!api_param_number(request, "run", &run, err) ||
        !api_query_number(request, "after_event", (struct api_bounds){0, INT64_MAX}, &after, err) ||
        !api_query_number(request, "wait_ms", (struct api_bounds){0, SERVICE_WATCH_MS_MAX},
                          &wait_ms, err))
        return API_FAILED;
    if (wait_ms == 0)
        return answer_run(service, request, run, err);
    if (!queue_run_get(service->queue, run, run_is_there, &there, err))
        return API_FAILED;
    watch = mem_alloc(sizeof *watch);
    *watch = (struct watch){
        {.step = watch_step,
         .request = request,
         .due_ns = service_now_ns(service) + wait_ms * NS_PER_MS},
        run,
        after,
    };
    if (task_add(&service->tasks, &watch->task, err))
        return API_TAKEN;
    mem_free(watch);
    return API_FAILED;
}

const struct api_call api_run_get = {NULL, run_get, NULL};
