#include "cli/farm/live.h"

#include "jobs/report.h"
#include "jobs/verdict.h"
#include "storage/base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ASK_NS   UINT64_C(250000000) /* between questions for jobs */
#define TENTH_NS UINT64_C(100000000)
#define UNSERVED_NS                                                                                \
    UINT64_C(5000000000) /* so long jobs wait before it is told that nobody is there */
#define NAME_CELLS  48
#define AGENT_CELLS 16
#define FAILURES    "fail,timeout,infra,divergence"

static uint64_t number_of(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));

    return value > 0 ? (uint64_t)value : 0;
}

/* A text of the farm's for a terminal: one line, no control characters, at most `most` characters;
 * "…" stands for what is cut off. */
static const char *plain(const json_t *object, const char *key, char *out, size_t most)
{
    const char *text = json_string_value(json_object_get(object, key));
    size_t used = 0, seen = 0;

    for (; text != NULL && *text != 0; text++) {
        bool begins = (*text & 0xC0) != 0x80;
        if (begins && seen++ == most)
            break;
        out[used++] = (unsigned char)*text < ' ' || *text == 0x7F ? '?' : *text;
    }
    out[used] = 0;
    if (text != NULL && *text != 0)
        memcpy(out + used, "…", sizeof "…");
    return out;
}

/* ---- failures ---- */

static bool was_told(const struct live *live, uint64_t id)
{
    for (size_t i = 0; i < live->told_count; i++)
        if (live->told[i] == id)
            return true;
    return false;
}

static void tell(struct live *live, const json_t *job)
{
    const char *verdict = json_string_value(json_object_get(job, "verdict"));
    char name[4 * 100 + 4], reason[4 * 200 + 4];

    progress_clear(&live->progress);
    fprintf(stderr, "%s: %s", verdict != NULL ? verdict : "?", plain(job, "name", name, 100));
    if (plain(job, "reason", reason, 200)[0] != 0)
        fprintf(stderr, ": %s", reason);
    fputc('\n', stderr);
    live->told[live->told_count++] = number_of(job, "id");
    if (live->told_count == LIVE_FAILURES)
        fprintf(stderr, "more failures are not told one by one\n");
}

static json_t *ask_jobs(struct live *live, const char *query)
{
    struct err ignored = ERR_INIT;
    json_t *answer = NULL;
    char path[160];

    snprintf(path, sizeof path, "runs/%" PRIu64 "/jobs?%s", live->run, query);
    return client_ask(live->remote, "GET", path, (struct span){0}, &answer, &ignored) ? answer
                                                                                      : NULL;
}

static void tell_failures(struct live *live, const json_t *run)
{
    static const enum verdict bad[] = {VERDICT_FAIL, VERDICT_TIMEOUT, VERDICT_INFRA,
                                       VERDICT_DIVERGENCE};
    uint64_t count = 0;
    json_t *answer, *job;
    size_t i;

    for (size_t v = 0; v < sizeof bad / sizeof bad[0]; v++)
        count += number_of(json_object_get(run, "counts"), verdict_name(bad[v]));
    if (count <= live->told_count || live->told_count == LIVE_FAILURES)
        return;
    answer = ask_jobs(live, "verdict=" FAILURES "&limit=1000");
    json_array_foreach(json_object_get(answer, "jobs"), i,
                       job) if (live->told_count < LIVE_FAILURES &&
                                !was_told(live, number_of(job, "id"))) tell(live, job);
    json_decref(answer);
}

/* ---- what nobody may have ---- */

/* Agents come and go: what was so for a while is told, once each time that it is something else. */
static void tell_unserved(struct live *live, const json_t *run, uint64_t now_ns)
{
    const json_t *list = json_object_get(run, "unserved"), *first = json_array_get(list, 0);
    char host[4 * 100 + 4];

    plain(first, "host", host, 100);
    if (first == NULL) {
        live->unserved_ns = 0;
        return;
    }
    if (live->unserved_ns == 0 || strcmp(host, live->unserved) != 0) {
        live->unserved_ns = now_ns;
        live->unserved_told = false;
        snprintf(live->unserved, sizeof live->unserved, "%s", host);
    }
    if (live->unserved_told || now_ns - live->unserved_ns < UNSERVED_NS)
        return;
    live->unserved_told = true;
    progress_clear(&live->progress);
    fprintf(stderr, "no agent is there for %" PRIu64 " %s: ", number_of(first, "jobs"),
            number_of(first, "jobs") == 1 ? "job that waits" : "jobs that wait");
    fprintf(stderr, "asked for is %s", host[0] != 0 ? host : "any host");
    if (number_of(first, "memory_mib") != 0)
        fprintf(stderr, ", with %" PRIu64 " MiB of memory", number_of(first, "memory_mib"));
    fprintf(stderr, "%s\n", json_array_size(list) > 1 ? "; others wait, too" : "");
}

/* ---- what runs ---- */

static uint64_t since_of(const struct live *live, uint64_t id, uint64_t now_ns)
{
    for (size_t i = 0; i < live->job_count; i++)
        if (live->jobs[i].id == id)
            return live->jobs[i].since_ns;
    return now_ns;
}

static void show_running(struct live *live, uint64_t now_ns)
{
    struct live_job jobs[LIVE_ROWS];
    size_t count = 0, i;
    json_t *answer, *job;
    char query[48], name[4 * NAME_CELLS + 4], agent[4 * AGENT_CELLS + 4];

    snprintf(query, sizeof query, "state=running,stopping&limit=%d", LIVE_ROWS);
    answer = ask_jobs(live, query);
    json_array_foreach(json_object_get(answer, "jobs"), i, job)
    {
        uint64_t id = number_of(job, "id"), since_ns = since_of(live, id, now_ns);
        if (count == LIVE_ROWS)
            break;
        jobs[count++] = (struct live_job){id, since_ns};
        progress_row(&live->progress, "  %8s  %-*s  %s",
                     now_ns - since_ns < TENTH_NS
                         ? "0 s"
                         : report_duration((now_ns - since_ns) / TENTH_NS * TENTH_NS).text,
                     AGENT_CELLS, plain(job, "agent", agent, AGENT_CELLS),
                     plain(job, "name", name, NAME_CELLS));
    }
    json_decref(answer);
    memcpy(live->jobs, jobs, count * sizeof jobs[0]);
    live->job_count = count;
}

/* "12 pass, 1 fail": what is not none. */
static void write_counts(const json_t *run, char *out, size_t size)
{
    const json_t *counts = json_object_get(run, "counts");
    size_t used = 0;

    out[0] = 0;
    for (int v = 0; v < VERDICT_COUNT; v++) {
        const char *name = verdict_name((enum verdict)v);
        uint64_t count = number_of(counts, name);
        if (count != 0 && used < size)
            used += (size_t)snprintf(out + used, size - used, "%s%" PRIu64 " %s",
                                     used == 0 ? "" : ", ", count, name);
    }
}

void live_begin(struct live *live, struct remote *remote, uint64_t run)
{
    memset(live, 0, sizeof *live);
    live->remote = remote;
    live->run = run;
    progress_begin(&live->progress, "running", 0, false);
}

void live_show(struct live *live, const json_t *answer)
{
    const json_t *counts = json_object_get(answer, "counts");
    uint64_t running = number_of(counts, "running"), done = number_of(counts, "done");
    uint64_t now_ns = clock_monotonic_ns(&clock_host);
    char text[160], verdicts[120];

    live->progress.total = number_of(answer, "jobs");
    write_counts(answer, verdicts, sizeof verdicts);
    snprintf(text, sizeof text, "%" PRIu64 "/%" PRIu64 "  %" PRIu64 " running  %s", done,
             live->progress.total, running, verdicts);
    if (now_ns - live->asked_ns >= ASK_NS) {
        live->asked_ns = now_ns;
        tell_failures(live, answer);
        tell_unserved(live, answer, now_ns);
        if (progress_update(&live->progress, done, text) && live->progress.terminal)
            show_running(live, now_ns);
    }
}

void live_end(struct live *live)
{
    progress_end(&live->progress);
}
