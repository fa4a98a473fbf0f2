/* command_main.c — finds the subcommand and hands over. */
#include "cli/base/command.h"

#include <stdio.h>
#include <string.h>

static void print_usage(const struct command_set *set, FILE *out)
{
    fprintf(out,
            "Usage: %s COMMAND [OPTION...] [ARGUMENT...]\n"
            "%s\n\n"
            "Commands:\n",
            set->program, set->purpose);
    for (size_t i = 0; i < set->count; i++)
        fprintf(out, "  %-12s %s\n", set->commands[i].name, set->commands[i].summary);
    fprintf(out,
            "\nEvery command takes --store URL, --json, -v and --help.\n\n"
            "Example:\n%s\n"
            "Exit status: 0 pass, 1 fail, 2 usage, 3 infrastructure, 4 timeout.\n",
            set->example);
}

/* The command that begins most alike, for "did you mean"; NULL if none does. */
static const char *nearest_command(const struct command_set *set, const char *name)
{
    size_t best_length = 0;
    const char *best = NULL;

    for (size_t i = 0; i < set->count; i++) {
        size_t length = 0;
        while (name[length] != 0 && set->commands[i].name[length] == name[length])
            length++;
        if (length > best_length) {
            best_length = length;
            best = set->commands[i].name;
        }
    }
    return best;
}

static int unknown_command(const struct command_set *set, const char *name)
{
    const char *nearest = nearest_command(set, name);

    fprintf(stderr, "%s: there is no command \"%s\"", set->program, name);
    if (nearest != NULL)
        fprintf(stderr, ", did you mean \"%s\"?", nearest);
    fprintf(stderr, "; `%s --help` lists them\n", set->program);
    return EXIT_USAGE;
}

static bool is_any(const char *text, const char *a, const char *b, const char *c)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

int command_main(const struct command_set *set, int argc, char **argv)
{
    if (argc < 2) {
        print_usage(set, stderr);
        return EXIT_USAGE;
    }
    if (is_any(argv[1], "--help", "-h", "help")) {
        print_usage(set, stdout);
        return EXIT_PASS;
    }
    if (is_any(argv[1], "--version", "-V", "version")) {
        printf("%s %s\n", set->program, THAW_VERSION);
        return EXIT_PASS;
    }
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(argv[1], set->commands[i].name) == 0)
            return set->commands[i].run(argc - 1, argv + 1);
    return unknown_command(set, argv[1]);
}
