/* queue_world_check.c — what must never be, and what every verdict must be. */
#include "tests/support/queue_world.h"

#include "coordinator/queue/internal.h"

#include "storage/base/check.h"

#include <stdio.h>
#include <string.h>

/* Each counts what must not be. States: 1 waiting, 2 ready, 3 running, 4 stopping, 5 done; endings:
 * 0 held, 1 result; verdict 3 infra. */
static const struct {
    const char *what;
    const char *sql;
} rules[] = {
    {"a job is leased twice",
     "SELECT count(*) FROM (SELECT 1 FROM attempt WHERE ending = 0 GROUP BY job"
     " HAVING count(*) > 1)"},
    {"a job runs without a lease, or is leased and does not run",
     "SELECT count(*) FROM job j WHERE (state IN (3, 4)) !="
     " EXISTS(SELECT 1 FROM attempt a WHERE a.job = j.id AND a.ending = 0)"},
    {"a job is done without a verdict, or has one before",
     "SELECT count(*) FROM job WHERE (state = 5) != (ended_ms > 0)"},
    {"a lane's count is wrong", "SELECT count(*) FROM lane l WHERE ready !="
                                " (SELECT count(*) FROM job WHERE lane = l.id AND state = 2)"},
    {"a ready job has no lane", "SELECT count(*) FROM job j WHERE state = 2 AND NOT EXISTS"
                                "(SELECT 1 FROM lane l WHERE l.id = j.lane AND l.run = j.run)"},
    {"a run is done and its jobs are not, or the other way round",
     "SELECT count(*) FROM run r WHERE (state = 3) ="
     " EXISTS(SELECT 1 FROM job WHERE run = r.id AND state != 5)"},
    {"a run has lost jobs",
     "SELECT count(*) FROM run r WHERE jobs != (SELECT count(*) FROM job WHERE run = r.id)"},
    {"a job has two results", "SELECT count(*) FROM (SELECT 1 FROM attempt WHERE ending = 1"
                              " AND verdict != 3 GROUP BY job HAVING count(*) > 1)"},
    {"attempts are not counted", "SELECT count(*) FROM job j WHERE attempts !="
                                 " (SELECT count(*) FROM attempt WHERE job = j.id)"},
    {"a job waits for nothing", "SELECT count(*) FROM job WHERE state = 1 AND blocked = 0"},
    {"a checkpoint is booted twice at a time",
     "SELECT count(*) FROM (SELECT 1 FROM job WHERE kind = 1 AND state IN (2, 3, 4)"
     " GROUP BY spec HAVING count(*) > 1)"},
    {"an infra error was retried too often",
     "SELECT count(*) FROM job j WHERE infra > retry OR lost > 4"},
    {"a boot is awaited that nobody boots",
     "SELECT count(*) FROM job j WHERE state = 1 AND boot IS NOT NULL AND checkpoint IS NULL"
     " AND NOT EXISTS(SELECT 1 FROM boot b JOIN job l ON l.id = b.job WHERE b.key = j.boot"
     " AND l.state != 5)"},
};

/* The one number of the one row. */
static uint64_t number_of(struct world *world, const char *sql, uint64_t argument)
{
    sqlite3_stmt *statement;
    uint64_t number = 0;

    if (sqlite3_prepare_v2(world->queue->db.handle, sql, -1, &statement, NULL) != SQLITE_OK) {
        if (!queue_disk_dead(world->disk))
            world_problem(world, "check: %s", sqlite3_errmsg(world->queue->db.handle));
        return 0;
    }
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)argument);
    if (sqlite3_step(statement) == SQLITE_ROW)
        number = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static struct world_job *find_job(struct world *world, uint64_t id, struct world_run **run)
{
    for (uint32_t r = 0; r < world->run_count; r++) {
        for (uint32_t i = 0; i < world->runs[r].job_count; i++) {
            if (world->runs[r].jobs[i].id != id)
                continue;
            *run = &world->runs[r];
            return &world->runs[r].jobs[i];
        }
    }
    return NULL;
}

void world_check_granted(struct world *world, const struct world_message *answer)
{
    if (answer->kind != WORLD_CLAIM || answer->refused)
        return;
    for (uint32_t i = 0; i < answer->result_count; i++) {
        const struct world_result *grant = &answer->results[i];
        CHECK(grant->lease < WORLD_LEASES_ALL);
        struct world_lease *lease = &world->leases[grant->lease];
        if (lease->job)
            world_problem(world, "lease %llu was used before", (unsigned long long)grant->lease);
        *lease = (struct world_lease){grant->job, grant->attempt, answer->agent, 0};
        for (size_t n = 1; n < WORLD_LEASES_ALL && n < grant->lease; n++)
            if (world->leases[n].job == grant->job && world->leases[n].attempt >= grant->attempt)
                world_problem(world, "job %llu: attempt %u was there before",
                              (unsigned long long)grant->job, grant->attempt);
        struct world_run *run;
        const struct world_job *job = find_job(world, grant->job, &run);
        world_say(world, "job %llu (%u) to agent %u, lease %llu, attempt %u",
                  (unsigned long long)grant->job, grant->spec, answer->agent,
                  (unsigned long long)grant->lease, grant->attempt);
        for (uint32_t n = 0; job && n < job->need_count; n++)
            if (number_of(world, "SELECT state != 5 OR verdict != 0 FROM job WHERE id = ?1",
                          run->jobs[job->needs[n]].id))
                world_problem(world, "job %llu runs before what it needs",
                              (unsigned long long)grant->job);
    }
}

void world_check_recorded(struct world *world, const struct world_message *request,
                          const struct world_message *answer)
{
    if (request->kind != WORLD_RESULT || answer->refused)
        return;
    for (uint32_t i = 0; i < request->result_count; i++) {
        const struct world_result *result = &request->results[i];
        struct world_lease *lease = &world->leases[result->lease];
        world_say(world, "result of lease %llu by agent %u, job %llu: %s: %d",
                  (unsigned long long)result->lease, request->agent,
                  (unsigned long long)result->job, verdict_name(result->verdict),
                  answer->outcomes[i]);
        if (answer->outcomes[i] != QUEUE_RECORDED)
            continue;
        if (++lease->recorded > 1)
            world_problem(world, "lease %llu was recorded twice",
                          (unsigned long long)result->lease);
        if (lease->agent != request->agent || lease->job != result->job)
            world_problem(world, "lease %llu was recorded for another",
                          (unsigned long long)result->lease);
    }
}

/* Verdicts stay; jobs that were accepted stay. */
static void check_job(struct world *world, struct world_job *job)
{
    uint64_t found = number_of(world,
                               "SELECT 1 + state + 16 * coalesce(verdict, 0) FROM job"
                               " WHERE id = ?1",
                               job->id);

    if (queue_disk_dead(world->disk))
        return;
    if (!found) {
        world_problem(world, "job %llu is lost", (unsigned long long)job->id);
        return;
    }
    bool is_done = (found - 1) % 16 == JOB_DONE;
    enum verdict verdict = (enum verdict)((found - 1) / 16);
    if (job->seen_done && (!is_done || verdict != job->verdict))
        world_problem(world, "job %llu changed its verdict", (unsigned long long)job->id);
    job->seen_done = is_done;
    job->verdict = verdict;
}

static bool check_counts(void *context, const struct queue_run *run)
{
    struct world *world = context;
    char sql[128];

    for (uint64_t state = 0; state < JOB_STATE_COUNT; state++) {
        snprintf(sql, sizeof(sql), "SELECT count(*) FROM job WHERE run = ?1 AND state = %u",
                 (unsigned)state);
        if (number_of(world, sql, run->id) != run->states[state])
            world_problem(world, "run %llu miscounts its jobs", (unsigned long long)run->id);
    }
    for (uint64_t verdict = 0; verdict < VERDICT_COUNT; verdict++) {
        snprintf(sql, sizeof(sql),
                 "SELECT count(*) FROM job WHERE run = ?1 AND state = 5 AND verdict = %u",
                 (unsigned)verdict);
        if (number_of(world, sql, run->id) != run->verdicts[verdict])
            world_problem(world, "run %llu miscounts its verdicts", (unsigned long long)run->id);
    }
    return true;
}

void world_check_all(struct world *world)
{
    struct queue_page page = {0};
    struct err err = ERR_INIT;

    if (number_of(world, "SELECT count(*) FROM attempt WHERE ending = 0", 0) !=
        world->queue->leases.count)
        world_problem(world, "memory has other leases than the database");
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (number_of(world, rules[i].sql, 0))
            world_problem(world, "%s", rules[i].what);
    for (uint32_t r = 0; r < world->run_count; r++)
        for (uint32_t i = 0; world->runs[r].id && i < world->runs[r].job_count; i++)
            check_job(world, &world->runs[r].jobs[i]);
    if (!queue_disk_dead(world->disk) &&
        !queue_runs_each(world->queue, &page, check_counts, world, &err))
        world_problem(world, "runs: %s", err.text);
}

/* ---- verdicts ---- */

static bool infra_is_right(struct world *world, const struct world_run *run,
                           const struct world_job *job)
{
    uint64_t infra = number_of(world,
                               "SELECT count(*) FROM attempt WHERE job = ?1 AND ending = 1"
                               " AND verdict = 3",
                               job->id);
    uint64_t lost = number_of(
        world, "SELECT count(*) FROM attempt WHERE job = ?1 AND ending IN (2, 4)", job->id);

    if (infra > job->retry || lost > QUEUE_LOST_MAX)
        return true;
    for (uint32_t i = 0; job->boot && i < run->job_count; i++)
        if (run->jobs[i].spec == WORLD_SPECS + job->boot - 1 &&
            run->jobs[i].verdict != VERDICT_PASS)
            return true;
    /* A boot that follows another run's shares its verdict. */
    return job->spec >= WORLD_SPECS && number_of(world,
                                                 "SELECT attempts = 0 FROM job"
                                                 " WHERE id = ?1",
                                                 job->id);
}

static bool skipped_is_right(const struct world_run *run, const struct world_job *job)
{
    for (uint32_t n = 0; n < job->need_count; n++)
        if (run->jobs[job->needs[n]].verdict != VERDICT_PASS)
            return true;
    return false;
}

static bool has_failed_enough(const struct world_run *run)
{
    uint64_t failures = 0;

    for (uint32_t i = 0; i < run->job_count; i++) {
        enum verdict verdict = run->jobs[i].verdict;
        failures +=
            !run->jobs[i].quarantined && (verdict == VERDICT_FAIL || verdict == VERDICT_TIMEOUT ||
                                          verdict == VERDICT_DIVERGENCE);
    }
    return run->max_failures && failures >= run->max_failures;
}

static bool verdict_is_right(struct world *world, const struct world_run *run,
                             const struct world_job *job)
{
    const struct world_spec *spec = &world->specs[job->spec];

    for (uint32_t n = 0; n < job->need_count; n++)
        if (run->jobs[job->needs[n]].verdict != VERDICT_PASS)
            return job->verdict == VERDICT_SKIPPED || job->verdict == VERDICT_CANCELLED ||
                   (job->verdict == VERDICT_INFRA && infra_is_right(world, run, job));
    switch (job->verdict) {
    case VERDICT_PASS:
    case VERDICT_FAIL:
    case VERDICT_TIMEOUT:
        return job->verdict == spec->truth;
    case VERDICT_INFRA:
        return infra_is_right(world, run, job);
    case VERDICT_CANCELLED:
        return run->cancelled || has_failed_enough(run);
    case VERDICT_SKIPPED:
        return skipped_is_right(run, job);
    case VERDICT_DIVERGENCE:
        return spec->diverges;
    }
    return false;
}

static bool check_run(void *context, const struct queue_run *run)
{
    struct world *world = context;
    enum verdict worst = VERDICT_SKIPPED;

    for (uint32_t r = 0; r < world->run_count; r++) {
        for (uint32_t i = 0; world->runs[r].id == run->id && i < world->runs[r].job_count; i++)
            if (!world->runs[r].jobs[i].quarantined)
                worst = verdict_worst(worst, world->runs[r].jobs[i].verdict);
        if (world->runs[r].id == run->id && run->verdict != worst)
            world_problem(world, "run %llu is %s, its jobs say %s", (unsigned long long)run->id,
                          verdict_name(run->verdict), verdict_name(worst));
    }
    return true;
}

void world_check_verdicts(struct world *world)
{
    struct queue_page page = {0};
    struct err err = ERR_INIT;

    for (uint32_t r = 0; r < world->run_count; r++) {
        const struct world_run *run = &world->runs[r];
        for (uint32_t i = 0; i < run->job_count; i++) {
            const struct world_job *job = &run->jobs[i];
            if (!job->seen_done)
                world_problem(world, "job %llu has no verdict", (unsigned long long)job->id);
            else if (!verdict_is_right(world, run, job))
                world_problem(world, "job %llu (spec %u, truth %s) is %s",
                              (unsigned long long)job->id, job->spec,
                              verdict_name(world->specs[job->spec].truth),
                              verdict_name(job->verdict));
        }
    }
    if (!queue_runs_each(world->queue, &page, check_run, world, &err))
        world_problem(world, "runs: %s", err.text);
    if (world->calm &&
        number_of(world, "SELECT count(*) FROM attempt WHERE ending IN (2, 4, 5)", 0))
        world_problem(world, "a lease was lost, and nobody was");
}
