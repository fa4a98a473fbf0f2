#include "coordinator/api_calls.h"

#include <stdio.h>
#include <string.h>

static bool list_agent(void *context, const struct queue_agent *agent)
{
    show_agent(agent, context);
    return true;
}

static enum api_outcome agent_list(struct service *service, struct api_request *request,
                                   struct err *err)
{
    struct json_writer *writer = api_json(request, 200);

    json_write_object(writer);
    json_write_key(writer, "agents");
    json_write_array(writer);
    if (!queue_agents_each(service->queue, list_agent, writer, err))
        return API_FAILED;
    json_write_close(writer);
    json_write_close(writer);
    return api_json_end(request, err);
}

static bool find(struct service *service, struct api_request *request, struct queue_id *out,
                 struct err *err)
{
    return queue_agent_find(service->queue, http_param(request->exchange, "name"), out, err);
}

static enum api_outcome drain(struct service *service, struct api_request *request, bool drains,
                              struct err *err)
{
    struct queue_id agent;

    return find(service, request, &agent, err) &&
                   queue_agent_drain(service->queue, &agent, drains, err)
               ? api_done(request, err)
               : API_FAILED;
}

static enum api_outcome agent_drain(struct service *service, struct api_request *request,
                                    struct err *err)
{
    return drain(service, request, true, err);
}

static enum api_outcome agent_undrain(struct service *service, struct api_request *request,
                                      struct err *err)
{
    return drain(service, request, false, err);
}

static enum api_outcome agent_revoke(struct service *service, struct api_request *request,
                                     struct err *err)
{
    char token[QUEUE_TAG_MAX + 8];
    struct err ignored = ERR_INIT;
    struct message_id id;
    struct queue_id agent;

    if (!find(service, request, &agent, err) || !queue_agent_revoke(service->queue, &agent, err))
        return API_FAILED;
    memcpy(id.bytes, agent.bytes, sizeof id.bytes);
    if (service->peers != NULL)
        peers_forget(service->peers, &id);
    /* What opened the store for it is of no use any more; it may have had none. */
    snprintf(token, sizeof token, "agent %s", http_param(request->exchange, "name"));
    if (!service_token_drop(service, token, &ignored) && !service_error_is_request(&ignored)) {
        *err = ignored;
        return API_FAILED;
    }
    return api_done(request, err);
}

const struct api_call api_agent_list = {NULL, agent_list, NULL};
const struct api_call api_agent_drain = {NULL, agent_drain, NULL};
const struct api_call api_agent_undrain = {NULL, agent_undrain, NULL};
const struct api_call api_agent_revoke = {NULL, agent_revoke, NULL};
