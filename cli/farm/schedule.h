/* schedule.h — a job file that a coordinator starts by itself. */
#ifndef THAW_CLI_FARM_SCHEDULE_H
#define THAW_CLI_FARM_SCHEDULE_H

#include "cli/farm/client.h"
#include "cli/farm/submission.h"

#define SCHEDULE_TIME_SIZE 64

/* Registers the submission with the coordinator under `name`, for when the file's
 * `workflow: schedule:` says; one of that name is replaced. `next_s` is when it starts first.
 * ERR_USAGE if the file has none. */
struct schedule_request {
    const struct job_file *file;
    const struct submission *submission;
    const char *name;
};
bool schedule_send(struct remote *remote, const struct schedule_request *request, int64_t *next_s,
                   struct err *err);

/* "2026-11-23 03:00" by the clocks of that zone, or of UTC, and then it says so, if this host does
 * not know the zone; "never" for a time that never comes. */
void schedule_time(int64_t when_s, const char *zone, char out[SCHEDULE_TIME_SIZE]);

#endif
