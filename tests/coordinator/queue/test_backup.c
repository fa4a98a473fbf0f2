/* A copy of the database taken while a queue works with it, and put back. */
#include "coordinator/queue/backup.h"
#include "coordinator/queue/history.h"
#include "storage/base/file.h"
#include "tests/support/queue_farm.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

static const char *beside(const struct queue_farm *farm, const char *name)
{
    static char path[600];

    snprintf(path, sizeof(path), "%s/%s", farm->folder, name);
    return path;
}

static void restore(struct queue_farm *farm, const char *backup)
{
    queue_close(farm->queue);
    BASE_OK(backup_restore(backup, farm->path, &farm->err), &farm->err);
    BASE_OK(queue_open(&farm->options, &farm->queue, &farm->err), &farm->err);
}

QUEUE_FARM_TEST(backup_has_all_that_was_committed_before_it)
{
    struct queue_job_request jobs[] = {queue_farm_job("a"), queue_farm_job("b")};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    uint64_t run = queue_farm_submit(farm, jobs, 2);
    struct queue_grant grant = queue_farm_take(farm, &agent);

    queue_farm_result(farm, &agent, &grant, VERDICT_FAIL);
    queue_farm_begin(farm); /* a bracket is open all the time */
    struct queue_run_request request = {
        .name = "late", .submitter = "t", .jobs = jobs, .job_count = 1};
    struct queue_submitted late;
    BASE_OK(queue_run_submit(farm->queue, &request, &late, &farm->err), &farm->err);
    BASE_OK(backup_take(farm->path, beside(farm, "backup"), &farm->err), &farm->err);
    queue_farm_commit(farm);
    assert_int_equal(queue_farm_run_of(farm, late.run)->jobs, 1); /* it was not disturbed */
    restore(farm, beside(farm, "backup"));
    assert_int_equal(queue_farm_job_of(farm, grant.job)->verdict, VERDICT_FAIL);
    assert_int_equal(queue_farm_run_of(farm, run)->states[JOB_READY], 1);
    BASE_FAILS(queue_run_get(farm->queue, late.run, NULL, NULL, &farm->err), &farm->err,
               ERR_NOT_FOUND, "no run");
}

QUEUE_FARM_TEST(numbers_of_after_the_backup_are_not_given_again)
{
    struct queue_job_request job = queue_farm_job("a"), other = queue_farm_job("b");
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);

    BASE_OK(backup_take(farm->path, beside(farm, "backup"), &farm->err), &farm->err);
    queue_farm_restart(farm); /* which gives events new numbers */
    queue_farm_restart(farm);
    assert_true(queue_farm_hello(farm, &agent));
    uint64_t run = queue_farm_submit(farm, &job, 1), newest = queue_event_newest(farm->queue);
    struct queue_grant lost = queue_farm_take(farm, &agent);
    restore(farm, beside(farm, "backup"));
    assert_true(queue_farm_hello(farm, &agent));
    assert_true(queue_event_newest(farm->queue) > newest);
    assert_true(queue_farm_submit(farm, &other, 1) > run + BACKUP_RUNS_SKIPPED - 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);
    assert_true(grant.job > lost.job && grant.lease > lost.lease);
    /* What the agent did before is not taken for it. */
    assert_int_equal(queue_farm_result(farm, &agent, &lost, VERDICT_FAIL), QUEUE_STALE);
    assert_int_equal(queue_farm_result(farm, &agent, &grant, VERDICT_PASS), QUEUE_RECORDED);
}

QUEUE_FARM_TEST(job_that_was_done_after_the_backup_is_run_again)
{
    struct queue_job_request job = queue_farm_job("a");
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    uint64_t run = queue_farm_submit(farm, &job, 1);
    struct queue_grant grant = queue_farm_take(farm, &agent);

    BASE_OK(backup_take(farm->path, beside(farm, "backup"), &farm->err), &farm->err);
    queue_farm_result(farm, &agent, &grant, VERDICT_PASS);
    restore(farm, beside(farm, "backup"));
    assert_int_equal(queue_farm_run_of(farm, run)->states[JOB_RUNNING], 1);
    agent.incarnation++; /* and it forgot */
    assert_true(queue_farm_hello(farm, &agent));
    grant = queue_farm_take(farm, &agent);
    assert_int_equal(grant.run, run);
    queue_farm_result(farm, &agent, &grant, VERDICT_PASS);
    assert_int_equal(queue_farm_run_of(farm, run)->state, RUN_DONE);
}

QUEUE_FARM_TEST(what_was_there_is_kept_beside)
{
    struct queue_job_request job = queue_farm_job("a");
    char kept[600];

    BASE_OK(backup_take(farm->path, beside(farm, "backup"), &farm->err), &farm->err);
    uint64_t run = queue_farm_submit(farm, &job, 1);
    restore(farm, beside(farm, "backup"));
    snprintf(kept, sizeof(kept), "%s.before", farm->path);
    BASE_FAILS(backup_restore(beside(farm, "backup"), farm->path, &farm->err), &farm->err,
               ERR_CONFLICT, "queue.db.before");
    queue_close(farm->queue);
    farm->options.path = kept;
    BASE_OK(queue_open(&farm->options, &farm->queue, &farm->err), &farm->err);
    assert_int_equal(queue_farm_run_of(farm, run)->jobs, 1);
}

QUEUE_FARM_TEST(nothing_is_overwritten_and_nothing_half_is_left)
{
    char elsewhere[600];

    BASE_OK(file_write(beside(farm, "there"), span_of_text("x"), &farm->err), &farm->err);
    BASE_FAILS(backup_take(farm->path, beside(farm, "there"), &farm->err), &farm->err, ERR_CONFLICT,
               "there already");
    snprintf(elsewhere, sizeof(elsewhere), "%s/none/backup", farm->folder);
    assert_false(backup_take(farm->path, elsewhere, &farm->err));
    snprintf(elsewhere, sizeof(elsewhere), "%s/no.db", farm->folder);
    BASE_FAILS(backup_take(elsewhere, beside(farm, "backup"), &farm->err), &farm->err,
               ERR_NOT_FOUND, "no.db");
    assert_false(file_exists(beside(farm, "no.db"))); /* it was not made */
    assert_false(file_exists(beside(farm, "backup")));
    assert_false(file_exists(beside(farm, "backup.part")));
}

static void refuse(struct queue_farm *farm, const char *path, enum err_kind kind, const char *part)
{
    BASE_FAILS(backup_restore(path, farm->path, &farm->err), &farm->err, kind, part);
    assert_true(file_exists(farm->path));
    assert_false(file_exists(beside(farm, "queue.db.part")));
    assert_false(file_exists(beside(farm, "queue.db.before")));
}

static void change(const char *path, const char *sql)
{
    sqlite3 *database;

    assert_int_equal(sqlite3_open(path, &database), SQLITE_OK);
    assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

QUEUE_FARM_TEST(only_a_sound_backup_is_put_back)
{
    struct queue_job_request job = queue_farm_job("a");
    struct buf bytes = BUF_INIT(16u << 20);
    char copy[600];

    queue_farm_submit(farm, &job, 1);
    BASE_OK(backup_take(farm->path, beside(farm, "backup"), &farm->err), &farm->err);
    BASE_OK(file_read(beside(farm, "backup"), &bytes, &farm->err), &farm->err);
    refuse(farm, beside(farm, "none"), ERR_NOT_FOUND, "none");
    for (size_t size = 0; size < bytes.size; size += bytes.size / 7 + 1) { /* cut short */
        BASE_OK(file_write(beside(farm, "cut"), (struct span){bytes.data, size}, &farm->err),
                &farm->err);
        refuse(farm, beside(farm, "cut"), ERR_CORRUPT, "cut");
    }
    memset(bytes.data + 100, 0x55, bytes.size / 2);
    BASE_OK(file_write(beside(farm, "bad"), buf_span(&bytes), &farm->err), &farm->err);
    refuse(farm, beside(farm, "bad"), ERR_CORRUPT, "bad");
    snprintf(copy, sizeof(copy), "%s/bad", farm->folder);
    assert_false(backup_take(copy, beside(farm, "of bad"), &farm->err));
    assert_false(file_exists(beside(farm, "of bad")));
    assert_false(file_exists(beside(farm, "of bad.part")));
    change(beside(farm, "other"), "CREATE TABLE run(id); PRAGMA user_version = 1");
    refuse(farm, beside(farm, "other"), ERR_CORRUPT, "no database of a coordinator");
    /* Every row can be read, and yet: an index is lost, its pages are nobody's. */
    snprintf(copy, sizeof(copy), "%s/lost", farm->folder);
    BASE_OK(backup_take(farm->path, copy, &farm->err), &farm->err);
    change(copy, "PRAGMA writable_schema = ON; DELETE FROM sqlite_master WHERE name = 'job_ready'");
    refuse(farm, copy, ERR_CORRUPT, "never used");
    change(beside(farm, "backup"), "PRAGMA user_version = 99");
    refuse(farm, beside(farm, "backup"), ERR_UNSUPPORTED, "version 99");
    buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backup_has_all_that_was_committed_before_it),
        cmocka_unit_test(numbers_of_after_the_backup_are_not_given_again),
        cmocka_unit_test(job_that_was_done_after_the_backup_is_run_again),
        cmocka_unit_test(what_was_there_is_kept_beside),
        cmocka_unit_test(nothing_is_overwritten_and_nothing_half_is_left),
        cmocka_unit_test(only_a_sound_backup_is_put_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
