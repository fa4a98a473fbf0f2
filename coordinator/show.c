#include "coordinator/service_internal.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

/* The JSON of openapi.yaml's schemas: Run, Job, Agent. */

void show_hash(struct json_writer *writer, const char *key, const struct hash *hash)
{
    struct hash_hex hex = hash_hex(hash);

    json_write_key_text(writer, key, hash_is_zero(hash) ? NULL : hex.text);
}

/* Seconds since 1970 of a time that may not have come: null then. */
static void show_time(struct json_writer *writer, const char *key, uint64_t ms)
{
    if (ms != 0) {
        json_write_key_uint(writer, key, ms / 1000);
        return;
    }
    json_write_key(writer, key);
    json_write_null(writer);
}

static const char *text_or_null(const char *text)
{
    return text != NULL && text[0] != 0 ? text : NULL;
}

static void show_counts(const struct queue_run *run, struct json_writer *writer)
{
    json_write_key(writer, "counts");
    json_write_object(writer);
    json_write_key_uint(writer, "done", run->states[JOB_DONE]);
    json_write_key_uint(writer, "running", run->states[JOB_RUNNING] + run->states[JOB_STOPPING]);
    json_write_key_uint(writer, "waiting",
                        run->states[JOB_NEW] + run->states[JOB_WAITING] + run->states[JOB_READY]);
    for (unsigned i = 0; i < VERDICT_COUNT; i++)
        json_write_key_uint(writer, verdict_name((enum verdict)i), run->verdicts[i]);
    json_write_key_uint(writer, "quarantined", run->quarantined_bad);
    json_write_close(writer);
}

static void show_run_times(struct service *service, const struct queue_run *run,
                           struct json_writer *writer)
{
    uint64_t now_ms = service_wall_ms(service);
    uint64_t end_ms = run->ended_ms != 0 ? run->ended_ms : now_ms;
    uint64_t wall_ms = end_ms > run->created_ms ? end_ms - run->created_ms : 0;

    json_write_key_ms(writer, "wall_ms", wall_ms * NS_PER_MS);
    json_write_key_ms(writer, "boot_ms_saved", run->boot_saved_ns);
    show_time(writer, "created_s", run->created_ms);
    show_time(writer, "started_s", run->started_ms);
    show_time(writer, "ended_s", run->ended_ms);
}

void show_run(struct service *service, const struct queue_run *run, struct json_writer *writer)
{
    bool is_done = run->state == RUN_DONE;

    json_write_key_uint(writer, "run", run->id);
    json_write_key_text(writer, "name", run->name);
    json_write_key_text(writer, "submitter", run->submitter);
    json_write_key_uint(writer, "priority", run->priority);
    json_write_key_text(writer, "state",
                        is_done && run->cancelled ? "cancelled" : run_state_name(run->state));
    json_write_key_text(writer, "verdict", is_done ? verdict_name(run->verdict) : NULL);
    json_write_key_uint(writer, "jobs", run->jobs);
    json_write_key_uint(writer, "cached", run->cached);
    json_write_key_text(writer, "baseline", text_or_null(run->options.baseline));
    show_counts(run, writer);
    show_run_times(service, run, writer);
}

static void show_quarantine(const struct queue_job *job, struct json_writer *writer)
{
    json_write_key_bool(writer, "quarantined", job->quarantined);
    json_write_key(writer, "quarantine");
    if (!job->quarantined && !job->quarantine_expired) {
        json_write_null(writer);
        return;
    }
    json_write_object(writer);
    json_write_key_text(writer, "owner", job->quarantine.owner);
    json_write_key_text(writer, "reason", job->quarantine.reason);
    json_write_key_uint(writer, "until", job->quarantine.until_s);
    json_write_key_bool(writer, "expired", job->quarantine_expired);
    json_write_close(writer);
}

/* Kept as the text of a JSON object of texts. */
static void show_parameters(const char *parameters, struct json_writer *writer)
{
    json_t *object = parameters[0] != 0 ? json_loads(parameters, 0, NULL) : NULL;
    const char *key;
    json_t *value;

    json_write_key(writer, "parameters");
    json_write_object(writer);
    json_object_foreach(object, key, value)
        json_write_key_text(writer, key, json_string_value(value));
    json_write_close(writer);
    json_decref(object);
}

static bool show_artifact(void *context, const struct queue_artifact *artifact)
{
    struct json_writer *writer = context;

    json_write_object(writer);
    json_write_key_text(writer, "name", artifact->name);
    json_write_key_uint(writer, "size", artifact->size);
    show_hash(writer, "hash", &artifact->hash);
    json_write_close(writer);
    return true;
}

struct shown_job {
    struct service *service;
    struct json_writer *writer;
    bool is_found;
};

static void show_outcome(const struct queue_result *result, struct json_writer *writer)
{
    json_write_key(writer, "exit_status");
    if (result->exit_status < 0)
        json_write_null(writer);
    else
        json_write_int(writer, result->exit_status);
    json_write_key_text(writer, "signature", text_or_null(result->signature_title));
    show_hash(writer, "signature_hash", &result->signature);
    show_hash(writer, "state_id", &result->state_id);
    json_write_key_uint(writer, "instructions", result->instructions);
    json_write_key_uint(writer, "virtual_ns", result->virtual_ns);
    json_write_key_ms(writer, "thaw_ms", result->thaw_ns);
    json_write_key_ms(writer, "wall_ms", result->wall_ns);
    show_hash(writer, "console", &result->console);
    json_write_key_uint(writer, "console_size", result->console_size);
}

static bool show_attempt_of_job(void *context, const struct queue_attempt *attempt)
{
    struct shown_job *shown = context;
    struct err ignored = ERR_INIT;

    shown->is_found = true;
    json_write_key_text(shown->writer, "agent", text_or_null(attempt->agent));
    json_write_key_text(shown->writer, "agent_arch", text_or_null(attempt->agent_arch));
    show_outcome(&attempt->result, shown->writer);
    json_write_key(shown->writer, "artifacts");
    json_write_array(shown->writer);
    (void)queue_artifacts_each(shown->service->queue, attempt->lease, show_artifact, shown->writer,
                               &ignored);
    json_write_close(shown->writer);
    return true;
}

/* What an attempt's result would say: nothing yet. */
static void show_no_outcome(const struct queue_attempt *attempt, struct json_writer *writer)
{
    static const struct queue_result none = {.exit_status = -1};

    json_write_key_text(writer, "agent", attempt != NULL ? text_or_null(attempt->agent) : NULL);
    json_write_key_text(writer, "agent_arch",
                        attempt != NULL ? text_or_null(attempt->agent_arch) : NULL);
    show_outcome(&none, writer);
    json_write_key(writer, "artifacts");
    json_write_array(writer);
    json_write_close(writer);
}

/* The one that runs now. */
static bool show_running(void *context, const struct queue_attempt *attempt)
{
    struct shown_job *shown = context;

    if (attempt->end[0] != 0)
        return true;
    shown->is_found = true;
    show_no_outcome(attempt, shown->writer);
    return false;
}

void show_job(struct service *service, const struct queue_job *job, struct json_writer *writer)
{
    struct shown_job shown = {service, writer, false};
    struct err ignored = ERR_INIT;
    bool is_done = job->state == JOB_DONE;

    json_write_object(writer);
    json_write_key_uint(writer, "id", job->id);
    json_write_key_uint(writer, "run", job->run);
    json_write_key_text(writer, "name", job->name);
    json_write_key_text(writer, "group", job->group);
    json_write_key_text(writer, "suite", job->suite);
    json_write_key_text(writer, "kind", job->kind == JOB_BOOT ? "boot" : "test");
    json_write_key_text(writer, "state", job_state_name(job->state));
    json_write_key_text(writer, "verdict", is_done ? verdict_name(job->verdict) : NULL);
    json_write_key_text(writer, "reason", text_or_null(job->reason));
    json_write_key_uint(writer, "attempts", job->attempts);
    json_write_key_bool(writer, "cached", job->cached);
    show_quarantine(job, writer);
    show_hash(writer, "spec", &job->spec);
    show_hash(writer, "checkpoint", &job->checkpoint);
    show_parameters(job->parameters, writer);
    if (job->result != 0)
        (void)queue_attempt_get(service->queue, job->result, show_attempt_of_job, &shown, &ignored);
    else if (job->state == JOB_RUNNING || job->state == JOB_STOPPING)
        (void)queue_attempts_each(service->queue, job->id, show_running, &shown, &ignored);
    if (!shown.is_found)
        show_no_outcome(NULL, writer);
    json_write_close(writer);
}

static const char *agent_state(const struct queue_agent *agent)
{
    if (agent->revoked)
        return "revoked";
    if (!agent->online)
        return "away";
    return agent->draining ? "draining" : "online";
}

void show_agent(const struct queue_agent *agent, struct json_writer *writer)
{
    char id[2 * sizeof agent->id.bytes + 1];

    for (size_t i = 0; i < sizeof agent->id.bytes; i++)
        snprintf(id + 2 * i, 3, "%02x", agent->id.bytes[i]);
    json_write_object(writer);
    json_write_key_text(writer, "name", agent->facts.name);
    json_write_key_text(writer, "id", id);
    json_write_key_text(writer, "version", agent->facts.version);
    json_write_key_text(writer, "arch", agent->facts.arch);
    json_write_key_text(writer, "os", agent->facts.os);
    json_write_key_uint(writer, "word_bits", agent->facts.word_bits);
    json_write_key_bool(writer, "big_endian", agent->facts.big_endian);
    json_write_key_uint(writer, "cores", agent->facts.cores);
    json_write_key_uint(writer, "memory_mib", agent->facts.memory_mib);
    json_write_key_uint(writer, "slots", agent->facts.slots);
    json_write_key_uint(writer, "busy", agent->slots_busy);
    json_write_key_uint(writer, "leases", agent->leases);
    json_write_key_uint(writer, "load_permille", agent->load);
    json_write_key_uint(writer, "jobs_done", agent->done);
    json_write_key_text(writer, "state", agent_state(agent));
    json_write_key_uint(writer, "faults", agent->faults);
    json_write_key_text(writer, "last_fault", text_or_null(agent->fault));
    json_write_key_bool(writer, "barred", agent->barred);
    show_time(writer, "enrolled_s", agent->enrolled_ms);
    show_time(writer, "last_seen_s", agent->heard_ms);
    json_write_key(writer, "tags");
    json_write_array(writer);
    for (uint32_t i = 0; i < agent->facts.tag_count; i++)
        json_write_text(writer, agent->facts.tags[i]);
    json_write_close(writer);
    json_write_close(writer);
}
