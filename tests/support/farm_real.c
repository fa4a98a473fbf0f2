#include "tests/support/farm_real.h"

#include "agent/farm/child.h"
#include "storage/base/check.h"
#include "storage/base/file.h"
#include "storage/base/log.h"
#include "tests/support/base_test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BEAT_MS  100
#define LEASE_MS 1500

void real_farm_open(struct real_farm *farm)
{
    struct err err = ERR_INIT;

    memset(farm, 0, sizeof *farm);
    farm_guest_open(&farm->guest);
    farm_guest_boot(&farm->guest);
    farm->shared =
        mmap(NULL, sizeof *farm->shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(farm->shared != MAP_FAILED);
    farm->channel = -1;
    snprintf(farm->url, sizeof farm->url, "ipc://%s/agents", farm->guest.folder);
    BASE_OK(seal_keys_make(&farm->keys, &err), &err);
    for (size_t i = 0; i < REAL_AGENTS_MAX; i++) {
        char name[32];
        snprintf(name, sizeof name, "agent%zu", i);
        farm->states[i] = path_join(farm->guest.folder, name);
        farm->agents[i] = (struct agent_options){.name = strrchr(farm->states[i], '/') + 1,
                                                 .state = farm->states[i],
                                                 .store = farm->guest.store_path,
                                                 .url = farm->url,
                                                 .coordinator = farm->keys.public_key,
                                                 .enrol_token = farm->shared->tokens[i],
                                                 .unconfined = true,
                                                 .slots = 2};
    }
}

void real_farm_add(struct real_farm *farm, const struct real_job *job)
{
    CHECK(farm->shared->job_count < REAL_JOBS_MAX);
    farm->shared->jobs[farm->shared->job_count++] = *job;
}

static void submit(struct queue *queue, struct real_shared *shared)
{
    struct queue_job_request *jobs = mem_array(shared->job_count, sizeof *jobs);
    char(*names)[32] = mem_array(shared->job_count, sizeof *names);
    struct queue_run_request request = {
        .name = "a run", .submitter = "a test", .jobs = jobs, .job_count = shared->job_count};
    struct queue_submitted submitted;
    struct err err = ERR_INIT;
    bool ok;

    request.options.no_cache = true;
    for (size_t i = 0; i < shared->job_count; i++) {
        snprintf(names[i], sizeof names[i], "job %zu", i);
        jobs[i] = (struct queue_job_request){.name = names[i],
                                             .suite = "a suite",
                                             .kind = shared->jobs[i].kind,
                                             .spec = shared->jobs[i].spec,
                                             .checkpoint = shared->jobs[i].checkpoint,
                                             .boot = shared->jobs[i].boot,
                                             .retry_infra = 3};
    }
    ok = queue_begin(queue, &err) && queue_run_submit(queue, &request, &submitted, &err) &&
         queue_commit(queue, &err);
    if (!ok)
        fprintf(stderr, "submit: %s\n", err.text);
    CHECK(ok);
    shared->run = submitted.run;
    mem_free(names);
    mem_free(jobs);
}

static void make_tokens(struct service *service, struct real_shared *shared)
{
    struct err err = ERR_INIT;

    for (size_t i = 0; i < REAL_AGENTS_MAX; i++)
        CHECK(service_enrolment(service, UINT64_MAX / 4, shared->tokens[i], &err));
}

static bool see_attempt(void *context, const struct queue_attempt *attempt)
{
    struct real_job *job = context;

    job->recorded += strcmp(attempt->end, "result") == 0;
    return true;
}

struct seeing {
    struct queue *queue;
    struct real_shared *shared;
    uint64_t ids[REAL_JOBS_MAX];
};

static bool see_job(void *context, const struct queue_job *job)
{
    struct seeing *seeing = context;

    seeing->shared->jobs[job->place].verdict = job->verdict;
    seeing->shared->jobs[job->place].attempts = job->attempts;
    seeing->ids[job->place] = job->id;
    return true;
}

static bool see_run(void *context, const struct queue_run *run)
{
    struct real_shared *shared = context;

    shared->done = run->states[JOB_DONE];
    return true;
}

static void look(struct queue *queue, struct real_shared *shared)
{
    struct queue_page page = {.run = shared->run};
    struct queue_figures figures;
    struct seeing *seeing;
    struct err err = ERR_INIT;

    queue_figures(queue, &figures);
    shared->online = figures.agents_online;
    CHECK(queue_run_get(queue, shared->run, see_run, shared, &err));
    if (shared->done != shared->job_count || shared->finished)
        return;
    seeing = mem_alloc(sizeof *seeing);
    seeing->queue = queue;
    seeing->shared = shared;
    CHECK(queue_jobs_each(queue, &page, see_job, seeing, &err));
    for (size_t i = 0; i < shared->job_count; i++)
        CHECK(queue_attempts_each(queue, seeing->ids[i], see_attempt, &shared->jobs[i], &err));
    mem_free(seeing);
    shared->finished = true;
}

static bool is_closed(int channel)
{
    struct pollfd polled = {channel, POLLIN, 0};

    return poll(&polled, 1, 0) > 0;
}

static int coordinate(struct real_farm *farm, int channel)
{
    char *database = path_join(farm->guest.folder, "queue.sqlite");
    char *http = path_join(farm->guest.folder, "http");
    struct service_options options = {.database = database,
                                      .store = farm->guest.store,
                                      .clock = &clock_host,
                                      .seed = 1,
                                      .beat_ms = BEAT_MS,
                                      .lease_ms = LEASE_MS,
                                      .open = true,
                                      .keys = &farm->keys,
                                      .store_told = farm->guest.store_path};
    struct service *service;
    struct err err = ERR_INIT;

    log_set_level(getenv("THAW_TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR);
    options.http.socket_path = http;
    options.gateway.urls[0] = farm->url;
    options.gateway.url_count = 1;
    options.gateway.limits = gateway_limits_default;
    options.gateway.limits.memory_bytes = 0;
    if (!service_open(&options, &service, &err)) {
        fprintf(stderr, "coordinator: %s\n", err.text);
        return 1;
    }
    if (farm->shared->tokens[0][0] == 0)
        make_tokens(service, farm->shared);
    if (farm->shared->run == 0)
        submit(service_queue(service), farm->shared);
    while (!is_closed(channel) && service_turn(service, 20))
        look(service_queue(service), farm->shared);
    service_close(service);
    mem_free(database);
    mem_free(http);
    return 0;
}

void real_farm_start_coordinator(struct real_farm *farm)
{
    struct err err = ERR_INIT;
    int ends[2];

    BASE_OK(channel_pair(ends, &err), &err);
    farm->coordinator = child_fork(&ends[1], 1, &err);
    assert_true(farm->coordinator >= 0);
    if (farm->coordinator == 0)
        child_end(coordinate(farm, ends[1]));
    close(ends[1]);
    farm->channel = ends[0];
}

void real_farm_start_agent(struct real_farm *farm, size_t index)
{
    struct err err = ERR_INIT;

    while (*(volatile char *)farm->shared->tokens[index] == 0)
        continue;
    farm->pids[index] = child_fork(NULL, 0, &err);
    assert_true(farm->pids[index] >= 0);
    if (farm->pids[index] == 0) {
        bool ok;
        log_set_level(getenv("THAW_TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR);
        ok = agent_service_run(&farm->agents[index], &err);
        if (!ok)
            fprintf(stderr, "agent: %s\n", err.text);
        child_end(ok ? 0 : 10 + (int)err.kind);
    }
}

static int reap(pid_t *pid)
{
    int status;

    child_wait(*pid, &status);
    *pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

void real_farm_kill_coordinator(struct real_farm *farm)
{
    kill(farm->coordinator, SIGKILL);
    (void)reap(&farm->coordinator);
    close(farm->channel);
    farm->channel = -1;
}

void real_farm_kill_agent(struct real_farm *farm, size_t index)
{
    kill(farm->pids[index], SIGKILL);
    (void)reap(&farm->pids[index]);
}

int real_farm_stop_agent(struct real_farm *farm, size_t index)
{
    kill(farm->pids[index], SIGTERM);
    return reap(&farm->pids[index]);
}

int real_farm_await_agent(struct real_farm *farm, size_t index)
{
    return reap(&farm->pids[index]);
}

void real_farm_close(struct real_farm *farm)
{
    for (size_t i = 0; i < REAL_AGENTS_MAX; i++) {
        if (farm->pids[i] != 0)
            real_farm_kill_agent(farm, i);
        mem_free(farm->states[i]);
    }
    if (farm->channel >= 0)
        close(farm->channel);
    if (farm->coordinator != 0)
        assert_int_equal(reap(&farm->coordinator), 0);
    (void)munmap(farm->shared, sizeof *farm->shared);
    farm_guest_close(&farm->guest);
}
