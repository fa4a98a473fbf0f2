/* cmd_agents.c — `thaw agents`: who runs jobs for a coordinator. */
#include "cli/farm/commands.h"
#include "cli/farm/invitation.h"

#include "cli/base/output.h"
#include "jobs/table.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TABLE_MAX (16u << 20)

enum { KEY_DRAIN = 0x5900, KEY_INVITE };

struct agents_input {
    struct client client;
    const char *drain;
    const char *invite;
};

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct agents_input *input = context;

    if (key == KEY_DRAIN)
        input->drain = value;
    else if (key == KEY_INVITE)
        input->invite = value;
    else if (key == ARGP_KEY_ARG)
        return err_set(err, ERR_USAGE, "\"%s\" is too much: this lists all agents", value);
    else if (key != ARGP_KEY_END)
        return client_take(&input->client, key, value);
    return true;
}

static const char *text_of(const json_t *agent, const char *key)
{
    const char *text = json_string_value(json_object_get(agent, key));

    return text != NULL ? text : "";
}

static void join_tags(const json_t *tags, char *out, size_t size)
{
    size_t used = 0;

    out[0] = 0;
    for (size_t i = 0; i < json_array_size(tags) && used < size; i++)
        used += (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ",",
                                 json_string_value(json_array_get(tags, i)));
}

static void add_row(struct table *table, const json_t *agent)
{
    long long seen = json_integer_value(json_object_get(agent, "last_seen_s"));
    long long ago = (long long)time(NULL) - seen;
    bool barred = json_is_true(json_object_get(agent, "barred"));
    const char *state = barred ? "barred" : text_of(agent, "state");
    char tags[256];

    join_tags(json_object_get(agent, "tags"), tags, sizeof tags);
    table_cell(table, COLOUR_BOLD, "%s", text_of(agent, "name"));
    table_cell(table, barred || strcmp(state, "revoked") == 0 ? COLOUR_RED : COLOUR_NONE, "%s",
               state);
    table_cell(table, COLOUR_NONE, "%s %s", text_of(agent, "os"), text_of(agent, "arch"));
    table_cell(table, COLOUR_NONE, "%lld/%lld",
               (long long)json_integer_value(json_object_get(agent, "busy")),
               (long long)json_integer_value(json_object_get(agent, "slots")));
    table_cell(table, COLOUR_NONE, "%lld s ago", ago > 0 ? ago : 0);
    table_cell(table, COLOUR_FAINT, "%s", tags);
}

static bool print_agents(const json_t *agents, struct err *err)
{
    static const struct table_column columns[] = {{"agent", false}, {"state", false},
                                                  {"host", false},  {"slots", true},
                                                  {"seen", true},   {"tags", false}};
    struct buf out = BUF_INIT(TABLE_MAX);
    struct table table;
    bool ok;

    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < json_array_size(agents); i++)
        add_row(&table, json_array_get(agents, i));
    ok = table_write(&table, isatty(STDOUT_FILENO) == 1, &out, err);
    if (ok && out.size != 0)
        fwrite(out.data, 1, out.size, stdout);
    table_release(&table);
    buf_release(&out);
    return ok;
}

static bool drain(struct remote *remote, const char *name, struct err *err)
{
    struct buf reply = BUF_INIT(65536);
    char path[256];
    bool ok;

    if (strlen(name) > 128 || strpbrk(name, "/?#% ") != NULL)
        return err_set(err, ERR_USAGE, "\"%.128s\" is no agent's name", name);
    snprintf(path, sizeof path, "agents/%s/drain", name);
    ok = remote_call(remote, "POST", path, span_of_text("{}"), &reply, err);
    buf_release(&reply);
    return ok;
}

static bool invite(const struct agents_input *input, struct remote *remote, struct err *err)
{
    struct buf text = BUF_INIT(INVITATION_BYTES_MAX);
    bool ok = invitation_make(remote, &input->client, input->invite, &text, err);

    if (ok)
        fwrite(text.data, 1, text.size, stdout);
    buf_release(&text);
    return ok;
}

static bool list(const struct agents_input *input, struct remote *remote, bool json,
                 struct err *err)
{
    json_t *answer;
    bool ok = (input->drain == NULL || drain(remote, input->drain, err)) &&
              client_ask(remote, "GET", "agents", (struct span){0}, &answer, err);

    if (!ok)
        return false;
    if (json)
        print_json(json_incref(answer));
    else
        ok = print_agents(json_object_get(answer, "agents"), err);
    json_decref(answer);
    return ok;
}

int command_agents(int argc, char **argv)
{
    static const struct argp_option options[] = {
        CLIENT_OPTIONS,
        {"invite", KEY_INVITE, "NAME", 0,
         "print an invitation, with which one new agent can join: keep it secret", 0},
        {"drain", KEY_DRAIN, "AGENT", 0, "give this agent no more jobs; then list", 0},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct command_usage usage = {
        "agents", "",
        "List the agents of a coordinator: what they are, how busy, when they were heard of.\v"
        "Example:\n  thaw agents\n  thaw agents --invite rack3 > rack3.invitation\n  thaw agents "
        "--drain rack3",
        options, take};
    struct agents_input input = {.drain = NULL};
    struct remote *remote = NULL;
    struct err err = ERR_INIT;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = client_open(&input.client, &remote, &err) &&
         (input.invite != NULL ? invite(&input, remote, &err)
                               : list(&input, remote, common.json, &err));
    remote_close(remote);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
