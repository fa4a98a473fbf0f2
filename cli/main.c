/* main.c — `thaw`: finds the subcommand and hands over. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

const struct command commands[] = {
    {"boot", "boot a machine up to its freeze point and freeze it", command_boot},
    {"run", "thaw a checkpoint, run a test or a suite, report", command_run},
    {"shell", "an interactive console on a thawed machine", command_shell},
    {"ls", "list checkpoints and tags", command_ls},
    {"show", "what a checkpoint holds, object by object", command_show},
    {"diff", "compare two checkpoints down to attribute and page", command_diff},
    {"tag", "name a checkpoint", command_tag},
    {"rm", "remove tags or checkpoints", command_rm},
    {"gc", "give back the space of what nothing names", command_gc},
    {"fsck", "check everything stored, and name what damage hurts", command_fsck},
    {"attrs", "the reference of all schemas and their attributes", command_attrs},
    {"export", "write a checkpoint as one .thaw file", command_export},
    {"import", "read a .thaw file into the store", command_import},
    {"completion", "print the shell completion script", command_completion},
};
const size_t command_count = sizeof commands / sizeof commands[0];

static void print_usage(FILE *out)
{
    fprintf(out, "Usage: thaw COMMAND [OPTION...] [ARGUMENT...]\n"
                 "Boot once, freeze, and thaw the frozen machine for every test, on any host.\n\n"
                 "Commands:\n");
    for (size_t i = 0; i < command_count; i++)
        fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\nEvery command takes --store URL, --json, -v and --help.\n\n"
                 "Example:\n"
                 "  thaw boot debian.yaml -n debian-booted\n"
                 "  thaw run debian-booted -- uname -a\n\n"
                 "Exit status: 0 pass, 1 fail, 2 usage, 3 infrastructure, 4 timeout.\n");
}

/* The command that begins most alike, for "did you mean"; NULL if none does. */
static const char *nearest_command(const char *name)
{
    size_t best_length = 0;
    const char *best = NULL;

    for (size_t i = 0; i < command_count; i++) {
        size_t length = 0;
        while (name[length] != 0 && commands[i].name[length] == name[length])
            length++;
        if (length > best_length) {
            best_length = length;
            best = commands[i].name;
        }
    }
    return best;
}

static int unknown_command(const char *name)
{
    const char *nearest = nearest_command(name);

    fprintf(stderr, "thaw: there is no command \"%s\"", name);
    if (nearest != NULL)
        fprintf(stderr, ", did you mean \"%s\"?", nearest);
    fprintf(stderr, "; `thaw --help` lists them\n");
    return EXIT_USAGE;
}

static bool is_any(const char *text, const char *a, const char *b, const char *c)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    if (is_any(argv[1], "--help", "-h", "help")) {
        print_usage(stdout);
        return EXIT_PASS;
    }
    if (is_any(argv[1], "--version", "-V", "version")) {
        printf("thaw %s\n", THAW_VERSION);
        return EXIT_PASS;
    }
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return unknown_command(argv[1]);
}
