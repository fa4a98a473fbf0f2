/* main.c — `thaw-farm`: the farm's commands, one program of their own so that what they need is not
 * linked into the program that thaws a machine in milliseconds. */
#include "cli/farm/commands.h"

#include "agent/farm/worker_exec.h"
#include "coordinator/gateway.h"

#include <string.h>

/* Processes that this program starts of itself, and what tests ask; nothing for people. */
static bool is_hidden(int argc, char **argv, int *status)
{
    if (argc < 2)
        return false;
    if (strcmp(argv[1], GATEWAY_COMMAND) == 0)
        *status = gateway_command(argc, argv);
    else if (strcmp(argv[1], WORKER_COMMAND) == 0)
        *status = worker_command(argc - 1, argv + 1);
    else if (strcmp(argv[1], ROUTES_COMMAND) == 0)
        *status = routes_command();
    else if (strcmp(argv[1], VERIFY_AGENT_COMMAND) == 0 && argc >= 3)
        *status = verify_agent_command(argv[2]);
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    static const struct command commands[] = {
        {"farm", "run a job file: coordinator and agents in one command", command_farm},
        {"jobs", "check a job file, and show what it would run", command_jobs},
        {"coordinator", "the service that keeps a farm's queue", command_coordinator},
        {"agent", "the service that runs a coordinator's jobs", command_agent},
        {"submit", "hand a job file to a coordinator", command_submit},
        {"watch", "follow a run as it goes", command_watch},
        {"results", "what came of a run, and how it differs from another", command_results},
        {"schedules", "list a coordinator's schedules; hold or remove one", command_schedules},
        {"baseline", "name a run that others are held against", command_baseline},
        {"history", "one test through all runs", command_history},
        {"cancel", "stop a run, or hold it", command_cancel},
        {"agents", "list a coordinator's agents, invite new ones", command_agents},
    };
    static const struct command_set set = {
        "thaw-farm", "The commands of the farm: many agents, one queue. `thaw` hands over to it.",
        "  thaw farm nightly.yaml\n", commands, sizeof commands / sizeof commands[0]};
    int status;

    if (is_hidden(argc, argv, &status))
        return status;
    return command_main(&set, argc, argv);
}
