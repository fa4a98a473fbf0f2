/* Agents that lie, repeat, claim and never report, or talk garbage, at the whole coordinator; an
 * honest one beside them. Each is refused, named and made to wait; the run ends with the right
 * verdicts. */
#include "agent/farm/link.h"
#include "storage/base/check.h"
#include "storage/blob.h"
#include "tests/support/base_test.h"
#include "tests/support/http_service.h"
#include "tests/support/wire_gateway.h"

#include <fcntl.h>
#include <nanomsg/nn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 60000
#define STEP_MS 10

/* One agent as it stands on the wire. */
struct peer {
    const char *name;
    struct seal_keys keys;
    struct message_id id, incarnation;
    struct link *link;
    uint64_t beats;
};

struct farm {
    struct http_service *s;
    char *folder, *log;
    char url[128];
    struct seal_keys keys;
    struct peer honest, liar;
    struct message *ask, *answer;
    int stderr_was;
};

static struct link *open_link(struct farm *farm, const struct peer *peer, enum seal_channel channel)
{
    struct link_options options = {.url = farm->url,
                                   .keys = &peer->keys,
                                   .coordinator = farm->keys.public_key,
                                   .agent = peer->id,
                                   .channel = channel};
    struct err err = ERR_INIT;
    struct link *link;

    BASE_OK(link_open(&options, &link, &err), &err);
    return link;
}

/* Meanwhile the coordinator's clock goes on: a gateway that it thinks silent is started again. */
static bool call(struct farm *farm, struct peer *peer, struct err *err)
{
    enum link_state state;

    if (!link_send(peer->link, farm->ask, WAIT_MS, err))
        return false;
    while ((state = link_turn(peer->link, farm->answer, err)) == LINK_WAITING) {
        struct pollfd polled = {link_fd(peer->link), POLLIN, 0};

        if (poll(&polled, 1, STEP_MS) == 0)
            http_service_pass(farm->s, STEP_MS);
    }
    return state == LINK_ANSWERED &&
           (farm->answer->kind != MESSAGE_REFUSED || message_refused_err(farm->answer, err));
}

static bool enrol_by(struct farm *farm, struct peer *peer, const char *token, struct err *err)
{
    BASE_OK(seal_keys_make(&peer->keys, err), err);
    peer->link = open_link(farm, peer, SEAL_WORK);
    message_init(farm->ask, MESSAGE_ENROL);
    farm->ask->u.enrol.token = span_of_text(token);
    farm->ask->u.enrol.name = span_of_text(peer->name);
    memcpy(farm->ask->u.enrol.public_key, peer->keys.public_key, MESSAGE_PUBLIC_KEY);
    bool ok = call(farm, peer, err);
    link_close(peer->link);
    peer->link = NULL;
    if (ok)
        peer->id = farm->answer->u.enrolled.agent;
    return ok;
}

static void hello(struct farm *farm, struct peer *peer)
{
    struct message_hello *said = &farm->ask->u.hello;
    struct err err = ERR_INIT;

    message_init(farm->ask, MESSAGE_HELLO);
    said->name = span_of_text(peer->name);
    said->version = span_of_text("1");
    said->incarnation = peer->incarnation;
    said->arch = span_of_text("riscv64");
    said->os = span_of_text("linux");
    said->word_bits = 64;
    said->cores = 4;
    said->memory_mib = 2048;
    said->slots = 1;
    BASE_OK(call(farm, peer, &err), &err);
    assert_int_equal(farm->answer->kind, MESSAGE_WELCOME);
}

static json_t *invite(struct farm *farm, const char *name)
{
    char body[64];

    snprintf(body, sizeof body, "{\"name\": \"%s\"}", name);
    return http_service_json(farm->s, "POST /api/v1/enrolments", body, 201);
}

static void join(struct farm *farm, struct peer *peer, const char *name)
{
    json_t *invitation = invite(farm, name);
    const char *token = json_string_value(json_object_get(invitation, "token"));
    struct err err = ERR_INIT;

    peer->name = name;
    peer->incarnation = (struct message_id){{(uint8_t)name[0], 1}};
    BASE_OK(enrol_by(farm, peer, token, &err), &err);
    json_decref(invitation);
    peer->link = open_link(farm, peer, SEAL_WORK);
    hello(farm, peer);
}

/* What is said on stderr goes into a file that tests read. */
static int set_up(void **state)
{
    struct farm *farm = mem_alloc(sizeof *farm);
    struct service_options options = {.store_told = "/store"};
    struct err err = ERR_INIT;
    char path[256];
    int fd;

    farm->folder = base_folder_make();
    snprintf(path, sizeof path, "%s/log", farm->folder);
    farm->log = mem_text(path);
    fd = open(farm->log, O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
    farm->stderr_was = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    assert_true(fd >= 0 && farm->stderr_was >= 0);
    assert_int_equal(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    close(fd);
    farm->ask = mem_alloc(sizeof *farm->ask);
    farm->answer = mem_alloc(sizeof *farm->answer);
    BASE_OK(seal_keys_make(&farm->keys, &err), &err);
    snprintf(farm->url, sizeof farm->url, "ipc://%s/gateway", farm->folder);
    options.keys = &farm->keys;
    options.gateway.urls[0] = farm->url;
    options.gateway.url_count = 1;
    options.gateway.limits = gateway_limits_default;
    options.gateway.limits.memory_bytes = 0; /* sanitizers */
    farm->s = http_service_open(&options);
    join(farm, &farm->honest, "honest");
    join(farm, &farm->liar, "liar");
    *state = farm;
    return 0;
}

/* Whoever looks for why a test failed wants it. */
static void show_log(const struct farm *farm)
{
    FILE *file = fopen(farm->log, "r");
    char line[512];

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        (void)fputs(line, stderr);
    if (file != NULL)
        fclose(file);
}

static int tear_down(void **state)
{
    struct farm *farm = *state;

    link_close(farm->honest.link);
    link_close(farm->liar.link);
    http_service_close(farm->s);
    fflush(stderr);
    (void)dup2(farm->stderr_was, STDERR_FILENO);
    close(farm->stderr_was);
    show_log(farm);
    base_folder_remove(farm->folder);
    mem_free(farm->log);
    mem_free(farm->ask);
    mem_free(farm->answer);
    mem_free(farm);
    return 0;
}

static bool log_has(const struct farm *farm, const char *text)
{
    static char bytes[65536];
    FILE *file = fopen(farm->log, "r");
    size_t size;

    assert_non_null(file);
    size = fread(bytes, 1, sizeof bytes - 1, file);
    fclose(file);
    bytes[size] = 0;
    return strstr(bytes, text) != NULL;
}

/* The log and the list of agents name the liar with what it did; the honest one has a clean slate.
 */
static void expect_named(struct farm *farm, const char *fault)
{
    json_t *json = http_service_json(farm->s, "GET /api/v1/agents", NULL, 200);
    json_t *agents = json_object_get(json, "agents");
    size_t seen = 0, index;
    json_t *agent;

    if (!log_has(farm, "agent liar (") || !log_has(farm, fault))
        fail_msg("the log does not say \"%s\"", fault);
    json_array_foreach(agents, index, agent)
    {
        const char *name = json_string_value(json_object_get(agent, "name"));
        const char *last = json_string_value(json_object_get(agent, "last_fault"));
        bool is_liar = strcmp(name, "liar") == 0;

        assert_true((json_integer_value(json_object_get(agent, "faults")) != 0) == is_liar);
        if (is_liar && strstr(last, fault) == NULL)
            fail_msg("the list says \"%s\", not \"%s\"", last, fault);
        seen++;
    }
    assert_int_equal(seen, 2);
    json_decref(json);
    http_service_expect(farm->s, "GET /metrics", NULL, 200, "thaw_agent_faults_total ");
}

/* How many jobs it is given. */
static uint32_t claim(struct farm *farm, struct peer *peer)
{
    struct err err = ERR_INIT;

    message_init(farm->ask, MESSAGE_CLAIM);
    farm->ask->u.claim.incarnation = peer->incarnation;
    farm->ask->u.claim.slots_free = 1;
    BASE_OK(call(farm, peer, &err), &err);
    return farm->answer->kind == MESSAGE_GRANT ? farm->answer->u.grant.job_count : 0;
}

static struct message_job take(struct farm *farm, struct peer *peer)
{
    assert_true(claim(farm, peer) > 0);
    return farm->answer->u.grant.jobs[0];
}

/* The one result of farm->ask, to be changed by who lies. */
static struct message_job_result *result_of(struct farm *farm, const struct peer *peer,
                                            const struct message_job *job, enum verdict verdict)
{
    struct message_job_result *result = &farm->ask->u.result.results[0];

    message_init(farm->ask, MESSAGE_RESULT);
    farm->ask->u.result.incarnation = peer->incarnation;
    farm->ask->u.result.result_count = 1;
    message_job_result_init(result);
    result->lease = job->lease;
    result->job = job->job;
    result->attempt = job->attempt;
    result->verdict = verdict;
    result->exit_status = verdict == VERDICT_PASS ? 0 : 1;
    result->instructions = 1000;
    result->wall_ns = 1000000;
    return result;
}

static enum message_outcome tell(struct farm *farm, struct peer *peer)
{
    struct err err = ERR_INIT;

    BASE_OK(call(farm, peer, &err), &err);
    assert_int_equal(farm->answer->kind, MESSAGE_ACK);
    assert_int_equal(farm->answer->u.ack.result_count, 1);
    return farm->answer->u.ack.results[0].outcome;
}

/* The honest agent does all there is, and the run passes. */
static void finish(struct farm *farm)
{
    struct message_job jobs[MESSAGE_JOBS_MAX];
    uint32_t count;

    while ((count = claim(farm, &farm->honest)) != 0) {
        memcpy(jobs, farm->answer->u.grant.jobs, count * sizeof jobs[0]);
        for (uint32_t i = 0; i < count; i++) {
            (void)result_of(farm, &farm->honest, &jobs[i], VERDICT_PASS);
            assert_int_equal(tell(farm, &farm->honest), MESSAGE_OUTCOME_OK);
        }
    }
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"verdict\": \"pass\"");
}

static void lie(struct farm *farm, const char *fault)
{
    assert_int_equal(tell(farm, &farm->liar), MESSAGE_OUTCOME_STALE);
    expect_named(farm, fault);
    finish(farm);
}

static void a_result_of_a_lease_that_never_was_is_refused(void **state)
{
    struct farm *farm = *state;
    struct message_job job;

    http_service_submit(farm->s, "nightly", 2);
    job = take(farm, &farm->liar);
    (void)result_of(farm, &farm->liar, &job, VERDICT_PASS);
    assert_int_equal(tell(farm, &farm->liar), MESSAGE_OUTCOME_OK);
    job.lease = 4711;
    (void)result_of(farm, &farm->liar, &job, VERDICT_FAIL);
    lie(farm, "result of lease 4711, which there never was");
}

static void a_result_of_another_agents_job_is_refused(void **state)
{
    struct farm *farm = *state;
    struct message_job job;

    http_service_submit(farm->s, "nightly", 1);
    job = take(farm, &farm->honest);
    (void)result_of(farm, &farm->liar, &job, VERDICT_FAIL);
    assert_int_equal(tell(farm, &farm->liar), MESSAGE_OUTCOME_STALE);
    expect_named(farm, "which was another agent's");
    (void)result_of(farm, &farm->honest, &job, VERDICT_PASS);
    assert_int_equal(tell(farm, &farm->honest), MESSAGE_OUTCOME_OK);
    finish(farm);
}

static void a_result_cannot_be_changed_after_the_fact(void **state)
{
    struct farm *farm = *state;
    struct message_job job;

    http_service_submit(farm->s, "nightly", 1);
    job = take(farm, &farm->liar);
    (void)result_of(farm, &farm->liar, &job, VERDICT_PASS);
    assert_int_equal(tell(farm, &farm->liar), MESSAGE_OUTCOME_OK);
    (void)result_of(farm, &farm->liar, &job, VERDICT_FAIL);
    assert_int_equal(tell(farm, &farm->liar), MESSAGE_OUTCOME_DUP);
    expect_named(farm, "another result of job 1 than the one it has given");
    finish(farm);
}

static void figures_that_cannot_be_are_refused(void **state)
{
    struct farm *farm = *state;
    struct message_job job;

    http_service_submit(farm->s, "nightly", 1);
    job = take(farm, &farm->liar);
    result_of(farm, &farm->liar, &job, VERDICT_PASS)->wall_ns = UINT64_MAX;
    lie(farm, "wall_ns of 18446744073709551615, which cannot be");
}

static void a_console_that_was_never_pushed_is_held_against_it(void **state)
{
    struct farm *farm = *state;
    struct message_job_result *result;
    struct message_job job;

    http_service_submit(farm->s, "nightly", 1);
    job = take(farm, &farm->liar);
    result = result_of(farm, &farm->liar, &job, VERDICT_PASS);
    result->console = (struct hash){{0xab}};
    result->console_size = 10;
    assert_int_equal(tell(farm, &farm->liar), MESSAGE_OUTCOME_OK);
    expect_named(farm, "its console: the blob ab00");
    finish(farm);
}

static void an_artifact_of_another_size_is_held_against_it(void **state)
{
    struct farm *farm = *state;
    struct message_job_result *result;
    struct message_job job;
    struct err err = ERR_INIT;
    struct hash pushed;

    http_service_submit(farm->s, "nightly", 1);
    BASE_OK(store_blob_put(farm->s->store, span_of_text("hello"), &pushed, &err), &err);
    job = take(farm, &farm->liar);
    result = result_of(farm, &farm->liar, &job, VERDICT_PASS);
    result->artifacts[0] = (struct message_artifact){span_of_text("a.txt"), 6, pushed};
    result->artifact_count = 1;
    assert_int_equal(tell(farm, &farm->liar), MESSAGE_OUTCOME_OK);
    expect_named(farm, "has 5 bytes, not 6");
    finish(farm);
}

static void a_boot_whose_checkpoint_does_not_exist_is_refused(void **state)
{
    static const char submission[] =
        "{\"name\": \"n\", \"jobs\": [{\"name\": \"b\", \"suite\": \"s\", \"kind\": \"boot\", "
        "\"retry_infra\": 1,"
        " \"spec\": \"1111111111111111111111111111111111111111111111111111111111111111\"}]}";
    struct farm *farm = *state;
    struct message_job_result *result;
    struct message_job job;

    json_decref(http_service_json(farm->s, "POST /api/v1/runs", submission, 201));
    job = take(farm, &farm->liar);
    result = result_of(farm, &farm->liar, &job, VERDICT_PASS);
    result->checkpoint = (struct hash){{0xcd}};
    assert_int_equal(tell(farm, &farm->liar),
                     MESSAGE_OUTCOME_OK); /* as one that is to be retried */
    expect_named(farm, "a boot that passed, of no checkpoint there is");
    job = take(farm, &farm->honest); /* nothing is thought to be booted */
    assert_int_equal(job.kind, JOB_BOOT);
    assert_int_equal(job.attempt, 2);
}

static void who_claims_and_never_reports_is_named_and_its_jobs_run_elsewhere(void **state)
{
    struct farm *farm = *state;
    struct message_job job;

    http_service_submit(farm->s, "nightly", 3);
    job = take(farm, &farm->liar);
    http_service_pass(farm->s, QUEUE_LEASE_MS + 1000);
    hello(farm, &farm->honest);
    while (!log_has(farm, "run out"))
        http_service_expect(farm->s, "GET /metrics", NULL, 200, "thaw_");
    expect_named(farm, "let the leases of ");
    finish(farm);
    (void)result_of(farm, &farm->liar, &job, VERDICT_FAIL);
    assert_int_equal(tell(farm, &farm->liar), MESSAGE_OUTCOME_STALE);
    http_service_expect(farm->s, "GET /api/v1/runs/1", NULL, 200, "\"verdict\": \"pass\"");
}

/* It gets jobs again and again, and with each lie waits longer. */
static void who_lies_again_and_again_gets_no_more_jobs(void **state)
{
    struct farm *farm = *state;
    unsigned lies = 0;

    http_service_submit(farm->s, "nightly", 50);
    while (claim(farm, &farm->liar) != 0) {
        struct message_job job = farm->answer->u.grant.jobs[0];

        result_of(farm, &farm->liar, &job, VERDICT_PASS)->instructions = UINT64_MAX;
        assert_int_equal(tell(farm, &farm->liar), MESSAGE_OUTCOME_STALE);
        lies++;
    }
    assert_int_equal(lies, 4);
    expect_named(farm, "instructions of ");
    http_service_expect(farm->s, "GET /api/v1/agents", NULL, 200, "\"barred\": true");
    http_service_pass(farm->s, QUEUE_LEASE_MS + 1000); /* its other leases */
    finish(farm);
}

static void a_token_enrols_one_and_not_two(void **state)
{
    struct farm *farm = *state;
    json_t *invitation = invite(farm, "first");
    const char *token = json_string_value(json_object_get(invitation, "token"));
    struct peer first = {.name = "first"}, thief = {.name = "thief"};
    struct err err = ERR_INIT;

    BASE_OK(enrol_by(farm, &first, token, &err), &err);
    BASE_FAILS(enrol_by(farm, &thief, token, &err), &err, ERR_ACCESS, "was used");
    json_decref(invitation);
}

/* Somebody with another key speaks in the honest agent's name. */
static void another_ones_name_is_of_no_use(void **state)
{
    struct farm *farm = *state;
    struct peer thief = {.name = "thief", .id = farm->honest.id};
    struct err err = ERR_INIT;

    BASE_OK(seal_keys_make(&thief.keys, &err), &err);
    thief.link = open_link(farm, &thief, SEAL_WORK);
    message_init(farm->ask, MESSAGE_BYE);
    farm->ask->u.bye.incarnation = farm->honest.incarnation;
    assert_false(link_call(thief.link, farm->ask, 1500, farm->answer, &err));
    link_close(thief.link);
    assert_true(log_has(farm, "that it has not sealed as a request"));
    http_service_submit(farm->s, "nightly", 3);
    finish(farm);
}

/* Garbage by thousands of a peer's own requests, and by nanomsg clients that are no agents. */
static void garbage_and_floods_do_not_stop_the_farm(void **state)
{
    static uint8_t garbage[4096];
    struct farm *farm = *state;
    int clients[8];

    http_service_submit(farm->s, "nightly", 20);
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (uint8_t)(i * 251 >> 3);
    for (size_t i = 0; i < 8; i++) {
        clients[i] = wire_client_open(farm->url, 1);
        for (size_t j = 0; j < 500; j++)
            (void)nn_send(clients[i], garbage, j % sizeof garbage, NN_DONTWAIT);
    }
    for (int i = 0; i < 200; i++) {
        struct err err = ERR_INIT;

        message_init(farm->ask, MESSAGE_CLAIM);
        farm->ask->u.claim.incarnation = (struct message_id){{(uint8_t)i, 9, 9}};
        farm->ask->u.claim.slots_free = UINT32_MAX;
        BASE_FAILS(call(farm, &farm->liar, &err), &err, ERR_CONFLICT, "say hello");
    }
    finish(farm);
    for (size_t i = 0; i < 8; i++)
        nn_close(clients[i]);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        CASE(a_result_of_a_lease_that_never_was_is_refused),
        CASE(a_result_of_another_agents_job_is_refused),
        CASE(a_result_cannot_be_changed_after_the_fact),
        CASE(figures_that_cannot_be_are_refused),
        CASE(a_console_that_was_never_pushed_is_held_against_it),
        CASE(an_artifact_of_another_size_is_held_against_it),
        CASE(a_boot_whose_checkpoint_does_not_exist_is_refused),
        CASE(who_claims_and_never_reports_is_named_and_its_jobs_run_elsewhere),
        CASE(who_lies_again_and_again_gets_no_more_jobs),
        CASE(a_token_enrols_one_and_not_two),
        CASE(another_ones_name_is_of_no_use),
        CASE(garbage_and_floods_do_not_stop_the_farm),
    };

    if (argc > 1 && strcmp(argv[1], GATEWAY_COMMAND) == 0)
        return gateway_command(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
