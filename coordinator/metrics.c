#include "coordinator/api_calls.h"

#include <inttypes.h>
#include <stdio.h>

/* GET /metrics: the Prometheus text exposition format, version 0.0.4. */

#define METRICS_BYTES_MAX (1u << 20)
#define FIRST_BUCKET_NS   (100 * UINT64_C(1000))

void histogram_add(struct histogram *histogram, uint64_t ns)
{
    unsigned bucket = 0;

    while (bucket + 1 < HISTOGRAM_BUCKETS && ns > FIRST_BUCKET_NS << bucket)
        bucket++;
    histogram->counts[bucket]++;
    histogram->sum_ns += ns;
    histogram->count++;
}

struct metrics {
    struct buf *out;
    struct err *err;
    bool ok;
};

static void head(struct metrics *metrics, const char *name, const char *type, const char *help)
{
    metrics->ok =
        metrics->ok && buf_format(metrics->out, metrics->err,
                                  "# HELP thaw_%s %s\n# TYPE thaw_%s %s\n", name, help, name, type);
}

static void value(struct metrics *metrics, const char *name, const char *labels, uint64_t number)
{
    metrics->ok = metrics->ok && buf_format(metrics->out, metrics->err, "thaw_%s%s %" PRIu64 "\n",
                                            name, labels, number);
}

static void gauge(struct metrics *metrics, const char *name, const char *help, uint64_t number)
{
    head(metrics, name, "gauge", help);
    value(metrics, name, "", number);
}

static void counter(struct metrics *metrics, const char *name, const char *help, uint64_t number)
{
    head(metrics, name, "counter", help);
    value(metrics, name, "", number);
}

/* Seconds with nine digits: no floating point. */
static void seconds(struct metrics *metrics, const char *name, uint64_t ns)
{
    metrics->ok = metrics->ok &&
                  buf_format(metrics->out, metrics->err, "thaw_%s_sum %" PRIu64 ".%09" PRIu64 "\n",
                             name, ns / NS_PER_S, ns % NS_PER_S);
}

static void durations(struct metrics *metrics, const char *name, const char *help,
                      const struct histogram *histogram)
{
    uint64_t sum = 0;
    char labels[48], full[64];

    head(metrics, name, "histogram", help);
    snprintf(full, sizeof full, "%s_bucket", name);
    for (unsigned i = 0; i + 1 < HISTOGRAM_BUCKETS; i++) {
        uint64_t bound_us = (FIRST_BUCKET_NS << i) / 1000;

        sum += histogram->counts[i];
        snprintf(labels, sizeof labels, "{le=\"%" PRIu64 ".%06" PRIu64 "\"}", bound_us / 1000000,
                 bound_us % 1000000);
        value(metrics, full, labels, sum);
    }
    value(metrics, full, "{le=\"+Inf\"}", histogram->count);
    seconds(metrics, name, histogram->sum_ns);
    snprintf(full, sizeof full, "%s_count", name);
    value(metrics, full, "", histogram->count);
}

static void write_jobs(struct metrics *metrics, const struct queue_figures *figures)
{
    char labels[48];

    head(metrics, "queue_jobs", "gauge", "Jobs of runs that are not done, by state.");
    for (unsigned i = JOB_WAITING; i < JOB_STATE_COUNT; i++) {
        snprintf(labels, sizeof labels, "{state=\"%s\"}", job_state_name((enum job_state)i));
        value(metrics, "queue_jobs", labels, figures->jobs[i]);
    }
    head(metrics, "verdicts_total", "counter", "Verdicts recorded.");
    for (unsigned i = 0; i < VERDICT_COUNT; i++) {
        snprintf(labels, sizeof labels, "{verdict=\"%s\"}", verdict_name((enum verdict)i));
        value(metrics, "verdicts_total", labels, figures->verdicts[i]);
    }
}

static void write_queue(struct metrics *metrics, const struct queue_figures *figures)
{
    gauge(metrics, "runs_active", "Runs that are not done.", figures->runs_active);
    write_jobs(metrics, figures);
    gauge(metrics, "agents", "Agents that are enrolled.", figures->agents);
    gauge(metrics, "agents_online", "Agents heard of within a lease's time.",
          figures->agents_online);
    gauge(metrics, "slots", "Slots of the agents that are online.", figures->slots);
    gauge(metrics, "leases", "Leases held now.", figures->leases);
    counter(metrics, "jobs_submitted_total", "Jobs accepted.", figures->submitted);
    counter(metrics, "leases_granted_total", "Leases given to agents.", figures->granted);
    counter(metrics, "results_recorded_total", "Results recorded.", figures->recorded);
    counter(metrics, "results_repeated_total", "Results that were recorded before.", figures->dup);
    counter(metrics, "results_stale_total", "Results of leases that were lost.", figures->stale);
    counter(metrics, "agent_faults_total", "What agents did that no agent should.",
            figures->faults);
    counter(metrics, "leases_lost_total", "Leases of agents that went silent.", figures->lost);
    counter(metrics, "leases_released_total", "Leases given back.", figures->released);
    counter(metrics, "leases_forgotten_total", "Leases their agent did not know of.",
            figures->forgotten);
    counter(metrics, "jobs_retried_total", "Jobs run again after an infrastructure error.",
            figures->retried);
    counter(metrics, "jobs_cached_total", "Jobs answered from earlier results.", figures->cached);
    counter(metrics, "jobs_rerun_total", "Known jobs run again to compare.", figures->reruns);
    counter(metrics, "divergences_total", "Executions of one job that disagreed.",
            figures->divergences);
    counter(metrics, "commits_total", "Transactions of the database.", figures->commits);
}

static void write_core(struct metrics *metrics, const struct service *service)
{
    counter(metrics, "commit_failures_total", "Transactions that failed.",
            service->commit_failures);
    gauge(metrics, "claims_held", "Claims that wait for work.", service->held_count);
    gauge(metrics, "tasks", "Requests and streams that wait for something.", service->tasks.count);
    durations(metrics, "bracket_seconds", "Time from taking requests to their commit.",
              &service->commits);
    durations(metrics, "claim_seconds", "Time to choose and lease jobs for one claim.",
              &service->claims);
}

static void write_http(struct metrics *metrics, struct service *service)
{
    struct http_figures http;
    struct token_figures tokens;

    http_figures(service->http, &http);
    token_table_figures(service->tokens, &tokens);
    gauge(metrics, "http_connections", "HTTP connections now.", http.connections);
    gauge(metrics, "http_streams", "Answers that go on, now.", http.streams);
    counter(metrics, "http_requests_total", "HTTP requests.", http.requests);
    counter(metrics, "http_refused_total", "HTTP requests answered by 4xx.", http.refused);
    counter(metrics, "http_failed_total", "HTTP requests answered by 5xx.", http.failed);
    counter(metrics, "http_slow_total", "HTTP connections cut for being too slow.", http.slow);
    counter(metrics, "http_in_bytes_total", "Bytes of request bodies.", http.bytes_in);
    counter(metrics, "http_out_bytes_total", "Bytes of answers.", http.bytes_out);
    counter(metrics, "store_parts_out_total", "Parts of the store given out.",
            service->store_http.parts_out);
    counter(metrics, "store_parts_in_total", "Parts of the store taken in.",
            service->store_http.parts_in);
    counter(metrics, "store_in_bytes_total", "Bytes taken into the store.",
            service->store_http.bytes_in);
    counter(metrics, "store_refused_total", "Parts of the store refused.",
            service->store_http.refused);
    gauge(metrics, "tokens", "Tokens of the API.", tokens.tokens);
    counter(metrics, "token_failures_total", "Wrong tokens shown.", tokens.failures);
    counter(metrics, "token_limited_total", "Wrong tokens from addresses that show many.",
            tokens.limited);
}

static void write_gateway(struct metrics *metrics, const struct service *service)
{
    struct gateway_figures gateway;
    struct peers_figures peers;

    if (service->gateway == NULL || service->peers == NULL)
        return;
    gateway_figures(service->gateway, &gateway);
    peers_figures(service->peers, &peers);
    gauge(metrics, "gateway_connections", "Connections of agents now.", gateway.connections);
    counter(metrics, "gateway_requests_total", "Messages of agents.", gateway.requests);
    counter(metrics, "gateway_dropped_total", "Messages over their peer's rate, or malformed.",
            gateway.dropped_rate + gateway.dropped_route);
    counter(metrics, "gateway_restarts_total", "Restarts of the gateway.", gateway.restarts);
    counter(metrics, "messages_repeated_total", "Messages that had come before.", peers.repeated);
    counter(metrics, "messages_forged_total", "Messages not sealed by whom they name.",
            peers.forged);
    counter(metrics, "messages_unknown_total", "Messages of nobody that is known.", peers.unknown);
    counter(metrics, "messages_malformed_total", "Messages that could not be read.",
            peers.malformed);
}

bool metrics_write(struct service *service, struct buf *out, struct err *err)
{
    struct metrics metrics = {out, err, true};
    struct queue_figures figures;

    queue_figures(service->queue, &figures);
    write_queue(&metrics, &figures);
    write_core(&metrics, service);
    write_http(&metrics, service);
    write_gateway(&metrics, service);
    return metrics.ok;
}

static enum api_outcome metrics_run(struct service *service, struct api_request *request,
                                    struct err *err)
{
    request->status = 200;
    request->type = "text/plain; version=0.0.4; charset=utf-8";
    return metrics_write(service, &request->body, err) ? API_ANSWERED : API_FAILED;
}

const struct api_call api_metrics = {NULL, metrics_run, NULL};
