#include "tests/support/farm_coordinator.h"

#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

struct fake_line {
    struct fake_coordinator *fake;
    enum seal_channel channel;
    struct message *answer;
    enum link_state state;
    int fd; /* always readable */
};

struct fake_coordinator *fake_coordinator_new(const char *store)
{
    struct fake_coordinator *fake =
        mmap(NULL, sizeof *fake, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_mutexattr_t shared;

    CHECK(fake != MAP_FAILED);
    CHECK(pthread_mutexattr_init(&shared) == 0);
    CHECK(pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED) == 0);
    CHECK(pthread_mutexattr_setrobust(&shared, PTHREAD_MUTEX_ROBUST) == 0);
    CHECK(pthread_mutex_init(&fake->mutex, &shared) == 0);
    snprintf(fake->store, sizeof fake->store, "%s", store);
    return fake;
}

/* An agent that is killed may hold it. */
static void lock(struct fake_coordinator *fake)
{
    if (pthread_mutex_lock(&fake->mutex) != 0)
        CHECK(pthread_mutex_consistent(&fake->mutex) == 0);
}

struct fake_job *fake_coordinator_add(struct fake_coordinator *fake, enum job_kind kind,
                                      const struct hash *spec, const struct hash *checkpoint)
{
    struct fake_job *job;

    lock(fake);
    CHECK(fake->job_count < FAKE_JOBS_MAX);
    job = &fake->jobs[fake->job_count++];
    job->kind = kind;
    job->spec = *spec;
    if (checkpoint != NULL)
        job->checkpoint = *checkpoint;
    pthread_mutex_unlock(&fake->mutex);
    return job;
}

size_t fake_coordinator_count(struct fake_coordinator *fake, enum fake_state state)
{
    size_t count = 0;

    lock(fake);
    for (size_t i = 0; i < fake->job_count; i++)
        count += fake->jobs[i].state == state;
    pthread_mutex_unlock(&fake->mutex);
    return count;
}

static void answer_claim(struct fake_coordinator *fake, const struct message_claim *claim,
                         struct message *out)
{
    fake->claims++;
    if (fake->drain) {
        message_init(out, MESSAGE_DRAIN);
        return;
    }
    message_init(out, MESSAGE_GRANT);
    for (size_t i = 0; i < fake->job_count && out->u.grant.job_count < claim->slots_free; i++) {
        struct fake_job *job = &fake->jobs[i];
        if (job->state != FAKE_WAITING)
            continue;
        job->state = FAKE_LEASED;
        job->lease = ++fake->leases;
        out->u.grant.jobs[out->u.grant.job_count++] = (struct message_job){
            .lease = job->lease,
            .run = 1,
            .job = i + 1,
            .attempt = ++job->attempts,
            .kind = job->kind,
            .spec = job->spec,
            .checkpoint = job->checkpoint,
        };
    }
    if (out->u.grant.job_count == 0) {
        message_init(out, MESSAGE_EMPTY);
        out->u.empty.retry_ms = 20;
    }
}

static struct fake_job *job_of_lease(struct fake_coordinator *fake, uint64_t lease)
{
    for (size_t i = 0; i < fake->job_count; i++)
        if (fake->jobs[i].lease == lease)
            return &fake->jobs[i];
    return NULL;
}

static void copy(struct span text, char *out, size_t size)
{
    snprintf(out, size, "%.*s", (int)text.size, text.size != 0 ? (const char *)text.data : "");
}

static enum message_outcome record(struct fake_coordinator *fake,
                                   const struct message_job_result *result)
{
    struct fake_job *job = job_of_lease(fake, result->lease);

    fake->results++;
    if (job == NULL || job->state == FAKE_WAITING) {
        fake->stales++;
        return MESSAGE_OUTCOME_STALE;
    }
    if (job->state == FAKE_DONE)
        return MESSAGE_OUTCOME_DUP;
    job->state = FAKE_DONE;
    job->recorded++;
    job->verdict = result->verdict;
    job->exit_status = result->exit_status;
    copy(result->reason, job->reason, sizeof job->reason);
    job->checkpoint_made = result->checkpoint;
    job->console = result->console;
    job->console_size = result->console_size;
    return MESSAGE_OUTCOME_OK;
}

static void answer_result(struct fake_coordinator *fake, const struct message_result *result,
                          struct message *out)
{
    message_init(out, MESSAGE_ACK);
    for (uint32_t i = 0; i < result->result_count; i++)
        out->u.ack.results[out->u.ack.result_count++] = (struct message_outcome_of){
            result->results[i].lease, record(fake, &result->results[i])};
}

static void answer_beat(struct fake_coordinator *fake, const struct message_beat *beat,
                        struct message *out)
{
    fake->beats++;
    fake->beat_leases = beat->lease_count;
    message_init(out, MESSAGE_ACK);
    out->u.ack.drain = fake->drain;
    for (uint32_t i = 0; i < beat->lease_count; i++) {
        struct fake_job *job = job_of_lease(fake, beat->leases[i]);
        if (job == NULL || job->forget)
            out->u.ack.unknown[out->u.ack.unknown_count++] = beat->leases[i];
        else if (job->cancel)
            out->u.ack.cancel[out->u.ack.cancel_count++] = beat->leases[i];
    }
}

static void give_back(struct fake_coordinator *fake, const uint64_t *leases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fake_job *job = job_of_lease(fake, leases[i]);
        if (job != NULL && job->state == FAKE_LEASED)
            job->state = FAKE_WAITING;
    }
}

static void free_all(struct fake_coordinator *fake)
{
    for (size_t i = 0; i < fake->job_count; i++)
        if (fake->jobs[i].state == FAKE_LEASED)
            fake->jobs[i].state = FAKE_WAITING;
}

static void answer(struct fake_coordinator *fake, const struct message *request,
                   struct message *out)
{
    message_init(out, MESSAGE_ACK);
    switch (request->kind) {
    case MESSAGE_HELLO:
        fake->hellos++;
        if (!message_id_equal(&fake->incarnation, &request->u.hello.incarnation))
            free_all(fake);
        fake->incarnation = request->u.hello.incarnation;
        message_init(out, fake->refuse != ERR_NONE ? MESSAGE_REFUSED : MESSAGE_WELCOME);
        if (fake->refuse != ERR_NONE) {
            out->u.refused.kind = fake->refuse;
            out->u.refused.sentence = span_of_text("not you");
            return;
        }
        out->u.welcome.beat_ms = 10;
        out->u.welcome.lease_ms = 60;
        out->u.welcome.store = span_of_text(fake->store);
        return;
    case MESSAGE_CLAIM:
        answer_claim(fake, &request->u.claim, out);
        return;
    case MESSAGE_RESULT:
        answer_result(fake, &request->u.result, out);
        return;
    case MESSAGE_BEAT:
        answer_beat(fake, &request->u.beat, out);
        return;
    case MESSAGE_RELEASE:
        fake->releases += request->u.release.lease_count;
        give_back(fake, request->u.release.leases, request->u.release.lease_count);
        return;
    case MESSAGE_BYE:
        fake->byes++;
        free_all(fake);
        return;
    default:
        check_failed(__FILE__, __LINE__, "an agent asks nothing else");
    }
}

static bool send(void *context, const struct message *request, uint32_t timeout_ms, struct err *err)
{
    struct fake_line *line = context;
    struct fake_coordinator *fake = line->fake;
    struct buf bytes = BUF_INIT(MESSAGE_BYTES_MAX);
    bool deaf;

    (void)timeout_ms;
    CHECK(line->state == LINK_IDLE);
    if (!message_encode(request, &bytes, err)) {
        buf_release(&bytes);
        return false;
    }
    buf_release(&bytes);
    lock(fake);
    deaf = fake->deaf_to_results && request->kind == MESSAGE_RESULT;
    if (!deaf)
        answer(fake, request, line->answer);
    if (fake->twice && !deaf)
        answer(fake, request, line->answer);
    line->state = deaf ? LINK_FAILED : LINK_ANSWERED;
    fake->requests += line->channel == SEAL_WORK;
    if (line->channel == SEAL_WORK && fake->lose_every != 0 &&
        fake->requests % fake->lose_every == 0)
        line->state = LINK_FAILED;
    if (request->kind == MESSAGE_RESULT && fake->lose_results != 0) {
        fake->lose_results--;
        line->state = LINK_FAILED;
    }
    pthread_mutex_unlock(&fake->mutex);
    return true;
}

static enum link_state turn(void *context, struct message *out, struct err *err)
{
    struct fake_line *line = context;
    enum link_state state = line->state;

    line->state = LINK_IDLE;
    if (state == LINK_ANSWERED)
        *out = *line->answer;
    if (state == LINK_FAILED)
        err_set(err, ERR_TIMEOUT, "lost by the test");
    return state;
}

static int fd_of(void *context)
{
    const struct fake_line *line = context;

    return line->fd;
}

static uint64_t deadline_of(void *context)
{
    (void)context;
    return 0;
}

static void cancel(void *context)
{
    struct fake_line *line = context;

    line->state = LINK_IDLE;
}

static void end(void *context)
{
    struct fake_line *line = context;

    close(line->fd);
    mem_free(line->answer);
    mem_free(line);
}

static bool open_line(void *context, enum seal_channel channel, struct line *out, struct err *err)
{
    static const struct line_operations operations = {send, turn, fd_of, deadline_of, cancel, end};
    struct fake_line *line = mem_alloc(sizeof *line);

    (void)err;
    line->fake = context;
    line->channel = channel;
    line->answer = mem_alloc(sizeof *line->answer);
    line->fd = eventfd(1, EFD_CLOEXEC);
    CHECK(line->fd >= 0);
    *out = (struct line){&operations, line};
    return true;
}

struct line_opener fake_coordinator_opener(struct fake_coordinator *fake)
{
    return (struct line_opener){open_line, fake};
}
