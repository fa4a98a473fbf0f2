#include "coordinator/api_calls.h"

#include <stdio.h>
#include <string.h>

#define JOBS_PAGE 200
#define JOBS_MAX  1000

struct listing {
    struct service *service;
    struct json_writer *writer;
    uint64_t last; /* id of the job that was written last */
    uint64_t count;
};

static bool list_job(void *context, const struct queue_job *job)
{
    struct listing *listing = context;

    show_job(listing->service, job, listing->writer);
    listing->last = job->id;
    listing->count++;
    return true;
}

/* "pass,fail" as bits. */
static bool parse_names(const char *text, bool verdicts, uint32_t *out, struct err *err)
{
    char name[16];

    *out = 0;
    while (*text != 0) {
        size_t size = strcspn(text, ",");
        unsigned bit = 0;

        snprintf(name, sizeof name, "%.*s", (int)(size < sizeof name ? size : sizeof name - 1),
                 text);
        while (bit < (verdicts ? VERDICT_COUNT : JOB_STATE_COUNT) &&
               strcmp(name, verdicts ? verdict_name((enum verdict)bit)
                                     : job_state_name((enum job_state)bit)) != 0)
            bit++;
        if (bit == (verdicts ? VERDICT_COUNT : JOB_STATE_COUNT))
            return err_set(err, ERR_INVALID, "\"%s\" is no %s", name,
                           verdicts ? "verdict" : "state of a job");
        *out |= 1u << bit;
        text += size + (text[size] == ',');
    }
    return true;
}

bool api_query_page(struct api_request *request, struct queue_page *page, struct err *err)
{
    const char *verdict = http_query(request->exchange, "verdict");
    const char *state = http_query(request->exchange, "state");

    return (verdict == NULL || parse_names(verdict, true, &page->verdicts, err)) &&
           (state == NULL || parse_names(state, false, &page->states, err));
}

static bool run_exists(void *context, const struct queue_run *run)
{
    (void)context;
    (void)run;
    return false;
}

static enum api_outcome job_list(struct service *service, struct api_request *request,
                                 struct err *err)
{
    struct listing listing = {.service = service};
    struct queue_page page = {.run = 0};

    if (!api_param_number(request, "run", &page.run, err) ||
        !api_query_number(request, "after", (struct api_bounds){0, INT64_MAX}, &page.after, err) ||
        !api_query_number(request, "limit", (struct api_bounds){JOBS_PAGE, JOBS_MAX}, &page.limit,
                          err) ||
        !api_query_page(request, &page, err) ||
        !queue_run_get(service->queue, page.run, run_exists, NULL, err))
        return API_FAILED;
    if (page.limit == 0)
        page.limit = JOBS_PAGE;
    listing.writer = api_json(request, 200);
    json_write_object(listing.writer);
    json_write_key(listing.writer, "jobs");
    json_write_array(listing.writer);
    if (!queue_jobs_each(service->queue, &page, list_job, &listing, err))
        return API_FAILED;
    json_write_close(listing.writer);
    if (listing.count == page.limit)
        json_write_key_uint(listing.writer, "next", listing.last);
    json_write_close(listing.writer);
    return api_json_end(request, err);
}

static enum api_outcome job_get(struct service *service, struct api_request *request,
                                struct err *err)
{
    struct listing listing = {.service = service};
    uint64_t job;

    if (!api_param_number(request, "job", &job, err))
        return API_FAILED;
    listing.writer = api_json(request, 200);
    if (!queue_job_get(service->queue, job, list_job, &listing, err))
        return API_FAILED;
    return api_json_end(request, err);
}

static enum api_outcome job_cancel(struct service *service, struct api_request *request,
                                   struct err *err)
{
    char reason[QUEUE_TEXT_MAX];
    uint64_t job;

    snprintf(reason, sizeof reason, "cancelled by %s", http_identity(request->exchange));
    return api_param_number(request, "job", &job, err) &&
                   queue_job_cancel(service->queue, job, reason, err)
               ? api_done(request, err)
               : API_FAILED;
}

const struct api_call api_job_list = {NULL, job_list, NULL};
const struct api_call api_job_get = {NULL, job_get, NULL};
const struct api_call api_job_cancel = {NULL, job_cancel, NULL};
