#include "agent/farm/service_internal.h"
#include "agent/guard.h"
#include "storage/base/check.h"
#include "storage/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AGAIN_NS     UINT64_C(2000000000) /* before an errand is tried again */
#define PAUSE_NS     UINT64_C(5000000000) /* without claims, when things cannot be fetched */
#define PIPE_BYTES   (1 << 20)
#define READ_PIECE   65536
#define READS_AT_ONE 32 /* a loud worker must not hold up the rest */

static struct task *add(struct agent *agent, const struct message_job *job, enum task_state state)
{
    struct task *task = mem_alloc(sizeof *task);

    task->token = ++agent->tokens;
    task->job = *job;
    task->state = state;
    task->fd = -1;
    task->written = (struct buf)BUF_INIT(OUTCOME_BYTES_MAX);
    agent->tasks[agent->task_count++] = task;
    return task;
}

static struct task *task_of_token(struct agent *agent, uint64_t token)
{
    for (size_t i = 0; i < agent->task_count; i++)
        if (agent->tasks[i]->token == token)
            return agent->tasks[i];
    return NULL;
}

struct task *task_of_lease(struct agent *agent, uint64_t lease)
{
    for (size_t i = 0; i < agent->task_count; i++)
        if (agent->tasks[i]->job.lease == lease)
            return agent->tasks[i];
    return NULL;
}

size_t task_count_of(const struct agent *agent, enum task_state first, enum task_state last)
{
    size_t count = 0;

    for (size_t i = 0; i < agent->task_count; i++)
        count += agent->tasks[i]->state >= first && agent->tasks[i]->state <= last;
    return count;
}

static void tell_keeper(struct agent *agent, enum keeper_tell what, uint64_t value)
{
    struct err ignored = ERR_INIT;

    /* A keeper that is gone hears everything again when it is started anew. */
    if (agent->keeper >= 0)
        (void)keeper_tell(agent->keeper, what, value, &ignored);
}

void task_forget(struct agent *agent, struct task *task)
{
    size_t i = 0;

    tell_keeper(agent, KEEPER_DROP, task->job.lease);
    while (agent->tasks[i] != task)
        i++;
    agent->task_count--;
    /* The order is that of the grants: the first come are the first served. */
    memmove(&agent->tasks[i], &agent->tasks[i + 1],
            (agent->task_count - i) * sizeof agent->tasks[0]);
    if (task->fd >= 0)
        close(task->fd);
    buf_release(&task->written);
    mem_free(task);
    if (agent->task_count == 0)
        agent->claim_at_ns = 0; /* the next claim can be held: no need to ask again and again */
}

static void give_back(struct agent *agent, uint64_t lease)
{
    if (agent->release_count < TASKS_MAX)
        agent->releases[agent->release_count++] = lease;
}

void task_grant(struct agent *agent, const struct message_job *job)
{
    struct errand *errand;
    struct task *task;

    if (task_of_lease(agent, job->lease) != NULL)
        return; /* a repeated answer */
    if (agent->phase != AGENT_SERVING || agent->task_count == TASKS_MAX) {
        give_back(agent, job->lease);
        return;
    }
    task = add(agent, job, TASK_FETCHING);
    task->claimed_ns = agent->claimed_ns;
    agent->claimed_ns = 0;
    tell_keeper(agent, KEEPER_HOLD, job->lease);
    errand = errand_new(ERRAND_FETCH, task->token, job);
    errand->max_bytes = agent->options->store_bytes;
    errand->wall_ms_max = agent->wall_ms_max;
    errand->guard_factor = agent->slowness != 0 ? agent->slowness : GUARD_SLOWEST;
    mover_give(agent->fetcher, &errand->move);
}

static void release(struct agent *agent, struct task *task)
{
    give_back(agent, task->job.lease);
    task_forget(agent, task);
}

void task_release_waiting(struct agent *agent)
{
    for (size_t i = agent->task_count; i-- > 0;)
        if (agent->tasks[i]->state <= TASK_READY)
            release(agent, agent->tasks[i]);
}

void task_release_running(struct agent *agent)
{
    struct err ignored = ERR_INIT;

    for (size_t i = agent->task_count; i-- > 0;) {
        struct task *task = agent->tasks[i];
        if (task->state != TASK_RUNNING)
            continue;
        if (agent->spawner >= 0)
            (void)spawner_cancel(agent->spawner, task->token, &ignored);
        release(agent, task);
    }
}

/* ---- results ---- */

static void pack(struct agent *agent, struct task *task)
{
    struct errand *errand = errand_new(ERRAND_PACK, task->token, &task->job);

    errand->spool = agent->spool;
    errand->event = task->event;
    errand->written = task->written;
    task->written = (struct buf)BUF_INIT(OUTCOME_BYTES_MAX);
    task->state = TASK_PACKING;
    mover_give(agent->pusher, &errand->move);
}

/* A result without a worker. */
static void end_without_worker(struct agent *agent, struct task *task, enum brood_end end,
                               const char *why)
{
    task->event = (struct brood_event){.token = task->token, .end = (uint32_t)end};
    outcome_text(task->event.text, sizeof task->event.text - 1, span_of_text(why));
    buf_clear(&task->written);
    pack(agent, task);
}

/* Both have come: the end of the pipe, and that of the process. */
static void finish(struct agent *agent, struct task *task)
{
    if (!task->ended || task->fd >= 0)
        return;
    agent->claim_at_ns = 0; /* its slot is free */
    if (task->overrun) {
        end_without_worker(agent, task, BROOD_LOST, "the worker wrote more than a result may have");
        return;
    }
    if (task->unknown) {
        task_forget(agent, task);
        return;
    }
    /* It was killed because somebody asked for it, or ended by itself just before. */
    if (task->cancelled && task->event.end != BROOD_ENDED)
        task->event.end = BROOD_CANCELLED;
    pack(agent, task);
}

/* ---- running ---- */

static bool start(struct agent *agent, struct task *task, struct err *err)
{
    int ends[2];
    bool ok;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set_errno(err, errno, "cannot make a pipe");
    (void)fcntl(ends[0], F_SETPIPE_SZ, PIPE_BYTES);
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    task->order.ordered_ns = agent_now_ns();
    ok = spawner_start(agent->spawner, &task->order, ends[1], err);
    close(ends[1]);
    if (!ok) {
        close(ends[0]);
        return false;
    }
    task->fd = ends[0];
    task->state = TASK_RUNNING;
    return true;
}

void task_start_ready(struct agent *agent)
{
    size_t running = task_count_of(agent, TASK_RUNNING, TASK_RUNNING);
    struct err err = ERR_INIT;

    if (agent->spawner < 0 || agent->phase == AGENT_LEAVING)
        return;
    for (size_t i = 0; i < agent->task_count && running < agent->slots; i++) {
        struct task *task = agent->tasks[i];
        if (task->state != TASK_READY)
            continue;
        if (!start(agent, task, &err)) {
            log_message(LOG_WARNING, "a job is not started: %s", err.text);
            return; /* tried again at the next turn; a spawner that is gone is noticed there */
        }
        running++;
    }
    tell_keeper(agent, KEEPER_BUSY, running);
}

void task_read(struct agent *agent, struct task *task)
{
    uint8_t piece[READ_PIECE];
    struct err err = ERR_INIT;
    ssize_t got = 1;

    for (int i = 0; i < READS_AT_ONE && got > 0; i++) {
        got = read(task->fd, piece, sizeof piece);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0 || task->overrun)
            continue;
        if (buf_append(&task->written, piece, (size_t)got, &err))
            continue;
        task->overrun = true;
        if (agent->spawner >= 0)
            (void)spawner_cancel(agent->spawner, task->token, &err);
    }
    if (got > 0)
        return;
    close(task->fd);
    task->fd = -1;
    finish(agent, task);
}

bool task_hear_spawner(struct agent *agent)
{
    struct brood_event event;
    struct err err = ERR_INIT;
    struct task *task;

    if (!spawner_event_receive(agent->spawner, &event, &err))
        return false;
    task = task_of_token(agent, event.token);
    if (task == NULL || task->state != TASK_RUNNING)
        return true;
    task->event = event;
    task->ended = true;
    finish(agent, task);
    return true;
}

void task_lose_spawner(struct agent *agent)
{
    for (size_t i = agent->task_count; i-- > 0;) {
        struct task *task = agent->tasks[i];
        if (task->state != TASK_RUNNING)
            continue;
        task->ended = true;
        task->event = (struct brood_event){.token = task->token, .end = BROOD_LOST};
        snprintf(task->event.text, sizeof task->event.text,
                 "the process that workers descend from died");
        finish(agent, task);
    }
}

/* ---- from outside ---- */

void task_cancel(struct agent *agent, uint64_t lease)
{
    struct task *task = task_of_lease(agent, lease);
    struct err ignored = ERR_INIT;

    if (task == NULL || task->cancelled)
        return;
    task->cancelled = true;
    if (task->state == TASK_RUNNING && agent->spawner >= 0)
        (void)spawner_cancel(agent->spawner, task->token, &ignored);
    else if (task->state <= TASK_READY)
        end_without_worker(agent, task, BROOD_CANCELLED, "");
}

void task_unknown(struct agent *agent, uint64_t lease)
{
    struct task *task = task_of_lease(agent, lease);
    struct err ignored = ERR_INIT;

    if (task == NULL || task->unknown)
        return;
    if (task->state <= TASK_READY) {
        task_forget(agent, task);
        return;
    }
    if (task->state != TASK_RUNNING)
        return; /* there is a result: it is sent, and answered as stale */
    task->unknown = true;
    if (agent->spawner >= 0)
        (void)spawner_cancel(agent->spawner, task->token, &ignored);
}

/* ---- errands ---- */

static void use_checkpoint(struct agent *agent, const struct hash *checkpoint)
{
    uint32_t at = 0;

    if (hash_is_zero(checkpoint))
        return;
    while (at < agent->cached_count && !hash_equal(&agent->cached[at], checkpoint))
        at++;
    if (at == agent->cached_count) {
        if (agent->cached_count < MESSAGE_CACHED_MAX)
            agent->cached_count++;
        at = agent->cached_count - 1;
    }
    memmove(agent->cached + 1, agent->cached, at * sizeof agent->cached[0]);
    agent->cached[0] = *checkpoint;
}

static void fetched(struct agent *agent, struct task *task, const struct errand *errand)
{
    uint64_t most = agent->options->max_memory;

    if (errand->ok && most != 0 && errand->order.machine_bytes > most) {
        char why[160];
        snprintf(why, sizeof why, "the machine takes %" PRIu64 " MiB, this agent gives %" PRIu64,
                 errand->order.machine_bytes >> 20, most >> 20);
        end_without_worker(agent, task, BROOD_LOST, why);
    } else if (errand->ok) {
        task->order = errand->order;
        task->state = TASK_READY;
        use_checkpoint(agent, &errand->order.checkpoint);
    } else if (errand_is_transient(errand)) {
        log_message(LOG_WARNING, "a job is given back, its parts cannot be fetched: %s",
                    errand->err.text);
        agent->pause_ns = agent_now_ns() + PAUSE_NS;
        release(agent, task);
    } else {
        end_without_worker(agent, task, BROOD_LOST, errand->err.text);
    }
}

static void try_later(struct agent *agent, struct errand *errand)
{
    CHECK(agent->again_count < TASKS_MAX); /* there is one for each task at most */
    errand->due_ns = agent_now_ns() + AGAIN_NS;
    agent->again[agent->again_count++] = errand;
}

static void push_later(struct agent *agent, const struct task *task)
{
    struct errand *errand = errand_new(ERRAND_PUSH, task->token, &task->job);

    errand->spool = agent->spool;
    try_later(agent, errand);
}

/* For tests/bench, which reads it: from a claim to its first job's worker. */
static void log_start(const struct task *task, uint64_t thaw_ns)
{
    if (task->claimed_ns != 0 && thaw_ns != 0)
        log_message(LOG_DEBUG,
                    "lease %" PRIu64 ": ordered %" PRIu64 " us after the claim, began %" PRIu64
                    " us after that",
                    task->job.lease, (task->order.ordered_ns - task->claimed_ns) / 1000,
                    thaw_ns / 1000);
}

/* True if the errand is kept for another try. */
static bool packed(struct agent *agent, struct task *task, struct errand *errand)
{
    if (!errand->ok) {
        if (!agent->starved)
            log_message(LOG_ERROR, "nothing is claimed, results cannot be kept: %s",
                        errand->err.text);
        agent->starved = true;
        try_later(agent, errand);
        return true;
    }
    log_start(task, errand->thaw_ns);
    if (errand->slowness > agent->slowness)
        agent->slowness = errand->slowness;
    if (!errand->pushed)
        log_message(LOG_WARNING, "a log is sent later: %s", errand->err.text);
    task->state = errand->pushed ? TASK_SPOOLED : TASK_UNSENT;
    use_checkpoint(agent, &errand->made);
    if (!errand->pushed)
        push_later(agent, task);
    return false;
}

static bool pushed(struct agent *agent, struct task *task, struct errand *errand)
{
    if (errand->lost) {
        log_message(LOG_ERROR, "a spooled result cannot be sent: %s", errand->err.text);
        task_forget(agent, task);
        return false;
    }
    if (errand->ok) {
        task->state = TASK_SPOOLED;
        return false;
    }
    log_message(LOG_WARNING, "a log is sent later: %s", errand->err.text);
    try_later(agent, errand);
    return true;
}

void task_errand_done(struct agent *agent, struct errand *errand)
{
    struct task *task = task_of_token(agent, errand->token);
    bool kept = false;

    if (task != NULL && errand->kind == ERRAND_FETCH && task->state == TASK_FETCHING)
        fetched(agent, task, errand);
    else if (task != NULL && errand->kind == ERRAND_PACK)
        kept = packed(agent, task, errand);
    else if (task != NULL && errand->kind == ERRAND_PUSH)
        kept = pushed(agent, task, errand);
    if (!kept)
        errand_free(&errand->move);
}

void task_try_again(struct agent *agent)
{
    uint64_t now = agent_now_ns();

    for (size_t i = agent->again_count; i-- > 0;) {
        struct errand *errand = agent->again[i];
        if (errand->due_ns > now)
            continue;
        agent->again[i] = agent->again[--agent->again_count];
        mover_give(agent->pusher, &errand->move);
    }
}

bool task_replay(struct agent *agent, struct err *err)
{
    struct spool_list list;

    if (!spool_leases(agent->spool, &list, err))
        return false;
    for (size_t i = 0; i < list.count && agent->task_count < TASKS_MAX; i++) {
        struct message_job job = {.lease = list.leases[i]};
        struct errand *errand;
        struct task *task = add(agent, &job, TASK_UNSENT);
        errand = errand_new(ERRAND_PUSH, task->token, &job);
        errand->spool = agent->spool;
        mover_give(agent->pusher, &errand->move);
    }
    if (list.count != 0)
        log_message(LOG_INFO, "%zu results of an earlier start are sent", list.count);
    spool_list_release(&list);
    return true;
}
