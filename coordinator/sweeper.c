#include "coordinator/sweeper.h"

#include "coordinator/queue/named.h"
#include "coordinator/submission.h"
#include "jobs/job_spec.h"
#include "storage/base/log.h"
#include "storage/blob.h"
#include "storage/hash_map.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

struct sweeper {
    struct sweeper_task task;
    pthread_t thread;
    atomic_bool is_done;
};

/* What is still wanted. */
struct wanted {
    struct store *store;
    struct hash_map blobs;
    struct err err;
};

/* What a job needs besides its spec. A spec that is not there needs nothing any more. */
static bool want_parts(struct wanted *wanted, const struct hash *id)
{
    struct buf bytes = BUF_INIT(JOB_SPEC_BYTES_MAX);
    struct err *err = &wanted->err;
    struct job_spec *spec = NULL;
    bool ok = store_blob_get(wanted->store, id, &bytes, err);

    if (!ok && err->kind == ERR_NOT_FOUND) {
        *err = (struct err)ERR_INIT;
        return true;
    }
    ok = ok && job_spec_decode(buf_span(&bytes), &spec, err);
    for (size_t i = 0; ok && i < spec->blob_count; i++)
        (void)hash_map_add(&wanted->blobs, &spec->blobs[i].hash, NULL);
    job_spec_free(spec);
    buf_release(&bytes);
    return ok;
}

static bool want(void *context, const struct hash *id, bool is_spec)
{
    struct wanted *wanted = context;
    bool is_new;

    (void)hash_map_add(&wanted->blobs, id, &is_new);
    return !is_spec || !is_new || want_parts(wanted, id);
}

static bool want_request(void *context, struct span request)
{
    struct wanted *wanted = context;
    struct submission *submission;
    bool ok = submission_read(request, false, &submission, &wanted->err);

    if (!ok)
        return false;
    for (size_t i = 0; ok && i < submission->request.job_count; i++)
        ok = want(wanted, &submission->request.jobs[i].spec, true);
    submission_free(submission);
    return ok;
}

static bool is_wanted(void *context, const struct hash *id)
{
    return hash_map_has(&((struct wanted *)context)->blobs, id);
}

static bool sweep_blobs(const struct sweeper_task *task, uint64_t *removed, struct err *err)
{
    struct wanted wanted = {.store = task->store, .err = ERR_INIT};
    const struct named named = {want, want_request, &wanted};
    struct blob_sweep sweep = {
        .wanted = is_wanted, .context = &wanted, .now_s = task->now_s, .grace_s = SWEEPER_GRACE_S};
    bool ok = named_each(task->database, &named, err);

    if (!ok && wanted.err.kind != ERR_NONE)
        *err = wanted.err;
    ok = ok && store_blob_sweep(task->store, &sweep, err);
    hash_map_release(&wanted.blobs);
    *removed = sweep.removed;
    if (ok && sweep.removed != 0)
        log_message(LOG_INFO, "store: %" PRIu64 " blobs removed, %" PRIu64 " bytes", sweep.removed,
                    sweep.bytes);
    return ok;
}

static bool collect(const struct sweeper_task *task, struct err *err)
{
    struct gc_report report;
    bool ok = store_gc(task->store, false, &report, err);

    if (ok)
        log_message(LOG_INFO, "store: %zu checkpoints removed, %" PRIu64 " of %" PRIu64 " bytes",
                    report.checkpoints_removed, report.bytes_before - report.bytes_after,
                    report.bytes_before);
    return ok;
}

bool sweeper_run(const struct sweeper_task *task, uint64_t *removed, struct err *err)
{
    return sweep_blobs(task, removed, err) && (!task->checkpoints || collect(task, err));
}

static void *work(void *context)
{
    struct sweeper *sweeper = context;
    struct err err = ERR_INIT;
    uint64_t removed;

    if (!sweeper_run(&sweeper->task, &removed, &err))
        log_message(LOG_ERROR, "store: nothing is freed: %s", err.text);
    atomic_store(&sweeper->is_done, true);
    return NULL;
}

struct sweeper *sweeper_start(const struct sweeper_task *task)
{
    struct sweeper *sweeper = mem_alloc(sizeof *sweeper);
    int code;

    sweeper->task = *task;
    atomic_init(&sweeper->is_done, false);
    code = pthread_create(&sweeper->thread, NULL, work, sweeper);
    if (code == 0)
        return sweeper;
    log_message(LOG_ERROR, "store: nothing is freed: no thread: %s", strerror(code));
    mem_free(sweeper);
    return NULL;
}

bool sweeper_is_done(const struct sweeper *sweeper)
{
    return atomic_load(&sweeper->is_done);
}

void sweeper_end(struct sweeper *sweeper)
{
    if (sweeper == NULL)
        return;
    pthread_join(sweeper->thread, NULL);
    mem_free(sweeper);
}
