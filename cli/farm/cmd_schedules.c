/* cmd_schedules.c — `thaw schedules`: what starts by itself, and when. */
#include "cli/farm/commands.h"
#include "cli/farm/schedule.h"

#include "cli/base/output.h"
#include "jobs/table.h"

#include <stdio.h>
#include <string.h>

enum { KEY_REMOVE = 0x5900, KEY_PAUSE, KEY_RESUME };

struct schedules_input {
    struct client client;
    const char *method; /* of what is done to `name` before the list; NULL: nothing */
    const char *action; /* of its path */
    const char *name;
};

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct schedules_input *input = context;
    bool is_change = key == KEY_REMOVE || key == KEY_PAUSE || key == KEY_RESUME;

    if (is_change && input->name != NULL)
        return err_set(err, ERR_USAGE, "one change at a time: --remove, --pause or --resume");
    if (is_change) {
        input->name = value;
        input->method = key == KEY_REMOVE ? "DELETE" : "POST";
        input->action = key == KEY_REMOVE ? "" : key == KEY_PAUSE ? "/pause" : "/resume";
        return true;
    }
    if (key == ARGP_KEY_ARG)
        return err_set(err, ERR_USAGE, "\"%s\" is too much: this lists all schedules", value);
    return key == ARGP_KEY_END || client_take(&input->client, key, value);
}

static void add_row(struct table *table, const json_t *schedule)
{
    const char *zone = client_text(schedule, "time_zone"), *error = client_text(schedule, "error");
    bool is_paused = json_is_true(json_object_get(schedule, "paused"));
    long long run = client_number(schedule, "last_run");
    char next[SCHEDULE_TIME_SIZE];

    schedule_time(client_number(schedule, "next_s"), zone, next);
    table_cell(table, COLOUR_BOLD, "%s", client_text(schedule, "name"));
    table_cell(table, COLOUR_NONE, "%s", client_text(schedule, "cron"));
    table_cell(table, COLOUR_NONE, "%s", zone);
    table_cell(table, COLOUR_NONE, "%s", client_text(schedule, "missed"));
    table_cell(table, is_paused ? COLOUR_YELLOW : COLOUR_NONE, "%s", is_paused ? "paused" : next);
    if (run != 0)
        table_cell(table, COLOUR_NONE, "%lld", run);
    else
        table_cell(table, COLOUR_FAINT, "none");
    table_cell(table, COLOUR_RED, "%s", error);
}

static bool print_schedules(const json_t *schedules, struct err *err)
{
    static const struct table_column columns[] = {
        {"schedule", false}, {"cron", false},    {"time zone", false}, {"missed", false},
        {"next", false},     {"last run", true}, {"error", false}};
    struct table table;

    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < json_array_size(schedules); i++)
        add_row(&table, json_array_get(schedules, i));
    return client_print(&table, err);
}

static bool change(const struct schedules_input *input, struct remote *remote, struct err *err)
{
    char *path = client_path("schedules/", input->name, input->action);
    struct span body = strcmp(input->method, "POST") == 0 ? span_of_text("{}") : (struct span){0};
    json_t *answer;
    bool ok = client_ask(remote, input->method, path, body, &answer, err);

    json_decref(answer);
    mem_free(path);
    return ok;
}

static bool list(const struct schedules_input *input, struct remote *remote, bool json,
                 struct err *err)
{
    json_t *answer;
    bool ok = (input->name == NULL || change(input, remote, err)) &&
              client_ask(remote, "GET", "schedules", (struct span){0}, &answer, err);

    if (!ok)
        return false;
    if (json) {
        print_json(answer);
        return true;
    }
    ok = print_schedules(json_object_get(answer, "schedules"), err);
    json_decref(answer);
    return ok;
}

int command_schedules(int argc, char **argv)
{
    static const struct argp_option options[] = {
        CLIENT_OPTIONS,
        {"remove", KEY_REMOVE, "NAME", 0, "forget this schedule; its runs stay", 0},
        {"pause", KEY_PAUSE, "NAME", 0, "start it no more, until --resume", 0},
        {"resume", KEY_RESUME, "NAME", 0, "start it again, from now on", 0},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct command_usage usage = {
        "schedules", "",
        "List what a coordinator starts by itself, and when: `thaw submit --schedule` hands it a "
        "job file. Times are those of the schedule's time zone.\v"
        "Example:\n  thaw schedules\n  thaw schedules --pause nightly\n  thaw submit --schedule "
        "nightly.yaml",
        options, take};
    struct schedules_input input = {.name = NULL};
    struct remote *remote = NULL;
    struct err err = ERR_INIT;
    struct common common;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = client_open(&input.client, &remote, &err) && list(&input, remote, common.json, &err);
    remote_close(remote);
    return ok ? EXIT_PASS : common_fail(&common, &err);
}
