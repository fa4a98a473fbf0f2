#include "coordinator/api_calls.h"

#include <stdio.h>
#include <string.h>

#define ENROLMENT_S    86400u /* an enrolment token is good for, if nothing is said */
#define EXPIRES_S_MAX  (10 * 31557600u)
#define AGENT_NAME_MAX (QUEUE_TAG_MAX - 6) /* "agent " goes before it */

/* ---- tokens of the API ---- */

struct token_fields {
    const char *name, *role;
    uint64_t ttl_s;
};
static const struct json_field token_fields[] = {
    JSON_FIELD(struct token_fields, name, JSON_FIELD_TEXT, true, QUEUE_TAG_MAX),
    JSON_FIELD(struct token_fields, role, JSON_FIELD_TEXT, true, 16),
    JSON_FIELD(struct token_fields, ttl_s, JSON_FIELD_UINT, false, EXPIRES_S_MAX),
};

static uint64_t expiry_ms(const struct service *service, uint64_t ttl_s)
{
    return ttl_s != 0 ? service_wall_ms(service) + ttl_s * 1000 : 0;
}

static enum api_outcome show_token(struct api_request *request, const struct queue_token *token,
                                   const struct token_text *text, struct err *err)
{
    struct json_writer *writer = api_json(request, 201);

    json_write_object(writer);
    json_write_key_text(writer, "name", token->name);
    json_write_key_text(writer, "role", queue_role_name(token->role));
    json_write_key_text(writer, "token", text->text);
    json_write_key_uint(writer, "expires_s", token->expires_ms / 1000);
    json_write_close(writer);
    return api_json_end(request, err);
}

static enum api_outcome make_token(struct service *service, struct api_request *request,
                                   const struct token_fields *fields, struct err *err)
{
    struct queue_token token = {.name = fields->name, .created_ms = service_wall_ms(service)};
    struct token_text text;

    if (!queue_role_parse(fields->role, &token.role)) {
        (void)err_set(err, ERR_INVALID, "role: \"%s\" is none: write read, submit, agent or admin",
                      fields->role);
        return API_FAILED;
    }
    token.expires_ms = expiry_ms(service, fields->ttl_s);
    if (!token_make(&text, &token.hash, err) || !service_token_set(service, &token, err))
        return API_FAILED;
    return show_token(request, &token, &text, err);
}

static enum api_outcome token_make_call(struct service *service, struct api_request *request,
                                        struct err *err)
{
    struct json_fields table = {token_fields, sizeof token_fields / sizeof token_fields[0]};
    struct token_fields fields = {NULL, NULL, 0};
    json_t *json;
    enum api_outcome outcome = API_FAILED;

    if (api_read_body(request, table, &fields, &json, err))
        outcome = make_token(service, request, &fields, err);
    json_decref(json);
    return outcome;
}

static bool list_token(void *context, const struct queue_token *token)
{
    struct json_writer *writer = context;

    json_write_object(writer);
    json_write_key_text(writer, "name", token->name);
    json_write_key_text(writer, "role", queue_role_name(token->role));
    json_write_key_uint(writer, "created_s", token->created_ms / 1000);
    json_write_key_uint(writer, "expires_s", token->expires_ms / 1000);
    json_write_close(writer);
    return true;
}

static enum api_outcome token_list(struct service *service, struct api_request *request,
                                   struct err *err)
{
    struct json_writer *writer = api_json(request, 200);

    json_write_object(writer);
    json_write_key(writer, "tokens");
    json_write_array(writer);
    if (!queue_tokens_each(service->queue, list_token, writer, err))
        return API_FAILED;
    json_write_close(writer);
    json_write_close(writer);
    return api_json_end(request, err);
}

static enum api_outcome token_remove(struct service *service, struct api_request *request,
                                     struct err *err)
{
    return service_token_drop(service, http_param(request->exchange, "name"), err)
               ? api_done(request, err)
               : API_FAILED;
}

const struct api_call api_token_list = {NULL, token_list, NULL};
const struct api_call api_token_make = {NULL, token_make_call, NULL};
const struct api_call api_token_remove = {NULL, token_remove, NULL};

/* ---- enrolments of agents ---- */

struct enrol_fields {
    const char *name;
    uint64_t ttl_s;
};
static const struct json_field enrol_fields[] = {
    JSON_FIELD(struct enrol_fields, name, JSON_FIELD_TEXT, true, AGENT_NAME_MAX),
    JSON_FIELD(struct enrol_fields, ttl_s, JSON_FIELD_UINT, false, EXPIRES_S_MAX),
};

struct invitation {
    const char *name;
    struct token_text enrols, store;
    uint64_t expires_ms;
};

/* The token that enrols, and the one that opens the store; of an agent that is invited again the
 * old one is void. */
static bool make_invitation(struct service *service, struct invitation *invitation, struct err *err)
{
    char name[QUEUE_TAG_MAX + 1];
    struct queue_token token = {
        .name = name, .role = QUEUE_ROLE_AGENT, .created_ms = service_wall_ms(service)};
    struct err ignored = ERR_INIT;
    struct hash hash;

    snprintf(name, sizeof name, "agent %.*s", AGENT_NAME_MAX, invitation->name);
    if (!service_token_drop(service, name, &ignored) && !service_error_is_request(&ignored)) {
        *err = ignored;
        return false;
    }
    return token_make(&invitation->enrols, &hash, err) &&
           queue_enrolment_add(service->queue, &hash, invitation->expires_ms, err) &&
           token_make(&invitation->store, &token.hash, err) &&
           service_token_set(service, &token, err);
}

static enum api_outcome show_invitation(struct service *service, struct api_request *request,
                                        const struct invitation *invitation, struct err *err)
{
    const struct gateway_options *gateway = &service->options.gateway;
    struct json_writer *writer = api_json(request, 201);
    struct seal_key_hex key;

    json_write_object(writer);
    json_write_key_text(writer, "name", invitation->name);
    json_write_key_text(writer, "token", invitation->enrols.text);
    json_write_key_uint(writer, "expires_s", invitation->expires_ms / 1000);
    json_write_key_text(writer, "store_token", invitation->store.text);
    key = seal_key_hex(service->options.keys->public_key);
    json_write_key_text(writer, "coordinator_key", key.text);
    json_write_key(writer, "agents");
    json_write_array(writer);
    for (size_t i = 0; i < gateway->url_count; i++)
        json_write_text(writer, gateway->urls[i]);
    json_write_close(writer);
    json_write_close(writer);
    return api_json_end(request, err);
}

static enum api_outcome enrol(struct service *service, struct api_request *request, struct err *err)
{
    struct json_fields table = {enrol_fields, sizeof enrol_fields / sizeof enrol_fields[0]};
    struct enrol_fields fields = {NULL, ENROLMENT_S};
    struct invitation invitation;
    json_t *json = NULL;
    enum api_outcome outcome = API_FAILED;

    if (service->options.keys == NULL || service->options.gateway.url_count == 0) {
        (void)err_set(err, ERR_CONFLICT, "this coordinator has no gateway: agents cannot join it");
        return API_FAILED;
    }
    if (api_read_body(request, table, &fields, &json, err)) {
        invitation = (struct invitation){.name = fields.name,
                                         .expires_ms = expiry_ms(service, fields.ttl_s)};
        if (make_invitation(service, &invitation, err))
            outcome = show_invitation(service, request, &invitation, err);
    }
    json_decref(json);
    return outcome;
}

const struct api_call api_enrol = {NULL, enrol, NULL};
