#include "coordinator/service_internal.h"

#include "coordinator/submission.h"
#include "storage/base/log.h"

#include <inttypes.h>

/* What the coordinator does by the clock: starts scheduled runs, lets go of what is old, tells of
 * runs that are over. */

static bool start_run(void *context, const struct queue_schedule *schedule, int64_t slot_s,
                      struct err *err)
{
    struct service *service = context;
    struct submission *submission;
    struct queue_submitted submitted;
    bool ok;

    if (!submission_read(schedule->request, false, &submission, err))
        return false;
    submission->request.schedule = schedule->id;
    submission->request.slot_s = slot_s;
    if (submission->request.submitter == NULL)
        submission->request.submitter = "schedule";
    ok = queue_run_submit(service->queue, &submission->request, &submitted, err);
    if (ok)
        log_message(LOG_INFO, "schedule %s: run %" PRIu64 " started", schedule->name,
                    submitted.run);
    submission_free(submission);
    return ok;
}

void upkeep_tick(struct service *service)
{
    struct err err = ERR_INIT;

    if (queue_nights(service->queue, start_run, service, &err) && retention_tick(service, &err) &&
        hook_feed_tick(service, &err))
        return;
    log_message(LOG_ERROR, "schedules, retention and hooks: %s", err.text);
    service->is_lost = service->is_lost || !service_error_is_request(&err);
}
