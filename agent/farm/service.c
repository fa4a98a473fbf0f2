#include "agent/farm/service.h"

#include "agent/farm/child.h"
#include "agent/farm/identity.h"
#include "agent/farm/service_internal.h"
#include "storage/base/check.h"
#include "storage/base/file.h"
#include "storage/base/log.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE_POLL_NS UINT64_C(20000000)    /* a line without a descriptor is asked so often */
#define REPLAY_NS    UINT64_C(30000000000) /* for results of an earlier start, before hello */
#define FIXED_FDS    7

enum { FD_SIGNALS, FD_NURSERY, FD_SPAWNER, FD_KEEPER, FD_FETCHER, FD_PUSHER, FD_LINE };

uint64_t agent_now_ns(void)
{
    return clock_monotonic_ns(&clock_host);
}

void agent_fail(struct agent *agent, const struct err *err)
{
    if (!agent->failed)
        agent->err = *err;
    agent->failed = true;
}

/* ---- processes ---- */

static int run_spawner(void *context, int channel)
{
    struct agent_shared *shared = context;

    /* What descends from here runs what strangers wrote: it must not find our key in its memory. */
    if (shared->identity != NULL)
        seal_wipe(&shared->identity->keys, sizeof shared->identity->keys);
    if (shared->token != NULL)
        seal_wipe(shared->token, strlen(shared->token));
    return spawner_run(&shared->spawner, channel);
}

static int run_keeper(void *context, int channel)
{
    return keeper_run(context, channel);
}

bool agent_open_store(struct agent *agent, const char *store, struct err *err)
{
    const struct remote_options *address = agent->options->address;

    if (store == NULL)
        return err_set(err, ERR_USAGE,
                       "neither the agent nor its coordinator says where the store is");
    if (strlen(store) >= sizeof agent->shared->store)
        return err_set(err, ERR_TOO_BIG, "the path of the store is too long");
    memcpy(agent->shared->store, store, strlen(store) + 1);
    if (!mover_open(store, address, &agent->fetcher, err) ||
        !mover_open(store, address, &agent->pusher, err))
        return false;
    return task_replay(agent, err);
}

/* ---- the loop ---- */

static void hear_signals(struct agent *agent)
{
    (void)child_signal_taken(agent->signals, 0);
    phase_drain(agent);
}

static void hear_keeper(struct agent *agent)
{
    struct keeper_event event;
    struct err err = ERR_INIT;

    if (!keeper_hear(agent->keeper, &event, &err)) {
        log_message(LOG_WARNING, "the keeper is gone, and started again");
        close(agent->keeper);
        agent->keeper = -1;
        return;
    }
    phase_take_news(agent, &event);
}

static void hear_spawner(struct agent *agent)
{
    if (task_hear_spawner(agent))
        return;
    log_message(LOG_WARNING, "the spawner is gone, and started again");
    close(agent->spawner);
    agent->spawner = -1;
    task_lose_spawner(agent);
}

static void hear_mover(struct agent *agent, struct mover *mover)
{
    struct move *move;

    while ((move = mover_done(mover)) != NULL)
        task_errand_done(agent, (struct errand *)move);
}

static size_t polled_of(struct agent *agent, struct pollfd *polled, uint64_t *tokens)
{
    bool talking = agent->talk != TALK_NONE;
    const int fixed[FIXED_FDS] = {
        [FD_SIGNALS] = agent->signals,
        [FD_NURSERY] = nursery_fd(agent->nursery),
        [FD_SPAWNER] = agent->spawner,
        [FD_KEEPER] = agent->keeper,
        [FD_FETCHER] = agent->fetcher != NULL ? mover_fd(agent->fetcher) : -1,
        [FD_PUSHER] = agent->pusher != NULL ? mover_fd(agent->pusher) : -1,
        [FD_LINE] = talking ? agent->line.operations->fd(agent->line.context) : -1,
    };
    size_t count = 0;

    for (; count < FIXED_FDS; count++)
        polled[count] = (struct pollfd){fixed[count], POLLIN, 0};
    for (size_t i = 0; i < agent->task_count; i++) {
        if (agent->tasks[i]->fd < 0)
            continue;
        tokens[count] = agent->tasks[i]->token;
        polled[count++] = (struct pollfd){agent->tasks[i]->fd, POLLIN, 0};
    }
    return count;
}

static int timeout_of(const struct agent *agent, const struct pollfd *polled)
{
    uint64_t now = agent_now_ns(), due = talk_due_ns(agent);

    if (agent->talk != TALK_NONE && polled[FD_LINE].fd < 0 && due > now + LINE_POLL_NS)
        due = now + LINE_POLL_NS;
    if (due > agent->tick_ns)
        due = agent->tick_ns;
    return due <= now ? 0 : (int)((due - now) / 1000000 + 1);
}

static void read_pipes(struct agent *agent, const struct pollfd *polled, const uint64_t *tokens,
                       size_t count)
{
    for (size_t i = FIXED_FDS; i < count; i++)
        for (size_t k = 0; polled[i].revents != 0 && k < agent->task_count; k++)
            if (agent->tasks[k]->token == tokens[i] && agent->tasks[k]->fd == polled[i].fd) {
                task_read(agent, agent->tasks[k]);
                break;
            }
}

static void hear(struct agent *agent, const struct pollfd *polled)
{
    struct err err = ERR_INIT;

    if (polled[FD_SIGNALS].revents != 0)
        hear_signals(agent);
    if (polled[FD_NURSERY].revents != 0) {
        err_set(&err, ERR_IO, "the process that starts the agent's others is gone");
        agent_fail(agent, &err);
    }
    if (polled[FD_SPAWNER].revents != 0)
        hear_spawner(agent);
    if (polled[FD_KEEPER].revents != 0)
        hear_keeper(agent);
    if (polled[FD_FETCHER].revents != 0)
        hear_mover(agent, agent->fetcher);
    if (polled[FD_PUSHER].revents != 0)
        hear_mover(agent, agent->pusher);
}

static void serve(struct agent *agent)
{
    struct pollfd *polled = mem_array(FIXED_FDS + TASKS_MAX, sizeof *polled);
    uint64_t *tokens = mem_array(FIXED_FDS + TASKS_MAX, sizeof *tokens);

    while (!agent->failed && agent->phase != AGENT_GONE) {
        size_t count;
        phase_turn(agent);
        count = polled_of(agent, polled, tokens);
        if (poll(polled, count, timeout_of(agent, polled)) < 0)
            continue; /* interrupted: nothing is polled */
        hear(agent, polled);
        read_pipes(agent, polled, tokens, count);
        talk_turn(agent);
    }
    mem_free(polled);
    mem_free(tokens);
}

/* ---- beginning and end ---- */

static bool probe_walls(struct agent *agent, struct err *err)
{
    char standing[96], missing[96];

    if (!confine_new(&agent->confinement, err) ||
        !confine_probe(agent->confinement, &agent->walls, err))
        return false;
    if (agent->options->sim_wrapper != NULL)
        agent->walls = 0; /* a wrapped worker's walls are its own */
    confine_walls_text(agent->walls, standing, sizeof standing);
    confine_walls_text(CONFINE_ALL & ~agent->walls, missing, sizeof missing);
    log_message(LOG_INFO, "walls around workers: %s; missing: %s", standing, missing);
    if (agent->walls == CONFINE_ALL)
        return true;
    if (!agent->options->unconfined)
        return err_set(
            err, ERR_UNSUPPORTED,
            "walls around jobs are missing here: %s; --unconfined runs them all the same", missing);
    log_message(LOG_WARNING, "jobs run without these walls around them: %s", missing);
    return true;
}

static bool share(struct agent *agent, struct err *err)
{
    const struct agent_options *options = agent->options;
    void *memory = mmap(NULL, sizeof *agent->shared, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return err_set_errno(err, errno, "cannot share memory with the spawner");
    agent->shared = memory;
    agent->shared->identity = agent->identity;
    if (options->address != NULL)
        agent->shared->token = (char *)(uintptr_t)options->address->token;
    agent->shared->spawner = (struct spawner_options){
        .place = {.store = agent->shared->store,
                  .machine_bytes = options->max_memory,
                  .memory_bytes = options->max_memory < WORKER_MEMORY ? options->max_memory : 0,
                  .wrapper = options->sim_wrapper,
                  .confinement = agent->confinement}};
    return true;
}

static void make_incarnation(struct message_id *out)
{
    for (size_t i = 0; i < sizeof out->bytes; i += sizeof(uint64_t)) {
        uint64_t random = seal_random();
        memcpy(out->bytes + i, &random, sizeof random);
    }
}

/* All that must be done before there is a thread or a socket of the farm. */
static bool begin(struct agent *agent, struct nursery_role roles[AGENT_ROLES], struct err *err)
{
    static const int signals[] = {SIGTERM, SIGINT};
    char *folder = path_join(agent->options->state, "spool");
    bool ok =
        spool_open(folder, &agent->spool, err) && probe_walls(agent, err) && share(agent, err);

    mem_free(folder);
    if (!ok)
        return false;
    make_incarnation(&agent->keeper_options.incarnation);
    roles[AGENT_SPAWNER] = (struct nursery_role){"the spawner", run_spawner, agent->shared};
    roles[AGENT_KEEPER] = (struct nursery_role){"the keeper", run_keeper, &agent->keeper_options};
    return child_signals(signals, 2, &agent->signals, err) &&
           nursery_open(roles, AGENT_ROLES, &agent->nursery, err);
}

static void forget(struct move *move)
{
    errand_free(move);
}

static void end(struct agent *agent)
{
    /* First those below, then what they may be waiting for. */
    nursery_close(agent->nursery);
    mover_close(agent->fetcher, forget);
    mover_close(agent->pusher, forget);
    if (agent->line.operations != NULL)
        agent->line.operations->close(agent->line.context);
    for (size_t i = 0; i < agent->again_count; i++)
        errand_free(&agent->again[i]->move);
    while (agent->task_count != 0)
        task_forget(agent, agent->tasks[0]);
    for (size_t i = 0; i < MESSAGE_RESULTS_MAX; i++)
        buf_release(&agent->sent_bytes[i]);
    for (size_t i = 0; i < 3; i++) {
        const int fds[] = {agent->signals, agent->spawner, agent->keeper};
        if (fds[i] >= 0)
            close(fds[i]);
    }
    spool_close(agent->spool);
    confine_free(agent->confinement);
    if (agent->shared != NULL)
        (void)munmap(agent->shared, sizeof *agent->shared);
    mem_free(agent->request);
    mem_free(agent->answer);
    mem_free(agent->loaded);
    mem_free(agent);
}

static struct agent *agent_new(const struct agent_options *options)
{
    struct agent *agent = mem_alloc(sizeof *agent);
    int64_t cores = sysconf(_SC_NPROCESSORS_ONLN);

    agent->options = options;
    agent->slots = options->slots != 0 ? options->slots : cores > 0 ? (uint32_t)cores : 1;
    if (agent->slots > AGENT_SLOTS_MAX)
        agent->slots = AGENT_SLOTS_MAX;
    agent->signals = agent->spawner = agent->keeper = -1;
    agent->request = mem_alloc(sizeof *agent->request);
    agent->answer = mem_alloc(sizeof *agent->answer);
    agent->loaded = mem_alloc(sizeof *agent->loaded);
    return agent;
}

bool agent_service_run(const struct agent_options *options, struct err *err)
{
    struct agent *agent = agent_new(options);
    struct nursery_role roles[AGENT_ROLES];
    struct identity identity;
    bool ok = true;

    if (options->opener != NULL)
        agent->keeper_options.opener = *options->opener;
    else
        ok = identity_open(options, &identity, err);
    if (ok && options->opener == NULL) {
        agent->identity = &identity;
        agent->keeper_options.opener = identity_opener(&identity);
    }
    ok = ok && begin(agent, roles, err) &&
         agent->keeper_options.opener.open(agent->keeper_options.opener.context, SEAL_WORK,
                                           &agent->line, err);
    if (ok && options->store != NULL)
        ok = agent_open_store(agent, options->store, err);
    if (ok) {
        agent->join_ns = agent_now_ns() + REPLAY_NS;
        serve(agent);
        ok = !agent->failed;
        if (!ok)
            *err = agent->err;
    }
    if (agent->keeper >= 0)
        close(agent->keeper);
    agent->keeper = -1;
    end(agent);
    return ok;
}
