#include "agent/farm/spawner.h"

#include "agent/farm/child.h"
#include "storage/base/file.h"
#include "tests/support/base_test.h"
#include "tests/support/farm_guest.h"
#include "tests/support/farm_process.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOREVER UINT64_C(1000000000000000)

/* A spawner of this test, its guests, and the last outcome. */
struct farm {
    struct farm_guest guest;
    struct confinement *confinement;
    pid_t pid;
    int channel;
    struct buf written;
    struct brood_event event;
    struct worker_outcome outcome;
    uint64_t tokens;
};

static void farm_open(struct farm *farm, uint32_t templates)
{
    struct err err = ERR_INIT;
    int ends[2];

    memset(farm, 0, sizeof *farm);
    farm_guest_open(&farm->guest);
    farm_guest_boot(&farm->guest);
    farm->written = (struct buf)BUF_INIT(OUTCOME_BYTES_MAX);
    BASE_OK(confine_new(&farm->confinement, &err), &err);
    BASE_OK(channel_pair(ends, &err), &err);
    farm->pid = child_fork(&ends[1], 1, &err);
    if (farm->pid == 0) {
        const struct spawner_options options = {
            .place = {.store = farm->guest.store_path, .confinement = farm->confinement},
            .templates = templates};
        child_end(spawner_run(&options, ends[1]));
    }
    assert_true(farm->pid > 0);
    close(ends[1]);
    farm->channel = ends[0];
}

static void farm_close(struct farm *farm)
{
    int status;

    close(farm->channel);
    child_wait(farm->pid, &status);
    confine_free(farm->confinement);
    buf_release(&farm->written);
    farm_guest_close(&farm->guest);
}

struct job {
    uint64_t token;
    int fd; /* the pipe's reading end */
};

static struct worker_order order_of(struct farm *farm, const struct hash *spec)
{
    return (struct worker_order){.token = ++farm->tokens,
                                 .ordered_ns = clock_monotonic_ns(&clock_host),
                                 .guard_ms = 600000,
                                 .spec = *spec,
                                 .checkpoint = farm->guest.booted,
                                 .kind = JOB_TEST};
}

static struct job job_start(struct farm *farm, const struct worker_order *order)
{
    struct err err = ERR_INIT;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    BASE_OK(spawner_start(farm->channel, order, ends[1], &err), &err);
    close(ends[1]);
    return (struct job){order->token, ends[0]};
}

static void read_all(int fd, struct buf *out)
{
    uint8_t piece[65536];
    struct err err = ERR_INIT;
    ssize_t got;

    buf_clear(out);
    while ((got = read(fd, piece, sizeof piece)) != 0) {
        assert_true(got > 0);
        BASE_OK(buf_append(out, piece, (size_t)got, &err), &err);
    }
    close(fd);
}

/* Waits for the event, which must be the job's, and for the end of its pipe. */
static enum verdict job_end(struct farm *farm, const struct job *job)
{
    struct err err = ERR_INIT;

    read_all(job->fd, &farm->written);
    BASE_OK(spawner_event_receive(farm->channel, &farm->event, &err), &err);
    assert_int_equal(farm->event.token, job->token);
    spawner_judge(&farm->event, buf_span(&farm->written), &farm->outcome);
    return farm->outcome.verdict;
}

static enum verdict run(struct farm *farm, const struct worker_order *order)
{
    struct job job = job_start(farm, order);

    return job_end(farm, &job);
}

static enum verdict run_spec(struct farm *farm, struct hash spec)
{
    struct worker_order order = order_of(farm, &spec);

    return run(farm, &order);
}

static void assert_reason(const struct farm *farm, const char *part)
{
    if (strstr(farm->outcome.reason, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, farm->outcome.reason);
}

static void test_on_a_thawed_machine_gives_its_verdict(void **state)
{
    const struct console_step steps[] = {{.kind = CONSOLE_EXPECT, .text = "tick"},
                                         {.kind = CONSOLE_WAIT, .instructions = 1000}};
    const struct console_step never = {
        .kind = CONSOLE_EXPECT, .text = "tock", .instructions = 2000};
    struct farm farm;

    (void)state;
    farm_open(&farm, 0);
    assert_int_equal(run_spec(&farm, farm_spec_steps(&farm.guest, steps, 2)), VERDICT_PASS);
    assert_string_equal(farm.outcome.reason, "");
    assert_true(farm.outcome.instructions >= 1000 && farm.outcome.instructions < 3000);
    assert_true(hash_equal(&farm.outcome.checkpoint, &farm.guest.booted));
    assert_true(farm.outcome.console.size > 5);
    assert_int_equal(run_spec(&farm, farm_spec_steps(&farm.guest, &never, 1)), VERDICT_TIMEOUT);
    assert_true(farm.outcome.signature[0] != 0);
    assert_false(hash_is_zero(&farm.outcome.signature_hash));
    farm_close(&farm);
}

static void fresh_board_runs_a_program(void **state)
{
    struct farm farm;
    struct hash specs[2];
    struct worker_order order;

    (void)state;
    farm_open(&farm, 0);
    specs[0] = farm_spec_elf(&farm.guest, &farm.guest.finish);
    specs[1] = farm_spec_elf(&farm.guest, &farm.guest.fault);
    order = order_of(&farm, &specs[0]);
    memset(&order.checkpoint, 0, sizeof order.checkpoint);
    order.machine_bytes = UINT64_C(256) << 20;
    order.blob_count = 1;
    order.blobs[0] = farm.guest.finish;
    if (run(&farm, &order) != VERDICT_PASS)
        fail_msg("%s", farm.outcome.reason);
    order.token = ++farm.tokens;
    order.spec = specs[1];
    order.blobs[0] = farm.guest.fault;
    assert_int_equal(run(&farm, &order), VERDICT_FAIL);
    assert_int_equal(farm.outcome.exit_status, 7);
    farm_close(&farm);
}

static void boot_makes_a_checkpoint_that_tests_start_from(void **state)
{
    struct farm farm;
    struct hash spec;
    struct worker_order order;
    struct store_tag tag;
    struct err err = ERR_INIT;
    char name[80];

    (void)state;
    farm_open(&farm, 0);
    spec = farm_spec_boot(&farm.guest, 50000);
    order = order_of(&farm, &spec);
    memset(&order.checkpoint, 0, sizeof order.checkpoint);
    order.kind = JOB_BOOT;
    order.machine_bytes = UINT64_C(64) << 20;
    order.blob_count = 1;
    order.blobs[0] = farm.guest.ticker;
    if (run(&farm, &order) != VERDICT_PASS)
        fail_msg("%s", farm.outcome.reason);
    assert_int_equal(farm.outcome.instructions, 50000);
    snprintf(name, sizeof name, "id/%s", hash_hex(&farm.outcome.checkpoint).text);
    BASE_OK(store_tag_get(farm.guest.store, name, &tag, &err), &err);
    assert_string_equal(store_tag_fact(&tag, FACT_CONSOLE), "board0.uart0");
    assert_string_equal(store_tag_fact(&tag, FACT_INPUTS), hash_hex(&spec).text);
    store_tag_release(&tag);
    farm.guest.booted = farm.outcome.checkpoint;
    assert_int_equal(run_spec(&farm, farm_spec_wait(&farm.guest, 100)), VERDICT_PASS);
    farm_close(&farm);
}

static void hundred_tests_share_one_template_and_do_not_see_each_other(void **state)
{
    struct farm farm;
    struct hash spec;
    struct job jobs[100];
    pid_t pids[8];

    (void)state;
    farm_open(&farm, 0);
    spec = farm_spec_wait(&farm.guest, 5000);
    for (size_t i = 0; i < 100; i++) {
        struct worker_order order = order_of(&farm, &spec);
        jobs[i] = job_start(&farm, &order);
    }
    for (size_t i = 0; i < 100; i++) {
        struct err err = ERR_INIT;
        BASE_OK(spawner_event_receive(farm.channel, &farm.event, &err), &err);
        assert_int_equal(farm.event.end, BROOD_ENDED);
        assert_int_equal(farm.event.wait_status, 0);
    }
    for (size_t i = 0; i < 100; i++) {
        read_all(jobs[i].fd, &farm.written);
        spawner_judge(&farm.event, buf_span(&farm.written), &farm.outcome);
        assert_int_equal(farm.outcome.verdict, VERDICT_PASS);
        assert_int_equal(farm.outcome.instructions, 5000);
    }
    assert_int_equal(farm_children(farm.pid, pids, 8), 1);
    farm_close(&farm);
}

static void templates_used_longest_ago_go_first(void **state)
{
    struct farm farm;
    struct hash first, second, spec;
    pid_t before[8], after[8];

    (void)state;
    farm_open(&farm, 1);
    first = farm.guest.booted;
    spec = farm_spec_wait(&farm.guest, 100);
    assert_int_equal(run_spec(&farm, spec), VERDICT_PASS);
    assert_int_equal(farm_children(farm.pid, before, 8), 1);
    {
        struct hash boot = farm_spec_boot(&farm.guest, 70000);
        struct worker_order order = order_of(&farm, &boot);
        memset(&order.checkpoint, 0, sizeof order.checkpoint);
        order.kind = JOB_BOOT;
        order.machine_bytes = UINT64_C(64) << 20;
        order.blob_count = 1;
        order.blobs[0] = farm.guest.ticker;
        assert_int_equal(run(&farm, &order), VERDICT_PASS);
    }
    second = farm.outcome.checkpoint;
    farm.guest.booted = second;
    assert_int_equal(run_spec(&farm, spec), VERDICT_PASS);
    farm.guest.booted = first;
    assert_int_equal(run_spec(&farm, spec), VERDICT_PASS);
    assert_int_equal(run_spec(&farm, spec), VERDICT_PASS);
    (void)farm_children(farm.pid, after, 8);
    assert_int_not_equal(before[0], after[0]);
    farm_close(&farm);
}

static void checkpoint_that_is_not_there_is_infra(void **state)
{
    struct farm farm;
    struct hash spec;

    (void)state;
    farm_open(&farm, 0);
    spec = farm_spec_wait(&farm.guest, 100);
    farm.guest.booted.bytes[3] ^= 1;
    assert_int_equal(run_spec(&farm, spec), VERDICT_INFRA);
    assert_reason(&farm, "checkpoint");
    farm.guest.booted.bytes[3] ^= 1;
    assert_int_equal(run_spec(&farm, spec), VERDICT_PASS);
    farm_close(&farm);
}

static void worker_that_is_killed_is_infra_and_only_its_own(void **state)
{
    struct farm farm;
    struct hash forever;
    struct worker_order order;
    struct job job;

    (void)state;
    farm_open(&farm, 0);
    forever = farm_spec_wait(&farm.guest, FOREVER);
    order = order_of(&farm, &forever);
    job = job_start(&farm, &order);
    kill(farm_child(farm_child(farm.pid, 0), 0), SIGKILL);
    assert_int_equal(job_end(&farm, &job), VERDICT_INFRA);
    assert_reason(&farm, "signal 9");
    assert_int_equal(run_spec(&farm, farm_spec_wait(&farm.guest, 100)), VERDICT_PASS);
    farm_close(&farm);
}

static void template_that_dies_takes_its_own_jobs_and_is_started_again(void **state)
{
    struct farm farm;
    struct hash forever;
    struct worker_order order;
    struct job job;
    pid_t template, worker;

    (void)state;
    farm_open(&farm, 0);
    forever = farm_spec_wait(&farm.guest, FOREVER);
    order = order_of(&farm, &forever);
    job = job_start(&farm, &order);
    template = farm_child(farm.pid, 0);
    worker = farm_child(template, 0);
    kill(template, SIGKILL);
    assert_int_equal(job_end(&farm, &job), VERDICT_INFRA);
    assert_reason(&farm, "thawed machine died");
    farm_until_gone(worker);
    assert_int_equal(run_spec(&farm, farm_spec_wait(&farm.guest, 100)), VERDICT_PASS);
    farm_close(&farm);
}

static void cancelled_job_ends_at_once(void **state)
{
    struct farm farm;
    struct hash forever;
    struct worker_order order;
    struct job job;
    struct err err = ERR_INIT;

    (void)state;
    farm_open(&farm, 0);
    forever = farm_spec_wait(&farm.guest, FOREVER);
    order = order_of(&farm, &forever);
    job = job_start(&farm, &order);
    BASE_OK(spawner_cancel(farm.channel, order.token, &err), &err);
    assert_int_equal(job_end(&farm, &job), VERDICT_CANCELLED);
    farm_close(&farm);
}

static void guard_ends_what_outlives_its_limit(void **state)
{
    struct farm farm;
    struct hash forever;
    struct worker_order order;

    (void)state;
    farm_open(&farm, 0);
    forever = farm_spec_wait(&farm.guest, FOREVER);
    order = order_of(&farm, &forever);
    order.guard_ms = 50;
    assert_int_equal(run(&farm, &order), VERDICT_INFRA);
    assert_reason(&farm, "\"time\"");
    order = order_of(&farm, &forever);
    order.wall_ms = 50;
    assert_int_equal(run(&farm, &order), VERDICT_TIMEOUT);
    assert_reason(&farm, "50 ms");
    farm_close(&farm);
}

static void nothing_outlives_the_spawner(void **state)
{
    struct farm farm;
    struct hash forever;
    struct worker_order order;
    struct job job;
    pid_t worker;

    (void)state;
    farm_open(&farm, 0);
    forever = farm_spec_wait(&farm.guest, FOREVER);
    order = order_of(&farm, &forever);
    job = job_start(&farm, &order);
    worker = farm_child(farm_child(farm.pid, 0), 0);
    kill(farm.pid, SIGKILL);
    read_all(job.fd, &farm.written); /* the end of the pipe: no writer is left */
    assert_int_equal(farm.written.size, 0);
    farm_until_gone(worker);
    farm_close(&farm);
}

static void walls_stop_a_worker_and_are_named(void **state)
{
    struct farm farm;
    struct hash spec;
    uint32_t walls;
    struct err err = ERR_INIT;

    (void)state;
    farm_open(&farm, 0);
    BASE_OK(confine_probe(farm.confinement, &walls, &err), &err);
    spec = farm_spec_wait(&farm.guest, 100);
    for (unsigned int i = 0; i < CONFINE_WALLS; i++) {
        struct worker_order order = order_of(&farm, &spec);
        char name[32];
        if ((walls & 1u << i) == 0)
            continue;
        order.trespass = 1 + i;
        assert_int_equal(run(&farm, &order), VERDICT_INFRA);
        snprintf(name, sizeof name, "\"%s\"", confine_wall_name((enum confine_wall)i));
        assert_reason(&farm, name);
    }
    farm_close(&farm);
}

static void garbage_from_a_worker_is_infra(void **state)
{
    struct brood_event event = {.token = 1};
    struct worker_outcome out;
    uint8_t garbage[64];

    (void)state;
    memset(garbage, 0xa5, sizeof garbage);
    spawner_judge(&event, (struct span){garbage, sizeof garbage}, &out);
    assert_int_equal(out.verdict, VERDICT_INFRA);
    assert_non_null(strstr(out.reason, "makes no sense"));
    spawner_judge(&event, (struct span){NULL, 0}, &out);
    assert_int_equal(out.verdict, VERDICT_INFRA);
    assert_non_null(strstr(out.reason, "without a result"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_on_a_thawed_machine_gives_its_verdict),
        cmocka_unit_test(fresh_board_runs_a_program),
        cmocka_unit_test(boot_makes_a_checkpoint_that_tests_start_from),
        cmocka_unit_test(hundred_tests_share_one_template_and_do_not_see_each_other),
        cmocka_unit_test(templates_used_longest_ago_go_first),
        cmocka_unit_test(checkpoint_that_is_not_there_is_infra),
        cmocka_unit_test(worker_that_is_killed_is_infra_and_only_its_own),
        cmocka_unit_test(template_that_dies_takes_its_own_jobs_and_is_started_again),
        cmocka_unit_test(cancelled_job_ends_at_once),
        cmocka_unit_test(guard_ends_what_outlives_its_limit),
        cmocka_unit_test(nothing_outlives_the_spawner),
        cmocka_unit_test(walls_stop_a_worker_and_are_named),
        cmocka_unit_test(garbage_from_a_worker_is_infra),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
