/* queue.c — what the queue does a second: empty jobs dispatched and recorded by simulated agents,
 * and a queue of a million jobs against a small one.
 *
 *   bench_queue [FOLDER] [JOBS]
 *
 * Prints figures, one a line; exit status 0 whatever they are. The database is on FOLDER's disk
 * (default: the current folder), with synchronous=FULL. */
#include "coordinator/queue/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define AGENTS     8
#define PART       50000
#define ROUNDS     5
#define ROUND_JOBS 20000

static struct err err;

static void must(bool ok)
{
    if (ok)
        return;
    fprintf(stderr, "bench_queue: %s\n", err.text);
    exit(1);
}

static double now_s(void)
{
    return (double)clock_monotonic_ns(&clock_host) / 1e9;
}

static struct queue_id id_of(uint64_t number)
{
    struct queue_id id = {{(uint8_t)number, 1}};

    return id;
}

static void add_agents(struct queue *queue)
{
    struct queue_agent_facts facts = {.name = "agent",
                                      .version = "1",
                                      .arch = "x86_64",
                                      .os = "Linux",
                                      .word_bits = 64,
                                      .cores = 1,
                                      .memory_mib = 1024,
                                      .slots = 1};
    uint8_t key[32] = {1};

    must(queue_begin(queue, &err));
    for (uint64_t i = 0; i < AGENTS; i++) {
        struct queue_id id = id_of(i);
        must(queue_agent_add(queue, &id, key, "agent", &err));
        must(queue_agent_hello(queue, &id, &id, &facts, &err));
    }
    must(queue_commit(queue, &err));
}

struct names {
    char (*texts)[32];
    struct queue_job_request *jobs;
};

static void make_jobs(struct names *names, const char *prefix, uint64_t first, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        snprintf(names->texts[i], sizeof(names->texts[i]), "%s-%llu", prefix,
                 (unsigned long long)(first + i));
        names->jobs[i] = (struct queue_job_request){.name = names->texts[i],
                                                    .suite = "bench",
                                                    .kind = JOB_TEST,
                                                    .spec = hash_of(span_of_text(names->texts[i])),
                                                    .instructions = 1000000,
                                                    .retry_infra = 3};
    }
}

/* A bracket a part. */
static uint64_t submit(struct queue *queue, const char *prefix, uint64_t count)
{
    struct names names = {mem_array(PART, 32), mem_array(PART, sizeof(*names.jobs))};
    struct queue_run_request request = {
        .name = prefix, .submitter = "bench", .priority = 50, .jobs = names.jobs, .open = true};
    struct queue_submitted out;
    uint64_t done = 0;

    must(queue_begin(queue, &err));
    must(queue_run_submit(queue, &request, &out, &err));
    must(queue_commit(queue, &err));
    while (done < count) {
        request.job_count = count - done < PART ? (size_t)(count - done) : PART;
        make_jobs(&names, prefix, done, request.job_count);
        must(queue_begin(queue, &err));
        must(queue_run_add(queue, out.run, &request, &out, &err));
        must(queue_commit(queue, &err));
        done += request.job_count;
    }
    must(queue_begin(queue, &err));
    must(queue_run_close(queue, out.run, &err));
    must(queue_commit(queue, &err));
    mem_free(names.texts);
    mem_free(names.jobs);
    return out.run;
}

static void report(struct queue *queue, uint64_t agent, const struct queue_grants *grants)
{
    struct queue_id id = id_of(agent);
    enum queue_outcome outcome;

    for (uint32_t i = 0; i < grants->count; i++) {
        const struct queue_grant *grant = &grants->grants[i];
        struct queue_result result = {.lease = grant->lease,
                                      .job = grant->job,
                                      .attempt = grant->attempt,
                                      .instructions = 1000,
                                      .wall_ns = 1000000};
        memcpy(result.state_id.bytes, &grant->job, 8);
        must(queue_result(queue, &id, &result, &outcome, &err));
    }
}

/* All agents say what came of their jobs and claim more; then one commit, as the coordinator does
 * with what has come in while the last commit was on its way. `one_by_one`: a commit each. */
static double run_jobs(struct queue *queue, uint64_t count, bool one_by_one)
{
    static struct queue_grants held[AGENTS];
    uint64_t done = 0;
    double start = now_s();

    for (uint64_t i = 0; i < AGENTS; i++)
        held[i].count = 0;
    while (done < count) {
        uint64_t before = done;
        must(queue_begin(queue, &err));
        for (uint64_t i = 0; i < AGENTS; i++) {
            struct queue_claim claim = {
                .agent = id_of(i), .incarnation = id_of(i), .slots_free = 1};
            report(queue, i, &held[i]);
            must(queue_claim(queue, &claim, &held[i], &err));
            done += held[i].count;
            if (!one_by_one)
                continue;
            must(queue_commit(queue, &err));
            must(queue_begin(queue, &err));
        }
        must(queue_commit(queue, &err));
        if (done == before)
            break;
    }
    double seconds = now_s() - start;
    must(queue_begin(queue, &err));
    for (uint64_t i = 0; i < AGENTS; i++)
        report(queue, i, &held[i]);
    must(queue_commit(queue, &err));
    return (double)done / seconds;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return left < right ? -1 : left > right;
}

/* Of jobs submitted now under names that begin so, or of those that wait if NULL. The median of
 * ROUNDS: what else the disk does comes and goes. */
static double median_rate(struct queue *queue, const char *small)
{
    double rates[ROUNDS];

    for (size_t i = 0; i < ROUNDS; i++) {
        char name[32];

        snprintf(name, sizeof(name), "%s%zu", small ? small : "", i);
        if (small)
            submit(queue, name, ROUND_JOBS);
        sync(); /* what submitting wrote is not written while jobs run */
        rates[i] = run_jobs(queue, ROUND_JOBS, false);
    }
    qsort(rates, ROUNDS, sizeof rates[0], compare);
    return rates[ROUNDS / 2];
}

static double memory_mib(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static void print(const char *what, double value, const char *unit)
{
    printf("%-48s %12.1f %s\n", what, value, unit);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char path[4096], wal[4200];
    uint64_t jobs = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    struct queue_options options = {.path = path, .clock = &clock_host};
    struct queue *queue;

    snprintf(path, sizeof(path), "%s/bench_queue.%d.db", argc > 1 ? argv[1] : ".", (int)getpid());
    must(queue_open(&options, &queue, &err));
    add_agents(queue);
    submit(queue, "warm", 2000);
    run_jobs(queue, UINT64_MAX, false);
    double small = median_rate(queue, "small");
    print("jobs dispatched and recorded, 8 agents", small, "/s");
    submit(queue, "single", 4000);
    print("the same, a commit for every message", run_jobs(queue, UINT64_MAX, true), "/s");
    double start = now_s();
    submit(queue, "large", jobs);
    print("jobs submitted", (double)jobs / (now_s() - start), "/s");
    double large = median_rate(queue, NULL);
    print("dispatched and recorded, of the large queue", large, "/s");
    print("  of the small one's rate", large / small * 100, "%");
    queue_close(queue);
    start = now_s();
    must(queue_open(&options, &queue, &err));
    print("restart with the large queue", (now_s() - start) * 1000, "ms");
    print("memory at most", memory_mib(), "MiB");
    queue_close(queue);
    unlink(path);
    snprintf(wal, sizeof(wal), "%s-wal", path);
    unlink(wal);
    snprintf(wal, sizeof(wal), "%s-shm", path);
    unlink(wal);
    return 0;
}
