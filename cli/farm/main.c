/* main.c — `thaw-farm`: the farm's commands, one program of their own so that what they need is not
 * linked into the program that thaws a machine in milliseconds. */
#include "cli/farm/commands.h"

int main(int argc, char **argv)
{
    static const struct command commands[] = {
        {"jobs", "check a job file, and show what it would run", command_jobs},
    };
    static const struct command_set set = {
        "thaw-farm", "The commands of the farm: many agents, one queue. `thaw` hands over to it.",
        "  thaw jobs check nightly.yaml\n", commands, sizeof commands / sizeof commands[0]};

    return command_main(&set, argc, argv);
}
