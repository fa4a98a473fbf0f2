#include "cli/farm/watching.h"

#include "cli/base/output.h"
#include "cli/farm/live.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS      1000
#define REPORT_MAX   (256u << 20)
#define FAILURES_MAX 60 /* asks that fail in a row before watching ends */

static uint64_t number_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 ? (uint64_t)value : 0;
}

static bool is_over(const json_t *run)
{
    const char *state = json_string_value(json_object_get(run, "state"));

    return state != NULL && (strcmp(state, "done") == 0 || strcmp(state, "cancelled") == 0);
}

/* The coordinator holds the question until something of the run has changed. A coordinator that is
 * away for a while (restarted) does not end the watching. */
static bool follow(struct remote *remote, uint64_t run, const struct watch_hook *hook,
                   struct live *live, struct err *err)
{
    uint64_t event = 0;
    char path[96];

    for (int failures = 0; failures < FAILURES_MAX;) {
        json_t *answer;
        bool over;
        snprintf(path, sizeof path, "runs/%" PRIu64 "?after_event=%" PRIu64 "&wait_ms=%d", run,
                 event, event == 0 ? 0 : WAIT_MS);
        *err = (struct err)ERR_INIT;
        if (!client_ask(remote, "GET", path, (struct span){0}, &answer, err)) {
            struct err why = ERR_INIT;
            if (err->kind != ERR_IO && err->kind != ERR_TIMEOUT)
                return false;
            if (hook != NULL && !hook->between(hook->context, &why)) {
                *err = why;
                return false;
            }
            failures++;
            continue;
        }
        failures = 0;
        event = number_of(answer, "event");
        live_show(live, answer);
        over = is_over(answer);
        json_decref(answer);
        if (over)
            return true;
        if (hook != NULL && !hook->between(hook->context, err))
            return false;
    }
    return false;
}

enum verdict watch_verdict(const struct run_results *results)
{
    return suite_verdict(&results->suite);
}

static bool print_object(const struct run_results *results, struct err *err)
{
    json_t *out = json_deep_copy(results->json), *jobs = json_array();

    for (size_t i = 0; i < json_array_size(results->jobs); i++)
        json_array_append(jobs, json_array_get(results->jobs, i));
    json_object_set_new(out, "verdict", json_string(verdict_name(watch_verdict(results))));
    json_object_set_new(out, "jobs", jobs);
    print_json(out);
    return ferror(stdout) == 0 || err_set(err, ERR_IO, "standard output cannot be written");
}

bool watch_print(const struct run_results *results, bool json, struct err *err)
{
    struct buf out = BUF_INIT(REPORT_MAX);
    bool ok;

    if (json)
        return print_object(results, err);
    ok = report_table(&results->suite, isatty(STDOUT_FILENO) == 1, &out, err);
    if (ok && out.size != 0)
        ok = fwrite(out.data, 1, out.size, stdout) == out.size ||
             err_set(err, ERR_IO, "standard output cannot be written");
    buf_release(&out);
    return ok;
}

bool watch_follow(struct remote *remote, uint64_t run, const struct watch_hook *hook,
                  struct err *err)
{
    struct live live;
    bool ok;

    live_begin(&live, remote, run);
    ok = follow(remote, run, hook, &live, err);
    live_end(&live);
    return ok;
}

bool watch_run(struct remote *remote, uint64_t run, bool json, int *status, struct err *err)
{
    struct run_results results;
    bool ok;

    if (!watch_follow(remote, run, NULL, err) || !run_results_fetch(remote, run, &results, err))
        return false;
    ok = watch_print(&results, json, err);
    *status = verdict_exit_status(watch_verdict(&results));
    run_results_release(&results);
    return ok;
}
