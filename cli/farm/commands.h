/* commands.h — the commands of `thaw-farm`, which `thaw` hands over to. */
#ifndef THAW_CLI_FARM_COMMANDS_H
#define THAW_CLI_FARM_COMMANDS_H

#include "cli/base/command.h"

int command_jobs(int argc, char **argv);

#endif
