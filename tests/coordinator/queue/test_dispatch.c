/* Who gets which job. */
#include "tests/support/queue_farm.h"

#include <stdio.h>
#include <string.h>

QUEUE_FARM_TEST(draining_agent_gets_nothing)
{
    struct queue_job_request job = queue_farm_job("a");
    queue_farm_submit(farm, &job, 1);
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_id id = queue_farm_id(1);
    struct queue_grants grants;

    queue_farm_begin(farm);
    BASE_OK(queue_agent_drain(farm->queue, &id, true, &farm->err), &farm->err);
    queue_farm_commit(farm);
    assert_int_equal(queue_farm_claim(farm, &agent, &grants), 0);
    assert_true(grants.drain);
}

QUEUE_FARM_TEST(job_goes_only_to_a_host_that_has_its_tags)
{
    struct queue_job_request job = queue_farm_job("a");
    const char *host[] = {"aarch64", "big"};
    struct queue_farm_agent plain = queue_farm_agent(farm, 1), right = queue_farm_agent(farm, 2);
    struct queue_grants none;

    job.host = host;
    job.host_count = 2;
    queue_farm_submit(farm, &job, 1);
    assert_int_equal(queue_farm_claim(farm, &plain, &none), 0);
    assert_int_equal(queue_farm_claim(farm, &right, &none), 0);
    right.arch = "aarch64";
    queue_farm_hello(farm, &right);
    assert_int_equal(queue_farm_claim(farm, &right, &none), 0);
    right.tag = "big";
    queue_farm_hello(farm, &right);
    queue_farm_restart(farm);
    assert_int_equal(queue_farm_claim(farm, &right, &none), 1);
}

QUEUE_FARM_TEST(agent_of_an_unknown_kind_gets_what_asks_for_no_kind)
{
    static const char *const known[] = {"x86_64", "i386",       "aarch64", "armhf",
                                        "s390x",  "big-endian", "32-bit",  "64-bit"};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grants grants;

    agent.arch = "pdp10";
    agent.word_bits = 36;
    assert_true(queue_farm_hello(farm, &agent));
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct queue_job_request job = queue_farm_job(known[i]);
        job.host = &known[i];
        job.host_count = 1;
        queue_farm_submit(farm, &job, 1);
    }
    assert_int_equal(queue_farm_claim(farm, &agent, &grants), 0);
    struct queue_job_request any = queue_farm_job("any");
    queue_farm_submit(farm, &any, 1);
    assert_int_equal(queue_farm_claim(farm, &agent, &grants), 1);
    const char *own = "pdp10";
    struct queue_job_request mine = queue_farm_job("mine");
    mine.host = &own;
    mine.host_count = 1;
    queue_farm_submit(farm, &mine, 1);
    assert_int_equal(queue_farm_claim(farm, &agent, &grants), 1);
}

struct unserved {
    char host[64];
    uint64_t memory_mib, jobs;
    uint32_t count;
};

static bool note_unserved(void *context, const struct queue_unserved *unserved)
{
    struct unserved *out = context;

    snprintf(out->host, sizeof(out->host), "%s", unserved->host);
    out->memory_mib = unserved->memory_mib;
    out->jobs = unserved->jobs;
    out->count++;
    return true;
}

static struct unserved unserved_of(struct queue_farm *farm, uint64_t run)
{
    struct unserved out = {.count = 0};

    queue_unserved_each(farm->queue, run, note_unserved, &out);
    return out;
}

QUEUE_FARM_TEST(jobs_that_no_agent_may_have_are_known)
{
    struct queue_job_request jobs[3] = {queue_farm_job("a"), queue_farm_job("b"),
                                        queue_farm_job("any")};
    const char *host[] = {"pdp10", "big"};

    jobs[0].host = jobs[1].host = host;
    jobs[0].host_count = jobs[1].host_count = 2;
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    uint64_t run = queue_farm_submit(farm, jobs, 3);
    struct unserved found = unserved_of(farm, run);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.host, "big, pdp10");
    assert_int_equal(found.jobs, 2);
    assert_int_equal(found.memory_mib, 0);
    agent.arch = "pdp10";
    agent.tag = "big";
    assert_true(queue_farm_hello(farm, &agent));
    assert_int_equal(unserved_of(farm, run).count, 0);
    queue_farm_pass(farm, 3600); /* it is silent: nobody is there for any of them */
    assert_int_equal(unserved_of(farm, run).count, 2);
    assert_int_equal(unserved_of(farm, run + 1).count, 0);
    jobs[2].memory_mib = 8192;
    found = unserved_of(farm, queue_farm_submit(farm, &jobs[2], 1));
    assert_int_equal(found.memory_mib, 8192);
    assert_string_equal(found.host, "");
}

QUEUE_FARM_TEST(memory_that_a_job_asks_for_is_a_requirement)
{
    struct queue_job_request job = queue_farm_job("a");
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct queue_grants grants;

    job.memory_mib = 4097;
    queue_farm_submit(farm, &job, 1);
    assert_int_equal(queue_farm_claim(farm, &agent, &grants), 0);
    job.memory_mib = 4096;
    queue_farm_submit(farm, &job, 1);
    assert_int_equal(queue_farm_claim(farm, &agent, &grants), 1);
}

QUEUE_FARM_TEST(higher_priority_goes_first_and_equals_share)
{
    struct queue_job_request jobs[8];
    char names[8][16];
    struct queue_run_request request = {
        .name = "run", .submitter = "t", .priority = 50, .jobs = jobs, .job_count = 8};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    uint64_t given[4] = {0};

    for (int i = 0; i < 8; i++) {
        snprintf(names[i], sizeof(names[i]), "j%d", i);
        jobs[i] = queue_farm_job(names[i]);
    }
    uint64_t first = queue_farm_run(farm, &request), second = queue_farm_run(farm, &request);
    request.priority = 60;
    request.job_count = 2;
    uint64_t urgent = queue_farm_run(farm, &request);
    assert_int_equal(queue_farm_take(farm, &agent).run, urgent);
    assert_int_equal(queue_farm_take(farm, &agent).run, urgent);
    for (int i = 0; i < 8; i++) {
        struct queue_grants grants;
        struct queue_claim claim = {
            .agent = queue_farm_id(1), .incarnation = queue_farm_id(1), .slots_free = 1};
        queue_farm_begin(farm);
        BASE_OK(queue_claim(farm->queue, &claim, &grants, &farm->err), &farm->err);
        queue_farm_commit(farm);
        for (uint32_t k = 0; k < grants.count; k++)
            given[grants.grants[k].run]++;
    }
    assert_int_equal(given[first], 8);
    assert_int_equal(given[second], 8);
}

QUEUE_FARM_TEST(agent_is_given_what_it_has_cached)
{
    struct queue_job_request jobs[] = {queue_farm_job("a"), queue_farm_job("b")};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);
    struct hash cached = queue_farm_hash("checkpoint b");
    struct queue_claim claim = {.agent = queue_farm_id(agent.number),
                                .incarnation = queue_farm_id(1),
                                .slots_free = 1,
                                .cached = {&cached, 1}};
    struct queue_grants grants;

    jobs[0].checkpoint = queue_farm_hash("checkpoint a");
    jobs[0].instructions = (uint64_t)1 << 40; /* long, and yet */
    jobs[1].checkpoint = cached;
    queue_farm_submit(farm, jobs, 2);
    queue_farm_begin(farm);
    BASE_OK(queue_claim(farm->queue, &claim, &grants, &farm->err), &farm->err);
    queue_farm_commit(farm);
    assert_true(hash_equal(&grants.grants[0].checkpoint, &cached));
}

QUEUE_FARM_TEST(longest_goes_first_by_what_is_known_of_the_past)
{
    struct queue_job_request jobs[] = {queue_farm_job("short"), queue_farm_job("long")};
    struct queue_run_request request = {.name = "run",
                                        .submitter = "t",
                                        .options = {.no_cache = true},
                                        .jobs = jobs,
                                        .job_count = 2};
    struct queue_farm_agent agent = queue_farm_agent(farm, 1);

    queue_farm_run(farm, &request);
    for (int i = 0; i < 2; i++) {
        struct queue_grant grant = queue_farm_take(farm, &agent);
        struct queue_result result = queue_farm_result_of(&grant, VERDICT_PASS);
        bool is_long = hash_equal(&grant.spec, &jobs[1].spec);
        result.wall_ns = is_long ? 9000000000u : 3000000000u;
        queue_farm_record(farm, &agent, &result);
    }
    queue_farm_run(farm, &request);
    struct queue_grant grant = queue_farm_take(farm, &agent);
    assert_true(hash_equal(&grant.spec, &jobs[1].spec));
    /* In the file's order when the run says so. */
    request.options.order = JOB_ORDER_FILE;
    request.priority = 90;
    queue_farm_run(farm, &request);
    grant = queue_farm_take(farm, &agent);
    assert_true(hash_equal(&grant.spec, &jobs[0].spec));
}

QUEUE_FARM_TEST(short_jobs_are_bundled_and_the_last_ones_are_shared)
{
    struct queue_job_request jobs[40];
    char names[40][16];
    struct queue_grants grants;
    struct queue_farm_agent one = queue_farm_agent(farm, 1);

    for (int i = 0; i < 40; i++) {
        snprintf(names[i], sizeof(names[i]), "j%d", i);
        jobs[i] = queue_farm_job(names[i]);
        jobs[i].instructions = 10000000; /* a tenth of a second */
    }
    queue_farm_agent(farm, 2);
    queue_farm_submit(farm, jobs, 40);
    assert_int_equal(queue_farm_claim(farm, &one, &grants), 20); /* two seconds of work */
    assert_int_equal(queue_farm_claim(farm, &one, &grants), 10); /* half of what is left */
    assert_int_equal(queue_farm_claim(farm, &one, &grants), 5);
}

QUEUE_FARM_TEST(jobs_that_never_ran_are_bundled_by_what_others_of_their_run_took)
{
    struct queue_job_request jobs[100];
    char names[100][16];
    struct queue_grants grants;
    struct queue_farm_agent one = queue_farm_agent(farm, 1);

    for (int i = 0; i < 100; i++) {
        snprintf(names[i], sizeof(names[i]), "j%d", i);
        jobs[i] = queue_farm_job(names[i]);
    }
    queue_farm_submit(farm, jobs, 100);
    assert_int_equal(queue_farm_claim(farm, &one, &grants), 2); /* nothing is known: little */
    struct queue_result result = queue_farm_result_of(&grants.grants[0], VERDICT_PASS);
    result.wall_ns = QUEUE_FARM_SECOND / 20;
    queue_farm_record(farm, &one, &result);
    assert_int_equal(queue_farm_claim(farm, &one, &grants), 20); /* at twice that time each */
    result = queue_farm_result_of(&grants.grants[0], VERDICT_PASS);
    result.wall_ns = 60 * (uint64_t)QUEUE_FARM_SECOND;
    queue_farm_record(farm, &one, &result);
    assert_int_equal(queue_farm_claim(farm, &one, &grants), 1); /* some are long */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(draining_agent_gets_nothing),
        cmocka_unit_test(job_goes_only_to_a_host_that_has_its_tags),
        cmocka_unit_test(agent_of_an_unknown_kind_gets_what_asks_for_no_kind),
        cmocka_unit_test(jobs_that_no_agent_may_have_are_known),
        cmocka_unit_test(memory_that_a_job_asks_for_is_a_requirement),
        cmocka_unit_test(higher_priority_goes_first_and_equals_share),
        cmocka_unit_test(agent_is_given_what_it_has_cached),
        cmocka_unit_test(longest_goes_first_by_what_is_known_of_the_past),
        cmocka_unit_test(short_jobs_are_bundled_and_the_last_ones_are_shared),
        cmocka_unit_test(jobs_that_never_ran_are_bundled_by_what_others_of_their_run_took),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
