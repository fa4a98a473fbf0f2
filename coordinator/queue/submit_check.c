#include "coordinator/queue/submit.h"

#include <stdlib.h>
#include <string.h>

static bool text_fits(const char *text, size_t max, const char *what, struct err *err)
{
    if (text && strlen(text) > max)
        return err_set(err, ERR_TOO_BIG, "%s has more than %zu bytes", what, max);
    return true;
}

bool submit_check_run(const struct queue_run_request *request, struct err *err)
{
    const struct queue_run_options *options = &request->options;

    if (!request->name || !*request->name || !request->submitter)
        return err_set(err, ERR_INVALID, "a run has a name and a submitter");
    if (request->priority > 100)
        return err_set(err, ERR_INVALID, "a run's priority is 0 to 100");
    if (options->rerun_share_permille > 1000)
        return err_set(err, ERR_INVALID, "a share is at most 1000 permille");
    if ((unsigned)options->order > JOB_ORDER_FILE)
        return err_set(err, ERR_INVALID, "no such order of jobs");
    if (request->job_count == 0 && !request->open)
        return err_set(err, ERR_INVALID, "a run has jobs");
    return text_fits(request->name, QUEUE_NAME_MAX, "a run's name", err) &&
           text_fits(request->submitter, QUEUE_NAME_MAX, "a submitter's name", err) &&
           text_fits(options->baseline, QUEUE_NAME_MAX, "a baseline's name", err) &&
           text_fits(options->webhook_url, 2048, "a webhook's URL", err) &&
           text_fits(options->webhook_secret, QUEUE_TEXT_MAX, "a webhook's secret", err) &&
           text_fits(options->command, 4096, "a command", err);
}

static bool check_texts(const struct queue_job_request *job, struct err *err)
{
    if (!job->name || !*job->name || !job->suite)
        return err_set(err, ERR_INVALID, "a job has a name and a suite");
    if (job->host_count > QUEUE_HOST_MAX || job->need_count > QUEUE_NEEDS_MAX)
        return err_set(err, ERR_TOO_BIG, "at most %d tags of hosts and %d needs", QUEUE_HOST_MAX,
                       QUEUE_NEEDS_MAX);
    for (uint32_t i = 0; i < job->host_count; i++) {
        if (!text_fits(job->host[i], QUEUE_TAG_MAX, "a host's tag", err))
            return false;
        if (!*job->host[i] || strchr(job->host[i], '\n'))
            return err_set(err, ERR_INVALID, "a host's tag is empty, or has a line end");
    }
    return text_fits(job->name, QUEUE_NAME_MAX, "the name", err) &&
           text_fits(job->suite, QUEUE_NAME_MAX, "the suite's name", err) &&
           text_fits(job->group, QUEUE_NAME_MAX, "the group's name", err) &&
           text_fits(job->reason, QUEUE_TEXT_MAX, "the reason", err) &&
           text_fits(job->tag, QUEUE_NAME_MAX, "the tag", err) &&
           text_fits(job->parameters, QUEUE_PARAMETERS_MAX, "the text of parameters", err) &&
           text_fits(job->quarantine.owner, QUEUE_TEXT_MAX, "the quarantine's owner", err) &&
           text_fits(job->quarantine.reason, QUEUE_TEXT_MAX, "the quarantine's reason", err);
}

static bool check_kind(const struct queue_job_request *job, struct err *err)
{
    if (job->kind != JOB_TEST && job->kind != JOB_BOOT)
        return err_set(err, ERR_INVALID, "no such kind of job");
    if (hash_is_zero(&job->spec))
        return err_set(err, ERR_INVALID, "a job has a spec");
    if (job->kind == JOB_BOOT && (job->need_count || job->skip || !hash_is_zero(&job->boot) ||
                                  !hash_is_zero(&job->checkpoint)))
        return err_set(err, ERR_INVALID, "a boot needs nothing, and is not skipped");
    if (!hash_is_zero(&job->boot) && !hash_is_zero(&job->checkpoint))
        return err_set(err, ERR_INVALID, "either a checkpoint, or a boot");
    if (job->retry_infra > JOB_RETRY_MAX)
        return err_set(err, ERR_INVALID, "at most %d further attempts", JOB_RETRY_MAX);
    return true;
}

/* Names, sorted, so that equal ones are neighbours. */
static int name_compare(const void *a, const void *b)
{
    const struct queue_job_request *left = *(const struct queue_job_request *const *)a;
    const struct queue_job_request *right = *(const struct queue_job_request *const *)b;
    int order = strcmp(left->name, right->name);

    return order ? order : strcmp(left->suite, right->suite);
}

static bool check_twice(const struct part *part, struct err *err)
{
    const struct queue_job_request **sorted = mem_array(part->count + 1, sizeof(*sorted));
    bool ok = true;

    for (size_t i = 0; i < part->count; i++)
        sorted[i] = &part->jobs[i];
    qsort(sorted, part->count, sizeof(*sorted), name_compare);
    for (size_t i = 1; ok && i < part->count; i++)
        if (name_compare(&sorted[i - 1], &sorted[i]) == 0)
            ok = err_set(err, ERR_INVALID, "two jobs have the name %.100s", sorted[i]->name);
    mem_free(sorted);
    return ok;
}

static bool is_in_run(struct queue *queue, const struct queue_job_request *job, uint64_t run)
{
    uint64_t ignored, test = run ? test_row(queue, job, false, &ignored) : 0;

    if (!test)
        return false;
    sqlite3_stmt *row = db_use(&queue->db, SQL_JOB_OF_TEST);
    DB_NUMBERS(row, run, test);
    return db_number(&queue->db, row, 0) != 0;
}

/* Takes away, again and again, what needs nothing that is left; what stays is a cycle. */
static bool check_cycle(const struct part *part, struct err *err)
{
    bool *done = mem_array(part->count + 1, sizeof(*done));
    size_t left = part->count, before;

    do {
        before = left;
        for (size_t i = 0; i < part->count; i++) {
            const struct queue_job_request *job = &part->jobs[i];
            bool is_free = !done[i];
            for (uint32_t n = 0; is_free && n < job->need_count; n++)
                is_free = job->needs[n] < part->base || done[job->needs[n] - part->base];
            left -= is_free;
            done[i] = done[i] || is_free;
        }
    } while (left < before);
    mem_free(done);
    return left == 0 || err_set(err, ERR_INVALID, "%zu jobs need each other in a circle", left);
}

static bool is_among(const uint32_t *places, uint32_t count, uint32_t place)
{
    for (uint32_t i = 0; i < count; i++)
        if (places[i] == place)
            return true;
    return false;
}

static bool check_needs(struct part *part, struct err *err)
{
    uint64_t end = part->base + part->count;
    bool goes_forward = false;

    for (size_t i = 0; i < part->count; i++) {
        const struct queue_job_request *job = &part->jobs[i];
        for (uint32_t n = 0; n < job->need_count; n++) {
            uint64_t place = job->needs[n];
            if (place >= end || place == part->base + i)
                return err_set(err, ERR_INVALID, "job %.100s needs number %llu", job->name,
                               (unsigned long long)place);
            if (is_among(job->needs, n, job->needs[n]))
                return err_set(err, ERR_INVALID, "job %.100s needs number %llu twice", job->name,
                               (unsigned long long)place);
            goes_forward = goes_forward || place > part->base + i;
            if (place >= part->base)
                part->needed[place - part->base] = true;
        }
    }
    return !goes_forward || check_cycle(part, err);
}

/* A boot key is known, or one of the jobs before has it. */
static bool check_boots(struct queue *queue, const struct part *part, struct err *err)
{
    struct hash last = {{0}};
    struct boot boot;

    for (size_t i = 0; i < part->count; i++) {
        const struct hash *key = &part->jobs[i].boot;
        bool found = hash_is_zero(key) || hash_equal(key, &last);
        for (size_t k = 0; !found && k < i; k++)
            found = part->jobs[k].kind == JOB_BOOT && hash_equal(&part->jobs[k].spec, key);
        found = found || (boot_find(queue, key, &boot) &&
                          (boot.state == BOOT_PENDING || boot.state == BOOT_BOOTED));
        if (!found)
            return err_set(err, ERR_INVALID, "job %.100s needs a boot that is not in the run",
                           part->jobs[i].name);
        last = *key;
    }
    return true;
}

bool submit_check_jobs(struct queue *queue, struct part *part, uint64_t run, struct err *err)
{
    if (part->count > QUEUE_JOBS_MAX || part->base + part->count > UINT32_MAX)
        return err_set(err, ERR_TOO_BIG, "at most %d jobs at a time", QUEUE_JOBS_MAX);
    for (size_t i = 0; i < part->count; i++) {
        const struct queue_job_request *job = &part->jobs[i];
        if (!check_texts(job, err) || !check_kind(job, err))
            return err_wrap(err, "job %zu (%.100s)", i, job->name ? job->name : "");
        if (is_in_run(queue, job, run))
            return err_set(err, ERR_INVALID, "the run has a job %.100s already", job->name);
    }
    return check_twice(part, err) && check_needs(part, err) && check_boots(queue, part, err) &&
           db_ok(&queue->db, err);
}
