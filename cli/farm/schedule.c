#include "cli/farm/schedule.h"

#include "jobs/json_writer.h"
#include "jobs/time_zone.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The submission is JSON already: it goes in as it is. */
static bool write_body(const struct schedule_request *request, struct buf *out, struct err *err)
{
    const struct job_workflow *workflow = &request->file->workflow;
    const struct buf *submission = &request->submission->parts[0];
    struct json_writer json = json_writer(out, false, err);

    if (request->submission->part_count != 1)
        return err_set(err, ERR_TOO_BIG,
                       "%zu jobs are too many for a schedule, which is kept as one submission",
                       request->submission->job_count);
    json_write_object(&json);
    json_write_key_text(&json, "cron", workflow->schedule.cron);
    json_write_key_text(&json, "time_zone", workflow->schedule.time_zone);
    json_write_key_text(&json, "missed",
                        workflow->schedule.missed == JOB_MISSED_SKIP ? "skip" : "run");
    json_write_close(&json);
    if (!json_writer_ok(&json))
        return false;
    out->size -= 1; /* the brace that closes it */
    return buf_append_text(out, ", \"submission\": ", err) &&
           buf_append(out, submission->data, submission->size, err) &&
           buf_append_text(out, "}", err);
}

static bool find_next(struct remote *remote, const char *name, int64_t *next_s, struct err *err)
{
    json_t *answer;
    const json_t *list;
    bool found = false;

    if (!client_ask(remote, "GET", "schedules", (struct span){0}, &answer, err))
        return false;
    list = json_object_get(answer, "schedules");
    for (size_t i = 0; !found && i < json_array_size(list); i++) {
        const json_t *schedule = json_array_get(list, i);
        found = strcmp(client_text(schedule, "name"), name) == 0;
        if (found)
            *next_s = client_number(schedule, "next_s");
    }
    json_decref(answer);
    return found || err_set(err, ERR_NOT_FOUND, "the coordinator does not list schedule %s", name);
}

bool schedule_send(struct remote *remote, const struct schedule_request *request, int64_t *next_s,
                   struct err *err)
{
    struct buf body = BUF_INIT(SUBMISSION_JSON_MAX);
    char *path = client_path("schedules/", request->name, "");
    json_t *answer = NULL;
    bool ok;

    ok = (request->file->workflow.schedule.cron != NULL ||
          err_set(err, ERR_USAGE, "%s has no `workflow: schedule:` with a `cron:`",
                  request->file->path)) &&
         write_body(request, &body, err) &&
         client_ask(remote, "PUT", path, buf_span(&body), &answer, err) &&
         find_next(remote, request->name, next_s, err);
    json_decref(answer);
    mem_free(path);
    buf_release(&body);
    return ok;
}

void schedule_time(int64_t when_s, const char *zone, char out[SCHEDULE_TIME_SIZE])
{
    struct time_zone *loaded = NULL;
    struct err ignored = ERR_INIT;
    bool known = time_zone_load(zone, &loaded, &ignored);
    time_t local = (time_t)(when_s + (known ? time_zone_offset(loaded, when_s) : 0));
    struct tm parts;
    size_t used;

    time_zone_free(loaded);
    if (when_s >= INT64_MAX / 2 || gmtime_r(&local, &parts) == NULL) {
        snprintf(out, SCHEDULE_TIME_SIZE, "never");
        return;
    }
    used = strftime(out, SCHEDULE_TIME_SIZE, "%Y-%m-%d %H:%M", &parts);
    snprintf(out + used, SCHEDULE_TIME_SIZE - used, "%s", known ? "" : " UTC");
}
