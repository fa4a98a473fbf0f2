/* agents.c — simulated agents that speak the real wire to a real coordinator: sealed messages over
 * libnanomsg, through its gateway. They run nothing.
 *
 *   bench_agents prepare STATE COUNT     a coordinator's state folder with COUNT agents enrolled
 *   bench_agents hello STATE URL COUNT   COUNT agents say hello, one after the other
 *   bench_agents jobs STATE URL COUNT    COUNT agents of one slot claim and report until nothing is
 *                                        left; prints "JOBS SECONDS" from the first claim to the
 *                                        last answer
 *   bench_agents idle STATE URL COUNT SECONDS
 *                                        COUNT agents hold a claim and beat, as idle agents do;
 *                                        prints "ready" when all are there, then "BEATS P50 P99
 * MAX" (ms) of the seconds after it
 *
 * Exit status 0 when all that was asked was answered. */
#include "agent/farm/link.h"
#include "coordinator/queue/queue.h"
#include "storage/base/check.h"
#include "storage/base/file.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGENTS_MAX  8000
#define PER_PROCESS 100 /* agents: libnanomsg has 512 sockets a process */
#define TIMEOUT_MS  30000
#define WAIT_MS     10000
#define MS          UINT64_C(1000000)

static struct err err;

static void must(bool ok)
{
    if (ok)
        return;
    fprintf(stderr, "bench_agents: %s\n", err.text);
    exit(1);
}

static uint64_t now_ns(void)
{
    return clock_monotonic_ns(&clock_host);
}

/* ---- who they are ---- */

struct member {
    struct message_id id;
    struct seal_keys keys;
};

static char *member_path(const char *state)
{
    return path_join(state, "bench-agents");
}

static void prepare(const char *state, size_t count)
{
    struct member *members = mem_array(count, sizeof *members);
    char *database = path_join(state, "queue.sqlite"), *keys = path_join(state, "keys");
    char *path = member_path(state);
    struct queue_options options = {.path = database, .clock = &clock_host};
    struct seal_keys own;
    struct queue *queue;

    must(folder_make(state, &err) && seal_keys_make(&own, &err) &&
         seal_keys_save(&own, keys, &err) && queue_open(&options, &queue, &err) &&
         queue_begin(queue, &err));
    for (size_t i = 0; i < count; i++) {
        struct queue_id id = {{1, (uint8_t)i, (uint8_t)(i >> 8)}};
        char name[32];
        snprintf(name, sizeof name, "bench-%zu", i);
        must(seal_keys_make(&members[i].keys, &err) &&
             queue_agent_add(queue, &id, members[i].keys.public_key, name, &err));
        memcpy(members[i].id.bytes, id.bytes, sizeof id.bytes);
    }
    must(queue_commit(queue, &err) &&
         file_write(path, (struct span){(const uint8_t *)members, count * sizeof *members}, &err));
    queue_close(queue);
    mem_free(members);
    mem_free(database);
    mem_free(keys);
    mem_free(path);
}

static struct member *load(const char *state, size_t count)
{
    struct buf bytes = BUF_INIT(AGENTS_MAX * sizeof(struct member));
    struct member *members = mem_array(count, sizeof *members);
    char *path = member_path(state);

    must(file_read(path, &bytes, &err));
    CHECK(bytes.size >= count * sizeof *members);
    memcpy(members, bytes.data, count * sizeof *members);
    buf_release(&bytes);
    mem_free(path);
    return members;
}

struct farm {
    const char *url;
    uint8_t coordinator[SEAL_KEY_SIZE];
    struct member *members;
    struct message *request, *answer;
};

static struct farm farm_of(const char *state, const char *url, size_t count)
{
    struct farm farm = {.url = url, .members = load(state, count)};
    char *path = path_join(state, "keys");
    struct seal_keys keys;

    must(seal_keys_load(path, &keys, &err));
    memcpy(farm.coordinator, keys.public_key, sizeof farm.coordinator);
    farm.request = mem_alloc(sizeof *farm.request);
    farm.answer = mem_alloc(sizeof *farm.answer);
    mem_free(path);
    return farm;
}

static void farm_release(struct farm *farm)
{
    mem_free(farm->members);
    mem_free(farm->request);
    mem_free(farm->answer);
}

static struct link *open_link(struct farm *farm, size_t index, enum seal_channel channel)
{
    struct link_options options = {.url = farm->url,
                                   .keys = &farm->members[index].keys,
                                   .coordinator = farm->coordinator,
                                   .agent = farm->members[index].id,
                                   .channel = channel,
                                   .clock = &clock_host};
    struct link *link;

    must(link_open(&options, &link, &err));
    return link;
}

/* ---- what they say ---- */

static void fill_hello(struct farm *farm, size_t index)
{
    struct message_hello *hello = &farm->request->u.hello;

    message_init(farm->request, MESSAGE_HELLO);
    hello->name = span_of_text("bench");
    hello->version = span_of_text("1");
    hello->incarnation = farm->members[index].id;
    hello->arch = span_of_text("x86_64");
    hello->os = span_of_text("Linux");
    hello->word_bits = 64;
    hello->cores = 1;
    hello->memory_mib = 1024;
    hello->slots = 1;
}

static void fill_claim(struct farm *farm, size_t index, uint32_t wait_ms)
{
    message_init(farm->request, MESSAGE_CLAIM);
    farm->request->u.claim.incarnation = farm->members[index].id;
    farm->request->u.claim.slots_free = 1;
    farm->request->u.claim.wait_ms = wait_ms;
}

static void fill_results(struct farm *farm, size_t index, const struct message_job *jobs,
                         uint32_t count)
{
    struct message_result *list = &farm->request->u.result;

    message_init(farm->request, MESSAGE_RESULT);
    list->incarnation = farm->members[index].id;
    list->result_count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct message_job_result *result = &list->results[i];
        message_job_result_init(result);
        result->lease = jobs[i].lease;
        result->job = jobs[i].job;
        result->attempt = jobs[i].attempt;
        result->verdict = VERDICT_PASS;
        result->exit_status = 0;
        result->instructions = 1000;
        result->virtual_ns = 1000;
        result->wall_ns = 1 * MS;
        memcpy(result->state_id.bytes, &jobs[i].job, sizeof jobs[i].job);
    }
}

static void say_hello(struct farm *farm, struct link *link, size_t index)
{
    fill_hello(farm, index);
    must(link_call(link, farm->request, TIMEOUT_MS, farm->answer, &err));
}

static void all_say_hello(struct farm *farm, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct link *link = open_link(farm, i, SEAL_WORK);
        say_hello(farm, link, i);
        link_close(link);
    }
}

/* ---- jobs ---- */

struct worker {
    struct link *link;
    struct message_job jobs[MESSAGE_JOBS_MAX]; /* granted, not reported yet */
    uint32_t job_count, sent;
    bool is_done;
};

/* What it says next, after an answer or at the beginning. */
static void speak(struct farm *farm, struct worker *worker, size_t index)
{
    if (worker->job_count != 0) {
        worker->sent =
            worker->job_count < MESSAGE_RESULTS_MAX ? worker->job_count : MESSAGE_RESULTS_MAX;
        fill_results(farm, index, worker->jobs + worker->job_count - worker->sent, worker->sent);
    } else {
        fill_claim(farm, index, 0);
    }
    must(link_send(worker->link, farm->request, TIMEOUT_MS, &err));
}

/* How many of its jobs were recorded by this answer. */
static uint32_t hear(struct farm *farm, struct worker *worker)
{
    const struct message_grant *grant = &farm->answer->u.grant;
    uint32_t recorded = 0;

    if (farm->answer->kind == MESSAGE_GRANT) {
        worker->job_count = grant->job_count;
        memcpy(worker->jobs, grant->jobs, grant->job_count * sizeof grant->jobs[0]);
        return 0;
    }
    if (farm->answer->kind == MESSAGE_EMPTY) {
        worker->is_done = true;
        return 0;
    }
    if (farm->answer->kind == MESSAGE_REFUSED) {
        (void)message_refused_err(farm->answer, &err);
        must(false);
    }
    for (uint32_t i = 0; i < farm->answer->u.ack.result_count; i++)
        recorded += farm->answer->u.ack.results[i].outcome == MESSAGE_OUTCOME_OK;
    CHECK(recorded == worker->sent);
    worker->job_count -= worker->sent;
    worker->sent = 0;
    return recorded;
}

static void run_jobs(struct farm *farm, size_t count)
{
    struct worker *workers = mem_array(count, sizeof *workers);
    struct pollfd *polled = mem_array(count, sizeof *polled);
    size_t open = count;
    uint64_t jobs = 0, start;

    for (size_t i = 0; i < count; i++) {
        workers[i].link = open_link(farm, i, SEAL_WORK);
        say_hello(farm, workers[i].link, i);
    }
    start = now_ns();
    for (size_t i = 0; i < count; i++)
        speak(farm, &workers[i], i);
    while (open != 0) {
        for (size_t i = 0; i < count; i++)
            polled[i] =
                (struct pollfd){workers[i].is_done ? -1 : link_fd(workers[i].link), POLLIN, 0};
        (void)poll(polled, count, 100);
        for (size_t i = 0; i < count; i++) {
            struct worker *worker = &workers[i];
            enum link_state state =
                worker->is_done ? LINK_IDLE : link_turn(worker->link, farm->answer, &err);
            must(state != LINK_FAILED);
            if (state != LINK_ANSWERED)
                continue;
            jobs += hear(farm, worker);
            if (worker->is_done)
                open--;
            else
                speak(farm, worker, i);
        }
    }
    printf("%llu %.6f\n", (unsigned long long)jobs, (double)(now_ns() - start) / 1e9);
    for (size_t i = 0; i < count; i++)
        link_close(workers[i].link);
    mem_free(workers);
    mem_free(polled);
}

/* ---- idle ---- */

struct idler {
    struct link *work, *beats;
    uint64_t beat_ns, asked_ns, sequence; /* the next beat; when the last was sent */
};

/* One process's share. */
struct flock {
    struct farm *farm;
    struct idler *idlers;
    size_t first, count;
};

struct samples {
    uint32_t *us;
    size_t count, room;
};

static void beat(struct farm *farm, struct idler *idler, size_t index)
{
    message_init(farm->request, MESSAGE_BEAT);
    farm->request->u.beat.incarnation = farm->members[index].id;
    farm->request->u.beat.sequence = ++idler->sequence;
    idler->asked_ns = now_ns();
    must(link_send(idler->beats, farm->request, TIMEOUT_MS, &err));
    idler->beat_ns += QUEUE_BEAT_MS * MS;
}

static void idle_turn(struct farm *farm, struct idler *idler, size_t index, struct samples *samples)
{
    enum link_state state = link_turn(idler->work, farm->answer, &err);
    uint64_t now = now_ns();

    must(state != LINK_FAILED);
    if (state != LINK_WAITING) {
        fill_claim(farm, index, WAIT_MS);
        must(link_send(idler->work, farm->request, TIMEOUT_MS, &err));
    }
    state = link_turn(idler->beats, farm->answer, &err);
    must(state != LINK_FAILED);
    if (state == LINK_ANSWERED && samples->count < samples->room)
        samples->us[samples->count++] = (uint32_t)((now - idler->asked_ns) / 1000);
    if (state != LINK_WAITING && now >= idler->beat_ns)
        beat(farm, idler, index);
}

static uint64_t deadline_of(const struct idler *idler)
{
    uint64_t due = link_deadline_ns(idler->work), beats = link_deadline_ns(idler->beats);

    if (beats == UINT64_MAX)
        beats = idler->beat_ns;
    return beats < due ? beats : due;
}

static void idle_until(struct flock *flock, uint64_t end_ns, struct samples *samples)
{
    struct pollfd polled[2 * PER_PROCESS];

    while (now_ns() < end_ns) {
        uint64_t due = end_ns, now;
        for (size_t i = 0; i < flock->count; i++) {
            struct idler *idler = &flock->idlers[i];
            idle_turn(flock->farm, idler, flock->first + i, samples);
            polled[2 * i] = (struct pollfd){link_fd(idler->work), POLLIN, 0};
            polled[2 * i + 1] = (struct pollfd){link_fd(idler->beats), POLLIN, 0};
            due = deadline_of(idler) < due ? deadline_of(idler) : due;
        }
        now = now_ns();
        (void)poll(polled, 2 * flock->count, due <= now ? 0 : (int)((due - now) / MS + 1));
    }
}

/* Beats are spread over the interval, as those of agents are. Writes a byte
 * when all have said hello, waits for one, idles, writes its samples. */
static _Noreturn void idle_process(struct farm *farm, size_t first, size_t count, uint64_t seconds,
                                   int channel)
{
    struct idler *idlers = mem_array(count, sizeof *idlers);
    struct flock flock = {farm, idlers, first, count};
    struct samples none = {0}, samples = {.room = count * (seconds + 2)};
    uint64_t start;
    uint8_t byte = 0;

    samples.us = mem_array(samples.room, sizeof *samples.us);
    for (size_t i = 0; i < count; i++) {
        idlers[i] = (struct idler){.work = open_link(farm, first + i, SEAL_WORK),
                                   .beats = open_link(farm, first + i, SEAL_BEAT)};
        say_hello(farm, idlers[i].work, first + i);
        idlers[i].beat_ns = now_ns() + (first + i) * 7919 % (QUEUE_BEAT_MS)*MS;
    }
    idle_until(&flock, now_ns() + 2 * QUEUE_BEAT_MS * MS, &none);
    CHECK(write(channel, &byte, 1) == 1);
    start = now_ns();
    idle_until(&flock, start + seconds * 1000 * MS, &samples);
    must(file_write_all(
        channel, (struct span){(const uint8_t *)samples.us, samples.count * sizeof *samples.us},
        "samples", &err));
    _exit(0);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

static size_t start_idlers(struct farm *farm, size_t count, uint64_t seconds, int *channels)
{
    size_t processes = 0;

    for (size_t first = 0; first < count; first += PER_PROCESS) {
        size_t share = count - first < PER_PROCESS ? count - first : PER_PROCESS;
        int ends[2];
        pid_t child;
        CHECK(pipe(ends) == 0);
        child = fork();
        CHECK(child >= 0);
        if (child == 0)
            idle_process(farm, first, share, seconds, ends[1]);
        close(ends[1]);
        channels[processes++] = ends[0];
    }
    return processes;
}

static int idle(struct farm *farm, size_t count, uint64_t seconds)
{
    static int channels[AGENTS_MAX / PER_PROCESS + 1];
    struct buf all = BUF_INIT(1u << 28);
    size_t processes = start_idlers(farm, count, seconds, channels);
    uint8_t piece[65536];
    int status, bad = 0;

    for (size_t i = 0; i < processes; i++)
        CHECK(read(channels[i], piece, 1) == 1);
    printf("ready\n");
    fflush(stdout);
    for (size_t i = 0; i < processes; i++)
        for (ssize_t got; (got = read(channels[i], piece, sizeof piece)) > 0;)
            must(buf_append(&all, piece, (size_t)got, &err));
    while (wait(&status) > 0)
        bad |= status;
    CHECK(all.size != 0);
    uint32_t *us = mem_array(all.size / 4, sizeof *us);
    size_t beats = all.size / 4;
    memcpy(us, all.data, all.size);
    qsort(us, beats, sizeof *us, compare);
    printf("%zu %.3f %.3f %.3f\n", beats, us[beats / 2] / 1e3, us[beats * 99 / 100] / 1e3,
           us[beats - 1] / 1e3);
    mem_free(us);
    buf_release(&all);
    return bad != 0;
}

static size_t number(const char *text)
{
    size_t value = strtoul(text, NULL, 10);

    CHECK(value != 0 && value <= AGENTS_MAX);
    return value;
}

int main(int argc, char **argv)
{
    const char *what = argc > 3 ? argv[1] : "";
    bool says_hello = strcmp(what, "hello") == 0, works = strcmp(what, "jobs") == 0;
    struct farm farm;
    int status = 0;

    if (strcmp(what, "prepare") == 0) {
        prepare(argv[2], number(argv[3]));
        return 0;
    }
    if (argc < 5 || (!says_hello && !works && (strcmp(what, "idle") != 0 || argc < 6))) {
        fprintf(stderr, "bench_agents: prepare STATE COUNT | hello STATE URL COUNT | "
                        "jobs STATE URL COUNT | idle STATE URL COUNT SECONDS\n");
        return 2;
    }
    farm = farm_of(argv[2], argv[3], number(argv[4]));
    if (says_hello)
        all_say_hello(&farm, number(argv[4]));
    else if (works)
        run_jobs(&farm, number(argv[4]));
    else
        status = idle(&farm, number(argv[4]), number(argv[5]));
    farm_release(&farm);
    return status;
}
