/* main.c — `thaw`: finds the subcommand and hands over. */
#include "cli/commands.h"

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
    {"farm", "run a job file: coordinator and agents in one command", command_farm},
    {"jobs", "check a job file, and show what it would run", command_farm},
    {"coordinator", "the service that keeps a farm's queue", command_farm},
    {"agent", "the service that runs a coordinator's jobs", command_farm},
    {"submit", "hand a job file to a coordinator", command_farm},
    {"watch", "follow a run as it goes", command_farm},
    {"results", "what came of a run, and how it differs from another", command_farm},
    {"schedules", "list a coordinator's schedules; hold or remove one", command_farm},
    {"baseline", "name a run that others are held against", command_farm},
    {"history", "one test through all runs", command_farm},
    {"cancel", "stop a run, or hold it", command_farm},
    {"agents", "list a coordinator's agents, invite new ones", command_farm},
    {"verify", "the same checkpoint on unlike hosts: the same states?", command_verify},
    {"completion", "print the shell completion script", command_completion},
};
const size_t command_count = sizeof commands / sizeof commands[0];

int main(int argc, char **argv)
{
    static const char host[] = "verify-host"; /* not for people: in no list */
    static const struct command_set set = {
        "thaw", "Boot once, freeze, and thaw the frozen machine for every test, on any host.",
        "  thaw boot debian.yaml -n debian-booted\n"
        "  thaw run debian-booted -- uname -a\n",
        commands, sizeof commands / sizeof commands[0]};

    if (argc == 2 && strcmp(argv[1], host) == 0)
        return command_verify_host(argc - 1, argv + 1);
    return command_main(&set, argc, argv);
}
