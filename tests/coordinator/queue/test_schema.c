/* The database: its statements, its version, faults that stick. */
#include "coordinator/queue/internal.h"
#include "coordinator/queue/schema.h"
#include "tests/support/queue_farm.h"

#include <stdio.h>

QUEUE_FARM_TEST(every_statement_can_be_prepared)
{
    for (enum sql statement = 0; statement < SQL_COUNT; statement++)
        assert_non_null(db_use(&farm->queue->db, statement));
}

QUEUE_FARM_TEST(database_of_a_newer_program_is_refused)
{
    struct queue *queue;

    assert_true(db_exec(&farm->queue->db, "PRAGMA user_version = 1000"));
    BASE_FAILS(queue_open(&farm->options, &queue, &farm->err), &farm->err, ERR_UNSUPPORTED,
               "version 1000");
}

QUEUE_FARM_TEST(first_fault_sticks_and_the_bracket_is_lost)
{
    struct queue_job_request job = queue_farm_job("a");
    struct queue_run_request request = {
        .name = "r", .submitter = "s", .jobs = &job, .job_count = 1};
    struct queue_submitted out;

    queue_farm_begin(farm);
    BASE_OK(queue_run_submit(farm->queue, &request, &out, &farm->err), &farm->err);
    assert_false(db_exec(&farm->queue->db, "INSERT INTO nowhere VALUES(1)"));
    assert_false(queue_run_submit(farm->queue, &request, &out, &farm->err));
    BASE_FAILS(queue_commit(farm->queue, &farm->err), &farm->err, ERR_IO, "nowhere");
    queue_farm_begin(farm);
    BASE_OK(queue_run_submit(farm->queue, &request, &out, &farm->err), &farm->err);
    assert_int_equal(out.run, 1); /* the first one never was */
    queue_farm_commit(farm);
    assert_int_equal(queue_farm_run_of(farm, out.run)->jobs, 1);
}

QUEUE_FARM_TEST(backup_is_a_queue_of_its_own)
{
    struct queue_job_request job = queue_farm_job("a");
    char path[1024];
    uint64_t run = queue_farm_submit(farm, &job, 1);

    snprintf(path, sizeof(path), "%s/backup.db", farm->folder);
    BASE_OK(queue_backup(farm->queue, path, &farm->err), &farm->err);
    BASE_FAILS(queue_backup(farm->queue, path, &farm->err), &farm->err, ERR_IO, "backup");
    queue_farm_submit(farm, &job, 1);
    queue_close(farm->queue);
    farm->options.path = path;
    BASE_OK(queue_open(&farm->options, &farm->queue, &farm->err), &farm->err);
    assert_int_equal(queue_farm_run_of(farm, run)->states[JOB_READY], 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    queue_farm_take(farm, &agent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_can_be_prepared),
        cmocka_unit_test(database_of_a_newer_program_is_refused),
        cmocka_unit_test(first_fault_sticks_and_the_bracket_is_lost),
        cmocka_unit_test(backup_is_a_queue_of_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
