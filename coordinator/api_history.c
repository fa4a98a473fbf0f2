#include "coordinator/api_calls.h"

#include "jobs/report.h"

#include <stdio.h>
#include <string.h>

#define HISTORY_ENTRIES 100
#define HISTORY_MAX     10000

/* ---- runs held against each other ---- */

/* Differences come by suite and name; the answer lists them by kind: a writer for each. */
struct differences {
    struct buf texts[QUEUE_CHANGE_COUNT];
    struct json_writer writers[QUEUE_CHANGE_COUNT];
    struct err err;
};

/* A line for people. */
static void difference_text(const struct queue_difference *difference, char *out, size_t size)
{
    const char *now = verdict_name(difference->verdict);
    const char *before = verdict_name(difference->verdict_before);

    switch (difference->change) {
    case QUEUE_SLOWER:
        snprintf(out, size, "%s instructions, %s before",
                 report_number(difference->instructions).text,
                 report_number(difference->instructions_before).text);
        break;
    case QUEUE_STILL_FAILING:
        snprintf(out, size, "%s, since run %llu", now, (unsigned long long)difference->since);
        break;
    case QUEUE_ADDED:
        snprintf(out, size, "%s", now);
        break;
    case QUEUE_GONE:
        snprintf(out, size, "was %s", before);
        break;
    default:
        snprintf(out, size, "%s, was %s", now, before);
        break;
    }
}

static bool note_difference(void *context, const struct queue_difference *difference)
{
    struct differences *differences = context;
    struct json_writer *writer = &differences->writers[difference->change];
    bool is_gone = difference->change == QUEUE_GONE, is_new = difference->change == QUEUE_ADDED;
    char text[128];

    difference_text(difference, text, sizeof text);
    json_write_object(writer);
    json_write_key_text(writer, "suite", difference->suite);
    json_write_key_text(writer, "name", difference->name);
    json_write_key_text(writer, "text", text);
    json_write_key_uint(writer, "job", difference->job);
    json_write_key_uint(writer, "other", difference->other);
    json_write_key_text(writer, "verdict", is_gone ? NULL : verdict_name(difference->verdict));
    json_write_key_text(writer, "verdict_before",
                        is_new ? NULL : verdict_name(difference->verdict_before));
    json_write_key_uint(writer, "instructions", difference->instructions);
    json_write_key_uint(writer, "instructions_before", difference->instructions_before);
    json_write_key_uint(writer, "since", difference->since);
    json_write_key_bool(writer, "quarantined", difference->quarantined);
    json_write_close(writer);
    return true;
}

static void differences_init(struct differences *differences)
{
    differences->err = (struct err)ERR_INIT;
    for (unsigned i = 0; i < QUEUE_CHANGE_COUNT; i++) {
        differences->texts[i] = (struct buf)BUF_INIT(API_ANSWER_MAX / QUEUE_CHANGE_COUNT);
        differences->writers[i] = json_writer(&differences->texts[i], false, &differences->err);
        json_write_array(&differences->writers[i]);
    }
}

/* Puts the lists behind one another into the answer. */
static bool differences_write(struct differences *differences, uint64_t run, uint64_t against,
                              struct buf *out, struct err *err)
{
    bool ok = buf_format(out, err, "{\"run\": %llu, \"against\": %llu", (unsigned long long)run,
                         (unsigned long long)against);

    for (unsigned i = 0; ok && i < QUEUE_CHANGE_COUNT; i++) {
        json_write_close(&differences->writers[i]);
        ok = json_writer_ok(&differences->writers[i]);
        if (!ok)
            *err = differences->err;
        ok = ok && buf_format(out, err, ", \"%s\": ", queue_change_name((enum queue_change)i)) &&
             buf_append(out, differences->texts[i].data, differences->texts[i].size, err);
    }
    return ok && buf_append_text(out, "}", err);
}

static void differences_release(struct differences *differences)
{
    for (unsigned i = 0; i < QUEUE_CHANGE_COUNT; i++)
        buf_release(&differences->texts[i]);
}

static bool parse_against(struct api_request *request, struct queue_comparison *out,
                          struct err *err)
{
    const char *against = http_query(request->exchange, "against");
    uint64_t slower;

    if (!api_query_number(request, "slower_permille", (struct api_bounds){0, 1000000}, &slower,
                          err))
        return false;
    out->slower_permille = (uint32_t)slower;
    if (against == NULL || strcmp(against, "previous") == 0)
        return true;
    if (strspn(against, "0123456789") == strlen(against))
        return api_number(against, "against", &out->against, err);
    out->baseline = against;
    return true;
}

static enum api_outcome compare(struct service *service, struct api_request *request,
                                struct err *err)
{
    struct queue_comparison comparison = {.run = 0};
    struct differences differences;
    bool ok;

    if (!api_param_number(request, "run", &comparison.run, err) ||
        !parse_against(request, &comparison, err))
        return API_FAILED;
    differences_init(&differences);
    ok = queue_compare(service->queue, &comparison, note_difference, &differences, err) &&
         differences_write(&differences, comparison.run, comparison.against, &request->body, err);
    differences_release(&differences);
    request->status = 200;
    request->type = "application/json";
    return ok ? API_ANSWERED : API_FAILED;
}

const struct api_call api_compare = {NULL, compare, NULL};

/* ---- one test through all runs ---- */

static bool show_entry(void *context, const struct queue_history *entry)
{
    struct json_writer *writer = context;

    json_write_object(writer);
    json_write_key_uint(writer, "run", entry->run);
    json_write_key_uint(writer, "job", entry->job);
    json_write_key_text(writer, "verdict", verdict_name(entry->verdict));
    json_write_key_bool(writer, "cached", entry->cached);
    json_write_key_uint(writer, "instructions", entry->instructions);
    json_write_key_ms(writer, "wall_ms", entry->wall_ns);
    show_hash(writer, "state_id", &entry->state_id);
    json_write_key_uint(writer, "ended_s", entry->ended_ms / 1000);
    json_write_close(writer);
    return true;
}

static enum api_outcome history(struct service *service, struct api_request *request,
                                struct err *err)
{
    const char *suite = http_query(request->exchange, "suite");
    struct queue_test test = {suite != NULL ? suite : "", http_query(request->exchange, "name"), 0};
    struct json_writer *writer;

    if (test.name == NULL) {
        (void)err_set(err, ERR_INVALID, "say which test: ?suite=…&name=…");
        return API_FAILED;
    }
    if (!api_query_number(request, "limit", (struct api_bounds){HISTORY_ENTRIES, HISTORY_MAX},
                          &test.limit, err))
        return API_FAILED;
    writer = api_json(request, 200);
    json_write_object(writer);
    json_write_key_text(writer, "suite", test.suite);
    json_write_key_text(writer, "name", test.name);
    json_write_key(writer, "history");
    json_write_array(writer);
    if (!queue_history_each(service->queue, &test, show_entry, writer, err))
        return API_FAILED;
    json_write_close(writer);
    json_write_close(writer);
    return api_json_end(request, err);
}

const struct api_call api_history = {NULL, history, NULL};

/* ---- baselines ---- */

static bool show_baseline(void *context, const char *name, uint64_t run)
{
    struct json_writer *writer = context;

    json_write_object(writer);
    json_write_key_text(writer, "name", name);
    json_write_key_uint(writer, "run", run);
    json_write_close(writer);
    return true;
}

static enum api_outcome baseline_list(struct service *service, struct api_request *request,
                                      struct err *err)
{
    struct json_writer *writer = api_json(request, 200);

    json_write_object(writer);
    json_write_key(writer, "baselines");
    json_write_array(writer);
    if (!queue_baselines_each(service->queue, show_baseline, writer, err))
        return API_FAILED;
    json_write_close(writer);
    json_write_close(writer);
    return api_json_end(request, err);
}

struct baseline_fields {
    uint64_t run;
};
static const struct json_field baseline_fields[] = {
    JSON_FIELD(struct baseline_fields, run, JSON_FIELD_UINT, true, INT64_MAX),
};

static enum api_outcome baseline_set(struct service *service, struct api_request *request,
                                     struct err *err)
{
    const char *name = http_param(request->exchange, "name");
    struct baseline_fields fields = {0};
    json_t *json;
    bool ok = api_read_body(request, (struct json_fields){baseline_fields, 1}, &fields, &json, err);

    /* Numbers are runs: see ?against. */
    if (ok && strspn(name, "0123456789") == strlen(name))
        ok = err_set(err, ERR_INVALID, "a baseline's name is more than a number");
    ok = ok && queue_baseline_set(service->queue, name, fields.run, err);
    json_decref(json);
    return ok ? api_done(request, err) : API_FAILED;
}

static enum api_outcome baseline_remove(struct service *service, struct api_request *request,
                                        struct err *err)
{
    return queue_baseline_remove(service->queue, http_param(request->exchange, "name"), err)
               ? api_done(request, err)
               : API_FAILED;
}

const struct api_call api_baseline_list = {NULL, baseline_list, NULL};
const struct api_call api_baseline_set = {NULL, baseline_set, NULL};
const struct api_call api_baseline_remove = {NULL, baseline_remove, NULL};
