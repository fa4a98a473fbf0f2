#include "agent/farm/service.h"

#include "agent/farm/child.h"
#include "agent/farm/worker_exec.h"
#include "storage/base/file.h"
#include "storage/base/log.h"
#include "storage/blob.h"
#include "tests/support/base_test.h"
#include "tests/support/farm_coordinator.h"
#include "tests/support/farm_guest.h"
#include "tests/support/farm_process.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FOREVER UINT64_C(1000000000000000)

/* A coordinator, guests, and an agent in a process of its own. */
struct farm {
    struct farm_guest guest;
    struct fake_coordinator *fake;
    struct line_opener opener;
    struct agent_options options;
    char *state;
    pid_t pid;
};

static void farm_open(struct farm *farm)
{
    memset(farm, 0, sizeof *farm);
    farm_guest_open(&farm->guest);
    farm_guest_boot(&farm->guest);
    farm->fake = fake_coordinator_new(farm->guest.store_path);
    farm->opener = fake_coordinator_opener(farm->fake);
    farm->state = path_join(farm->guest.folder, "state");
    farm->options = (struct agent_options){.name = "an agent",
                                           .store = farm->guest.store_path,
                                           .state = farm->state,
                                           .opener = &farm->opener,
                                           .slots = 3,
                                           .unconfined = true, /* sanitizers need much memory */
                                           .reserve_bytes = 1};
}

static void agent_start(struct farm *farm)
{
    struct err err = ERR_INIT;

    farm->pid = child_fork(NULL, 0, &err);
    assert_true(farm->pid >= 0);
    if (farm->pid == 0) {
        bool ok;
        log_set_level(getenv("THAW_TEST_LOG") != NULL ? LOG_DEBUG : LOG_ERROR);
        ok = agent_service_run(&farm->options, &err);
        child_end(ok ? 0 : 10 + (int)err.kind);
    }
}

/* Waits for the process to end; its exit status. */
static int agent_end(struct farm *farm)
{
    int status;

    child_wait(farm->pid, &status);
    farm->pid = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int agent_stop(struct farm *farm)
{
    kill(farm->pid, SIGTERM);
    return agent_end(farm);
}

static void farm_close(struct farm *farm)
{
    if (farm->pid != 0) {
        kill(farm->pid, SIGKILL);
        (void)agent_end(farm);
    }
    mem_free(farm->state);
    farm_guest_close(&farm->guest);
}

static struct fake_job *add_wait(struct farm *farm, uint64_t instructions)
{
    struct hash spec = farm_spec_wait(&farm->guest, instructions);

    return fake_coordinator_add(farm->fake, JOB_TEST, &spec, &farm->guest.booted);
}

static void until(struct farm *farm, enum fake_state state, size_t count)
{
    while (fake_coordinator_count(farm->fake, state) != count)
        sched_yield();
}

static void until_beat_holds(struct farm *farm, uint64_t leases)
{
    while (*(volatile uint64_t *)&farm->fake->beat_leases != leases)
        sched_yield();
}

/* The nursery starts the keeper first, as the store is known only with the welcome. */
static pid_t keeper_of(const struct farm *farm)
{
    return farm_child(farm_child(farm->pid, 0), 0);
}

static pid_t spawner_of(const struct farm *farm)
{
    return farm_child(farm_child(farm->pid, 0), 1);
}

/* Forty jobs of every kind; all are to be recorded once. */
static void add_mixture(struct farm *farm)
{
    struct hash finish = farm_spec_elf(&farm->guest, &farm->guest.finish);
    struct hash fault = farm_spec_elf(&farm->guest, &farm->guest.fault);
    struct hash boot = farm_spec_boot(&farm->guest, 40000);

    for (int i = 0; i < 30; i++)
        (void)add_wait(farm, 1000);
    for (int i = 0; i < 5; i++)
        (void)fake_coordinator_add(farm->fake, JOB_TEST, &finish, NULL);
    for (int i = 0; i < 4; i++)
        (void)fake_coordinator_add(farm->fake, JOB_TEST, &fault, NULL);
    (void)fake_coordinator_add(farm->fake, JOB_BOOT, &boot, NULL);
}

static void check_mixture(struct farm *farm)
{
    struct err err = ERR_INIT;
    uint64_t size;

    for (size_t i = 0; i < 40; i++) {
        const struct fake_job *job = &farm->fake->jobs[i];
        enum verdict wanted = i >= 35 && i < 39 ? VERDICT_FAIL : VERDICT_PASS;
        if (job->verdict != wanted)
            fail_msg("job %zu: %s: %s", i, verdict_name(job->verdict), job->reason);
        assert_int_equal(job->recorded, 1);
        assert_int_equal(job->attempts, 1);
        if (job->console_size == 0)
            continue;
        BASE_OK(store_blob_size(farm->guest.store, &job->console, &size, &err), &err);
        assert_int_equal(size, job->console_size);
    }
    assert_int_equal(farm->fake->jobs[36].exit_status, 7);
    assert_false(hash_is_zero(&farm->fake->jobs[39].checkpoint_made));
    assert_int_equal(farm->fake->byes, 1);
}

static void run_mixture(uint32_t lose_every, bool twice)
{
    struct farm farm;

    farm_open(&farm);
    farm.fake->lose_every = lose_every;
    farm.fake->twice = twice;
    add_mixture(&farm);
    agent_start(&farm);
    until(&farm, FAKE_DONE, 40);
    farm.fake->lose_every = 0;
    farm.fake->twice = false;
    assert_int_equal(agent_stop(&farm), 0);
    check_mixture(&farm);
    farm_close(&farm);
}

static void every_job_is_run_and_recorded_once(void **state)
{
    (void)state;
    run_mixture(0, false);
}

static void answers_to_results_that_are_lost_make_no_second_result(void **state)
{
    struct farm farm;

    (void)state;
    farm_open(&farm);
    farm.fake->lose_results = 2;
    (void)add_wait(&farm, 100);
    agent_start(&farm);
    until(&farm, FAKE_DONE, 1);
    assert_int_equal(agent_stop(&farm), 0);
    assert_int_equal(farm.fake->jobs[0].recorded, 1);
    assert_int_equal(farm.fake->results, 3);
    farm_close(&farm);
}

static void answers_that_are_lost_anywhere_lose_no_job(void **state)
{
    struct farm farm;

    (void)state;
    farm_open(&farm);
    farm.fake->lose_every = 3;
    for (int i = 0; i < 6; i++)
        (void)add_wait(&farm, 100);
    agent_start(&farm);
    /* Leases whose grant was lost are in no beat: the coordinator gives them to others. */
    while (fake_coordinator_count(farm.fake, FAKE_DONE) != 6) {
        pthread_mutex_lock(&farm.fake->mutex);
        if (farm.fake->beats > 3 && farm.fake->beat_leases == 0)
            for (size_t i = 0; i < 6; i++)
                if (farm.fake->jobs[i].state == FAKE_LEASED)
                    farm.fake->jobs[i].state = FAKE_WAITING;
        pthread_mutex_unlock(&farm.fake->mutex);
        sched_yield();
    }
    farm.fake->lose_every = 0;
    assert_int_equal(agent_stop(&farm), 0);
    for (size_t i = 0; i < 6; i++)
        assert_int_equal(farm.fake->jobs[i].recorded, 1);
    farm_close(&farm);
}

static void requests_that_are_handled_twice_record_once(void **state)
{
    struct farm farm;
    struct fake_job *job;

    (void)state;
    farm_open(&farm);
    job = add_wait(&farm, 100);
    agent_start(&farm);
    until(&farm, FAKE_DONE, 1);
    farm.fake->twice = true;
    (void)add_wait(&farm, 100); /* the first grant of it gets lost */
    until(&farm, FAKE_LEASED, 1);
    assert_int_equal(agent_stop(&farm), 0);
    assert_int_equal(job->recorded, 1);
    farm_close(&farm);
}

static void cancelled_job_is_reported_as_such(void **state)
{
    struct farm farm;
    struct fake_job *job;

    (void)state;
    farm_open(&farm);
    job = add_wait(&farm, FOREVER);
    agent_start(&farm);
    until_beat_holds(&farm, 1);
    job->cancel = true;
    until(&farm, FAKE_DONE, 1);
    assert_int_equal(job->verdict, VERDICT_CANCELLED);
    until_beat_holds(&farm, 0);
    assert_int_equal(agent_stop(&farm), 0);
    farm_close(&farm);
}

static void job_whose_lease_is_gone_is_stopped_and_not_reported(void **state)
{
    struct farm farm;
    struct fake_job *job;

    (void)state;
    farm_open(&farm);
    job = add_wait(&farm, FOREVER);
    agent_start(&farm);
    until_beat_holds(&farm, 1);
    job->forget = true;
    until_beat_holds(&farm, 0);
    (void)add_wait(&farm, 100);
    until(&farm, FAKE_DONE, 1);
    assert_int_equal(agent_stop(&farm), 0);
    assert_int_equal(job->recorded, 0);
    assert_int_equal(farm.fake->results, 1);
    farm_close(&farm);
}

static void drain_gives_back_what_has_not_begun_and_waits_for_the_rest(void **state)
{
    struct farm farm;

    (void)state;
    farm_open(&farm);
    farm.options.slots = 1;
    farm.options.drain_ms = 600000; /* however slow this host is */
    (void)add_wait(&farm, UINT64_C(30000000));
    agent_start(&farm);
    until_beat_holds(&farm, 1);
    (void)add_wait(&farm, 100);
    assert_int_equal(agent_stop(&farm), 0);
    assert_int_equal(farm.fake->jobs[0].recorded, 1);
    assert_int_equal(farm.fake->jobs[0].verdict, VERDICT_PASS);
    assert_int_equal(farm.fake->jobs[1].state, FAKE_WAITING);
    assert_int_equal(farm.fake->byes, 1);
    farm_close(&farm);
}

static void second_signal_gives_back_what_runs(void **state)
{
    struct farm farm;

    (void)state;
    farm_open(&farm);
    (void)add_wait(&farm, FOREVER);
    (void)add_wait(&farm, FOREVER);
    agent_start(&farm);
    until_beat_holds(&farm, 2);
    kill(farm.pid, SIGTERM);
    /* A signal that comes before the first one is taken is the same signal. */
    while (farm.fake->byes == 0) {
        kill(farm.pid, SIGTERM);
        sched_yield();
    }
    assert_int_equal(agent_end(&farm), 0);
    assert_int_equal(farm.fake->byes, 1); /* which gives back all it held */
    assert_int_equal(fake_coordinator_count(farm.fake, FAKE_WAITING), 2);
    farm_close(&farm);
}

static void drained_by_the_coordinator_claims_no_more(void **state)
{
    struct farm farm;
    uint32_t claims, beats;

    (void)state;
    farm_open(&farm);
    agent_start(&farm);
    while (*(volatile uint32_t *)&farm.fake->claims == 0)
        sched_yield();
    farm.fake->drain = true;
    beats = farm.fake->beats;
    while (*(volatile uint32_t *)&farm.fake->beats < beats + 3)
        sched_yield();
    claims = farm.fake->claims;
    (void)add_wait(&farm, 100);
    while (*(volatile uint32_t *)&farm.fake->beats < beats + 20)
        sched_yield();
    assert_int_equal(farm.fake->claims, claims);
    assert_int_equal(agent_stop(&farm), 0);
    farm_close(&farm);
}

static void killed_agent_leaves_nothing_running_and_its_results_in_the_spool(void **state)
{
    struct farm farm;
    pid_t worker;
    struct name_list names;
    struct err err = ERR_INIT;
    char *spool;

    (void)state;
    farm_open(&farm);
    spool = path_join(farm.state, "spool");
    farm.fake->deaf_to_results = true;
    (void)add_wait(&farm, 100);
    agent_start(&farm);
    do {
        memset(&names, 0, sizeof names);
        if (file_exists(spool)) {
            BASE_OK(folder_list(spool, &names, &err), &err);
        }
        bool there = names.count >= 1 && strstr(names.names[0], ".result") != NULL &&
                     strstr(names.names[0], ".tmp") == NULL;
        name_list_release(&names);
        if (there)
            break;
        sched_yield();
    } while (true);
    (void)add_wait(&farm, FOREVER);
    worker = farm_child(farm_child(spawner_of(&farm), 0), 0);
    kill(farm.pid, SIGKILL);
    assert_int_equal(agent_end(&farm), -SIGKILL);
    farm_until_gone(worker);
    farm.fake->jobs[1].state = FAKE_DONE;
    farm.fake->deaf_to_results = false;
    agent_start(&farm);
    until(&farm, FAKE_DONE, 2);
    assert_int_equal(agent_stop(&farm), 0);
    assert_int_equal(farm.fake->jobs[0].recorded, 1);
    assert_int_equal(farm.fake->jobs[0].attempts, 1);
    assert_int_equal(farm.fake->jobs[0].verdict, VERDICT_PASS);
    assert_int_equal(farm.fake->hellos, 2);
    mem_free(spool);
    farm_close(&farm);
}

static void spawner_and_keeper_that_die_are_started_again(void **state)
{
    struct farm farm;
    struct fake_job *job;
    pid_t keeper, spawner;
    uint32_t beats;

    (void)state;
    farm_open(&farm);
    job = add_wait(&farm, FOREVER);
    agent_start(&farm);
    until_beat_holds(&farm, 1);
    keeper = keeper_of(&farm);
    spawner = spawner_of(&farm);
    (void)farm_child(farm_child(spawner, 0), 0);
    kill(spawner, SIGKILL);
    until(&farm, FAKE_DONE, 1);
    assert_int_equal(job->verdict, VERDICT_INFRA);
    assert_non_null(strstr(job->reason, "died"));
    kill(keeper, SIGKILL);
    farm_until_gone(keeper);
    beats = farm.fake->beats;
    job = add_wait(&farm, FOREVER);
    until_beat_holds(&farm, 1);
    job->cancel = true;
    until(&farm, FAKE_DONE, 2);
    assert_true(farm.fake->beats > beats);
    assert_int_equal(agent_stop(&farm), 0);
    farm_close(&farm);
}

static void job_that_cannot_be_fetched_is_infra(void **state)
{
    struct farm farm;
    struct hash spec;
    struct fake_job *jobs[2];

    (void)state;
    farm_open(&farm);
    spec = farm_spec_wait(&farm.guest, 100);
    jobs[1] = fake_coordinator_add(farm.fake, JOB_BOOT, &spec, NULL);
    spec.bytes[0] ^= 1;
    jobs[0] = fake_coordinator_add(farm.fake, JOB_TEST, &spec, &farm.guest.booted);
    agent_start(&farm);
    until(&farm, FAKE_DONE, 2);
    assert_int_equal(agent_stop(&farm), 0);
    assert_int_equal(jobs[0]->verdict, VERDICT_INFRA);
    assert_non_null(strstr(jobs[0]->reason, "description"));
    assert_int_equal(jobs[1]->verdict, VERDICT_INFRA);
    assert_non_null(strstr(jobs[1]->reason, "boot"));
    farm_close(&farm);
}

static void nothing_is_claimed_while_the_disk_is_full(void **state)
{
    struct farm farm;

    (void)state;
    farm_open(&farm);
    farm.options.reserve_bytes = UINT64_MAX / 2;
    (void)add_wait(&farm, 100);
    agent_start(&farm);
    while (*(volatile uint32_t *)&farm.fake->beats < 10)
        sched_yield();
    assert_int_equal(farm.fake->claims, 0);
    assert_int_equal(agent_stop(&farm), 0);
    farm_close(&farm);
}

static void agent_that_is_not_wanted_ends_with_an_error(void **state)
{
    struct farm farm;

    (void)state;
    farm_open(&farm);
    farm.fake->refuse = ERR_ACCESS;
    agent_start(&farm);
    assert_int_equal(agent_end(&farm), 10 + ERR_ACCESS);
    farm_close(&farm);
}

static void store_that_the_coordinator_names_is_used(void **state)
{
    struct farm farm;

    (void)state;
    farm_open(&farm);
    farm.options.store = NULL;
    (void)add_wait(&farm, 100);
    agent_start(&farm);
    until(&farm, FAKE_DONE, 1);
    assert_int_equal(agent_stop(&farm), 0);
    assert_int_equal(farm.fake->jobs[0].verdict, VERDICT_PASS);
    farm.fake->store[0] = 0;
    agent_start(&farm);
    assert_int_equal(agent_end(&farm), 10 + ERR_USAGE);
    farm_close(&farm);
}

static void wrapped_workers_come_to_the_same(void **state)
{
    struct farm farm;

    (void)state;
    farm_open(&farm);
    farm.options.sim_wrapper = "/usr/bin/env LANG=C";
    add_mixture(&farm);
    agent_start(&farm);
    until(&farm, FAKE_DONE, 40);
    assert_int_equal(agent_stop(&farm), 0);
    check_mixture(&farm);
    farm_close(&farm);
}

static void wrapper_that_is_not_there_is_infra(void **state)
{
    struct farm farm;

    (void)state;
    farm_open(&farm);
    farm.options.sim_wrapper = "/no/such/wrapper";
    (void)add_wait(&farm, 100);
    agent_start(&farm);
    until(&farm, FAKE_DONE, 1);
    assert_int_equal(agent_stop(&farm), 0);
    assert_int_equal(farm.fake->jobs[0].verdict, VERDICT_INFRA);
    assert_non_null(strstr(farm.fake->jobs[0].reason, "/no/such/wrapper"));
    farm_close(&farm);
}

static void walls_that_are_missing_end_the_agent(void **state)
{
    struct farm farm;

    (void)state;
    farm_open(&farm);
    farm.options.unconfined = false;
    farm.options.sim_wrapper = "/usr/bin/env";
    agent_start(&farm);
    assert_int_equal(agent_end(&farm), 10 + ERR_UNSUPPORTED);
    farm_close(&farm);
}

static void two_agents_do_not_share_a_spool(void **state)
{
    struct farm farm;
    pid_t first;

    (void)state;
    farm_open(&farm);
    agent_start(&farm);
    first = farm.pid;
    while (*(volatile uint32_t *)&farm.fake->hellos == 0)
        sched_yield();
    agent_start(&farm);
    assert_int_equal(agent_end(&farm), 10 + ERR_CONFLICT);
    farm.pid = first;
    assert_int_equal(agent_stop(&farm), 0);
    farm_close(&farm);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_is_run_and_recorded_once),
        cmocka_unit_test(answers_to_results_that_are_lost_make_no_second_result),
        cmocka_unit_test(answers_that_are_lost_anywhere_lose_no_job),
        cmocka_unit_test(requests_that_are_handled_twice_record_once),
        cmocka_unit_test(cancelled_job_is_reported_as_such),
        cmocka_unit_test(job_whose_lease_is_gone_is_stopped_and_not_reported),
        cmocka_unit_test(drain_gives_back_what_has_not_begun_and_waits_for_the_rest),
        cmocka_unit_test(second_signal_gives_back_what_runs),
        cmocka_unit_test(drained_by_the_coordinator_claims_no_more),
        cmocka_unit_test(killed_agent_leaves_nothing_running_and_its_results_in_the_spool),
        cmocka_unit_test(spawner_and_keeper_that_die_are_started_again),
        cmocka_unit_test(job_that_cannot_be_fetched_is_infra),
        cmocka_unit_test(nothing_is_claimed_while_the_disk_is_full),
        cmocka_unit_test(agent_that_is_not_wanted_ends_with_an_error),
        cmocka_unit_test(store_that_the_coordinator_names_is_used),
        cmocka_unit_test(wrapped_workers_come_to_the_same),
        cmocka_unit_test(wrapper_that_is_not_there_is_infra),
        cmocka_unit_test(walls_that_are_missing_end_the_agent),
        cmocka_unit_test(two_agents_do_not_share_a_spool),
    };

    if (argc > 1 && strcmp(argv[1], WORKER_COMMAND) == 0)
        return worker_command(argc - 1, argv + 1); /* this program, wrapped */
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
