/* The table of arrows: every arrow is walked, every other pair of state and event is refused. */
#include "coordinator/queue/arrows.h"
#include "storage/base/file.h"
#include "tests/support/queue_farm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void table_is_the_one_that_is_checked_in(void **state)
{
    struct buf text = BUF_INIT(1 << 20), file = BUF_INIT(1 << 20);
    struct err err = ERR_INIT;
    char *bytes;

    (void)state;
    BASE_OK(arrows_write(&text, &err), &err);
    BASE_OK(file_read(THAW_TESTS_DIR "/../coordinator/queue/ARROWS.md", &file, &err), &err);
    BASE_OK(buf_append(&file, "", 1, &err), &err);
    BASE_OK(buf_append(&text, "", 1, &err), &err);
    bytes = strstr((char *)file.data, "| from |");
    assert_non_null(bytes);
    assert_string_equal(bytes, (char *)text.data);
    buf_release(&text);
    buf_release(&file);
}

/* A job in that state, with what an arrow from there needs. */
struct stand {
    struct queue_farm farm;
    struct queue_farm_agent agent;
    struct job job;
    struct job_change change;
    struct queue_result result;
    uint64_t granted;
};

static void bring_to(struct stand *stand, enum job_state state)
{
    struct queue_job_request jobs[] = {queue_farm_job("first"), queue_farm_job("job")};
    uint32_t needs[] = {0};
    struct queue_farm *farm = &stand->farm;

    memset(stand, 0, sizeof(*stand));
    queue_farm_open(farm);
    stand->agent = queue_farm_agent(farm, 1);
    jobs[1].needs = needs;
    jobs[1].need_count = state == JOB_WAITING;
    jobs[1].instructions = 1u << 31; /* goes first, if it may */
    uint64_t run = queue_farm_submit(farm, jobs, 2), id = queue_farm_at(farm, run, 1);
    if (state >= JOB_RUNNING) {
        struct queue_grant grant = queue_farm_take(farm, &stand->agent);
        assert_int_equal(grant.job, id);
        stand->result = queue_farm_result_of(&grant, VERDICT_PASS);
        stand->change.lease = map_get(&farm->queue->leases, grant.lease);
        stand->change.record = &stand->result;
        stand->change.ending = ATTEMPT_LOST;
    }
    queue_farm_begin(farm);
    if (state == JOB_STOPPING || state == JOB_DONE)
        BASE_OK(queue_job_cancel(farm->queue, id, "stop", &farm->err), &farm->err);
    struct queue_id agent = queue_farm_id(1);
    enum queue_outcome outcome;
    if (state == JOB_DONE)
        BASE_OK(queue_result(farm->queue, &agent, &stand->result, &outcome, &farm->err),
                &farm->err);
    assert_true(job_load(farm->queue, id, &stand->job));
    if (state == JOB_NEW) {
        stand->job.state = JOB_NEW;
        stand->job.blocked = 1;
    }
    assert_int_equal(stand->job.state, state);
    stand->change.agent = agent_of(farm->queue, &agent);
    stand->change.granted = &stand->granted;
    stand->change.verdict = VERDICT_CANCELLED;
}

static void every_arrow_is_walked_and_every_other_pair_is_refused(void **state)
{
    size_t walked = 0;

    (void)state;
    for (enum job_state from = 0; from < JOB_STATE_COUNT; from++) {
        for (enum job_event event = 0; event < JOB_EVENT_COUNT; event++) {
            struct stand stand;
            const struct arrow *arrow = arrow_find(from, event);
            bring_to(&stand, from);
            struct job before = stand.job;
            bool ok =
                job_follow(stand.farm.queue, &stand.job, event, &stand.change, &stand.farm.err);
            assert_int_equal(ok, arrow != NULL);
            assert_int_equal(stand.job.state, arrow ? arrow->to : from);
            if (!arrow) {
                assert_int_equal(stand.farm.err.kind, ERR_CONFLICT);
                assert_memory_equal(&before, &stand.job, sizeof(before));
            }
            walked += ok;
            if (from != JOB_NEW) { /* its row comes after the arrow */
                struct job row;
                assert_true(job_load(stand.farm.queue, stand.job.id, &row));
                assert_int_equal(row.state, stand.job.state);
            }
            queue_rollback(stand.farm.queue);
            queue_farm_close(&stand.farm);
        }
    }
    assert_int_equal(walked, arrow_count);
}

static void no_state_and_event_have_two_arrows(void **state)
{
    (void)state;
    for (size_t i = 0; i < arrow_count; i++)
        assert_ptr_equal(arrow_find(arrows[i].from, arrows[i].event), &arrows[i]);
}

static void nothing_leads_out_of_done_and_done_can_be_reached_from_everywhere(void **state)
{
    bool reaches[JOB_STATE_COUNT] = {[JOB_DONE] = true};

    (void)state;
    for (size_t round = 0; round < JOB_STATE_COUNT; round++)
        for (size_t i = 0; i < arrow_count; i++)
            reaches[arrows[i].from] |= reaches[arrows[i].to];
    for (size_t i = 0; i < arrow_count; i++)
        assert_true(arrows[i].from != JOB_DONE);
    for (enum job_state s = 0; s < JOB_STATE_COUNT; s++)
        assert_true(reaches[s]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(table_is_the_one_that_is_checked_in),
        cmocka_unit_test(every_arrow_is_walked_and_every_other_pair_is_refused),
        cmocka_unit_test(no_state_and_event_have_two_arrows),
        cmocka_unit_test(nothing_leads_out_of_done_and_done_can_be_reached_from_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
