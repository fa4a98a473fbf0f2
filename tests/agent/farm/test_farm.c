/* Coordinator, gateway, agents and workers together, as real processes. */
#include "storage/blob.h"
#include "tests/support/base_test.h"
#include "tests/support/farm_real.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

/* Jobs of every kind: those that pass, fail and boot, and those that wait for the boot. */
static void add_mixture(struct real_farm *farm, size_t count)
{
    struct hash wait = farm_spec_wait(&farm->guest, 20000);
    struct hash finish = farm_spec_elf(&farm->guest, &farm->guest.finish);
    struct hash fault = farm_spec_elf(&farm->guest, &farm->guest.fault);
    struct hash boot = farm_spec_boot(&farm->guest, 40000);

    real_farm_add(farm, &(struct real_job){.kind = JOB_BOOT, .spec = boot});
    for (size_t i = 1; i < count; i++) {
        struct real_job job = {.kind = JOB_TEST, .spec = wait};
        if (i % 4 == 0)
            job.checkpoint = farm->guest.booted;
        else if (i % 4 == 1)
            job.boot = boot;
        else
            job.spec = i % 4 == 2 ? finish : fault;
        real_farm_add(farm, &job);
    }
}

static void check_mixture(const struct real_farm *farm)
{
    for (size_t i = 0; i < farm->shared->job_count; i++) {
        const struct real_job *job = &farm->shared->jobs[i];
        enum verdict wanted = i % 4 == 3 ? VERDICT_FAIL : VERDICT_PASS;
        if (job->verdict != wanted)
            fail_msg("job %zu: %s after %u attempts", i, verdict_name(job->verdict), job->attempts);
        assert_int_equal(job->recorded, 1);
    }
}

static void until_done(const struct real_farm *farm, uint64_t count)
{
    while (*(volatile uint64_t *)&farm->shared->done < count)
        sched_yield();
}

static void until_finished(const struct real_farm *farm)
{
    while (!*(volatile bool *)&farm->shared->finished)
        sched_yield();
}

static void until_online(const struct real_farm *farm, uint64_t count)
{
    while (*(volatile uint64_t *)&farm->shared->online != count)
        sched_yield();
}

static void agents_enrol_and_run_everything_once(void **state)
{
    struct real_farm farm;

    (void)state;
    real_farm_open(&farm);
    add_mixture(&farm, 40);
    real_farm_start_coordinator(&farm);
    real_farm_start_agent(&farm, 0);
    real_farm_start_agent(&farm, 1);
    until_finished(&farm);
    assert_int_equal(real_farm_stop_agent(&farm, 0), 0);
    assert_int_equal(real_farm_stop_agent(&farm, 1), 0);
    check_mixture(&farm);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(farm.shared->jobs[i].attempts, 1);
    real_farm_close(&farm);
}

static void agent_needs_its_token_once_and_not_twice(void **state)
{
    struct real_farm farm;

    (void)state;
    real_farm_open(&farm);
    add_mixture(&farm, 8);
    real_farm_start_coordinator(&farm);
    real_farm_start_agent(&farm, 0);
    until_finished(&farm);
    assert_int_equal(real_farm_stop_agent(&farm, 0), 0);
    until_online(&farm, 0);
    farm.agents[0].enrol_token = NULL;
    real_farm_start_agent(&farm, 0);
    until_online(&farm, 1);
    assert_int_equal(real_farm_stop_agent(&farm, 0), 0);
    farm.agents[1].enrol_token = farm.shared->tokens[0]; /* another's, used */
    real_farm_start_agent(&farm, 1);
    assert_int_equal(real_farm_await_agent(&farm, 1), 10 + ERR_ACCESS);
    real_farm_close(&farm);
}

static void run_survives_everything_being_killed(void **state)
{
    struct real_farm farm;

    (void)state;
    real_farm_open(&farm);
    add_mixture(&farm, 200);
    real_farm_start_coordinator(&farm);
    for (size_t i = 0; i < 3; i++)
        real_farm_start_agent(&farm, i);
    for (uint64_t step = 1; step <= 6; step++) {
        until_done(&farm, step * 25);
        if (step % 2 == 0) {
            real_farm_kill_coordinator(&farm);
            real_farm_start_coordinator(&farm);
        } else {
            real_farm_kill_agent(&farm, step % 3);
            real_farm_start_agent(&farm, step % 3);
        }
    }
    until_finished(&farm);
    check_mixture(&farm);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(real_farm_stop_agent(&farm, i), 0);
    real_farm_close(&farm);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agents_enrol_and_run_everything_once),
        cmocka_unit_test(agent_needs_its_token_once_and_not_twice),
        cmocka_unit_test(run_survives_everything_being_killed),
    };

    if (argc > 1 && strcmp(argv[1], GATEWAY_COMMAND) == 0)
        return gateway_command(argc, argv);
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
