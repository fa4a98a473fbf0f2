#include "coordinator/api_calls.h"

#include "coordinator/submission.h"
#include "storage/base/log.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Schedules: what to submit, and when. The submission is read when the schedule is set, so that a
 * mistake is told by day, and read again each night. */

struct schedule_fields {
    const char *cron, *time_zone, *missed;
    const json_t *submission;
};
static const struct json_field schedule_fields[] = {
    JSON_FIELD(struct schedule_fields, cron, JSON_FIELD_TEXT, true, QUEUE_CRON_MAX),
    JSON_FIELD(struct schedule_fields, time_zone, JSON_FIELD_TEXT, false, QUEUE_TAG_MAX),
    JSON_FIELD(struct schedule_fields, missed, JSON_FIELD_TEXT, false, 8),
    JSON_FIELD(struct schedule_fields, submission, JSON_FIELD_OBJECT, true, 16),
};

/* What prepare leaves for run. */
struct prepared {
    json_t *json; /* texts of `fields` */
    struct schedule_fields fields;
    enum job_missed missed;
    char *text; /* the submission, as JSON */
    struct submission *submission;
};

static void release(void *prepared)
{
    struct prepared *p = prepared;

    submission_free(p->submission);
    free(p->text);
    json_decref(p->json);
    mem_free(p);
}

static bool read_missed(struct prepared *p, struct err *err)
{
    const char *text = p->fields.missed;

    p->missed = text != NULL && strcmp(text, "skip") == 0 ? JOB_MISSED_SKIP : JOB_MISSED_RUN;
    return text == NULL || p->missed == JOB_MISSED_SKIP || strcmp(text, "run") == 0 ||
           err_set(err, ERR_INVALID, "missed: \"%s\": write \"run\" or \"skip\"", text);
}

static bool read_schedule(struct api_request *request, struct prepared *p, struct err *err)
{
    struct json_fields table = {schedule_fields,
                                sizeof schedule_fields / sizeof schedule_fields[0]};

    if (!json_read(http_body(request->exchange), SUBMISSION_VALUES_MAX, &p->json, err) ||
        !json_read_object(p->json, table, NULL, &p->fields, err) || !read_missed(p, err))
        return false;
    p->text = json_dumps(p->fields.submission, JSON_COMPACT);
    if (p->text == NULL)
        return err_set(err, ERR_INVALID, "submission: cannot be written down");
    if (!submission_read(span_of_text(p->text), false, &p->submission, err))
        return err_wrap(err, "submission");
    return !p->submission->request.open ||
           err_set(err, ERR_INVALID, "submission: a schedule's run cannot be open");
}

static bool prepare_set(struct api_request *request, struct err *err)
{
    struct prepared *p = mem_alloc(sizeof *p);

    if (!read_schedule(request, p, err)) {
        release(p);
        return false;
    }
    request->prepared = p;
    return true;
}

static enum api_outcome schedule_set(struct service *service, struct api_request *request,
                                     struct err *err)
{
    struct prepared *p = request->prepared;
    struct queue_schedule schedule = {
        .name = http_param(request->exchange, "name"),
        .cron = p->fields.cron,
        .time_zone = p->fields.time_zone != NULL ? p->fields.time_zone : "UTC",
        .missed = p->missed,
        .request = span_of_text(p->text),
    };
    uint64_t id;

    return runs_check_hooks(service, &p->submission->request.options, err) &&
                   queue_schedule_set(service->queue, &schedule, &id, err)
               ? api_done(request, err)
               : API_FAILED;
}

static bool show_schedule(void *context, const struct queue_schedule *schedule)
{
    struct json_writer *writer = context;

    json_write_object(writer);
    json_write_key_text(writer, "name", schedule->name);
    json_write_key_text(writer, "cron", schedule->cron);
    json_write_key_text(writer, "time_zone", schedule->time_zone);
    json_write_key_text(writer, "missed", schedule->missed == JOB_MISSED_SKIP ? "skip" : "run");
    json_write_key_bool(writer, "paused", schedule->paused);
    json_write_key_int(writer, "next_s", schedule->next_s);
    json_write_key_int(writer, "last_s",
                       schedule->last_slot_s == INT64_MIN ? 0 : schedule->last_slot_s);
    json_write_key_uint(writer, "last_run", schedule->last_run);
    json_write_key_text(writer, "error", schedule->error[0] != 0 ? schedule->error : NULL);
    json_write_close(writer);
    return true;
}

static enum api_outcome schedule_list(struct service *service, struct api_request *request,
                                      struct err *err)
{
    struct json_writer *writer = api_json(request, 200);

    json_write_object(writer);
    json_write_key(writer, "schedules");
    json_write_array(writer);
    if (!queue_schedules_each(service->queue, show_schedule, writer, err))
        return API_FAILED;
    json_write_close(writer);
    json_write_close(writer);
    return api_json_end(request, err);
}

static enum api_outcome schedule_remove(struct service *service, struct api_request *request,
                                        struct err *err)
{
    return queue_schedule_remove(service->queue, http_param(request->exchange, "name"), err)
               ? api_done(request, err)
               : API_FAILED;
}

static enum api_outcome schedule_pause(struct service *service, struct api_request *request,
                                       struct err *err)
{
    return queue_schedule_pause(service->queue, http_param(request->exchange, "name"), true, err)
               ? api_done(request, err)
               : API_FAILED;
}

static enum api_outcome schedule_resume(struct service *service, struct api_request *request,
                                        struct err *err)
{
    return queue_schedule_pause(service->queue, http_param(request->exchange, "name"), false, err)
               ? api_done(request, err)
               : API_FAILED;
}

const struct api_call api_schedule_list = {NULL, schedule_list, NULL};
const struct api_call api_schedule_set = {prepare_set, schedule_set, release};
const struct api_call api_schedule_remove = {NULL, schedule_remove, NULL};
const struct api_call api_schedule_pause = {NULL, schedule_pause, NULL};
const struct api_call api_schedule_resume = {NULL, schedule_resume, NULL};
