#include "cli/farm/local_farm.h"

#include "cli/farm/child.h"
#include "cli/farm/client.h"
#include "cli/farm/invitation.h"
#include "storage/base/clock.h"
#include "storage/base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START_MS     30000
#define STOP_MS      20000
#define ORPHAN_MS    1000 /* to an agent that has nobody to say goodbye to */
#define RESTARTS_MAX 3    /* of one agent */
#define PATH_ROOM    256

struct local_agent {
    struct child child;
    unsigned restarts;
};

struct local_farm {
    struct local_farm_options options;
    struct store *store;
    char *folder;                /* state */
    char socket[PATH_ROOM];      /* of the API; "": none yet */
    char gateway[PATH_ROOM + 8]; /* "ipc://…" */
    struct remote *remote;
    struct child coordinator;
    struct local_agent *agents;
    size_t agent_count; /* started */
};

/* What is known of earlier runs belongs to the checkpoints that they used. */
static char *state_folder(const struct local_farm *farm)
{
    struct buf path = BUF_INIT(65536);
    struct err ignored = ERR_INIT;
    char *out;

    if (farm->options.state != NULL)
        return mem_text(farm->options.state);
    (void)buf_format(&path, &ignored, "%s-farm", store_location(farm->store));
    (void)buf_append(&path, "", 1, &ignored);
    out = mem_text((const char *)path.data);
    buf_release(&path);
    return out;
}

/* In a folder of their own: names of sockets are short, wherever the state is. */
static bool choose_sockets(struct local_farm *farm, struct err *err)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char folder[PATH_ROOM / 2];

    if (runtime == NULL || runtime[0] != '/' || strlen(runtime) > 60)
        runtime = "/tmp";
    snprintf(folder, sizeof folder, "%s/thaw-farm-XXXXXX", runtime);
    if (mkdtemp(folder) == NULL)
        return err_set_errno(err, errno, "cannot make a folder for sockets in %s", runtime);
    snprintf(farm->socket, sizeof farm->socket, "%s/http", folder);
    snprintf(farm->gateway, sizeof farm->gateway, "ipc://%s/agents", folder);
    return true;
}

static void remove_sockets(struct local_farm *farm)
{
    struct err ignored = ERR_INIT;
    char *slash = strrchr(farm->socket, '/');

    if (slash == NULL)
        return;
    *slash = 0;
    (void)file_remove(farm->socket, &ignored);
}

static bool start_coordinator(struct local_farm *farm, struct err *err)
{
    char *log = path_join(farm->folder, "coordinator.log");
    char http[PATH_ROOM + 8];
    const char *const arguments[] = {
        "coordinator", "--state", farm->folder, "--store",     store_location(farm->store),
        "--http",      http,      "--agents",   farm->gateway, "--open",
        NULL};
    bool ok;

    snprintf(http, sizeof http, "unix:%s", farm->socket);
    ok = child_start(&farm->coordinator, "the coordinator", arguments, log, err);
    mem_free(log);
    return ok;
}

/* The last line of a child's log: its own words for what went wrong. */
static bool has_ended(const struct local_farm *farm, const char *what, const char *log,
                      struct err *err)
{
    struct buf text = BUF_INIT(64u << 20);
    char *path = path_join(farm->folder, log);
    struct err ignored = ERR_INIT;
    size_t end = 0, start;

    if (file_read(path, &text, &ignored))
        end = text.size;
    while (end != 0 && text.data[end - 1] == '\n')
        end--;
    start = end;
    while (start != 0 && text.data[start - 1] != '\n')
        start--;
    err_set(err, ERR_IO, "%s has ended: %.*s (see %s)", what, (int)(end - start),
            text.data != NULL ? (const char *)text.data + start : "", path);
    buf_release(&text);
    mem_free(path);
    return false;
}

static bool await_coordinator(struct local_farm *farm, struct err *err)
{
    struct remote_options options = {
        .url = "http://localhost/api/v1", .socket_path = farm->socket, .wait_ms = 5};
    uint64_t until = clock_monotonic_ns(&clock_host) + START_MS * UINT64_C(1000000);
    json_t *answer;

    if (!remote_open(&options, &farm->remote, err))
        return false;
    while (*farm->options.interrupted == 0 && clock_monotonic_ns(&clock_host) < until) {
        struct err why = ERR_INIT;
        if (!child_is_alive(&farm->coordinator))
            return has_ended(farm, "the coordinator", "coordinator.log", err);
        if (client_ask(farm->remote, "GET", "health", (struct span){0}, &answer, &why)) {
            json_decref(answer);
            return true;
        }
    }
    return err_set(err, ERR_TIMEOUT,
                   "the coordinator did not answer within %d s (see %s/coordinator.log)",
                   START_MS / 1000, farm->folder);
}

/* For the first time that the agent runs; afterwards it has its key and does not need it. */
static bool write_invitation(struct local_farm *farm, const char *name, const char *path,
                             struct err *err)
{
    struct buf text = BUF_INIT(INVITATION_BYTES_MAX);
    bool ok = invitation_make(farm->remote, NULL, name, &text, err) &&
              invitation_write(path, buf_span(&text), err);

    buf_release(&text);
    return ok;
}

static bool start_agent(struct local_farm *farm, size_t index, struct err *err)
{
    char name[32], log[48], folder[64];
    char *state, *log_path, *invitation;
    bool ok;

    snprintf(name, sizeof name, "local-%zu", index + 1);
    snprintf(log, sizeof log, "%s.log", name);
    snprintf(folder, sizeof folder, "agents/%s", name);
    state = path_join(farm->folder, folder);
    log_path = path_join(farm->folder, log);
    invitation = path_join(state, "invitation");
    const char *const arguments[] = {"agent",
                                     "--name",
                                     name,
                                     "--state",
                                     state,
                                     "--store",
                                     store_location(farm->store),
                                     "--shared-store",
                                     "--dial",
                                     farm->gateway,
                                     "--enrol",
                                     invitation,
                                     "--slots",
                                     "1",
                                     "--unconfined", /* one's own jobs on one's own host */
                                     NULL};
    ok = folder_make(state, err) && write_invitation(farm, name, invitation, err) &&
         child_start(&farm->agents[index].child, "an agent", arguments, log_path, err);
    mem_free(state);
    mem_free(log_path);
    mem_free(invitation);
    return ok;
}

static bool start_all(struct local_farm *farm, struct err *err)
{
    bool ok = folder_make(farm->folder, err) && choose_sockets(farm, err) &&
              start_coordinator(farm, err) && await_coordinator(farm, err);

    while (ok && farm->agent_count < farm->options.agents)
        ok = start_agent(farm, farm->agent_count++, err);
    if (!ok && farm->agent_count != 0 && !child_is_alive(&farm->coordinator))
        return has_ended(farm, "the coordinator", "coordinator.log", err); /* that is why */
    return ok;
}

bool local_farm_start(const struct local_farm_options *options, struct store *store,
                      struct local_farm **out, struct err *err)
{
    struct local_farm *farm = mem_alloc(sizeof *farm);

    farm->options = *options;
    farm->store = store;
    farm->folder = state_folder(farm);
    farm->agents = mem_array(options->agents, sizeof *farm->agents);
    if (!start_all(farm, err)) {
        local_farm_stop(farm);
        return false;
    }
    *out = farm;
    return true;
}

void local_farm_stop(struct local_farm *farm)
{
    uint64_t guard_ms = child_is_alive(&farm->coordinator) ? STOP_MS : ORPHAN_MS;
    uint64_t until_ms = clock_monotonic_ns(&clock_host) / NS_PER_MS + guard_ms;

    for (size_t i = 0; i < farm->agent_count; i++)
        child_ask_to_stop(&farm->agents[i].child);
    for (size_t i = 0; i < farm->agent_count; i++) {
        uint64_t now_ms = clock_monotonic_ns(&clock_host) / NS_PER_MS;
        child_stop(&farm->agents[i].child, now_ms < until_ms ? (unsigned)(until_ms - now_ms) : 0);
    }
    child_stop(&farm->coordinator, STOP_MS);
    remote_close(farm->remote);
    remove_sockets(farm);
    mem_free(farm->agents);
    mem_free(farm->folder);
    mem_free(farm);
}

struct remote *local_farm_remote(struct local_farm *farm)
{
    return farm->remote;
}

bool local_farm_look_after(struct local_farm *farm, struct err *err)
{
    if (!child_is_alive(&farm->coordinator))
        return has_ended(farm, "the coordinator", "coordinator.log", err);
    for (size_t i = 0; i < farm->agent_count; i++) {
        struct local_agent *agent = &farm->agents[i];
        char log[48];
        if (child_is_alive(&agent->child))
            continue;
        snprintf(log, sizeof log, "local-%zu.log", i + 1);
        if (agent->restarts++ == RESTARTS_MAX)
            return has_ended(farm, "an agent", log, err);
        if (!start_agent(farm, i, err))
            return false;
    }
    return true;
}

bool local_farm_cancel(struct local_farm *farm, uint64_t run, struct err *err)
{
    struct buf reply = BUF_INIT(1u << 20);
    char path[64];
    bool ok;

    snprintf(path, sizeof path, "runs/%" PRIu64 "/cancel", run);
    ok = remote_call(farm->remote, "POST", path, span_of_text("{}"), &reply, err);
    buf_release(&reply);
    return ok;
}
