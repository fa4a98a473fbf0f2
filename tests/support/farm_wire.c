#include "tests/support/farm_wire.h"

#include "storage/base/check.h"
#include "tests/support/base_test.h"

#include <stdio.h>
#include <string.h>

#define WAIT_MS 60000

struct farm_wire *farm_wire_open(void)
{
    struct farm_wire *farm = mem_alloc(sizeof *farm);
    struct service_options options = {.store_told = "/store"};
    struct err err = ERR_INIT;

    farm->folder = base_folder_make();
    BASE_OK(seal_keys_make(&farm->keys, &err), &err);
    snprintf(farm->url, sizeof farm->url, "ipc://%s/gateway", farm->folder);
    options.keys = &farm->keys;
    options.gateway.urls[0] = farm->url;
    options.gateway.url_count = 1;
    options.gateway.limits = gateway_limits_default;
    options.gateway.limits.memory_bytes = 0; /* sanitizers */
    farm->s = http_service_open(&options);
    return farm;
}

void farm_wire_close(struct farm_wire *farm)
{
    http_service_close(farm->s);
    base_folder_remove(farm->folder);
    mem_free(farm);
}

struct link *farm_wire_link(struct farm_wire_agent *agent, enum seal_channel channel)
{
    struct link_options options = {.url = agent->farm->url,
                                   .keys = &agent->keys,
                                   .coordinator = agent->farm->keys.public_key,
                                   .agent = agent->id,
                                   .channel = channel};
    struct err err = ERR_INIT;
    struct link *link;

    BASE_OK(link_open(&options, &link, &err), &err);
    return link;
}

bool farm_wire_call(struct farm_wire_agent *agent, struct err *err)
{
    return link_call(agent->link, agent->ask, WAIT_MS, agent->answer, err);
}

struct farm_wire_agent *farm_wire_enrol(struct farm_wire *farm, const char *name)
{
    struct farm_wire_agent *agent = mem_alloc(sizeof *agent);
    struct err err = ERR_INIT;
    char body[96];
    json_t *invitation;

    snprintf(body, sizeof body, "{\"name\": \"%s\"}", name);
    invitation = http_service_json(farm->s, "POST /api/v1/enrolments", body, 201);
    agent->farm = farm;
    agent->incarnation = (struct message_id){{1}};
    agent->ask = mem_alloc(sizeof *agent->ask);
    agent->answer = mem_alloc(sizeof *agent->answer);
    BASE_OK(seal_keys_make(&agent->keys, &err), &err);
    agent->link = farm_wire_link(agent, SEAL_WORK);
    message_init(agent->ask, MESSAGE_ENROL);
    agent->ask->u.enrol.token =
        span_of_text(json_string_value(json_object_get(invitation, "token")));
    agent->ask->u.enrol.name = span_of_text(name);
    memcpy(agent->ask->u.enrol.public_key, agent->keys.public_key, MESSAGE_PUBLIC_KEY);
    BASE_OK(farm_wire_call(agent, &err), &err);
    assert_int_equal(agent->answer->kind, MESSAGE_ENROLLED);
    agent->id = agent->answer->u.enrolled.agent;
    link_close(agent->link);
    agent->link = farm_wire_link(agent, SEAL_WORK);
    json_decref(invitation);
    return agent;
}

void farm_wire_leave(struct farm_wire_agent *agent)
{
    link_close(agent->link);
    mem_free(agent->ask);
    mem_free(agent->answer);
    mem_free(agent);
}

void farm_wire_hello(struct farm_wire_agent *agent, const char *name)
{
    struct message_hello *said = &agent->ask->u.hello;
    struct err err = ERR_INIT;

    message_init(agent->ask, MESSAGE_HELLO);
    said->name = span_of_text(name);
    said->version = span_of_text("1.2");
    said->incarnation = agent->incarnation;
    said->arch = span_of_text("riscv64");
    said->os = span_of_text("linux");
    said->word_bits = 64;
    said->cores = 4;
    said->memory_mib = 2048;
    said->slots = 2;
    said->tags[0] = span_of_text("fast");
    said->tag_count = 1;
    BASE_OK(farm_wire_call(agent, &err), &err);
    assert_int_equal(agent->answer->kind, MESSAGE_WELCOME);
}

void farm_wire_ask_claim(struct farm_wire_agent *agent, uint32_t wait_ms)
{
    message_init(agent->ask, MESSAGE_CLAIM);
    agent->ask->u.claim.incarnation = agent->incarnation;
    agent->ask->u.claim.slots_free = 1;
    agent->ask->u.claim.wait_ms = wait_ms;
}

struct message_job farm_wire_claim(struct farm_wire_agent *agent)
{
    struct err err = ERR_INIT;

    farm_wire_ask_claim(agent, 0);
    BASE_OK(farm_wire_call(agent, &err), &err);
    assert_int_equal(agent->answer->kind, MESSAGE_GRANT);
    return agent->answer->u.grant.jobs[0];
}

struct message_job_result *farm_wire_result(struct farm_wire_agent *agent,
                                            const struct message_job *job)
{
    struct message_job_result *result = &agent->ask->u.result.results[0];

    message_init(agent->ask, MESSAGE_RESULT);
    agent->ask->u.result.incarnation = agent->incarnation;
    agent->ask->u.result.result_count = 1;
    message_job_result_init(result);
    result->lease = job->lease;
    result->job = job->job;
    result->attempt = job->attempt;
    result->verdict = VERDICT_FAIL;
    result->exit_status = 1;
    result->instructions = 77;
    result->reason = span_of_text("it broke");
    result->signature_title = span_of_text("oops");
    result->artifacts[0] = (struct message_artifact){span_of_text("a.txt"), 5, {{3}}};
    result->artifact_count = 1;
    return result;
}

enum message_outcome farm_wire_report(struct farm_wire_agent *agent)
{
    struct err err = ERR_INIT;

    BASE_OK(farm_wire_call(agent, &err), &err);
    assert_int_equal(agent->answer->kind, MESSAGE_ACK);
    assert_int_equal(agent->answer->u.ack.result_count, 1);
    return agent->answer->u.ack.results[0].outcome;
}
