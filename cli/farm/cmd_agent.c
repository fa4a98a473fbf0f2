/* cmd_agent.c — `thaw agent`: the service that runs a coordinator's jobs on this host. */
#include "cli/farm/commands.h"
#include "cli/farm/invitation.h"
#include "cli/farm/notify.h"

#include "agent/farm/service.h"
#include "agent/farm/worker_exec.h"
#include "jobs/units.h"
#include "storage/base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INVITATION "invitation" /* in the state folder */
#define CA_FILE    "ca.pem"

enum {
    KEY_NAME = 0x5900,
    KEY_STATE,
    KEY_ENROL,
    KEY_DIAL,
    KEY_SHARED,
    KEY_SLOTS,
    KEY_TAGS,
    KEY_MEMORY,
    KEY_STORE_BYTES,
    KEY_WRAPPER,
    KEY_UNCONFINED,
};

struct agent_input {
    struct agent_options options;
    const char *enrol;
    const char *dial;
    bool shared;
    char *tags; /* the list, cut at its commas */
    const char *tag_list[MESSAGE_TAGS_MAX];
};

static bool take_slots(struct agent_input *input, const char *value, struct err *err)
{
    char *end;

    errno = 0;
    input->options.slots = (uint32_t)strtoul(value, &end, 10);
    if (errno == 0 && *end == 0 && input->options.slots >= 1 &&
        input->options.slots <= AGENT_SLOTS_MAX)
        return true;
    return err_set(err, ERR_USAGE, "--slots takes a number, 1 to %d", AGENT_SLOTS_MAX);
}

static bool take_tags(struct agent_input *input, const char *value, struct err *err)
{
    char *rest;

    mem_free(input->tags);
    input->tags = mem_text(value);
    input->options.tag_count = 0;
    for (char *tag = strtok_r(input->tags, ",", &rest); tag != NULL;
         tag = strtok_r(NULL, ",", &rest)) {
        if (input->options.tag_count == MESSAGE_TAGS_MAX)
            return err_set(err, ERR_USAGE, "more than %d tags", MESSAGE_TAGS_MAX);
        input->tag_list[input->options.tag_count++] = tag;
    }
    return true;
}

static bool take_bytes(const char *option, const char *value, uint64_t *out, struct err *err)
{
    return units_bytes(value, out, err) || err_wrap(err, "--%s", option);
}

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct agent_input *input = context;

    switch (key) {
    case KEY_NAME:
        input->options.name = value;
        return true;
    case KEY_STATE:
        input->options.state = value;
        return true;
    case KEY_ENROL:
        input->enrol = value;
        return true;
    case KEY_DIAL:
        input->dial = value;
        return true;
    case KEY_SHARED:
        input->shared = true;
        return true;
    case KEY_SLOTS:
        return take_slots(input, value, err);
    case KEY_TAGS:
        return take_tags(input, value, err);
    case KEY_MEMORY:
        return take_bytes("max-memory", value, &input->options.max_memory, err);
    case KEY_STORE_BYTES:
        return take_bytes("store-size", value, &input->options.store_bytes, err);
    case KEY_WRAPPER:
        input->options.sim_wrapper = value;
        return worker_wrapper_check(value, err);
    case KEY_UNCONFINED:
        input->options.unconfined = true;
        return true;
    case ARGP_KEY_ARG:
        return err_set(err, ERR_USAGE, "\"%s\" is too much: an agent takes options only", value);
    case ARGP_KEY_END:
        return input->options.state != NULL ||
               err_set(err, ERR_USAGE, "--state FOLDER is missing: where the agent keeps its keys");
    default:
        return false;
    }
}

/* The invitation becomes the agent's own, once; later it is found there. */
static bool keep_invitation(const struct agent_input *input, char **path, struct err *err)
{
    struct buf text = BUF_INIT(INVITATION_BYTES_MAX);
    bool ok = folder_make(input->options.state, err);

    *path = path_join(input->options.state, INVITATION);
    if (ok && input->enrol != NULL && strcmp(input->enrol, *path) != 0)
        ok = file_read(input->enrol, &text, err) && invitation_write(*path, buf_span(&text), err);
    if (ok && input->enrol == NULL && !file_exists(*path))
        ok = err_set(err, ERR_USAGE,
                     "this agent has not joined a farm yet: ask its coordinator for an invitation "
                     "(thaw agents --invite NAME) and give it with --enrol FILE");
    buf_release(&text);
    return ok;
}

/* How the coordinator's store is reached, from the invitation. */
struct address {
    char url[2048];
    char *ca_file;
    struct remote_options options;
};

static bool make_address(const struct agent_input *input, const struct invitation *invitation,
                         struct address *out, struct err *err)
{
    if (strlen(invitation->coordinator) > sizeof out->url - 16)
        return err_set(err, ERR_INVALID, "the coordinator's address is too long");
    out->options.token = invitation->store_token;
    if (strncmp(invitation->coordinator, "unix:", 5) == 0) {
        out->options.socket_path = invitation->coordinator + 5;
        snprintf(out->url, sizeof out->url, "http://localhost/api/v1");
    } else {
        snprintf(out->url, sizeof out->url, "%s/api/v1", invitation->coordinator);
    }
    out->options.url = out->url;
    if (invitation->ca == NULL)
        return true;
    out->ca_file = path_join(input->options.state, CA_FILE);
    out->options.ca_file = out->ca_file;
    return file_write(out->ca_file, span_of_text(invitation->ca), err);
}

static bool run(struct agent_input *input, const struct invitation *invitation, struct err *err)
{
    struct address address = {.url = ""};
    bool ok = true;

    input->options.url = input->dial != NULL ? input->dial : invitation->dial;
    input->options.coordinator = invitation->key;
    input->options.enrol_token = invitation->token;
    input->options.tags = input->tag_list;
    if (input->options.name == NULL)
        input->options.name = invitation->name;
    if (!input->shared && invitation->coordinator != NULL) {
        ok = make_address(input, invitation, &address, err);
        input->options.address = &address.options;
    }
    if (ok) {
        notify_manager("READY=1");
        ok = agent_service_run(&input->options, err);
    }
    mem_free(address.ca_file);
    return ok;
}

int command_agent(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"state", KEY_STATE, "FOLDER", 0, "the agent's keys, and results not yet delivered", 0},
        {"enrol", KEY_ENROL, "FILE", 0, "the invitation to join a farm with, the first time", 0},
        {"name", KEY_NAME, "NAME", 0, "what people call the agent (default: the invitation's)", 0},
        {"slots", KEY_SLOTS, "N", 0, "jobs at a time (default: one for each processor)", 0},
        {"tags", KEY_TAGS, "A,B", 0, "what jobs may ask for; the architecture is one anyway", 0},
        {"max-memory", KEY_MEMORY, "BYTES", 0, "of one job, its machine included", 0},
        {"store-size", KEY_STORE_BYTES, "BYTES", 0,
         "the local copies of checkpoints take at most so much", 0},
        {"shared-store", KEY_SHARED, 0, 0, "--store is the coordinator's own: nothing is copied",
         0},
        {"dial", KEY_DIAL, "URL", 0, "the gateway's address, instead of the invitation's", 0},
        {"sim-wrapper", KEY_WRAPPER, "CMD", 0,
         "run each job as CMD thaw-farm worker ...: for a simulator of another architecture", 0},
        {"unconfined", KEY_UNCONFINED, 0, 0,
         "run jobs even where a wall around them is missing; without this the agent says which, "
         "and ends",
         0},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct command_usage usage = {
        "agent", "",
        "Run jobs for a coordinator, until SIGTERM: what runs then is finished, what waits is "
        "given "
        "back.\v"
        "Example:\n  thaw agent --state /var/lib/thaw-agent --enrol rack3.invitation --slots 4",
        options, take};
    struct agent_input input = {.enrol = NULL};
    struct invitation invitation = {.json = NULL};
    struct err err = ERR_INIT;
    struct common common;
    char *path = NULL;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    input.options.store = common.store_url;
    ok = keep_invitation(&input, &path, &err) && invitation_read(path, &invitation, &err) &&
         run(&input, &invitation, &err);
    invitation_release(&invitation);
    mem_free(path);
    mem_free(input.tags);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
