/* cmd_results.c — `thaw results`: what came of a run, and how that differs from another. */
#include "cli/farm/commands.h"
#include "cli/farm/evidence.h"
#include "cli/farm/report_files.h"
#include "cli/farm/watching.h"

#include "cli/base/output.h"
#include "jobs/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { KEY_AGAINST = 0x5900, KEY_LOG, KEY_SAVE };

struct results_input {
    struct client client;
    const char *run;
    struct report_files files;
    const char *against;
    const char *log;  /* of that test, instead of anything else */
    const char *save; /* a folder for what the tests left */
};

static bool take(void *context, int key, const char *value, struct err *err)
{
    struct results_input *input = context;

    switch (key) {
    case KEY_AGAINST:
        input->against = value;
        return true;
    case KEY_LOG:
        input->log = value;
        return true;
    case KEY_SAVE:
        input->save = value;
        return true;
    case ARGP_KEY_ARG:
        if (input->run != NULL)
            return err_set(err, ERR_USAGE, "one run at a time, \"%s\" is too much", value);
        input->run = value;
        return true;
    case ARGP_KEY_END:
        return true;
    default:
        return report_files_take(&input->files, key, value) ||
               client_take(&input->client, key, value);
    }
}

/* In the order that people want to know them. */
static const struct {
    const char *key, *words;
    enum colour colour;
} changes[] = {{"newly_failing", "newly failing", COLOUR_RED},
               {"newly_divergent", "newly divergent", COLOUR_RED},
               {"still_failing", "still failing", COLOUR_YELLOW},
               {"slower", "slower", COLOUR_YELLOW},
               {"fixed", "fixed", COLOUR_GREEN},
               {"added", "added", COLOUR_NONE},
               {"gone", "gone", COLOUR_NONE}};
#define CHANGE_COUNT (sizeof changes / sizeof changes[0])

/* "3 newly failing, 1 fixed", or that there is nothing to say. */
static void print_sum(const json_t *answer)
{
    const char *between = ": ";

    for (size_t i = 0; i < CHANGE_COUNT; i++) {
        size_t count = json_array_size(json_object_get(answer, changes[i].key));
        if (count == 0)
            continue;
        printf("%s%zu %s", between, count, changes[i].words);
        between = ", ";
    }
    printf(between[0] == ':' ? ": no difference\n" : "\n");
}

static void add_change(struct table *table, size_t change, const json_t *item)
{
    bool is_quarantined = json_is_true(json_object_get(item, "quarantined"));

    table_cell(table, changes[change].colour, "%s", changes[change].words);
    table_cell(table, COLOUR_BOLD, "%s", client_text(item, "name"));
    table_cell(table, COLOUR_NONE, "%s%s", client_text(item, "text"),
               is_quarantined ? ", in quarantine" : "");
}

/* A line a test that is not as it was; the coordinator compares. */
static bool print_comparison(const json_t *answer, uint64_t run, struct err *err)
{
    static const struct table_column columns[] = {{NULL, false}, {NULL, false}, {NULL, false}};
    long long against = client_number(answer, "against");
    struct table table;

    if (against == 0) {
        printf("\nrun %" PRIu64 " is the first of its name: there is none to hold it against\n",
               run);
        return true;
    }
    printf("\nrun %" PRIu64 " against run %lld", run, against);
    print_sum(answer);
    table_init(&table, columns, sizeof columns / sizeof columns[0]);
    for (size_t i = 0; i < CHANGE_COUNT; i++) {
        const json_t *list = json_object_get(answer, changes[i].key);
        for (size_t at = 0; at < json_array_size(list); at++)
            add_change(&table, i, json_array_get(list, at));
    }
    return client_print(&table, err);
}

static bool ask_comparison(struct remote *remote, uint64_t run, const char *against, json_t **out,
                           struct err *err)
{
    char before[64], *path;
    bool ok;

    snprintf(before, sizeof before, "runs/%" PRIu64 "/compare?against=", run);
    path = client_path(before, against, "");
    ok = client_ask(remote, "GET", path, (struct span){0}, out, err);
    mem_free(path);
    return ok;
}

/* The results for people or programs, and what differs, if asked for, below or instead. */
static bool print_all(const struct run_results *results, const json_t *comparison, uint64_t run,
                      bool json, struct err *err)
{
    if (comparison == NULL)
        return watch_print(results, json, err);
    if (!json)
        return watch_print(results, false, err) && print_comparison(comparison, run, err);
    print_json(json_deep_copy(comparison));
    return true;
}

static bool report(const struct results_input *input, struct remote *remote, uint64_t run,
                   bool json, int *status, struct err *err)
{
    bool to_stdout = report_files_take_stdout(&input->files);
    struct run_results results;
    json_t *comparison = NULL;
    bool ok;

    if (to_stdout && input->against != NULL)
        return err_set(err, ERR_USAGE,
                       "--against prints to standard output: let the report go to a file");
    if (!run_results_fetch(remote, run, &results, err))
        return false;
    if (input->log != NULL) {
        ok = evidence_print_log(&results, remote, input->log, err);
        run_results_release(&results);
        return ok;
    }
    ok =
        (input->against == NULL || ask_comparison(remote, run, input->against, &comparison, err)) &&
        (input->save == NULL || evidence_save(&results, remote, input->save, err)) &&
        report_files_write(&input->files, &results, remote, err);
    if (ok && !to_stdout)
        ok = print_all(&results, comparison, run, json, err);
    *status = verdict_exit_status(watch_verdict(&results));
    json_decref(comparison);
    run_results_release(&results);
    return ok;
}

int command_results(int argc, char **argv)
{
    static const struct argp_option options[] = {
        CLIENT_OPTIONS,
        REPORT_OPTIONS,
        {"against", KEY_AGAINST, "RUN", 0,
         "what differs from another run: its number, \"previous\", or the name of a baseline", 0},
        {"log", KEY_LOG, "TEST", 0, "print the console log of that test, and nothing else", 0},
        {"save", KEY_SAVE, "FOLDER", 0,
         "make a folder with the console log, the artifacts and the result of each test", 0},
        {0, 0, 0, 0, 0, 0},
    };
    static const struct command_usage usage = {
        "results", "[RUN]",
        "What came of a run: a number, or the latest. The exit status says how the run was.\v"
        "Example:\n  thaw results 17 --junit junit.xml\n  thaw results --against previous\n"
        "  thaw results 17 --log 'pipes [seed=3]'",
        options, take};
    struct results_input input = {.run = NULL};
    struct remote *remote = NULL;
    struct err err = ERR_INIT;
    struct common common;
    int status = EXIT_PASS;
    uint64_t run;
    bool ok;

    common_parse(&usage, &common, argc, argv, &input);
    ok = client_open(&input.client, &remote, &err) &&
         client_run_number(remote, input.run != NULL ? input.run : "latest", &run, &err) &&
         report(&input, remote, run, common.json, &status, &err);
    remote_close(remote);
    return ok ? status : common_fail(&common, &err);
}
