/* api_calls.h — private to api_*.c: what the core can be asked, one struct api_call each. */
#ifndef THAW_COORDINATOR_API_CALLS_H
#define THAW_COORDINATOR_API_CALLS_H

#include "coordinator/json_read.h"
#include "coordinator/service_internal.h"

/* api_runs.c */
extern const struct api_call api_run_submit, api_run_add, api_run_close, api_run_list, api_run_get;
extern const struct api_call api_run_cancel, api_run_pause, api_run_resume;
/* api_jobs.c */
extern const struct api_call api_job_list, api_job_get, api_job_cancel;
/* api_results.c */
extern const struct api_call api_results;
/* api_events.c */
extern const struct api_call api_events;
/* api_history.c */
extern const struct api_call api_compare, api_history, api_baseline_list, api_baseline_set,
    api_baseline_remove;
/* api_agents.c */
extern const struct api_call api_agent_list, api_agent_drain, api_agent_undrain, api_agent_revoke,
    api_enrol;
/* api_tokens.c */
extern const struct api_call api_token_list, api_token_make, api_token_remove;
/* api_schedules.c */
extern const struct api_call api_schedule_list, api_schedule_set, api_schedule_remove,
    api_schedule_pause, api_schedule_resume;
/* metrics.c */
extern const struct api_call api_metrics;

/* coordinator/openapi.yaml as it was when the program was built (cmake/embed.cmake). */
extern const uint8_t api_document[];
extern const size_t api_document_size;

/* An answer {"ok": true}, for calls that say nothing else. */
enum api_outcome api_done(struct api_request *request, struct err *err);
/* A body that is empty or an object: read by `fields` into what `out` points to. The JSON is the
 * caller's (json_decref); NULL for an empty body. */
bool api_read_body(struct api_request *request, struct json_fields fields, void *out, json_t **json,
                   struct err *err);

/* The parameters `verdict` and `state`: names with commas between. */
bool api_query_page(struct api_request *request, struct queue_page *page, struct err *err);

#endif
