/* simulated_parts.c — what the agent's decisions touch: spool, movers, spawner, workers, keeper. */
#include "tests/agent/farm/simulated_internal.h"

#include "storage/base/check.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the spool ---- */

static struct sim_file *file_of(struct sim *sim, uint64_t lease)
{
    for (uint32_t i = 0; i < sim->file_count; i++)
        if (sim->files[i].lease == lease)
            return &sim->files[i];
    return NULL;
}

bool sim_spool_has(const struct sim *sim, uint64_t lease)
{
    for (uint32_t i = 0; i < sim->file_count; i++)
        if (sim->files[i].lease == lease)
            return true;
    return false;
}

bool spool_open(const char *folder, struct spool **out, struct err *err)
{
    (void)folder;
    (void)out;
    return err_set(err, ERR_UNSUPPORTED, "simulated");
}

void spool_close(struct spool *spool)
{
    (void)spool;
}

/* Whole or not at all, and durable; or the agent dies before, or right after. */
bool spool_put(struct spool *spool, const struct message_job_result *result, struct err *err)
{
    struct sim *sim = (struct sim *)spool;
    struct message *message = sim->scratch;
    struct sim_file *file = file_of(sim, result->lease);

    if (sim_trouble(30))
        return err_set(err, ERR_NO_SPACE, "the disk is full");
    if (sim_trouble(5)) {
        sim->dies = true;
        return err_set(err, ERR_IO, "dying");
    }
    if (!file) {
        CHECK(sim->file_count < SIM_SPOOL);
        file = &sim->files[sim->file_count++];
        *file = (struct sim_file){result->lease, BUF_INIT(MESSAGE_BYTES_MAX)};
    }
    message_init(message, MESSAGE_RESULT);
    message->u.result.results[0] = *result;
    message->u.result.result_count = 1;
    message->u.result.incarnation.bytes[0] = 1; /* of no meaning */
    buf_clear(&file->bytes);
    CHECK(message_encode(message, &file->bytes, err));
    sim->dies = sim->dies || sim_trouble(5);
    return true;
}

bool spool_get(struct spool *spool, uint64_t lease, struct buf *bytes, struct message *message,
               struct err *err)
{
    struct sim *sim = (struct sim *)spool;
    const struct sim_file *file = file_of(sim, lease);

    if (!file)
        return err_set(err, ERR_NOT_FOUND, "lease %llu is not in the spool",
                       (unsigned long long)lease);
    buf_release(bytes);
    *bytes = (struct buf)BUF_INIT(MESSAGE_BYTES_MAX);
    return buf_append(bytes, file->bytes.data, file->bytes.size, err) &&
           message_decode(buf_span(bytes), message, err);
}

bool spool_remove(struct spool *spool, uint64_t lease, struct err *err)
{
    struct sim *sim = (struct sim *)spool;
    struct sim_file *file = file_of(sim, lease);

    (void)err;
    if (sim_trouble(5)) {
        sim->dies = true;
        return true; /* and it is still there */
    }
    if (!file)
        return true;
    buf_release(&file->bytes);
    *file = sim->files[--sim->file_count];
    return true;
}

static int compare_leases(const void *a, const void *b)
{
    uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

    return (one > other) - (one < other);
}

bool spool_leases(struct spool *spool, struct spool_list *out, struct err *err)
{
    const struct sim *sim = (const struct sim *)spool;

    (void)err;
    out->leases = mem_array(sim->file_count + 1u, sizeof(out->leases[0]));
    out->count = sim->file_count;
    for (uint32_t i = 0; i < sim->file_count; i++)
        out->leases[i] = sim->files[i].lease;
    qsort(out->leases, out->count, sizeof(out->leases[0]), compare_leases);
    return true;
}

void spool_list_release(struct spool_list *list)
{
    mem_free(list->leases);
}

bool spool_has_room(struct spool *spool, uint64_t bytes)
{
    (void)spool;
    (void)bytes;
    return !sim_trouble(30);
}

/* ---- movers ---- */

bool mover_open(const char *store_location, const struct remote_options *address,
                struct mover **out, struct err *err)
{
    (void)store_location;
    (void)address;
    (void)out;
    return err_set(err, ERR_UNSUPPORTED, "simulated");
}

void mover_close(struct mover *mover, void (*forget)(struct move *move))
{
    (void)mover;
    (void)forget;
}

void mover_give(struct mover *mover, struct move *move)
{
    struct sim *sim = sim_now;
    uint32_t which = mover == sim->agent->pusher;
    uint32_t *count = &sim->move_count[which];

    CHECK(*count < SIM_MOVES);
    sim->moves[which][*count] =
        (struct sim_move){(struct errand *)move,
                          sim->world->now_ms + sim_random(world_is_quiet(sim->world) ? 300 : 3000)};
    (*count)++;
}

static void fetch(struct errand *errand)
{
    errand->ok = !sim_trouble(50);
    if (!errand->ok) {
        (void)err_set(&errand->err, sim_random(2) ? ERR_IO : ERR_CORRUPT, "cannot be fetched");
        return;
    }
    errand->order.token = errand->token;
    errand->order.spec = errand->job.spec;
    errand->order.checkpoint = errand->job.checkpoint;
    errand->order.kind = (uint32_t)errand->job.kind;
}

static uint32_t spec_of(const struct hash *spec, uint32_t kind)
{
    return spec->bytes[0] + (kind == JOB_BOOT ? WORLD_SPECS : 0u);
}

static void pack(struct sim *sim, struct errand *errand)
{
    struct message_job_result result;

    message_job_result_init(&result);
    result.lease = errand->job.lease;
    result.job = errand->job.job;
    result.attempt = errand->job.attempt;
    result.state_id = world_hash(2, spec_of(&errand->job.spec, (uint32_t)errand->job.kind));
    result.verdict = VERDICT_INFRA;
    if (errand->event.end == BROOD_CANCELLED)
        result.verdict = VERDICT_CANCELLED;
    else if (errand->event.end == BROOD_ENDED && errand->written.size == 1)
        result.verdict = (enum verdict)errand->written.data[0];
    errand->ok = spool_put((struct spool *)sim, &result, &errand->err);
    errand->pushed = errand->ok && !sim_trouble(50);
    if (errand->ok && !errand->pushed)
        (void)err_set(&errand->err, ERR_IO, "cannot be pushed");
}

static void push(struct sim *sim, struct errand *errand)
{
    errand->lost = !sim_spool_has(sim, errand->job.lease);
    errand->ok = errand->pushed = !errand->lost && !sim_trouble(100);
    if (!errand->ok)
        (void)err_set(&errand->err, ERR_IO, "cannot be pushed");
}

static void do_moves(struct sim *sim, uint32_t which)
{
    while (!sim->dies && sim->move_count[which] &&
           sim->moves[which][0].due_ms <= sim->world->now_ms) {
        struct errand *errand = sim->moves[which][0].errand;
        sim->move_count[which]--;
        memmove(sim->moves[which], sim->moves[which] + 1,
                sim->move_count[which] * sizeof(sim->moves[which][0]));
        errand->err = (struct err)ERR_INIT;
        if (errand->kind == ERRAND_FETCH)
            fetch(errand);
        else if (errand->kind == ERRAND_PACK)
            pack(sim, errand);
        else
            push(sim, errand);
        if (sim->dies) {
            errand_free(&errand->move);
            return;
        }
        task_errand_done(sim->agent, errand);
    }
}

/* ---- spawner and workers ---- */

static void lose_workers(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->worker_count; i++)
        close(sim->workers[i].fd);
    sim->worker_count = 0;
}

bool nursery_start(struct nursery *nursery, size_t role, int *channel, struct err *err)
{
    struct sim *sim = (struct sim *)nursery;

    (void)err;
    if (role == AGENT_KEEPER)
        sim->keeper = (struct keeper_core){.incarnation = sim->agent->keeper_options.incarnation};
    *channel = 1; /* never read from, never closed */
    return true;
}

bool spawner_start(int channel, const struct worker_order *order, int outcome_fd, struct err *err)
{
    struct sim *sim = sim_now;
    const struct world_spec *spec = &sim->world->specs[spec_of(&order->spec, order->kind)];
    struct sim_worker *worker = &sim->workers[sim->worker_count];

    (void)channel;
    if (sim_trouble(5))
        return err_set(err, ERR_IO, "no process");
    CHECK(sim->worker_count < sim->body->slots && sim->worker_count < SIM_WORKERS);
    sim->worker_count++;
    *worker = (struct sim_worker){.token = order->token,
                                  .ends_ms = sim->world->now_ms + spec->takes_ms,
                                  .fd = fcntl(outcome_fd, F_DUPFD_CLOEXEC, 0),
                                  .end = BROOD_ENDED,
                                  .verdict = spec->truth};
    CHECK(worker->fd >= 0);
    if (sim_random(100) < spec->infra_percent)
        worker->verdict = VERDICT_INFRA;
    return true;
}

bool spawner_cancel(int channel, uint64_t token, struct err *err)
{
    struct sim *sim = sim_now;

    (void)channel;
    (void)err;
    for (uint32_t i = 0; i < sim->worker_count; i++) {
        if (sim->workers[i].token != token)
            continue;
        sim->workers[i].end = BROOD_CANCELLED;
        sim->workers[i].ends_ms = sim->world->now_ms;
    }
    return true;
}

/* Errands are done here (do_moves), not by errand.c's own function, which would ask this. */
void spawner_judge(const struct brood_event *event, struct span written, struct worker_outcome *out)
{
    (void)event;
    (void)written;
    (void)out;
    CHECK(false);
}

bool spawner_event_receive(int channel, struct brood_event *out, struct err *err)
{
    (void)channel;
    (void)err;
    *out = sim_now->event;
    return true;
}

static struct task *task_of(struct agent *agent, uint64_t token)
{
    for (size_t i = 0; i < agent->task_count; i++)
        if (agent->tasks[i]->token == token)
            return agent->tasks[i];
    return NULL;
}

/* The pipe's end and the event come in any order. */
static void end_worker(struct sim *sim, const struct sim_worker *worker)
{
    uint8_t verdict = (uint8_t)worker->verdict;
    bool event_first = sim_random(2);
    struct task *task;

    if (worker->end == BROOD_ENDED)
        CHECK(write(worker->fd, &verdict, 1) == 1);
    close(worker->fd);
    sim->event = (struct brood_event){.token = worker->token, .end = (uint32_t)worker->end};
    if (event_first)
        CHECK(task_hear_spawner(sim->agent));
    task = task_of(sim->agent, worker->token);
    if (task && task->fd >= 0)
        task_read(sim->agent, task);
    if (!event_first)
        CHECK(task_hear_spawner(sim->agent));
}

static void run_workers(struct sim *sim)
{
    for (uint32_t i = 0; i < sim->worker_count;) {
        struct sim_worker worker = sim->workers[i];
        if (worker.ends_ms > sim->world->now_ms) {
            i++;
            continue;
        }
        sim->workers[i] = sim->workers[--sim->worker_count];
        end_worker(sim, &worker);
    }
}

/* The agent sees that a channel is closed. */
static void break_processes(struct sim *sim)
{
    struct agent *agent = sim->agent;

    if (agent->keeper >= 0 && sim_trouble(1))
        agent->keeper = -1;
    if (agent->spawner < 0 || !sim_trouble(1))
        return;
    lose_workers(sim);
    agent->spawner = -1;
    for (size_t i = agent->task_count; i-- > 0;)
        if (agent->tasks[i]->fd >= 0)
            task_read(agent, agent->tasks[i]);
    task_lose_spawner(agent);
}

void sim_parts_turn(struct sim *sim)
{
    break_processes(sim);
    run_workers(sim);
    for (uint32_t which = 0; which < 2; which++)
        do_moves(sim, which);
}

void sim_parts_release(struct sim *sim)
{
    lose_workers(sim);
    for (uint32_t which = 0; which < 2; which++) {
        for (uint32_t i = 0; i < sim->move_count[which]; i++)
            errand_free(&sim->moves[which][i].errand->move);
        sim->move_count[which] = 0;
    }
}

/* ---- the keeper's process ---- */

bool keeper_tell(int channel, enum keeper_tell what, uint64_t value, struct err *err)
{
    struct keeper_event event = {.what = (uint32_t)what, .value = value};

    (void)channel;
    (void)err;
    keeper_core_obey(&sim_now->keeper, &event, agent_now_ns());
    return true;
}
