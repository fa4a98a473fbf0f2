/* boots.c — a checkpoint that is missing is booted once for the whole farm.
 *
 * The first boot job of a key leads: it runs. Boot jobs of other runs with that key follow: they
 * wait with the tests, and get the leader's verdict. When the leader is cancelled the next one
 * leads. */
#include "coordinator/queue/arrows.h"

#include <stdio.h>
#include <string.h>

bool boot_find(struct queue *queue, const struct hash *key, struct boot *out)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_BOOT_FIND);

    memset(out, 0, sizeof(*out));
    db_hash(row, 1, key);
    if (!db_row(&queue->db, row))
        return false;
    out->state = (enum boot_state)db_get(row, 0);
    out->job = db_get(row, 1);
    db_get_hash(row, 2, &out->checkpoint);
    out->lease = db_get(row, 3);
    out->verdict = (enum verdict)db_get(row, 4);
    snprintf(out->reason, sizeof(out->reason), "%s", db_get_text(row, 5));
    db_end(row);
    const struct queue_options *options = &queue->options;
    if (out->state == BOOT_BOOTED && options->checkpoint_exists &&
        !options->checkpoint_exists(options->context, &out->checkpoint))
        out->state = BOOT_NONE;
    return true;
}

void boot_store(struct queue *queue, const struct hash *key, const struct boot *boot)
{
    sqlite3_stmt *set = db_use(&queue->db, SQL_BOOT_SET);

    db_hash(set, 1, key);
    db_u64(set, 2, boot->state);
    db_u64(set, 3, boot->job);
    db_hash(set, 4, &boot->checkpoint);
    db_u64(set, 5, boot->lease);
    db_u64(set, 6, boot->boot_ns);
    db_u64(set, 7, queue_now_ms(queue));
    db_u64(set, 8, boot->verdict);
    db_text(set, 9, boot->reason);
    db_run(&queue->db, set);
}

static void name_of(struct queue *queue, uint64_t test, char *out, size_t size)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_TEST_NAME);

    db_u64(row, 1, test);
    snprintf(out, size, "?");
    if (db_row(&queue->db, row)) {
        snprintf(out, size, "%s", db_get_text(row, 0));
        db_end(row);
    }
}

/* The next boot job of that key takes over. */
static bool pass_on(struct queue *queue, const struct hash *key)
{
    sqlite3_stmt *row = db_use(&queue->db, SQL_JOB_FOLLOWER);
    struct job job;

    db_hash(row, 1, key);
    uint64_t next = db_number(&queue->db, row, 0);
    if (!next || !job_load(queue, next, &job))
        return false;
    boot_store(queue, key, &(struct boot){.state = BOOT_PENDING, .job = next});
    job.flags |= JOB_FLAG_LEADER;
    job.blocked = 0;
    job_go(queue, &job, EVENT_QUEUE, &(struct job_change){0});
    return true;
}

void boot_resolve(struct queue *queue, const struct job *leader)
{
    struct boot boot = {.job = leader->id,
                        .lease = leader->result,
                        .verdict = leader->verdict,
                        .checkpoint = leader->checkpoint,
                        .state = BOOT_BOOTED};
    char name[QUEUE_NAME_MAX + 1];

    if (leader->verdict == VERDICT_CANCELLED && pass_on(queue, &leader->boot))
        return;
    if (leader->verdict == VERDICT_PASS) {
        sqlite3_stmt *row = db_use(&queue->db, SQL_ATTEMPT_SHORT);
        db_u64(row, 1, leader->result);
        if (db_row(&queue->db, row)) {
            boot.boot_ns = db_get(row, 1);
            db_end(row);
        }
    } else {
        boot.state = BOOT_FAILED;
        boot.checkpoint = (struct hash){{0}};
        name_of(queue, leader->test, name, sizeof(name));
        snprintf(boot.reason, sizeof(boot.reason), "boot %.200s: %s%s%.250s", name,
                 verdict_name(leader->verdict), leader->reason[0] ? ": " : "", leader->reason);
    }
    boot_store(queue, &leader->boot, &boot);
    work_add(queue, &(struct work){.kind = WORK_BOOT, .key = leader->boot});
}

static void tell(struct queue *queue, struct job *job, const struct boot *boot)
{
    bool is_booted = boot->state == BOOT_BOOTED;

    if (job->kind == JOB_BOOT) {
        struct job_change change = {.verdict = boot->verdict,
                                    .reason = boot->reason,
                                    .result = boot->lease,
                                    .checkpoint = boot->checkpoint};
        job_go(queue, job, EVENT_ANSWER, &change);
        return;
    }
    if (!is_booted) {
        job_go(queue, job, EVENT_BLOCK,
               &(struct job_change){.verdict = VERDICT_INFRA, .reason = boot->reason});
        return;
    }
    job->checkpoint = boot->checkpoint;
    if (--job->blocked > 0)
        job_store(queue, job);
    else
        job_start(queue, job);
}

size_t boot_settle(struct queue *queue, const struct hash *key, size_t budget)
{
    uint64_t jobs[SETTLE_MAX];
    size_t count = 0;
    struct boot boot;
    struct job job;

    if (!boot_find(queue, key, &boot) || boot.state == BOOT_PENDING || boot.state == BOOT_NONE)
        return 0; /* it is being booted anew: they wait for that */
    sqlite3_stmt *row = db_use(&queue->db, SQL_JOB_OF_BOOT);
    db_hash(row, 1, key);
    db_u64(row, 2, budget);
    while (count < SETTLE_MAX && db_row(&queue->db, row))
        jobs[count++] = db_get(row, 0);
    db_end(row);
    for (size_t i = 0; i < count; i++)
        if (job_load(queue, jobs[i], &job))
            tell(queue, &job, &boot);
    return count;
}
