#include "coordinator/submission.h"

#include "storage/base/check.h"

#include <string.h>

#define URL_MAX      2048
#define NAMES(array) array, sizeof array / sizeof array[0]

/* The JSON's objects as they are written; see openapi.yaml. */
struct run_fields {
    const char *name, *submitter;
    uint32_t priority;
    const json_t *options, *jobs;
    bool open;
};
static const struct json_field run_fields[] = {
    JSON_FIELD(struct run_fields, name, JSON_FIELD_TEXT, true, QUEUE_NAME_MAX),
    JSON_FIELD(struct run_fields, submitter, JSON_FIELD_TEXT, false, QUEUE_TAG_MAX),
    JSON_FIELD(struct run_fields, priority, JSON_FIELD_UINT32, false, 100),
    JSON_FIELD(struct run_fields, options, JSON_FIELD_OBJECT, false, 64),
    JSON_FIELD(struct run_fields, jobs, JSON_FIELD_ARRAY, true, QUEUE_JOBS_MAX),
    JSON_FIELD(struct run_fields, open, JSON_FIELD_BOOL, false, 0),
};
static const struct json_field more_fields[] = {
    JSON_FIELD(struct run_fields, jobs, JSON_FIELD_ARRAY, true, QUEUE_JOBS_MAX),
};

struct option_fields {
    uint64_t max_failures;
    const char *order;
    bool no_cache;
    uint32_t rerun_share_permille, slower_permille;
    const char *baseline, *command;
    const json_t *webhook;
    uint64_t keep_runs, keep_run_s, keep_artifacts_s, keep_checkpoints_s;
};
static const struct json_field option_fields[] = {
    JSON_FIELD(struct option_fields, max_failures, JSON_FIELD_UINT, false, INT64_MAX),
    JSON_FIELD(struct option_fields, order, JSON_FIELD_TEXT, false, 32),
    JSON_FIELD(struct option_fields, no_cache, JSON_FIELD_BOOL, false, 0),
    JSON_FIELD(struct option_fields, rerun_share_permille, JSON_FIELD_UINT32, false, 1000),
    JSON_FIELD(struct option_fields, slower_permille, JSON_FIELD_UINT32, false, 1000000),
    JSON_FIELD(struct option_fields, baseline, JSON_FIELD_TEXT, false, QUEUE_NAME_MAX),
    JSON_FIELD(struct option_fields, command, JSON_FIELD_TEXT, false, QUEUE_TEXT_MAX),
    JSON_FIELD(struct option_fields, webhook, JSON_FIELD_OBJECT, false, 2),
    JSON_FIELD(struct option_fields, keep_runs, JSON_FIELD_UINT, false, INT64_MAX),
    JSON_FIELD(struct option_fields, keep_run_s, JSON_FIELD_UINT, false, INT64_MAX),
    JSON_FIELD(struct option_fields, keep_artifacts_s, JSON_FIELD_UINT, false, INT64_MAX),
    JSON_FIELD(struct option_fields, keep_checkpoints_s, JSON_FIELD_UINT, false, INT64_MAX),
};

struct webhook_fields {
    const char *url, *secret;
};
static const struct json_field webhook_fields[] = {
    JSON_FIELD(struct webhook_fields, url, JSON_FIELD_TEXT, true, URL_MAX),
    JSON_FIELD(struct webhook_fields, secret, JSON_FIELD_TEXT, false, QUEUE_TAG_MAX),
};

struct job_fields {
    const char *name, *group, *suite, *kind, *tag, *reason;
    struct hash spec, checkpoint, boot;
    const json_t *host, *needs, *quarantine, *parameters;
    uint64_t memory_mib, instructions_max, instructions, wall_ms_max;
    uint32_t retry_infra;
    bool expect_failure, skip;
};
static const struct json_field job_fields[] = {
    JSON_FIELD(struct job_fields, name, JSON_FIELD_TEXT, true, QUEUE_NAME_MAX),
    JSON_FIELD(struct job_fields, group, JSON_FIELD_TEXT, false, QUEUE_NAME_MAX),
    JSON_FIELD(struct job_fields, suite, JSON_FIELD_TEXT, false, QUEUE_NAME_MAX),
    JSON_FIELD(struct job_fields, kind, JSON_FIELD_TEXT, false, 16),
    JSON_FIELD(struct job_fields, spec, JSON_FIELD_HASH, true, 0),
    JSON_FIELD(struct job_fields, checkpoint, JSON_FIELD_HASH, false, 0),
    JSON_FIELD(struct job_fields, boot, JSON_FIELD_HASH, false, 0),
    JSON_FIELD(struct job_fields, tag, JSON_FIELD_TEXT, false, 128),
    JSON_FIELD(struct job_fields, host, JSON_FIELD_ARRAY, false, QUEUE_HOST_MAX),
    JSON_FIELD(struct job_fields, memory_mib, JSON_FIELD_UINT, false, INT64_MAX),
    JSON_FIELD(struct job_fields, needs, JSON_FIELD_ARRAY, false, QUEUE_NEEDS_MAX),
    JSON_FIELD(struct job_fields, instructions_max, JSON_FIELD_UINT, false, INT64_MAX),
    JSON_FIELD(struct job_fields, instructions, JSON_FIELD_UINT, false, INT64_MAX),
    JSON_FIELD(struct job_fields, wall_ms_max, JSON_FIELD_UINT, false, INT64_MAX),
    JSON_FIELD(struct job_fields, retry_infra, JSON_FIELD_UINT32, false, 16),
    JSON_FIELD(struct job_fields, expect_failure, JSON_FIELD_BOOL, false, 0),
    JSON_FIELD(struct job_fields, skip, JSON_FIELD_BOOL, false, 0),
    JSON_FIELD(struct job_fields, reason, JSON_FIELD_TEXT, false, QUEUE_TEXT_MAX),
    JSON_FIELD(struct job_fields, quarantine, JSON_FIELD_OBJECT, false, 3),
    JSON_FIELD(struct job_fields, parameters, JSON_FIELD_OBJECT, false, 64),
};

struct quarantine_fields {
    const char *owner, *reason;
    uint64_t until;
};
static const struct json_field quarantine_fields[] = {
    JSON_FIELD(struct quarantine_fields, owner, JSON_FIELD_TEXT, true, QUEUE_TAG_MAX),
    JSON_FIELD(struct quarantine_fields, reason, JSON_FIELD_TEXT, true, QUEUE_TEXT_MAX),
    JSON_FIELD(struct quarantine_fields, until, JSON_FIELD_UINT, false, INT64_MAX),
};

#define FIELDS(array) ((struct json_fields){NAMES(array)})

static bool read_order(const char *text, const struct json_place *place, enum job_order *out,
                       struct err *err)
{
    if (text == NULL || strcmp(text, "longest_first") == 0 || strcmp(text, "longest-first") == 0) {
        *out = JOB_ORDER_LONGEST;
        return true;
    }
    *out = JOB_ORDER_FILE;
    return strcmp(text, "file") == 0 ||
           json_read_fail(err, place, "\"%.32s\": write \"longest_first\" or \"file\"", text);
}

static bool read_webhook(const json_t *json, const struct json_place *place,
                         struct queue_run_options *out, struct err *err)
{
    struct json_place at = {place, "webhook", 0};
    struct webhook_fields fields = {0};

    if (json == NULL)
        return true;
    if (!json_read_object(json, FIELDS(webhook_fields), &at, &fields, err))
        return false;
    if (strncmp(fields.url, "http://", 7) != 0 && strncmp(fields.url, "https://", 8) != 0)
        return json_read_fail(err, &at, "the url must begin with http:// or https://");
    out->webhook_url = fields.url;
    out->webhook_secret = fields.secret;
    return true;
}

static bool read_options(const json_t *json, struct queue_run_options *out, struct err *err)
{
    struct json_place place = {NULL, "options", 0};
    struct json_place order = {&place, "order", 0};
    struct option_fields fields = {.order = NULL};

    if (json != NULL && !json_read_object(json, FIELDS(option_fields), &place, &fields, err))
        return false;
    *out = (struct queue_run_options){
        .max_failures = fields.max_failures,
        .no_cache = fields.no_cache,
        .rerun_share_permille = fields.rerun_share_permille,
        .slower_permille = fields.slower_permille,
        .baseline = fields.baseline,
        .command = fields.command,
        .keep_runs = fields.keep_runs,
        .keep_run_s = fields.keep_run_s,
        .keep_artifacts_s = fields.keep_artifacts_s,
        .keep_checkpoints_s = fields.keep_checkpoints_s,
    };
    return read_order(fields.order, &order, &out->order, err) &&
           read_webhook(fields.webhook, &place, out, err);
}

static bool read_quarantine(const json_t *json, const struct json_place *place,
                            struct queue_quarantine *out, struct err *err)
{
    struct json_place at = {place, "quarantine", 0};
    struct quarantine_fields fields = {0};

    if (json == NULL)
        return true;
    if (!json_read_object(json, FIELDS(quarantine_fields), &at, &fields, err))
        return false;
    *out = (struct queue_quarantine){fields.owner, fields.reason, fields.until};
    return true;
}

static bool read_needs(struct pool *pool, const json_t *json, const struct json_place *place,
                       struct queue_job_request *out, struct err *err)
{
    struct json_place at = {place, "needs", 0};
    size_t count = json_array_size(json);
    uint32_t *needs = pool_array(pool, count, sizeof *needs);

    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(json, i);
        struct json_place item = {&at, NULL, i};

        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) > UINT32_MAX)
            return json_read_fail(err, &item, "must be the place of a job in the list, from 0");
        needs[i] = (uint32_t)json_integer_value(value);
    }
    out->needs = needs;
    out->need_count = (uint32_t)count;
    return true;
}

static bool read_host(struct pool *pool, const json_t *json, const struct json_place *place,
                      struct queue_job_request *out, struct err *err)
{
    struct json_place at = {place, "host", 0};
    size_t count = json_array_size(json);
    const char **tags = pool_array(pool, count, sizeof *tags);

    out->host = tags;
    out->host_count = (uint32_t)count;
    return json_read_texts(json, QUEUE_TAG_MAX, &at, tags, err);
}

/* {name: text}, kept as one text. */
static bool read_parameters(struct pool *pool, const json_t *json, const struct json_place *place,
                            const char **out, struct err *err)
{
    struct json_place at = {place, "parameters", 0};
    const char *key;
    json_t *value;
    char text[QUEUE_PARAMETERS_MAX];
    size_t size;

    if (json == NULL)
        return true;
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
    {
        struct json_place item = {&at, key, 0};

        if (!json_is_string(value))
            return json_read_fail(err, &item, "must be a text");
    }
    size = json_dumpb(json, text, sizeof text, JSON_COMPACT | JSON_SORT_KEYS);
    if (size > sizeof text)
        return json_read_fail(err, &at, "are over %d bytes", QUEUE_PARAMETERS_MAX);
    *out = pool_bytes(pool, text, size);
    return true;
}

static bool read_kind(const char *text, const struct json_place *place, enum job_kind *out,
                      struct err *err)
{
    struct json_place at = {place, "kind", 0};

    *out = text != NULL && strcmp(text, "boot") == 0 ? JOB_BOOT : JOB_TEST;
    return text == NULL || *out == JOB_BOOT || strcmp(text, "test") == 0 ||
           json_read_fail(err, &at, "\"%.16s\": write \"test\" or \"boot\"", text);
}

static bool read_job(struct pool *pool, const json_t *json, const struct json_place *place,
                     struct queue_job_request *out, struct err *err)
{
    struct job_fields fields = {.name = NULL};

    if (!json_read_object(json, FIELDS(job_fields), place, &fields, err))
        return false;
    *out = (struct queue_job_request){
        .name = fields.name,
        .group = fields.group,
        .suite = fields.suite != NULL ? fields.suite : "",
        .spec = fields.spec,
        .checkpoint = fields.checkpoint,
        .boot = fields.boot,
        .tag = fields.tag,
        .memory_mib = fields.memory_mib,
        .instructions = fields.instructions,
        .wall_ms_max = fields.wall_ms_max,
        .retry_infra = fields.retry_infra,
        .skip = fields.skip,
        .reason = fields.reason,
    };
    if (fields.name[0] == 0)
        return json_read_fail(err, place, "the name is empty");
    if (!hash_is_zero(&fields.checkpoint) && !hash_is_zero(&fields.boot))
        return json_read_fail(err, place, "has both a checkpoint and a boot: one is enough");
    return read_kind(fields.kind, place, &out->kind, err) &&
           read_host(pool, fields.host, place, out, err) &&
           read_needs(pool, fields.needs, place, out, err) &&
           read_quarantine(fields.quarantine, place, &out->quarantine, err) &&
           read_parameters(pool, fields.parameters, place, &out->parameters, err);
}

static bool read_jobs(struct submission *submission, const json_t *array, struct err *err)
{
    struct json_place list = {NULL, "jobs", 0};
    size_t count = json_array_size(array);
    struct queue_job_request *jobs = pool_array(&submission->pool, count, sizeof *jobs);

    for (size_t i = 0; i < count; i++) {
        struct json_place place = {&list, NULL, i};

        if (!read_job(&submission->pool, json_array_get(array, i), &place, &jobs[i], err))
            return false;
    }
    submission->request.jobs = jobs;
    submission->request.job_count = count;
    return true;
}

static bool read_run(struct submission *submission, bool more, struct err *err)
{
    struct run_fields fields = {.priority = 50};
    struct queue_run_request *request = &submission->request;

    if (!json_read_object(submission->json, more ? FIELDS(more_fields) : FIELDS(run_fields), NULL,
                          &fields, err))
        return false;
    if (!more && fields.name[0] == 0)
        return err_set(err, ERR_INVALID, "the run's name is empty");
    if (json_array_size(fields.jobs) == 0 && !fields.open)
        return err_set(err, ERR_INVALID, "a run without jobs shows nothing: give it some");
    *request = (struct queue_run_request){.name = fields.name,
                                          .submitter = fields.submitter,
                                          .priority = fields.priority,
                                          .open = fields.open};
    return read_options(fields.options, &request->options, err) &&
           read_jobs(submission, fields.jobs, err);
}

bool submission_read(struct span text, bool more, struct submission **out, struct err *err)
{
    struct submission *submission = mem_alloc(sizeof *submission);

    if (!json_read(text, SUBMISSION_VALUES_MAX, &submission->json, err) ||
        !read_run(submission, more, err)) {
        submission_free(submission);
        return false;
    }
    *out = submission;
    return true;
}

void submission_free(struct submission *submission)
{
    if (submission == NULL)
        return;
    pool_release(&submission->pool);
    json_decref(submission->json);
    mem_free(submission);
}
